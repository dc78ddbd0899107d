"""Who gives how many lots when a number of lots is shared out at once: pure functions in integers.

Shares are exact first, then rounded down; what rounding leaves goes by largest remainder, or to
whoever it burdens least. Equal claims go by their order. No share is above its cap.
"""

from functools import cmp_to_key
from heapq import heapify, heappop, heappush


class Claims:
    """The counterparties that lots are shared out among, one place each.

    ``sizes`` are their lots, ``equities_q`` their accounts' equity and ``gains_q`` the unrealised
    result of their positions at the mark, in quanta.
    """

    __slots__ = ("equities_q", "gains_q", "sizes")

    def __init__(self, sizes: list[int], equities_q: list[int], gains_q: list[int]) -> None:
        self.sizes = sizes
        self.equities_q = equities_q
        self.gains_q = gains_q

    def capacities_q(self) -> list[int]:
        """What each may lose: its gain, and no more than its equity; 0 or more."""
        return [
            max(0, min(gain_q, equity_q))
            for gain_q, equity_q in zip(self.gains_q, self.equities_q, strict=True)
        ]


def affordable_lots(sizes: list[int], most_q: list[int], lots: int, budget_q: int) -> list[int]:
    """How many lots each can give where all ``lots`` together cost ``budget_q``, and each may lose
    ``most_q``; rounded down. Lots that cost nothing are bounded by size alone."""
    if budget_q <= 0:
        return list(sizes)
    return [min(size, most * lots // budget_q) for size, most in zip(sizes, most_q, strict=True)]


def proportional(weights: list[int], caps: list[int], lots: int) -> list[int]:
    """``lots`` in proportion to weights, up to the caps; whoever is at a cap leaves the rest to the
    others. Where the caps of those with a weight do not suffice, less is shared out."""
    fill = _Fill(weights, caps, lots)
    shares = fill.floors()
    by_rest = sorted(
        fill.below, key=lambda place: (-(fill.lots * weights[place] % fill.weight), place)
    )
    for place in by_rest[: fill.lots - sum(shares[place] for place in fill.below)]:
        shares[place] += 1
    return shares


class _Fill:
    """Filling in proportion to weights: who is at its cap, and what the others share.

    `below` are the places that do not reach their caps; `lots` go to them, `weight` is their sum.
    """

    __slots__ = ("_at_cap", "_weights", "below", "lots", "weight")

    def __init__(self, weights: list[int], caps: list[int], lots: int) -> None:
        places = [place for place, weight in enumerate(weights) if weight > 0 and caps[place] > 0]

        def sooner(one: int, other: int) -> int:
            """Who reaches its cap first: the smaller of cap over weight."""
            left = caps[one] * weights[other]
            right = caps[other] * weights[one]
            return (left > right) - (left < right)

        places.sort(key=cmp_to_key(sooner))
        self._weights = weights
        self._at_cap = [0] * len(weights)
        self.lots = min(lots, sum(caps[place] for place in places))
        self.weight = sum(weights[place] for place in places)
        self.below: list[int] = []
        for at, place in enumerate(places):
            if self.lots * weights[place] < caps[place] * self.weight:
                self.below = places[at:]
                break
            self._at_cap[place] = caps[place]
            self.lots -= caps[place]
            self.weight -= weights[place]

    def floors(self) -> list[int]:
        """Every share rounded down."""
        shares = list(self._at_cap)
        for place in self.below:
            shares[place] = self.lots * self._weights[place] // self.weight
        return shares


def leverage_level(sizes: list[int], equities_q: list[int], lots: int) -> tuple[int, int]:
    """The leverage ``L``, in lots over quanta of equity as numerator and denominator, at which
    ``sum max(0, size - L x equity) = lots``.

    Whoever has no equity gives all first. ``lots`` is at most the sum of the sizes; (1, 0) means
    that those without equity suffice.
    """
    places = [place for place, equity_q in enumerate(equities_q) if equity_q > 0]
    open_lots = lots - sum(
        size for size, equity_q in zip(sizes, equities_q, strict=True) if equity_q <= 0
    )
    if open_lots <= 0 or not places:
        return 1, 0

    def higher(one: int, other: int) -> int:
        """Who has the higher leverage."""
        left = sizes[one] * equities_q[other]
        right = sizes[other] * equities_q[one]
        return (left < right) - (left > right)

    places.sort(key=cmp_to_key(higher))
    size = equity_q = 0
    for place in places:
        # At the level that takes the lots from those so far, the next has nothing to give.
        if equity_q and (size - open_lots) * equities_q[place] >= sizes[place] * equity_q:
            break
        size += sizes[place]
        equity_q += equities_q[place]
    return size - open_lots, equity_q


def level_leverage(sizes: list[int], equities_q: list[int], lots: int) -> list[int]:
    """What each gives for the highest leverage to come down to one level (`leverage_level`).

    Rounded down, the rest by largest remainder.
    """
    lots = min(lots, sum(sizes))
    level, per_q = leverage_level(sizes, equities_q, lots)
    if not per_q:
        without = [
            size if equity_q <= 0 else 0 for size, equity_q in zip(sizes, equities_q, strict=True)
        ]
        return proportional(without, without, lots)
    # In parts of a lot: per_q of them are one.
    parts = [
        max(0, size * per_q - level * max(0, equity_q))
        for size, equity_q in zip(sizes, equities_q, strict=True)
    ]
    shares = [part // per_q for part in parts]
    places = [place for place, part in enumerate(parts) if part % per_q]
    places.sort(key=lambda place: (-(parts[place] % per_q), place))
    for place in places[: lots - sum(shares)]:
        shares[place] += 1
    return shares


def least_worst(sizes: list[int], equities_q: list[int], lots: int) -> list[int]:
    """Whole lots for which the largest share of equity that anyone gives is as small as can be:
    no ``shares`` with this sum have a smaller largest ``share / equity``.

    Whoever has no equity gives nothing.
    """
    caps = [size if equity_q > 0 else 0 for size, equity_q in zip(sizes, equities_q, strict=True)]
    lots = min(lots, sum(caps))
    # Rounded down, the fractional optimum burdens nobody more; the rest one by one, cheapest first.
    shares = _Fill(equities_q, caps, lots).floors()
    waiting = [
        _Next(shares[place], equities_q[place], place)
        for place, cap in enumerate(caps)
        if shares[place] < cap
    ]
    heapify(waiting)
    for _ in range(lots - sum(shares)):
        place = heappop(waiting).place
        shares[place] += 1
        if shares[place] < caps[place]:
            heappush(waiting, _Next(shares[place], equities_q[place], place))
    return shares


class _Next:
    """What one more lot would be of an account's equity: ``(lots + 1) / equity``."""

    __slots__ = ("equity_q", "lots", "place")

    def __init__(self, lots: int, equity_q: int, place: int) -> None:
        self.lots = lots
        self.equity_q = equity_q
        self.place = place

    def __lt__(self, other: "_Next") -> bool:
        left = (self.lots + 1) * other.equity_q
        right = (other.lots + 1) * self.equity_q
        return left < right or (left == right and self.place < other.place)
