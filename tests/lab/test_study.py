"""Studies: what a file may say, the same rows however they are come by, and what is read back."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

pytest.importorskip("scipy", reason="the extra lab is not installed")

import seawall
from engine.units import SECOND_NS
from seawall.cli import main
from seawall.lab.again import cell_scenario
from seawall.lab.design import cells_of
from seawall.lab.ensemble import Ensemble
from seawall.lab.intervals import LabError
from seawall.lab.run_task import RunAnswer, RunTask
from seawall.lab.sensitivity import sensitivities
from seawall.lab.study_directory import StudyDirectory, rows_table
from seawall.lab.study_file import read_study
from seawall.lab.study_report import truth, write_study_report
from tests.lab.studies import ROOT, SCENARIO, STUDY, ThreadWorkers, run, written


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    run(written(folder), folder / "out")
    return folder / "out"


def figures(directory: Path) -> pl.DataFrame:
    """All that does not depend on the clock."""
    return StudyDirectory(directory).rows().drop("wall_seconds")


def test_every_cell_has_every_seed(done: Path) -> None:
    results = seawall.lab.load(done)
    assert results.rows.select("cell", "seed").rows() == [
        (cell, seed) for cell in (1, 2) for seed in (1, 2, 3, 4)
    ]
    assert results.rows["house.fund"].to_list() == ["0"] * 4 + ["2000"] * 4
    assert results.state.looks == [2, 4]
    assert results.state.checked == [(1, 1)]


def test_a_study_that_was_stopped_goes_on_with_the_same_rows(tmp_path: Path, done: Path) -> None:
    """It stops after two tasks, then after one more, then comes to its end."""
    study = written(tmp_path)

    class Stops(StudyDirectory):
        left = 2

        def add_rows(self, cell: int, rows: Sequence[dict[str, Any]]) -> None:
            super().add_rows(cell, rows)
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    for left in (2, 1):
        directory = Stops(tmp_path / "out")
        directory.left = left
        with pytest.raises(KeyboardInterrupt):
            Ensemble(read_study(study), directory, ThreadWorkers()).run()
    kept = figures(tmp_path / "out")
    assert 0 < kept.height < 8
    run(study, tmp_path / "out")
    assert figures(tmp_path / "out").equals(figures(done))
    assert not list((tmp_path / "out").rglob(".*"))


def test_a_second_run_with_another_hash_ends_the_study(tmp_path: Path, done: Path) -> None:
    """A row that says something else than what comes out when it is done again."""
    study = written(tmp_path)
    directory = StudyDirectory(tmp_path / "out")
    parsed = read_study(study)
    directory.open(parsed, cells_of(parsed))
    rows = figures(done).filter((pl.col("cell") == 1) & (pl.col("seed") == 1)).drop("cell")
    changed = rows.with_columns(state_hash=pl.lit("0" * 32), wall_seconds=pl.lit(0.1))
    directory.add_rows(1, changed.to_dicts())
    with pytest.raises(LabError, match="two runs gave the state hashes 0000"):
        run(study, tmp_path / "out")


def test_it_stops_when_its_target_is_met(tmp_path: Path) -> None:
    text = STUDY.replace("most = 4", "most = 64") + "[target]\naccounts = { absolute = 1 }\n"
    text = text.replace("least = 2", "least = 3")
    state = run(written(tmp_path, text), tmp_path / "out")
    assert (state.looks, state.stopped) == ([3], "all targets are as exact as asked")


def test_a_run_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(task: RunTask) -> RunAnswer:
        raise AssertionError("an invariant broke")

    monkeypatch.setattr("seawall.lab.ensemble.run_task", fails)
    with pytest.raises(LabError, match=r"cell 1, seed 1: the run failed: AssertionError: an inv"):
        run(written(tmp_path), tmp_path / "out")


def test_a_target_that_is_no_figure_ends_the_study_at_its_first_run(tmp_path: Path) -> None:
    study = written(tmp_path, STUDY + "[target]\nliquidatet = { absolute = 1 }\n")
    with pytest.raises(LabError, match=r"target.liquidatet: is unknown; did you mean 'liquidated'"):
        run(study, tmp_path / "out")


def test_decimals_of_rules_are_texts(tmp_path: Path) -> None:
    """Rules want decimals in quotes; what is read back has none."""
    text = STUDY[: STUDY.index("[vary]")].replace("least = 2, most = 4", "least = 1, most = 1")
    key = "rulebook_overrides.adl.max_distance"
    study = written(tmp_path, f'{text}[vary]\n"{key}" = ["0.05", "0.1"]\n')
    run(study, tmp_path / "out")
    results = seawall.lab.load(tmp_path / "out")
    assert results.cells[key].to_list() == ["0.05", "0.1"]
    assert len(results.paired("max_distance", "0.05", "0.1")) == 1
    scenario = cell_scenario(results, 2, 1)
    assert scenario.rulebook.adl.max_distance_ppb == 100_000_000


def test_pairs_share_their_seeds_and_all_other_keys(done: Path) -> None:
    results = seawall.lab.load(done)
    pairing = results.paired("fund", 0, 2000)
    assert len(pairing) == 4
    of = {
        (row["house.fund"], row["seed"]): row["fund_start"]
        for row in results.rows.iter_rows(named=True)
    }
    wanted = [of["2000", seed] - of["0", seed] for seed in (1, 2, 3, 4)]
    assert pairing.differences("fund_start") == wanted == [2000] * 4
    interval = pairing.interval("fund_start")
    assert (interval.estimate, interval.low, interval.high) == (2000, 2000, 2000)
    assert pairing.agreement("fund_start") == 1
    assert pairing.agreement("accounts") == 0.5
    assert results.interval("fund_start", fund=2000).estimate == 2000
    assert results.interval("fund_start", "share", above=1, fund=2000).estimate == 1
    assert results.interval("fund_start").n == 4  # one mean per seed, of both cells
    with pytest.raises(LabError, match=r"runs share seeds .* say which house.fund"):
        results.interval("fund_start", "p95")


def test_what_a_study_does_not_have_is_told(done: Path, tmp_path: Path) -> None:
    results = seawall.lab.load(done)
    with pytest.raises(LabError, match=r"key 'fnd' is unknown; allowed are house.fund"):
        results.paired("fnd", 0, 1)
    with pytest.raises(LabError, match=r"no cell has 7; there are 0, 2000"):
        results.paired("fund", 0, 7)
    with pytest.raises(LabError, match="'lwo' is no figure of a run"):
        results.interval("lwo")
    with pytest.raises(LabError, match="holds no study"):
        seawall.lab.load(tmp_path)


def test_the_report_says_what_it_knows(done: Path) -> None:
    page = write_study_report(done).read_text()
    assert "8 runs, 4 seeds common to all 2 cells" in page
    for heading in ("Figures by cell", "Pairs over", "Size of the fund", "Over time", "Runs to"):
        assert heading in page
    drawn = msgspec.json.decode(re.findall(r'id="charts">(.*?)</script>', page, re.DOTALL)[0])
    (fan,) = [chart for chart in drawn["charts"] if chart["key"] == "fan-basis"]
    band, middle = fan["figure"]["data"][:2]
    assert len(band["x"]) == 2 * len(middle["x"]) > 100
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page
    assert "the study has no targets" in truth(seawall.lab.load(done))


def test_one_run_again_in_full_has_the_same_hash(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["lab", "again", str(done), "--cell", "2", "--seed", "3"]
    assert main([*command, "--out", str(tmp_path / "run")]) == 0
    assert "as the study noted" in capsys.readouterr().out
    rows = seawall.lab.load(done).rows.filter((pl.col("cell") == 2) & (pl.col("seed") == 3))
    assert seawall.load_run(tmp_path / "run").summary["state_hash"] == rows["state_hash"][0]
    assert main(["lab", "again", str(done), "--cell", "9", "--seed", "3"]) == 2
    assert "the study has cells 1 to 2" in capsys.readouterr().err


def test_the_fund_s_curve(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "fund", str(done), "--json", "--cost-ratio", "0.5"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [each["fund"] for each in answer["curve"]] == ["0", "2000"]
    assert answer["curve"][0]["columns"]["VaR 99 %"]["high"] is None
    assert answer["newsvendor"]["n"] == 4  # the runs with the least fund


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("[vary]", "[vray]"), "vray: is unknown; did you mean 'vary'?"),
        (("scenario =", "title2 ="), "title2: is unknown"),
        (("least = 2", "least = 0"), "seeds.least: 0 must be a whole number from 1"),
        (("most = 4", "most = 1"), "seeds.most: 1 must be a whole number from 2"),
        (("[0, 2_000]", "[]"), "vary.house.fund: [] must be a list of at least one value"),
        (("[0, 2_000]", "[0, 0]"), "vary.house.fund: a value is there twice"),
        (("[vary]", "[sample]\npoints = 3\n[vary]"), "vary and sample: give one of them"),
    ],
)
def test_mistakes_in_the_file_are_told(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    path = written(tmp_path, STUDY.replace(*change))
    with pytest.raises(LabError) as caught:
        read_study(path)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("{ statistic = 'median', absolute = 1 }", "allowed are mean, share, p1 to p99.9"),
        ("{ absolute = 1, relative = 1 }", "give one of absolute and relative"),
        ("{ absolute = 0 }", "must be above 0"),
        ("{ absolute = 1, above = 2 }", "only a share is one of runs above something"),
    ],
)
def test_mistakes_in_a_target_are_told(tmp_path: Path, target: str, told: str) -> None:
    path = written(tmp_path, STUDY + f"[target]\nlow = {target}\n")
    with pytest.raises(LabError) as caught:
        read_study(path)
    assert told in str(caught.value)


def test_a_wrong_value_of_a_cell_is_refused_before_anything_runs(tmp_path: Path) -> None:
    study = written(tmp_path, STUDY.replace("[0, 2_000]", '[0, "much"]'))
    assert main(["lab", "run", str(study), "--out", str(tmp_path / "out"), "--workers", "1"]) == 2
    assert not list((tmp_path / "out").glob("rows/*"))


def test_another_study_is_not_mixed_in(done: Path, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="holds another study"):
        run(written(tmp_path, STUDY.replace("2_000", "3_000")), done)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    with pytest.raises(LabError, match="holds no study"):
        run(written(tmp_path), tmp_path / "full")


def test_cells_of_a_grid_and_of_samples(tmp_path: Path) -> None:
    grid = STUDY + '"house.backstop" = [1, 2, 3]\n'
    assert len(cells_of(read_study(written(tmp_path, grid)))) == 6
    head = STUDY[: STUDY.index("[vary]")]
    ranges = (
        '"house.fund" = { from = 0, to = 100, step = 10 }\n'
        '"house.backstop" = { from = 1, to = 9 }\n'
    )
    plain = cells_of(read_study(written(tmp_path, f"{head}[sample]\npoints = 8\n{ranges}")))
    assert len(plain) == 8
    assert {float(cell.values["house.fund"]) % 10 for cell in plain} == {0}
    text = f"{head}[sample]\npoints = 8\nindices = true\n{ranges}"
    saltelli = cells_of(read_study(written(tmp_path, text)))
    assert [cell.matrix for cell in saltelli[::8]] == [
        "A",
        "B",
        "AB house.fund",
        "AB house.backstop",
    ]
    assert saltelli[16].values == {
        "house.fund": saltelli[8].values["house.fund"],
        "house.backstop": saltelli[0].values["house.backstop"],
    }


def test_columns_keep_their_kind_although_a_figure_is_missing() -> None:
    table = rows_table([{"a": None, "b": 1, "c": "x"}, {"a": 2, "b": 2, "c": "y"}])
    assert table.dtypes == [pl.Float64, pl.Int64, pl.String]


def test_two_scenarios_over_the_same_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--set", "population.retail.accounts=20", "--set", "time.duration=60s"]
    ab = ["compare", str(SCENARIO), str(SCENARIO), "--seeds", "3", "--workers", "1", *small]
    assert main([*ab, "--set-b", "house.fund=0", "--json"]) == 0
    found = {each["figure"]: each for each in json.loads(capsys.readouterr().out)}
    assert found["fund_start"]["interval"]["estimate"] == -2000
    assert found["fund_start"]["agreement"] == 1
    assert main(ab) == 0
    assert "no figure differs in any of 3 seeds" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "studies").glob("*.toml")), ids=str)
def test_shipped_studies_can_be_run(path: Path, tmp_path: Path) -> None:
    """Every cell's scenario is right, and every target a figure of a run."""
    study = read_study(path)
    directory = StudyDirectory(tmp_path / "out")
    cells = cells_of(study)
    scenario = directory.open(study, cells)
    assert all(directory.scenario(cell.overrides()) for cell in cells)
    assert len(cells) > 1
    small = msgspec.structs.replace(
        scenario, time=msgspec.structs.replace(scenario.time, duration_ns=SECOND_NS)
    )
    assert study.targets.keys() <= seawall.light_run(small).figures.keys()


