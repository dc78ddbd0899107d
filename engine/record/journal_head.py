"""The first file of a service's journal: whose it is, how it was begun, how far it has come.

One page. The settings are written once; the last row and its chain after every group, into two
slots in turn, so that a kill in the middle of one leaves the other. So a log that ends too early is
told from one that has ended. The process that has locked the file has the journal.
"""

import os
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from select import poll
from struct import Struct
from typing import Final
from zlib import crc32

import msgspec

from engine.record.chained_log import CHAIN_BYTES, FIRST_CHAIN, RESTORE, JournalDamaged, chained
from engine.record.journal import JournalError

FORMAT_VERSION: Final[int] = 3
_MAGIC: Final[bytes] = b"SWJRNL\x00\x03"
_PAGE: Final[int] = 4_096
_SETTINGS: Final = Struct("<8sI")
_SLOT: Final = Struct("<Q16sI")
_SLOTS: Final[tuple[int, int]] = (2_048, 3_072)
_WAIT_MS: Final[int] = 20

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(dict[str, str]).decode


class JournalHead:
    """Opens a head, or begins one for ``service``; ``alone`` locks it. Without, it is only looked
    at, and is anybody's if ``service`` is empty.

    `place` and `chain` are of the last row known to be there; the log may have more.

    Raises:
        JournalError: another process has it for longer than ``patience_ms``, it is that of another
            service or of another version, or the disk refuses.
        JournalDamaged: it is not what was written.
    """

    def __init__(self, path: Path, service: str, patience_ms: int, *, alone: bool) -> None:
        self.path = path
        self.place = 0
        self.chain = FIRST_CHAIN
        self._writes = 0
        try:
            flags = os.O_RDWR | os.O_CREAT if alone else os.O_RDONLY
            self._file = os.open(path, flags | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(f"{path}: cannot open the journal: {error.strerror}") from None
        try:
            if alone:
                self._lock(patience_ms)
            page = os.pread(self._file, _PAGE, 0)
            if not page and alone:
                self.settings: dict[str, str] = {"service": service}
                self._write_page(self.settings)
                return
            self._read(page, service)
        except OSError as error:
            self.close()
            raise JournalError(f"{path}: cannot open the journal: {error.strerror}") from None
        except JournalError:
            self.close()
            raise

    def _lock(self, patience_ms: int) -> None:
        for _ in range(patience_ms // _WAIT_MS + 1):
            try:
                flock(self._file, LOCK_EX | LOCK_NB)
                return
            except BlockingIOError:
                poll().poll(_WAIT_MS)
        raise JournalError(f"{self.path}: cannot open the journal: another process has it open")

    def _read(self, page: bytes, service: str) -> None:
        if page.startswith(b"SQLite format 3"):
            raise JournalError(
                f"{self.path}: journal format 2; this version reads {FORMAT_VERSION}"
            )
        if len(page) < _PAGE:
            raise JournalDamaged(f"{self.path}: is cut off; {RESTORE}")
        magic, size = _SETTINGS.unpack_from(page)
        if magic != _MAGIC:
            raise JournalDamaged(f"{self.path}: not the beginning of a journal; {RESTORE}")
        end = _SETTINGS.size + size
        if end + CHAIN_BYTES > _SLOTS[0] or chained(b"", page[:end]) != page[end : end + 16]:
            raise JournalDamaged(f"{self.path}: its settings are not what was written; {RESTORE}")
        self.settings = _decode(page[_SETTINGS.size : end])
        if self.settings["service"] != service and service:
            raise JournalError(
                f"{self.path}: the journal of {self.settings['service']!r}, not of {service!r}"
            )
        found = False
        for turn, at in enumerate(_SLOTS):
            place, chain, check = _SLOT.unpack_from(page, at)
            if check == crc32(page[at : at + _SLOT.size - 4]) and place >= self.place:
                self.place, self.chain = place, chain
                self._writes = turn + 1
                found = True
        if not found:
            raise JournalDamaged(f"{self.path}: does not say how far it came; {RESTORE}")

    def _page(self, settings: dict[str, str]) -> bytes:
        rows = _encode(settings)
        start = _SETTINGS.pack(_MAGIC, len(rows)) + rows
        if len(start) + CHAIN_BYTES > _SLOTS[0]:
            raise JournalError(f"{self.path}: no room for more settings")
        page = bytearray(_PAGE)
        page[: len(start) + CHAIN_BYTES] = start + chained(b"", start)
        for at in _SLOTS:
            page[at : at + _SLOT.size] = _slot(self.place, self.chain)
        return bytes(page)

    def begun_with(self, setting: str, value: str) -> str:
        """The value of a setting this journal was begun with; one that is begun now notes it.

        Raises:
            JournalError: the disk refuses.
        """
        if setting not in self.settings:
            self.note(setting, value)
        return self.settings[setting]

    def note(self, setting: str, value: str) -> None:
        """Keep a setting, another value than before if it had one.

        Raises:
            JournalError: the disk refuses, or there is no room for so long a value.
        """
        settings = {**self.settings, setting: value}
        self._write_page(settings)
        self.settings = settings

    def reached(self, place: int, chain: bytes) -> None:
        """The log has this row.

        Raises:
            JournalError: the disk refuses.
        """
        self._write(_slot(place, chain), _SLOTS[self._writes & 1])
        self._writes += 1
        self.place, self.chain = place, chain

    def go_back(self, place: int, chain: bytes) -> None:
        """The log ends here now.

        Raises:
            JournalError: the disk refuses.
        """
        self.place, self.chain = place, chain
        self._write_page(self.settings)

    def _write_page(self, settings: dict[str, str]) -> None:
        """Write all of it, and wait for the disk: a log without a head cannot be used."""
        self._write(self._page(settings), 0)
        try:
            os.fsync(self._file)
        except OSError as error:
            text = f"{self.path}: cannot write the journal: {error.strerror}"
            raise JournalError(text) from None

    def _write(self, data: bytes, at: int) -> None:
        try:
            os.pwrite(self._file, data, at)
        except OSError as error:
            text = f"{self.path}: cannot write the journal: {error.strerror}"
            raise JournalError(text) from None

    def close(self) -> None:
        """Let go of the file. Closing twice does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _slot(place: int, chain: bytes) -> bytes:
    start = _SLOT.pack(place, chain, 0)[:-4]
    return start + crc32(start).to_bytes(4, "little")
