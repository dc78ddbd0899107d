"""Complaints to the operator about things that may happen thousands of times a second."""

from collections.abc import Callable
from typing import Final

SILENT_NS: Final[int] = 5_000_000_000
"""How long one kind of complaint is only counted after it was said."""


class Complaints:
    """Says each kind of complaint at once, and then at most every `SILENT_NS`, with how many came
    in between. ``clock`` is monotonic, in nanoseconds."""

    def __init__(self, say: Callable[[str], object], clock: Callable[[], int]) -> None:
        self._say = say
        self._clock = clock
        self._said_ns: dict[str, int] = {}
        self._kept: dict[str, int] = {}

    def add(self, kind: str, text: str) -> None:
        """Complain; ``kind`` is what is alike about complaints of different texts."""
        now_ns = self._clock()
        said_ns = self._said_ns.get(kind)
        if said_ns is not None and now_ns - said_ns < SILENT_NS:
            self._kept[kind] = self._kept.get(kind, 0) + 1
            return
        self._said_ns[kind] = now_ns
        more = self._kept.pop(kind, 0)
        self._say(f"{text} ({more} more like it before)" if more else text)
