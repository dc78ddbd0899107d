"""WebSocket connections of streams: five ways to say which, one answer to each request.

``/ws/<name>``, ``/stream?streams=<name>/<name>``, either with ``/public``, ``/market`` or
``/private`` before it, ``?listenKey=``, and SUBSCRIBE on any of them. A name that stands for
nothing is passed over, as at the venue: clients put labels of their own there.
"""

import asyncio
import struct
from socket import SO_LINGER, SO_SNDBUF, SOL_SOCKET
from typing import Any, Final

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from doors.usdm.door import Door
from doors.usdm.streams.market_stream import MarketStream
from doors.usdm.streams.names import spec_of
from doors.usdm.streams.subscribers import MOST_STREAMS, Subscriber, encode
from doors.usdm.streams.user_stream import UserStream
from engine.units import SECOND_NS

PREFIXES: Final[tuple[str, ...]] = ("public", "market", "private")
PLAIN: Final[str] = "ws"
WRAPPED: Final[str] = "stream"

MAX_MESSAGE_BYTES: Final[int] = 65_536
SEND_BUFFER_BYTES: Final[int] = 262_144
NO_LINGER: Final[bytes] = struct.pack("ii", 1, 0)
"""The kernel drops what is not sent yet when the connection is closed."""

PING_S: Final[float] = 180.0
MOST_PER_SECOND: Final[int] = 10
"""Requests a second on one connection; who sends more is cut off."""

MAX_LIFE_S: Final[float] = 86_400.0


class Sockets:
    """Every connection there is, of streams and of the API over WebSocket."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.count = 0

    @property
    def is_full(self) -> bool:
        """Whether there may be no more."""
        return self.count >= self._most


class StreamSocket:
    """One connection of streams."""

    def __init__(self, door: Door, market: MarketStream, user: UserStream, wrapped: bool) -> None:
        self._door = door
        self._market = market
        self._user = user
        self._ready = asyncio.Event()
        most = door.config.door.max_queued_messages
        self._subscriber = Subscriber(self, wrapped, most)
        self._socket = web.WebSocketResponse(
            compress=False, max_msg_size=MAX_MESSAGE_BYTES, heartbeat=PING_S
        )
        self._transport: asyncio.Transport | None = None
        self._second = 0
        self._in_second = 0

    def wake(self) -> None:
        """Something is queued."""
        self._ready.set()

    def cut_off(self) -> None:
        """It reads too slowly: a farewell would wait with all the rest, which is thrown away."""
        if self._transport is not None:
            line = self._transport.get_extra_info("socket")
            if line is not None:
                line.setsockopt(SOL_SOCKET, SO_LINGER, NO_LINGER)
            self._transport.abort()

    async def serve(self, request: web.Request, names: list[str]) -> web.WebSocketResponse:
        """Send what is subscribed to and answer requests, until either side ends it."""
        socket = self._socket
        self._transport = request.transport
        bound_send_buffer(request)
        await socket.prepare(request)
        for name in names[:MOST_STREAMS]:
            self._subscribe(name)
        sending = asyncio.create_task(self._send())
        try:
            async with asyncio.timeout(MAX_LIFE_S):
                await self._hear()
        except TimeoutError:
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"a day is over")
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            self._market.hub.leave(self._subscriber)
            self._user.leave(self._subscriber)
        return socket

    async def _hear(self) -> None:
        async for message in self._socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
            if self._is_too_much():
                await self._socket.close(
                    code=WSCloseCode.POLICY_VIOLATION, message=b"too many requests"
                )
                return
            self._subscriber.put(encode(self._answer(message.data)))

    def _is_too_much(self) -> bool:
        second = self._door.clock() // SECOND_NS
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        return self._in_second > MOST_PER_SECOND

    async def _send(self) -> None:
        queue = self._subscriber.queue
        while True:
            await self._ready.wait()
            self._ready.clear()
            while queue:
                await self._socket.send_frame(queue.popleft(), WSMsgType.TEXT)

    def _subscribe(self, name: str) -> None:
        spec = spec_of(name, self._door.listed)
        if spec is not None:
            self._market.hub.subscribe(self._subscriber, name, spec)
        else:
            self._user.subscribe(self._subscriber, name)

    def _unsubscribe(self, name: str) -> None:
        self._market.hub.unsubscribe(self._subscriber, name)
        self._user.unsubscribe(self._subscriber, name)

    def _answer(self, text: str | bytes) -> dict[str, Any]:
        """What to say to a request."""
        try:
            request = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _fault(3, "Invalid JSON: expected a request", None)
        if not isinstance(request, dict):
            return _fault(3, "Invalid JSON: expected an object", None)
        number = request.get("id")
        if number is not None and not isinstance(number, int | str):
            return _fault(2, "Invalid request: request ID must be an unsigned integer", None)
        method = request.get("method")
        if method == "LIST_SUBSCRIPTIONS":
            return {"result": list(self._subscriber.streams), "id": number}
        names = request.get("params")
        if method not in ("SUBSCRIBE", "UNSUBSCRIBE"):
            return _fault(2, f"Invalid request: unknown method {method!r:.60}", number)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return _fault(2, "Invalid request: params must be a list of streams", number)
        if len(self._subscriber.streams) + len(names) > MOST_STREAMS and method == "SUBSCRIBE":
            return _fault(2, f"Invalid request: at most {MOST_STREAMS} streams", number)
        change = self._subscribe if method == "SUBSCRIBE" else self._unsubscribe
        for name in names:
            change(name)
        return {"result": None, "id": number}


def bound_send_buffer(request: web.Request) -> None:
    """The kernel keeps so much for who does not read, and no more."""
    transport = request.transport
    line = None if transport is None else transport.get_extra_info("socket")
    if line is not None:
        line.setsockopt(SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES)


def _fault(code: int, text: str, number: int | str | None) -> dict[str, Any]:
    return {"error": {"code": code, "msg": text}, "id": number}


def names_in(request: web.Request) -> tuple[bool, list[str]] | None:
    """Whether events are wrapped, and the streams that the address names; None for an address of
    something else."""
    parts = [part for part in request.path.split("/") if part]
    if parts and parts[0] in PREFIXES:
        parts.pop(0)
    if not parts or parts[0] not in (PLAIN, WRAPPED):
        return None
    names = [*parts[1:], *request.query.getall("listenKey", [])]
    for text in request.query.getall("streams", []):
        names += [name for name in text.split("/") if name]
    return parts[0] == WRAPPED, names


class StreamDoor:
    """Lets connections of streams in."""

    def __init__(self, door: Door, sockets: Sockets) -> None:
        self._door = door
        self._sockets = sockets
        self.market: Final = MarketStream(door)
        self.user: Final = UserStream(door)
        door.audiences.extend((self.market, self.user))
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to send."""
        loops = (self.market.run(), self.user.run())
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    async def stop(self) -> None:
        """End it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def serve(
        self, request: web.Request, wrapped: bool, names: list[str]
    ) -> web.StreamResponse:
        """One connection, to its end."""
        if self._sockets.is_full:
            return web.Response(status=503, text="too many connections")
        self._sockets.count += 1
        try:
            socket = StreamSocket(self._door, self.market, self.user, wrapped)
            return await socket.serve(request, names)
        finally:
            self._sockets.count -= 1
