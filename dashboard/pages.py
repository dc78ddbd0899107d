"""The page and its feed as routes of an aiohttp application.

A page chooses what it looks at, and nothing else, unless it was opened with the key for steering a
scenario (`dashboard.steering`). Every page has its own WebSocket; a
frame that is not taken yet delays the next one, which then has more in it. So a slow page is behind
and takes no memory.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from dashboard.board import Board
from dashboard.frames import Frames
from dashboard.playback import FASTEST, Player
from dashboard.sections import Sections
from dashboard.steering import Steering
from engine.units import SECOND_NS

STATIC: Final[Path] = Path(__file__).parent / "static"
FRAME_S: Final[float] = 0.1
"""Least time between two frames of a page."""

MAX_PAGES: Final[int] = 32
MAX_WISH_BYTES: Final[int] = 1_024
HEARTBEAT_S: Final[float] = 20.0

SECURITY: Final[dict[str, str]] = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FOR_EVER: Final[str] = "public, max-age=31536000, immutable"
"""Vendored files have their version in their path."""


class Shown(Protocol):
    """What pages show: the running exchange, or a place in a finished run."""

    @property
    def board(self) -> Board:
        """What is known."""

    def first_instrument(self) -> int | None:
        """What a page shows that chose nothing."""

    def sections(self, instrument_id: int | None, account_id: int | None) -> Sections:
        """What a page is to show."""


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    """What a page asks for; what is not given stays as it is. ``seek`` is in seconds since 1970,
    ``speed`` in seconds of the run a second, an ``account`` of 0 is none."""

    instrument: int | None = None
    account: int | None = None
    seek: float | None = None
    speed: int | None = None


class Page:
    """One page that is open."""

    def __init__(self, shown: Shown) -> None:
        self.shown = shown
        self.instrument_id: int | None = None
        self.account_id: int | None = None
        self._frames = Frames()

    def wish(self, wish: Wish) -> None:
        """Show what is asked for.

        Raises:
            ValueError: there is no such thing.
        """
        if wish.instrument is not None:
            if wish.instrument not in self.shown.board.instruments:
                raise ValueError(f"instrument {wish.instrument} is not listed")
            self.instrument_id = wish.instrument
            self._frames.begin_anew()
        if wish.account is not None:
            self.account_id = wish.account or None
        if wish.seek is None and wish.speed is None:
            return
        player = self.shown
        if not isinstance(player, Player):
            raise ValueError("the running exchange is not played back")
        if wish.speed is not None:
            if not 0 <= wish.speed <= FASTEST:
                raise ValueError(f"speed {wish.speed}: allowed are 0 to {FASTEST}")
            player.speed = wish.speed
        if wish.seek is not None:
            if not abs(wish.seek) < MAX_SECONDS:
                raise ValueError("seek: no time")
            player.seek(int(wish.seek * SECOND_NS))
            self._frames.begin_anew()

    def next_frame(self) -> str | None:
        """What is new, as JSON."""
        if self.instrument_id is None:
            self.instrument_id = self.shown.first_instrument()
        sections = self.shown.sections(self.instrument_id, self.account_id)
        return self._frames.next(sections, self.shown.board, self.instrument_id)


MAX_SECONDS: Final[float] = 9e9

Open = Callable[[], Shown]
"""What a new page shows."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

Leave = Callable[[int | None], None]
"""Told of the account a page that is gone had chosen."""


class Pages:
    """The routes. ``hosts`` are the names by which the page may be asked for: a name that somebody
    else has point here is none of them."""

    def __init__(
        self,
        open_shown: Open,
        hosts: Iterable[str],
        leave: Leave | None = None,
        steering: Steering | None = None,
    ) -> None:
        self._open = open_shown
        self._steering = steering
        self._leave = leave
        self._hosts = frozenset(hosts)
        self._sockets: set[web.WebSocketResponse] = set()

    def application(self) -> web.Application:
        """An application of its own, or one to mount in another: all its paths are relative."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guard(request, handler)

        app = web.Application(middlewares=[guard], client_max_size=MAX_WISH_BYTES)
        app.router.add_get("/", self._index)
        app.router.add_get("/ws", self._feed)
        if self._steering is not None:
            app.router.add_post("/world", self._steering.handle)
        app.router.add_static("/static/", STATIC)
        app.on_response_prepare.append(self._protect)
        app.on_shutdown.append(self._close_all)
        return app

    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse names and origins that are not ours."""
        host = urlsplit(f"//{request.host}").hostname or ""
        if host not in self._hosts:
            raise web.HTTPForbidden(text=f"no page for the name {host!r}\n")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            raise web.HTTPForbidden(text="this page does not talk to others\n")
        return await handler(request)

    async def _protect(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(SECURITY)
        vendored = "/static/vendor/" in request.path
        response.headers["Cache-Control"] = FOR_EVER if vendored else "no-cache"

    async def _index(self, _: web.Request) -> web.StreamResponse:
        return web.FileResponse(STATIC / "index.html")

    async def _feed(self, request: web.Request) -> web.StreamResponse:
        if "Origin" not in request.headers:
            raise web.HTTPForbidden(text="this is for the page\n")
        if len(self._sockets) >= MAX_PAGES:
            raise web.HTTPServiceUnavailable(text=f"{MAX_PAGES} pages are open\n")
        socket = web.WebSocketResponse(
            compress=False, max_msg_size=MAX_WISH_BYTES, heartbeat=HEARTBEAT_S
        )
        self._sockets.add(socket)
        page = Page(self._open())
        try:
            await socket.prepare(request)
            sending = asyncio.create_task(self._send(socket, page))
            try:
                await self._listen(socket, page)
            finally:
                sending.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                    await sending
        finally:
            self._sockets.discard(socket)
            if self._leave is not None:
                self._leave(page.account_id)
        return socket

    async def _send(self, socket: web.WebSocketResponse, page: Page) -> None:
        loop = asyncio.get_running_loop()
        before_s = loop.time()
        while not socket.closed:
            now_s = loop.time()
            if isinstance(page.shown, Player):
                page.shown.advance(now_s - before_s)
            before_s = now_s
            frame = page.next_frame()
            if frame is not None:
                await socket.send_str(frame)
            await asyncio.sleep(FRAME_S)

    async def _listen(self, socket: web.WebSocketResponse, page: Page) -> None:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                return
            try:
                before = page.account_id
                page.wish(msgspec.json.decode(message.data, type=Wish))
                if self._leave is not None and page.account_id != before:
                    self._leave(before)
            except (ValueError, RecursionError) as error:
                text = str(error)[:100].encode("ascii", "replace")
                await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=text)
                return

    async def _close_all(self, _: Any) -> None:
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the exchange stops")
