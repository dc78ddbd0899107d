"""A run directory is complete or absent, and nobody's files are lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.commands import AdvanceTime
from engine.events import SystemChanged
from engine.messages import encode
from engine.record.journal import Journal, JournalReader
from seawall.records.event_table import EventTable
from seawall.runs.run_directory import RunDirectory, RunDirectoryError, load_run

ROOT = Path(__file__).parents[2]


def write_run(out: Path, name: str = "a", overwrite: bool = False) -> None:
    with RunDirectory(out, overwrite) as run:
        table = EventTable()
        table.add(SystemChanged(5, "asset", name), 1)
        table.write(run.events_path)
        with Journal.create(run.journal_path, {"seed": "1"}) as journal:
            journal.append(1, 5, encode(AdvanceTime(5)))
        run.report_path.write_text(f"<p>{name}</p>")
        run.write_summary({"name": name, "bad_debt_q": 2**70, "share": 0.25})


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_run(tmp_path / "out")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == [
        "events.parquet",
        "journal.sqlite",
        "report.html",
        "summary.json",
    ]
    run = load_run(tmp_path / "out")
    assert run.summary == {"run_format": 1, "name": "a", "bad_debt_q": 2**70, "share": 0.25}
    assert run.events["type"].to_list() == ["SystemChanged"]
    assert run.report_path.read_text() == "<p>a</p>"
    with JournalReader(run.journal_path) as reader:
        assert reader.verify() == 1


def test_nothing_stands_at_the_final_name_before_the_end(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with RunDirectory(out) as run:
        run.write_summary({})
        assert not out.exists()
        assert names(out.parent) == [f"out.partial-{os.getpid()}"]
    assert names(out.parent) == ["out"]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), RunDirectory(tmp_path / "out") as run:
        run.write_summary({})
        raise ZeroDivisionError
    assert names(tmp_path) == []


def test_a_failure_leaves_the_run_it_was_to_replace(tmp_path: Path) -> None:
    write_run(tmp_path / "out", "old")
    with pytest.raises(ZeroDivisionError), RunDirectory(tmp_path / "out", overwrite=True):
        raise ZeroDivisionError
    assert names(tmp_path) == ["out"]
    assert load_run(tmp_path / "out").summary["name"] == "old"


def test_a_run_without_a_summary_is_no_run(tmp_path: Path) -> None:
    with (
        pytest.raises(RunDirectoryError, match=r"out: the run wrote no summary\.json"),
        RunDirectory(tmp_path / "out") as run,
    ):
        run.report_path.write_text("half")
    assert names(tmp_path) == []


KILLED = """
import sys
from seawall.runs.run_directory import RunDirectory
with RunDirectory(sys.argv[1]) as run:
    run.report_path.write_text("half")
    print("written", flush=True)
    sys.stdin.read()
