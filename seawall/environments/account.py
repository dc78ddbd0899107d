"""A seat with an account: its money, its margin, its orders and what they were refused for."""

from typing import Any, Final

from engine.commands import BUY, SELL
from engine.events import (
    BalanceChanged,
    CommandRejected,
    LiquidationEnded,
    LiquidationStarted,
    MarginAccountReport,
    MarginCallEnded,
    MarginCallIssued,
    OrderFilled,
)
from engine.units import MINUTE_NS, PPB
from risk.accounts import cross_account_id
from seawall.agents.base import worse
from seawall.environments.episode import Episode
from seawall.environments.fields import Field, Vector, vector_of
from seawall.environments.market_fields import BOOK_FIELDS, MARKET_FIELDS, MarketLook
from seawall.environments.seat import Seat

ACCOUNT_FIELDS: Final[tuple[Field, ...]] = (
    Field("equity", -10, 10, "equity over wealth at the beginning"),
    Field("reserve", 0, 10, "money outside of the exchange over wealth at the beginning"),
    Field("position", -10, 10, "signed size over the largest"),
    Field("unrealised", -10, 10, "unrealised profit over wealth at the beginning"),
    Field("free", -10, 10, "margin free for new orders over wealth at the beginning"),
    Field("maintenance", 0, 10, "maintenance margin over equity; liquidation begins at 1"),
    Field("distance", 0, 1, "of the mark to the liquidation price as a share; 1 without one"),
    Field("level", 0, 1, "margin level: 0 healthy, 1 in liquidation"),
    Field("call", 0, 10, "amount of the open margin call over wealth at the beginning"),
    Field("deadline", 0, 10, "minutes until the call's deadline; 10 without one"),
    Field("locked", 0, 1, "1 while it is being liquidated"),
)

SEEN: Final[tuple[Field, ...]] = (*MARKET_FIELDS, *ACCOUNT_FIELDS, *BOOK_FIELDS)
"""Fields of the observation of every seat with an account."""

_NO_DEADLINE: Final[float] = 10.0


