"""A small exchange for behaviour tests: decimals in, commands out, every event kept.

The default contract is worth its price in USD (tick 0.01, lot 0.01), may be opened with 10x
leverage (initial margin 10 %) and has 5 % maintenance margin, so that most sums can be done in the
head. The mark is the index, there are no fees, and every invariant is checked after every command.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

from engine import commands as c
from engine.events import (
    AccountReport,
    CommandRejected,
    LiquidationEnded,
    MarginAccountReport,
    OrderAccepted,
    OrderClosed,
    OrderFilled,
    PositionReport,
)
from engine.instruments import (
    INVERSE,
    LINEAR,
    AssetSpec,
    MarginSpec,
    MarginTier,
    build_instrument_spec,
)
from engine.routing.bus import Latency
from engine.units import SECOND_NS, from_grid, to_grid, to_ppb
from risk.accounts import BACKSTOP, FEES, FUND, RESIDUE, cross_account_id, isolated_account_id
from risk.rulebook import (
    CollateralAssetRule,
    CollateralRule,
    LevelRule,
    LiquidationRule,
    MarkRule,
    Rulebook,
)
from seawall.exchange import Exchange

HOUSE = (FUND, BACKSTOP, FEES, RESIDUE)
USD = AssetSpec(0, "USD", 6)
BTC = AssetSpec(1, "BTC", 8)
ETH = AssetSpec(2, "ETH", 9)
ASSETS = {asset.symbol: asset for asset in (USD, BTC, ETH)}
INDEX_SOURCE = 1

EQUITY_PARTS = (
    "price_q",
    "slippage_q",
    "fee_q",
    "funding_q",
    "surrender_q",
    "adl_q",
    "haircut_q",
    "transfer_q",
)
"""Where the equity of an account in liquidation can go."""

ALL_STAGES = ["cancel", "reduce", "close", "fund", "adl", "socialise"]

Event = TypeVar("Event")


def usd(amount: str) -> int:
    """Dollars in quanta (millionths)."""
    return to_grid(amount, USD.quantum, "usd")


def btc(amount: str) -> int:
    """Coins in quanta (hundred-millionths)."""
    return to_grid(amount, BTC.quantum, "btc")


def px(price: str) -> int:
    """A price of the default contract in ticks."""
    return to_grid(price, Decimal("0.01"), "price")


def size(qty: str) -> int:
    """A quantity of the default contract in lots."""
    return to_grid(qty, Decimal("0.01"), "qty")


def ppb(rate: str) -> int:
    """A rate in parts per billion."""
    return to_ppb(rate, "rate")


def tiers(*rows: tuple[str, str, int, str], asset: AssetSpec = USD) -> MarginSpec:
    """A bracket table from ``(up to, maintenance rate, max leverage, deduction)`` rows."""
    floor_q = 0
    built = []
    for up_to, rate, leverage, deduction in rows:
        cap_q = to_grid(up_to, asset.quantum, "up_to")
        deduction_q = to_grid(deduction, asset.quantum, "deduction")
        built.append(MarginTier(floor_q, cap_q, ppb(rate), leverage, deduction_q))
        floor_q = cap_q
    return MarginSpec("brackets", tiers=built)


def flat(maintenance: str = "0.05", leverage: int = 10) -> MarginSpec:
    """One rate at every size."""
    params = [("maintenance_ppb", ppb(maintenance)), ("max_leverage", leverage)]
    return MarginSpec("flat", params=params)


def levels(**factors: str) -> list[LevelRule]:
    """Margin levels by kind, mildest first: ``levels(alert="2", call="1.5", liquidate="1")``."""
    return [LevelRule(kind, kind, ppb(factor)) for kind, factor in factors.items()]


def liquidation(stages: Sequence[str] = ALL_STAGES, **settings: Any) -> LiquidationRule:
    """Liquidation rules: the whole position at once unless told otherwise."""
    return LiquidationRule(stages=list(stages), **settings)


def collateral(
    margin_asset: str = "USD", debt_limit: int = 0, **haircuts: str
) -> list[CollateralRule]:
    """Multi-asset margin: ``collateral(BTC="0.1", ETH="0.2")``."""
    assets = [CollateralAssetRule(symbol, ppb(haircut)) for symbol, haircut in haircuts.items()]
    return [CollateralRule(margin_asset, assets, debt_limit)]


def rules(**settings: Any) -> Rulebook:
    """The plain rulebook with some of its parts replaced."""
    plain: dict[str, Any] = {
        "name": "test",
        "title": "Rules of a test",
        "sources": ["chosen"],
        "levels": levels(liquidate="1"),
        "liquidation": liquidation(),
        "mark": MarkRule(method="index"),
        "market_slippage_ppb": 0,
    }
    return Rulebook(**(plain | settings))


def checked_parts(ended: LiquidationEnded) -> dict[str, int]:
    """The parts that are not zero; checks that they are all of the change."""
    found = {name: getattr(ended, name) for name in EQUITY_PARTS}
    assert sum(found.values()) == ended.equity_after_q - ended.equity_before_q, ended
    return {name: value for name, value in found.items() if value}


class Market:
    """An exchange, its clock and everything it said."""

    def __init__(
        self, rulebook: Rulebook | None = None, latency: Latency | None = None, listed: bool = True
    ) -> None:
        self.exchange = Exchange(latency=latency, check_invariants_every=1)
        self.events: list[Any] = []
        self.exchange.subscribe(self.events.append)
        self.commands: list[c.Command] = []
        self.now_ns = 0
        self.ids: dict[str, int] = {}
        for asset in (USD, BTC):
            self.send(c.AddAsset(0, asset))
        self.rule(rulebook or rules())
        if listed:
            self.add("PERP")

    # setting up

    def send(self, command: c.Command) -> list[Any]:
        """Run one command; returns the events it caused."""
        before = len(self.events)
        self.commands.append(command)
        self.exchange.send(command)
        return self.events[before:]

    def add(
        self,
        symbol: str,
        *,
        asset: str = "USD",
        inverse: bool = False,
        margin: MarginSpec | None = None,
        tick: str = "0.01",
        lot: str = "0.01",
        **figures: Any,
    ) -> None:
        """List a contract."""
        self.ids[symbol] = len(self.ids)
        spec = build_instrument_spec(
            instrument_id=self.ids[symbol],
            symbol=symbol,
            kind=INVERSE if inverse else LINEAR,
            asset=ASSETS[asset],
            tick=tick,
            lot=lot,
            margin=margin or flat(),
            **figures,
        )
        self.send(c.AddInstrument(self.now_ns, spec))

    def open(self, *traders: int, deposit: str, asset: str = "USD") -> None:
        """Open accounts (where needed) and pay the same amount into each."""
        for trader in traders:
            if trader not in self.exchange.risk.core.ledger.traders:
                self.send(c.OpenAccount(self.now_ns, trader))
            self.deposit(trader, deposit, asset)

    def deposit(self, trader: int, amount: str, asset: str = "USD") -> list[Any]:
        """Pay into a cross account (or the fund)."""
        spec = ASSETS[asset]
        amount_q = to_grid(amount, spec.quantum, "deposit")
        return self.send(c.Deposit(self.now_ns, trader, spec.asset_id, amount_q))

    def withdraw(self, trader: int, amount: str, asset: str = "USD") -> list[Any]:
        """Take out of a cross account."""
        spec = ASSETS[asset]
        amount_q = to_grid(amount, spec.quantum, "withdrawal")
        return self.send(c.Withdraw(self.now_ns, trader, spec.asset_id, amount_q))

    def leverage(self, trader: int, leverage: int, symbol: str = "PERP") -> list[Any]:
        """Choose a leverage."""
        return self.send(c.SetLeverage(self.now_ns, trader, self.ids[symbol], leverage))

    def isolate(self, trader: int, symbol: str = "PERP", isolated: bool = True) -> list[Any]:
        """Choose isolated (or cross) margin."""
        return self.send(c.SetMarginMode(self.now_ns, trader, self.ids[symbol], isolated))

    def hedge(self, trader: int, hedge: bool = True) -> list[Any]:
        """Choose hedge (or one-way) mode."""
        return self.send(c.SetPositionMode(self.now_ns, trader, hedge))

    def adjust(
        self, trader: int, amount: str, symbol: str = "PERP", leg: int = c.LEG_NET
    ) -> list[Any]:
        """Add to (or with a minus take from) the margin of an isolated position."""
        command = c.AdjustIsolatedMargin(self.now_ns, trader, self.ids[symbol], leg, usd(amount))
        return self.send(command)

    def rule(self, rulebook: Rulebook) -> None:
        """Put other rules in force."""
        answers = self.send(c.SetRulebook(self.now_ns, rulebook.to_json()))
        assert not any(isinstance(answer, CommandRejected) for answer in answers), answers

    # prices and time

    def index(self, price: str, symbol: str = "PERP") -> list[Any]:
        """Move the index and let the clock tick; returns the events."""
        before = len(self.events)
        tick = self._spec(symbol).tick_size
        ticks = to_grid(price, tick, "index")
        self.send(c.IndexPrice(self.now_ns, self.ids[symbol], INDEX_SOURCE, ticks))
        self.tick()
        return self.events[before:]

    def asset_price(self, price: str, asset: str = "BTC", source: int = 1) -> list[Any]:
        """Move the price of a collateral asset."""
        price_ppb = to_ppb(price, "asset price")
        return self.send(c.AssetPrice(self.now_ns, ASSETS[asset].asset_id, source, price_ppb))

    def tick(self) -> list[Any]:
        """The clock ticks without moving on."""
        return self.send(c.AdvanceTime(self.now_ns))

    def wait(self, seconds: str) -> list[Any]:
        """Time passes, then the clock ticks."""
        self.now_ns += to_grid(seconds, Decimal(1) / SECOND_NS, "seconds")
        return self.tick()

    # orders

    def order(
        self,
        trader: int,
        side: int,
        qty: str,
        price: str | None,
        symbol: str = "PERP",
        **fields: Any,
    ) -> int:
        """Send an order (market without a price) and return its id."""
        spec = self._spec(symbol)
        order_id = self.exchange.next_order_id()
        self.send(
            c.SubmitOrder(
                self.now_ns,
                trader,
                self.ids[symbol],
                order_id,
                side,
                to_grid(qty, spec.lot_size, "qty"),
                0 if price is None else to_grid(price, spec.tick_size, "price"),
                c.MARKET if price is None else c.LIMIT,
                **fields,
            )
        )
        return order_id

    def buy(self, trader: int, qty: str, price: str | None = None, **fields: Any) -> int:
        """Send a buy order."""
        return self.order(trader, c.BUY, qty, price, **fields)

    def sell(self, trader: int, qty: str, price: str | None = None, **fields: Any) -> int:
        """Send a sell order."""
        return self.order(trader, c.SELL, qty, price, **fields)

    def trade(self, buyer: int, seller: int, qty: str, price: str, symbol: str = "PERP") -> None:
        """The seller rests, the buyer takes; both are filled completely."""
        self.sell(seller, qty, price, symbol=symbol)
        bought = self.buy(buyer, qty, price, symbol=symbol)
        filled = sum(e.qty_lots for e in self.all(OrderFilled) if e.order_id == bought)
        assert filled == to_grid(qty, self._spec(symbol).lot_size, "qty"), self.events[-5:]

    def trigger(
        self,
        trader: int,
        side: int,
        qty: str,
        trigger_price: str,
        price: str | None = None,
        symbol: str = "PERP",
        trigger: int = c.STOP,
        **fields: Any,
    ) -> int:
        """Send a trigger order (of no size: that closes the position; without a price: a market
        order) and return its id."""
        spec = self._spec(symbol)
        order_id = self.exchange.next_order_id()
        self.send(
            c.SubmitTrigger(
                self.now_ns,
                trader,
                self.ids[symbol],
                order_id,
                side,
                to_grid(qty or "0", spec.lot_size, "qty"),
                trigger,
                to_grid(trigger_price, spec.tick_size, "trigger price"),
                order_type=c.MARKET if price is None else c.LIMIT,
                price_ticks=0 if price is None else to_grid(price, spec.tick_size, "price"),
                close_position=not qty,
                **fields,
            )
        )
        return order_id

    def cancel(self, trader: int, order_id: int) -> list[Any]:
        """Cancel one order."""
        return self.send(c.CancelOrder(self.now_ns, trader, order_id))

    def amend(self, trader: int, order_id: int, qty: str, price: str) -> list[Any]:
        """Change an order of the default contract."""
        command = c.AmendOrder(self.now_ns, trader, order_id, px(price), size(qty))
        return self.send(command)

    # looking

    def all(self, kind: type[Event]) -> list[Event]:
        """Every event of a kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def last(self, kind: type[Event]) -> Event:
        """The last event of a kind."""
        return self.all(kind)[-1]

    def only(self, kind: type[Event]) -> Event:
        """The one event of a kind there must be."""
        found = self.all(kind)
        assert len(found) == 1, found
        return found[0]

    def forget(self) -> None:
        """Drop the events so far."""
        self.events.clear()

    def only_closed(self, order_id: int) -> OrderClosed:
        """The end of an order; fails while it is open."""
        (found,) = (event for event in self.all(OrderClosed) if event.order_id == order_id)
        return found

    def refusal(self) -> CommandRejected:
        """What the last command was answered with; fails unless it was refused."""
        event = self.events[-1]
        assert isinstance(event, CommandRejected), event
        return event

    def accepted(self, order_id: int) -> bool:
        """Whether an order passed the check."""
        return any(event.order_id == order_id for event in self.all(OrderAccepted))

    def report(self, trader: int) -> AccountReport:
        """The account as its owner sees it."""
        return self.exchange.account_report(trader)

    def pot(
        self, trader: int, symbol: str = "", leg: int = 0, asset: str = "USD"
    ) -> MarginAccountReport:
        """A margin account: the isolated one of a contract, or the cross account of an asset."""
        wanted = cross_account_id(trader, ASSETS[asset].asset_id)
        if symbol:
            wanted = isolated_account_id(trader, self.ids[symbol], leg)
        (found,) = (
            pot for pot in self.report(trader).margin_accounts if pot.margin_account_id == wanted
        )
        return found

    def position(self, trader: int, symbol: str = "PERP", leg: int = 0) -> PositionReport | None:
        """A position wherever it is held; None when flat."""
        for pot in self.report(trader).margin_accounts:
            for position in pot.positions:
                if position.instrument_id == self.ids[symbol] and position.leg == leg:
                    return position
        return None

    def held(self, trader: int, symbol: str = "PERP", leg: int = 0) -> PositionReport:
        """A position that must be there."""
        position = self.position(trader, symbol, leg)
        assert position is not None, f"account {trader} is flat in {symbol}"
        return position

    def lots(self, trader: int, symbol: str = "PERP", leg: int = 0) -> int:
        """Signed lots of a position; 0 when flat."""
        position = self.position(trader, symbol, leg)
        return 0 if position is None else position.qty_lots

    def wallet(self, trader: int, asset: str = "USD") -> int:
        """Wallet of a cross account, the house's included."""
        return self.pot(trader, asset=asset).wallet_q

    def equity(self, trader: int, asset: str = "USD") -> int:
        """Equity of a cross account."""
        return self.pot(trader, asset=asset).equity_q

    def mark(self, symbol: str = "PERP") -> str:
        """The mark as a decimal string."""
        return from_grid(self.exchange.mark_ticks(self.ids[symbol]), self._spec(symbol).tick_size)

    def _spec(self, symbol: str) -> Any:
        return self.exchange.listing(self.ids[symbol]).instrument.spec
