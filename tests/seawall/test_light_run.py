"""Light runs: the same run as a whole one, with figures that agree with its summary."""

import json
from pathlib import Path
from statistics import median

import pytest

from engine.events import MarkUpdated
from engine.units import SECOND_NS
from seawall import load_run, run_scenario
from seawall.cli import main
from seawall.records.price_figures import PriceFigures
from seawall.report.facts import call_facts
from seawall.runs.light_run import LightRun, light_run
from seawall.scenario import load_scenario

SCENARIO = Path(__file__).parents[2] / "examples" / "small_crash.toml"


@pytest.fixture(scope="module")
def light() -> LightRun:
    return light_run(load_scenario(SCENARIO))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    run_scenario(SCENARIO, out)
    return out


def test_it_is_the_same_run(light: LightRun, whole: Path) -> None:
    assert light.state_hash == load_run(whole).summary["state_hash"]
    assert light.commands == load_run(whole).summary["commands"]


def test_figures_agree_with_the_summary(light: LightRun, whole: Path) -> None:
    summary, figures = load_run(whole).summary, light.figures
    calls = summary["margin_calls"]
    assert figures["calls"] == calls["issued"]
    assert figures["calls_cured"] == calls["cured"]
    assert figures["liquidated"] == summary["liquidations"]["accounts"]
    assert figures["adl_fills"] == summary["adl"]["fills"]
    assert figures["adl_value"] == float(summary["adl"]["notional"]["USDT"])
    assert figures["bad_debt"] == float(summary["bad_debt"]["USDT"])
    assert figures["fund_end"] == float(summary["insurance_fund"]["end"]["USDT"])
    assert figures["entered"] == summary["entered"]
    for row in summary["results"]:
        if row["kind"] != "total":
            assert figures[f"profit_{row['name'].replace(' ', '_')}"] == float(row["result"])


def test_figures_agree_with_the_table_of_events(light: LightRun, whole: Path) -> None:
    """Recounted from the trades and marks of the window in another way."""
    events, figures = load_run(whole).events, light.figures
    start_ns = load_scenario(SCENARIO).time.start_ns
    window = events.filter(events["time_ns"] >= start_ns)
    trades = window.filter(window["type"] == "Trade")
    marks = window.filter(window["type"] == "MarkUpdated")
    details = [json.loads(text) for text in marks["detail"]]
    start = details[0]["index_ticks"]
    lowest = trades.row(trades["price_ticks"].arg_min(), named=True)
    assert figures["low"] == lowest["price_ticks"] / start - 1
    assert figures["low_s"] == (lowest["time_ns"] - start_ns) / SECOND_NS
    basis = [each["last_ticks"] / each["index_ticks"] - 1 for each in details]
    worst = max(range(len(basis)), key=lambda place: abs(basis[place]))
    assert figures["basis_start"] == basis[0]
    assert figures["basis_worst"] == basis[worst]
    healed = [at for at in range(worst, len(basis)) if abs(basis[at]) <= abs(basis[worst]) / 2]
    took_ns = [marks["time_ns"][at] - marks["time_ns"][worst] for at in healed[:1]]
    assert figures["basis_half_s"] == (took_ns[0] / SECOND_NS if took_ns else None)
    assert 0 < figures["forced_peak_per_s"] <= figures["forced_volume"] < figures["volume"]
    assert figures["cover_1"] <= figures["cover_2"] <= figures["bad_debt"]


def test_the_response_window_is_from_the_last_call_to_the_liquidation(
    light: LightRun, whole: Path
) -> None:
    """As the report counts it."""
    windows_ns = call_facts(load_run(whole).events).response_ns
    assert light.figures["response_s"] == median(windows_ns) / SECOND_NS


def test_one_flag_on_the_command_line(light: LightRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(SCENARIO), "--light", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["figures"] == light.figures
    assert main(["run", str(SCENARIO), "--light", "--out", "x"]) == 2
    assert "--out: a light run writes nothing" in capsys.readouterr().err
    assert main(["run", str(SCENARIO), "--json"]) == 2
    assert "--json: only with --light" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("last", "half_s"),
    [
        ((100, 90, 94, 96, 99), 2.0),
        ((100, 90, 94, 80, 81), None),
        ((100, 104, 90, 95, 80, 91), 1.0),
    ],
    ids=["healed", "not before the end", "after the worst"],
)
def test_half_of_the_worst_basis_is_counted_from_it(
    last: tuple[int, ...], half_s: float | None
) -> None:
    scenario = load_scenario(SCENARIO)
    (spec,) = scenario.instruments.values()
    start_ns = scenario.time.start_ns
    prices = PriceFigures(spec, start_ns)
    for second, price in enumerate(last):
        prices.mark(MarkUpdated(start_ns + second * SECOND_NS, 0, 100, 100, price, 1))
    assert prices.row(1)["basis_half_s"] == half_s
