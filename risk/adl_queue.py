"""The deleveraging queues: one per instrument and side, ranked once per mark.

Traders see their place in the same queue. Entries are checked again when used, since positions
change between two marks.
"""

from collections.abc import Iterator
from typing import Any

from risk.accounts import Position
from risk.core import RiskCore
from risk.health import evaluate, unrealised_q
from risk.liquidation.adl import Counterparty, rank_by_profit_leverage, rank_group
from risk.listing import Listing


class _Queue:
    """Ranked position uids as of a mark version; `start` skips those already closed."""

    __slots__ = ("built_version", "places", "start", "uids")

    def __init__(self, built_version: int, uids: list[int]) -> None:
        self.built_version = built_version
        self.uids = uids
        self.start = 0
        self.places: dict[int, int] = {uid: place for place, uid in enumerate(uids)}


class AdlQueues:
    """Builds and serves the queues."""

    __slots__ = ("_core", "_queues", "_shown")

    def __init__(self, core: RiskCore) -> None:
        self._core = core
        self._queues: dict[tuple[int, int], _Queue] = {}
        self._shown: dict[tuple[int, int], _Queue] = {}

    def against(self, position: Position) -> Iterator[Position]:
        """Counterparties of a position, first to close first.

        Accounts in liquidation do not count, nor does the position's own. The house comes last.
        """
        listing = position.listing
        side = -1 if position.qty_lots > 0 else 1
        queue = _current(self._queues, listing, side)
        holders = listing.holders
        house: list[Position] = []
        uids = queue.uids
        while queue.start < len(uids) and uids[queue.start] not in holders:
            queue.start += 1
        for number in range(queue.start, len(uids)):
            target = holders.get(uids[number])
            if target is None or target.qty_lots * side <= 0:
                continue
            if target.account.trader.is_house():
                house.append(target)
            elif target.account.liquidation is None:
                yield target
        # Who opened (again) since the ranking has no place in it and comes after it.
        for uid in sorted(holders):
            target = holders.get(uid)
            if queue.places.get(uid, -1) >= queue.start or target is None:
                continue
            if target.qty_lots * side <= 0 or target.account.liquidation is not None:
                continue
            if target.account.trader.is_house():
                house.append(target)
            else:
                yield target
        yield from house

    def rank(self, position: Position) -> int:
        """Rank group shown to the trader: 1 (next) to 5; 0 without a profit to take.

        Read from a copy of its own: looking at a rank must not fix the queue that closes positions.
        """
        if not position.qty_lots or unrealised_q(position) <= 0:
            return 0
        side = 1 if position.qty_lots > 0 else -1
        queue = _current(self._shown, position.listing, side)
        place = queue.places.get(position.uid)
        return 0 if place is None else rank_group(place, len(queue.uids))

    def state(self) -> list[list[Any]]:
        """The queues of the present marks; who comes when was fixed when they were built."""
        listings = self._core.listings
        return [
            [instrument_id, side, queue.start, list(queue.uids)]
            for (instrument_id, side), queue in sorted(self._queues.items())
            if queue.built_version == listings[instrument_id].mark_version
        ]

    def restore(self, state: list[list[Any]]) -> None:
        """Take over what `state` returned."""
        for instrument_id, side, start, uids in state:
            queue = _Queue(self._core.listings[instrument_id].mark_version, list(uids))
            queue.start = start
            self._queues[(instrument_id, side)] = queue


def _current(queues: dict[tuple[int, int], _Queue], listing: Listing, side: int) -> _Queue:
    """The queue of the present mark, ranked now if the mark has moved since."""
    key = (listing.instrument_id, side)
    queue = queues.get(key)
    if queue is None or queue.built_version != listing.mark_version:
        parties = [
            _counterparty(position)
            for position in listing.holders.values()
            if position.qty_lots * side > 0
        ]
        ranked = rank_by_profit_leverage(parties)
        queue = _Queue(listing.mark_version, [party.uid for party in ranked])
        queues[key] = queue
    return queue


def _counterparty(position: Position) -> Counterparty:
    listing = position.listing
    evaluate(position.account)
    return Counterparty(
        position.uid,
        abs(position.qty_lots),
        unrealised_q(position),
        abs(position.entry_value_q),
        listing.instrument.notional_q(position.qty_lots, listing.mark_ticks),
        position.account.equity_q,
    )