"""


def test_a_killed_run_does_not_look_complete(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "out")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    (left,) = tmp_path.iterdir()
    assert left.name == f"out.partial-{process.pid}"
    with pytest.raises(RunDirectoryError, match="not a complete run"):
        load_run(left)


def test_what_a_dead_process_of_this_number_left_is_cleared(tmp_path: Path) -> None:
    stale = tmp_path / f"out.partial-{os.getpid()}"
    stale.mkdir()
    (stale / "old.txt").write_text("x")
    write_run(tmp_path / "out")
    assert names(tmp_path) == ["out"]
    assert "old.txt" not in names(tmp_path / "out")


def test_a_complete_run_is_replaced_only_on_request(tmp_path: Path) -> None:
    write_run(tmp_path / "out", "old")
    with pytest.raises(RunDirectoryError, match="out: holds a run already; overwrite it or choose"):
        write_run(tmp_path / "out", "new")
    assert load_run(tmp_path / "out").summary["name"] == "old"
    write_run(tmp_path / "out", "new", overwrite=True)
    assert load_run(tmp_path / "out").summary["name"] == "new"
    assert names(tmp_path) == ["out"]


def test_an_empty_directory_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_run(tmp_path / "out")
    assert load_run(tmp_path / "out").summary["name"] == "a"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("file", ["notes.txt", "summary.json"])
def test_a_directory_of_other_files_is_never_replaced(
    tmp_path: Path, overwrite: bool, file: str
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / file).write_text('{"mine": 1}')
    with pytest.raises(RunDirectoryError, match="out: is not empty and holds no complete run"):
        write_run(tmp_path / "out", overwrite=overwrite)
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / file).read_text() == '{"mine": 1}'


def test_a_run_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    with (
        pytest.raises(RunDirectoryError, match="holds a run already"),
        RunDirectory(tmp_path / "out") as run,
    ):
        run.write_summary({"name": "late"})
        os.rename(run.partial, tmp_path / "aside")
        write_run(tmp_path / "out", "early")
        os.rename(tmp_path / "aside", run.partial)
    assert load_run(tmp_path / "out").summary["name"] == "early"
    assert names(tmp_path) == ["out"]


def test_a_file_is_no_place_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(RunDirectoryError, match="out: exists and is not a directory"):
        write_run(tmp_path / "out", overwrite=True)
    with pytest.raises(RunDirectoryError, match="out/deeper: cannot be made: "):
        write_run(tmp_path / "out" / "deeper")
    assert (tmp_path / "out").read_text() == "mine"


def test_the_root_directory_is_no_place_for_a_run() -> None:
    with pytest.raises(RunDirectoryError, match=r"^/: is no place for a run directory$"):
        RunDirectory("/")


def test_a_link_to_a_run_is_kept_and_its_target_replaced(tmp_path: Path) -> None:
    write_run(tmp_path / "real", "old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_run(tmp_path / "link", "new", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert load_run(tmp_path / "real").summary["name"] == "new"
    assert names(tmp_path) == ["link", "real"]


@pytest.mark.parametrize(
    ("summary", "problem"),
    [
        ({"run_format": 3}, "'run_format' is written by the directory itself"),
        ({"x": object()}, "the summary has no JSON form: .*object"),
    ],
)
def test_a_summary_that_cannot_be_kept_is_refused(
    tmp_path: Path, summary: dict[str, object], problem: str
) -> None:
    with pytest.raises(RunDirectoryError, match=problem), RunDirectory(tmp_path / "out") as run:
        run.write_summary(summary)
    assert names(tmp_path) == []


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="none: no such run directory"):
        load_run(tmp_path / "none")


@pytest.mark.parametrize("content", [None, b"{", b"[1]", b"\xff"])
def test_a_directory_without_a_readable_summary_is_no_run(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "summary.json").write_bytes(content)
    with pytest.raises(RunDirectoryError, match=r"summary\.json is missing or damaged"):
        load_run(tmp_path)


@pytest.mark.parametrize(("content", "found"), [("{}", "None"), ('{"run_format": 2}', "2")])
def test_another_run_format_is_refused(tmp_path: Path, content: str, found: str) -> None:
    (tmp_path / "summary.json").write_text(content)
    with pytest.raises(RunDirectoryError, match=f"run format {found}; this version reads 1"):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ("file", "attribute"),
    [
        ("events.parquet", "events"),
        ("journal.sqlite", "journal_path"),
        ("report.html", "report_path"),
    ],
)
def test_a_file_missing_from_a_run_is_named_when_it_is_asked_for(
    tmp_path: Path, file: str, attribute: str
) -> None:
    write_run(tmp_path / "out")
    (tmp_path / "out" / file).unlink()
    run = load_run(tmp_path / "out")
    with pytest.raises(RunDirectoryError, match=f"out: {file} is missing from this run"):
        getattr(run, attribute)


def test_damaged_events_are_named(tmp_path: Path) -> None:
    write_run(tmp_path / "out")
    (tmp_path / "out" / "events.parquet").write_bytes(b"not parquet at all")
    run = load_run(tmp_path / "out")
    with pytest.raises(RunDirectoryError, match=r"events\.parquet: not a table"):
        _ = run.events
