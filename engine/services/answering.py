"""Risk as the hub asks it: what it says to a command at once is the answer to its sender."""

from typing import Any

from engine.routing.component import Component, Sink
from engine.routing.topology import ROUTES


class AnswerSink(Sink):
    """Where the events of a batch go: those that answer a command, and all others."""

    def answer(self, events: list[Any]) -> None:
        """Take what was said to the next command at once."""
        raise NotImplementedError


class AnsweringRisk(Component):
    """Risk, with what it says to a command at once kept for its sender.

    The commands of a batch are the first messages that risk hears of it. ``answers`` has a list for
    each; what risk says to anything else goes the way of all events.
    """

    __slots__ = ("_commands", "_risk", "_sink", "answers")

    def __init__(self, risk: Component, sink: AnswerSink) -> None:
        self.answers: list[list[Any]] = []
        self._risk = risk
        self._sink = sink
        self._commands = 0

    def begin(self, commands: int) -> None:
        """A batch of so many commands comes."""
        self.answers = []
        self._commands = commands

    def handle(self, message: Any, out: list[Any]) -> None:
        """Let risk handle it."""
        if len(self.answers) == self._commands:
            self._risk.handle(message, out)
            return
        said: list[Any] = []
        self._risk.handle(message, said)
        answer: list[Any] = []
        for each in said:
            if type(each) in ROUTES:
                out.append(each)
            else:
                answer.append(each)
        self.answers.append(answer)
        self._sink.answer(answer)

    def restore(self, answers: list[list[Any]]) -> None:
        """Go on in a batch that all commands of were answered so."""
        self.answers = answers
        self._commands = len(answers)
