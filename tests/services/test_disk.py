"""A disk that is full and a transaction that was torn, under real services: a clear end, a restart
when there is room, and nothing acknowledged is lost."""

import json
import os
import resource
import shutil
import time
from pathlib import Path

import pytest

from engine.service_config import SERVICES, IndexConfig
from engine.service_journal import Input, ServiceJournal
from engine.topology import GATEWAY, MATCHING, RISK
from gateway.client import Client
from gateway.clock import PriceWalk, keep_prices
from tests.services.processes import PATIENCE_SECONDS, Processes
from tests.services.trading import Trader, commands_of


def fill_disk_of(processes: Processes, name: str) -> None:
    """No file of that process may become longer than its journal's is by now."""
    wal = Path(f"{processes.config.journal(name)}-wal")
    longest = max(wal.stat().st_size, 1)
    pid = processes.running[name].pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (longest, hard))


@pytest.mark.parametrize("victim", [GATEWAY, RISK, MATCHING])
def test_a_full_disk_ends_the_service_and_nothing_acknowledged_is_lost(
    tmp_path: Path, victim: str
) -> None:
    with Processes(tmp_path) as processes:
        processes.start_all()
        with Client(processes.address) as client:
            trader = Trader(client, commands_of(31, 1_500))
            trader.run_until(300)
            fill_disk_of(processes, victim)
            child = processes.running[victim]
            limit = time.monotonic() + PATIENCE_SECONDS
            while child.poll() is None:
                trader.turn()
                assert time.monotonic() < limit, "the service neither works nor ends"
            assert child.returncode == 1
            told = processes.log(victim)
            assert f"{victim}.journal: cannot write the journal: " in told
            assert "Traceback" not in told
            assert processes.running.pop(victim) is child
            processes.start(victim)
            trader.finish()
        processes.wait_until_ready()
        processes.stop()
        trader.check(processes)


def tear(journal: Path, folder: Path, service: str) -> None:
    """Leave half of one more transaction at the end of a dead service's journal."""
    folder.mkdir()
    copy = folder / journal.name
    for ending in ("", "-wal"):
        shutil.copy(f"{journal}{ending}", f"{copy}{ending}")
    wal = Path(f"{copy}-wal")
    before = wal.stat().st_size
    writer = ServiceJournal(copy, service, keep_inputs=True)
    writer.append([Input("nobody", 1, os.urandom(30_000))])
    after = wal.read_bytes()
    writer.close()
    assert len(after) > before + 8_192, "the transaction was not appended"
    with open(f"{journal}-wal", "ab") as file:
        file.write(after[before : (before + len(after)) // 2])


def test_torn_transactions_are_as_if_they_had_never_been(tmp_path: Path) -> None:
    with Processes(tmp_path / "run") as processes:
        processes.start_all()
        with Client(processes.address) as client:
            trader = Trader(client, commands_of(32, 1_000))
            trader.run_until(400)
            for name in SERVICES:
                processes.kill(name)
            for name in SERVICES:
                tear(processes.config.journal(name), tmp_path / name, name)
                processes.start(name)
            trader.finish()
        processes.wait_until_ready()
        processes.stop()
        trader.check(processes)


def test_the_clock_goes_on_without_its_note_and_never_leaves_half_of_one(tmp_path: Path) -> None:
    file = tmp_path / "index.json"
    walks = [PriceWalk(IndexConfig(7, 10_000), 10_000)]
    keep_prices(file, walks)
    kept = file.read_text()
    assert json.loads(kept) == {"7": 10_000}
    walks[0].price = 9_999
    # A folder in the place of the file that is written first: the disk refuses.
    (tmp_path / "index.new").mkdir()
    keep_prices(file, walks)
    assert file.read_text() == kept
