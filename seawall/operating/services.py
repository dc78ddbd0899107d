"""`seawall up` and `seawall serve`: the exchange as processes.

`up` starts every service and the clock, waits until they know each other, starts again what dies,
and stops everything when it is told to.
"""

import argparse
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final, TextIO

from engine.events import CommandRejected, Event
from engine.record.journal_head import JournalHead
from engine.routing.topology import GATEWAY
from engine.services.service_config import (
    ALL,
    CLOCK,
    DOOR,
    MAKERS,
    ConfigError,
    ServiceConfig,
)
from gateway.door.clock_notes import give_word
from gateway.door.logs import ServiceLog
from gateway.host.addresses import check_addresses, check_free, require_safe
from gateway.host.opening import Opening
from gateway.host.opening_market import OpeningMarket, SettingsCommand
from gateway.host.run_directory import open_run_directory
from gateway.rights.keys import read_keys, seen_by_others
from gateway.serve import (
    BROKEN,
    DAMAGED,
    DEFAULTS,
    NO_ROOM,
    READY,
    UNUSABLE,
    read_config,
    require_finished_skip,
    require_same_layout,
    require_same_shards,
)
from gateway.serve import serve as serve_one
from seawall.exchange import Exchange
from seawall.operating.dashboard_client import dashboard_client
from seawall.operating.door import require_aiohttp
from seawall.operating.liveness import Liveness
from seawall.operating.world_client import world_client

WAIT_SECONDS: Final[float] = 0.2
STOP_SECONDS: Final[float] = 20.0
PAUSE_SECONDS: Final[float] = 0.5
PATIENCE_MS: Final[int] = 5_000
"""How long a journal that another process has open is waited for."""

ROOM_SECONDS: Final[float] = 1.0
SAY_AGAIN_SECONDS: Final[float] = 60.0
"""Between two tries of a service whose disk is full, and between two lines that say so."""

CLOCK_ONLY: Final[Mapping[str, Sequence[str]]] = {CLOCK: ("gateway.serve", CLOCK)}
WITH_MAKERS: Final[Mapping[str, Sequence[str]]] = {MAKERS: ("seawall.operating.makers",)}
WITH_DOOR: Final[Mapping[str, Sequence[str]]] = {DOOR: ("doors.serve",)}

PATIENCE: Final[int] = 10
"""Restarts of one service in a row, none of which got ready, before `up` gives up."""


