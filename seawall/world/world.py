"""A scenario on a running exchange: round after round of warm-up, fall and aftermath.

A round is one `Simulation` of the scenario whose exchange is a gateway (`GatewayMarket`). When it
is over the next one begins at the prices that are there, with the accounts that are there: those
that hold nothing any more are filled up and enter again. The same happens when a crash is asked
for, and after a restart of this process, which keeps nothing of a round in files.
"""

import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from engine.commands import MAX_TICKS, Command, Deposit
from engine.instruments import InstrumentSpec
from engine.units import SECOND_NS, from_grid, to_grid
from gateway.client import Client
from seawall.scenario import Scenario
from seawall.simulating.simulation import Simulation
from seawall.time_plan import WARN
from seawall.world.control import CRASH, INDEX, PAUSE, RESUME, STATUS, WorldAnswer, WorldRequest
from seawall.world.fall import Fall, falls
from seawall.world.faster_rules import faster_rules
from seawall.world.gateway_market import GatewayMarket, refusals_by_name
from seawall.world.pace import Pace
from seawall.world.stock import Stock, take_stock

STEP_S: Final[float] = 0.02
"""Longest wait for news before the agents' time is looked at again."""

MAX_WARM_UP_S: Final[int] = 86_400
TOLD_SLIP_NS: Final[int] = 60 * SECOND_NS
"""Time that is given up before it is told again."""

Open = Callable[[Sequence[Command]], bool]
"""Carries out the commands that open a market; whether they are done for the first time."""


