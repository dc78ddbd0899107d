"""A trader's view of one market, and the desk where traders hand in commands.

The view is fed by public events and the book only: no agent sees another account, the index path
ahead, or anything that has not happened yet.
"""

import math
from collections import deque
from decimal import Decimal
from typing import Any, Final, Protocol

from engine.commands import (
    BUY,
    GTC,
    LIMIT,
    STOP,
    AdjustIsolatedMargin,
    AmendOrder,
    CancelAll,
    CancelOrder,
    Command,
    Deposit,
    SubmitOrder,
    SubmitTrigger,
    Withdraw,
)
from engine.instruments import INVERSE, AssetSpec, InstrumentSpec

_HISTORY: Final[int] = 900
_LARGEST_RETURN: Final[float] = 0.03
"""One tick's return counts at most this much in the volatility: a stray print is no regime."""


class Venue(Protocol):
    """What the desk needs of an exchange."""

    def send(self, command: Command) -> None:
        """Hand in a command."""

    def next_order_id(self) -> int:
        """A fresh order id."""


class SeenOrders(Protocol):
    """An order book as far as everybody sees it: `matching.book.Book`, or one heard of."""

    def best_bid_ticks(self) -> int:
        """Best bid in ticks, 0 without one."""

    def best_ask_ticks(self) -> int:
        """Best ask in ticks, 0 without one."""

    def level_lots(self, side: int, price_ticks: int) -> int:
        """Lots resting at a price, 0 if nothing does."""

    def depth(self, side: int) -> list[tuple[int, int, int]]:
        """Price in ticks, lots and orders of every price, best first."""


