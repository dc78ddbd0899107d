"""Gymnasium environments: one seat in a scenario."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
from gymnasium.error import ResetNeeded

from seawall.environments.execution import ExecutionTask
from seawall.environments.fields import Vector
from seawall.environments.maker import MakerTask
from seawall.environments.seat import Task
from seawall.environments.seeds import episode_seed, warn_of_options
from seawall.environments.session import DEFAULT_SCENARIO, Session
from seawall.environments.trader import TraderTask
from seawall.environments.venue import VenueTask


class SeatEnv(gymnasium.Env[Vector, Any]):
    """One seat: ``scenario`` is a name or path, ``settings`` are overrides of it, ``step`` is a
    duration of whole clock ticks; what else is given are the fields of the task.

    ``reset(seed=N)`` runs the scenario with seed N, as ``seawall run --seed N`` does. Without a
    seed the next one is drawn. An episode is over when the scenario is (truncated), or when the
    seat is out (terminated).

    Raises:
        ScenarioError: there is no such scenario, or a value is wrong.
        ValueError: a field of the task or the step is not allowed.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}
    kind: ClassVar[type[Task]]
    name: ClassVar[str]
    usual_step: ClassVar[str | None] = None

    def __init__(
        self,
        scenario: str | Path = DEFAULT_SCENARIO,
        settings: Mapping[str, object] | None = None,
        step: str | None = None,
        **task: Any,
    ) -> None:
        self.task = self.kind(**task)
        self.session = Session(
            {self.name: self.task}, scenario, settings, self.usual_step if step is None else step
        )
        self.observation_space = self.task.observation_space
        self.action_space = self.task.action_space
        self.render_mode = None
        self._done = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Vector, dict[str, Any]]:
        """Begin an episode; ``info`` names its ``seed``. There are no options."""
        super().reset(seed=seed)
        warn_of_options(options)
        chosen = episode_seed(self.np_random, seed)
        self.session.begin(chosen)
        self._done = False
        seat = self.session.seats[self.name]
        return seat.observe(), {"seed": chosen, **seat.info()}

    def step(self, action: Any) -> tuple[Vector, float, bool, bool, dict[str, Any]]:
        """Act, and go a step further.

        Raises:
            ResetNeeded: the episode is over, or none was begun.
            ValueError: the action is none of the action space; nothing was done.
        """
        session = self.session
        if self._done or session.episode is None:
            raise ResetNeeded("the episode is over: call reset()")
        rewards = session.step({self.name: session.read(self.name, action)})
        seat = session.seats[self.name]
        self._done = seat.out or session.episode.over
        return (
            seat.observe(),
            rewards[self.name],
            seat.out,
            session.episode.over,
            seat.info(),
        )

    def state_hash(self) -> str:
        """Of the exchange, equal after equal actions on any machine.

        Raises:
            ResetNeeded: no episode was begun.
        """
        return self.session.state_hash()


class TraderEnv(SeatEnv):
    """``seawall/Trader-v0``: see `seawall.environments.trader.TraderTask`."""

    kind = TraderTask
    name = "trader"


class MakerEnv(SeatEnv):
    """``seawall/Maker-v0``: see `seawall.environments.maker.MakerTask`."""

    kind = MakerTask
    name = "maker"


class ExecutionEnv(SeatEnv):
    """``seawall/Execution-v0``: see `seawall.environments.execution.ExecutionTask`."""

    kind = ExecutionTask
    name = "execution"
    usual_step = "5s"


class VenueEnv(SeatEnv):
    """``seawall/Venue-v0``: see `seawall.environments.venue.VenueTask`."""

    kind = VenueTask
    name = "venue"
    usual_step = "10s"
