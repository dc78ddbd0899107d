"""A run that was killed goes on from where it was saved last, and ends as if it never had been."""

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.record.journal import JournalReader
from engine.record.snapshot import pack
from seawall import load_run, replay
from seawall.cli import EXIT_BAD_INPUT, EXIT_INTERRUPTED, EXIT_OK, main
from seawall.records.event_table import SCHEMA
from seawall.runs import scenario_run
from seawall.runs.run_directory import EVENTS, JOURNAL, SUMMARY
from seawall.runs.unfinished import UnfinishedRun, unfinished

ROOT = Path(__file__).parents[2]
SMALL = str(ROOT / "examples" / "small_crash.toml")
SAVED = ("--save-every", "50s")
LINKS = [
    *("--set", "latency.gateway_to_risk=2ms"),
    *("--set", "latency.risk_to_matching=3ms"),
    *("--set", "latency.matching_to_risk=3ms"),
]

DYING = """
import os, signal, sys
from importlib import import_module
from seawall.cli import main

place, name, call, *arguments = sys.argv[1:]
module = import_module(place)
kept, calls = getattr(module, name), 0

def dying(*given, **named):
    global calls
    calls += 1
    if calls == int(call):
        os.kill(os.getpid(), signal.SIGKILL)
    return kept(*given, **named)

setattr(module, name, dying)
main(arguments)
"""
"""The command line in a process that kills itself at the n-th call of a function."""

SAVING = ("seawall.runs.scenario_run", "pack")
"""When the events so far are in a file and the checkpoint is not written."""
WRITING = ("seawall.runs.scenario_run", "rebuild_report")
NAMING = ("os", "rename")
"""When every file of the directory is there."""


