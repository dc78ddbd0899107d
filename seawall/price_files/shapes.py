"""The shapes of price files that are known: by the names of their columns, or by their look.

Names are compared in plain form: small letters, words joined by underscores (`plain`).
"""

import re
from typing import Final

import msgspec

CANDLES: Final[str] = "candles"
TRADES: Final[str] = "trades"
QUOTES: Final[str] = "quotes"

TIME: Final[str] = "time"
"""The role of the column of times."""

ROLES: Final[dict[str, tuple[str, ...]]] = {
    CANDLES: ("open", "high", "low", "close"),
    TRADES: ("price",),
    QUOTES: ("bid", "ask"),
}
"""The columns of prices of each kind of row."""

TIME_NAMES: Final[tuple[str, ...]] = (
    "open_time",
    "open_timestamp",
    "start_time",
    "timestamp",
    "datetime",
    "date_time",
    "date",
    "time",
    "transact_time",
    "transaction_time",
    "trade_time",
    "ts",
    "unix",
    "epoch",
    "t",
)
"""What a column of times is called, the better name first; each may end in ``_s``, ``_ms``, ``_us``
or ``_ns``. The end of a candle is none: it would move every price."""

PRICE_NAMES: Final[tuple[str, ...]] = ("price", "px", "p", "trade_price")
"""What a column of prices is called."""

STAND_IN_NAMES: Final[tuple[str, ...]] = (
    "index_price",
    "mark_price",
    "last_price",
    "last",
    "mid_price",
    "mid",
    "close",
    "value",
)
"""Other columns that serve as the price of a row that has no better one."""

BID_NAMES: Final[tuple[str, ...]] = ("bid_price", "best_bid_price", "best_bid", "bid")
ASK_NAMES: Final[tuple[str, ...]] = ("ask_price", "best_ask_price", "best_ask", "ask")
BOOK_NAMES: Final[tuple[str, str]] = ("bids[0].price", "asks[0].price")
"""The best bid and ask of a snapshot of the book."""

AMOUNT: Final[str] = "amount"
SIDE: Final[str] = "side"
"""The roles of two more columns, which a file may do without."""

CONTRACTS: Final[str] = "contracts"
"""A column of amounts that is called so counts contracts, not coins."""

AMOUNT_NAMES: Final[tuple[str, ...]] = (
    AMOUNT,
    "qty",
    "quantity",
    "size",
    "volume",
    "base_volume",
    CONTRACTS,
)
"""What a column of traded amounts is called."""

SIDE_NAMES: Final[tuple[str, ...]] = (SIDE, "taker_side", "aggressor", "is_buyer_maker")
"""What a column is called that says which side took."""

SIDES: Final[dict[str, int]] = {
    **dict.fromkeys(("buy", "b", "bid", "buyer", "false"), 1),
    **dict.fromkeys(("sell", "s", "ask", "seller", "true"), -1),
}
"""What stands there; true and false say whether the buyer was the maker."""

SYMBOL_NAMES: Final[tuple[str, ...]] = ("symbol", "instrument", "inst_id", "pair")
"""What a column that names the contract is called."""

NO_PRICES: Final[dict[str, str]] = {
    "is_snapshot": "changes of an order book",
    "strike_price": "options",
}
"""Columns that say that a file has rows of another sort, although one is called a price."""


class Shape(msgspec.Struct, frozen=True):
    """A shape that a header gives away: it has all of these columns."""

    name: str
    kind: str
    marks: tuple[str, ...]


NAMED: Final[tuple[Shape, ...]] = (
    Shape("Binance klines", CANDLES, ("open_time", "open", "close", "close_time")),
    Shape("Binance aggTrades", TRADES, ("agg_trade_id", "price", "transact_time")),
    Shape("Binance trades", TRADES, ("id", "price", "qty", "time")),
    Shape("Binance book ticker", QUOTES, ("best_bid_price", "best_ask_price", "transaction_time")),
    Shape("Tardis trades", TRADES, ("exchange", "timestamp", "local_timestamp", "id", "price")),
    Shape("Tardis quotes", QUOTES, ("exchange", "timestamp", "bid_price", "ask_price")),
    Shape("Tardis book snapshots", QUOTES, ("exchange", "timestamp", *BOOK_NAMES)),
    Shape("Tardis derivative ticker", TRADES, ("exchange", "timestamp", "index_price")),
    Shape("Tardis candles", CANDLES, ("exchange", "symbol", "open", "close")),
    Shape("freqtrade candles", CANDLES, ("date", "open", "close", "volume")),
    Shape("ccxt candles", CANDLES, ("timestamp", "open", "close", "volume")),
    Shape("ccxt trades", TRADES, ("timestamp", "symbol", "id", "side", "price", "amount")),
)
"""The first that fits says what a file is called; which columns count goes by their names."""


class Look(msgspec.Struct, frozen=True):
    """A shape without a header: how many columns a row has, how many of the last are true or false,
    and where time, prices and amount stand (from 0; -1: no amount). The first of those that are
    true or false is true where the taker sold."""

    name: str
    kind: str
    widths: tuple[int, ...]
    flags: int
    time: int
    prices: tuple[int, ...]
    amount: int = -1


LOOKS: Final[tuple[Look, ...]] = (
    Look("Binance spot trades", TRADES, (7,), 2, 4, (1,), 2),
    Look("Binance spot aggTrades", TRADES, (8,), 2, 5, (1,), 2),
    Look("Binance futures trades", TRADES, (6,), 1, 4, (1,), 2),
    Look("Binance futures aggTrades", TRADES, (7,), 1, 5, (1,), 2),
    Look("Binance klines", CANDLES, (12,), 0, 0, (1, 2, 3, 4), 5),
    Look("ccxt candles", CANDLES, (6,), 0, 0, (1, 2, 3, 4), 5),
    Look("candles", CANDLES, (5, 7, 8), 0, 0, (1, 2, 3, 4)),
    Look("trades", TRADES, (2,), 0, 0, (1,)),
    Look("trades", TRADES, (3,), 0, 0, (1,), 2),
)

_NEW_WORD: Final[re.Pattern[str]] = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def plain(name: str) -> str:
    """A column's name in plain form: ``Open time``, ``openTime`` and ``open_time`` are one."""
    return _NEW_WORD.sub("_", name.strip()).lower().replace(" ", "_").replace("-", "_")