def test_sensitivities_of_a_study(tmp_path: Path) -> None:
    """A figure that is three times one key and once another, over their ranges: nine tenths and one
    tenth of the variance. Rows are written as if they had been run."""
    head = STUDY[: STUDY.index("[vary]")]
    ranges = (
        '"house.fund" = { from = 0, to = 1, step = 0.0001 }\n'
        '"house.backstop" = { from = 0, to = 1, step = 0.0001 }\n'
    )
    study = read_study(written(tmp_path, f"{head}[sample]\npoints = 64\nindices = true\n{ranges}"))
    directory = StudyDirectory(tmp_path / "out")
    cells = cells_of(study)
    directory.open(study, cells)
    for cell in cells:
        fund, backstop = map(float, cell.values.values())
        rows = [{"seed": seed, "state_hash": "", "low": 3 * fund + backstop} for seed in (1, 2, 3)]
        directory.add_rows(cell.cell, rows)
    results = seawall.lab.load(tmp_path / "out")
    found = sensitivities(results, "low", "mean")
    assert [each.key for each in found] == ["house.fund", "house.backstop"]
    assert [each.first for each in found] == pytest.approx([0.9, 0.1], abs=0.1)
    assert [each.total for each in found] == pytest.approx([0.9, 0.1], abs=0.1)
    assert "What low depends on" in write_study_report(tmp_path / "out").read_text()