class AccountSeat(Seat):
    """An account on the exchange and a ``reserve`` outside, both in the contract's settlement
    asset; ``largest`` is the value of the largest position. What it earns is the change of its
    wealth, equity and reserve, over that at the beginning."""

    def __init__(self, episode: Episode, name: str, reserve: float, largest: float) -> None:
        self._episode = episode
        self.agent = episode.agent(name)
        self.view = self.agent.view
        self._reserve = reserve
        self._largest = largest
        self._margin_account_id = cross_account_id(
            self.agent.account_id, self.view.spec.settle_asset_id
        )
        self._under_way_q: list[int] = []
        self._called: MarginCallIssued | None = None
        self._news = False
        self._refused: list[str] = []
        self._fills = self._fee_q = 0
        self.liquidated = False
        self.reserve_q = 0
        self.largest_lots = 0
        self.unit_q = 1

    def begin(self) -> None:
        """Count from here."""
        price = self.view.price()
        self.reserve_q = self.view.settle_q(self._reserve, price)
        self.largest_lots = max(1, self.view.lots(self._largest, price))
        if self._reserve:
            self._episode.exchange.subscribe(self._on_event)
        self.agent.take_heard()
        self._look = MarketLook(self._episode, self.view, self.largest_lots)
        self._pot = self._report()
        self._wealth_q = self.wealth_q()
        self._start_q = self.unit_q = max(1, self._wealth_q)

    def wealth_q(self) -> int:
        """Equity, reserve, and deposits on their way, in quanta of the settlement asset."""
        return self._report().equity_q + self.reserve_q + sum(self._under_way_q)

    def value_q(self) -> int:
        """Value of its position at the mark, in quanta."""
        return self._episode.exchange.margin_figures(self._margin_account_id)[2]

    def _report(self) -> MarginAccountReport:
        """The account as the exchange reports it."""
        pots = self._episode.exchange.account_report(self.agent.account_id).margin_accounts
        return next(pot for pot in pots if pot.margin_account_id == self._margin_account_id)

    # what happens to it

    def has_news(self) -> bool:
        """Whether it was called, or its liquidation began or ended."""
        self._listen()
        return self._news

    def _on_event(self, event: Any) -> None:
        """A deposit has arrived."""
        if (
            type(event) is BalanceChanged
            and event.margin_account_id == self._margin_account_id
            and event.cause == "deposit"
            and self._under_way_q
        ):
            self._under_way_q.pop(0)

    def _listen(self) -> None:
        for event in self.agent.take_heard():
            kind = type(event)
            if kind is OrderFilled:
                self._fills += 1
                self._fee_q += event.fee_q
            elif kind is CommandRejected:
                self._refused.append(event.words)
                if not event.order_id and self._under_way_q:  # it has no other command without one
                    self.reserve_q += self._under_way_q.pop(0)
            elif kind is MarginCallIssued:
                self._called, self._news = event, True
            elif kind is MarginCallEnded:
                self._called = None
            elif kind is LiquidationStarted:
                self._news = True
            elif kind is LiquidationEnded:
                self._news = True
                if not event.partial:
                    self.liquidated = self.out = True

    def earn(self) -> float:
        """Change of wealth since the last step, over ``unit_q``."""
        self._listen()
        self._news = False
        before_q, self._wealth_q = self._wealth_q, self.wealth_q()
        return (self._wealth_q - before_q) / self.unit_q

    # what it does

    def deposit(self, share: float) -> None:
        """Bring in a share of the reserve, rounded down to a quantum."""
        amount_q = min(self.reserve_q, int(self.reserve_q * share))
        if amount_q > 0:
            self.reserve_q -= amount_q
            self._under_way_q.append(amount_q)
            asset_id = self.view.spec.settle_asset_id
            self._episode.desk.deposit(self.agent.account_id, asset_id, amount_q)

    def trade_to(self, target_lots: int, slippage: float) -> None:
        """Take from the book what leads to a position, up to ``slippage`` (a share) behind the best
        price; what is not there is not traded."""
        held_lots = self.agent.position_lots
        missing_lots = target_lots - held_lots
        if missing_lots == 0:
            return
        side = BUY if missing_lots > 0 else SELL
        best_ticks = self.view.best_ask() if side == BUY else self.view.best_bid()
        if not best_ticks:
            self._refused.append(f"nothing to {'buy' if side == BUY else 'sell to'} in the book")
            return
        reduces = 0 < abs(held_lots + missing_lots) + abs(missing_lots) == abs(held_lots)
        self.agent.take(
            self._episode.desk,
            side,
            abs(missing_lots),
            worse(best_ticks, side, slippage),
            reduces,
        )

    # what it sees

    def observe(self) -> Vector:
        """Values of `SEEN`."""
        values = {**self._look.market(), **self._look.book(), **self._account()}
        return vector_of(SEEN, values)

    def _account(self) -> dict[str, float]:
        self._listen()
        pot = self._pot = self._report()
        start_q = self._start_q
        equity_q, maintenance_q = pot.equity_q, pot.maintenance_q
        levels = self._episode.exchange.risk.core.levels
        position = pot.positions[0] if pot.positions else None
        has_price = position is not None and position.distance_ppb >= 0
        called = self._called
        return {
            "equity": equity_q / start_q,
            "reserve": self.reserve_q / start_q,
            "position": self.agent.position_lots / self.largest_lots,
            "unrealised": position.unrealised_q / start_q if position else 0.0,
            "free": pot.free_q / start_q,
            "maintenance": maintenance_q / equity_q if equity_q > 0 else 10.0 * bool(position),
            "distance": position.distance_ppb / PPB if position and has_price else 1.0,
            "level": pot.level / levels.liquidate_level,
            "call": called.amount_q / start_q if called else 0.0,
            "deadline": self._deadline(called) if called else 0.0,
            "locked": float(self.agent.locked),
        }

    def _deadline(self, called: MarginCallIssued) -> float:
        if called.deadline_ns < 0:
            return _NO_DEADLINE
        return max(0, called.deadline_ns - self._episode.time_ns) / MINUTE_NS

    def info(self) -> dict[str, Any]:
        """Exact figures in quanta and lots; ``refused`` since it was asked last."""
        self._listen()
        refused, self._refused = self._refused, []
        return {
            "time_ns": self._episode.time_ns,
            "wealth_q": self._wealth_q,
            "equity_q": self._pot.equity_q,
            "reserve_q": self.reserve_q,
            "position_lots": self.agent.position_lots,
            "call_q": self._called.amount_q if self._called else 0,
            "fills": self._fills,
            "fee_q": self._fee_q,
            "liquidated": self.liquidated,
            "refused": refused,
        }
