"""The same table as other venues write it: none of Bybit, OKX, Gate, KuCoin or Bitget loaded.

The rows have the shape ccxt gives to what each venue publishes.
"""

import bz2
import gzip
import io
import itertools
import json
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.commands import MAX_AMOUNT_Q
from engine.instruments import AssetSpec, MarginTier
from risk.margin import BracketMargin
from risk.margin.ccxt_tiers import inverse_tiers, load_ccxt_tiers, read_ccxt_tables
from seawall.cli import EXIT_BAD_INPUT, EXIT_OK, main
from seawall.runs.run import run_scenario
from seawall.scenario import load_scenario
from seawall.scenario_fields import ScenarioError

USDT = AssetSpec(1, "USDT", 6)
QUOTE = AssetSpec(0, "quote", 8)
COIN = AssetSpec(2, "BTC", 8)


def row(low: Any, high: Any, rate: Any, leverage: Any, **info: Any) -> dict[str, Any]:
    return {
        "tier": 1.0,
        "symbol": None,
        "currency": None,
        "minNotional": low,
        "maxNotional": high,
        "maintenanceMarginRate": rate,
        "maxLeverage": leverage,
        "info": info,
    }


TABLES = {
    "binance": [
        row(0.0, 50000.0, 0.004, 125.0, cum="0.0", bracket="1"),
        row(50000.0, 600000.0, 0.005, 100.0, cum="50.0", bracket="2"),
    ],
    "bybit": [
        row(0, 2000000, 0.005, 100.0, symbol="BTCUSDT", riskLimitValue="2000000"),
        row(2000000, 2600000, 0.0056, 90.0, mmDeduction="1200"),
        row(2600000, 3600000, 0.0075, 66.67, mmDeduction="6140"),
    ],
    "okx": [
        row(0.0, 25000.0, 0.01, 50.0, minSz="0", maxSz="25000"),
        row(25001.0, 50000.0, 0.02, 25.0, minSz="25001", maxSz="50000"),
    ],
    "gate": [
        row(0, 1000000.0, 0.004, 125.0),
        row(1000000.0, 2000000.0, 0.008, 83.33),
    ],
    "kucoin": [
        row("0", "500000", "0.004", "125", level=1),
        row("500000", "1000000", "0.008", "62.5", level=2),
    ],
    "bitget": [
        row(0, 150000, 0.004, 125, startUnit="0", endUnit="150000"),
        row(150000, None, 0.005, 100, startUnit="150000", endUnit=""),
    ],
    "without floors": [
        {"maxNotional": 25000, "maintenanceMarginRate": 0.01, "maxLeverage": 50},
        {"maxNotional": 50000, "maintenanceMarginRate": 0.02, "maxLeverage": 25},
    ],
}


def load(tmp_path: Path, rows: list[dict[str, Any]], asset: AssetSpec = USDT) -> list[MarginTier]:
    file = tmp_path / "tiers.json"
    file.write_text(json.dumps({"X": rows}))
    return load_ccxt_tiers(file, "X", asset)


@pytest.mark.parametrize("venue", TABLES)
def test_table_loads_and_its_margin_is_continuous(tmp_path: Path, venue: str) -> None:
    tiers = load(tmp_path, TABLES[venue])
    model = BracketMargin(tiers)
    for before, tier in itertools.pairwise(tiers):
        assert tier.floor_q == before.cap_q
        step_q = model.maintenance_q(1, tier.floor_q, 0, 1) - model.maintenance_q(
            1, tier.floor_q - 1, 0, 1
        )
        assert 0 <= step_q <= 1


@pytest.mark.parametrize(
    ("written", "whole"),
    [(66.67, 66), ("83.33", 83), (62.5, 62), (1.0, 1), (1.99, 1), (100, 100)],
)
def test_a_broken_leverage_is_the_whole_one_below_it(
    tmp_path: Path, written: Any, whole: int
) -> None:
    assert load(tmp_path, [row(0, 1000, 0.001, written)])[0].max_leverage == whole


@pytest.mark.parametrize(
    "cap",
    [
        None,
        2**63 - 1,
        9.223372036854775807e18,
        "9223372036854775807",
        10**30,
        1.7976931348623157e308,
        float("inf"),
        "Infinity",
    ],
)
@pytest.mark.parametrize("asset", [USDT, QUOTE, COIN], ids=["6", "8", "coin"])
def test_a_last_cap_that_no_amount_reaches_is_no_end(
    tmp_path: Path, cap: Any, asset: AssetSpec
) -> None:
    rows = [row(0, 50000, 0.01, 50), row(50000, cap, 0.02, 25)]
    assert load(tmp_path, rows, asset)[-1].cap_q == MAX_AMOUNT_Q
    del rows[-1]["maxNotional"]
    tiers = load(tmp_path, rows, asset)
    assert tiers[-1].cap_q == MAX_AMOUNT_Q
    assert inverse_tiers(tiers, asset, COIN, Decimal(60_000))[-1].cap_q == MAX_AMOUNT_Q


