"""A service's state on disk after one of its inputs: a file with a checksum over all of it.

It is written beside its place and renamed, so it is there as a whole or not at all.
"""

import os
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import Final

from engine.record.chained_log import CHAIN_BYTES, GroupEnd, JournalDamaged
from engine.record.journal import JournalError

_MAGIC: Final[bytes] = b"SWSNAP\x00\x03"
_HEADER: Final = Struct("<8sQ16sQQQ")


def snapshot_file(journal: Path, place: int) -> Path:
    """The file of the snapshot behind a row of a journal."""
    return journal.with_name(f"{journal.stem}.snapshot-{place:012}")


def snapshots_of(journal: Path) -> list[int]:
    """The rows behind which there are snapshots, newest first."""
    prefix = f"{journal.stem}.snapshot-"
    found = [file.name.removeprefix(prefix) for file in journal.parent.glob(f"{prefix}*")]
    return sorted((int(one) for one in found if len(one) == 12 and one.isdigit()), reverse=True)


def write_snapshot(journal: Path, position: GroupEnd, state: bytes, *, to_disk: bool) -> None:
    """Keep a state with the position it belongs to; with ``to_disk`` wait for the disk.

    Raises:
        JournalError: the disk refuses; nothing is left of it.
    """
    file = snapshot_file(journal, position.place)
    new = file.with_name(f"{file.name}.new")
    header = _HEADER.pack(
        _MAGIC, position.place, position.chain, position.base, position.offset, len(state)
    )
    try:
        with open(new, "wb", opener=_private) as opened:
            opened.write(header + _check(header, state))
            opened.write(state)
            opened.flush()
            if to_disk:
                os.fsync(opened.fileno())
        new.replace(file)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        text = f"{file}: cannot write the journal: {error.strerror}"
        raise JournalError(text) from None


def read_snapshot(journal: Path, place: int) -> tuple[GroupEnd, bytes]:
    """A state and the position it belongs to.

    Raises:
        JournalDamaged: the file is not what was written.
        JournalError: it cannot be read.
    """
    file = snapshot_file(journal, place)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise JournalError(f"{file}: cannot read the snapshot: {error.strerror}") from None
    start = _HEADER.size + CHAIN_BYTES
    if len(data) < start:
        raise JournalDamaged(f"{file}: is cut off")
    header, state = data[: _HEADER.size], data[start:]
    magic, found, chain, base, offset, size = _HEADER.unpack(header)
    if size != len(state) and magic == _MAGIC:
        raise JournalDamaged(f"{file}: is cut off, or its length was changed")
    if magic != _MAGIC or found != place or data[_HEADER.size : start] != _check(header, state):
        raise JournalDamaged(f"{file}: is not what was written (its checksum differs)")
    return GroupEnd(place, chain, base, offset), state


def _check(header: bytes, state: bytes) -> bytes:
    hashed = blake2b(header, digest_size=CHAIN_BYTES)
    hashed.update(state)
    return hashed.digest()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
