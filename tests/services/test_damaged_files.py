"""Files that are not what was written: the exchange comes back in the right state, or says in one
line which file, which row, and what to do. Never a hang, never an endless restart, never another
state without a word."""

import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.record.chained_log import (
    Input,
    JournalDamaged,
    LogReader,
    bases_of,
    file_of,
    start_of,
)
from engine.record.journal import JournalError
from engine.record.journal_cut import cut_journal
from engine.record.service_journal import ServiceJournal
from engine.record.snapshot_file import snapshots_of
from engine.routing.topology import GATEWAY, RISK
from engine.services.service_config import ALL, ONE, SERVICES
from gateway.client import Client
from gateway.serve import DAMAGED
from tests.services.processes import PATIENCE_SECONDS, ROOT, Processes
from tests.services.supervised import Running
from tests.services.trading import Trader, check_state, commands_of

LONG = os.environ.get("SEAWALL_PROFILE") == "long"
FLIPS = 2_000 if LONG else 300
NAMED = re.compile(
    r"a\.(journal|snapshot).*(row \d+|rows \d+ to \d+|settings|beginning|missing|cut)"
)


def body(number: int) -> bytes:
    return f"input {number} ".encode() * (number % 5 + 1)


def fill(folder: Path, count: int, *, keep_inputs: bool) -> Path:
    """A journal as a killed service leaves it, with two snapshots before half of the inputs; a
    state is the number of inputs."""
    path = folder / "a.journal"
    journal = ServiceJournal(path, "a", keep_inputs=keep_inputs)
    rng = random.Random(1)
    place = 0
    while place < count:
        rows = min(rng.randint(1, 4), count - place)
        journal.append([Input("peer", place + n, body(place + n)) for n in range(1, rows + 1)])
        if place // 20 != (place + rows) // 20 and place < 40:
            journal.snapshot(str(place + rows).encode())
        place += rows
    journal.close()
    return path


def outcome(path: Path, *, keep_inputs: bool) -> tuple[int, list[str]]:
    """The state a service would come to, as the number of inputs it has, and the notes.

    Every input has to be the right one.
    """
    journal = ServiceJournal(path, "a", keep_inputs=keep_inputs)
    try:
        found = journal.last_snapshot()
        place = 0 if found is None else found[0]
        assert found is None or found[1] == str(place).encode()
        for entry in journal.inputs(place):
            place += 1
            assert entry == Input("peer", place, body(place))
        assert place == journal.place
        return place, journal.notes
    finally:
        journal.close()


