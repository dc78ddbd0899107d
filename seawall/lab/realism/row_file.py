"""A file of rows that grows while runs are done, so that what was interrupted goes on."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from seawall.lab.intervals import LabError
from seawall.scenario import Scenario
from seawall.toml_writer import toml_text
from seawall.version import __version__

Row = dict[str, Any]


def settings_hash(scenario: Scenario) -> str:
    """What tells the runs of one scenario from those of another, but for the seed."""
    text = "\n".join((__version__, toml_text(scenario.tables), scenario.rulebook_text))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class RowFile:
    """Rows as lines of JSON. A last line without its end, of a process that was killed, is none.

    Raises:
        LabError: the file holds something else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.rows: list[Row] = []
        if path.is_file():
            whole = path.read_bytes()
            whole = whole[: whole.rfind(b"\n") + 1]
            try:
                self.rows = [msgspec.json.decode(line, type=Row) for line in whole.splitlines()]
            except msgspec.DecodeError:
                raise LabError(f"{path}: not a file of rows; choose another directory") from None
            path.write_bytes(whole)

    def add(self, row: Row) -> None:
        """Write a row down."""
        self.rows.append(row)
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(row) + b"\n")
