"""How clients put the orders that are on their way: a file that is only ever appended to.

The exchange's events do not repeat the text a client named its order with. It is noted here before
the order leaves, so that a door that died in between can still say whose the order is. A write
costs some microseconds, a transaction of a database many times that.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from doors.history.records import Submission

MAX_BYTES: Final[int] = 8_388_608
"""Length at which the file becomes the older one, which takes the place of the one before: what is
noted is of use for the moment until the order's events are in the history."""

Asked = tuple[int, int]
"""A run of requests and the number of one."""


class _Row(msgspec.Struct, frozen=True, array_like=True):
    run: int
    request_id: int
    submission: Submission


class SubmissionLog:
    """`known` is what was noted in earlier lives.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._older = path.with_name(f"{path.name}.1")
        self._encode = msgspec.json.Encoder().encode
        self.known: Final[dict[Asked, Submission]] = {}
        for file in (self._older, path):
            self._read(file)
        self._open()

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._bytes = os.fstat(self._file).st_size

    def _read(self, file: Path) -> None:
        if not file.exists():
            return
        for line in file.read_bytes().split(b"\n"):
            try:
                row = msgspec.json.decode(line, type=_Row)
            except msgspec.DecodeError:
                continue  # the last line of a door that was killed in a write
            self.known[row.run, row.request_id] = row.submission

    def add(self, run: int, rows: Iterable[tuple[int, Submission]]) -> None:
        """Note what is about to be asked for."""
        lines = [self._encode(_Row(run, number, submission)) for number, submission in rows]
        data = b"\n".join(lines) + b"\n"
        os.write(self._file, data)
        self._bytes += len(data)
        if self._bytes > MAX_BYTES:
            os.close(self._file)
            self._path.replace(self._older)
            self._open()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)
