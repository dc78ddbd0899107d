"""Risk, matching and liquidation in one process: a hub whose leaves are around the corner.

The same batches in the same order as `engine.rounds.Hub` with its leaves, therefore the same state
and events; but a message from risk to matching is a call and not a frame. The whole batch is worked
through at once, so nothing is ever half done between two inputs.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from engine.component import Component, FunctionComponent, Handler
from engine.link import NotAFrame, read_frame
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
        self._receivers: dict[type, list[Component]] = {}
        self._connect({name: member.taker for name, member in members.items()})

    def _connect(self, takers: dict[str, Component | Handler]) -> None:
        found = {
            name: taker if isinstance(taker, Component) else FunctionComponent(taker)
            for name, taker in takers.items()
        }
        self._receivers = {
            message: [found[name] for name in names] for message, names in ROUTES.items()
        }

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
        sorter = Sorter()
        direct = self._run(batch.commands, sorter)
        parcels = batch.parcels or [len(batch.commands)]
        outcome = sorter.outcome(batch.number, direct, parcels)
        self.batches_done = batch.number
        out.append((GATEWAY, encode_frame(outcome)))

    def _run(self, commands: Sequence[Any], sorter: Sorter) -> list[list[Any]]:
        """Deliver in the order of arrival, as `engine.bus.Bus.send_batch`; returns what risk said
        to each command at once."""
        receivers = self._receivers
        components: list[Component] = []
        messages: list[Any] = []
        to_risk: list[bool] = []
        for command in commands:
            kind = type(command)
            names = ROUTES[kind]
            for number, component in enumerate(receivers[kind]):
                components.append(component)
                messages.append(command)
                to_risk.append(names[number] == RISK)
        first_generation = len(messages)
        direct: list[list[Any]] = []
        out: list[Any] = []
        place = 0
        while place < len(messages):
            try:
                components[place].handle(messages[place], out)
            except Exception as error:
                raise Unhandled("the engine", messages[place], error) from error
            answering = place < first_generation and to_risk[place]
            answer: list[Any] = []
            for said in out:
                found = receivers.get(type(said))
                if found is not None:
                    for component in found:
                        components.append(component)
                        messages.append(said)
                elif answering:
                    answer.append(said)
                else:
                    sorter.add(said)
            out.clear()
            if answering:
                direct.append(answer)
                sorter.answer(answer)
            place += 1
        return direct
