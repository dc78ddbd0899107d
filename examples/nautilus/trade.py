"""A live nautilus_trader node at the door: quotes in, a market order, a stop, and out again.

    seawall up --config examples/doors.toml
    python examples/nautilus/trade.py

It needs nautilus_trader. Only the base URLs are ours.
"""

import argparse
from datetime import timedelta
from decimal import Decimal

from nautilus_trader.adapters.binance import (
    BINANCE,
    BinanceAccountType,
    BinanceDataClientConfig,
    BinanceExecClientConfig,
    BinanceLiveDataClientFactory,
    BinanceLiveExecClientFactory,
)
from nautilus_trader.config import (
    InstrumentProviderConfig,
    LiveExecEngineConfig,
    LoggingConfig,
    TradingNodeConfig,
)
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.enums import OrderSide, TimeInForce, TriggerType
from nautilus_trader.model.events import OrderFilled, PositionClosed, PositionOpened
from nautilus_trader.model.identifiers import InstrumentId, TraderId
from nautilus_trader.trading.strategy import Strategy

INSTRUMENT = InstrumentId.from_str("BTCUSDT-PERP.BINANCE")
SIZE = Decimal("0.010")


class RoundTrip(Strategy):
    """Buys at the first quote, protects the position with a stop, and closes it after a while."""

    def __init__(self, node: TradingNode) -> None:
        super().__init__()
        self._node = node
        self._entered = False

    def on_start(self) -> None:
        """Listen."""
        self.subscribe_quote_ticks(INSTRUMENT)

    def on_quote_tick(self, tick: QuoteTick) -> None:
        """Enter once."""
        if self._entered:
            return
        self._entered = True
        print(f"quote {tick.bid_price} {tick.ask_price}", flush=True)
        instrument = self.cache.instrument(INSTRUMENT)
        size = instrument.make_qty(SIZE)
        self.submit_order(self.order_factory.market(INSTRUMENT, OrderSide.BUY, size))

    def on_order_filled(self, event: OrderFilled) -> None:
        """Say so."""
        print(f"filled {event.order_side} {event.last_qty} at {event.last_px}", flush=True)

    def on_position_opened(self, event: PositionOpened) -> None:
        """Protect it."""
        print(f"position opened {event.quantity}", flush=True)
        instrument = self.cache.instrument(INSTRUMENT)
        stop = self.order_factory.stop_market(
            INSTRUMENT,
            OrderSide.SELL,
            instrument.make_qty(SIZE),
            trigger_price=instrument.make_price(event.avg_px_open * 0.97),
            trigger_type=TriggerType.MARK_PRICE,
            time_in_force=TimeInForce.GTC,
            reduce_only=True,
        )
        self.submit_order(stop)
        self.clock.set_time_alert(
            "leave", self.clock.utc_now() + timedelta(seconds=2), lambda _: self._leave()
        )

    def _leave(self) -> None:
        resting = self.cache.orders_open(instrument_id=INSTRUMENT)
        print(f"{len(resting)} order waits", flush=True)
        self.cancel_all_orders(INSTRUMENT)
        self.close_all_positions(INSTRUMENT)

    def on_position_closed(self, event: PositionClosed) -> None:
        """Done."""
        print(f"position closed, realised {event.realized_pnl}", flush=True)
        self._node.stop()


def build(url: str, key: str, secret: str) -> TradingNode:
    """A node whose two Binance clients talk to the door."""
    socket = url.replace("http", "ws", 1)
    keys = {
        "api_key": key,
        "api_secret": secret,
        "account_type": BinanceAccountType.USDT_FUTURES,
        "base_url_http": url,
        "base_url_ws": socket,
        "instrument_provider": InstrumentProviderConfig(load_all=True),
    }
    config = TradingNodeConfig(
        trader_id=TraderId("SEAWALL-001"),
        logging=LoggingConfig(log_level="ERROR"),
        exec_engine=LiveExecEngineConfig(reconciliation=True),
        data_clients={BINANCE: BinanceDataClientConfig(**keys)},
        exec_clients={BINANCE: BinanceExecClientConfig(**keys)},
        timeout_connection=20.0,
    )
    node = TradingNode(config=config)
    node.trader.add_strategy(RoundTrip(node))
    node.add_data_client_factory(BINANCE, BinanceLiveDataClientFactory)
    node.add_exec_client_factory(BINANCE, BinanceLiveExecClientFactory)
    node.build()
    return node


def main() -> None:
    """Run until the position is closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="where the door is")
    parser.add_argument("--key", default="demo")
    parser.add_argument("--secret", default="demo-secret")
    arguments = parser.parse_args()
    node = build(arguments.url, arguments.key, arguments.secret)
    try:
        node.run()
    finally:
        node.dispose()


if __name__ == "__main__":
    main()
