"""A journal read from end to end: every row, every snapshot, whether or not a start needs it.

A start reads the newest snapshot and the rows behind it. What lies before is read only by a
replay, perhaps not for months; here it is read to be checked, also while its service goes on
writing.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from engine.connections.link import Link
from engine.record.chained_log import (
    RESTORE,
    GroupEnd,
    JournalDamaged,
    LogReader,
    bases_of,
    file_of,
    start_of,
)
from engine.record.journal import JournalError
from engine.record.journal_head import JournalHead
from engine.record.service_journal import OUTSIDE, Input
from engine.record.skip_file import read_skips
from engine.record.snapshot import unpack
from engine.record.snapshot_file import read_snapshot, snapshot_file, snapshots_of

ATTEMPTS: Final[int] = 5
"""Readings of a journal whose service deleted files meanwhile."""


class CheckedJournal(NamedTuple):
    """What was found in a journal: ``rows`` of its ``place`` rows were read (a service may forget
    those no snapshot needs), ``snapshots`` are whole, ``faults`` name what is not. ``links`` are
    those to its neighbours as a start would have them, without what it would make again."""

    service: str
    place: int
    rows: int
    snapshots: list[int]
    faults: list[str]
    links: dict[str, Link]


def check_journals(paths: Sequence[Path], recorder: str) -> list[CheckedJournal]:
    """Check journals of one exchange, and what each says of its neighbours' frames.

    ``recorder`` is the service that has all rows since the first.

    Raises:
        JournalError: files cannot be read.
    """
    # Snapshots before logs: a neighbour has what they say that it acknowledged.
    proofs = [(path.stem, _proofs(path)) for path in paths]
    checked = [_checked(path, keeps=path.stem == recorder) for path in paths]
    by_name = {found.service: (path, found) for path, found in zip(paths, checked, strict=True)}
    for sender, to_peers in proofs:
        for peer, proof in to_peers.items():
            path, found = by_name.get(peer, (None, None))
            if path is None or found is None or found.faults or sender not in found.links:
                continue
            if fault := found.links[sender].fault(proof):
                why = "a journal lost rows, or is from another backup"
                found.faults.append(f"{path}: {fault}: {why}; {RESTORE}")
    return checked


def _proofs(path: Path) -> dict[str, bytes]:
    """By peer: the last frame it had acknowledged at the newest snapshot, and the chain there."""
    return {peer: link.proof() for peer, link in _newest(path, [])[1].items()}


def _newest(path: Path, faults: list[str]) -> tuple[list[GroupEnd], dict[str, Link]]:
    """The snapshots that are whole, newest first, and the links of the first of them. What is
    wrong with others goes to ``faults``."""
    whole: list[GroupEnd] = []
    links: dict[str, Link] = {}
    for place in snapshots_of(path):
        try:
            position, data = read_snapshot(path, place)
        except JournalDamaged as error:
            faults.append(f"{error}; a start passes it over and takes an older one, or all rows")
            continue
        except JournalError:
            if snapshot_file(path, place).exists():
                raise
            # Its service has newer ones.
            continue
        if not whole:
            links = {row[0]: _restored(row) for row in unpack(data)[0]}
        whole.append(position)
    return whole, links


def _restored(row: list[Any]) -> Link:
    link = Link(row[0])
    link.restore(row)
    return link


def _checked(path: Path, keeps: bool) -> CheckedJournal:
    for _ in range(ATTEMPTS):
        files = (snapshots_of(path), bases_of(path)[:1])
        found = _read(path, keeps)
        if not found.faults or files == (snapshots_of(path), bases_of(path)[:1]):
            break
    return found


def _read(path: Path, keeps: bool) -> CheckedJournal:
    faults: list[str] = []
    try:
        head = JournalHead(path, "", 0, alone=False)
        head.close()
        read_skips(path, head.settings)
    except JournalDamaged as error:
        return CheckedJournal(path.stem, 0, 0, [], [str(error)], {})
    whole, links = _newest(path, faults)
    places = [position.place for position in whole]
    last = places[0] if places else 0
    log = _Log(path, head, whole, faults)
    for place, entry in log.rows(keeps):
        if place > last and entry.source != OUTSIDE:
            link = links.setdefault(entry.source, Link(entry.source))
            link.received = entry.seq
            link.took(entry.body)
    return CheckedJournal(path.stem, max(log.place, head.place), log.count, places, faults, links)


class _Log:
    """Reads all files of a log, and goes on in the next one when one is damaged. `place` is the
    last row, `count` how many were whole."""

    def __init__(
        self, path: Path, head: JournalHead, snapshots: list[GroupEnd], faults: list[str]
    ) -> None:
        self.path = path
        self.place = 0
        self.count = 0
        self._head = head
        self._chains = {position.place: position.chain for position in snapshots}
        self._chains.setdefault(head.place, head.chain)
        self._start = snapshots[0].place if snapshots else 0
        self._faults = faults

    def rows(self, keeps: bool) -> Iterator[tuple[int, Input]]:
        """Each row that is what was written, with its place; what is wrong goes to the faults.
        With ``keeps`` there have to be all since the first."""
        bases = bases_of(self.path)
        if keeps and bases[:1] != [0]:
            lost = bases[0] if bases else self._head.place
            text = f"{file_of(self.path, 0)}: is missing, with rows 1 to {lost}; {RESTORE}"
            self._fault(JournalDamaged(text), 1)
        while bases:
            try:
                reader = LogReader(self.path, start_of(self.path, bases[0]))
            except JournalDamaged as error:
                self._fault(error, bases.pop(0) + 1)
                continue
            try:
                yield from self._from(reader)
            except JournalDamaged as error:
                self._fault(error, reader.position.place + 1)
            self.place = reader.position.place
            bases = [base for base in bases if base > reader.position.base]

    def _from(self, reader: LogReader) -> Iterator[tuple[int, Input]]:
        place = reader.position.place
        for group in reader.groups():
            for entry in group:
                place += 1
                self.count += 1
                yield place, entry
            if self._chains.get(place, reader.position.chain) != reader.position.chain:
                raise JournalDamaged(
                    f"{self.path}: row {place} is not the one noted in the head or in a snapshot; "
                    f"files of different runs or backups are mixed; {RESTORE}"
                )
        if place < self._head.place:
            raise reader.damaged(reader.fault or f"is missing; there were {self._head.place}")

    def _fault(self, error: JournalDamaged, row: int) -> None:
        """Note a damaged row, and whether a start would meet it."""
        begins = f"a start begins behind row {self._start}"
        text = f"{error} ({begins} and {'does not read' if row <= self._start else 'ends at'} it)"
        if text not in self._faults:
            self._faults.append(text)
