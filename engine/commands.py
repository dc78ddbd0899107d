"""Commands: everything the outside can ask of the exchange. They are what the journal keeps.

All numbers are integers in inside units (see `engine.units`). ``time_ns`` is stamped by the
gateway and never goes back.
"""

from typing import Final

from engine.forms import Hashed, native
from engine.instruments import AssetSpec, InstrumentSpec
from engine.limits import MAX_AMOUNT_Q as MAX_AMOUNT_Q
from engine.limits import MAX_LOTS as MAX_LOTS
from engine.limits import MAX_TICKS as MAX_TICKS
from engine.units import MAX_WIRE as MAX_WIRE

BUY: Final[int] = 1
SELL: Final[int] = -1

LIMIT: Final[int] = 0
MARKET: Final[int] = 1

GTC: Final[int] = 0
"""Good till cancelled: what does not fill rests in the book."""
IOC: Final[int] = 1
"""Immediate or cancel: what does not fill at once is dropped."""
FOK: Final[int] = 2
"""Fill or kill: all at once or nothing."""

STP_CANCEL_NEWEST: Final[int] = 0
STP_CANCEL_OLDEST: Final[int] = 1
STP_CANCEL_BOTH: Final[int] = 2
STP_DECREMENT: Final[int] = 3
STP_NONE: Final[int] = 4
"""Self-trade prevention modes; decrement lowers both orders by the smaller size, trades nothing.
With none the account trades with itself and pays both fees."""

STOP: Final[int] = 0
"""Fires once the price has gone against a position that the order closes: a buy at or above its
trigger price, a sell at or below."""
TAKE_PROFIT: Final[int] = 1
"""Fires once the price has gone the way of such a position: a buy at or below, a sell at or
above."""
TRAILING: Final[int] = 2
"""Fires once the price comes back from its best since the order became active by the trail: a sell
from the highest, a buy from the lowest."""

BY_LAST: Final[int] = 0
BY_MARK: Final[int] = 1
BY_INDEX: Final[int] = 2
"""The price that a trigger order waits for."""

LEG_NET: Final[int] = 0
LEG_LONG: Final[int] = 1
LEG_SHORT: Final[int] = 2
"""Which position an order belongs to: the net one, or one leg in hedge mode."""

ALL_INSTRUMENTS: Final[int] = -1

MAX_ROWS: Final[int] = 1_000
"""Most accounts a query may name or ask for."""

MAX_ORDER_ID: Final[int] = 2**60 - 1
"""Order ids beyond belong to the liquidation engine."""


class _Command(Hashed, frozen=True, array_like=True, tag=True, gc=False):
    time_ns: int


class AddAsset(_Command, frozen=True, array_like=True, tag=True):
    """Make an asset known (admin)."""

    spec: AssetSpec


class AddInstrument(_Command, frozen=True, array_like=True, tag=True):
    """List a perpetual contract (admin)."""

    spec: InstrumentSpec


class SetRulebook(_Command, frozen=True, array_like=True, tag=True):
    """Put a rulebook in force from now on (admin); ``rulebook`` is its JSON form."""

    rulebook: str


class OpenAccount(_Command, frozen=True, array_like=True, tag=True):
    """Open a trader's account (admin). Ids below 100 belong to the house."""

    account_id: int


class Deposit(_Command, frozen=True, array_like=True, tag=True):
    """Credit ``amount_q`` quanta to the cross account of that asset (admin)."""

    account_id: int
    asset_id: int
    amount_q: int


class Withdraw(_Command, frozen=True, array_like=True, tag=True):
    """Take out free collateral; unrealised profit only where the rulebook allows it."""

    account_id: int
    asset_id: int
    amount_q: int


class SetLeverage(_Command, frozen=True, array_like=True, tag=True):
    """Choose the leverage (whole number) new initial margin is computed with."""

    account_id: int
    instrument_id: int
    leverage: int


class SetMarginMode(_Command, frozen=True, array_like=True, tag=True):
    """Switch one instrument between cross and isolated; refused with a position or orders open."""

    account_id: int
    instrument_id: int
    isolated: bool


class SetPositionMode(_Command, frozen=True, array_like=True, tag=True):
    """Switch the account between one-way and hedge mode; refused with anything open."""

    account_id: int
    hedge: bool


class AdjustIsolatedMargin(_Command, frozen=True, array_like=True, tag=True):
    """Move collateral between the cross account and an isolated position.

    Positive ``amount_q`` adds to the position, negative takes back what exceeds its initial margin.
    """

    account_id: int
    instrument_id: int
    leg: int
    amount_q: int


@native
class SubmitOrder(_Command, frozen=True, array_like=True, tag=True):
    """A new order. ``price_ticks`` is ignored for market orders.

    ``order_id`` is unique over the exchange; the gateway assigns it. ``expire_ns`` ends what rests
    at the first clock tick at or after it (0: never).
    """

    account_id: int
    instrument_id: int
    order_id: int
    side: int
    qty_lots: int
    price_ticks: int
    order_type: int = LIMIT
    tif: int = GTC
    post_only: bool = False
    reduce_only: bool = False
    stp: int = STP_CANCEL_NEWEST
    leg: int = LEG_NET
    expire_ns: int = 0


