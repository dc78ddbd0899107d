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
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from engine.commands import MAX_TICKS
from engine.setting_units import OneOf
from engine.settings import Key, SettingFault, Unit
from engine.units import SECOND_NS
from seawall.index_csv import CANDLES_CSV, FILE, ROWS_OF, TRADES_CSV, points_of
from seawall.index_steps import in_steps
from seawall.price_files.candles import Point, bridges, brownian_bridge
from seawall.price_files.price_table import PriceTable, read_price_file
from seawall.price_files.recognise import Reading
from seawall.price_files.shapes import AMOUNT, CANDLES, ROLES, SIDE, TIME
from seawall.price_files.times import UNITS, utc
from seawall.scaled_fields import Volatility
from seawall.scenario_fields import (
    A_MILLISECOND,
    MAX_TIME_NS,
    SHARE,
    Count,
    Duration,
    DurationSpan,
    File,
    Filled,
    Number,
    ScenarioError,
    at_least_one,
)
from seawall.time_plan import TimePlan

JUMP_DIFFUSION: Final[str] = "jump_diffusion"
ANCHORED: Final[str] = "anchored"
FOLLOW: Final[str] = "follow"

YEAR_SECONDS: Final[int] = 365 * 86_400


class Jump(msgspec.Struct, frozen=True):
    """Jumps of a jump-diffusion: arrivals per hour, mean and spread of the log size."""

    per_hour: float
    mean: float
    spread: float


class SourcePlan(msgspec.Struct, frozen=True):
    """One source of an index. Which fields matter depends on ``kind``; ``volatility`` is per
    square root of a year, times in ``anchors`` and ``silences`` are ns from the path's start. A
    ``frame`` is read in the place of its file."""

    name: str
    source_id: int
    kind: str
    file: Path | None = None
    columns: tuple[tuple[str, str | int], ...] = ()
    time_unit: str = ""
    symbol: str = ""
    bridge: bool = False
    frame: PriceTable | None = None
    start_price: float = 0.0
    volatility: float = 0.0
    drift: float = 0.0
    jump: Jump = Jump(0.0, 0.0, 0.0)
    anchors: tuple[tuple[int, float], ...] = ()
    leader: str = ""
    noise: float = 0.0
    silences: tuple[tuple[int, int], ...] = ()


class Pairs(Unit):
    """A list of pairs, each read by ``one``; ``what`` is what they must be."""

    def __init__(self, what: str, one: Callable[[list[Any], str], tuple[Any, ...]]) -> None:
        self._what = what
        self._one = one

    def read(self, value: Any, place: str) -> tuple[tuple[Any, ...], ...]:
        """Read pairs."""
        if not isinstance(value, list) or any(
            not isinstance(pair, list) or len(pair) != 2 for pair in value
        ):
            raise SettingFault(place, f"{value!r} must be a list of {self._what}")
        return tuple(self._one(pair, f"{place}[{number}]") for number, pair in enumerate(value))


def _anchor(pair: list[Any], place: str) -> tuple[int, float]:
    return Duration().read(pair[0], f"{place}.time"), Number(1e-9).read(pair[1], f"{place}.price")


def _silence(pair: list[Any], place: str) -> tuple[int, int]:
    return DurationSpan().read(pair, f"{place}.span")


ANCHORS: Final[Pairs] = Pairs('[duration, price], such as [["0s", 100], ["10m", 92.5]]', _anchor)
SILENCES: Final[Pairs] = Pairs('[from, to], such as [["10m", "14m"]]', _silence)


class Columns(Unit):
    """Which columns of a file count: a table of names, or of numbers from 1, by role."""

    def read(self, value: Any, place: str) -> tuple[tuple[str, str | int], ...]:
        """Pairs of role and column."""
        if not isinstance(value, dict) or not any(
            set(value) - {AMOUNT, SIDE} == {TIME, *roles} for roles in ROLES.values()
        ):
            allowed = "; or ".join(", ".join((TIME, *roles)) for roles in ROLES.values())
            more = f"{AMOUNT} and {SIDE} may stand beside them"
            raise SettingFault(place, f"{value!r:.200} must be a table of {allowed}; {more}")
        for role, column in value.items():
            is_number = type(column) is int and column >= 1
            if not is_number and not (isinstance(column, str) and column):
                raise SettingFault(
                    f"{place}.{role}", f"{column!r} must be a column's name, or its number from 1"
                )
        return tuple(value.items())


