"""A disk that is full and a group that was torn, under real services: a clear end, a restart
when there is room, and nothing acknowledged is lost."""

import json
import os
import resource
import time
from pathlib import Path

import pytest

from engine import commands as c
from engine.events import OrderAccepted
from engine.record.chained_log import FIRST_CHAIN, Input, bases_of, file_of, group_of
from engine.routing.topology import GATEWAY, MATCHING, RISK
from engine.services.service_config import ALL, ONE, SEPARATE, IndexConfig
from gateway.client import Client
from gateway.host.clock import PriceWalk, keep_prices
from gateway.serve import NO_ROOM
from tests.services.processes import PATIENCE_SECONDS, ROOT, Processes
from tests.services.streams import RULEBOOKS, START_NS, opening
from tests.services.supervised import Running
from tests.services.trading import Trader, commands_of


def fill_disk_of(processes: Processes, name: str) -> None:
    """No file of that process may become longer than its journal's is by now."""
    journal = processes.config.journal(name)
    # Room for the head, which is a page from the beginning, and for what the service complains of.
    longest = max(4_096, file_of(journal, bases_of(journal)[-1]).stat().st_size)
    pid = processes.running[name].pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (longest, hard))


@pytest.mark.parametrize("victim", [ALL, GATEWAY, RISK, MATCHING])
def test_a_full_disk_ends_the_service_and_nothing_acknowledged_is_lost(
    tmp_path: Path, victim: str
) -> None:
    with Processes(tmp_path, ONE if victim == ALL else SEPARATE) as processes:
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
            assert child.returncode == NO_ROOM
            told = processes.log(victim)
            assert f"{victim}.journal: cannot write the journal: " in told
            assert "Traceback" not in told
            assert processes.running.pop(victim) is child
            processes.start(victim)
            trader.finish()
        processes.wait_until_ready()
        processes.stop()
        trader.check(processes)


FULL = """
import errno, os
import seawall.operating.services

seawall.operating.services.PATIENCE = 2
seawall.operating.services.ROOM_SECONDS = 0.2
pwrite = os.pwrite


def without_room(file, data, offset):
    if os.path.exists(os.environ["FULL"]):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return pwrite(file, data, offset)


os.pwrite = without_room
"""
"""Put before `seawall up` as the module Python imports by itself: a disk that is full at will."""


def test_up_goes_on_trying_while_the_disk_is_full(tmp_path: Path) -> None:
    """Regression: after half a minute it gave up."""
    (tmp_path / "sitecustomize.py").write_text(FULL)
    full = tmp_path / "full"
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "FULL": str(full)}
    with Running(tmp_path / "up", env=environment) as up, Client(up.address) as client:
        client.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
        full.touch()
        pids = {up.children()["all"]}
        up.wait_for("all: no room in ")
        limit = time.monotonic() + PATIENCE_SECONDS
        while len(pids) < 5:
            pids.add(up.children().get("all", 0))
            assert up.child.poll() is None, "it gave up"
            assert time.monotonic() < limit
            time.sleep(0.05)
        full.unlink()
        order = c.SubmitOrder(0, 100, 7, 0, c.BUY, 5, 9_000)
        assert isinstance(client.call(order, timeout_s=30).events[0], OrderAccepted)


def tear(journal: Path) -> None:
    """Leave half of one more group at the end of a dead service's journal."""
    group, _ = group_of(FIRST_CHAIN, [Input("nobody", 1, os.urandom(30_000))])
    with open(file_of(journal, bases_of(journal)[-1]), "ab") as file:
        file.write(group[: len(group) // 2])


@pytest.mark.parametrize("layout", [ONE, SEPARATE])
def test_torn_groups_are_as_if_they_had_never_been(tmp_path: Path, layout: str) -> None:
    with Processes(tmp_path / "run", layout) as processes:
        processes.start_all()
        with Client(processes.address) as client:
            trader = Trader(client, commands_of(32, 1_000))
            trader.run_until(400)
            for name in processes.config.services():
                processes.kill(name)
            for name in processes.config.services():
                tear(processes.config.journal(name))
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
