"""Signs of life: every service notes the time in a file of the run directory while it works.

A process that is stopped, or hangs in one input, exists, and that is no sign of life; going on is.
The time is the machine's monotonic one, so that no jump of a clock looks like silence.
"""

import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

BEAT_NS: Final[int] = 250_000_000
"""How often a service that works says so."""

SILENT_NS: Final[int] = 2_000_000_000
"""Silence of a service after which something is wrong with it."""

_NOTE: Final = struct.Struct("<q")


def file_of(run_dir: Path, name: str) -> Path:
    """Where a service notes that it works."""
    return run_dir / f"{name}.pulse"


class Pulse:
    """One service's signs of life. ``clock`` is monotonic, in nanoseconds."""

    def __init__(self, run_dir: Path, name: str, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._due_ns = 0
        self._file = os.open(file_of(run_dir, name), os.O_WRONLY | os.O_CREAT, 0o600)

    def beat(self) -> None:
        """Say that the service works; called as often as one likes."""
        now_ns = self._clock()
        if now_ns < self._due_ns:
            return
        self._due_ns = now_ns + BEAT_NS
        try:
            os.pwrite(self._file, _NOTE.pack(now_ns), 0)
        except OSError:
            # A full disk is told by the journal.
            return


class Pulses:
    """The signs of life of several services, as others see them."""

    def __init__(self, run_dir: Path, names: Sequence[str], clock: Callable[[], int]) -> None:
        self._files = {name: file_of(run_dir, name) for name in names}
        self._clock = clock

    def silent_ns(self, name: str) -> int | None:
        """How long nothing was heard of a service; None for one that never was."""
        try:
            data = self._files[name].read_bytes()
        except OSError:
            return None
        if len(data) != _NOTE.size:
            return None
        (beat_ns,) = _NOTE.unpack(data)
        # A note from before the machine was started lies in the future.
        silent_ns: int = max(0, self._clock() - beat_ns)
        return silent_ns

    def seconds(self) -> dict[tuple[str, ...], float]:
        """How long each service that ever gave a sign has been silent, as the values of a metric
        by name."""
        found = {(name,): self.silent_ns(name) for name in self._files}
        return {name: silent * 1e-9 for name, silent in found.items() if silent is not None}
