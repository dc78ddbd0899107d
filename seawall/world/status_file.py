"""Where a living scenario stands, as lines in a file of the run directory, for pages to show."""

import json
import time
from pathlib import Path
from typing import Final

FILE: Final[str] = "world.status"
EVERY_S: Final[float] = 1.0
FRESH_S: Final[float] = 5.0
"""A scenario whose lines are older does not live."""


class StatusFile:
    """Kept up to date by the scenario's process."""

    def __init__(self, run_dir: Path) -> None:
        self._file = run_dir / FILE
        self._due_s = 0.0

    @property
    def is_due(self) -> bool:
        """Whether the last lines are a second old."""
        return time.monotonic() >= self._due_s

    def keep(self, lines: list[str]) -> None:
        """Write the lines, as a whole or, when the disk refuses, not at all."""
        self._due_s = time.monotonic() + EVERY_S
        new = self._file.with_suffix(".new")
        try:
            new.write_text(json.dumps(lines))
            new.replace(self._file)
        except OSError:
            return


def read_status(run_dir: Path) -> list[str]:
    """The lines of the scenario that lives in a run directory; none where none does."""
    file = run_dir / FILE
    try:
        if time.time() - file.stat().st_mtime > FRESH_S:
            return []
        lines = json.loads(file.read_text())
    except (OSError, ValueError):
        return []
    return [str(line) for line in lines] if isinstance(lines, list) else []
