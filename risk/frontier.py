"""The frontier: which accounts crossed a margin level, without looking at everyone.

The headroom of an account (equity minus a multiple of maintenance) is a sum of terms that depend on
one price each: the mark of a position, the price of a collateral asset. Shared out over positions
and balances, it gives each a band of prices such that the account cannot have crossed while every
price stays inside its band. The band edges of an instrument (or collateral asset) sit in two heaps;
a new price looks at the top of each and touches only who left its band. Touched
accounts are recomputed exactly, so a band that is too narrow costs one recheck and one that is
too wide cannot occur: the slope of the requirement is bounded by the margin model.
"""

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from engine.commands import MAX_TICKS
from engine.instruments import Instrument
from engine.units import PPB, Rate, scale_down

if TYPE_CHECKING:
    from risk.accounts import Holding, MarginAccount, Position

NO_THRESHOLD: Final[int] = -1
ROUNDING_SLACK_Q: Final[int] = 16
"""Quanta per position held back from the headroom, more than all its roundings together."""

_THOUSANDTH_PPB: Final[int] = PPB // 1_000
_MIN_HEAP: Final[int] = 64
_MOST_WAITING: Final[int] = 1_024
"""New edges that may wait for a price, so that no price pays for more than these."""
_SLOTS: Final[int] = 2**24
"""More than the positions of one instrument; a power of two keeps the arithmetic cheap."""


