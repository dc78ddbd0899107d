"""Addresses looked at before a socket is bound to them: one line says what is wrong."""

import errno
import socket
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from engine.services.service_config import LOOPBACK, ConfigError, GatewayConfig, ServiceConfig

MAX_PORT: Final[int] = 65_535
MAX_SOCKET_PATH: Final[int] = 107
"""Bytes in the path of a socket file, at most (Linux's ``sun_path``)."""


def addresses_of(config: ServiceConfig) -> dict[str, str]:
    """Everything that is bound on this machine, by the setting that says where."""
    found = {
        "gateway.commands": config.gateway.commands,
        "gateway.market_data": config.gateway.market_data,
    }
    for service, address in config.inboxes().items():
        found[f"addresses.{service}"] = address
    if config.door.port:
        found["door"] = f"tcp://{config.door.host}:{config.door.port}"
    if config.metrics.base_port:
        for service in config.services():
            port = config.metrics.port(service, config.shards())
            found[f"metrics of {service}"] = f"tcp://{config.metrics.host}:{port}"
    if config.dashboard.port:
        found["dashboard.port"] = f"tcp://{config.dashboard.host}:{config.dashboard.port}"
    return found


def check_addresses(config: ServiceConfig, file: str) -> None:
    """Refuse addresses no socket can be bound to, and the same one twice.

    Raises:
        ConfigError: there is one.
    """
    seen: dict[str, str] = {}
    for place, address in addresses_of(config).items():
        fault = _fault(address)
        if fault:
            raise ConfigError(f"{file}: {place}: {address}: {fault}")
        if address in seen:
            raise ConfigError(f"{file}: {place}: {address} is that of {seen[address]}, too")
        seen[address] = place


def check_free(config: ServiceConfig, file: str) -> None:
    """Refuse ports another program has.

    Raises:
        ConfigError: one is taken, or no such host is on this machine.
    """
    for place, address in addresses_of(config).items():
        parts = urlsplit(address)
        if parts.scheme != "tcp":
            continue
        try:
            _bind(parts)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            fault = "another program has this port" if taken else error.strerror
            raise ConfigError(f"{file}: {place}: {address}: {fault}") from None


def _bind(parts: SplitResult) -> None:
    host = parts.hostname or ""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as one:
        # As ZeroMQ does: what the last life left in TIME_WAIT is no obstacle.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("" if host == "*" else host, parts.port))


def _fault(address: str) -> str:
    """What is wrong with an address; empty when nothing is."""
    parts = urlsplit(address)
    if parts.scheme == "ipc":
        path = address.removeprefix("ipc://")
        length = len(str(Path(path)).encode())
        if length > MAX_SOCKET_PATH:
            return f"the path has {length} bytes; allowed: {MAX_SOCKET_PATH}; use a shorter run_dir"
        return "" if path else "a path is missing"
    if parts.scheme != "tcp":
        return 'must begin with "tcp://" or "ipc://"'
    try:
        port = parts.port
    except ValueError:
        port = 0
    if not port or not 1 <= port <= MAX_PORT:
        return f"needs a port from 1 to {MAX_PORT}"
    return "" if parts.hostname else "needs a host"


def require_safe(config: GatewayConfig) -> None:
    """Refuse open doors without keys.

    Raises:
        ConfigError: no key file, and an address others can reach.
    """
    for address in (config.commands, config.market_data):
        parts = urlsplit(address)
        if not config.keys and parts.scheme == "tcp" and parts.hostname not in LOOPBACK:
            raise ConfigError(
                f"gateway: {address} can be reached from other machines; give gateway.keys"
            )
