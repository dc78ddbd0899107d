"""The index's sources through time: real prices resampled to the clock, or seeded generators.

A source prints at a clock tick only if it really had a price in the interval that ends there, so a
silent source goes stale in the exchange too. Before the path begins comes the warm-up: a random
bridge from a starting price to the first price of the path, during which the population enters.
"""

import heapq
import math
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from engine.units import SECOND_NS
from seawall.index_csv import CANDLES_CSV, TRADES_CSV, read_prices
from seawall.scenario_fields import Fields, ScenarioError

JUMP_DIFFUSION: Final[str] = "jump_diffusion"
ANCHORED: Final[str] = "anchored"
FOLLOW: Final[str] = "follow"
SOURCE_KINDS: Final[tuple[str, ...]] = (TRADES_CSV, CANDLES_CSV, JUMP_DIFFUSION, ANCHORED, FOLLOW)

YEAR_SECONDS: Final[int] = 365 * 86_400

Point = tuple[int, int]
"""Nanoseconds and price in ticks."""


class Jump(msgspec.Struct, frozen=True):
    """Jumps of a jump-diffusion: arrivals per hour, mean and spread of the log size."""

    per_hour: float
    mean: float
    spread: float


class SourcePlan(msgspec.Struct, frozen=True):
    """One source of an index. Which fields matter depends on ``kind``; ``volatility`` is per
    square root of a year, times in ``anchors`` and ``silences`` are ns from the path's start."""

    name: str
    source_id: int
    kind: str
    file: Path | None = None
    start_price: float = 0.0
    volatility: float = 0.0
    drift: float = 0.0
    jump: Jump = Jump(0.0, 0.0, 0.0)
    anchors: tuple[tuple[int, float], ...] = ()
    leader: str = ""
    noise: float = 0.0
    silences: tuple[tuple[int, int], ...] = ()


class IndexPlan(msgspec.Struct, frozen=True):
    """An instrument's index: its sources and the bridge of the warm-up."""

    sources: tuple[SourcePlan, ...]
    warm_up_from: float
    warm_up_volatility: float


class TimePlan(msgspec.Struct, frozen=True):
    """Start of the path (epoch ns), warm-up before it, duration after it, clock tick."""

    start_ns: int
    warm_up_ns: int
    duration_ns: int
    tick_ns: int

    @property
    def begin_ns(self) -> int:
        """First instant of the run."""
        return self.start_ns - self.warm_up_ns

    @property
    def end_ns(self) -> int:
        """Last instant of the run."""
        return self.start_ns + self.duration_ns


class IndexTick(msgspec.Struct, frozen=True):
    """A source printed: about an instrument, or a collateral asset (whose tick is a part per
    billion)."""

    time_ns: int
    subject_id: int
    source_id: int
    price_ticks: int


Look = Callable[[SourcePlan, list[Point], TimePlan], None]
"""Is shown the prices of a source's file."""


def read_index_plan(fields: Fields) -> IndexPlan:
    """The ``[index.INSTRUMENT]`` table of a scenario.

    Raises:
        ScenarioError: a field is wrong, or a follower has no leader before it.
    """
    sources: list[SourcePlan] = []
    for number, (name, source) in enumerate(fields.tables("sources", required=True).items(), 1):
        read = _read_source(name, number, source)
        leaders = [s.name for s in sources if s.kind != FOLLOW]
        if read.kind == FOLLOW and read.leader not in leaders:
            allowed = ", ".join(leaders) or "none yet"
            raise source.fail("of", f"{read.leader!r} must be a source above this one ({allowed})")
        if read.source_id in [s.source_id for s in sources]:
            raise source.fail("id", f"{read.source_id} is the id of another source")
        source.close()
        sources.append(read)
    plan = IndexPlan(
        sources=tuple(sources),
        warm_up_from=fields.number("warm_up_from", 1.0, low=0.2, high=5.0),
        warm_up_volatility=fields.number("warm_up_volatility", 0.5, high=20.0),
    )
    fields.close()
    return plan


