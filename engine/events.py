"""Events: what the exchange tells the world. Public ones name no account.

A margin account id is the trader's account id plus a slot for the pot of collateral: see
`risk.accounts`. Money is in quanta of the pot's asset.
"""

from typing import Final

from engine.forms import Hashed, native
from engine.reasons import in_words
from engine.reports import AccountReport as AccountReport
from engine.reports import AccountRisk as AccountRisk
from engine.reports import AssetReport as AssetReport
from engine.reports import CollateralReport as CollateralReport
from engine.reports import InstrumentReport as InstrumentReport
from engine.reports import InstrumentSetting as InstrumentSetting
from engine.reports import MarginAccountReport as MarginAccountReport
from engine.reports import MarketReport as MarketReport
from engine.reports import OrderReport as OrderReport
from engine.reports import OrdersReport as OrdersReport
from engine.reports import PositionReport as PositionReport
from engine.reports import RiskReport as RiskReport
from engine.reports import TriggerReport as TriggerReport

CALL_CURED: Final[str] = "cured"
CALL_EXPIRED: Final[str] = "expired"
CALL_OVERTAKEN: Final[str] = "overtaken"
CALL_OUTCOMES: Final[tuple[str, ...]] = (CALL_CURED, CALL_EXPIRED, CALL_OVERTAKEN)

CURED_BY_DEPOSIT: Final[str] = "deposit"
CURED_BY_REDUCTION: Final[str] = "reduction"
CURED_BY_BOTH: Final[str] = "both"
CURED_BY_PRICE: Final[str] = "price"
CURES: Final[tuple[str, ...]] = (
    CURED_BY_DEPOSIT,
    CURED_BY_REDUCTION,
    CURED_BY_BOTH,
    CURED_BY_PRICE,
)


class _Event(Hashed, frozen=True, array_like=True, tag=True, gc=False):
    time_ns: int


class CommandRejected(_Event, frozen=True, array_like=True, tag=True):
    """A command was refused: the numbered reason and the figures used to decide."""

    account_id: int
    order_id: int
    reason: int
    required_q: int = 0
    free_q: int = 0
    detail: str = ""

    @property
    def words(self) -> str:
        """Why, for people: the reason's number and words, and the detail where there is one."""
        return f"{in_words(self.reason)}: {self.detail}" if self.detail else in_words(self.reason)


@native
class OrderAccepted(_Event, frozen=True, array_like=True, tag=True):
    """The order passed the margin check and is on its way to the book."""

    account_id: int
    order_id: int
    instrument_id: int
    side: int
    qty_lots: int
    price_ticks: int


@native
class OrderFilled(_Event, frozen=True, array_like=True, tag=True):
    """One side of a trade, for its owner. A negative fee is a rebate.

    ``trade_id`` is that of the public `Trade`, counted per instrument: with instrument and order it
    names this execution, however often it is told.
    """

    account_id: int
    order_id: int
    instrument_id: int
    leg: int
    side: int
    qty_lots: int
    price_ticks: int
    maker: bool
    liquidation: bool
    fee_q: int
    realised_q: int
    position_lots: int
    trade_id: int = 0


@native
class OrderAmended(_Event, frozen=True, array_like=True, tag=True):
    """A resting order has a new price or remaining size."""

    account_id: int
    order_id: int
    instrument_id: int
    price_ticks: int
    remaining_lots: int


@native
class OrderClosed(_Event, frozen=True, array_like=True, tag=True):
    """An order, or a trigger order that waited, is finished: filled, cancelled or dropped (see
    ``reason``)."""

    account_id: int
    order_id: int
    instrument_id: int
    remaining_lots: int
    reason: int


class TriggerAccepted(_Event, frozen=True, array_like=True, tag=True):
    """A trigger order waits; the fields are those of `engine.commands.SubmitTrigger`."""

    account_id: int
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
    expire_ns: int


class TriggerAmended(_Event, frozen=True, array_like=True, tag=True):
    """A trigger order that waits was changed to this."""

    account_id: int
    order_id: int
    instrument_id: int
    qty_lots: int
    trigger_ticks: int
    price_ticks: int
    trail_ticks: int
    trail_ppb: int


class TriggerFired(_Event, frozen=True, array_like=True, tag=True):
    """A price, ``price_ticks``, reached the trigger of an order, at ``trigger_ticks`` (of a
    trailing order where it had come to).

    `OrderAccepted` follows, or `TriggerRefused`, or its cancel where that was faster.
    """

    account_id: int
    order_id: int
    instrument_id: int
    price_ticks: int
    trigger_ticks: int


class TriggerRefused(_Event, frozen=True, array_like=True, tag=True):
    """A trigger order that fired did not pass the check of a new order: the numbered reason and the
    figures used to decide. `OrderClosed` with the same reason follows."""

    account_id: int
    order_id: int
    instrument_id: int
    reason: int
    required_q: int = 0
    free_q: int = 0
    detail: str = ""


