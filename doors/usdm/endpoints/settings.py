"""Leverage, margin type, position mode and the margin of isolated positions."""

from typing import Any

import msgspec

from doors.exchange.decimals import plain
from doors.usdm.call import Call
from doors.usdm.errors import (
    NO_NEED_MARGIN_TYPE,
    NO_NEED_POSITION_SIDE,
    VenueError,
    invalid,
    missing,
    of_rejection,
)
from doors.usdm.pots import LEG_OF_SIDE, largest_notional_q, settings_of
from engine.commands import (
    AdjustIsolatedMargin,
    SetLeverage,
    SetMarginMode,
    SetPositionMode,
)
from engine.events import CommandRejected
from engine.reasons import Reason

SUCCESS: dict[str, Any] = {"code": 200, "msg": "success"}
ADD = 1
TAKE = 2


async def set_leverage(call: Call) -> Any:
    """Choose the leverage of a contract."""
    contract = call.contract()
    if not call.parameters.has("leverage"):
        raise missing("leverage")
    leverage = call.parameters.whole("leverage", 0, 1, 1_000_000)
    command = SetLeverage(0, call.account_id, contract.instrument_id, leverage)
    reply = await call.door.call(command)
    rejection = reply.rejection
    if rejection is not None:
        raise _leverage_fault(rejection, leverage)
    cap_q = largest_notional_q(contract, leverage)
    return {
        "symbol": contract.symbol,
        "leverage": leverage,
        "maxNotionalValue": plain(cap_q, contract.asset.decimals),
    }


def _leverage_fault(rejection: CommandRejected, leverage: int) -> VenueError:
    if rejection.reason == Reason.LEVERAGE_ABOVE_MAXIMUM:
        return VenueError(-4028, f"Leverage {leverage} is not valid")
    if rejection.reason in (Reason.INSUFFICIENT_MARGIN, Reason.INSUFFICIENT_FREE_COLLATERAL):
        text = "Leverage is smaller than permitted: insufficient margin balance."
        return VenueError(-2028, text)
    return of_rejection(rejection)


async def set_margin_type(call: Call) -> Any:
    """Cross or isolated, while nothing is open in the contract."""
    contract = call.contract()
    word = call.parameters.required("marginType").upper()
    if word not in ("ISOLATED", "CROSSED", "CROSS"):
        raise invalid("marginType")
    isolated = word == "ISOLATED"
    report = await call.door.account(call.account_id)
    [setting] = settings_of(call.door, report, [contract])
    if isolated == setting.isolated:
        raise VenueError(*NO_NEED_MARGIN_TYPE)
    command = SetMarginMode(0, call.account_id, contract.instrument_id, isolated)
    rejection = (await call.door.call(command)).rejection
    if rejection is None:
        return SUCCESS
    if rejection.reason != Reason.POSITION_OR_ORDERS_OPEN:
        raise of_rejection(rejection)
    if _has_orders(call, contract.instrument_id):
        raise VenueError(-4047, "Margin type cannot be changed if there exists open orders.")
    raise VenueError(-4048, "Margin type cannot be changed if there exists position.")


def _has_orders(call: Call, instrument_id: int = -1) -> bool:
    orders = call.door.blotter.open_orders(call.account_id)
    waiting = call.door.blotter.algos.waiting(call.account_id)
    ids = [order.instrument_id for order in orders] + [algo.instrument_id for algo in waiting]
    return bool(ids) if instrument_id < 0 else instrument_id in ids


async def set_position_mode(call: Call) -> Any:
    """Hedge mode or one-way, while nothing is open at all."""
    call.parameters.required("dualSidePosition")
    hedge = call.parameters.yes("dualSidePosition")
    report = await call.door.account(call.account_id)
    if report.hedge == hedge:
        raise VenueError(*NO_NEED_POSITION_SIDE)
    rejection = (await call.door.call(SetPositionMode(0, call.account_id, hedge))).rejection
    if rejection is None:
        return SUCCESS
    if rejection.reason != Reason.POSITION_OR_ORDERS_OPEN:
        raise of_rejection(rejection)
    if _has_orders(call):
        raise VenueError(-4067, "Position side cannot be changed if there exists open orders.")
    raise VenueError(-4068, "Position side cannot be changed if there exists position.")


async def set_position_margin(call: Call) -> Any:
    """Add collateral to an isolated position, or take some out."""
    contract = call.contract()
    parameters = call.parameters
    amount_q = parameters.amount_q("amount", contract)
    if amount_q <= 0:
        raise VenueError(-4051, "Amount must be positive.")
    kind = parameters.whole("type", 0, ADD, TAKE)
    if not kind:
        raise missing("type")
    leg = LEG_OF_SIDE[parameters.one_of("positionSide", tuple(LEG_OF_SIDE), "BOTH")]
    signed_q = amount_q if kind == ADD else -amount_q
    command = AdjustIsolatedMargin(0, call.account_id, contract.instrument_id, leg, signed_q)
    rejection = (await call.door.call(command)).rejection
    if rejection is not None:
        raise _margin_fault(rejection, kind)
    return {
        "code": 200,
        "msg": "Successfully modify position margin.",
        "amount": msgspec.Raw(plain(amount_q, contract.asset.decimals).encode()),
        "type": kind,
    }


def _margin_fault(rejection: CommandRejected, kind: int) -> VenueError:
    if rejection.reason == Reason.NOT_ISOLATED:
        text = "Isolated position is needed: the position is cross, or there is none."
        return VenueError(-4049, text)
    if rejection.reason in (Reason.INSUFFICIENT_MARGIN, Reason.INSUFFICIENT_FREE_COLLATERAL):
        if kind == ADD:
            return VenueError(-4050, "Cross balance insufficient.")
        return VenueError(-4051, "Isolated balance insufficient.")
    return of_rejection(rejection)


async def set_multi_assets(call: Call) -> Any:
    """Whether several assets count together is a matter of the rules."""
    call.parameters.required("multiAssetsMargin")
    if call.parameters.yes("multiAssetsMargin"):
        text = "Multi-Assets mode is a matter of the rulebook here; an account cannot choose it."
        raise VenueError(-4167, text)
    raise VenueError(-4171, "No need to change Multi-Assets mode.")
