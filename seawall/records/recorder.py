"""The recorder of a run: commands go to the journal, events to the table."""

from pathlib import Path

from engine.commands import Command
from engine.events import BookLevel, Event
from engine.messages import encode
from engine.record.journal import Journal
from engine.record.snapshot import pack, unpack
from seawall.exchange import Exchange
from seawall.records.event_table import EventTable
from seawall.records.house_accounts import HOUSE_EVENTS, HouseAccounts
from seawall.records.results import RESULT_EVENTS, ResultCollector
from seawall.records.summary import SummaryCollector
from seawall.scenario import Scenario


class Recorder:
    """Writes what passes through an exchange: commands to the journal, events to the table.

    `collector` counts, `house` and `results` keep the accounts of the house and who paid in what.
    Every ``checkpoint_commands`` the journal notes the state hash. A long run's events wait in
    ``folder`` until they are written.
    """

    def __init__(
        self,
        exchange: Exchange,
        journal: Journal,
        scenario: Scenario,
        checkpoint_commands: int,
        folder: Path | None = None,
    ) -> None:
        self.events = EventTable(skip=(BookLevel,), folder=folder)
        self.collector = SummaryCollector(
            list(scenario.assets.values()), list(scenario.instruments.values())
        )
        self.house = HouseAccounts(list(scenario.instruments.values()))
        self.results = ResultCollector()
        self._exchange = exchange
        self._journal = journal
        self._checkpoint_commands = checkpoint_commands
        exchange.before_command = self._on_command
        exchange.subscribe(self._on_event)

    def snapshot(self) -> bytes:
        """What was recorded so far; every event goes to a file of the folder."""
        collected = [self.collector.state(), self.house.state(), self.results.state()]
        return pack([self.events.put_aside(), *collected])

    def restore(self, snapshot: bytes) -> None:
        """Take over what `snapshot` returned of a run in the same folder."""
        events, collector, house, results = unpack(snapshot)
        self.events.restore(events)
        self.collector.restore(collector)
        self.house.restore(house)
        self.results.restore(results)

    def _on_command(self, seq: int, command: Command) -> None:
        if (
            seq % self._checkpoint_commands == 1
            and seq - 1 > self._journal.checkpoint_seq
            and seq > 1
            and self._exchange.bus.idle
        ):
            self._journal.checkpoint(command.time_ns, self._exchange.state_hash())
        self._journal.append(seq, command.time_ns, encode(command))

    def _on_event(self, event: Event) -> None:
        self.collector(event)
        kind = type(event)
        if kind in HOUSE_EVENTS:
            self.house(event)
        if kind in RESULT_EVENTS:
            self.results(event)
        self.events.add(event, self._exchange.commands)