def _read_source(name: str, number: int, fields: Fields) -> SourcePlan:
    kind = fields.choice("kind", SOURCE_KINDS)
    source_id = fields.integer("id", number, low=0, high=10**6)
    silences = _read_silences(fields)
    if kind in (TRADES_CSV, CANDLES_CSV):
        file = Path(fields.text("file"))
        return SourcePlan(name, source_id, kind, file=file, silences=silences)
    if kind == FOLLOW:
        leader = fields.text("of")
        noise = fields.number("noise", 0.0002, high=0.2)
        return SourcePlan(name, source_id, kind, leader=leader, noise=noise, silences=silences)
    volatility = fields.number("volatility", 0.8, high=50.0)
    if kind == ANCHORED:
        anchors = _read_anchors(fields)
        return SourcePlan(
            name, source_id, kind, volatility=volatility, anchors=anchors, silences=silences
        )
    jump = Jump(
        per_hour=fields.number("jumps_per_hour", 0.0, high=3_600.0),
        mean=fields.number("jump_mean", 0.0, low=-2.0, high=2.0),
        spread=fields.number("jump_spread", 0.0, high=2.0),
    )
    return SourcePlan(
        name,
        source_id,
        kind,
        start_price=fields.number("start_price", low=1e-9),
        volatility=volatility,
        drift=fields.number("drift", 0.0, low=-1000.0, high=1000.0),
        jump=jump,
        silences=silences,
    )


def _read_pairs(fields: Fields, key: str, what: str) -> list[list[object]]:
    value = fields.raw(key)
    if value is None:
        return []
    if not isinstance(value, list) or any(not isinstance(v, list) or len(v) != 2 for v in value):
        raise fields.fail(key, f"{value!r} must be a list of {what}")
    return value


def _read_anchors(fields: Fields) -> tuple[tuple[int, float], ...]:
    what = '[duration, price], such as [["0s", 100], ["10m", 92.5]]'
    anchors: list[tuple[int, float]] = []
    for position, pair in enumerate(_read_pairs(fields, "anchors", what)):
        one = Fields(
            {"time": pair[0], "price": pair[1]},
            fields.file,
            f"{fields.where()}.anchors[{position}]",
        )
        time_ns = one.duration("time")
        price = one.number("price", low=1e-9)
        if anchors and time_ns <= anchors[-1][0]:
            raise one.fail("time", f"{pair[0]!r} is not after the anchor before it")
        anchors.append((time_ns, price))
    if len(anchors) < 2 or anchors[0][0] != 0:
        raise fields.fail("anchors", "must hold at least two anchors, the first at '0s'")
    return tuple(anchors)


def _read_silences(fields: Fields) -> tuple[tuple[int, int], ...]:
    result: list[tuple[int, int]] = []
    what = '[from, to], such as [["10m", "14m"]]'
    for position, pair in enumerate(_read_pairs(fields, "silences", what)):
        one = Fields({"span": pair}, fields.file, f"{fields.where()}.silences[{position}]")
        result.append(one.duration_span("span", ("0s", "0s")))
    return tuple(result)


def index_path(
    plan: IndexPlan,
    subject_id: int,
    tick: Decimal,
    time: TimePlan,
    seed: int,
    subject: str = "index",
    look: Look | None = None,
) -> Iterator[IndexTick]:
    """All prints of an instrument's sources in time order, sources in file order at one time.

    ``subject`` keeps the chance of an asset's price apart from that of an instrument's index;
    ``look`` is shown what was read of each file.

    Raises:
        ScenarioError: a CSV is wrong or holds nothing in the window.
    """
    paths: dict[str, list[Point]] = {}
    for source in plan.sources:
        rng = random.Random(f"{seed}:{subject}:{subject_id}:{source.name}")
        paths[source.name] = _source_path(source, paths, tick, time, rng, look)
    bridge_rng = random.Random(f"{seed}:{subject}:{subject_id}:warm-up")
    bridge = _warm_up(plan, paths[plan.sources[0].name][0][1], time, bridge_rng)
    streams = []
    for order, source in enumerate(plan.sources):
        quiet = [(time.start_ns + a, time.start_ns + b) for a, b in source.silences]
        points = [p for p in bridge + paths[source.name] if not _silent(p[0], quiet)]
        streams.append([(t, order, source.source_id, price) for t, price in points])
    for time_ns, _, source_id, price_ticks in heapq.merge(*streams):
        yield IndexTick(time_ns, subject_id, source_id, price_ticks)


def _silent(time_ns: int, quiet: list[tuple[int, int]]) -> bool:
    return any(start <= time_ns < end for start, end in quiet)


def _source_path(
    source: SourcePlan,
    paths: dict[str, list[Point]],
    tick: Decimal,
    time: TimePlan,
    rng: random.Random,
    look: Look | None,
) -> list[Point]:
    if source.file is not None:
        points = read_prices(source.file, source.kind, tick)
        if look is not None:
            look(source, points, time)
        return resample(points, time, str(source.file))
    if source.kind == FOLLOW:
        return [
            (t, max(1, round(price * math.exp(rng.gauss(0.0, source.noise)))))
            for t, price in paths[source.leader]
        ]
    if source.kind == ANCHORED:
        return _anchored(source, float(tick), time, rng)
    return _jump_diffusion(source, float(tick), time, rng)


