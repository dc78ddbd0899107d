"""A component's state as bytes and back: what a snapshot on disk holds.

States are nested lists of ints of any size, strings, bytes, bools and None, as for
`engine.record.hashing.state_hash`; the bytes are the ones that are hashed.
"""

from typing import Any

import msgspec

from engine.record.hashing import BIG_INT_CODE, canonical


def pack(state: object) -> bytes:
    """The bytes of a state.

    Raises:
        TypeError: a float, dictionary or set is in it.
    """
    return canonical(state)


def unpack(data: bytes) -> Any:
    """The state `pack` was given, with lists for tuples.

    Raises:
        ValueError: the bytes are no state.
    """
    try:
        return msgspec.msgpack.decode(data, ext_hook=_big_int)
    except msgspec.DecodeError as error:
        raise ValueError(f"not a state: {error}") from None


def _big_int(code: int, data: memoryview) -> int:
    if code != BIG_INT_CODE:
        raise ValueError(f"extension {code} is unknown; a state has only {BIG_INT_CODE}")
    return int.from_bytes(data, "big", signed=True)
