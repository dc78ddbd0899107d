"""Prices inside risk: index in, mark out, who crossed a level, and funding.

A clock tick makes the book report its best prices; that is when an instrument's mark is renewed and
the frontier asked who was passed, and when funding falls due.
"""

from typing import Final

from engine.commands import BY_INDEX, BY_MARK, MAX_AMOUNT_Q, MAX_TICKS, AssetPrice, IndexPrice
from engine.events import CollateralPriceChanged, IndexStale, MarginRateChanged, MarkUpdated
from engine.internal import AskImpact, BookTop, HouseInventory, ImpactPrices, MarginRate
from engine.reasons import Reason
from risk.accounts import BACKSTOP, FUND, MarginAccount
from risk.borrowing import Borrowing
from risk.check.pretrade import Verdict
from risk.collateral import MAX_PRICE_PPB, CollateralAsset
from risk.core import RiskCore, values_of
from risk.frontier import Banded
from risk.levels.watch import MarginWatch
from risk.listing import HIGHEST_RISE, Listing
from risk.losses.house_waterfall import HouseWaterfall
from risk.prices.mark import MarkPrice
from risk.revaluation.funding_settlement import FundingSettlement

E6: Final[int] = 10**6
"""Impact prices come in millionths of a tick."""


class Pricing:
    """Feeds prices to the listings and lets time pass."""

    __slots__ = ("_borrowing", "_core", "_funding", "_house", "_watch")

    def __init__(self, core: RiskCore, watch: MarginWatch, house: HouseWaterfall) -> None:
        self._core = core
        self._watch = watch
        self._house = house
        self._funding = FundingSettlement(core, watch, house)
        self._borrowing = Borrowing(core, watch)

    def index_price(self, command: IndexPrice) -> None:
        """Take one source's price; the first one gives an instrument its first mark."""
        core = self._core
        price_ticks = command.price_ticks
        listing = core.listing(command.instrument_id)
        if listing is None:
            core.reject(0, 0, Verdict(Reason.UNKNOWN_INSTRUMENT))
            return
        highest_ticks = listing.max_ticks or MAX_TICKS
        if not 0 < price_ticks <= highest_ticks:
            detail = f"index price {price_ticks}; allowed: 1 to {highest_ticks} ticks"
            core.reject(0, 0, Verdict(Reason.PRICE_NOT_POSITIVE, detail=detail))
            return
        others = listing.others
        if others is not None and others.weighs(command.source_id):
            core.apply()
            others.update(command.source_id, price_ticks, command.time_ns)
            return
        if listing.mark_ticks == 0:
            self._try_first_mark(listing, command)
        core.apply()
        if listing.max_ticks == 0:
            listing.limit_prices(min(MAX_TICKS, price_ticks * HIGHEST_RISE))
        listing.index.update(command.source_id, price_ticks, command.time_ns)
        if listing.mark_ticks == 0:
            self._renew_mark(listing, listing.index.value(core.now_ns))

    def _try_first_mark(self, listing: Listing, command: IndexPrice) -> None:
        """Compute the first mark on copies: what cannot be computed changes nothing."""
        core = self._core
        prices = listing.prices_under(core.rulebook)
        prices.index.update(command.source_id, command.price_ticks, command.time_ns)
        self._mark_of(listing, prices.mark, prices.index.value(core.now_ns))

    def asset_price(self, command: AssetPrice) -> None:
        """Take one source's price of a collateral asset; the index of all is in force at once."""
        core = self._core
        fields: tuple[int, int, int, int] = values_of(command)
        time_ns, asset_id, source_id, price_ppb = fields
        asset = core.ledger.collateral.get(asset_id)
        if asset is None:
            detail = f"asset_id {asset_id} is no collateral by the rulebook"
            core.reject(0, 0, Verdict(Reason.UNKNOWN_ASSET, detail=detail))
            return
        if not 0 < price_ppb <= MAX_PRICE_PPB:
            detail = f"price_ppb {price_ppb}; allowed: 1 to {MAX_PRICE_PPB}"
            core.reject(0, 0, Verdict(Reason.PRICE_NOT_POSITIVE, detail=detail))
            return
        total_q = asset.value_at_q(core.ledger.books_of(asset_id).deposited_q, price_ppb)
        total_q += core.ledger.collateral_value_q(asset.margin_asset_id, asset_id)
        if total_q > MAX_AMOUNT_Q:
            detail = "all collateral at this price"
            verdict = Verdict(Reason.NUMBER_TOO_LARGE, total_q, MAX_AMOUNT_Q, detail)
            core.reject(0, 0, verdict)
            return
        index = asset.index_with(source_id, price_ppb, time_ns, core.rulebook.index)
        present_ppb = index.value(core.now_ns)
        core.apply()
        asset.index = index
        self._renew_price(asset, present_ppb)

    def _renew_price(self, asset: CollateralAsset, price_ppb: int) -> None:
        """Put an asset's price in force and look at those whose band it has left."""
        core = self._core
        before = asset.price_ppb
        if price_ppb == before:
            return
        asset.set_price(price_ppb)
        core.emit(
            CollateralPriceChanged(core.now_ns, asset.asset_id, asset.margin_asset_id, price_ppb)
        )
        if before:
            self._recheck(asset.frontier.crossed(price_ppb))
        else:
            # No account has a band yet: until now the asset counted for nothing.
            self._recheck(core.ledger.holdings_in(asset))
        self._house.check(asset.margin_asset_id)

    def book_top(self, message: BookTop) -> None:
        """Best prices at a tick: sample the basis and the premium, renew the mark."""
        core = self._core
        listing = core.listing(message.instrument_id)
        assert listing is not None, "the book knows only what risk listed"
        time_ns = message.time_ns
        bid_ticks = message.bid_ticks
        ask_ticks = message.ask_ticks
        listing.bid_ticks = bid_ticks
        listing.ask_ticks = ask_ticks
        index_ticks = listing.index.value(time_ns)
        if not (core.reduces_when_stale and listing.index.stale(time_ns)):
            listing.mark.sample(time_ns, bid_ticks, ask_ticks, index_ticks, listing.last_ticks)
            if not listing.impact_amount:
                listing.premium.sample(time_ns, bid_ticks, ask_ticks, index_ticks)
        if core.now_ns != time_ns:
            index_ticks = listing.index.value(core.now_ns)
        self._renew_mark(listing, index_ticks)
        if listing.stale and not listing.index.stale(core.now_ns):
            self._index_is_back(listing)
        if listing.renew_margin_rate(core.now_ns):
            self._margin_rate_changed(listing)

    def _margin_rate_changed(self, listing: Listing) -> None:
        """Whoever has a position or an order is looked at again at the new rate."""
        core = self._core
        meter = listing.meter
        assert meter is not None
        rate_ppb = meter.rate_ppb
        core.emit(MarginRate(core.now_ns, listing.instrument_id, rate_ppb))
        core.emit(MarginRateChanged(core.now_ns, listing.instrument_id, rate_ppb))
        accounts = core.ledger.accounts
        for account_id in sorted(accounts):
            account = accounts[account_id]
            if account.first_position is not None or account.trader.oldest_order is not None:
                self._watch.refresh(account, widen=True)
        self._house.check(listing.instrument.settle_asset_id)

    def impact_prices(self, message: ImpactPrices) -> None:
        """The book's answer: sample the premium of the impact prices."""
        core = self._core
        listing = core.listing(message.instrument_id)
        assert listing is not None, "the book knows only what risk listed"
        index_e6 = listing.index.value(message.time_ns) * E6
        listing.premium.sample(message.time_ns, message.bid_e6, message.ask_e6, index_e6)

    def _ask_impact(self, listing: Listing) -> None:
        """Ask the book for the impact prices of a premium that is due."""
        core = self._core
        amount = listing.impact_amount
        if not amount or not listing.premium.is_due(core.now_ns):
            return
        if core.reduces_when_stale and listing.index.stale(core.now_ns):
            return
        by_value = not listing.instrument.inverse
        core.emit(AskImpact(core.now_ns, listing.instrument_id, amount, by_value))

    def _index_is_back(self, listing: Listing) -> None:
        """A source has spoken and the mark is renewed: catch up with what had to wait."""
        core = self._core
        listing.stale = False
        core.emit(IndexStale(core.now_ns, listing.instrument_id, False))
        for position in listing.sorted_holders():
            self._watch.refresh(position.account, widen=True)
        self._house.check(listing.instrument.settle_asset_id)

    def _renew_mark(self, listing: Listing, index_ticks: int) -> None:
        core = self._core
        now_ns = core.now_ns
        listing.index_ticks = index_ticks
        before = listing.mark_ticks
        mark_ticks = self._mark_of(listing, listing.mark, index_ticks)
        if mark_ticks == 0:
            return
        listing.mark_ticks = mark_ticks
        core.emit(
            MarkUpdated(
                now_ns,
                listing.instrument_id,
                mark_ticks,
                index_ticks,
                listing.last_ticks,
                listing.long_lots,
            )
        )
        if mark_ticks != before:
            if listing.keeps_previous_mark:
                listing.previous_mark_ticks = before
            listing.mark_version += 1
            self._recheck(listing.frontier.crossed(mark_ticks))
            self._house.check(listing.instrument.settle_asset_id)
        if listing.triggers is not None:
            # An account that this mark liquidates has none any more.
            core.fire_triggers(listing, BY_INDEX, index_ticks)
        if listing.triggers is not None:
            core.fire_triggers(listing, BY_MARK, mark_ticks)

    def _mark_of(self, listing: Listing, mark: MarkPrice, index_ticks: int) -> int:
        core = self._core
        now_ns = core.now_ns
        interval_ns = core.funding_interval_ns
        return mark.value(
            now_ns,
            index_ticks,
            listing.last_ticks,
            listing.funding_rate_ppb,
            max(0, listing.next_funding_ns - now_ns) if interval_ns else 0,
            interval_ns,
            listing.bid_ticks,
            listing.ask_ticks,
            listing.others.fresh_value(now_ns) if listing.others is not None else 0,
        )

    def _recheck(self, crossed: list[Banded]) -> None:
        """Recompute the accounts whose band a price has left, by account id."""
        if not crossed:
            return
        touched: dict[int, MarginAccount] = {}
        for member in crossed:
            touched[member.account.margin_account_id] = member.account
        for account_id in sorted(touched):
            self._watch.refresh(touched[account_id], widen=True)

    def advance_time(self) -> None:
        """Prices go stale, calls expire, funding falls due, the house offers what it holds."""
        core = self._core
        for listing in core.listings.values():
            if not listing.stale and listing.index_ticks and listing.index.stale(core.now_ns):
                listing.stale = True
                core.emit(IndexStale(core.now_ns, listing.instrument_id, True))
        for asset in core.ledger.collateral.values():
            self._renew_price(asset, asset.index.value(core.now_ns))
        for listing in core.listings.values():
            self._ask_impact(listing)
        self._watch.expire_calls()
        interval_ns = core.funding_interval_ns
        if interval_ns:
            for listing in core.listings.values():
                if not listing.next_funding_ns:
                    listing.next_funding_ns = (core.now_ns // interval_ns + 1) * interval_ns
                elif core.now_ns >= listing.next_funding_ns and not self._waits(listing):
                    # The intervals that have ended, rounded down, with the first one missed.
                    ended = (core.now_ns - listing.next_funding_ns) // interval_ns + 1
                    self._funding.settle(listing, ended)
                    listing.next_funding_ns = (core.now_ns // interval_ns + 1) * interval_ns
        if core.rollover_ns:
            for listing in core.listings.values():
                self._borrowing.roll(listing, core.rollover_ns)
        for asset_id in core.assets:
            for account_id in (FUND, BACKSTOP):
                account = core.ledger.house(account_id, asset_id)
                if any(position.qty_lots for position in account.positions):
                    core.emit(HouseInventory(core.now_ns, core.facts(account)))

    def _waits(self, listing: Listing) -> bool:
        """Whether funding is put off, to be paid for each interval once the index is back."""
        return listing.stale and self._core.halts_when_stale
