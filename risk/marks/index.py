"""The mark is the index."""

from risk.prices.mark import MARK_METHODS, MarkFormula, MarkInputs, MarkMethod
from risk.rulebook import MarkRule


class IndexMark(MarkFormula):
    """The index, whatever the book says."""

    __slots__ = ()

    def price_ticks(self, inputs: MarkInputs) -> int:
        """The index."""
        return inputs.index_ticks


class Index(MarkMethod):
    """Index price alone."""

    __slots__ = ()

    def build(self, rule: MarkRule) -> MarkFormula:
        """Without memory."""
        return IndexMark()


MARK_METHODS.add(Index("index", samples=False, words="index"))
