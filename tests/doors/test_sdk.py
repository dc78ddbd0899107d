"""The venue's own SDK trades through the door; its strict models find nothing to complain of."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.doors.world import DoorWorld, door_world

sdk = pytest.importorskip(
    "binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures",
    reason="the venue's SDK is not installed (extra clients)",
)
common = pytest.importorskip("binance_common.configuration")
errors = pytest.importorskip("binance_common.errors")

SYMBOL = "BTCUSDT"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorWorld]:
    with door_world(tmp_path_factory.mktemp("sdk")) as world:
        yield world


@pytest.fixture(autouse=True)
def no_complaint(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The SDK warns in its log when an answer does not fit its model."""
    with caplog.at_level(logging.WARNING):
        yield
    assert [one.getMessage() for one in caplog.records] == []


def client_of(world: DoorWorld, account: int) -> Any:
    keys = {"api_key": f"key-{account}", "api_secret": f"secret-{account}"}
    socket = f"ws://127.0.0.1:{world.port}"
    return sdk.DerivativesTradingUsdsFutures(
        config_rest_api=common.ConfigurationRestAPI(**keys, base_path=world.url, timeout=20_000),
        config_ws_streams=common.ConfigurationWebSocketStreams(stream_url=socket),
        config_ws_api=common.ConfigurationWebSocketAPI(**keys, stream_url=f"{socket}/ws-fapi/v1"),
    )


@pytest.fixture
def client(world: DoorWorld) -> Any:
    return client_of(world, world.account())


READS: list[tuple[str, dict[str, Any]]] = [
    ("check_server_time", {}),
    ("exchange_information", {}),
    ("order_book", {"symbol": SYMBOL, "limit": 5}),
    ("recent_trades_list", {"symbol": SYMBOL}),
    ("compressed_aggregate_trades_list", {"symbol": SYMBOL}),
    ("kline_candlestick_data", {"symbol": SYMBOL, "interval": "1m"}),
    ("mark_price", {"symbol": SYMBOL}),
    ("mark_price", {}),
    ("get_funding_rate_history", {"symbol": SYMBOL}),
    ("get_funding_rate_info", {}),
    ("ticker24hr_price_change_statistics", {"symbol": SYMBOL}),
    ("symbol_price_ticker_v2", {"symbol": SYMBOL}),
    ("symbol_order_book_ticker", {"symbol": SYMBOL}),
    ("open_interest", {"symbol": SYMBOL}),
    ("query_insurance_fund_balance_snapshot", {}),
    ("adl_risk", {"symbol": SYMBOL}),
    ("account_information_v2", {}),
    ("account_information_v3", {}),
    ("futures_account_balance_v2", {}),
    ("futures_account_balance_v3", {}),
    ("futures_account_configuration", {}),
    ("symbol_configuration", {"symbol": SYMBOL}),
    ("get_current_position_mode", {}),
    ("get_current_multi_assets_mode", {}),
    ("user_commission_rate", {"symbol": SYMBOL}),
    ("notional_and_leverage_brackets", {"symbol": SYMBOL}),
    ("position_information_v2", {"symbol": SYMBOL}),
    ("position_information_v3", {"symbol": SYMBOL}),
    ("account_trade_list", {"symbol": SYMBOL}),
    ("all_orders", {"symbol": SYMBOL}),
    ("current_all_open_orders", {"symbol": SYMBOL}),
    ("get_income_history", {}),
    ("query_user_rate_limit", {}),
    ("position_adl_quantile_estimation", {}),
    ("users_force_orders", {}),
    ("get_order_modify_history", {"symbol": SYMBOL}),
    ("current_all_algo_open_orders", {}),
    ("query_all_algo_orders", {"symbol": SYMBOL}),
]


