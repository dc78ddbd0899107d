"""The history file: one SQLite database beside the journals, written behind the events.

Rows wait in memory and are written together, with the numbers of the last events they come from, so
a door that died goes on behind what is in the file and nothing is counted twice. What can be lost
can be made again from the journal (`doors.history.rebuild`), but for the texts clients named their
orders with.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from doors.history.records import (
    Algo,
    Amendment,
    Fill,
    FundingRate,
    Income,
    Order,
    PublicTrade,
)

Row = Order | Algo | Fill | Income | PublicTrade | FundingRate | Amendment

Kept = TypeVar("Kept")

VERSION: Final[int] = 1
PATIENCE_MS: Final[int] = 3_000
"""How long a file that another door has is waited for."""

KEPT_TRADES: Final[int] = 1_000_000
"""Trade prints of a contract that a door finds again when it starts."""

MOST_WAITING: Final[int] = 500
"""Rows that wait at most; the next one writes all of them."""

_TABLES: Final[dict[str, type[msgspec.Struct]]] = {
    "orders": Order,
    "fills": Fill,
    "income": Income,
    "trades": PublicTrade,
    "funding": FundingRate,
    "amendments": Amendment,
    "algos": Algo,
}

_KEYS: Final[dict[str, str]] = {
    "orders": "PRIMARY KEY (order_id)",
    "algos": "PRIMARY KEY (order_id)",
    "fills": "PRIMARY KEY (account_id, instrument_id, trade_id, order_id)",
    "trades": "PRIMARY KEY (instrument_id, trade_id)",
    "funding": "PRIMARY KEY (instrument_id, time_ns)",
}

_OTHERS: Final[tuple[str, ...]] = (
    "CREATE TABLE candles (series TEXT, instrument_id INTEGER, minute INTEGER, open INTEGER,"
    " high INTEGER, low INTEGER, close INTEGER, lots INTEGER, value INTEGER, trades INTEGER,"
    " taker_lots INTEGER, taker_value INTEGER, PRIMARY KEY (series, instrument_id, minute))"
    " WITHOUT ROWID",
    "CREATE TABLE positions (account_id INTEGER, instrument_id INTEGER, leg INTEGER,"
    " lots INTEGER, PRIMARY KEY (account_id, instrument_id, leg)) WITHOUT ROWID",
    "CREATE TABLE numbers (account_id INTEGER PRIMARY KEY, last INTEGER)",
    "CREATE TABLE settings (account_id INTEGER, instrument_id INTEGER, setting TEXT,"
    " value INTEGER, PRIMARY KEY (account_id, instrument_id, setting)) WITHOUT ROWID",
    "CREATE INDEX orders_of_account ON orders (account_id, order_id)",
    "CREATE INDEX orders_of_client ON orders (account_id, client_id)",
    "CREATE INDEX algos_of_client ON algos (account_id, client_id)",
    "CREATE INDEX income_of_account ON income (account_id, time_ns)",
)


class HistoryError(RuntimeError):
    """The history file cannot be used; the text says why."""


class HistoryFile:
    """`is_new` says that nothing is in it yet: it was not there, or was not a history file.

    Raises:
        HistoryError: it cannot be opened or made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: dict[str, list[Sequence[Any]]] = {}
        self._count = 0
        try:
            self._database = sqlite3.connect(path, isolation_level=None)
            self.is_new = not self._is_usable()
            if self.is_new:
                self.begin_anew()
        except sqlite3.Error as error:
            hint = "; another door has it" if "locked" in str(error) else ""
            raise HistoryError(f"{path}: {error}{hint}") from None

    def _is_usable(self) -> bool:
        """Whether there is a whole history file. One that another door has is an error: it must not
        be taken for one that is damaged."""
        try:
            self._set_up()
            [version] = self._database.execute("PRAGMA user_version").fetchone()
            whole = self._database.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            return False
        if version != VERSION or not whole:
            return False
        self._prune()
        return True

    def _set_up(self) -> None:
        self._database.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        # The lock is taken with the first write, and kept.
        self._database.execute("BEGIN IMMEDIATE")
        self._database.execute("COMMIT")

    def _prune(self) -> None:
        """Forget the oldest trade prints of each contract; candles keep what they were."""
        last = self._database.execute("SELECT instrument_id, max(trade_id) FROM trades GROUP BY 1")
        for instrument_id, trade_id in last.fetchall():
            self._database.execute(
                "DELETE FROM trades WHERE instrument_id = ? AND trade_id <= ?",
                (instrument_id, trade_id - KEPT_TRADES),
            )

    def begin_anew(self) -> None:
        """Throw away what is there and begin with nothing."""
        self._database.close()
        for ending in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
        self._database = sqlite3.connect(self.path, isolation_level=None)
        self._set_up()
        self._waiting.clear()
        for table, row in _TABLES.items():
            columns = ", ".join(row.__struct_fields__)
            key = f", {_KEYS[table]}" if table in _KEYS else ""
            self._database.execute(f"CREATE TABLE {table} ({columns}{key})")
        for statement in _OTHERS:
            self._database.execute(statement)
        self._database.execute(f"PRAGMA user_version = {VERSION}")

    def close(self) -> None:
        """Write what waits and let go."""
        self.flush()
        self._database.close()

    # in

    def keep(self, row: Row) -> None:
        """Put a row in line; one of the same key takes the place of an older one."""
        self.put(_TABLE_OF[type(row)], msgspec.structs.astuple(row))

    def put(self, table: str, row: Sequence[Any]) -> None:
        """The same with the columns of a table."""
        self._waiting.setdefault(table, []).append(row)
        self._count += 1

    def forget_candle(self, series: str, instrument_id: int, minute: int) -> None:
        """Take a candle out: it is made again."""
        self.flush()
        self._database.execute(
            "DELETE FROM candles WHERE series = ? AND instrument_id = ? AND minute = ?",
            (series, instrument_id, minute),
        )

    def keep_numbers(self, numbers: Iterable[tuple[int, int]]) -> None:
        """The last event of each account that the rows in line come from."""
        for row in numbers:
            self.put("numbers", row)

    @property
    def is_full(self) -> bool:
        """Whether so much waits that it should be written now."""
        return self._count >= MOST_WAITING

    def flush(self) -> None:
        """Write what waits, as a whole or not at all."""
        if not self._count:
            return
        waiting, self._waiting, self._count = self._waiting, {}, 0
        self._database.execute("BEGIN")
        try:
            for table, rows in waiting.items():
                marks = ", ".join("?" * len(rows[0]))
                self._database.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    # out

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query, what waits included."""
        self.flush()
        return self._database.execute(statement, values).fetchall()

    def orders(self, where: str, values: Sequence[Any]) -> list[Order]:
        """Orders; ``where`` is the end of the query."""
        found = self.rows(f"SELECT * FROM orders WHERE {where}", values)
        return [_with_truths(Order, row) for row in found]

    def algos(self, where: str, values: Sequence[Any]) -> list[Algo]:
        """Conditional orders; ``where`` is the end of the query."""
        found = self.rows(f"SELECT * FROM algos WHERE {where}", values)
        return [_with_truths(Algo, row) for row in found]

    def fills(self, where: str, values: Sequence[Any]) -> list[Fill]:
        """Fills; ``where`` is the end of the query."""
        found = self.rows(f"SELECT * FROM fills WHERE {where}", values)
        return [_with_truths(Fill, row) for row in found]

    def income(self, where: str, values: Sequence[Any]) -> list[tuple[int, Income]]:
        """Income with a number for each row; ``where`` is the end of the query."""
        found = self.rows(f"SELECT rowid, * FROM income WHERE {where}", values)
        return [(row[0], Income(*row[1:])) for row in found]

    def amendments(self, where: str, values: Sequence[Any]) -> list[tuple[int, Amendment]]:
        """Amendments with a number for each row; ``where`` is the end of the query."""
        found = self.rows(f"SELECT rowid, * FROM amendments WHERE {where}", values)
        return [(row[0], Amendment(*row[1:])) for row in found]

    def trades(self, where: str, values: Sequence[Any]) -> list[PublicTrade]:
        """Trade prints; ``where`` is the end of the query."""
        found = self.rows(f"SELECT * FROM trades WHERE {where}", values)
        return [PublicTrade(*row) for row in found]

    def numbers(self) -> dict[int, int]:
        """The last event of each account that is in the file."""
        return dict(self.rows("SELECT account_id, last FROM numbers"))


_TRUTHS: Final[dict[Any, frozenset[str]]] = {
    kind: frozenset(one.name for one in msgspec.structs.fields(kind) if one.type is bool)
    for kind in (Order, Fill, Algo)
}
_TABLE_OF: Final = {row: table for table, row in _TABLES.items()}


def _with_truths(kind: Callable[..., Kept], row: Sequence[Any]) -> Kept:
    """A record from its columns; SQLite has no truth values of its own."""
    names = kind.__struct_fields__  # type: ignore[attr-defined]
    truths = _TRUTHS[kind]
    return kind(
        *(bool(value) if name in truths else value for name, value in zip(names, row, strict=True))
    )
