"""Events of an account as the venue words them."""

from typing import Any, Final

from doors.exchange.contracts import Contract
from doors.history.records import (
    AlgoChange,
    Change,
    Fill,
    Order,
)
from doors.usdm.call import ms
from doors.usdm.door import Door
from doors.usdm.order_rows import (
    MARKET,
    OLD_STATES,
    algo_row,
    as_order,
    side_name,
    waiting_row,
)
from doors.usdm.pots import SIDE_OF_LEG, AssetSums, Place, places_of, sums_of
from engine.events import AccountReport, MarginCallIssued
from risk.accounts import pot_of

CROSSED: Final[str] = "CROSSED"
ISOLATED: Final[str] = "ISOLATED"


def order_event(door: Door, change: Change, now_ms: int) -> dict[str, Any]:
    """ORDER_TRADE_UPDATE: something happened to an order."""
    contract = door.listed.by_id[change.order.instrument_id]
    return {
        "e": "ORDER_TRADE_UPDATE",
        "E": now_ms,
        "T": ms(change.time_ns),
        "o": {
            **_order(contract, change.order, change.time_ns),
            "x": change.execution,
            **_fill(contract, change.fill),
        },
    }


def _order(contract: Contract, order: Order, time_ns: int) -> dict[str, Any]:
    return {
        "s": contract.symbol,
        "c": order.client_id,
        "S": side_name(order.side),
        "o": order.kind,
        "f": order.tif,
        "q": contract.qty(order.qty_lots),
        "p": "0" if order.kind == MARKET else contract.price(order.price_ticks),
        "ap": contract.average(order.filled_value, order.filled_lots),
        "sp": contract.price(order.stop_ticks) if order.stop_ticks else "0",
        "X": order.status,
        "i": order.order_id,
        "z": contract.qty(order.filled_lots),
        "T": ms(time_ns),
        "b": "0",
        "a": "0",
        "R": order.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": order.orig_kind or order.kind,
        "ps": SIDE_OF_LEG[order.leg],
        "cp": False,
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": order.stp,
        "pm": "NONE",
        "gtd": ms(order.good_till_ns),
        "er": "0",
    }


def _fill(contract: Contract, fill: Fill | None) -> dict[str, Any]:
    if fill is None:
        return {"l": "0", "L": "0", "t": 0, "m": False, "rp": "0"}
    return {
        "l": contract.qty(fill.qty_lots),
        "L": contract.price(fill.price_ticks),
        "t": fill.trade_id,
        "m": fill.maker,
        "rp": contract.money(fill.realised_q),
        "n": contract.money(fill.fee_q),
        "N": contract.asset.symbol,
    }


def algo_event(door: Door, change: AlgoChange, now_ms: int) -> dict[str, Any]:
    """ALGO_UPDATE: something happened to a conditional order."""
    row = algo_row(door, change.algo)
    names = {
        **{"caid": "clientAlgoId", "aid": "algoId", "at": "algoType", "o": "orderType"},
        **{"s": "symbol", "S": "side", "ps": "positionSide", "f": "timeInForce", "q": "quantity"},
        **{"X": "algoStatus", "ai": "actualOrderId", "ap": "actualPrice", "tp": "triggerPrice"},
        **{"p": "price", "V": "selfTradePreventionMode", "wt": "workingType", "pm": "priceMatch"},
        **{"cp": "closePosition", "pP": "priceProtect", "R": "reduceOnly", "tt": "triggerTime"},
        **{"gtd": "goodTillDate"},
    }
    order = {short: row[name] for short, name in names.items()}
    became = door.blotter.order(change.algo.order_id)
    contract = door.listed.by_id[change.algo.instrument_id]
    order["aq"] = contract.qty(0 if became is None else became.filled_lots)
    order["act"] = "0" if became is None else became.kind
    order["rm"] = change.algo.refusal
    if change.algo.trail_ppb:
        order["cr"] = row["callbackRate"]
        order["AP"] = row["activatePrice"]
    return {"e": "ALGO_UPDATE", "T": ms(change.time_ns), "E": now_ms, "o": order}


def waiting_event(door: Door, change: AlgoChange, now_ms: int) -> dict[str, Any] | None:
    """ORDER_TRADE_UPDATE of a conditional order from the old place; None for what it tells as the
    order that it became."""
    algo = change.algo
    word = OLD_STATES.get(algo.status)
    if word is None:
        return None
    row = waiting_row(door, algo)
    contract = door.listed.by_id[algo.instrument_id]
    order = as_order(algo, word)
    told = _order(contract, order, change.time_ns) | {"x": word, **_fill(contract, None)}
    told |= {"wt": row["workingType"], "cp": algo.close_position, "p": row["price"]}
    if algo.trail_ppb:
        told |= {"AP": row["activatePrice"], "cr": row["priceRate"]}
    return {"e": "ORDER_TRADE_UPDATE", "E": now_ms, "T": ms(change.time_ns), "o": told}


