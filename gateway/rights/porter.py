"""Admission of connections at both doors: ZeroMQ asks, the porter answers (ZAP, RFC 27)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import zmq
from zmq.utils import z85

from gateway.rights.keys import Admitted

MOST_ANSWERED: Final[int] = 100
"""Connections that are let in or refused in one turn of the door."""

Refuse = Callable[[str, str, str], None]
"""Told of a refusal: the public key, the address it came from, and why."""


class Porter:
    """Lets in whose key is in ``admitted`` (by public key), from where it may come. A connection is
    known by its public key from then on. Without keys (None) everybody is let in: when, the door
    says, which asks for answers."""

    ADDRESS: Final[str] = "inproc://zeromq.zap.01"

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        admitted: Mapping[str, Admitted] | None,
        refuse: Refuse,
    ) -> None:
        self.admitted = admitted
        self.refused = 0
        self._refuse = refuse
        self.socket: zmq.Socket[bytes] = context.socket(zmq.REP)
        self.socket.bind(self.ADDRESS)

    def answer(self) -> None:
        """Answer questions that wait; a flood of them has an end in a turn."""
        for _ in range(MOST_ANSWERED):
            try:
                question = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self.socket.send_multipart(self._answer(question))

    def _answer(self, question: list[bytes]) -> list[Any]:
        version, request, _, address, _, mechanism, *credentials = question
        if self.admitted is None:
            return [version, request, b"200", b"welcome", b"", b""]
        public, why = "", "no key"
        if mechanism == b"CURVE" and credentials:
            public, why = z85.encode(credentials[0]).decode(), "unknown key"
            found = self.admitted.get(public)
            if found is not None and found.may_come_from(address.decode(errors="replace")):
                return [version, request, b"200", b"welcome", public.encode(), b""]
            if found is not None:
                why = "not from this address"
        self.refused += 1
        self._refuse(public, address.decode(errors="replace"), why)
        return [version, request, b"400", why.encode(), b"", b""]
