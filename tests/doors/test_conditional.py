"""Conditional orders through the door: in the new place, in the old one, and their ends."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra doors)")

from engine.commands import AdvanceTime
from tests.doors.socket_client import Listener, kind_of
from tests.doors.world import DoorWorld, Plain, door_world

STOP = {
    **{"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"},
    **{"quantity": "0.010", "triggerPrice": "59000", "workingType": "MARK_PRICE"},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorWorld]:
    with door_world(tmp_path_factory.mktemp("conditional")) as world:
        yield world


@pytest.fixture
def plain(world: DoorWorld) -> Plain:
    return world.client(world.account())


def algo(plain: Plain, **parameters: Any) -> Any:
    return plain.signed("POST", "/fapi/v1/algoOrder", **{**STOP, **parameters})


def test_a_stop_waits_and_is_cancelled(plain: Plain) -> None:
    placed = algo(plain, clientAlgoId="stop-1")
    assert (placed["algoStatus"], placed["triggerPrice"]) == ("NEW", "59000.0")
    [found] = plain.signed("GET", "/fapi/v1/openAlgoOrders", symbol="BTCUSDT")
    assert found == placed == plain.signed("GET", "/fapi/v1/algoOrder", clientAlgoId="stop-1")
    assert plain.signed("GET", "/fapi/v1/openOrders") == []
    assert algo(plain, clientAlgoId="stop-1")["code"] == -4116
    cancelled = plain.signed("DELETE", "/fapi/v1/algoOrder", algoId=placed["algoId"])
    assert cancelled == {
        **{"algoId": placed["algoId"], "clientAlgoId": "stop-1"},
        **{"code": "200", "msg": "success"},
    }
    assert plain.signed("DELETE", "/fapi/v1/algoOrder", algoId=placed["algoId"])["code"] == -2011
    [over] = plain.signed("GET", "/fapi/v1/allAlgoOrders", symbol="BTCUSDT")
    assert over["algoStatus"] == "CANCELED"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"triggerPrice": "61000"}, -2021),
        ({"triggerPrice": "59000.05"}, -4014),
        ({"quantity": "0"}, -4003),
        ({"type": "LIMIT"}, -1116),
        ({"type": "STOP"}, -1102),
        ({"type": "TRAILING_STOP_MARKET"}, -1102),
        ({"type": "TRAILING_STOP_MARKET", "callbackRate": "11"}, -1130),
        ({"closePosition": "true"}, -4136),
        ({"timeInForce": "GTD", "goodTillDate": "1"}, -1130),
        ({"workingType": "SOMETHING"}, -1130),
    ],
)
def test_what_cannot_wait_is_refused(plain: Plain, parameters: Any, code: int) -> None:
    assert algo(plain, **parameters)["code"] == code
    assert plain.signed("GET", "/fapi/v1/openAlgoOrders") == []


def test_the_old_place_shows_an_order_with_a_stop_price(plain: Plain) -> None:
    stop = {"type": "STOP_MARKET", "side": "SELL", "stopPrice": "58000"}
    placed = plain.order(**stop, newClientOrderId="old-1", reduceOnly="true")
    assert (placed["status"], placed["type"], placed["stopPrice"]) == (
        *("NEW", "STOP_MARKET"),
        "58000.0",
    )
    target = {"symbol": "BTCUSDT", "origClientOrderId": "old-1"}
    assert plain.signed("GET", "/fapi/v1/order", **target) == placed
    assert plain.signed("GET", "/fapi/v1/openOrders") == [placed]
    assert plain.signed("GET", "/fapi/v1/openAlgoOrders") == []
    assert plain.signed("DELETE", "/fapi/v1/order", **target)["status"] == "CANCELED"
    plain.order(**stop)
    algo(plain)
    plain.signed("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
    assert plain.signed("GET", "/fapi/v1/openOrders") == []
    assert len(plain.signed("GET", "/fapi/v1/openAlgoOrders")) == 1
    plain.signed("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT")
    assert plain.signed("GET", "/fapi/v1/openAlgoOrders") == []


def test_a_stop_fires_and_closes_the_position(world: DoorWorld, plain: Plain) -> None:
    plain.order(type="MARKET", symbol="ETHUSDT", quantity="1")
    terms = {"symbol": "ETHUSDT", "triggerPrice": "2990", "closePosition": "true"}
    asked = {**STOP, **terms, "clientAlgoId": "close-1"}
    del asked["quantity"]
    placed = plain.signed("POST", "/fapi/v1/algoOrder", **asked)
    old = plain.order(
        **{"symbol": "ETHUSDT", "type": "TAKE_PROFIT_MARKET", "side": "BUY", "quantity": "0.1"},
        **{"stopPrice": "2989", "workingType": "MARK_PRICE"},
    )
    key = plain.keyed("POST", "/fapi/v1/listenKey")["listenKey"]

    async def listen() -> None:
        async with Listener(world.port, f"/ws?listenKey={key}") as listener:
            await listener.ask("LIST_SUBSCRIPTIONS", [])
            world.quote(2, 298_800)
            for _ in range(3):
                world.move(2, 298_800)
            await listener.until(
                lambda one: kind_of(one) == "ALGO_UPDATE" and one["o"]["X"] == "FINISHED"
            )
            states = [one["o"]["X"] for one in listener.heard if kind_of(one) == "ALGO_UPDATE"]
            assert states == ["TRIGGERING", "TRIGGERED", "FINISHED"]
            orders = [one["o"] for one in listener.heard if kind_of(one) == "ORDER_TRADE_UPDATE"]
            mine = [(one["x"], one["o"], one["ot"]) for one in orders if one["c"] == "close-1"]
            assert mine == [
                *(("NEW", "MARKET", "STOP_MARKET"), ("TRADE", "MARKET", "STOP_MARKET")),
            ]

    asyncio.run(listen())
    found = plain.signed("GET", "/fapi/v1/algoOrder", algoId=placed["algoId"])
    assert (found["algoStatus"], found["actualOrderId"]) == ("FINISHED", str(placed["algoId"]))
    became = plain.signed("GET", "/fapi/v1/order", symbol="ETHUSDT", orderId=found["actualOrderId"])
    assert (became["status"], became["executedQty"]) == ("FILLED", "1.000")
    assert (became["type"], became["origType"]) == ("MARKET", "STOP_MARKET")
    bought = plain.signed("GET", "/fapi/v1/order", symbol="ETHUSDT", orderId=old["orderId"])
    assert (bought["status"], bought["origType"]) == ("FILLED", "TAKE_PROFIT_MARKET")


def test_a_stop_that_cannot_be_paid_for_ends_with_its_reason(
    world: DoorWorld, plain: Plain
) -> None:
    placed = algo(plain, quantity="90", triggerPrice="59990")
    assert placed["algoStatus"] == "NEW", placed
    world.quote(1, 599_800)
    for _ in range(3):
        world.move(1, 599_800)
    limit = time.monotonic() + 10
    while (found := plain.signed("GET", "/fapi/v1/algoOrder", algoId=placed["algoId"]))[
        "algoStatus"
    ] == "NEW":
        assert time.monotonic() < limit
        time.sleep(0.05)
    assert (found["algoStatus"], found["actualOrderId"]) == ("REJECTED", "")


def test_an_order_with_a_date_ends_by_itself(world: DoorWorld, plain: Plain) -> None:
    until = int(time.time() * 1000) + 700
    placed = plain.order(timeInForce="GTD", goodTillDate=until)
    assert (placed["timeInForce"], placed["goodTillDate"]) == ("GTD", until)
    time.sleep(0.8)
    world.send(AdvanceTime(0))
    target = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    limit = time.monotonic() + 10
    while plain.signed("GET", "/fapi/v1/order", **target)["status"] == "NEW":
        assert time.monotonic() < limit
        time.sleep(0.05)
    assert plain.signed("GET", "/fapi/v1/order", **target)["status"] == "EXPIRED"
