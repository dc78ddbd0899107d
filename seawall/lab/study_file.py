"""A study as a TOML file: a scenario, what varies in it, which seeds, and when to stop.

```toml
scenario = "flash_crash"                  # a built-in one, or a file beside this
seeds = { first = 1, least = 16, most = 256 }
[set]                                     # the same in every cell
"population.retail.accounts" = 500
[vary]                                    # every combination is a cell
"house.fund" = [0, 1_000_000]
[target]                                  # stops when all are as exact as this, in every cell
bad_debt = { statistic = "mean", relative = 0.05 }
adl_fills = { statistic = "share", absolute = 0.05 }
```

In the place of ``vary``, ``sample`` spreads cells over ranges; `seawall.lab.design` says how.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.settings import unknown
from engine.toml_text import TomlError, parse_toml
from seawall.lab.intervals import LabError
from seawall.scenario_fields import WrittenFloat
from seawall.scenario_file import find_scenario
from seawall.toml_writer import toml_value

MEAN: Final[str] = "mean"
SHARE: Final[str] = "share"
_KEYS: Final[tuple[str, ...]] = (
    "scenario",
    "title",
    "seeds",
    "series",
    "set",
    "vary",
    "sample",
    "target",
)
_NUMBER: Final[re.Pattern[str]] = re.compile(r"[+-]?\d[\d_]*(\.\d+)?(e[+-]?\d+)?", re.IGNORECASE)
_MOST_CELLS: Final[int] = 10_000
_MOST_SEEDS: Final[int] = 1_000_000


class Seeds(msgspec.Struct, frozen=True):
    """Seeds from ``first`` on, the same for every cell; looks at ``least``, twice as many, and so
    on, up to ``most``."""

    first: int = 1
    least: int = 16
    most: int = 64

    def looks(self) -> list[int]:
        """How many seeds there are at each look."""
        counts = [self.least]
        while counts[-1] < self.most:
            counts.append(min(2 * counts[-1], self.most))
        return counts


class Target(msgspec.Struct, frozen=True):
    """How exactly a figure's statistic must be known: half of its interval, absolute or as a part
    of the estimate. A share is that of runs whose figure is above ``above``."""

    statistic: str
    absolute: float | None = None
    relative: float | None = None
    above: float = 0.0


class Range(msgspec.Struct, frozen=True):
    """Where a sampled key lies; whole multiples of ``step`` from ``low`` on."""

    low: float
    high: float
    step: float


class Sample(msgspec.Struct, frozen=True):
    """Cells spread over ranges: ``points`` of a scrambled Sobol' sequence, a power of two. With
    ``indices`` the design is Saltelli's, ``points x (ranges + 2)`` cells, for sensitivities."""

    ranges: dict[str, Range]
    points: int = 64
    seed: int = 1
    indices: bool = False


class Study(msgspec.Struct, frozen=True):
    """A study as its file at ``path`` says; ``text`` is the file. Values are as in an override."""

    path: Path
    title: str
    scenario: str
    seeds: Seeds
    fixed: dict[str, str]
    vary: dict[str, list[str]]
    sample: Sample | None
    targets: dict[str, Target]
    series: bool
    text: str

    def scenario_path(self) -> Path:
        """The file of the scenario: one beside the study, or a built-in one or path.

        Raises:
            ScenarioError: there is none.
        """
        beside = self.path.parent / self.scenario
        return beside if beside.is_file() else find_scenario(self.scenario)


