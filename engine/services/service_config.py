"""The settings of the services, from one TOML file; everything has a default.

Times are whole milliseconds, sizes bytes, prices ticks of their instrument.
"""

from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from engine.connections.link_keys import LinkKeys
from engine.record.service_journal import DURABLE_DISK, DURABLE_PROCESS
from engine.routing.topology import GATEWAY, LIQUIDATION, MATCHING, RISK
from engine.services.market_config import AccountEntry, AssetEntry, InstrumentEntry, MarketConfig
from engine.services.shards import MAX_SHARDS, Shards, component_of
from engine.setting_units import OneOf, PositiveDecimal, Whole
from engine.settings import Reader, SettingFault, refuse_unknown, told
from engine.toml_text import TomlError, parse_toml

CLOCK: Final[str] = "clock"
DASHBOARD: Final[str] = "dashboard"
SERVICES: Final[tuple[str, ...]] = (RISK, MATCHING, LIQUIDATION, GATEWAY)
"""The components that run as services with a journal, as they are started; the clock is a client of
the gateway. With several shards matching stands for all of them: `ServiceConfig.services`."""

METRICS_ORDER: Final[tuple[str, ...]] = (GATEWAY, RISK, MATCHING, LIQUIDATION)
"""Whose metrics are at the first port, the second and so on; matching's shards in their order."""

PEERS: Final[dict[str, tuple[str, ...]]] = {
    RISK: (GATEWAY, MATCHING, LIQUIDATION),
    MATCHING: (RISK, GATEWAY),
    LIQUIDATION: (RISK,),
    GATEWAY: (RISK, MATCHING),
}
"""Which component has a link with which: `ServiceConfig.peers`."""

DOOR: Final[str] = "door"
MAKERS: Final[str] = "makers"
"""The door for trading programs, and who quotes for them: clients of the gateway like the clock."""

ONE: Final[str] = "one"
SEPARATE: Final[str] = "separate"
"""The layouts: gateway, risk, matching and liquidation in one process, or each in its own."""

ALL: Final[str] = "all"
"""The one service of the layout `ONE`."""

LOG_TEXT: Final[str] = "text"
LOG_JSON: Final[str] = "json"
LOG_FORMATS: Final[tuple[str, ...]] = (LOG_TEXT, "logfmt", LOG_JSON)
"""Only lines to read, or also a line of keys and values for each event (`gateway.door.logs`)."""

LOOPBACK: Final[tuple[str, ...]] = ("127.0.0.1", "localhost", "[::1]", "::1")
"""Hosts only this machine reaches."""


class ConfigError(ValueError):
    """A configuration cannot be used; the text names file, field and what is allowed."""


class GatewayConfig(msgspec.Struct):
    """The doors. ``keys`` is the file of client keys; without one every client may do everything,
    which is refused on other addresses than this machine's own. Limits are per client."""

    commands: str = "tcp://127.0.0.1:7400"
    market_data: str = "tcp://127.0.0.1:7401"
    keys: str = ""
    max_message_bytes: Annotated[int, Whole(1)] = 262_144
    max_commands_per_second: int = 0
    max_batch: Annotated[int, Whole(1)] = 500
    batches_in_flight: Annotated[int, Whole(1)] = 4
    remembered_requests: Annotated[int, Whole(1)] = 10_000
    remembered_event_bytes: Annotated[int, Whole(1)] = 2_097_152
    max_clock_jump_s: Annotated[int, Whole(1)] = 600
    max_sessions: Annotated[int, Whole(1)] = 1_000
    max_subscriptions: Annotated[int, Whole(1)] = 2_000
    max_waiting_bytes: Annotated[int, Whole(1)] = 16_777_216
    depth_levels: int = 50


class IndexConfig(msgspec.Struct):
    """A walk of the index the oracle publishes: start in ticks, step in parts per million."""

    instrument_id: int
    start_ticks: int
    step_ppm: int = 300
    seed: int = 1


class AssetPriceConfig(msgspec.Struct):
    """A walk of a collateral asset's price: start in whole units of the asset it counts in."""

    asset_id: int
    start_price: Annotated[str, PositiveDecimal()]
    step_ppm: int = 300
    seed: int = 1


class ClockConfig(msgspec.Struct):
    """How often time passes, and the index and asset prices published with it.

    The clock is a client of the gateway; with client keys it needs one with the admin right
    (``public`` and ``secret``) and the gateway's public key, all in Z85.
    """

    tick_ms: Annotated[int, Whole(1)] = 1_000
    index: list[IndexConfig] = []
    asset: list[AssetPriceConfig] = []
    server_public: str = ""
    public: str = ""
    secret: str = ""


