"""The mark is the last price of a trade."""

from risk.prices.mark import MARK_METHODS, MarkFormula, MarkInputs, MarkMethod
from risk.rulebook import MarkRule


class LastMark(MarkFormula):
    """The last price; the index until there was a trade."""

    __slots__ = ()

    def price_ticks(self, inputs: MarkInputs) -> int:
        """The last price, or the index."""
        return inputs.last_ticks if inputs.last_ticks > 0 else inputs.index_ticks


class Last(MarkMethod):
    """Last price alone."""

    __slots__ = ()

    def build(self, rule: MarkRule) -> MarkFormula:
        """Without memory."""
        return LastMark()


MARK_METHODS.add(Last("last", samples=False, words="last price"))
