"""The directory of a run that is saved on the way: what is unfinished stays, to be gone on with."""

import fcntl
import os
import shutil
from pathlib import Path

from seawall.runs.run_directory import RunDirectory, RunDirectoryError


class UnfinishedRun(RunDirectory):
    """A run directory that grows under a name of its own, ``OUT.unfinished``, and stays there when
    its run stops after it was `saved`, by whatever end. One process at a time has it.

    With ``go_on`` it takes up what another process left; without, nothing may be left, or
    ``overwrite`` removes it.

    Raises:
        RunDirectoryError: on entering, if nothing (or, to begin, something) is left there, or
            another process works on it; else as `RunDirectory`.
    """

    def __init__(self, out: str | Path, overwrite: bool = False, go_on: bool = False) -> None:
        super().__init__(out, overwrite)
        self.partial = unfinished(out)
        self.saved = go_on
        self._go_on = go_on
        self._lock = -1

    def _require_free(self) -> None:
        if self._go_on and not self.partial.is_dir():
            raise RunDirectoryError(
                f"{self.partial}: no run was left unfinished there; only one that is saved on the "
                "way can be (seawall run --save-every)"
            )
        super()._require_free()

    def _begin(self) -> None:
        if self._go_on:
            self._take()
            return
        if self.partial.is_dir():
            if not self.overwrite:
                raise RunDirectoryError(
                    f"{self.partial}: an unfinished run is there; go on with it (seawall continue "
                    f"{self.out}), or overwrite it (--overwrite, in Python overwrite=True)"
                )
            self._take()
            shutil.rmtree(self.partial)
            os.close(self._lock)
        self.partial.mkdir()
        self._take()

    def _take(self) -> None:
        """Have it alone; a process that dies lets go."""
        self._lock = os.open(self.partial, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise RunDirectoryError(f"{self.partial}: another process works on it") from None

    def _end(self) -> None:
        super()._end()
        os.close(self._lock)


def unfinished(out: str | Path) -> Path:
    """Where a run that is saved on the way stays until it is finished."""
    path = Path(out).resolve()
    return path.with_name(f"{path.name}.unfinished")
