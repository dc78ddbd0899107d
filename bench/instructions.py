"""Instructions per operation, counted by valgrind's callgrind: a figure that hardly changes from
run to run or with the load of the machine.

Each work runs in fresh processes, once and twice; the difference is what one run costs, without the
start of the interpreter and the making of the world.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Final

from bench import flow, worlds
from bench.cases import calm_world, margin_account, play_per_call
from bench.run import ROOT, write_between
from engine.build_info import build_kind
from engine.commands import BUY, STP_CANCEL_NEWEST
from matching.batch import run_batch
from matching.book import Book
from risk.check.pretrade import check_cross_margin

BEGIN: Final[str] = "<!-- instructions: begin -->"
END: Final[str] = "<!-- instructions: end -->"
CALLS: Final[int] = 1_000


def _margin_check(positions: int) -> Callable[[], None]:
    exchange, account = margin_account(positions)
    position = account.positions[0]
    profit_counts = exchange.risk.core.profit_margins_orders
    value_q = position.listing.instrument.fill_value_q(5, worlds.START_TICKS)

    def work() -> None:
        for _ in range(CALLS):
            check_cross_margin(position, BUY, 5, value_q, 1_000, profit_counts)

    return work


def _book(play: Callable[[Book, list[flow.Row]], object]) -> Callable[[], None]:
    rows = flow.make_flow(2 * CALLS)
    book = Book()
    laid = len(rows) - 2 * CALLS
    play(book, rows[:laid])
    parts = iter([rows[laid : laid + CALLS], rows[laid + CALLS :]])

    def work() -> None:
        play(book, next(parts))

    return work


def _book_in_one_call(book: Book, rows: list[flow.Row]) -> object:
    return run_batch(book, rows, STP_CANCEL_NEWEST)


def _pipeline() -> Callable[[], None]:
    exchange = worlds.new_exchange()
    worlds.fund_traders(exchange, flow.ACCOUNTS, 10**13)
    commands = iter(worlds.flow_commands(flow.make_flow(2 * CALLS)))

    def work() -> None:
        for command in islice(commands, CALLS):
            exchange.send(command)

    return work


def _calm_tick() -> Callable[[], None]:
    exchange = calm_world(1_000)
    clock = [0]

    def work() -> None:
        for number in range(CALLS):
            clock[0] += 10**9
            worlds.mark_tick(exchange, 0, clock[0], worlds.START_TICKS + number % 5)

    return work


WORKS: Final[dict[str, Callable[[], Callable[[], None]]]] = {
    "one message to the book, one call each": lambda: _book(play_per_call),
    "one message to the book, a thousand in a call": lambda: _book(_book_in_one_call),
    "margin check, 1 position": lambda: _margin_check(1),
    "margin check, 5 positions": lambda: _margin_check(5),
    "margin check, 20 positions": lambda: _margin_check(20),
    "calm tick, 1,000 accounts": _calm_tick,
    "one command of the flow through the pipeline": _pipeline,
}


def count(name: str, times: int, build: Path | None) -> int:
    """Instructions of a whole process that does a work so many times."""
    paths = [str(ROOT)] if build is None else [str(build), str(ROOT)]
    done = subprocess.run(
        [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            *(sys.executable, "-P", "-m", "bench.instructions"),
            *("--work", name, "--times", str(times)),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    wanted = "interpreted" if build is None else "compiled"
    if done.stdout.strip() != wanted:
        raise SystemExit(f"the {wanted} engine was asked for, {done.stdout.strip()} one ran")
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found is not None, done.stderr
    return int(found[1])


def per_operation(name: str, build: Path | None) -> float:
    """Instructions of one operation."""
    return (count(name, 2, build) - count(name, 1, build)) / CALLS


def main() -> None:
    """Count for both builds and print the table; or (``--work``) do one work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, help="folder of the compiled engine")
    parser.add_argument("--document", type=Path, help="file to write the table into")
    parser.add_argument("--work", choices=WORKS, help=argparse.SUPPRESS)
    parser.add_argument("--times", type=int, default=1, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work = WORKS[args.work]()
        for _ in range(args.times):
            work()
        print(build_kind())
        return
    if shutil.which("valgrind") is None:
        parser.error("valgrind is not installed")
    if args.build is None:
        parser.error("--build names the folder of the compiled engine")
    lines = ["| what | compiled | interpreted |", "| --- | ---: | ---: |"]
    for name in WORKS:
        compiled = per_operation(name, args.build.resolve())
        interpreted = per_operation(name, None)
        lines.append(f"| {name} | {compiled:,.0f} | {interpreted:,.0f} |")
        print(lines[-1], file=sys.stderr)
    text = "\n".join(lines)
    print(text)
    if args.document is not None:
        write_between(args.document, text, BEGIN, END)


if __name__ == "__main__":
    main()
