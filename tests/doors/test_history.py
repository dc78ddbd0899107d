"""What the door remembers: over its own death, over the loss of its file, and never twice."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra doors)")

from doors.usdm.door import HISTORY
from engine.services.service_config import DOOR, SEPARATE
from tests.doors.world import DoorWorld, Plain, door_world

SHARDS: dict[str, Any] = {"layout": SEPARATE, "settings": "matching_shards = 2"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorWorld]:
    # Every door of the other tests makes its history from the journal of the layout `ONE`.
    with door_world(tmp_path_factory.mktemp("history"), **SHARDS) as world:
        yield world


def test_fills_come_with_the_answer_also_from_several_books(world: DoorWorld) -> None:
    plain = world.client(world.account())
    for number in range(20):
        symbol, quantity = (("BTCUSDT", "0.002"), ("ETHUSDT", "0.05"))[number % 2]
        order = {"symbol": symbol, "quantity": quantity, "type": "MARKET"}
        found = plain.order(**order, newOrderRespType="RESULT")
        assert (found["status"], found["executedQty"] == found["origQty"]) == ("FILLED", True)


def trade(plain: Plain) -> None:
    """A day: a resting order, one amended, a round trip, a refusal, a stop."""
    plain.order(newClientOrderId="rests")
    second = plain.order(price="58500", newClientOrderId="amended")
    changed = {"symbol": "BTCUSDT", "orderId": second["orderId"], "side": "BUY"}
    plain.signed("PUT", "/fapi/v1/order", **changed, quantity="0.020", price="58400")
    plain.order(type="MARKET")
    plain.order(type="MARKET", side="SELL", reduceOnly="true")
    assert plain.order(quantity="100")["code"] == -2019
    assert plain.order(timeInForce="GTX", price="61000")["code"] == -5022
    stop = {"type": "STOP_MARKET", "side": "SELL", "triggerPrice": "50000", "quantity": "0.01"}
    asked = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "clientAlgoId": "waits", **stop}
    assert plain.signed("POST", "/fapi/v1/algoOrder", **asked)["algoStatus"] == "NEW"


def remembered(plain: Plain) -> dict[str, Any]:
    """All that the endpoints say of the past."""
    symbol = {"symbol": "BTCUSDT"}
    return {
        "orders": plain.signed("GET", "/fapi/v1/allOrders", **symbol),
        "open": plain.signed("GET", "/fapi/v1/openOrders"),
        "algos": plain.signed("GET", "/fapi/v1/openAlgoOrders"),
        "trades": plain.signed("GET", "/fapi/v1/userTrades", **symbol),
        "income": plain.signed("GET", "/fapi/v1/income"),
        "amendments": plain.signed("GET", "/fapi/v1/orderAmendment", **symbol),
        "prints": plain.public("/fapi/v1/trades", **symbol),
        "candles": plain.public("/fapi/v1/klines", **symbol, interval="1d"),
    }


def without_names(told: dict[str, Any]) -> dict[str, Any]:
    """The same without the texts that only the door knew, and without numbers of rows."""
    for rows in told.values():
        for row in rows:
            if isinstance(row, dict):
                for name in ("clientOrderId", "clientAlgoId", "tranId", "amendmentId"):
                    row.pop(name, None)
    return told


def test_a_killed_door_comes_back_with_everything(world: DoorWorld) -> None:
    account = world.account()
    plain = world.client(account)
    trade(plain)
    before = remembered(plain)
    assert [order["clientOrderId"] for order in before["open"]] == ["rests", "amended"]
    assert {row["incomeType"] for row in before["income"]} == {
        *("TRANSFER", "COMMISSION", "REALIZED_PNL"),
    }
    time.sleep(0.3)  # what is under a tenth of a second old is asked for again after the kill
    world.kill(DOOR)
    world.start_door()
    assert remembered(world.client(account)) == before


def test_what_happened_while_the_door_was_away_is_taken_in(world: DoorWorld) -> None:
    account = world.account()
    plain = world.client(account)
    first = plain.order(newClientOrderId="mine")
    world.kill(DOOR)
    world.quote(1, 589_000)
    world.start_door()
    plain = world.client(account)
    target = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
    found = plain.signed("GET", "/fapi/v1/order", **target)
    assert (found["orderId"], found["status"]) == (first["orderId"], "FILLED")
    assert len(plain.signed("GET", "/fapi/v1/userTrades", symbol="BTCUSDT")) == 1
    world.quote(1, 600_000)


def test_a_lost_file_is_made_anew_from_the_journal(world: DoorWorld) -> None:
    account = world.account()
    plain = world.client(account)
    trade(plain)
    before = without_names(remembered(plain))
    world.kill(DOOR)
    for file in Path(world.config.run_dir).glob(f"{HISTORY}*"):
        file.unlink()
    world.start_door()
    plain = world.client(account)
    after = without_names(remembered(plain))
    # Trades of while a door was away are in the journal, too.
    prints = [[row["id"] for row in told.pop("prints")] for told in (before, after)]
    assert prints[1] == list(range(1, prints[0][-1] + 1))
    assert [told.pop("candles") != [] for told in (before, after)] == [True, True]
    assert after == before
    # It goes on from there: the events of the journal are not taken in a second time.
    plain.order(type="MARKET")
    assert len(plain.signed("GET", "/fapi/v1/userTrades", symbol="BTCUSDT")) == 3


def test_a_file_that_is_none_is_made_anew(world: DoorWorld) -> None:
    world.kill(DOOR)
    file = Path(world.config.run_dir) / HISTORY
    for other in Path(world.config.run_dir).glob(f"{HISTORY}-*"):
        other.unlink()
    file.write_bytes(b"this is no database" * 1_000)
    world.start_door()
    assert world.client(100).signed("GET", "/fapi/v1/income") != []
