"""An episode: one run of a scenario, stepped from outside from the beginning of its window on."""

from collections.abc import Callable

from msgspec.structs import replace

from seawall.agents.outside import OutsideAgent
from seawall.agents.view import Desk, MarketView
from seawall.lab.world import exchange_of
from seawall.runs.scenario_run import AT_REST_NS
from seawall.scenario import Scenario
from seawall.simulating.simulation import Simulation
from seawall.time_plan import WARN


class Episode:
    """A run on an exchange of its own. Time moves by whole clock ticks; between two of them its
    holder sends commands through ``desk``, after everybody who acts at that instant."""

    def __init__(self, scenario: Scenario, step_ns: int) -> None:
        plan = replace(scenario.time, warm_up_breach=WARN)  # whoever holds it may trade in it
        self.scenario = scenario = replace(scenario, time=plan)
        self.step_ns = step_ns
        self.exchange = exchange_of(scenario)
        self.simulation = Simulation(scenario, self.exchange, samples=False)
        self.simulation.open()
        self.desk = Desk(self.simulation)
        self._reach(scenario.time.begin_ns)

    @property
    def time_ns(self) -> int:
        """Where it is."""
        return self.desk.now_ns

    @property
    def over(self) -> bool:
        """Whether the scenario has ended."""
        return self.time_ns >= self.scenario.time.end_ns

    @property
    def last(self) -> bool:
        """Whether no step comes after the next one."""
        return self.time_ns + self.step_ns >= self.scenario.time.end_ns

    @property
    def view(self) -> MarketView:
        """The market of the scenario's first contract."""
        return next(iter(self.simulation.views.values()))

    def agent(self, table: str) -> OutsideAgent:
        """The account of a table ``[agents.NAME]`` of kind ``outside`` and count 1."""
        (found,) = (each for each in self.simulation.agents if each.name == f"{table}-1")
        assert isinstance(found, OutsideAgent)
        return found

    def warm_up(self, at_tick: Callable[[], None]) -> None:
        """Go to the beginning of the window, and do something before each tick on the way."""
        while self.time_ns < self.scenario.time.start_ns:
            at_tick()
            self._reach(self.time_ns + self.scenario.time.tick_ns)

    def step(self, stop: Callable[[], bool]) -> None:
        """Go one step further, or to the first tick after which ``stop`` says so.

        Raises:
            AssertionError: an invariant broke.
        """
        until_ns = min(self.time_ns + self.step_ns, self.scenario.time.end_ns)
        while self.time_ns < until_ns:
            self._reach(min(self.time_ns + self.scenario.time.tick_ns, until_ns))
            if stop():
                break
        if self.over:
            self.exchange.run_until(AT_REST_NS)
            self.exchange.check_invariants()

    def _reach(self, time_ns: int) -> None:
        self.simulation.advance(time_ns)
        self.desk.now_ns = time_ns
