"""The page in the browser: how `seawall up` runs it, and `seawall show` for a finished run."""

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec

from engine.services.service_config import DASHBOARD, ConfigError, ServiceConfig
from gateway.host.addresses import MAX_PORT
from seawall.runs.run_directory import load_run


def dashboard_client(
    config: ServiceConfig, port: int | None, clients: Iterable[str]
) -> Mapping[str, Sequence[str]]:
    """The process of the page as the supervisor starts it, none where nobody asked for one;
    ``clients`` are the other processes whose signs of life it shows, ``port`` replaces the
    settings'.

    Raises:
        ConfigError: what it is made of is not installed.
        ValueError: the port is none.
    """
    if port is None and not config.dashboard.port:
        return {}
    _require_aiohttp()
    command = ["dashboard.serve", "--services", ",".join((*config.services(), *clients))]
    if port is not None:
        command += ["--port", str(_checked(port, "--dashboard"))]
    return {DASHBOARD: command}


def show(arguments: argparse.Namespace) -> int:
    """`seawall show DIR`: becomes the process that serves the page of a finished run.

    Raises:
        ConfigError: what it is made of is not installed.
        RunDirectoryError: the directory holds no run.
        ValueError: the port is none.
    """
    _require_aiohttp()
    load_run(arguments.directory)
    port = _checked(arguments.port, "--port")
    sys.stdout.flush()
    command = ["-m", "dashboard.show", str(arguments.directory), "--port", str(port)]
    os.execv(sys.executable, [sys.executable, *command])


def _checked(port: int, name: str) -> int:
    if not 1 <= port <= MAX_PORT:
        raise ValueError(f"{name} {port}: allowed are 1 to {MAX_PORT}")
    return port


def _require_aiohttp() -> None:
    if find_spec("aiohttp") is None:
        raise ConfigError(f"{DASHBOARD}: needs aiohttp: pip install 'seawall[doors]'")
