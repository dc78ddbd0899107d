"""What a service keeps on disk: the inputs it handled, in order, and snapshots of its state.

One SQLite file per service, in WAL mode. A group of inputs is one transaction: after a kill or a
torn write it is there as a whole or not at all. Recovery reads the last snapshot and the inputs
behind it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from engine.journal import JournalError

OUTSIDE: Final[str] = "outside"
"""Source of inputs that came in at the door and that nobody could send again."""

DURABLE_PROCESS: Final[str] = "process"
"""Committed groups survive the death of the process (no wait for the disk)."""

DURABLE_DISK: Final[str] = "disk"
"""Committed groups survive a power failure: every commit waits for the disk."""

KEPT_SNAPSHOTS: Final[int] = 2
MAX_ROWS_AT_ONCE: Final[int] = 40
WAL_PAGES: Final[int] = 10_000
"""Pages in the write-ahead log (40 MB) before they are copied to their places, for which the
service stands still. Most are written again and again until then: old inputs make room for new."""

FORMAT_VERSION: Final[int] = 2
_APPLICATION_ID: Final[int] = 0x53575356

_SCHEMA: Final[tuple[str, ...]] = (
    "CREATE TABLE header (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE inputs ("
    "place INTEGER PRIMARY KEY, source TEXT NOT NULL, seq INTEGER NOT NULL, body BLOB NOT NULL)",
    "CREATE TABLE snapshots (place INTEGER PRIMARY KEY, state BLOB NOT NULL)",
)


_SKIPS: Final[str] = (
    "CREATE TABLE IF NOT EXISTS skips (place INTEGER PRIMARY KEY, body BLOB NOT NULL, "
    "commands TEXT NOT NULL, reason TEXT NOT NULL, who TEXT NOT NULL, at_ns INTEGER NOT NULL)"
)

_INSERTS: Final[list[str]] = [
    f"INSERT INTO inputs VALUES {', '.join(['(?, ?, ?, ?)'] * rows)}"
    for rows in range(MAX_ROWS_AT_ONCE + 1)
]
"""The statement that inserts so many rows."""


class Input(NamedTuple):
    """One handled input: its source's name, its number on that link, its frame."""

    source: str
    seq: int
    body: bytes


class Skip(NamedTuple):
    """What is read in the place of an input's body: see `engine.commands.Skipped`. ``commands``
    are those left out, in words; ``who`` had it done for ``reason``, ``at_ns`` by the wall
    clock."""

    body: bytes
    commands: list[str]
    reason: str
    who: str
    at_ns: int


