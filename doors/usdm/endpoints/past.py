"""What was: all orders, own fills, income, own liquidations."""

from typing import Any, Final

from doors.exchange.decimals import money
from doors.history.records import ADL, LIQUIDATION, Income
from doors.usdm.call import Call, ms
from doors.usdm.endpoints.market import time_span_ns
from doors.usdm.errors import invalid
from doors.usdm.order_rows import fill_row, order_row

INCOME_KINDS: Final[tuple[str, ...]] = (
    *("TRANSFER", "WELCOME_BONUS", "REALIZED_PNL", "FUNDING_FEE", "COMMISSION"),
    *("INSURANCE_CLEAR", "REFERRAL_KICKBACK", "COMMISSION_REBATE", "API_REBATE"),
    *("CONTEST_REWARD", "CROSS_COLLATERAL_TRANSFER", "INTERNAL_TRANSFER", "DELIVERED_SETTELMENT"),
    *("OPTIONS_SETTLE_PROFIT", "COIN_SWAP_DEPOSIT", "COIN_SWAP_WITHDRAW", "AUTO_EXCHANGE"),
)


async def all_orders(call: Call) -> Any:
    """Orders in a contract, oldest first; with ``orderId`` those from it on."""
    contract = call.contract()
    parameters = call.parameters
    limit = parameters.whole("limit", 500, 1, 1000)
    begin_ns, end_ns = time_span_ns(call)
    where = "account_id = ? AND instrument_id = ? AND created_ns BETWEEN ? AND ?"
    values: list[Any] = [call.account_id, contract.instrument_id, begin_ns, end_ns]
    if parameters.has("orderId"):
        where += " AND order_id >= ? ORDER BY order_id LIMIT ?"
        values += [parameters.whole("orderId", 0), limit]
        found = call.door.file.orders(where, values)
    else:
        where += " ORDER BY order_id DESC LIMIT ?"
        found = call.door.file.orders(where, [*values, limit])[::-1]
    return [order_row(call.door, order) for order in found]


async def user_trades(call: Call) -> Any:
    """The account's fills, oldest first."""
    parameters = call.parameters
    ids = [contract.instrument_id for contract in call.contracts()]
    limit = parameters.whole("limit", 500, 1, 1000)
    begin_ns, end_ns = time_span_ns(call)
    marks = ", ".join("?" * len(ids))
    where = f"account_id = ? AND instrument_id IN ({marks}) AND time_ns BETWEEN ? AND ?"
    values: list[Any] = [call.account_id, *ids, begin_ns, end_ns]
    if parameters.has("orderId"):
        where += " AND order_id = ?"
        values.append(parameters.whole("orderId", 0))
    if parameters.has("fromId"):
        where += " AND trade_id >= ? ORDER BY time_ns, trade_id LIMIT ?"
        values.append(parameters.whole("fromId", 0))
        found = call.door.file.fills(where, [*values, limit])
    elif parameters.has("startTime"):
        where += " ORDER BY time_ns, trade_id LIMIT ?"
        found = call.door.file.fills(where, [*values, limit])
    else:
        where += " ORDER BY time_ns DESC, trade_id DESC LIMIT ?"
        found = call.door.file.fills(where, [*values, limit])[::-1]
    return [fill_row(call.door, fill) for fill in found]


async def income(call: Call) -> Any:
    """Money that came or went, oldest first."""
    parameters = call.parameters
    kind = parameters.text("incomeType")
    if kind and kind not in INCOME_KINDS:
        raise invalid("incomeType")
    limit = parameters.whole("limit", 100, 1, 1000)
    begin_ns, end_ns = time_span_ns(call)
    where = "account_id = ? AND time_ns BETWEEN ? AND ?"
    values: list[Any] = [call.account_id, begin_ns, end_ns]
    if kind:
        where += " AND kind = ?"
        values.append(kind)
    if parameters.has("symbol"):
        where += " AND instrument_id = ?"
        values.append(call.contract().instrument_id)
    offset = (parameters.whole("page", 1, 1, 1_000_000) - 1) * limit
    if parameters.has("startTime"):
        where += " ORDER BY rowid LIMIT ? OFFSET ?"
        found = call.door.file.income(where, [*values, limit, offset])
    else:
        where += " ORDER BY rowid DESC LIMIT ? OFFSET ?"
        found = call.door.file.income(where, [*values, limit, offset])[::-1]
    return [_income_row(call, number, one) for number, one in found]


def _income_row(call: Call, number: int, one: Income) -> dict[str, Any]:
    door = call.door
    contract = door.listed.by_id.get(one.instrument_id)
    asset = door.listed.assets[one.asset_id]
    trade_id = str(one.trade_id) if one.trade_id else ""
    return {
        "symbol": contract.symbol if contract is not None else "",
        "incomeType": one.kind,
        "income": money(one.amount_q, asset.decimals),
        "asset": asset.symbol,
        "info": trade_id or one.kind,
        "time": ms(one.time_ns),
        "tranId": number,
        "tradeId": trade_id,
    }


async def force_orders(call: Call) -> Any:
    """The account's liquidations and deleveragings, newest first."""
    parameters = call.parameters
    ids = [contract.instrument_id for contract in call.contracts()]
    kinds: tuple[str, ...] = (LIQUIDATION, ADL)
    if parameters.has("autoCloseType"):
        kinds = (parameters.one_of("autoCloseType", (LIQUIDATION, ADL), ""),)
    limit = parameters.whole("limit", 50, 1, 100)
    begin_ns, end_ns = time_span_ns(call)
    marks, causes = ", ".join("?" * len(ids)), ", ".join("?" * len(kinds))
    found = call.door.file.orders(
        f"account_id = ? AND instrument_id IN ({marks}) AND forced IN ({causes}) "
        "AND created_ns BETWEEN ? AND ? ORDER BY order_id DESC LIMIT ?",
        (call.account_id, *ids, *kinds, begin_ns, end_ns, limit),
    )
    return [order_row(call.door, order) for order in found]


async def amendments(call: Call) -> Any:
    """Changes of price and size of orders, newest first."""
    contract = call.contract()
    parameters = call.parameters
    limit = parameters.whole("limit", 50, 1, 100)
    begin_ns, end_ns = time_span_ns(call)
    where = "account_id = ? AND instrument_id = ? AND time_ns BETWEEN ? AND ?"
    values: list[Any] = [call.account_id, contract.instrument_id, begin_ns, end_ns]
    if parameters.has("orderId"):
        where += " AND order_id = ?"
        values.append(parameters.whole("orderId", 0))
    found = call.door.file.amendments(f"{where} ORDER BY rowid DESC LIMIT ?", [*values, limit])
    rows: list[dict[str, Any]] = []
    for number, one in found:
        order = call.door.blotter.find(call.account_id, one.order_id)
        rows.append(
            {
                "amendmentId": number,
                "symbol": contract.symbol,
                "pair": contract.symbol,
                "orderId": one.order_id,
                "clientOrderId": order.client_id if order is not None else "",
                "time": ms(one.time_ns),
                "amendment": {
                    "price": {
                        "before": contract.price(one.price_before),
                        "after": contract.price(one.price_after),
                    },
                    "origQty": {
                        "before": contract.qty(one.qty_before),
                        "after": contract.qty(one.qty_after),
                    },
                    "count": one.count,
                },
                "priceMatch": "NONE",
            }
        )
    return rows
