"""What everybody sees of a market, as fields of an observation."""

import math
from typing import Final

from engine.commands import BUY, SELL
from engine.units import PPB
from seawall.agents.view import MarketView
from seawall.environments.episode import Episode
from seawall.environments.fields import Field

LEVELS: Final[int] = 5
"""How many prices of each side of the book are seen."""

MARKET_FIELDS: Final[tuple[Field, ...]] = (
    Field("time_left", 0, 1, "share of the window that is left"),
    Field("mark_change", -3, 3, "log of the mark over that at the beginning"),
    Field("index_change", -3, 3, "log of the index over that at the beginning"),
    Field("basis", -1, 1, "mark over index, less 1"),
    Field("last_basis", -1, 1, "last price over mark, less 1"),
    Field("change_10s", -1, 1, "log return of the mid price over 10 s"),
    Field("change_60s", -1, 1, "log return of the mid price over 60 s"),
    Field("volatility", 0, 1, "of the mid price, per root minute"),
    Field("spread", 0, 1, "best ask less best bid, over the mid; 1 with a side empty"),
    Field("funding", -1, 1, "funding rate so far, in per cent"),
    Field("open_interest", 0, 10, "over that at the beginning"),
)

BOOK_FIELDS: Final[tuple[Field, ...]] = tuple(
    field
    for side in ("bid", "ask")
    for level in range(1, LEVELS + 1)
    for field in (
        Field(f"{side}_{level}", 0, 1, "distance from the mark as a share; 1 where there is none"),
        Field(f"{side}_{level}_size", 0, 100, "size over the seat's unit of size"),
    )
)


class MarketLook:
    """Looks at a market; ``unit_lots`` is what sizes in the book are counted in."""

    def __init__(self, episode: Episode, view: MarketView, unit_lots: int) -> None:
        self._episode = episode
        self._view = view
        self._unit_lots = max(1, unit_lots)
        self._mark = max(1, view.mark_ticks)
        self._index = max(1, view.index_ticks)
        self._open_interest = max(1, view.open_interest_lots)

    def market(self) -> dict[str, float]:
        """Values of `MARKET_FIELDS`."""
        view, plan = self._view, self._episode.scenario.time
        mark, index = max(1, view.mark_ticks), max(1, view.index_ticks)
        bid, ask = view.best_bid(), view.best_ask()
        left_ns = plan.end_ns - self._episode.time_ns
        premium = self._episode.exchange.listing(view.instrument_id).premium
        return {
            "time_left": left_ns / (plan.end_ns - plan.start_ns),
            "mark_change": math.log(mark / self._mark),
            "index_change": math.log(index / self._index),
            "basis": mark / index - 1,
            "last_basis": (view.last_ticks or mark) / mark - 1,
            "change_10s": view.change(10),
            "change_60s": view.change(60),
            "volatility": view.volatility * math.sqrt(60),
            "spread": (ask - bid) / view.mid() if bid and ask else 1.0,
            "funding": premium.rate_ppb() / PPB * 100,
            "open_interest": view.open_interest_lots / self._open_interest,
        }

    def book(self) -> dict[str, float]:
        """Values of `BOOK_FIELDS`."""
        book = self._episode.exchange.book(self._view.instrument_id)
        mark = max(1, self._view.mark_ticks)
        values: dict[str, float] = {}
        for name, side in (("bid", BUY), ("ask", SELL)):
            rows = [(price, lots) for price, lots, _ in book.depth(side, LEVELS)]
            rows += [(0, 0)] * (LEVELS - len(rows))
            for level, (price, lots) in enumerate(rows, 1):
                values[f"{name}_{level}"] = abs(price / mark - 1) if price else 1.0
                values[f"{name}_{level}_size"] = lots / self._unit_lots
        return values
