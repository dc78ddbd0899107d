"""The events of a client's accounts as it hears of them: each once, in their order.

The gateway numbers them and says the numbers with each delivery. What was told before is left out.
After a gap, or a new greeting, the events behind the last one known are asked for; until they come,
what is delivered of that account is left out, because the answer has it too.
"""

from typing import Final

from engine.events import Event
from gateway.door.addressing import account_of
from gateway.protocol import AccountEvents, EventsRequest

MOST_ACCOUNTS: Final[int] = 200
"""With more accounts nothing is asked for after a new greeting: numbers begin anew."""

ASK_EVENTS_AGAIN_NS: Final[int] = 1_000_000_000
_ABOVE_ALL: Final[int] = 2**62


class AccountFeed:
    """`numbers` is the last number heard of by account; `repeated` counts the accounts' events told
    again and left out, `lost` those the gateway no longer had when they were asked for."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.repeated = 0
        self.lost = 0
        self._behind: dict[int, int] = {}

    @property
    def is_behind(self) -> bool:
        """Whether events were asked for that have not come."""
        return bool(self._behind)

    def follow(self, account_ids: list[int]) -> None:
        """A first greeting: learn how far these accounts are."""
        for account_id in account_ids[:MOST_ACCOUNTS]:
            self._behind.setdefault(account_id, 0)

    def catch_up(self) -> None:
        """Something may have been missed: ask for it."""
        if len(self.numbers) > MOST_ACCOUNTS:
            self.numbers.clear()
            self._behind.clear()
        for account_id in self.numbers:
            self._behind.setdefault(account_id, 0)

    def requests(self, now_ns: int) -> list[EventsRequest]:
        """What to ask the gateway now."""
        found: list[EventsRequest] = []
        for account_id, asked_ns in self._behind.items():
            if not asked_ns or now_ns - asked_ns > ASK_EVENTS_AGAIN_NS:
                self._behind[account_id] = now_ns
                after = self.numbers.get(account_id, _ABOVE_ALL)
                found.append(EventsRequest(account_id, after))
        return found

    def take(self, events: list[Event], numbers: list[tuple[int, int, int]]) -> list[Event]:
        """Of the events in a delivery those that are new and next."""
        left_out: set[int] = set()
        for account_id, first, last in numbers:
            known = self.numbers.get(account_id)
            if account_id in self._behind and known is not None:
                left_out.add(account_id)
            elif known is None or first == known + 1:
                self.numbers[account_id] = last
                # It is known now how far the account is.
                self._behind.pop(account_id, None)
            else:
                left_out.add(account_id)
                if last <= known:
                    self.repeated += last - first + 1
                else:
                    self._behind[account_id] = 0
        if not left_out:
            return events
        return [event for event in events if account_of(event) not in left_out]

    def recovered(self, answer: AccountEvents, events: list[Event]) -> list[Event]:
        """Of the events that were asked for those that are new."""
        account_id = answer.account_id
        if account_id not in self._behind:
            return []
        known = self.numbers.get(account_id)
        if known is None or answer.last < known:
            # How far it is; a gateway that begins anew numbers anew.
            self.numbers[account_id] = answer.last
            del self._behind[account_id]
            return []
        self.lost += max(0, answer.first - known - 1)
        new = events[max(0, known + 1 - answer.first) :]
        self.numbers[account_id] = max(known, answer.first + len(events) - 1)
        if self.numbers[account_id] >= answer.last:
            del self._behind[account_id]
        else:
            self._behind[account_id] = 0
        return new