class ServiceJournal:
    """Opens the journal of one service, or starts it.

    With ``keep_inputs`` inputs stay after a snapshot, for audit and replay; otherwise those that no
    kept snapshot needs are deleted.

    The journal is this process's alone until it is closed; one that another process has is waited
    for ``patience_ms`` milliseconds.

    Raises:
        JournalError: not a journal of this service, another process has it, or the disk refuses.
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
        try:
            self._connection = sqlite3.connect(self.path, isolation_level=None)
            self._connection.execute(f"PRAGMA busy_timeout = {patience_ms}")
            # Nobody else writes or reads meanwhile: two services on one journal would ruin it, and
            # without locks to share a commit costs a third less.
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
            level = "FULL" if durability == DURABLE_DISK else "NORMAL"
            self._connection.execute(f"PRAGMA synchronous = {level}")
            self._prepare(service)
            self.place = self._last_place()
        except sqlite3.Error as error:
            locked = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
            why = "another process has it open" if locked else error
            raise JournalError(f"{self.path}: cannot open the journal: {why}") from None

    def append(self, inputs: Sequence[Input]) -> None:
        """Keep a group of inputs, all or none.

        Raises:
            JournalError: the disk refuses; nothing of the group is kept.
        """
        place = self.place
        count = len(inputs)
        if 1 <= count <= MAX_ROWS_AT_ONCE:
            # One statement is a transaction by itself, at half the price of three.
            values: list[Any] = []
            for source, seq, body in inputs:
                place += 1
                values += (place, source, seq, body)
            self._write_one(_INSERTS[count], values)
        else:
            rows = [(place + number, *entry) for number, entry in enumerate(inputs, start=1)]
            self._write([(_INSERTS[1], rows)])
        self.place += count

    def snapshot(self, state: bytes) -> None:
        """Keep the state after the last input, and forget what it replaces.

        Raises:
            JournalError: the disk refuses; the older snapshot stays.
        """
        self._write([("INSERT OR REPLACE INTO snapshots VALUES (?, ?)", [(self.place, state)])])
        found = self._rows(
            "SELECT place FROM snapshots ORDER BY place DESC LIMIT 1 OFFSET ?", KEPT_SNAPSHOTS - 1
        )
        oldest = next(found, None)
        if oldest is None:
            return
        statements = [("DELETE FROM snapshots WHERE place < ?", [oldest])]
        if not self.keep_inputs:
            statements.append(("DELETE FROM inputs WHERE place <= ?", [oldest]))
        self._write(statements)

    def last_snapshot(self) -> tuple[int, bytes] | None:
        """The place and bytes of the newest snapshot, None before the first."""
        row = next(
            self._rows("SELECT place, state FROM snapshots ORDER BY place DESC LIMIT 1"), None
        )
        return None if row is None else (row[0], row[1])

    def inputs(self, after: int = 0) -> Iterator[Input]:
        """The inputs behind a place, in the order they were handled.

        Raises:
            JournalError: one is missing.
        """
        expected = after + 1
        skipped = self.skips()
        rows = self._rows(
            "SELECT place, source, seq, body FROM inputs WHERE place > ? ORDER BY place", after
        )
        for place, source, seq, body in rows:
            if place != expected:
                raise JournalError(f"{self.path}: input {expected} is missing, {place} is next")
            yield Input(source, seq, skipped.get(place, body))
            expected += 1

    def skip(self, place: int, skip: Skip) -> None:
        """From now on `inputs` has another body in the place of this input's; the old one stays.

        Raises:
            JournalError: the disk refuses, or the input is skipped already.
        """
        body, commands, reason, who, at_ns = skip
        row = [place, body, "\n".join(commands), reason, who, at_ns]
        self._write([(_SKIPS, [[]]), ("INSERT INTO skips VALUES (?, ?, ?, ?, ?, ?)", [row])])

    def skips(self) -> dict[int, bytes]:
        """The bodies that are read in the place of others, by place."""
        found = "SELECT count(*) FROM sqlite_master WHERE name = 'skips'"
        if not next(self._rows(found))[0]:
            return {}
        return dict(self._rows("SELECT place, body FROM skips"))

    def begun_with(self, setting: str, value: str, unnoted: str) -> str:
        """The value of a setting this journal was begun with.

        A journal that is begun now notes ``value``; one from before the setting was noted has
        ``unnoted``.

        Raises:
            JournalError: the disk refuses.
        """
        found = next(self._rows("SELECT value FROM header WHERE name = ?", setting), None)
        if found is not None:
            return str(found[0])
        if self.place or self.last_snapshot() is not None:
            return unnoted
        self._write([("INSERT INTO header VALUES (?, ?)", [(setting, value)])])
        return value

    def close(self) -> None:
        """Let go of the file. Closing twice does nothing."""
        self._connection.close()

    def _prepare(self, service: str) -> None:
        mark = self._connection.execute("PRAGMA application_id").fetchone()[0]
        if not self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            header = [("format_version", str(FORMAT_VERSION)), ("service", service)]
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                for statement in _SCHEMA:
                    self._connection.execute(statement)
                self._connection.executemany("INSERT INTO header VALUES (?, ?)", header)
            return
        if mark != _APPLICATION_ID:
            raise JournalError(f"{self.path}: not a service's journal")
        header_rows = dict(self._rows("SELECT name, value FROM header"))
        if header_rows.get("format_version") != str(FORMAT_VERSION):
            raise JournalError(
                f"{self.path}: journal format {header_rows.get('format_version')}; "
                f"this version reads {FORMAT_VERSION}"
            )
        if header_rows.get("service") != service:
            raise JournalError(
                f"{self.path}: the journal of {header_rows.get('service')!r}, not of {service!r}"
            )

    def _last_place(self) -> int:
        rows = self._rows(
            "SELECT max(coalesce((SELECT max(place) FROM inputs), 0), "
            "coalesce((SELECT max(place) FROM snapshots), 0))"
        )
        return int(next(rows)[0])

    def _write_one(self, statement: str, values: list[Any]) -> None:
        try:
            self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise JournalError(f"{self.path}: cannot write the journal: {error}") from None

    def _write(self, statements: list[tuple[str, Any]]) -> None:
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                for statement, rows in statements:
                    self._connection.executemany(statement, rows)
        except sqlite3.Error as error:
            raise JournalError(f"{self.path}: cannot write the journal: {error}") from None

    def _rows(self, query: str, *values: int | str) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.Error as error:
            raise JournalError(f"{self.path}: cannot read the journal: {error}") from None
