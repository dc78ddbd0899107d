"""Worlds: a run up to a moment, and what it could have become from there.

All have the same past: the exchange, the agents and what they know are taken over from a snapshot.
From the moment on each goes its own way. Nobody is replayed: agents see what happens and act on it.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import msgspec

from engine.commands import IOC, MARKET, SELL, SetRulebook, SubmitOrder
from engine.events import (
    BadDebtBooked,
    BookLevel,
    LiquidationEnded,
    LiquidationStarted,
    MarginCallIssued,
    SystemChanged,
)
from seawall.exchange import Exchange
from seawall.lab.intervals import LabError
from seawall.lab.moment import Moment
from seawall.records.figures import FigureCollector
from seawall.records.warm_up import warm_up_figures
from seawall.report.facts import LOSS_FIELDS
from seawall.runs.scenario_run import AT_REST_NS
from seawall.scenario import Scenario
from seawall.simulating.simulation import Simulation


class Past(msgspec.Struct):
    """A run at a moment: everything a world begins with."""

    time_ns: int
    exchange: bytes
    simulation: bytes
    figures: FigureCollector


class WorldResult(msgspec.Struct):
    """What became of a world. ``liquidated`` are margin accounts from the moment on, ``losses`` the
    parts of their change in equity in quanta, ``deficits`` what was booked by stage. ``calls`` and
    ``liquidations`` began at the moment itself."""

    name: str
    state_hash: str
    figures: dict[str, Any]
    liquidated: list[int]
    losses: dict[str, int]
    deficits: dict[str, int]
    calls: int
    liquidations: int
    first_difference: list[str]


class World:
    """One world, from its past on. With ``reference``, the events of another world, it notes the
    first that differs."""

    def __init__(
        self,
        name: str,
        scenario: Scenario,
        past: Past,
        reference: Sequence[tuple[str, Any]] | None = None,
    ) -> None:
        self.name = name
        self._scenario = scenario
        self._figures = deepcopy(past.figures)
        self.exchange = exchange_of(scenario)
        self.exchange.resume(past.exchange)
        self.exchange.subscribe(self._figures)
        self.exchange.subscribe(self._on_event)
        self.exchange.before_command = self._on_command
        self.simulation = Simulation(scenario, self.exchange, samples=False)
        self.simulation.restore(past.simulation)
        self.events: list[tuple[str, Any]] = []
        self._reference = reference
        self._place = 0
        self._difference: list[str] = []
        self._command = "what was under way"
        self._recent: list[Any] = []
        self._liquidated: dict[int, int] = {}
        self._losses = dict.fromkeys(LOSS_FIELDS, 0)
        self._deficits: dict[str, int] = {}
        self._calls = self._liquidations = 0
        self._at_moment = False

    def set_rules(self, rulebook: str) -> None:
        """Put other rules in force now; what follows from that at once is counted by itself."""
        self._at_moment = True
        self.simulation.send(SetRulebook(self.simulation.now_ns, rulebook))
        self._at_moment = False

    def sell(self, account_id: int, instrument_id: int, lots: int) -> None:
        """A market order that nobody in the run meant to send."""
        order_id = self.simulation.next_order_id()
        self.simulation.send(
            SubmitOrder(
                self.simulation.now_ns,
                account_id,
                instrument_id,
                order_id,
                SELL,
                lots,
                0,
                MARKET,
                IOC,
            )
        )

    def run(self) -> WorldResult:
        """Go on to the end.

        Raises:
            AssertionError: an invariant broke.
        """
        self.simulation.advance(self._scenario.time.end_ns)
        result = self.simulation.result()
        self.exchange.run_until(AT_REST_NS)
        self.exchange.check_invariants()
        return WorldResult(
            name=self.name,
            state_hash=self.exchange.state_hash(),
            figures=self._figures.row(self.exchange, result.owners)
            | warm_up_figures(result.warm_up),
            liquidated=list(self._liquidated),
            losses=self._losses,
            deficits=self._deficits,
            calls=self._calls,
            liquidations=self._liquidations,
            first_difference=self._difference,
        )

    def _on_command(self, seq: int, command: Any) -> None:
        self._command = type(command).__name__
        self._recent.clear()

    def _on_event(self, event: Any) -> None:
        kind = type(event)
        if kind is BookLevel or (kind is SystemChanged and event.subject == "rulebook"):
            return
        self._compare(event)
        self._recent.append(event)
        if kind is LiquidationStarted:
            self._liquidated[event.margin_account_id] = 1
            self._liquidations += self._at_moment
        elif kind is MarginCallIssued:
            self._calls += self._at_moment
        elif kind is LiquidationEnded:
            for name in LOSS_FIELDS:
                self._losses[name] += getattr(event, name)
        elif kind is BadDebtBooked:
            self._deficits[event.stage] = self._deficits.get(event.stage, 0) + event.amount_q

    def _compare(self, event: Any) -> None:
        """Keep the events of the first world; of others only the first that differs."""
        if self._reference is None:
            self.events.append((self._command, event))
            return
        if self._difference:
            return
        place, self._place = self._place, self._place + 1
        there = self._reference[place] if place < len(self._reference) else ("its end", None)
        if there[1] != event:
            self._difference = self._chain(event, there)

    def _chain(self, event: Any, there: tuple[str, Any]) -> list[str]:
        """What led to a difference within its command, about the same accounts, and both events."""
        named = _accounts(event) | _accounts(there[1])
        causes = [each for each in self._recent if _accounts(each) & named][-4:]
        return [
            f"in both: {self._command}",
            *(f"in both: {each!r}"[:240] for each in causes),
            f"as it was: {there[1]!r}"[:240],
            f"{self.name}: {event!r}"[:240],
        ]


def _accounts(event: Any) -> set[int]:
    names = ("account_id", "margin_account_id", "bankrupt_account_id")
    return {getattr(event, name) for name in names if getattr(event, name, None) is not None}


def exchange_of(scenario: Scenario) -> Exchange:
    """An empty exchange as the scenario wants it."""
    return Exchange(
        latency=scenario.latency,
        publish_depth=scenario.output.publish_depth,
        check_invariants_every=scenario.output.check_invariants_every,
    )


def past_of(scenario: Scenario, at: str) -> Past:
    """Run a scenario up to a moment: the first clock tick at or after it.

    Raises:
        LabError: the moment lies outside of the run, or what it waits for never happens.
    """
    plan = scenario.time
    moment = Moment(at, plan)
    exchange = exchange_of(scenario)
    figures = FigureCollector(scenario)
    exchange.subscribe(figures)
    exchange.subscribe(moment.on_event)
    simulation = Simulation(scenario, exchange, samples=False)
    simulation.open()
    time_ns = plan.begin_ns
    while not moment.has_come(time_ns):
        time_ns += plan.tick_ns
        if time_ns >= plan.end_ns:
            raise LabError(f"--at {at}: it never happens with seed {scenario.seed}")
        simulation.advance(time_ns)
    return Past(time_ns, exchange.snapshot(), simulation.snapshot(), figures)
