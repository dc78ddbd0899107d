"""The file of refusals: one JSON object a line, bounded in size and in lines a second."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from engine.commands import Command
from engine.reasons import Reason

LINES_PER_SECOND: Final[int] = 100
MAX_BYTES: Final[int] = 8_388_608
"""Size at which the file becomes the older one, which takes the place of the one before."""

SECOND_NS: Final[int] = 1_000_000_000


class Audit:
    """Notes refusals. ``clock`` is the wall clock in nanoseconds. A line more than
    `LINES_PER_SECOND` is counted and told with the next one that is written. ``log`` is told of
    what is noted."""

    def __init__(
        self,
        file: Path | None,
        clock: Callable[[], int],
        log: Callable[[str, dict[str, object]], None] | None = None,
    ) -> None:
        self._file = file
        self._clock = clock
        self._log = log
        self._second = 0
        self._lines = 0
        self._left_out = 0

    def note(self, what: str, **facts: object) -> None:
        """Note a refusal with what is known about it. A disk that refuses loses the line: no
        orders wait for it."""
        if self._file is None:
            return
        now_ns = self._clock()
        second = now_ns // SECOND_NS
        if second != self._second:
            self._second, self._lines = second, 0
        if self._lines >= LINES_PER_SECOND:
            self._left_out += 1
            return
        self._lines += 1
        if self._log is not None:
            self._log(what, facts)
        when = datetime.fromtimestamp(second, UTC).isoformat()
        line: dict[str, object] = {"time": when, "refused": what, **facts}
        if self._left_out:
            line["left_out_before"] = self._left_out
        try:
            self._write(self._file, json.dumps(line) + "\n")
        except OSError:
            self._left_out += 1
        else:
            self._left_out = 0

    def connection(self, public: str, address: str, why: str) -> None:
        """Note a connection that was not let in."""
        self.note("connection", key=public, address=address, why=why)

    def command(
        self, client: str, public: str, run: int, request_id: int, command: Command, reason: Reason
    ) -> None:
        """Note a command that was not taken."""
        self.note(
            "command",
            client=client,
            key=public,
            run=run,
            request=request_id,
            command=type(command).__name__,
            account=getattr(command, "account_id", None),
            why=reason.name.lower(),
        )

    def _write(self, file: Path, line: str) -> None:
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        if size > MAX_BYTES:
            file.replace(file.with_name(f"{file.name}.1"))