def killed(place: tuple[str, str], call: int, *arguments: str) -> None:
    """Give a command that is killed on the way."""
    done = subprocess.run(
        [sys.executable, "-c", DYING, *place, str(call), *arguments],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def content(out: Path) -> dict[str, Any]:
    """Everything in a run directory but how long it took and when that was."""
    summary = json.loads((out / SUMMARY).read_text())
    for key in ("wall_seconds", "commands_per_second"):
        del summary[key]
    del summary["run"]["date"]
    with JournalReader(out / JOURNAL) as journal:
        checkpoints = [(each[:4], bool(each.snapshot)) for each in journal.checkpoints()]
        commands = list(journal.commands())
        header = journal.header()
        journal.verify()
    events = pl.read_parquet(out / EVENTS)
    assert events.schema == SCHEMA
    others = {
        path.name: path.read_bytes()
        for path in out.iterdir()
        if path.name not in (SUMMARY, JOURNAL, EVENTS, "report.html")
    }
    names = sorted(path.name for path in out.iterdir())
    return {
        "names": names,
        "summary": summary,
        "journal": (header, checkpoints, commands),
        "events": events.rows(),
        "others": others,
    }


@pytest.fixture(scope="module", params=[[], LINKS], ids=["at once", "with latencies"])
def settings(request: pytest.FixtureRequest) -> list[str]:
    chosen: list[str] = request.param
    return chosen


@pytest.fixture(scope="module")
def whole(settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was saved on the way and never stopped."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert main(["run", SMALL, "--out", str(out), *SAVED, *settings]) == EXIT_OK
    return out


@pytest.mark.parametrize(
    "kills",
    [
        [(SAVING, 2)],
        [(SAVING, 4), (WRITING, 1)],
        [(NAMING, 1)],
    ],
    ids=["saving", "saving, then writing", "naming"],
)
def test_a_killed_run_goes_on_to_the_same_files(
    settings: list[str], whole: Path, kills: list[tuple[tuple[str, str], int]], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    arguments = ["run", SMALL, "--out", str(out), *SAVED, *settings]
    for place, call in kills:
        killed(place, call, *arguments)
        assert [path.name for path in tmp_path.iterdir()] == ["run.unfinished"]
        arguments = ["continue", str(out)]
    assert main(arguments) == EXIT_OK
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert content(out) == content(whole)


def test_a_saved_run_is_the_run_that_was_not_saved(
    settings: list[str], whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert main(["run", SMALL, "--out", str(out), *settings]) == EXIT_OK
    saved, plain = content(whole), content(out)
    assert saved["events"] == plain["events"]
    assert saved["summary"] == plain["summary"]
    assert saved["journal"][2] == plain["journal"][2]
    assert [snapshot for _, snapshot in saved["journal"][1]] == [True, True, True, True, False]
    assert [snapshot for _, snapshot in plain["journal"][1]] == [False]


def test_the_state_hash_of_every_save_is_replayed(whole: Path) -> None:
    result = replay(whole / JOURNAL)
    assert (result.equal, result.checkpoints) == (True, 5)


def test_an_interrupted_run_says_how_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"

    def interrupted(state: object) -> bytes:
        signal.raise_signal(signal.SIGINT)  # is heard before the next command
        return pack(state)

    monkeypatch.setattr(scenario_run, "pack", interrupted)
    assert main(["run", SMALL, "--out", str(out), *SAVED]) == EXIT_INTERRUPTED
    assert capsys.readouterr().err == f"seawall: interrupted; seawall continue {out} goes on\n"
    assert not out.exists()
    with JournalReader(unfinished(out) / JOURNAL) as journal:
        assert len(list(journal.checkpoints())) == 1


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(arguments) == EXIT_BAD_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A run that was killed."""
    out = tmp_path / "run"
    killed(SAVING, 3, "run", SMALL, "--out", str(out), *SAVED)
    return out


def test_what_is_unfinished_is_not_overwritten_unasked(
    left: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ["run", SMALL, "--out", str(left), *SAVED]
    assert "an unfinished run is there; go on with it (seawall continue" in refused(again, capsys)
    assert main([*again, "--overwrite"]) == EXIT_OK
    assert not unfinished(left).exists()


def test_one_process_at_a_time_goes_on(left: Path, capsys: pytest.CaptureFixture[str]) -> None:
    go_on = ["continue", str(left)]
    with pytest.raises(ZeroDivisionError), UnfinishedRun(left, go_on=True):
        pass_by = ["run", SMALL, "--out", str(left), *SAVED, "--overwrite"]
        for arguments in (go_on, pass_by):
            assert "unfinished: another process works on it" in refused(arguments, capsys)
        raise ZeroDivisionError
    assert main(go_on) == EXIT_OK


def test_a_run_that_took_the_place_meanwhile_stays(
    left: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", SMALL, "--out", str(left), "--seed", "8"]) == EXIT_OK
    assert "holds a run already; overwrite it" in refused(["continue", str(left)], capsys)
    assert load_run(left).summary["seed"] == 8
    assert main(["continue", str(left), "--overwrite"]) == EXIT_OK
    assert load_run(left).summary["seed"] == 7


def test_what_cannot_be_gone_on_with_is_told(
    left: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = ["continue", str(tmp_path / "nothing")]
    assert "no run was left unfinished there; only one that is saved" in refused(nothing, capsys)
    go_on = ["continue", str(left)]
    for change, told in (
        ("UPDATE checkpoints SET state_hash = 'aa' WHERE seq > 1", "is not the one its checkpoint"),
        ("UPDATE checkpoints SET snapshot = x'93c0'", "not a state"),
        ("UPDATE header SET value = '9' WHERE name = 'seawall_version'", "version 9 of Seawall"),
        ("UPDATE checkpoints SET snapshot = NULL", "no state was saved in this journal"),
    ):
        with closing(sqlite3.connect(unfinished(left) / JOURNAL)) as journal, journal:
            journal.execute(change)
        assert told in refused(go_on, capsys)


def test_prices_that_changed_are_not_gone_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, prices = tmp_path / "run", tmp_path / "prices.csv"
    start_ms = 1_735_689_600_000
    rows = [f"{start_ms + 1_000 * second},{100 - second / 20}" for second in range(180)]
    prices.write_text("\n".join(["time_ms,price", *rows]))
    source = f"index.perp.sources.beta={{kind='trades_csv', file='{prices}'}}"
    arguments = ["run", SMALL, "--out", str(out), *SAVED, "--set", source]
    killed(SAVING, 3, *arguments)
    prices.write_text("\n".join(["time_ms,price", *rows[:-1]]))
    told = f"{prices}: is not what it was when the run began"
    assert told in refused(["continue", str(out)], capsys)
    prices.write_text("\n".join(["time_ms,price", *rows]))
    assert main(["continue", str(out)]) == EXIT_OK


@pytest.mark.parametrize(
    ("every", "told"),
    [
        ("5", "--save-every 5: must be a time such as '90s' or '5m'"),
        ("-5s", "--save-every -5s: must be a time"),
        ("0s", "--save-every 0s: must be a time"),
        ("10ms", "every 0.01 s: allowed is at least a tick of the clock, 1 s, and less than the"),
        ("4m", "and less than the whole run, 240 s"),
    ],
)
def test_times_that_would_save_nothing_are_refused(
    every: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", SMALL, "--out", str(tmp_path / "run"), f"--save-every={every}"]
    assert told in refused(arguments, capsys)
    assert list(tmp_path.iterdir()) == []