class Supervisor:
    """The child processes of one configuration. ``clients`` are those that come in through the
    gateway's doors, with the module and arguments each is run by; they are stopped first."""

    def __init__(
        self,
        config_path: str | None,
        out: TextIO,
        clients: Mapping[str, Sequence[str]] = CLOCK_ONLY,
    ) -> None:
        self.config = read_config(config_path)
        self.names = (*self.config.services(), *clients)
        self._clients = clients
        self.stopping = False
        self.ready: dict[str, bool] = dict.fromkeys(self.names, False)
        self.restarts: dict[str, int] = dict.fromkeys(self.names, 0)
        self._failures: dict[str, int] = dict.fromkeys(self.names, 0)
        self._path = config_path
        self._out = out
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._start_at: dict[str, float] = {}
        self._selector = selectors.DefaultSelector()
        self._announced = False
        self._said_room: dict[str, float] = {}
        self._log = ServiceLog("up", self.config.log.format)
        self._liveness = Liveness(
            Path(self.config.run_dir),
            self.names,
            say=self._say,
            clock=time.monotonic_ns,
            restart_after_s=self.config.restart_silent_after_s,
        )
        self._half: dict[str, str] = dict.fromkeys(self.names, "")

    def start(self, name: str) -> None:
        """Start one service; it ends with this process, however this process ends."""
        module = self._clients.get(name, ("gateway.serve", name))
        command = [sys.executable, "-m", *module, "--child"]
        if self._path is not None:
            command += ["--config", self._path]
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C is for the supervisor, which stops the others in order.
            start_new_session=True,
        )
        assert child.stdout is not None
        os.set_blocking(child.stdout.fileno(), False)
        self._selector.register(child.stdout, selectors.EVENT_READ, name)
        self._children[name] = child
        self.ready[name] = False

    def run(self) -> int:
        """Until `stopping` is set or a service cannot be kept alive; returns the exit code."""
        for name in self.names:
            self.start(name)
        self._show_metrics()
        code = 0
        while not self.stopping and code == 0:
            self._listen()
            for name in self._liveness.look(self.ready):
                self._say(f"{name} is silent for too long; killed")
                self._log.warn("service_killed", name=name, why="silent for too long")
                self.ready[name] = False
                self._children[name].kill()
            code = self._look_after()
        self.stop()
        return code

    def _show_metrics(self) -> None:
        metrics = self.config.metrics
        port = metrics.port_of_up(len(self.config.services()))
        if not port:
            return
        try:
            self._liveness.serve(metrics.host, port, self.restarts)
        except OSError as error:
            raise ConfigError(f"metrics of up: {metrics.host}:{port}: {error.strerror}") from None

    def stop(self) -> None:
        """Stop all, first what brings in commands; a process that is too slow is killed."""
        first = (*self._clients, GATEWAY, ALL)
        for name in (*first, *(name for name in self.names if name not in first)):
            child = self._children.get(name)
            if child is None or child.poll() is not None:
                continue
            child.terminate()
            # One that was stopped hears nothing until it goes on.
            child.send_signal(signal.SIGCONT)
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._say(f"{name} did not stop; killed")
                child.kill()
                child.wait()
        self._say("stopped")
        self._log.note("stopped")

    def _listen(self) -> None:
        """Read what the children print; "ready" is for us, the rest is passed on."""
        for key, _ in self._selector.select(WAIT_SECONDS):
            name = str(key.data)
            pipe = self._children[name].stdout
            data = b"" if pipe is None else pipe.read() or b""
            if not data:
                self._selector.unregister(key.fileobj)
                continue
            *lines, self._half[name] = (self._half[name] + data.decode(errors="replace")).split(
                "\n"
            )
            for line in lines:
                if line == f"{name} {READY}":
                    self.ready[name] = True
                    self._failures[name] = 0
                else:
                    self._say(f"{name}: {line}")
        if not self._announced and all(self.ready.values()):
            self._announced = True
            self._say(f"commands     {self.config.gateway.commands}")
            self._say(f"market data  {self.config.gateway.market_data}")
            shards = self.config.shards().names
            if len(shards) > 1:
                self._say(f"matching     {len(shards)} shards: {', '.join(shards)}")
            self._say("ready")
            self._log.note("ready")

    def _look_after(self) -> int:
        """Start again what died; not 0 when a service cannot be kept alive."""
        now = time.monotonic()
        for name, child in list(self._children.items()):
            code = child.poll()
            if code is None:
                continue
            if code == BROKEN:
                self._listen()
                self._say(f"{name} cannot handle an input and would meet it again; giving up")
                return 1
            if code == DAMAGED:
                self._say(f"{name} cannot use its journal; giving up")
                return 1
            if code == UNUSABLE and not self._announced:
                self._say(f"{name} cannot use its settings; giving up")
                return UNUSABLE
            if name not in self._start_at:
                self._log.warn("service_ended", name=name, code=code)
            self.ready[name] = False
            if code == NO_ROOM and name not in self._start_at:
                if now - self._said_room.get(name, -SAY_AGAIN_SECONDS) >= SAY_AGAIN_SECONDS:
                    self._said_room[name] = now
                    self._say(f"{name}: no room in {self.config.run_dir}; trying until there is")
                    self._log.warn("disk_full", name=name, run_dir=self.config.run_dir)
                self._start_at[name] = now + ROOM_SECONDS
            if name not in self._start_at:
                self._say(f"{name} ended with code {code}; starting it again")
                self._failures[name] += 1
                self._start_at[name] = now + PAUSE_SECONDS * (self._failures[name] - 1)
                if self._failures[name] > PATIENCE:
                    self._say(f"{name} does not stay up; giving up")
                    return 1
            if now >= self._start_at[name]:
                del self._start_at[name]
                self.restarts[name] += 1
                self.start(name)
                self._log.note("service_restarted", name=name, restarts=self.restarts[name])
        return 0

    def _say(self, text: str) -> None:
        print(text, file=self._out, flush=True)

    def pid(self, name: str) -> int:
        """Process id of a service."""
        return self._children[name].pid


