"""Files of prices: the shapes that are recognised, exact prices, the window, what is refused."""

import gzip
import importlib.util
import io
import json
import struct
import zipfile
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal, localcontext
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from seawall import load_scenario, run_scenario
from seawall.cli import EXIT_BAD_INPUT, EXIT_OK, main
from seawall.index_csv import points_of
from seawall.price_files.price_table import PriceTable, read_price_file, read_price_frame
from seawall.price_files.recognise import Reading
from seawall.scenario_fields import ScenarioError

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "prices"
TICK = Decimal("0.01")
START_NS = 1_738_584_000 * 10**9
MINUTE_NS = 60 * 10**9

SHAPES = {
    "binance_futures/BTCUSDT-1m-2025-02-03.csv": "Binance klines",
    "binance_futures/BTCUSDT-1m-2025-02-03.zip": "Binance klines",
    "binance_futures/BTCUSDT-trades-2025-02-03.zip": "Binance trades",
    "binance_futures/BTCUSDT-aggTrades-2025-02-03.zip": "Binance aggTrades",
    "binance_futures/BTCUSDT-bookTicker-2025-02-03.zip": "Binance book ticker",
    "binance_spot/BTCUSDT-1m-2025-02-03.zip": "Binance klines",
    "binance_spot/BTCUSDT-1m-2025-02-03.csv.gz": "Binance klines",
    "binance_spot/BTCUSDT-trades-2025-02-03.zip": "Binance spot trades",
    "binance_spot/BTCUSDT-aggTrades-2025-02-03.zip": "Binance spot aggTrades",
    "tardis/binance-futures_trades_2025-02-03_BTCUSDT.csv.gz": "Tardis trades",
    "tardis/binance-futures_quotes_2025-02-03_BTCUSDT.csv.gz": "Tardis quotes",
    "tardis/binance-futures_candles_1m_2025-02-03_BTCUSDT.csv.gz": "Tardis candles",
    "tardis/binance-futures_trade_bar_1m_2025-02-03_BTCUSDT.jsonl": "Tardis candles",
    "ccxt/ohlcv.json": "ccxt candles",
    "ccxt/ohlcv.csv": "ccxt candles",
    "freqtrade/BTC_USDT_USDT-1m-futures.json": "ccxt candles",
    "freqtrade/BTC_USDT_USDT-1m-futures.csv": "freqtrade candles",
    "freqtrade/BTC_USDT_USDT-1m-futures.feather": "freqtrade candles",
    "freqtrade/BTC_USDT_USDT-1m-futures.parquet": "freqtrade candles",
    "candles.csv": "candles",
    "trades.csv": "trades",
}
TICKER = "tardis/binance-futures_derivative_ticker_2025-02-03_BTCUSDT.csv.gz"
SHAPES[TICKER] = "Tardis derivative ticker"
KLINES = FOLDER / "binance_futures" / "BTCUSDT-1m-2025-02-03.zip"
SMALL = Path(__file__).resolve().parents[2] / "examples" / "small_crash.toml"


