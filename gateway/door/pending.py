"""Requests that were read and wait for a batch with room: sessions take turns.

A batch takes so much work and not so many messages: a question that looks at a thousand rows is as
much as some hundred orders. What a frame has beyond that waits here, and the next batch takes a
part of everybody's. So no session waits for the whole frame of another.
"""

from collections import deque
from typing import Any, Final

from engine.commands import QueryAccount, QueryMarket, QueryOrders, QueryRisk
from gateway.door.sessions import Session

MAX_PENDING: Final[int] = 50_000
"""Requests of one client that wait, at most; a frame beyond is not heard, and asked again by the
client later."""

FAIR_BATCH: Final[int] = 100
FAIR_IN_FLIGHT: Final[int] = 2
CONTENDED_NS: Final[int] = 100_000_000
"""While several sessions send commands, within this time of each other, a batch takes the work of
no more than `FAIR_BATCH` orders, and so many batches are under way."""

MOST_READ: Final[int] = 2_000
"""Requests that are read for one batch, at most, whether there is room for them or they wait."""

ROWS_PER_ORDER: Final[int] = 3
"""Rows a question looks at for the work of one order."""

QUESTIONS: Final[frozenset[type]] = frozenset((QueryAccount, QueryMarket, QueryOrders, QueryRisk))
ORDERS_OF_AN_ACCOUNT: Final[int] = 10
"""Rows taken for a question about one account: its positions and orders are not known here."""


def work_of(command: Any, accounts: int, instruments: int) -> int:
    """How much a command is, an order being 1; there are so many accounts and instruments to be
    looked at."""
    kind = type(command)
    if kind not in QUESTIONS:
        return 1
    if kind is QueryMarket:
        rows = instruments
    elif kind is QueryRisk:
        rows = len(command.account_ids) or accounts
    else:
        rows = ORDERS_OF_AN_ACCOUNT
    return 1 + rows // ROWS_PER_ORDER


class Frame:
    """The requests of one frame from the first that waits."""

    __slots__ = ("place", "requests", "run")

    def __init__(self, run: int, requests: list[tuple[int, Any]], place: int) -> None:
        self.run = run
        self.requests = requests
        self.place = place

    def next_part(self, room: int, accounts: int, instruments: int) -> tuple[list[Any], int]:
        """The next requests that are no more work than there is room for (one at least), and how
        much they are; they wait no more."""
        work = 0
        first = place = self.place
        while place < len(self.requests):
            more = work_of(self.requests[place][1], accounts, instruments)
            if work and work + more > room:
                break
            work += more
            place += 1
        self.place = place
        if not first and place == len(self.requests):
            return self.requests, work
        return self.requests[first:place], work

    @property
    def left(self) -> int:
        """How many wait."""
        return len(self.requests) - self.place


class Pending:
    """The frames that wait, by session; whose turn is next stands first."""

    def __init__(self) -> None:
        self._frames: dict[bytes, deque[Frame]] = {}
        self._sessions: dict[bytes, Session] = {}
        self._of_client: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def waits(self, session: Session) -> bool:
        """Whether something of a session waits: what it sends now comes behind it."""
        return session.address in self._frames

    def has_room(self, session: Session, requests: int) -> bool:
        """Whether so many requests of a session may wait."""
        return self._of_client.get(session.client, 0) + requests <= MAX_PENDING

    def add(self, session: Session, frame: Frame) -> None:
        """Let a frame wait behind the others of its session."""
        self._sessions[session.address] = session
        self._frames.setdefault(session.address, deque()).append(frame)
        self._of_client[session.client] = self._of_client.get(session.client, 0) + frame.left

    def take(self) -> tuple[Session, Frame]:
        """The frame whose turn it is; who takes it puts it back with `back` if some is left."""
        address = next(iter(self._frames))
        frames = self._frames[address]
        session = self._sessions[address]
        frame = frames.popleft()
        self._count(session, -frame.left)
        # Behind the others, so that each session has its turn.
        del self._frames[address]
        if frames:
            self._frames[address] = frames
        else:
            del self._sessions[address]
        return session, frame

    def back(self, session: Session, frame: Frame) -> None:
        """Some of a frame still waits, before the later ones of its session."""
        self._sessions[session.address] = session
        self._frames.setdefault(session.address, deque()).appendleft(frame)
        self._count(session, frame.left)

    def drop(self, session: Session) -> None:
        """A session is over: what it sent was not taken, and is asked again by the client."""
        for frame in self._frames.pop(session.address, ()):
            self._count(session, -frame.left)
        self._sessions.pop(session.address, None)

    def _count(self, session: Session, change: int) -> None:
        left = self._of_client.get(session.client, 0) + change
        if left:
            self._of_client[session.client] = left
        else:
            self._of_client.pop(session.client, None)
