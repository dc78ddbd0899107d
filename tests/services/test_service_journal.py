"""A service's journal: groups of inputs as a whole or not at all, and snapshots that shorten it."""

import sqlite3
from pathlib import Path

import pytest

from engine.journal import JournalError
from engine.service_config import ConfigError, parse_config
from engine.service_journal import Input, ServiceJournal


def numbered(first: int, last: int) -> list[Input]:
    return [Input("peer", seq, bytes([seq])) for seq in range(first, last + 1)]


def test_inputs_come_back_in_order(tmp_path: Path) -> None:
    journal = ServiceJournal(tmp_path / "a.journal", "risk")
    journal.append(numbered(1, 3))
    journal.append(numbered(4, 5))
    journal.close()
    journal = ServiceJournal(tmp_path / "a.journal", "risk")
    assert list(journal.inputs()) == numbered(1, 5)
    assert list(journal.inputs(after=3)) == numbered(4, 5)
    assert journal.place == 5


@pytest.mark.parametrize(("keep", "first"), [(True, 1), (False, 5)])
def test_a_snapshot_forgets_the_inputs_no_kept_snapshot_needs(
    tmp_path: Path, keep: bool, first: int
) -> None:
    journal = ServiceJournal(tmp_path / "a.journal", "risk", keep_inputs=keep)
    for number in (2, 4, 6):
        journal.append(numbered(number - 1, number))
        journal.snapshot(bytes([number]))
    assert journal.last_snapshot() == (6, bytes([6]))
    journal.close()
    found = sqlite3.connect(tmp_path / "a.journal").execute("SELECT min(place) FROM inputs")
    assert found.fetchone()[0] == first


def test_two_services_cannot_have_one_journal(tmp_path: Path) -> None:
    journal = ServiceJournal(tmp_path / "a.journal", "risk")
    journal.append(numbered(1, 2))
    with pytest.raises(JournalError, match="another process has it open"):
        ServiceJournal(tmp_path / "a.journal", "risk", patience_ms=100)
    journal.close()
    assert ServiceJournal(tmp_path / "a.journal", "risk").place == 2


def test_places_go_on_after_all_inputs_were_forgotten(tmp_path: Path) -> None:
    journal = ServiceJournal(tmp_path / "a.journal", "risk")
    journal.append(numbered(1, 2))
    journal.snapshot(b"one")
    journal.snapshot(b"two")
    journal.close()
    assert ServiceJournal(tmp_path / "a.journal", "risk").place == 2


def test_a_group_that_was_torn_is_gone_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    journal = ServiceJournal(path, "risk")
    journal.append(numbered(1, 2))
    before = path.with_name("a.journal-wal").read_bytes()
    journal.append(numbered(3, 60))
    after = path.with_name("a.journal-wal").read_bytes()
    torn = tmp_path / "torn.journal"
    torn.write_bytes(path.read_bytes())
    cut = (len(before) + len(after)) // 2
    torn.with_name("torn.journal-wal").write_bytes(after[:cut])
    assert list(ServiceJournal(torn, "risk").inputs()) == numbered(1, 2)


def test_a_full_disk_keeps_nothing_of_the_group(tmp_path: Path) -> None:
    journal = ServiceJournal(tmp_path / "a.journal", "risk")
    journal.append(numbered(1, 2))
    journal._connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(JournalError, match="cannot write"):
        journal.append([Input("peer", 3, b"x" * 100_000)])
    assert list(journal.inputs()) == numbered(1, 2)


def test_the_journal_of_another_service_is_refused(tmp_path: Path) -> None:
    ServiceJournal(tmp_path / "a.journal", "risk").close()
    with pytest.raises(JournalError, match="'risk', not of 'matching'"):
        ServiceJournal(tmp_path / "a.journal", "matching")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.journal").write_bytes(b"not a database at all" * 100)
    with pytest.raises(JournalError):
        ServiceJournal(tmp_path / "a.journal", "risk")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("run_dir = 3", "run_dir"),
        ("speed = 3", "speed"),
        ('durability = "never"', "allowed: 'process', 'disk'"),
        ("snapshot_every = 0", "snapshot_every is 0"),
        ("snapshot_bytes = 0", "snapshot_bytes is 0"),
        ('layout = "separate"\n[addresses]\nbank = "ipc://x"', "addresses.bank is no service"),
        ("[gateway]\nmax_batch = 0", "gateway.max_batch is 0"),
        ("[gateway", "services.toml"),
    ],
)
def test_a_wrong_setting_is_named(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse_config(text, "services.toml")
