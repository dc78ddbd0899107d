"""Clients of the gateway: `Client` for plain programs.

A few lines are enough (the gateway stamps time and order id)::

    order = SubmitOrder(
        time_ns=0,
        account_id=100,
        instrument_id=1,
        order_id=0,
        side=BUY,
        qty_lots=5,
        price_ticks=10_000,
    )
    with Client(Address()) as client:
        reply = client.call(order)
        print(reply.order_id, reply.events)
        client.subscribe(1)
        while True:
            for event in client.poll(1.0):
                print(event)
"""

import secrets
import time
from collections.abc import Sequence
from typing import Any, Final

import zmq

from engine.commands import Command
from engine.events import Event
from gateway.connection import Address, Connection
from gateway.door.runs import RUN_SHIFT, run_at
from gateway.protocol import (
    DEPTH_TOPIC,
    FUNDING_TOPIC,
    MARK_TOPIC,
    SEQUENCE_TOPIC,
    SYSTEM_TOPIC,
    TRADE_TOPIC,
    AccountEvents,
    Reply,
)
from matching.market_data import DepthBook

__all__ = ["Address", "Client", "NoAnswer"]

STEP_MS: Final[int] = 50


class NoAnswer(TimeoutError):
    """The gateway did not answer in time. The request may still be carried out: its number stays
    in line and is asked for again whenever the client talks to the gateway."""


def fresh_run() -> int:
    """An unused run of request numbers, above all that began before."""
    return run_at(time.time_ns()) + secrets.randbits(RUN_SHIFT)


class Sockets:
    """The two sockets of a client, with its keys if it has any."""

    def __init__(self, context: Any, address: Address) -> None:
        self.commands = context.socket(zmq.DEALER)
        self.market_data = context.socket(zmq.SUB)
        for socket in (self.commands, self.market_data):
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.RECONNECT_IVL, 50)
            if address.server_public:
                socket.setsockopt(zmq.CURVE_SERVERKEY, address.server_public.encode())
                socket.setsockopt(zmq.CURVE_PUBLICKEY, address.public.encode())
                socket.setsockopt(zmq.CURVE_SECRETKEY, address.secret.encode())
        self.commands.connect(address.commands)
        self.market_data.connect(address.market_data)

    def subscribe(self, instrument_id: int) -> None:
        """Take the market data of an instrument, and news of the system."""
        for topic in (TRADE_TOPIC, DEPTH_TOPIC, SEQUENCE_TOPIC, MARK_TOPIC, FUNDING_TOPIC):
            self.market_data.setsockopt(zmq.SUBSCRIBE, b"%s%d." % (topic, instrument_id))
        self.subscribe_system()

    def subscribe_system(self) -> None:
        """Take news of the system: what is listed, the rules, the insurance fund."""
        self.market_data.setsockopt(zmq.SUBSCRIBE, SYSTEM_TOPIC)


class Follower:
    """What both clients do alike: follow market data over the two sockets of a connection."""

    connection: Connection
    _sockets: Sockets

    def subscribe(self, instrument_id: int) -> None:
        """Follow an instrument: trades, depth, marks and funding."""
        self._sockets.subscribe(instrument_id)
        self.connection.watch_depth(instrument_id)

    def subscribe_system(self) -> None:
        """Follow what is listed, the rules and the insurance fund; `subscribe` does it too."""
        self._sockets.subscribe_system()

    def depth(self, instrument_id: int) -> DepthBook | None:
        """The depth of a followed instrument; None before the snapshot came."""
        return self.connection.depth.get(instrument_id)