def the_maker() -> Any:
    spec = importlib.util.spec_from_file_location("make", FOLDER / "make.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = the_maker()


def points(table: PriceTable) -> list[tuple[int, int]]:
    return points_of(table, TICK)


def write(tmp_path: Path, data: str | bytes, name: str = "prices.csv") -> Path:
    file = tmp_path / name
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    return file


def refusal(file: Path, reading: Reading | None = None) -> str:
    with pytest.raises(ScenarioError) as refused:
        read_price_file(file, reading or Reading())
    message = str(refused.value)
    assert "\n" not in message
    assert message.startswith(f"{file}: ")
    return message.removeprefix(f"{file}: ")


# shapes


def test_every_file_that_ships_is_what_its_maker_writes(tmp_path: Path) -> None:
    """What packers and column formats make of it depends on their version."""
    MAKER.write(tmp_path)
    made = MAKER.files()
    assert sorted([*SHAPES, "odd_names.csv"]) == sorted(made)
    for name, content in made.items():
        if name.endswith((".csv", ".json", ".jsonl")):
            assert (FOLDER / name).read_bytes() == content, name
        else:
            shipped = read_price_file(FOLDER / name)
            again = read_price_file(tmp_path / name)
            assert (shipped.times_ns, shipped.prices) == (again.times_ns, again.prices), name


@pytest.mark.parametrize("name", SHAPES)
def test_a_file_is_recognised_and_gives_the_exact_prices(name: str) -> None:
    table = read_price_file(FOLDER / name)
    assert table.layout.shape == SHAPES[name]
    path = MAKER.cents()
    if table.kind == "candles":
        assert table.times_ns == [START_NS + n * MINUTE_NS for n in range(60)]
        assert table.ticks(TICK) == [candle[1:] for candle in MAKER.candles(path)]
        return
    made = [(at * 10**9, price) for at, price in MAKER.ticks(path)]
    if table.kind == "quotes" and "tardis" in name:
        del made[3]  # a quote with one side only
        assert table.warnings == ("1 quotes without both sides are left out",)
    if name == TICKER:
        made = [(time_ns, price + 120) for time_ns, price in made]  # the index, not the last price
    assert points(table) == made


BINANCE = {
    "1m": MAKER.KLINES,
    "trades": "id,price,qty,quote_qty,time,is_buyer_maker",
    "aggTrades": "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,"
    "is_buyer_maker",
}
"""Headers of the futures files; the spot files have none, and a flag more."""


@pytest.mark.parametrize("market", ["futures", "spot"])
@pytest.mark.parametrize("what", BINANCE)
@pytest.mark.parametrize("unit", ["ms", "us"])
@pytest.mark.parametrize("headed", [True, False], ids=["header", "none"])
@pytest.mark.parametrize("form", ["plain", "gz", "zip"])
def test_binance_files_are_read_in_every_form(
    market: str, what: str, unit: str, headed: bool, form: str, tmp_path: Path
) -> None:
    rows = {
        "1m": "{t},99.1,99.5,98.0,98.25,1.5,{t},150,12,0.5,50,0\n",
        "trades": "7,98.25,0.1,9.8,{t},true" + ",true\n" * (market == "spot") + "\n",
        "aggTrades": "7,98.25,0.1,5,6,{t},true" + ",true" * (market == "spot") + "\n",
    }
    time = 1_738_584_000 * (10**3 if unit == "ms" else 10**6)
    extra = ",is_best_match" if market == "spot" and what != "1m" else ""
    header = f"{BINANCE[what]}{extra}\n" if headed else ""
    text = header + rows[what].replace("{t}", str(time)).replace("\n\n", "\n")
    data = text.encode()
    if form == "gz":
        data = gzip.compress(data)
    elif form == "zip":
        data = MAKER.zipped("any.csv", text)
    table = read_price_file(write(tmp_path, data, "download"))
    assert table.layout.shape.startswith("Binance")
    assert table.times_ns == [START_NS]
    assert [column[-1] for column in table.prices][-1] == Decimal("98.25")


def test_columns_nobody_knows_are_named(tmp_path: Path) -> None:
    file = FOLDER / "odd_names.csv"
    assert "column 'timestamp' is missing; found coin, paid, when" in refusal(file)
    columns = (("time", "when"), ("price", "paid"))
    table = read_price_file(file, Reading(columns=columns))
    assert table.unit == "s"
    made = MAKER.ticks(MAKER.cents())
    assert points(table) == [(at * 10**9 + 250_000_000, price) for at, price in made]
    assert read_price_file(file, Reading(columns=columns, time_unit="s")).times_ns == table.times_ns
    numbers = Reading(columns=(("time", 3), ("price", 2)))
    assert read_price_file(file, numbers).prices == table.prices


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("1700000000,5\n1700000001,6\n", "trades", [(17 * 10**17, 500)]),
        ("1700000000.25,5,1\n", "trades", [(17 * 10**17 + 250_000_000, 500)]),
        ("Date;Price\n2023-11-14 22:13:20;5\n", "trades", [(17 * 10**17, 500)]),
        ("Open time\tOpen\tHigh\tLow\tClose\n1700000000000\t5\t6\t4\t5\n", "candles", []),
        ("time,bid,ask\n2023-11-14T22:13:20Z,4.99,5.02\n", "quotes", [(17 * 10**17, 500)]),
        ("time,bid,ask\n2023-11-14T23:13:20+01:00,5.00,5.03\n", "quotes", [(17 * 10**17, 502)]),
        ("date,close\n2023-11-14T22:13:20.000000001Z,5\n", "trades", [(17 * 10**17 + 1, 500)]),
        ("timestamp_ns,price\n17,5\n", "trades", [(17, 500)]),
        ('[["1700000000000","5","6","4","5","9"]]', "candles", []),
        ('[{"timestamp": 1700000000000, "price": 5.10}]', "trades", [(17 * 10**17, 510)]),
        ('\ufeff[{"timestamp": 1700000000000, "price": 5}]', "trades", [(17 * 10**17, 500)]),
    ],
)
def test_other_shapes_are_read_by_their_names_and_look(
    tmp_path: Path, text: str, kind: str, expected: list[tuple[int, int]]
) -> None:
    """The middle of 4.99 and 5.02 is half a tick above 5.00: to even. So is that of 5 and 5.03."""
    table = read_price_file(write(tmp_path, text))
    assert table.kind == kind
    if expected:
        assert points(table)[:1] == expected
    else:
        assert table.ticks(TICK) == [(500, 600, 400, 500)]


