"""Hashes two runs are compared by: of a state at one moment, and of a stream of messages."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import msgspec

HASH_BYTES: Final[int] = 16
"""Length of every hash: 128 bits, written as 32 hexadecimal digits."""

_SCALARS: Final[frozenset[type]] = frozenset({int, str, bytes, bool, type(None)})
BIG_INT_CODE: Final[int] = 1
"""MessagePack extension of an int beyond 64 bits: two's complement, big-endian."""
_EMPTY: Final = blake2b(digest_size=HASH_BYTES)
"""Copied for every hash, which costs less than a new one with its options."""
_WHOLE: Final[int] = (1 << 8 * HASH_BYTES) - 1

_encoder = msgspec.msgpack.Encoder()


def state_hash(state: object) -> str:
    """The hash of a state: equal states give equal hashes, in every process and on every machine.

    ``state`` is made of lists, tuples (the same as lists), ints of any size, strings, bytes, bools
    and None. It is hashed in its canonical MessagePack form.

    Raises:
        TypeError: something else is in it. Floats are not exact; dictionaries and sets have no
            order of their own: sort them into a list first.
    """
    return digest_of(state).hex()


class TableHash:
    """The hash of a table whose rows have no order, renewed row by row: the sum of the hashes of
    its rows, modulo 2**128.

    A row that changed is taken out with the hash it had and put in with the one it has, so the
    cost is that of the rows that changed. Two tables that differ by chance have the same hash once
    in 2**128; it is no guard against an attacker who looks for rows that add up.
    """

    __slots__ = ("_total",)

    def __init__(self) -> None:
        self._total = 0

    def replace(self, before: int, after: int) -> None:
        """A row, or some rows, that counted ``before`` (0: new) count ``after`` (0: gone)."""
        self._total = (self._total + after - before) & _WHOLE

    def digest(self) -> bytes:
        """The hash of the table as it is."""
        return self._total.to_bytes(HASH_BYTES, "big")


def row_hash(row: object) -> int:
    """What a row counts in the hash of its table.

    Raises:
        TypeError: as for `state_hash`.
    """
    return int.from_bytes(digest_of(row), "big")


def table_hash(rows: Iterable[object]) -> bytes:
    """`TableHash.digest` of these rows, counted from nothing.

    Raises:
        TypeError: as for `state_hash`.
    """
    table = TableHash()
    for row in rows:
        table.replace(0, row_hash(row))
    return table.digest()


def digest_of(state: object) -> bytes:
    """`state_hash` as bytes.

    Raises:
        TypeError: as for `state_hash`.
    """
    hasher = _EMPTY.copy()
    hasher.update(canonical(state))
    return hasher.digest()


def canonical(state: object) -> bytes:
    """The MessagePack form of a state, the same for equal states.

    Raises:
        TypeError: as for `state_hash`.
    """
    _refuse_inexact(state)
    try:
        return _encoder.encode(state)
    except OverflowError:
        return _encoder.encode(_with_big_ints_as_bytes(state))


def _refuse_inexact(value: object) -> None:
    """Look at the type of everything in a state."""
    if isinstance(value, list):
        # Compiled, a loop over what is known to be a list costs half of one over any sequence.
        for item in value:
            # What most of a state is made of goes without a call.
            kind = type(item)
            if kind is int or kind is str or kind is bool or item is None:
                continue
            _refuse_inexact(item)
    elif isinstance(value, tuple):
        for item in value:
            _refuse_inexact(item)
    elif type(value) not in _SCALARS:
        raise TypeError(
            f"a {type(value).__name__} cannot be part of a state hash: {value!r:.80}; "
            "use lists, tuples, ints, strings, bytes, bools and None"
        )


def _with_big_ints_as_bytes(value: object) -> object:
    """The same state with ints too long for MessagePack as an extension of its own."""
    if isinstance(value, list | tuple):
        return [_with_big_ints_as_bytes(item) for item in value]
    if type(value) is int and not -(2**63) <= value < 2**64:
        length = value.bit_length() + 8 >> 3
        return msgspec.msgpack.Ext(BIG_INT_CODE, value.to_bytes(length, "big", signed=True))
    return value


class ChainHash:
    """The running hash of a stream: each step hashes the digest so far and the next message.

    `digest` is all there is to it, so a stream can be continued from a checkpoint.
    """

    __slots__ = ("digest",)

    def __init__(self, digest: bytes = bytes(HASH_BYTES)) -> None:
        if len(digest) != HASH_BYTES:
            raise ValueError(f"a digest has {HASH_BYTES} bytes, not {len(digest)}")
        self.digest = digest

    def update(self, data: bytes) -> None:
        """Add the next message of the stream."""
        hasher = _EMPTY.copy()
        hasher.update(self.digest + data)
        self.digest = hasher.digest()

    def hexdigest(self) -> str:
        """The hash of the stream so far; the stream may go on."""
        return self.digest.hex()
