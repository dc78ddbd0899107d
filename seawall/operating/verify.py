"""`seawall verify`: every row and every snapshot of a run directory of services, read and checked.

A start reads the newest snapshot and what lies behind it; bit rot in older rows is found here.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

from engine.routing.topology import RISK
from engine.services.journal_check import CheckedJournal, check_journals
from engine.services.service_config import ALL, ConfigError
from gateway.serve import read_config

EXIT_DAMAGED: Final[int] = 1
_HEAD: Final[str] = ".journal"


def verify(arguments: argparse.Namespace) -> int:
    """`seawall verify [--config FILE] [FOLDER]`; returns the exit code.

    Raises:
        ConfigError: the settings cannot be used, or there is no journal of services.
        JournalError: a file cannot be read.
    """
    folder = arguments.folder or Path(read_config(arguments.config).run_dir)
    damaged = False
    for checked in check_folder(folder):
        print(line_of(checked))
        for fault in checked.faults:
            damaged = True
            print(fault, file=sys.stderr)
    return EXIT_DAMAGED if damaged else 0


def check_folder(folder: Path) -> list[CheckedJournal]:
    """Check every journal of a run directory, or of a backup of one.

    Raises:
        ConfigError: there is none.
        JournalError: a file cannot be read.
    """
    # A log whose first file is lost is damaged, not absent.
    stems = {file.name.split(_HEAD)[0] for file in folder.glob(f"*{_HEAD}*")}
    if not stems:
        if (folder / "journal.sqlite").exists():
            raise ConfigError(f"{folder}: the run of a scenario; check it with seawall replay")
        raise ConfigError(f"{folder}: has no journal of services (NAME{_HEAD})")
    journals = [folder / f"{stem}{_HEAD}" for stem in sorted(stems)]
    return check_journals(journals, ALL if ALL in stems else RISK)


def line_of(checked: CheckedJournal) -> str:
    """What a journal has, in a line."""
    last = f"last snapshot behind input {checked.snapshots[0]:,}" if checked.snapshots else ""
    state = "DAMAGED" if checked.faults else "whole"
    return (
        f"{checked.service}: {checked.place:,} inputs, {checked.rows:,} read and {state}, "
        f"{last or 'no snapshot'}"
    )