def test_one_symbol_of_several_is_chosen(tmp_path: Path) -> None:
    text = "timestamp,symbol,price\n1700000000,A,1\n1700000000,B,2\n1700000001,A,3\n"
    file = write(tmp_path, text)
    assert "line 3: 'B' after 'A': a path is of one contract; choose it" in refusal(file)
    assert points(read_price_file(file, Reading(symbol="B"))) == [(17 * 10**17, 200)]
    assert "no row of symbol 'C'" in refusal(file, Reading(symbol="C"))


# exact prices


def test_text_never_goes_through_a_float(tmp_path: Path) -> None:
    price = "0.12345678901234567891"
    table = read_price_file(write(tmp_path, f"timestamp_us,price\n1,{price}\n"))
    assert table.prices == ([Decimal(price)],)
    assert table.ticks(Decimal("1e-12")) == [(123456789012,)]
    as_json = write(tmp_path, f'[{{"timestamp_us": 1, "price": {price}}}]', "p.json")
    assert read_price_file(as_json).prices == table.prices


def test_a_float_is_the_shortest_decimal_that_is_read_back_as_it(tmp_path: Path) -> None:
    values = [0.1, 1 / 3, 97000.07, 1e-7, 123456.78125]
    frame = pl.DataFrame({"timestamp_us": [1] * 5, "price": values})
    assert read_price_frame(frame).prices == ([Decimal(repr(value)) for value in values],)
    single = frame.with_columns(pl.col("price").cast(pl.Float32))
    texts = [str(price) for price in read_price_frame(single).prices[0]]
    assert texts[0] == "0.1"
    for text, value in zip(texts, values, strict=True):
        assert struct.pack("f", float(text)) == struct.pack("f", value)
    exact = frame.with_columns(price=pl.lit("0.12345678901234567890").cast(pl.Decimal(38, 20)))
    assert read_price_frame(exact).prices[0][0] == Decimal("0.12345678901234567890")


# data frames


def a_frame() -> pl.DataFrame:
    return pl.read_parquet(FOLDER / "freqtrade" / "BTC_USDT_USDT-1m-futures.parquet")


@pytest.mark.parametrize(
    "kind",
    ["polars", "lazy", "pandas", "pandas by time", "arrow", "pandas by a time without a name"],
)
def test_a_data_frame_is_read_like_the_file(kind: str) -> None:
    frame: Any = a_frame()
    if kind == "lazy":
        frame = frame.lazy()
    elif kind == "arrow":
        pa = pytest.importorskip("pyarrow")
        frame = pa.table(frame.to_dict(as_series=False))
    elif kind.startswith("pandas"):
        pd = pytest.importorskip("pandas")
        columns = frame.to_dict(as_series=False)
        frame = pd.DataFrame(columns)
        if kind != "pandas":
            frame = frame.set_index("date")
        if kind.endswith("without a name"):
            frame = frame.rename_axis(None)
    table = read_price_frame(frame)
    assert points(table) == points(read_price_file(KLINES))


def test_what_is_no_data_frame_is_refused() -> None:
    with pytest.raises(ScenarioError, match="list is no data frame of Polars, pandas or Arrow"):
        read_price_frame([1, 2])
    with pytest.raises(ScenarioError, match="row 2: close '' must be a finite price above 0"):
        read_price_frame(a_frame().with_columns(close=pl.Series([99800.0] + [None] * 59)))
    with pytest.raises(ScenarioError, match="row 1: close 'nan' must be a finite price above 0"):
        read_price_frame(a_frame().with_columns(close=float("nan")))


