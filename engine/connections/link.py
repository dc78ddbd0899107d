"""One numbered, acknowledged link between two services.

Frames are numbered from 1 in each direction. The receiver takes them in order, each once, and
acknowledges what it has journaled; the sender keeps a frame until then. What a dead receiver had
taken but not journaled is therefore sent again, and what a dead sender had sent is made again, with
the same numbers, by replaying its journal.
"""

from collections import deque
from struct import Struct
from typing import Any, Final

import msgspec

from engine.record.chained_log import FIRST_CHAIN, chained

NEW: Final[int] = 0
DUPLICATE: Final[int] = 1
GAP: Final[int] = 2


AHEAD: Final[int] = 4_096
"""Frames a service can have sent in its last life for inputs that were not journaled yet, at most:
so many more than it remembers may be acknowledged. A turn's inputs times what one of them causes
is far less."""

RECENT: Final[int] = 1_024
"""Frames received last whose chains are known: enough for every proof that is not an old one."""

_PROOF: Final = Struct("<Q16s")

_MALFORMED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class NotAFrame(ValueError):
    """These bytes are not what the link carries: they were cut, or are not from the peer.

    Nothing was changed when it is raised, so the frame may come again.
    """


def read_frame(decoder: "msgspec.msgpack.Decoder[Any]", body: bytes) -> Any:
    """The frame in these bytes.

    Raises:
        NotAFrame: there is none.
    """
    try:
        return decoder.decode(body)
    except _MALFORMED as error:
        raise NotAFrame(str(error)) from None


class Link:
    """Both directions between this service and ``peer``.

    Each direction has a chain of hashes over its frames, which sender and receiver work out for
    themselves: `proof` is the sender's, `fault` holds it against the receiver's.

    `outbox` ends with frame `sent`; `peer_has` is the last frame the peer acknowledged. `received`
    is the last frame handled here, `safe` the last one journaled, `told` the last acknowledgement
    sent. `met` is false until the peer was heard of since the start: before that it is
    unknown what it still needs. `reach` is the highest frame that can have been sent in the life
    before.
    """

    __slots__ = (
        "_acked_chain",
        "_chains",
        "_received_chain",
        "_recent",
        "_sent_chain",
        "met",
        "outbox",
        "peer",
        "peer_has",
        "proof_due",
        "reach",
        "received",
        "safe",
        "sent",
        "told",
        "unsent",
    )

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.sent = 0
        self.peer_has = 0
        self.outbox: deque[bytes] = deque()
        self.unsent = 0
        self.received = 0
        self.safe = 0
        self.told = 0
        self.met = False
        self.reach = AHEAD
        self.proof_due = False
        self._sent_chain = FIRST_CHAIN
        self._acked_chain = FIRST_CHAIN
        self._chains: deque[bytes] = deque()
        self._received_chain = FIRST_CHAIN
        self._recent: dict[int, bytes] = {}

    def put(self, body: bytes) -> None:
        """Number a frame and keep it until it is acknowledged.

        A frame that is made again after a restart may have arrived in the life before.
        """
        self.sent += 1
        self._sent_chain = chained(self._sent_chain, body)
        if self.sent > self.peer_has:
            self.outbox.append(body)
            self._chains.append(self._sent_chain)
            self.unsent += 1
        elif self.sent == self.peer_has:
            # What the life before had sent last is made again: is it the same?
            self._acked_chain = self._sent_chain
            self.proof_due = True

    def unsent_frames(self) -> list[tuple[int, bytes]]:
        """The frames still to be sent, oldest first."""
        if not self.unsent:
            return []
        first = len(self.outbox) - self.unsent
        number = self.sent - self.unsent + 1
        if not first:
            return list(enumerate(self.outbox, start=number))
        return [(number + index, self.outbox[first + index]) for index in range(self.unsent)]

    def send_again(self) -> None:
        """Everything not acknowledged has to be sent once more."""
        self.unsent = len(self.outbox)

    def acknowledge(self, seq: int) -> bool:
        """The peer keeps everything up to ``seq``; older news is ignored. False, and nothing is
        changed, when so many frames were never sent."""
        if seq > self.sent and seq > self.reach:
            return False
        if seq > self.peer_has:
            self.peer_has = seq
            outbox = self.outbox
            while outbox and self.sent - len(outbox) < seq:
                outbox.popleft()
                self._acked_chain = self._chains.popleft()
            self.unsent = min(self.unsent, len(outbox))
        return True

    def proof(self) -> bytes:
        """The last frame the peer acknowledged and the chain up to it; empty when that frame is
        not made again yet."""
        if self.peer_has > self.sent:
            return b""
        return _PROOF.pack(self.peer_has, self._acked_chain)

    def took(self, body: bytes) -> None:
        """The frame accepted last was handled."""
        self._received_chain = chained(self._received_chain, body)
        recent = self._recent
        recent[self.received] = self._received_chain
        if len(recent) > RECENT:
            del recent[next(iter(recent))]

    def fault(self, proof: bytes) -> str:
        """What is wrong here or with the peer, given its proof; nothing if all is well.

        A proof that comes late or twice says what was true of an earlier frame and still is.
        """
        if len(proof) != _PROOF.size:
            return ""
        seq, chain = _PROOF.unpack(proof)
        if seq > self.received:
            return f"ends at frame {self.received} of {self.peer}, but frame {seq} was acknowledged"
        known = self._recent.get(seq, chain)
        if known != chain:
            return f"has another frame {seq} of {self.peer} than the one that was sent"
        return ""

    def recovered(self) -> None:
        """The journal was handled again: what the life before sent beyond it is not known."""
        self.reach = self.sent + AHEAD

    def accept(self, seq: int) -> int:
        """Whether frame ``seq`` is the next one (`NEW`), an old one or one too early."""
        if seq == self.received + 1:
            self.received = seq
            return NEW
        return DUPLICATE if seq <= self.received else GAP

    def refuse(self) -> None:
        """The frame accepted last is not one: it has to come again."""
        self.received -= 1

    def state(self) -> list[Any]:
        """What a snapshot keeps: the counters, the frames not acknowledged, and the chains before
        these and up to the last one received."""
        before = self._acked_chain if self.outbox else self._sent_chain
        return [
            *(self.peer, self.sent, self.received, list(self.outbox)),
            *(before, self._received_chain),
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        _, self.sent, self.received, outbox, before, self._received_chain = state
        self._recent = {self.received: self._received_chain}
        self._acked_chain = self._sent_chain = before
        self._chains.clear()
        for body in outbox:
            self._sent_chain = chained(self._sent_chain, body)
            self._chains.append(self._sent_chain)
        self.outbox = deque(outbox)
        self.peer_has = self.sent - len(outbox)
        self.unsent = len(outbox)
        self.safe = self.received
