"""The simulator's loop: index, clock and agents on one virtual timeline.

Everything happens in the order of (time, rank, sequence): index prints first, then the clock tick,
then agents that wake. Nothing here reads the wall clock except the progress line and the duration
reported at the end, so the same scenario and seed give the same commands.
"""

import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from engine.commands import AdvanceTime, Command
from risk.accounts import FIRST_TRADER
from seawall.actions import Action
from seawall.agents import build_agents
from seawall.agents.base import NEVER, Agent
from seawall.agents.dice import Dice
from seawall.agents.margin_traders import MarginTrader, errand
from seawall.agents.market_maker import MarketMaker
from seawall.agents.stake import ENTER, Crowd, Errand
from seawall.agents.view import Desk, MarketView
from seawall.interrupts import Interrupts
from seawall.profiles import draw_population
from seawall.records.run_warnings import Coverage, Entrants, SourceCount
from seawall.records.series import SeriesRecorder
from seawall.records.warm_up import WarmUp
from seawall.scenario import Scenario
from seawall.simulating.agenda import Agenda
from seawall.simulating.forced_sales import AgainstPaths, ForcedSales
from seawall.simulating.hedge_results import hedge_results
from seawall.simulating.index_stream import PRINT, IndexStream, Print, index_streams, price_streams
from seawall.simulating.market_setup import (
    EntryPlanner,
    agent_commands,
    house_commands,
    market_commands,
    trader_commands,
)
from seawall.simulating.opening import MAKERS_FIRST_NS, Opening
from seawall.simulating.owners import Owners, group_of
from seawall.simulating.set_up import SetUp
from seawall.simulating.simulated_market import Listener, Opened, SimulatedMarket
from seawall.simulating.simulation_result import SimulationResult

RANK_INDEX: Final[int] = 0
RANK_CLOCK: Final[int] = 1
RANK_AGENT: Final[int] = 2

TICK: Final[str] = "tick"
WAKE: Final[str] = "wake"

_PROGRESS_SECONDS: Final[float] = 0.5


class Wake(Action):
    """An agent wakes."""

    __slots__ = ("_simulation", "agent")

    def __init__(self, agent: Agent, simulation: "Simulation") -> None:
        self.agent = agent
        self._simulation = simulation

    def __call__(self) -> None:
        """Let it act, and wake it again when it wants."""
        self._simulation.wake(self)

    def row(self) -> list[Any]:
        """That it wakes, and the agent's account."""
        return [WAKE, self.agent.account_id]


class Tick(Action):
    """The clock ticks."""

    __slots__ = ("_simulation",)

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation = simulation

    def __call__(self) -> None:
        """Tell everybody, and tick again."""
        self._simulation.tick(self)

    def row(self) -> list[Any]:
        """That it ticks."""
        return [TICK]