def trade_lite(door: Door, change: Change, fill: Fill, now_ms: int) -> dict[str, Any]:
    """TRADE_LITE: the fill alone."""
    order = change.order
    contract = door.listed.by_id[order.instrument_id]
    return {
        "e": "TRADE_LITE",
        "E": now_ms,
        "T": ms(change.time_ns),
        "s": contract.symbol,
        "q": contract.qty(order.qty_lots),
        "p": "0" if order.kind == MARKET else contract.price(order.price_ticks),
        "m": fill.maker,
        "c": order.client_id,
        "S": side_name(order.side),
        "L": contract.price(fill.price_ticks),
        "l": contract.qty(fill.qty_lots),
        "t": fill.trade_id,
        "i": order.order_id,
    }


class AccountNews:
    """What of an account changed since it was told, and why."""

    def __init__(self) -> None:
        self.cause = "ORDER"
        self.time_ns = 0
        self.instruments: dict[int, None] = {}
        self.transferred_q: dict[int, int] = {}

    def event(self, door: Door, report: AccountReport, now_ms: int) -> dict[str, Any]:
        """ACCOUNT_UPDATE: balances, and the positions that changed, closed ones included."""
        by_id = door.listed.by_id
        contracts = [by_id[one] for one in self.instruments if one in by_id]
        return {
            "e": "ACCOUNT_UPDATE",
            "T": ms(self.time_ns),
            "E": now_ms,
            "a": {
                "m": self.cause,
                "B": [self._balance(sums) for sums in sums_of(door, report)],
                "P": [_position(place) for place in places_of(door, report, contracts)],
            },
        }

    def _balance(self, sums: AssetSums) -> dict[str, Any]:
        return {
            "a": sums.asset.symbol,
            "wb": sums.text(sums.wallet_q),
            "cw": sums.text(sums.cross_wallet_q),
            "bc": sums.text(self.transferred_q.get(sums.asset.asset_id, 0)),
        }


def _position(place: Place) -> dict[str, Any]:
    contract = place.contract
    return {
        "s": contract.symbol,
        "pa": contract.qty(place.lots),
        "ep": place.entry_price,
        "bep": place.entry_price,
        "cr": "0",
        "up": contract.money(place.unrealised_q),
        "mt": "isolated" if place.isolated else "cross",
        "iw": contract.money(place.isolated_wallet_q),
        "ps": place.side,
    }


def margin_call(
    door: Door, report: AccountReport, call: MarginCallIssued, now_ms: int
) -> dict[str, Any]:
    """MARGIN_CALL, with what the venue does not know: the amount and the deadline."""
    contracts = list(door.listed)
    in_pot = [
        place
        for place in places_of(door, report, contracts)
        if place.pot is not None and place.pot.margin_account_id == call.margin_account_id
    ]
    asset_id, instrument_id = pot_of(call.margin_account_id)
    if instrument_id in door.listed.by_id:
        asset_id = door.listed.by_id[instrument_id].asset.asset_id
    found_sums = (one for one in sums_of(door, report) if one.asset.asset_id == asset_id)
    sums = next(found_sums, None)
    found: dict[str, Any] = {
        "e": "MARGIN_CALL",
        "E": now_ms,
        "p": [
            {
                "s": place.contract.symbol,
                "ps": place.side,
                "pa": place.contract.qty(place.lots),
                "mt": ISOLATED if place.isolated else CROSSED,
                "iw": place.contract.money(place.isolated_wallet_q),
                "mp": place.contract.price(place.mark_ticks),
                "up": place.contract.money(place.unrealised_q),
                "mm": place.contract.money(place.maintenance_q),
            }
            for place in in_pot
        ],
        "callId": call.call_id,
        "deadline": ms(call.deadline_ns) if call.deadline_ns >= 0 else -1,
    }
    if sums is not None:
        found["amount"] = sums.text(call.amount_q)
        if instrument_id < 0:
            found["cw"] = sums.text(sums.cross_wallet_q)
    return found


def leverage_event(contract: Contract, leverage: int, time_ns: int, now_ms: int) -> dict[str, Any]:
    """ACCOUNT_CONFIG_UPDATE: another leverage."""
    return {
        "e": "ACCOUNT_CONFIG_UPDATE",
        "E": now_ms,
        "T": ms(time_ns),
        "ac": {"s": contract.symbol, "l": leverage},
    }


def expired_event(key: str, now_ms: int) -> dict[str, Any]:
    """A listen key is over."""
    return {"e": "listenKeyExpired", "E": now_ms, "listenKey": key}
