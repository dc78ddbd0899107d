"""The files of a service: the inputs it handled, in order, and snapshots of its state.

``NAME.journal`` is the head (`engine.record.journal_head`), ``NAME.journal-ROW`` are the files of
the log (`engine.record.chained_log`), ``NAME.snapshot-ROW`` the snapshots, ``NAME.skip-ROW`` what
an operator had put in the place of an input. A group of inputs is one write: after a kill it is
there as a whole or not at all. Recovery takes the last snapshot and the inputs behind it. Every
byte is under a checksum, and what was changed or lost is named.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from errno import ENOSPC
from itertools import pairwise
from pathlib import Path
from typing import Final

from engine.record.chained_log import (
    FILE_HEADER_BYTES,
    FIRST_CHAIN,
    RESTORE,
    GroupEnd,
    Input,
    JournalDamaged,
    LogReader,
    bases_of,
    file_header,
    file_of,
    group_of,
    start_of,
)
from engine.record.journal import JournalError
from engine.record.journal_head import JournalHead
from engine.record.skip_file import NOTED, Skip, read_skips, write_skip
from engine.record.snapshot_file import read_snapshot, snapshot_file, snapshots_of, write_snapshot

__all__ = [
    "DURABLE_DISK",
    "DURABLE_PROCESS",
    "OUTSIDE",
    "Input",
    "JournalDamaged",
    "ServiceJournal",
    "Skip",
    "read_inputs",
]

OUTSIDE: Final[str] = "outside"
"""Source of inputs that came in at the door and could not be sent again."""

DURABLE_PROCESS: Final[str] = "process"
"""Groups survive the death of the process (no wait for the disk)."""

DURABLE_DISK: Final[str] = "disk"
"""Groups survive a power failure: every one waits for the disk."""

ANEW: Final[str] = "anew"
"""The setting of the head that says behind which row a service began anew."""

KEPT_SNAPSHOTS: Final[int] = 2
FILE_BYTES: Final[int] = 67_108_864
"""A journal that keeps its inputs begins another file at the first snapshot beyond this length;
one that forgets them at every snapshot."""


def read_inputs(path: Path, after: int = 0) -> Iterator[Input]:
    """The inputs behind a place, in the order they were handled; also while a service goes on
    writing them.

    Raises:
        JournalDamaged: one is missing or not what was written.
        JournalError: the files cannot be read.
    """
    head = JournalHead(path, "", 0, alone=False)
    head.close()
    bases = [base for base in bases_of(path) if base <= after]
    if not bases:
        raise JournalDamaged(f"{path}: input {after + 1} is missing; {RESTORE}")
    reader = LogReader(path, start_of(path, bases[-1]))
    yield from _rows(reader, after, read_skips(path, head.settings))
    # What comes behind the last row may be one that is being written.
    if reader.position.place < head.place:
        raise reader.damaged(reader.fault or f"is missing; there were {head.place}")


def _rows(reader: LogReader, after: int, skips: dict[int, bytes]) -> Iterator[Input]:
    """The rows behind a place, those that are skipped with the body that stands for them."""
    place = reader.position.place
    for group in reader.groups():
        for entry in group:
            place += 1
            if place > after:
                yield entry._replace(body=skips[place]) if place in skips else entry


class ServiceJournal:
    """Opens the journal of one service, or starts it.

    With ``keep_inputs`` inputs stay after a snapshot, for audit and replay; otherwise those that no
    kept snapshot needs are deleted.

    The journal is this process's alone until it is closed; one that another process has is waited
    for ``patience_ms`` milliseconds. `place` is that of the last input, `notes` what the operator
    should know about what was found.

    Raises:
        JournalError: not a journal of this service, another process has it, or the disk refuses.
        JournalDamaged: what is there is not what was written.
    """

    def __init__(
        self,
        path: str | Path,
        service: str,
        *,
        keep_inputs: bool = False,
        durability: str = DURABLE_PROCESS,
        patience_ms: int = 5_000,
    ) -> None:
        if durability not in (DURABLE_PROCESS, DURABLE_DISK):
            raise JournalError(
                f"durability is {durability!r}; allowed: {DURABLE_PROCESS!r}, {DURABLE_DISK!r}"
            )
        self.path = Path(path)
        self.keep_inputs = keep_inputs
        self.notes: list[str] = []
        self.place = 0
        self._to_disk = durability == DURABLE_DISK
        self._file = -1
        if bases_of(self.path) and not (self.path.exists() and self.path.stat().st_size):
            raise JournalDamaged(f"{self.path}: is missing or empty; {RESTORE}")
        self._head = JournalHead(self.path, service, patience_ms, alone=True)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        """Find the newest snapshot that can be used and the end of the log behind it."""
        if not bases_of(self.path) and not self._head.place:
            self._begin_file(0, FIRST_CHAIN)
        self._snapshot = self._usable_snapshot()
        anew = int(self._head.settings.get(ANEW, "0"))
        if (0 if self._snapshot is None else self._snapshot.place) < anew:
            raise JournalDamaged(
                f"{self.path}: no snapshot behind row {anew} can be used, and since a skip those "
                f"before it lead elsewhere; {RESTORE}"
            )
        end = self._end_behind(self._snapshot or self._first_row())
        file = file_of(self.path, end.base)
        if self._file < 0:
            try:
                self._file = os.open(file, os.O_RDWR | os.O_CLOEXEC)
                # What a kill left of the last write was never acted upon.
                os.ftruncate(self._file, end.offset)
            except OSError as error:
                raise self._refused("open", error) from None
        self.place, self._chain = end.place, end.chain
        self._base, self._offset = end.base, end.offset

    def _first_row(self) -> GroupEnd:
        bases = bases_of(self.path)
        if not bases or bases[0]:
            lost = f"1 to {bases[0]}" if bases else f"1 to {self._head.place}"
            raise JournalDamaged(
                f"{self.path}: rows {lost} are gone and no snapshot can be used; {RESTORE}"
            )
        return start_of(self.path, 0)

    def _usable_snapshot(self) -> GroupEnd | None:
        """Where the newest snapshot belongs that is what was written; others are put aside."""
        for place in snapshots_of(self.path):
            try:
                position, _ = read_snapshot(self.path, place)
                return position
            except JournalDamaged as error:
                file = snapshot_file(self.path, place)
                aside = file.with_name(f"{file.name}.damaged")
                with suppress(OSError):
                    file.replace(aside)
                self.notes.append(f"{error}; put aside as {aside.name}, going on from an older one")
        return None

    def _end_behind(self, start: GroupEnd) -> GroupEnd:
        """The end of the log, which has to be where the head says or behind it."""
        head = self._head
        reader = LogReader(self.path, start)
        known = start.place >= head.place
        if start.place == head.place and start.chain != head.chain:
            raise self._other_log(head.place)
        for _ in reader.groups():
            position = reader.position
            if position.place == head.place:
                known = True
                if position.chain != head.chain:
                    raise self._other_log(head.place)
        if not known or reader.position.place < head.place:
            raise reader.damaged(reader.fault or f"is missing; there were {head.place}")
        return reader.position

    def _other_log(self, place: int) -> JournalDamaged:
        return JournalDamaged(
            f"{self.path}: row {place} is not the one noted here; files of different runs or "
            f"backups are mixed; {RESTORE}"
        )

    def append(self, inputs: Sequence[Input]) -> None:
        """Keep a group of inputs, all or none.

        Raises:
            JournalError: the disk refuses; nothing of the group is kept.
        """
        if not inputs:
            return
        group, chain = group_of(self._chain, inputs)
        try:
            written = os.pwrite(self._file, group, self._offset)
            if written == len(group) and self._to_disk:
                os.fdatasync(self._file)
        except OSError as error:
            self._take_back()
            raise self._refused("write", error) from None
        if written < len(group):
            self._take_back()
            raise self._refused("write", OSError(ENOSPC, os.strerror(ENOSPC)))
        place = self.place + len(inputs)
        self._head.reached(place, chain)
        self.place = place
        self._chain = chain
        self._offset += len(group)

    def _take_back(self) -> None:
        """Leave nothing of a group the disk took only in part."""
        try:
            os.ftruncate(self._file, self._offset)
        except OSError:
            # A start cuts it off: it is no whole group.
            return

    def snapshot(self, state: bytes) -> None:
        """Keep the state after the last input, and forget what it replaces.

        Raises:
            JournalError: the disk refuses; the older snapshot stays.
        """
        used = self._offset - FILE_HEADER_BYTES
        if used > (FILE_BYTES if self.keep_inputs else 0):
            self._begin_file(self.place, self._chain)
            self._base, self._offset = self.place, FILE_HEADER_BYTES
        position = GroupEnd(self.place, self._chain, self._base, self._offset)
        write_snapshot(self.path, position, state, to_disk=self._to_disk)
        self._snapshot = position
        if self._to_disk:
            # Before what it replaces is deleted.
            sync_folder(self.path.parent)
        self._forget()

    def begin_anew(self, state: bytes) -> None:
        """Keep a state that does not follow from the inputs before it: no start may begin from an
        older one, or handle these again.

        Raises:
            JournalError: the disk refuses.
        """
        self.snapshot(state)
        self._head.note(ANEW, str(self.place))
        for place in snapshots_of(self.path):
            if place < self.place:
                snapshot_file(self.path, place).unlink(missing_ok=True)

    def _forget(self) -> None:
        """Delete snapshots beyond those kept, and the files of the log none of these needs."""
        places = snapshots_of(self.path)
        try:
            for place in places[KEPT_SNAPSHOTS:]:
                snapshot_file(self.path, place).unlink(missing_ok=True)
            if self.keep_inputs or len(places) < KEPT_SNAPSHOTS:
                return
            oldest = places[KEPT_SNAPSHOTS - 1]
            bases = bases_of(self.path)
            for base, following in pairwise(bases):
                if following <= oldest:
                    file_of(self.path, base).unlink(missing_ok=True)
        except OSError as error:
            raise self._refused("write", error) from None

    def _begin_file(self, base: int, chain: bytes) -> None:
        """Go on in a new file behind row ``base``."""
        file = file_of(self.path, base)
        new = file.with_name(f"{file.name}.new")
        try:
            opened = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._refused("write", error) from None
        try:
            if os.write(opened, file_header(base, chain)) < FILE_HEADER_BYTES:
                raise OSError(ENOSPC, os.strerror(ENOSPC))
            if self._to_disk:
                os.fsync(opened)
            new.replace(file)
            if self._to_disk:
                sync_folder(self.path.parent)
        except OSError as error:
            os.close(opened)
            raise self._refused("write", error) from None
        if self._file >= 0:
            os.close(self._file)
        self._file = opened

    def last_snapshot(self) -> tuple[int, bytes] | None:
        """The place and bytes of the newest snapshot, None before the first."""
        if self._snapshot is None:
            return None
        position, state = read_snapshot(self.path, self._snapshot.place)
        return position.place, state

    def inputs(self, after: int = 0) -> Iterator[Input]:
        """The inputs behind a place, in the order they were handled.

        Raises:
            JournalDamaged: one is missing or not what was written.
        """
        found = self._snapshot
        if found is None or found.place != after:
            return read_inputs(self.path, after)
        skips = read_skips(self.path, self._head.settings)
        return _rows(LogReader(self.path, found), after, skips)

    def skip(self, place: int, skip: Skip) -> None:
        """From now on `inputs` has another body in the place of this input's; the old one stays.

        Raises:
            JournalError: the disk refuses, or the input is skipped already.
        """
        noted = self._head.settings.get(NOTED, "").split()
        if str(place) in noted:
            raise JournalError(f"{self.path}: input {place} is skipped already")
        write_skip(self.path, place, skip)
        self._head.note(NOTED, " ".join([*noted, str(place)]))

    def begun_with(self, setting: str, value: str) -> str:
        """The value of a setting this journal was begun with; one that is begun now notes it.

        Raises:
            JournalError: the disk refuses.
        """
        return self._head.begun_with(setting, value)

    def close(self) -> None:
        """Let go of the files. Closing twice does nothing."""
        self._head.close()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _refused(self, what: str, error: OSError) -> JournalError:
        return JournalError(f"{self.path}: cannot {what} the journal: {error.strerror}")


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
