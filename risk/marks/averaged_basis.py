"""The mark is the index plus the exponential average of the basis (Deribit, Kraken Futures)."""

from risk.exponential_average import ExponentialAverage
from risk.prices.mark import MARK_METHODS, MarkFormula, MarkInputs, MarkMethod
from risk.registry import DURATION, Figure
from risk.rulebook import MarkRule


class AveragedBasisMark(MarkFormula):
    """``index + average of (mid - index)``, without last price or funding.

    While the samples' window is empty (a side of the book was) it is the index.
    """

    __slots__ = ("_twice_basis",)

    def __init__(self, tau_ns: int) -> None:
        self._twice_basis = ExponentialAverage(tau_ns)

    def sample(
        self, time_ns: int, bid_ticks: int, ask_ticks: int, index_ticks: int, last_ticks: int
    ) -> None:
        """Twice the basis, so that half ticks stay exact."""
        self._twice_basis.add(time_ns, bid_ticks + ask_ticks - 2 * index_ticks)

    def price_ticks(self, inputs: MarkInputs) -> int:
        """Rounded down to a tick, at least one."""
        if not inputs.samples:
            return inputs.index_ticks
        return max(1, inputs.index_ticks + self._twice_basis.value() // 2)

    def state(self) -> list[int]:
        """The average."""
        return self._twice_basis.state()

    def restore(self, state: list[int]) -> None:
        """Take over what `state` returned."""
        self._twice_basis.restore(state)


class AveragedBasis(MarkMethod):
    """Index plus the exponential average of the basis."""

    __slots__ = ()

    def build(self, rule: MarkRule) -> MarkFormula:
        """``average_s`` is the time in which a sample fades to 1/e."""
        (tau_ns,) = self.values(rule.params)
        return AveragedBasisMark(tau_ns)


MARK_METHODS.add(
    AveragedBasis(
        "averaged_basis",
        (Figure("average_s", DURATION, above="0", most="86400"),),
        words="index plus the exponential average of the mid's distance from it",
    )
)
