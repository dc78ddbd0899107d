"""The account of an arbitrage desk at a spot venue, as the desk itself keeps it.

There is no spot market in the simulation: the desk trades at the index, at a cost, and moves
nothing by it. What it gains here came from nobody of the exchange, and no such money is on the
exchange before a transfer brings it there.
"""

import math
from typing import Any, Final

from engine.units import MINUTE_NS

_REMEMBERED_NS: Final[int] = MINUTE_NS
"""What the desk traded so long ago weighs on the price by a factor e less than what it trades now:
a market made of orders that come anew takes about as long to forget."""


class SpotAccount:
    """Cash in quote currency and coins, borrowed where below zero; ``paid_in`` is the cash that
    did not come from trading.

    Coins are counted so that one is worth the index in ticks. A position binds its value divided by
    ``leverage``. Trading costs ``spread``, a share, and what the market moves by it: one standard
    deviation over the time in which the market trades as much as the desk did lately, the square
    root law of impact (Almgren et al. 2005, Risk 18; Toth et al. 2011, Phys. Rev. X 1). At the
    ``usual`` volatility, per root second, the market trades ``clip`` in ``clip_ns``, and as many
    times more as it is more volatile (Karpoff 1987, J. Financ. Quant. Anal. 22): so the impact
    grows with the root of volatility.
    """

    __slots__ = (
        "_clip_seconds",
        "_leverage",
        "_seen_ns",
        "_spread",
        "_traded",
        "_usual",
        "cash",
        "coins",
        "costs",
        "paid_in",
    )

    def __init__(
        self,
        cash: float,
        leverage: int,
        spread: float,
        clip: float,
        clip_ns: int,
        usual: float,
    ) -> None:
        self.cash = cash
        self.coins = 0.0
        self.costs = 0.0
        self.paid_in = cash
        self._leverage = leverage
        self._spread = spread
        self._usual = usual
        self._clip_seconds = clip_ns / 1e9 / clip if clip > 0 else 0.0
        self._traded = 0.0
        self._seen_ns = 0

    def pay_in(self, amount: float) -> None:
        """Take in what came by a transfer, or pay out where below zero."""
        self.cash += amount
        self.paid_in += amount

    def equity(self, index_ticks: float) -> float:
        """Cash and coins, in quote currency."""
        return self.cash + self.coins * index_ticks

    def bound(self, index_ticks: float) -> float:
        """What the position binds of the equity."""
        return abs(self.coins) * index_ticks / self._leverage

    def most(self, index_ticks: float) -> float:
        """The value of the largest position the equity lets it open, whichever way."""
        return max(0.0, self.equity(index_ticks)) * self._leverage

    def cost(self, amount: float, volatility: float, now_ns: int) -> float:
        """What trading ``amount`` of quote currency costs now, as a share of it."""
        faded = math.exp((self._seen_ns - now_ns) / _REMEMBERED_NS)
        seconds = (self._traded * faded + amount) * self._clip_seconds
        return self._spread + math.sqrt(volatility * self._usual * seconds)

    def trade(self, coins: float, index_ticks: float, volatility: float, now_ns: int) -> None:
        """Buy coins, or sell them where below zero."""
        amount = abs(coins) * index_ticks
        paid = amount * self.cost(amount, volatility, now_ns)
        self.coins += coins
        self.cash -= coins * index_ticks + paid
        self.costs += paid
        self._traded *= math.exp((self._seen_ns - now_ns) / _REMEMBERED_NS)
        self._traded += amount
        self._seen_ns = now_ns

    def state(self) -> list[Any]:
        """What changed since it was opened."""
        return [
            self.cash,
            self.coins,
            self.costs,
            self.paid_in,
            self._traded,
            self._seen_ns,
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        (
            self.cash,
            self.coins,
            self.costs,
            self.paid_in,
            self._traded,
            self._seen_ns,
        ) = state
