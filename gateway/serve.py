"""One service as a process: ``python -m gateway.serve NAME``. What `seawall serve` runs."""

import argparse
import errno
import gc
import os
import signal
import sys
import threading
import time
import traceback
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import zmq

from engine.record.journal import JournalError
from engine.record.journal_head import JournalHead
from engine.record.service_journal import JournalDamaged, ServiceJournal
from engine.routing.topology import GATEWAY, RISK
from engine.services.complaints import Complaints
from engine.services.part import Door, Part, PartFailed
from engine.services.rounds import Unhandled
from engine.services.service import Service
from engine.services.service_config import (
    ALL,
    CLOCK,
    ONE,
    SEPARATE,
    SERVICES,
    ConfigError,
    ServiceConfig,
    parse_config,
)
from engine.units import SECOND_NS
from gateway.door.clock_notes import ClockNotes, this_boot, uptime_ns
from gateway.door.front_door import FrontDoor
from gateway.door.intake import GatewayPart
from gateway.door.logs import ServiceLog
from gateway.host.addresses import check_addresses, require_safe
from gateway.host.clock import run_clock
from gateway.host.link_secrets import seals_of
from gateway.host.one_process import OneProcess
from gateway.host.parts import RiskHolder, bare, leaf_of
from gateway.host.pulse import Pulse
from gateway.host.run_directory import open_run_directory
from gateway.metering.metered import Meter
from gateway.rights.audit import Audit
from gateway.rights.keys import read_keys

GC_THRESHOLDS: Final[tuple[int, int, int]] = (50_000, 20, 50)
"""Messages are freed by their reference counts; looking for cycles among them every 700 objects, as
Python does by itself, costs a few percent of the time and finds nothing."""

GATEWAY_BYTES: Final[int] = 4
"""The gateway's snapshots are so many times farther apart, counted in bytes: it journals answers as
well as commands, and handling them again is the cheaper part of a restart."""

REFUSALS: Final[str] = "refusals.jsonl"
"""The file of the run directory that says who was refused what."""

DEFAULTS: Final[str] = "the defaults"
"""Stands for the file of the settings where none is given."""

UNFINISHED: Final[str] = "skip.unfinished"
"""A file of the run directory that is there while `seawall skip` changes several journals."""

READY: Final[str] = "ready"
"""Last word of the line a service prints when it knows all its peers."""

UNUSABLE: Final[int] = 2
"""Exit code of a service that cannot use its settings; before everything was ready once, starting
it again is no use."""

DAMAGED: Final[int] = 4
"""Exit code of a service whose journal is not what it wrote: started again, it would not be."""

NO_ROOM: Final[int] = 5
"""Exit code of a service whose disk is full: started again when there is room, it goes on."""

_FULL: Final[tuple[int, ...]] = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

BROKEN: Final[int] = 3
"""Exit code of a service that cannot handle an input: started again, it would meet it again."""


def read_config(path: str | None) -> ServiceConfig:
    """The settings of a file, or the defaults.

    Raises:
        ConfigError: no such file, or it cannot be used.
    """
    if path is None:
        return ServiceConfig()
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    return parse_config(text, path)


def complain(log: ServiceLog, text: str) -> None:
    """Tell the operator."""
    print(text, file=sys.stderr, flush=True)
    log.warn("complaint", text=text)


def tell_of_defect(complaints: Complaints, command: Any, error: Exception) -> None:
    """Tell of a command that was refused because its plan raised."""
    trace = "".join(traceback.format_exception(error))
    kind = f"{type(command).__name__} {type(error).__name__}"
    text = f"{trace}refused, nothing changed: {command!r:.1000}: {kind}; a defect to be reported"
    complaints.add(kind, text)


