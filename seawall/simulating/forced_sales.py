"""What a contract's forced trades do to the spot markets of its index.

A liquidation order moves the contract; who buys from it sells in the spot market, and others sell
what they see falling. So a stated share of the move is felt there, and decays. What the contract
was moved by is the sum of the moves of its forced trades, sales and purchases against each other,
as far as the contract really is away from its path: prices that were made up for in between count
once.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

from engine.events import Trade
from seawall.index_path import ForcedSalesPlan, IndexTick
from seawall.index_steps import toward


class ForcedSales:
    """Hears the trades of one contract and answers what its sources print. ``max_step`` is the cap
    on an index's steps, which these moves keep too."""

    def __init__(self, plan: ForcedSalesPlan, instrument_id: int, max_step: float | None) -> None:
        self._plan = plan
        self.instrument_id = instrument_id
        self._max_step = max_step
        self._impact = 0.0
        self._seen_ns = 0
        self._last_ticks = 0
        self._path_ticks = 0
        self._sent: dict[int, int] = {}

    @property
    def impact(self) -> float:
        """By how much forced trades have moved the contract, as a log return, decayed until the
        last trade or print."""
        return self._impact

    @property
    def path_ticks(self) -> int:
        """What was printed last but for what was felt, in ticks; 0 before the first print."""
        return self._path_ticks

    def trade(self, event: Trade, index_ticks: int) -> None:
        """A trade of any contract; the index of that moment does not matter."""
        if event.instrument_id != self.instrument_id:
            return
        before, self._last_ticks = self._last_ticks, event.price_ticks
        if not event.liquidation or not before or not self._path_ticks:
            return
        move = math.log(event.price_ticks / before)
        if move * event.taker_side <= 0:
            return
        self._decay(event.time_ns)
        gap = math.log(event.price_ticks / self._path_ticks)
        moved = self._impact + move
        if move < 0:
            self._impact = min(self._impact, max(moved, min(0.0, gap)))
        else:
            self._impact = max(self._impact, min(moved, max(0.0, gap)))

    def felt(self, point: IndexTick) -> int:
        """What a source prints in the place of its path's price, in ticks."""
        self._decay(point.time_ns)
        self._path_ticks = point.price_ticks
        price = max(1, round(point.price_ticks * math.exp(self._plan.share * self._impact)))
        sent = self._sent.get(point.source_id)
        if sent is not None and self._max_step is not None:
            price = toward(sent, price, self._max_step)
        self._sent[point.source_id] = price
        return price

    def _decay(self, now_ns: int) -> None:
        self._impact *= 0.5 ** ((now_ns - self._seen_ns) / self._plan.half_life_ns)
        self._seen_ns = now_ns

    def state(self) -> list[Any]:
        """What was heard so far."""
        sent = list(self._sent.items())
        return [self._impact, self._seen_ns, self._last_ticks, self._path_ticks, sent]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self._impact, self._seen_ns, self._last_ticks, self._path_ticks, sent = state
        self._sent = dict(sent)


class AgainstPaths:
    """Tells ``hear`` of trades and the index before each. An index that feels its contract would
    follow it anywhere, so there it is what the path printed."""

    def __init__(self, hear: Callable[[Trade, int], None], felt: Iterable[ForcedSales]) -> None:
        self._hear = hear
        self._felt = {each.instrument_id: each for each in felt}

    def trade(self, event: Trade, index_ticks: int) -> None:
        """A trade, and the index before it (0: none yet)."""
        felt = self._felt.get(event.instrument_id)
        self._hear(event, index_ticks if felt is None or not index_ticks else felt.path_ticks)
