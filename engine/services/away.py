"""A component of the bus that is a service elsewhere: its answers come later."""

from collections.abc import Callable
from typing import Any

from engine.routing.component import Component


class Gap:
    """A place in what was said that is open until ``leaves`` have answered ``message``.

    ``place`` is that of what comes behind it; ``said`` what was answered, None so far.
    """

    __slots__ = ("leaves", "message", "place", "said")

    def __init__(self, place: int, message: Any, leaves: tuple[str, ...]) -> None:
        self.place = place
        self.message = message
        self.leaves = leaves
        self.said: list[Any] | None = None


class Away(Component):
    """Leaves in the place of a component. What they will say to a message belongs where they were
    told it: a gap stays there."""

    def __init__(self, leaves: Callable[[Any], tuple[str, ...]], gaps: list[Gap]) -> None:
        self._leaves = leaves
        self._gaps = gaps

    def handle(self, message: Any, out: list[Any]) -> None:
        """Leave a gap."""
        self._gaps.append(Gap(len(out), message, self._leaves(message)))


def closed(said: list[Any], gaps: list[Gap]) -> list[Any]:
    """What was said with every gap filled in."""
    whole: list[Any] = []
    place = 0
    for gap in gaps:
        assert gap.said is not None, "no leaf is waited for"
        whole += said[place : gap.place]
        whole += gap.said
        place = gap.place
    return whole + said[place:]
