"""`seawall lab fit`: scores by hand, a market whose answer is known, and a small one end to end."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("scipy", reason="the extra lab is not installed")
pytest.importorskip("optuna", reason="the extra fit is not installed")

from seawall.cli import main
from seawall.lab.intervals import LabError
from seawall.lab.realism import fit as fit_module
from seawall.lab.realism.fit import Fit
from seawall.lab.realism.fit_file import FreeSetting, read_fit
from seawall.lab.realism.fit_report import fit_result
from seawall.lab.realism.realism_runs import WindowRun
from seawall.lab.realism.score import deviation
from seawall.lab.realism.windows import read_windows
from seawall.scenario_fields import ScenarioError
from tests.lab.studies import SCENARIO, ThreadWorkers, written

FILE = f"""\
seeds = {{ first = 1, count = 2 }}
[mild]
one = "{SCENARIO}"
[set.mild]
"population.retail.accounts" = 20
"population.funds.accounts" = 4
"population.hedgers.accounts" = 8
"time.duration" = "20s"
[free.seed_capital]
key = "house.fund"
from = 0.05
to = 0.9
log = true
[fit]
pass = 1
"""


@pytest.mark.parametrize(
    ("value", "band", "real", "expected"),
    [
        (0.5, (0.0, 1.0), None, 0.0),
        (1.0, (0.0, 1.0), None, 1.0),
        (1.5, (0.0, 1.0), None, 2.0),
        (-0.06, (-0.06, 0.0), None, -1.0),
        (0.3, (0.0, 1.0), 0.2, 0.125),
        (0.1, (0.0, 1.0), 0.2, -0.5),
        (300.0, (100.0 / 3, 300.0), 100.0, 1.0),
        (100.0 / 9, (100.0 / 3, 300.0), 100.0, -2.0),
        (0.05, (0.0, 0.0), None, 0.5),
    ],
)
def test_a_deviation_is_in_half_widths(
    value: float, band: tuple[float, float], real: float | None, expected: float
) -> None:
    assert deviation(value, band, real) == pytest.approx(expected)


def test_nothing_at_all_is_as_far_as_can_be_from_a_factor() -> None:
    assert deviation(0.0, (10.0, 90.0), 30.0) == 3.0


@pytest.mark.parametrize(
    ("setting", "value", "override"),
    [
        (FreeSetting("a", "k", 1, 9), 1.23456, "k=1.235"),
        (FreeSetting("a", "k", 1, 9), 0.000123456, "k=0.0001235"),
        (FreeSetting("a", "k", 1, 9), 12_345_678.9, "k=12350000"),
        (FreeSetting("a", "k", 1, 9), 0.0, "k=0"),
        (FreeSetting("a", "k", 1, 9), -2.0, "k=-2"),
        (FreeSetting("a", "k", 1, 9, whole=True), 12_345.6, "k=12346"),
        (FreeSetting("a", "k", 1, 9, written_as='["{}s", "1000s"]'), 200.0, 'k=["200s", "1000s"]'),
    ],
)
def test_a_value_as_it_is_written(setting: FreeSetting, value: float, override: str) -> None:
    assert setting.override(value) == override


def known_market(runs: Sequence[WindowRun], workers: object) -> Iterator[dict[str, Any]]:
    """A market whose low is less the free setting, a little more or less by seed."""
    for run in runs:
        value = float(run.window.scenario.fund)
        low = -value + (run.seed - 1.5) / 100
        yield {"kind": "mild", "name": "one", "seed": run.seed, "low": low}


def fitted(tmp_path: Path, trials: int, text: str = FILE) -> Fit:
    path = written(tmp_path, text, "fit.toml")
    fit = Fit(path, read_fit(path), tmp_path / "out", {}, [1, 2])
    for _ in range(trials):
        fit.try_next(ThreadWorkers())
    return fit


def test_it_finds_the_set_that_is_known_to_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked is a low of -15 to -7 %, so the setting must lie from 0.07 to 0.15."""
    monkeypatch.setattr(fit_module, "measured", known_market)
    fit = fitted(tmp_path, 40)
    path = tmp_path / "fit.toml"
    result = fit_result(fit, read_fit(path), read_windows(path), {})
    assert result.passes and len(result.members) >= 8
    low, high = map(float, result.ranges["house.fund"])
    assert 0.07 <= low < high <= 0.15
    assert result.best[0].score < 0.1
    assert abs(float(result.best[0].overrides[0].partition("=")[2]) - 0.11) < 0.01
    (prediction,) = result.predictions
    assert prediction.least == pytest.approx(-high) and prediction.largest == pytest.approx(-low)


