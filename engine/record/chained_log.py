"""A service's inputs on disk: an append-only log in files, every group of rows with a checksum
over itself and everything before it.

A file is named after the place of the row before its first one and begins with that place and the
chain up to there; then come groups. A group is one write: size, number of rows, chain, rows as
MessagePack. The chain of a group is the hash of the chain before it and of the group, so no row can
be changed, left out or put elsewhere without every chain behind it being another.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple

import msgspec

from engine.record.journal import JournalError

CHAIN_BYTES: Final[int] = 16
FIRST_CHAIN: Final[bytes] = bytes(CHAIN_BYTES)
_MAGIC: Final[bytes] = b"SWLOG\x00\x00\x03"
_FILE: Final = Struct("<8sQ16s16s")
_GROUP: Final = Struct("<II16s")
_SIZES: Final = Struct("<II")
FILE_HEADER_BYTES: Final[int] = _FILE.size
GROUP_HEADER_BYTES: Final[int] = _GROUP.size

RESTORE: Final[str] = "restore the run directory from a backup (docs/services.md, Damaged files)"
"""What an operator can do about a damaged file."""


class JournalDamaged(JournalError):
    """Files of a journal are not what was written; the text names file, row and what to do.

    Started again, the service would meet the same."""


class Input(NamedTuple):
    """One handled input: its source's name, its number on that link, its frame."""

    source: str
    seq: int
    body: bytes


class GroupEnd(NamedTuple):
    """The end of a group: the place of its last row, the chain up to there, and where that is: the
    file that begins behind row ``base``, and the byte in it."""

    place: int
    chain: bytes
    base: int
    offset: int


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Input]).decode


def chained(chain: bytes, body: bytes) -> bytes:
    """The chain behind ``body``."""
    return blake2b(chain + body, digest_size=CHAIN_BYTES).digest()


def file_of(path: Path, base: int) -> Path:
    """The file of a log whose first row comes behind ``base``."""
    return path.with_name(f"{path.name}-{base:012}")


def bases_of(path: Path) -> list[int]:
    """The files of a log, by the row before their first, in order."""
    prefix = f"{path.name}-"
    found = [file.name.removeprefix(prefix) for file in path.parent.glob(f"{path.name}-*")]
    return sorted(int(base) for base in found if len(base) == 12 and base.isdigit())


def file_header(base: int, chain: bytes) -> bytes:
    """What a file of a log begins with."""
    start = _FILE.pack(_MAGIC, base, chain, b"")[:-CHAIN_BYTES]
    return start + chained(b"", start)


def group_of(chain: bytes, inputs: Sequence[Input]) -> tuple[bytes, bytes]:
    """The bytes of a group behind a chain, and the chain behind it."""
    rows = _encode(inputs)
    behind = chained(chain, _SIZES.pack(len(rows), len(inputs)) + rows)
    return _GROUP.pack(len(rows), len(inputs), behind) + rows, behind


class LogReader:
    """Goes through a log from a position on and checks every group.

    `position` is behind the last whole group read, `fault` says what is wrong with what comes next:
    nothing at the end of the log, a group that was cut off or is not the one written.
    """

    def __init__(self, path: Path, start: GroupEnd) -> None:
        self.path = path
        self.position = start
        self.fault = ""

    def groups(self) -> Iterator[list[Input]]:
        """The groups behind the start, each as its rows.

        Raises:
            JournalDamaged: a file is missing or not one of a log, or a group in the middle is not
                the one that was written.
        """
        while True:
            base, start = self.position.base, self.position.offset
            data = self._read(base, start)
            at = 0
            self.fault = ""
            while at < len(data):
                group = self._group(data, at)
                if group is None:
                    break
                rows, count, chain = group
                at += GROUP_HEADER_BYTES + len(rows)
                self.position = GroupEnd(self.position.place + count, chain, base, start + at)
                yield _decode(rows)
            later = [one for one in bases_of(self.path) if one > base]
            if not later:
                return
            if self.fault or later[0] != self.position.place:
                raise self.damaged(self.fault or f"is missing; row {later[0] + 1} is next")
            self.position = self._begin(later[0])

    def _begin(self, base: int) -> GroupEnd:
        """The position at the beginning of a file, which has to go on from the one before."""
        start = start_of(self.path, base)
        if start.chain != self.position.chain:
            raise JournalDamaged(
                f"{file_of(self.path, base)}: does not go on from row {base}; {RESTORE}"
            )
        return start

    def _read(self, base: int, offset: int) -> bytes:
        file = file_of(self.path, base)
        try:
            with file.open("rb") as opened:
                opened.seek(offset)
                return opened.read()
        except FileNotFoundError:
            raise JournalDamaged(f"{file}: is missing; {RESTORE}") from None
        except OSError as error:
            raise JournalError(f"{file}: cannot read the journal: {error.strerror}") from None

    def _group(self, data: bytes, at: int) -> tuple[bytes, int, bytes] | None:
        """Rows, their number and the chain of the group there; None notes the `fault`."""
        start = at + GROUP_HEADER_BYTES
        if start > len(data):
            self.fault = "is cut off"
            return None
        size, count, chain = _GROUP.unpack_from(data, at)
        if start + size > len(data):
            self.fault = "is cut off, or its length was changed"
            return None
        rows = data[start : start + size]
        if chained(self.position.chain, _SIZES.pack(size, count) + rows) != chain:
            self.fault = "is not what was written (its checksum differs)"
            return None
        return rows, count, chain

    def damaged(self, what: str) -> JournalDamaged:
        """The error that names the next row."""
        position = self.position
        file = file_of(self.path, position.base)
        return JournalDamaged(
            f"{file}: row {position.place + 1} at byte {position.offset} {what}; {RESTORE}"
        )


def start_of(path: Path, base: int) -> GroupEnd:
    """The beginning of a file of a log.

    Raises:
        JournalDamaged: it is not one.
        JournalError: it cannot be read.
    """
    file = file_of(path, base)
    try:
        with file.open("rb") as opened:
            header = opened.read(FILE_HEADER_BYTES)
    except OSError as error:
        raise JournalError(f"{file}: cannot read the journal: {error.strerror}") from None
    if len(header) == FILE_HEADER_BYTES:
        magic, place, chain, check = _FILE.unpack(header)
        if magic == _MAGIC and check == chained(b"", header[:-CHAIN_BYTES]) and place == base:
            return GroupEnd(base, chain, base, FILE_HEADER_BYTES)
    raise JournalDamaged(
        f"{file}: its beginning, before row {base + 1}, is not what was written; {RESTORE}"
    )
