"""Prometheus metrics of an exchange, derived from the commands and events that pass by.

Nothing in the deterministic core knows of this: what runs components (a service, or a script
around `seawall.exchange.Exchange`) shows the commands and events to a `Metrics` and tells it the
times it took. Labels are instruments, assets, reasons, stages and the like, never accounts or
orders.

Amounts are shown in whole units of their asset and prices in the quote currency, as floats: a graph
needs no quanta, and nothing is ever computed from them.
"""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from http.server import HTTPServer
from threading import Lock, Thread
from typing import Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

from engine import commands as c
from engine import events as e
from engine.instruments import AssetSpec, InstrumentSpec
from engine.reasons import Reason
from gateway.door.tally import Tally
from gateway.metering.metric_families import NANO, Family, FamilyCollector, Labels, Values
from gateway.metering.metric_tables import (
    DoorMetrics,
    HostMetrics,
    MarginMetrics,
    OrderMetrics,
    Table,
    families,
)
from risk.accounts import BACKSTOP, FUND
from risk.health import Levels
from risk.rulebook import NO_RULES, STAGES, Rulebook, rulebook_from_json

HOST: Final[str] = "host"
DOOR: Final[str] = "door"
RISK: Final[str] = "risk"
GROUPS: Final[tuple[str, ...]] = (HOST, DOOR, RISK)
"""Who shows a metric: every service, the gateway, risk."""

LOCAL: Final[str] = "127.0.0.1"

_TRUTH: Final[dict[bool, str]] = {False: "false", True: "true"}
_FILLS: Final[dict[tuple[bool, bool], Labels]] = {
    (maker, liquidation): ("maker" if maker else "taker", _TRUTH[liquidation])
    for maker in (False, True)
    for liquidation in (False, True)
}
_REASONS: Final[dict[int, Labels]] = {reason.value: (reason.name.lower(),) for reason in Reason}
_HOUSE: Final[dict[int, Labels]] = {FUND: ("fund",), BACKSTOP: ("backstop",)}
_TRIGGERS: Final[dict[bool, Labels]] = {False: ("level",), True: ("call_expired",)}
_OTHER: Final[Labels] = ("other",)


class _Contract:
    """Labels and scales of one instrument."""

    __slots__ = ("label", "lot", "quantum", "settled", "tick")

    def __init__(self, spec: InstrumentSpec, asset: AssetSpec) -> None:
        self.label: Labels = (spec.symbol,)
        self.settled: Labels = (spec.symbol, asset.symbol)
        self.tick = float(spec.tick_size)
        self.lot = float(spec.lot_size)
        self.quantum = float(asset.quantum)


