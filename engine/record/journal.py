"""The journal: every command in order, in one SQLite file. Replaying it rebuilds the run.

Commands are written in groups, one transaction each, in WAL mode: a process that is killed leaves
all groups it had committed, and readers may look on while it writes. Closing folds the WAL into
the file, which is then complete on its own.
"""

import sqlite3
from collections.abc import Generator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from engine.commands import Command
from engine.messages import decode_command
from engine.record.hashing import ChainHash

FORMAT_VERSION: Final[int] = 1
"""Version of the tables; a reader refuses every other."""

FIRST_SEQ: Final[int] = 1
"""Sequence number of the first command. Sequence numbers have no gaps."""

GROUP_SIZE: Final[int] = 1_000
"""Commands per transaction, unless told otherwise."""

_COLUMNS: Final[int] = 3
_ROWS: Final[int] = 100
_VALUES: Final[int] = _COLUMNS * _ROWS
_INSERT: Final[str] = "INSERT INTO commands VALUES (?, ?, ?)"
_INSERT_ROWS: Final[str] = _INSERT + ", (?, ?, ?)" * (_ROWS - 1)
"""Many rows a statement: a quarter less work for each."""

_APPLICATION_ID: Final[int] = 0x53574C4A
_INT64_LIMIT: Final[int] = 2**63
_ANY_TIME_NS: Final[int] = 2**61
"""Times are below it; compiled, a comparison with a larger int costs as much as ten others."""

_SCHEMA: Final[tuple[str, ...]] = (
    "CREATE TABLE header (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE commands ("
    "seq INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, payload BLOB NOT NULL)",
    "CREATE TABLE checkpoints ("
    "seq INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, state_hash TEXT NOT NULL, "
    "commands_hash TEXT NOT NULL, snapshot BLOB)",
)
_CHECKPOINTS: Final[str] = (
    "SELECT seq, time_ns, state_hash, commands_hash, snapshot FROM checkpoints"
)


class JournalError(ValueError):
    """A journal cannot be written or read; the text names the file and what is wrong."""


class JournalEntry(NamedTuple):
    """A command with its place in the run."""

    seq: int
    command: Command


class Checkpoint(NamedTuple):
    """The state's hash after command ``seq`` (0: before the first), and perhaps the state.

    ``commands_hash`` is the running hash of all commands so far in their wire form: it tells a
    changed command even where the state does not.
    """

    seq: int
    time_ns: int
    state_hash: str
    commands_hash: str
    snapshot: bytes | None


