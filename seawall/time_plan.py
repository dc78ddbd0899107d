"""When a scenario begins, how long it lasts, and how near to its index its warm-up has to stay."""

from typing import Annotated, Any, Final

import msgspec

from engine.setting_units import OneOf
from engine.settings import Unit
from engine.units import PPB, SECOND_NS
from seawall.index_csv import FILE
from seawall.scenario_fields import A_MILLISECOND, Duration, Exact, Instant

YEAR_2025_NS: Final[int] = 1_735_689_600 * SECOND_NS
"""Its beginning."""

OF_FILES: Final[int] = -1
"""In the place of a time: the one at which the files of prices begin, or how long they last."""

FAIL: Final[str] = "fail"
WARN: Final[str] = "warn"
"""What a run does whose warm-up leaves its index."""


class OfFiles(Unit):
    """A time, or the word ``file`` for that of the files."""

    def __init__(self, other: Duration) -> None:
        self._other = other

    def key(self, field: str) -> str:
        """As that of the time."""
        return self._other.key(field)

    def read(self, value: Any, place: str) -> int:
        """Nanoseconds, or `OF_FILES`."""
        time_ns: int = OF_FILES if value == FILE else self._other.read(value, place)
        return time_ns


class TimeTable(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario's table ``time``; `seawall.scenario_window` makes the plan of it."""

    start_ns: Annotated[int | None, OfFiles(Instant())] = None
    warm_up_ns: Annotated[int, Duration()] = 0
    duration_ns: Annotated[int | None, OfFiles(Duration())] = None
    tick_ns: Annotated[int, A_MILLISECOND] = SECOND_NS
    warm_up_limit: Annotated[str, Exact()] = "0.01"
    warm_up_breach: Annotated[str, OneOf(FAIL, WARN)] = FAIL


class TimePlan(msgspec.Struct, frozen=True):
    """Start of the path (epoch ns), warm-up before it, duration after it, clock tick; in the
    warm-up no contract may trade farther from its index than the limit, or the breach is what the
    run does."""

    start_ns: int
    warm_up_ns: int
    duration_ns: int
    tick_ns: int
    warm_up_limit_ppb: int = PPB // 100
    warm_up_breach: str = FAIL

    @property
    def begin_ns(self) -> int:
        """First instant of the run."""
        return self.start_ns - self.warm_up_ns

    @property
    def end_ns(self) -> int:
        """Last instant of the run."""
        return self.start_ns + self.duration_ns
