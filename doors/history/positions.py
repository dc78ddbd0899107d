"""How many lots each account holds, as its fills said last: for closings that have no order."""

from collections.abc import Iterator

from doors.history.file import HistoryFile

Held = tuple[int, int, int]
"""Instrument, leg and lots, negative for a short."""


class Positions:
    """Lots by account, instrument and leg; kept in the history file."""

    def __init__(self, file: HistoryFile) -> None:
        self._file = file
        self._lots: dict[int, dict[tuple[int, int], int]] = {}
        for account_id, instrument_id, leg, lots in file.rows("SELECT * FROM positions"):
            self._lots.setdefault(account_id, {})[instrument_id, leg] = lots

    def set(self, account_id: int, instrument_id: int, leg: int, lots: int) -> None:
        """A position has another size."""
        self._lots.setdefault(account_id, {})[instrument_id, leg] = lots
        self._file.put("positions", (account_id, instrument_id, leg, lots))

    def add(self, account_id: int, instrument_id: int, leg: int, lots: int) -> None:
        """A position grew by so many lots."""
        self.set(account_id, instrument_id, leg, lots + self.lots(account_id, instrument_id, leg))

    def lots(self, account_id: int, instrument_id: int, leg: int) -> int:
        """The size of a position."""
        return self._lots.get(account_id, {}).get((instrument_id, leg), 0)

    def held(self, account_id: int) -> Iterator[Held]:
        """What an account holds, and what it held once with 0 lots."""
        for (instrument_id, leg), lots in list(self._lots.get(account_id, {}).items()):
            yield instrument_id, leg, lots
