"""Which windows are measured: a TOML file that names scenarios by kind.

```toml
title = "10 October 2025, four coins"
seeds = { first = 1, count = 16 }
[crash]                                   # beside the trades of the scenario's reference
AVAX = "../oct10_avax.toml"
[calm]                                    # the flow of trades when nothing happens
AVAX = "calm_avax.toml"
[step]                                    # an index that falls 3 % at once
flat = "step.toml"
[mild]                                    # an index that falls 7 %
made = "mild.toml"
[set.calm]                                # laid over every scenario of a kind
"time.duration" = "30m"
```

Paths are relative to the file. `seawall.lab.realism.targets` says what each kind is asked for, and
`seawall.lab.realism.fit_file` what else such a file may hold.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.settings import unknown
from engine.toml_text import TomlError, parse_toml
from seawall.lab.intervals import LabError
from seawall.lab.study_file import written
from seawall.scenario import Scenario, load_scenario
from seawall.scenario_fields import WrittenFloat

CRASH: Final[str] = "crash"
CALM: Final[str] = "calm"
STEP: Final[str] = "step"
MILD: Final[str] = "mild"
KINDS: Final[tuple[str, ...]] = (CRASH, CALM, STEP, MILD)
FREE: Final[str] = "free"
FIT: Final[str] = "fit"
_SET: Final[str] = "set"
_KEYS: Final[tuple[str, ...]] = ("title", "seeds", _SET, *KINDS, FREE, FIT)
_MOST_SEEDS: Final[int] = 100_000


class Window(msgspec.Struct, frozen=True):
    """A scenario of one kind; ``name`` is the coin."""

    kind: str
    name: str
    scenario: Scenario


class Windows(msgspec.Struct, frozen=True):
    """All that is measured over the same seeds."""

    title: str
    first_seed: int
    seeds: int
    windows: tuple[Window, ...]

    def of(self, kind: str) -> list[Window]:
        """Those of a kind."""
        return [window for window in self.windows if window.kind == kind]


def read_windows(path: Path, overrides: Sequence[str] = (), kinds: Sequence[str] = ()) -> Windows:
    """The windows of a file, of some kinds only where they are named. ``overrides`` are laid over
    every scenario.

    Raises:
        LabError: the file cannot be read, or something in it is unknown or of the wrong kind.
        ScenarioError: a scenario is wrong.
    """
    table = windows_table(path)
    for kind in kinds:
        if kind not in KINDS:
            raise LabError(f"--only {kind} {unknown(kind, KINDS)}")
    given = _kinds_set(path, table.get(_SET, {}))
    first, count = _seeds(path, table.get("seeds", {}))
    windows = tuple(
        Window(
            kind,
            name,
            load_scenario(
                _beside(path, f"{kind}.{name}", file), [*given.get(kind, ()), *overrides]
            ),
        )
        for kind in kinds or KINDS
        for name, file in _table(path, kind, table.get(kind, {})).items()
    )
    if not windows:
        raise LabError(f"{path}: no windows; name scenarios in {', '.join(kinds or KINDS)}")
    return Windows(str(table.get("title", path.stem)), first, count, windows)


def windows_table(path: Path) -> dict[str, Any]:
    """The tables of a file, as they are written.

    Raises:
        LabError: the file cannot be read, or has a table of another name.
    """
    try:
        table: dict[str, Any] = parse_toml(path.read_text(encoding="utf-8"), WrittenFloat)
    except OSError as error:
        raise LabError(f"{path}: cannot be read: {error.strerror}") from None
    except (TomlError, UnicodeDecodeError) as error:
        raise LabError(f"{path}: not valid TOML: {error}") from None
    for key in table:
        if key not in _KEYS:
            raise LabError(f"{path}: {key} {unknown(key, _KEYS)}")
    return table


def _kinds_set(path: Path, value: Any) -> dict[str, list[str]]:
    """What is laid over the scenarios of each kind, as overrides."""
    given: dict[str, list[str]] = {}
    for kind, values in _table(path, _SET, value).items():
        if kind not in KINDS:
            raise LabError(f"{path}: set.{kind} {unknown(kind, KINDS)}")
        keys = _table(path, f"{_SET}.{kind}", values)
        given[kind] = [f"{key}={written(each)}" for key, each in keys.items()]
    return given


def _table(path: Path, key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LabError(f"{path}: {key}: {value!r} must be a table")
    return value


def _seeds(path: Path, value: Any) -> tuple[int, int]:
    table = _table(path, "seeds", value)
    for key, number in table.items():
        if key not in ("first", "count"):
            raise LabError(f"{path}: seeds.{key} {unknown(key, ('first', 'count'))}")
        least = 1 if key == "count" else 0
        if type(number) is not int or not least <= number <= _MOST_SEEDS:
            raise LabError(f"{path}: seeds.{key}: {number!r} must be from {least} to {_MOST_SEEDS}")
    return table.get("first", 1), table.get("count", 16)


def _beside(path: Path, place: str, file: Any) -> str:
    if not isinstance(file, str):
        raise LabError(f"{path}: {place}: {file!r} must be the path of a scenario")
    beside = path.parent / file
    return str(beside) if beside.is_file() else file
