"""The run directory and what is made in it: for the owner's eyes only."""

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

OTHERS: Final[int] = stat.S_IRWXG | stat.S_IRWXO
OWNER_ONLY: Final[int] = 0o077
"""The mask for all files and sockets of a service: every command and position is in them."""


def open_run_directory(folder: Path) -> str:
    """Make the directory if it is not there, and take journals away from others' eyes.

    Returns what the operator should know: a directory that was there and is open to others stays as
    it is.

    Raises:
        OSError: it cannot be made.
    """
    os.umask(OWNER_ONLY)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in folder.glob("*.journal*"):
        # Another service that starts at the same moment renames its new journal under our eyes.
        with contextlib.suppress(FileNotFoundError):
            close_to_others(file)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & OTHERS:
        return f"{folder}: others can look into it (mode {mode:o}); chmod 700 {folder}"
    return ""


def close_to_others(file: Path) -> None:
    """Take every right on a file of ours from others than its owner."""
    status = file.stat()
    if status.st_mode & OTHERS and status.st_uid == os.getuid():
        file.chmod(stat.S_IMODE(status.st_mode) & ~OTHERS)
