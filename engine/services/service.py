"""One host for any component: sockets, journal, snapshots and recovery around a `Part`.

Transport: every service binds one PULL socket, its inbox, and connects one PUSH socket to the inbox
of each peer; all frames carry their sender, their number and an acknowledgement
(`engine.connections.link`). PUSH and PULL need no request to answer, so a frame costs one message,
and the numbers, not the socket, decide what was lost.

One turn of the loop: drain what is there; journal what came from outside; handle; send; journal
what came over links. Outside input is on disk before it is acted on, because it cannot be sent
again. Link input is journaled afterwards, in groups, and acknowledged only then: until that
moment its sender keeps it. After a restart the service takes its last snapshot, handles the inputs
behind it again (which makes the same frames with the same numbers) and asks its peers to go on.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import zmq

from engine.connections.link import GAP, NEW, Link, NotAFrame
from engine.connections.link_guard import Guard
from engine.connections.link_header import Header, NoMessage, message_of, parts_of
from engine.connections.link_keys import LinkKeys
from engine.connections.link_seal import Seal
from engine.record.chained_log import RESTORE
from engine.record.journal import JournalError
from engine.record.service_journal import OUTSIDE, Input, JournalDamaged, ServiceJournal
from engine.record.snapshot import pack, unpack
from engine.services.complaints import Complaints
from engine.services.part import Door, Part, PartFailed
from engine.services.rounds import Outputs, Unhandled

MAX_FRAMES_PER_TURN: Final[int] = 64
JOURNAL_GROUP: Final[int] = 32
"""Link inputs per transaction, at most; well below `WINDOW`, so that no sender waits for it."""

WINDOW: Final[int] = 128
"""Frames to one peer without an acknowledgement; beyond, nothing more is taken from outside."""

IDLE_MS: Final[int] = 20
RESEND_AFTER_NS: Final[int] = 500_000_000
ASK_AGAIN_NS: Final[int] = 20_000_000
SNAPSHOT_EVERY: Final[int] = 20_000
SNAPSHOT_BYTES: Final[int] = 2_097_152
"""Inputs and bytes of inputs between two snapshots. A restart handles again what lies behind the
last one: the number bounds the frames of that, the bytes the commands in them."""

SOCKET_QUEUE: Final[int] = 1_000
MAX_FRAME_BYTES: Final[int] = 134_217_728
"""Largest frame of a link; a longer message ends the connection it comes on."""

ANSWER_RESEND_NS: Final[int] = 10_000_000
"""A peer that asks for everything again is heard so often, at most."""


_POLLIN: Final[int] = int(zmq.POLLIN)


class Service:
    """Runs a part. ``addresses`` are the inboxes of this service and of its peers, by name;
    ``complain`` is called with what the operator should know; with ``link_keys`` links are
    encrypted. ``seals`` has the seal of the link with each peer;
    ``beat`` is called once a turn."""

    def __init__(
        self,
        name: str,
        part: Part,
        journal: ServiceJournal,
        addresses: dict[str, str],
        peers: Sequence[str],
        *,
        clock: Callable[[], int],
        door: Door | None = None,
        complain: Callable[[str], object] = str,
        link_keys: LinkKeys | None = None,
        seals: Mapping[str, Seal] | None = None,
        beat: Callable[[], object] = bool,
        snapshot_every: int = SNAPSHOT_EVERY,
        snapshot_bytes: int = SNAPSHOT_BYTES,
        window: int = WINDOW,
    ) -> None:
        self.name = name
        self.part = part
        self.journal = journal
        self.links = {peer: Link(peer) for peer in peers}
        self.stopping = False
        self.replayed = 0
        self.dropped = 0
        self._clock = clock
        self._door = door
        self._complaints = Complaints(complain, clock)
        self._seals = dict(seals or {})
        self._beat = beat
        self._link_keys = link_keys
        self._guard: Guard | None = None
        self._snapshot_every = snapshot_every
        self._snapshot_bytes = snapshot_bytes
        self._bytes = 0
        self._window = window
        self._snapshot_place = 0
        self._addresses = addresses
        self._pending: list[Input] = []
        self._heard_ns = dict.fromkeys(peers, 0)
        self._asked_ns = dict.fromkeys(peers, 0)
        self._repeated_ns = dict.fromkeys(peers, 0)
        self._context = zmq.Context()
        # Doors ask for the keys of clients, links for those of services: one asks per context.
        self._door_context = zmq.Context()
        self._poller = zmq.Poller()
        self._door_poller = zmq.Poller()
        self._door_sockets: list[zmq.Socket[bytes]] = []
        self._inbox: zmq.Socket[bytes] | None = None
        self._outboxes: dict[str, zmq.Socket[bytes]] = {}

    # life

    def recover(self) -> None:
        """Take the last snapshot and handle the inputs behind it again.

        Raises:
            JournalDamaged: the journal is not what was written.
            PartFailed: an input cannot be handled.
        """
        for note in self.journal.notes:
            self._complaints.add(note, f"{self.name}: {note}")
        found = self.journal.last_snapshot()
        place = 0
        if found is not None:
            place, data = found
            links, state = unpack(data)
            self.part.restore(state)
            for row in links:
                self.links[row[0]].restore(row)
        self._snapshot_place = place
        out: Outputs = []
        for source, seq, body in self.journal.inputs(place):
            if source != OUTSIDE:
                link = self.links[source]
                link.received = link.safe = seq
                link.took(body)
            place += 1
            self._bytes += len(body)
            try:
                self._handle(source, place, body, out)
            except NotAFrame as error:
                text = f"input {place} is no frame from {source}: {error}"
                raise JournalError(f"{self.journal.path}: {text}") from None
            self._put(out, deliver=False)
            self.replayed += 1
        for link in self.links.values():
            link.recovered()

    def open(self) -> None:
        """Bind the inbox, connect to the peers and greet them; without peers there is no inbox."""
        if self.links:
            self._open_links()
        if self._door is not None:
            self._door_sockets = list(self._door.bind(self._door_context))
            for door_socket in self._door_sockets:
                self._door_poller.register(door_socket, zmq.POLLIN)

    def _open_links(self) -> None:
        if self._link_keys is not None:
            self._guard = Guard(self._context, self._link_keys)
        inbox: zmq.Socket[bytes] = self._context.socket(zmq.PULL)
        inbox.setsockopt(zmq.RCVHWM, SOCKET_QUEUE)
        inbox.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        inbox.setsockopt(zmq.LINGER, 0)
        if self._guard is not None:
            self._guard.protect_inbox(inbox)
        inbox.bind(self._addresses[self.name])
        self._inbox = inbox
        for poller in (self._poller, self._door_poller):
            poller.register(inbox, zmq.POLLIN)
        for peer in self.links:
            socket: zmq.Socket[bytes] = self._context.socket(zmq.PUSH)
            socket.setsockopt(zmq.SNDHWM, SOCKET_QUEUE)
            socket.setsockopt(zmq.LINGER, 0)
            if self._guard is not None:
                self._guard.protect_outbox(socket)
            socket.connect(self._addresses[peer])
            self._outboxes[peer] = socket
            self._tell(self.links[peer], resend=True)

    @property
    def ready(self) -> bool:
        """Whether every peer was heard of."""
        return all(link.met for link in self.links.values())

    def queue_depths(self) -> dict[str, int]:
        """What waits: frames a peer has not acknowledged, inputs not yet in the journal."""
        depths = {f"outbox_{peer}": len(link.outbox) for peer, link in self.links.items()}
        depths["journal"] = len(self._pending)
        return depths

    def behind(self) -> tuple[int, int]:
        """Journaled inputs since the last snapshot and their bytes (those of inputs still to be
        journaled too): what a restart handles again."""
        return self.journal.place - self._snapshot_place, self._bytes

    def run(self, on_ready: Callable[[], None]) -> None:
        """Turn until `stopping`; then journal and snapshot. ``on_ready`` is called once."""
        told = False
        while not self.stopping:
            self.turn(IDLE_MS)
            if not told and self.ready:
                told = True
                on_ready()
        self.close()

    def close(self) -> None:
        """Journal what is pending, keep a snapshot, let go of everything."""
        self._commit()
        self._snapshot()
        self.abandon()

    def abandon(self) -> None:
        """Let go of everything; what is not in the journal is lost."""
        self.journal.close()
        if self._guard is not None:
            self._guard.close()
        self._door_context.destroy(linger=0)
        self._context.destroy(linger=0)

    # one turn

    def turn(self, wait_ms: int) -> None:
        """Wait for something, then handle what is there.

        Raises:
            JournalError: the disk refuses.
            JournalDamaged: a neighbour's journal and this one do not fit.
            PartFailed: an input cannot be handled.
        """
        self._beat()
        room = self._has_room()
        poller = self._door_poller if room else self._poller
        more = room and self._door is not None and self._door.has_more
        ready = [socket for socket, _ in poller.poll(0 if more else wait_ms)]
        idle = not ready and not more
        out: Outputs = []
        if self._door is not None and room and (idle or more or self._knocked(ready)):
            self._handle_outside(self._door.collect(), out)
            self._flush_all()
        if self._inbox is not None and self._inbox in ready:
            self._read_inbox(self._inbox, out)
        self._flush_all()
        if idle or len(self._pending) >= JOURNAL_GROUP:
            self._commit()
        for link in self.links.values():
            if link.safe - link.told >= JOURNAL_GROUP or (link.proof_due and link.met):
                self._tell(link, resend=False)
        if idle:
            self._remind()
        inputs, size = self.behind()
        if inputs >= self._snapshot_every or size >= self._snapshot_bytes:
            self._commit()
            self._snapshot()
        if self._door is not None:
            self._door.idle()

    def _read_inbox(self, inbox: "zmq.Socket[bytes]", out: Outputs) -> None:
        """Handle what peers sent, a turn's share of it at most."""
        for _ in range(MAX_FRAMES_PER_TURN):
            # A part more than that, if anybody should send one, is no message of a service.
            self._receive(inbox.recv(), out)
            # At once: while this service handles the next frame, a peer can work on these.
            self._flush_all()
            # Asking is ten times cheaper than an exception when nothing is there.
            if not int(inbox.get(zmq.EVENTS)) & _POLLIN:
                break

    def _knocked(self, ready: list[Any]) -> bool:
        """Whether the door has something; one without sockets is always asked."""
        return not self._door_sockets or any(socket in ready for socket in self._door_sockets)

    def _has_room(self) -> bool:
        if self._door is None or not self._door.is_open:
            return False
        return all(len(link.outbox) < self._window for link in self.links.values())

    def _handle_outside(self, bodies: list[bytes], out: Outputs) -> None:
        if not bodies:
            return
        rows = [Input(OUTSIDE, 0, body) for body in bodies]
        # Inputs are journaled in the order they were handled, so what is pending goes first.
        self.journal.append([*self._pending, *rows])
        self._journaled()
        first = self.journal.place - len(bodies) + 1
        for place, body in enumerate(bodies, start=first):
            self._bytes += len(body)
            self._handle(OUTSIDE, place, body, out)
            self._put(out, deliver=True)

    def _receive(self, message: bytes, out: Outputs) -> None:
        try:
            header, body = parts_of(message)
            link = self.links[header.sender]
        except (NoMessage, KeyError):
            self._drop("is not from a peer")
            return
        if not self._seals[link.peer].fits(message):
            # Cut on its way, or from a sender without the key of this link.
            self._drop(f"says that it is from {link.peer}, but does not carry the key of that link")
            return
        if not link.acknowledge(header.ack):
            text = f"{link.peer} acknowledges frame {header.ack}, but at most "
            text += f"{max(link.sent, link.reach)} can have been sent; nothing of it is believed"
            if not link.met:
                raise self._lost(f"ends before frame {header.ack} that {link.peer} has of it")
            self._complaints.add("ack", f"{self.name}: {text}")
            self.dropped += 1
            return
        link.met = True
        now_ns = self._heard_ns[link.peer] = self._clock()
        if header.resend and now_ns - self._repeated_ns[link.peer] > ANSWER_RESEND_NS:
            self._repeated_ns[link.peer] = now_ns
            link.send_again()
            self._tell(link, resend=False)
        if not header.seq:
            if fault := link.fault(body):
                raise self._lost(fault)
            return
        verdict = link.accept(header.seq)
        if verdict == GAP and self._clock() - self._asked_ns[link.peer] > ASK_AGAIN_NS:
            self._tell(link, resend=True)
        if verdict != NEW:
            return
        place = self.journal.place + len(self._pending) + 1
        try:
            self._handle(link.peer, place, body, out)
        except NotAFrame as error:
            link.refuse()
            self.dropped += 1
            text = f"frame {header.seq} from {link.peer} is not taken: {error}"
            self._complaints.add("frame", f"{self.name}: {text}; waiting for another")
            return
        link.took(body)
        self._put(out, deliver=True)
        self._pending.append(Input(link.peer, header.seq, body))
        self._bytes += len(body)

    def _lost(self, what: str) -> JournalDamaged:
        """The error that says that this journal and a neighbour's do not fit."""
        why = "a journal lost rows, or is from another backup"
        return JournalDamaged(f"{self.journal.path}: {what}: {why}; {RESTORE}")

    def _drop(self, what: str) -> None:
        """A message at the inbox that changes nothing: an inbox may hear anything."""
        self.dropped += 1
        self._complaints.add(what, f"{self.name}: a message at the inbox {what}; dropped")

    def _handle(self, source: str, place: int, body: bytes, out: Outputs) -> None:
        try:
            self.part.handle(source, body, out)
        except NotAFrame:
            raise
        except Exception as error:
            text = f"{self.name}: input {place} (from {source}): {error}"
            batch = error.batch if isinstance(error, Unhandled) else 0
            raise PartFailed(text, error, batch or place) from error

    def _put(self, out: Outputs, deliver: bool) -> None:
        for receiver, body in out:
            if receiver != OUTSIDE:
                if len(body) > MAX_FRAME_BYTES:
                    text = f"{self.name}: a frame for {receiver} has {len(body)} bytes"
                    long = ValueError(f"{text}; allowed: {MAX_FRAME_BYTES}")
                    raise PartFailed(str(long), long, self.journal.place)
                self.links[receiver].put(body)
            elif deliver and self._door is not None:
                self._door.deliver(body)
        out.clear()

    # sending

    def _flush_all(self) -> None:
        for link in self.links.values():
            if link.unsent:
                self._flush(link)

    def _flush(self, link: Link) -> None:
        """Send what is new to a peer that is there."""
        if not link.met:
            return
        socket = self._outboxes[link.peer]
        seal = self._seals[link.peer]
        for seq, body in link.unsent_frames():
            try:
                header = Header(self.name, seq, link.safe)
                socket.send(message_of(seal, header, body), zmq.NOBLOCK)
            except zmq.Again:
                return
            link.unsent -= 1
            link.told = link.safe

    def _tell(self, link: Link, resend: bool) -> None:
        """Say what is safe here; with ``resend`` ask for everything behind it."""
        header = Header(self.name, 0, link.safe, resend)
        message = message_of(self._seals[link.peer], header, link.proof())
        try:
            self._outboxes[link.peer].send(message, zmq.NOBLOCK)
        except zmq.Again:
            return
        link.proof_due = False
        link.told = link.safe
        if resend:
            self._asked_ns[link.peer] = self._clock()

    def _remind(self) -> None:
        """Nothing happens: acknowledge, greet who was not heard of, send again what got lost."""
        now_ns = self._clock()
        for link in self.links.values():
            if not link.met:
                self._tell(link, resend=True)
            elif link.told < link.safe:
                self._tell(link, resend=False)
            if link.outbox and now_ns - self._heard_ns[link.peer] > RESEND_AFTER_NS:
                self._heard_ns[link.peer] = now_ns
                link.send_again()

    # the journal

    def _commit(self) -> None:
        if self._pending:
            self.journal.append(self._pending)
            self._journaled()

    def _journaled(self) -> None:
        self._pending.clear()
        for link in self.links.values():
            link.safe = link.received

    def _snapshot(self) -> None:
        links = [self.links[peer].state() for peer in sorted(self.links)]
        self.journal.snapshot(pack([links, self.part.state()]))
        self._snapshot_place = self.journal.place
        self._bytes = 0
