"""A listed contract as risk sees it: its prices, margin model, holders and frontier."""

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from engine.commands import BY_LAST, BY_MARK, MAX_AMOUNT_Q
from engine.instruments import Instrument, InstrumentSpec
from engine.units import PPB, Rate
from risk.adl_price import ADL_PRICES
from risk.allowance import Allowance
from risk.fees import Fees
from risk.frontier import Frontier
from risk.impact import impact_amount
from risk.margin import build_margin_model
from risk.prices.funding import PremiumWindow
from risk.prices.index_price import Index
from risk.prices.mark import MarkPrice
from risk.rulebook import IndexRule, Rulebook

if TYPE_CHECKING:
    from risk.accounts import Position
    from risk.triggers.trigger_book import TriggerBook


HIGHEST_RISE: Final[int] = 1_000
"""The highest price a contract may have, as a multiple of its first."""

DEFAULT_LEVERAGE: Final[int] = 20
"""Leverage of an account that chose none, if the margin model allows as much."""


class RuledPrices:
    """Index, mark, premium, other venues' prices, fees, size of the impact prices and allowance of
    a contract under a rulebook."""

    __slots__ = ("allowance", "fees", "impact_amount", "index", "mark", "others", "premium")

    def __init__(
        self,
        index: Index,
        mark: MarkPrice,
        premium: PremiumWindow,
        others: Index | None,
        fees: Fees,
        impact_amount: int,
        allowance: Allowance,
    ) -> None:
        self.index = index
        self.mark = mark
        self.premium = premium
        self.others = others
        self.fees = fees
        self.impact_amount = impact_amount
        self.allowance = allowance