class Metrics:
    """The metrics of one process, with a registry of their own.

    ``groups`` chooses what is shown (see `GROUPS`). Assets, instruments and margin levels are
    learned from the commands that name them, once risk has confirmed them, or by the ``learn_``
    methods after a restart. Events about what was never learned are counted nowhere. `live` is
    off while a service replays its journal: what is handled again was counted before.
    """

    def __init__(self, groups: Sequence[str] = GROUPS) -> None:
        self.host = HostMetrics()
        self.door = DoorMetrics()
        self.orders = OrderMetrics()
        self.margin = MarginMetrics()
        self.live = True
        self.registry = CollectorRegistry()
        self._assets: dict[int, AssetSpec] = {}
        self._contracts: dict[int, _Contract] = {}
        self._proposed: dict[tuple[str, str], Any] = {}
        self._level_names = Levels(NO_RULES).names
        self._level_of: dict[int, int] = {}
        self._depths: Callable[[], Mapping[str, int]] = dict
        self._refusals: Callable[[], Mapping[str, int]] = dict
        self._connected: Callable[[], int] = int
        self._dispatch = self._handlers()
        self.tally = Tally()
        self._folded: dict[tuple[str, Any], int] = {}
        self._folding = Lock()
        self.counted: frozenset[type] = frozenset(self._dispatch)
        self.host.queue_depth.read = self._queue_values
        self.door.refusals.read = self._refusal_values
        self.door.sessions.read = self._session_values
        self.margin.accounts.read = self._level_values
        shown: dict[str, tuple[Table, ...]] = {
            HOST: (self.host,),
            DOOR: (self.door,),
            RISK: (self.orders, self.margin),
        }
        for group in groups:
            for table in shown[group]:
                self.registry.register(FamilyCollector(families(table), self.fold))
        ProcessCollector(registry=self.registry)

    def serve(self, port: int, host: str = LOCAL) -> tuple[HTTPServer, Thread]:
        """Answer scrapes in a thread; with port 0 on any free one (the server's ``server_port``).

        Raises:
            OSError: the port is taken, or the host is not this machine's.
        """
        return start_http_server(port, host, self.registry)

    # what passes by

    def note_command(self, command: c.Command) -> None:
        """`observe_command` for who must not fail: an error is counted."""
        try:
            self.observe_command(command)
        except Exception:
            self.host.observer_errors.add(())

    def note_event(self, event: e.Event) -> None:
        """`observe_event` for who must not fail: an error is counted."""
        try:
            self.observe_event(event)
        except Exception:
            self.host.observer_errors.add(())

    def observe_command(self, command: c.Command) -> None:
        """Count a command before it is handled, and note the specifications it proposes."""
        self.orders.commands.add((type(command).__name__,))
        kind = type(command)
        if kind is c.AddAsset or kind is c.AddInstrument:
            subject = "asset" if kind is c.AddAsset else "instrument"
            spec = command.spec  # type: ignore[union-attr]
            self._proposed[subject, spec.symbol] = spec
        elif kind is c.SetRulebook:
            try:
                rulebook = rulebook_from_json(command.rulebook)  # type: ignore[union-attr]
            except ValueError:
                return
            self._proposed["rulebook", rulebook.name] = rulebook

    def observe_event(self, event: e.Event) -> None:
        """Count an event; types without a metric cost one look-up."""
        handler = self._dispatch.get(type(event))
        if handler is not None:
            handler(event)

    def fold(self) -> None:
        """Add to the families what the tally has more than the last time; at every scrape."""
        tally, orders, contracts = self.tally, self.orders, self._contracts
        by_instrument = (
            (orders.accepted, tally.accepted, False),
            (orders.trades, tally.trades, False),
            (orders.traded, tally.traded_lots, True),
            (orders.liquidated, tally.liquidated_lots, True),
        )
        with self._folding:
            for kind, more in self._more("commands", tally.commands):
                orders.commands.add((kind.__name__,), more)
            for key, more in self._more("fills", tally.fills):
                orders.fills.add(_FILLS[key], more)
            for family, counts in (
                (orders.closed, tally.closed),
                (orders.rejections, tally.rejected),
            ):
                for reason, more in self._more(family.name, counts):
                    family.add(_REASONS.get(reason, _OTHER), more)
            for family, counts, in_lots in by_instrument:
                for instrument_id, more in self._more(family.name, counts, contracts):
                    contract = contracts[instrument_id]
                    family.add(contract.label, more * contract.lot if in_lots else more)

    def _more(
        self, name: str, counts: Mapping[Any, int], known: Container[Any] | None = None
    ) -> Iterator[tuple[Any, int]]:
        """What came since the last fold, by key; keys that are not known yet wait."""
        for key, count in list(counts.items()):
            if known is not None and key not in known:
                continue
            more = count - self._folded.get((name, key), 0)
            if more:
                self._folded[name, key] = count
                yield key, more

    # what the host measured

    def observe_commit(self, inputs: int, duration_ns: int) -> None:
        """A group of inputs was journaled."""
        self.host.commit.observe(duration_ns)
        self.host.inputs.add((), inputs)

    def observe_snapshot(self, size_bytes: int, duration_ns: int) -> None:
        """A snapshot was written."""
        self.host.snapshot.observe(duration_ns)
        self.host.snapshot_size.values[()] = size_bytes

    def observe_recovery(self, inputs: int, duration_ns: int) -> None:
        """The state was rebuilt, by handling so many inputs again."""
        self.host.recovery_inputs.values[()] = inputs
        self.host.recovery_time.values[()] = duration_ns * NANO

    def observe_margin_check(self, duration_ns: int) -> None:
        """Risk has handled a new order."""
        self.orders.margin_check.observe(duration_ns)

    def observe_latency(self, duration_ns: int) -> None:
        """A client's batch was answered, so long after it had come in."""
        self.door.latency.observe(duration_ns)

    def set_ready(self, ready: bool) -> None:
        """Whether the service works."""
        self.host.ready.values[()] = int(ready)

    # what is asked at every scrape, from the scraping thread; the answers should cost nothing

    def watch_queues(self, depths: Callable[[], Mapping[str, int]]) -> None:
        """Ask ``depths`` for the length of each queue, by name."""
        self._depths = depths

    def watch_pulses(self, seconds: Callable[[], Values]) -> None:
        """Ask ``seconds`` how long each service has been silent."""
        self.host.silent.read = seconds

    def watch_door(
        self, connected: Callable[[], int], refusals: Callable[[], Mapping[str, int]]
    ) -> None:
        """Ask for the clients connected, and for what was refused since the start, by cause."""
        self._connected = connected
        self._refusals = refusals

    def watch_house(
        self, fund_q: Callable[[], Mapping[int, int]], backstop_q: Callable[[], Mapping[int, int]]
    ) -> None:
        """Ask for the wallets of insurance fund and backstop in quanta, by asset id.

        Without this a wallet is that of the last `FundChanged` or `BackstopChanged`: unknown until
        the first one.
        """
        self.margin.fund.read = lambda: self._wallet_values(fund_q())
        self.margin.backstop.read = lambda: self._wallet_values(backstop_q())

    # what a restarted service knows already

    def learn_asset(self, spec: AssetSpec) -> None:
        """An asset is in use."""
        self._assets[spec.asset_id] = spec
        self.margin.bad_debt.start(*((spec.symbol, stage) for stage in STAGES))
        self.margin.socialised.start((spec.symbol,))
        self.margin.exchanged.start((spec.symbol,))
        self.margin.fund.start((spec.symbol,))
        self.margin.backstop.start((spec.symbol,))
        self.margin.insolvencies.start(*((*house, spec.symbol) for house in _HOUSE.values()))

    def learn_instrument(self, spec: InstrumentSpec) -> None:
        """An instrument is listed; its asset was learned before."""
        asset = self._assets.get(spec.settle_asset_id)
        assert asset is not None, "an instrument is listed in an asset that is known"
        contract = _Contract(spec, asset)
        self._contracts[spec.instrument_id] = contract
        self.orders.accepted.start(contract.label)
        self.orders.fired.start(contract.label)
        self.orders.settlements.start(contract.label)
        self.orders.funding.start(contract.settled)
        self.margin.adl_fills.start(contract.label)
        self.orders.index_stale.start(contract.label)
        for family in (self.orders.trades, self.orders.traded, self.orders.liquidated):
            family.start(contract.label)

    def learn_rulebook(self, rulebook: Rulebook) -> None:
        """A rulebook is in force: the names of its margin levels."""
        self._level_names = Levels(rulebook).names

    def set_level(self, margin_account_id: int, level: int) -> None:
        """A margin account is at a level; 0 is healthy."""
        if level:
            self._level_of[margin_account_id] = level
        else:
            self._level_of.pop(margin_account_id, None)

    def set_open(self, calls: int, liquidations: int) -> None:
        """So many margin calls and liquidations are open."""
        self.margin.calls_open.values[()] = calls
        self.margin.liquidations_open.values[()] = liquidations

    def set_index_stale(self, instrument_id: int, stale: bool) -> None:
        """Whether every source of an instrument's index is silent."""
        contract = self._contracts.get(instrument_id)
        if contract is not None:
            self.orders.index_stale.values[contract.label] = int(stale)

    def set_collateral_price(self, asset_id: int, margin_asset_id: int, price_ppb: int) -> None:
        """What one unit of an asset is worth as collateral; a price of 0 is unknown, not shown."""
        asset, margin_asset = self._assets.get(asset_id), self._assets.get(margin_asset_id)
        if asset is not None and margin_asset is not None and price_ppb:
            labels = (asset.symbol, margin_asset.symbol)
            self.orders.collateral_price.values[labels] = price_ppb * NANO

    def set_market(
        self, instrument_id: int, mark_ticks: int, index_ticks: int, open_interest_lots: int
    ) -> None:
        """Prices and open interest of an instrument; a price of 0 is unknown and not shown."""
        contract = self._contracts.get(instrument_id)
        if contract is None:
            return
        self.orders.open_interest.values[contract.label] = open_interest_lots * contract.lot
        if mark_ticks:
            self.orders.mark.values[contract.label] = mark_ticks * contract.tick
        if index_ticks:
            self.orders.index.values[contract.label] = index_ticks * contract.tick

    # read at a scrape

    def _queue_values(self) -> Values:
        return {(queue,): depth for queue, depth in self._depths().items()}

    def _refusal_values(self) -> Values:
        return {(cause,): count for cause, count in self._refusals().items()}

    def _session_values(self) -> Values:
        return {(): self._connected()}

    def _wallet_values(self, wallets_q: Mapping[int, int]) -> Values:
        return {
            (asset.symbol,): wallets_q.get(asset_id, 0) * float(asset.quantum)
            for asset_id, asset in list(self._assets.items())
        }

    def _level_values(self) -> Values:
        names = self._level_names
        values: Values = {(name,): 0 for name in names[1:]}
        for level in list(self._level_of.values()):
            if level < len(names):
                values[(names[level],)] += 1
        return values

    # events

    def _handlers(self) -> dict[type, Callable[[Any], None]]:
        return {
            e.CommandRejected: self._rejected,
            e.OrderAccepted: self._accepted,
            e.OrderFilled: self._filled,
            e.OrderClosed: self._closed,
            e.TriggerFired: self._fired,
            e.MarkUpdated: self._marked,
            e.FundingSettled: self._funding,
            e.SystemChanged: self._confirmed,
            e.MarginLevelChanged: self._level_changed,
            e.MarginCallIssued: self._call_issued,
            e.MarginCallEnded: self._call_ended,
            e.LiquidationStarted: self._liquidation_started,
            e.LiquidationStage: self._stage_entered,
            e.LiquidationEnded: self._liquidation_ended,
            e.TakenOver: self._taken_over,
            e.Deleveraged: self._deleveraged,
            e.LossSocialised: self._socialised,
            e.BadDebtBooked: self._bad_debt,
            e.CollateralExchanged: self._exchanged,
            e.FundChanged: self._fund_changed,
            e.BackstopChanged: self._backstop_changed,
            e.HouseInsolvent: self._insolvent,
            e.IndexStale: self._index_stale,
            e.CollateralPriceChanged: self._collateral_priced,
        }

    def _confirmed(self, event: e.SystemChanged) -> None:
        proposed = self._proposed.pop((event.subject, event.name), None)
        if isinstance(proposed, AssetSpec):
            self.learn_asset(proposed)
        elif isinstance(proposed, InstrumentSpec):
            self.learn_instrument(proposed)
        elif isinstance(proposed, Rulebook):
            self.learn_rulebook(proposed)

    def _rejected(self, event: e.CommandRejected) -> None:
        self.orders.rejections.add(_REASONS.get(event.reason, _OTHER))

    def _accepted(self, event: e.OrderAccepted) -> None:
        contract = self._contracts.get(event.instrument_id)
        if contract is not None:
            self.orders.accepted.add(contract.label)

    def _filled(self, event: e.OrderFilled) -> None:
        self.orders.fills.add(_FILLS[event.maker, event.liquidation])
        contract = self._contracts.get(event.instrument_id)
        if contract is None:
            return
        contracts = event.qty_lots * contract.lot
        if event.maker:
            # Every trade has one maker.
            self.orders.trades.add(contract.label)
            self.orders.traded.add(contract.label, contracts)
        if event.liquidation:
            self.orders.liquidated.add(contract.label, contracts)

    def _closed(self, event: e.OrderClosed) -> None:
        self.orders.closed.add(_REASONS.get(event.reason, _OTHER))

    def _fired(self, event: e.TriggerFired) -> None:
        contract = self._contracts.get(event.instrument_id)
        if contract is not None:
            self.orders.fired.add(contract.label)

    def _marked(self, event: e.MarkUpdated) -> None:
        self.set_market(
            event.instrument_id, event.mark_ticks, event.index_ticks, event.open_interest_lots
        )

    def _funding(self, event: e.FundingSettled) -> None:
        contract = self._contracts.get(event.instrument_id)
        if contract is not None:
            self.orders.settlements.add(contract.label)
            self.orders.funding.add(contract.settled, event.paid_q * contract.quantum)

    def _level_changed(self, event: e.MarginLevelChanged) -> None:
        self.set_level(event.margin_account_id, event.level)

    def _call_issued(self, event: e.MarginCallIssued) -> None:
        self.margin.calls_issued.add(())
        self.margin.calls_open.add(())

    def _call_ended(self, event: e.MarginCallEnded) -> None:
        self.margin.calls_ended.add((event.outcome,))
        if event.cured_by:
            self.margin.calls_cured.add((event.cured_by,))
        self.margin.calls_open.add((), -1)
        self.margin.call_open.observe(event.open_ns)

    def _liquidation_started(self, event: e.LiquidationStarted) -> None:
        self.margin.started.add(_TRIGGERS[event.call_expired])
        self.margin.liquidations_open.add(())
        # An expired call starts it without a change of level.
        self.set_level(event.margin_account_id, len(self._level_names) - 1)

    def _stage_entered(self, event: e.LiquidationStage) -> None:
        self.margin.stages.add((event.stage,))

    def _liquidation_ended(self, event: e.LiquidationEnded) -> None:
        self.margin.ended.add((event.outcome,))
        self.margin.liquidations_open.add((), -1)
        # Risk puts the account just above liquidation, without an event, and looks at it anew.
        self.set_level(event.margin_account_id, len(self._level_names) - 2)

    def _taken_over(self, event: e.TakenOver) -> None:
        self.margin.takeovers.add(_HOUSE.get(event.taker_account_id, _OTHER))

    def _deleveraged(self, event: e.Deleveraged) -> None:
        contract = self._contracts.get(event.instrument_id)
        if contract is not None:
            self.margin.adl_fills.add(contract.label)

    def _socialised(self, event: e.LossSocialised) -> None:
        asset = self._assets.get(event.asset_id)
        if asset is not None:
            self.margin.socialised.add((asset.symbol,), event.amount_q * float(asset.quantum))

    def _bad_debt(self, event: e.BadDebtBooked) -> None:
        asset = self._assets.get(event.asset_id)
        if asset is not None:
            amount = event.amount_q * float(asset.quantum)
            self.margin.bad_debt.add((asset.symbol, event.stage), amount)

    def _exchanged(self, event: e.CollateralExchanged) -> None:
        asset = self._assets.get(event.asset_id)
        if asset is not None:
            self.margin.exchanged.add((asset.symbol,), event.amount_q * float(asset.quantum))

    def _fund_changed(self, event: e.FundChanged) -> None:
        self._wallet(self.margin.fund, event)

    def _backstop_changed(self, event: e.BackstopChanged) -> None:
        self._wallet(self.margin.backstop, event)

    def _wallet(self, family: Family, event: e.FundChanged | e.BackstopChanged) -> None:
        asset = self._assets.get(event.asset_id)
        if asset is not None:
            family.values[(asset.symbol,)] = event.wallet_q * float(asset.quantum)

    def _insolvent(self, event: e.HouseInsolvent) -> None:
        asset = self._assets.get(event.asset_id)
        if asset is not None:
            house = _HOUSE.get(event.account_id, _OTHER)
            self.margin.insolvencies.add((*house, asset.symbol))

    def _index_stale(self, event: e.IndexStale) -> None:
        self.set_index_stale(event.instrument_id, event.stale)

    def _collateral_priced(self, event: e.CollateralPriceChanged) -> None:
        self.set_collateral_price(event.asset_id, event.margin_asset_id, event.price_ppb)
