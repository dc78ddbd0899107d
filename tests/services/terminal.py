"""A program on a pseudo-terminal: what it drew is kept as a screen, and keys can be typed."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

import pyte

from tests.services.processes import PATIENCE_SECONDS, ROOT

INTERRUPT = "\x03"
ENTER_ALTERNATE, LEAVE_ALTERNATE = b"\x1b[?1049h", b"\x1b[?1049l"
NOT_INHERITED = ("COLUMNS", "LINES", "NO_COLOR")
HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"


class Terminal:
    """Python with arguments on a terminal of its own; leaving the block ends it."""

    def __init__(self, *arguments: str, columns: int = 150, lines: int = 50) -> None:
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self.pid, self._end = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            # Not what the C library has: readline puts LINES and COLUMNS there behind our back.
            own = {key: os.environ[key] for key in os.environ if key not in NOT_INHERITED}
            own |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
            os.execve(sys.executable, [sys.executable, *arguments], own)
        # The program needs longer to start than this does.
        self.resize(columns, lines)
        self.modes = termios.tcgetattr(self._end)[3]

    def read(self, wait_s: float = 0.05) -> bool:
        """Take in what was drawn; False once the program has closed the terminal."""
        if not select.select([self._end], [], [], wait_s)[0]:
            return True
        try:
            data = os.read(self._end, 65_536)
        except OSError:
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def lines(self) -> list[str]:
        """What stands on the screen now."""
        return [text.rstrip() for text in self._screen.display]

    def wait_for(self, *texts: str) -> None:
        """Until all of these stand on the screen together."""
        limit = time.monotonic() + PATIENCE_SECONDS
        while not all(text in "\n".join(self.lines()) for text in texts):
            assert self.read() and time.monotonic() < limit, "\n".join([*texts, *self.lines()])

    def resize(self, columns: int, lines: int) -> None:
        self._screen.resize(lines, columns)
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def end(self) -> int:
        """Wait for the program's end; returns its exit status."""
        limit = time.monotonic() + PATIENCE_SECONDS
        while self.read():
            assert time.monotonic() < limit, "the program does not end"
        self.modes_left = termios.tcgetattr(self._end)[3]
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        return status

    def is_in_order(self) -> bool:
        """Whether a program that has ended left normal screen, cursor, echo and line mode."""
        asked = termios.ECHO | termios.ICANON | termios.ISIG
        return (
            self.raw.count(ENTER_ALTERNATE) == self.raw.count(LEAVE_ALTERNATE) == 1
            and self.raw.rfind(SHOW_CURSOR) > self.raw.rfind(HIDE_CURSOR) > 0
            and self.modes_left & asked == self.modes & asked == asked
        )

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._end)
