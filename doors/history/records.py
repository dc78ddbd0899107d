"""What is remembered of orders, fills and income: rows of the file, and states of an order."""

from typing import Final

import msgspec

from engine.commands import BUY, LEG_NET
from engine.reasons import Reason

NEW: Final[str] = "NEW"
PARTLY_FILLED: Final[str] = "PARTIALLY_FILLED"
FILLED: Final[str] = "FILLED"
CANCELED: Final[str] = "CANCELED"
EXPIRED: Final[str] = "EXPIRED"
EXPIRED_IN_MATCH: Final[str] = "EXPIRED_IN_MATCH"

OPEN_STATES: Final[tuple[str, ...]] = (NEW, PARTLY_FILLED)

LIQUIDATION: Final[str] = "LIQUIDATION"
ADL: Final[str] = "ADL"
"""Why an order nobody asked for was there."""

_CANCELLED: Final[tuple[int, ...]] = (
    Reason.CANCELLED_BY_OWNER,
    Reason.CANCELLED_BY_LIQUIDATION,
    Reason.MARGIN_LOST,
)


class Submission(msgspec.Struct, gc=False):
    """An order as a client put it: what the exchange's events do not repeat."""

    client_id: str
    kind: str
    tif: str
    leg: int
    reduce_only: bool
    stp: str
    good_till_ns: int = 0
    old_form: bool = False


class Order(msgspec.Struct, gc=False):
    """An order as it stands. `filled_value` is the sum of ticks times lots of its fills;
    ``forced`` says that the house placed it (`LIQUIDATION`, `ADL`). One that waited for a price was
    an ``orig_kind`` with its trigger at ``stop_ticks``."""

    order_id: int
    account_id: int
    instrument_id: int
    client_id: str
    side: int
    kind: str
    tif: str
    qty_lots: int
    price_ticks: int
    leg: int
    reduce_only: bool
    stp: str
    created_ns: int
    updated_ns: int
    status: str = NEW
    filled_lots: int = 0
    filled_value: int = 0
    last_trade_id: int = 0
    reason: int = 0
    forced: str = ""
    good_till_ns: int = 0
    amendments: int = 0
    orig_kind: str = ""
    stop_ticks: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it can still trade."""
        return self.status in OPEN_STATES

    @property
    def is_buy(self) -> bool:
        """Whether it buys."""
        return self.side == BUY

    def end(self, reason: int, time_ns: int) -> None:
        """It is over, for a reason of the exchange."""
        self.reason = reason
        self.updated_ns = time_ns
        self.status = status_of(reason)


def status_of(reason: int) -> str:
    """How the venue calls an end for a reason."""
    if reason == Reason.FILLED:
        return FILLED
    if reason == Reason.SELF_TRADE:
        return EXPIRED_IN_MATCH
    return CANCELED if reason in _CANCELLED else EXPIRED


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One side of a trade. A negative fee is a rebate."""

    account_id: int
    instrument_id: int
    trade_id: int
    order_id: int
    side: int
    leg: int
    qty_lots: int
    price_ticks: int
    maker: bool
    fee_q: int
    realised_q: int
    time_ns: int


class Income(msgspec.Struct, frozen=True, gc=False):
    """Money that came or went, named as the venue does; no instrument is -1, no trade 0."""

    account_id: int
    instrument_id: int
    kind: str
    asset_id: int
    amount_q: int
    time_ns: int
    trade_id: int = 0


class Amendment(msgspec.Struct, frozen=True, gc=False):
    """A change of an order's price and whole size; ``count`` is how many there were of it."""

    account_id: int
    instrument_id: int
    order_id: int
    time_ns: int
    price_before: int
    price_after: int
    qty_before: int
    qty_after: int
    count: int


class PublicTrade(msgspec.Struct, frozen=True, gc=False):
    """A trade print."""

    instrument_id: int
    trade_id: int
    price_ticks: int
    qty_lots: int
    taker_side: int
    time_ns: int


class FundingRate(msgspec.Struct, frozen=True, gc=False):
    """A settlement of funding: the rate of one interval."""

    instrument_id: int
    time_ns: int
    rate_ppb: int
    mark_ticks: int


ALGO_NEW: Final[str] = "NEW"
ALGO_TRIGGERING: Final[str] = "TRIGGERING"
ALGO_TRIGGERED: Final[str] = "TRIGGERED"
ALGO_FINISHED: Final[str] = "FINISHED"
ALGO_CANCELED: Final[str] = "CANCELED"
ALGO_EXPIRED: Final[str] = "EXPIRED"
ALGO_REJECTED: Final[str] = "REJECTED"
ALGO_OPEN: Final[tuple[str, ...]] = (ALGO_NEW, ALGO_TRIGGERING)


class Algo(msgspec.Struct, gc=False):
    """A conditional order. ``old_form`` says that it came, and is shown, as an order with a stop
    price; ``refusal`` why it did not become an order."""

    order_id: int
    account_id: int
    instrument_id: int
    client_id: str
    side: int
    kind: str
    tif: str
    qty_lots: int
    price_ticks: int
    trigger_ticks: int
    trigger_by: int
    trail_ppb: int
    leg: int
    reduce_only: bool
    close_position: bool
    stp: str
    good_till_ns: int
    created_ns: int
    updated_ns: int
    old_form: bool = False
    status: str = ALGO_NEW
    triggered_ns: int = 0
    refusal: str = ""

    @property
    def waits(self) -> bool:
        """Whether it is neither an order yet nor over."""
        return self.status in ALGO_OPEN


class AlgoChange(msgspec.Struct, frozen=True, gc=False):
    """Something happened to a conditional order: ``algo`` is how it stood just then."""

    algo: Algo
    time_ns: int


class Change(msgspec.Struct, frozen=True, gc=False):
    """Something happened to an order: ``order`` is how it stood just then. ``execution`` is the
    venue's word for it; a fill comes with TRADE and CALCULATED."""

    execution: str
    order: Order
    time_ns: int
    fill: Fill | None = None


def forced_submission(order_id: int) -> Submission:
    """What to say of an order of the liquidation engine."""
    return Submission(f"autoclose-{order_id}", "LIMIT", "IOC", LEG_NET, True, "EXPIRE_MAKER")


def usual_submission(order_id: int) -> Submission:
    """What to say of an order that did not come through a door."""
    return Submission(f"web_{order_id}", "LIMIT", "GTC", LEG_NET, False, "EXPIRE_MAKER")
