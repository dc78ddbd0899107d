"""Going on without the end of a journal: what an operator may want when it is damaged and there is
no backup. Nothing is deleted; what is cut off is put aside."""

import os
from pathlib import Path
from typing import Final

from engine.record.chained_log import GroupEnd, LogReader, bases_of, file_of, start_of
from engine.record.journal import JournalError
from engine.record.journal_head import JournalHead
from engine.record.snapshot_file import read_snapshot, snapshot_file, snapshots_of

ASIDE: Final[str] = ".cut"
PATIENCE_MS: Final[int] = 1_000


def cut_journal(path: Path, service: str, row: int) -> int:
    """Forget a row and all behind it; returns how many rows that are, as far as the journal knows.

    Afterwards the journal is one that ends before ``row``. Cut off in the middle, this can be done
    again.

    Raises:
        JournalError: another process has it, the row is not the first of a group or beyond the end,
            there is nothing whole before it to go on from, or the disk refuses.
    """
    head = JournalHead(path, service, PATIENCE_MS, alone=True)
    try:
        end = _end_before(path, row)
        lost = max(head.place - end.place, 0)
        try:
            _put_aside(path, end)
        except OSError as error:
            raise JournalError(f"{path}: cannot cut the journal: {error.strerror}") from None
        head.go_back(end.place, end.chain)
        return lost
    finally:
        head.close()


def _end_before(path: Path, row: int) -> GroupEnd:
    """Where the group that begins with this row begins."""
    reader = LogReader(path, _start(path, row))
    if reader.position.place == row - 1:
        return reader.position
    for _ in reader.groups():
        if reader.position.place == row - 1:
            return reader.position
    raise JournalError(
        f"{path}: row {row} begins no group that can be reached; "
        f"the log is whole up to row {reader.position.place}"
    )


def _start(path: Path, row: int) -> GroupEnd:
    """Something whole before a row."""
    for place in snapshots_of(path):
        if place < row:
            try:
                return read_snapshot(path, place)[0]
            except JournalError:
                continue
    bases = bases_of(path)
    if bases and bases[0] == 0:
        return start_of(path, 0)
    raise JournalError(f"{path}: nothing whole is left before row {row}")


def _put_aside(path: Path, end: GroupEnd) -> None:
    for place in snapshots_of(path):
        if place > end.place:
            _rename(snapshot_file(path, place))
    for base in bases_of(path):
        if base > end.base:
            _rename(file_of(path, base))
    log = file_of(path, end.base)
    with log.open("rb") as opened:
        opened.seek(end.offset)
        rest = opened.read()
    if rest:
        log.with_name(f"{log.name}-{end.offset}{ASIDE}").write_bytes(rest)
        os.truncate(log, end.offset)


def _rename(file: Path) -> None:
    file.replace(file.with_name(f"{file.name}{ASIDE}"))
