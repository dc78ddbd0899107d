"""The simulator's loop: index, clock and agents on one virtual timeline.

Everything happens in the order of (time, rank, sequence): index prints first, then the clock tick,
then whoever wakes. Nothing here reads the wall clock except the progress line and the duration
reported at the end, so the same scenario and seed give the same commands.
"""

import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Final, Protocol

import msgspec

from engine.commands import AdvanceTime, AssetPrice, Command, IndexPrice
from engine.events import (
    CommandRejected,
    Deleveraged,
    Event,
    LiquidationEnded,
    LiquidationStarted,
    MarginCallEnded,
    MarginCallIssued,
    MarkUpdated,
    OrderAccepted,
    OrderAmended,
    OrderClosed,
    OrderFilled,
    TakenOver,
    Trade,
)
from matching.book import Book
from risk.accounts import FIRST_TRADER, owner_of
from seawall.agenda import Agenda
from seawall.agents import build_agents
from seawall.agents.base import NEVER, Agent
from seawall.agents.margin_traders import Crowd, Dice, Trader
from seawall.agents.market_maker import MarketMaker
from seawall.agents.view import Desk, MarketView
from seawall.index_path import IndexTick, index_path
from seawall.interrupts import Interrupts
from seawall.market_setup import (
    EntryPlanner,
    agent_commands,
    house_commands,
    market_commands,
    trader_commands,
)
from seawall.profiles import draw_population
from seawall.results import AGENT, GROUP
from seawall.run_warnings import Coverage, Entrants, SourceWatch
from seawall.scenario import Scenario
from seawall.series import SeriesRecorder
from seawall.set_up import SetUp
from seawall.simulation_result import SimulationResult

RANK_INDEX: Final[int] = 0
RANK_CLOCK: Final[int] = 1
RANK_AGENT: Final[int] = 2

PRICE_STEP: Final[Decimal] = Decimal("1e-9")
"""The step of an asset's price: a part per billion of a whole unit."""

_PROGRESS_SECONDS: Final[float] = 0.5

Listener = Callable[[Event], None]


class Market(Protocol):
    """What the simulation needs of an exchange."""

    def send(self, command: Command) -> None:
        """Hand in a command."""

    def run_until(self, time_ns: int) -> None:
        """Process everything due up to that time."""

    def subscribe(self, listener: Listener) -> None:
        """Hear every event."""

    def next_order_id(self) -> int:
        """A fresh order id."""

    def book(self, instrument_id: int) -> Book:
        """The order book of an instrument."""

    def index_sources(self, instrument_id: int, time_ns: int) -> list[int]:
        """Ids of the sources that an index is made of."""

    def price_sources(self, asset_id: int, time_ns: int) -> list[int]:
        """Ids of the sources that a collateral price is made of."""

    def margin_ratios_ppb(self, account_id: int) -> list[int]:
        """Equity over position value of a trader's margin accounts with positions."""


