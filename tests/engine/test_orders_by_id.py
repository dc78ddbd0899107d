"""Orders by id against a dictionary, which is what they stand in for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.orders_by_id import Identified, OrdersById, OrderTable
from engine.units import WORD

NEAR = st.integers(0, 40)
SAME_LOW_BITS = st.integers(0, 20).map(lambda number: number * 2**42)
ANY = st.integers(-WORD + 1, WORD - 1)
IDS = st.one_of(NEAR, SAME_LOW_BITS, ANY)


KINDS = pytest.mark.parametrize("kind", [OrdersById, OrderTable])
Kind = type[OrdersById[Identified]]


@KINDS
@given(steps=st.lists(st.tuples(st.booleans(), IDS), max_size=300))
def test_it_answers_as_a_dictionary(kind: Kind, steps: list[tuple[bool, int]]) -> None:
    table = kind()
    known: dict[int, Identified] = {}
    for adds, order_id in steps:
        assert table.get(order_id) is known.get(order_id)
        assert (order_id in table) == (order_id in known)
        if adds:
            order = Identified(order_id)
            assert table.add(order) == (order_id not in known)
            known.setdefault(order_id, order)
        else:
            assert table.pop(order_id) is known.pop(order_id, None)
        assert len(table) == len(known)
    for order_id, order in known.items():
        assert table[order_id] is order
    found = table.values()
    assert len(found) == len(known)
    assert {order.order_id for order in found} == set(known)
    assert sorted(table) == sorted(known)


@KINDS
def test_many_ids_in_a_row_come_and_go(kind: Kind) -> None:
    table = kind()
    for order_id in range(10_000):
        assert table.add(Identified(order_id))
        if order_id >= 700:
            assert table.pop(order_id - 700) is not None
    assert sorted(order.order_id for order in table.values()) == list(range(9_300, 10_000))
    assert all(order_id in table for order_id in range(9_300, 10_000))
    assert not any(order_id in table for order_id in range(9_300))


@KINDS
@pytest.mark.parametrize("order_id", [WORD, -WORD, 2**64, 7])
def test_an_id_that_cannot_be_there_is_not_there(kind: Kind, order_id: int) -> None:
    table = kind()
    assert table.get(order_id) is None
    assert table.pop(order_id) is None
    assert order_id not in table
    with pytest.raises(KeyError, match=str(order_id)):
        table[order_id]
