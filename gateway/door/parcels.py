"""Requests as they travel: the ones of one client frame together, with one answer for all.

Whatever is kept, journaled or passed on per request costs that much for each of a hundred thousand
a second; a parcel of 250 requests costs it once.
"""

from collections import deque
from typing import Any, Final

import msgspec

from gateway.door.frames import ParcelRow, RawReplies

QUERY: Final[int] = -1
"""Stands for the order id of a query: it changes nothing, so its answer is not remembered; asked
again it is answered anew."""

_encode = msgspec.msgpack.Encoder().encode
_open = msgspec.msgpack.Decoder(list[msgspec.Raw])


class Parcel:
    """Requests of one client frame in one batch: whose, their numbers, and the order id of each (0:
    no new order). ``answers`` is the list of their answers as bytes, empty while it is in work."""

    __slots__ = ("answers", "order_ids", "request_ids", "requester")

    def __init__(self, requester: str, request_ids: list[int], order_ids: list[int]) -> None:
        self.requester = requester
        self.request_ids = request_ids
        self.order_ids = order_ids
        self.answers = b""

    def shown_order_ids(self) -> list[int]:
        """The order ids as clients see them."""
        if QUERY not in self.order_ids:
            return self.order_ids
        return [max(order_id, 0) for order_id in self.order_ids]

    def opened(self) -> "dict[int, tuple[int, msgspec.Raw]]":
        """Order id and answer by request number, queries left out."""
        answers: list[Any] = _open.decode(self.answers)
        found: dict[int, tuple[int, msgspec.Raw]] = {}
        for place, request_id in enumerate(self.request_ids):
            if self.order_ids[place] != QUERY:
                found[request_id] = (self.order_ids[place], answers[place])
        return found

    def kept(self) -> int:
        """How many of its answers are remembered: all but those of queries."""
        return len(self.order_ids) - self.order_ids.count(QUERY)

    def row(self) -> ParcelRow:
        """The parcel without its answers, as it is journaled."""
        return (self.requester, self.request_ids, self.order_ids)


class Memory:
    """What is remembered of one run of requests: by number the parcel it came in.

    ``done`` are the answered parcels, oldest first, with ``answered`` requests in them;
    ``under_way`` counts the other parcels. Requests up to ``floor`` are forgotten and never carried
    out again.
    """

    __slots__ = ("answered", "done", "floor", "highest", "parcels", "under_way")

    def __init__(self) -> None:
        self.parcels: dict[int, Parcel] = {}
        self.done: deque[Parcel] = deque()
        self.answered = 0
        self.floor = 0
        self.highest = 0
        self.under_way = 0

    def begin(self, parcel: Parcel) -> None:
        """The parcel's requests are being worked on."""
        self.under_way += 1
        self.parcels.update(dict.fromkeys(parcel.request_ids, parcel))
        self.highest = max(self.highest, max(parcel.request_ids))

    def finish(self, parcel: Parcel, answers: bytes, keep: int) -> None:
        """The parcel is answered. Its queries are forgotten, and the oldest parcels as long as
        ``keep`` answered requests remain; what is under way counts for nothing."""
        self.under_way -= 1
        parcel.answers = answers
        if QUERY in parcel.order_ids:
            for place, order_id in enumerate(parcel.order_ids):
                if order_id == QUERY:
                    self._drop(parcel.request_ids[place], parcel)
        if not parcel.kept():
            return
        self.answered += parcel.kept()
        done = self.done
        done.append(parcel)
        while self.answered - done[0].kept() >= keep and len(done) > 1:
            self.forget_oldest()

    def forget_oldest(self) -> None:
        """The answers of the oldest parcel are not kept any longer, and its requests are too old
        from now on."""
        oldest = self.done.popleft()
        self.answered -= oldest.kept()
        for request_id in oldest.request_ids:
            self._drop(request_id, oldest)
        self.floor = max(self.floor, max(oldest.request_ids))

    def _drop(self, request_id: int, parcel: Parcel) -> None:
        """Forget a request of a parcel; a query's number may have come again in a later one."""
        if self.parcels.get(request_id) is parcel:
            del self.parcels[request_id]

    def state(self) -> list[Any]:
        """What `restore` needs besides the parcels in work."""
        done = [[parcel.request_ids, parcel.order_ids, parcel.answers] for parcel in self.done]
        return [self.floor, self.highest, done]

    def restore(self, requester: str, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self.floor, self.highest, done = state
        for request_ids, order_ids, answers in done:
            parcel = Parcel(requester, list(request_ids), list(order_ids))
            self.begin(parcel)
            self.finish(parcel, answers, keep=self.answered + len(request_ids))


class Known:
    """Answers of a run that are asked for once more: each is looked up in its parcel, which is
    opened once for those behind one another."""

    __slots__ = ("_answers", "_last", "_memory", "_opened", "_order_ids", "_request_ids")

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._last: Parcel | None = None
        self._opened: dict[int, tuple[int, msgspec.Raw]] = {}
        self._request_ids: list[int] = []
        self._order_ids: list[int] = []
        self._answers: list[msgspec.Raw] = []

    def ask(self, request_id: int) -> None:
        """Look up a request that is remembered; one in work has no answer yet."""
        parcel = self._memory.parcels[request_id]
        if not parcel.answers:
            return
        if parcel is not self._last:
            self._last = parcel
            self._opened = parcel.opened()
        order_id, answer = self._opened[request_id]
        self._request_ids.append(request_id)
        self._order_ids.append(order_id)
        self._answers.append(answer)

    def replies(self) -> list[RawReplies]:
        """The answers that were found."""
        if not self._request_ids:
            return []
        answers = msgspec.Raw(_encode(self._answers))
        return [RawReplies(self._request_ids, self._order_ids, answers)]
