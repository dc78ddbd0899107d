"""The margined traders: they enter through real orders, hold, and answer their margin calls.

What a trader does was drawn beforehand (`seawall.profiles.TraderProfile`); here it meets the
market. A trader hears only the events of its own account.
"""

import random
from collections.abc import Callable, Mapping
from typing import Any, Final

from engine.commands import BUY, IOC, LEG_NET, SELL
from engine.events import (
    CommandRejected,
    Deleveraged,
    LiquidationEnded,
    LiquidationStarted,
    MarginCallEnded,
    MarginCallIssued,
    OrderAccepted,
    OrderClosed,
    OrderFilled,
    TakenOver,
    TriggerFired,
)
from engine.messages import decode_message, encode
from engine.reasons import Reason
from engine.units import SECOND_NS
from seawall.actions import Action
from seawall.agents.base import shrink, worse
from seawall.agents.view import Desk, MarketView
from seawall.population import ADD, BOTH, CUT, IGNORE, TOO_LATE
from seawall.profiles import TraderProfile

Schedule = Callable[[int, Action], None]
"""Ask for something to be done at a time."""

ENTER: Final[str] = "enter"
ANSWER: Final[str] = "answer"
PROTECT: Final[str] = "protect"
STOP: Final[str] = "stop"

ENTRY_SLIPPAGE: Final[float] = 0.003
EXIT_SLIPPAGE: Final[float] = 0.03
ENTRY_TRIES: Final[int] = 12
STOP_TRIES: Final[int] = 8
PASSIVE_WAIT_NS: Final[int] = 20 * SECOND_NS
RETRY_NS: Final[int] = 4 * SECOND_NS
LATE_FACTOR: Final[int] = 5
"""How many reaction times after the deadline the late ones answer."""


class Crowd:
    """What all traders share: the desk, the views and the schedule."""

    def __init__(self, desk: Desk, views: Mapping[str, MarketView], schedule: Schedule) -> None:
        self.desk = desk
        self.views = views
        self.schedule = schedule


class Dice:
    """A trader's own chance. Seeding a generator costs more than anything else about a trader, and
    most never wait for a draw: so it is seeded when one does, and catches up. What was drawn so
    far, `bounds`, is all there is to it: `restore` does not look at that again."""

    __slots__ = ("_rng", "_seed", "_unseen", "bounds")

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rng: random.Random | None = None
        self._unseen = 0
        self.bounds: list[int] = []

    def skip(self, bound: int) -> None:
        """A draw below ``bound`` that is not used."""
        self._unseen += 1
        self.bounds.append(bound)

    def rest(self) -> None:
        """Let go of the generator: nothing is drawn for a while, and it takes some room."""
        if self._rng is not None:
            self.restore(self.bounds)

    def restore(self, bounds: list[int]) -> None:
        """Go on behind these draws."""
        self._rng = None
        self._unseen = len(bounds)
        self.bounds = bounds

    def below(self, bound: int) -> int:
        """A draw from 0 to ``bound`` - 1."""
        rng = self._rng
        if rng is None:
            rng = self._rng = random.Random(self._seed)
        bounds = self.bounds
        for place in range(len(bounds) - self._unseen, len(bounds)):
            rng.randrange(bounds[place])
        self._unseen = 0
        bounds.append(bound)
        return rng.randrange(bound)


class Errand(Action):
    """What a trader will do at a time: `ENTER`, `PROTECT` its position with a stop, `STOP`, or
    `ANSWER` a call."""

    __slots__ = ("_call", "_kind", "_trader")

    def __init__(
        self, kind: str, trader: "MarginTrader", call: MarginCallIssued | None = None
    ) -> None:
        self._kind = kind
        self._trader = trader
        self._call = call

    def __call__(self) -> None:
        """Let the trader do it."""
        if self._kind == ENTER:
            self._trader.enter()
        elif self._kind == PROTECT:
            self._trader.protect()
        elif self._call is not None:
            self._trader.answer(self._call)
        else:
            self._trader.stop()

    def row(self) -> list[Any]:
        """The kind, the account, and the call that is answered."""
        call = None if self._call is None else encode(self._call)
        return [self._kind, self._trader.profile.account_id, call]


def errand(row: list[Any], trader: "MarginTrader") -> Errand:
    """The errand that `Errand.row` was asked of."""
    if row[2] is None:
        return Errand(row[0], trader)
    call = decode_message(row[2])
    assert isinstance(call, MarginCallIssued), "a trader answers calls"
    return Errand(row[0], trader, call)