class Simulation:
    """One run of a scenario on an exchange that is still empty."""

    def __init__(
        self,
        scenario: Scenario,
        market: Market,
        *,
        seed: int | None = None,
        on_ready: Callable[[], None] | None = None,
        interrupts: Interrupts | None = None,
        progress: bool = False,
    ) -> None:
        self._interrupts = Interrupts() if interrupts is None else interrupts
        self.scenario = scenario
        self.seed = scenario.seed if seed is None else seed
        self.market = market
        self.commands = 0
        self.now_ns = scenario.time.begin_ns
        self._on_ready = on_ready
        self._progress = progress and sys.stderr.isatty()
        self._agenda = Agenda()
        # By account id from `FIRST_TRADER` on: there are no gaps.
        self._owners: list[Agent | Trader] = []
        self._desk = Desk(self)
        self._set_up = SetUp(scenario)
        self._coverage = Coverage(scenario.rulebook.index.stale_ns)
        self._entrants = Entrants()
        self._accepted: set[int] = set()
        self.views: dict[str, MarketView] = {}
        self._by_instrument: dict[int, MarketView] = {}
        self._routes = self._event_routes()

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

    def schedule(self, time_ns: int, action: Callable[[], None], rank: int = RANK_AGENT) -> None:
        """Run ``action`` at that time, or now if it has passed."""
        self._agenda.add(max(time_ns, self.now_ns), rank, action)

    def run(self) -> SimulationResult:
        """Set the market up, run it to the end and collect the series.

        Raises:
            ScenarioError: an index file turns out to be wrong.
        """
        started = time.perf_counter()
        self.market.subscribe(self._on_event)
        streams = self._index_streams()
        prices = self._asset_streams()
        self._open_market(streams, prices)
        if self._on_ready is not None:
            self._on_ready()
        for stream in streams.values():
            self._follow(stream, IndexPrice)
        for stream in prices.values():
            self._follow(stream, AssetPrice)
        self._start_clock()
        self._loop(started)
        self.market.run_until(self.scenario.time.end_ns)
        traders = [owner for owner in self._owners if isinstance(owner, Trader)]
        return SimulationResult(
            scenario=self.scenario,
            seed=self.seed,
            accounts=len(traders),
            entered=sum(1 for trader in traders if trader.entered),
            commands=self.commands,
            wall_seconds=time.perf_counter() - started,
            series=self._recorder.instruments,
            margin_ratio=self._recorder.margin_ratio,
            agent_profits={agent.name: agent.profit() for agent in self._agents},
            owners=[_group_of(owner) for owner in self._owners],
            warnings=self._warnings(),
        )

    def _warnings(self) -> list[str]:
        """What did nothing in this run, or could not."""
        for account_id, owner in enumerate(self._owners, FIRST_TRADER):
            idle = not owner.entered if isinstance(owner, Trader) else self._is_idle(owner)
            if idle:
                self._entrants.idle([self._set_up.place(account_id)])
        counted = [text for watch in self._sources for text in watch.warnings()]
        return [*self._coverage.warnings, *counted, *self._entrants.warnings()]

    def _is_idle(self, agent: Agent) -> bool:
        """Whether a market maker never had an order accepted; other agents may wait for long."""
        return isinstance(agent, MarketMaker) and agent.account_id not in self._accepted

    def _loop(self, started: float) -> None:
        """Take actions in order until the scenario's end."""
        end_ns = self.scenario.time.end_ns
        latency = self.scenario.latency is not None
        shown = started
        agenda = self._agenda
        while (action := agenda.take(end_ns)) is not None:
            time_ns = agenda.time_ns
            if latency:
                self.market.run_until(time_ns)
            self.now_ns = time_ns
            self._desk.now_ns = time_ns
            action()
            if self._progress and agenda.rank == RANK_CLOCK:
                now = time.perf_counter()
                if now - shown > _PROGRESS_SECONDS:
                    shown = now
                    self._show_progress(now - started)
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

    def _index_streams(self) -> dict[str, "IndexStream"]:
        return {
            name: IndexStream(
                index_path(
                    self.scenario.indices[name],
                    spec.instrument_id,
                    spec.tick_size,
                    self.scenario.time,
                    self.seed,
                    look=self._coverage.look,
                )
            )
            for name, spec in self.scenario.instruments.items()
        }

    def _asset_streams(self) -> dict[str, "IndexStream"]:
        scenario = self.scenario
        return {
            name: IndexStream(
                index_path(
                    plan,
                    scenario.assets[name].asset_id,
                    PRICE_STEP,
                    scenario.time,
                    self.seed,
                    "asset price",
                    self._coverage.look,
                )
            )
            for name, plan in scenario.asset_prices.items()
        }

    def _open_market(
        self, streams: dict[str, "IndexStream"], prices: dict[str, "IndexStream"]
    ) -> None:
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
            self._by_instrument[spec.instrument_id] = view
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
            view = self.views[profile.instrument]
            entry = planner.plan(profile, view)
            place = f"population.{profile.group}"
            self._set_up.add_owner(profile.account_id, place)
            price = first_ticks[profile.instrument]
            self._entrants.add(place, entry.target_lots > 0, view.spec, price)
            self._set_up.check_room(profile.account_id, view.asset, entry.deposit_q, entry.leverage)
            for command in trader_commands(profile, entry, view, scenario.assets, opening_ns):
                self._set(command)
            dice = Dice(self.seed << 40 | profile.account_id)
            trader = Trader(
                profile, self._crowd, dice, view.asset.asset_id, entry.reserve_q, entry.target_lots
            )
            self._owners.append(trader)
            # the book needs a moment to fill before the first entry
            share = 0.04 + 0.92 * profile.entry_share
            self.schedule(plan.begin_ns + int(share * plan.warm_up_ns), trader.enter)
        rng = random.Random(f"{self.seed}:ratio-sample")
        ids = [profile.account_id for profile in profiles]
        count = min(len(ids), scenario.output.ratio_sample_accounts)
        self._ratio_sample = sorted(rng.sample(ids, count))

    def _open_agents(self, first_ticks: dict[str, int], opening_ns: int) -> None:
        begin_ns = self.scenario.time.begin_ns
        names = {view.instrument_id: name for name, view in self.views.items()}
        first_id = FIRST_TRADER + len(self._owners)
        self._agents = build_agents(self.scenario.agents, self.views, first_id, self.seed)
        for agent in self._agents:
            ticks = first_ticks[names[agent.view.instrument_id]]
            place = f"agents.{_group_of(agent)[1]}"
            self._set_up.add_owner(agent.account_id, place)
            spec = agent.view.spec
            able = agent.view.lots(agent.largest_order(), ticks) >= spec.min_lots
            rich = agent.view.lots(agent.capital * agent.leverage, ticks) >= spec.min_lots
            self._entrants.add(place, able, spec, ticks, "orders do" if rich else "money does")
            capital_q = agent.view.settle_q(agent.capital, ticks)
            self._set_up.check_room(agent.account_id, agent.view.asset, capital_q, agent.leverage)
            for command in agent_commands(agent, ticks, opening_ns):
                self._set(command)
            self._owners.append(agent)
            if capital_q > 0:  # without a quantum it has nothing to trade with
                self.schedule(agent.first_wake(begin_ns), self._waker(agent))

    def _waker(self, agent: Agent) -> Callable[[], None]:
        def wake() -> None:
            following = agent.wake(self._desk)
            if following != NEVER:
                self.schedule(max(following, self.now_ns + 1), wake)

        return wake

    # index and clock

    def _follow(self, stream: "IndexStream", kind: type[IndexPrice] | type[AssetPrice]) -> None:
        """Send each print of a stream as a command of this kind, at its time."""
        point = stream.take()
        if point is None:
            return

        def publish() -> None:
            self._set(kind(point.time_ns, point.subject_id, point.source_id, point.price_ticks))
            self._follow(stream, kind)

        self.schedule(point.time_ns, publish, RANK_INDEX)

    def _start_clock(self) -> None:
        plan = self.scenario.time
        output = self.scenario.output
        sample_every = max(1, output.sample_ns // plan.tick_ns)
        ratios_every = max(1, output.ratio_sample_ns // plan.tick_ns)
        count = 0
        self._sources = self._source_watches()

        def tick() -> None:
            nonlocal count
            self.send(AdvanceTime(self.now_ns))
            for view in self.views.values():
                view.on_tick(self.now_ns)
            self._crowd.on_tick()
            if self.now_ns > plan.start_ns:
                for watch in self._sources:
                    watch.look(self.now_ns)
            if count % sample_every == 0:
                self._recorder.sample(self.now_ns)
            if count % ratios_every == 0:
                self._recorder.sample_ratios(self.now_ns, self._ratio_sample, self.market)
            count += 1
            self.schedule(self.now_ns + plan.tick_ns, tick, RANK_CLOCK)

        self.schedule(plan.begin_ns, tick, RANK_CLOCK)

    def _source_watches(self) -> list[SourceWatch]:
        scenario, market = self.scenario, self.market
        watches = []
        for name, plan in scenario.indices.items():
            counting = partial(market.index_sources, scenario.instruments[name].instrument_id)
            watches.append(SourceWatch(f"index.{name}", plan, counting))
        for name, plan in scenario.asset_prices.items():
            counting = partial(market.price_sources, scenario.assets[name].asset_id)
            watches.append(SourceWatch(f"asset_prices.{name}", plan, counting))
        return watches

    # events

    def _event_routes(self) -> dict[type, Callable[[Event], None]]:
        routes: dict[type, Callable[[Event], None]] = {
            Trade: self._on_trade,
            MarkUpdated: self._on_mark,
            Deleveraged: self._on_deleveraged,
        }
        routes[OrderAccepted] = self._on_accepted
        for kind in (OrderAmended, OrderClosed, OrderFilled):
            routes[kind] = self._to_owner
        routes[CommandRejected] = self._on_rejected
        for margin_kind in (
            MarginCallIssued,
            MarginCallEnded,
            LiquidationStarted,
            LiquidationEnded,
            TakenOver,
        ):
            routes[margin_kind] = self._to_margin_owner
        return routes

    def _on_event(self, event: Event) -> None:
        route = self._routes.get(type(event))
        if route is not None:
            route(event)

    def _owner(self, account_id: int) -> Agent | Trader | None:
        place = account_id - FIRST_TRADER
        return self._owners[place] if 0 <= place < len(self._owners) else None

    def _to_owner(self, event: Event) -> None:
        owner = self._owner(event.account_id)  # type: ignore[union-attr]
        if owner is not None:
            owner.on_event(event)

    def _to_margin_owner(self, event: Event) -> None:
        owner = self._owner(owner_of(event.margin_account_id))  # type: ignore[union-attr]
        if owner is not None:
            owner.on_event(event)

    def _on_accepted(self, event: Event) -> None:
        assert isinstance(event, OrderAccepted)
        self._accepted.add(event.account_id)
        self._to_owner(event)

    def _on_rejected(self, event: Event) -> None:
        """A trader's refused order is its own affair; what sets the market up may not be refused,
        nor a price."""
        assert isinstance(event, CommandRejected)
        self._set_up.refused(event)
        self._to_owner(event)

    def _on_deleveraged(self, event: Event) -> None:
        assert isinstance(event, Deleveraged)
        for margin_account_id in (event.margin_account_id, event.bankrupt_account_id):
            owner = self._owner(owner_of(margin_account_id))
            if owner is not None:
                owner.on_event(event)

    def _on_trade(self, event: Event) -> None:
        assert isinstance(event, Trade)
        self._by_instrument[event.instrument_id].last_ticks = event.price_ticks

    def _on_mark(self, event: Event) -> None:
        assert isinstance(event, MarkUpdated)
        view = self._by_instrument.get(event.instrument_id)
        if view is not None:
            view.mark_ticks = event.mark_ticks
            view.index_ticks = event.index_ticks
            view.open_interest_lots = event.open_interest_lots


def _group_of(owner: Agent | Trader) -> tuple[str, str]:
    """Kind and name of what an account belongs to: a group of the population, a plan of agents."""
    if isinstance(owner, Trader):
        return GROUP, owner.profile.group
    return AGENT, owner.name.rpartition("-")[0]


class IndexStream:
    """The prints of an instrument's index or an asset's price, with the first one known in advance
    to size accounts by."""

    __slots__ = ("_first", "_points", "first_ticks")

    def __init__(self, points: Iterator[IndexTick]) -> None:
        self._points = points
        self._first: IndexTick | None = next(points)
        self.first_ticks = self._first.price_ticks

    def take(self) -> IndexTick | None:
        """The next print, None after the last."""
        if self._first is not None:
            point, self._first = self._first, None
            return point
        return next(self._points, None)


def simulate(
    scenario: Scenario,
    market: Market,
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
