"""Ctrl-C and the request to terminate, held back until it is safe to stop.

Arithmetic with long integers looks for signals too. In compiled code an exception raised there ends
the process on the spot (mypyc takes it for a lack of memory), and nothing is cleaned up. So while a
run lasts, such a signal only leaves a note, and the run looks at it between two commands.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


def hear_interrupts() -> None:
    """Let Ctrl-C reach this process, however it was started.

    A shell starts what runs in the background, and some tools whatever they start, with the signal
    ignored or blocked, and a program keeps that unless it says otherwise.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


class Interrupts:
    """Whether a signal came while it was held back."""

    __slots__ = ("pending",)

    def __init__(self) -> None:
        self.pending = False

    def check(self) -> None:
        """Let the signal take effect now.

        Raises:
            KeyboardInterrupt: one came.
        """
        if self.pending:
            raise KeyboardInterrupt


@contextmanager
def held_interrupts() -> Iterator[Interrupts]:
    """Hold back the signals that would raise `KeyboardInterrupt`; other handlers stay as they are.

    Who uses it calls `Interrupts.check` often. What comes after the last check is ignored: the work
    is done by then.
    """
    held = Interrupts()

    def note(_number: int, _frame: FrameType | None) -> None:
        held.pending = True

    numbers: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():  # others hear no signals
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is signal.default_int_handler:
                signal.signal(number, note)
                numbers.append(number)
    try:
        yield held
    finally:
        for number in numbers:
            signal.signal(number, signal.default_int_handler)
