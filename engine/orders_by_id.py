"""Orders by their id.

A dictionary's keys are objects. In compiled code an id is a machine word, and each look into a
dictionary makes an object of it, hashes it, compares it and frees it again. There an `OrderTable`
does the same at a tenth of the cost; in plain Python nothing beats a dictionary.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from engine.native import mypyc_attr
from engine.units import COMPILED, WORD

if TYPE_CHECKING:
    from mypy_extensions import i64

_FEWEST_PLACES: Final[int] = 64
_SPREAD: Final[int] = 0x2545F491
"""An odd number without a pattern below 2**30; the product with 30 bits of an id fits a word."""
_LOW_BITS: Final[int] = 2**30 - 1


@mypyc_attr(acyclic=True)
class Identified:
    """Something with an order id, below `engine.units.WORD` and never changed."""

    __slots__ = ("order_id",)

    def __init__(self, order_id: "i64") -> None:
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
    """A hash table with open addressing: an order stands at its home, the place its id leads to, or
    at the next free place after it. At most half of the places are taken.

    The search is written out in each of `get`, `add` and `pop`: a call was a sixth of `add`.
    """

    __slots__ = ("_count", "_mask", "_places")

    def __init__(self) -> None:
        super().__init__()
        self._count: i64 = 0
        self._mask: i64 = _FEWEST_PLACES - 1
        self._places: list[AnOrder | None] = [None] * _FEWEST_PLACES

    def __len__(self) -> int:
        return self._count

    def __contains__(self, order_id: int) -> bool:
        return self.get(order_id) is not None

    def __getitem__(self, order_id: int) -> AnOrder:
        order = self.get(order_id)
        if order is None:
            raise KeyError(order_id)
        return order

    def get(self, order_id: int) -> AnOrder | None:
        """The order with this id, or None."""
        if not -WORD < order_id < WORD:
            return None
        word: i64 = order_id
        places = self._places
        mask = self._mask
        place = _home(word, mask)
        order = places[place]
        while order is not None and order.order_id != word:
            place = (place + 1) & mask
            order = places[place]
        return order

    def add(self, order: AnOrder) -> bool:
        """Keep an order; False, and nothing is changed, if there is one with its id."""
        places = self._places
        mask = self._mask
        word: i64 = order.order_id
        place = _home(word, mask)
        found = places[place]
        while found is not None:
            if found.order_id == word:
                return False
            place = (place + 1) & mask
            found = places[place]
        places[place] = order
        count: i64 = self._count + 1
        self._count = count
        if count * 2 > mask:
            self._grow()
        return True

    def pop(self, order_id: int) -> AnOrder | None:
        """Forget the order with this id and return it, or None if there is none."""
        if not -WORD < order_id < WORD:
            return None
        word: i64 = order_id
        places = self._places
        mask = self._mask
        place = _home(word, mask)
        order = places[place]
        while order is not None and order.order_id != word:
            place = (place + 1) & mask
            order = places[place]
        if order is not None:
            self._count -= 1
            self._close(place)
        return order

    def values(self) -> list[AnOrder]:
        """All orders."""
        return [order for order in self._places if order is not None]

    def _close(self, gap: "i64") -> None:
        """Free a place: what stands behind it and would not be found across it moves back."""
        places = self._places
        mask = self._mask
        place: i64 = (gap + 1) & mask
        order = places[place]
        while order is not None:
            from_home: i64 = (place - _home(order.order_id, mask)) & mask
            from_gap: i64 = (place - gap) & mask
            if from_home >= from_gap:
                places[gap] = order
                gap = place
            place = (place + 1) & mask
            order = places[place]
        places[gap] = None

    def _grow(self) -> None:
        orders = self.values()
        self._mask = 2 * self._mask + 1
        self._places = [None] * (self._mask + 1)
        self._count = 0
        for order in orders:
            self.add(order)


def new_orders_by_id() -> OrdersById[AnOrder]:
    """An empty collection, of the kind that is fast in this build."""
    return OrderTable() if COMPILED else OrdersById()


def _home(order_id: "i64", mask: "i64") -> "i64":
    low_bits: i64 = (order_id ^ (order_id >> 30)) & _LOW_BITS
    return (low_bits * _SPREAD >> 12) & mask