@pytest.mark.parametrize(
    ("cap", "message"),
    [
        (
            2**63 - 1,
            "X: tier 1: maxNotional 9223372036854775807 is too large; at most 2305843009213",
        ),
        (None, "X: tier 1: maxNotional is None; it must be a number"),
        (float("nan"), "X: tier 1: maxNotional: 'NaN' is not finite"),
    ],
)
def test_only_the_last_tier_may_have_no_end(tmp_path: Path, cap: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(tmp_path, [row(0, cap, 0.01, 50), row(50000, 60000, 0.02, 25)])


def test_a_scenario_runs_with_a_sentinel_cap(tmp_path: Path) -> None:
    (tmp_path / "tiers.json").write_text(json.dumps({"X": [row(0, 2**63 - 1, 0.01, 50)]}))
    file = tmp_path / "s.toml"
    file.write_text(
        """
        rulebook = "teaching-default"
        [time]
        duration = "5s"
        [assets.usd]
        [instruments.p]
        symbol = "X"
        tick = "0.01"
        margin = { ccxt_file = "tiers.json", ccxt_symbol = "X" }
        [index.p.sources.a]
        kind = "anchored"
        anchors = [["0s", 100], ["5s", 99]]
        """
    )
    assert run_scenario(load_scenario(file), tmp_path / "out")["commands"] > 5


# files as they come


def zipped(data: bytes, *names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, data)
    return packed.getvalue()


PLAIN = json.dumps({"X": TABLES["bybit"]}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + PLAIN,
        PLAIN.decode().encode("utf-16"),
        gzip.compress(PLAIN),
        gzip.compress(b"\xef\xbb\xbf" + PLAIN),
        zipped(PLAIN, "tiers.json"),
        zipped(PLAIN, "tiers.json", "__MACOSX/._tiers.json"),
    ],
    ids=["mark", "utf-16", "gzip", "gzip mark", "zip", "zip of a Mac"],
)
def test_a_file_is_read_however_it_is_packed_and_called(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "download"
    file.write_bytes(data)
    assert len(load_ccxt_tiers(file, "X", USDT)) == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"X": [{"maxLeverage": ' + b"9" * 5_000 + b"}]}", "4300 digits"),
        (b'{"X": [{"maxLeverage": 1e' + b"9" * 30 + b"}]}", "a number without end"),
        (zipped(PLAIN, "a.json", "b.json"), "a zip file with 2 files in it; one is needed"),
        (zipped(PLAIN), "a zip file with 0 files in it"),
        (zipped(PLAIN, "a.json")[:60], "damaged zip"),
        (gzip.compress(PLAIN)[:-9], "damaged gzip"),
        (bz2.compress(PLAIN), "not a readable JSON file"),
    ],
    ids=["deep", "digits", "exponent", "two", "none", "cut zip", "cut gzip", "bzip2"],
)
def test_a_file_that_cannot_be_read_is_refused_in_a_line(
    tmp_path: Path, data: bytes, message: str
) -> None:
    file = tmp_path / "download"
    file.write_bytes(data)
    with pytest.raises(ValueError, match=message) as refused:
        read_ccxt_tables(file)
    assert str(refused.value).startswith("download: not a readable JSON file: ")
    assert "\n" not in str(refused.value)


def test_a_number_without_end_in_a_tier_is_refused_at_once(tmp_path: Path) -> None:
    rows = [row(0, 1000, 0.001, 10)]
    text = json.dumps({"X": rows}).replace("0.001", "1e-900000")
    file = tmp_path / "tiers.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"maintenanceMarginRate: .* more than 60 digits"):
        load_ccxt_tiers(file, "X", USDT)


# whole files, as ccxt answers for each venue


TIERS = Path(__file__).parents[2] / "examples" / "tiers"
WAVE = "WAVE/USDT:USDT"
EXPECTED = [(50_000, 5_000_000, 100), (400_000, 10_000_000, 50), (2_000_000, 20_000_000, 20)]


@pytest.mark.parametrize("venue", ["binance", "bybit", "okx", "gate", "kucoin", "bitget"])
def test_a_file_of_every_venue_loads_as_it_comes(venue: str) -> None:
    """OKX counts contracts of 100 USDT each, and Bybit and Gate have a broken leverage."""
    worth = Decimal(100 if venue == "okx" else 1)
    tiers = load_ccxt_tiers(TIERS / f"{venue}.json", WAVE, USDT, worth)
    found = [(tier.cap_q // 10**6, tier.maintenance_ppb, tier.max_leverage) for tier in tiers]
    last = 16 if venue in ("bybit", "gate") else 20
    assert found == [*EXPECTED[:2], (*EXPECTED[2][:2], last)]
    assert [tier.deduction_q // 10**6 for tier in tiers] == [0, 250, 4_250]


def test_the_table_of_one_market_has_its_symbol() -> None:
    with pytest.raises(ValueError, match=r"no tiers for 'X' among its 1 symbols: WAVE/USDT:USDT"):
        load_ccxt_tiers(TIERS / "bitget.json", "X", USDT)


def test_contracts_taken_as_money_are_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    question = ["calc", "--rulebook", "teaching-default", "--side", "long", "--qty", "1"]
    question += ["--entry", "100", "--leverage", "5", "--symbol", WAVE, "--tiers"]
    assert main([*question, str(TIERS / "okx.json")]) == EXIT_OK
    assert "the venue counts contracts in this table" in capsys.readouterr().err
    assert main([*question, str(TIERS / "okx.json"), "--contract-value", "100"]) == EXIT_OK
    assert capsys.readouterr().err == ""
    assert main([*question, str(TIERS / "bybit.json")]) == EXIT_OK
    assert capsys.readouterr().err == ""
    assert main([*question[:-3], "--contract-value", "2"]) == EXIT_BAD_INPUT
    assert "no effect without a tiers file" in capsys.readouterr().err
    margin = {"ccxt_file": str(TIERS / "okx.json"), "ccxt_symbol": WAVE}
    scenario = load_scenario("small_crash", {"instruments.perp.margin": margin})
    (warning,) = scenario.warnings
    assert warning.startswith("instruments.perp.margin: ")
    worth = {"instruments.perp.margin": margin | {"contract_value": "100"}}
    assert load_scenario("small_crash", worth).warnings == ()
    with pytest.raises(ScenarioError, match="contract_value -1 must be above 0"):
        load_scenario("small_crash", {"instruments.perp.margin": margin | {"contract_value": -1}})