def up(arguments: argparse.Namespace) -> int:
    """`seawall up [--config FILE] [--scenario NAME]`; returns the exit code.

    Raises:
        ConfigError: the settings cannot be used.
        JournalError: the journal of all batches cannot be read.
        ScenarioError: the scenario is wrong.
        ValueError: an argument cannot be used.
    """
    file = arguments.config or DEFAULTS
    clients = world_client(arguments, file) or CLOCK_ONLY
    config = read_config(arguments.config)
    if config.makers:
        clients = {**clients, **WITH_MAKERS}
    if config.door.port:
        require_aiohttp()
        clients = {**clients, **WITH_DOOR}
    clients = {**clients, **dashboard_client(config, arguments.dashboard, clients)}
    supervisor = Supervisor(arguments.config, sys.stdout, clients)
    check(supervisor.config, file, opens_market=arguments.scenario is None)
    warning = open_run_directory(Path(supervisor.config.run_dir))
    secrets = [supervisor.config.gateway.keys]
    if supervisor.config.has_secrets:
        secrets.append(arguments.config or "")
    for text in (warning, *map(seen_by_others, secrets)):
        if text:
            print(text, file=sys.stderr, flush=True)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        supervisor.stopping = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    return supervisor.run()


def check(config: ServiceConfig, file: str, opens_market: bool = True) -> None:
    """Find what a service would refuse before any is started; ``file`` has the settings, and
    unless they ``opens_market`` a scenario does.

    Raises:
        ConfigError: the gateway's doors or keys cannot be used, the run directory was begun with
            another layout or number of shards, or the market to open with is refused.
        JournalError: the journal of all batches cannot be read.
    """
    require_safe(config.gateway)
    check_addresses(config, file)
    check_free(config, file)
    if config.gateway.keys:
        read_keys(config.gateway.keys)
    require_same_layout(config)
    require_finished_skip(config)
    recorder = config.recorder()
    if config.journal(recorder).exists():
        head = JournalHead(config.journal(recorder), recorder, PATIENCE_MS, alone=True)
        try:
            require_same_shards(head, config)
        finally:
            head.close()
    if not opens_market:
        return
    opening = OpeningMarket(config.market(), file).steps()
    if not Opening(opening, Path(config.run_dir), file).done:
        rehearse(opening, file)


def rehearse(steps: Sequence[SettingsCommand], file: str) -> None:
    """Open a market on an exchange that is thrown away, to hear of refusals before anything runs.

    Raises:
        ConfigError: a command is refused.
    """
    exchange = Exchange(check_cheap=False)
    refused: list[CommandRejected] = []

    def listen(event: Event) -> None:
        if isinstance(event, CommandRejected):
            refused.append(event)

    exchange.subscribe(listen)
    for step in steps:
        exchange.send(step.command)
        if refused:
            raise ConfigError(f"{file}: {step.place}: refused: {refused[0].words}")


def take_clock(arguments: argparse.Namespace) -> int:
    """`seawall take-clock [--config FILE]`; returns the exit code.

    Raises:
        ConfigError: the settings cannot be used, or there is no run directory.
    """
    config = read_config(arguments.config)
    try:
        give_word(Path(config.run_dir))
    except OSError as error:
        raise ConfigError(f"{config.run_dir}: {error.strerror}") from None
    print("the exchange takes the wall clock as it is, at once or when it is started")
    return 0


def serve(arguments: argparse.Namespace) -> int:
    """`seawall serve NAME [--config FILE]`; returns the exit code."""
    return serve_one(arguments.service, arguments.config)