class SourceTable(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What every kind has; without an id it is the source's place, from 1."""

    source_id: Annotated[int, Count(0, 10**6), Key("id")] = -1
    silences: Annotated[tuple[tuple[int, int], ...], SILENCES] = ()


class FilePrices(SourceTable, frozen=True, kw_only=True):
    """What every kind with a file has."""

    file: Annotated[Path, File()]
    columns: Annotated[tuple[tuple[str, str | int], ...], Columns()] = ()
    time_unit: Annotated[str, OneOf(*UNITS)] = ""
    symbol: Annotated[str, Filled()] = ""


class FileTable(FilePrices, frozen=True, kw_only=True, tag=FILE):
    """Prices of a file, whatever is recognised in it."""

    bridge: bool = False


class TradesTable(FilePrices, frozen=True, kw_only=True, tag=TRADES_CSV):
    """Trades of a file, and of nothing else."""


class CandlesTable(FilePrices, frozen=True, kw_only=True, tag=CANDLES_CSV):
    """Candles of a file, and of nothing else."""

    bridge: bool = False


class FollowTable(SourceTable, frozen=True, kw_only=True, tag=FOLLOW):
    """Another source with noise."""

    leader: Annotated[str, Filled(), Key("of")]
    noise: Annotated[float, Number(high=0.2)] = 0.0002


class AnchoredTable(SourceTable, frozen=True, kw_only=True, tag=ANCHORED):
    """From anchor to anchor."""

    volatility: Annotated[float, Number(high=50.0)] = 0.8
    anchors: Annotated[tuple[tuple[int, float], ...], ANCHORS] = ()


class JumpDiffusionTable(SourceTable, frozen=True, kw_only=True, tag=JUMP_DIFFUSION):
    """A random walk with jumps."""

    start_price: Annotated[float, Number(1e-9)]
    volatility: Annotated[float, Number(high=50.0)] = 0.8
    drift: Annotated[float, Number(-1000.0, 1000.0)] = 0.0
    jumps_per_hour: Annotated[float, Number(high=3_600.0)] = 0.0
    jump_mean: Annotated[float, Number(-2.0, 2.0)] = 0.0
    jump_spread: Annotated[float, Number(high=2.0)] = 0.0


class PathTable(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument's or a collateral asset's price as a scenario describes it."""

    sources: dict[
        str,
        FileTable | TradesTable | CandlesTable | JumpDiffusionTable | AnchoredTable | FollowTable,
    ] = {}
    warm_up_from: Annotated[float, Number(0.2, 5.0)] = 1.0
    warm_up_volatility: Annotated[float, Volatility(high=20.0)] = 0.5
    max_step: Annotated[float | None, Number(1e-6, 1.0)] = None


class ForcedSalesPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The share of the contract's move by forced trades that its sources feel, and how fast that
    decays."""

    share: Annotated[float, SHARE]
    half_life_ns: Annotated[int, A_MILLISECOND] = 120 * SECOND_NS


class IndexTable(PathTable, frozen=True, kw_only=True):
    """An instrument's price, which may feel what the contract does."""

    forced: ForcedSalesPlan | None = None


class IndexPlan(msgspec.Struct, frozen=True):
    """An instrument's index: its sources, the bridge of the warm-up, the largest share of its price
    by which a source may move at a print (None: any), and what it feels of the contract."""

    sources: tuple[SourcePlan, ...]
    warm_up_from: float
    warm_up_volatility: float
    max_step: float | None = None
    forced: ForcedSalesPlan | None = None


class IndexTick(msgspec.Struct, frozen=True):
    """A source printed: about an instrument, or a collateral asset (whose tick is a part per
    billion)."""

    time_ns: int
    subject_id: int
    source_id: int
    price_ticks: int


Look = Callable[[SourcePlan, list[Point], TimePlan], None]
"""Is shown the prices of a source's file."""


def index_plan(table: PathTable, place: str) -> IndexPlan:
    """The plan of the table at ``place``.

    Raises:
        SettingFault: there is no source, two have one id, a follower has no leader before it, or
            anchors are none.
    """
    at_least_one(table.sources, f"{place}.sources")
    sources: list[SourcePlan] = []
    for number, (name, source) in enumerate(table.sources.items(), 1):
        inner = f"{place}.sources.{name}"
        plan = _source_plan(name, number, source)
        leaders = [s.name for s in sources if s.kind != FOLLOW]
        if plan.kind == FOLLOW and plan.leader not in leaders:
            allowed = ", ".join(leaders) or "none yet"
            raise SettingFault(
                f"{inner}.of", f"{plan.leader!r} must be a source above this one ({allowed})"
            )
        if plan.source_id in [s.source_id for s in sources]:
            raise SettingFault(f"{inner}.id", f"{plan.source_id} is the id of another source")
        if plan.kind == ANCHORED:
            _check_anchors(plan.anchors, f"{inner}.anchors")
        sources.append(plan)
    return IndexPlan(
        tuple(sources),
        table.warm_up_from,
        table.warm_up_volatility,
        table.max_step,
        table.forced if isinstance(table, IndexTable) else None,
    )


def _source_plan(name: str, number: int, table: SourceTable) -> SourcePlan:
    values = {field: getattr(table, field) for field in table.__struct_fields__}
    if isinstance(table, JumpDiffusionTable):
        per_hour = values.pop("jumps_per_hour")
        values["jump"] = Jump(per_hour, values.pop("jump_mean"), values.pop("jump_spread"))
    if table.source_id < 0:
        values["source_id"] = number
    return SourcePlan(name=name, kind=str(table.__struct_config__.tag), **values)


def _check_anchors(anchors: tuple[tuple[int, float], ...], place: str) -> None:
    for number, (before, after) in enumerate(pairwise(anchors), 1):
        if after[0] <= before[0]:
            raise SettingFault(f"{place}[{number}].time", "is not after the anchor before it")
    if len(anchors) < 2 or anchors[0][0] != 0:
        raise SettingFault(place, "must hold at least two anchors, the first at '0s'")


def index_path(
    plan: IndexPlan,
    subject_id: int,
    tick: Decimal,
    time: TimePlan,
    seed: int,
    subject: str = "index",
    look: Look | None = None,
    most: int = MAX_TICKS,
) -> Iterator[IndexTick]:
    """All prints of an instrument's sources in time order, sources in file order at one time.

    ``subject`` keeps the chance of an asset's price apart from that of an instrument's index;
    ``look`` is shown what was read of each file; ``most`` ticks are the highest price of one.

    Raises:
        ScenarioError: a file is wrong or holds nothing in the window.
    """
    paths: dict[str, list[Point]] = {}
    for source in plan.sources:
        chance = f"{seed}:{subject}:{subject_id}:{source.name}"
        if source.file is not None:
            paths[source.name] = _file_path(source, tick, time, chance, look, most)
        else:
            paths[source.name] = _made_path(source, paths, tick, time, random.Random(chance))
    bridge_rng = random.Random(f"{seed}:{subject}:{subject_id}:warm-up")
    bridge = _warm_up(plan, paths[plan.sources[0].name][0][1], time, bridge_rng)
    streams = []
    for order, source in enumerate(plan.sources):
        quiet = [(time.start_ns + a, time.start_ns + b) for a, b in source.silences]
        points = [p for p in bridge + paths[source.name] if not _silent(p[0], quiet)]
        if plan.max_step is not None:
            is_silent = partial(_silent, quiet=[*quiet, (time.end_ns + 1, MAX_TIME_NS)])
            points = in_steps(points, plan.max_step, time.tick_ns, is_silent)
        streams.append([(t, order, source.source_id, price) for t, price in points])
    for time_ns, _, source_id, price_ticks in heapq.merge(*streams):
        yield IndexTick(time_ns, subject_id, source_id, price_ticks)


def _silent(time_ns: int, quiet: list[tuple[int, int]]) -> bool:
    return any(start <= time_ns < end for start, end in quiet)


def source_table(source: SourcePlan) -> PriceTable:
    """The prices of a source that has a file.

    Raises:
        ScenarioError: the file is wrong.
    """
    if source.frame is not None:
        return source.frame
    reading = Reading(ROWS_OF[source.kind], source.columns, source.time_unit, source.symbol)
    return read_price_file(str(source.file), reading)


def _file_path(
    source: SourcePlan,
    tick: Decimal,
    time: TimePlan,
    chance: str,
    look: Look | None,
    most: int,
) -> list[Point]:
    table = source_table(source)
    points = points_of(table, tick, most)
    if look is not None:
        kind = CANDLES_CSV if table.kind == CANDLES else TRADES_CSV
        look(msgspec.structs.replace(source, kind=kind), points, time)
    if source.bridge:
        if table.kind != CANDLES:
            raise ScenarioError(f"{table.where}: holds {table.kind}; a bridge goes inside candles")
        window = (time.start_ns, time.end_ns)
        steps = bridges(table.times_ns, table.ticks(tick, most), time.tick_ns, window, chance)
        points = list(steps)
    return resample(points, time, table.where)


def _made_path(
    source: SourcePlan,
    paths: dict[str, list[Point]],
    tick: Decimal,
    time: TimePlan,
    rng: random.Random,
) -> list[Point]:
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
            f"{what}: no price between {utc(time.start_ns)} and {utc(time.end_ns)}; the file "
            f"covers {utc(points[0][0])} to {utc(points[-1][0])} (time.start = {FILE!r} begins "
            "where it does)"
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
        for n, noise in enumerate(brownian_bridge(count, step, rng), 1):
            at = time.start_ns + (first + n) * time.tick_ns
            if at > time.end_ns:
                return points
            price = math.exp(low + (high - low) * n / count + noise)
            points.append((at, _ticks_of(price, tick)))
    return points


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
    noise = [0.0, *brownian_bridge(count, step, rng)]
    begin = time.start_ns - count * time.tick_ns
    return [
        (
            begin + n * time.tick_ns,
            max(1, round(first_ticks * math.exp(start * (1 - n / count) + noise[n]))),
        )
        for n in range(count)
    ]
