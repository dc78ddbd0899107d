"""The in-process bus: runs each command until nothing is left to say.

Without latencies messages go first in, first out. With latencies it is a discrete-event simulation
on a virtual clock: a message arrives a fixed time after it was sent and carries that time, so the
same components show what a slow margin engine costs.
"""

from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final

from engine.commands import AmendOrder, AssetPrice, CancelOrder, Command, IndexPrice, SubmitOrder
from engine.events import (
    BookLevel,
    OrderAccepted,
    OrderAmended,
    OrderClosed,
    OrderFilled,
    Trade,
)
from engine.internal import (
    ChangeOrder,
    Fill,
    OrderChanged,
    OrderGone,
    PlaceOrder,
    PullOrder,
)
from engine.messages import at_time, decode_message, encode
from engine.routing.component import Component, FunctionComponent, FunctionSink, Handler, Sink
from engine.routing.latency import Latency as Latency
from engine.routing.topology import GATEWAY, ROUTES
from engine.units import COMPILED

if TYPE_CHECKING:
    from mypy_extensions import i64

MAX_MESSAGES_PER_COMMAND: Final[int] = 10_000_000
"""More than any cascade needs; reaching it means two components answer each other for ever."""

ORACLE: Final[str] = "oracle"

_NOBODY: Final[list[Component]] = []


class Bus:
    """Delivers messages by the routing table; what no component takes is an event for the sink.

    ``takers`` are the components by the names in the table; functions may stand in their place and
    in that of the sink. `now_ns` is the virtual clock of a bus with latencies. `handling` is the
    message handled last: without latencies the one at fault when a component raises.
    """

    def __init__(
        self,
        takers: Mapping[str, Component | Handler],
        sink: Sink | Callable[[Any], None],
        latency: Latency | None = None,
    ) -> None:
        self._sink = sink if isinstance(sink, Sink) else FunctionSink(sink)
        self._latency = latency
        components = {
            name: taker if isinstance(taker, Component) else FunctionComponent(taker)
            for name, taker in takers.items()
        }
        self._components = components
        self._targets: dict[type, list[tuple[str, Component]]] = {
            message: [(name, components[name]) for name in names]
            for message, names in ROUTES.items()
        }
        self._receivers: dict[type, list[Component]] = {
            message: [component for _, component in found]
            for message, found in self._targets.items()
        }
        self._submit_order = self._receivers[SubmitOrder]
        self._cancel_order = self._receivers[CancelOrder]
        self._amend_order = self._receivers[AmendOrder]
        self._place_order = self._receivers[PlaceOrder]
        self._pull_order = self._receivers[PullOrder]
        self._order_gone = self._receivers[OrderGone]
        self._fill = self._receivers[Fill]
        self._change_order = self._receivers[ChangeOrder]
        self._order_changed = self._receivers[OrderChanged]
        self._pending: list[tuple[int, int, str, Component, Any]] = []
        self._sequence = 0
        self.now_ns = 0
        self.handling: Any = None

    def send(self, command: Command) -> None:
        """Run a command to its end (with latencies: up to its time, then put it on its way)."""
        if self._latency is None:
            self._run([command])
            return
        self.run_until(command.time_ns)
        sender = ORACLE if isinstance(command, IndexPrice | AssetPrice) else GATEWAY
        self._schedule(sender, command)
        self.run_until(command.time_ns)

    def send_batch(self, commands: Sequence[Command]) -> None:
        """Put all commands in line, then run until nothing is left to say.

        Every receiver hears the whole batch before the answers to any of it, as if the commands
        had arrived faster than they could be answered. This is the order of the services, which
        pass batches; a batch of one is `send`. Not for a bus with latencies.
        """
        assert self._latency is None, "with latencies commands are sent one by one"
        self._run(list(commands))

    def _run(self, messages: list[Any]) -> None:
        """Deliver messages and what follows from them until nothing is left to say."""
        left = MAX_MESSAGES_PER_COMMAND * len(messages)
        while messages:
            left -= len(messages)
            if left < 0:
                raise RuntimeError(f"{type(self.handling).__name__} did not come to rest")
            messages = self.sweep(messages)

    def sweep(self, messages: list[Any]) -> list[Any]:
        """Handle one generation: every message in order, at all its receivers; returns the next
        one, which is what they said to each other. Events go to the sink as soon as their sender
        is done, and leave None in their places."""
        sink = self._sink
        said: list[Any] = []
        told: i64 = 0
        for message in messages:
            if message is None:
                continue
            self.handling = message
            receivers = self._receivers_of(message)
            if receivers is _NOBODY:
                raise TypeError(f"no component takes a {type(message).__name__}")
            for component in receivers:
                component.handle(message, said)
                while told < len(said):
                    news = said[told]
                    if self._receivers_of(news) is _NOBODY:
                        said[told] = None
                        sink.publish(news)
                    told += 1
        return said

    def _receivers_of(self, message: Any) -> list[Component]:
        """Who takes a message; `_NOBODY` an event. Compiled, the commonest are told by their
        classes: that is cheaper than the table."""
        if COMPILED:
            if isinstance(message, PlaceOrder):
                return self._place_order
            if isinstance(message, PullOrder):
                return self._pull_order
            if isinstance(message, OrderGone):
                return self._order_gone
            if isinstance(message, Fill):
                return self._fill
            if isinstance(message, SubmitOrder):
                return self._submit_order
            if isinstance(message, CancelOrder):
                return self._cancel_order
            if isinstance(
                message,
                (OrderAccepted, OrderClosed, OrderFilled, Trade, BookLevel, OrderAmended),
            ):
                return _NOBODY
            if isinstance(message, AmendOrder):
                return self._amend_order
            if isinstance(message, ChangeOrder):
                return self._change_order
            if isinstance(message, OrderChanged):
                return self._order_changed
        return self._receivers.get(type(message), _NOBODY)

    def run_until(self, time_ns: int) -> None:
        """Deliver everything that arrives up to and including ``time_ns`` (latencies only)."""
        pending = self._pending
        out: list[Any] = []
        while pending and pending[0][0] <= time_ns:
            arrival_ns, _, name, component, message = heappop(pending)
            self.now_ns = arrival_ns
            if message.time_ns != arrival_ns:
                message = at_time(message, arrival_ns)
            component.handle(message, out)
            for said in out:
                if type(said) in self._targets:
                    self._schedule(name, said)
                else:
                    self._sink.publish(said)
            out.clear()
        self.now_ns = max(self.now_ns, time_ns)

    def _schedule(self, sender: str, message: Any) -> None:
        assert self._latency is not None, "only a bus with latencies schedules"
        sent_ns = max(self.now_ns, message.time_ns)
        for name, component in self._targets[type(message)]:
            arrival_ns = sent_ns + self._latency.between(sender, name)
            self._sequence += 1
            heappush(self._pending, (arrival_ns, self._sequence, name, component, message))

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._pending

    def under_way(self) -> list[Any]:
        """What is between two components, with the virtual clock, as plain values."""
        pending = [
            [arrival_ns, number, name, encode(message)]
            for arrival_ns, number, name, _, message in sorted(self._pending, key=_order_of)
        ]
        return [self.now_ns, self._sequence, pending]

    def restore(self, under_way: list[Any]) -> None:
        """Take over what `under_way` returned."""
        self.now_ns, self._sequence, pending = under_way
        self._pending = [
            (arrival_ns, number, name, self._components[name], decode_message(message))
            for arrival_ns, number, name, message in pending
        ]


def _order_of(pending: tuple[int, int, str, Component, Any]) -> tuple[int, int]:
    return pending[0], pending[1]
