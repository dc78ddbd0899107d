"""What the tasks with an account have in common."""

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from gymnasium.spaces import Space

from seawall.environments.account import SEEN
from seawall.environments.fields import Field, read_action, space_of
from seawall.environments.seat import Task

_NAME: Final[re.Pattern[str]] = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class AccountTask(Task):
    """An account with this much ``capital`` in quote currency, and the leverage it is set to, on an
    ``instrument`` of the scenario (none: the first)."""

    fields = SEEN
    actions: ClassVar[tuple[Field, ...]]

    instrument: str = ""
    capital: float = 10_000.0
    leverage: int = 10

    @property
    def action_space(self) -> Space[Any]:
        """A vector of `actions`."""
        return space_of(self.actions)

    def read(self, action: Any) -> dict[str, float]:
        """An action by the names of its fields.

        Raises:
            ValueError: it is none of the action space.
        """
        return read_action(self.actions, action)

    def tables(self, name: str) -> Mapping[str, object]:
        """The account's table.

        Raises:
            ValueError: the name cannot be that of a table.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"seat {name!r}: allowed are letters, digits, '-' and '_'")
        place = f"agents.{name}"
        table: dict[str, object] = {
            f"{place}.kind": "outside",
            f"{place}.capital": self.capital,
            f"{place}.leverage": self.leverage,
        }
        if self.instrument:
            table[f"{place}.instrument"] = self.instrument
        return table

    @property
    @abstractmethod
    def largest(self) -> float:
        """The value of its largest position, in quote currency."""
