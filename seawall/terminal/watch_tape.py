"""One line of the liquidation tape per event: what happened to which account, in human units."""

from typing import Final

from engine.events import (
    CALL_CURED,
    BadDebtBooked,
    CollateralExchanged,
    Deleveraged,
    FundChanged,
    HouseInsolvent,
    LiquidationEnded,
    LiquidationStage,
    LiquidationStarted,
    LossSocialised,
    MarginCallEnded,
    MarginCallIssued,
    TakenOver,
)
from risk.accounts import HOUSE_NAMES, owner_of
from seawall.terminal.watch_lines import ALARM, BAD, BOLD, DIM, GOOD, PLAIN, WARN, Line
from seawall.terminal.watch_model import Notice, TapeEvent
from seawall.terminal.watch_units import Units, clock, duration, printable

COST_PARTS: Final[tuple[tuple[str, str], ...]] = (
    ("slippage", "slippage_q"),
    ("fee", "fee_q"),
    ("funding", "funding_q"),
    ("surrendered", "surrender_q"),
    ("ADL", "adl_q"),
    ("haircut", "haircut_q"),
)
"""Parts of what a liquidation did to the account's equity, without the market's move and without
deposits: what being liquidated cost it."""


def tape_line(entry: TapeEvent | Notice, units: Units) -> Line:
    """An entry of the tape with its time."""
    text, style = (entry.text, ALARM) if isinstance(entry, Notice) else _told(entry, units)
    return [(f"{clock(entry.time_ns)}  ", DIM), (text, style)]


def _told(event: TapeEvent, units: Units) -> tuple[str, str]:
    match event:
        case MarginCallIssued() | MarginCallEnded():
            return _call(event, units)
        case LiquidationStarted() | LiquidationStage() | LiquidationEnded():
            return _liquidation(event, units)
        case TakenOver():
            return _taken_over(event, units), BAD
        case Deleveraged():
            return _deleveraged(event, units), BAD
        case LossSocialised():
            lost = units.money(event.asset_id, event.amount_q)
            return f"loss socialised: account {_owner(event)} bears {lost}", ALARM
        case BadDebtBooked():
            debt = units.money(event.asset_id, event.amount_q)
            stage = printable(event.stage)
            return f"bad debt {debt} left by account {_owner(event)} at stage {stage}", ALARM
        case CollateralExchanged():
            given = units.money(event.asset_id, event.amount_q)
            paid = units.money(event.margin_asset_id, event.value_q)
            return f"collateral: account {_owner(event)} gives {given} for a debt of {paid}", BAD
        case FundChanged():
            moved = units.money(event.asset_id, event.amount_q, signed=True)
            wallet = units.money(event.asset_id, event.wallet_q)
            style = GOOD if event.amount_q > 0 else WARN
            return f"insurance fund {moved} ({printable(event.cause)}), now {wallet}", style
        case HouseInsolvent():
            equity = units.money(event.asset_id, event.equity_q, signed=True)
            return f"{HOUSE_NAMES[event.account_id]} insolvent: equity {equity}", ALARM


def _owner(event: TapeEvent) -> int:
    """The trader an event is about."""
    assert not isinstance(event, FundChanged | HouseInsolvent), "the house is no trader's account"
    return owner_of(event.margin_account_id)


def _call(event: MarginCallIssued | MarginCallEnded, units: Units) -> tuple[str, str]:
    call = f"margin call {event.call_id}"
    if isinstance(event, MarginCallEnded):
        style = GOOD if event.outcome == CALL_CURED else BAD
        how = f"{event.outcome} by {event.cured_by}" if event.cured_by else event.outcome
        told = f"{call} {how} after {duration(event.open_ns)}: account {_owner(event)}"
        return told, style
    asset_id = units.asset_of_account(event.margin_account_id)
    wanted = units.money(asset_id, event.amount_q)
    until = "without deadline"
    if event.deadline_ns >= 0:
        until = f"within {duration(event.deadline_ns - event.time_ns)}"
    return f"{call} issued: account {_owner(event)} to bring {wanted} {until}", WARN


def _liquidation(
    event: LiquidationStarted | LiquidationStage | LiquidationEnded, units: Units
) -> tuple[str, str]:
    told = f"liquidation {event.liquidation_id}"
    if isinstance(event, LiquidationStage):
        return f"{told} of account {_owner(event)}: stage {printable(event.stage)}", PLAIN
    asset_id = event.asset_id
    if isinstance(event, LiquidationStarted):
        equity = units.amount(asset_id, event.equity_q)
        maintenance = units.amount(asset_id, event.maintenance_q)
        value = units.money(asset_id, event.notional_q)
        why = "call expired" if event.call_expired else f"equity {equity} below {maintenance}"
        return f"{told} started: account {_owner(event)}, {why}, positions {value}", BAD
    parts = [
        f"{name} {units.amount(asset_id, -getattr(event, field))}"
        for name, field in COST_PARTS
        if getattr(event, field)
    ]
    cost_q = -sum(getattr(event, field) for _, field in COST_PARTS)
    left = units.money(asset_id, event.equity_after_q)
    size = "partial" if event.partial else "full"
    cost = units.money(asset_id, cost_q)
    detail = f" ({', '.join(parts)})" if parts else ""
    outcome = printable(event.outcome)
    cost = f"{cost}{detail}"
    return (
        f"{told} ended {outcome}, {size}: account {_owner(event)}, cost {cost}, left {left}",
        BOLD,
    )


def _taken_over(event: TakenOver, units: Units) -> str:
    lots = units.quantity(event.instrument_id, event.qty_lots)
    symbol = units.symbol(event.instrument_id)
    taker = HOUSE_NAMES.get(event.taker_account_id, f"account {event.taker_account_id}")
    asset_id = units.settle_asset(event.instrument_id)
    gain = units.money(asset_id, event.gain_q, signed=True)
    return f"takeover: {lots} {symbol} of account {_owner(event)} to the {taker}, {gain} at mark"


def _deleveraged(event: Deleveraged, units: Units) -> str:
    lots = units.quantity(event.instrument_id, event.qty_lots)
    symbol = units.symbol(event.instrument_id)
    bankrupt = owner_of(event.bankrupt_account_id)
    gain = units.money(units.settle_asset(event.instrument_id), event.gain_q, signed=True)
    return (
        f"ADL: account {_owner(event)} closed {lots} {symbol} against account {bankrupt}, "
        f"rank {event.rank}, {gain} at mark"
    )
