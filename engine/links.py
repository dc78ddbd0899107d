"""Messages between components. Users never see them; the routing table says who gets which.

The risk engine is the hub: it sends checked orders to the book, hears of fills, hands accounts
below maintenance to the liquidation engine and executes what that one decides.
"""

from typing import TYPE_CHECKING

import msgspec

from engine import kernel_links
from engine.forms import Word, form_of
from engine.instruments import InstrumentSpec
from engine.order_links import (
    ChangeOrder,
    Fill,
    OrderChanged,
    OrderGone,
    PlaceOrder,
    PullFailed,
    PullOrder,
)

if TYPE_CHECKING:
    from engine.kernel_links import BookTop
else:
    BookTop = form_of(kernel_links.BookTop, Word)

__all__ = [
    "BookTop",
    "ChangeOrder",
    "Fill",
    "OrderChanged",
    "OrderGone",
    "PlaceOrder",
    "PullFailed",
    "PullOrder",
]


class _Link(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    time_ns: int


# risk -> matching and liquidation


class InstrumentListed(_Link, frozen=True, array_like=True, tag=True):
    """Risk accepted a new contract; the others open their books and models for it."""

    spec: InstrumentSpec


class RulesInForce(_Link, frozen=True, array_like=True, tag=True):
    """Risk accepted a rulebook (JSON form); the liquidation engine obeys it from now on."""

    rulebook: str


# risk -> matching


class PositionMoved(_Link, frozen=True, array_like=True, tag=True, gc=False):
    """A position changed by signed lots without a fill: by a takeover, a deleveraging or another
    close-out. The book counts fills itself; both together bound reduce-only orders."""

    instrument_id: int
    account_id: int
    leg: int
    qty_lots: int


# risk -> liquidation


class PositionFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One position as the liquidation engine needs it; lots signed, values in quanta."""

    instrument_id: int
    leg: int
    qty_lots: int
    entry_value_q: int
    mark_ticks: int
    maintenance_q: int
    leverage: int
    opened_ns: int


class AccountFacts(msgspec.Struct, frozen=True, array_like=True):
    """A margin account at current marks. ``initial_q`` covers positions and open orders;
    ``asset_unit_q`` is one whole unit of its asset in quanta. ``halted``: by the rulebook nobody is
    liquidated at the marks there are."""

    margin_account_id: int
    asset_id: int
    asset_unit_q: int
    wallet_q: int
    equity_q: int
    maintenance_q: int
    initial_q: int
    open_orders: int
    positions: list[PositionFacts]
    halted: bool = False


class HouseFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Fund and backstop of one asset: equity (wallet plus unrealised) and gross notional."""

    fund_equity_q: int
    fund_notional_q: int
    backstop_equity_q: int
    backstop_notional_q: int


class LiquidationRequired(_Link, frozen=True, array_like=True, tag=True):
    """An account fell below maintenance (or its call expired) and is now locked.

    It is restored when equity reaches ``target_ppb`` times maintenance.
    """

    facts: AccountFacts
    house: HouseFacts
    target_ppb: int
    call_expired: bool = False


class LiquidationReport(_Link, frozen=True, array_like=True, tag=True):
    """A step asked for by the liquidation engine is done; ``filled_lots`` for an order."""

    facts: AccountFacts
    house: HouseFacts
    filled_lots: int = 0


class HouseInventory(_Link, frozen=True, array_like=True, tag=True):
    """Positions the fund or backstop holds, sent at clock ticks while there are any."""

    facts: AccountFacts


# liquidation -> risk


class LiquidateCancel(_Link, frozen=True, array_like=True, tag=True):
    """Cancel every open order of the account."""

    margin_account_id: int


class LiquidateOrder(_Link, frozen=True, array_like=True, tag=True):
    """Send a reducing IOC order for a locked (or house) account to the book."""

    margin_account_id: int
    order_id: int
    instrument_id: int
    leg: int
    side: int
    qty_lots: int
    price_ticks: int


class LiquidateTakeover(_Link, frozen=True, array_like=True, tag=True):
    """Move all positions to the taker (fund or backstop) at their bankruptcy value."""

    margin_account_id: int
    taker_account_id: int


class LiquidateAdl(_Link, frozen=True, array_like=True, tag=True):
    """Close all positions against ranked counterparties."""

    margin_account_id: int


class LiquidateSocialise(_Link, frozen=True, array_like=True, tag=True):
    """Close what is left at mark and spread the deficit over the winners.

    ``forced`` closes an account above maintenance too: it was in liquidation for too long.
    """

    margin_account_id: int
    forced: bool = False


class LiquidateStage(_Link, frozen=True, array_like=True, tag=True):
    """The account entered a stage of the waterfall (for the record; risk publishes it)."""

    margin_account_id: int
    stage: str


class LiquidateRelease(_Link, frozen=True, array_like=True, tag=True):
    """The liquidation is over; unlock the account."""

    margin_account_id: int
    outcome: str


Link = (
    InstrumentListed
    | RulesInForce
    | PlaceOrder
    | PullOrder
    | ChangeOrder
    | PositionMoved
    | Fill
    | OrderGone
    | OrderChanged
    | PullFailed
    | BookTop
    | LiquidationRequired
    | LiquidationReport
    | HouseInventory
    | LiquidateCancel
    | LiquidateOrder
    | LiquidateTakeover
    | LiquidateAdl
    | LiquidateSocialise
    | LiquidateStage
    | LiquidateRelease
)