def build_part(
    name: str, config: ServiceConfig, meter: Meter | None, log: ServiceLog
) -> tuple[Part, Door | None]:
    """What a service runs, and its door if clients come in there.

    Raises:
        ConfigError: the gateway's doors or keys cannot be used.
    """
    wrap = log.around(bare if meter is None else meter.wrap)
    complaints = Complaints(partial(complain, log), time.monotonic_ns)
    holder = RiskHolder(wrap, config.shards(), partial(tell_of_defect, complaints))
    if meter is not None and name in (ALL, RISK):
        meter.risk = holder
    if name == RISK:
        return holder.hub(), None
    if name not in (ALL, GATEWAY):
        return leaf_of(name, config.publish_depth, wrap), None
    require_safe(config.gateway)
    keys = read_keys(config.gateway.keys) if config.gateway.keys else None
    gateway = GatewayPart(
        config.gateway.remembered_requests,
        sorted_outcomes=name == ALL,
        event_bytes=config.gateway.remembered_event_bytes,
    )
    audit = Audit(Path(config.run_dir) / REFUSALS, time.time_ns, log.refused)
    notes = ClockNotes(
        Path(config.run_dir),
        config.gateway.max_clock_jump_s * SECOND_NS,
        this_boot(),
        uptime_ns,
        lambda text: print(text, flush=True),
    )
    front = FrontDoor(
        gateway,
        config.gateway,
        keys,
        time.monotonic_ns,
        time.time_ns,
        audit,
        notes,
        read=holder.answer if name == ALL else None,
    )
    door: Door = front if meter is None else meter.door(front, gateway)
    if name == GATEWAY:
        return gateway, door
    return OneProcess(gateway, holder.merged_hub(config.publish_depth)), door


def build_service(
    name: str, config: ServiceConfig, meter: Meter | None = None, log: ServiceLog | None = None
) -> Service:
    """A service with its part, journal and sockets, not yet recovered. ``meter`` and ``log`` watch
    them.

    Raises:
        ConfigError: the gateway's doors or keys cannot be used, or the run directory was begun with
            another layout or number of shards.
        JournalError: its journal cannot be opened.
    """
    log = log or ServiceLog(name)
    part, door = build_part(name, config, meter, log)
    Path(config.run_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    require_same_layout(config)
    open_journal = ServiceJournal if meter is None else meter.journal

    journal = open_journal(
        config.journal(name),
        name,
        keep_inputs=name == config.recorder(),
        durability=config.durability,
    )
    require_same_shards(journal, config)
    return Service(
        name,
        part,
        journal,
        config.inboxes(),
        config.peers(name),
        clock=time.monotonic_ns,
        door=door,
        complain=partial(complain, log),
        link_keys=config.link_keys if config.link_keys.given else None,
        beat=Pulse(Path(config.run_dir), name, time.monotonic_ns).beat,
        seals=seals_of(name, config.peers(name), Path(config.run_dir), config.link_keys),
        snapshot_every=config.snapshot_every,
        snapshot_bytes=config.snapshot_bytes * (GATEWAY_BYTES if name == GATEWAY else 1),
    )


def require_same_shards(journal: ServiceJournal | JournalHead, config: ServiceConfig) -> None:
    """Refuse another number of matching shards than the journal was begun with.

    Raises:
        ConfigError: it is another; the books of an instrument would have to change hands.
        JournalError: the journal cannot be read.
    """
    wanted = str(config.matching_shards)
    begun = journal.begun_with("matching_shards", wanted)
    if begun != wanted:
        raise ConfigError(
            f"{journal.path}: begun with matching_shards = {begun}, not {wanted}; "
            f"go back to {begun}, or begin in another run_dir"
        )


def require_finished_skip(config: ServiceConfig) -> None:
    """Refuse services of which some begin anew and others not yet.

    Raises:
        ConfigError: a skip was cut off.
    """
    unfinished = Path(config.run_dir) / UNFINISHED
    if unfinished.exists():
        raise ConfigError(
            f"{unfinished}: a skip was cut off; give the same seawall skip or cut again"
        )


def require_same_layout(config: ServiceConfig) -> None:
    """Refuse a run directory that was begun in the other layout: its journals would be left alone
    and the exchange would begin with nothing.

    Raises:
        ConfigError: it was.
    """
    others = SERVICES if config.layout == ONE else (ALL,)
    for name in others:
        journal = config.journal(name)
        if journal.exists():
            begun = SEPARATE if config.layout == ONE else ONE
            raise ConfigError(
                f'{journal}: begun with layout = "{begun}", not "{config.layout}"; '
                f'set layout = "{begun}", or begin in another run_dir'
            )


def run_service(name: str, config: ServiceConfig, log: ServiceLog) -> None:
    """Recover a service and run it until SIGTERM or SIGINT.

    Raises:
        ConfigError: a door, a key or the port of the metrics cannot be used.
        JournalError: its journal cannot be opened or written.
        PartFailed: an input cannot be handled.
    """
    meter = Meter(name, config, time.monotonic_ns) if config.metrics.base_port else None
    require_finished_skip(config)
    service = build_service(name, config, meter, log)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        service.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)

    def say_ready() -> None:
        if meter is not None:
            meter.metrics.set_ready(True)
        print(f"{name} {READY}", flush=True)
        log.note(READY)

    log.live = False
    service.recover()
    log.live = True
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        service.open()
    except zmq.ZMQError as error:
        raise ConfigError(f"{name}: an address cannot be used: {error}") from None
    if meter is not None:
        meter.begin(service)
    service.run(say_ready)


