"""One candle a second after another made all candles of the file a second wide: the clock saw the
last of the four prices only, and the crash was gone.
"""

import gzip
import io
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from engine.record.packed_file import PackedError, unpacked
from seawall.index_csv import read_prices
from seawall.index_path import resample
from seawall.scenario_fields import ScenarioError
from seawall.time_plan import TimePlan

START_MS = 1_735_689_600_000
MINUTE_MS = 60_000
MS = 10**6
SECOND = 10**9
REGULAR = [START_MS + MINUTE_MS * number for number in range(10)]
TICK = Decimal("0.01")


def read(tmp_path: Path, starts: list[int]) -> list[tuple[int, int]]:
    file = tmp_path / "candles.csv"
    rows = "".join(f"{start},100,110,80,100\n" for start in starts)
    file.write_text("open_time_ms,open,high,low,close\n" + rows)
    return read_prices(file, "candles_csv", TICK)


def lows(points: list[tuple[int, int]]) -> int:
    """How many seconds of the window end at the low."""
    plan = TimePlan(start_ns=START_MS * MS, warm_up_ns=0, duration_ns=600 * SECOND, tick_ns=SECOND)
    return [price for _, price in resample(points, plan, "candles.csv")].count(8_000)


@pytest.mark.parametrize("odd_ms", [1_000, 1, 30_000, 59_999])
def test_a_candle_out_of_step_changes_only_the_one_it_cuts_short(
    tmp_path: Path, odd_ms: int
) -> None:
    plain = read(tmp_path, REGULAR)
    cut_at = (REGULAR[4] + odd_ms) * MS
    odd = read(tmp_path, sorted([*REGULAR, REGULAR[4] + odd_ms]))
    others = [
        point for point in plain if not REGULAR[4] * MS <= point[0] < (REGULAR[4] + MINUTE_MS) * MS
    ]
    assert [point for point in odd if point in others] == others
    assert len(odd) == len(plain) + 4
    within = [time for time, _ in odd if REGULAR[4] * MS <= time < REGULAR[5] * MS]
    assert within[4] == cut_at
    assert max(within[:4]) < cut_at
    assert lows(plain) == 10
    assert lows(odd) >= 10


def test_a_candle_after_a_hole_is_no_wider_than_the_others(tmp_path: Path) -> None:
    holed = read(tmp_path, REGULAR[:3] + REGULAR[7:])
    assert holed == [point for point in read(tmp_path, REGULAR) if point in holed]
    assert holed[11][0] == REGULAR[2] * MS + 45 * SECOND


