"""One service as a process: ``python -m gateway.serve NAME``. What `seawall serve` runs."""

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Final

from engine.journal import JournalError
from engine.service import Door, Part, Service
from engine.service_config import CLOCK, PEERS, SERVICES, ConfigError, ServiceConfig, parse_config
from engine.service_journal import ServiceJournal
from engine.topology import GATEWAY, RISK
from gateway.clock import run_clock
from gateway.front_door import FrontDoor, require_safe
from gateway.intake import GatewayPart
from gateway.keys import read_keys
from gateway.metered import Meter
from gateway.parts import RiskHolder, bare, leaf_of

READY: Final[str] = "ready"
"""Last word of the line a service prints when it knows all its peers."""


def read_config(path: str | None) -> ServiceConfig:
    """The settings of a file, or the defaults.

    Raises:
        ConfigError: no such file, or it cannot be used.
    """
    if path is None:
        return ServiceConfig()
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    return parse_config(text, path)


def build_service(name: str, config: ServiceConfig, meter: Meter | None = None) -> Service:
    """A service with its part, journal and sockets, not yet recovered. ``meter`` watches them.

    Raises:
        ConfigError: the gateway's doors or keys cannot be used.
        JournalError: its journal cannot be opened.
    """
    part: Part
    door: Door | None = None
    wrap = bare if meter is None else meter.wrap
    if name == GATEWAY:
        require_safe(config.gateway)
        keys = read_keys(config.gateway.keys) if config.gateway.keys else None
        part = GatewayPart(config.gateway.remembered_requests)
        door = front = FrontDoor(part, config.gateway, keys, time.monotonic_ns, time.time_ns)
        if meter is not None:
            door = meter.door(front, part)
    elif name == RISK:
        holder = RiskHolder(wrap)
        part = holder.hub()
        if meter is not None:
            meter.risk = holder
    else:
        part = leaf_of(name, config.publish_depth, wrap)
    Path(config.run_dir).mkdir(parents=True, exist_ok=True)
    open_journal = ServiceJournal if meter is None else meter.journal
    journal = open_journal(
        config.journal(name), name, keep_inputs=name == RISK, durability=config.durability
    )
    return Service(
        name,
        part,
        journal,
        config.inboxes(),
        PEERS[name],
        clock=time.monotonic_ns,
        door=door,
        snapshot_every=config.snapshot_every,
    )


def run_service(name: str, config: ServiceConfig) -> None:
    """Recover a service and run it until SIGTERM or SIGINT.

    Raises:
        ConfigError: a door, a key or the port of the metrics cannot be used.
        JournalError: its journal cannot be opened or written.
    """
    meter = Meter(name, config.metrics, time.monotonic_ns) if config.metrics.base_port else None
    service = build_service(name, config, meter)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        service.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)

    def say_ready() -> None:
        if meter is not None:
            meter.metrics.set_ready(True)
        print(f"{name} {READY}", flush=True)

    service.recover()
    service.open()
    if meter is not None:
        meter.begin(service)
    service.run(say_ready)


def serve(name: str, config_path: str | None) -> int:
    """Run a service (or the clock) until it is told to stop.

    Returns the exit code: 2 for an unusable configuration, 1 for an unusable journal.
    """
    try:
        config = read_config(config_path)
        if name == CLOCK:
            run_clock(config)
        else:
            run_service(name, config)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except JournalError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def stop_with_parent() -> None:
    """End this process when its standard input closes: whoever started it is gone."""

    def wait() -> None:
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def main() -> int:
    """Entry point of a child process."""
    parser = argparse.ArgumentParser(prog="python -m gateway.serve")
    parser.add_argument("service", choices=(*SERVICES, CLOCK))
    parser.add_argument("--config", help="TOML file with the services' settings")
    parser.add_argument("--child", action="store_true", help="stop when standard input closes")
    arguments = parser.parse_args()
    if arguments.child:
        stop_with_parent()
    return serve(arguments.service, arguments.config)


if __name__ == "__main__":
    sys.exit(main())
