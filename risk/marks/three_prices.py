"""The mark is the median of index with averaged basis, own book, other venues (Hyperliquid)."""

from risk.exponential_average import ExponentialAverage
from risk.prices.index_price import median_ticks
from risk.prices.mark import MARK_METHODS, MarkFormula, MarkInputs, MarkMethod
from risk.registry import DURATION, Figure
from risk.rulebook import MarkRule


def book_price_ticks(bid_ticks: int, ask_ticks: int, last_ticks: int) -> int:
    """Median of best bid, best ask and last price; 0 while a side is empty or the book crossed.

    Without a last price it is the middle, rounded down.
    """
    if bid_ticks <= 0 or ask_ticks < bid_ticks:
        return 0
    known = [bid_ticks, ask_ticks, last_ticks] if last_ticks > 0 else [bid_ticks, ask_ticks]
    return median_ticks(known)


def three_prices_ticks(
    basis_price_ticks: int, book_ticks: int, others_ticks: int, averaged_book_ticks: int
) -> int:
    """Median of the three that exist (0: does not); of exactly two the averaged book joins.

    Rounded down where two are left. Source: hyperliquid.gitbook.io, robust price indices.
    """
    known = [basis_price_ticks]
    if book_ticks > 0:
        known.append(book_ticks)
    if others_ticks > 0:
        known.append(others_ticks)
    if len(known) == 2 and averaged_book_ticks > 0:
        known.append(averaged_book_ticks)
    return median_ticks(known)


class ThreePricesMark(MarkFormula):
    """The averages of basis and book; prices of other venues come with the inputs."""

    __slots__ = ("_book", "_twice_basis")

    def __init__(self, basis_tau_ns: int, book_tau_ns: int) -> None:
        self._twice_basis = ExponentialAverage(basis_tau_ns)
        self._book = ExponentialAverage(book_tau_ns)

    def sample(
        self, time_ns: int, bid_ticks: int, ask_ticks: int, index_ticks: int, last_ticks: int
    ) -> None:
        """Twice the basis, so that half ticks stay exact, and the book's own price."""
        self._twice_basis.add(time_ns, bid_ticks + ask_ticks - 2 * index_ticks)
        self._book.add(time_ns, book_price_ticks(bid_ticks, ask_ticks, last_ticks))

    def price_ticks(self, inputs: MarkInputs) -> int:
        """Averages are rounded down to a tick; without a sample in the window the basis is
        nothing and there is no averaged book."""
        basis_price = inputs.index_ticks
        averaged_book = 0
        if inputs.samples:
            basis_price = max(1, basis_price + self._twice_basis.value() // 2)
            averaged_book = self._book.value()
        book = book_price_ticks(inputs.bid_ticks, inputs.ask_ticks, inputs.last_ticks)
        return three_prices_ticks(basis_price, book, inputs.others_ticks, averaged_book)

    def state(self) -> list[int]:
        """Both averages, one after the other."""
        return [*self._twice_basis.state(), *self._book.state()]

    def restore(self, state: list[int]) -> None:
        """Take over what `state` returned."""
        half = len(state) // 2  # two averages of equal length
        self._twice_basis.restore(state[:half])
        self._book.restore(state[half:])


class ThreePrices(MarkMethod):
    """Median of index with averaged basis, of bid, ask and last, and of other venues' prices."""

    __slots__ = ()

    def build(self, rule: MarkRule) -> MarkFormula:
        """``basis_average_s`` and ``book_average_s``: the time in which a sample fades to 1/e."""
        basis_tau_ns, book_tau_ns = self.values(rule.params)
        return ThreePricesMark(basis_tau_ns, book_tau_ns)


MARK_METHODS.add(
    ThreePrices(
        "three_prices",
        (
            Figure("basis_average_s", DURATION, above="0", most="86400"),
            Figure("book_average_s", DURATION, above="0", most="86400"),
        ),
        weighs=True,
        words="median of the index with its averaged basis, of bid, ask and last, and of "
        "other venues' prices",
    )
)
