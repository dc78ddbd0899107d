"""`seawall skip` with separate services: a batch changed behind their backs, and all made anew.

Risk and its leaves have worked on the batch, each as far as it came. So their states are made from
all batches there ever were, without the commands that raise, and each service begins from a
snapshot of that. The gateway keeps its own state: to it batches and outcomes are what they were,
but for what is said in the place of the commands left out.
"""

import time
from collections.abc import Iterator
from getpass import getuser
from pathlib import Path
from typing import Any, NamedTuple

from engine.commands import Command
from engine.connections.link import AHEAD, NotAFrame
from engine.record.chained_log import FIRST_CHAIN, chained
from engine.record.service_journal import Input, ServiceJournal, Skip
from engine.record.snapshot import pack, unpack
from engine.routing.topology import GATEWAY, RISK
from engine.services.part import PartFailed
from engine.services.rounds import Batch, batch_of, encode_frame
from engine.services.service import Service
from engine.services.service_config import ServiceConfig
from gateway.circle import Circle
from gateway.door.intake import GatewayPart
from gateway.door.logs import ServiceLog
from gateway.serve import UNFINISHED, build_service
from seawall.skip_search import without_poison


class Recorded(NamedTuple):
    """A batch with its number; ``place`` is that of its row in risk's journal, 0 if it is still on
    its way there."""

    number: int
    body: bytes
    place: int


