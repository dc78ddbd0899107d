"""Writes the price files beside it: one made-up hour in the shape of every source that is known.

The hour is invented, with a fall of a quarter in its middle; only the shapes are those of Binance,
Tardis, ccxt and freqtrade. `python examples/prices/make.py` writes the files again.
"""

import gzip
import io
import json
import random
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

START = 1_738_584_000  # 2025-02-03T12:00:00Z
SECONDS = 3_600
MINUTE = 60
TICKS_FROM, TICKS_TO, TICKS_EVERY = 1_200, 1_800, 3
DAY = "2025-02-03"
KLINES = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore"
)

Row = list[str]


def cents() -> list[int]:
    """The price at each second, in cents."""
    chance = random.Random(2025)
    anchors = [(0, 9_980_000), (1_200, 9_950_000), (1_560, 7_480_000), (1_900, 8_200_000)]
    anchors.append((SECONDS, 8_720_000))
    path: list[int] = []
    noise = 0.0
    for (begin, low), (end, high) in pairwise(anchors):
        for second in range(begin, end):
            noise = 0.97 * noise + chance.gauss(0, 1_500)
            line = low + (high - low) * (second - begin) / (end - begin)
            path.append(round(line + noise))
    return path


def money(price: int) -> str:
    """Cents as a decimal."""
    return f"{price // 100}.{price % 100:02d}"


def candles(path: list[int]) -> list[tuple[int, int, int, int, int]]:
    """Second of the open, open, high, low and close of every minute, in cents."""
    result = []
    for begin in range(0, SECONDS, MINUTE):
        part = path[begin : begin + MINUTE]
        result.append((START + begin, part[0], max(part), min(part), part[-1]))
    return result


def ticks(path: list[int]) -> list[tuple[int, int]]:
    """Second and price of every trade of the ten minutes around the fall."""
    return [(START + second, path[second]) for second in range(TICKS_FROM, TICKS_TO, TICKS_EVERY)]


def text(rows: Iterable[Row], header: str = "") -> str:
    """Rows as CSV."""
    lines = [",".join(row) for row in rows]
    return "\n".join([header, *lines] if header else lines) + "\n"


