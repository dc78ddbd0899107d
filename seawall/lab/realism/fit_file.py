"""What a file of windows says of a fit: which settings are free, and when a market passes.

```toml
[free.capital]
key = "agents.makers.capital"             # of every scenario
from = 5_000_000
to = 80_000_000
log = true                                # even in the logarithm
[free.back]
key = "agents.makers.return_after"
from = 100
to = 900
as = '["{}s", "1000s"]'                   # how the value is written; {} stands for the number
[fit]
pass = 0.8                                # share of the figures asked for that must pass
```
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.settings import unknown
from seawall.lab.intervals import LabError
from seawall.lab.realism.windows import FIT, FREE, windows_table

PASS: Final[float] = 0.8
_FREE_KEYS: Final[tuple[str, ...]] = ("key", "from", "to", "log", "whole", "as")
_NUMBER: Final[str] = "{}"
_DIGITS: Final[int] = 4
"""Of a value that is tried: nobody can tell the fifth apart."""


class FreeSetting(msgspec.Struct, frozen=True):
    """A setting that is looked for between ``low`` and ``high``."""

    name: str
    key: str
    low: float
    high: float
    log: bool = False
    whole: bool = False
    written_as: str = _NUMBER

    def override(self, value: float) -> str:
        """The setting as an override of a scenario."""
        return f"{self.key}={self.written_as.replace(_NUMBER, self.rounded(value))}"

    def rounded(self, value: float) -> str:
        """The value as it is written: four digits, or whole."""
        if self.whole:
            return str(round(value))
        digits = _DIGITS - 1 - math.floor(math.log10(abs(value))) if value else 0
        text = f"{round(value, digits):.{max(0, digits)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text


class FitSettings(msgspec.Struct, frozen=True):
    """What is free, and the least share of figures that must pass."""

    free: tuple[FreeSetting, ...]
    passing: float

    def overrides(self, values: Mapping[str, float]) -> list[str]:
        """The overrides of a trial."""
        return [setting.override(values[setting.name]) for setting in self.free]


def read_fit(path: Path) -> FitSettings:
    """The settings of a file of windows.

    Raises:
        LabError: nothing is free, or something is unknown or of the wrong kind.
    """
    table = windows_table(path)
    fit = table.get(FIT, {})
    if not isinstance(fit, dict) or not fit.keys() <= {"pass"}:
        raise LabError(f"{path}: fit: {fit!r} must be a table with no other key than pass")
    free = table.get(FREE, {})
    if not isinstance(free, dict) or not free:
        raise LabError(f"{path}: free: must name at least one setting, [free.NAME]")
    try:
        passing = _number("fit.pass", fit.get("pass", PASS))
        if not 0 < passing <= 1:
            raise LabError(f"fit.pass: {passing:g} must be above 0 and at most 1")
        settings = tuple(_free(f"free.{name}", name, each) for name, each in free.items())
    except LabError as error:
        raise LabError(f"{path}: {error}") from None
    return FitSettings(settings, passing)


def _free(place: str, name: str, table: Any) -> FreeSetting:
    if not isinstance(table, dict):
        raise LabError(f"{place}: {table!r} must be a table with key, from and to")
    for key in table:
        if key not in _FREE_KEYS:
            raise LabError(f"{place}.{key} {unknown(key, _FREE_KEYS)}")
    if not isinstance(table.get("key"), str):
        raise LabError(f"{place}.key: must name a setting of a scenario")
    low, high = (_number(f"{place}.{end}", table.get(end)) for end in ("from", "to"))
    log, whole = (table.get(word, False) for word in ("log", "whole"))
    form = table.get("as", _NUMBER)
    if not isinstance(log, bool) or not isinstance(whole, bool):
        raise LabError(f"{place}: log and whole must be true or false")
    if not low < high or (log and low <= 0):
        raise LabError(f"{place}: from {low:g} must be below to {high:g}, above 0 with log")
    if not isinstance(form, str) or _NUMBER not in form:
        raise LabError(f"{place}.as: {form!r} must be a text with {_NUMBER} for the number")
    return FreeSetting(name, table["key"], low, high, log, whole, form)


def _number(place: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LabError(f"{place}: {value!r} must be a number")
    return float(value)
