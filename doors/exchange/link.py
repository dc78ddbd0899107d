"""The door's line to the gateway, in the event loop: requests out, answers and events in.

The sockets are read by their file descriptors. Every frame is worked through before the next one:
first what is in answers, then the other events, then whoever waits for an answer goes on. So an
answer already knows the fills that came with it.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import zmq

from engine.commands import Command
from engine.events import Event
from gateway.client import NoAnswer, Sockets, fresh_run
from gateway.connection import Address, Connection
from gateway.protocol import Reply
from matching.market_data import DepthBook

BEAT_S: Final[float] = 0.05
ANSWER_S: Final[float] = 10.0
CONNECT_S: Final[float] = 10.0


Noted = Callable[[int], None]
"""Told the number of a request before it leaves."""


def _nobody(_: int) -> None:
    """Nobody wants to know."""


class Listener(Protocol):
    """Who is told of what comes."""

    def answered(self, request_id: int, reply: Reply) -> None:
        """A request was answered."""

    def happened(self, events: Sequence[Event]) -> None:
        """Something happened to the accounts that are listened to."""

    def published(self, events: Sequence[Event]) -> None:
        """Market data came."""

    def delivered(self) -> None:
        """All that came at once has been told."""

    def sending(self) -> None:
        """Requests are about to leave."""


class Link:
    """One session with the gateway. ``accounts`` are those whose events are wanted; ``numbers`` the
    last event of each that was heard of in an earlier life: those after it are asked for."""

    def __init__(
        self, address: Address, accounts: list[int], numbers: dict[int, int], listener: Listener
    ) -> None:
        self.run = fresh_run()
        self.connection = Connection(self.run, accounts=accounts)
        self.connection.feed.numbers.update(numbers)
        self.connection.feed.catch_up()
        self._listener = listener
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._sockets = Sockets(self._context, address)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._welcome: asyncio.Event = asyncio.Event()
        self._asked: list[tuple[Command, Noted, asyncio.Future[Reply]]] = []
        self._turning = False
        self._beating: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    async def connect(self, timeout_s: float | None) -> None:
        """Wait for the gateway's welcome; with None for as long as it takes.

        Raises:
            NoAnswer: it did not come: no gateway there, or it does not know the key.
        """
        for socket in (self._sockets.commands, self._sockets.market_data):
            self._loop.add_reader(socket.getsockopt(zmq.FD), self._read)
        self._beating = self._loop.create_task(self._beat())
        try:
            await asyncio.wait_for(self._welcome.wait(), timeout_s)
        except TimeoutError:
            raise NoAnswer(self.connection.no_welcome(timeout_s or 0)) from None

    def listen_to(self, accounts: list[int]) -> None:
        """From now on tell of the events of these accounts."""
        self.connection.listen_to(accounts)
        self._flush()

    def subscribe_system(self) -> None:
        """Follow what is listed and the insurance fund."""
        self._sockets.subscribe_system()

    def subscribe(self, instrument_id: int) -> None:
        """Follow an instrument: trades, depth, marks and funding."""
        self._sockets.subscribe(instrument_id)
        self.connection.watch_depth(instrument_id)
        self._flush()

    def depth(self, instrument_id: int) -> DepthBook | None:
        """The depth of a followed instrument; None before it came."""
        return self.connection.depth.get(instrument_id)

    def ask(self, command: Command, noted: Noted = _nobody) -> "asyncio.Future[Reply]":
        """Send a command: the first of a turn of the loop at once, the others of the turn together
        at its end. ``noted`` is told its number first. Returns what will have the answer."""
        future: asyncio.Future[Reply] = self._loop.create_future()
        self._asked.append((command, noted, future))
        if not self._turning:
            self._turning = True
            self._loop.call_soon(self._end_turn)
            self._flush()
        return future

    def _end_turn(self) -> None:
        self._turning = False
        if self._asked:
            self._flush()

    async def call(self, command: Command, timeout_s: float = ANSWER_S) -> Reply:
        """Send a command and wait for its answer.

        Raises:
            NoAnswer: it did not come in time.
        """
        return await self.wait(self.ask(command), timeout_s)

    async def wait(self, future: "asyncio.Future[Reply]", timeout_s: float = ANSWER_S) -> Reply:
        """The answer to what was asked.

        Raises:
            NoAnswer: it did not come in time; the request may still be carried out.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            raise NoAnswer(f"no answer within {timeout_s} s") from None

    async def close(self) -> None:
        """Leave."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        for socket in (self._sockets.commands, self._sockets.market_data):
            self._loop.remove_reader(socket.getsockopt(zmq.FD))
        self._context.destroy(linger=0)

    def _flush(self) -> None:
        if self._asked:
            self._number()
        self._listener.sending()
        frames = self.connection.outgoing(time.monotonic_ns())
        for place, frame in enumerate(frames):
            try:
                self._sockets.commands.send(frame, zmq.NOBLOCK)
            except zmq.Again:
                self.connection.not_sent(frames[place:])
                break
        # A send may have taken the edge that the descriptor would have told of.
        self._read()

    def _number(self) -> None:
        """Give what is in line its request numbers."""
        asked, self._asked = self._asked, []
        try:
            numbers = self.connection.request([command for command, _, _ in asked])
        except ValueError as error:
            # One has a field that no frame can carry: a defect, told to all who asked now.
            for _, _, future in asked:
                future.set_exception(error)
            return
        for number, (_, noted, future) in zip(numbers, asked, strict=True):
            self._waiting[number] = future
            noted(number)

    def _read(self) -> None:
        heard = False
        while True:
            heard_now = self._read_commands() or self._read_market()
            if not heard_now:
                break
            heard = True
        if heard:
            self._listener.delivered()

    def _read_commands(self) -> bool:
        try:
            frame = self._sockets.commands.recv_multipart(zmq.NOBLOCK)[-1]
        except zmq.Again:
            return False
        connection = self.connection
        connection.receive(frame, time.monotonic_ns())
        if connection.welcome is not None:
            self._welcome.set()
        answers = list(connection.replies.items())
        connection.replies.clear()
        for number, reply in answers:
            self._listener.answered(number, reply)
        if connection.events:
            events = list(connection.events)
            connection.events.clear()
            self._listener.happened(events)
        for number, reply in answers:
            future = self._waiting.pop(number, None)
            if future is not None and not future.done():
                future.set_result(reply)
        return True

    def _read_market(self) -> bool:
        try:
            topic, data = self._sockets.market_data.recv_multipart(zmq.NOBLOCK)[:2]
        except zmq.Again:
            return False
        events = self.connection.receive_market_data(topic, data)
        if events:
            self._listener.published(events)
        return True

    async def _beat(self) -> None:
        while True:
            self._flush()
            await asyncio.sleep(BEAT_S)
