"""The figures of docs/scaling.md: where the time of an order goes, and what shards change.

    PYTHONPATH=build/compiled:. python -P -m bench.scaling components
    PYTHONPATH=build/compiled:. python -P -m bench.scaling rounds
    PYTHONPATH=build/compiled:. python -P -m bench.scaling snapshot
    python -m bench.scaling shards --build build/compiled

`components` runs the shared flow through one process and times each component. `rounds` sends it
through hub and leaves in batches of 250, without sockets and journals. `snapshot` takes the state
of a risk engine with many accounts and restores it. `shards` runs orders on eight contracts through
a fresh `seawall up` for each number of matching shards, in turns.
"""

import argparse
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.cases import calm_world, pipeline_exchange
from bench.run import Figures, conditions, spread
from bench.services_client import BATCHES_UNDER_WAY, Flow
from bench.services_exchange import RunningExchange, accounts_of
from engine.build_info import build_kind
from engine.record.snapshot import pack, unpack
from engine.routing.bus import Bus
from engine.routing.topology import GATEWAY, LIQUIDATION, MATCHING, RISK
from engine.services.hub import Hub
from engine.services.leaf import Leaf
from engine.services.rounds import Batch, Outputs, encode_frame
from gateway.client import Client
from gateway.host.parts import RiskHolder, leaf_of
from risk.state import restore_risk, risk_state

INSTRUMENTS: Final[int] = 8
ACCOUNTS: Final[int] = 50_000
BATCH: Final[int] = 250
COUNTS: Final[tuple[int, ...]] = (1, 2, 4)
WARM_UP_SECONDS: Final[float] = 1.5
Handler = Callable[[Any, list[Any]], None]


# one process


class Timed:
    """A component's handler with the processor time spent in it."""

    def __init__(self, handler: Handler) -> None:
        self.spent_ns = 0
        self.messages = 0
        self._handler = handler

    def handle(self, message: Any, out: list[Any]) -> None:
        """Pass a message on."""
        began_ns = time.thread_time_ns()
        self._handler(message, out)
        self.spent_ns += time.thread_time_ns() - began_ns
        self.messages += 1


def nothing_ns(calls: int = 100_000) -> float:
    """What `Timed` itself counts per message."""
    timed = Timed(lambda message, out: None)
    for _ in range(calls):
        timed.handle(None, [])
    return timed.spent_ns / calls


def components_once() -> dict[str, float]:
    """Nanoseconds per command of the flow in each component, and messages per command."""
    exchange, commands = pipeline_exchange(False)
    handlers = {
        MATCHING: exchange.matching.handle,
        RISK: exchange.risk.handle,
        LIQUIDATION: exchange.liquidation.handle,
    }
    timed = {name: Timed(handler) for name, handler in handlers.items()}
    bus = Bus({name: each.handle for name, each in timed.items()}, lambda event: None)
    for command in commands:
        bus.send(command)
    own_ns = nothing_ns()
    figures: dict[str, float] = {}
    for name in (RISK, MATCHING):
        each = timed[name]
        figures[f"{name}, ns per command"] = (each.spent_ns - own_ns * each.messages) / len(
            commands
        )
        figures[f"{name}, messages per 100 commands"] = 100 * each.messages / len(commands)
    total = sum(figures[f"{name}, ns per command"] for name in (RISK, MATCHING))
    figures["matching, % of both"] = 100 * figures[f"{MATCHING}, ns per command"] / total
    return figures


def rounds_once() -> dict[str, float]:
    """Nanoseconds per command of the flow in hub and matching leaf: in the component, and around
    it (frames decoded and encoded, answers put in order)."""
    exchange, commands = pipeline_exchange(False)
    timed: dict[str, Timed] = {}

    def watch(name: str) -> Callable[[Handler], Handler]:
        def wrap(handler: Handler) -> Handler:
            timed[name] = Timed(handler)
            return timed[name].handle

        return wrap

    hub = RiskHolder(watch(RISK)).hub()
    state = hub.state()
    state[1] = unpack(pack(risk_state(exchange.risk)))
    hub.restore(state)
    leaves = {
        MATCHING: leaf_of(MATCHING, False, watch(MATCHING)),
        LIQUIDATION: leaf_of(LIQUIDATION, False),
    }
    leaves[MATCHING].restore(exchange.matching.state())
    leaves[LIQUIDATION].restore(exchange.liquidation.state())
    spent_ns = {RISK: 0, MATCHING: 0, LIQUIDATION: 0}
    for place in range(0, len(commands), BATCH):
        batch = Batch(hub.batches_done + 1, commands[place : place + BATCH])
        frames = deque([(GATEWAY, RISK, encode_frame(batch))])
        while frames:
            sender, name, frame = frames.popleft()
            if name == GATEWAY:
                continue
            out: Outputs = []
            part: Hub | Leaf = hub if name == RISK else leaves[name]
            began_ns = time.thread_time_ns()
            part.handle(sender, frame, out)
            spent_ns[name] += time.thread_time_ns() - began_ns
            frames.extend((name, receiver, body) for receiver, body in out)
    figures: dict[str, float] = {}
    for name in (RISK, MATCHING):
        inside_ns = timed[name].spent_ns - nothing_ns() * timed[name].messages
        around_ns = spent_ns[name] - timed[name].spent_ns
        figures[f"{name}, component, ns per command"] = inside_ns / len(commands)
        figures[f"{name}, frames and order, ns per command"] = around_ns / len(commands)
    return figures