class MetricsConfig(msgspec.Struct):
    """Where Prometheus finds the services: at ``base_port`` the gateway (or the one service there
    is), at the ones after it risk, matching (each shard) and liquidation, then `seawall up` itself;
    0 is off. Anyone who reaches ``host`` may read."""

    host: str = "127.0.0.1"
    base_port: int = 0

    def port_of_up(self, services: int) -> int:
        """The port of `seawall up` itself, behind those of so many services; 0 when metrics are
        off."""
        return self.base_port and self.base_port + services

    def port(self, service: str, shards: Shards | None = None) -> int:
        """The port of a service; 0 when metrics are off."""
        order = (shards or Shards()).expand(METRICS_ORDER) if service != ALL else (ALL,)
        return self.base_port and self.base_port + order.index(service)


class MakerConfig(msgspec.Struct):
    """Quotes on both sides of a contract, round its index: ``levels`` orders a side of ``qty``
    each, ``step`` apart, all of one account. A second account trades ``trade_qty`` now and then,
    every ``trade_every_ms`` on average (0: never)."""

    instrument: str
    account_id: int
    qty: Annotated[str, PositiveDecimal()]
    step: Annotated[str, PositiveDecimal()]
    levels: Annotated[int, Whole(1, 100)] = 10
    trader_id: int = 0
    trade_qty: Annotated[str, PositiveDecimal()] = "1"
    trade_every_ms: Annotated[int, Whole(0)] = 0
    seed: int = 1


class DemoKey(msgspec.Struct):
    """An API key whose secret stands in the settings: for a first try on this machine, and refused
    when the door can be reached from elsewhere."""

    key: str
    secret: str
    account: int


class DoorConfig(msgspec.Struct):
    """The door for trading programs (`seawall door`), off with port 0.

    ``keys`` is the file of API keys (`seawall keys`), ``history`` what it remembers (default:
    door.sqlite in the run directory; a second door needs another). It is a client of the gateway:
    with client keys it needs one with the rights trade and read for all its accounts (``public``
    and ``secret``) and the gateway's public key, in Z85. ``certificate`` and ``certificate_key``
    are PEM files for https. Limits of weight are per address, of orders per account, as the
    venue's.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Whole(0, 65_535)] = 0
    keys: str = ""
    demo: list[DemoKey] = []
    history: str = ""
    certificate: str = ""
    certificate_key: str = ""
    server_public: str = ""
    public: str = ""
    secret: str = ""
    max_weight_per_minute: Annotated[int, Whole(1)] = 2_400
    max_orders_per_minute: Annotated[int, Whole(1)] = 1_200
    max_orders_per_10s: Annotated[int, Whole(1)] = 300
    max_sockets: Annotated[int, Whole(1)] = 1_000
    max_queued_messages: Annotated[int, Whole(1)] = 1_000


class DashboardConfig(msgspec.Struct):
    """The page in the browser, off with port 0. Whoever reaches it sees every account its key sees,
    so it opens on this machine only.

    It is a client of the gateway: with client keys it needs one with the right ``read``
    (``public`` and ``secret``) and the gateway's public key, in Z85.
    """

    host: Annotated[str, OneOf("127.0.0.1", "localhost")] = "127.0.0.1"
    port: Annotated[int, Whole(0, 65_535)] = 0
    server_public: str = ""
    public: str = ""
    secret: str = ""


class LogConfig(msgspec.Struct):
    """How the services log on stderr: `LOG_TEXT` for lines to read, else structured lines too."""

    format: Annotated[str, OneOf(*LOG_FORMATS)] = LOG_TEXT


class ServiceConfig(msgspec.Struct):
    """Everything the services need to know. ``layout`` is `ONE` or `SEPARATE`. The others are for
    separate services: ``addresses`` replaces the inbox of one, for several hosts; the default is a
    socket file in ``run_dir``. ``matching_shards`` is the number of matching processes. A run
    directory keeps layout and shards as it was begun."""

    run_dir: str = "run"
    rulebook: str = ""
    assets: list[AssetEntry] = []
    instruments: list[InstrumentEntry] = []
    accounts: list[AccountEntry] = []
    fund: dict[str, str] = {}
    backstop: dict[str, str] = {}
    layout: Annotated[str, OneOf(ONE, SEPARATE)] = ONE
    matching_shards: Annotated[int, Whole(1, MAX_SHARDS)] = 1
    durability: Annotated[str, OneOf(DURABLE_PROCESS, DURABLE_DISK)] = DURABLE_PROCESS
    snapshot_every: Annotated[int, Whole(1)] = 20_000
    snapshot_bytes: Annotated[int, Whole(1)] = 2_097_152
    publish_depth: bool = True
    restart_silent_after_s: Annotated[int, Whole(0)] = 0
    addresses: dict[str, str] = {}
    link_keys: LinkKeys = msgspec.field(default_factory=LinkKeys)
    gateway: GatewayConfig = msgspec.field(default_factory=GatewayConfig)
    clock: ClockConfig = msgspec.field(default_factory=ClockConfig)
    metrics: MetricsConfig = msgspec.field(default_factory=MetricsConfig)
    log: LogConfig = msgspec.field(default_factory=LogConfig)
    door: DoorConfig = msgspec.field(default_factory=DoorConfig)
    dashboard: DashboardConfig = msgspec.field(default_factory=DashboardConfig)
    makers: list[MakerConfig] = []

    @property
    def has_secrets(self) -> bool:
        """Whether these settings are for the owner's eyes only."""
        return bool(
            self.link_keys.secret or self.clock.secret or self.door.secret or self.dashboard.secret
        )

    def market(self) -> MarketConfig:
        """The market to open with."""
        return MarketConfig(
            self.rulebook, self.assets, self.instruments, self.accounts, self.fund, self.backstop
        )

    def shards(self) -> Shards:
        """The matching services."""
        return Shards(self.matching_shards)

    def services(self) -> tuple[str, ...]:
        """The services with a journal, as they are started."""
        return (ALL,) if self.layout == ONE else self.shards().expand(SERVICES)

    def recorder(self) -> str:
        """The service whose journal has every batch there ever was."""
        return ALL if self.layout == ONE else RISK

    def peers(self, service: str) -> tuple[str, ...]:
        """The services a service has a link with."""
        if service == ALL:
            return ()
        return self.shards().expand(PEERS[component_of(service)])

    def address(self, service: str) -> str:
        """The inbox of a service."""
        return self.addresses.get(service) or f"ipc://{Path(self.run_dir).absolute()}/{service}.ipc"

    def inboxes(self) -> dict[str, str]:
        """Every service's inbox."""
        return {service: self.address(service) for service in self.services() if service != ALL}

    def journal(self, service: str) -> Path:
        """The journal of a service."""
        return Path(self.run_dir).joinpath(f"{service}.journal")


