"""Shells around a service's component and journal that feed its metrics.

Each class stands around something the service host uses anyway and passes everything on unchanged,
so that a service with metrics and one without do the same.
"""

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import zmq

from engine.commands import AddAsset, AddInstrument, SetRulebook, SubmitOrder
from engine.messages import COMMAND_TYPES
from engine.record.service_journal import DURABLE_PROCESS, Input, ServiceJournal
from engine.routing.topology import GATEWAY, RISK
from engine.services.part import Door
from engine.services.rounds import Handler
from engine.services.service import Service
from engine.services.service_config import ALL, CLOCK, ConfigError, ServiceConfig
from gateway.door.front_door import FrontDoor
from gateway.door.intake import Done, GatewayPart
from gateway.host.parts import RiskHolder
from gateway.host.pulse import Pulses
from gateway.metering import metrics as groups
from gateway.metering.metrics import Metrics
from risk.accounts import BACKSTOP, FUND
from risk.risk_engine import RiskEngine

Clock = Callable[[], int]
"""A monotonic clock in nanoseconds."""

_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    ALL: (groups.DOOR, groups.RISK),
    GATEWAY: (groups.DOOR,),
    RISK: (groups.RISK,),
}


_PROPOSALS: Final[tuple[type, ...]] = (AddAsset, AddInstrument, SetRulebook)
"""Commands whose specifications the metrics have to know, beside counting them."""


class MeteredComponent:
    """A component's handler that shows a `Metrics` what passes, while `Metrics.live` is set."""

    __slots__ = ("_checks", "_clock", "_commands", "_counted", "_handler", "_metrics", "_tally")

    def __init__(self, handler: Handler, metrics: Metrics, clock: Clock) -> None:
        self._handler = handler
        self._metrics = metrics
        self._tally = metrics.tally
        self._checks = metrics.orders.margin_check.durations
        self._clock = clock
        self._commands = frozenset(COMMAND_TYPES)
        self._counted = metrics.counted

    def handle(self, message: Any, out: list[Any]) -> None:
        """Let the component handle a message; count it and what follows from it."""
        metrics = self._metrics
        if not metrics.live:
            self._handler(message, out)
            return
        tally = self._tally
        kind = type(message)
        if kind in _PROPOSALS:
            metrics.note_command(message)
        elif kind in self._commands:
            tally.command(kind)
        said_before = len(out)
        if kind is SubmitOrder:
            began_ns: int = self._clock()
            self._handler(message, out)
            self._checks.observe(self._clock() - began_ns)
        else:
            self._handler(message, out)
        counted = self._counted
        for place in range(said_before, len(out)):
            event = out[place]
            if not tally.event(event) and type(event) in counted:
                metrics.note_event(event)


class MeteredJournal(ServiceJournal):
    """A service's journal that times its commits and snapshots."""

    def __init__(
        self,
        path: str | Path,
        service: str,
        metrics: Metrics,
        clock: Clock,
        *,
        keep_inputs: bool = False,
        durability: str = DURABLE_PROCESS,
    ) -> None:
        super().__init__(path, service, keep_inputs=keep_inputs, durability=durability)
        self._metrics = metrics
        self._clock = clock

    def append(self, inputs: Sequence[Input]) -> None:
        """Keep a group of inputs, all or none.

        Raises:
            JournalError: the disk refuses; nothing of the group is kept.
        """
        began_ns = self._clock()
        super().append(inputs)
        self._metrics.observe_commit(len(inputs), self._clock() - began_ns)

    def snapshot(self, state: bytes) -> None:
        """Keep the state after the last input.

        Raises:
            JournalError: the disk refuses; the older snapshot stays.
        """
        began_ns = self._clock()
        super().snapshot(state)
        self._metrics.observe_snapshot(len(state), self._clock() - began_ns)


