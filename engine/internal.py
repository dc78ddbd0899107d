"""Messages between components. Users never see them; the routing table says who gets which.

The risk engine is the hub: it sends checked orders to the book, hears of fills, hands accounts
below maintenance to the liquidation engine and executes what that one decides.
"""

import msgspec

from engine.forms import Hashed, Word, native
from engine.instruments import InstrumentSpec


class _Internal(Hashed, frozen=True, array_like=True, tag=True, gc=False):
    time_ns: int


# risk -> risk


class FireTrigger(_Internal, frozen=True, array_like=True, tag=True):
    """A trigger order whose price has come takes its turn as an order, behind what is under way."""

    order_id: int


# risk -> matching and liquidation


class InstrumentListed(_Internal, frozen=True, array_like=True, tag=True):
    """Risk accepted a new contract; the others open their books and models for it."""

    spec: InstrumentSpec


class RulesInForce(_Internal, frozen=True, array_like=True, tag=True):
    """Risk accepted a rulebook (JSON form); the liquidation engine obeys it from now on."""

    rulebook: str


# risk -> matching


@native
class PlaceOrder(_Internal, frozen=True, array_like=True, tag=True):
    """An order that passed the margin check. ``price_ticks`` is always a limit (risk turns a
    market order into an IOC limit at its worst acceptable price)."""

    order_id: Word
    account_id: Word
    instrument_id: Word
    side: Word
    qty_lots: Word
    price_ticks: Word
    tif: Word
    post_only: bool
    stp: Word
    liquidation: bool = False
    reduce_only: bool = False
    leg: Word = 0


@native
class PullOrder(_Internal, frozen=True, array_like=True, tag=True):
    """Take an order out of the book. Always answered by `OrderGone`, or `PullFailed`.

    ``account_id`` is whose command it was (0: the engine's own) and comes back in `PullFailed`.
    """

    order_id: Word
    instrument_id: Word
    reason: Word
    account_id: Word = 0


@native
class ChangeOrder(_Internal, frozen=True, array_like=True, tag=True):
    """New price and remaining size of a resting order; answered by `OrderChanged` (then any
    fills), `OrderGone` or `PullFailed`.

    ``seen_lots`` is what remained when the change was asked for: what has filled since counts
    against the new size, and an order with nothing left of that is cancelled. With ``shrink_only``
    a size that is not below the remaining one changes nothing (a fill was faster); the answer is
    the same.
    """

    order_id: Word
    instrument_id: Word
    price_ticks: Word
    qty_lots: Word
    account_id: Word = 0
    shrink_only: bool = False
    seen_lots: Word = 0


class PositionMoved(_Internal, frozen=True, array_like=True, tag=True, gc=False):
    """A position changed by signed lots without a fill: by a takeover, a deleveraging or another
    close-out. The book counts fills itself; both together bound reduce-only orders."""

    instrument_id: int
    account_id: int
    leg: int
    qty_lots: int


class AskImpact(_Internal, frozen=True, array_like=True, tag=True):
    """At which prices would this amount trade now? Lots times ticks, or (not ``by_value``) lots."""

    instrument_id: int
    amount: int
    by_value: bool


# matching -> risk


@native
class Fill(_Internal, frozen=True, array_like=True, tag=True):
    """Two orders met at the maker's price. Both sides settle from this one message."""

    instrument_id: Word
    trade_id: Word
    price_ticks: Word
    qty_lots: Word
    taker_side: Word
    taker_order_id: Word
    maker_order_id: Word


@native
class OrderGone(_Internal, frozen=True, array_like=True, tag=True):
    """An order left the book (or never entered it) with ``remaining_lots`` unfilled.

    Not sent for orders filled completely: the last `Fill` says so.
    """

    order_id: Word
    instrument_id: Word
    remaining_lots: Word
    reason: Word


@native
class OrderChanged(_Internal, frozen=True, array_like=True, tag=True):
    """A resting order now has this price and remaining size (amend, or self-trade decrement)."""

    order_id: Word
    instrument_id: Word
    price_ticks: Word
    remaining_lots: Word
    answers: bool = False