def resample(points: list[Point], time: TimePlan, what: str) -> list[Point]:
    """The last price of each interval ``(tick - 1, tick]`` in which there was one. The first tick
    of the window takes the last price up to it, so that the path always begins.

    Raises:
        ScenarioError: no price lies in the window.
    """
    result: list[Point] = []
    tick_ns = time.tick_ns
    for time_ns, price in points:
        if time_ns > time.end_ns:
            break
        steps = max(0, -((time.start_ns - time_ns) // tick_ns))  # up to the interval's end
        at = time.start_ns + steps * tick_ns
        if result and result[-1][0] == at:
            result[-1] = (at, price)
        elif at <= time.end_ns:
            result.append((at, price))
    if not result or points[-1][0] < time.start_ns:
        raise ScenarioError(
            f"{what}: no price between {time.start_ns} and {time.end_ns} ns; the file covers "
            f"{points[0][0]} to {points[-1][0]} ns"
        )
    if result[0][0] > time.start_ns:
        result.insert(0, (time.start_ns, result[0][1]))
    return result


def _ticks_of(price: float, tick: float) -> int:
    return max(1, round(price / tick))


def _anchored(source: SourcePlan, tick: float, time: TimePlan, rng: random.Random) -> list[Point]:
    """Straight lines in log price between anchors, plus a Brownian bridge on each stretch."""
    points: list[Point] = []
    step = math.sqrt(time.tick_ns / SECOND_NS / YEAR_SECONDS) * source.volatility
    anchors = list(source.anchors)
    if anchors[-1][0] < time.duration_ns:
        anchors.append((time.duration_ns, anchors[-1][1]))
    points.append((time.start_ns, _ticks_of(anchors[0][1], tick)))
    for (from_ns, from_price), (to_ns, to_price) in pairwise(anchors):
        first = from_ns // time.tick_ns
        count = to_ns // time.tick_ns - first
        low, high = math.log(from_price), math.log(to_price)
        for n, noise in enumerate(_bridge(count, step, rng), 1):
            at = time.start_ns + (first + n) * time.tick_ns
            if at > time.end_ns:
                return points
            price = math.exp(low + (high - low) * n / count + noise)
            points.append((at, _ticks_of(price, tick)))
    return points


def _bridge(count: int, step: float, rng: random.Random) -> list[float]:
    """A Brownian bridge from 0 to 0 in ``count`` steps (the last value is 0)."""
    walk: list[float] = []
    level = 0.0
    for _ in range(count):
        level += rng.gauss(0.0, step)
        walk.append(level)
    return [value - level * n / count for n, value in enumerate(walk, 1)]


def _jump_diffusion(
    source: SourcePlan, tick: float, time: TimePlan, rng: random.Random
) -> list[Point]:
    """Merton's jump-diffusion: Gaussian log returns plus normal jumps at Poisson times."""
    seconds = time.tick_ns / SECOND_NS
    step = math.sqrt(seconds / YEAR_SECONDS) * source.volatility
    drift = (source.drift - source.volatility**2 / 2) * seconds / YEAR_SECONDS
    chance = -math.expm1(-source.jump.per_hour * seconds / 3600)
    level = math.log(source.start_price)
    points = [(time.start_ns, _ticks_of(source.start_price, tick))]
    for n in range(1, time.duration_ns // time.tick_ns + 1):
        level += drift + rng.gauss(0.0, step)
        if rng.random() < chance:
            level += rng.gauss(source.jump.mean, source.jump.spread)
        points.append((time.start_ns + n * time.tick_ns, _ticks_of(math.exp(level), tick)))
    return points


def _warm_up(plan: IndexPlan, first_ticks: int, time: TimePlan, rng: random.Random) -> list[Point]:
    """The prints before the path's start, ending one tick before it."""
    count = time.warm_up_ns // time.tick_ns
    step = math.sqrt(time.tick_ns / SECOND_NS / YEAR_SECONDS) * plan.warm_up_volatility
    start = math.log(plan.warm_up_from)
    noise = [0.0, *_bridge(count, step, rng)]
    begin = time.start_ns - count * time.tick_ns
    return [
        (
            begin + n * time.tick_ns,
            max(1, round(first_ticks * math.exp(start * (1 - n / count) + noise[n]))),
        )
        for n in range(count)
    ]
