"""The settings of the services, from one TOML file; everything has a default.

Times are whole milliseconds, sizes bytes, prices ticks of their instrument.
"""

import tomllib
from pathlib import Path
from typing import Final

import msgspec

from engine.service_journal import DURABLE_DISK, DURABLE_PROCESS
from engine.topology import GATEWAY, LIQUIDATION, MATCHING, RISK

CLOCK: Final[str] = "clock"
SERVICES: Final[tuple[str, ...]] = (RISK, MATCHING, LIQUIDATION, GATEWAY)
"""The services with a journal, as they are started; the clock is a client of the gateway."""

METRICS_ORDER: Final[tuple[str, ...]] = (GATEWAY, RISK, MATCHING, LIQUIDATION)
"""Whose metrics are at the first port, the second and so on."""

PEERS: Final[dict[str, tuple[str, ...]]] = {
    RISK: (GATEWAY, MATCHING, LIQUIDATION),
    MATCHING: (RISK, GATEWAY),
    LIQUIDATION: (RISK,),
    GATEWAY: (RISK, MATCHING),
}
"""Who has a link with whom."""


class ConfigError(ValueError):
    """A configuration cannot be used; the text names file, field and what is allowed."""


class GatewayConfig(msgspec.Struct, forbid_unknown_fields=True):
    """The doors. ``keys`` is the file of client keys; without one every client may do everything,
    which is refused on other addresses than this machine's own. Limits are per client."""

    commands: str = "tcp://127.0.0.1:7400"
    market_data: str = "tcp://127.0.0.1:7401"
    keys: str = ""
    max_message_bytes: int = 262_144
    max_commands_per_second: int = 0
    max_batch: int = 2_000
    batches_in_flight: int = 2
    remembered_requests: int = 10_000
    depth_levels: int = 50


class IndexConfig(msgspec.Struct, forbid_unknown_fields=True):
    """A walk of the index the oracle publishes: start in ticks, step in parts per million."""

    instrument_id: int
    start_ticks: int
    step_ppm: int = 300
    seed: int = 1


class ClockConfig(msgspec.Struct, forbid_unknown_fields=True):
    """How often time passes, and the index prices published with it.

    The clock is a client of the gateway; with client keys it needs one with the admin right
    (``public`` and ``secret``) and the gateway's public key, all in Z85.
    """

    tick_ms: int = 1_000
    index: list[IndexConfig] = []
    server_public: str = ""
    public: str = ""
    secret: str = ""


class MetricsConfig(msgspec.Struct, forbid_unknown_fields=True):
    """Where Prometheus finds the services: the gateway at ``base_port``, risk, matching and
    liquidation at the three after it; 0 is off. Anyone who reaches ``host`` may read."""

    host: str = "127.0.0.1"
    base_port: int = 0

    def port(self, service: str) -> int:
        """The port of a service; 0 when metrics are off."""
        return self.base_port and self.base_port + METRICS_ORDER.index(service)


class ServiceConfig(msgspec.Struct, forbid_unknown_fields=True):
    """Everything the services need to know. ``addresses`` replaces the inbox of a service, for
    several hosts; the default is a socket file in ``run_dir``."""

    run_dir: str = "run"
    durability: str = DURABLE_PROCESS
    snapshot_every: int = 20_000
    publish_depth: bool = True
    addresses: dict[str, str] = {}
    gateway: GatewayConfig = msgspec.field(default_factory=GatewayConfig)
    clock: ClockConfig = msgspec.field(default_factory=ClockConfig)
    metrics: MetricsConfig = msgspec.field(default_factory=MetricsConfig)

    def address(self, service: str) -> str:
        """The inbox of a service."""
        return self.addresses.get(service) or f"ipc://{Path(self.run_dir).absolute()}/{service}.ipc"

    def inboxes(self) -> dict[str, str]:
        """Every service's inbox."""
        return {service: self.address(service) for service in SERVICES}

    def journal(self, service: str) -> Path:
        """The journal of a service."""
        return Path(self.run_dir).joinpath(f"{service}.journal")


def parse_config(text: str, file: str) -> ServiceConfig:
    """The settings a TOML text gives.

    Raises:
        ConfigError: not TOML, an unknown or wrongly typed field, or a value that is not allowed.
    """
    try:
        config = msgspec.convert(tomllib.loads(text), ServiceConfig)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{file}: {error}") from None
    if config.durability not in (DURABLE_PROCESS, DURABLE_DISK):
        raise ConfigError(
            f"{file}: durability is {config.durability!r}; "
            f"allowed: {DURABLE_PROCESS!r}, {DURABLE_DISK!r}"
        )
    unknown = [name for name in config.addresses if name not in SERVICES]
    if unknown:
        raise ConfigError(
            f"{file}: addresses.{unknown[0]} is no service; allowed: {', '.join(SERVICES)}"
        )
    gateway = config.gateway
    positive = {
        "snapshot_every": config.snapshot_every,
        "clock.tick_ms": config.clock.tick_ms,
        "gateway.max_message_bytes": gateway.max_message_bytes,
        "gateway.max_batch": gateway.max_batch,
        "gateway.batches_in_flight": gateway.batches_in_flight,
        "gateway.remembered_requests": gateway.remembered_requests,
    }
    for name, value in positive.items():
        if value < 1:
            raise ConfigError(f"{file}: {name} is {value}; it must be at least 1")
    last_base = 65_536 - len(METRICS_ORDER)
    if not 0 <= config.metrics.base_port <= last_base:
        raise ConfigError(
            f"{file}: metrics.base_port is {config.metrics.base_port}; "
            f"allowed: 1 to {last_base}, or 0 for none"
        )
    return config
