"""A freqtrade strategy that buys, keeps a stop on the exchange, and sells after some seconds.

    seawall up --config examples/doors.toml
    freqtrade trade --config examples/freqtrade/config.json \
        --userdir examples/freqtrade --strategy InAndOut --db-url sqlite://

A new exchange has few candles, so the strategy asks for none of the past.
"""

from datetime import datetime
from typing import Any

from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy
from pandas import DataFrame

KEEP_S = 10


class InAndOut(IStrategy):
    """In at any time, out after `KEEP_S`."""

    timeframe = "1m"
    startup_candle_count = 1
    process_only_new_candles = False
    stoploss = -0.05
    minimal_roi = {"0": 10}  # noqa: RUF012 - freqtrade's own form
    order_types = {  # noqa: RUF012
        "entry": "market",
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": True,
    }

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """None."""
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Always in."""
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """By time only."""
        dataframe["exit_long"] = 0
        return dataframe

    def custom_exit(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        **named: Any,
    ) -> str | None:
        """Out after a while."""
        age_s = (current_time - trade.open_date_utc).total_seconds()
        return "time is up" if age_s > KEEP_S else None

    def leverage(self, *positional: Any, **named: Any) -> float:
        """Three times."""
        return 3.0