def test_a_seed_that_is_in_several_cells_is_one_pair(tmp_path: Path) -> None:
    """Two keys vary: for each value of the other there is a difference, of one seed one mean."""
    head = STUDY[: STUDY.index("[vary]")]
    text = f'{head}[vary]\n"house.fund" = [0, 1]\n"house.backstop" = [0, 1]\n'
    study = read_study(written(tmp_path, text))
    directory = StudyDirectory(tmp_path / "out")
    cells = cells_of(study)
    directory.open(study, cells)
    for cell in cells:
        fund, backstop = map(float, cell.values.values())
        rows = [
            {"seed": seed, "state_hash": "", "low": seed + 2 * fund + fund * backstop * seed}
            for seed in (1, 2, 3, 4)
        ]
        directory.add_rows(cell.cell, rows)
    results = seawall.lab.load(tmp_path / "out")
    assert results.paired("fund", 0, 1).differences("low") == [2.5, 3, 3.5, 4]
    assert results.interval("low", fund=0).n == 4


def test_two_keys_are_a_map_that_is_darker_where_values_are_larger(tmp_path: Path) -> None:
    head = STUDY[: STUDY.index("[vary]")]
    text = f'{head}[vary]\n"instruments.perp.max_qty" = [100, 101]\n"house.backstop" = [0, 1]\n'
    study = read_study(written(tmp_path, text))
    directory = StudyDirectory(tmp_path / "out")
    cells = cells_of(study)
    directory.open(study, cells)
    for cell in cells:
        size, backstop = map(float, cell.values.values())
        low = 20 * size - 1_900 + 10 * backstop
        rows = [{"seed": seed, "state_hash": "", "low": low} for seed in (1, 2, 3)]
        directory.add_rows(cell.cell, rows)
    page = write_study_report(tmp_path / "out").read_text()
    shades = re.findall(r"var\(--link\) (\d+)%, transparent\)\">([\d.]+)<", page)
    assert shades == [("0", "100"), ("30", "120"), ("15", "110"), ("45", "130")]