class Journal:
    """The writing end. Rows are held back until `commit` or until a group is full. `checkpoint_seq`
    is the place of the last checkpoint, -1 before the first.

    A group survives the death of the process once committed; a power failure may take the last
    ones with it, and never leaves half a group.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, group_size: int) -> None:
        """Use `create` or `reopen`."""
        self.path = path
        self.last_seq = FIRST_SEQ - 1
        self.checkpoint_seq = -1
        self._connection = connection
        self._group_size = group_size
        self._pending: list[int | bytearray] = []
        self._commands_hash = ChainHash()

    @classmethod
    def create(
        cls, path: str | Path, header: dict[str, str], group_size: int = GROUP_SIZE
    ) -> "Journal":
        """Start a new journal. ``header`` says what the run was: version, seed, scenario text.

        Raises:
            JournalError: the file exists already or cannot be made, or the header uses the
                reserved name ``format_version``.
        """
        path = Path(path)
        if "format_version" in header:
            raise JournalError(f"{path}: 'format_version' is written by the journal itself")
        if group_size < 1:
            raise JournalError(f"{path}: group_size is {group_size}; it must be at least 1")
        if path.exists():
            raise JournalError(f"{path}: already exists; a journal is never overwritten")
        rows = {"format_version": str(FORMAT_VERSION), **header}
        try:
            connection = _connected(path)
            connection.execute("BEGIN")
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.executemany("INSERT INTO header VALUES (?, ?)", rows.items())
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise JournalError(f"{path}: cannot create the journal: {error}") from None
        return cls(path, connection, group_size)

    @classmethod
    def reopen(cls, path: str | Path, group_size: int = GROUP_SIZE) -> "Journal":
        """Take up a journal at its last checkpoint with a snapshot: what came after it is deleted,
        and the next command is the one behind it.

        Raises:
            JournalError: it is missing, no journal, of another format, or has no such checkpoint.
        """
        with JournalReader(path) as reader:
            checkpoint = reader.last_snapshot()
        path = Path(path)
        try:
            connection = _connected(path)
            connection.execute("BEGIN")
            for table in ("commands", "checkpoints"):
                connection.execute(f"DELETE FROM {table} WHERE seq > ?", (checkpoint.seq,))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise JournalError(f"{path}: cannot go on with the journal: {error}") from None
        journal = cls(path, connection, group_size)
        journal.last_seq = journal.checkpoint_seq = checkpoint.seq
        journal._commands_hash = ChainHash(bytes.fromhex(checkpoint.commands_hash))
        return journal

    def append(self, seq: int, time_ns: int, payload: bytes) -> None:
        """Add command ``seq`` in its wire form (`engine.messages.encode`).

        Raises:
            JournalError: ``seq`` is not the next one, ``time_ns`` exceeds 63 bits, or the disk
                refuses the group.
        """
        if seq != self.last_seq + 1:
            raise JournalError(
                f"{self.path}: command {seq} is out of sequence, {self.last_seq + 1} is next"
            )
        if not -_ANY_TIME_NS < time_ns < _ANY_TIME_NS and not (
            -_INT64_LIMIT <= time_ns < _INT64_LIMIT
        ):
            raise JournalError(f"{self.path}: time_ns {time_ns} of command {seq} exceeds 63 bits")
        # The sqlite3 module asks each bytes object how it wants to be adapted, a bytearray not.
        self._pending.extend((seq, time_ns, bytearray(payload)))
        self._commands_hash.update(payload)
        self.last_seq = seq
        if len(self._pending) >= self._group_size * _COLUMNS:
            self.commit()

    def checkpoint(self, time_ns: int, state_hash: str, snapshot: bytes | None = None) -> None:
        """Note the state's hash after the last appended command, and commit.

        Raises:
            JournalError: there is a checkpoint at this command already, or the disk refuses.
        """
        commands_hash = self._commands_hash.hexdigest()
        self._write(Checkpoint(self.last_seq, time_ns, state_hash, commands_hash, snapshot))
        self.checkpoint_seq = self.last_seq

    def commit(self) -> None:
        """Make everything appended so far survive the death of the process.

        Raises:
            JournalError: the disk refuses the group.
        """
        if self._pending:
            self._write(None)

    def close(self) -> None:
        """Commit, fold the WAL into the file and let go of it. Closing twice does nothing.

        Raises:
            JournalError: the disk refuses the last group.
        """
        try:
            self.commit()
        finally:
            # A reader that is looking on keeps the WAL; its last one out folds it.
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA journal_mode = DELETE")
            self._connection.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, checkpoint: Checkpoint | None) -> None:
        # Taken before they are written: an interruption must not make `close` write them again.
        pending, self._pending = self._pending, []
        try:
            with self._connection:
                self._connection.execute("BEGIN")
                whole = len(pending) - len(pending) % _VALUES
                for start in range(0, whole, _VALUES):
                    self._connection.execute(_INSERT_ROWS, pending[start : start + _VALUES])
                for start in range(whole, len(pending), _COLUMNS):
                    self._connection.execute(_INSERT, pending[start : start + _COLUMNS])
                if checkpoint is not None:
                    self._connection.execute(
                        "INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?)", checkpoint
                    )
        except sqlite3.Error as error:
            raise JournalError(f"{self.path}: cannot write the journal: {error}") from None


def _connected(path: Path) -> sqlite3.Connection:
    """A connection to write by."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


