"""The margined traders: they enter through real orders, hold, and answer their margin calls.

What a trader does was drawn beforehand (`seawall.profiles.TraderProfile`); here it meets the
market. A trader hears only the events of its own account. All its contracts lie in one account, so
a fall of one of them makes it sell another.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from engine.commands import LEG_NET
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
from seawall.actions import Action
from seawall.agents.dice import Dice
from seawall.agents.stake import Crowd, Errand, Stake
from seawall.population import ADD, BOTH, CUT, IGNORE, TOO_LATE
from seawall.profiles import TraderProfile

ANSWER: Final[str] = "answer"

LATE_FACTOR: Final[int] = 5
"""How many reaction times after the deadline the late ones answer."""


class Answer(Action):
    """What a trader will do about a margin call at a time."""

    __slots__ = ("_call", "_trader")

    def __init__(self, trader: "MarginTrader", call: MarginCallIssued) -> None:
        self._trader = trader
        self._call = call

    def __call__(self) -> None:
        """Let the trader answer."""
        self._trader.answer(self._call)

    def row(self) -> list[Any]:
        """That it answers, the account and the call."""
        return [ANSWER, self._trader.profile.account_id, encode(self._call)]


def errand(row: list[Any], trader: "MarginTrader") -> Action:
    """The errand or answer whose `row` this is."""
    kind, _, what = row
    if kind != ANSWER:
        return Errand(kind, trader.stake(what))
    call = decode_message(what)
    assert isinstance(call, MarginCallIssued), "a trader answers calls"
    return Answer(trader, call)


class MarginTrader:
    """One margined account and its owner, with a stake in each contract it trades;
    ``target_lots`` are those it wants of each, in the order of the profile."""

    __slots__ = (
        "_crowd",
        "asset_id",
        "call_id",
        "dice",
        "locked",
        "profile",
        "reserve_q",
        "stakes",
    )

    def __init__(
        self,
        profile: TraderProfile,
        crowd: Crowd,
        dice: Dice,
        asset_id: int,
        reserve_q: int,
        target_lots: Sequence[int],
    ) -> None:
        self.profile = profile
        self.dice = dice
        self.asset_id = asset_id
        self.reserve_q = reserve_q
        self.locked = False
        self.call_id = 0
        self._crowd = crowd
        self.stakes = [
            Stake(profile, crowd, dice, name, lots)
            for (name, _), lots in zip(profile.instruments, target_lots, strict=True)
        ]

    @property
    def instrument_id(self) -> int:
        """The contract it trades; of several the first."""
        return self.stakes[0].instrument_id

    @property
    def entered(self) -> bool:
        """Whether it ever held a position."""
        return any(stake.entered for stake in self.stakes)

    def stake(self, instrument_id: int) -> Stake:
        """Its stake in a contract."""
        for stake in self.stakes:
            if stake.instrument_id == instrument_id:
                return stake
        raise KeyError(instrument_id)

    def on_event(self, event: Any) -> None:
        """Something (an `engine.events.Event`) happened to the trader's account."""
        kind = type(event)  # an `isinstance` of a message costs many times this comparison
        if kind is OrderFilled:
            self.stake(event.instrument_id).on_filled(event)
        elif kind is OrderClosed:
            self.stake(event.instrument_id).on_closed(event)
        elif kind is OrderAccepted:
            return  # what counts is its fills
        elif kind is TriggerFired:
            self.stake(event.instrument_id).give_up_entry()
        elif kind is MarginCallIssued:
            self._called(event)
        elif kind is MarginCallEnded:
            self.call_id = 0
        elif kind is CommandRejected:
            self._sender(event.order_id).on_rejected(event.reason)
        elif kind is LiquidationStarted:
            self.locked = True
            for stake in self.stakes:
                stake.lock()
        elif kind is LiquidationEnded:
            self.locked = False
            for stake in self.stakes:
                stake.unlock()
        elif kind is Deleveraged or kind is TakenOver:
            self.stake(event.instrument_id).lose(event.qty_lots)

    def _sender(self, order_id: int) -> Stake:
        """The stake a refused order was sent for."""
        for stake in self.stakes[1:]:
            if stake.sent(order_id):
                return stake
        return self.stakes[0]

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
        self._crowd.schedule(at, Answer(self, event))

    def answer(self, event: MarginCallIssued) -> None:
        """Do what this trader does about a call."""
        late = self.profile.answer == TOO_LATE
        if self.locked or not self._holds() or (self.call_id != event.call_id and not late):
            return
        if self.profile.answer in (ADD, TOO_LATE, BOTH):
            self._add(event, 2 if self.profile.answer == BOTH else 1)
        if self.profile.answer in (CUT, BOTH):
            self._cut(2 if self.profile.answer == CUT else 4)

    def _holds(self) -> bool:
        return any(stake.position_lots for stake in self.stakes)

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
            desk.add_isolated(account_id, self.instrument_id, LEG_NET, amount_q)

    def _cut(self, divisor: int) -> None:
        """Close one part in ``divisor`` of what the positions are worth together, the largest
        first, and the next where its book is empty: what can be sold is sold."""
        held = sorted(
            (stake for stake in self.stakes if stake.position_lots), key=_value, reverse=True
        )
        wanted = sum(map(_value, held)) / divisor
        for stake in held:
            value = stake.value()
            if wanted <= 0 or value <= 0:
                return
            if stake.close(min(1.0, wanted / value)):
                wanted -= value

    def adopt(self, positions: Mapping[int, int]) -> None:
        """Take over an account that has traded before, with these lots by instrument id."""
        for stake in self.stakes:
            stake.adopt(positions.get(stake.instrument_id, 0))

    def state(self) -> list[Any]:
        """What is not drawn with the profile."""
        return [
            self.reserve_q,
            self.locked,
            self.call_id,
            self.dice.bounds,
            [stake.state() for stake in self.stakes],
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self.reserve_q, self.locked, self.call_id, bounds, stakes = state
        self.dice.restore(bounds)
        for stake, row in zip(self.stakes, stakes, strict=True):
            stake.restore(row)


def _value(stake: Stake) -> float:
    return stake.value()
