"""The state hash tells states apart and nothing else; the chain hash tells streams apart."""

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.record.hashing import HASH_BYTES, ChainHash, TableHash, row_hash, state_hash, table_hash

SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.binary()
STATES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4), max_leaves=12)


def as_tuples(state: object) -> object:
    return tuple(map(as_tuples, state)) if isinstance(state, list) else state


def typed(state: object) -> object:
    """A form in which True and 1 differ, as they must in a hash."""
    if isinstance(state, list):
        return [typed(item) for item in state]
    return (type(state).__name__, state)


@given(STATES)
def test_lists_and_tuples_of_the_same_content_hash_alike(state: object) -> None:
    assert state_hash(state) == state_hash(as_tuples(state))


@given(STATES, STATES)
def test_hashes_are_equal_exactly_for_equal_states(one: object, other: object) -> None:
    assert (state_hash(one) == state_hash(other)) == (typed(one) == typed(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, [2]], [[1], 2]),
        ([1, 2], [2, 1]),
        (True, 1),
        (False, 0),
        (None, 0),
        ("1", 1),
        ("a", b"a"),
        ([], None),
        (2**64, -(2**64)),
        (2**64, (2**64).to_bytes(9, "big")),
        ([2**70, 1], [2**70, 2]),
    ],
)
def test_states_that_look_alike_hash_differently(one: object, other: object) -> None:
    assert state_hash(one) != state_hash(other)


def test_the_hash_is_that_of_the_canonical_messagepack() -> None:
    # array of 4, 1, string of 3, array of 2, true, null, extension 1 of 11 bytes
    written_by_hand = b"\x94\x01\xa3BTC\x92\xc3\xc0\xc7\x0b\x01\x01" + bytes(10)
    expected = hashlib.blake2b(written_by_hand, digest_size=16).hexdigest()
    assert state_hash([1, "BTC", (True, None), 2**80]) == expected


@pytest.mark.parametrize("bad", [0.5, {"a": 1}, {1, 2}, object(), bytearray(b"x")])
@pytest.mark.parametrize("nest", [lambda v: v, lambda v: [v], lambda v: [1, [2, (v,)]]])
def test_what_has_no_canonical_form_is_refused(bad: object, nest: object) -> None:
    with pytest.raises(TypeError, match=f"a {type(bad).__name__} cannot be part of a state hash"):
        state_hash(nest(bad))  # type: ignore[operator]


ROWS = st.lists(st.tuples(st.integers(0, 3), st.text(max_size=1)), max_size=6)


@given(ROWS, ROWS)
def test_tables_hash_alike_exactly_for_the_same_rows_in_any_order(
    one: list[object], other: list[object]
) -> None:
    assert (table_hash(one) == table_hash(other)) == (Counter(one) == Counter(other))
    assert table_hash(one) == table_hash(reversed(one))


@given(ROWS, st.data())
def test_a_table_renewed_row_by_row_has_the_hash_of_one_from_nothing(
    rows: list[tuple[int, str]], data: st.DataObject
) -> None:
    table = TableHash()
    counted = [0] * len(rows)
    more = st.lists(st.integers(0, len(rows) - 1), max_size=8) if rows else st.just([])
    for place in [*range(len(rows)), *data.draw(more)]:
        after = 0 if data.draw(st.booleans()) else row_hash(rows[place])
        table.replace(counted[place], after)
        counted[place] = after
    present = [row for row, hashed in zip(rows, counted, strict=True) if hashed]
    assert table.digest() == table_hash(present)


@given(st.lists(st.binary(max_size=4), max_size=6), st.lists(st.binary(max_size=4), max_size=6))
def test_chains_are_equal_exactly_for_equal_streams(one: list[bytes], other: list[bytes]) -> None:
    assert (chain(one).hexdigest() == chain(other).hexdigest()) == (one == other)


def test_a_chain_sees_where_messages_end() -> None:
    assert chain([b"ab", b"c"]).hexdigest() != chain([b"a", b"bc"]).hexdigest()


@given(st.lists(st.binary(max_size=8), min_size=1), st.data())
def test_a_chain_continues_from_its_digest(stream: list[bytes], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(stream)))
    resumed = ChainHash(chain(stream[:cut]).digest)
    for message in stream[cut:]:
        resumed.update(message)
    assert resumed.hexdigest() == chain(stream).hexdigest()


def test_a_digest_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=f"a digest has {HASH_BYTES} bytes, not 3"):
        ChainHash(b"abc")


def chain(stream: list[bytes]) -> ChainHash:
    running = ChainHash()
    for message in stream:
        running.update(message)
    return running