class MarketView:
    """One instrument as a trader sees it; volatility is per square root of a second."""

    __slots__ = (
        "_band",
        "_decay",
        "asset",
        "book",
        "history",
        "index_ticks",
        "instrument_id",
        "inverse",
        "last_ticks",
        "lot_value",
        "mark_ticks",
        "max_lots",
        "now_ns",
        "open_interest_lots",
        "spec",
        "tick_seconds",
        "volatility",
    )

    def __init__(
        self,
        spec: InstrumentSpec,
        asset: AssetSpec,
        book: SeenOrders,
        tick_ns: int,
        half_life: float = 30.0,
    ) -> None:
        self.spec = spec
        self.asset = asset
        self.book = book
        self.instrument_id = spec.instrument_id
        self.inverse = spec.kind == INVERSE
        self.max_lots = spec.max_lots or 10**9
        per_tick = Decimal(spec.unit_q) * asset.quantum
        # quote value of a lot: fixed for an inverse contract, per tick of price for a linear one
        self.lot_value = float(per_tick * spec.tick_size) if self.inverse else float(per_tick)
        self.now_ns = 0
        self.mark_ticks = 0
        self.index_ticks = 0
        self.last_ticks = 0
        self.open_interest_lots = 0
        self.tick_seconds = tick_ns / 1e9
        self.volatility = 0.0
        self.history: deque[float] = deque(maxlen=_HISTORY)
        self._band = spec.band_ppb / 1e9
        self._decay = 0.5 ** (self.tick_seconds / half_life)

    def best_bid(self) -> int:
        """Best bid in ticks, 0 without one."""
        return self.book.best_bid_ticks()

    def best_ask(self) -> int:
        """Best ask in ticks, 0 without one."""
        return self.book.best_ask_ticks()

    def queue(self, side: int) -> int:
        """Lots resting at the best price of a side, 0 without one."""
        best = self.best_bid() if side == BUY else self.best_ask()
        return self.book.level_lots(side, best) if best else 0

    def mid(self) -> float:
        """Middle of the touch; with a side missing the last price, at first the mark or index."""
        bid = self.best_bid()
        ask = self.best_ask()
        if bid and ask:
            return (bid + ask) / 2
        return float(self.last_ticks or self.mark_ticks or self.index_ticks)

    def half_spread(self) -> float:
        """Half the spread, as a share of the mid; 0 with a side missing."""
        bid = self.best_bid()
        ask = self.best_ask()
        return (ask - bid) / (ask + bid) if bid and ask else 0.0

    def price(self) -> float:
        """The last price, or the index before the first trade."""
        return float(self.last_ticks or self.index_ticks)

    def notional(self, lots: float, price_ticks: float) -> float:
        """Value of lots in the quote currency."""
        return lots * self.lot_value * (1.0 if self.inverse else price_ticks)

    def lots(self, notional: float, price_ticks: float) -> int:
        """Whole lots worth at most ``notional`` of the quote currency."""
        if price_ticks <= 0:
            return 0
        return int(notional / (self.lot_value * (1.0 if self.inverse else price_ticks)))

    def settle_q(self, amount: float, price_ticks: float) -> int:
        """Quanta of the settlement asset worth ``amount`` of the quote currency (rounded down)."""
        coins = amount / (price_ticks * float(self.spec.tick_size)) if self.inverse else amount
        return int(coins * 10.0**self.asset.decimals)

    def worth(self, amount_q: int, price_ticks: float) -> float:
        """Value of quanta of the settlement asset in the quote currency."""
        amount = amount_q / 10.0**self.asset.decimals
        return amount * price_ticks * float(self.spec.tick_size) if self.inverse else amount

    def settled(self, lots: float, value_q: float) -> tuple[float, float]:
        """What lots booked at this value of theirs cost in the quote currency, and the coins they
        are, counted so that a coin is worth the price in ticks."""
        amount = value_q / 10.0**self.asset.decimals
        if self.inverse:
            return lots * self.lot_value, -amount * float(self.spec.tick_size)
        return amount, lots * self.lot_value

    def inside_band(self, side: int, price_ticks: int) -> int:
        """The price moved to where the venue's band around the mark allows it."""
        band = self._band
        if not band or not self.mark_ticks:
            return price_ticks
        if side == BUY:
            return min(price_ticks, int(self.mark_ticks * (1.0 + band)) - 1)
        return max(price_ticks, int(self.mark_ticks * (1.0 - band)) + 2)

    def change(self, seconds: float) -> float:
        """Log return over the last ``seconds``; 0 while the history is shorter."""
        back = int(seconds / self.tick_seconds)
        if back < 1 or len(self.history) <= back:
            return 0.0
        return math.log(self.history[-1] / self.history[-1 - back])

    def state(self) -> list[Any]:
        """What was seen so far; the book is the exchange's."""
        return [
            self.now_ns,
            self.mark_ticks,
            self.index_ticks,
            self.last_ticks,
            self.open_interest_lots,
            self.volatility,
            list(self.history),
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        (
            self.now_ns,
            self.mark_ticks,
            self.index_ticks,
            self.last_ticks,
            self.open_interest_lots,
            self.volatility,
            history,
        ) = state
        self.history.clear()
        self.history.extend(history)

    def on_tick(self, now_ns: int) -> None:
        """The clock ticked: sample the price and move the volatility estimate."""
        self.now_ns = now_ns
        price = self.mid()
        if price <= 0:
            return
        if self.history:
            step = min(_LARGEST_RETURN, abs(math.log(price / self.history[-1])))
            squared = step * step / self.tick_seconds
            variance = self.volatility**2 * self._decay + squared * (1 - self._decay)
            self.volatility = math.sqrt(variance)
        self.history.append(price)


class Desk:
    """Takes agents' wishes, stamps the time and sends the commands."""

    __slots__ = ("now_ns", "venue")

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.now_ns = 0

    def submit(
        self,
        account_id: int,
        instrument_id: int,
        side: int,
        qty_lots: int,
        price_ticks: int,
        tif: int = GTC,
        post_only: bool = False,
        reduce_only: bool = False,
        sent: dict[int, int] | None = None,
    ) -> int:
        """Send a limit order; returns its id. ``sent`` has it, with its time, before the venue can
        answer."""
        order_id = self.venue.next_order_id()
        if sent is not None:
            sent[order_id] = self.now_ns
        self.venue.send(
            SubmitOrder(
                self.now_ns,
                account_id,
                instrument_id,
                order_id,
                side,
                qty_lots,
                price_ticks,
                LIMIT,
                tif,
                post_only,
                reduce_only,
            )
        )
        return order_id

    def submit_stop(
        self, account_id: int, instrument_id: int, side: int, trigger_ticks: int, trigger_by: int
    ) -> int:
        """Send a stop that closes the whole position at the market; returns its id."""
        order_id = self.venue.next_order_id()
        self.venue.send(
            SubmitTrigger(
                self.now_ns,
                account_id,
                instrument_id,
                order_id,
                side,
                0,
                STOP,
                trigger_ticks,
                close_position=True,
                trigger_by=trigger_by,
            )
        )
        return order_id

    def cancel(self, account_id: int, order_id: int) -> None:
        """Cancel one order."""
        self.venue.send(CancelOrder(self.now_ns, account_id, order_id))

    def cancel_all(self, account_id: int, instrument_id: int) -> None:
        """Cancel everything the account has in an instrument."""
        self.venue.send(CancelAll(self.now_ns, account_id, instrument_id))

    def amend(self, account_id: int, order_id: int, price_ticks: int, qty_lots: int) -> None:
        """Move or resize a resting order."""
        self.venue.send(AmendOrder(self.now_ns, account_id, order_id, price_ticks, qty_lots))

    def deposit(self, account_id: int, asset_id: int, amount_q: int) -> None:
        """Bring in collateral from outside."""
        self.venue.send(Deposit(self.now_ns, account_id, asset_id, amount_q))

    def withdraw(self, account_id: int, asset_id: int, amount_q: int) -> None:
        """Have collateral paid out."""
        self.venue.send(Withdraw(self.now_ns, account_id, asset_id, amount_q))

    def add_isolated(self, account_id: int, instrument_id: int, leg: int, amount_q: int) -> None:
        """Move collateral from the cross account to an isolated position."""
        self.venue.send(AdjustIsolatedMargin(self.now_ns, account_id, instrument_id, leg, amount_q))
