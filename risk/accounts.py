"""Accounts: traders, their margin accounts, positions and open orders. Data, no rules.

A **margin account** is a set of positions sharing one pot of collateral. A trader has one cross
account per settlement asset and one isolated account per isolated position, so cross and isolated
run through the same code. Where the rulebook says so, balances in other assets count in a cross
account too. In hedge mode the two legs of an instrument are two positions of the same margin
account.
"""

from typing import TYPE_CHECKING, Final

from engine.commands import BUY, LEG_NET
from engine.native import mypyc_attr
from engine.orders_by_id import Identified
from risk.collateral import CollateralAsset
from risk.frontier import NO_THRESHOLD as NO_THRESHOLD
from risk.frontier import Banded
from risk.listing import Listing
from risk.records import LiquidationRecord, MarginCall, RealisedGains
from risk.requirement import SUM_OF_POSITIONS, Requirement
from risk.triggers.trigger import Trigger

if TYPE_CHECKING:
    from mypy_extensions import i64

FUND: Final[int] = 1
BACKSTOP: Final[int] = 2
FEES: Final[int] = 3
RESIDUE: Final[int] = 4
BAD_DEBT: Final[int] = 5
FIRST_TRADER: Final[int] = 100
"""House accounts: insurance fund, backstop, fees, rounding residue, uncovered debt. Traders
start at 100."""

HOUSE_NAMES: Final[dict[int, str]] = {
    FUND: "insurance fund",
    BACKSTOP: "backstop",
    FEES: "fees",
    RESIDUE: "residue",
    BAD_DEBT: "bad debt",
}

_SLOT_SHIFT: Final[int] = 40
_ACCOUNT_MASK: Final[int] = (1 << _SLOT_SHIFT) - 1
_ISOLATED_SLOTS: Final[int] = 1000
_LEGS: Final[int] = 3
MAX_ACCOUNT_ID: Final[int] = _ACCOUNT_MASK
MAX_ASSET_ID: Final[int] = _ISOLATED_SLOTS - 1
MAX_INSTRUMENT_ID: Final[int] = 1_000_000
_NO_LEVERAGE: Final[dict[int, int]] = {}
_NO_MODE: Final[dict[int, bool]] = {}
_NO_TRIGGERS: Final[dict[int, Trigger]] = {}
_NO_HOLDINGS: Final["list[Holding]"] = []


def cross_account_id(account_id: int, asset_id: int) -> int:
    """Id of a trader's cross margin account in one settlement asset."""
    word: i64 = asset_id
    return account_id + (word << _SLOT_SHIFT)


def isolated_account_id(account_id: int, instrument_id: int, leg: int) -> int:
    """Id of the margin account holding one isolated position."""
    word: i64 = _ISOLATED_SLOTS + instrument_id * _LEGS + leg
    return account_id + (word << _SLOT_SHIFT)


def owner_of(margin_account_id: int) -> int:
    """The trader a margin account belongs to."""
    return margin_account_id & _ACCOUNT_MASK


def split_uid(uid: int) -> tuple[int, int]:
    """The margin account and the leg of a position's uid."""
    return uid // _LEGS, uid % _LEGS


def pot_of(margin_account_id: int) -> tuple[int, int]:
    """Asset of a cross account and -1, or -1 and the instrument of an isolated one."""
    slot = margin_account_id >> _SLOT_SHIFT
    if slot < _ISOLATED_SLOTS:
        return slot, -1
    return -1, (slot - _ISOLATED_SLOTS) // _LEGS


