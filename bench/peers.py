"""`make bench-peers`: order books from PyPI beside ours, on one flow file, in turns.

Each book is driven from Python by the calls its own documentation shows; every run is a process of
its own. A book that lists its trades must list ours; one that does not must end with our best
prices. Market orders are sent as such where the book has them and otherwise as limits at the worst
price with the remainder cancelled; amends as cancel and submit where there is no amend.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from time import process_time_ns
from typing import Any, Final

from bench.flow import Row, make_flow, read_flow, write_flow
from bench.quiet import QuietMoments, note, quiet_turn_ns
from bench.run import ROOT, conditions, write_between
from matching.batch import CANCEL, LIMIT, MARKET

BEGIN: Final[str] = "<!-- peers: begin -->"
END: Final[str] = "<!-- peers: end -->"

Fill = tuple[int, int]
"""Price in ticks and lots of one maker's fill, in order of time."""

Result = tuple[list[Fill] | None, tuple[int, int]]
"""The fills, if the book tells them, and the best prices at the end."""


def run_seawall(rows: list[Row]) -> Result:
    """Ours, one call per message."""
    from engine.commands import IOC
    from matching.book import Book

    book = Book()
    fills: list[Fill] = []
    append = fills.append
    submit, cancel, change = book.submit, book.cancel, book.change
    for kind, order_id, account, side, price, lots in rows:
        if kind == LIMIT:
            submit(order_id, account, side, price, lots)
        elif kind == CANCEL:
            cancel(order_id)
            continue
        elif kind == MARKET:
            submit(order_id, account, side, price, lots, IOC)
        else:
            change(order_id, price, lots)
        for step in book.steps:
            append((step.price_ticks, step.lots))
    return fills, (book.best_bid_ticks(), book.best_ask_ticks())


def run_seawall_batch(rows: list[Row]) -> Result:
    """Ours, the whole flow in one call."""
    from engine.commands import STP_CANCEL_NEWEST
    from matching.batch import run_batch
    from matching.book import Book

    book = Book()
    trades = run_batch(book, rows, STP_CANCEL_NEWEST)
    fills = [(price, lots) for _, _, price, lots in trades]
    return fills, (book.best_bid_ticks(), book.best_ask_ticks())


def run_bourse(rows: list[Row]) -> Result:
    """Rust; the book numbers the orders itself and keeps the trades. Orders at one price queue by
    the time the caller sets, so every message needs a new one."""
    import bourse

    book = bourse.core.OrderBook(0, 1)
    ids: dict[int, int] = {}
    place, cancel, modify = book.place_order, book.cancel_order, book.modify_order
    set_time = book.set_time
    for number, (kind, order_id, account, side, price, lots) in enumerate(rows):
        set_time(number)
        if kind == LIMIT:
            ids[order_id] = place(side > 0, lots, account, price)
        elif kind == CANCEL:
            cancel(ids[order_id])
        elif kind == MARKET:
            place(side > 0, lots, account)
        else:
            modify(ids[order_id], price, lots)
    best = book.bid_ask()
    ask = 0 if best[1] == bourse.MAX_PRICE else best[1]
    return [(trade[2], trade[3]) for trade in book.get_trades()], (best[0], ask)


def run_limit_order_book(rows: list[Row]) -> Result:
    """C++ behind ctypes; it tells no trades."""
    from limit_order_book import LimitOrderBook

    book = LimitOrderBook()
    limit, market, cancel = book.limit, book.market, book.cancel
    for kind, order_id, _, side, price, lots in rows:
        if kind == LIMIT:
            limit(side > 0, order_id, lots, price)
        elif kind == CANCEL:
            cancel(order_id)
        elif kind == MARKET:
            market(side > 0, order_id, lots)
        else:
            cancel(order_id)
            limit(side > 0, order_id, lots, price)
    return None, (book.best_buy(), book.best_sell())


def run_lightmatchingengine(rows: list[Row]) -> Result:
    """Pure Python; the trades at a price are the taker's sum and then its makers'."""
    from lightmatchingengine.lightmatchingengine import LightMatchingEngine

    book = LightMatchingEngine()
    ids: dict[int, int] = {}
    fills: list[Fill] = []
    append = fills.append
    submit, cancel = book.add_order, book.cancel_order
    for kind, order_id, _, side, price, lots in rows:
        if kind == LIMIT:
            order, trades = submit("X", price, lots, 1 if side > 0 else 2)
        elif kind == CANCEL:
            cancel(ids[order_id], "X")
            continue
        elif kind == MARKET:
            order, trades = submit("X", price, lots, 1 if side > 0 else 2)
            if order.leaves_qty:
                cancel(order.order_id, "X")
        else:
            cancel(ids[order_id], "X")
            order, trades = submit("X", price, lots, 1 if side > 0 else 2)
        own_id = ids[order_id] = order.order_id
        for trade in trades:
            if trade.order_id != own_id:
                append((trade.trade_price, trade.trade_qty))
    held = book.order_books["X"]
    return fills, (max(held.bids, default=0), min(held.asks, default=0))


