"""`seawall watch`: the running exchange on a terminal, live.

Order book of an instrument, the accounts nearest to liquidation, and the liquidation tape. A client
of the gateway like any other: market data and private events as they come, and three queries again
and again: what is listed, who is nearest, and how those stand now.
"""

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import msgspec

from engine.commands import MAX_ROWS, Command, QueryMarket, QueryRisk
from engine.events import CommandRejected
from engine.reasons import Reason
from gateway.client import Address, Client
from gateway.protocol import READ, Reply
from seawall.operating.client_arguments import address_of
from seawall.terminal.watch_frame import Status, View, frame
from seawall.terminal.watch_model import WatchModel
from seawall.terminal.watch_screen import (
    NEXT,
    PREVIOUS,
    QUIT,
    PlainScreen,
    TerminalScreen,
    open_screen,
)
from seawall.terminal.watch_units import printable

LEAST_REFRESH_MS: Final[int] = 50
MAX_ACCOUNTS: Final[int] = 200
STEP_S: Final[float] = 0.05
"""Longest wait before keys are looked at again."""

PATIENCE_S: Final[float] = 10.0
"""How long a single frame waits for the gateway."""

SILENT_S: Final[float] = 2.0
"""The gateway answers two pings a second; silence beyond this is shown."""

MARKET_S: Final[float] = 2.0
NEAREST_S: Final[float] = 10.0
SHARE: Final[int] = 100
"""Looking for the nearest accounts costs risk an evaluation of every account with a position; it is
asked for at most every `NEAREST_S`, and never for more than one part in `SHARE` of the time."""

FIGURES_S: Final[float] = 0.25

MARKET: Final[str] = "market"
NEAREST: Final[str] = "nearest"
FIGURES: Final[str] = "figures"


class Options(msgspec.Struct):
    """What the command line asks for; ``instrument`` is a symbol or an id, empty the first one."""

    address: Address
    instrument: str = ""
    refresh_s: float = 0.5
    accounts: int = 10


class Asked(msgspec.Struct):
    """A query under way."""

    number: int
    asked_s: float


class Watcher:
    """A client that keeps a model up to date, by default a `WatchModel` of its own."""

    def __init__(self, client: Client, options: Options, model: WatchModel | None = None) -> None:
        self.client = client
        self.model = WatchModel() if model is None else model
        self.instrument_id: int | None = None
        self._options = options
        self._asked: dict[str, Asked] = {}
        self._due_s: dict[str, float] = dict.fromkeys((MARKET, NEAREST, FIGURES), 0.0)
        self._answered: dict[str, bool] = {}
        self.missing = ""
        self._denied = ""
        self._lost = 0
        self._new_sessions = 0
        self._time_seen: tuple[int, float] = (0, 0.0)
        client.subscribe_system()

    def step(self, wait_s: float) -> None:
        """Hear what came, for at most ``wait_s``, and ask what is due."""
        for event in self.client.poll(wait_s):
            self.model.apply(event)
        self._hear_answers()
        self._notice_gaps()
        if self.client.connection.welcome is not None:
            self._ask()
        if self.model.time_ns != self._time_seen[0]:
            self._time_seen = (self.model.time_ns, time.monotonic())

    @property
    def synchronised(self) -> bool:
        """Whether everything a frame shows has been heard at least once."""
        if not (self._answered.get(MARKET) and self._answered.get(NEAREST)):
            return False
        return self.instrument_id is None or self.client.depth(self.instrument_id) is not None

    def view(self, hint: str = "", instrument_id: int | None = None) -> View:
        """What to draw now, of the instrument that is followed unless another one is named."""
        connection = self.client.connection
        shown = self.instrument_id if instrument_id is None else instrument_id
        book = None if shown is None else self.client.depth(shown)
        status = Status(
            self._options.address.commands,
            self._trouble(),
            connection.new_sessions,
            connection.lost_deliveries,
            connection.depth_gaps,
            self._denied,
        )
        return View(
            self.model,
            status,
            shown,
            book,
            self._now_ns(),
            self._options.accounts,
            self.missing,
            hint,
        )

    def move(self, by: int) -> None:
        """Show the next instrument, or the one before."""
        listed = sorted(self.model.instruments)
        if self.instrument_id in listed:
            self.follow(listed[(listed.index(self.instrument_id) + by) % len(listed)])

    def _now_ns(self) -> int:
        """The exchange's time: as last heard, and what has passed since."""
        heard_ns, heard_s = self._time_seen
        return heard_ns and heard_ns + int((time.monotonic() - heard_s) * 1e9)

    def _trouble(self) -> str:
        connection = self.client.connection
        if connection.welcome is None:
            refusal = connection.refusals[-1] if connection.refusals else ""
            return refusal or "no answer: no gateway there, or it does not know the key"
        silent_s = (time.monotonic_ns() - connection.last_heard_ns) / 1e9
        return f"gateway silent for {silent_s:.0f} s" if silent_s > SILENT_S else ""

    def _notice_gaps(self) -> None:
        """After a lost line or lost deliveries: say so on the tape, and ask for everything."""
        connection = self.client.connection
        lost = connection.lost_deliveries - self._lost
        back = connection.new_sessions - self._new_sessions
        self._lost, self._new_sessions = connection.lost_deliveries, connection.new_sessions
        if lost or back:
            what = "connected again" if back else "deliveries were lost"
            self.model.note(f"{what}: what happened meanwhile is missing here")
            self._due_s = dict.fromkeys(self._due_s, 0.0)

    # questions

    def _ask(self) -> None:
        now_s = time.monotonic()
        urgent = {MARKET: self.model.market_changed, FIGURES: self.model.has_news}
        for kind, due_s in self._due_s.items():
            if kind not in self._asked and (now_s >= due_s or urgent.get(kind)):
                query = self._query(kind)
                if query is not None:
                    self._asked[kind] = Asked(self.client.send([query])[0], now_s)

    def _query(self, kind: str) -> Command | None:
        if kind == MARKET:
            self.model.market_changed = False
            return QueryMarket(0)
        welcome = self.client.connection.welcome
        assert welcome is not None, "nothing is asked before the welcome"
        if kind == NEAREST:
            return QueryRisk(0, welcome.accounts[:MAX_ROWS], self._options.accounts * 2)
        traders = self.model.ask_about(self._options.accounts)
        return QueryRisk(0, traders, MAX_ROWS) if traders else None

    def _hear_answers(self) -> None:
        for kind, question in list(self._asked.items()):
            reply = self.client.take_reply(question.number)
            if reply is None:
                continue
            del self._asked[kind]
            now_s = time.monotonic()
            took_s = now_s - question.asked_s
            pause_s = {
                MARKET: MARKET_S,
                NEAREST: max(NEAREST_S, SHARE * took_s),
                FIGURES: max(FIGURES_S, self._options.refresh_s),
            }[kind]
            self._due_s[kind] = now_s + pause_s
            self._take(kind, reply)

    def _take(self, kind: str, reply: Reply) -> None:
        for event in reply.events:
            if not isinstance(event, CommandRejected):
                self.model.apply(event)
            elif event.reason == Reason.NOT_AUTHORISED:
                self._denied = f"this key lacks the right {READ!r}"
            else:
                return
        self._answered[kind] = True
        if kind == MARKET and self.instrument_id is None and self.model.instruments:
            self._choose()

    def _choose(self) -> None:
        """Follow the instrument the command line asks for, else the one with the lowest id.

        One that is not listed is waited for; `missing` says so.
        """
        listed = {key: row.spec.symbol for key, row in sorted(self.model.instruments.items())}
        wanted = self._options.instrument
        for key, symbol in listed.items():
            if wanted in ("", symbol, str(key)):
                self.missing = ""
                self.follow(key)
                return
        names = ", ".join(f"{printable(symbol)} ({key})" for key, symbol in listed.items())
        self.missing = f"--instrument {wanted}: not listed; listed are {names}"

    def follow(self, instrument_id: int) -> None:
        """Show an instrument from now on; those followed before are kept up to date, too."""
        self.instrument_id = instrument_id
        if self.client.depth(instrument_id) is None:
            self.client.subscribe(instrument_id)