class MarginAccount:
    """A pot of collateral and the positions it carries.

    `equity_q` and `maintenance_q` are the result of the last evaluation, not a state of their own.
    `held_q` is held for the fees of its open orders. `level` counts the
    margin levels the account is below (0: healthy). The positions are a chain from `first_position`
    on, in the order they were opened. `holdings` are balances in other assets that count in its
    equity, in the rulebook's order; `counts` is the holding this account's own wallet
    is in another one (None: it counts nowhere else). `requirement` says what its positions and
    orders ask for; `noted` that it waits for its place among the accounts nearest to liquidation.
    `realised` is kept in a trader's cross account for all its pots in the asset (None: nothing
    yet).
    """

    __slots__ = (
        "asset_id",
        "call",
        "counts",
        "equity_q",
        "first_position",
        "held_q",
        "holdings",
        "isolated",
        "level",
        "liquidation",
        "maintenance_q",
        "margin_account_id",
        "noted",
        "realised",
        "requirement",
        "trader",
        "wallet_q",
    )

    def __init__(
        self, margin_account_id: int, trader: "Trader", asset_id: int, isolated: bool
    ) -> None:
        self.margin_account_id = margin_account_id
        self.trader = trader
        self.asset_id = asset_id
        self.isolated = isolated
        self.requirement: Requirement = SUM_OF_POSITIONS
        self.wallet_q = 0
        self.held_q = 0
        self.first_position: Position | None = None
        # Shared by all who have none: replaced, never changed.
        self.holdings: list[Holding] = _NO_HOLDINGS
        self.counts: Holding | None = None
        self.level = 0
        self.call: MarginCall | None = None
        self.liquidation: LiquidationRecord | None = None
        self.realised: RealisedGains | None = None
        self.equity_q = 0
        self.maintenance_q = 0
        self.noted = False

    @property
    def positions(self) -> "list[Position]":
        """All positions, as a list of its own: what runs for every order walks the chain."""
        found: list[Position] = []
        position = self.first_position
        while position is not None:
            found.append(position)
            position = position.next
        return found

    def position(self, instrument_id: int, leg: int) -> "Position | None":
        """The position in an instrument and leg, or None."""
        position = self.first_position
        while position is not None:
            if position.listing.instrument_id == instrument_id and position.leg == leg:
                return position
            position = position.next
        return None

    def add_position(self, position: "Position") -> None:
        """Append a position to the chain."""
        self.trader.touch()
        last = self.first_position
        if last is None:
            self.first_position = position
            return
        while last.next is not None:
            last = last.next
        last.next = position

    def drop_position(self, position: "Position") -> None:
        """Take a position out of the chain."""
        self.trader.touch()
        before = self.first_position
        if before is position:
            self.first_position = position.next
        else:
            while before is not None and before.next is not position:
                before = before.next
            assert before is not None, "only a position of the account can be dropped"
            before.next = position.next
        position.next = None

    def hold(self, holding: "Holding") -> None:
        """Count a balance in another asset from now on."""
        holdings = [*self.holdings, holding]
        holdings.sort(key=_place_of)
        self.holdings = holdings
        holding.source.counts = holding

    def forget_holdings(self) -> None:
        """Count its own wallet only, and that only here."""
        self.holdings = _NO_HOLDINGS
        self.counts = None

    def counted_in(self) -> "MarginAccount":
        """The account in whose equity this one's wallet counts: most often itself."""
        return self if self.counts is None else self.counts.account


class Holding(Banded):
    """A balance in a collateral asset, in the frontier of that asset like a position in its own.

    `source` is the trader's cross account in the asset, `account` the one it counts in. `watched`
    says whether a change of the price can move that account to another level.
    """

    __slots__ = ("asset", "source", "watched")

    def __init__(
        self, account: MarginAccount, source: MarginAccount, asset: CollateralAsset
    ) -> None:
        super().__init__(account)
        self.source = source
        self.asset = asset
        self.watched = False

    def value_q(self) -> int:
        """What the balance counts for, in quanta of the account's asset."""
        return self.asset.value_q(self.source.wallet_q)


def _place_of(holding: Holding) -> int:
    return holding.asset.place


@mypyc_attr(free_list_len=1)
class Position(Banded):
    """Signed lots and the signed sum paid for them, plus the open orders around it.

    `buy_lots` and `sell_lots` are the open orders, `reduce_buy_lots` and `reduce_sell_lots` those
    of them that can only reduce. `buy_value_q` and `sell_value_q` are what the open orders would
    book (buyer's sign) at their limit. No open buy is priced above `buy_high_ticks` and no open
    sell below `sell_low_ticks` (0: there is none). Its band is in ticks of the mark. `next` is the
    account's next position, `side_place` its place among the listing's longs or shorts while it is
    not flat.
    """

    __slots__ = (
        "buy_high_ticks",
        "buy_lots",
        "buy_value_q",
        "entry_value_q",
        "leg",
        "leverage",
        "listing",
        "next",
        "opened_ns",
        "qty_lots",
        "reduce_buy_lots",
        "reduce_sell_lots",
        "sell_lots",
        "sell_low_ticks",
        "sell_value_q",
        "side_place",
    )

    def __init__(self, account: MarginAccount, listing: Listing, leg: int, leverage: int) -> None:
        super().__init__(account)
        self.listing = listing
        self.leg = leg
        self.leverage = leverage
        self.next: Position | None = None
        self.side_place = 0
        self.qty_lots = 0
        self.entry_value_q = 0
        self.opened_ns = 0
        self.buy_lots = 0
        self.sell_lots = 0
        self.buy_value_q = 0
        self.sell_value_q = 0
        self.reduce_buy_lots = 0
        self.reduce_sell_lots = 0
        self.buy_high_ticks = 0
        self.sell_low_ticks = 0

    def count_in(self, side: int, lots: int, value_q: int) -> None:
        """Count an order that is not open yet among the open ones, to ask what it would need, or
        with minus signs stop counting it; ``value_q`` is what it would book (buyer's sign)."""
        if side == BUY:
            self.buy_lots += lots
            self.buy_value_q += value_q
        else:
            self.sell_lots += lots
            self.sell_value_q += value_q

    @property
    def instrument_id(self) -> int:
        """Id of the contract."""
        return self.listing.instrument_id

    @property
    def uid(self) -> int:
        """A number no other position in the contract has, in the order of margin accounts and
        legs; see `split_uid`."""
        return self.account.margin_account_id * _LEGS + self.leg


