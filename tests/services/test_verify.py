"""`seawall verify`: bit rot is found in every row, also where no start would read it."""

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.connections.link import Link
from engine.record import service_journal
from engine.record.service_journal import Input, ServiceJournal
from engine.record.snapshot import pack
from engine.services.journal_check import check_journals
from engine.units import COMPILED
from gateway.client import Client
from seawall.operating.backup import back_up
from tests.services.processes import PATIENCE_SECONDS, ROOT, Processes
from tests.services.trading import Trader, commands_of

RESTORE = "restore the run directory from a backup"


def verify(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "seawall.cli", "verify", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def numbered(first: int, last: int) -> list[Input]:
    return [Input("outside", 0, bytes([place])) for place in range(first, last + 1)]


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty rows in groups of four and several files, snapshots behind rows 33 and 37."""
    monkeypatch.setattr(service_journal, "FILE_BYTES", 300)
    path = tmp_path / "all.journal"
    journal = ServiceJournal(path, "all", keep_inputs=True)
    for start in range(1, 41, 4):
        journal.append(numbered(start, start))
        journal.snapshot(pack([[], start]))
        journal.append(numbered(start + 1, start + 3))
    journal.close()
    return path


def faults(path: Path) -> list[str]:
    [found] = check_journals([path], path.stem)
    return found.faults


def test_a_whole_journal_has_no_faults(journal: Path) -> None:
    [found] = check_journals([journal], "all")
    assert found[:5] == ("all", 40, 40, [37, 33], [])


@pytest.mark.skipif(COMPILED, reason="compiled constants cannot be replaced from outside")
def test_one_bit_anywhere_is_found_and_named(journal: Path) -> None:
    rng = random.Random(1)
    files = [one for one in journal.parent.iterdir() if one != journal]
    assert len(files) > 4
    for file in files:
        whole = file.read_bytes()
        for place in [0, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(30))]:
            data = bytearray(whole)
            data[place] ^= 1 << rng.randrange(8)
            file.write_bytes(data)
            told = faults(journal)
            assert told and str(file) in told[0], (file, place)
        file.write_bytes(whole)
        assert faults(journal) == []


def rotten(journal: Path, row: int) -> None:
    """Change the first row of a group."""
    bases = [int(one.name[-12:]) for one in journal.parent.glob("all.journal-*")]
    file = journal.with_name(f"all.journal-{max(one for one in bases if one < row):012}")
    data = file.read_bytes()
    at = data.index(b"\x93\xa7outside\x00\xc4\x01" + bytes([row]))
    file.write_bytes(data[:at] + b"\x93\xa7Outside" + data[at + 9 :])


@pytest.mark.skipif(COMPILED, reason="compiled constants cannot be replaced from outside")
def test_rot_behind_and_before_the_last_snapshot_is_told_apart(journal: Path) -> None:
    rotten(journal, 2)
    rotten(journal, 39)
    first, second = faults(journal)
    assert re.search(r"row 2 at byte \d+ is not what was written \(its checksum differs\)", first)
    assert RESTORE in first and first.endswith("begins behind row 37 and does not read it)")
    assert "row 38 at byte" in second and second.endswith("and ends at it)")


def test_a_log_that_lost_its_end_or_its_first_file(journal: Path) -> None:
    last = sorted(journal.parent.glob("all.journal-*"))[-1]
    data = last.read_bytes()
    last.write_bytes(data[:-1])
    [told] = faults(journal)
    assert "is cut off" in told and told.endswith("ends at it)")
    last.write_bytes(data)
    journal.with_name("all.journal-000000000000").unlink()
    [told] = faults(journal)
    assert "all.journal-000000000000: is missing, with rows 1 to" in told


def test_files_of_another_run_are_told(journal: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    path = other / "all.journal"
    there = ServiceJournal(path, "all", keep_inputs=True)
    there.append([Input("outside", 0, b"another")] * 37)
    there.snapshot(pack([[], 0]))
    there.close()
    shutil.copy(other / "all.snapshot-000000000037", tmp_path)
    [told] = faults(journal)
    assert "row 37 is not the one noted in the head or in a snapshot" in told


def test_neighbours_from_different_backups_are_told(tmp_path: Path) -> None:
    sender, receiver = Link("risk"), Link("gateway")
    paths = [tmp_path / f"{name}.journal" for name in ("gateway", "risk")]
    gateway, risk = (ServiceJournal(path, path.stem, keep_inputs=True) for path in paths)
    for number in range(1, 4):
        sender.put(b"frame %d" % number)
        receiver.received = number
        risk.append([Input("gateway", number, b"frame %d" % number)])
    assert sender.acknowledge(3)
    gateway.append(numbered(1, 3))
    gateway.snapshot(pack([[sender.state()], 0]))
    assert [found.faults for found in check_journals(paths, "risk")] == [[], []]
    sender.put(b"frame 4")
    assert sender.acknowledge(4)
    gateway.append(numbered(4, 4))
    gateway.snapshot(pack([[sender.state()], 0]))
    gateway.close()
    risk.close()
    [_, found] = check_journals(paths, "risk")
    [told] = found.faults
    assert "ends at frame 3 of gateway, but frame 4 was acknowledged" in told
    assert "a journal lost rows, or is from another backup" in told and RESTORE in told


# services as processes


def test_a_running_exchange_is_checked(tmp_path: Path) -> None:
    with Processes(tmp_path / "run", snapshot_every=4) as processes:
        processes.start_all()
        with Client(processes.address) as client:
            trader = Trader(client, commands_of(3, 300))
            trader.at_once = 5
            config = ["--config", str(processes.file)]
            child = subprocess.Popen(
                [sys.executable, "-m", "seawall.cli", "verify", *config],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            while child.poll() is None:
                trader.turn(0.01)
            told, wrong = child.communicate()
            assert (child.returncode, wrong) == (0, "")
            assert [line.split(":")[0] for line in told.splitlines()] == sorted(
                processes.config.services()
            )
            trader.finish()
        folder = tmp_path / "copy"
        back_up(processes.config, folder)
    recorder = processes.config.recorder()
    first = sorted(folder.glob(f"{recorder}.journal-*"))[0]
    data = bytearray(first.read_bytes())
    data[100] ^= 1
    first.write_bytes(data)
    done = verify(str(folder))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"{first}: row 1 at byte 48 is not what was written")
    assert f"{recorder}: " in done.stdout and "DAMAGED" in done.stdout


def no_journal(folder: Path) -> str:
    return "has no journal of services (NAME.journal)"


def of_a_scenario(folder: Path) -> str:
    (folder / "journal.sqlite").touch()
    return "the run of a scenario; check it with seawall replay"


@pytest.mark.parametrize("kind", [no_journal, of_a_scenario])
def test_a_folder_without_a_journal_of_services(
    tmp_path: Path, kind: Callable[[Path], str]
) -> None:
    words = kind(tmp_path)
    done = verify(str(tmp_path))
    assert (done.returncode, done.stderr) == (2, f"seawall: {tmp_path}: {words}\n")
