"""Market makers: ladders around fair value that widen and shrink as they get worse to hold.

Nothing in here is a threshold. A maker's sizes fall with the volatility it sees, with its inventory
and with the capital it has lost: who lost half quotes half, who lost all nothing. What returns does
so by each maker's own half-life, so makers neither leave nor come back together. A firm may quote
in several books from one account: what it holds or loses in one makes it smaller in all.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from engine.events import CommandRejected, LiquidationEnded, LiquidationStarted
from engine.reasons import Reason
from seawall.agents.base import Agent, wait_ns
from seawall.agents.holding import Holding
from seawall.agents.plans import MarketMakerPlan
from seawall.agents.quotes import Quotes
from seawall.agents.view import Desk, MarketView

_TOO_LARGE = (
    Reason.INSUFFICIENT_MARGIN,
    Reason.LEVERAGE_ABOVE_MAXIMUM,
    Reason.NOTIONAL_ABOVE_MAXIMUM,
)


class MarketMaker(Agent):
    """One firm: an account, its capital, and its quotes in one or several books.

    ``further`` are the books after the first, each with the firm's figures for that contract. The
    capital of all of them is one.
    """

    __slots__ = ("_first_ticks", "books", "plan")

    def __init__(
        self,
        plan: MarketMakerPlan,
        name: str,
        account_id: int,
        view: MarketView,
        rng: random.Random,
        further: Sequence[tuple[MarketMakerPlan, MarketView]] = (),
    ) -> None:
        capital = plan.capital + sum(other.capital for other, _ in further)
        super().__init__(name, account_id, view, rng, capital, plan.leverage)
        self.plan = plan
        self.books = [Quotes(plan, self, rng, capital)]
        self.books += [Quotes(other, Holding(seen), rng, capital) for other, seen in further]
        self._first_ticks = 0

    def largest_order(self) -> float:
        """As every agent; never more than its plan has it trade at once."""
        return super().largest_order() if self.plan.size > 0 else 0.0

    def markets(self) -> list[tuple[MarketView, int]]:
        """The markets it quotes in, and the leverage there."""
        return [(book.view, book.leverage) for book in self.books]

    def prepare(self, first_ticks: Mapping[int, int]) -> None:
        """Take no more leverage than the margin tables are worth."""
        for book in self.books:
            book.choose_leverage(first_ticks[book.view.instrument_id])
        self.leverage = self.books[0].leverage
        self._first_ticks = first_ticks[self.view.instrument_id]

    def wake(self, desk: Desk) -> int:
        """Requote where there is a price."""
        refresh_ns = self.plan.refresh_ns
        following = desk.now_ns + refresh_ns // 2 + wait_ns(self.rng, refresh_ns / 2)
        if self.locked or self.view.index_ticks <= 0:
            return following
        funds = self._funds()
        worth = max(0.0, funds + self.profit())
        for book in self.books:
            if book.view.index_ticks > 0:
                book.look(desk.now_ns, min(1.0, worth / funds))
        # what is lost of the limit was used up as well, so nothing divides by nothing
        limit = self.plan.inventory_limit * max(worth, 1e-9 * funds)
        full = sum(abs(book.holding.exposure()) for book in self.books) / limit
        free = max(0.0, worth - sum(book.margin() for book in self.books))
        for book in self.books:
            if book.view.index_ticks > 0:
                book.requote(desk, self.account_id, limit, full, free)
        return following

    def _funds(self) -> float:
        """What was paid in, in quote currency: coins are worth what they are now."""
        if not self.view.inverse or not self._first_ticks:
            return self.capital
        return self.capital * self.view.price() / self._first_ticks

    def profit(self) -> float:
        """As every agent, over all books."""
        return super().profit() + sum(book.holding.profit() for book in self.books[1:])

    def on_event(self, event: Any) -> None:
        """As every agent, in the book it is about; what the venue finds too large is quoted
        smaller."""
        kind = type(event)
        if kind is CommandRejected:
            for book in self.books:
                book.holding.answered(event.order_id)
                if event.reason in _TOO_LARGE:
                    book.refused()
        elif len(self.books) == 1 or kind is LiquidationStarted or kind is LiquidationEnded:
            super().on_event(event)
        else:
            instrument_id = getattr(event, "instrument_id", -1)
            if instrument_id == self.view.instrument_id:
                super().on_event(event)
            for book in self.books[1:]:
                if instrument_id == book.view.instrument_id:
                    book.holding.on_event(event)

    def adopt(self, positions: Mapping[int, int]) -> None:
        """As every agent, in all books."""
        super().adopt(positions)
        for book in self.books[1:]:
            book.holding.adopt(positions)

    def state(self) -> list[Any]:
        """As every agent, what it holds in further books, and what it thinks of each."""
        holdings = [book.holding.holding_state() for book in self.books[1:]]
        return [super().state(), holdings, [book.state() for book in self.books]]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        common, holdings, quotes = state
        super().restore(common)
        for book, row in zip(self.books[1:], holdings, strict=True):
            book.holding.restore_holding(row)
        for book, row in zip(self.books, quotes, strict=True):
            book.restore(row)
