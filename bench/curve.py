"""The cost of a mark tick against the number of accounts, measured and drawn as an SVG."""

import argparse
import gc
import json
import math
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import process_time_ns
from typing import Any, Final

from bench import worlds
from bench.cases import calm_world, crash, crash_world
from bench.quiet import QuietMoments, quiet_turn_ns
from engine.build_info import build_kind
from seawall.exchange import Exchange

SIZES: Final[tuple[int, ...]] = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
_COLOURS: Final[tuple[str, ...]] = ("#1b6ca8", "#5b9bd5", "#27865a", "#b9770e", "#c0392b")

Lines = dict[str, dict[int, float]]
"""Nanoseconds by number of accounts, by name of the line."""


def tick_ns(exchange: Exchange) -> float:
    """Median cost of one instrument's tick with no account near a level."""
    gc.collect()
    gc.freeze()
    costs: list[int] = []
    for number in range(300):
        start = process_time_ns()
        worlds.mark_tick(exchange, 0, (number + 1) * 10**9, worlds.START_TICKS + number % 5)
        costs.append(process_time_ns() - start)
    gc.unfreeze()
    return float(sorted(costs)[len(costs) // 2])


def falling_tick_ns(exchange: Exchange) -> float:
    """Mean cost of a tick in a fall of 30 % in 100 ticks that takes most longs past a level."""
    gc.collect()
    gc.freeze()
    start = process_time_ns()
    crash(exchange, 30, 100, count=False)
    cost = process_time_ns() - start
    gc.unfreeze()
    return cost / 100


def sweep_ns(accounts: int) -> float:
    """Median cost of revaluing all accounts of three positions each with NumPy: their equity, their
    tiered maintenance and who is below it."""
    import numpy as np

    random = np.random.default_rng(1)
    marks = np.full(10, float(worlds.START_TICKS))
    instrument = random.integers(0, 10, (accounts, 3))
    lots = random.integers(-5, 6, (accounts, 3)).astype(float)
    entry = lots * worlds.START_TICKS
    wallet = np.full(accounts, 10_000.0)
    # Brackets that rise are convex: the requirement is the largest of rate x notional - deduction.
    brackets = ((0.02, 0.0), (0.04, 2_000.0), (0.1, 62_000.0))

    def sweep() -> int:
        value = lots * marks[instrument]
        notional = np.abs(value)
        equity = wallet + (value - entry).sum(axis=1)
        requirement = notional * brackets[0][0]
        for rate, deduction in brackets[1:]:
            np.maximum(requirement, notional * rate - deduction, out=requirement)
        return int(np.count_nonzero(equity < requirement.sum(axis=1)))

    costs: list[int] = []
    for _ in range(7):
        start = process_time_ns()
        sweep()
        costs.append(process_time_ns() - start)
    return float(sorted(costs)[len(costs) // 2])


def measure(largest: int) -> Lines:
    """All lines, up to so many accounts."""
    wanted: list[tuple[str, Callable[[int], Any], Callable[[Any], float]]] = [
        ("frontier, calm, 1 instrument", partial(calm_world, instruments=1), tick_ns),
        ("frontier, calm, 10 instruments", partial(calm_world, instruments=10), tick_ns),
        ("frontier, calm, 100 instruments", partial(calm_world, instruments=100), tick_ns),
        ("frontier, mean tick of a fall of 30 % in 100 ticks", crash_world, falling_tick_ns),
    ]
    try:
        import numpy  # noqa: F401
    except ImportError:
        print("NumPy is not installed: no line for the full revaluation", file=sys.stderr)
    else:
        wanted.append(("revaluation of all accounts (NumPy)", lambda accounts: accounts, sweep_ns))
    lines: Lines = {}
    quiet = QuietMoments(quiet_turn_ns())
    for name, prepare, timed in wanted:
        lines[name] = {}
        for accounts in SIZES:
            if accounts <= largest:
                point = f"{name}, {accounts:,} accounts"
                lines[name][accounts] = quiet.measure(point, partial(prepare, accounts), timed)
                print(f"{lines[name][accounts]:14,.0f} ns  {point}", file=sys.stderr)
    for point in quiet.missed:
        print(f"no quiet moment: {point}", file=sys.stderr)
    return lines


def svg(lines: Lines) -> str:
    """The lines on two logarithmic axes, time in microseconds."""
    width, height, left, top, right, bottom = 760, 420, 80, 20, 20, 60
    sizes = [size for line in lines.values() for size in line]
    times = [ns / 1_000 for line in lines.values() for ns in line.values()]
    low_x, high_x = math.log10(min(sizes)), math.log10(max(sizes))
    low_y, high_y = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))

    def x(size: float) -> float:
        share = (math.log10(size) - low_x) / max(high_x - low_x, 1e-9)
        return left + share * (width - left - right)

    def y(value: float) -> float:
        share = (math.log10(value) - low_y) / max(high_y - low_y, 1)
        return height - bottom - share * (height - top - bottom)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for power in range(low_y, high_y + 1):
        at = y(10.0**power)
        parts.append(f'<path d="M{left} {at:.1f}H{width - right}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{10.0**power:,g} us</text>'
        )
    for power in range(math.ceil(low_x), math.floor(high_x) + 1):
        at = x(10.0**power)
        parts.append(f'<path d="M{at:.1f} {top}V{height - bottom}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{at:.1f}" y="{height - bottom + 18}" text-anchor="middle">'
            f"{10**power:,}</text>"
        )
    parts.append(
        f'<text x="{(left + width - right) / 2}" y="{height - 12}" text-anchor="middle">'
        "cross accounts of one to three positions</text>"
    )
    for number, (name, line) in enumerate(lines.items()):
        colour = _COLOURS[number]
        points = " ".join(f"{x(size):.1f},{y(ns / 1_000):.1f}" for size, ns in line.items())
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        parts.append(
            f'<text x="{left + 12}" y="{top + 18 + 16 * number}" fill="{colour}">{name}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Measure in this process and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=100_000, help="most accounts (100000)")
    parser.add_argument("--picture", type=Path, required=True, help="SVG file to write")
    args = parser.parse_args()
    lines = measure(args.largest)
    args.picture.write_text(svg(lines))
    print(json.dumps({"build": build_kind(), "figures": lines}))


if __name__ == "__main__":
    main()
