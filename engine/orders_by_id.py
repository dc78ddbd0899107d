"""Orders by their id: a dictionary in plain Python, an `OrderTable` where compiled."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from engine.slots_by_id import NO_SLOT, SlotTable
from engine.units import COMPILED, WORD
from engine.words import append, i64, vec


class Identified:
    """Something with an order id, below `engine.units.WORD` and never changed."""

    __slots__ = ("order_id",)

    def __init__(self, order_id: i64) -> None:
        self.order_id = order_id


AnOrder = TypeVar("AnOrder", bound=Identified)


class OrdersById(Generic[AnOrder]):
    """Orders by their id, in no particular order; iterates over the ids. `new_orders_by_id` makes
    one."""

    __slots__ = ("_orders",)

    def __init__(self) -> None:
        self._orders: dict[int, AnOrder] = {}

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[int]:
        return iter([order.order_id for order in self.values()])

    def __contains__(self, order_id: int) -> bool:
        return order_id in self._orders

    def __getitem__(self, order_id: int) -> AnOrder:
        return self._orders[order_id]

    def get(self, order_id: int) -> AnOrder | None:
        """The order with this id, or None."""
        return self._orders.get(order_id)

    def add(self, order: AnOrder) -> bool:
        """Keep an order; False, and nothing is changed, if there is one with its id."""
        return self._orders.setdefault(order.order_id, order) is order

    def pop(self, order_id: int) -> AnOrder | None:
        """Forget the order with this id and return it, or None if there is none."""
        return self._orders.pop(order_id, None)

    def values(self) -> list[AnOrder]:
        """All orders."""
        return list(self._orders.values())


class OrderTable(OrdersById[AnOrder]):
    """Orders in numbered slots, which are found by a `SlotTable`. Freed slots are chained by
    ``_next_free``, and used again first."""

    __slots__ = ("_free", "_next_free", "_slot_of", "_slots")

    def __init__(self) -> None:
        super().__init__()
        self._slot_of = SlotTable()
        self._slots: list[AnOrder | None] = []
        self._next_free: vec[i64] = vec[i64]()
        self._free: i64 = NO_SLOT

    def __len__(self) -> int:
        return len(self._slot_of)

    def __contains__(self, order_id: int) -> bool:
        return -WORD < order_id < WORD and self._slot_of.get(order_id) >= 0

    def __getitem__(self, order_id: int) -> AnOrder:
        order = self.get(order_id)
        if order is None:
            raise KeyError(order_id)
        return order

    def get(self, order_id: int) -> AnOrder | None:
        """The order with this id, or None."""
        if not -WORD < order_id < WORD:
            return None
        slot = self._slot_of.get(order_id)
        return None if slot < 0 else self._slots[slot]

    def add(self, order: AnOrder) -> bool:
        """Keep an order; False, and nothing is changed, if there is one with its id."""
        slot = self._free
        if slot < 0:
            slot = len(self._slots)
            self._slots.append(None)
            self._next_free = append(self._next_free, NO_SLOT)
            self._free = slot
        if not self._slot_of.add(order.order_id, slot):
            return False
        self._free = self._next_free[slot]
        self._slots[slot] = order
        return True

    def pop(self, order_id: int) -> AnOrder | None:
        """Forget the order with this id and return it, or None if there is none."""
        if not -WORD < order_id < WORD:
            return None
        slot = self._slot_of.pop(order_id)
        if slot < 0:
            return None
        order = self._slots[slot]
        self._slots[slot] = None
        self._next_free[slot] = self._free
        self._free = slot
        return order

    def values(self) -> list[AnOrder]:
        """All orders."""
        return [order for order in self._slots if order is not None]


def new_orders_by_id() -> OrdersById[AnOrder]:
    """An empty collection, of the kind that is fast in this build."""
    return OrderTable() if COMPILED else OrdersById()
