"""Replay: an honest journal comes out equal, every kind of tampering is noticed."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import polars as pl
import pytest

from engine.commands import IOC, Command, Deposit, IndexPrice, SubmitOrder
from engine.messages import decode_command, encode
from engine.reasons import Reason
from engine.record.journal import JournalReader
from seawall import load_run, load_scenario, replay, run_scenario
from seawall.cli import EXIT_BAD_INPUT, EXIT_DIFFERENT, EXIT_OK, main
from seawall.runs import scenario_run
from seawall.runs.run_directory import JOURNAL
from tests.messages import changed

SMALL = Path(__file__).parents[2] / "examples" / "small_crash.toml"
CHECKPOINT_EVERY = 500
"""Checkpoints this often make a difference show where it begins."""


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("replay") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenario_run, "CHECKPOINT_COMMANDS", CHECKPOINT_EVERY)
        run_scenario(load_scenario(SMALL), out)
    return out


@pytest.fixture
def copy(run_dir: Path, tmp_path: Path) -> Path:
    """The run, free to be tampered with."""
    return Path(shutil.copytree(run_dir, tmp_path / "run"))


def execute(run_dir: Path, query: str, *values: object) -> int:
    """Change the journal; returns how many rows."""
    with sqlite3.connect(run_dir / JOURNAL) as connection:
        changed = connection.execute(query, values).rowcount
    connection.close()
    return changed


def tamper(run_dir: Path, seq: int, command: Command) -> None:
    query = "UPDATE commands SET payload = ? WHERE seq = ?"
    assert execute(run_dir, query, encode(command), seq) == 1


def find(run_dir: Path, wanted: Callable[[Command], bool], skip: int = 0) -> tuple[int, Command]:
    """The command after ``skip`` others that are wanted; negative counts from the end."""
    with JournalReader(run_dir / JOURNAL) as reader:
        found = [entry for entry in reader.commands() if wanted(entry.command)]
    return found[skip]


def last_seq(run_dir: Path) -> int:
    with JournalReader(run_dir / JOURNAL) as reader:
        return reader.last_seq()


# honest journals


def test_a_run_replays_equal_at_every_checkpoint(run_dir: Path) -> None:
    summary = load_run(run_dir).summary
    result = replay(run_dir / JOURNAL)
    assert result.equal
    assert result.commands == summary["commands"]
    assert result.state_hash == summary["state_hash"]
    # One after every full stretch of commands, and one at the end.
    assert result.checkpoints == (result.commands - 1) // CHECKPOINT_EVERY + 1 > 2


def test_the_journal_alone_is_enough(run_dir: Path, tmp_path: Path) -> None:
    lonely = tmp_path / "elsewhere.sqlite"
    lonely.write_bytes((run_dir / JOURNAL).read_bytes())
    assert replay(lonely).state_hash == load_run(run_dir).summary["state_hash"]


def test_the_command_says_equal(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(run_dir)]) == EXIT_OK
    assert capsys.readouterr().out.startswith("equal: ")


def test_replay_changes_no_file(copy: Path) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    assert main(["replay", str(copy)]) == EXIT_OK
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


def test_a_run_with_link_latencies_replays_equal(
    tmp_path: Path, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenario_run, "CHECKPOINT_COMMANDS", CHECKPOINT_EVERY)
    links = ["gateway_to_risk=5ms", "risk_to_matching=20ms", "risk_to_liquidation=300ms"]
    slow = load_scenario(SMALL, [f"latency.{link}" for link in links])
    summary = run_scenario(slow, tmp_path / "slow")
    result = replay(tmp_path / "slow" / JOURNAL)
    assert result.mismatch == ""
    assert result.state_hash == summary["state_hash"]
    assert summary["state_hash"] != load_run(run_dir).summary["state_hash"]


# tampered journals


def changed_order(run_dir: Path) -> tuple[int, Command]:
    """The first order that took from the book and was filled whole, one lot smaller."""
    filled = filled_orders(run_dir)
    seq, order = find(
        run_dir,
        lambda c: isinstance(c, SubmitOrder) and c.tif == IOC and filled.get(c.order_id) == 0,
    )
    assert isinstance(order, SubmitOrder)
    return seq, changed(order, qty_lots=order.qty_lots - 1)


def filled_orders(run_dir: Path) -> dict[int, int]:
    """What was left of each order that ended because it was filled."""
    events = load_run(run_dir).events
    closed = events.filter((pl.col("type") == "OrderClosed") & (pl.col("reason") == Reason.FILLED))
    left = closed["detail"].str.json_path_match("$.remaining_lots").cast(pl.Int64)
    return dict(zip(closed["order_id"].to_list(), left.to_list(), strict=True))


def changed_deposit(run_dir: Path) -> tuple[int, Command]:
    seq, deposit = find(run_dir, lambda c: isinstance(c, Deposit))
    assert isinstance(deposit, Deposit)
    return seq, msgspec.structs.replace(deposit, amount_q=deposit.amount_q + 1)


def changed_index(run_dir: Path) -> tuple[int, Command]:
    """The last index print: an earlier one may be an outlier that leaves no trace."""
    seq, print_ = find(run_dir, lambda c: isinstance(c, IndexPrice), skip=-1)
    assert isinstance(print_, IndexPrice)
    lower_ticks = print_.price_ticks - 200
    return seq, IndexPrice(print_.time_ns, print_.instrument_id, print_.source_id, lower_ticks)


def test_a_change_that_leaves_the_state_alone_is_a_difference_too(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(copy, "UPDATE checkpoints SET commands_hash = ?", "0" * 32) > 1
    assert main(["replay", str(copy)]) == EXIT_DIFFERENT
    assert "the journal notes other commands than it holds" in capsys.readouterr().err


@pytest.mark.parametrize("change", [changed_order, changed_deposit, changed_index])
def test_a_changed_command_is_a_difference_at_the_next_checkpoint(
    change: Callable[[Path], tuple[int, Command]],
    copy: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seq, command = change(copy)
    tamper(copy, seq, command)
    assert main(["replay", str(copy)]) == EXIT_DIFFERENT
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    following = min(-(-seq // CHECKPOINT_EVERY) * CHECKPOINT_EVERY, last_seq(copy))
    assert line.startswith(f"different: after command {following} the journal notes ")


def test_a_changed_hash_is_a_difference(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    last = last_seq(copy)
    query = "UPDATE checkpoints SET state_hash = ? WHERE seq = ?"
    assert execute(copy, query, "0" * 32, last) == 1
    assert main(["replay", str(copy)]) == EXIT_DIFFERENT
    assert f"after command {last} the journal notes {'0' * 32}" in capsys.readouterr().err


def test_a_missing_end_is_a_difference(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    last = last_seq(copy)
    assert execute(copy, "DELETE FROM commands WHERE seq = ?", last) == 1
    assert main(["replay", str(copy)]) == EXIT_DIFFERENT
    assert f"no state hash was noted after command {last - 1}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("DELETE FROM commands WHERE seq = 300", "command 300 is missing, 301 is next"),
        ("UPDATE commands SET payload = x'c1' WHERE seq = 300", "command 300 is damaged"),
        ("UPDATE commands SET time_ns = time_ns + 1 WHERE seq = 300", "command 300 is damaged"),
        ("UPDATE header SET value = '99' WHERE name = 'format_version'", "journal format 99"),
    ],
)
def test_a_damaged_journal_is_bad_input(
    query: str, problem: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(copy, query) == 1
    assert main(["replay", str(copy)]) == EXIT_BAD_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"seawall: {copy / JOURNAL}: {problem}")


def test_a_file_that_is_no_journal_is_bad_input(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / JOURNAL).write_text("not a database, but long enough to be looked at as one\n" * 40)
    assert main(["replay", str(copy)]) == EXIT_BAD_INPUT
    assert f"{copy / JOURNAL}: not a journal" in capsys.readouterr().err
    (copy / JOURNAL).unlink()
    assert main(["replay", str(copy)]) == EXIT_BAD_INPUT
    assert "journal.sqlite is missing from this run" in capsys.readouterr().err


def test_the_commands_of_a_journal_decode_to_what_was_sent(run_dir: Path) -> None:
    with JournalReader(run_dir / JOURNAL) as reader:
        for entry in reader.commands(1, 200):
            assert decode_command(encode(entry.command)) == entry.command
