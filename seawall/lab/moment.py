"""The moment a branch leaves a run: a time, or the first tick after something has happened.

``90s`` is a time after the beginning of the window, ``21:16:00`` one of the day (UTC). A rule is
``call``, ``liquidation``, ``adl`` or ``bad_debt``, the first of each in the window, or ``index-5%``
for the first index so far below (``index+5%``: above) that of its beginning.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from engine.events import (
    BadDebtBooked,
    Deleveraged,
    LiquidationStarted,
    MarginCallIssued,
    MarkUpdated,
)
from engine.units import SECOND_NS
from seawall.lab.intervals import LabError
from seawall.scenario_fields import duration_ns
from seawall.time_plan import TimePlan

_FIRSTS: Final[dict[str, type]] = {
    "call": MarginCallIssued,
    "liquidation": LiquidationStarted,
    "adl": Deleveraged,
    "bad_debt": BadDebtBooked,
}
_CLOCK: Final[re.Pattern[str]] = re.compile(r"(\d\d):(\d\d)(?::(\d\d))?")
_INDEX: Final[re.Pattern[str]] = re.compile(r"index([+-]\d+(?:\.\d+)?)%")


class Moment:
    """Watches a run and says when it has come."""

    def __init__(self, text: str, plan: TimePlan) -> None:
        self.text = text
        self.time_ns = _time_ns(text, plan)
        self._start_ns = plan.start_ns
        self._first = _FIRSTS.get(text)
        found = _INDEX.fullmatch(text)
        self._move = float(found[1]) / 100 if found else 0.0
        self._index: dict[int, int] = {}
        self._happened = False
        if self.time_ns is None and self._first is None and not self._move:
            raise LabError(
                f"--at {text}: must be a time such as 90s or 21:16:00, or one of "
                f"{', '.join(_FIRSTS)}, index-5%"
            )
        if self.time_ns is not None and not plan.begin_ns < self.time_ns < plan.end_ns:
            raise LabError(f"--at {text}: lies outside of the run")

    def on_event(self, event: Any) -> None:
        """Look at an event."""
        kind = type(event)
        if event.time_ns < self._start_ns:
            return
        if kind is self._first:
            self._happened = True
        elif self._move and kind is MarkUpdated and event.index_ticks:
            start = self._index.setdefault(event.instrument_id, event.index_ticks)
            moved = event.index_ticks / start - 1
            if moved <= self._move < 0 or moved >= self._move > 0:
                self._happened = True

    def has_come(self, now_ns: int) -> bool:
        """Whether it is now."""
        return self._happened or (self.time_ns is not None and now_ns >= self.time_ns)


def _time_ns(text: str, plan: TimePlan) -> int | None:
    """The time of a text in nanoseconds; None of what is none."""
    after_ns = duration_ns(text)
    if after_ns is not None:
        return plan.start_ns + after_ns
    found = _CLOCK.fullmatch(text)
    if not found:
        return None
    begin = datetime.fromtimestamp(plan.begin_ns // SECOND_NS, UTC)
    hour, minute, second = (int(part or 0) for part in found.groups())
    try:
        at = begin.replace(hour=hour, minute=minute, second=second, microsecond=0)
    except ValueError:
        raise LabError(f"--at {text}: there is no such time of the day") from None
    if at < begin:
        at += timedelta(days=1)
    return int(at.timestamp()) * SECOND_NS
