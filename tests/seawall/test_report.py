"""The report page: what it shows, what it never loads, and that its figures add up."""

import hashlib
import json
import re
from pathlib import Path

import msgspec
import polars as pl
import pytest

from engine.events import FundChanged, LiquidationEnded, LiquidationStage
from seawall.records.event_table import EventTable
from seawall.records.listed import ListedInstrument
from seawall.report import (
    ReportData,
    ReportDataError,
    fund_series,
    load_report_data,
    rebuild_report,
    save_series,
    write_report,
)
from seawall.report.page import ASSETS, report_html
from tests.seawall.report_page import figures, own_part
from tests.seawall.report_world import (
    LINEAR,
    START_NS,
    block,
    empty_report,
    raw_accounts,
    synthetic_report,
)


def save_run(directory: Path, data: ReportData) -> None:
    """Leave the files a run leaves."""
    text = json.dumps(data.summary | {"scenario": msgspec.to_builtins(data.scenario)})
    (directory / "summary.json").write_text(text, encoding="utf-8")
    data.events.write_parquet(directory / "events.parquet")
    raw_accounts().write_parquet(directory / "accounts.parquet")
    save_series(directory, data.series, data.margin_ratio, data.real_trades)


@pytest.fixture(scope="module")
def small() -> ReportData:
    return synthetic_report()


@pytest.fixture(scope="module")
def small_page(small: ReportData) -> str:
    return report_html(small)


def test_the_page_loads_nothing_from_the_network(small_page: str) -> None:
    own = own_part(small_page)
    assert not re.search(r"(src|href)\s*=\s*[\"']?\s*(https?:)?//", own)
    assert "<link" not in own
    assert "@import" not in own and "url(" not in own
    assert not re.search(r"<script[^>]*\ssrc", small_page)
    assert "default-src 'none'" in own
    assert "showSendToCloud: false" in own


def test_the_library_is_embedded_once(small_page: str) -> None:
    assert small_page.count("plotly.js (basic - minified) v") == 1


def test_the_library_is_the_one_that_was_published() -> None:
    library = (ASSETS / "plotly-basic.min.js").read_bytes()
    assert hashlib.sha256(library).hexdigest() in (ASSETS / "README.md").read_text()


def test_a_run_without_liquidations_says_so() -> None:
    page = report_html(synthetic_report(0, 60))
    assert "No account was liquidated in this run." in page
    assert "No margin call was issued in this run." in page
    assert "No position of this instrument was liquidated in this run." in page


def test_a_run_in_which_nothing_was_recorded_still_gives_a_page() -> None:
    page = own_part(report_html(empty_report()))
    for words in (
        "No price was recorded",
        "No margin ratio was sampled",
        "fund never moved",
        "Nobody lost or won anything",
    ):
        assert words in page
    assert "not recorded" in page


def test_text_is_escaped_wherever_it_is_shown() -> None:
    evil = "<img src=x onerror=alert(1)></script>&\"'"
    instrument = ListedInstrument(
        instrument_id=1,
        symbol=evil,
        kind="linear",
        tick_size="0.001",
        lot_size="0.1",
        settle_asset_id=1,
        settle_asset=evil,
        settle_decimals=6,
    )
    summary = {"state_hash": evil, "accounts": evil, "bad_debt": {evil: "1"}}
    table = EventTable()
    table.add(LiquidationEnded(START_NS, 1, 1, 1, evil, False, 2, 1, -1, *[0] * 7), 1)
    table.add(LiquidationStage(START_NS, 1, 1, evil, 1, 1), 2)
    table.add(FundChanged(START_NS, 1, 1, 1, evil), 3)
    data = synthetic_report(
        0,
        60,
        scenario=block([instrument], title=evil, description=evil, notes=[evil]),
        summary=summary,
        rules=[evil],
        settings={evil: evil},
        events=table.frame(),
        fund=fund_series(table.frame()),
    )
    own = own_part(report_html(data, synthetic_report(0, 60)))
    assert "<img" not in own
    assert own.count("</script>") == 2
    assert "&lt;img src=x onerror=alert(1)&gt;" in own
    for figure in figures(data).values():
        assert "<img" not in json.dumps([trace.get("name", "") for trace in figure["data"]])
        assert "<img" not in json.dumps(figure["layout"])


