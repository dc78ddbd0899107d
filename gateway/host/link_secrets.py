"""The keys of the links between services: made at the first start, for the owner's eyes only.

On one machine each link has a file of its own in the run directory. Services on several hosts share
``[link_keys]``; their links' keys are derived from it.
"""

import os
import secrets
import stat
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

from engine.connections.link_keys import LinkKeys
from engine.connections.link_seal import KEY_BYTES, Seal
from engine.services.service_config import ConfigError

FOLDER: Final[str] = "link_keys"
OTHERS: Final[int] = stat.S_IRWXG | stat.S_IRWXO


def seals_of(
    service: str, peers: Sequence[str], run_dir: Path, link_keys: LinkKeys
) -> dict[str, Seal]:
    """The seal of the link with each peer; missing keys are made.

    Raises:
        ConfigError: a key file cannot be read or made, is damaged, or others can read it.
    """
    found: dict[str, Seal] = {}
    for peer in peers:
        link = "-".join(sorted((service, peer)))
        key = _derived(link, link_keys) if link_keys.given else _kept(run_dir / FOLDER, link)
        found[peer] = Seal(key)
    return found


def _derived(link: str, link_keys: LinkKeys) -> bytes:
    key = link_keys.secret.encode()
    name = link.encode()
    return blake2b(name, key=key, person=b"seawall link", digest_size=KEY_BYTES).digest()


def _kept(folder: Path, link: str) -> bytes:
    """The key in a file; both ends of a link start at once, and the first one there makes it."""
    file = folder / f"{link}.key"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            _make(file)
        mode = file.stat().st_mode
        key = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: the key of a link: {error.strerror}") from None
    if mode & OTHERS:
        raise ConfigError(f"{file}: others can read or write it; chmod 600 {file}")
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"{file}: has {len(key)} bytes, a link's key has {KEY_BYTES}; "
            "stop all services and delete it: the next start makes another"
        )
    return key


def _make(file: Path) -> None:
    """Put a fresh key there, as a whole or not at all, unless another process was faster."""
    new = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(KEY_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(new, file)
    except FileExistsError:
        pass
    finally:
        new.unlink()
