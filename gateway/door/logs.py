"""Structured logs of a service: one line on stderr per event, with a name and keys.

What a log says is derived: from refusals at the door (`gateway.rights.audit`), from what the risk
engine publishes, and from the life of the processes. Logging changes nothing in what a service
does.
"""

import json
import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from engine.events import (
    BadDebtBooked,
    Deleveraged,
    HouseInsolvent,
    IndexStale,
    LiquidationEnded,
    LiquidationStarted,
    LossSocialised,
    TakenOver,
)
from engine.messages import fields_of
from engine.routing.component import Handler
from engine.services.service_config import LOG_JSON, LOG_TEXT

LOGGED: Final[frozenset[type]] = frozenset(
    {
        BadDebtBooked,
        Deleveraged,
        HouseInsolvent,
        IndexStale,
        LiquidationEnded,
        LiquidationStarted,
        LossSocialised,
        TakenOver,
    }
)
"""Events of risk that are logged: what an operator wants to hear of, and not every order."""

_PLAIN: Final = re.compile(r"[\w.:/+@%,-]+")
_WORD: Final = re.compile(r"(?<!^)(?=[A-Z])")


def event_name(event_type: type) -> str:
    """The name of an event in the log: `LiquidationStarted` is ``liquidation_started``."""
    return _WORD.sub("_", event_type.__name__).lower()


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return json.dumps(facts_of(record))


class LogfmtFormatter(logging.Formatter):
    """``key=value`` pairs; values with other than plain characters are quoted like in JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return " ".join(f"{key}={_shown(value)}" for key, value in facts_of(record).items())


def _shown(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """Time, level, service and event of a record, then its own keys."""
    when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    facts: dict[str, Any] = {
        "time": when,
        "level": record.levelname.lower(),
        "service": record.name,
        "event": record.getMessage(),
    }
    return facts | getattr(record, "facts", {})


class ServiceLog:
    """The log of one service. ``log_format`` is one of
    `engine.services.service_config.LOG_FORMATS`; as text there is none, only the lines for people.

    While ``live`` is off nothing is logged: a service that recovers handles old inputs again.
    """

    def __init__(self, service: str, log_format: str = LOG_TEXT, out: TextIO | None = None) -> None:
        self.is_on = log_format != LOG_TEXT
        self.live = True
        self._logger = logging.Logger(service)
        if self.is_on:
            handler = logging.StreamHandler(out or sys.stderr)
            handler.setFormatter(JsonFormatter() if log_format == LOG_JSON else LogfmtFormatter())
            self._logger.addHandler(handler)

    def note(self, event: str, **facts: object) -> None:
        """Log an event that is part of the usual course."""
        self._write(logging.INFO, event, facts)

    def warn(self, event: str, **facts: object) -> None:
        """Log an event an operator should look at."""
        self._write(logging.WARNING, event, facts)

    def refused(self, what: str, facts: dict[str, object]) -> None:
        """Log what the door refused; see `gateway.rights.audit`."""
        self._write(logging.WARNING, f"{what}_refused", facts)

    def watch(self, handler: Handler) -> Handler:
        """A component's handler whose `LOGGED` events are logged."""

        def watched(message: Any, out: list[Any]) -> None:
            said_before = len(out)
            handler(message, out)
            if self.live:
                for place in range(said_before, len(out)):
                    if type(out[place]) in LOGGED:
                        self._published(out[place])

        return watched

    def around(self, wrap: Callable[[Handler], Handler]) -> Callable[[Handler], Handler]:
        """The same wrapping with the log around it; without a log nothing is added."""
        return (lambda handler: self.watch(wrap(handler))) if self.is_on else wrap

    def _published(self, event: Any) -> None:
        self._write(logging.INFO, event_name(type(event)), fields_of(event))

    def _write(self, level: int, event: str, facts: dict[str, Any]) -> None:
        if self.is_on and self.live:
            self._logger.log(level, event, extra={"facts": facts})
