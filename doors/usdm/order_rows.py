"""Orders and fills as REST shows them."""

from typing import Any, Final

from doors.exchange.decimals import plain
from doors.history.records import (
    ALGO_CANCELED,
    ALGO_EXPIRED,
    ALGO_NEW,
    ALGO_REJECTED,
    CANCELED,
    EXPIRED,
    NEW,
    Algo,
    Fill,
    Order,
)
from doors.usdm.call import ms
from doors.usdm.door import Door
from doors.usdm.pots import SIDE_OF_LEG
from engine.commands import BUY, BY_INDEX, BY_LAST, BY_MARK

MARKET: Final[str] = "MARKET"
BY_NAME: Final[dict[str, int]] = {
    "CONTRACT_PRICE": BY_LAST,
    "MARK_PRICE": BY_MARK,
    "INDEX_PRICE": BY_INDEX,
}
"""Which price a conditional order looks at; the last of them the venue does not have."""

OLD_STATES: Final[dict[str, str]] = {
    ALGO_NEW: NEW,
    ALGO_CANCELED: CANCELED,
    ALGO_EXPIRED: EXPIRED,
    ALGO_REJECTED: EXPIRED,
}
"""States of a conditional order that became none, in the words of the old place."""

NAME_BY: Final[dict[int, str]] = {by: name for name, by in BY_NAME.items()}


def side_name(side: int) -> str:
    """BUY or SELL."""
    return "BUY" if side == BUY else "SELL"


def order_row(door: Door, order: Order, *, as_accepted: bool = False) -> dict[str, Any]:
    """An order; ``as_accepted`` as it was before anything filled."""
    contract = door.listed.by_id[order.instrument_id]
    filled, value = (0, 0) if as_accepted else (order.filled_lots, order.filled_value)
    executed = contract.qty(filled)
    return {
        "orderId": order.order_id,
        "symbol": contract.symbol,
        "status": NEW if as_accepted else order.status,
        "clientOrderId": order.client_id,
        "price": "0" if order.kind == MARKET else contract.price(order.price_ticks),
        "avgPrice": contract.average(value, filled),
        "origQty": contract.qty(order.qty_lots),
        "executedQty": executed,
        "cumQty": executed,
        "cumQuote": contract.money(value * contract.spec.unit_q),
        "timeInForce": order.tif,
        "type": order.kind,
        "reduceOnly": order.reduce_only,
        "closePosition": False,
        "side": side_name(order.side),
        "positionSide": SIDE_OF_LEG[order.leg],
        "stopPrice": contract.price(order.stop_ticks) if order.stop_ticks else "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": order.orig_kind or order.kind,
        "priceMatch": "NONE",
        "selfTradePreventionMode": order.stp,
        "goodTillDate": ms(order.good_till_ns),
        "time": ms(order.created_ns),
        "updateTime": ms(order.created_ns if as_accepted else order.updated_ns),
    }


def algo_row(door: Door, algo: Algo) -> dict[str, Any]:
    """A conditional order."""
    contract = door.listed.by_id[algo.instrument_id]
    trailing = bool(algo.trail_ppb)
    trigger = contract.price(algo.trigger_ticks) if algo.trigger_ticks else "0"
    became = door.blotter.find(algo.account_id, algo.order_id) if not algo.waits else None
    return {
        "algoId": algo.order_id,
        "clientAlgoId": algo.client_id,
        "algoType": "CONDITIONAL",
        "orderType": algo.kind,
        "symbol": contract.symbol,
        "side": side_name(algo.side),
        "positionSide": SIDE_OF_LEG[algo.leg],
        "timeInForce": algo.tif,
        "quantity": contract.qty(algo.qty_lots),
        "algoStatus": algo.status,
        "actualOrderId": "" if became is None else str(became.order_id),
        "actualPrice": contract.average(
            *((became.filled_value, became.filled_lots) if became is not None else (0, 0))
        ),
        "triggerPrice": "0" if trailing else trigger,
        "price": contract.price(algo.price_ticks) if algo.price_ticks else "0",
        "icebergQuantity": None,
        "tpTriggerPrice": "0",
        "tpPrice": "0",
        "slTriggerPrice": "0",
        "slPrice": "0",
        "tpOrderType": "",
        "selfTradePreventionMode": algo.stp,
        "workingType": NAME_BY[algo.trigger_by],
        "priceMatch": "NONE",
        "closePosition": algo.close_position,
        "priceProtect": False,
        "reduceOnly": algo.reduce_only,
        "activatePrice": trigger if trailing else "",
        "callbackRate": _percent(algo.trail_ppb) if trailing else "",
        "createTime": ms(algo.created_ns),
        "updateTime": ms(algo.updated_ns),
        "triggerTime": ms(algo.triggered_ns),
        "goodTillDate": ms(algo.good_till_ns),
    }


def _percent(ppb: int) -> str:
    return plain(ppb, 7)


def as_order(algo: Algo, status: str) -> Order:
    """A conditional order as the order with a stop price that it is in the old place."""
    return Order(
        order_id=algo.order_id,
        account_id=algo.account_id,
        instrument_id=algo.instrument_id,
        client_id=algo.client_id,
        side=algo.side,
        kind=algo.kind,
        tif=algo.tif,
        qty_lots=algo.qty_lots,
        price_ticks=algo.price_ticks,
        leg=algo.leg,
        reduce_only=algo.reduce_only,
        stp=algo.stp,
        created_ns=algo.created_ns,
        updated_ns=algo.updated_ns,
        status=status,
        good_till_ns=algo.good_till_ns,
        stop_ticks=algo.trigger_ticks,
    )


def waiting_row(door: Door, algo: Algo) -> dict[str, Any]:
    """A conditional order as an order with a stop price, as it was shown in the old place."""
    row = order_row(door, as_order(algo, OLD_STATES.get(algo.status, NEW)))
    row["workingType"] = NAME_BY[algo.trigger_by]
    row["closePosition"] = algo.close_position
    if algo.trail_ppb:
        row["activatePrice"] = row["stopPrice"]
        row["priceRate"] = _percent(algo.trail_ppb)
    if not algo.price_ticks:
        row["price"] = "0"
    return row


def fill_row(door: Door, fill: Fill) -> dict[str, Any]:
    """A fill of the account's own."""
    contract = door.listed.by_id[fill.instrument_id]
    return {
        "symbol": contract.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "side": side_name(fill.side),
        "price": contract.price(fill.price_ticks),
        "qty": contract.qty(fill.qty_lots),
        "realizedPnl": contract.money(fill.realised_q),
        "quoteQty": contract.money(contract.value_q(fill.price_ticks, fill.qty_lots)),
        "commission": contract.money(fill.fee_q),
        "commissionAsset": contract.asset.symbol,
        "time": ms(fill.time_ns),
        "positionSide": SIDE_OF_LEG[fill.leg],
        "buyer": fill.side == BUY,
        "maker": fill.maker,
    }
