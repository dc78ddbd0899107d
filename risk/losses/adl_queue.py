"""The deleveraging queues: one per instrument and side, scored once per mark.

Traders see their place in the same queue. Entries are checked again when used, since positions
change between two marks.
"""

from collections.abc import Iterator
from heapq import heapify, heappop
from typing import Any

from engine.units import magnitude
from risk.accounts import Position, split_uid
from risk.core import RiskCore
from risk.health import evaluate, unrealised_q
from risk.liquidation.adl import rank_group
from risk.liquidation.ranking import ADL_RANKINGS, AdlRanking, Standing
from risk.listing import Listing


class _Queue:
    """Position uids as of a mark version, the highest score first, equal scores by uid.

    A deleveraging asks for the first few of thousands: `uids` are those asked for so far, the rest
    waits in a heap. `start` skips those at the front that are closed already.
    """

    __slots__ = ("_places", "_waiting", "built_version", "start", "uids")

    def __init__(self, built_version: int, uids: list[int], waiting: list[tuple[int, int]]) -> None:
        self.built_version = built_version
        self.uids = uids
        self.start = 0
        self._waiting = waiting
        heapify(waiting)
        self._places: dict[int, int] = {}

    def reaches(self, place: int) -> bool:
        """Whether the queue is longer than ``place``; puts it in order up to there."""
        while len(self.uids) <= place:
            if not self._waiting:
                return False
            self.uids.append(heappop(self._waiting)[1])
        return True

    def ordered(self) -> list[int]:
        """All uids, in order."""
        self._waiting.sort()
        self.uids += [uid for _, uid in self._waiting]
        self._waiting.clear()
        return self.uids

    def place_of(self, uid: int) -> int:
        """Where a position stands, from 0; -1 if it was not there when the queue was scored."""
        if not self._places:
            self._places = {each: place for place, each in enumerate(self.ordered())}
        return self._places.get(uid, -1)


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
        queue = self._current(self._queues, listing, side)
        there = listing.longs if side > 0 else listing.shorts
        house: list[Position] = []
        while queue.reaches(queue.start) and self._open(listing, queue.uids[queue.start]) is None:
            queue.start += 1
        place = queue.start
        while queue.reaches(place):
            target = self._open(listing, queue.uids[place], side)
            place += 1
            if target is None:
                continue
            if target.account.trader.is_house():
                house.append(target)
            elif target.account.liquidation is None:
                yield target
        # Who opened (again) since the ranking has no place in it and comes after it.
        for uid in sorted([each.uid for each in there]):
            target = self._open(listing, uid, side)
            if queue.place_of(uid) >= queue.start or target is None:
                continue
            if target.account.liquidation is not None:
                continue
            if target.account.trader.is_house():
                house.append(target)
            else:
                yield target
        yield from house

    def still_open(self, position: Position, uid: int) -> Position | None:
        """The position of this uid if it still can be closed against ``position``."""
        target = self._open(position.listing, uid, -1 if position.qty_lots > 0 else 1)
        return None if target is None or target.account.liquidation is not None else target

    def _open(self, listing: Listing, uid: int, side: int = 0) -> Position | None:
        """The position of this uid if it is not flat, on one side or (0) on any."""
        margin_account_id, leg = split_uid(uid)
        account = self._core.ledger.accounts[margin_account_id]
        position = account.position(listing.instrument_id, leg)
        if position is None or not position.qty_lots:
            return None
        return position if not side or (position.qty_lots > 0) == (side > 0) else None

    def rank(self, position: Position) -> int:
        """Rank group shown to the trader: 1 (next) to 5; 0 without a profit to take.

        Read from a copy of its own: looking at a rank must not fix the queue that closes positions.
        """
        if not position.qty_lots or unrealised_q(position) <= 0:
            return 0
        side = 1 if position.qty_lots > 0 else -1
        queue = self._current(self._shown, position.listing, side)
        place = queue.place_of(position.uid)
        return 0 if place < 0 else rank_group(place, len(queue.ordered()))

    def _current(
        self, queues: dict[tuple[int, int], _Queue], listing: Listing, side: int
    ) -> _Queue:
        """The queue of the present mark, scored now if the mark has moved since."""
        key = (listing.instrument_id, side)
        queue = queues.get(key)
        if queue is None or queue.built_version != listing.mark_version:
            ranking = ADL_RANKINGS.get(self._core.rulebook.adl.ranking)
            decimals = self._core.assets[listing.instrument.settle_asset_id].decimals
            standing = Standing(0, 0, 0, 0, 0, 0, 10**decimals)
            scored: list[tuple[int, int]] = []
            for position in listing.longs if side > 0 else listing.shorts:
                scored.append((-_score(position, ranking, standing), position.uid))
            queue = _Queue(listing.mark_version, [], scored)
            queues[key] = queue
        return queue

    def state(self) -> list[list[Any]]:
        """The queues of the present marks; who comes when was fixed when they were scored."""
        listings = self._core.listings
        return [
            [instrument_id, side, queue.start, list(queue.ordered())]
            for (instrument_id, side), queue in sorted(self._queues.items())
            if queue.built_version == listings[instrument_id].mark_version
        ]

    def restore(self, state: list[list[Any]]) -> None:
        """Take over what `state` returned."""
        for instrument_id, side, start, uids in state:
            version = self._core.listings[instrument_id].mark_version
            queue = _Queue(version, list(uids), [])
            queue.start = start
            self._queues[(instrument_id, side)] = queue


def _score(position: Position, ranking: AdlRanking, standing: Standing) -> int:
    """A position's score at present marks; ``standing`` is filled anew."""
    listing = position.listing
    qty_lots = position.qty_lots
    mark_ticks = listing.mark_ticks
    value_q = listing.instrument.position_value_q(qty_lots, mark_ticks)
    gain_q = value_q - position.entry_value_q
    if gain_q <= 0:
        return 0
    account = position.account
    standing.gain_q = gain_q
    standing.entry_value_q = magnitude(position.entry_value_q)
    standing.notional_q = listing.instrument.notional_of_value_q(value_q, qty_lots, mark_ticks)
    standing.wallet_q = account.wallet_q
    alone = account.first_position is position and position.next is None and not account.holdings
    if alone and not ranking.uses_maintenance:
        # Its equity is at hand: its requirements need no look, nor itself a second one.
        standing.equity_q = account.wallet_q + gain_q
    else:
        evaluate(account)
        standing.equity_q = account.equity_q
        standing.maintenance_q = account.maintenance_q
    return ranking.score(standing)