class World:
    """``scenario`` with ``speed`` times its pace. ``open_market`` carries out its opening, and
    ``say`` is for the operator, ``beat`` is called while one turn takes long."""

    def __init__(
        self,
        scenario: Scenario,
        client: Client,
        speed: Decimal,
        open_market: Open,
        say: Callable[[str], None],
        beat: Callable[[], None],
    ) -> None:
        rules = faster_rules(scenario.rulebook, speed)
        plan = replace(scenario.time, warm_up_breach=WARN)  # people trade in it as they like
        self._scenario = replace(scenario, rulebook=rules, latency=None, time=plan)
        self._client = client
        self._open_market = open_market
        self._say = say
        self._beat = beat
        self._market = GatewayMarket(client, float(speed))
        self._pace = Pace(float(speed), time.monotonic_ns)
        self.rounds = 0
        self._is_over = True
        self._warm_up_ns: int | None = None
        self._round_scenario = self._scenario
        self._reached_ns = 0
        self._still_ns = 0
        self._falls: dict[str, Fall] = {}
        self._simulation: Simulation | None = None
        self._told_slip_ns = 0

    def _begin(self) -> None:
        """Begin the next round."""
        plan = self._scenario.time
        if self._warm_up_ns is not None:
            ticks = -(-self._warm_up_ns // plan.tick_ns)
            plan = replace(plan, warm_up_ns=ticks * plan.tick_ns)
        scenario = replace(self._scenario, time=plan)
        self._market.record()
        simulation = Simulation(scenario, self._market)
        simulation.open()
        commands = self._market.recorded()
        if not self._open_market(commands):
            self._take_over(simulation, commands)
        self.rounds += 1
        self._is_over, self._warm_up_ns = False, None
        self._simulation, self._round_scenario = simulation, scenario
        self._falls = falls(scenario, scenario.seed)
        self._reached_ns = plan.begin_ns
        self._market.was_broken()
        self._pace.begin(plan.begin_ns)
        for line in self._forecast():
            self._say(line)

    def turn(self) -> None:
        """Let happen what is due, and hear what happened.

        Raises:
            ConfigError: the market cannot be opened.
            ScenarioError: the scenario's files cannot be used, or the exchange refused a price.
            NoAnswer: the gateway is away; the next turn goes on.
        """
        if self._market.idle:
            if self._is_over:
                self._begin()
            elif self._pace.paused:
                self._stand_still()
            else:
                self._go_on()
        self._market.pump(STEP_S)

    def act(self, request: WorldRequest) -> WorldAnswer:
        """What an administrator asks for.

        Raises:
            ValueError: it cannot be done; the text says why.
        """
        acts: dict[str, Callable[[WorldRequest], None]] = {
            STATUS: lambda _: None,
            PAUSE: lambda _: self._pace.pause(),
            RESUME: lambda _: self._pace.resume(),
            INDEX: self._move,
            CRASH: self._crash,
        }
        if request.what not in acts:
            raise ValueError(f"{request.what!r}; allowed: {', '.join(acts)}")
        acts[request.what](request)
        return WorldAnswer(True, self.status())

    # rounds

    def _take_over(self, simulation: Simulation, commands: Sequence[Command]) -> None:
        """Go on with the exchange as it stands: no orders, positions as they are, and new money for
        who has none."""
        agents = {agent.account_id for agent in simulation.agents}
        stock = take_stock(self._client, self._scenario.accounts + len(agents), self._beat)
        self._go_on_at(simulation, stock)
        deposits = [command for command in commands if isinstance(command, Deposit)]
        for command in (*stock.cancels(), *stock.refills(deposits, agents)):
            self._market.send(command)
        simulation.adopt(stock.positions())

    def _go_on_at(self, simulation: Simulation, stock: Stock) -> None:
        """Let the agents see the prices of now, and every index go on from there."""
        prices = {row.spec.instrument_id: row for row in stock.market.instruments}
        for view in simulation.views.values():
            now = prices[view.instrument_id]
            view.index_ticks, view.mark_ticks = max(0, now.index_ticks), max(0, now.mark_ticks)
            view.last_ticks = max(0, now.last_ticks) or view.mark_ticks
            if view.index_ticks:
                first_ticks = simulation.first_ticks[view.instrument_id]
                self._market.begin_at(view.instrument_id, first_ticks, view.index_ticks)

    def _go_on(self) -> None:
        """Let the agents live up to now, at most a tick at once; in the end the round is over."""
        assert self._simulation is not None, "a round has begun"
        if self._market.was_broken():
            self._say("events were missed: positions and orders are asked for again")
            self._again()
        plan = self._round_scenario.time
        due_ns = min(self._pace.due_ns(), self._reached_ns + plan.tick_ns, plan.end_ns)
        if due_ns > self._reached_ns:
            self._simulation.advance(due_ns)
            self._reached_ns = due_ns
        self._pace.reached(self._reached_ns)
        self._tell_of_slips()
        self._is_over = self._reached_ns >= plan.end_ns

    def _again(self) -> None:
        """Take stock in the middle of a round."""
        assert self._simulation is not None, "a round has begun"
        stock = take_stock(self._client, self._accounts, self._beat)
        for command in stock.cancels():
            self._market.send(command)
        self._simulation.adopt(stock.positions())

    def _stand_still(self) -> None:
        """Paused: the exchange's time passes at the prices of now."""
        now_ns = time.monotonic_ns()
        if now_ns - self._still_ns >= self._round_scenario.time.tick_ns / self._pace.speed:
            self._still_ns = now_ns
            self._market.stand_still()

    def _tell_of_slips(self) -> None:
        slipped_ns = self._pace.slipped_ns - self._told_slip_ns
        if slipped_ns > TOLD_SLIP_NS:
            self._told_slip_ns = self._pace.slipped_ns
            self._say(
                f"too slow for speed {self._pace.speed:g}: {slipped_ns / SECOND_NS:,.0f} s of the "
                "scenario's time were let pass later"
            )

    # what an administrator asks for

    def _move(self, request: WorldRequest) -> None:
        spec = self._listed(request.symbol)
        ticks = to_grid(request.price, spec.tick_size, "price")
        if not 1 <= ticks <= MAX_TICKS:
            highest = from_grid(MAX_TICKS, spec.tick_size)
            raise ValueError(f"price {request.price}: must be positive, at most {highest}")
        if not self._market.index_ticks(spec.instrument_id):
            raise ValueError(f"{request.symbol}: the index has no price yet")
        self._market.move(spec.instrument_id, ticks)

    def _crash(self, request: WorldRequest) -> None:
        if not -1 <= request.seconds <= MAX_WARM_UP_S:
            raise ValueError(f"in {request.seconds} s: allowed are 0 to {MAX_WARM_UP_S}")
        if request.seconds >= 0:
            self._warm_up_ns = int(request.seconds * SECOND_NS * self._pace.speed)
        self._pace.resume()
        self._is_over = True

    def _listed(self, symbol: str) -> InstrumentSpec:
        for spec in self._scenario.instruments.values():
            if spec.symbol == symbol:
                return spec
        allowed = ", ".join(spec.symbol for spec in self._scenario.instruments.values())
        raise ValueError(f"{symbol!r} is not listed; allowed: {allowed}")

    def status(self) -> list[str]:
        """Where it stands, in lines."""
        scenario, plan = self._scenario, self._round_scenario.time
        left_ns = plan.start_ns - self._reached_ns
        phase = (
            f"warm-up, {left_ns // SECOND_NS:,} s left"
            if left_ns > 0
            else (f"{-left_ns // SECOND_NS:,} of {plan.duration_ns // SECOND_NS:,} s")
        )
        paused = ", paused" if self._pace.paused else ""
        lines = [
            f"{scenario.title}: round {self.rounds}, seed {scenario.seed}, "
            f"speed {self._pace.speed:g}{paused}",
            f"scenario's time: {phase}; given up in all: {self._pace.slipped_ns // SECOND_NS:,} s",
            *self._forecast(),
        ]
        for spec in scenario.instruments.values():
            ticks = self._market.index_ticks(spec.instrument_id)
            lines.append(f"{spec.symbol}: index {from_grid(ticks, spec.tick_size)}")
        if self._market.refused:
            lines.append(f"refused: {refusals_by_name(self._market.refused)}")
        return lines

    def _forecast(self) -> list[str]:
        """When the index of each instrument falls by how much, and when the round ends."""
        lines = []
        for name, fall in self._falls.items():
            symbol = self._scenario.instruments[name].symbol
            lines.append(
                f"{symbol} falls {fall.share:.1%} from {self._clock(fall.from_ns)} to "
                f"{self._clock(fall.to_ns)} UTC"
            )
        lines.append(
            f"round {self.rounds} ends {self._clock(self._round_scenario.time.end_ns)} UTC"
        )
        return lines

    def _clock(self, scenario_ns: int) -> str:
        """When a time of the scenario comes, by the machine's clock."""
        wait_s = (scenario_ns - self._pace.due_ns()) / SECOND_NS / self._pace.speed
        return time.strftime("%H:%M:%S", time.gmtime(time.time() + wait_s))

    @property
    def _accounts(self) -> int:
        agents = 0 if self._simulation is None else len(self._simulation.agents)
        return self._scenario.accounts + agents
