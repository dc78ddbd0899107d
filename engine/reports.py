"""Reports: what the exchange answers when it is asked how things stand. Queries change nothing.

Each answer is an event (`engine.events`) and goes to the one that asked.
"""

from typing import Final

import msgspec

from engine.forms import Hashed
from engine.instruments import AssetSpec, InstrumentSpec


class _Report(Hashed, frozen=True, array_like=True, tag=True, gc=False):
    time_ns: int


class CollateralReport(msgspec.Struct, frozen=True, array_like=True):
    """A balance in another asset that counts in a margin account: for ``value_q``.

    ``liquidation_price_ppb`` is the price at which the account falls to liquidation if only this
    asset moves, -1 where there is none.
    """

    asset_id: int
    amount_q: int
    price_ppb: int
    haircut_ppb: int
    value_q: int
    liquidation_price_ppb: int


class PositionReport(msgspec.Struct, frozen=True, array_like=True):
    """A position seen from outside; prices in ticks, -1 where there is none.

    ``adl_rank`` is 1 (first to be deleveraged) to 5 (last), 0 without a profit to take. Of
    ``initial_q`` the position asks for ``position_initial_q`` alone, its open orders for the rest.
    """

    margin_account_id: int
    instrument_id: int
    leg: int
    isolated: bool
    qty_lots: int
    entry_value_q: int
    mark_ticks: int
    unrealised_q: int
    initial_q: int
    maintenance_q: int
    leverage: int
    liquidation_ticks: int
    bankruptcy_ticks: int
    distance_ppb: int
    adl_rank: int
    position_initial_q: int = 0


class MarginAccountReport(Hashed, frozen=True, array_like=True):
    """One pot of collateral: equity, requirements, free collateral and margin ratio.

    ``margin_ratio_ppb`` is equity over position value (-1 without positions). ``collateral`` are
    balances in other assets, whose values are part of the equity. ``initial_q`` is the sum of
    ``position_initial_q``, as if no order was open, and ``order_initial_q``: what the open orders
    add, their fees and possible losses included. Orders of an isolated position count in the cross
    account that feeds it.
    """

    margin_account_id: int
    asset_id: int
    wallet_q: int
    equity_q: int
    initial_q: int
    maintenance_q: int
    free_q: int
    withdrawable_q: int
    margin_ratio_ppb: int
    level: int
    level_name: str
    positions: list[PositionReport]
    collateral: list[CollateralReport] = msgspec.field(default_factory=list)
    position_initial_q: int = 0
    order_initial_q: int = 0


class InstrumentSetting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Leverage and margin mode that an account has in a contract, with or without a position."""

    instrument_id: int
    leverage: int
    isolated: bool


class AccountReport(_Report, frozen=True, array_like=True, tag=True):
    """Answer to `engine.commands.QueryAccount`.

    ``settings`` are those of the contracts for which the account chose a leverage or a margin mode,
    by id. Elsewhere it has `InstrumentReport.default_leverage`, cross.
    """

    account_id: int
    hedge: bool
    margin_accounts: list[MarginAccountReport]
    open_order_ids: list[int]
    settings: list[InstrumentSetting] = msgspec.field(default_factory=list)


OPEN: Final[str] = "open"
PARTLY_FILLED: Final[str] = "partly filled"
FILLED: Final[str] = "filled"
CANCELLED: Final[str] = "cancelled"
"""States of an order; a cancelled one has a reason, and may have been filled in part."""
WAITING: Final[str] = "waiting"
FIRED: Final[str] = "fired"
"""States of a trigger order that is open."""


class OrderReport(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An open order as it stands: ``qty_lots`` it was accepted with, ``remaining_lots`` left.

    ``expire_ns`` is when it ends (0: never). Over services ``run`` and ``request_id`` are of the
    request that placed it; 0 where no client's request did.
    """

    order_id: int
    instrument_id: int
    leg: int
    side: int
    qty_lots: int
    remaining_lots: int
    price_ticks: int
    reduce_only: bool
    liquidation: bool
    state: str = OPEN
    run: int = 0
    request_id: int = 0
    expire_ns: int = 0