def learn_risk(metrics: Metrics, engine: RiskEngine) -> None:
    """Take over what a restarted risk engine knows; looks once at every margin account.

    From then on fund and backstop are read from the ledger at each scrape.
    """
    core = engine.core
    for asset_id in sorted(core.assets):
        metrics.learn_asset(core.assets[asset_id])
    for instrument_id in sorted(core.listings):
        listing = core.listings[instrument_id]
        metrics.learn_instrument(listing.instrument.spec)
        metrics.set_market(
            instrument_id, listing.mark_ticks, listing.index_ticks, listing.long_lots
        )
        metrics.set_index_stale(instrument_id, listing.stale)
    for priced in core.ledger.collateral.values():
        metrics.set_collateral_price(priced.asset_id, priced.margin_asset_id, priced.price_ppb)
    metrics.learn_rulebook(core.rulebook)
    calls = liquidations = 0
    for account in core.ledger.accounts.values():
        locked = account.liquidation is not None
        calls += account.call is not None
        liquidations += locked
        metrics.set_level(
            account.margin_account_id, core.levels.liquidate_level if locked else account.level
        )
    metrics.set_open(calls, liquidations)

    def wallets_q(house_id: int) -> dict[int, int]:
        ledger = core.ledger
        return {asset_id: ledger.house(house_id, asset_id).wallet_q for asset_id in [*core.assets]}

    metrics.watch_house(lambda: wallets_q(FUND), lambda: wallets_q(BACKSTOP))


class MeteredDoor:
    """A front door that times each batch from its coming in to its answer."""

    def __init__(self, door: FrontDoor, part: GatewayPart, metrics: Metrics, clock: Clock) -> None:
        self._door = door
        self._part = part
        self._metrics = metrics
        self._clock = clock
        self._began_ns: deque[int | None] = deque()

    @property
    def is_open(self) -> bool:
        """Whether it takes input now."""
        return self._door.is_open

    @property
    def has_more(self) -> bool:
        """Whether it has input that it did not give out yet."""
        return self._door.has_more

    def bind(self, context: "zmq.Context[zmq.Socket[bytes]]") -> "Sequence[zmq.Socket[bytes]]":
        """Bind. Batches under way since before a restart are answered first and not timed."""
        self._began_ns.extend([None] * len(self._part.in_flight))
        return self._door.bind(context)

    def collect(self) -> list[bytes]:
        """New inputs from outside; each is one batch."""
        began_ns = self._clock()
        bodies = self._door.collect()
        self._began_ns.extend([began_ns] * len(bodies))
        return bodies

    def deliver(self, item: Any) -> None:
        """An output for the outside. Batches are done in the order they came in."""
        self._door.deliver(item)
        if isinstance(item, Done):
            began_ns = self._began_ns.popleft()
            if began_ns is not None:
                self._metrics.observe_latency(self._clock() - began_ns)

    def idle(self) -> None:
        """Called once per turn."""
        self._door.idle()


class Meter:
    """The metrics of one service process, and everything they are put around.

    `risk` is set by the builder of the risk service, so that its state can be read at the start.
    """

    def __init__(self, name: str, config: ServiceConfig, clock: Clock) -> None:
        self.metrics = Metrics([groups.HOST, *_GROUPS.get(name, ())])
        self.metrics.live = False
        self.risk: RiskHolder | None = None
        self._name = name
        self._config = config
        self._clock = clock
        self._began_ns = clock()
        self._part: GatewayPart | None = None

    def wrap(self, handler: Handler) -> Handler:
        """Stand around a component's handler."""
        return MeteredComponent(handler, self.metrics, self._clock).handle

    def journal(
        self, path: str | Path, service: str, *, keep_inputs: bool, durability: str
    ) -> ServiceJournal:
        """Open a journal that is timed.

        Raises:
            JournalError: not a journal of this service, or the disk refuses.
        """
        return MeteredJournal(
            path,
            service,
            self.metrics,
            self._clock,
            keep_inputs=keep_inputs,
            durability=durability,
        )

    def door(self, door: FrontDoor, part: GatewayPart) -> Door:
        """Stand around the gateway's door."""
        self._part = part
        self.metrics.watch_door(door.sessions.connected, door.refusals)
        return MeteredDoor(door, part, self.metrics, self._clock)

    def begin(self, service: Service) -> None:
        """The state is rebuilt and the sockets are open: count and answer from now on.

        Raises:
            ConfigError: the metrics' address cannot be used.
        """
        metrics = self.metrics
        metrics.observe_recovery(service.replayed, self._clock() - self._began_ns)
        if self.risk is not None:
            learn_risk(metrics, self.risk.engine)
        part = self._part
        if part is None:
            metrics.watch_queues(service.queue_depths)
        else:
            metrics.watch_queues(lambda: service.queue_depths() | {"batches": len(part.in_flight)})
        metrics.live = True
        config = self._config
        names = (*config.services(), CLOCK)
        metrics.watch_pulses(Pulses(Path(config.run_dir), names, self._clock).seconds)
        host, port = config.metrics.host, config.metrics.port(self._name, config.shards())
        try:
            metrics.serve(port, host)
        except OSError as error:
            raise ConfigError(f"metrics: cannot answer at {host}:{port}: {error}") from None