def options_of(arguments: argparse.Namespace) -> Options:
    """Settings from the command line, over those of the services' file.

    Raises:
        ConfigError: the file cannot be used.
        ValueError: an argument is outside its range.
    """
    address = address_of(arguments)
    if arguments.refresh < LEAST_REFRESH_MS:
        raise ValueError(f"--refresh {arguments.refresh}: at least {LEAST_REFRESH_MS} (ms)")
    if not 1 <= arguments.accounts <= MAX_ACCOUNTS:
        raise ValueError(f"--accounts {arguments.accounts}: allowed are 1 to {MAX_ACCOUNTS}")
    return Options(address, arguments.instrument, arguments.refresh / 1000, arguments.accounts)


def watch(arguments: argparse.Namespace) -> int:
    """`seawall watch`; returns the exit status: 1 when a single frame got no answer.

    Raises:
        ValueError: an argument cannot be used, or a single frame is of an unlisted instrument.
    """
    options = options_of(arguments)
    client = Client(options.address)
    watcher = Watcher(client, options)
    try:
        if arguments.once:
            return _show_once(watcher)
        with _terminated_like_interrupted(), open_screen(sys.stdout, once=False) as screen:
            _show_live(watcher, screen, options.refresh_s)
    except KeyboardInterrupt:
        # The way to end it.
        pass
    finally:
        client.close()
    return 0


def _show_once(watcher: Watcher) -> int:
    limit_s = time.monotonic() + PATIENCE_S
    while not watcher.synchronised:
        if time.monotonic() > limit_s:
            trouble = watcher.view().status.trouble or "the gateway does not answer"
            print(f"seawall: {watcher.view().status.address}: {trouble}", file=sys.stderr)
            return 1
        watcher.step(STEP_S)
    if watcher.missing:
        raise ValueError(watcher.missing)
    screen = open_screen(sys.stdout, once=True)
    screen.show(frame(watcher.view(), width=screen.width))
    return 0


def _show_live(watcher: Watcher, screen: PlainScreen | TerminalScreen, refresh_s: float) -> None:
    while True:
        next_frame_s = time.monotonic() + refresh_s
        while (left_s := next_frame_s - time.monotonic()) > 0:
            watcher.step(min(left_s, STEP_S))
            for key in screen.pressed():
                if key == QUIT:
                    return
                if key in (NEXT, PREVIOUS):
                    watcher.move(1 if key == NEXT else -1)
                    next_frame_s = 0.0
        screen.show(frame(watcher.view(screen.hint), screen.height, screen.width))


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """A request to terminate leaves the terminal in order too."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
