"""The in-process bus: runs each command until nothing is left to say.

Without latencies messages go first in, first out. With latencies it is a discrete-event simulation
on a virtual clock: a message arrives a fixed time after it was sent and carries that time, so the
same components show what a slow margin engine costs.
"""

from collections import deque
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Any, Final

import msgspec

from engine.commands import Command, IndexPrice
from engine.latency import Latency as Latency
from engine.topology import GATEWAY, ROUTES

MAX_MESSAGES_PER_COMMAND: Final[int] = 10_000_000
"""More than any cascade needs; reaching it means two components answer each other for ever."""

ORACLE: Final[str] = "oracle"

Handler = Callable[[Any, list[Any]], None]


class Bus:
    """Delivers messages by the routing table; what nobody takes is an event for the sink."""

    def __init__(
        self,
        handlers: dict[str, Handler],
        sink: Callable[[Any], None],
        latency: Latency | None = None,
    ) -> None:
        self._sink = sink
        self._latency = latency
        self._targets: dict[type, list[tuple[str, Handler]]] = {
            message: [(name, handlers[name]) for name in names] for message, names in ROUTES.items()
        }
        self._receivers: dict[type, list[Handler]] = {
            message: [handlers[name] for name in names] for message, names in ROUTES.items()
        }
        self._queue: deque[tuple[Handler, Any]] = deque()
        self._pending: list[tuple[int, int, str, Handler, Any]] = []
        self._sequence = 0
        self.now_ns = 0

    def send(self, command: Command) -> None:
        """Run a command to its end (with latencies: up to its time, then put it on its way)."""
        if self._latency is not None:
            self.run_until(command.time_ns)
            sender = ORACLE if isinstance(command, IndexPrice) else GATEWAY
            self._schedule(sender, command)
            self.run_until(command.time_ns)
            return
        self.send_batch([command])

    def send_batch(self, commands: Sequence[Command]) -> None:
        """Put all commands in line, then run until nothing is left to say.

        Every receiver hears the whole batch before the answers to any of it, as if the commands
        had arrived faster than they could be answered. This is the order of the services, which
        pass batches; a batch of one is `send`. Not for a bus with latencies.
        """
        assert self._latency is None, "with latencies commands are sent one by one"
        receivers = self._receivers
        queue = self._queue
        for command in commands:
            self.now_ns = command.time_ns
            for handler in receivers[type(command)]:
                queue.append((handler, command))
        sink = self._sink
        out: list[Any] = []
        left = MAX_MESSAGES_PER_COMMAND * len(commands)
        while queue:
            handler, message = queue.popleft()
            handler(message, out)
            for said in out:
                found = receivers.get(type(said))
                if found is None:
                    sink(said)
                else:
                    for receiver in found:
                        queue.append((receiver, said))
            out.clear()
            left -= 1
            if left < 0:
                raise RuntimeError(f"{type(commands[0]).__name__} did not come to rest")

    def run_until(self, time_ns: int) -> None:
        """Deliver everything that arrives up to and including ``time_ns`` (latencies only)."""
        pending = self._pending
        out: list[Any] = []
        while pending and pending[0][0] <= time_ns:
            arrival_ns, _, name, handler, message = heappop(pending)
            self.now_ns = arrival_ns
            if message.time_ns != arrival_ns:
                message = msgspec.structs.replace(message, time_ns=arrival_ns)
            handler(message, out)
            for said in out:
                if type(said) in self._targets:
                    self._schedule(name, said)
                else:
                    self._sink(said)
            out.clear()
        self.now_ns = max(self.now_ns, time_ns)

    def _schedule(self, sender: str, message: Any) -> None:
        assert self._latency is not None, "only a bus with latencies schedules"
        sent_ns = max(self.now_ns, message.time_ns)
        for name, handler in self._targets[type(message)]:
            arrival_ns = sent_ns + self._latency.between(sender, name)
            self._sequence += 1
            heappush(self._pending, (arrival_ns, self._sequence, name, handler, message))

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._pending
