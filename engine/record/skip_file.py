"""Replacements of inputs that cannot be handled: a file of its own beside the log.

The log stays what it was. The head of the journal names the inputs that have such a file, so one
that is lost, changed or forged is told.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from engine.record.chained_log import CHAIN_BYTES, RESTORE, JournalDamaged, chained
from engine.record.journal import JournalError

NOTED: Final[str] = "skips"
"""The setting of the head that lists the places."""


class Skip(NamedTuple):
    """What is read in the place of an input's body: see `engine.commands.Skipped`. ``commands``
    are those left out, in words; ``who`` had it done for ``reason``, ``at_ns`` by the wall
    clock."""

    body: bytes
    commands: list[str]
    reason: str
    who: str
    at_ns: int


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(tuple[bytes, list[str], str, str, int]).decode


def skip_file(journal: Path, place: int) -> Path:
    """The file for one input of a journal."""
    return journal.with_name(f"{journal.stem}.skip-{place:012}")


def write_skip(journal: Path, place: int, skip: Skip) -> None:
    """Keep it, as a whole or not at all.

    Raises:
        JournalError: the disk refuses.
    """
    file = skip_file(journal, place)
    new = file.with_name(f"{file.name}.new")
    data = _encode(skip)
    try:
        new.write_bytes(chained(b"", data) + data)
        new.replace(file)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        text = f"{file}: cannot write the journal: {error.strerror}"
        raise JournalError(text) from None


def read_skips(journal: Path, settings: dict[str, str]) -> dict[int, bytes]:
    """The bodies that are read in the place of others, by place; ``settings`` are the head's.

    Raises:
        JournalDamaged: a file is missing or not what was written.
    """
    found: dict[int, bytes] = {}
    for place in map(int, settings.get(NOTED, "").split()):
        file = skip_file(journal, place)
        try:
            data = file.read_bytes()
        except OSError as error:
            raise JournalDamaged(f"{file}: cannot be read: {error.strerror}; {RESTORE}") from None
        if chained(b"", data[CHAIN_BYTES:]) != data[:CHAIN_BYTES]:
            raise JournalDamaged(f"{file}: the skip of row {place} was changed; {RESTORE}")
        found[place] = _decode(data[CHAIN_BYTES:])[0]
    return found
