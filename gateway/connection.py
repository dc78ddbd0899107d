"""The client's side of the protocol without its sockets: what to send, what was answered.

Requests are numbered on from the highest number the gateway knows. What is not answered in time is
sent again with its number, after a new greeting; the gateway carries it out once and answers as
often as it is asked. So nothing is lost or doubled when either side or the line dies.
"""

from collections import deque
from typing import Final

import msgspec

from engine.commands import Command
from engine.events import BookLevel, Event
from engine.messages import decode_command
from engine.messages import encode as encode_command
from engine.native_message import from_wire, ready_for_wire
from gateway.account_feed import AccountFeed
from gateway.protocol import (
    SEQUENCE_TOPIC,
    AccountEvents,
    Delivery,
    Depth,
    DepthRequest,
    EventsRequest,
    Hello,
    Ping,
    Pong,
    Refused,
    Replies,
    Reply,
    Submit,
    Welcome,
    decode_events,
    decode_from_client,
    decode_from_server,
    decode_sequence,
    encode,
)
from matching.market_data import DepthBook, DepthSnapshot, SequenceGap

ASK_AGAIN_NS: Final[int] = 1_000_000_000
MAX_KEPT_FRAMES: Final[int] = 1_000
"""Frames kept while the socket takes none; requests beyond are sent again when it is late."""

MAX_REQUESTS_PER_FRAME: Final[int] = 500
"""Requests that are asked again in a frame: the gateway closes a line with too long a one."""

GREET_AGAIN_NS: Final[int] = 100_000_000
PING_NS: Final[int] = 500_000_000


class Address(msgspec.Struct, frozen=True):
    """Where the gateway is and who the client is; keys in Z85, empty without encryption."""

    commands: str = "tcp://127.0.0.1:7400"
    market_data: str = "tcp://127.0.0.1:7401"
    server_public: str = ""
    public: str = ""
    secret: str = ""


def _frame_of(submit: Submit, commands: list[Command]) -> bytes:
    """The frame of some requests.

    Raises:
        ValueError: the gateway could not read one; it is named, with the field and what is allowed.
    """
    try:
        frame = encode(submit)
        decode_from_client(frame)
    except (ValueError, TypeError, OverflowError, NotImplementedError):
        for command in commands:
            try:
                decode_command(encode_command(command))
            except (ValueError, TypeError, OverflowError, NotImplementedError) as error:
                raise ValueError(f"{command!r:.300}: {error}") from None
        raise
    return frame