def test_everything_that_can_be_read(client: Any) -> None:
    rest = client.rest_api
    order = rest.new_order(
        symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.01, new_order_resp_type="RESULT"
    ).data()
    assert (order.status, order.executed_qty) == ("FILLED", "0.010")
    resting = rest.new_order(
        **{"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC"},
        **{"quantity": 0.01, "price": 58_200.0},
    ).data()
    rest.modify_order(
        **{"symbol": SYMBOL, "side": "BUY", "quantity": 0.02, "price": 58_100.0},
        order_id=resting.order_id,
    )
    for name, parameters in READS:
        assert getattr(rest, name)(**parameters).data() is not None, name
    assert rest.query_order(symbol=SYMBOL, order_id=resting.order_id).data().orig_qty == "0.020"
    rest.cancel_order(symbol=SYMBOL, order_id=resting.order_id)
    with pytest.raises(errors.BadRequestError, match="Unknown order sent"):
        rest.cancel_order(symbol=SYMBOL, order_id=resting.order_id)


def test_settings_stops_and_batches(client: Any) -> None:
    rest = client.rest_api
    assert rest.change_initial_leverage(symbol=SYMBOL, leverage=10).data().leverage == 10
    rest.change_margin_type(symbol=SYMBOL, margin_type="ISOLATED")
    rest.change_position_mode(dual_side_position="true")
    rest.change_position_mode(dual_side_position="false")
    stop = rest.new_algo_order(
        **{"algo_type": "CONDITIONAL", "symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET"},
        **{"quantity": 0.01, "trigger_price": 54_000.0},
    ).data()
    assert rest.query_algo_order(algo_id=stop.algo_id).data().algo_status == "NEW"
    assert rest.cancel_algo_order(algo_id=stop.algo_id).data().msg == "success"
    one = {
        **{"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"},
        **{"quantity": "0.010", "price": "58200.0"},
    }
    rows = rest.place_multiple_orders(batch_orders=[one, {**one, "price": "58200.05"}]).data()
    assert (rows[0].status, rows[1].code) == ("NEW", -4014)
    rest.auto_cancel_all_open_orders(symbol=SYMBOL, countdown_time=100_000)
    rest.cancel_all_open_orders(symbol=SYMBOL)
    assert rest.current_all_open_orders(symbol=SYMBOL).data() == []


def test_streams_and_the_api_over_websocket(client: Any) -> None:
    rest = client.rest_api

    async def listen() -> None:
        heard: list[Any] = []
        connection = await client.websocket_streams.create_connection()
        stream = await connection.individual_symbol_book_ticker_streams(symbol="btcusdt")
        stream.on("message", heard.append)
        marks = await connection.mark_price_stream(symbol="btcusdt", update_speed="1s")
        marks.on("message", heard.append)
        key = (await asyncio.to_thread(rest.start_user_data_stream)).data().listen_key
        user = await connection.user_data(key)
        user.on("message", heard.append)
        await asyncio.to_thread(
            rest.new_order, symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.01
        )
        for _ in range(200):
            kinds = [type(getattr(one, "actual_instance", one)).__name__ for one in heard]
            if {"MarkPriceStreamResponse", "AccountUpdate", "OrderTradeUpdate"} <= set(kinds):
                break
            await asyncio.sleep(0.05)
        assert {"MarkPriceStreamResponse", "AccountUpdate", "OrderTradeUpdate"} <= set(kinds)
        await connection.close_connection(close_session=True)
        api = await client.websocket_api.create_connection()
        placed = await api.new_order(
            **{"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC"},
            **{"quantity": 0.01, "price": 58_200.0},
        )
        order = placed.data().result
        assert order.status == "NEW"
        found = await api.query_order(symbol=SYMBOL, order_id=order.order_id)
        assert found.data().result.order_id == order.order_id
        cancelled = await api.cancel_order(symbol=SYMBOL, order_id=order.order_id)
        assert cancelled.data().result.status == "CANCELED"
        await api.close_connection(close_session=True)

    asyncio.run(listen())