def _check(config: ServiceConfig) -> None:
    """Refuse values that are not allowed beside the others."""
    _check_layout(config)
    _check_links(config)
    _check_metrics(config)


def _check_metrics(config: ServiceConfig) -> None:
    last_base = 65_535 - len(config.services())
    if not 0 <= config.metrics.base_port <= last_base:
        raise SettingFault(
            "metrics.base_port",
            f"is {config.metrics.base_port}; allowed: 1 to {last_base}, or 0 for none",
        )


def _check_links(config: ServiceConfig) -> None:
    """Refuse inboxes over TCP without keys, and keys that are none."""
    keys = config.link_keys
    if keys.given and keys.fault():
        raise SettingFault("", keys.fault())
    for name, address in config.addresses.items():
        if not keys.given and urlsplit(address).scheme == "tcp":
            raise SettingFault(
                f"addresses.{name}", f"{address} can be reached by others; give [link_keys]"
            )


def _check_layout(config: ServiceConfig) -> None:
    """Refuse settings the layout has no use for."""
    if config.layout == ONE:
        needs = f'the layout is "{ONE}"; give layout = "{SEPARATE}"'
        if config.matching_shards != 1:
            raise SettingFault(
                "matching_shards", f"is {config.matching_shards}, but {needs}, or 1 shard"
            )
        for name in config.addresses:
            raise SettingFault(
                f"addresses.{name}",
                f"is the inbox of a separate service, but {needs}, or no [addresses]",
            )
    refuse_unknown(config.addresses, list(config.services()), "addresses")


def parse_config(text: str, file: str) -> ServiceConfig:
    """The settings a TOML text gives.

    Raises:
        ConfigError: not TOML, an unknown or wrongly typed field, or a value that is not allowed.
    """
    try:
        config = Reader().struct(ServiceConfig, parse_toml(text))
        _check(config)
    except SettingFault as fault:
        raise ConfigError(told(file, text, fault.place, fault.problem)) from None
    except TomlError as error:
        raise ConfigError(f"{file}: {error}") from None
    return config
