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

    def _of(self, content: bytes) -> bytes:
        return blake2b(content, digest_size=SEAL_BYTES, key=self._key).digest()

    def sealed(self, content: bytes) -> bytes:
        """A message: the seal and what it stands for."""
        return self._of(content) + content

    def fits(self, message: bytes) -> bool:
        """Whether a message is from the other end, as it is."""
        return compare_digest(message[:SEAL_BYTES], self._of(message[SEAL_BYTES:]))
