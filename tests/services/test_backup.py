"""`seawall backup`: a copy of a running exchange that goes on where the exchange was."""

import random
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from engine.commands import QueryMarket
from engine.record.chained_log import bases_of, file_of
from engine.services.service_config import ALL, ONE
from gateway.client import Client
from seawall.operating.backup import back_up
from tests.services.processes import PATIENCE_SECONDS, ROOT, Processes
from tests.services.trading import Trader, check_state, commands_of


def backing_up(processes: Processes, folder: Path) -> "subprocess.Popen[str]":
    config = str(processes.file)
    return subprocess.Popen(
        [sys.executable, "-m", "seawall.cli", "backup", "--config", config, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("settings", [{"layout": ONE}, {"matching_shards": 2}], ids=str)
def test_a_running_exchange_is_copied_and_the_copy_goes_on(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    folder = tmp_path / "copy"
    with (
        ThreadPoolExecutor(1) as thread,
        Processes(tmp_path / "run", snapshot_every=4, **settings) as processes,
    ):
        processes.start_all()
        with Client(processes.address) as client:
            trader = Trader(client, commands_of(3, 400))
            trader.at_once = 1
            trader.run_until(150)
            answered = len(trader.replies)
            backup = thread.submit(back_up, processes.config, folder)
            victim = random.Random(5).choice(processes.config.services())
            processes.kill(victim)
            processes.start(victim)
            while not backup.done():
                trader.turn(0.001)
            lines = backup.result()
            trader.at_once = 100
            trader.finish()
        processes.wait_until_ready()
        processes.stop()
        trader.check(processes)
        everything = processes.recorded()
    names = [line.split(":")[0] for line in lines]
    assert names == sorted(processes.config.services())
    assert all(" read and whole, " in line for line in lines)
    with Processes(folder, **settings) as copy:
        copy.start_all()
        with Client(copy.address) as client:
            # Answered when all before it is done.
            client.call(QueryMarket(0), PATIENCE_SECONDS)
        copy.stop()
        assert all(copy.log(name) == f"{name} ready\n" for name in names)
        asked = [QueryMarket]
        batches = [one for one in copy.recorded() if [*map(type, one.commands)] != asked]
        assert batches == everything[: len(batches)]
        assert sum(len(batch.commands) for batch in batches) >= answered
        check_state(copy)


def test_the_command_says_what_it_copied(tmp_path: Path) -> None:
    with Processes(tmp_path / "run", ONE) as processes:
        processes.start_all()
        with Client(processes.address) as client:
            Trader(client, commands_of(3, 100)).finish()
        done = backing_up(processes, tmp_path / "copy")
        told, faults = done.communicate(timeout=PATIENCE_SECONDS)
    assert (done.returncode, faults) == (0, "")
    assert re.fullmatch(r"all: (\d+) inputs, \1 read and whole, no snapshot\n", told)
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o700
    assert (tmp_path / "copy" / "clock.note").exists()


@pytest.mark.parametrize("kept", [True, False])
def test_a_damaged_journal_is_not_copied_but_named(tmp_path: Path, kept: bool) -> None:
    with Processes(tmp_path / "run", ONE) as processes:
        processes.start_all()
        with Client(processes.address) as client:
            Trader(client, commands_of(3, 200)).finish()
        processes.stop()
        journal = processes.config.journal(ALL)
        log = file_of(journal, bases_of(journal)[0])
        data = bytearray(log.read_bytes())
        data[80] ^= 1
        log.write_bytes(data)
        if kept:
            (tmp_path / "copy").mkdir()
        done = backing_up(processes, tmp_path / "copy")
        _, told = done.communicate(timeout=PATIENCE_SECONDS)
    assert done.returncode != 0
    [line] = told.splitlines()
    if kept:
        assert "is there already; name a new folder" in line
    else:
        assert f"{log}: row 1 at byte 48 is not what was written" in line
        assert not (tmp_path / "copy").exists()


def test_a_journal_on_another_host_is_missed(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "run")
    processes.config.journal("risk").touch()
    done = backing_up(processes, tmp_path / "copy")
    _, told = done.communicate(timeout=PATIENCE_SECONDS)
    assert done.returncode == 2
    assert "matching.journal: is missing; a copy needs the journals of all services" in told
