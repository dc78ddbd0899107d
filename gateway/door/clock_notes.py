"""Whether the wall clock jumped while the gateway was away, and the operator's word on it.

Once a second the run directory's note says how the exchange's time stood to the machine's uptime.
After a restart on the same boot the time that passed is known by that, whatever the wall clock
says; after another boot it is unknown. A wall clock farther off than the limit is not believed:
time goes on as if it had not jumped and follows it slowly, until an operator says that it is right.
"""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from engine.units import SECOND_NS

NOTE: Final[str] = "clock.note"
WORD: Final[str] = "clock.take"
"""Files of the run directory: the note, and the operator's word."""

NOTE_EVERY_NS: Final[int] = SECOND_NS


class Note(msgspec.Struct):
    """The exchange's time at an uptime of the machine since this boot."""

    boot: str
    uptime_ns: int
    time_ns: int


class ClockNotes:
    """``boot`` names this run of the machine, empty if unknown; ``uptime`` counts its sleep too;
    ``say`` is told what the operator should know."""

    def __init__(
        self,
        folder: Path,
        limit_ns: int,
        boot: str,
        uptime: Callable[[], int],
        say: Callable[[str], object],
    ) -> None:
        self._folder = folder
        self._limit_ns = limit_ns
        self._boot = boot
        self._uptime = uptime
        self._say = say
        self._noted_ns = 0

    def first_ns(self, last_ns: int, wall_ns: int) -> int:
        """The exchange's time at the start. ``last_ns`` is the last there was, 0 before any."""
        if not last_ns:
            return wall_ns
        note = self._read()
        if note is not None and self._boot and note.boot == self._boot:
            expected_ns = max(last_ns, note.time_ns + self._uptime() - note.uptime_ns)
        else:
            expected_ns = last_ns
        if abs(wall_ns - expected_ns) <= self._limit_ns:
            return max(last_ns, wall_ns)
        off_s = (wall_ns - expected_ns) // SECOND_NS
        self._say(
            f"the wall clock is {off_s} s off from what it was before the restart; the exchange's "
            "time goes on without that. When the clock is right: seawall take-clock"
        )
        return expected_ns

    def keep(self, time_ns: int) -> None:
        """Note the exchange's time now and then. A disk that refuses costs only the note."""
        uptime_ns = self._uptime()
        if uptime_ns - self._noted_ns < NOTE_EVERY_NS:
            return
        self._noted_ns = uptime_ns
        new = self._folder / f"{NOTE}.new"
        with contextlib.suppress(OSError):
            new.write_bytes(msgspec.json.encode(Note(self._boot, uptime_ns, time_ns)))
            os.replace(new, self._folder / NOTE)

    def word_given(self) -> bool:
        """Whether the operator has said that the wall clock is right; once."""
        try:
            (self._folder / WORD).unlink()
        except OSError:
            return False
        self._say("the wall clock is taken as it is")
        return True

    def _read(self) -> Note | None:
        try:
            return msgspec.json.decode((self._folder / NOTE).read_bytes(), type=Note)
        except (OSError, msgspec.DecodeError):
            return None


def this_boot() -> str:
    """A name for this run of the machine; empty where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def uptime_ns() -> int:
    """Nanoseconds since the machine was started, sleep included."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(clock)


def give_word(folder: Path) -> None:
    """Say that the wall clock is right.

    Raises:
        OSError: the run directory is not there or cannot be written.
    """
    (folder / WORD).touch(mode=0o600)
