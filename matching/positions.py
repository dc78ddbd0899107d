"""Who holds how much of one instrument, exact at the moment of every match.

A reduce-only order may trade what closes its account's position and no more. Only the book knows
that at the moment of a match: it sees every fill in its own order, and the risk engine tells it of
every change that came from elsewhere (a takeover, a deleveraging). Positions of the house count
like all others.
"""

from collections.abc import Iterable, Sequence

from engine.words import i64

PositionRow = tuple[int, int, int]
"""An open position as plain integers: account id, leg, signed lots."""


class Positions:
    """Signed lots by account and leg; flat ones are not kept."""

    __slots__ = ("_lots",)

    def __init__(self) -> None:
        # By four times the account id plus the leg: one number is a cheaper key than two.
        self._lots: dict[int, int] = {}

    def lots(self, account_id: i64, leg: i64) -> int:
        """The position, 0 if it is flat."""
        return self._lots.get(4 * account_id + leg, 0)

    def move(self, account_id: i64, leg: i64, lots: int) -> None:
        """Add signed lots."""
        key: int = 4 * account_id + leg
        after = self._lots.get(key, 0) + lots
        if after:
            self._lots[key] = after
        else:
            self._lots.pop(key, None)

    def closable(self, account_id: i64, leg: i64, side: i64) -> int:
        """Lots that an order of this side may close."""
        lots = self._lots.get(4 * account_id + leg, 0)
        against = -lots if side > 0 else lots
        return against if against > 0 else 0

    def state(self) -> list[PositionRow]:
        """Every open position, by account id and leg."""
        return [(key >> 2, key & 3, lots) for key, lots in sorted(self._lots.items())]

    def restore(self, rows: Iterable[Sequence[int]]) -> None:
        """Replace everything by what `state` returned."""
        self._lots = {4 * account_id + leg: lots for account_id, leg, lots in rows}