@mypyc_attr(free_list_len=1)
class OpenOrder(Identified):
    """What risk remembers of an order on its way to, or in, the book.

    `qty_lots` is the size it was accepted with, `remaining_lots` what it still reserves.
    `price_ticks` is the worst price it can fill at, `value_q` what the remainder would book there
    (buyer's sign), and `hold_q` what is held for its fee. `reduce_only` orders may
    close and never open, by their owner's wish or because margin would not carry more. `changes`
    counts the changes that the book has not answered yet, `book_lots` is what remains in the book
    after them. `uncovered` is set once the book was asked to cancel or cut it for want of margin,
    or its fee was higher than what was held: its next fill asks whether the others are covered.
    `older` and `newer` are its neighbours among its trader's open orders.
    """

    __slots__ = (
        "book_lots",
        "changes",
        "hold_q",
        "liquidation",
        "newer",
        "older",
        "position",
        "price_ticks",
        "qty_lots",
        "reduce_only",
        "remaining_lots",
        "side",
        "uncovered",
        "value_q",
    )

    def __init__(
        self,
        order_id: int,
        position: Position,
        side: int,
        qty_lots: int,
        price_ticks: int,
        reduce_only: bool,
        liquidation: bool,
    ) -> None:
        self.order_id: i64 = order_id
        self.position = position
        self.side = side
        self.qty_lots = qty_lots
        self.remaining_lots = qty_lots
        self.price_ticks = price_ticks
        self.reduce_only = reduce_only
        self.liquidation = liquidation
        self.changes = 0
        self.uncovered = False
        self.book_lots = qty_lots
        self.value_q = 0
        self.hold_q = 0
        self.older: OpenOrder | None = None
        self.newer: OpenOrder | None = None

    @property
    def instrument_id(self) -> int:
        """Id of the contract."""
        return self.position.listing.instrument_id

    @property
    def reduces(self) -> bool:
        """Whether the order points against the position as it stands."""
        if self.side == BUY:
            return self.position.qty_lots < 0
        return self.position.qty_lots > 0


class Trader:
    """One customer: settings, margin accounts in the order they were opened, open orders as a chain
    from the oldest to the newest, trigger orders that wait by id, oldest first.

    `cross` is the cross account that was used last, to be found again without a search. `hashed` is
    what the trader counts in the hash of all of them; since then it has changed if it is `touched`,
    which it is once it stands in ``changed``.
    """

    __slots__ = (
        "_changed",
        "account_id",
        "accounts",
        "cross",
        "hashed",
        "hedge",
        "isolated",
        "leverage",
        "newest_order",
        "oldest_order",
        "order_count",
        "touched",
        "triggers",
    )

    def __init__(self, account_id: int, changed: "list[Trader]") -> None:
        self.account_id = account_id
        self.hashed = 0
        self.touched = True
        self._changed = changed
        changed.append(self)
        self.hedge = False
        self.accounts: list[MarginAccount] = []
        self.cross: MarginAccount | None = None
        # Shared by all who have nothing yet: replaced, never changed.
        self.leverage: dict[int, int] = _NO_LEVERAGE
        self.isolated: dict[int, bool] = _NO_MODE
        self.triggers: dict[int, Trigger] = _NO_TRIGGERS
        self.order_count: i64 = 0
        self.oldest_order: OpenOrder | None = None
        self.newest_order: OpenOrder | None = None

    def touch(self) -> None:
        """Settings, margin accounts, positions or orders change: code that changes a field of
        them says so, for the next state hash."""
        if not self.touched:
            self.touched = True
            self._changed.append(self)

    def remember_order(self, order: OpenOrder) -> None:
        """An order is open from now on."""
        self.touch()
        newest = self.newest_order
        if newest is None:
            self.oldest_order = order
        else:
            newest.newer = order
            order.older = newest
        self.newest_order = order
        self.order_count += 1

    def forget_order(self, order: OpenOrder) -> None:
        """An open order is over."""
        self.touch()
        older = order.older
        newer = order.newer
        if older is None:
            self.oldest_order = newer
        else:
            older.newer = newer
        if newer is None:
            self.newest_order = older
        else:
            newer.older = older
        order.older = None
        order.newer = None
        self.order_count -= 1

    def open_orders(self) -> list[OpenOrder]:
        """The open orders, oldest first."""
        found: list[OpenOrder] = []
        order = self.oldest_order
        while order is not None:
            found.append(order)
            order = order.newer
        return found

    def add_trigger(self, trigger: Trigger) -> None:
        """A trigger order is open from now on."""
        self.touch()
        if not self.triggers:
            self.triggers = {}
        self.triggers[trigger.order_id] = trigger

    def drop_trigger(self, trigger: Trigger) -> None:
        """A trigger order is over."""
        self.touch()
        del self.triggers[trigger.order_id]
        if not self.triggers:
            self.triggers = _NO_TRIGGERS

    def is_house(self) -> bool:
        """Whether this is one of the exchange's own accounts."""
        return self.account_id < FIRST_TRADER

    def find_position(self, instrument_id: int, leg: int = LEG_NET) -> Position | None:
        """The trader's position wherever it is held, cross or isolated."""
        for account in self.accounts:
            position = account.position(instrument_id, leg)
            if position is not None:
                return position
        return None