class JournalReader:
    """The reading end; the file is never changed.

    Raises:
        JournalError: no such file, not a journal, or a format this version does not read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise JournalError(f"{self.path}: no such journal")
        try:
            self._connection = sqlite3.connect(
                f"{self.path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None
            )
            self._require_format()
        except sqlite3.Error as error:
            raise JournalError(f"{self.path}: not a journal: {error}") from None

    def header(self) -> dict[str, str]:
        """What the run was, by name, with the ``format_version``."""
        return dict(self._rows("SELECT name, value FROM header ORDER BY name"))

    def last_seq(self) -> int:
        """Sequence number of the last command; 0 in an empty journal."""
        rows = self._rows("SELECT coalesce(max(seq), ?) FROM commands", FIRST_SEQ - 1)
        return int(next(rows)[0])

    def commands(
        self, from_seq: int = FIRST_SEQ, to_seq: int | None = None
    ) -> Generator[JournalEntry, None, None]:
        """The commands from ``from_seq`` to ``to_seq`` (both included; None: the last), streamed.

        Raises:
            JournalError: a sequence number is missing or a command does not decode; the text
                names the number.
        """
        expected = max(from_seq, FIRST_SEQ)
        query = (
            "SELECT seq, time_ns, payload FROM commands WHERE seq >= ? AND seq <= ? ORDER BY seq"
        )
        last = _INT64_LIMIT - 1 if to_seq is None else to_seq
        # Closed with this generator, or it would outlive the connection.
        with closing(self._rows(query, from_seq, last)) as rows:
            for seq, time_ns, payload in rows:
                if seq != expected:
                    raise JournalError(f"{self.path}: command {expected} is missing, {seq} is next")
                try:
                    command = decode_command(payload)
                except ValueError as error:
                    raise JournalError(f"{self.path}: command {seq} is damaged: {error}") from None
                if command.time_ns != time_ns:
                    raise JournalError(
                        f"{self.path}: command {seq} is damaged: its time is {command.time_ns} ns, "
                        f"its row says {time_ns} ns"
                    )
                yield JournalEntry(seq, command)
                expected += 1

    def checkpoints(self) -> Generator[Checkpoint, None, None]:
        """All checkpoints, oldest first, streamed."""
        for row in self._rows(f"{_CHECKPOINTS} ORDER BY seq"):
            yield Checkpoint(*row)

    def last_snapshot(self) -> Checkpoint:
        """The last checkpoint that has a snapshot.

        Raises:
            JournalError: there is none.
        """
        query = f"{_CHECKPOINTS} WHERE snapshot IS NOT NULL ORDER BY seq DESC LIMIT 1"
        rows = list(self._rows(query))
        if not rows:
            raise JournalError(f"{self.path}: no state was saved in this journal")
        return Checkpoint(*rows[0])

    def verify(self) -> int:
        """Read everything and return the number of commands.

        Raises:
            JournalError: the file's pages are damaged, a command is missing or damaged, or a
                checkpoint stands behind the last command.
        """
        for (finding,) in self._rows("PRAGMA integrity_check"):
            if finding != "ok":
                raise JournalError(f"{self.path}: damaged file: {finding}")
        last_seq = FIRST_SEQ - 1
        for entry in self.commands():
            last_seq = entry.seq
        for checkpoint in self.checkpoints():
            if checkpoint.seq > last_seq:
                raise JournalError(
                    f"{self.path}: checkpoint at command {checkpoint.seq}, "
                    f"but the last command is {last_seq}"
                )
        return last_seq

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __enter__(self) -> "JournalReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _require_format(self) -> None:
        if self._connection.execute("PRAGMA application_id").fetchone() != (_APPLICATION_ID,):
            raise JournalError(f"{self.path}: not a journal: an SQLite file of another program")
        found = self._connection.execute(
            "SELECT value FROM header WHERE name = ?", ("format_version",)
        ).fetchone()
        version = found[0] if found else "missing"
        if version != str(FORMAT_VERSION):
            raise JournalError(
                f"{self.path}: journal format {version}; this version reads {FORMAT_VERSION}"
            )

    def _rows(self, query: str, *values: int) -> Generator[tuple[Any, ...], None, None]:
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.Error as error:
            raise JournalError(f"{self.path}: cannot read the journal: {error}") from None
