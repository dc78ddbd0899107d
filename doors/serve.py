"""The door as a process: ``python -m doors.serve --config FILE``. What `seawall door` runs."""

import argparse
import asyncio
import logging
import signal
import ssl
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from doors.app import build_app, tls_of
from doors.exchange.link import CONNECT_S
from doors.history.file import HistoryError
from doors.usdm.door import Door
from doors.usdm.rebuild import rebuild
from engine.record.journal import JournalError
from engine.services.service_config import DOOR, ConfigError, ServiceConfig
from gateway.client import NoAnswer
from gateway.host.run_directory import open_run_directory
from gateway.serve import READY, UNUSABLE, read_config, stop_with_parent

NO_GATEWAY: Final[int] = 1
"""Exit code when no gateway answers."""

USUAL_PORT: Final[int] = 8080
"""Where `seawall door` listens when the settings do not say."""

SHUTDOWN_S: Final[float] = 2.0


async def run_door(config: ServiceConfig, patience_s: float | None) -> None:
    """Serve until SIGTERM or SIGINT; a gateway is waited for ``patience_s``, with None for as long
    as it takes.

    Raises:
        ConfigError: the keys, the certificate or the address cannot be used.
        HistoryError: the history file cannot be used.
        JournalError: the history is to be made anew and the journal cannot be read.
        NoAnswer: no gateway answers.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    tls = tls_of(config.door)
    door = Door(config)
    numbers = door.file.numbers()
    if door.file.is_new:
        numbers = rebuild(door, door.keyring.accounts())
    try:
        if await _unless(stopping, door.start(numbers, patience_s)):
            await _serve(door, tls, stopping)
    finally:
        await door.close()


async def _unless(stopping: asyncio.Event, doing: Coroutine[Any, Any, None]) -> bool:
    """Do something that may take long; whether it was done before it was time to stop."""
    tasks = [asyncio.create_task(doing), asyncio.create_task(stopping.wait())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    done = tasks[0].done()
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    if done and isinstance(results[0], BaseException):
        raise results[0]
    return done


async def _serve(door: Door, tls: ssl.SSLContext | None, stopping: asyncio.Event) -> None:
    settings = door.config.door
    runner = web.AppRunner(
        build_app(door), access_log=None, handle_signals=False, logger=_silent_logger()
    )
    await runner.setup()
    try:
        site = web.TCPSite(
            runner, settings.host, settings.port, ssl_context=tls, shutdown_timeout=SHUTDOWN_S
        )
        try:
            await site.start()
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise ConfigError(f"door: {where}: {error.strerror}") from None
        _announce(door.config, "http" if tls is None else "https")
        await stopping.wait()
    finally:
        await runner.cleanup()


def _silent_logger() -> logging.Logger:
    """For what is no HTTP: it is answered, and an attack must not fill the log. What goes wrong in
    the door itself is printed where it happens."""
    logger = logging.getLogger("seawall.door")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger


def _announce(config: ServiceConfig, scheme: str) -> None:
    settings = config.door
    print(f"REST and streams at {scheme}://{settings.host}:{settings.port}", flush=True)
    for demo in settings.demo:
        text = f"for anyone on this machine: key {demo.key}, secret {demo.secret}, "
        print(f"DEMONSTRATION KEY {text}account {demo.account}", flush=True)
    print(f"{DOOR} {READY}", flush=True)


def serve(config_path: str | None, patience_s: float | None = CONNECT_S) -> int:
    """Run the door until it is told to stop; returns the exit code."""
    try:
        config = read_config(config_path)
        if not config.door.port:
            config.door.port = USUAL_PORT
        if not config.door.keys and not config.door.demo:
            print("no API keys: market data only; seawall keys makes some", flush=True)
        open_run_directory(Path(config.run_dir))
        asyncio.run(run_door(config, patience_s))
    except NoAnswer as error:
        print(f"{DOOR}: {error}", file=sys.stderr)
        return NO_GATEWAY
    except (ConfigError, HistoryError, JournalError, OSError) as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    return 0


def main() -> int:
    """Entry point of a child process."""
    parser = argparse.ArgumentParser(prog="python -m doors.serve")
    parser.add_argument("--config", help="TOML file with the services' settings")
    parser.add_argument("--child", action="store_true", help="stop when standard input closes")
    arguments = parser.parse_args()
    if arguments.child:
        stop_with_parent()
        # Whoever started it starts the gateway, too; a long journal takes its time.
        return serve(arguments.config, None)
    return serve(arguments.config)


if __name__ == "__main__":
    sys.exit(main())