class Listing:
    """Prices are ticks, 0 while unknown. `mark_version` counts changes of the mark.

    `longs` and `shorts` are the positions that are not flat, in no order; `long_lots` is the open
    interest, the sum over the longs (the shorts' sum is its negative), and `open_buy_lots` is what
    open buy orders could add to it. `default_leverage` is what an account has that chose none;
    `max_ticks` is the highest price it may have and `max_open_lots` the open interest that is still
    an amount there; `profit_margins_orders` is the rulebook's; `band_low` and `band_high` times the
    mark are how far an order price may cross. `stale` is set from the tick that finds every source
    of the index too old to the one that renews the mark with a fresh one. `others` are the sources
    of other venues' prices, where the rulebook weighs any; `previous_mark_ticks` is the mark before
    the present one while `keeps_previous_mark`, `rolled_ns` the last time positions were looked at
    for rollover fees, 0 without any. `impact_amount` is the size of the impact prices (0: best
    prices), by the `decimals` of the asset it settles in; `allowance` is what may be borrowed.
    `triggers` are the trigger orders that wait in it, None while there are none. `meter` renews the
    rate of a `model` that follows the index or the open interest.
    """

    __slots__ = (
        "_decimals",
        "_spec",
        "allowance",
        "ask_ticks",
        "band_high",
        "band_low",
        "bid_ticks",
        "default_leverage",
        "fees",
        "frontier",
        "funding_rate_ppb",
        "impact_amount",
        "index",
        "index_ticks",
        "instrument",
        "instrument_id",
        "keeps_previous_mark",
        "last_ticks",
        "long_lots",
        "longs",
        "mark",
        "mark_ticks",
        "mark_version",
        "max_open_lots",
        "max_ticks",
        "meter",
        "model",
        "next_funding_ns",
        "open_buy_lots",
        "others",
        "premium",
        "previous_mark_ticks",
        "profit_margins_orders",
        "rolled_ns",
        "shorts",
        "stale",
        "symbol",
        "triggers",
    )

    def __init__(self, spec: InstrumentSpec, rulebook: Rulebook, decimals: int) -> None:
        self.instrument = Instrument(spec)
        self.instrument_id = spec.instrument_id
        self.symbol = spec.symbol
        self.band_low = Rate(PPB - spec.band_ppb)
        self.band_high = Rate(PPB + spec.band_ppb)
        self.model = build_margin_model(spec.margin)
        self.meter = self.model.new_meter()
        self.default_leverage = min(DEFAULT_LEVERAGE, self.model.max_leverage(1))
        self._spec = spec
        self._decimals = decimals
        self.fees = Fees(rulebook, spec.symbol)
        self.impact_amount = self._impact(rulebook)
        self.allowance = Allowance(rulebook.borrow, spec, decimals)
        self.index = Index(rulebook.index)
        self.mark = MarkPrice(rulebook.mark)
        self.others = others_of(rulebook)
        self.premium = PremiumWindow(rulebook.funding)
        self.keeps_previous_mark = ADL_PRICES.get(rulebook.adl.price).uses_previous_mark
        self.previous_mark_ticks = 0
        self.profit_margins_orders: bool = rulebook.profit_margins_orders
        self.frontier = Frontier()
        self.triggers: TriggerBook | None = None
        self.longs: list[Position] = []
        self.shorts: list[Position] = []
        self.long_lots = 0
        self.open_buy_lots = 0
        self.mark_ticks = 0
        self.index_ticks = 0
        self.last_ticks = 0
        self.bid_ticks = 0
        self.ask_ticks = 0
        self.mark_version = 0
        self.stale = False
        self.rolled_ns = 0
        self.limit_prices(0)
        self.funding_rate_ppb = 0
        self.next_funding_ns = 0

    def _impact(self, rulebook: Rulebook) -> int:
        leverage = self.model.max_leverage(1)
        return impact_amount(self._spec, self._decimals, rulebook.funding, leverage)

    def prices_under(self, rulebook: Rulebook) -> "RuledPrices":
        """What a rulebook makes of the contract's prices, with those and the samples taken so far;
        copies, put in force by `obey`."""
        index = Index(rulebook.index)
        index.restore(self.index.state())
        mark = MarkPrice(rulebook.mark)
        mark.take_over(self.mark)
        premium = PremiumWindow(rulebook.funding)
        premium.take_over(self.premium)
        others = others_of(rulebook)
        if others is not None and self.others is not None:
            # A source without a weight now is none of them any more.
            others.restore([row for row in self.others.state() if others.weighs(row[0])])
        return RuledPrices(
            index,
            mark,
            premium,
            others,
            Fees(rulebook, self.symbol),
            self._impact(rulebook),
            Allowance(rulebook.borrow, self._spec, self._decimals),
        )

    def obey(self, rulebook: Rulebook, prices: "RuledPrices") -> None:
        """A rulebook is in force from now on; ``prices`` are what it makes of them."""
        self.index = prices.index
        self.mark = prices.mark
        self.premium = prices.premium
        self.others = prices.others
        self.fees = prices.fees
        self.keeps_previous_mark = ADL_PRICES.get(rulebook.adl.price).uses_previous_mark
        self.impact_amount = prices.impact_amount
        self.allowance = prices.allowance
        self.profit_margins_orders = rulebook.profit_margins_orders
        if not self.keeps_previous_mark:
            self.previous_mark_ticks = 0
        if not rulebook.borrow.rollover_ns:
            self.rolled_ns = 0

    def renew_margin_rate(self, time_ns: int) -> bool:
        """Let the meter of the margin rate take a sample if there is one and it is due; whether
        the model is another one now."""
        meter = self.meter
        if meter is None or self.stale or not self.mark_ticks:
            return False
        open_q = self.instrument.notional_q(self.long_lots, self.mark_ticks)
        if not meter.sample(time_ns, self.index_ticks, open_q):
            return False
        self.model = self.model.at_rate(meter.rate_ppb)
        return True

    def restore_meter(self, state: list[Any]) -> None:
        """Take over a meter's state, and the model at its rate."""
        assert self.meter is not None
        self.meter.restore(state)
        self.model = self.model.at_rate(self.meter.rate_ppb)

    def limit_prices(self, max_ticks: int) -> None:
        """Set the highest price, and with it the open interest whose value stays an amount at every
        price up to it. 0: no price is known yet, and nothing can be open."""
        self.max_ticks = max_ticks
        self.max_open_lots = 0
        if max_ticks:
            # The value of an inverse contract is highest at the lowest price.
            lot_q = self.instrument.notional_q(1, 1 if self.instrument.inverse else max_ticks)
            self.max_open_lots = MAX_AMOUNT_Q // lot_q

    def price_ticks(self, trigger_by: int) -> int:
        """The price that a trigger order looks at (`engine.commands.BY_LAST` and so on)."""
        if trigger_by == BY_LAST:
            return self.last_ticks
        return self.mark_ticks if trigger_by == BY_MARK else self.index_ticks

    def sorted_holders(self) -> "list[Position]":
        """The open positions in a fixed order that does not depend on history."""
        holders = [*self.longs, *self.shorts]
        holders.sort(key=attrgetter("uid"))
        return holders

    def enter(self, position: "Position") -> None:
        """A position is open from now on, on the side its lots say."""
        side = self.longs if position.qty_lots > 0 else self.shorts
        position.side_place = len(side)
        side.append(position)

    def leave(self, position: "Position", was_long: bool) -> None:
        """A position is no longer on this side; the last of the side takes its place."""
        side = self.longs if was_long else self.shorts
        last = side.pop()
        if last is not position:
            side[position.side_place] = last
            last.side_place = position.side_place


def others_of(rulebook: Rulebook) -> Index | None:
    """Sources of other venues' prices, which go stale like those of the index."""
    weights = rulebook.mark.weights
    if not weights:
        return None
    return Index(IndexRule("weighted", rulebook.index.stale_ns, weights=weights))
