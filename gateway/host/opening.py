"""Carrying out the opening of a market, once for a run directory.

The commands have request numbers of a run of their own, so a start that was cut off goes on where
it was, and nothing is deposited twice. A note in the run directory says that all of it is done.
"""

import hashlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from engine.messages import encode
from engine.reasons import Reason
from engine.services.service_config import ConfigError
from gateway.client import Address, Client, NoAnswer
from gateway.host.opening_market import SettingsCommand
from gateway.protocol import Reply

RUN: Final[int] = 1
"""The run of request numbers of the opening."""

FEW: Final[int] = 500
TOGETHER: Final[int] = 200
"""Up to `FEW` commands go one by one, which a rate limit only delays; more go in frames."""

PAUSE_SECONDS: Final[float] = 0.2
ANSWER_SECONDS: Final[float] = 5.0


class Opening:
    """The steps of an opening and the note that they were done."""

    def __init__(self, steps: Sequence[SettingsCommand], run_dir: Path, file: str) -> None:
        self._steps = steps
        self._file = file
        self._note = run_dir / "market.json"
        digest = hashlib.blake2b(digest_size=16)
        for step in steps:
            digest.update(encode(step.command))
        self._digest = digest.hexdigest()

    @property
    def done(self) -> bool:
        """Whether it was carried out, or there is nothing to be done."""
        return not self._steps or self._note.exists()

    @property
    def differs(self) -> bool:
        """Whether it was carried out with other steps than these."""
        if not self._steps or not self._note.exists():
            return False
        try:
            noted = json.loads(self._note.read_text()).get("digest")
        except (OSError, ValueError, AttributeError):
            noted = None
        return bool(noted != self._digest)

    def carry_out(self, address: Address, stopping: Sequence[bool]) -> None:
        """Ask for what was not done yet; ends early when ``stopping`` is no longer empty. A gateway
        that is away is waited for.

        Raises:
            ConfigError: a command was refused, or the note cannot be written.
        """
        if self.done:
            if self.differs:
                text = (
                    "the market was opened before with other settings; what is new in them is not"
                )
                said = f"{self._file}: {text} applied: use seawall admin"
                print(said, file=sys.stderr, flush=True)
            return
        client = Client(address, run=RUN, accounts=[])
        try:
            size = 1 if len(self._steps) <= FEW else TOGETHER
            place = 0
            while place < len(self._steps) and not stopping:
                if self._ask(client, place, size):
                    place += size
        finally:
            client.close()
        if not stopping:
            self._remember()

    def _ask(self, client: Client, place: int, size: int) -> bool:
        """Ask for the steps behind a place; whether they are done."""
        steps = self._steps[place : place + size]
        try:
            client.connect(1.0)
            replies = client.ask(place + 1, [step.command for step in steps], ANSWER_SECONDS)
        except NoAnswer:
            return False
        for step, reply in zip(steps, replies, strict=True):
            if self._must_wait(step, reply, size):
                time.sleep(PAUSE_SECONDS)
                return False
        return True

    def _must_wait(self, step: SettingsCommand, reply: Reply, size: int) -> bool:
        """Whether a command has to be asked for again.

        Raises:
            ConfigError: it was refused.
        """
        rejection = reply.rejection
        if rejection is None or rejection.reason == Reason.REQUEST_TOO_OLD:
            # Too old is what was done before and is no longer remembered.
            return False
        if rejection.reason == Reason.TOO_MANY_REQUESTS and size == 1:
            return True
        raise ConfigError(
            f"{self._file}: {step.place}: refused: {rejection.words}; "
            "correct it and begin in another run_dir"
        )

    def _remember(self) -> None:
        new = self._note.with_suffix(".new")
        try:
            new.write_text(json.dumps({"commands": len(self._steps), "digest": self._digest}))
            new.replace(self._note)
        except OSError as error:
            raise ConfigError(f"{self._note}: cannot be written: {error.strerror}") from None