class MarginTrader:
    """One margined account and its owner."""

    __slots__ = (
        "_crowd",
        "_entry_order",
        "_stop_order",
        "_stop_ticks",
        "_tries",
        "_view",
        "asset_id",
        "call_id",
        "dice",
        "entered",
        "entering",
        "locked",
        "position_lots",
        "profile",
        "reserve_q",
        "target_lots",
    )

    def __init__(
        self,
        profile: TraderProfile,
        crowd: Crowd,
        dice: Dice,
        asset_id: int,
        reserve_q: int,
        target_lots: int,
    ) -> None:
        self.profile = profile
        self.dice = dice
        self.asset_id = asset_id
        self.reserve_q = reserve_q
        self.target_lots = target_lots
        self.position_lots = 0
        self.entering = target_lots > 0
        self.entered = False
        self.locked = False
        self.call_id = 0
        self._crowd = crowd
        self._view = crowd.views[profile.instrument]
        self._entry_order = 0
        self._stop_order = 0
        self._stop_ticks = 0
        self._tries = 0

    @property
    def instrument_id(self) -> int:
        """The contract it trades."""
        return self._view.instrument_id

    @property
    def side(self) -> int:
        """The side that opens the position."""
        return BUY if self.profile.is_long else SELL

    def on_event(self, event: Any) -> None:
        """Something (an `engine.events.Event`) happened to the trader's account."""
        kind = type(event)  # an `isinstance` of a message costs many times this comparison
        if kind is OrderFilled:
            self._filled(event)
        elif kind is OrderClosed:
            self._closed(event)
        elif kind is OrderAccepted:
            return  # what counts is its fills
        elif kind is TriggerFired:
            self._give_up_entry()
        elif kind is MarginCallIssued:
            self._called(event)
        elif kind is MarginCallEnded:
            self.call_id = 0
        elif kind is CommandRejected:
            if self.entering and event.reason == Reason.INSUFFICIENT_MARGIN:
                self.target_lots -= self.target_lots // 10 + 1
            elif event.reason == Reason.WOULD_TRIGGER_AT_ONCE:
                self._give_up_entry()
                self._close_after(1)
        elif kind is LiquidationStarted:
            self.locked = True
            self.entering = False
        elif kind is LiquidationEnded:
            self.locked = False
            self._protect_soon()
        elif kind is Deleveraged or kind is TakenOver:
            self.position_lots = shrink(self.position_lots, event.qty_lots)

    def _closed(self, event: OrderClosed) -> None:
        if event.order_id == self._entry_order:
            self._entry_order = 0
        elif event.order_id == self._stop_order:
            self._stop_order = 0
            if event.reason != Reason.CANCELLED_BY_LIQUIDATION:
                self._close_after(RETRY_NS)

    def _filled(self, event: OrderFilled) -> None:
        opening = not self.entered
        self.entered = True
        self.position_lots = event.position_lots
        if opening and self.profile.stop_distance:
            away = self.profile.stop_distance * self.side
            self._stop_ticks = max(1, round(event.price_ticks * (1.0 - away)))
            self._protect_soon()

    def _protect_soon(self) -> None:
        """Have the stop sent, if there is to be one: nothing is sent while events are told."""
        if self._stop_ticks and self.position_lots:
            self._crowd.schedule(self._crowd.desk.now_ns + 1, Errand(PROTECT, self))

    def protect(self) -> None:
        """Send the stop: it closes the whole position at the market once the last price is there.

        If the price is there already, it is refused, and the position is closed at once.
        """
        if self.locked or self.position_lots == 0 or self._stop_order:
            return
        side = SELL if self.position_lots > 0 else BUY
        self._stop_order = self._crowd.desk.submit_stop(
            self.profile.account_id, self._view.instrument_id, side, self._stop_ticks
        )

    def _give_up_entry(self) -> None:
        """The price went the wrong way: nothing more is bought."""
        self._tries = 0
        self.entering = False
        self.dice.rest()

    def _close_after(self, wait_ns: int) -> None:
        """Close what a stop left over, or could not wait for."""
        if self.position_lots:
            self._crowd.schedule(self._crowd.desk.now_ns + wait_ns, Errand(STOP, self))

    def enter(self) -> None:
        """Send the next part of the entry: resting at the touch, or taking from the book."""
        view = self._view
        desk = self._crowd.desk
        missing = self.target_lots - abs(self.position_lots)
        if not self.entering or missing <= 0 or self._tries >= ENTRY_TRIES:
            self.entering = False
            self.dice.rest()
            return
        self._tries += 1
        if self._entry_order:
            desk.cancel(self.profile.account_id, self._entry_order)
            self._entry_order = 0
        own, other = view.best_bid(), view.best_ask()
        if self.side == SELL:
            own, other = other, own
        lots = min(missing, view.max_lots, view.lots(self.profile.clip, view.price()) or 1)
        account_id = self.profile.account_id
        instrument_id = view.instrument_id
        if self.profile.passive and self._tries <= 2 and own:
            lots = min(missing, view.max_lots)
            self._entry_order = desk.submit(
                account_id, instrument_id, self.side, lots, own, post_only=True
            )
            wait_ns = PASSIVE_WAIT_NS
        else:
            if other:
                limit = view.inside_band(self.side, worse(other, self.side, ENTRY_SLIPPAGE))
                desk.submit(account_id, instrument_id, self.side, lots, limit, IOC)
            wait_ns = RETRY_NS
        if abs(self.position_lots) < self.target_lots:
            at_ns = desk.now_ns + wait_ns + self.dice.below(wait_ns)
            self._crowd.schedule(at_ns, Errand(ENTER, self))
        else:
            self.dice.skip(wait_ns)
            self.dice.rest()
            self.entering = False

    def _called(self, event: MarginCallIssued) -> None:
        """A margin call came: answer after the reaction time, in the way of this trader."""
        self.call_id = event.call_id
        answer = self.profile.answer
        if answer == IGNORE:
            return
        wait = self.profile.reaction_ns
        at = event.time_ns + wait
        if answer == TOO_LATE:
            at = max(at, event.deadline_ns) + LATE_FACTOR * wait
        self._crowd.schedule(at, Errand(ANSWER, self, event))

    def answer(self, event: MarginCallIssued) -> None:
        """Do what this trader does about a call."""
        late = self.profile.answer == TOO_LATE
        if self.locked or self.position_lots == 0 or (self.call_id != event.call_id and not late):
            return
        if self.profile.answer in (ADD, TOO_LATE, BOTH):
            self._add(event, 2 if self.profile.answer == BOTH else 1)
        if self.profile.answer in (CUT, BOTH):
            self._cut(2 if self.profile.answer == CUT else 4)

    def _add(self, event: MarginCallIssued, divisor: int) -> None:
        """Bring the demanded amount (or a part) and a tenth more, as far as the reserve goes."""
        amount_q = min(self.reserve_q, event.amount_q // divisor + event.amount_q // 10)
        if amount_q <= 0:
            return
        self.reserve_q -= amount_q
        account_id = self.profile.account_id
        desk = self._crowd.desk
        desk.deposit(account_id, self.asset_id, amount_q)
        if self.profile.isolated:
            desk.add_isolated(account_id, self._view.instrument_id, LEG_NET, amount_q)

    def _cut(self, divisor: int) -> None:
        """Close one part in ``divisor`` of the position."""
        self._close(max(1, abs(self.position_lots) // divisor))

    def _close(self, lots: int) -> None:
        side = SELL if self.position_lots > 0 else BUY
        view = self._view
        touch = view.best_bid() if side == SELL else view.best_ask()
        if touch:
            self._crowd.desk.submit(
                self.profile.account_id,
                view.instrument_id,
                side,
                min(lots, view.max_lots),
                view.inside_band(side, worse(touch, side, EXIT_SLIPPAGE)),
                IOC,
                reduce_only=True,
            )

    def adopt(self, position_lots: int) -> None:
        """Take over an account that has traded before: one with a position enters no more."""
        self.position_lots = position_lots
        if position_lots:
            self.entered = True
            self.entering = False

    def stop(self) -> None:
        """Close what a stop has left of the position, and look again if the book was too thin."""
        if self.locked or self.position_lots == 0 or self._tries >= STOP_TRIES:
            return
        self._tries += 1
        self._close(abs(self.position_lots))
        if self.position_lots:
            self._crowd.schedule(self._crowd.desk.now_ns + RETRY_NS, Errand(STOP, self))

    def state(self) -> list[Any]:
        """What is not drawn with the profile."""
        return [
            self.target_lots,
            self.reserve_q,
            self.position_lots,
            self.entering,
            self.entered,
            self.locked,
            self.call_id,
            self._entry_order,
            self._stop_order,
            self._stop_ticks,
            self._tries,
            self.dice.bounds,
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        (
            self.target_lots,
            self.reserve_q,
            self.position_lots,
            self.entering,
            self.entered,
            self.locked,
            self.call_id,
            self._entry_order,
            self._stop_order,
            self._stop_ticks,
            self._tries,
            bounds,
        ) = state
        self.dice.restore(bounds)
