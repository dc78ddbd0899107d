"""The state that the parts of the risk engine share: ledger, listings, rules, output."""

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import astuple

from engine.commands import LEG_NET, AddAsset
from engine.events import (
    BackstopChanged,
    BalanceChanged,
    CommandRejected,
    FundChanged,
    OrderClosed,
    TriggerFired,
)
from engine.instruments import AssetSpec
from engine.internal import (
    AccountFacts,
    FireTrigger,
    HouseFacts,
    PositionFacts,
    PositionMoved,
    PullOrder,
)
from engine.orders_by_id import OrdersById, new_orders_by_id
from engine.units import on_wire
from risk.accounts import (
    BACKSTOP,
    FUND,
    MarginAccount,
    OpenOrder,
    Position,
    Trader,
    isolated_account_id,
)
from risk.check.pretrade import Verdict
from risk.collateral import CollateralAsset, collateral_assets
from risk.health import (
    Levels,
    evaluate,
    initial_requirement_q,
    position_notional_q,
)
from risk.ledger import Ledger
from risk.listing import Listing
from risk.nearest import NearestAccounts
from risk.rulebook import GO_ON, HALT_LIQUIDATIONS, NO_RULES, Rulebook
from risk.triggers.expiries import Expiries
from risk.triggers.store import TriggerStore
from risk.triggers.trigger import Trigger

values_of: Final[Callable[[Any], Any]] = astuple
"""All fields of a message in their order, in one call: compiled, much cheaper than one by one."""
_NEAR_LISTINGS: Final[int] = 1_024


