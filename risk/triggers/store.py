"""All trigger orders that are open, by id, by trader and by contract."""

from typing import TYPE_CHECKING

from engine.commands import SubmitTrigger
from risk.listing import Listing
from risk.triggers.trigger import Trigger
from risk.triggers.trigger_book import TriggerBook

if TYPE_CHECKING:
    from risk.accounts import Trader


class TriggerStore:
    """Keeps the trigger orders of traders and listings in step: `count` of them are open.
    `numbers` counts those that were accepted or amended."""

    __slots__ = ("_by_id", "count", "numbers")

    def __init__(self) -> None:
        self._by_id: dict[int, Trigger] = {}
        self.count = 0
        self.numbers = 0

    def __contains__(self, order_id: int) -> bool:
        return order_id in self._by_id

    def get(self, order_id: int) -> Trigger | None:
        """The trigger order of this id, waiting or fired."""
        return self._by_id.get(order_id)

    def values(self) -> list[Trigger]:
        """All of them, by id."""
        return [self._by_id[key] for key in sorted(self._by_id)]

    def add(
        self, terms: SubmitTrigger, trader: "Trader", listing: Listing, best_ticks: int
    ) -> Trigger:
        """Open a new one; a trailing one is active from its best price on (0: not yet)."""
        trigger = Trigger(terms, trader, self._next_number())
        self.remember(trigger)
        self.wait(trigger, listing, best_ticks)
        return trigger

    def remember(self, trigger: Trigger) -> None:
        """Know one by its id and its trader."""
        self._by_id[trigger.order_id] = trigger
        self.count += 1
        trigger.trader.add_trigger(trigger)

    def wait(self, trigger: Trigger, listing: Listing, best_ticks: int) -> None:
        """Let it wait for its price."""
        book = listing.triggers
        if book is None:
            book = listing.triggers = TriggerBook()
        book.add(trigger, best_ticks)

    def change(
        self, trigger: Trigger, terms: SubmitTrigger, listing: Listing, best_ticks: int
    ) -> None:
        """Give a waiting one new terms; a trailing one is active from its best price on (0: not
        yet)."""
        self._leave(trigger, listing)
        trigger.terms = terms
        trigger.number = self._next_number()
        trigger.trader.touch()
        self.wait(trigger, listing, best_ticks)

    def drop(self, trigger: Trigger, listing: Listing) -> None:
        """Forget one that is over, or takes its turn as an order."""
        if not trigger.fired_ticks:
            self._leave(trigger, listing)
        del self._by_id[trigger.order_id]
        self.count -= 1
        trigger.trader.drop_trigger(trigger)

    def fire(self, listing: Listing, trigger_by: int, price_ticks: int) -> list[Trigger]:
        """Those that a new price of a contract fires, in their order; they wait no more, and are
        open until they take their turn."""
        book = listing.triggers
        if book is None:
            return []
        fired = book.move(trigger_by, price_ticks)
        for trigger in fired:
            trigger.trader.touch()
        self._forget_empty(listing)
        return fired

    def _leave(self, trigger: Trigger, listing: Listing) -> None:
        book = listing.triggers
        assert book is not None, "a trigger order that waits stands in the book of its contract"
        book.drop(trigger)
        self._forget_empty(listing)

    @staticmethod
    def _forget_empty(listing: Listing) -> None:
        """Without orders that wait a new price asks nobody."""
        if listing.triggers is not None and not listing.triggers.count:
            listing.triggers = None

    def _next_number(self) -> int:
        self.numbers += 1
        return self.numbers