class Rebuild:
    """All services of a run directory, stopped, and their states from the first batch on.

    Raises:
        JournalError: a journal cannot be opened.
        PartFailed: the gateway's own inputs cannot be handled.
        ValueError: a journal is not in this run directory.
    """

    def __init__(self, config: ServiceConfig) -> None:
        for name in config.services():
            if not config.journal(name).exists():
                raise ValueError(
                    f"{config.journal(name)}: there is no journal; a skip needs those of all "
                    "services in one run_dir"
                )
        self._config = config
        self._journals: dict[str, ServiceJournal] = {}
        self._gateway: Service = build_service(GATEWAY, config, None, ServiceLog(GATEWAY))
        try:
            for name in config.services():
                if name != GATEWAY:
                    keeps = name == config.recorder()
                    journal = ServiceJournal(config.journal(name), name, keep_inputs=keeps)
                    self._journals[name] = journal
            self._gateway.recover()
        except BaseException:
            self.close()
            raise
        self._circle = Circle(config)
        self._outcomes: list[bytes] = []
        self.left_out: list[tuple[Recorded, list[Command], bytes]] = []

    def close(self) -> None:
        """Let go of the journals."""
        for journal in self._journals.values():
            journal.close()
        self._gateway.abandon()

    def work(self, wanted: int, reason: str, goes_on: bool) -> None:
        """Work through all batches, from number ``wanted`` on without what raises; ``goes_on`` if
        this was begun before, and may have been done with that one.

        Raises:
            ValueError: there is no such batch, it can be handled, or one before it cannot either.
        """
        told = self._gateway.links[RISK].received
        last = 0
        for batch in self._batches():
            last = batch.number
            if batch.number < wanted:
                try:
                    outcome = self._circle.work(batch.body)
                except Exception as error:
                    text = f"input {batch.number} cannot be handled either: skip it first"
                    raise ValueError(text) from error
            else:
                outcome = self._without_poison(batch, reason)
                if not self.left_out and not goes_on:
                    raise ValueError("this version can handle the input: start the exchange")
            if batch.number > told:
                self._outcomes.append(outcome)
        if last < wanted:
            raise ValueError(f"there is no input {wanted}: the last one is {last}")

    def work_as_recorded(self) -> None:
        """Work through all batches as they are.

        Raises:
            ValueError: one cannot be handled.
        """
        told = self._gateway.links[RISK].received
        for batch in self._batches():
            outcome = self._outcome_of(batch.body)
            if not outcome:
                raise ValueError(f"input {batch.number} cannot be handled: skip it first")
            if batch.number > told:
                self._outcomes.append(outcome)

    def _batches(self) -> Iterator[Recorded]:
        """All batches: those in risk's journal, then those on their way there."""
        number = place = 0
        for place, entry in enumerate(self._journals[RISK].inputs(), start=1):
            if entry.source == GATEWAY:
                number += 1
                yield Recorded(number, entry.body, place)
        link = self._gateway.links[RISK]
        first = link.sent - len(link.outbox) + 1
        for on_its_way, body in enumerate(link.outbox, start=first):
            if on_its_way > number:
                yield Recorded(on_its_way, body, 0)

    def _without_poison(self, recorded: Recorded, reason: str) -> bytes:
        """The outcome of a batch without the commands that raise."""
        before = pack(self._circle.state())
        outcome = self._outcome_of(recorded.body)
        if outcome:
            return outcome
        batch = batch_of(recorded.body)

        def frame(commands: list[Command]) -> bytes:
            return encode_frame(Batch(batch.number, list(commands), batch.parcels))

        def works(commands: list[Command]) -> bool:
            self._circle.restore(unpack(before))
            return bool(self._outcome_of(frame(commands)))

        found = without_poison(list(batch.commands), works, reason)
        body = frame(found.commands)
        self.left_out.append((recorded, found.left_out, body))
        self._circle.restore(unpack(before))
        return self._circle.work(body)

    def _outcome_of(self, body: bytes) -> bytes:
        """The outcome of a batch, empty when a component raises."""
        try:
            return self._circle.work(body)
        except NotAFrame:
            raise
        except Exception:
            return b""

    # writing

    def write(self, reason: str) -> None:
        """Note what was left out, and have each service begin from its new state. A note in the run
        directory keeps them from starting until all of it is there.

        Raises:
            JournalError: the disk refuses; done again, it goes on.
        """
        unfinished = Path(self._config.run_dir) / UNFINISHED
        unfinished.touch(mode=0o600)
        places = self._record()
        for recorded, commands, body in self.left_out:
            words = [f"{command!r:.1000}" for command in commands]
            skip = Skip(body, words, reason, getuser(), time.time_ns())
            self._journals[RISK].skip(recorded.place or places[recorded.number], skip)
        # Above every number that was in use between these services.
        base = sum(journal.place for journal in self._journals.values()) + AHEAD
        base += self._gateway.journal.place
        states = self._circle.states()
        for name, journal in self._journals.items():
            links = [self._link(name, peer, base) for peer in sorted(self._config.peers(name))]
            journal.begin_anew(pack([links, states[name]]))
        part = self._gateway.part
        assert isinstance(part, GatewayPart)
        part.depth = self._circle.depth
        links = [
            self._gateway.links[peer].state() if peer == RISK else _fresh(peer, base)
            for peer in sorted(self._config.peers(GATEWAY))
        ]
        self._gateway.journal.begin_anew(pack([links, part.state()]))
        unfinished.unlink()

    def _record(self) -> dict[int, int]:
        """Give the batches on their way a row in risk's journal; returns the rows by number."""
        journal = self._journals[RISK]
        new = [batch for batch in self._batches() if not batch.place]
        first = journal.place + 1
        journal.append([Input(GATEWAY, batch.number, batch.body) for batch in new])
        return {batch.number: place for place, batch in enumerate(new, start=first)}

    def _link(self, name: str, peer: str, base: int) -> list[Any]:
        """The state of a service's link with a peer (`engine.connections.link.Link.state`). With
        the gateway risk goes on: it has all batches, and its outcomes from the first one not told
        yet."""
        if (name, peer) != (RISK, GATEWAY):
            return _fresh(peer, base)
        _, sent, told, outbox, before, told_chain = self._gateway.links[RISK].state()
        chain = before
        for body in outbox:
            chain = chained(chain, body)
        assert told + len(self._outcomes) == sent, "one outcome for each batch"
        return [GATEWAY, sent, sent, self._outcomes, told_chain, chain]


def _fresh(peer: str, number: int) -> list[Any]:
    """A link on which nothing is under way, in both directions behind a number."""
    return [peer, number, number, [], FIRST_CHAIN, FIRST_CHAIN]


def skip_rebuilding(config: ServiceConfig, wanted: int, reason: str) -> list[str]:
    """Leave out what raises of batch ``wanted``, and of those behind it that are under way; returns
    what was left out, in words.

    Raises:
        JournalError: a journal cannot be read or written.
        ValueError: there is no such batch, nothing is to be skipped, or one before it raises.
    """
    goes_on = (Path(config.run_dir) / UNFINISHED).exists()
    try:
        rebuild = Rebuild(config)
    except PartFailed as error:
        raise ValueError(f"the gateway's own inputs cannot be handled: {error}") from None
    try:
        rebuild.work(wanted, reason, goes_on)
        rebuild.write(reason)
    finally:
        rebuild.close()
    found = [
        f"input {recorded.number}: skipped {command!r:.1000}"
        for recorded, commands, _ in rebuild.left_out
        for command in commands
    ]
    return found or ["the skip that was cut off is finished"]
