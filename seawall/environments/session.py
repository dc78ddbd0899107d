"""A session: tasks on a scenario, episode by episode."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from gymnasium.error import ResetNeeded

from seawall.environments.episode import Episode
from seawall.environments.seat import Seat, Task
from seawall.interrupts import held_interrupts
from seawall.scenario import load_scenario
from seawall.scenario_fields import duration_ns

DEFAULT_SCENARIO = "small_crash"


class Session:
    """Seats by name. ``settings`` are overrides of the scenario, ``step`` is how long a step is, a
    duration of whole clock ticks (none: one tick). With several seats each step begins with another
    one's commands, so that nobody is always first.

    Raises:
        ScenarioError: there is no such scenario, or a value is wrong.
        ValueError: the step is no such duration, or agents of the scenario have a seat's name.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        scenario: str | Path,
        settings: Mapping[str, object] | None,
        step: str | None,
    ) -> None:
        self.tasks = dict(tasks)
        overrides = dict(settings or {})
        taken = [agent.name for agent in load_scenario(scenario, overrides).agents]
        for name, task in self.tasks.items():
            if name in taken:
                raise ValueError(f"seat {name!r}: the scenario has agents of this name")
            overrides |= task.tables(name)
        self.scenario = load_scenario(scenario, overrides)
        for task in self.tasks.values():
            task.check(self.scenario)
        tick_ns = self.scenario.time.tick_ns
        step_ns = tick_ns if step is None else duration_ns(step)
        if not step_ns or step_ns % tick_ns:
            raise ValueError(
                f"step {step!r}: must be a duration of whole clock ticks of {tick_ns / 1e9:g} s, "
                "such as '5s'"
            )
        self.step_ns = step_ns
        self.episode: Episode | None = None
        self.seats: dict[str, Seat] = {}
        self._turn = 0

    def begin(self, seed: int) -> None:
        """Run a new episode to the beginning of the window."""
        with held_interrupts() as interrupts:
            self.episode = None
            self._turn = 0
            episode = Episode(msgspec.structs.replace(self.scenario, seed=seed), self.step_ns)
            self.seats = {name: task.seat(episode, name) for name, task in self.tasks.items()}
            episode.warm_up(self._prepare)
            for seat in self.seats.values():
                seat.begin()
            self.episode = episode
            interrupts.check()

    def _prepare(self) -> None:
        for seat in self.seats.values():
            seat.prepare()

    def read(self, name: str, action: Any) -> Any:
        """An action of a seat, checked.

        Raises:
            ValueError: it is none of its actions.
        """
        return self.tasks[name].read(action)

    def step(self, actions: Mapping[str, Any]) -> dict[str, float]:
        """Let the seats do what `read` has returned, go a step further, and tell their rewards."""
        assert self.episode is not None, "an episode was begun"
        with held_interrupts() as interrupts:
            names = list(actions)
            first = self._turn % max(1, len(names))
            self._turn += 1
            for name in names[first:] + names[:first]:
                self.seats[name].act(actions[name])
            self.episode.step(lambda: any(self.seats[name].has_news() for name in names))
            rewards = {name: self.seats[name].earn() for name in names}
            interrupts.check()
        return rewards

    def state_hash(self) -> str:
        """Of the exchange, equal after equal actions on any machine.

        Raises:
            ResetNeeded: no episode was begun.
        """
        if self.episode is None:
            raise ResetNeeded("there is no episode: call reset()")
        return self.episode.exchange.state_hash()
