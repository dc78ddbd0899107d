"""What is measured. A case prepares a world and returns the work to time and how much it is.

Work is run several times; a case whose work uses up its world is prepared anew each time.
"""

import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import flow, worlds
from bench.quiet import reference_loop
from engine.commands import BUY, IOC, SELL, STP_CANCEL_NEWEST, Command
from engine.messages import decode_command, encode
from engine.record.journal import Journal
from matching.batch import run_batch
from matching.book import Book
from risk.accounts import FIRST_TRADER, MarginAccount, Position
from risk.check.pretrade import check_cross_margin
from risk.health import evaluate
from risk.losses.adl_queue import AdlQueues
from seawall.exchange import Exchange

Work = Callable[[], Any]
Prepare = Callable[[bool], tuple[Work, int]]


@dataclass(frozen=True)
class Case:
    """``prepare(small)`` returns the work and the number of operations in it; with ``small`` a
    world of a size for a check that it runs at all."""

    name: str
    per: str
    prepare: Prepare
    long: bool = False


@dataclass(frozen=True)
class LatencyCase:
    """One call whose single latencies are measured; ``prepare`` returns that call."""

    name: str
    prepare: Callable[[], Work]


_flows: dict[int, list[flow.Row]] = {}


def shared_flow(small: bool) -> list[flow.Row]:
    """The flow, made once per process."""
    messages = 1_000 if small else 100_000
    if messages not in _flows:
        _flows[messages] = flow.make_flow(messages)
    return _flows[messages]


# the book alone


def play_per_call(book: Book, rows: list[flow.Row]) -> list[tuple[int, int]]:
    """Run a flow on a book, one call per message; returns the trades (maker id, lots)."""
    submit, cancel, change = book.submit, book.cancel, book.change
    trades: list[tuple[int, int]] = []
    append = trades.append
    for kind, order_id, account_id, side, price, lots in rows:
        if kind == flow.LIMIT:
            submit(order_id, account_id, side, price, lots)
        elif kind == flow.CANCEL:
            cancel(order_id)
            continue
        elif kind == flow.MARKET:
            submit(order_id, account_id, side, price, lots, IOC)
        else:
            change(order_id, price, lots)
        for step in book.steps:
            append((step.maker_id, step.lots))
    return trades


def _book_per_call(small: bool) -> tuple[Work, int]:
    rows = shared_flow(small)
    return lambda: play_per_call(Book(), rows), len(rows)


def _book_batch(small: bool) -> tuple[Work, int]:
    rows = shared_flow(small)
    return lambda: run_batch(Book(), rows, STP_CANCEL_NEWEST), len(rows)


# the pipeline


def pipeline_exchange(small: bool) -> tuple[Exchange, list[Command]]:
    """An exchange with the flow's accounts funded, and the flow's commands."""
    exchange = worlds.new_exchange()
    worlds.fund_traders(exchange, flow.ACCOUNTS, 10**13)
    return exchange, worlds.flow_commands(shared_flow(small))


def _pipeline(small: bool) -> tuple[Work, int]:
    exchange, commands = pipeline_exchange(small)
    exchange.subscribe(deque(maxlen=1).append)

    def work() -> None:
        send = exchange.send
        for command in commands:
            send(command)

    return work, len(commands)


def _pipeline_journal(small: bool) -> tuple[Work, int]:
    exchange, commands = pipeline_exchange(small)
    folder = tempfile.TemporaryDirectory()
    journal = Journal.create(Path(folder.name) / "journal.sqlite", {})

    before = exchange.commands

    def keep(seq: int, command: Command) -> None:
        journal.append(seq - before, command.time_ns, encode(command))

    exchange.before_command = keep

    def work() -> None:
        send = exchange.send
        for command in commands:
            send(command)
        journal.close()
        folder.cleanup()

    return work, len(commands)


# margin


def margin_account(positions: int) -> tuple[Exchange, MarginAccount]:
    """An exchange with one cross account holding so many positions, well margined."""
    exchange = worlds.new_exchange(positions)
    worlds.fund_traders(exchange, 1, 10**13)
    core = exchange.risk.core
    account = core.ledger.cross(core.ledger.traders[FIRST_TRADER], worlds.USD.asset_id)
    for number, listing in enumerate(core.listings.values()):
        position = Position(account, listing, 0, 10)
        account.add_position(position)
        side = BUY if number % 2 == 0 else SELL
        lots = 10 + number
        value_q = listing.instrument.fill_value_q(lots, worlds.START_TICKS)
        core.ledger.settle(position, side * lots, side * value_q, 0)
    return exchange, account


