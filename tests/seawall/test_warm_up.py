"""A run whose contract leaves its index in the warm-up ends, or says so if it is to go on."""

from pathlib import Path
from typing import Any

import pytest

from engine.commands import BUY
from engine.events import Trade
from seawall import load_run, load_scenario, run_scenario
from seawall.cli import main
from seawall.records.warm_up import WarmUp, warm_up_figures
from seawall.runs.light_run import light_run
from seawall.scenario import Scenario
from seawall.scenario_fields import ScenarioError
from tests.seawall.warm_ups import worst_basis

SHORT = ["time.warm_up=20s", "time.duration=10s"]
TIGHT = "time.warm_up_limit=0.00001"
LET_GO_ON = "time.warm_up_breach=warn"


def small(*overrides: str) -> Scenario:
    return load_scenario("small_crash", [*SHORT, *overrides])


def heard(scenario: Scenario, trades: list[tuple[int, int, int]]) -> WarmUp:
    """A warm-up with trades: seconds after its beginning, price and index in ticks."""
    warm_up = WarmUp(scenario, 5)
    for seconds, price, index in trades:
        time_ns = scenario.time.begin_ns + seconds * 10**9
        warm_up.trade(Trade(time_ns, 0, 1, price, 1, BUY, False), index)
    return warm_up


def contract(warm_up: WarmUp) -> dict[str, Any]:
    (row,) = warm_up.summary()["contracts"]
    assert isinstance(row, dict)
    return row


@pytest.mark.parametrize(
    ("trades", "worst", "kept"),
    [
        ([], None, True),
        ([(1, 9_999, 0)], None, True),
        ([(1, 10_100, 10_000)], 0.01, True),
        ([(1, 10_101, 10_000)], 0.0101, False),
        ([(1, 10_050, 10_000), (2, 9_899, 10_000), (3, 10_000, 10_000)], -0.0101, False),
        ([(1, 10_000, 10_000), (20, 5_000, 10_000)], 0.0, True),
    ],
    ids=["no trade", "no index yet", "at the limit", "beyond", "the farthest", "after the warm-up"],
)
def test_each_trade_is_held_against_the_index_before_it(
    trades: list[tuple[int, int, int]], worst: float | None, kept: bool
) -> None:
    warm_up = heard(small(), trades)
    assert contract(warm_up)["worst_basis"] == (None if worst is None else pytest.approx(worst))
    assert warm_up.summary()["kept"] is kept
    assert bool(warm_up.warnings()) is not kept
    if kept:
        warm_up.check()
    else:
        with pytest.raises(ScenarioError, match=r"time\.warm_up_limit allows 1 %"):
            warm_up.check()
    again = WarmUp(small(), 5)
    again.restore(warm_up.state())
    assert again.summary() == warm_up.summary()


def test_the_words_name_seed_trade_and_limit() -> None:
    (text,) = heard(small(), [(2, 8_860, 10_000)]).warnings()
    assert text == (
        "seed 5: WAVE-PERP traded at 88.6 at an index of 100 (-11.40%) 2 s into the warm-up; "
        "time.warm_up_limit allows 1 %"
    )


def test_a_run_beyond_the_limit_leaves_nothing_and_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    sets = [f"--set={text}" for text in (*SHORT, TIGHT)]
    assert main(["run", "small_crash", "--out", str(out), *sets]) == 2
    assert not out.exists()
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "seed 7: WAVE-PERP traded at" in lines[0]
    assert lines[0].endswith('time.warm_up_breach = "warn" lets it go on')


def test_a_run_told_to_go_on_says_so_in_summary_figures_and_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    sets = [f"--set={text}" for text in (*SHORT, TIGHT, LET_GO_ON)]
    assert main(["run", "small_crash", "--out", str(out), *sets]) == 0
    summary = load_run(out).summary
    assert summary["warm_up"]["limit"] == "0.00001"
    assert summary["warm_up"]["kept"] is False
    assert summary["warnings"][0].startswith("seed 7: WAVE-PERP traded at")
    assert summary["warnings"][0] in capsys.readouterr().err
    scenario = small(TIGHT, LET_GO_ON)
    light = light_run(scenario)
    assert light.warnings == summary["warnings"]
    assert light.figures["basis_warm_up"] == summary["warm_up"]["contracts"][0]["worst_basis"]
    assert abs(light.figures["basis_warm_up"]) == worst_basis(scenario, scenario.seed)


def test_a_calm_run_says_how_near_it_stayed(tmp_path: Path) -> None:
    summary = run_scenario(small(), tmp_path / "run")
    assert summary["warm_up"]["kept"] is True
    assert not [text for text in summary["warnings"] if "warm_up_limit" in text]


def test_contracts_after_the_first_have_their_symbol() -> None:
    rows = [{"symbol": "A", "worst_basis": 0.1}, {"symbol": "B", "worst_basis": None}]
    assert warm_up_figures({"contracts": rows}) == {"basis_warm_up": 0.1, "basis_warm_up.B": None}


@pytest.mark.parametrize("value", ["0", "-0.1", "1.5"])
def test_the_limit_is_a_share(value: str) -> None:
    with pytest.raises(ScenarioError, match=r"warm_up_limit.*above 0, at most 1"):
        small(f"time.warm_up_limit={value}")


def test_a_breach_fails_or_warns() -> None:
    with pytest.raises(ScenarioError, match=r"warm_up_breach: 'pass' is unknown.*fail, warn"):
        small("time.warm_up_breach=pass")