class RiskCore:
    """State shared by the parts of the risk engine. `out` collects what the current message causes;
    `planning` is set while a command has changed nothing yet (`apply`); `orders` are all open
    orders of all traders by id, `triggers` those that wait for a price, `expiries` when any of them
    end by the clock; `nearest` knows who is near liquidation; `slippage_ppb` (of market orders),
    `profit_margins_orders`, `reduce_only_counts`, `funding_interval_ns` and `rollover_ns` are
    copies of what the rulebook says."""

    __slots__ = (
        "_near_listings",
        "assets",
        "expiries",
        "funding_interval_ns",
        "halts_when_stale",
        "ledger",
        "levels",
        "listings",
        "nearest",
        "next_call_id",
        "next_liquidation_id",
        "now_ns",
        "orders",
        "out",
        "planning",
        "profit_margins_orders",
        "reduce_only_counts",
        "reduces_when_stale",
        "rollover_ns",
        "rulebook",
        "slippage_ppb",
        "triggers",
    )

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.assets: dict[int, AssetSpec] = {}
        self.listings: dict[int, Listing] = {}
        self.nearest = NearestAccounts(self.ledger, self.listings)
        # Those with a small id, by their id.
        self._near_listings: list[Listing | None] = [None] * _NEAR_LISTINGS
        self.orders: OrdersById[OpenOrder] = new_orders_by_id()
        self.triggers = TriggerStore()
        self.expiries = Expiries()
        self.planning = False
        self.set_rulebook(NO_RULES)
        self.now_ns = 0
        self.next_call_id = 1
        self.next_liquidation_id = 1
        self.out: list[Any] = []

    def apply(self) -> None:
        """The plan of the present command is made: from here on it changes state, and what is
        raised leaves that half done."""
        self.planning = False

    def advance(self, time_ns: int) -> None:
        """A message of this time is handled now; time never goes back."""
        if time_ns > self.now_ns:
            self.now_ns = time_ns

    def emit(self, message: Any) -> None:
        """Send a message or event."""
        self.out.append(message)

    def reject(self, account_id: int, order_id: int, verdict: Verdict) -> None:
        """Answer a refused command: one event, with the figures used."""
        self.out.append(
            CommandRejected(
                self.now_ns,
                account_id,
                order_id,
                int(verdict.reason),
                on_wire(verdict.required_q),
                on_wire(verdict.free_q),
                verdict.detail,
            )
        )

    def fund_moved(self, account: MarginAccount, amount_q: int, cause: str) -> None:
        """Publish that the wallet of the fund or the backstop moved; says nothing of other accounts
        or of nothing."""
        account_id = account.trader.account_id
        if not amount_q or account_id > BACKSTOP:
            return
        changed = FundChanged if account_id == FUND else BackstopChanged
        self.out.append(changed(self.now_ns, account.asset_id, amount_q, account.wallet_q, cause))

    def balance_moved(self, account: MarginAccount, amount_q: int, cause: str) -> None:
        """Publish that a wallet moved by something else than a trade."""
        self.emit(
            BalanceChanged(
                self.now_ns,
                account.margin_account_id,
                account.asset_id,
                amount_q,
                account.wallet_q,
                cause,
            )
        )

    def settle_outside_book(self, position: Position, qty_lots: int, value_q: int) -> int:
        """Book a change of a position that no fill made, tell the book, and return the profit it
        realised. Lots and value are signed as in `Ledger.settle`."""
        realised_q = self.ledger.settle(position, qty_lots, value_q, self.now_ns)
        account_id = position.account.trader.account_id
        instrument_id = position.listing.instrument_id
        self.out.append(
            PositionMoved(self.now_ns, instrument_id, account_id, position.leg, qty_lots)
        )
        return realised_q

    def pull(self, order: OpenOrder, reason: int, account_id: int = 0) -> None:
        """Send a cancel to the book; the order ends when the book answers."""
        self.out.append(
            PullOrder(self.now_ns, order.order_id, order.instrument_id, int(reason), account_id)
        )

    def fire_triggers(self, listing: Listing, trigger_by: int, price_ticks: int) -> None:
        """One of a contract's prices is this now: what it fires takes its turn as an order, behind
        what is under way."""
        for trigger in self.triggers.fire(listing, trigger_by, price_ticks):
            terms = trigger.terms
            self.out.append(
                TriggerFired(
                    self.now_ns,
                    terms.account_id,
                    trigger.order_id,
                    terms.instrument_id,
                    price_ticks,
                    trigger.fired_ticks,
                )
            )
            self.out.append(FireTrigger(self.now_ns, trigger.order_id))

    def end_trigger(self, trigger: Trigger, reason: int) -> None:
        """A trigger order that never became an order is over."""
        terms = trigger.terms
        self.triggers.drop(trigger, self.listings[terms.instrument_id])
        self.expiries.drop(trigger.order_id)
        self.out.append(
            OrderClosed(
                self.now_ns,
                terms.account_id,
                trigger.order_id,
                terms.instrument_id,
                terms.qty_lots,
                int(reason),
            )
        )

    def is_locked(self, trader: Trader, listing: Listing, leg: int) -> bool:
        """Whether what would margin a new order in a contract is in liquidation."""
        asset_id = listing.instrument.settle_asset_id
        pot = isolated_account_id(trader.account_id, listing.instrument_id, leg)
        return any(
            account.liquidation is not None
            and account.asset_id == asset_id
            and (not account.isolated or account.margin_account_id == pot)
            for account in trader.accounts
        )

    def triggers_of(self, account: MarginAccount) -> list[Trigger]:
        """The trader's trigger orders whose fills this account would margin; a cross account also
        carries those of the isolated positions it feeds. Oldest first."""
        trader = account.trader
        found: list[Trigger] = []
        for trigger in trader.triggers.values():
            terms = trigger.terms
            instrument_id: int = terms.instrument_id
            instrument = self.listings[instrument_id].instrument
            if instrument.settle_asset_id != account.asset_id:
                continue
            if account.isolated:
                pot = isolated_account_id(trader.account_id, instrument_id, terms.leg)
                isolated = trader.isolated.get(instrument_id, False)
                if not isolated or pot != account.margin_account_id:
                    continue
            found.append(trigger)
        return found

    def add_asset(self, command: AddAsset) -> None:
        """Make an asset known and open the house's accounts in it.

        Raises:
            ValueError: as `collateral_of`; nothing was added.
        """
        spec = command.spec
        collateral = self.collateral_of(self.rulebook, {**self.assets, spec.asset_id: spec})
        self.apply()
        self.assets[spec.asset_id] = spec
        self.ledger.add_asset(spec.asset_id)
        if collateral.keys() != self.ledger.collateral.keys():
            self.ledger.set_collateral(collateral)

    def collateral_of(
        self, rulebook: Rulebook, assets: dict[int, AssetSpec]
    ) -> dict[int, CollateralAsset]:
        """What a rulebook counts as collateral among these assets.

        Raises:
            ValueError: it cannot be put in force; the message says why.
        """
        settled = [listing.instrument.settle_asset_id for listing in self.listings.values()]
        return collateral_assets(rulebook, assets, settled, self.ledger.collateral)

    def set_rulebook(self, rulebook: Rulebook) -> None:
        """Put rules in force; samples and prices taken so far are kept.

        Raises:
            ValueError: as `collateral_of`; the rules before stay in force.
        """
        collateral = self.collateral_of(rulebook, self.assets)
        levels = Levels(rulebook)
        listings = list(self.listings.values())
        prices = [listing.prices_under(rulebook) for listing in listings]
        self.apply()
        if collateral or self.ledger.collateral:
            self.ledger.set_collateral(collateral)
        self.rulebook: Rulebook = rulebook
        self.levels = levels
        # What every order needs; a look into the rulebook's structs costs more than the arithmetic.
        self.slippage_ppb: int = rulebook.market_slippage_ppb
        self.profit_margins_orders: bool = rulebook.profit_margins_orders
        self.reduce_only_counts = rulebook.reduce_only == "count"
        self.funding_interval_ns: int = rulebook.funding.interval_ns
        self.rollover_ns: int = rulebook.borrow.rollover_ns
        self.reduces_when_stale: bool = rulebook.index.when_stale != GO_ON
        self.halts_when_stale: bool = rulebook.index.when_stale == HALT_LIQUIDATIONS
        self.ledger.gain_window_ns = rulebook.socialisation.window_ns
        for listing, renewed in zip(listings, prices, strict=True):
            listing.obey(rulebook, renewed)

    def listing(self, instrument_id: int) -> Listing | None:
        """The contract of this id."""
        if not 0 <= instrument_id < _NEAR_LISTINGS:
            return self.listings.get(instrument_id)
        listing = self._near_listings[instrument_id]
        if listing is None:
            listing = self.listings.get(instrument_id)
            self._near_listings[instrument_id] = listing
        return listing

    def trader(self, account_id: int) -> Trader | None:
        """A customer's account; the house's are not traders."""
        trader = self.ledger.trader(account_id)
        return None if trader is None or trader.is_house() else trader

    def cross_of(self, account: MarginAccount) -> MarginAccount:
        """The cross account that feeds an isolated one (itself for a cross account)."""
        if not account.isolated:
            return account
        return self.ledger.cross(account.trader, account.asset_id)

    def orders_of(self, account: MarginAccount) -> list[OpenOrder]:
        """The trader's open orders margined by this account, not those of the liquidation engine: a
        cross account also carries isolated orders."""
        found: list[OpenOrder] = []
        for order in account.trader.open_orders():
            if order.liquidation:
                continue
            held_by = order.position.account
            if held_by is account or (
                not account.isolated and held_by.isolated and held_by.asset_id == account.asset_id
            ):
                found.append(order)
        return found

    def facts(self, account: MarginAccount) -> AccountFacts:
        """The account as the liquidation engine needs to see it."""
        evaluate(account)
        positions = [
            PositionFacts(
                position.listing.instrument_id,
                position.leg,
                on_wire(position.qty_lots),
                on_wire(position.entry_value_q),
                position.listing.mark_ticks,
                on_wire(account.requirement.share_q(position)),
                position.leverage,
                position.opened_ns,
            )
            for position in account.positions
            if position.qty_lots
        ]
        return AccountFacts(
            account.margin_account_id,
            account.asset_id,
            10 ** self.assets[account.asset_id].decimals,
            on_wire(account.wallet_q),
            on_wire(account.equity_q),
            on_wire(account.maintenance_q),
            on_wire(initial_requirement_q(account)),
            len(self.orders_of(account)),
            positions,
            self.is_halted(account),
        )

    def is_halted(self, account: MarginAccount) -> bool:
        """Whether the rulebook halts liquidations of the account, since a mark of its positions
        rests on an index that is stale."""
        if not self.halts_when_stale:
            return False
        position = account.first_position
        while position is not None:
            if position.qty_lots and position.listing.stale:
                return True
            position = position.next
        return False

    def house_facts(self, asset_id: int) -> HouseFacts:
        """Means of the fund and the backstop in one asset."""
        fund = self.ledger.house(FUND, asset_id)
        backstop = self.ledger.house(BACKSTOP, asset_id)
        evaluate(fund)
        evaluate(backstop)
        return HouseFacts(
            on_wire(fund.equity_q),
            on_wire(position_notional_q(fund)),
            on_wire(backstop.equity_q),
            on_wire(position_notional_q(backstop)),
        )


def house_position(account: MarginAccount, listing: Listing) -> Position:
    """The house's net position in a contract, opened empty if needed."""
    position = account.position(listing.instrument_id, LEG_NET)
    if position is None:
        position = Position(account, listing, LEG_NET, 1)
        account.add_position(position)
    return position
