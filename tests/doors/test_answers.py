"""Answers and events have the fields and types that clients were seen to read."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra doors)")

from engine.commands import BUY, Deposit, SubmitOrder
from tests.doors.socket_client import Listener, kind_of
from tests.doors.test_traces import SHARED
from tests.doors.world import DoorWorld, Plain, door_world

EXAMPLES_FILE = SHARED / "binance_examples.json"
SCHEMA_FILE = (
    SHARED.parent / "data" / "payloads_and_specs" / "binance_usdm_json_schemas_sdk18.1.0.json.gz"
)
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not (EXAMPLES_FILE.exists() and SCHEMA_FILE.exists()),
        reason="the examples and schemas are not beside the repository",
    ),
]

SIGNED_GETS = {
    *("/fapi/v2/account", "/fapi/v3/account", "/fapi/v2/balance", "/fapi/v3/balance"),
    *("/fapi/v2/positionRisk", "/fapi/v3/positionRisk", "/fapi/v1/leverageBracket"),
    *("/fapi/v1/symbolConfig", "/fapi/v1/accountConfig", "/fapi/v1/positionSide/dual"),
    *("/fapi/v1/multiAssetsMargin", "/fapi/v1/commissionRate", "/fapi/v1/feeBurn"),
    *("/fapi/v1/openAlgoOrders", "/fapi/v1/userTrades", "/fapi/v1/income"),
    *("/fapi/v1/adlQuantile", "/fapi/v1/forceOrders", "/fapi/v1/openOrders"),
}
PARAMETERS: dict[str, dict[str, Any]] = {
    "/fapi/v1/continuousKlines": {
        **{"pair": "BTCUSDT", "contractType": "PERPETUAL", "interval": "1m"},
    },
    "/fapi/v1/indexPriceKlines": {"pair": "BTCUSDT", "interval": "1m"},
    "/fapi/v1/fundingRate": {},
    "/fapi/v1/insuranceBalance": {},
    "/fapi/v1/exchangeInfo": {},
}
EMPTY_HERE = {"/fapi/v1/fundingRate"}
"""No funding has been settled yet."""

SCHEMAS_OF: dict[str, str] = {
    "/fapi/v1/exchangeInfo": "exchange_information_response",
    "/fapi/v1/leverageBracket": "notional_and_leverage_brackets_response1_inner",
    "/fapi/v1/insuranceBalance": "query_insurance_fund_balance_snapshot_response1",
    "/fapi/v1/forceOrders": "users_force_orders_response_inner",
    "/fapi/v1/depth": "order_book_response",
    "/fapi/v1/premiumIndex": "mark_price_response1",
    "/fapi/v3/account": "account_information_v3_response",
    "/fapi/v3/positionRisk": "position_information_v3_response_inner",
    "/fapi/v1/symbolConfig": "symbol_configuration_response_inner",
    "/fapi/v1/commissionRate": "user_commission_rate_response",
    "/fapi/v1/userTrades": "account_trade_list_response_inner",
    "/fapi/v1/symbolAdlRisk": "adl_risk_response1",
}
EVENT_SCHEMAS: dict[str, str] = {
    "ACCOUNT_CONFIG_UPDATE": "account_config_update",
    "ACCOUNT_UPDATE": "account_update",
    "MARGIN_CALL": "margin_call",
    "ORDER_TRADE_UPDATE": "order_trade_update",
    "TRADE_LITE": "trade_lite",
    "ALGO_UPDATE": "algo_update",
    "aggTrade": "aggregate_trade_streams_response",
    "depthUpdate": "diff_book_depth_streams_response",
    "kline": "kline_candlestick_streams_response",
    "forceOrder": "liquidation_order_streams_response",
    "markPriceUpdate": "mark_price_stream_response",
    "bookTicker": "individual_symbol_book_ticker_streams_response",
}


def read_examples() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(EXAMPLES_FILE.read_text()) if EXAMPLES_FILE.exists() else {}
    return found


EXAMPLES = read_examples()
GETS = [
    name.removeprefix("GET ")
    for name in EXAMPLES.get("rest", {})
    if name.startswith("GET ") and "(" not in name
]


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    with gzip.open(SCHEMA_FILE) as file:
        found: dict[str, Any] = json.load(file)
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorWorld]:
    with door_world(tmp_path_factory.mktemp("answers")) as world:
        yield world


@pytest.fixture(scope="module")
def heard(world: DoorWorld) -> tuple[Plain, list[Any]]:
    """A client that traded, was called and liquidated, and all events of its day.

    Whether its liquidation finds a buyer depends on where the clock ticks; if not, another tries.
    """
    for _ in range(2):
        with contextlib.suppress(NeverHeard):
            return day_of(world)
    return day_of(world)


class NeverHeard(Exception):
    """Kinds of events that did not come."""


def day_of(world: DoorWorld) -> tuple[Plain, list[Any]]:
    account = world.account()
    plain = world.client(account)
    key = plain.keyed("POST", "/fapi/v1/listenKey")["listenKey"]
    names = [
        *("depth@100ms", "aggTrade", "trade", "bookTicker", "markPrice@1s", "kline_1m"),
        *("forceOrder", "ticker", "miniTicker"),
    ]
    streams = "/".join([key, *(f"btcusdt@{name}" for name in names), "ethusdt@forceOrder"])

    async def live() -> list[Any]:
        async with Listener(world.port, f"/stream?streams={streams}") as listener:
            await listener.ask("LIST_SUBSCRIPTIONS", [])
            await asyncio.to_thread(trade, world, plain)
            await asyncio.to_thread(crash, world, plain)
            kinds = set(EVENT_SCHEMAS) | {"24hrTicker", "24hrMiniTicker", "trade"}
            try:
                await listener.until(lambda _: kinds <= {kind_of(one) for one in listener.heard})
            except TimeoutError:
                missing = kinds - {kind_of(one) for one in listener.heard}
                raise NeverHeard(missing) from None
            plain.keyed("DELETE", "/fapi/v1/listenKey")
            await listener.event("listenKeyExpired")
            return [one["data"] for one in listener.heard if "data" in one]

    events = asyncio.run(live())
    # A position, a stop and an order again, for the answers.
    world.send(Deposit(0, account, 1, 10_000_000_000))
    plain.order(type="MARKET")
    plain.order()
    stop = {"type": "STOP_MARKET", "side": "SELL", "triggerPrice": "54000", "quantity": "0.01"}
    asked = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", **stop}
    plain.signed("POST", "/fapi/v1/algoOrder", **asked)
    return plain, events


def trade(world: DoorWorld, plain: Plain) -> None:
    plain.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=10)
    resting = plain.order(newClientOrderId="my-1")
    target = {"symbol": "BTCUSDT", "orderId": resting["orderId"]}
    plain.signed("PUT", "/fapi/v1/order", **target, side="BUY", quantity="0.01", price="57600")
    plain.signed("DELETE", "/fapi/v1/order", **target)
    plain.order(type="MARKET", newClientOrderId="my-2")
    stop = {"type": "STOP_MARKET", "side": "SELL", "triggerPrice": "54000", "quantity": "0.01"}
    asked = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "reduceOnly": "true", **stop}
    placed = plain.signed("POST", "/fapi/v1/algoOrder", **asked, clientAlgoId="stop-1")
    plain.signed("DELETE", "/fapi/v1/algoOrder", algoId=placed["algoId"])
    plain.signed("POST", "/fapi/v1/algoOrder", **asked, clientAlgoId="stop-2")
    world.quote(1, 600_020)


def crash(world: DoorWorld, plain: Plain) -> None:
    """Ether falls until the client, who bought all it could, is called and liquidated."""
    plain.signed("POST", "/fapi/v1/leverage", symbol="ETHUSDT", leverage=25)
    world.quote(2, 300_000, 5, 2_000_000)
    plain.order(symbol="ETHUSDT", type="MARKET", quantity="700")
    for price in (294_000, *range(288_900, 284_000, -100)):
        world.quote(2, price, 5, 2_000_000)
        # Whoever buys at the bottom: a liquidation finds somebody to trade with.
        world.send(SubmitOrder(0, 900, 2, 0, BUY, 1_000_000, price - 400))
        for _ in range(2):
            world.move(2, price)
        if not plain.signed("GET", "/fapi/v3/positionRisk", symbol="ETHUSDT"):
            return
    raise AssertionError("nobody was liquidated")


def misfits(example: Any, found: Any, place: str) -> Iterator[str]:
    """Where an answer has not the fields and JSON types of the example."""
    if isinstance(example, dict):
        if not isinstance(found, dict):
            yield f"{place}: {found!r:.60} is no object"
            return
        for name, value in example.items():
            if name not in found:
                yield f"{place}.{name} is missing"
            else:
                yield from misfits(value, found[name], f"{place}.{name}")
    elif isinstance(example, list):
        if not isinstance(found, list):
            yield f"{place}: {found!r:.60} is no list"
        elif example and found:
            yield from misfits(example[0], found[0], f"{place}[0]")
    elif example is not None and found is not None and type(example) is not type(found):
        numbers = {int, float}
        if not {type(example), type(found)} <= numbers:
            yield f"{place}: {found!r:.60}, not like {example!r:.60}"


@pytest.mark.parametrize("path", GETS)
def test_every_example_has_its_answer(
    heard: tuple[Plain, list[Any]], schemas: dict[str, Any], path: str
) -> None:
    plain, _ = heard
    asked = PARAMETERS.get(path, {"symbol": "BTCUSDT"})
    if path.endswith("Klines") or path.endswith("klines"):
        asked = {"interval": "1m", **asked}
    example = EXAMPLES["rest"][f"GET {path}"]
    if path in SIGNED_GETS:
        asked = {} if isinstance(example, list) and path != "/fapi/v1/userTrades" else asked
        asked = {"symbol": "BTCUSDT"} if path == "/fapi/v1/commissionRate" else asked
        answer = plain.signed("GET", path, **asked)
    else:
        answer = plain.public(path, **asked)
    assert plain.status == 200, answer
    assert list(misfits(example, answer, path)) == []
    if isinstance(example, list) and example and path not in EMPTY_HERE:
        assert answer, path
    name = SCHEMAS_OF.get(path)
    if name is not None:
        for one in answer if isinstance(answer, list) else [answer]:
            jsonschema.validate(one, schemas[f"rest_api.{name}"])


def example_of(event: Any) -> Any:
    """The example of an event's kind."""
    kind = event["e"]
    for name, example in EXAMPLES["events"].items():
        if name.split()[1] == kind:
            return example
    return {}


def test_every_event_has_the_fields_of_its_kind(
    heard: tuple[Plain, list[Any]], schemas: dict[str, Any]
) -> None:
    _, events = heard
    kinds: set[str] = set()
    for event in events:
        kind = event["e"]
        kinds.add(kind)
        found = [one for one in misfits(example_of(event), event, kind) if ".n " not in one]
        if kind == "ORDER_TRADE_UPDATE":
            found = [
                one for one in found if not one.endswith((".o.n is missing", ".o.N is missing"))
            ]
        assert found == [], event
        name = EVENT_SCHEMAS.get(kind)
        if name is not None:
            jsonschema.validate(event, schemas[f"websocket_streams.{name}"])
    assert set(EVENT_SCHEMAS) <= kinds
