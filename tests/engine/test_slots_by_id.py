"""Slots by id against a dictionary, which is what they stand in for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.slots_by_id import NO_SLOT, SlotsById, SlotTable
from engine.units import WORD

NEAR = st.integers(0, 40)
SAME_LOW_BITS = st.integers(0, 20).map(lambda number: number * 2**42)
ANY = st.integers(-WORD + 1, WORD - 1)
IDS = st.one_of(NEAR, SAME_LOW_BITS, ANY)

KINDS = pytest.mark.parametrize("kind", [SlotsById, SlotTable])


@KINDS
@given(steps=st.lists(st.tuples(st.booleans(), IDS, st.integers(0, 2**40)), max_size=300))
def test_it_answers_as_a_dictionary(
    kind: type[SlotsById], steps: list[tuple[bool, int, int]]
) -> None:
    table = kind()
    known: dict[int, int] = {}
    for adds, order_id, slot in steps:
        assert table.get(order_id) == known.get(order_id, NO_SLOT)
        if adds:
            assert table.add(order_id, slot) == (order_id not in known)
            known.setdefault(order_id, slot)
        else:
            assert table.pop(order_id) == known.pop(order_id, NO_SLOT)
        assert len(table) == len(known)
    assert {order_id: table.get(order_id) for order_id in known} == known
    assert sorted(table.items()) == sorted(known.items())


@KINDS
def test_many_ids_in_a_row_come_and_go(kind: type[SlotsById]) -> None:
    table = kind()
    for order_id in range(10_000):
        assert table.add(order_id, 2 * order_id)
        if order_id >= 700:
            assert table.pop(order_id - 700) == 2 * (order_id - 700)
    assert sorted(table.items()) == [(number, 2 * number) for number in range(9_300, 10_000)]
    assert {table.get(order_id) for order_id in range(9_300)} == {NO_SLOT}
