"""The seal on every message between two services: who has the link's key wrote it, as it is.

Keyed BLAKE2b over the header (sender, number, acknowledgement) and the frame. A link has a key of
its own, known to its two ends only, so a service cannot speak in the name of a third. What is
recorded and sent once more fits its seal, and changes nothing: its number is known already.
"""

from hashlib import blake2b
from hmac import compare_digest
from typing import Final

SEAL_BYTES: Final[int] = 16
KEY_BYTES: Final[int] = 32


class Seal:
    """Makes and checks the seals of one link."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a link's key has {KEY_BYTES} bytes, this one has {len(key)}")
        self._key = key

    def of(self, header: bytes, body: bytes) -> bytes:
        """The seal of a message."""
        # A header ends where it says it ends, so header and frame need no mark in between.
        made = blake2b(header, digest_size=SEAL_BYTES, key=self._key)
        made.update(body)
        return made.digest()

    def sealed(self, header: bytes, body: bytes) -> bytes:
        """The first part of a message: seal and header."""
        return self.of(header, body) + header

    def fits(self, first: bytes, body: bytes) -> bool:
        """Whether a message with this first part is from the other end."""
        return compare_digest(first[:SEAL_BYTES], self.of(first[SEAL_BYTES:], body))
