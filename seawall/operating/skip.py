"""`seawall skip`: the way past a command that the exchange cannot handle.

The input stands in the journal for good, so every start would meet it again. Here the commands in
it that raise are looked for, on a copy, and a note is put beside the input: every reader of the
journal from now on finds an `engine.commands.Skipped` in the place of each, with the hash of what
stood there. So the services, their restarts and a replay all leave out the same commands.
"""

import argparse
import time
from collections.abc import Sequence
from getpass import getuser

import msgspec

from engine.commands import Command
from engine.connections.link import NotAFrame, read_frame
from engine.record.service_journal import OUTSIDE, Input, ServiceJournal, Skip
from engine.record.snapshot import pack, unpack
from engine.services.rounds import Batch, Outputs, batch_of, encode_frame
from engine.services.service_config import ALL, ONE, ServiceConfig
from gateway.door.frames import Intake, intake_decoder
from gateway.door.intake import GatewayPart
from gateway.host.one_process import OneProcess
from gateway.host.parts import RiskHolder
from gateway.serve import read_config
from seawall.rebuild import skip_rebuilding
from seawall.skip_search import without_poison


class Stuck:
    """The exchange just before an input it cannot handle.

    Raises:
        ValueError: there is no such input, it was handled, or an earlier one cannot be handled.
    """

    def __init__(self, journal: ServiceJournal, config: ServiceConfig, place: int) -> None:
        self._part = OneProcess(
            GatewayPart(
                config.gateway.remembered_requests,
                sorted_outcomes=True,
                event_bytes=config.gateway.remembered_event_bytes,
            ),
            RiskHolder().merged_hub(config.publish_depth),
        )
        done, data = journal.last_snapshot() or (0, None)
        if place <= done:
            raise ValueError(f"input {place} was handled: the exchange is at {done} or later")
        if data is not None:
            self._part.restore(unpack(data)[1])
        for number, entry in enumerate(journal.inputs(done), start=done + 1):
            if number == place:
                self._entry = entry
                self._before = pack(self._part.state())
                return
            if not self._handles(entry.body):
                raise ValueError(f"input {number} cannot be handled either: skip it first")
        raise ValueError(f"there is no input {place}: the journal ends at {journal.place}")

    def skipped(self, reason: str) -> tuple[Input, list[Command]]:
        """The input without the commands that cannot be handled, and those commands.

        Raises:
            ValueError: it can be handled as it is.
        """
        intake: Intake = read_frame(intake_decoder, self._entry.body)
        batch = batch_of(intake.batch)

        def works(commands: list[Command]) -> bool:
            self._part.restore(unpack(self._before))
            return self._handles(_with_commands(intake, batch, commands))

        found = without_poison(list(batch.commands), works, reason)
        if not found.left_out:
            raise ValueError("this version can handle the input: start the exchange")
        return self._entry._replace(body=_with_commands(intake, batch, found.commands)), (
            found.left_out
        )

    def _handles(self, body: bytes) -> bool:
        out: Outputs = []
        try:
            self._part.handle(OUTSIDE, body, out)
        except NotAFrame:
            raise
        except Exception:
            return False
        return True


def _with_commands(intake: Intake, batch: Batch, commands: Sequence[Command]) -> bytes:
    changed = Batch(batch.number, list(commands), batch.parcels)
    return encode_frame(msgspec.structs.replace(intake, batch=encode_frame(changed)))


def skip(arguments: argparse.Namespace) -> int:
    """`seawall skip --input N --reason TEXT [--config FILE]`; returns the exit status.

    Raises:
        ConfigError: the settings cannot be used.
        JournalError: a journal cannot be read or written.
        ValueError: nothing is to be skipped, or an earlier input is.
    """
    config = read_config(arguments.config)
    if config.layout == ONE:
        told = skip_in_place(config, arguments.input, arguments.reason)
    else:
        told = skip_rebuilding(config, arguments.input, arguments.reason)
    for text in (*told, "start the exchange again with seawall up"):
        print(text)
    return 0


def skip_in_place(config: ServiceConfig, place: int, reason: str) -> list[str]:
    """Leave out what raises of an input of the one process; returns what was left out, in words.

    Raises:
        JournalError: the journal cannot be read or written.
        ValueError: there is no such input, or nothing is to be skipped.
    """
    if not config.journal(ALL).exists():
        raise ValueError(f"{config.journal(ALL)}: there is no journal")
    journal = ServiceJournal(config.journal(ALL), ALL, keep_inputs=True)
    try:
        entry, left_out = Stuck(journal, config, place).skipped(reason)
        commands = [f"{command!r:.1000}" for command in left_out]
        journal.skip(place, Skip(entry.body, commands, reason, getuser(), time.time_ns()))
    finally:
        journal.close()
    return [f"input {place}: skipped {text}" for text in commands]
