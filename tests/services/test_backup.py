"""`seawall backup`: a copy of a running exchange that goes on where the exchange was."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.chained_log import bases_of, file_of
from engine.service_config import ALL, ONE
from gateway.client import Client
from tests.services.processes import PATIENCE_SECONDS, ROOT, Processes
from tests.services.trading import Trader, check_state, commands_of


def back_up(processes: Processes, folder: Path) -> "subprocess.CompletedProcess[str]":
    config = str(processes.file)
    return subprocess.run(
        [sys.executable, "-m", "seawall.cli", "backup", "--config", config, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_a_running_exchange_is_copied_and_the_copy_goes_on(tmp_path: Path) -> None:
    with Processes(tmp_path / "run", ONE, snapshot_every=2) as processes:
        processes.start_all()
        with Client(processes.address) as client:
            trader = Trader(client, commands_of(3, 900))
            trader.run_until(300)
            known = len(trader.replies)
            child = subprocess.Popen(
                [
                    *(sys.executable, "-m", "seawall.cli", "backup"),
                    *("--config", str(processes.file), str(tmp_path / "copy")),
                ],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
            )
            while child.poll() is None:
                trader.turn()
            told = child.communicate()[0]
            assert child.returncode == 0
            trader.finish()
        processes.stop()
        trader.check(processes)
        everything = processes.recorded()
    assert told.startswith("all: ") and "read and whole, last snapshot behind input" in told
    with Processes(tmp_path / "copy", ONE) as copy:
        copy.start_all()
        copy.wait_until_ready()
        copy.stop()
        batches = copy.recorded()
        assert batches == everything[: len(batches)]
        assert sum(len(batch.commands) for batch in batches) >= known
        check_state(copy)


def test_separate_services_are_copied_when_they_are_stopped(tmp_path: Path) -> None:
    with Processes(tmp_path / "run") as processes:
        processes.start_all()
        processes.wait_until_ready()
        refused = back_up(processes, tmp_path / "copy")
        assert refused.returncode != 0
        [line] = refused.stderr.splitlines()
        assert "another process has it open; stop separate services before" in line
        with Client(processes.address) as client:
            trader = Trader(client, commands_of(3, 200))
            trader.finish()
        processes.stop()
        assert back_up(processes, tmp_path / "copy").returncode == 0
        state = processes.state_hash()
    with Processes(tmp_path / "copy") as copy:
        copy.start_all()
        copy.wait_until_ready()
        copy.stop()
        assert copy.state_hash() == state


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
        done = back_up(processes, tmp_path / "copy")
    assert done.returncode != 0
    [line] = done.stderr.splitlines()
    if kept:
        assert "is there already; name a new folder" in line
    else:
        assert "row 1 at byte 48 is not what was written" in line
        assert not (tmp_path / "copy").exists()