def zipped(name: str, content: str) -> bytes:
    """A zip with one file in it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            zipfile.ZipInfo(name, (2025, 2, 4, 0, 0, 0)), content, zipfile.ZIP_DEFLATED
        )
    return packed.getvalue()


def gzipped(content: str) -> bytes:
    """Packed without the hour of packing, which would change the bytes."""
    return gzip.compress(content.encode(), mtime=0)


def binance(path: list[int]) -> dict[str, bytes]:
    """Futures files have a header and milliseconds, spot files neither: they count microseconds."""

    def klines(unit: int) -> list[Row]:
        return [
            [
                str(at * unit),
                *map(money, prices),
                "12.5",
                str((at + MINUTE) * unit - 1),
                "1187500",
                "320",
                "6.2",
                "589000",
                "0",
            ]
            for at, *prices in candles(path)
        ]

    def trades(unit: int, ends: Row) -> list[Row]:
        return [
            [str(number), money(price), "0.015", "1425.3", str(at * unit), *ends]
            for number, (at, price) in enumerate(ticks(path), 5_000_000)
        ]

    def grouped(unit: int, ends: Row) -> list[Row]:
        return [
            [str(number), money(price), "0.09", *["7"] * 2, str(at * unit), *ends]
            for number, (at, price) in enumerate(ticks(path), 900_000)
        ]

    book = [
        [str(number), money(price - 5), "1.2", money(price + 5), "0.8"] + [str(at * 1_000)] * 2
        for number, (at, price) in enumerate(ticks(path), 77_000_000)
    ]
    futures = {
        "1m": text(klines(1_000), KLINES),
        "trades": text(trades(1_000, ["true"]), "id,price,qty,quote_qty,time,is_buyer_maker"),
        "aggTrades": text(
            grouped(1_000, ["false"]),
            "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
        ),
        "bookTicker": text(
            book,
            "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,"
            "event_time",
        ),
    }
    spot = {
        "1m": text(klines(1_000_000)),
        "trades": text(trades(1_000_000, ["True", "True"])),
        "aggTrades": text(grouped(1_000_000, ["False", "True"])),
    }
    files = {}
    for folder, contents in (("binance_futures", futures), ("binance_spot", spot)):
        for what, content in contents.items():
            name = f"BTCUSDT-{what}-{DAY}"
            files[f"{folder}/{name}.zip"] = zipped(f"{name}.csv", content)
    files[f"binance_futures/BTCUSDT-1m-{DAY}.csv"] = futures["1m"].encode()
    files[f"binance_spot/BTCUSDT-1m-{DAY}.csv.gz"] = gzipped(text(klines(1_000)))
    return files


def tardis(path: list[int]) -> dict[str, bytes]:
    """Tardis names exchange and symbol in every row and counts microseconds."""

    def rows(*columns: Any) -> list[Row]:
        return [
            ["binance-futures", "BTCUSDT", f"{at}000000", f"{at}004211"]
            + [column(price) if callable(column) else column for column in columns]
            for at, price in ticks(path)
        ]

    head = "exchange,symbol,timestamp,local_timestamp"
    quotes = rows("0.8", lambda p: money(p + 5), lambda p: money(p - 5), "1.2")
    quotes[3][5:7] = ["", quotes[3][6]]
    ticker = rows("", "0.0001", "", "81234.5", money, lambda p: money(p + 120), money)
    bars = [
        {
            "type": "trade_bar",
            "symbol": "BTCUSDT",
            "exchange": "binance-futures",
            "name": "trade_bar_1m",
            "open": prices[0] / 100,
            "high": prices[1] / 100,
            "low": prices[2] / 100,
            "close": prices[3] / 100,
            "volume": 12.5,
            "openTimestamp": f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}.000Z",
            "closeTimestamp": f"{datetime.fromtimestamp(at + 59, UTC):%Y-%m-%dT%H:%M:%S}.912Z",
            "timestamp": f"{datetime.fromtimestamp(at + 60, UTC):%Y-%m-%dT%H:%M:%S}.000Z",
        }
        for at, *prices in candles(path)
    ]
    minutes = [
        ["binance-futures", "BTCUSDT", f"{at}000000", f"{at}000000", *map(money, prices), "12.5"]
        for at, *prices in candles(path)
    ]
    name = f"tardis/binance-futures_{{}}_{DAY}_BTCUSDT"
    return {
        name.format("trades") + ".csv.gz": gzipped(
            text(rows("1", "sell", money, "0.015"), f"{head},id,side,price,amount")
        ),
        name.format("quotes") + ".csv.gz": gzipped(
            text(quotes, f"{head},ask_amount,ask_price,bid_price,bid_amount")
        ),
        name.format("derivative_ticker") + ".csv.gz": gzipped(
            text(
                ticker,
                f"{head},funding_timestamp,funding_rate,predicted_funding_rate,open_interest,"
                "last_price,index_price,mark_price",
            )
        ),
        name.format("candles_1m") + ".csv.gz": gzipped(
            text(minutes, f"{head},open,high,low,close,volume")
        ),
        name.format("trade_bar_1m") + ".jsonl": "".join(
            json.dumps(bar) + "\n" for bar in bars
        ).encode(),
    }


def ccxt(path: list[int]) -> dict[str, bytes]:
    """ccxt answers lists of numbers; freqtrade stores the same, or data frames."""
    lists = [[at * 1_000, *(p / 100 for p in prices), 12.5] for at, *prices in candles(path)]
    frame = pl.DataFrame(
        lists, ["date", "open", "high", "low", "close", "volume"], orient="row"
    ).with_columns(pl.from_epoch("date", "ms").dt.replace_time_zone("UTC"))
    feather, parquet = io.BytesIO(), io.BytesIO()
    frame.write_ipc(feather, compression="lz4")
    frame.write_parquet(parquet)
    dates = [
        [f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}+00:00", *map(money, prices), "12.5"]
        for at, *prices in candles(path)
    ]
    numbers = [[str(at * 1_000), *map(money, prices), "12.5"] for at, *prices in candles(path)]
    name = "freqtrade/BTC_USDT_USDT-1m-futures"
    return {
        "ccxt/ohlcv.json": json.dumps(lists).encode(),
        "ccxt/ohlcv.csv": text(numbers, "timestamp,open,high,low,close,volume").encode(),
        f"{name}.json": json.dumps(lists).encode(),
        f"{name}.csv": text(dates, "date,open,high,low,close,volume").encode(),
        f"{name}.feather": feather.getvalue(),
        f"{name}.parquet": parquet.getvalue(),
    }


def plain(path: list[int]) -> dict[str, bytes]:
    """The names this project gives to columns, and names that nobody knows."""
    minutes = [[str(at * 1_000), *map(money, prices)] for at, *prices in candles(path)]
    trades = [[f"{at}000000", money(price)] for at, price in ticks(path)]
    odd = [["BTC", money(price), f"{at}.25"] for at, price in ticks(path)]
    return {
        "candles.csv": text(minutes, "open_time_ms,open,high,low,close").encode(),
        "trades.csv": text(trades, "timestamp_us,price").encode(),
        "odd_names.csv": text(odd, "coin,paid,when").encode(),
    }


def files() -> dict[str, bytes]:
    """Every file by its name."""
    path = cents()
    return {**binance(path), **tardis(path), **ccxt(path), **plain(path)}


def write(folder: Path) -> None:
    """Write every file below a folder."""
    for name, content in files().items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


if __name__ == "__main__":
    write(Path(__file__).parent)