def snapshot_once() -> dict[str, float]:
    """What an account with one position costs a snapshot of risk, and its recovery."""
    engine = calm_world(ACCOUNTS).risk
    began_ns = time.process_time_ns()
    state = risk_state(engine)
    taken_ns = time.process_time_ns()
    data = pack(state)
    packed_ns = time.process_time_ns()
    restore_risk(unpack(data))
    restored_ns = time.process_time_ns()
    return {
        "bytes in a snapshot, per account": len(data) / ACCOUNTS,
        "taking the state, ns per account": (taken_ns - began_ns) / ACCOUNTS,
        "packing it, ns per account": (packed_ns - taken_ns) / ACCOUNTS,
        "restoring it, ns per account": (restored_ns - packed_ns) / ACCOUNTS,
    }


def rounds_of(once: Callable[[], dict[str, float]], rounds: int) -> Figures:
    """The figures of several rounds."""
    found: Figures = {}
    for _ in range(rounds):
        for name, value in once().items():
            found.setdefault(name, []).append(value)
    return found


ONCE: Final[dict[str, Callable[[], dict[str, float]]]] = {
    "components": components_once,
    "rounds": rounds_once,
    "snapshot": snapshot_once,
}


# several processes


class WideFlow(Flow):
    """The flow of `bench.services` spread over all contracts."""

    def _instrument_id(self) -> int:
        return self._rng.randrange(INSTRUMENTS)


def load(exchange: RunningExchange, seconds: float, batch: int) -> dict[str, float]:
    """Messages per second, and microseconds of processor time per message and process."""
    accounts = accounts_of(0)
    with Client(exchange.address, accounts=accounts) as client:
        flow = WideFlow(client, accounts, batch)

        def run(until_s: float) -> int:
            done = 0
            while time.monotonic() < until_s:
                while flow.waiting <= batch * (BATCHES_UNDER_WAY - 1):
                    flow.send()
                done += flow.take()
            return done

        run(time.monotonic() + WARM_UP_SECONDS)
        before = {**exchange.cpu_seconds(), "client": time.process_time()}
        began_s = time.monotonic()
        done = run(began_s + seconds)
        took_s = time.monotonic() - began_s
        after = {**exchange.cpu_seconds(), "client": time.process_time()}
        while flow.waiting:
            flow.take()
    if flow.rejected:
        raise SystemExit(f"the flow did not go through: {flow.rejected}")
    spent_us = {name: (after[name] - before[name]) / done * 1e6 for name in after}
    shards_us = [value for name, value in spent_us.items() if name.startswith(MATCHING)]
    return {
        "messages/s": done / took_s,
        "gateway, us": spent_us["gateway"],
        "risk, us": spent_us[RISK],
        "matching, all shards, us": sum(shards_us),
        "matching, busiest shard, us": max(shards_us),
        "services together, us": sum(spent_us.values()) - spent_us["client"],
        "client, us": spent_us["client"],
    }


def shards(args: argparse.Namespace) -> dict[int, Figures]:
    """Rounds in which every number of shards has its turn."""
    found: dict[int, Figures] = {count: {} for count in COUNTS}
    build = None if args.build is None else args.build.resolve()
    for number in range(args.rounds):
        for count in COUNTS:
            print(f"round {number + 1} of {args.rounds}, {count} shards", file=sys.stderr)
            with tempfile.TemporaryDirectory(prefix="seawall-bench-") as temporary:
                settings = f'layout = "separate"\nmatching_shards = {count}'
                folder = Path(temporary) / "run"
                with RunningExchange(folder, "process", build, settings, INSTRUMENTS) as exchange:
                    figures = load(exchange, args.seconds, args.batch)
            for name, value in figures.items():
                found[count].setdefault(name, []).append(value)
    return found


def shard_table(found: dict[int, Figures]) -> str:
    """A row per figure, a column per number of shards."""
    heads = [f"{count} shard{'' if count == 1 else 's'}" for count in found]
    lines = [f"| per message | {' | '.join(heads)} |", f"| --- |{' ---: |' * len(heads)}"]
    for name in found[COUNTS[0]]:
        cells: list[str] = []
        for figures in found.values():
            values = figures[name]
            cells.append(
                spread(values)
                if median(values) >= 1000
                else f"{median(values):.1f} ({min(values):.1f}-{max(values):.1f})"
            )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=(*ONCE, "shards"))
    parser.add_argument("--build", type=Path, help="shards: folder of the compiled engine")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="shards: length of each flow")
    parser.add_argument("--batch", type=int, default=BATCH, help="shards: messages per frame")
    args = parser.parse_args()
    if args.what != "shards":
        once = ONCE[args.what]
        print(f"{build_kind()} engine, {conditions(args.rounds)}\n")
        for name, values in rounds_of(once, args.rounds).items():
            print(f"{spread(values):>24}  {name}")
    else:
        print(f"{conditions(args.rounds)}\n\n{shard_table(shards(args))}")


if __name__ == "__main__":
    main()
