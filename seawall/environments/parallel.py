"""PettingZoo's parallel environment: several seats in one market."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Space
from pettingzoo import ParallelEnv

from seawall.environments.fields import Vector
from seawall.environments.maker import MakerTask
from seawall.environments.seat import Task
from seawall.environments.seeds import episode_seed, warn_of_options
from seawall.environments.session import DEFAULT_SCENARIO, Session
from seawall.environments.trader import TraderTask

Infos = dict[str, dict[str, Any]]


class MarketEnv(ParallelEnv[str, Vector, Any]):
    """Seats by name, two traders and a maker unless ``tasks`` says otherwise; the rest is as in
    `seawall.environments.single.SeatEnv`. Who is out leaves ``agents``, the others go on.

    Raises:
        ScenarioError: there is no such scenario, or a value is wrong.
        ValueError: there are no tasks, or a name or the step is not allowed.
    """

    metadata: ClassVar[dict[str, Any]] = {"name": "seawall_market_v0", "render_modes": []}

    def __init__(
        self,
        tasks: Mapping[str, Task] | None = None,
        scenario: str | Path = DEFAULT_SCENARIO,
        settings: Mapping[str, object] | None = None,
        step: str | None = None,
    ) -> None:
        if tasks is None:
            tasks = {"trader_1": TraderTask(), "trader_2": TraderTask(), "maker": MakerTask()}
        if not tasks:
            raise ValueError("tasks: there must be at least one seat")
        self.session = Session(tasks, scenario, settings, step)
        self.possible_agents = list(tasks)
        self.agents: list[str] = []
        self.render_mode = None
        self._spaces = {
            name: (task.observation_space, task.action_space) for name, task in tasks.items()
        }
        self._rng = np.random.default_rng()

    def observation_space(self, agent: str) -> Space[Any]:
        """Of one seat."""
        return self._spaces[agent][0]

    def action_space(self, agent: str) -> Space[Any]:
        """Of one seat."""
        return self._spaces[agent][1]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Vector], Infos]:
        """Begin an episode; every ``info`` names its ``seed``. There are no options."""
        warn_of_options(options)
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        chosen = episode_seed(self._rng, seed)
        self.session.begin(chosen)
        self.agents = list(self.possible_agents)
        seats = self.session.seats
        return (
            {name: seat.observe() for name, seat in seats.items()},
            {name: {"seed": chosen, **seat.info()} for name, seat in seats.items()},
        )

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Vector], dict[str, float], dict[str, bool], dict[str, bool], Infos]:
        """Let everybody act, and go a step further.

        Raises:
            ResetNeeded: nobody takes part any more, or no episode was begun.
            ValueError: an action is missing, too many, or none of its action space; nobody did
                anything.
        """
        session, names = self.session, self.agents
        if not names or session.episode is None:
            raise ResetNeeded("nobody takes part: call reset()")
        if sorted(actions) != sorted(names):
            raise ValueError(f"actions of {sorted(actions)}: must be those of {sorted(names)}")
        rewards = session.step({name: session.read(name, actions[name]) for name in names})
        seats = {name: session.seats[name] for name in names}
        over = session.episode.over
        self.agents = [] if over else [name for name in names if not seats[name].out]
        return (
            {name: seat.observe() for name, seat in seats.items()},
            rewards,
            {name: seat.out for name, seat in seats.items()},
            dict.fromkeys(names, over),
            {name: seat.info() for name, seat in seats.items()},
        )

    def state_hash(self) -> str:
        """Of the exchange, equal after equal actions on any machine.

        Raises:
            ResetNeeded: no episode was begun.
        """
        return self.session.state_hash()