def _margin_check(positions: int) -> Callable[[], Work]:
    def prepare() -> Work:
        exchange, account = margin_account(positions)
        position = account.positions[0]
        profit_counts = exchange.risk.core.profit_margins_orders
        value_q = position.listing.instrument.fill_value_q(5, worlds.START_TICKS)
        return lambda: check_cross_margin(position, BUY, 5, value_q, 1_000, profit_counts)

    return prepare


def _evaluate(positions: int) -> Prepare:
    def prepare(small: bool) -> tuple[Work, int]:
        _, account = margin_account(positions)
        repeats = 100 if small else 20_000

        def work() -> None:
            for _ in range(repeats):
                evaluate(account)

        return work, repeats

    return prepare


# ticks


def calm_world(accounts: int, instruments: int = 1) -> Exchange:
    """Accounts that only a fall of some fifth would bring near a level."""
    exchange = worlds.new_exchange(instruments)
    worlds.populate(exchange, accounts, instruments, lambda number: 200 + number % 200)
    return exchange


def _tick_calm(accounts: int) -> Prepare:
    def prepare(small: bool) -> tuple[Work, int]:
        exchange = calm_world(200 if small else accounts)
        ticks = 50 if small else 2_000
        clock = [0]

        def work() -> None:
            for number in range(ticks):
                clock[0] += 10**9
                worlds.mark_tick(exchange, 0, clock[0], worlds.START_TICKS + number % 5)

        return work, ticks

    return prepare


def crash_world(accounts: int) -> Exchange:
    """Accounts of which most longs pass the alert in a fall of 30 %, and many the call level."""
    exchange = worlds.new_exchange()
    worlds.populate(exchange, accounts, 1, lambda number: 322 + number % 60)
    return exchange


def crash(exchange: Exchange, percent: int, ticks: int, count: bool) -> int:
    """Let the first instrument fall by so much in equal ticks; returns how many accounts had their
    level or their bands changed."""
    listing = exchange.risk.core.listings[0]
    positions = listing.sorted_holders()
    bands = [(position.low, position.high) for position in positions]
    touched = 0
    for number in range(1, ticks + 1):
        price = worlds.START_TICKS - worlds.START_TICKS * percent * number // (100 * ticks)
        worlds.mark_tick(exchange, 0, number * 10**9, price)
        if count:
            now = [(position.low, position.high) for position in positions]
            touched += sum(1 for old, new in zip(bands, now, strict=True) if old != new)
            bands = now
    return touched


def _crash(small: bool) -> tuple[Work, int]:
    """A fall of 30 % in 100 ticks; one operation is an account recomputed by the frontier.

    No account falls to liquidation, so that the cost is the frontier's and the evaluation's.
    """
    accounts = 200 if small else 20_000
    exchange = crash_world(accounts)
    touched = crash(crash_world(accounts), 30, 100, count=True)
    return lambda: crash(exchange, 30, 100, count=False), touched


def _nearest(small: bool) -> tuple[Work, int]:
    """One operation is a tick and the question who is nearest, which somebody has asked before."""
    accounts = 200 if small else 100_000
    exchange = worlds.new_exchange()
    worlds.populate(exchange, accounts, 1, lambda number: 50 + number * 7919 % 1_000)
    find = exchange.risk.core.nearest.find
    find(10)
    questions = 5 if small else 100
    clock = [0]

    def work() -> None:
        for number in range(questions):
            clock[0] += 10**9
            worlds.mark_tick(exchange, 0, clock[0], worlds.START_TICKS + number % 5)
            find(10)

    return work, questions


# the rest