BOOKS: Final[dict[str, tuple[str, str, Callable[[list[Row]], Result]]]] = {
    "seawall": ("seawall, compiled, per call", "", run_seawall),
    "seawall-batch": ("seawall, compiled, in a batch", "", run_seawall_batch),
    "seawall-plain": ("seawall, interpreted, per call", "", run_seawall),
    "bourse": ("bourse (Rust)", "bourse", run_bourse),
    "limit-order-book": ("limit-order-book (C++)", "limit_order_book", run_limit_order_book),
    "lightmatchingengine": (
        "lightmatchingengine (Python)",
        "lightmatchingengine",
        run_lightmatchingengine,
    ),
}
"""By key: name shown, distribution (empty: ours), and the run."""


def measure_one(key: str, flow_path: Path, limit_ns: float) -> dict[str, Any]:
    """Run one book here; nanoseconds per message and what came out."""
    rows = read_flow(flow_path)
    run = BOOKS[key][2]
    run(rows[:2_000])

    def timed(_: None) -> tuple[int, Result]:
        start = process_time_ns()
        result = run(rows)
        return process_time_ns() - start, result

    def collect() -> None:
        gc.collect()
        gc.freeze()

    quiet = QuietMoments(limit_ns)
    elapsed, (fills, best) = quiet.measure(key, collect, timed)
    digest = "" if fills is None else blake2b(repr(fills).encode(), digest_size=8).hexdigest()
    return {
        "ns": elapsed / len(rows),
        "fills": -1 if fills is None else len(fills),
        "digest": digest,
        "best": list(best),
        "missed": quiet.missed,
    }


def installed(key: str) -> str | None:
    """The version of a book's distribution; ours is always there."""
    distribution = BOOKS[key][1]
    if not distribution:
        return ""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def verdict(found: dict[str, Any], ours: dict[str, Any]) -> str:
    """Whether a book did what ours did."""
    if found["best"] != ours["best"]:
        return f"no: ends at {found['best']}, ours at {ours['best']}"
    if not found["digest"]:
        return "same best prices (lists no trades)"
    if found["digest"] != ours["digest"]:
        return f"no: {found['fills']:,} fills, ours {ours['fills']:,}"
    return f"yes, {found['fills']:,} fills"


def compare(build: Path, rounds: int, messages: int) -> str:
    """Run all installed books in turns; the conditions and the Markdown table."""
    keys = [key for key in BOOKS if installed(key) is not None]
    for key in BOOKS:
        if key not in keys:
            print(f"{key} is not installed", file=sys.stderr)
    found: dict[str, list[dict[str, Any]]] = {key: [] for key in keys}
    missed: Counter[str] = Counter()
    limit_ns = quiet_turn_ns()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flow.txt"
        write_flow(make_flow(messages), path)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
            for key in keys:
                paths = [str(ROOT)] if key == "seawall-plain" else [str(build), str(ROOT)]
                done = subprocess.run(
                    [
                        *(sys.executable, "-P", "-m", "bench.peers", "--one", key),
                        *("--flow", str(path), "--quiet-turn-ns", str(limit_ns)),
                    ],
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                    stdout=subprocess.PIPE,
                    check=True,
                    text=True,
                )
                run = json.loads(done.stdout)
                found[key].append(run)
                missed.update(run["missed"])
    ours = found["seawall"][0]
    fastest = median(run["ns"] for run in found["seawall"])
    lines = [
        "| book | version | ns per message | messages/s | times ours per call | same trades |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for key in keys:
        times = [run["ns"] for run in found[key]]
        middle = median(times)
        lines.append(
            f"| {BOOKS[key][0]} | {installed(key)} "
            f"| {middle:,.0f} ({min(times):,.0f}-{max(times):,.0f}) | {1e9 / middle:,.0f} "
            f"| {middle / fastest:.2f} | {verdict(found[key][0], ours)} |"
        )
    return f"{conditions(rounds)} {note(limit_ns, missed)}\n\n" + "\n".join(lines)


def main() -> None:
    """Compare all books, or (for the comparison itself) run one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, help="folder of the compiled engine")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--document", type=Path, help="file to write the table into")
    parser.add_argument("--one", choices=sorted(BOOKS), help=argparse.SUPPRESS)
    parser.add_argument("--flow", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--quiet-turn-ns", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one is not None:
        print(json.dumps(measure_one(args.one, args.flow, args.quiet_turn_ns)))
        return
    if args.build is None:
        parser.error("--build is missing")
    text = compare(args.build.resolve(), args.rounds, args.messages)
    print(text)
    if args.document is not None:
        write_between(args.document, text, BEGIN, END)


if __name__ == "__main__":
    main()