def read_study(path: str | Path) -> Study:
    """The study of a file.

    Raises:
        LabError: it cannot be read, or a key or value is wrong; the text says what is allowed.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        table = parse_toml(text, WrittenFloat)
    except OSError as error:
        raise LabError(f"{path}: cannot be read: {error.strerror}") from None
    except (TomlError, UnicodeDecodeError) as error:
        raise LabError(f"{path}: not valid TOML: {error}") from None
    try:
        return _study(path, table, text)
    except LabError as error:
        raise LabError(f"{path}: {error}") from None


def _study(path: Path, table: dict[str, Any], text: str) -> Study:
    _known("", table, _KEYS)
    if not isinstance(table.get("scenario"), str):
        raise LabError("scenario: must be given, the name or path of one")
    if "vary" in table and "sample" in table:
        raise LabError("vary and sample: give one of them")
    sample = _sample(_table("sample", table["sample"])) if "sample" in table else None
    series = table.get("series", False)
    if not isinstance(series, bool):
        raise LabError(f"series: {series!r} must be true or false")
    return Study(
        path=path,
        title=str(table.get("title", path.stem)),
        scenario=table["scenario"],
        seeds=_seeds(_table("seeds", table.get("seeds", {}))),
        fixed={key: written(value) for key, value in _table("set", table.get("set", {})).items()},
        vary=_vary(_table("vary", table.get("vary", {}))),
        sample=sample,
        targets={
            figure: _target(f"target.{figure}", _table(f"target.{figure}", value))
            for figure, value in _table("target", table.get("target", {})).items()
        },
        series=series,
        text=text,
    )


def written(value: object) -> str:
    """A value as an override has it: a text that would be read as a number there stays a text."""
    if not isinstance(value, str):
        return toml_value(value)
    return toml_value(value) if _NUMBER.fullmatch(value) else value


def _known(place: str, table: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    for key in table:
        if key not in allowed:
            where = f"{place}.{key}" if place else key
            raise LabError(f"{where}: {unknown(key, allowed)}")


def _table(place: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LabError(f"{place}: {value!r} must be a table")
    return value


def _whole(place: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise LabError(f"{place}: {value!r} must be a whole number from {least} to {most}")
    return value


def _number(place: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LabError(f"{place}: {value!r} must be a number")
    return float(value)


def _seeds(table: dict[str, Any]) -> Seeds:
    _known("seeds", table, ("first", "least", "most"))
    usual = Seeds()
    first = _whole("seeds.first", table.get("first", usual.first), 0, 2**31)
    least = _whole("seeds.least", table.get("least", usual.least), 1, _MOST_SEEDS)
    most = _whole("seeds.most", table.get("most", max(usual.most, least)), least, _MOST_SEEDS)
    return Seeds(first, least, most)


def _vary(table: dict[str, Any]) -> dict[str, list[str]]:
    cells = 1
    for key, values in table.items():
        if not isinstance(values, list) or not values:
            raise LabError(f"vary.{key}: {values!r} must be a list of at least one value")
        if len({written(value) for value in values}) != len(values):
            raise LabError(f"vary.{key}: a value is there twice")
        cells *= len(values)
    if cells > _MOST_CELLS:
        raise LabError(f"vary: {cells} cells; at most {_MOST_CELLS}")
    return {key: [written(value) for value in values] for key, values in table.items()}


def _sample(table: dict[str, Any]) -> Sample:
    usual = Sample({})
    points = _whole("sample.points", table.get("points", usual.points), 2, _MOST_CELLS)
    if points & (points - 1):
        raise LabError(f"sample.points: {points} must be a power of two")
    seed = _whole("sample.seed", table.get("seed", usual.seed), 0, 2**31)
    indices = table.get("indices", False)
    if not isinstance(indices, bool):
        raise LabError(f"sample.indices: {indices!r} must be true or false")
    ranges = {
        key: _range(f"sample.{key}", _table(f"sample.{key}", value))
        for key, value in table.items()
        if key not in ("points", "seed", "indices")
    }
    if not ranges:
        raise LabError("sample: needs at least one key with from and to")
    cells = points * (len(ranges) + 2 if indices else 1)
    if cells > _MOST_CELLS:
        raise LabError(f"sample: {cells} cells; at most {_MOST_CELLS}")
    return Sample(ranges, points, seed, indices)


def _range(place: str, table: dict[str, Any]) -> Range:
    _known(place, table, ("from", "to", "step"))
    if "from" not in table or "to" not in table:
        raise LabError(f"{place}: needs from and to")
    low, high = _number(f"{place}.from", table["from"]), _number(f"{place}.to", table["to"])
    step = _number(f"{place}.step", table.get("step", (high - low) / 1_000))
    if not low < high or not 0 < step <= high - low:
        raise LabError(f"{place}: from {low:g} must be below to {high:g}, with a step within")
    return Range(low, high, step)


def _target(place: str, table: dict[str, Any]) -> Target:
    _known(place, table, ("statistic", "absolute", "relative", "above"))
    statistic = table.get("statistic", MEAN)
    if statistic not in (MEAN, SHARE) and quantile_of(str(statistic)) is None:
        raise LabError(f"{place}.statistic: {statistic!r}; allowed are mean, share, p1 to p99.9")
    bounds = [name for name in ("absolute", "relative") if name in table]
    if len(bounds) != 1:
        raise LabError(f"{place}: give one of absolute and relative, how exact it must be")
    (bound,) = bounds
    tolerance = _number(f"{place}.{bound}", table[bound])
    if tolerance <= 0:
        raise LabError(f"{place}.{bound}: {tolerance:g} must be above 0")
    above = _number(f"{place}.above", table.get("above", 0))
    if "above" in table and statistic != SHARE:
        raise LabError(f"{place}.above: only a share is one of runs above something")
    return Target(str(statistic), above=above, **{bound: tolerance})


def quantile_of(statistic: str) -> float | None:
    """0.95 of ``p95``; None of what is no percentile."""
    digits = statistic.removeprefix("p")
    if digits == statistic or not digits.replace(".", "", 1).isdigit():
        return None
    share = float(digits) / 100
    return share if 0 < share < 1 else None