class SubmitTrigger(_Command, frozen=True, array_like=True, tag=True):
    """A new trigger order: it waits for a price and becomes an order of the same id once that fires
    it.

    ``trigger`` is `STOP`, `TAKE_PROFIT` or `TRAILING`, ``trigger_by`` the price it looks at. A
    trailing order has either ``trail_ticks`` or ``trail_ppb`` of the best price, and
    ``trigger_ticks`` is where it becomes active (0: at once). What is sent when it fires is a
    market order at the best price there is, or a limit order at ``price_ticks``. With
    ``close_position`` that closes what there is of the position by then, and ``qty_lots`` is 0.
    """

    account_id: int
    instrument_id: int
    order_id: int
    side: int
    qty_lots: int
    trigger: int
    trigger_ticks: int
    trigger_by: int = BY_LAST
    order_type: int = MARKET
    price_ticks: int = 0
    tif: int = GTC
    post_only: bool = False
    reduce_only: bool = False
    close_position: bool = False
    stp: int = STP_CANCEL_NEWEST
    leg: int = LEG_NET
    trail_ticks: int = 0
    trail_ppb: int = 0
    expire_ns: int = 0


@native
class CancelOrder(_Command, frozen=True, array_like=True, tag=True):
    """Cancel one open order of the account, resting or waiting for its trigger."""

    account_id: int
    order_id: int


class CancelAll(_Command, frozen=True, array_like=True, tag=True):
    """Cancel every open order of the account, in one instrument or in all."""

    account_id: int
    instrument_id: int = ALL_INSTRUMENTS


@native
class AmendOrder(_Command, frozen=True, array_like=True, tag=True):
    """Change price and remaining size. Time priority survives only a pure reduction of size. Of a
    trigger order that waits these are the price and size it will have (see `AmendTrigger`).

    What fills between the command and the book counts against the new size; an order with nothing
    left of it is cancelled. ``filled_lots`` is what had filled of the order as its sender knew it
    (-1: not told): what has filled since counts against the new size, too.
    """

    account_id: int
    order_id: int
    price_ticks: int
    qty_lots: int
    filled_lots: int = -1


class AmendTrigger(_Command, frozen=True, array_like=True, tag=True):
    """Change a trigger order that waits; each field as in `SubmitTrigger`. Among those of one price
    it is the last from then on. An active trailing order keeps its best price, and its
    ``trigger_ticks`` (or 0)."""

    account_id: int
    order_id: int
    qty_lots: int
    trigger_ticks: int
    price_ticks: int = 0
    trail_ticks: int = 0
    trail_ppb: int = 0


@native
class IndexPrice(_Command, frozen=True, array_like=True, tag=True):
    """One source's spot price for an instrument's index (oracle)."""

    instrument_id: int
    source_id: int
    price_ticks: int


class AssetPrice(_Command, frozen=True, array_like=True, tag=True):
    """One source's price of a collateral asset (oracle): one whole unit of it in whole units of the
    asset it counts in, in parts per billion."""

    asset_id: int
    source_id: int
    price_ppb: int


class AdvanceTime(_Command, frozen=True, array_like=True, tag=True):
    """The clock ticks: marks are sampled, deadlines, funding and cooldowns fall due."""


class QueryAccount(_Command, frozen=True, array_like=True, tag=True):
    """Ask for an `engine.events.AccountReport`; changes nothing."""

    account_id: int


class QueryOrders(_Command, frozen=True, array_like=True, tag=True):
    """Ask for an `engine.events.OrdersReport`; changes nothing."""

    account_id: int


class QueryMarket(_Command, frozen=True, array_like=True, tag=True):
    """Ask for an `engine.events.MarketReport`; changes nothing."""


class QueryRisk(_Command, frozen=True, array_like=True, tag=True):
    """Ask for an `engine.events.RiskReport`; changes nothing.

    At most ``count`` margin accounts of these traders; of all traders when none is named, which
    looks at everybody with a position.
    """

    account_ids: list[int]
    count: int


class Skipped(_Command, frozen=True, array_like=True, tag=True):
    """Stands where an operator had a command left out that the exchange could not handle
    (`seawall skip`): ``digest`` is the BLAKE2b hash of the command, ``note`` the reason. It changes
    nothing and is answered with a rejection. No client may send one."""

    account_id: int
    digest: str
    note: str


Command = (
    AddAsset
    | AddInstrument
    | SetRulebook
    | OpenAccount
    | Deposit
    | Withdraw
    | SetLeverage
    | SetMarginMode
    | SetPositionMode
    | AdjustIsolatedMargin
    | SubmitOrder
    | SubmitTrigger
    | CancelOrder
    | CancelAll
    | AmendOrder
    | AmendTrigger
    | IndexPrice
    | AssetPrice
    | AdvanceTime
    | QueryAccount
    | QueryMarket
    | QueryRisk
    | QueryOrders
    | Skipped
)