def test_bad_trials_are_given_up_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_module, "measured", known_market)
    trials = fitted(tmp_path, 40).trials()
    dropped = [trial for trial in trials if trial.given_up]
    whole = [trial for trial in trials if not trial.given_up]
    assert dropped and {trial.seeds for trial in dropped} == {1}
    assert {trial.seeds for trial in whole} == {2}
    assert trials == [*whole, *dropped]
    assert min(trial.score for trial in dropped) > min(trial.score for trial in whole)


def test_it_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted in its third trial, which counts for nothing."""
    monkeypatch.setattr(fit_module, "measured", known_market)
    fit = fitted(tmp_path, 2)

    def stops(runs: object, workers: object) -> Iterator[dict[str, Any]]:
        raise KeyboardInterrupt

    monkeypatch.setattr(fit_module, "measured", stops)
    with pytest.raises(KeyboardInterrupt):
        fit.try_next(ThreadWorkers())
    monkeypatch.setattr(fit_module, "measured", known_market)
    again = fitted(tmp_path, 1)
    assert sorted(trial.number for trial in again.trials()) == [0, 1, 3]
    with pytest.raises(LabError, match="other settings or seeds"):
        fitted(tmp_path, 0, FILE.replace("0.9", "0.8"))


def test_a_mended_mistake_needs_no_other_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_module, "measured", known_market)
    with pytest.raises(ScenarioError, match=r"house\.found"):
        fitted(tmp_path, 1, FILE.replace("house.fund", "house.found"))
    assert len(fitted(tmp_path, 1).trials()) == 1


def test_a_market_that_cannot_be_run_is_the_worst(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(runs: object, workers: object) -> Iterator[dict[str, Any]]:
        raise LabError("mild one, seed 1: the run failed: it left its index")

    monkeypatch.setattr(fit_module, "measured", fails)
    (trial,) = fitted(tmp_path, 1).trials()
    assert (trial.score, trial.coverage, trial.seeds) == (9.0, 0.0, 0)
    assert "left its index" in trial.problem


def test_a_small_market_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two trials, then one more in the same directory, by the command line."""
    text = FILE.replace("0.05", "1").replace("0.9", "9_000").replace("log = true", "whole = true")
    path = written(tmp_path, text, "fit.toml")
    command = ["lab", "fit", str(path), "--workers", "1", "--out", str(tmp_path / "out")]
    assert main([*command, "--trials", "2"]) == 0
    assert "2 trials" in capsys.readouterr().out
    assert main([*command, "--trials", "1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["trials"] == 3
    assert [len(trial["values"]) for trial in result["best"]] == [1] * (3 - result["given_up"])
    assert all(math.isfinite(trial["score"]) for trial in result["best"])
    assert result["predictions"][0]["figure"] == "low"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[free.seed_capital]", "[free.seed_capital]\nsize = 1", "free.seed_capital.size is"),
        ("from = 0.05", "from = 5", "from 5 must be below to 0.9"),
        ("from = 0.05", "from = -1", "above 0 with log"),
        ("from = 0.05", "", "free.seed_capital.from: None must be a number"),
        ("log = true", "log = 1", "must be true or false"),
        ("log = true", "as = 'x'", "must be a text with {}"),
        ('key = "house.fund"', "", "must name a setting"),
        ('key = "house.fund"', 'key = "house.found"', "house.found"),
        ("pass = 1", "pass = 2", "fit.pass: 2 must be"),
        ("pass = 1", "past = 1", "no other key than pass"),
        ("[set.mild]", "[set.wild]", "set.wild is unknown"),
    ],
)
def test_a_wrong_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, problem: str
) -> None:
    path = written(tmp_path, FILE.replace(old, new), "fit.toml")
    command = ["lab", "fit", str(path), "--out", str(tmp_path / "out"), "--trials", "1"]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert problem in told
    assert told.count("\n") == 1