class TriggerReport(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A trigger order as it stands; the fields up to ``expire_ns`` are those of
    `engine.commands.SubmitTrigger`.

    ``accepted_ns`` is when it was accepted or amended last. ``best_ticks`` is the best price since
    a trailing order became active (0: it is not) and ``fires_ticks`` the price at which it would
    fire now (0: none). ``state`` is `WAITING`, or `FIRED` while its order is on the way.
    """

    order_id: int
    instrument_id: int
    leg: int
    side: int
    qty_lots: int
    trigger: int
    trigger_by: int
    trigger_ticks: int
    trail_ticks: int
    trail_ppb: int
    order_type: int
    price_ticks: int
    tif: int
    post_only: bool
    reduce_only: bool
    close_position: bool
    stp: int
    expire_ns: int
    accepted_ns: int
    best_ticks: int
    fires_ticks: int
    state: str
    run: int = 0
    request_id: int = 0


class EndedOrder(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An order that is over: size and price it was accepted with, what remained of it, and the
    reason (`engine.reasons`) with which it ended."""

    order_id: int
    instrument_id: int
    side: int
    qty_lots: int
    remaining_lots: int
    price_ticks: int
    state: str
    reason: int
    run: int
    request_id: int


class OrdersReport(_Report, frozen=True, array_like=True, tag=True):
    """Answer to `engine.commands.QueryOrders`: the account's open orders, oldest first, and those
    that wait for their trigger.

    ``ended`` are, over services, the last of its orders that are over, in the order in which they
    ended (`gateway.door.order_notes` says how many).
    """

    account_id: int
    orders: list[OrderReport]
    ended: list[EndedOrder] = msgspec.field(default_factory=list)
    triggers: list[TriggerReport] = msgspec.field(default_factory=list)


class AssetReport(msgspec.Struct, frozen=True, array_like=True):
    """An asset, the insurance fund's wallet in it and the debt that was not covered.

    As collateral it counts in ``margin_asset_id`` (-1: in none) at ``price_ppb`` (0: unknown) less
    ``haircut_ppb``.
    """

    spec: AssetSpec
    fund_q: int
    bad_debt_q: int
    margin_asset_id: int = -1
    price_ppb: int = 0
    haircut_ppb: int = 0


class InstrumentReport(msgspec.Struct, frozen=True, array_like=True):
    """A contract with its public prices; ticks are 0 while unknown.

    ``funding_ppb`` is the rate that would settle if the interval ended now, at ``funding_ns`` (0:
    not known before the first clock tick). ``default_leverage`` is that of an account that chose
    none.
    """

    spec: InstrumentSpec
    mark_ticks: int
    index_ticks: int
    last_ticks: int
    open_interest_lots: int
    funding_ppb: int
    funding_ns: int
    default_leverage: int = 0


class MarketReport(_Report, frozen=True, array_like=True, tag=True):
    """Answer to `engine.commands.QueryMarket`: what is listed, and the rules' margin levels.

    ``levels`` are names and multiples of maintenance (parts per billion), mildest first.
    """

    rulebook: str
    levels: list[tuple[str, int]]
    assets: list[AssetReport]
    instruments: list[InstrumentReport]


class AccountRisk(msgspec.Struct, frozen=True, array_like=True):
    """How near one margin account is to its liquidation.

    ``ratio_ppb`` is equity over maintenance, rounded down and within what the wire carries; its
    largest number without maintenance. The prices are those of its largest position if only this
    instrument moves, -1 where there is none. An id of 0 means no call or no liquidation, a
    deadline of -1 none.
    """

    margin_account_id: int
    asset_id: int
    isolated: bool
    equity_q: int
    maintenance_q: int
    ratio_ppb: int
    level: int
    level_name: str
    instrument_id: int
    qty_lots: int
    liquidation_ticks: int
    distance_ppb: int
    call_id: int
    call_amount_q: int
    deadline_ns: int
    liquidation_id: int
    stage: str


class RiskReport(_Report, frozen=True, array_like=True, tag=True):
    """Answer to `engine.commands.QueryRisk`: accounts in liquidation first, then by ratio.

    Without position, call and liquidation an account is not in it. ``account_ids`` are those asked
    for, ``accounts`` how many margin accounts there were to choose from.
    """

    account_ids: list[int]
    accounts: int
    rows: list[AccountRisk]
