"""Risk, matching and liquidation in one process: a hub whose leaves are around the corner.

The same batches in the same order as `engine.rounds.Hub` with its leaves, therefore the same state
and events; but a message from risk to matching is a call and not a frame. The whole batch is worked
through at once, so nothing is ever half done between two inputs.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from engine.bus import Bus
from engine.component import Component, FunctionComponent, Handler
from engine.link import NotAFrame, read_frame
from engine.native_message import from_wire
from engine.rounds import Batch, Outputs, Unhandled, encode_frame
from engine.topology import GATEWAY, LIQUIDATION, MATCHING, RISK, ROUTES
from gateway.sorting import Sorter

_batch = msgspec.msgpack.Decoder(Batch)


class Member:
    """One of the three components: the component (or a function around it), and how to take its
    state out and put it in, which gives the component from then on."""

    __slots__ = ("restore", "state", "taker")

    def __init__(
        self,
        taker: Component | Handler,
        state: Callable[[], Any],
        restore: Callable[[Any], Component | Handler],
    ) -> None:
        self.taker = taker
        self.state = state
        self.restore = restore


class MergedHub:
    """The three components by name, and the number of batches they have done."""

    def __init__(self, members: dict[str, Member]) -> None:
        self.batches_done = 0
        self._members = members
        self._sorter = Sorter()
        self._waiting: list[Any] = []
        self._connect({name: member.taker for name, member in members.items()})

    def _connect(self, takers: dict[str, Component | Handler]) -> None:
        found = {
            name: taker if isinstance(taker, Component) else FunctionComponent(taker)
            for name, taker in takers.items()
        }
        self._risk = found[RISK]
        self._receivers = {
            message: [found[name] for name in names] for message, names in ROUTES.items()
        }
        self._bus = Bus(found, self._sorter)

    def state(self) -> list[Any]:
        """The number of batches done, and the states of risk, matching and liquidation."""
        states = [self._members[name].state() for name in (RISK, MATCHING, LIQUIDATION)]
        return [self.batches_done, *states]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self.batches_done = state[0]
        takers: dict[str, Component | Handler] = {}
        for name, one in zip((RISK, MATCHING, LIQUIDATION), state[1:], strict=True):
            takers[name] = self._members[name].restore(one)
        self._connect(takers)

    def handle(self, source: str, body: bytes, out: Outputs) -> None:
        """Work through a batch of the gateway to its end.

        Raises:
            NotAFrame: not a batch from the gateway.
            Unhandled: a component raised.
            ValueError: not the next batch.
        """
        if source != GATEWAY:
            raise NotAFrame(f"a merged hub hears {GATEWAY} only, not {source}")
        batch = read_frame(_batch, body)
        if batch.number != self.batches_done + 1:
            raise ValueError(f"batch {batch.number} came, {self.batches_done + 1} is next")
        try:
            direct = self._first_generation(from_wire(batch.commands))
            self._bus.send_batch(self._waiting)
        except Exception as error:
            raise Unhandled("the engine", self._bus.handling, error) from error
        parcels = batch.parcels or [len(batch.commands)]
        outcome = self._sorter.outcome(batch.number, direct, parcels)
        self.batches_done = batch.number
        out.append((GATEWAY, encode_frame(outcome)))

    def _first_generation(self, commands: Sequence[Any]) -> list[list[Any]]:
        """Let every command's receivers hear it; returns what risk said to each at once.

        What they said to each other waits for its turn behind the last command.
        """
        receivers = self._receivers
        sorter = self._sorter
        direct: list[list[Any]] = []
        waiting: list[Any] = []
        out: list[Any] = []
        for command in commands:
            self._bus.handling = command
            answer: list[Any] = []
            for component in receivers[type(command)]:
                component.handle(command, out)
                for said in out:
                    if type(said) in receivers:
                        waiting.append(said)
                    elif component is self._risk:
                        answer.append(said)
                    else:
                        sorter.publish(said)
                out.clear()
            direct.append(answer)
            sorter.answer(answer)
        self._waiting = waiting
        return direct
