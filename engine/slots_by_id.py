"""Where an order is kept: numbers of places (slots) by order id.

A dictionary's keys are objects. In compiled code an id is a machine word, and each look into a
dictionary makes an object of it, hashes it, compares it and frees it again. There a `SlotTable`
does the same at a tenth of the cost; in plain Python nothing beats a dictionary.
"""

from typing import Final

from engine.units import COMPILED
from engine.words import i64, vec

NO_SLOT: Final[int] = -1
"""What is answered for an unknown id; real slots are not negative."""

_FEWEST_PLACES: Final[int] = 64
_SPREAD: Final[int] = 0x2545F491
"""An odd number without a pattern below 2**30; the product with 30 bits of an id fits a word."""
_LOW_BITS: Final[int] = 2**30 - 1


class SlotsById:
    """Slots by ids below `engine.units.WORD`. `new_slots_by_id` makes one."""

    __slots__ = ("_slots",)

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def get(self, order_id: i64) -> i64:
        """The slot of an id, or `NO_SLOT`."""
        return self._slots.get(order_id, NO_SLOT)

    def add(self, order_id: i64, slot: i64) -> bool:
        """Note an id's slot; False, and nothing is changed, if it has one."""
        if order_id in self._slots:
            return False
        self._slots[order_id] = slot
        return True

    def pop(self, order_id: i64) -> i64:
        """Forget an id and return its slot, or `NO_SLOT` if it has none."""
        return self._slots.pop(order_id, NO_SLOT)

    def items(self) -> list[tuple[int, int]]:
        """Every id with its slot, in no particular order."""
        return list(self._slots.items())


class SlotTable(SlotsById):
    """A hash table with open addressing: an id stands at its home, the place it leads to, or at the
    next free place after it. At most half of the places are taken; a place is two words, id and
    slot.
    """

    __slots__ = ("_count", "_mask", "_words")

    def __init__(self) -> None:
        super().__init__()
        self._count: i64 = 0
        self._clear(_FEWEST_PLACES)

    def _clear(self, places: int) -> None:
        words = 2 * places
        self._words: vec[i64] = vec[i64]([NO_SLOT] * words)
        self._mask: i64 = words - 1

    def __len__(self) -> int:
        return self._count

    def get(self, order_id: i64) -> i64:
        """The slot of an id, or `NO_SLOT`."""
        return self._words[self._place_of(order_id) + 1]

    def add(self, order_id: i64, slot: i64) -> bool:
        """Note an id's slot; False, and nothing is changed, if it has one."""
        words = self._words
        place = self._place_of(order_id)
        if words[place + 1] >= 0:
            return False
        words[place] = order_id
        words[place + 1] = slot
        self._count += 1
        if self._count * 4 > self._mask:
            self._grow()
        return True

    def pop(self, order_id: i64) -> i64:
        """Forget an id and return its slot, or `NO_SLOT` if it has none."""
        place = self._place_of(order_id)
        slot = self._words[place + 1]
        if slot >= 0:
            self._count -= 1
            self._close(place)
        return slot

    def _place_of(self, order_id: i64) -> i64:
        """Where an id stands, or the free place where it would."""
        words = self._words
        mask = self._mask
        place = _home(order_id, mask)
        while words[place + 1] >= 0 and words[place] != order_id:
            place = (place + 2) & mask
        return place

    def items(self) -> list[tuple[int, int]]:
        """Every id with its slot, in no particular order."""
        found: list[tuple[int, int]] = []
        words = self._words
        for place in range(0, len(words), 2):
            if words[place + 1] >= 0:
                found.append((words[place], words[place + 1]))
        return found

    def _close(self, gap: i64) -> None:
        """Free a place: what stands behind it and would not be found across it moves back."""
        words = self._words
        mask = self._mask
        place: i64 = (gap + 2) & mask
        slot = words[place + 1]
        while slot >= 0:
            order_id = words[place]
            from_home: i64 = (place - _home(order_id, mask)) & mask
            from_gap: i64 = (place - gap) & mask
            if from_home >= from_gap:
                words[gap] = order_id
                words[gap + 1] = slot
                gap = place
            place = (place + 2) & mask
            slot = words[place + 1]
        words[gap + 1] = NO_SLOT

    def _grow(self) -> None:
        words = self._words
        self._clear(self._mask + 1)
        self._count = 0
        place: i64 = 0
        while place < len(words):
            if words[place + 1] >= 0:
                self.add(words[place], words[place + 1])
            place += 2


def new_slots_by_id() -> SlotsById:
    """An empty collection, of the kind that is fast in this build."""
    return SlotTable() if COMPILED else SlotsById()


def _home(order_id: i64, mask: i64) -> i64:
    """The place an id leads to: an even number up to the mask."""
    low_bits: i64 = (order_id ^ (order_id >> 30)) & _LOW_BITS
    return (low_bits * _SPREAD >> 11) & mask & -2
