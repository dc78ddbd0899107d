"""The page of the running exchange as a process: ``python -m dashboard.serve``. What `seawall up`
runs where the settings have a ``[dashboard]``."""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from dashboard.live import Live
from dashboard.pages import Pages
from dashboard.steering import Steering
from engine.services.service_config import (
    DASHBOARD,
    LOOPBACK,
    ConfigError,
    ServiceConfig,
)
from gateway.client import Address
from gateway.host.pulse import Pulse
from gateway.serve import READY, UNUSABLE, read_config, stop_with_parent
from seawall.world.serve import WORLD

STEP_S: Final[float] = 0.02
"""How often news of the exchange is taken."""

SHUTDOWN_S: Final[float] = 2.0


async def run_pages(
    app: web.Application,
    host: str,
    port: int,
    step: Callable[[], None],
    on_ready: Callable[[str], None],
) -> None:
    """Serve pages until SIGTERM or SIGINT, with ``step`` called again and again; ``on_ready`` is
    told the address.

    Raises:
        OSError: the port cannot be bound.
    """
    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        bound = runner.addresses[0][1]
        on_ready(f"http://{host}:{bound}/")
        while not stopping.is_set():
            step()
            await asyncio.sleep(STEP_S)
    finally:
        await runner.cleanup()


def serve(config: ServiceConfig, services: list[str], port: int) -> None:
    """Serve the page of the exchange of these settings.

    Raises:
        ConfigError: the port cannot be bound.
    """
    settings = config.dashboard
    keys = (settings.server_public, settings.public, settings.secret)
    address = Address(config.gateway.commands, config.gateway.market_data, *keys)
    run_dir = Path(config.run_dir)
    live = Live(address, run_dir, services)
    pulse = Pulse(run_dir, DASHBOARD, time.monotonic_ns)

    def step() -> None:
        live.step()
        pulse.beat()

    steering = Steering(config.run_dir, address) if WORLD in services else None

    def say(where: str) -> None:
        print(where, flush=True)
        if steering is not None:
            print(f"to steer the scenario: {where}#key={steering.key}", flush=True)
        print(f"{DASHBOARD} {READY}", flush=True)

    pages = Pages(lambda: live, LOOPBACK, live.forget, steering)
    try:
        asyncio.run(run_pages(pages.application(), settings.host, port, step, say))
    except OSError as error:
        where = f"{settings.host}:{port}"
        raise ConfigError(f"dashboard: {where}: {error.strerror or error}") from None
    finally:
        live.close()


def main() -> int:
    """Entry point of a child process."""
    parser = argparse.ArgumentParser(prog="python -m dashboard.serve")
    parser.add_argument("--services", default="", help="whose signs of life are shown, by comma")
    parser.add_argument("--port", type=int, help="in place of the settings'")
    parser.add_argument("--config", help="TOML file with the services' settings")
    parser.add_argument("--child", action="store_true", help="stop when standard input closes")
    arguments = parser.parse_args()
    if arguments.child:
        stop_with_parent()
    try:
        config = read_config(arguments.config)
        port = config.dashboard.port if arguments.port is None else arguments.port
        serve(config, arguments.services.split(","), port)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
