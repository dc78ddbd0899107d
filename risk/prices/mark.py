"""The mark: the price margin is computed with, hard to move by one trade or one empty side.

Formulas are pure; `MarkPrice` keeps the sample window of the mid's basis. Each way to make a mark
is one file in ``risk/marks``.
"""

from typing import Final

from engine.native import mypyc_attr
from engine.units import PPB, Rate, scale_down
from risk.registry import Figure, Mechanism, Registry
from risk.rulebook import MarkRule


def funding_basis_price_ticks(
    index_ticks: int, funding_rate_ppb: int, ns_to_funding: int, funding_interval_ns: int
) -> int:
    """``index x (1 + rate x time to funding / interval)``, rounded down to a tick.

    What a contract is worth against its index when the next funding is still to be paid. With no
    funding (interval 0) it is the index. Source: mark price pages of Binance, Bybit, BitMEX and
    Bitget.
    """
    if funding_interval_ns == 0 or funding_rate_ppb == 0:
        return index_ticks
    # What is added is rounded down; twice in a row is the same as once by the product.
    paid = scale_down(index_ticks * funding_rate_ppb, ns_to_funding, funding_interval_ns)
    return index_ticks + paid // PPB


def average_basis_price_ticks(index_ticks: int, twice_basis_sum: int, samples: int) -> int:
    """``index + mean((bid + ask) / 2 - index)`` over the samples, rounded down to a tick.

    The sum holds twice each basis, so half ticks stay exact. Without samples it is the index.
    Source: mark price pages of Binance (30 samples, 5 s apart) and Bybit.
    """
    if samples == 0:
        return index_ticks
    # Rounded down.
    return index_ticks + twice_basis_sum // (2 * samples)


def mark_price_ticks(funding_price_ticks: int, average_price_ticks: int, last_ticks: int) -> int:
    """Median of the three candidates: moving one of them does not move the mark.

    Source: mark price pages of Binance and Bybit.
    """
    low_ticks = min(funding_price_ticks, average_price_ticks)
    high_ticks = max(funding_price_ticks, average_price_ticks)
    return max(low_ticks, min(high_ticks, last_ticks))


class MarkInputs:
    """What a mark can be made of, at one moment; prices are ticks, 0 while unknown.

    ``twice_basis_sum`` is the sum of ``bid + ask - 2 x index`` over the ``samples`` in the window.
    ``others_ticks`` is the price of other venues' contracts, as far as sources report one.
    """

    __slots__ = (
        "ask_ticks",
        "bid_ticks",
        "funding_interval_ns",
        "funding_rate_ppb",
        "index_ticks",
        "last_ticks",
        "ns_to_funding",
        "others_ticks",
        "samples",
        "time_ns",
        "twice_basis_sum",
    )

    def __init__(self) -> None:
        self.time_ns: int = 0
        self.index_ticks: int = 0
        self.last_ticks: int = 0
        self.bid_ticks: int = 0
        self.ask_ticks: int = 0
        self.others_ticks: int = 0
        self.funding_rate_ppb: int = 0
        self.ns_to_funding: int = 0
        self.funding_interval_ns: int = 0
        self.twice_basis_sum: int = 0
        self.samples: int = 0


@mypyc_attr(allow_interpreted_subclasses=True)
class MarkFormula:
    """One instrument's mark by one method, with what it remembers."""

    __slots__ = ()

    def price_ticks(self, inputs: MarkInputs) -> int:
        """The mark before its distance from the index is bounded; the index is known."""
        raise NotImplementedError

    def sample(
        self, time_ns: int, bid_ticks: int, ask_ticks: int, index_ticks: int, last_ticks: int
    ) -> None:
        """A sample is taken: both sides of the book and the index are known, last perhaps not."""

    def state(self) -> list[int]:
        """What it remembers, for hashes and snapshots."""
        return []

    def restore(self, state: list[int]) -> None:
        """Take over what `state` returned."""


@mypyc_attr(allow_interpreted_subclasses=True)
class MarkMethod(Mechanism):
    """A way to make a mark, by name. ``weighs``: it takes prices of other venues' contracts, by the
    rulebook's weights. ``samples``: it takes samples of the basis."""

    __slots__ = ("samples", "weighs")

    def __init__(
        self,
        name: str,
        figures: tuple[Figure, ...] = (),
        weighs: bool = False,
        samples: bool = True,
        words: str = "",
    ) -> None:
        super().__init__(name, figures, words)
        self.weighs: Final[bool] = weighs
        self.samples: Final[bool] = samples

    def build(self, rule: MarkRule) -> MarkFormula:
        """The formula of one instrument."""
        raise NotImplementedError


MARK_METHODS: Final[Registry[MarkMethod]] = Registry("mark.method", "risk.marks")


