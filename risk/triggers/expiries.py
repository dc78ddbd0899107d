"""Orders that end by the clock: good till date."""

from sortedcontainers import SortedList


class Expiries:
    """When orders end, by id; `count` of them."""

    __slots__ = ("_due", "_ends_ns", "count")

    def __init__(self) -> None:
        self._due: SortedList[tuple[int, int]] = SortedList()
        self._ends_ns: dict[int, int] = {}
        self.count = 0

    def add(self, order_id: int, expire_ns: int) -> None:
        """Let an order end at this time."""
        self._due.add((expire_ns, order_id))
        self._ends_ns[order_id] = expire_ns
        self.count += 1

    def drop(self, order_id: int) -> None:
        """Forget an order that is over, if it is known."""
        expire_ns = self._ends_ns.pop(order_id, 0)
        if expire_ns:
            self._due.remove((expire_ns, order_id))
            self.count -= 1

    def expire_ns(self, order_id: int) -> int:
        """When an order ends; 0: not by the clock, or it was told to."""
        return self._ends_ns.get(order_id, 0)

    def take_due(self, now_ns: int) -> list[int]:
        """Orders whose time has come, the first to end first; they are known no more."""
        found: list[int] = []
        while self._due and self._due[0][0] <= now_ns:
            order_id = self._due.pop(0)[1]
            del self._ends_ns[order_id]
            found.append(order_id)
        self.count -= len(found)
        return found

    def state(self) -> list[list[int]]:
        """All of them, the first to end first."""
        return [[expire_ns, order_id] for expire_ns, order_id in self._due]

    def restore(self, state: list[list[int]]) -> None:
        """Take over what `state` returned."""
        for expire_ns, order_id in state:
            self.add(order_id, expire_ns)
