"""The journal gives back what was committed, in order, and names what is wrong otherwise."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from engine.commands import AdvanceTime, Command, Deposit, IndexPrice
from engine.messages import encode
from engine.record.hashing import ChainHash
from engine.record.journal import Checkpoint, Journal, JournalEntry, JournalError, JournalReader

ROOT = Path(__file__).parents[2]
HEADER = {"seawall_version": "0.1.0", "seed": "7", "scenario": "name = 'x'\n"}


def commands(count: int) -> list[Command]:
    made: list[Command] = []
    for seq in range(1, count + 1):
        if seq % 3 == 0:
            made.append(Deposit(seq * 10, account_id=100 + seq, asset_id=1, amount_q=seq * 1_000))
        elif seq % 3 == 1:
            made.append(
                IndexPrice(seq * 10, instrument_id=1, source_id=2, price_ticks=50_000 + seq)
            )
        else:
            made.append(AdvanceTime(seq * 10))
    return made


def write(path: Path, count: int, group_size: int = 4) -> list[Command]:
    made = commands(count)
    with Journal.create(path, HEADER, group_size) as journal:
        for seq, command in enumerate(made, start=1):
            journal.append(seq, command.time_ns, encode(command))
    return made


def chain(*made: Command) -> str:
    commands_hash = ChainHash()
    for command in made:
        commands_hash.update(encode(command))
    return commands_hash.hexdigest()


def tamper(path: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values)
    connection.close()


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 21])
def test_commands_come_back_in_order_whatever_the_group(tmp_path: Path, count: int) -> None:
    made = write(tmp_path / "journal.sqlite", count)
    with JournalReader(tmp_path / "journal.sqlite") as reader:
        assert list(reader.commands()) == [
            JournalEntry(seq, command) for seq, command in enumerate(made, start=1)
        ]
        assert reader.last_seq() == reader.verify() == count


@pytest.mark.parametrize(
    ("from_seq", "to_seq", "expected"),
    [
        (1, None, range(1, 11)),
        (4, None, range(4, 11)),
        (4, 6, range(4, 7)),
        (0, 2, range(1, 3)),
        (10, 10, range(10, 11)),
        (11, None, range(0)),
        (6, 5, range(0)),
        (9, 99, range(9, 11)),
    ],
)
def test_a_range_of_commands_includes_both_ends(
    tmp_path: Path, from_seq: int, to_seq: int | None, expected: range
) -> None:
    write(tmp_path / "j", 10)
    with JournalReader(tmp_path / "j") as reader:
        assert [entry.seq for entry in reader.commands(from_seq, to_seq)] == list(expected)


def test_the_header_comes_back_with_the_format_version(tmp_path: Path) -> None:
    write(tmp_path / "j", 0)
    with JournalReader(tmp_path / "j") as reader:
        assert reader.header() == {"format_version": "1", **HEADER}


def test_checkpoints_belong_to_the_last_appended_command(tmp_path: Path) -> None:
    first, second = commands(2)
    with Journal.create(tmp_path / "j", {}) as journal:
        journal.checkpoint(0, "aa")
        journal.append(1, first.time_ns, encode(first))
        journal.append(2, second.time_ns, encode(second))
        journal.checkpoint(second.time_ns, "bb", b"state")
    with JournalReader(tmp_path / "j") as reader:
        assert list(reader.checkpoints()) == [
            Checkpoint(0, 0, "aa", ChainHash().hexdigest(), None),
            Checkpoint(2, 20, "bb", chain(first, second), b"state"),
        ]
        assert reader.verify() == 2


def test_a_second_checkpoint_at_one_command_is_refused_and_loses_nothing(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "j", {}) as journal:
        journal.checkpoint(0, "aa")
        with pytest.raises(JournalError, match=r"cannot write the journal: .*checkpoints"):
            journal.checkpoint(0, "bb")
        journal.append(1, 5, encode(AdvanceTime(5)))
    with JournalReader(tmp_path / "j") as reader:
        assert reader.verify() == 1
        assert [checkpoint.state_hash for checkpoint in reader.checkpoints()] == ["aa"]


def test_a_reader_sees_each_group_once_it_is_committed(tmp_path: Path) -> None:
    made = commands(5)
    with (
        Journal.create(tmp_path / "j", HEADER, group_size=4) as journal,
        JournalReader(tmp_path / "j") as reader,
    ):
        for seq, visible in zip(range(1, 6), [0, 0, 0, 4, 4], strict=True):
            journal.append(seq, made[seq - 1].time_ns, encode(made[seq - 1]))
            assert reader.last_seq() == visible
        journal.commit()
        assert reader.verify() == 5
    with JournalReader(tmp_path / "j") as reader:
        assert reader.verify() == 5


def test_a_reader_that_looks_on_does_not_stop_the_writer_from_closing(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j", HEADER)
    journal.append(1, 5, encode(AdvanceTime(5)))
    journal.commit()
    with JournalReader(tmp_path / "j") as reader:
        looking_on = reader.commands()
        assert next(looking_on).seq == 1
        journal.append(2, 6, encode(AdvanceTime(6)))
        journal.close()
        assert list(looking_on) == []
        assert reader.last_seq() == 2
    with JournalReader(tmp_path / "j") as reader:
        assert reader.verify() == 2


def test_a_closed_journal_is_one_file(tmp_path: Path) -> None:
    write(tmp_path / "j", 9)
    assert [path.name for path in tmp_path.iterdir()] == ["j"]


def test_closing_twice_does_nothing(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j", {})
    journal.close()
    journal.close()


KILLED = """
import os, sys
from engine.commands import AdvanceTime
from engine.record.hashing import ChainHash
from engine.record.journal import Journal
from engine.messages import encode
journal = Journal.create(sys.argv[1], {"seed": "1"}, group_size=10)
for seq in range(1, 38):
    journal.append(seq, seq, encode(AdvanceTime(seq)))
