"""Matching in several processes: which of them has the book of which instrument.

A shard is the matching component with some of its books. Books know nothing of each other, so what
a message causes is the same wherever its book is. The rule is ``instrument_id`` modulo the number
of shards: instruments are listed while the exchange runs, and their place follows from the id.
"""

from typing import Any, Final

from engine.routing.topology import BOOK_OF, MATCHING

MAX_SHARDS: Final[int] = 64


def component_of(service: str) -> str:
    """The component a service runs: `matching` for ``matching-1``."""
    return service.partition("-")[0]


class Shards:
    """The matching services of an exchange. One alone is called ``matching``, several
    ``matching-0``, ``matching-1`` and so on."""

    __slots__ = ("_alone", "names")

    def __init__(self, count: int = 1) -> None:
        """
        Raises:
            ValueError: not between 1 and `MAX_SHARDS`.
        """
        if not 1 <= count <= MAX_SHARDS:
            raise ValueError(f"matching_shards is {count}; allowed: 1 to {MAX_SHARDS}")
        self.names: tuple[str, ...] = (
            (MATCHING,) if count == 1 else tuple(f"{MATCHING}-{number}" for number in range(count))
        )
        self._alone: tuple[tuple[str], ...] = tuple((name,) for name in self.names)

    def expand(self, components: tuple[str, ...]) -> tuple[str, ...]:
        """The services of these components, in their order."""
        return tuple(
            service
            for component in components
            for service in (self.names if component == MATCHING else (component,))
        )

    def receivers(self, message: Any) -> tuple[str, ...]:
        """The shards that take a message for matching: that of its instrument, or all."""
        book_of = BOOK_OF.get(type(message))
        if book_of is None:
            return self.names
        return self._alone[book_of(message) % len(self._alone)]


def by_instrument(answers: list[Any]) -> list[Any]:
    """What several shards said to one message, in the order one matching process says it."""
    return sorted(answers, key=lambda answer: answer.instrument_id)
