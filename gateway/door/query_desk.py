"""Queries beside the order of all commands: answered between batches, from the state there is.

They change nothing, so they need no place in the order, no row in a journal and no replay. How many
are taken in a turn is bounded like the commands of a batch (`gateway.door.pending`).
"""

from collections.abc import Callable
from typing import Any

import msgspec

from engine.native_message import ready_for_wire
from engine.services.rounds import encode_frame
from gateway.door.deliveries import Deliveries
from gateway.door.frames import RawReplies
from gateway.door.pending import QUESTIONS
from gateway.door.sessions import Session


class QueryDesk:
    """``read`` says what there is to say to a query; without it there is no desk, and queries go
    the way of commands. ``completed`` adds what risk does not know."""

    def __init__(
        self,
        read: Callable[[Any], list[Any]] | None,
        completed: Callable[[list[Any]], list[Any]],
        deliveries: Deliveries,
        sessions: dict[bytes, Session],
    ) -> None:
        self._read = read
        self._completed = completed
        self._deliveries = deliveries
        self._sessions = sessions
        self._asked: list[tuple[bytes, int, Any]] = []

    def takes(self, session: Session, request_id: int, command: Any) -> bool:
        """Take a query that was allowed; false for any other command."""
        if self._read is None or type(command) not in QUESTIONS:
            return False
        self._asked.append((session.address, request_id, command))
        return True

    def answer(self) -> None:
        """Answer what was asked, now that the commands before it are done."""
        if not self._asked or self._read is None:
            return
        asked, self._asked = self._asked, []
        replies: dict[bytes, list[RawReplies]] = {}
        for address, request_id, command in asked:
            if address in self._sessions:
                answer = encode_frame([ready_for_wire(self._completed(self._read(command)))])
                reply = RawReplies([request_id], [0], msgspec.Raw(answer))
                replies.setdefault(address, []).append(reply)
        for address, found in replies.items():
            session = self._sessions.get(address)
            if session is not None:
                self._deliveries.hand_over(session, found, [], [])
