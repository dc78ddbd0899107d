"""Screens for frames: a terminal that is drawn over and over, or a pipe that gets plain text.

The terminal is `curses` of the standard library: it knows terminals, sends only what changed,
notices a new size, and reads keys.
"""

import contextlib
import curses
import locale
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Final, TextIO

from seawall.terminal.watch_lines import (
    ALARM,
    BAD,
    BOLD,
    DIM,
    GOOD,
    PLAIN,
    WARN,
    Line,
    cut,
    text_of,
)

QUIT: Final[str] = "q"
NEXT: Final[str] = "n"
PREVIOUS: Final[str] = "p"

_COLOURS: Final[dict[str, int]] = {
    GOOD: curses.COLOR_GREEN,
    WARN: curses.COLOR_YELLOW,
    BAD: curses.COLOR_RED,
    ALARM: curses.COLOR_MAGENTA,
}
_DUMB: Final[tuple[str, ...]] = ("", "dumb", "unknown")


class PlainScreen:
    """Frames as plain text one after the other, an empty line after each; no escape codes.

    Only where the output is a terminal does a width limit it.
    """

    hint: Final[str] = ""
    height: Final[None] = None
    """Nothing limits it."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    @property
    def width(self) -> int | None:
        """Columns that fit, where the output is a terminal."""
        return shutil.get_terminal_size().columns if self._out.isatty() else None

    def show(self, lines: Sequence[Line]) -> None:
        """Print a frame.

        Raises:
            BrokenPipeError: the reader has left.
        """
        if self.width is not None:
            lines = [cut(spans, self.width) for spans in lines]
        text = "\n".join(text_of(spans) for spans in lines)
        print(text, end="\n\n", file=self._out, flush=True)

    def pressed(self) -> str:
        """No keys are pressed here."""
        return ""

    def __enter__(self) -> "PlainScreen":
        return self

    def __exit__(self, *_: object) -> None:
        return


class TerminalScreen:
    """The alternate screen of a terminal; whatever happens inside the block, it is left in order.

    Raises:
        curses.error: the terminal cannot be drawn on.
    """

    hint: Final[str] = "q quit, n/p instrument"

    def __enter__(self) -> "TerminalScreen":
        locale.setlocale(locale.LC_ALL, "")
        self._window = curses.initscr()
        try:
            curses.noecho()
            curses.cbreak()
            self._window.keypad(True)
            self._window.nodelay(True)
            with contextlib.suppress(curses.error):
                curses.curs_set(0)
            self._attributes = _attributes()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._window.keypad(False)
        curses.nocbreak()
        curses.echo()
        curses.endwin()

    @property
    def height(self) -> int:
        """Lines that fit."""
        height: int = self._window.getmaxyx()[0]
        return height

    @property
    def width(self) -> int:
        """Columns that fit."""
        width: int = self._window.getmaxyx()[1]
        return width

    def show(self, lines: Sequence[Line]) -> None:
        """Draw a frame over the last one; what does not fit is cut."""
        window = self._window
        height, width = window.getmaxyx()
        window.erase()
        for row, spans in enumerate(lines[:height]):
            column = 0
            for text, style in cut(spans, width):
                # Writing the last cell moves the cursor off the screen: an error to curses.
                with contextlib.suppress(curses.error):
                    window.addstr(row, column, text, self._attributes[style])
                column += len(text)
        window.refresh()

    def pressed(self) -> str:
        """Keys pressed since the last call; a new size of the terminal is taken in on the way."""
        keys = ""
        while (code := self._window.getch()) != curses.ERR:
            if code in (curses.KEY_RIGHT, curses.KEY_DOWN):
                keys += NEXT
            elif code in (curses.KEY_LEFT, curses.KEY_UP):
                keys += PREVIOUS
            elif code < 128:
                keys += chr(code)
        return keys


def _attributes() -> dict[str, int]:
    """How each style looks, with colours where the terminal has them."""
    found = {
        PLAIN: curses.A_NORMAL,
        DIM: curses.A_DIM,
        BOLD: curses.A_BOLD,
        GOOD: curses.A_NORMAL,
        WARN: curses.A_BOLD,
        BAD: curses.A_BOLD,
        ALARM: curses.A_REVERSE,
    }
    with contextlib.suppress(curses.error):
        curses.start_color()
        curses.use_default_colors()
        if curses.has_colors() and not os.environ.get("NO_COLOR"):
            for pair, (style, colour) in enumerate(_COLOURS.items(), start=1):
                curses.init_pair(pair, colour, -1)
                found[style] |= curses.color_pair(pair)
    return found


def open_screen(out: TextIO, once: bool) -> PlainScreen | TerminalScreen:
    """The terminal where there is one on both ends, plain text otherwise and for a single frame."""
    able = os.environ.get("TERM", "") not in _DUMB
    if not once and able and out.isatty() and sys.stdin.isatty():
        return TerminalScreen()
    return PlainScreen(out)
