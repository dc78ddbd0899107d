"""A service's journal: groups of inputs as a whole or not at all, and snapshots that shorten it."""

import resource
from pathlib import Path

import pytest

from engine.record import service_journal
from engine.record.chained_log import group_of
from engine.record.journal import JournalError
from engine.record.service_journal import Input, JournalDamaged, ServiceJournal, Skip, read_inputs
from engine.services.service_config import ConfigError, parse_config


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
    journal.append(numbered(7, 8))
    assert list(read_inputs(journal.path, first - 1)) == numbered(first, 8)
    journal.close()
    if not keep:
        with pytest.raises(JournalError, match="input 4 is missing"):
            list(read_inputs(journal.path, 3))
    again = ServiceJournal(tmp_path / "a.journal", "risk", keep_inputs=keep)
    assert (again.place, list(again.inputs(6))) == (8, numbered(7, 8))


def test_a_long_journal_goes_on_in_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_journal, "FILE_BYTES", 100)
    path = tmp_path / "a.journal"
    for start in range(1, 41, 4):
        journal = ServiceJournal(path, "risk", keep_inputs=True)
        journal.append(numbered(start, start + 3))
        if start % 8 == 1:
            journal.snapshot(bytes([start]))
        journal.close()
    assert len(list(tmp_path.glob("a.journal-*"))) > 3
    assert list(read_inputs(path)) == numbered(1, 40)
    assert list(read_inputs(path, 17)) == numbered(18, 40)


def test_a_skipped_input_is_read_as_what_stands_for_it(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    journal = ServiceJournal(path, "risk", keep_inputs=True)
    journal.append(numbered(1, 3))
    journal.skip(2, Skip(b"instead", ["Withdraw(...)"], "broken", "me", 1))
    with pytest.raises(JournalError, match="input 2 is skipped already"):
        journal.skip(2, Skip(b"again", [], "", "", 0))
    journal.append(numbered(4, 4))
    journal.close()
    expected = numbered(1, 4)
    expected[1] = Input("peer", 2, b"instead")
    again = ServiceJournal(path, "risk", keep_inputs=True)
    assert list(again.inputs()) == list(read_inputs(path)) == expected
    skip = tmp_path / "a.skip-000000000002"
    skip.write_bytes(skip.read_bytes().replace(b"instead", b"another"))
    with pytest.raises(JournalDamaged, match="the skip of row 2 was changed"):
        list(again.inputs())
    skip.unlink()
    with pytest.raises(JournalDamaged, match=r"a\.skip-000000000002: cannot be read"):
        list(again.inputs())


def test_a_service_that_begins_anew_never_goes_back_behind_that(tmp_path: Path) -> None:
    """Neither from an older snapshot nor from the first row: what they lead to is another state."""
    path = tmp_path / "a.journal"
    journal = ServiceJournal(path, "risk", keep_inputs=True)
    journal.append(numbered(1, 3))
    journal.snapshot(b"old")
    journal.append(numbered(4, 6))
    journal.begin_anew(b"new")
    journal.append(numbered(7, 7))
    journal.close()
    journal = ServiceJournal(path, "risk", keep_inputs=True)
    assert journal.last_snapshot() == (6, b"new")
    assert list(journal.inputs(6)) == numbered(7, 7)
    assert list(read_inputs(path)) == numbered(1, 7)
    journal.snapshot(b"newer")
    journal.close()
    for place, found in ((7, (6, b"new")), (6, None)):
        (tmp_path / f"a.snapshot-{place:012}").unlink()
        if found is None:
            with pytest.raises(JournalDamaged, match="no snapshot behind row 6 can be used"):
                ServiceJournal(path, "risk", keep_inputs=True)
        else:
            journal = ServiceJournal(path, "risk", keep_inputs=True)
            assert journal.last_snapshot() == found
            journal.close()


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
    # Half of another group, as a kill in the middle of a write leaves it.
    group, _ = group_of(journal._chain, numbered(3, 60))
    journal.close()
    log = tmp_path / "a.journal-000000000000"
    whole = log.read_bytes()
    for cut in (1, 10, 24, len(group) // 2, len(group) - 1):
        log.write_bytes(whole + group[:cut])
        again = ServiceJournal(path, "risk")
        assert list(again.inputs()) == numbered(1, 2)
        again.close()
        assert log.read_bytes() == whole


def test_a_group_the_head_had_no_time_to_note_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    journal = ServiceJournal(path, "risk")
    journal.append(numbered(1, 2))
    head = path.read_bytes()
    journal.append(numbered(3, 4))
    journal.close()
    path.write_bytes(head)
    again = ServiceJournal(path, "risk")
    assert (again.place, list(again.inputs())) == (4, numbered(1, 4))
    again.append(numbered(5, 5))
    again.close()
    assert list(read_inputs(path)) == numbered(1, 5)


def test_a_full_disk_keeps_nothing_of_the_group(tmp_path: Path) -> None:
    journal = ServiceJournal(tmp_path / "a.journal", "risk")
    journal.append(numbered(1, 2))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        for size in (100_000, 20_000):
            with pytest.raises(JournalError, match="cannot write"):
                journal.append([Input("peer", 3, b"x" * size)])
            assert list(journal.inputs()) == numbered(1, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal.append(numbered(3, 3))
    journal.close()
    assert list(ServiceJournal(tmp_path / "a.journal", "risk").inputs()) == numbered(1, 3)


def test_the_journal_of_another_service_is_refused(tmp_path: Path) -> None:
    ServiceJournal(tmp_path / "a.journal", "risk").close()
    with pytest.raises(JournalError, match="'risk', not of 'matching'"):
        ServiceJournal(tmp_path / "a.journal", "matching")


def test_a_journal_of_an_older_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.journal").write_bytes(b"SQLite format 3\0" + bytes(5_000))
    with pytest.raises(JournalError, match="journal format 2; this version reads 3"):
        ServiceJournal(tmp_path / "a.journal", "risk")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.journal").write_bytes(b"not a database at all" * 100)
    with pytest.raises(JournalError):
        ServiceJournal(tmp_path / "a.journal", "risk")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("run_dir = 3", "run_dir"),
        ("speed = 3", "speed"),
        ('durability = "never"', "allowed are process, disk"),
        ("snapshot_every = 0", "snapshot_every .* is 0"),
        ("snapshot_bytes = 0", "snapshot_bytes .* is 0"),
        ('layout = "separate"\n[addresses]\nbank = "ipc://x"', "addresses.bank .* is unknown"),
        ("[gateway]\nmax_batch = 0", "gateway.max_batch .* is 0"),
        ("[gateway", "services.toml"),
        ('[[instruments]]\nsymbol = "A"\ntick = 0.5', r"tick .* write decimals in quotes"),
        (
            '[[instruments]]\nsymbol = "A"\ntick = "1"\nindex = 100',
            r"index .* write decimals in quotes",
        ),
    ],
)
def test_a_wrong_setting_is_named(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse_config(text, "services.toml")