def test_a_run_on_a_data_frame_keeps_it_and_runs_again(tmp_path: Path) -> None:
    overrides = {"instruments.perp.lot": "0.0001", "time.duration": "60s"}
    scenario = load_scenario(SMALL, overrides, index=a_frame())
    assert scenario.time.start_ns == START_NS
    first = run_scenario(scenario, tmp_path / "a")
    again = run_scenario(load_scenario(tmp_path / "a" / "scenario.toml"), tmp_path / "b")
    file = run_scenario(load_scenario(SMALL, overrides, index=KLINES), tmp_path / "c")
    assert first["state_hash"] == again["state_hash"] == file["state_hash"]
    assert first["run"]["command"] == "seawall run scenario.toml --seed 7"
    with pytest.raises(ScenarioError, match="no instrument 'spot'; instruments: perp"):
        load_scenario(SMALL, index={"spot": a_frame()})


# what is refused


CANDLES = "open_time,open,high,low,close,volume,close_time\n"


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (b"", ["the file is empty"]),
        (b"\n\n", ["the file is empty"]),
        (CANDLES.encode(), ["no rows after the header"]),
        (b"timestamp,price\n1700000000000,5\n1700000000000000,6\n", ["line 3", "microseconds"]),
        (b"timestamp,price\n1700000000000,5\n1700000001,6\n", ["line 3", "is in seconds"]),
        (b"timestamp,price\n1700000001000,5\n1700000000000,6\n", ["line 3", "sorted by time"]),
        (b"timestamp,price\n12,5\n", ["line 2", "unit cannot be told", "time_unit"]),
        (b"date,price\n2025-13-01,5\n", ["line 2", "'2025-13-01' must be a time such as"]),
        (b"date,price\n1969-01-01,5\n", ["line 2", "must be a time such as"]),
        (b"timestamp,price\n1700000000000,NaN\n", ["line 2", "'NaN' must be a finite price"]),
        (b"timestamp,price\n1700000000000,-1\n", ["line 2", "'-1' must be a finite price"]),
        (b"timestamp,price\n1700000000000\n", ["line 2", "1 fields, but line 1 names 2"]),
        (b"1700000000000,1,2\n1700000000000,1\n", ["line 2", "2 fields, but the first row has 3"]),
        (b"timestamp,qty\n1,2\n", ["column 'price' is missing", "found timestamp, qty"]),
        (b"exchange,timestamp,is_snapshot,price\n1,2,3,4\n", ["changes of an order book"]),
        (b"34200.0,1,2,3,4,5,6,7,8,9\n", ["no known shape", "a first row of 10 columns"]),
        (b"time,bid,ask\n1700000000000,5,\n", ["no row with a price in it"]),
        (b"a" * 1_100_000, ["line 1 is longer than 1,000,000 characters"]),
        (b"{", ["not a readable JSON file"]),
        (b'{"code": 400}', ["column 'timestamp' is missing; found code"]),
        (b'{\n"code": 400\n}\n', ["column 'timestamp' is missing; found code"]),
        (b"[]", ["must be a list of rows"]),
        (b"[1, 2]", ["must be a list of rows"]),
        (b"[[1700000000000, 5]] x", ["something stands after its end"]),
        (b"[" * 100_000, ["nested too deeply"]),
        (b"[[1700000000000, NaN]]", ["row 1", "'NaN' must be a finite price"]),
        (b"PAR1" + b"x" * 100, ["not a readable Parquet file"]),
        (b"ARROW1" + b"x" * 100, ["not a readable Feather file"]),
        (b"\x89PNG\r\n\x1a\n\x00\x00", ["not a readable CSV file"]),
    ],
    ids=lambda value: value[:24].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_a_bad_file_is_refused_in_a_line(tmp_path: Path, data: bytes, parts: list[str]) -> None:
    message = refusal(write(tmp_path, data))
    for part in parts:
        assert part in message


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_a_truncated_file_of_columns_is_refused(tmp_path: Path, kind: str) -> None:
    whole = (FOLDER / "freqtrade" / f"BTC_USDT_USDT-1m-futures.{kind}").read_bytes()
    for end in (10, len(whole) // 2, len(whole) - 4):
        message = refusal(write(tmp_path, whole[:end], f"{end}.{kind}"))
        assert f"not a readable {kind.title()} file" in message


@pytest.mark.parametrize(("kind", "is_"), [("trades", "candles"), ("candles", "trades")])
def test_a_file_of_another_kind_is_refused(kind: str, is_: str) -> None:
    message = refusal(FOLDER / f"{is_}.csv", Reading(kind=kind))
    assert f"holds {is_} ({is_}), not {kind}" in message


def test_a_zip_that_unpacks_to_too_much_is_refused_by_what_it_declares(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "timestamp_us,price\n1,2\n")
    data = bytearray(packed.getvalue())
    entry, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    large = struct.pack("<HHQ", 1, 8, 9 * 10**9)  # the size of a file beyond four gigabytes
    struct.pack_into("<I", data, entry + 24, 2**32 - 1)
    struct.pack_into("<H", data, entry + 30, len(large))
    struct.pack_into("<I", data, end + 12, end - entry + len(large))
    data[end:end] = large
    message = refusal(write(tmp_path, bytes(data), "bomb.zip"))
    assert message == "a zip file that unpacks to more than 8,000,000,000 bytes"


def test_a_gzip_without_an_end_of_line_is_refused_before_it_fills_the_memory(
    tmp_path: Path,
) -> None:
    file = write(tmp_path, gzip.compress(b"1" * 30_000_000), "bomb.csv.gz")
    assert "line 1 is longer than 1,000,000 characters" in refusal(file)


def test_several_files_in_a_zip_are_refused(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", "x")
        archive.writestr("b.csv", "y")
    assert "a zip file with 2 files in it" in refusal(write(tmp_path, packed.getvalue(), "a.zip"))


# the command line


def test_data_shows_what_would_be_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["data", str(KLINES)]) == EXIT_OK
    said = capsys.readouterr().out
    for part in (
        "recognised     Binance klines (CSV)",
        "kind           candles of 1 min",
        "rows           60",
        "first          2025-02-03T12:00:00Z",
        "last           2025-02-03T12:59:00Z",
        "time = open_time, open = open",
        "time unit      milliseconds",
    ):
        assert part in said
    assert "warning" not in said
    assert main(["data", str(FOLDER / "odd_names.csv"), "--json"]) == EXIT_BAD_INPUT
    assert "column 'timestamp' is missing" in capsys.readouterr().err
    named = ["--columns", "time=when,price=2", "--time-unit", "s", "--json"]
    assert main(["data", str(FOLDER / "odd_names.csv"), *named]) == EXIT_OK
    answer = json.loads(capsys.readouterr().out)
    assert answer["columns"] == {"time": "when", "price": "paid"}
    assert (answer["rows"], answer["first"]) == (200, "2025-02-03T12:20:00.25Z")
    assert main(["data", str(KLINES), "--columns", "price=2"]) == EXIT_BAD_INPUT
    assert "must be a table of time, open, high, low, close; or" in capsys.readouterr().err


def test_data_tells_of_holes_and_leaps(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = [f"{START_NS // 10**6 + minute * 60_000},5,5,5,5" for minute in (0, 1, 2, 6, 7)]
    rows[4] = rows[4].replace("5,5,5,5", "50,50,50,50")
    file = write(tmp_path, "\n".join(["open_time_ms,open,high,low,close", *rows]))
    assert main(["data", str(file)]) == EXIT_OK
    said = capsys.readouterr().out
    assert (
        "candles are missing at 1 place; the longest stretch is 4 min, from 2025-02-03T12:02"
        in said
    )
    assert "more than doubles or halves from one row to the next at 1 place" in said


def test_data_tells_of_candles_that_stand_still_for_long(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = [f"{START_NS // 10**6 + number * 300_000},5,5,5,5" for number in range(3)]
    file = write(tmp_path, "\n".join(["open_time_ms,open,high,low,close", *rows]))
    assert main(["data", str(file)]) == EXIT_OK
    assert "a candle prints every 75 s, and many rulebooks" in capsys.readouterr().out


def test_a_downloaded_file_is_the_index_of_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    lot = ["--set", "instruments.perp.lot=0.0001", "--set", "time.duration=90s"]
    assert main(["run", str(SMALL), "--index", str(KLINES), *lot, "--out", str(out)]) == EXIT_OK
    said = capsys.readouterr().out
    assert "Small crash on BTCUSDT-1m-2025-02-03.zip" in said
    assert (
        "index.perp.sources.own: Binance klines (CSV), 60 candles, 2025-02-03T12:00:00Z to "
        "2025-02-03T12:59:00Z"
    ) in said
    series = pl.read_parquet(out / "series.parquet")
    assert series["index_ticks"].drop_nulls()[-1] == pytest.approx(9_980_000, rel=0.01)


@pytest.mark.parametrize("rounding", [ROUND_UP, ROUND_DOWN, ROUND_HALF_UP])
def test_the_nearest_tick_is_the_same_whatever_rounding_a_library_has_set(
    tmp_path: Path, rounding: str
) -> None:
    table = read_price_file(write(tmp_path, "time,bid,ask\n2023-11-14T22:13:20Z,4.99,5.02\n"))
    with localcontext(rounding=rounding):
        assert points(table) == [(1_700_000_000_000_000_000, 500)]
