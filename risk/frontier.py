"""The frontier: which accounts crossed a margin level, without looking at everyone.

The headroom of an account (equity minus a multiple of maintenance) is a sum of terms that depend on
one mark each. Shared out over the positions, it gives each position a band of prices such that the
account cannot have crossed while every mark stays inside its band. The band edges of an instrument
sit in two heaps; a mark tick looks at the top of each and touches only who left its band. Touched
accounts are recomputed exactly, so a band that is too narrow costs one recheck and one that is
too wide cannot occur: the slope of the requirement is bounded by the margin model.
"""

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from engine.instruments import Instrument
from engine.units import PPB

if TYPE_CHECKING:
    from risk.accounts import MarginAccount, Position

NO_THRESHOLD: Final[int] = -1
ROUNDING_SLACK_Q: Final[int] = 16
"""Quanta per position held back from the headroom, more than all its roundings together."""

_MIN_HEAP: Final[int] = 64


def _notional_room(share_q: int, slope_counts: bool, factor_ppb: int, slope_ppb: int) -> int:
    """How far a notional may move before it can have used up ``share_q`` (rounded down).

    Value moves one for one with notional; where ``slope_counts`` the requirement moves against
    the account too, by at most ``factor x slope``.
    """
    if not slope_counts:
        return share_q
    return share_q * PPB // (PPB + factor_ppb * slope_ppb // PPB + 1)


def _low_limit(instrument: Instrument, lots: int, mark_ticks: int, room_q: int) -> int:
    """Lowest price within ``room_q`` of notional below the mark (rounded up)."""
    if instrument.inverse:
        most_q = instrument.notional_q(lots, mark_ticks) + room_q
        return -(-instrument.unit_q * lots // most_q)
    low_ticks = mark_ticks - room_q // (instrument.unit_q * lots)
    return low_ticks if low_ticks > 0 else NO_THRESHOLD


def _high_limit(instrument: Instrument, lots: int, mark_ticks: int, room_q: int) -> int:
    """Highest price within ``room_q`` of notional above the mark (rounded down)."""
    if instrument.inverse:
        least_q = instrument.unit_q * lots // mark_ticks - room_q
        return instrument.unit_q * lots // least_q if least_q > 0 else NO_THRESHOLD
    return mark_ticks + room_q // (instrument.unit_q * lots)


class Frontier:
    """Price bands of all positions of one instrument."""

    __slots__ = ("_highs", "_lows", "_members")

    def __init__(self) -> None:
        self._lows: list[tuple[int, int]] = []
        self._highs: list[tuple[int, int]] = []
        self._members: dict[int, Position] = {}

    def __len__(self) -> int:
        return len(self._members)

    def place(self, position: "Position", low_ticks: int, high_ticks: int, widen: bool) -> None:
        """Put a position's band in force.

        An edge already in force that is nearer to the mark stays unless ``widen``: being too near
        is safe, and most fills then cost no heap operation.
        """
        self._members[position.uid] = position
        held = position.low_ticks
        if low_ticks > held or (widen and low_ticks != held):
            position.low_ticks = low_ticks
            if low_ticks != NO_THRESHOLD:
                heappush(self._lows, (-low_ticks, position.uid))
        held = position.high_ticks
        if high_ticks != held and (
            widen or held == NO_THRESHOLD or NO_THRESHOLD < high_ticks < held
        ):
            position.high_ticks = high_ticks
            if high_ticks != NO_THRESHOLD:
                heappush(self._highs, (high_ticks, position.uid))
        if len(self._lows) + len(self._highs) > _MIN_HEAP + 8 * len(self._members):
            self._rebuild()

    def remove(self, position: "Position") -> None:
        """Forget a position (it is flat, or its account is locked)."""
        if self._members.pop(position.uid, None) is not None:
            position.low_ticks = NO_THRESHOLD
            position.high_ticks = NO_THRESHOLD

    def crossed(self, mark_ticks: int) -> "list[Position]":
        """Positions whose band the mark has left, each once; the edge that was passed is cleared.

        Constant time when nobody is near, logarithmic per position returned.
        """
        found: list[Position] = []
        lows = self._lows
        while lows and -lows[0][0] > mark_ticks:
            edge, uid = heappop(lows)
            position = self._members.get(uid)
            if position is not None and position.low_ticks == -edge:
                position.low_ticks = NO_THRESHOLD
                found.append(position)
        highs = self._highs
        while highs and highs[0][0] < mark_ticks:
            edge, uid = heappop(highs)
            position = self._members.get(uid)
            if position is not None and position.high_ticks == edge:
                position.high_ticks = NO_THRESHOLD
                found.append(position)
        return found

    def _rebuild(self) -> None:
        """Drop the stale edges, so that memory follows the number of positions."""
        self._lows = [
            (-p.low_ticks, p.uid) for p in self._members.values() if p.low_ticks != NO_THRESHOLD
        ]
        self._highs = [
            (p.high_ticks, p.uid) for p in self._members.values() if p.high_ticks != NO_THRESHOLD
        ]
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
    """Share an account's headroom over its positions and put the bands in force.

    ``worse_q`` is the headroom above the next level (-1: there is none), ``better_q`` what is
    missing to leave the present one (-1: it is in none), both at current marks. Shares are rounded
    down.
    """
    live = 0
    total_q = 0
    for position in account.positions:
        if position.qty_lots:
            live += 1
            total_q += _notional_q(position)
    if not live:
        return
    slack_q = ROUNDING_SLACK_Q * live
    worse_room_q = max(0, worse_q - slack_q) if worse_q >= 0 else -1
    better_room_q = max(0, better_q - slack_q) if better_q >= 0 else -1
    for position in account.positions:
        if position.qty_lots:
            worse_share_q = worse_room_q
            better_share_q = better_room_q
            if live > 1:
                notional_q = _notional_q(position)
                if worse_q >= 0:
                    worse_share_q = worse_room_q * notional_q // total_q
                if better_q >= 0:
                    better_share_q = better_room_q * notional_q // total_q
            _place_position(
                position, worse_share_q, worse_factor_ppb, better_share_q, better_factor_ppb, widen
            )


def _notional_q(position: "Position") -> int:
    listing = position.listing
    return listing.instrument.notional_q(position.qty_lots, listing.mark_ticks)


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
    lots = abs(position.qty_lots)
    slope_ppb = listing.model.slope_bound_ppb(position.qty_lots)
    is_long = position.qty_lots > 0
    notional_grows_down = instrument.inverse
    if is_long:
        down_q, down_factor_ppb = worse_share_q, worse_factor_ppb
        up_q, up_factor_ppb = better_share_q, better_factor_ppb
        down_slope = notional_grows_down
        up_slope = notional_grows_down
    else:
        down_q, down_factor_ppb = better_share_q, better_factor_ppb
        up_q, up_factor_ppb = worse_share_q, worse_factor_ppb
        down_slope = not notional_grows_down
        up_slope = not notional_grows_down
    low_ticks = NO_THRESHOLD
    high_ticks = NO_THRESHOLD
    if down_q >= 0:
        room_q = _notional_room(down_q, down_slope, down_factor_ppb, slope_ppb)
        low_ticks = _low_limit(instrument, lots, listing.mark_ticks, room_q)
    if up_q >= 0:
        room_q = _notional_room(up_q, up_slope, up_factor_ppb, slope_ppb)
        high_ticks = _high_limit(instrument, lots, listing.mark_ticks, room_q)
    listing.frontier.place(position, low_ticks, high_ticks, widen)