class Simulation:
    """One run of a scenario on an exchange that is still empty.

    `run` does all of it. Or in parts: `open`, `advance` as often as wanted, `result`. Between them
    `snapshot` writes down everything but the exchange (see `seawall.exchange.Exchange.snapshot`),
    and another simulation of the same scenario and seed takes it over by `restore`. Without
    ``samples`` the series stay empty, and nothing else is different.
    """

    def __init__(
        self,
        scenario: Scenario,
        market: SimulatedMarket,
        *,
        seed: int | None = None,
        on_ready: Callable[[], None] | None = None,
        interrupts: Interrupts | None = None,
        progress: bool = False,
        samples: bool = True,
    ) -> None:
        self._samples = samples
        self._interrupts = Interrupts() if interrupts is None else interrupts
        self.scenario = scenario
        self.seed = scenario.seed if seed is None else seed
        self.market = market
        self.commands = 0
        self.now_ns = scenario.time.begin_ns
        self._on_ready = on_ready
        self._progress = progress and sys.stderr.isatty()
        self._agenda = Agenda()
        self._desk = Desk(self)
        self._set_up = SetUp(scenario)
        self._coverage = Coverage(scenario.rulebook.index.stale_ns)
        self._entrants = Entrants()
        self._opening = Opening()
        self._owners = Owners(self._set_up)
        self._warm_up = WarmUp(scenario, self.seed)
        self._ticks = 0
        self._wall_seconds = 0.0
        self.views: dict[str, MarketView] = {}

    # the desk's venue: every command of the run passes here

    def send(self, command: Command) -> None:
        """Count a command and hand it to the exchange.

        Raises:
            KeyboardInterrupt: the run was interrupted since the last command.
        """
        self._interrupts.check()
        self.commands += 1
        self.market.send(command)

    def _set(self, command: Command) -> None:
        """Send a command that sets the market up, and see that it is taken."""
        self._set_up.sent(command)
        self.send(command)
        self._set_up.check()

    def next_order_id(self) -> int:
        """A fresh order id."""
        return self.market.next_order_id()

    def schedule(self, time_ns: int, action: Action, rank: int = RANK_AGENT) -> None:
        """Run ``action`` at that time, or now if it has passed."""
        self._agenda.add(max(time_ns, self.now_ns), rank, action)

    def run(self) -> SimulationResult:
        """Set the market up, run it to the end and collect the series.

        Raises:
            ScenarioError: an index file turns out to be wrong.
        """
        self.open()
        self.advance(self.scenario.time.end_ns)
        return self.result()

    def open(self) -> None:
        """Set the market up; its first price is the next thing that happens.

        Raises:
            ScenarioError: an index file turns out to be wrong.
        """
        started = time.perf_counter()
        self.market.subscribe(self._owners.on_event)
        self._streams = index_streams(self.scenario, self.seed, self._coverage.look)
        self._prices = price_streams(self.scenario, self.seed, self._coverage.look)
        self._owners.hear_trades(AgainstPaths(self._warm_up.trade, self._felt()).trade)
        for felt in self._felt():
            self._owners.hear_trades(felt.trade)
        self._open_market(self._streams, self._prices)
        self._sources = self._source_counts()
        if self._on_ready is not None:
            self._on_ready()
        for stream in (*self._streams.values(), *self._prices.values()):
            self._follow(stream)
        self.schedule(self.scenario.time.begin_ns, Tick(self), RANK_CLOCK)
        self._wall_seconds += time.perf_counter() - started

    def advance(self, until_ns: int) -> None:
        """Let everything happen up to and including a time, at most to the scenario's end.

        Raises:
            ValueError: that time has passed.
        """
        if until_ns < self.now_ns:
            raise ValueError(f"time {until_ns} has passed: the simulation is at {self.now_ns}")
        started = time.perf_counter()
        until_ns = min(until_ns, self.scenario.time.end_ns)
        self._loop(started, until_ns)
        self.market.run_until(until_ns)
        self._wall_seconds += time.perf_counter() - started

    def result(self) -> SimulationResult:
        """What came of it so far."""
        traders = self._owners.traders().values()
        return SimulationResult(
            scenario=self.scenario,
            seed=self.seed,
            accounts=len(traders),
            entered=sum(1 for trader in traders if trader.entered),
            commands=self.commands,
            wall_seconds=self._wall_seconds,
            series=self._recorder.instruments,
            margin_ratio=self._recorder.margin_ratio,
            agent_profits={agent.name: agent.profit() for agent in self._agents},
            hedges=hedge_results(self._agents),
            owners=self._owners.described(),
            warm_up=self._warm_up.summary(),
            warnings=self._warnings(),
        )

    # others than an empty exchange

    @property
    def agents(self) -> list[Agent]:
        """The agents that are no margined traders."""
        return self._agents

    @property
    def first_ticks(self) -> dict[int, int]:
        """The first price of each index's path, by instrument id."""
        return {
            self.views[name].instrument_id: each.first_ticks for name, each in self._streams.items()
        }

    def adopt(self, positions: Mapping[int, Mapping[int, int]]) -> None:
        """The accounts had these positions before it began, in lots by instrument id, and no
        orders."""
        for account_id, lots in positions.items():
            self._owners.all[account_id - FIRST_TRADER].adopt(lots)
        self._opening.again()

    # saving it

    def snapshot(self) -> bytes:
        """Everything but the exchange: who knows, waits for and wants what, and the series."""
        counts = [count.state() for count in self._sources]
        places = [stream.place for stream in (*self._streams.values(), *self._prices.values())]
        waiting = [
            (at, rank, number, action.row()) for at, rank, number, action in self._agenda.entries()
        ]
        state = [
            [self.scenario.name, self.seed],
            [self.now_ns, self._desk.now_ns, self.commands, self._ticks, self._wall_seconds],
            [self._agenda.added, waiting],
            self._owners.state(),
            [view.state() for view in self.views.values()],
            self._recorder.state(),
            counts,
            places,
            self._opening.state(),
            self._warm_up.state(),
            [felt.state() for felt in self._felt()],
        ]
        return msgspec.msgpack.encode(state)

    def restore(self, snapshot: bytes) -> None:
        """Go on where a snapshot was taken, with the exchange of that moment: in place of `open`.

        Raises:
            ValueError: it is one of another scenario or seed.
        """
        run, clock, agenda, owners, views, series, counts, places, opening, warm_up, felt = (
            msgspec.msgpack.decode(snapshot)
        )
        if run != [self.scenario.name, self.seed]:
            raise ValueError(
                f"a snapshot of scenario {run[0]}, seed {run[1]}, is no place to go on for "
                f"{self.scenario.name}, seed {self.seed}"
            )
        market = self.market
        self.market, self._on_ready = Opened(market), None
        self.open()
        self.market = market
        market.subscribe(self._owners.on_event)
        self.now_ns, self._desk.now_ns, self.commands, self._ticks, self._wall_seconds = clock
        self._owners.restore(owners)
        for view, row in zip(self.views.values(), views, strict=True):
            view.restore(row)
        self._recorder.restore(series)
        for count, row in zip(self._sources, counts, strict=True):
            count.restore(row)
        self._opening.restore(opening)
        self._warm_up.restore(warm_up)
        for each, state in zip(self._felt(), felt, strict=True):
            each.restore(state)
        points = self._restore_streams(places)
        added, waiting = agenda
        entries = [
            (at, rank, number, self._action(row, points)) for at, rank, number, row in waiting
        ]
        self._agenda.restore(added, entries)

    def _restore_streams(self, places: list[int]) -> dict[tuple[str, str], Print]:
        """Bring the streams to their places; returns the print of each that waits, by what its row
        says."""
        waiting: dict[tuple[str, str], Print] = {}
        streams = (*self._streams.values(), *self._prices.values())
        for stream, place in zip(streams, places, strict=True):
            stream.skip_to(place)
            if stream.point is not None:
                waiting[stream.kind.__name__, stream.name] = Print(
                    stream, stream.point, self._print
                )
        return waiting

    def _action(self, row: list[Any], points: dict[tuple[str, str], Print]) -> Action:
        """The action of a row."""
        kind = row[0]
        if kind == TICK:
            return Tick(self)
        if kind == PRINT:
            return points[row[1], row[2]]
        owner = self._owners.all[row[1] - FIRST_TRADER]
        if isinstance(owner, MarginTrader):
            return errand(row, owner)
        return Wake(owner, self)

    def _felt(self) -> list[ForcedSales]:
        """What the indices feel of their contracts."""
        streams = self._streams.values()
        return [stream.forced for stream in streams if stream.forced is not None]

    # the run

    def _warnings(self) -> list[str]:
        """What did nothing in this run, or could not."""
        self._entrants.idle(
            self._set_up.place(account_id)
            for account_id, owner in enumerate(self._owners.all, FIRST_TRADER)
            if (not owner.entered if isinstance(owner, MarginTrader) else self._is_idle(owner))
        )
        counted = [text for count in self._sources for text in count.warnings()]
        return [
            *self._warm_up.warnings(),
            *self._opening.warnings(),
            *self._coverage.warnings,
            *counted,
            *self._entrants.warnings(),
            *self._owners.uncountable.warnings(),
        ]

    def _is_idle(self, agent: Agent) -> bool:
        """Whether a market maker never had an order accepted; other agents may wait for long."""
        return isinstance(agent, MarketMaker) and agent.account_id not in self._owners.accepted

    def _loop(self, started: float, end_ns: int) -> None:
        """Take actions in order up to a time."""
        latency = self.scenario.latency is not None
        shown = started
        agenda = self._agenda
        while (action := agenda.take(end_ns)) is not None:
            time_ns = agenda.time_ns
            # What arrives meanwhile may ask for something, but not for a time that has passed.
            self.now_ns = time_ns
            self._desk.now_ns = time_ns
            if latency:
                self.market.run_until(time_ns)
            action()
            if self._progress and agenda.rank == RANK_CLOCK:
                now = time.perf_counter()
                if now - shown > _PROGRESS_SECONDS:
                    shown = now
                    self._show_progress(self._wall_seconds + now - started)
        if self._progress:
            sys.stderr.write("\r\033[K")

    def _show_progress(self, seconds: float) -> None:
        plan = self.scenario.time
        share = (self.now_ns - plan.begin_ns) / (plan.end_ns - plan.begin_ns)
        bar = "#" * int(share * 30)
        sys.stderr.write(
            f"\r[{bar:<30}] {share:4.0%}  {self.commands:,} commands  {seconds:,.0f} s\033[K"
        )
        sys.stderr.flush()

    # setting up

    def _open_market(self, streams: dict[str, IndexStream], prices: dict[str, IndexStream]) -> None:
        scenario = self.scenario
        begin_ns = self.now_ns
        # opening happens so long before the run that every link has delivered when it begins
        links = msgspec.structs.astuple(scenario.latency) if scenario.latency else ()
        listing_ns = begin_ns - 2 * sum(links)
        opening_ns = begin_ns - sum(links)
        first_ticks = {name: stream.first_ticks for name, stream in streams.items()}
        for command in market_commands(scenario, listing_ns):
            self._set(command)
        for command in house_commands(scenario, listing_ns, first_ticks):
            self._set(command)
        self.market.run_until(opening_ns)
        self._set_up.check()
        assets = {asset.asset_id: asset for asset in scenario.assets.values()}
        for name, spec in scenario.instruments.items():
            book = self.market.book(spec.instrument_id)
            view = MarketView(spec, assets[spec.settle_asset_id], book, scenario.time.tick_ns)
            self.views[name] = view
            self._owners.show(view)
        self._recorder = SeriesRecorder(self.views)
        first_prices_ppb = {name: stream.first_ticks for name, stream in prices.items()}
        self._open_traders(first_ticks, first_prices_ppb, opening_ns)
        self._open_agents(first_ticks, opening_ns)
        self.market.run_until(begin_ns)
        self._set_up.stands()

    def _open_traders(
        self, first_ticks: dict[str, int], first_prices_ppb: dict[str, int], opening_ns: int
    ) -> None:
        scenario = self.scenario
        plan = scenario.time
        planner = EntryPlanner(scenario, first_ticks, first_prices_ppb)
        self._crowd = Crowd(self._desk, self.views, self.schedule)
        profiles = draw_population(scenario.population, FIRST_TRADER, self.seed)
        for profile in profiles:
            first = profile.instruments[0][0]
            view = self.views[first]
            entry = planner.plan(profile, self.views)
            place = f"population.{profile.group}"
            self._set_up.add_owner(profile.account_id, place)
            self._entrants.add(place, any(entry.target_lots), view.spec, first_ticks[first])
            most = max(entry.leverages)
            self._set_up.check_room(profile.account_id, view.asset, entry.deposit_q, most)
            for command in trader_commands(profile, entry, self.views, scenario.assets, opening_ns):
                self._set(command)
            dice = Dice(self.seed << 40 | profile.account_id)
            trader = MarginTrader(
                profile, self._crowd, dice, view.asset.asset_id, entry.reserve_q, entry.target_lots
            )
            self._owners.all.append(trader)
            # the book needs a moment to fill before the first entry
            share = 0.04 + 0.92 * profile.entry_share
            entry_ns = plan.begin_ns + int(share * plan.warm_up_ns)
            for stake in trader.stakes:
                self.schedule(entry_ns, Errand(ENTER, stake))
        rng = random.Random(f"{self.seed}:ratio-sample")
        ids = [profile.account_id for profile in profiles]
        count = min(len(ids), scenario.output.ratio_sample_accounts)
        self._ratio_sample = sorted(rng.sample(ids, count))

    def _open_agents(self, first_ticks: dict[str, int], opening_ns: int) -> None:
        begin_ns = self.scenario.time.begin_ns
        first = {view.instrument_id: first_ticks[name] for name, view in self.views.items()}
        first_id = FIRST_TRADER + len(self._owners.all)
        self._agents = build_agents(self.scenario.agents, self.views, first_id, self.seed)
        for agent in self._agents:
            agent.prepare(first)
            ticks = first[agent.view.instrument_id]
            place = f"agents.{group_of(agent)[1]}"
            self._set_up.add_owner(agent.account_id, place)
            spec = agent.view.spec
            able = agent.view.lots(agent.largest_order(), ticks) >= spec.min_lots
            rich = agent.view.lots(agent.capital * agent.leverage, ticks) >= spec.min_lots
            self._entrants.add(place, able, spec, ticks, "orders do" if rich else "money does")
            capital_q = agent.view.settle_q(agent.capital, ticks)
            self._set_up.check_room(agent.account_id, agent.view.asset, capital_q, agent.leverage)
            for command in agent_commands(agent, ticks, opening_ns):
                self._set(command)
            agent.funded(capital_q)
            self._owners.all.append(agent)
            if capital_q > 0:  # without a quantum it has nothing to trade with
                self.schedule(self._opening.expect(agent, begin_ns), Wake(agent, self))

    def wake(self, waking: Wake) -> None:
        """Let an agent act, and wake it again when it wants."""
        if self._opening.keeps_out(waking.agent):
            self.schedule(self.now_ns + MAKERS_FIRST_NS, waking)
            return
        following = waking.agent.wake(self._desk)
        if following != NEVER:
            self.schedule(max(following, self.now_ns + 1), waking)

    # index and clock

    def _follow(self, stream: IndexStream) -> None:
        """Have the next print of a stream sent, at its time."""
        point = stream.take()
        if point is not None:
            self.schedule(point.time_ns, Print(stream, point, self._print), RANK_INDEX)

    def _print(self, printed: Print) -> None:
        self._set(printed.command())
        self._follow(printed.stream)

    def tick(self, ticking: Tick) -> None:
        """The clock ticks: the exchange, the views and the series go by it."""
        plan = self.scenario.time
        output = self.scenario.output
        self.send(AdvanceTime(self.now_ns))
        for view in self.views.values():
            view.on_tick(self.now_ns)
        if self.now_ns <= plan.start_ns:
            self._warm_up.check(self._owners.uncountable.warnings())
        else:
            for count in self._sources:
                count.look(self.now_ns)
        if self._samples and self._ticks % max(1, output.sample_ns // plan.tick_ns) == 0:
            self._recorder.sample(self.now_ns)
        if self._samples and self._ticks % max(1, output.ratio_sample_ns // plan.tick_ns) == 0:
            self._recorder.sample_ratios(self.now_ns, self._ratio_sample, self.market)
        self._ticks += 1
        self.schedule(self.now_ns + plan.tick_ns, ticking, RANK_CLOCK)

    def _source_counts(self) -> list[SourceCount]:
        scenario, market = self.scenario, self.market
        counts = []
        for name, plan in scenario.indices.items():
            counting = partial(market.index_sources, scenario.instruments[name].instrument_id)
            counts.append(SourceCount(f"index.{name}", plan, counting))
        for name, plan in scenario.asset_prices.items():
            counting = partial(market.price_sources, scenario.assets[name].asset_id)
            counts.append(SourceCount(f"asset_prices.{name}", plan, counting))
        return counts


def simulate(
    scenario: Scenario,
    market: SimulatedMarket,
    *,
    seed: int | None = None,
    listeners: Sequence[Listener] = (),
    on_ready: Callable[[], None] | None = None,
    progress: bool = False,
) -> SimulationResult:
    """Run a scenario on an empty exchange.

    ``seed`` replaces the scenario's; ``listeners`` hear every event; ``on_ready`` is called once
    the house is funded and every account open, before the first price.

    Raises:
        ScenarioError: an index file is wrong.
    """
    for listener in listeners:
        market.subscribe(listener)
    return Simulation(scenario, market, seed=seed, on_ready=on_ready, progress=progress).run()