def low_limit(instrument: Instrument, lots: int, mark_ticks: int, room_q: int) -> int:
    """Lowest price within ``room_q`` of notional below the mark (rounded up)."""
    if instrument.inverse:
        most_q = instrument.notional_q(lots, mark_ticks) + room_q
        return -(-instrument.unit_q * lots // most_q)
    low_ticks = mark_ticks - room_q // (instrument.unit_q * lots)
    return low_ticks if low_ticks > 0 else NO_THRESHOLD


def high_limit(instrument: Instrument, lots: int, mark_ticks: int, room_q: int) -> int:
    """Highest price within ``room_q`` of notional above the mark (rounded down)."""
    if instrument.inverse:
        least_q = instrument.unit_q * lots // mark_ticks - room_q
        return instrument.unit_q * lots // least_q if least_q > 0 else NO_THRESHOLD
    return mark_ticks + room_q // (instrument.unit_q * lots)


class Banded:
    """What moves an account's equity with one price, and the band in which it may without a look.

    A position in an instrument, or a balance in a collateral asset. The edges `low` and `high` are
    in that price's units, `NO_THRESHOLD` where there is none; `frontier_slot` is the place in the
    frontier (-1: it is not in it).
    """

    __slots__ = ("account", "frontier_slot", "high", "low")

    def __init__(self, account: "MarginAccount") -> None:
        self.account = account
        self.frontier_slot = -1
        self.low = NO_THRESHOLD
        self.high = NO_THRESHOLD


class Frontier:
    """Price bands of all positions of one instrument, or of all balances of a collateral asset.

    A position in it has a slot, its place in ``_members``. A heap entry is one whole number, the
    edge times `_SLOTS` plus the slot: half the memory of a pair and cheaper to compare. Entries
    that no longer say what their position says are stale and dropped when they surface. New ones
    wait in a list until a price asks, or are too many: with many fills between two prices most are
    stale by then.
    """

    __slots__ = (
        "_count",
        "_factor_ppb",
        "_free",
        "_highs",
        "_kept",
        "_lows",
        "_members",
        "_new_highs",
        "_new_lows",
        "_slope_ppb",
    )

    def __init__(self) -> None:
        # What `sloped_room_q` was last asked with, mostly the same, and the part it then leaves.
        self._factor_ppb = 0
        self._slope_ppb = 0
        self._kept = Rate(PPB)
        self._lows: list[int] = []
        self._highs: list[int] = []
        self._new_lows: list[int] = []
        self._new_highs: list[int] = []
        self._members: list[Banded | None] = []
        self._free: list[int] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def place(self, position: Banded, low: int, high: int, widen: bool) -> None:
        """Put a position's band in force.

        An edge already in force that is nearer to the mark stays unless ``widen``: being too near
        is safe, and most fills then cost no heap operation.
        """
        slot = position.frontier_slot
        if slot < 0:
            slot = self._take_slot(position)
        held = position.low
        if low > held or (widen and low != held):
            position.low = low
            if low != NO_THRESHOLD:
                # The highest low edge first: negative, with the slot counted upwards all the same.
                self._new_lows.append(slot - low * _SLOTS)
        held = position.high
        if high != held and (widen or held == NO_THRESHOLD or NO_THRESHOLD < high < held):
            position.high = high
            if high != NO_THRESHOLD:
                self._new_highs.append(slot + high * _SLOTS)
        waiting = len(self._new_lows) + len(self._new_highs)
        if waiting > _MOST_WAITING:
            self._take_in()
        if len(self._lows) + len(self._highs) + waiting > _MIN_HEAP + 8 * self._count:
            self._rebuild()

    def remove(self, position: Banded) -> None:
        """Forget a position (it is flat, or its account is locked)."""
        slot = position.frontier_slot
        if slot >= 0:
            self._members[slot] = None
            self._free.append(slot)
            self._count -= 1
            position.frontier_slot = -1
            position.low = NO_THRESHOLD
            position.high = NO_THRESHOLD

    def crossed(self, mark_ticks: int) -> list[Banded]:
        """Positions whose band the mark has left, each once; the edge that was passed is cleared.

        Constant time when no edge is near, logarithmic per position returned.
        """
        self._take_in()
        found: list[Banded] = []
        lows = self._lows
        # Below any entry of an edge at the mark, above every entry of a higher one.
        limit = -(mark_ticks * _SLOTS)
        while lows and lows[0] < limit:
            position = self._at_low(heappop(lows))
            if position is not None:
                position.low = NO_THRESHOLD
                found.append(position)
        highs = self._highs
        limit = mark_ticks * _SLOTS
        while highs and highs[0] < limit:
            position = self._at_high(heappop(highs))
            if position is not None:
                position.high = NO_THRESHOLD
                found.append(position)
        return found

    def sloped_room_q(self, share_q: int, factor_ppb: int, slope_ppb: int) -> int:
        """How far a notional may move before it can have used up ``share_q`` (rounded down), where
        the requirement moves against the account too, by at most ``factor x slope``; -1 for -1."""
        if share_q < 0:
            return -1
        if self._factor_ppb != factor_ppb or self._slope_ppb != slope_ppb:
            self._factor_ppb = factor_ppb
            self._slope_ppb = slope_ppb
            # In thousandths, for a product within a machine word: a narrower band is safe.
            most_ppb = PPB + scale_down(factor_ppb, slope_ppb, PPB) + 1
            self._kept = Rate(PPB * 1_000 // most_ppb * _THOUSANDTH_PPB)
        return self._kept.down(share_q)

    def _at_low(self, entry: int) -> Banded | None:
        """Whose low edge an entry is; None if it is stale."""
        slot = entry % _SLOTS
        position = self._members[slot]
        if position is not None and position.low * _SLOTS == slot - entry:
            return position
        return None

    def _at_high(self, entry: int) -> Banded | None:
        """Whose high edge an entry is; None if it is stale."""
        slot = entry % _SLOTS
        position = self._members[slot]
        if position is not None and position.high * _SLOTS == entry - slot:
            return position
        return None

    def _take_in(self) -> None:
        """Put the new edges into the heaps, but for those that are stale already."""
        if self._new_lows:
            for entry in self._new_lows:
                if self._at_low(entry) is not None:
                    heappush(self._lows, entry)
            self._new_lows.clear()
        if self._new_highs:
            for entry in self._new_highs:
                if self._at_high(entry) is not None:
                    heappush(self._highs, entry)
            self._new_highs.clear()

    def _take_slot(self, position: Banded) -> int:
        self._count += 1
        if self._free:
            slot = self._free.pop()
            self._members[slot] = position
        else:
            slot = len(self._members)
            assert slot < _SLOTS, f"more than {_SLOTS} positions in one instrument"
            self._members.append(position)
        position.frontier_slot = slot
        return slot

    def _rebuild(self) -> None:
        """Drop the stale edges, so that memory follows the number of positions."""
        self._lows = []
        self._highs = []
        self._new_lows.clear()
        self._new_highs.clear()
        for slot, position in enumerate(self._members):
            if position is not None:
                if position.low != NO_THRESHOLD:
                    self._lows.append(slot - position.low * _SLOTS)
                if position.high != NO_THRESHOLD:
                    self._highs.append(slot + position.high * _SLOTS)
        heapify(self._lows)
        heapify(self._highs)


def place_account(
    account: "MarginAccount",
    worse_q: int,
    worse_factor_ppb: int,
    better_q: int,
    better_factor_ppb: int,
    widen: bool,
) -> None:
    """Share an account's headroom over its positions and collateral and put the bands in force.

    ``worse_q`` is the headroom above the next level (-1: there is none), ``better_q`` what is
    missing to leave the present one (-1: it is in none), both at current marks. Shares are rounded
    down.
    """
    live = 0
    only: Position | None = None
    position = account.first_position
    while position is not None:
        if position.qty_lots:
            live += 1
            only = position
        position = position.next
    holdings = account.holdings
    if holdings:
        live += _watched_holdings(account, live > 0)
    if not live:
        return
    slack_q = ROUNDING_SLACK_Q * live
    worse_room_q = max(0, worse_q - slack_q) if worse_q >= 0 else -1
    better_room_q = max(0, better_q - slack_q) if better_q >= 0 else -1
    if live == 1 and only is not None:
        _place_position(
            only, worse_room_q, worse_factor_ppb, better_room_q, better_factor_ppb, widen
        )
        return
    total_q = _gross_q(account) if live > 1 else 0
    position = account.first_position
    while position is not None:
        if position.qty_lots:
            notional_q = _notional_q(position)
            worse_share_q = -1
            better_share_q = -1
            if worse_q >= 0:
                worse_share_q = scale_down(worse_room_q, notional_q, total_q)
            if better_q >= 0:
                better_share_q = scale_down(better_room_q, notional_q, total_q)
            _place_position(
                position, worse_share_q, worse_factor_ppb, better_share_q, better_factor_ppb, widen
            )
        position = position.next
    for holding in holdings:
        if holding.watched:
            _share_holding(holding, live, total_q, worse_room_q, better_room_q, widen)


def _gross_q(account: "MarginAccount") -> int:
    """What an account's headroom is shared by: its positions and the collateral with a band."""
    total_q = 0
    position = account.first_position
    while position is not None:
        if position.qty_lots:
            total_q += _notional_q(position)
        position = position.next
    for holding in account.holdings:
        if holding.watched:
            total_q += holding.value_q()
    return total_q


def _watched_holdings(account: "MarginAccount", has_positions: bool) -> int:
    """How many balances in collateral assets have a band; the others leave their frontier.

    An account without positions, orders and a debt is safe at any price.
    """
    count = 0
    for holding in account.holdings:
        counts = holding.source.wallet_q > 0 and holding.asset.price_ppb > 0
        holding.watched = counts and (
            has_positions or account.wallet_q < 0 or account.trader.oldest_order is not None
        )
        if holding.watched:
            count += 1
        else:
            holding.asset.frontier.remove(holding)
    return count


def _share_holding(
    holding: "Holding", live: int, total_q: int, worse_room_q: int, better_room_q: int, widen: bool
) -> None:
    """The band of a balance by its share of the headroom."""
    worse_share_q = worse_room_q
    better_share_q = better_room_q
    if live > 1:
        value_q = holding.value_q()
        if worse_room_q >= 0:
            worse_share_q = scale_down(worse_room_q, value_q, total_q)
        if better_room_q >= 0:
            better_share_q = scale_down(better_room_q, value_q, total_q)
    place_holding(holding, worse_share_q, better_share_q, widen)


def place_holding(holding: "Holding", worse_share_q: int, better_share_q: int, widen: bool) -> None:
    """The band of a balance: its value moves one for one, there is no requirement on it."""
    low_ppb, high_ppb = holding.asset.band(holding.source.wallet_q, worse_share_q, better_share_q)
    holding.asset.frontier.place(holding, low_ppb, high_ppb, widen)


def _notional_q(position: "Position") -> int:
    listing = position.listing
    return listing.instrument.notional_q(position.qty_lots, listing.mark_ticks)


def _outgrown_room_q(share_q: int, factor_ppb: int, slope_ppb: int) -> int:
    """How far a notional may move before a requirement that moves faster than the value has used up
    ``share_q`` (rounded down); -1 where it moves no faster, and for -1."""
    beyond_ppb = scale_down(factor_ppb, slope_ppb, PPB) + 1 - PPB
    if share_q < 0 or beyond_ppb <= 0:
        return -1
    return scale_down(share_q, PPB, beyond_ppb)


def _nearer(room_q: int, other_q: int) -> int:
    """The smaller of two rooms, of which -1 is none."""
    if room_q < 0:
        return other_q
    return room_q if other_q < 0 or room_q < other_q else other_q


def _place_position(
    position: "Position",
    worse_share_q: int,
    worse_factor_ppb: int,
    better_share_q: int,
    better_factor_ppb: int,
    widen: bool,
) -> None:
    listing = position.listing
    instrument = listing.instrument
    mark_ticks = listing.mark_ticks
    is_long = position.qty_lots > 0
    lots = position.qty_lots if is_long else -position.qty_lots
    # Value moves one for one with notional.
    worse_room_q = worse_share_q
    better_room_q = better_share_q
    requirement = position.account.requirement
    slope_ppb = requirement.slope_bound_ppb(position)
    grows_with_losses = is_long == instrument.inverse
    if grows_with_losses or not requirement.follows_notional():
        # The notional grows when the position loses, and the requirement with it.
        frontier = listing.frontier
        worse_room_q = frontier.sloped_room_q(worse_share_q, worse_factor_ppb, slope_ppb)
        better_room_q = frontier.sloped_room_q(better_share_q, better_factor_ppb, slope_ppb)
    if not grows_with_losses or not requirement.follows_notional():
        # Where a level asks for more than the notional, the requirement outgrows a gain.
        gaining_q = _outgrown_room_q(worse_share_q, worse_factor_ppb, slope_ppb)
        losing_q = _outgrown_room_q(better_share_q, better_factor_ppb, slope_ppb)
        better_room_q = _nearer(better_room_q, gaining_q)
        worse_room_q = _nearer(worse_room_q, losing_q)
    down_q = worse_room_q if is_long else better_room_q
    up_q = better_room_q if is_long else worse_room_q
    low_ticks = NO_THRESHOLD
    high_ticks = NO_THRESHOLD
    if down_q >= 0:
        low_ticks = low_limit(instrument, lots, mark_ticks, down_q)
    if up_q >= 0:
        high_ticks = high_limit(instrument, lots, mark_ticks, up_q)
    if requirement.jumps(position):
        # A jump may take the account to another level, on the way to a gain too.
        low_ticks = requirement.within_tier_ticks(position, max(1, low_ticks))
        high_ticks = requirement.within_tier_ticks(
            position, MAX_TICKS if high_ticks == NO_THRESHOLD else high_ticks
        )
    listing.frontier.place(position, low_ticks, high_ticks, widen)