def test_chart_data_is_valid_json_without_not_a_number(small_page: str) -> None:
    block = re.search(r'<script type="application/json" id="charts">(.*?)</script>', small_page)
    assert block is not None

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    charts = json.loads(block[1], parse_constant=refuse)
    assert {chart["key"] for chart in charts["charts"]} >= {"price-1", "losses-1"}


def test_a_page_with_twenty_thousand_liquidations_stays_below_one_and_a_half_megabytes(
    tmp_path: Path,
) -> None:
    path = write_report(synthetic_report(20_000, 5_400), tmp_path / "report.html")
    assert path.stat().st_size < 1_500_000
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_the_report_is_rebuilt_alike_from_the_run_directory(
    small: ReportData, small_page: str, tmp_path: Path
) -> None:
    save_run(tmp_path, small)
    path = rebuild_report(tmp_path)
    assert path == tmp_path / "report.html"
    assert path.read_text(encoding="utf-8") == small_page


def test_with_the_table_at_hand_the_file_of_events_is_not_read(
    small: ReportData, small_page: str, tmp_path: Path
) -> None:
    save_run(tmp_path, small)
    (tmp_path / "events.parquet").write_bytes(b"not looked at")
    path = rebuild_report(tmp_path, small.events)
    assert path.read_text(encoding="utf-8") == small_page


@pytest.mark.parametrize(
    "name",
    [
        "summary.json",
        "events.parquet",
        "accounts.parquet",
        "series.parquet",
        "margin_ratio.parquet",
    ],
)
def test_a_missing_file_of_the_run_is_named(small: ReportData, tmp_path: Path, name: str) -> None:
    save_run(tmp_path, small)
    (tmp_path / name).unlink()
    with pytest.raises(ReportDataError, match=re.escape(str(tmp_path / name))):
        load_report_data(tmp_path)


@pytest.mark.parametrize("name", ["events.parquet", "series.parquet", "margin_ratio.parquet"])
def test_a_damaged_file_or_a_missing_column_is_named(
    small: ReportData, tmp_path: Path, name: str
) -> None:
    save_run(tmp_path, small)
    path = tmp_path / name
    pl.read_parquet(path).drop("time_ns").write_parquet(path)
    with pytest.raises(ReportDataError, match=f"{name}: column 'time_ns' is missing"):
        load_report_data(tmp_path)
    path.write_bytes(b"not parquet")
    with pytest.raises(ReportDataError, match=f"{name}: not a readable parquet file"):
        load_report_data(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a JSON object"),
        ("{}", "key 'scenario'"),
        ('{"scenario": {"title": 1}}', "title"),
    ],
)
def test_a_malformed_summary_is_named(
    small: ReportData, tmp_path: Path, text: str, message: str
) -> None:
    save_run(tmp_path, small)
    (tmp_path / "summary.json").write_text(text, encoding="utf-8")
    with pytest.raises(ReportDataError, match=message):
        load_report_data(tmp_path)


def test_series_without_a_column_are_refused_before_anything_is_written(
    small: ReportData, tmp_path: Path
) -> None:
    series = {1: small.series[1].drop("mark_ticks")}
    with pytest.raises(ReportDataError, match="instrument 1: column 'mark_ticks' is missing"):
        save_series(tmp_path, series, small.margin_ratio)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("field", "value"), [("kind", "quanto"), ("tick_size", "0"), ("lot_size", "x")]
)
def test_an_instrument_with_a_bad_field_is_refused(field: str, value: str) -> None:
    fields = {name: getattr(LINEAR, name) for name in LINEAR.__struct_fields__}
    with pytest.raises(ValueError, match=repr(value)):
        ListedInstrument(**(fields | {field: value}))
