"""The depth of one instrument as a message, and what is wrong when an update is missing."""

import msgspec


class SequenceGap(ValueError):
    """A depth update is missing or came twice: take a new snapshot."""


class DepthSnapshot(msgspec.Struct, frozen=True, array_like=True):
    """L2 of one instrument after depth update ``sequence``; levels are (price_ticks, lots)."""

    instrument_id: int
    sequence: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
