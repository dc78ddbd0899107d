"""Measure every case in this process and print the figures as JSON.

Run as ``python -m bench.measure``; which build is measured, compiled or interpreted, is a matter
of which one can be imported first.
"""

import argparse
import gc
import json
import math
import resource
import sys
from functools import partial
from time import perf_counter_ns, process_time_ns

from bench.cases import CASES, LATENCIES, Case, Work, calm_world
from bench.quiet import QuietMoments
from engine.build_info import build_kind


def prepare_case(case: Case, small: bool) -> tuple[Work, int]:
    """A case's work and its number of operations; the collector leaves its world alone."""
    prepared = case.prepare(small)
    gc.collect()
    gc.freeze()
    return prepared


def time_work(prepared: tuple[Work, int]) -> float:
    """Nanoseconds of processor time per operation (other processes' share does not count)."""
    work, operations = prepared
    start = process_time_ns()
    work()
    elapsed = process_time_ns() - start
    gc.unfreeze()
    return elapsed / operations


def latencies_ns(call: Work, samples: int) -> dict[str, float]:
    """Percentiles of single calls, less the median cost of timing nothing."""
    clock = perf_counter_ns
    times = [0] * samples
    for number in range(samples):
        start = clock()
        times[number] = clock() - start
    empty = sorted(times)[samples // 2]
    for number in range(samples):
        start = clock()
        call()
        times[number] = clock() - start
    times.sort()
    return {
        name: float(times[samples * permille // 1000] - empty)
        for name, permille in (("p50", 500), ("p99", 990), ("p99.9", 999))
    }


def bytes_per_account(accounts: int) -> float:
    """Growth of the process by accounts with one position each, divided by their number."""
    gc.collect()
    before = _resident_bytes()
    world = calm_world(accounts)
    gc.collect()
    grown = _resident_bytes() - before
    assert world.commands
    return grown / accounts


def _resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="tiny worlds, to see that it works")
    parser.add_argument("--long", action="store_true", help="also the cases of a million accounts")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument(
        "--quiet-turn-ns",
        type=float,
        default=math.inf,
        help="wait until a turn of the reference loop takes at most this (default: do not wait)",
    )
    args = parser.parse_args()
    quiet = QuietMoments(args.quiet_turn_ns)
    figures: dict[str, float] = {}
    if args.only in "memory of an account with one position":
        figures["memory of an account with one position"] = bytes_per_account(
            200 if args.small else 50_000
        )
    for case in CASES:
        if args.only in case.name and (args.long or not case.long):
            prepare = partial(prepare_case, case, args.small)
            figures[case.name] = quiet.measure(case.name, prepare, time_work)
            print(f"{figures[case.name]:12,.0f} ns  {case.name}", file=sys.stderr)
    samples = 1_000 if args.small else 100_000
    for latency in LATENCIES:
        if args.only in latency.name:
            found = quiet.measure(
                latency.name, latency.prepare, partial(latencies_ns, samples=samples)
            )
            for name, value in found.items():
                figures[f"{latency.name}, {name}"] = value
            print(f"{found['p50']:12,.0f} ns  {latency.name}", file=sys.stderr)
    print(json.dumps({"build": build_kind(), "figures": figures, "missed": quiet.missed}))


if __name__ == "__main__":
    main()