def flip(file: Path, rng: random.Random) -> None:
    data = bytearray(file.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    file.write_bytes(data)


def cut(file: Path, rng: random.Random) -> None:
    os.truncate(file, rng.randrange(file.stat().st_size))


def overwrite(file: Path, rng: random.Random) -> None:
    data = bytearray(file.read_bytes())
    at = rng.randrange(len(data))
    data[at : at + 40] = rng.randbytes(len(data[at : at + 40]))
    file.write_bytes(data)


def remove(file: Path, _: random.Random) -> None:
    file.unlink()


DAMAGES: list[Callable[[Path, random.Random], None]] = [flip, cut, overwrite, remove]


@pytest.mark.parametrize("keep_inputs", [True, False])
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_of_one_file_ends_in_the_right_state_or_in_a_line(
    tmp_path: Path, damage: Callable[[Path, random.Random], None], keep_inputs: bool
) -> None:
    rng = random.Random(f"{damage.__name__} {keep_inputs}")
    (tmp_path / "whole").mkdir()
    fill(tmp_path / "whole", 90, keep_inputs=keep_inputs)
    files = sorted(file.name for file in (tmp_path / "whole").iterdir())
    right = named = 0
    for number in range(FLIPS // len(DAMAGES)):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", folder)
        damage(folder / rng.choice(files), rng)
        try:
            place, _ = outcome(folder / "a.journal", keep_inputs=keep_inputs)
            assert place == 90
            right += 1
        except JournalDamaged as error:
            assert NAMED.search(str(error)), error
            assert "\n" not in str(error)
            assert "restore the run directory from a backup" in str(error)
            named += 1
        shutil.rmtree(folder)
    assert named > 0
    assert right > 0 or damage is remove


def test_a_damaged_snapshot_is_named_put_aside_and_the_older_one_taken(tmp_path: Path) -> None:
    path = fill(tmp_path, 90, keep_inputs=False)
    newest, older = snapshots_of(path)
    file = tmp_path / f"a.snapshot-{newest:012}"
    flip(file, random.Random(1))
    place, [note] = outcome(path, keep_inputs=False)
    assert place == 90
    assert f"{file}: is not what was written" in note
    assert file.with_name(f"{file.name}.damaged").exists()
    assert snapshots_of(path) == [older]
    assert outcome(path, keep_inputs=False) == (90, [])


def test_without_any_snapshot_all_kept_inputs_are_handled_again(tmp_path: Path) -> None:
    path = fill(tmp_path, 90, keep_inputs=True)
    for file in tmp_path.glob("a.snapshot-*"):
        flip(file, random.Random(1))
    place, notes = outcome(path, keep_inputs=True)
    assert (place, len(notes)) == (90, 2)
    (tmp_path / "short").mkdir()
    path = fill(tmp_path / "short", 90, keep_inputs=False)
    for file in tmp_path.glob("short/a.snapshot-*"):
        file.unlink()
    with pytest.raises(JournalDamaged, match=r"rows 1 to \d+ are gone and no snapshot can be used"):
        outcome(path, keep_inputs=False)


@pytest.mark.parametrize("row", [1, 25, 60])
def test_a_cut_journal_ends_before_the_damaged_row_and_goes_on(tmp_path: Path, row: int) -> None:
    path = fill(tmp_path, 90, keep_inputs=True)
    begins = group_starts(path)
    first = max(one for one in begins if one <= row)
    [log] = tmp_path.glob("a.journal-*")
    data = bytearray(log.read_bytes())
    data[begins[first] + 30] ^= 1
    log.write_bytes(data)
    if row == 60:
        with pytest.raises(JournalDamaged, match=f"row {first} at byte {begins[first]} "):
            ServiceJournal(path, "a", keep_inputs=True)
    lost = cut_journal(path, "a", first)
    assert lost == 91 - first
    assert outcome(path, keep_inputs=True) == (first - 1, [])
    journal = ServiceJournal(path, "a", keep_inputs=True)
    for place in range(first, 95):
        journal.append([Input("peer", place, body(place))])
    journal.close()
    assert outcome(path, keep_inputs=True) == (94, [])
    assert list(tmp_path.glob("*.cut"))


def group_starts(path: Path) -> dict[int, int]:
    """The first row of each group, and the byte at which it begins."""
    reader = LogReader(path, start_of(path, 0))
    found = {1: reader.position.offset}
    for _ in reader.groups():
        found[reader.position.place + 1] = reader.position.offset
    return found


def test_a_journal_is_cut_between_groups_only_and_not_beyond_its_end(tmp_path: Path) -> None:
    path = fill(tmp_path, 90, keep_inputs=True)
    begins = group_starts(path)
    inside = next(row for row in range(50, 90) if row not in begins)
    for row in (inside, 200):
        with pytest.raises(JournalError, match="begins no group that can be reached"):
            cut_journal(path, "a", row)
    assert outcome(path, keep_inputs=True) == (90, [])
    assert cut_journal(path, "a", 91) == 0
    assert outcome(path, keep_inputs=True) == (90, [])


def test_files_of_two_histories_are_not_mixed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "a.journal"
        journal = ServiceJournal(path, "a")
        journal.append([Input(name, 1, name.encode())])
        journal.close()
    log = "a.journal-000000000000"
    shutil.copy(tmp_path / "two" / log, tmp_path / "one" / log)
    with pytest.raises(JournalDamaged, match="row 1 is not the one noted here"):
        ServiceJournal(tmp_path / "one" / "a.journal", "a")


# services as processes


def traded(folder: Path, layout: str, rng: random.Random) -> tuple[Processes, Trader]:
    """A run directory of services that were killed in the middle of a flow."""
    processes = Processes(folder, layout, snapshot_every=rng.choice((60, 20_000)))
    processes.start_all()
    processes.wait_until_ready()
    with Client(processes.address) as client:
        trader = Trader(client, commands_of(rng.randrange(100), 300))
        trader.run_until(250)
    for name in list(processes.running):
        processes.kill(name)
    return processes, trader


def journal_files(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.iterdir()
        if file.is_file() and (".journal" in file.name or ".snapshot" in file.name)
    )


def test_one_process_with_a_damaged_file_says_so_or_has_every_acknowledged_order(
    tmp_path: Path,
) -> None:
    rng = random.Random(7)
    processes, trader = traded(tmp_path / "run", ONE, rng)
    acknowledged = len(trader.replies)
    recorded = sum(len(batch.commands) for batch in processes.recorded())
    assert recorded >= acknowledged
    for number in range(40 if LONG else 6):
        folder = tmp_path / str(number)
        shutil.copytree(
            tmp_path / "run", folder, ignore=lambda _, names: [n for n in names if "ipc" in n]
        )
        with Processes(folder, ONE) as again:
            (folder / "all.log").unlink()
            file = rng.choice(journal_files(folder))
            rng.choice(DAMAGES)(file, rng)
            again.start(ALL)
            ended = wait_until_ready_or_ended(again, ALL)
            if ended is None:
                again.stop()
                assert sum(len(batch.commands) for batch in again.recorded()) == recorded
            else:
                assert ended == DAMAGED, again.log(ALL)
                [line] = again.log(ALL).splitlines()
                assert line.startswith(str(folder)) and "restore the run directory" in line


def wait_until_ready_or_ended(processes: Processes, name: str) -> int | None:
    """None once it is ready, otherwise its exit code."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while f"{name} ready\n" not in processes.log(name):
        code = processes.running[name].poll()
        if code is not None:
            assert code == DAMAGED, processes.log(name)
            del processes.running[name]
            return code
        assert time.monotonic() < limit, f"neither ready nor ended: {processes.log(name)}"
        time.sleep(0.02)
    return None


def test_without_a_backup_the_exchange_goes_on_before_the_damaged_row(tmp_path: Path) -> None:
    processes, _ = traded(tmp_path / "run", ONE, random.Random(8))
    [log] = (tmp_path / "run").glob("all.journal-*")
    data = bytearray(log.read_bytes())
    data[-1] ^= 1
    log.write_bytes(data)
    before = processes.config.journal(ALL)
    with Processes(tmp_path / "run", ONE) as again:
        (tmp_path / "run" / "all.log").unlink()
        again.start(ALL)
        assert again.running.pop(ALL).wait(PATIENCE_SECONDS) == DAMAGED
        found = re.search(rf"{before}-000000000000: row (\d+) at byte", again.log(ALL))
        assert found is not None
        command = ["cut", "--input", found[1], "--config", str(again.file)]
        done = subprocess.run(
            [sys.executable, "-m", "seawall.cli", *command],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert f"ends before input {found[1]} now; inputs lost" in done.stdout
        assert "were answered: 1 " in done.stdout
        again.start(ALL)
        assert wait_until_ready_or_ended(again, ALL) is None
        again.stop()
        check_state(again)


@pytest.mark.parametrize("victim", SERVICES)
def test_a_journal_from_an_older_backup_is_named_by_its_neighbours(
    tmp_path: Path, victim: str
) -> None:
    with Processes(tmp_path / "run") as processes:
        processes.start_all()
        processes.wait_until_ready()
        with Client(processes.address) as client:
            trader = Trader(client, commands_of(5, 600))
            trader.at_once = 3
            trader.run_until(200)
            for name in SERVICES:
                processes.kill(name)
            older = {file: file.read_bytes() for file in files_of(processes, victim)}
            for name in SERVICES:
                processes.start(name)
            trader.finish()
        processes.stop()
        for file in files_of(processes, victim):
            file.unlink()
        for file, data in older.items():
            file.write_bytes(data)
        for name in SERVICES:
            (tmp_path / "run" / f"{name}.log").unlink()
            processes.start(name)
        limit = time.monotonic() + PATIENCE_SECONDS
        ended: list[str] = []
        while not ended and not all("ready\n" in processes.log(name) for name in SERVICES):
            ended = [name for name in SERVICES if processes.running[name].poll() is not None]
            assert time.monotonic() < limit, "nobody notices"
            time.sleep(0.05)
        if victim in (GATEWAY, RISK):
            assert ended
        if not ended:
            # What it had not acknowledged yet is sent again: nothing is lost.
            processes.stop()
            trader.check(processes)
        for name in ended:
            assert processes.running.pop(name).returncode == DAMAGED
            [line] = [one for one in processes.log(name).splitlines() if "ready" not in one]
            assert f"{name}.journal: " in line and "restore the run directory" in line


def files_of(processes: Processes, name: str) -> list[Path]:
    folder = Path(processes.config.run_dir)
    return [*folder.glob(f"{name}.journal*"), *folder.glob(f"{name}.snapshot*")]


def test_up_gives_up_at_once_on_a_damaged_journal(tmp_path: Path) -> None:
    with Running(tmp_path):
        pass
    journal = tmp_path / "run" / "all.journal"
    file = file_of(journal, bases_of(journal)[-1])
    for snapshot in (tmp_path / "run").glob("all.snapshot-*"):
        snapshot.unlink()
    data = bytearray(file.read_bytes())
    data[60] ^= 4
    file.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-m", "seawall.cli", "up", "--config", str(tmp_path / "services.toml")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 1
    [line] = [one for one in done.stderr.splitlines() if "clock" not in one]
    assert re.match(rf"{file}: row 1 at byte 48 is not what was written .* restore", line)
    assert "all cannot use its journal; giving up" in done.stdout
    assert "starting it again" not in done.stdout


def cut(processes: Processes, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "seawall.cli", "cut", *words, "--config", str(processes.file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_a_damaged_book_is_made_anew_from_the_journal_of_risk(tmp_path: Path) -> None:
    name = "matching-1"
    with Processes(tmp_path / "run", matching_shards=2, snapshot_every=60) as processes:
        processes.start_all()
        with Client(processes.address) as client:
            trader = Trader(client, commands_of(5, 300))
            trader.at_once = 3
            trader.run_until(200)
            refused = cut(processes, "--service", name)
            assert refused.returncode == 2 and "another process has it open" in refused.stderr
            for one in list(processes.running):
                processes.kill(one)
            for file in files_of(processes, name):
                file.write_bytes(file.read_bytes()[:-9])
            processes.start(name)
            assert processes.running.pop(name).wait(PATIENCE_SECONDS) == DAMAGED
            for words in ((), ("--service", RISK), ("--input", "3")):
                refused = cut(processes, *words)
                assert (
                    "give --service, one of matching-0, matching-1, liquidation" in refused.stderr
                )
            done = cut(processes, "--service", name)
            assert (done.returncode, done.stderr) == (0, "")
            assert "made anew from risk's; nothing is lost" in done.stdout
            processes.start_all()
            trader.finish()
        processes.stop()
        trader.check(processes)