@pytest.mark.parametrize(
    ("starts_ms", "width_ms"),
    [
        ([0, 60_000, 540_000], 60_000),
        ([0, 480_000, 540_000], 60_000),
        ([0, 1_000, 60_000], 1_000),
        ([0, 60_001, 119_998, 180_003, 540_000], 60_001),
        ([0, 60_001, 119_998, 180_003, 478_000, 540_000], 60_005),
        ([0, 60_001, 61_001, 119_998, 180_003, 239_999], 59_996),
        ([0, 60_001, 119_998, 180_003, 300_003, 420_003, 480_001, 540_000], 60_001),
    ],
    ids=["hole last", "hole first", "odd", "jitter", "jitter, hole", "jitter, odd", "equal holes"],
)
def test_the_last_candle_is_as_wide_as_most_and_keeps_its_low(
    tmp_path: Path, starts_ms: list[int], width_ms: int
) -> None:
    """As wide as a hole, it had its low after the end of the run."""
    points = read(tmp_path, [START_MS + start for start in starts_ms])
    assert points[-1][0] - points[-4][0] == width_ms * MS * 3 // 4
    assert points[-2] == (points[-4][0] + width_ms * MS // 2, 8_000)
    assert points[-1][0] < (START_MS + 600_000) * MS


# other things that real files have


TRADES = "timestamp_us,price\n1735689600000000,100\n1735689601000000,101\n"


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (['1,100,"a', "2,80,b", '3,100,c"', "4,100,d"], 2),
        (["1,100,a", '2,80,"b', "3,100,c"], 3),
        (["1,100,a", '2,80,"b'], 3),
        (["1,100,a", "", '3,80,"b', "4,100,c"], 4),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_quote_left_open_swallows_no_rows(
    tmp_path: Path, rows: list[str], line: int, end: str
) -> None:
    """In a column nobody reads: the rows up to the next quote were gone without a word."""
    file = tmp_path / "trades.csv"
    file.write_bytes(end.join(["timestamp_us,price,note", *rows, ""]).encode())
    with pytest.raises(ScenarioError, match=f"line {line}: a quoted field runs over the end"):
        read_prices(file, "trades_csv", TICK)
    file.write_bytes(end.join(["timestamp_us,price,note", '1,100,"a, b"', ""]).encode())
    assert read_prices(file, "trades_csv", TICK) == [(1_000, 10_000)]


def zipped(text: str, *names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, text)
    return packed.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        TRADES.encode(),
        ("\ufeff" + TRADES).encode(),
        TRADES.encode("utf-16"),
        TRADES.replace("\n", "\r\n").encode(),
        gzip.compress(TRADES.encode()),
        gzip.compress(("\ufeff" + TRADES).encode()),
        zipped(TRADES, "trades.csv"),
        zipped("\ufeff" + TRADES, "folder/trades.csv"),
    ],
    ids=["plain", "mark", "utf-16", "crlf", "gzip", "gzip mark", "zip", "zip mark"],
)
@pytest.mark.parametrize("name", ["trades.csv", "download"])
def test_a_file_is_read_however_it_is_packed_and_called(
    tmp_path: Path, data: bytes, name: str
) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    start_ns = 1_735_689_600 * SECOND
    assert read_prices(file, "trades_csv", TICK) == [
        (start_ns, 10_000),
        (start_ns + SECOND, 10_100),
    ]


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ("1735689602000000,1,2", ["line 4", "3 fields", "line 1 names 2"]),
        ("1735689602000000,100,", ["line 4", "3 fields"]),
        ("1735689602000000", ["line 4", "1 fields"]),
        ("1735689602000000,1e900000", ["line 4", "price '1e900000'", "finite price above 0"]),
        ("1735689602000000,1e-900000", ["line 4", "finite price above 0"]),
        ("1735689602000000," + "9" * 5_000, ["line 4", "finite price above 0"]),
        ("1735689602000000,10000000001", ["line 4", "above 1000000000000 ticks of 0.01"]),
        ("9" * 60 + ",100", ["line 4", "timestamp_us", "end of 2261"]),
        ("9" * 5_000 + ",100", ["line 4", "timestamp_us", "end of 2261"]),
        ("9214646400000001,100", ["line 4", "timestamp_us", "end of 2261"]),
        ("1735689602.5,100", ["line 4", "timestamp_us", "whole number"]),
        ('"' + "x" * 200_000, ["not a readable CSV", "field limit"]),
    ],
)
def test_a_row_that_is_no_price_is_refused_in_a_line(
    tmp_path: Path, row: str, parts: list[str]
) -> None:
    file = tmp_path / "trades.csv"
    file.write_text(TRADES + row + "\n")
    with pytest.raises(ScenarioError) as refused:
        read_prices(file, "trades_csv", TICK)
    message = str(refused.value)
    assert "\n" not in message
    assert len(message) < 400 + len(str(file))
    for part in [str(file), *parts]:
        assert part in message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (zipped(TRADES, "a.csv", "b.csv"), "a zip file with 2 files in it; one is needed"),
        (zipped(TRADES, "a.csv")[:-30], "damaged zip"),
        (gzip.compress(TRADES.encode())[:-9], "damaged gzip"),
        (
            TRADES.replace("price", "timestamp_us").encode(),
            "'timestamp_us' is named more than once",
        ),
        (TRADES.replace("timestamp_us", "price").encode(), "'timestamp_us' is missing"),
        (TRADES.replace("price", "price,price").encode(), "'price' is named more than once"),
        (b"\xff\xfe\x00", "not a readable CSV"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_a_line(
    tmp_path: Path, data: bytes, message: str
) -> None:
    file = tmp_path / "trades.csv"
    file.write_bytes(data)
    with pytest.raises(ScenarioError, match=message):
        read_prices(file, "trades_csv", TICK)


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_damaged_zip_is_refused_whatever_packed_it(tmp_path: Path, method: int) -> None:
    """Each decompressor has errors of its own; those of LZMA and of the directory got through."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("a.csv", TRADES * 20)
    whole = packed.getvalue()
    file = tmp_path / "trades.zip"
    for place in range(4, len(whole)):
        for mask in (0xFF, 0x80):
            file.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
            try:
                with unpacked(file) as stream:
                    stream.read()
            except PackedError as error:
                assert "\n" not in str(error)
    middle = whole.index(b"a.csv") + 5 + 12
    flipped = bytes(byte ^ 0xFF for byte in whole[middle : middle + 8])
    file.write_bytes(whole[:middle] + flipped + whole[middle + 8 :])
    with pytest.raises(ScenarioError, match="damaged zip file"):
        read_prices(file, "trades_csv", TICK)
    file.write_bytes(whole[:4] + whole[40:])
    with pytest.raises(ScenarioError, match="damaged zip file"):
        read_prices(file, "trades_csv", TICK)