print("written", flush=True)
sys.stdin.read()
"""


def test_a_killed_writer_leaves_the_groups_it_committed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "j")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    with JournalReader(tmp_path / "j") as reader:
        assert reader.verify() == 30
        assert [entry.command.time_ns for entry in reader.commands()] == list(range(1, 31))


@pytest.mark.parametrize(("first", "second"), [(2, None), (0, None), (1, 1), (1, 3)])
def test_the_writer_takes_only_the_next_sequence_number(
    tmp_path: Path, first: int, second: int | None
) -> None:
    wrong, due = (first, 1) if second is None else (second, 2)
    with Journal.create(tmp_path / "j", {}) as journal:
        if second is not None:
            journal.append(first, 0, b"")
        with pytest.raises(
            JournalError, match=rf"command {wrong} is out of sequence, {due} is next"
        ):
            journal.append(wrong, 0, b"")


@pytest.mark.parametrize("time_ns", [2**63, -(2**63) - 1])
def test_a_time_beyond_63_bits_is_refused_before_it_is_buffered(
    tmp_path: Path, time_ns: int
) -> None:
    with Journal.create(tmp_path / "j", {}) as journal:
        with pytest.raises(JournalError, match=f"time_ns {time_ns} of command 1 exceeds 63 bits"):
            journal.append(1, time_ns, b"")
        journal.append(1, 2**63 - 1, encode(AdvanceTime(2**63 - 1)))
    with JournalReader(tmp_path / "j") as reader:
        assert reader.verify() == 1


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "j").write_text("mine")
    with pytest.raises(JournalError, match="j: already exists"):
        Journal.create(tmp_path / "j", {})
    assert (tmp_path / "j").read_text() == "mine"


def test_a_journal_in_a_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="nowhere/j: cannot create the journal"):
        Journal.create(tmp_path / "nowhere" / "j", {})


def test_the_format_version_is_not_the_callers_to_choose(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="'format_version' is written by the journal itself"):
        Journal.create(tmp_path / "j", {"format_version": "9"})


def test_a_group_holds_at_least_one_command(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="group_size is 0; it must be at least 1"):
        Journal.create(tmp_path / "j", {}, group_size=0)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="none: no such journal"):
        JournalReader(tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"SQLite format 3\x00" + bytes(200)])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(JournalError, match="j: not a journal"):
        JournalReader(tmp_path / "j")


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    tamper(tmp_path / "j", "CREATE TABLE commands (seq INTEGER)")
    with pytest.raises(JournalError, match="an SQLite file of another program"):
        JournalReader(tmp_path / "j")


def test_another_format_version_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "j", 1)
    tamper(tmp_path / "j", "UPDATE header SET value = '99' WHERE name = 'format_version'")
    with pytest.raises(JournalError, match="journal format 99; this version reads 1"):
        JournalReader(tmp_path / "j")


@pytest.mark.parametrize("gone", [1, 6, 9])
def test_a_gap_is_named_by_its_first_missing_number(tmp_path: Path, gone: int) -> None:
    write(tmp_path / "j", 10)
    tamper(tmp_path / "j", "DELETE FROM commands WHERE seq = ?", gone)
    with (
        JournalReader(tmp_path / "j") as reader,
        pytest.raises(JournalError, match=rf"command {gone} is missing, {gone + 1} is next"),
    ):
        reader.verify()


def test_a_range_that_starts_in_a_gap_names_it(tmp_path: Path) -> None:
    write(tmp_path / "j", 10)
    tamper(tmp_path / "j", "DELETE FROM commands WHERE seq IN (5, 6)")
    with (
        JournalReader(tmp_path / "j") as reader,
        pytest.raises(JournalError, match="command 5 is missing, 7 is next"),
    ):
        list(reader.commands(5, 8))


def test_a_damaged_command_is_named(tmp_path: Path) -> None:
    write(tmp_path / "j", 10)
    tamper(tmp_path / "j", "UPDATE commands SET payload = x'93a1' WHERE seq = 7")
    with JournalReader(tmp_path / "j") as reader:
        assert len(list(reader.commands(1, 6))) == 6
        with pytest.raises(JournalError, match="command 7 is damaged: not a command"):
            reader.verify()


def test_a_row_that_contradicts_its_command_is_named(tmp_path: Path) -> None:
    write(tmp_path / "j", 10)
    tamper(tmp_path / "j", "UPDATE commands SET time_ns = 1 WHERE seq = 7")
    with (
        JournalReader(tmp_path / "j") as reader,
        pytest.raises(
            JournalError, match="command 7 is damaged: its time is 70 ns, its row says 1 ns"
        ),
    ):
        reader.verify()


def test_a_checkpoint_behind_the_last_command_is_named(tmp_path: Path) -> None:
    write(tmp_path / "j", 3)
    tamper(tmp_path / "j", "INSERT INTO checkpoints VALUES (4, 40, 'aa', 'bb', NULL)")
    with (
        JournalReader(tmp_path / "j") as reader,
        pytest.raises(JournalError, match="checkpoint at command 4, but the last command is 3"),
    ):
        reader.verify()


def test_a_torn_file_is_an_error_not_a_short_run(tmp_path: Path) -> None:
    write(tmp_path / "j", 2_000, group_size=500)
    content = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(content[: len(content) // 2])
    with pytest.raises(JournalError, match="j: "), JournalReader(tmp_path / "j") as reader:
        reader.verify()


def test_a_reader_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "j", 5)
    before = (tmp_path / "j").read_bytes()
    with JournalReader(tmp_path / "j") as reader:
        reader.verify()
    assert (tmp_path / "j").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["j"]


def test_text_in_the_header_is_data_and_never_sql(tmp_path: Path) -> None:
    header = {"scenario": "'); DROP TABLE commands; --", "x'": '"'}
    Journal.create(tmp_path / "a?b#c.sqlite", header).close()
    with JournalReader(tmp_path / "a?b#c.sqlite") as reader:
        assert reader.header() == {"format_version": "1", **header}
        assert reader.verify() == 0