@native
class PullFailed(_Internal, frozen=True, array_like=True, tag=True):
    """The order to pull or change was not in the book (it had just filled)."""

    order_id: Word
    instrument_id: Word
    account_id: Word = 0


@native
class BookTop(_Internal, frozen=True, array_like=True, tag=True):
    """Best prices at a clock tick, in ticks; 0 where a side is empty."""

    instrument_id: Word
    bid_ticks: Word
    ask_ticks: Word


class ImpactPrices(_Internal, frozen=True, array_like=True, tag=True):
    """Average prices of the amount asked for in `AskImpact` against bids and asks, in millionths of
    a tick; 0 where a side has less."""

    instrument_id: int
    bid_e6: int
    ask_e6: int


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


class AccountFacts(Hashed, frozen=True, array_like=True):
    """A margin account at current marks. ``initial_q`` covers positions and open orders;
    ``asset_unit_q`` is one whole unit of its asset in quanta. ``halted``: by rule no account is
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


class LiquidationRequired(_Internal, frozen=True, array_like=True, tag=True):
    """An account fell below maintenance (or its call expired) and is now locked.

    It is restored when equity reaches ``target_ppb`` times maintenance.
    """

    facts: AccountFacts
    house: HouseFacts
    target_ppb: int
    call_expired: bool = False


class LiquidationReport(_Internal, frozen=True, array_like=True, tag=True):
    """A step asked for by the liquidation engine is done; ``filled_lots`` for an order."""

    facts: AccountFacts
    house: HouseFacts
    filled_lots: int = 0


class HouseInventory(_Internal, frozen=True, array_like=True, tag=True):
    """Positions the fund or backstop holds, sent at clock ticks while there are any."""

    facts: AccountFacts


class MarginRate(_Internal, frozen=True, array_like=True, tag=True):
    """The initial margin rate of a contract whose model renews it is another one now."""

    instrument_id: int
    rate_ppb: int


# liquidation -> risk


class LiquidateCancel(_Internal, frozen=True, array_like=True, tag=True):
    """Cancel every open order of the account."""

    margin_account_id: int


class LiquidateOrder(_Internal, frozen=True, array_like=True, tag=True):
    """Send a reducing IOC order for a locked (or house) account to the book."""

    margin_account_id: int
    order_id: int
    instrument_id: int
    leg: int
    side: int
    qty_lots: int
    price_ticks: int


class LiquidateTakeover(_Internal, frozen=True, array_like=True, tag=True):
    """Move all positions to the taker (fund or backstop) at their bankruptcy value."""

    margin_account_id: int
    taker_account_id: int


class LiquidateAdl(_Internal, frozen=True, array_like=True, tag=True):
    """Close all positions against ranked counterparties.

    ``joined`` are the accounts that have begun to wait for the same since the last such message;
    empty unless the ranking shares out what waits together.
    """

    margin_account_id: int
    joined: list[int]


class LiquidateSocialise(_Internal, frozen=True, array_like=True, tag=True):
    """Close what is left at mark and spread the deficit over the winners.

    ``forced`` closes an account above maintenance too: it was in liquidation for too long.
    """

    margin_account_id: int
    forced: bool = False


class LiquidateStage(_Internal, frozen=True, array_like=True, tag=True):
    """The account entered a stage of the waterfall (for the record; risk publishes it)."""

    margin_account_id: int
    stage: str


class LiquidateRelease(_Internal, frozen=True, array_like=True, tag=True):
    """The liquidation is over; unlock the account."""

    margin_account_id: int
    outcome: str


Internal = (
    FireTrigger
    | InstrumentListed
    | RulesInForce
    | PlaceOrder
    | PullOrder
    | ChangeOrder
    | PositionMoved
    | AskImpact
    | Fill
    | OrderGone
    | OrderChanged
    | PullFailed
    | BookTop
    | ImpactPrices
    | LiquidationRequired
    | LiquidationReport
    | HouseInventory
    | MarginRate
    | LiquidateCancel
    | LiquidateOrder
    | LiquidateTakeover
    | LiquidateAdl
    | LiquidateSocialise
    | LiquidateStage
    | LiquidateRelease
)
