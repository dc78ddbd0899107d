"""An exchange of real processes to measure: started by `seawall up`, filled, watched, stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from bench.worlds import USD, market_commands
from engine.commands import Command, Deposit, OpenAccount, SetLeverage
from gateway.client import Address, Client
from gateway.protocol import RIGHTS
from gateway.rights.keys import new_pair
from risk.accounts import FIRST_TRADER

Environment = dict[str, str]
ROOT: Final[Path] = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS: Final[int] = 60
ACCOUNTS_PER_CLIENT: Final[int] = 100
LEVERAGE: Final[int] = 3
CLIENTS: Final[int] = 2
DEPOSIT_Q: Final[int] = 10**15
_HERTZ: Final[int] = os.sysconf("SC_CLK_TCK")


def environment_of(build: Path | None) -> Environment:
    """The environment in which children run the compiled engine of a folder, or the sources."""
    paths = [str(ROOT)] if build is None else [str(build), str(ROOT)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}


def accounts_of(client: int) -> list[int]:
    """The accounts one client trades for."""
    first = FIRST_TRADER + client * ACCOUNTS_PER_CLIENT
    return list(range(first, first + ACCOUNTS_PER_CLIENT))


def opening(instruments: int = 1) -> list[Command]:
    """Contracts marked at `START_TICKS` and rich accounts for every client."""
    numbers = range(instruments)
    commands = market_commands(numbers, max_open_orders=100_000)
    for client in range(CLIENTS):
        for account_id in accounts_of(client):
            commands.append(OpenAccount(0, account_id))
            commands.append(Deposit(0, account_id, USD.asset_id, DEPOSIT_Q))
            commands += [SetLeverage(0, account_id, number, LEVERAGE) for number in numbers]
    return commands


def free_ports(count: int) -> list[int]:
    """TCP ports without a listener."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


class RunningExchange:
    """`seawall up` with the doors on tcp://127.0.0.1; leaving the block stops it by process id.

    ``guarded``: with client keys and metrics, as in real use.
    """

    def __init__(
        self,
        folder: Path,
        durability: str,
        build: Path | None,
        settings: str = "",
        instruments: int = 1,
        *,
        guarded: bool = False,
    ) -> None:
        commands, market_data, base_port = free_ports(3)
        self.address = Address(f"tcp://127.0.0.1:{commands}", f"tcp://127.0.0.1:{market_data}")
        self.environment = environment_of(build)
        self._folder = folder
        self._instruments = instruments
        folder.mkdir(parents=True)
        self._file = folder / "services.toml"
        text = (
            f'run_dir = "{folder / "run"}"\ndurability = "{durability}"\n{settings}\n[gateway]\n'
            f'commands = "{self.address.commands}"\nmarket_data = "{self.address.market_data}"\n'
        )
        if guarded:
            text += self._guard(base_port)
        self._file.write_text(text)

    def _guard(self, base_port: int) -> str:
        """Make keys for server, clock and the measuring client; returns the settings for them and
        for metrics."""
        server, client, clock = new_pair(), new_pair(), new_pair()
        file = self._folder / "keys.toml"
        rights = json.dumps(RIGHTS)
        file.touch(0o600)
        file.write_text(
            f'[server]\npublic = "{server[0]}"\nsecret = "{server[1]}"\n'
            f'[clients.bench]\npublic = "{client[0]}"\nrights = {rights}\n'
            f'[clients.clock]\npublic = "{clock[0]}"\nrights = ["admin"]\n'
        )
        plain = self.address
        self.address = Address(plain.commands, plain.market_data, server[0], *client)
        return (
            f'keys = "{file}"\n[clock]\nserver_public = "{server[0]}"\n'
            f'public = "{clock[0]}"\nsecret = "{clock[1]}"\n[metrics]\nbase_port = {base_port}\n'
        )

    def __enter__(self) -> "RunningExchange":
        self._log = open(self._folder / "up.log", "wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "seawall.cli", "up", "--config", str(self._file)],
            env=self.environment,
            cwd=self._folder,
            stdout=self._log,
            stderr=self._log,
        )
        try:
            self._wait_until_ready()
            self._fill()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait_until_ready(self) -> None:
        limit = time.monotonic() + PATIENCE_SECONDS
        while b"ready\n" not in (self._folder / "up.log").read_bytes():
            if self._process.poll() is not None or time.monotonic() > limit:
                log = (self._folder / "up.log").read_text()
                raise SystemExit(f"the exchange does not start:\n{log}")
            time.sleep(0.05)

    def _fill(self) -> None:
        with Client(self.address) as client:
            commands = opening(self._instruments)
            for place in range(0, len(commands), 100):
                client.call_all(commands[place : place + 100], PATIENCE_SECONDS)

    def pids(self) -> dict[str, int]:
        """The services' process ids, by name."""
        own = self._process.pid
        children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        found: dict[str, int] = {}
        for child in children:
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            found[words[words.index(b"gateway.serve") + 1].decode()] = int(child)
        return found

    def cpu_seconds(self) -> dict[str, float]:
        """User and system time of each service so far."""
        return {name: cpu_seconds_of(pid) for name, pid in self.pids().items()}

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()


def cpu_seconds_of(pid: int) -> float:
    """User and system time of a process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _HERTZ
