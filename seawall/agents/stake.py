"""A margined trader's stake in one contract: its entry, its position and its stop there.

A trader with several contracts has a stake in each, all in one cross account. What was drawn for
the trader (`seawall.profiles.TraderProfile`) holds for each of them.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from engine.commands import BUY, GTC, IOC, SELL
from engine.events import OrderClosed, OrderFilled
from engine.reasons import Reason
from engine.units import SECOND_NS
from seawall.actions import Action
from seawall.agents.base import worse
from seawall.agents.dice import Dice
from seawall.agents.holding import shrink
from seawall.agents.view import Desk, MarketView
from seawall.profiles import TraderProfile

Schedule = Callable[[int, Action], None]
"""Ask for something to be done at a time."""

ENTER: Final[str] = "enter"
PROTECT: Final[str] = "protect"
STOP: Final[str] = "stop"

ENTRY_SLIPPAGE: Final[float] = 0.003
EXIT_SLIPPAGE: Final[float] = 0.03
ENTRY_TRIES: Final[int] = 12
STOP_TRIES: Final[int] = 8
PASSIVE_WAIT_NS: Final[int] = 20 * SECOND_NS
RETRY_NS: Final[int] = 4 * SECOND_NS


class Crowd:
    """What all traders share: the desk, the views and the schedule."""

    def __init__(self, desk: Desk, views: Mapping[str, MarketView], schedule: Schedule) -> None:
        self.desk = desk
        self.views = views
        self.schedule = schedule


class Errand(Action):
    """What a trader will do about a stake at a time: `ENTER`, `PROTECT` it with a stop order, or
    `STOP`."""

    __slots__ = ("_kind", "_stake")

    def __init__(self, kind: str, stake: "Stake") -> None:
        self._kind = kind
        self._stake = stake

    def __call__(self) -> None:
        """Do it."""
        if self._kind == ENTER:
            self._stake.enter()
        elif self._kind == PROTECT:
            self._stake.protect()
        else:
            self._stake.stop()

    def row(self) -> list[Any]:
        """The kind, the account and the contract."""
        stake = self._stake
        return [self._kind, stake.profile.account_id, stake.instrument_id]


class Stake:
    """What one trader wants and has in one contract. ``locked`` while it is liquidated."""

    __slots__ = (
        "_crowd",
        "_dice",
        "_entry_order",
        "_last_order",
        "_sending",
        "_stop_order",
        "_stop_ticks",
        "_tries",
        "_view",
        "entered",
        "entering",
        "instrument_id",
        "locked",
        "position_lots",
        "profile",
        "target_lots",
    )

    def __init__(
        self,
        profile: TraderProfile,
        crowd: Crowd,
        dice: Dice,
        instrument: str,
        target_lots: int,
    ) -> None:
        self.profile = profile
        self.target_lots = target_lots
        self.position_lots = 0
        self.entering = target_lots > 0
        self.entered = False
        self.locked = False
        self._crowd = crowd
        self._dice = dice
        self._view = crowd.views[instrument]
        self.instrument_id: int = self._view.instrument_id
        self._entry_order = 0
        self._stop_order = 0
        self._stop_ticks = 0
        self._tries = 0
        self._last_order = 0
        self._sending = False

    @property
    def side(self) -> int:
        """The side that opens the position."""
        return BUY if self.profile.is_long else SELL

    def value(self) -> float:
        """What the position is worth at the last price, in quote currency; a short's too."""
        return self._view.notional(abs(self.position_lots), self._view.price())

    # what is heard of it

    def on_filled(self, event: OrderFilled) -> None:
        """An order of the trader's traded here."""
        opening = not self.entered
        self.entered = True
        self.position_lots = event.position_lots
        if opening and self.profile.stop_distance:
            away = self.profile.stop_distance * self.side
            self._stop_ticks = max(1, round(event.price_ticks * (1.0 - away)))
            self._protect_soon()

    def on_closed(self, event: OrderClosed) -> None:
        """An order of the trader's is finished."""
        if event.order_id == self._entry_order:
            self._entry_order = 0
        elif event.order_id == self._stop_order:
            self._stop_order = 0
            if event.reason != Reason.CANCELLED_BY_LIQUIDATION:
                self._close_after(RETRY_NS)

    def on_rejected(self, reason: int) -> None:
        """An order was refused: what is too large is made smaller, and a stop whose price is there
        already is a close."""
        if self.entering and reason == Reason.INSUFFICIENT_MARGIN:
            self.target_lots -= self.target_lots // 10 + 1
        elif reason == Reason.WOULD_TRIGGER_AT_ONCE:
            self.give_up_entry()
            self._close_after(1)

    def sent(self, order_id: int) -> bool:
        """Whether an order is the last one sent for this stake, or is being sent: one that is
        refused on the spot is heard of before its id is known here."""
        return self._sending or order_id == self._last_order

    def lock(self) -> None:
        """The account is in liquidation: nothing is sent."""
        self.locked = True
        self.entering = False

    def unlock(self) -> None:
        """The liquidation is over; what is left of the position gets its stop again."""
        self.locked = False
        self._protect_soon()

    def lose(self, qty_lots: int) -> None:
        """So much of the position was taken over, or deleveraged."""
        self.position_lots = shrink(self.position_lots, qty_lots)

    def adopt(self, position_lots: int) -> None:
        """Take over a position from before; who has one enters no more."""
        self.position_lots = position_lots
        if position_lots:
            self.entered = True
            self.entering = False

    # what it does

    def enter(self) -> None:
        """Send the next part of the entry: resting at the touch, or taking from the book."""
        view = self._view
        desk = self._crowd.desk
        missing = self.target_lots - abs(self.position_lots)
        if not self.entering or missing <= 0 or self._tries >= ENTRY_TRIES:
            self.entering = False
            self._dice.rest()
            return
        self._tries += 1
        if self._entry_order:
            desk.cancel(self.profile.account_id, self._entry_order)
            self._entry_order = 0
        own, other = view.best_bid(), view.best_ask()
        if self.side == SELL:
            own, other = other, own
        if self.profile.passive and self._tries <= 2 and own:
            self._entry_order = self._send(self.side, missing, own, post_only=True)
            wait_ns = PASSIVE_WAIT_NS
        else:
            if other:
                lots = min(missing, view.lots(self.profile.clip, view.price()) or 1)
                limit = view.inside_band(self.side, worse(other, self.side, ENTRY_SLIPPAGE))
                self._send(self.side, lots, limit, IOC)
            wait_ns = RETRY_NS
        if abs(self.position_lots) < self.target_lots:
            at_ns = desk.now_ns + wait_ns + self._dice.below(wait_ns)
            self._crowd.schedule(at_ns, Errand(ENTER, self))
        else:
            self._dice.skip(wait_ns)
            self._dice.rest()
            self.entering = False

    def give_up_entry(self) -> None:
        """The price went the wrong way: nothing more is bought."""
        self._tries = 0
        self.entering = False
        self._dice.rest()

    def protect(self) -> None:
        """Send the stop: it closes the whole position at the market once its price is there.

        If the price is there already, it is refused, and the position is closed at once.
        """
        if self.locked or self.position_lots == 0 or self._stop_order:
            return
        side = SELL if self.position_lots > 0 else BUY
        self._sending = True
        self._stop_order = self._crowd.desk.submit_stop(
            self.profile.account_id,
            self.instrument_id,
            side,
            self._stop_ticks,
            self.profile.stop_by,
        )
        self._sending = False
        self._last_order = self._stop_order

    def stop(self) -> None:
        """Close what a stop has left of the position, and look again if the book was too thin."""
        if self.locked or self.position_lots == 0 or self._tries >= STOP_TRIES:
            return
        self._tries += 1
        self.close(1.0)
        if self.position_lots:
            self._crowd.schedule(self._crowd.desk.now_ns + RETRY_NS, Errand(STOP, self))

    def close(self, share: float) -> bool:
        """Close a share of the position, one lot at least; whether anybody is there to trade."""
        side = SELL if self.position_lots > 0 else BUY
        view = self._view
        touch = view.best_bid() if side == SELL else view.best_ask()
        if not touch:
            return False
        lots = max(1, int(abs(self.position_lots) * share))
        limit = view.inside_band(side, worse(touch, side, EXIT_SLIPPAGE))
        self._send(side, lots, limit, IOC, reduce_only=True)
        return True

    def _send(
        self,
        side: int,
        lots: int,
        limit_ticks: int,
        tif: int = GTC,
        post_only: bool = False,
        reduce_only: bool = False,
    ) -> int:
        """Send a limit order within the contract's largest size; returns its id."""
        self._sending = True
        self._last_order = self._crowd.desk.submit(
            self.profile.account_id,
            self.instrument_id,
            side,
            min(lots, self._view.max_lots),
            limit_ticks,
            tif,
            post_only,
            reduce_only,
        )
        self._sending = False
        return self._last_order

    def _protect_soon(self) -> None:
        """Have the stop sent, if there is to be one: nothing is sent while events are told."""
        if self._stop_ticks and self.position_lots:
            self._crowd.schedule(self._crowd.desk.now_ns + 1, Errand(PROTECT, self))

    def _close_after(self, wait_ns: int) -> None:
        """Close what a stop left over, or could not wait for."""
        if self.position_lots:
            self._crowd.schedule(self._crowd.desk.now_ns + wait_ns, Errand(STOP, self))

    # saving it

    def state(self) -> list[Any]:
        """What is not drawn with the profile."""
        return [
            self.target_lots,
            self.position_lots,
            self.entering,
            self.entered,
            self.locked,
            self._entry_order,
            self._stop_order,
            self._stop_ticks,
            self._tries,
            self._last_order,
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        (
            self.target_lots,
            self.position_lots,
            self.entering,
            self.entered,
            self.locked,
            self._entry_order,
            self._stop_order,
            self._stop_ticks,
            self._tries,
            self._last_order,
        ) = state