def serve(name: str, config_path: str | None) -> int:
    """Run a service (or the clock) until it is told to stop.

    Returns the exit code: 1 for an unusable journal, `NO_ROOM` for a full disk, `DAMAGED` for a
    journal that is not what was written, `UNUSABLE` for unusable settings, `BROKEN` for an input
    that cannot be handled.
    """
    log = ServiceLog(name)
    try:
        config = read_config(config_path)
        log = ServiceLog(name, config.log.format)
        check_addresses(config, config_path or DEFAULTS)
        open_run_directory(Path(config.run_dir))
        if name == CLOCK:
            run_clock(config, config_path or DEFAULTS)
        elif name in config.services():
            run_service(name, config, log)
        else:
            allowed = ", ".join((*config.services(), CLOCK))
            raise ConfigError(f"{name!r} is no service of this configuration; allowed: {allowed}")
    except ConfigError as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    except JournalDamaged as error:
        print(error, file=sys.stderr)
        log.warn("journal_damaged", why=str(error))
        return DAMAGED
    except OSError as error:
        # A run directory that cannot be made or read, an address that cannot be bound.
        print(f"{name}: {error.filename or ''}: {error.strerror}", file=sys.stderr)
        return _refused_by_disk(error.errno in _FULL, log, str(error), UNUSABLE)
    except JournalError as error:
        print(error, file=sys.stderr)
        full = any(os.strerror(code) in str(error) for code in _FULL)
        return _refused_by_disk(full, log, str(error), 1)
    except PartFailed as error:
        traceback.print_exception(error)
        print(error, file=sys.stderr)
        log.live = True
        log.warn("input_not_handled", why=str(error))
        if isinstance(error.__cause__, Unhandled):
            given = f"--config {config_path} " if config_path else ""
            words = f"seawall skip {given}--input {error.place} --reason WHY"
            print(f"to go on without it: {words}", flush=True)
        return BROKEN
    return 0


def _refused_by_disk(full: bool, log: ServiceLog, why: str, otherwise: int) -> int:
    """Log why a service ends, and the exit code."""
    log.live = True
    log.warn("disk_full" if full else "disk_failed", why=why)
    return NO_ROOM if full else otherwise


def stop_with_parent() -> None:
    """End this process when its standard input closes: its parent is gone."""

    def wait() -> None:
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def main() -> int:
    """Entry point of a child process."""
    parser = argparse.ArgumentParser(prog="python -m gateway.serve")
    parser.add_argument(
        "service", help="all, clock; or risk, matching, matching-0, liquidation, gateway"
    )
    parser.add_argument("--config", help="TOML file with the services' settings")
    parser.add_argument("--child", action="store_true", help="stop when standard input closes")
    arguments = parser.parse_args()
    if arguments.child:
        stop_with_parent()
    return serve(arguments.service, arguments.config)


if __name__ == "__main__":
    sys.exit(main())