def _funding(small: bool) -> tuple[Work, int]:
    accounts = 200 if small else 20_000
    exchange = calm_world(accounts)
    listing = exchange.risk.core.listings[0]
    positions = len(listing.sorted_holders())
    start_ns = listing.next_funding_ns
    interval_ns = exchange.risk.core.rulebook.funding.interval_ns
    rounds = [0]

    def work() -> None:
        time_ns = start_ns + rounds[0] * interval_ns
        rounds[0] += 1
        worlds.mark_tick(exchange, 0, time_ns - 1, worlds.START_TICKS)
        exchange.send(worlds.AdvanceTime(time_ns))

    return work, positions


def _adl_queue(small: bool) -> tuple[Work, int]:
    accounts = 200 if small else 100_000
    exchange = calm_world(accounts)
    core = exchange.risk.core
    positions = core.listings[0].sorted_holders()
    return lambda: next(AdlQueues(core).against(positions[0])), len(positions) // 2


def _liquidations(small: bool) -> tuple[Work, int]:
    """Accounts that fall below maintenance all at once and are sold into one large bid."""
    accounts = 20 if small else 2_000
    exchange = worlds.new_exchange()
    worlds.fund_traders(exchange, 1, 10**15)
    maker = FIRST_TRADER
    for order_id, (side, price) in enumerate(((BUY, 9_000), (SELL, 11_000)), start=1):
        order = worlds.SubmitOrder(0, maker, 0, order_id, side, 10**6, price)
        exchange.send(order)
    worlds.populate(exchange, accounts, 1, lambda number: 30, first=FIRST_TRADER + 1)

    def work() -> None:
        price = worlds.START_TICKS * 96 // 100
        exchange.send(worlds.IndexPrice(10**9, 0, 1, price))
        exchange.send(worlds.AdvanceTime(10**9))

    return work, accounts // 2


def _encode(small: bool) -> tuple[Work, int]:
    commands = worlds.flow_commands(shared_flow(small))

    def work() -> None:
        for command in commands:
            encode(command)

    return work, len(commands)


def _decode(small: bool) -> tuple[Work, int]:
    wire = [encode(command) for command in worlds.flow_commands(shared_flow(small))]

    def work() -> None:
        for data in wire:
            decode_command(data)

    return work, len(wire)


def _open_accounts(accounts: int) -> Prepare:
    def prepare(small: bool) -> tuple[Work, int]:
        count = 100 if small else accounts
        exchange = worlds.new_exchange()
        return lambda: worlds.fund_traders(exchange, count, 10**9), count

    return prepare


def _reference(small: bool) -> tuple[Work, int]:
    """A loop of plain Python, to compare machines and loads by."""
    turns = 1_000 if small else 1_000_000
    return lambda: reference_loop(turns), turns


CASES: Final[list[Case]] = [
    Case("reference: one turn of a Python loop", "turn", _reference),
    Case("book, one call per message", "message", _book_per_call),
    Case("book, whole flow in one call", "message", _book_batch),
    Case("pipeline: check, match, settle, watch, events", "command", _pipeline),
    Case("pipeline with journal", "command", _pipeline_journal),
    Case("revaluation of 1 position", "account", _evaluate(1)),
    Case("revaluation of 5 positions", "account", _evaluate(5)),
    Case("revaluation of 20 positions", "account", _evaluate(20)),
    Case("calm tick, 1,000 accounts", "tick", _tick_calm(1_000)),
    Case("calm tick, 10,000 accounts", "tick", _tick_calm(10_000)),
    Case("calm tick, 100,000 accounts", "tick", _tick_calm(100_000)),
    Case("calm tick, 1,000,000 accounts", "tick", _tick_calm(1_000_000), long=True),
    Case("crash tick, per account touched", "account", _crash),
    Case("tick and the nearest ten of 100,000 accounts", "question", _nearest),
    Case("funding", "position", _funding),
    Case("liquidation from call to end", "account", _liquidations),
    Case("ADL queue, 50,000 positions", "position", _adl_queue),
    Case("message encode", "message", _encode),
    Case("message decode", "message", _decode),
    Case("open and fund an account", "account", _open_accounts(20_000)),
    Case("open and fund an account (1,000,000)", "account", _open_accounts(1_000_000), long=True),
]

LATENCIES: Final[list[LatencyCase]] = [
    LatencyCase("margin check, 1 position", _margin_check(1)),
    LatencyCase("margin check, 5 positions", _margin_check(5)),
    LatencyCase("margin check, 20 positions", _margin_check(20)),
]