class Connection:
    """One session; ``run`` names its request numbers, ``accounts`` whose events it wants (None:
    those of all).

    `welcome` is None until the gateway answered the greeting.
    `reconnects` counts the greetings after the first, `lost_deliveries` the gaps in what the
    gateway sent, `new_sessions` how often the gateway had forgotten the session: after each of them
    `feed` asks for the events of the accounts that were missed, so each comes once (`feed.lost`
    counts those that were too old to be had).
    `depth_gaps` counts the gaps in the depth, after which it is asked for anew; what was published
    before the subscription reached the gateway is none. `last_heard_ns` is
    when the gateway was last heard of on the line of the commands, 0 for never. `refusals` are
    texts of messages the gateway did not take.
    """

    def __init__(
        self, run: int, cancel_after_ms: int = 0, accounts: list[int] | None = None
    ) -> None:
        self.welcome: Welcome | None = None
        self.reconnects = 0
        self.lost_deliveries = 0
        self.new_sessions = 0
        self.depth_gaps = 0
        self.last_heard_ns = 0
        self.refusals: deque[str] = deque(maxlen=100)
        self.events: deque[Event] = deque()
        self.feed = AccountFeed()
        self.account_events: dict[tuple[int, int], AccountEvents] = {}
        self._asked_events: set[tuple[int, int]] = set()
        self.replies: dict[int, Reply] = {}
        self.depth: dict[int, DepthBook] = {}
        self._hello = Hello(run=run, cancel_after_ms=cancel_after_ms, accounts=accounts)
        self._run = run
        self._pending: dict[int, Command] = {}
        self._early: dict[int, list[BookLevel]] = {}
        self._subscribed: set[int] = set()
        self._next_request = 1
        self._outgoing: list[bytes] = [encode(self._hello)]
        self._asked_ns = 0
        self._asked_depth_ns = 0
        self._missed = False
        self._heard_ns = 0
        self._pinged_ns = 0
        self._deliveries = 0

    def request(self, commands: list[Command]) -> list[int]:
        """Put commands in line; returns their request numbers.

        Raises:
            RuntimeError: before the welcome it is not known which numbers are free.
            ValueError: one is no command, or has a field of the wrong type; none was put in line.
        """
        return self.ask(self._next_request, commands)

    def ask(self, first: int, commands: list[Command]) -> list[int]:
        """The same with numbers from ``first`` on: for a program that keeps its run over restarts,
        and asks again what it may have asked before.

        Raises:
            RuntimeError: before the welcome it is not known which numbers are free.
            ValueError: as `request`.
        """
        if self.welcome is None:
            raise RuntimeError("not connected yet: use the client in a with block, or connect()")
        numbered = list(enumerate(ready_for_wire(commands), start=first))
        # All are made before one is put in line: nothing of them is sent when one is wrong.
        frames: list[bytes] = []
        for place in range(0, len(commands), MAX_REQUESTS_PER_FRAME):
            end = place + MAX_REQUESTS_PER_FRAME
            frames.append(_frame_of(Submit(self._run, numbered[place:end]), commands[place:end]))
        self._next_request = max(self._next_request, first + len(commands))
        self._pending.update(numbered)
        self._outgoing += frames
        return [number for number, _ in numbered]

    def listen_to(self, accounts: list[int]) -> None:
        """Take the events of these accounts from now on, and learn how far those new among them
        are."""
        self._hello = msgspec.structs.replace(self._hello, accounts=accounts)
        self.feed.follow([one for one in accounts if one not in self.feed.numbers])
        self._outgoing.append(encode(self._hello))

    def no_welcome(self, timeout_s: float) -> str:
        """What to say when the gateway did not greet back."""
        refusal = f": {self.refusals[-1]}" if self.refusals else ""
        return f"no welcome within {timeout_s} s{refusal}"

    def hears(self, instrument_id: int) -> bool:
        """Whether market data of a followed instrument has come: what is published before the
        subscription reached the gateway does not."""
        return instrument_id in self._subscribed

    def watch_depth(self, instrument_id: int) -> None:
        """Ask for the depth of an instrument; `depth` has it once it came.

        Updates that come before the snapshot are kept: the two travel on different sockets.
        """
        self._early.setdefault(instrument_id, [])
        self._asked_depth_ns = 0
        self._outgoing.append(encode(DepthRequest(instrument_id)))

    def outgoing(self, now_ns: int) -> list[bytes]:
        """Frames to send now."""
        if not self._asked_ns:
            self._asked_ns = now_ns
        if self._is_late(now_ns) and (self._pending or self.welcome is None):
            self._say_again(now_ns)
        elif self._early:
            self._ask_depth_again(now_ns)
        if self.welcome is not None:
            self._outgoing += map(encode, self.feed.requests(now_ns))
        if now_ns - self._pinged_ns > PING_NS:
            self._pinged_ns = now_ns
            self._outgoing.append(encode(Ping()))
        frames, self._outgoing = self._outgoing, []
        return frames

    def not_sent(self, frames: list[bytes]) -> None:
        """The socket took no more: these come first the next time."""
        self._outgoing[:0] = frames[:MAX_KEPT_FRAMES]

    def _is_late(self, now_ns: int) -> bool:
        """Whether answers should have come by now: at once when one is known to be lost, but not
        so often that asking again makes a slow reader lose the next ones."""
        if self._missed:
            return now_ns - self._asked_ns > GREET_AGAIN_NS
        return now_ns - max(self._asked_ns, self._heard_ns) > ASK_AGAIN_NS

    def _say_again(self, now_ns: int) -> None:
        self._asked_ns = now_ns
        self._missed = False
        self._outgoing.append(encode(self._hello))
        waiting = list(self._pending.items())
        for place in range(0, len(waiting), MAX_REQUESTS_PER_FRAME):
            part = waiting[place : place + MAX_REQUESTS_PER_FRAME]
            self._outgoing.append(encode(Submit(self._run, part)))
        for instrument_id in sorted([*self.depth, *self._early]):
            self.watch_depth(instrument_id)

    def _ask_depth_again(self, now_ns: int) -> None:
        """Whether or not anything else is heard: no number tells that this answer was dropped."""
        if not self._asked_depth_ns:
            self._asked_depth_ns = now_ns
        elif now_ns - self._asked_depth_ns > ASK_AGAIN_NS:
            for instrument_id in sorted(self._early):
                self.watch_depth(instrument_id)

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take a frame from the gateway.

        Raises:
            ValueError: it is no message.
        """
        message = decode_from_server(data)
        self.last_heard_ns = self._heard_ns = now_ns
        if isinstance(message, Delivery):
            if message.number > self._deliveries + 1:
                self.lost_deliveries += 1
                self._missed = True
                self.feed.catch_up()
            elif message.number <= self._deliveries:
                self.new_sessions += 1
            self._deliveries = message.number
            for replies in message.replies:
                self._take_replies(replies)
            happened = [event for events in message.events for event in from_wire(events)]
            self.events.extend(self.feed.take(happened, message.numbers))
        elif isinstance(message, AccountEvents):
            self._take_account_events(message)
        elif isinstance(message, Welcome):
            if self.welcome is None:
                self._next_request = message.last_request + 1
                wanted = self._hello.accounts
                self.feed.follow(message.accounts if wanted is None else wanted)
            else:
                self.reconnects += 1
                self.feed.catch_up()
            self.welcome = message
        elif isinstance(message, Pong):
            if not message.welcomed and now_ns - self._asked_ns > GREET_AGAIN_NS:
                self.new_sessions += self._deliveries > 0
                self._deliveries = 0
                self._say_again(now_ns)
        elif isinstance(message, Depth):
            self._take_snapshot(message.snapshot)
        elif isinstance(message, Refused):
            self.refusals.append(message.text)

    def ask_events(self, account_id: int, after: int) -> None:
        """Ask for the events of an account behind a number; `account_events` has them once they
        came."""
        self._asked_events.add((account_id, after))
        self._outgoing.append(encode(EventsRequest(account_id, after)))

    def _take_account_events(self, message: AccountEvents) -> None:
        events = from_wire(message.events)
        asked = (message.account_id, message.after)
        if asked in self._asked_events:
            self._asked_events.discard(asked)
            self.account_events[asked] = AccountEvents(
                message.account_id, message.after, message.first, message.last, events
            )
        self.events.extend(self.feed.recovered(message, events))

    def _take_replies(self, replies: Replies) -> None:
        pending, found = self._pending, self.replies
        rows = zip(replies.request_ids, replies.order_ids, replies.answers, strict=True)
        for request_id, order_id, events in rows:
            if pending.pop(request_id, None) is not None:
                found[request_id] = Reply(request_id, order_id, from_wire(events))

    def receive_market_data(self, topic: bytes, data: bytes) -> list[Event]:
        """Take a market data message; depth that is watched is kept up to date.

        After a gap the depth is asked for again and missing from `depth` until it comes.
        """
        if topic.startswith(SEQUENCE_TOPIC):
            last = decode_sequence(data)
            book = self.depth.get(last.instrument_id)
            if book is not None and book.sequence < last.sequence:
                self._missed_updates(last.instrument_id)
            self._subscribed.add(last.instrument_id)
            return []
        events = decode_events(data)
        for event in events:
            if type(event) is BookLevel:
                early = self._early.get(event.instrument_id)
                if early is None:
                    self._update(event)
                else:
                    early.append(event)
                self._subscribed.add(event.instrument_id)
        return events

    def _take_snapshot(self, snapshot: DepthSnapshot) -> None:
        self.depth[snapshot.instrument_id] = DepthBook(snapshot)
        for update in self._early.pop(snapshot.instrument_id, []):
            self._update(update)

    def _update(self, update: BookLevel) -> None:
        book = self.depth.get(update.instrument_id)
        if book is None or update.sequence <= book.sequence:
            return
        try:
            book.apply(update)
        except SequenceGap:
            self._missed_updates(update.instrument_id)

    def _missed_updates(self, instrument_id: int) -> None:
        """Ask for the depth again; a gap before the first word of the instrument is no loss."""
        self.depth_gaps += instrument_id in self._subscribed
        del self.depth[instrument_id]
        self.watch_depth(instrument_id)
