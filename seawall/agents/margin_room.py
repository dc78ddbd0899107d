"""How large a position a venue's margin table lets an agent hold, and at which leverage."""

from risk.margin import build_margin_model
from risk.margin.model import MarginModel
from seawall.agents.view import MarketView


class MarginRoom:
    """The leverage, of at most the one wished for, at which ``capital`` carries the largest
    position: more leverage is worth nothing where the table allows it to small positions only.

    ``largest`` is that position in quote currency, at the price of the day it was chosen.
    """

    __slots__ = ("largest", "leverage")

    def __init__(self, view: MarketView, capital: float, wished: int, price_ticks: int) -> None:
        model = build_margin_model(view.spec.margin)
        self.leverage = wished
        largest_q = 0
        for leverage in range(wished, 0, -1):
            wanted_q = view.settle_q(capital * leverage, price_ticks)
            if wanted_q <= largest_q:
                break
            allowed_q = _allowed_q(model, leverage, wanted_q)
            if allowed_q > largest_q:
                self.leverage, largest_q = leverage, allowed_q
        self.largest = view.worth(largest_q, price_ticks)


def _allowed_q(model: MarginModel, leverage: int, wanted_q: int) -> int:
    """The largest notional up to the wanted one that the table allows at this leverage."""
    low, high = 0, min(wanted_q, model.cap_q)
    while low < high:
        middle = (low + high + 1) // 2
        if model.max_leverage(middle) >= leverage:
            low = middle
        else:
            high = middle - 1
    return low