class Client(Follower):
    """A synchronous client. Events of its accounts and market data wait until `poll` takes them.

    ``run`` names the request numbers: a program that keeps it over restarts, with its own record of
    what it asked, can ask again without doing anything twice. By default it is new every time.
    ``cancel_after_ms`` asks the gateway to cancel the orders of the session when it falls silent;
    the client pings whenever it is in `poll`, `call` or `call_all`. ``accounts`` are those whose
    events it wants; None for all its key has.
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
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._sockets = Sockets(self._context, address)
        self._poller = zmq.Poller()
        self._poller.register(self._sockets.commands, zmq.POLLIN)
        self._poller.register(self._sockets.market_data, zmq.POLLIN)
        self._market_events: list[Event] = []

    def connect(self, timeout_s: float = 10.0) -> None:
        """Wait for the gateway's welcome.

        Raises:
            NoAnswer: it did not come: no gateway there, or it does not know the key.
        """
        limit = time.monotonic() + timeout_s
        while self.connection.welcome is None:
            if time.monotonic() > limit:
                raise NoAnswer(self.connection.no_welcome(timeout_s))
            self._step(STEP_MS)

    def call(self, command: Command, timeout_s: float = 10.0) -> Reply:
        """Send one command and wait for its answer.

        Raises:
            NoAnswer: it did not come in time.
        """
        return self.call_all([command], timeout_s)[0]

    def call_all(self, commands: Sequence[Command], timeout_s: float = 10.0) -> list[Reply]:
        """Send commands in one go and wait for all answers, in the order of the commands.

        Raises:
            NoAnswer: one did not come in time.
        """
        return self._wait_for(self.connection.request(list(commands)), timeout_s)

    def ask(self, first: int, commands: Sequence[Command], timeout_s: float = 10.0) -> list[Reply]:
        """Send commands under the request numbers from ``first`` on and wait for their answers.

        What was carried out under these numbers before is answered once more and not repeated: for
        programs that keep their ``run`` over restarts.

        Raises:
            NoAnswer: one did not come in time.
        """
        return self._wait_for(self.connection.ask(first, list(commands)), timeout_s)

    def _wait_for(self, numbers: Sequence[int], timeout_s: float) -> list[Reply]:
        limit = time.monotonic() + timeout_s
        replies = self.connection.replies
        for number in numbers:
            while number not in replies:
                if time.monotonic() > limit:
                    raise NoAnswer(f"request {number} was not answered within {timeout_s} s")
                self._step(STEP_MS)
        return [replies.pop(number) for number in numbers]

    def send(self, commands: Sequence[Command]) -> list[int]:
        """Send commands without waiting; `take_reply` has the answers once they came."""
        numbers = self.connection.request(list(commands))
        self._send()
        return numbers

    def take_reply(self, number: int) -> Reply | None:
        """The answer to a request, once; None while it has not come."""
        return self.connection.replies.pop(number, None)

    def take_replies(self, timeout_s: float = 0.0) -> list[Reply]:
        """All answers that came and were not taken; waits up to ``timeout_s`` for the first."""
        limit = time.monotonic() + timeout_s
        replies = self.connection.replies
        self._step(0)
        while not replies and (left := limit - time.monotonic()) > 0:
            self._step(min(STEP_MS, int(left * 1000) + 1))
        taken = list(replies.values())
        replies.clear()
        return taken

    def poll(self, timeout_s: float = 0.0) -> list[Event]:
        """Events that came since the last call; waits up to ``timeout_s`` for the first."""
        limit = time.monotonic() + timeout_s
        self._step(0)
        while not self.connection.events and not self._market_events:
            left = limit - time.monotonic()
            if left <= 0:
                break
            self._step(min(STEP_MS, int(left * 1000) + 1))
        events = [*self.connection.events, *self._market_events]
        self.connection.events.clear()
        self._market_events.clear()
        return events

    def events_since(
        self, account_id: int, after: int = 0, timeout_s: float = 10.0
    ) -> AccountEvents:
        """The numbered events of an account behind number ``after``: for a program that was away
        and noted the last number it had heard of (`connection.feed.numbers`). Some hundred come at
        a time; ask again behind the last while there are more.

        Raises:
            NoAnswer: none came: no gateway there, or the account is not one of the key's.
        """
        asked = (account_id, after)
        limit = time.monotonic() + timeout_s
        next_ask = 0.0
        while asked not in self.connection.account_events:
            if time.monotonic() > limit:
                raise NoAnswer(f"no events of account {account_id} within {timeout_s} s")
            if time.monotonic() >= next_ask:
                self.connection.ask_events(*asked)
                next_ask = time.monotonic() + 1.0
            self._step(STEP_MS)
        return self.connection.account_events.pop(asked)

    def _send(self) -> None:
        frames = self.connection.outgoing(time.monotonic_ns())
        for place, frame in enumerate(frames):
            try:
                self._sockets.commands.send(frame, zmq.NOBLOCK)
            except zmq.Again:
                # The gateway takes no more for now, or refused the key.
                self.connection.not_sent(frames[place:])
                return

    def _step(self, wait_ms: int) -> None:
        self._send()
        ready = dict(self._poller.poll(wait_ms))
        if self._sockets.commands in ready:
            self._drain(self._sockets.commands)
        if self._sockets.market_data in ready:
            self._drain(self._sockets.market_data)

    def _drain(self, socket: "zmq.Socket[bytes]") -> None:
        while True:
            try:
                parts = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if socket is self._sockets.commands:
                self.connection.receive(parts[-1], time.monotonic_ns())
            else:
                self._market_events += self.connection.receive_market_data(parts[0], parts[-1])

    def close(self) -> None:
        """Leave. Open orders stay unless the session was opened with ``cancel_after_ms``."""
        self._context.destroy(linger=0)

    def __enter__(self) -> "Client":
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
