"""`seawall lab realism`: what a file of windows may say, its rows, and its verdicts."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("scipy", reason="the extra lab is not installed")

from seawall.cli import main
from seawall.lab.intervals import LabError
from seawall.lab.realism.realism_runs import WindowRun, measure
from seawall.lab.realism.realism_table import Realism, realism, table_in_words
from seawall.lab.realism.row_file import RowFile, settings_hash
from seawall.lab.realism.windows import Window, Windows, read_windows
from seawall.runs.light_run import light_run
from seawall.scenario import load_scenario
from tests.lab.studies import SCENARIO, written

SMALL = [
    "population.retail.accounts=20",
    "population.funds.accounts=4",
    "population.hedgers.accounts=8",
    "time.duration=60s",
]
WINDOWS = f"""\
title = "Small"
seeds = {{ first = 3, count = 2 }}
[crash]
one = "{SCENARIO}"
[calm]
one = "{SCENARIO}"
"""


def test_the_command_measures_keeps_rows_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = written(tmp_path, WINDOWS, "windows.toml"), tmp_path / "out"
    sets = [word for each in SMALL for word in ("--set", each)]
    command = ["lab", "realism", str(path), *sets, "--workers", "1", "--out", str(out)]
    assert main([*command, "--only", "crash", "--seeds", "1"]) == 0
    first = (out / "rows.jsonl").read_bytes()
    assert first.count(b"\n") == 1
    assert main([*command, "--json"]) == 0
    rows = (out / "rows.jsonl").read_bytes()
    assert rows.startswith(first) and rows.count(b"\n") == 4
    capsys.readouterr()
    assert main([*command, "--json"]) == 0
    assert (out / "rows.jsonl").read_bytes() == rows
    table = json.loads(capsys.readouterr().out)
    assert table["seeds"] == 2
    assert {each["kind"] for each in table["measures"]} == {"crash", "calm"}


def test_a_row_is_that_of_the_run() -> None:
    """The same state hash as any light run of the seed, and figures of the calm where it is one."""
    scenario = load_scenario(SCENARIO, [*SMALL[:-1], "time.duration=180s"])
    row = measure(WindowRun(Window("calm", "one", scenario), 3))
    light = light_run(scenario, seed=3)
    assert row["state_hash"] == light.state_hash
    assert row["low"] == pytest.approx(light.figures["low"])
    assert row["liquidated"] == light.figures["liquidated"]
    assert 0 < row["spread_bp"] < 1_000
    assert row["per_minute"] > 0
    assert "sign_1" not in measure(WindowRun(Window("crash", "one", scenario), 3))


def test_a_run_that_leaves_its_index_in_the_warm_up_is_measured() -> None:
    """Alone it would end with an error."""
    strict = [*SMALL, "time.warm_up_limit=0.000001", "time.warm_up_breach=fail"]
    row = measure(WindowRun(Window("mild", "one", load_scenario(SCENARIO, strict)), 3))
    assert 0.000001 < row["warm_up_basis"] < 1


def lows(values: dict[str, list[float]], **more: Any) -> list[dict[str, Any]]:
    return [
        {"kind": "crash", "name": name, "seed": seed, "low": low, **more}
        for name, each in values.items()
        for seed, low in enumerate(each)
    ]


def windows(tmp_path: Path, *names: str) -> Windows:
    text = "[crash]\n" + "".join(f'{name} = "{SCENARIO}"\n' for name in names)
    return read_windows(written(tmp_path, text, "windows.toml"), SMALL)


def table(tmp_path: Path, rows: list[dict[str, Any]], real: dict[str, dict[str, Any]]) -> Realism:
    found = windows(tmp_path, *{row["name"]: 0 for row in rows})
    return realism(found, rows, {("crash", name): each for name, each in real.items()})


def test_verdicts(tmp_path: Path) -> None:
    """Real figures and bands by hand: twice and half of 100 s, 25 points about 0.1."""
    rows = [
        {
            "kind": "crash",
            "name": "one",
            "seed": seed,
            "below_s": 150 + seed,
            "rebound": 0.34 + seed / 100,
            "warm_up_basis": 0.005 + seed / 100,
        }
        for seed in range(4)
    ]
    found = table(tmp_path, rows, {"one": {"below_s": 100.0, "rebound": 0.1}})
    cells = {each.figure: each.cells[0] for each in found.measures}
    assert cells["below_s"].band == (50, 200)
    assert (cells["below_s"].passes, cells["below_s"].sure) == (True, True)
    assert (cells["rebound"].passes, cells["rebound"].sure) == (False, False)
    assert cells["warm_up_basis"].simulated is not None
    assert cells["warm_up_basis"].simulated.estimate == 0.75
    assert cells["warm_up_basis"].passes is False
    assert cells["half_s"].passes is None and cells["half_s"].simulated is None
    text = "\n".join(table_in_words(found))
    assert "152 [" in text and "real 100 + |" in text


def test_a_coin_that_stays_near_its_index_may_not_be_far_below_for_a_minute(tmp_path: Path) -> None:
    for seconds, passes in ((59, True), (61, False)):
        rows = [{"kind": "crash", "name": "one", "seed": 1, "below_s": seconds}]
        found = table(tmp_path, rows, {"one": {"below_s": 0.0}})
        (cell,) = [each.cells[0] for each in found.measures if each.figure == "below_s"]
        assert cell.passes is passes


def test_errors_of_the_lows(tmp_path: Path) -> None:
    """Real lows 0.5 and 0.25 of the start, of the indices 0.8 and 0.4. Told: 0.5 and 0.5, so one
    log of 2 in one of two; copying the fall misses by a log of 2, copying the ratio by none."""
    real = {
        "one": {"low": -0.5, "index_low": -0.2},
        "two": {"low": -0.75, "index_low": -0.6},
    }
    found = table(tmp_path, lows({"one": [-0.5, -0.5], "two": [-0.5, -0.5]}), real).lows
    assert found is not None
    assert found.error == pytest.approx(0.6931 / 2**0.5, abs=1e-4)
    assert found.copied_fall == pytest.approx(0.6931, abs=1e-4)
    assert found.copied_ratio == pytest.approx(0.0, abs=1e-9)
    better = table(tmp_path, lows({"one": [-0.5], "two": [-0.75]}), real).lows
    assert better is not None
    assert better.error == pytest.approx(0.0, abs=1e-9)
    assert better.rank_correlation == pytest.approx(1.0)


def test_a_last_line_without_its_end_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    RowFile(path).add({"seed": 1})
    with path.open("a") as file:
        file.write('{"seed": 2')
    kept = RowFile(path)
    kept.add({"seed": 3})
    assert [row["seed"] for row in RowFile(path).rows] == [1, 3]
    path.write_text("no rows\n")
    with pytest.raises(LabError, match="not a file of rows"):
        RowFile(path)


def test_other_settings_have_another_hash() -> None:
    one = settings_hash(load_scenario(SCENARIO, SMALL))
    assert one == settings_hash(load_scenario(SCENARIO, SMALL))
    assert one != settings_hash(load_scenario(SCENARIO, [*SMALL, "house.fund=1"]))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[crush]\none = 'a'", "crush is unknown; did you mean 'crash'"),
        ("[crash]\none = 5", "crash.one: 5 must be the path"),
        ("crash = 5", "crash: 5 must be a table"),
        ("[seeds]\nlast = 3", "seeds.last is unknown"),
        ("[seeds]\nfirst = -3", "seeds.first: -3 must be from 0"),
        ("[seeds]\ncount = 0", "seeds.count: 0 must be from 1"),
        ("title = 'nothing'", "no windows"),
        ("title = ", "not valid TOML"),
        ("[crash]\none = 'nowhere.toml'", "no such scenario"),
    ],
)
def test_a_wrong_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, problem: str
) -> None:
    path = written(tmp_path, text, "windows.toml")
    assert main(["lab", "realism", str(path)]) == 2
    told = capsys.readouterr().err
    assert problem in told
    assert told.count("\n") == 1


def test_a_wrong_word_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, WINDOWS, "windows.toml")
    for words, problem in (
        (["--only", "storm"], "--only storm"),
        (["--seeds", "0"], "at least one seed"),
        (["--workers", "0"], "must be 1 or more"),
        (["--set", "house.funds=1"], "house.funds"),
    ):
        assert main(["lab", "realism", str(path), *words]) == 2
        assert problem in capsys.readouterr().err
