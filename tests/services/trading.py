"""A well-behaved client under load, and what must be true of the exchange afterwards."""

import time

from engine import commands as c
from engine.commands import Command
from engine.events import OrderAccepted
from engine.messages import at_time
from gateway.client import Client
from gateway.host.clock import SOURCE_ID
from gateway.protocol import Reply
from seawall.exchange import Exchange
from tests.messages import changed
from tests.services.processes import PATIENCE_SECONDS, Processes
from tests.services.streams import Stream

OWN_SOURCE = SOURCE_ID + 1
"""Source of the index prices a `Trader` publishes, so that the clock's are told from them."""

WINDOW = 100
"""Requests under way, at most."""

QUERIES = c.QueryAccount | c.QueryMarket | c.QueryRisk | c.QueryOrders


def commands_of(seed: int, count: int) -> list[Command]:
    """A stream without time (the clock's) and queries, its index from a source of its own."""
    commands: list[Command] = []
    for command in Stream(seed).take(count):
        if isinstance(command, c.IndexPrice):
            instrument_id, price_ticks = command.instrument_id, command.price_ticks
            commands.append(c.IndexPrice(command.time_ns, instrument_id, OWN_SOURCE, price_ticks))
        elif not isinstance(command, c.AdvanceTime | QUERIES):
            commands.append(command)
    return commands


class Trader:
    """Sends its commands as fast as they are answered and checks that each is answered once."""

    def __init__(self, client: Client, commands: list[Command]) -> None:
        self.client = client
        self.commands = commands
        self.at_once = WINDOW
        self.replies: dict[int, Reply] = {}
        self.numbers: list[int] = []

    @property
    def done(self) -> bool:
        return len(self.replies) == len(self.commands)

    def turn(self, wait_s: float = 0.05) -> None:
        """Send what the window allows and take what came."""
        free = min(self.at_once, WINDOW - (len(self.numbers) - len(self.replies)))
        new = self.commands[len(self.numbers) : len(self.numbers) + free]
        if new:
            self.numbers += self.client.send(new)
        for reply in self.client.take_replies(wait_s):
            assert reply.request_id not in self.replies, "answered twice"
            self.replies[reply.request_id] = reply

    def run_until(self, answered: int) -> None:
        """Until so many commands are answered."""
        limit = time.monotonic() + PATIENCE_SECONDS
        while len(self.replies) < answered:
            self.turn()
            assert time.monotonic() < limit, f"{len(self.replies)} of {answered} answers came"

    def finish(self) -> None:
        """Until all are answered."""
        self.run_until(len(self.commands))

    def check(self, processes: Processes, others_account: int = 0) -> None:
        """Of the stopped services: every command of this client was done once, in its order, as it
        was answered; nobody else's but the clock's and those on ``others_account``; and the state
        is that of one process, in which every invariant holds."""

        def is_own(command: Command) -> bool:
            others = getattr(command, "account_id", 0) == others_account > 0
            return not (others or is_clocks(command) or isinstance(command, QUERIES))

        done = [
            command
            for batch in processes.recorded()
            for command in batch.commands
            if is_own(command)
        ]
        asked = [
            (number, command)
            for number, command in zip(self.numbers, self.commands, strict=True)
            if is_own(command)
        ]
        assert [unstamped(command) for command in done] == [
            unstamped(command) for _, command in asked
        ]
        stamped = [self.replies[number].order_id for number, _ in asked]
        assert stamped == [getattr(command, "order_id", 0) for command in map(only_new, done)]
        assert any(
            isinstance(event, OrderAccepted)
            for reply in self.replies.values()
            for event in reply.events
        )
        check_state(processes)


def check_state(processes: Processes) -> None:
    """The stopped services have the state of one process given the same batches, and in it every
    invariant holds."""
    exchange = Exchange(publish_depth=True)
    for batch in processes.recorded():
        exchange.send_batch(batch.commands)
    exchange.check_invariants()
    assert processes.state_hash() == exchange.state_hash()


def is_clocks(command: Command) -> bool:
    if isinstance(command, c.IndexPrice):
        return command.source_id == SOURCE_ID
    return isinstance(command, c.AdvanceTime)


def only_new(command: Command) -> Command | None:
    """A new order; None for what gets no order id from the gateway."""
    return command if isinstance(command, c.SubmitOrder | c.SubmitTrigger) else None


def unstamped(command: Command) -> Command:
    """Without what the gateway stamps."""
    if only_new(command) is not None:
        return changed(command, time_ns=0, order_id=0)
    return at_time(command, 0)
