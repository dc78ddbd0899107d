"""The run's commands again under other rules, and how many of them still mean what they did.

Accounting and no forecast: takers sized for the old book send their orders all the same, and margin
answers calls that were never issued. A command lost its meaning if it is answered otherwise: taken
or refused, at other prices or sizes, or a cancel that finds nothing.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from engine.commands import (
    AdvanceTime,
    AssetPrice,
    CancelOrder,
    Command,
    IndexPrice,
    SetRulebook,
    SubmitOrder,
)
from engine.events import CommandRejected, OrderAmended, OrderClosed, OrderFilled
from seawall.exchange import Exchange
from seawall.lab.world import Past, exchange_of
from seawall.scenario import Scenario

Answer = tuple[tuple[Any, ...], ...]

_NOBODY_S: Final[tuple[type, ...]] = (AdvanceTime, IndexPrice, AssetPrice, SetRulebook)
"""Commands of nobody in the market: they always mean the same."""

REFUSED: Final[str] = "refused"
TAKEN: Final[str] = "taken and refused before"
NOTHING: Final[str] = "cancelled nothing"
OTHERWISE: Final[str] = "filled otherwise"


class Recorded(msgspec.Struct):
    """A command and what its sender was told within it."""

    command: Command
    answer: Answer = ()


class Replayed(msgspec.Struct):
    """How many commands of traders and agents there were, and how many lost their meaning."""

    commands: int
    changed: int
    kinds: dict[str, int]


class _Answers:
    """Collects what the sender of the present command is told."""

    def __init__(self) -> None:
        self.account_id = -1
        self.answer: list[tuple[Any, ...]] = []

    def begin(self, command: Any) -> None:
        self.account_id = getattr(command, "account_id", -1)
        self.answer = []

    def on_event(self, event: Any) -> None:
        kind = type(event)
        if getattr(event, "account_id", None) != self.account_id:
            return
        if kind is CommandRejected:
            self.answer.append(("refused", event.order_id, event.reason))
        elif kind is OrderFilled:
            self.answer.append(("filled", event.order_id, event.price_ticks, event.qty_lots))
        elif kind is OrderClosed or kind is OrderAmended:
            self.answer.append((kind.__name__, event.order_id))


def record(exchange: Exchange) -> list[Recorded]:
    """Record every command from now on, in a list that grows with the run."""
    recorded: list[Recorded] = []
    answers = _Answers()
    before = exchange.before_command

    def on_command(seq: int, command: Command) -> None:
        if recorded:
            recorded[-1].answer = tuple(answers.answer)
        answers.begin(command)
        recorded.append(Recorded(command))
        if before is not None:
            before(seq, command)

    exchange.before_command = on_command
    exchange.subscribe(answers.on_event)
    return recorded


def replay(scenario: Scenario, past: Past, recorded: Sequence[Recorded], rulebook: str) -> Replayed:
    """Send the commands again from a past on, under other rules."""
    exchange = exchange_of(scenario)
    exchange.resume(past.exchange)
    answers = _Answers()
    exchange.subscribe(answers.on_event)
    exchange.send(SetRulebook(past.time_ns, rulebook))
    result = Replayed(0, 0, {})
    for each in recorded[:-1]:
        command = each.command
        answers.begin(command)
        exchange.send(command)
        if isinstance(command, _NOBODY_S):
            continue
        result.commands += 1
        kind = _changed(command, each.answer, tuple(answers.answer))
        if kind:
            result.changed += 1
            result.kinds[kind] = result.kinds.get(kind, 0) + 1
    return result


def _changed(command: Command, before: Answer, now: Answer) -> str:
    """How a command lost its meaning; empty if it did not."""
    if before == now:
        return ""
    was_refused = any(each[0] == "refused" for each in before)
    is_refused = any(each[0] == "refused" for each in now)
    if is_refused and not was_refused:
        return NOTHING if isinstance(command, CancelOrder) else REFUSED
    if was_refused and not is_refused:
        return TAKEN
    return OTHERWISE if isinstance(command, SubmitOrder) else "answered otherwise"
