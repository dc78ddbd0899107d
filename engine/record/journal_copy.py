"""A copy of journals whose services may be running: files as of one moment, whole by themselves
and fitting each other.

First all snapshots are opened, then all logs, and how long each log is then is noted; what is
written or deleted afterwards does not change what is copied. So every service has in the copy what
its neighbours' snapshots say that it acknowledged, and whatever a service has beyond its neighbours
is made again by them, with the same numbers. The service that hears from outside comes last: it
has all inputs that the others have.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from engine.record.chained_log import bases_of, file_of
from engine.record.journal import JournalError
from engine.record.snapshot_file import snapshot_file, snapshots_of

ATTEMPTS: Final[int] = 20
"""Looks at files that were replaced meanwhile."""

_CHUNK: Final[int] = 1_048_576


class _Held(NamedTuple):
    """An open file, and how much of it is copied."""

    name: str
    opened: int
    size: int


def copy_journals(journals: Sequence[Path], into: Path) -> None:
    """Copy journals into a folder that is there, and wait until they are on the disk.

    ``journals`` are all those of an exchange, that of the service which hears from outside last.

    Raises:
        JournalError: files are missing, or are replaced faster than they can be opened.
        OSError: the disk refuses.
    """
    for _ in range(ATTEMPTS):
        with ExitStack() as stack:
            try:
                # Read at once, before the logs: a log has at least what its head says.
                heads = [(journal.name, journal.read_bytes()) for journal in journals]
                held = _hold(journals, stack)
            except FileNotFoundError as error:
                missing = error.filename
                continue
            for name, head in heads:
                _write(into.joinpath(name), [head])
            for file in held:
                _write(into.joinpath(file.name), _chunks(file))
            return
    raise JournalError(f"{missing}: is missing, or was replaced while it was opened; try again")


def _hold(journals: Sequence[Path], stack: ExitStack) -> list[_Held]:
    """Everything a copy needs besides the heads, open.

    Raises:
        FileNotFoundError: a file went, or the log behind every snapshot that was opened.
    """
    held: list[_Held] = []
    snapshots = [snapshots_of(journal) for journal in journals]
    opened = [
        {place: _open(snapshot_file(journal, place), stack) for place in places}
        for journal, places in zip(journals, snapshots, strict=True)
    ]
    for journal, of_journal in zip(journals, opened, strict=True):
        held += [_open(file, stack) for file in journal.parent.glob(f"{journal.stem}.skip-*")]
        bases = bases_of(journal)
        held += [_open(file_of(journal, base), stack) for base in bases]
        first = bases[0] if bases else -1
        usable = [file for place, file in of_journal.items() if 0 <= first <= place]
        if first and not usable:
            raise FileNotFoundError(None, "", str(file_of(journal, 0)))
        held += usable
    return held


def _open(file: Path, stack: ExitStack) -> _Held:
    opened = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    stack.callback(os.close, opened)
    return _Held(file.name, opened, os.fstat(opened).st_size)


def _write(file: Path, chunks: Iterable[bytes]) -> None:
    opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(opened, "wb") as written:
        for chunk in chunks:
            written.write(chunk)
        written.flush()
        os.fsync(opened)


def _chunks(file: _Held) -> Iterator[bytes]:
    at = 0
    while at < file.size:
        chunk = os.pread(file.opened, min(_CHUNK, file.size - at), at)
        if not chunk:
            # A group that was written in part was taken back.
            return
        yield chunk
        at += len(chunk)