class MarkPrice:
    """Mark of one instrument, in ticks, with the moving average of the mid's basis."""

    __slots__ = (
        "_formula",
        "_inputs",
        "_interval_ns",
        "_known_ticks",
        "_method",
        "_most_above",
        "_most_below",
        "_next",
        "_sampled_ns",
        "_samples",
        "_twice_basis",
        "_twice_basis_sum",
        "_window_ns",
    )

    def __init__(self, rule: MarkRule) -> None:
        self._method: str = rule.method
        self._formula = MARK_METHODS.get(rule.method).build(rule)
        self._inputs = MarkInputs()
        self._most_below = Rate(PPB - rule.max_distance_ppb if rule.max_distance_ppb else 0)
        self._most_above = Rate(PPB + rule.max_distance_ppb if rule.max_distance_ppb else 0)
        self._samples: int = rule.basis_samples
        self._interval_ns: int = rule.basis_interval_ns
        self._window_ns: int = rule.basis_samples * rule.basis_interval_ns
        self._twice_basis: list[int] = []
        self._twice_basis_sum: int = 0
        self._next: int = 0
        self._sampled_ns: int = -1
        self._known_ticks: int = 0

    def sample(
        self,
        time_ns: int,
        bid_ticks: int,
        ask_ticks: int,
        index_ticks: int,
        last_ticks: int = 0,
    ) -> None:
        """Offer the book's top at a clock tick; taken at most once per ``basis_interval_ns``.

        Not taken while a side is empty (0), the index unknown (0) or the book crossed (auction).
        """
        if bid_ticks <= 0 or ask_ticks < bid_ticks or index_ticks <= 0:
            return
        if self._sampled_ns >= 0 and time_ns - self._sampled_ns < self._interval_ns:
            return
        if self._expired(time_ns):
            self._twice_basis = []
            self._twice_basis_sum = 0
            self._next = 0
        self._sampled_ns = time_ns
        self._formula.sample(time_ns, bid_ticks, ask_ticks, index_ticks, last_ticks)
        twice_basis = bid_ticks + ask_ticks - 2 * index_ticks
        self._twice_basis_sum += twice_basis
        if len(self._twice_basis) < self._samples:
            self._twice_basis.append(twice_basis)
            return
        self._twice_basis_sum -= self._twice_basis[self._next]
        self._twice_basis[self._next] = twice_basis
        self._next = (self._next + 1) % len(self._twice_basis)

    def value(
        self,
        time_ns: int,
        index_ticks: int,
        last_ticks: int,
        funding_rate_ppb: int,
        ns_to_funding: int,
        funding_interval_ns: int,
        bid_ticks: int = 0,
        ask_ticks: int = 0,
        others_ticks: int = 0,
    ) -> int:
        """The mark; 0 only while neither index nor last price was ever known, else at least 1.

        Unknown inputs are 0. Without an index the last price serves, without either the mark
        stays; what a method does without the rest is said where it is.
        While there is an index the mark stays within the rule's distance of it, whatever the book
        and the last trade say; the bound is rounded towards the index.
        """
        if index_ticks <= 0:
            ticks = last_ticks
        else:
            inputs = self._inputs
            inputs.time_ns = time_ns
            inputs.index_ticks = index_ticks
            inputs.last_ticks = last_ticks
            inputs.bid_ticks = bid_ticks
            inputs.ask_ticks = ask_ticks
            inputs.others_ticks = others_ticks
            inputs.funding_rate_ppb = funding_rate_ppb
            inputs.ns_to_funding = ns_to_funding
            inputs.funding_interval_ns = funding_interval_ns
            inputs.twice_basis_sum = self._twice_basis_sum
            inputs.samples = 0 if self._expired(time_ns) else len(self._twice_basis)
            ticks = self._formula.price_ticks(inputs)
            if self._most_above.ppb:
                ticks = max(ticks, self._most_below.up(index_ticks))
                ticks = min(ticks, self._most_above.down(index_ticks))
        if ticks > 0:
            self._known_ticks = ticks
        return self._known_ticks

    def state(self) -> list[list[int]]:
        """Canonical form for hashes and snapshots: the samples, oldest first, then the rest."""
        ring = self._twice_basis[self._next :] + self._twice_basis[: self._next]
        state = [ring, [self._sampled_ns, self._known_ticks]]
        remembered = self._formula.state()
        return [*state, remembered] if remembered else state

    def restore(self, state: list[list[int]]) -> None:
        """Take over what `state` returned."""
        self._twice_basis = list(state[0])
        self._twice_basis_sum = sum(self._twice_basis)
        self._next = 0
        self._sampled_ns, self._known_ticks = state[1]
        if len(state) > 2:
            self._formula.restore(state[2])

    def take_over(self, before: "MarkPrice") -> None:
        """Go on from the mark under the rules before; a formula's memory only if it is the same."""
        state = before.state()
        self.restore(state if before._method == self._method else state[:2])

    def _expired(self, time_ns: int) -> bool:
        return time_ns - self._sampled_ns > self._window_ns