@native
class Trade(_Event, frozen=True, array_like=True, tag=True):
    """Public trade print."""

    instrument_id: int
    trade_id: int
    price_ticks: int
    qty_lots: int
    taker_side: int
    liquidation: bool


@native
class BookLevel(_Event, frozen=True, array_like=True, tag=True):
    """Public depth: the new total of one price level; ``sequence`` counts per instrument."""

    instrument_id: int
    sequence: int
    side: int
    price_ticks: int
    qty_lots: int


@native
class MarkUpdated(_Event, frozen=True, array_like=True, tag=True):
    """Public mark, index, last price and open interest (lots, one side) of an instrument."""

    instrument_id: int
    mark_ticks: int
    index_ticks: int
    last_ticks: int
    open_interest_lots: int


class IndexStale(_Event, frozen=True, array_like=True, tag=True):
    """Every source of a contract's index has been silent for too long, or (``stale`` false) one has
    spoken again and the mark is renewed. The rulebook says what may be done in between."""

    instrument_id: int
    stale: bool


class MarginRateChanged(_Event, frozen=True, array_like=True, tag=True):
    """The initial margin rate of a contract whose margin follows its index or its open interest."""

    instrument_id: int
    rate_ppb: int


class FundingSettled(_Event, frozen=True, array_like=True, tag=True):
    """Funding moved between longs and shorts; the residue of rounding went to its account.

    ``rate_ppb`` was paid for each of ``intervals``: more than one after a step of the clock over
    several. ``mark_ticks`` is the price of the value it was paid on, by the rulebook mark or index.
    """

    instrument_id: int
    rate_ppb: int
    mark_ticks: int
    paid_q: int
    received_q: int
    residue_q: int
    intervals: int = 1


class BorrowFeePaid(_Event, frozen=True, array_like=True, tag=True):
    """What a position paid for what it borrows, for the periods that ended; 0 where nothing was
    left to pay with."""

    margin_account_id: int
    instrument_id: int
    amount_q: int


class FundingPaid(_Event, frozen=True, array_like=True, tag=True):
    """One position's funding; positive is received, negative paid."""

    margin_account_id: int
    instrument_id: int
    amount_q: int


class BalanceChanged(_Event, frozen=True, array_like=True, tag=True):
    """Collateral moved by something else than a trade: deposit, withdrawal, transfer."""

    margin_account_id: int
    asset_id: int
    amount_q: int
    wallet_q: int
    cause: str


class AccountChanged(_Event, frozen=True, array_like=True, tag=True):
    """A setting of the account changed: leverage, margin mode, position mode, opening."""

    account_id: int
    instrument_id: int
    setting: str
    value: int


class SystemChanged(_Event, frozen=True, array_like=True, tag=True):
    """An asset, instrument or rulebook came into force."""

    subject: str
    name: str


class MarginLevelChanged(_Event, frozen=True, array_like=True, tag=True):
    """The account moved between margin levels; 0 is healthy, higher is worse."""

    margin_account_id: int
    level: int
    level_before: int
    level_name: str
    equity_q: int
    maintenance_q: int


class MarginCallIssued(_Event, frozen=True, array_like=True, tag=True):
    """Collateral is demanded: how much, and until when (-1: no deadline)."""

    margin_account_id: int
    call_id: int
    amount_q: int
    deadline_ns: int
    equity_q: int
    maintenance_q: int


class MarginCallEnded(_Event, frozen=True, array_like=True, tag=True):
    """A call ended cured, expired or overtaken by liquidation after ``open_ns``.

    ``paid_q`` is what the owner brought into the pot since the call, less what it took out;
    ``reduced_q`` how much less was missing because of its own trades. ``cured_by`` says which of
    them is above zero: ``deposit``, ``reduction``, ``both``, or ``price`` when neither is; it is
    empty for other outcomes.
    """

    margin_account_id: int
    call_id: int
    outcome: str
    open_ns: int
    cured_by: str = ""
    paid_q: int = 0
    reduced_q: int = 0


class LiquidationStarted(_Event, frozen=True, array_like=True, tag=True):
    """The account is locked and enters the waterfall."""

    margin_account_id: int
    liquidation_id: int
    asset_id: int
    equity_q: int
    maintenance_q: int
    notional_q: int
    call_expired: bool


class LiquidationStage(_Event, frozen=True, array_like=True, tag=True):
    """The liquidation entered a stage of the waterfall."""

    margin_account_id: int
    liquidation_id: int
    stage: str
    equity_q: int
    maintenance_q: int


