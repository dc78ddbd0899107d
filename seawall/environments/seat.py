"""Seats and tasks: who takes part in an episode from outside, and what of it is asked."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from gymnasium.spaces import Space

from seawall.environments.episode import Episode
from seawall.environments.fields import Field, Vector, space_of
from seawall.scenario import Scenario


class Seat(ABC):
    """One participant in one episode. Each step is `act`, a while, `earn`, `observe`, `info`."""

    out = False
    """It takes no further part."""

    def prepare(self) -> None:  # noqa: B027, most have nothing to do
        """Act before the window begins; called before each tick of the warm-up."""

    @abstractmethod
    def begin(self) -> None:
        """The window begins now: what is earned counts from here."""

    @abstractmethod
    def act(self, action: Any) -> None:
        """Send the commands of an action that `Task.read` has returned."""

    def has_news(self) -> bool:
        """Whether something happened that its owner wants to act on before the step is over."""
        return False

    @abstractmethod
    def earn(self) -> float:
        """The reward since it was asked last, or since `begin`."""

    @abstractmethod
    def observe(self) -> Vector:
        """What it sees now."""

    @abstractmethod
    def info(self) -> dict[str, Any]:
        """Exact figures, and what was refused since it was asked last."""


class Task(ABC):
    """What is asked of a seat, whatever the episode."""

    fields: tuple[Field, ...]
    """Of its observations."""

    @property
    def observation_space(self) -> Space[Any]:
        """A space of its observations."""
        return space_of(self.fields)

    @property
    @abstractmethod
    def action_space(self) -> Space[Any]:
        """A space of its actions."""

    @abstractmethod
    def read(self, action: Any) -> Any:
        """An action checked, as `Seat.act` takes it.

        Raises:
            ValueError: it is none of the action space.
        """

    @abstractmethod
    def tables(self, name: str) -> Mapping[str, object]:
        """What it adds to the scenario, as overrides, for a seat of this name."""

    def check(self, scenario: Scenario) -> None:  # noqa: B027, most go with any
        """Refuse a scenario in which it makes no sense.

        Raises:
            ValueError: it is one.
        """

    @abstractmethod
    def seat(self, episode: Episode, name: str) -> Seat:
        """A seat in an episode of a scenario with its `tables`."""


def check_positive(figures: Mapping[str, float], what: str) -> None:
    """Refuse figures that are not above 0.

    Raises:
        ValueError: names the first.
    """
    for name, value in figures.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 < value < float("inf"):
            raise ValueError(f"{what}: {name} is {value!r}; must be a number above 0")
