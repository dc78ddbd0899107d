"""Orders and fills as REST shows them."""

from typing import Any, Final

from doors.history.records import NEW, Fill, Order
from doors.usdm.call import ms
from doors.usdm.door import Door
from doors.usdm.pots import SIDE_OF_LEG
from engine.commands import BUY

MARKET: Final[str] = "MARKET"


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
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": order.kind,
        "priceMatch": "NONE",
        "selfTradePreventionMode": order.stp,
        "goodTillDate": ms(order.good_till_ns),
        "time": ms(order.created_ns),
        "updateTime": ms(order.created_ns if as_accepted else order.updated_ns),
    }


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
