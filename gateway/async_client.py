"""The client for asyncio: the same connection, awaited."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import zmq
import zmq.asyncio

from engine.commands import Command
from engine.events import Event
from gateway.client import Follower, NoAnswer, Sockets, fresh_run
from gateway.connection import Address, Connection
from gateway.protocol import AccountEvents, Reply

BEAT_S: Final[float] = 0.05


class AsyncClient(Follower):
    """An asyncio client; use it as ``async with AsyncClient(Address()) as client``.

    Any number of tasks may `call`; one reads `events`. The arguments are those of `Client`.
    """

    def __init__(
        self,
        address: Address,
        *,
        run: int | None = None,
        cancel_after_ms: int = 0,
        accounts: list[int] | None = None,
    ) -> None:
        run = fresh_run() if run is None else run
        self.connection = Connection(run, cancel_after_ms, accounts)
        self._context = zmq.asyncio.Context()
        self._sockets = Sockets(self._context, address)
        self._news = asyncio.Condition()
        self._market_events: list[Event] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def connect(self, timeout_s: float = 10.0) -> None:
        """Wait for the gateway's welcome.

        Raises:
            NoAnswer: it did not come: no gateway there, or it does not know the key.
        """
        listeners = (self._hear_gateway(), self._hear_market(), self._beat())
        self._tasks = [asyncio.create_task(listener) for listener in listeners]
        try:
            await self._until(lambda: self.connection.welcome is not None, timeout_s, "no welcome")
        except NoAnswer:
            raise NoAnswer(self.connection.no_welcome(timeout_s)) from None

    async def call(self, command: Command, timeout_s: float = 10.0) -> Reply:
        """Send one command and wait for its answer.

        Raises:
            NoAnswer: it did not come in time.
        """
        return (await self.call_all([command], timeout_s))[0]

    async def call_all(self, commands: Sequence[Command], timeout_s: float = 10.0) -> list[Reply]:
        """Send commands in one go and wait for all answers, in the order of the commands.

        Raises:
            NoAnswer: one did not come in time.
        """
        numbers = self.connection.request(list(commands))
        await self._send()
        replies = self.connection.replies
        await self._until(
            lambda: all(number in replies for number in numbers), timeout_s, "no answer"
        )
        return [replies.pop(number) for number in numbers]

    async def events_since(
        self, account_id: int, after: int = 0, timeout_s: float = 10.0
    ) -> AccountEvents:
        """As `Client.events_since`.

        Raises:
            NoAnswer: none came: no gateway there, or the account is not one of the key's.
        """
        asked = (account_id, after)
        self.connection.ask_events(*asked)
        await self._send()
        found = self.connection.account_events
        await self._until(lambda: asked in found, timeout_s, f"no events of account {account_id}")
        return found.pop(asked)

    async def events(self) -> AsyncIterator[Event]:
        """Events of the client's accounts and of followed instruments, as they come."""
        while True:
            async with self._news:
                await self._news.wait_for(lambda: self.connection.events or self._market_events)
            found = [*self.connection.events, *self._market_events]
            self.connection.events.clear()
            self._market_events.clear()
            for event in found:
                yield event

    async def close(self) -> None:
        """Leave."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._context.destroy(linger=0)

    async def __aenter__(self) -> "AsyncClient":
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _until(self, holds: Callable[[], bool], timeout_s: float, what: str) -> None:
        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(holds), timeout_s)
            except TimeoutError:
                raise NoAnswer(f"{what} within {timeout_s} s") from None

    async def _send(self) -> None:
        frames = self.connection.outgoing(time.monotonic_ns())
        for place, frame in enumerate(frames):
            try:
                # Without waiting, so that no other task's frames come in between.
                await self._sockets.commands.send(frame, zmq.NOBLOCK)
            except zmq.Again:
                self.connection.not_sent(frames[place:])
                return

    async def _hear_gateway(self) -> None:
        while True:
            parts = await self._sockets.commands.recv_multipart()
            self.connection.receive(parts[-1], time.monotonic_ns())
            async with self._news:
                self._news.notify_all()

    async def _hear_market(self) -> None:
        while True:
            parts = await self._sockets.market_data.recv_multipart()
            self._market_events += self.connection.receive_market_data(parts[0], parts[-1])
            async with self._news:
                self._news.notify_all()

    async def _beat(self) -> None:
        while True:
            await self._send()
            await asyncio.sleep(BEAT_S)
