"""Signatures over the bytes as they were sent: HMAC-SHA256 in hex, or Ed25519 in base64.

Nothing is decoded or put together again before it is compared: what a client signed is what it
sent, with its own percent-encoding.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final
from urllib.parse import unquote_to_bytes

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from doors.keys.key_file import ApiKey
from engine.services.service_config import ConfigError

_PARAMETER: Final[bytes] = b"signature="


class Seal:
    """What the requests of one key are checked with.

    Raises:
        ConfigError: the key's Ed25519 half is no such key.
    """

    def __init__(self, key: ApiKey) -> None:
        self._secret = key.secret.encode()
        self._public = None if key.secret else _public_key(key.ed25519)

    def fits(self, signed: bytes, signature: bytes) -> bool:
        """Whether ``signature``, as sent, is this key's over ``signed``."""
        if self._public is None:
            expected = hmac.digest(self._secret, signed, hashlib.sha256).hex().encode()
            return hmac.compare_digest(expected, signature.lower())
        try:
            raw = base64.b64decode(unquote_to_bytes(signature.replace(b"+", b"%2B")), validate=True)
            self._public.verify(raw, signed)
        except (binascii.Error, ValueError, InvalidSignature):
            return False
        return True


def _public_key(pem: str) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(pem.strip().encode())
    except (ValueError, TypeError) as error:
        raise ConfigError(f"ed25519: not a public key in PEM: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError("ed25519: the PEM is another kind of key")
    return key


def split_signature(query: bytes, body: bytes) -> tuple[bytes, bytes]:
    """What was signed and the signature, empty when there is none: the query followed directly by
    the body, both as sent, without the parameter itself."""
    for place, part in enumerate((body, query)):
        rest, signature = _without_signature(part)
        if signature:
            return (query + rest, signature) if place == 0 else (rest + body, signature)
    return query + body, b""


def _without_signature(part: bytes) -> tuple[bytes, bytes]:
    """A part without its parameter ``signature``, and the value of it."""
    if _PARAMETER not in part:
        return part, b""
    pairs = part.split(b"&")
    found = [pair for pair in pairs if pair.startswith(_PARAMETER)]
    if not found:
        return part, b""
    others = [pair for pair in pairs if not pair.startswith(_PARAMETER)]
    return b"&".join(others), found[-1][len(_PARAMETER) :]