class LiquidationEnded(_Event, frozen=True, array_like=True, tag=True):
    """The liquidation is over. The parts of the change in equity add up exactly.

    ``price_q`` moves of the mark, ``slippage_q`` fills against the mark, ``fee_q`` fees,
    ``funding_q`` funding, ``surrender_q`` margin given up (or deficit passed on) at takeover,
    ``adl_q`` the same at auto-deleveraging, ``haircut_q`` at socialisation, ``transfer_q``
    deposits and moves of collateral. ``partial`` says a position survived.
    """

    margin_account_id: int
    liquidation_id: int
    asset_id: int
    outcome: str
    partial: bool
    equity_before_q: int
    equity_after_q: int
    price_q: int
    slippage_q: int
    fee_q: int
    funding_q: int
    surrender_q: int
    adl_q: int
    haircut_q: int
    transfer_q: int


class TakenOver(_Event, frozen=True, array_like=True, tag=True):
    """A position went to the fund or backstop at its bankruptcy value.

    ``gain_q`` is what the taker gains (or loses) against the mark. It is 0, and the taker the fund,
    for what a reduce-only fill closed beyond a position that was deleveraged meanwhile.
    """

    margin_account_id: int
    taker_account_id: int
    instrument_id: int
    qty_lots: int
    value_q: int
    mark_ticks: int
    gain_q: int


class Deleveraged(_Event, frozen=True, array_like=True, tag=True):
    """A counterparty's position was closed against a bankrupt one; no fee.

    ``rank`` is its place in the queue (1 first; 0 for the other leg of the bankrupt hedge itself);
    ``gain_q`` its result against the mark.
    """

    margin_account_id: int
    bankrupt_account_id: int
    instrument_id: int
    qty_lots: int
    value_q: int
    mark_ticks: int
    rank: int
    gain_q: int


class HouseInsolvent(_Event, frozen=True, array_like=True, tag=True):
    """The fund or the backstop passed its solvency limit: ``equity_q`` is below ``limit_q``.

    Its positions, worth ``notional_q``, are deleveraged and what it owes is socialised.
    """

    account_id: int
    asset_id: int
    equity_q: int
    limit_q: int
    notional_q: int


class LossSocialised(_Event, frozen=True, array_like=True, tag=True):
    """A winner bore part of a deficit that was left."""

    margin_account_id: int
    asset_id: int
    amount_q: int


class BadDebtBooked(_Event, frozen=True, array_like=True, tag=True):
    """A deficit was recognised, once, at this stage of the waterfall."""

    margin_account_id: int
    asset_id: int
    amount_q: int
    stage: str


class FundChanged(_Event, frozen=True, array_like=True, tag=True):
    """The insurance fund's wallet moved.

    ``cause`` is ``deposit``, ``liquidation fee``, ``deficit`` (paid for an account), ``takeover``,
    ``deleveraged`` or ``disposal`` (profit realised on positions it holds), ``socialised`` (paid by
    winners for its own deficit), ``funding`` or ``collateral`` (exchanged for a debt).
    """

    asset_id: int
    amount_q: int
    wallet_q: int
    cause: str


class BackstopChanged(_Event, frozen=True, array_like=True, tag=True):
    """The backstop's wallet moved; the causes are those of `FundChanged`."""

    asset_id: int
    amount_q: int
    wallet_q: int
    cause: str


class CollateralPriceChanged(_Event, frozen=True, array_like=True, tag=True):
    """Public price of a collateral asset: one whole unit of it in whole units of the margin asset,
    in parts per billion."""

    asset_id: int
    margin_asset_id: int
    price_ppb: int


class CollateralExchanged(_Event, frozen=True, array_like=True, tag=True):
    """The house, or a winner, took collateral and paid a debt in the margin asset with it.

    ``value_q`` is what ``taker_account_id`` paid, ``haircut_q`` what the collateral was worth more
    at its price. ``cause`` is ``debt limit`` or ``liquidation``.
    """

    margin_account_id: int
    asset_id: int
    amount_q: int
    margin_asset_id: int
    value_q: int
    haircut_q: int
    price_ppb: int
    taker_account_id: int
    cause: str


Event = (
    CommandRejected
    | OrderAccepted
    | OrderFilled
    | OrderAmended
    | OrderClosed
    | TriggerAccepted
    | TriggerAmended
    | TriggerFired
    | TriggerRefused
    | Trade
    | BookLevel
    | MarkUpdated
    | IndexStale
    | MarginRateChanged
    | FundingSettled
    | BorrowFeePaid
    | FundingPaid
    | BalanceChanged
    | AccountChanged
    | SystemChanged
    | MarginLevelChanged
    | MarginCallIssued
    | MarginCallEnded
    | LiquidationStarted
    | LiquidationStage
    | LiquidationEnded
    | TakenOver
    | Deleveraged
    | HouseInsolvent
    | LossSocialised
    | BadDebtBooked
    | FundChanged
    | BackstopChanged
    | CollateralPriceChanged
    | CollateralExchanged
    | AccountReport
    | OrdersReport
    | MarketReport
    | RiskReport
)
