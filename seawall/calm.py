"""How lively a coin is while nothing happens, and what scales a scenario's figures to it.

A scenario's figures are stated for one coin, whose calm stands in ``[calibrated]``. The calm of
each contract's own coin stands in ``[calm.NAME]``; what is not there is measured in the file of its
index. Without ``[calibrated]`` nothing is scaled.
"""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from engine.settings import SettingFault
from engine.units import MINUTE_NS, SECOND_NS
from seawall.index_path import IndexPlan, TimePlan, source_table
from seawall.price_files.price_table import PriceTable
from seawall.price_files.times import utc
from seawall.scaled_fields import AS_STATED, Scale
from seawall.scenario_fields import Duration, Number, ScenarioError
from seawall.trade_measures import Stretch, TooQuietError, volatility, volume_per_minute

VOLUME: Final[Number] = Number(1e-6, 1e15)
PER_ROOT_SECOND: Final[Number] = Number(1e-9, 1.0)
_FEW: Final[int] = 30
"""Prices from which nothing is measured well."""


class CalibratedTable(msgspec.Struct, frozen=True, kw_only=True):
    """The calm of the coin that all figures are stated for: traded value per minute in quote
    currency, volatility per root second; and how long a stretch others are measured in."""

    volume_per_minute: Annotated[float, VOLUME]
    volatility: Annotated[float, PER_ROOT_SECOND]
    window_ns: Annotated[int, Duration(60 * SECOND_NS)] = 5 * MINUTE_NS


class CalmTable(msgspec.Struct, frozen=True, kw_only=True):
    """The calm of a contract's coin; None: as measured."""

    volume_per_minute: Annotated[float | None, VOLUME] = None
    volatility: Annotated[float | None, PER_ROOT_SECOND] = None


class Calm(msgspec.Struct, frozen=True):
    """The calm of a coin: traded value per minute in quote currency, volatility per root second."""

    volume_per_minute: float
    volatility: float

    def times(self, other: "Calm") -> Scale:
        """How many times larger it is than another."""
        return Scale(
            self.volume_per_minute / other.volume_per_minute, self.volatility / other.volatility
        )


class Coins(msgspec.Struct, frozen=True):
    """The calm that a scenario's figures are stated for, the calm and the scale of each contract by
    its name, and what is to be said of them. Where nothing is scaled there is no calm."""

    stated: Calm | None
    calms: Mapping[str, Calm]
    scales: Mapping[str, Scale]
    warnings: tuple[str, ...] = ()


def coins(
    stated: CalibratedTable | None,
    calms: Mapping[str, CalmTable],
    indices: Mapping[str, IndexPlan],
    time: TimePlan,
) -> Coins:
    """What scales the figures of each contract.

    Raises:
        SettingFault: a calm belongs to no contract, or to a scenario that states nothing, or there
            is no file that it could be measured in.
        ScenarioError: the file is wrong.
    """
    for name in calms:
        if name not in indices:
            known = ", ".join(indices)
            raise SettingFault(f"calm.{name}", f"no instrument of that name; instruments: {known}")
    if stated is None:
        if calms:
            problem = "is missing: it states the coin that [calm] scales from"
            raise SettingFault("calibrated", problem)
        return Coins(None, {}, dict.fromkeys(indices, AS_STATED))
    whole: dict[str, Calm] = {}
    warnings: list[str] = []
    for name, plan in indices.items():
        given = calms.get(name, CalmTable())
        volume, moves = given.volume_per_minute, given.volatility
        if volume is None or moves is None:
            table = _table(f"calm.{name}", plan)
            whole[name], stretch = _found(name, (volume, moves), table, time, stated.window_ns)
            warnings += _few(name, stretch)
        else:
            whole[name] = Calm(volume, moves)
    calibrated = Calm(stated.volume_per_minute, stated.volatility)
    scales = {name: calm.times(calibrated) for name, calm in whole.items()}
    return Coins(calibrated, whole, scales, tuple(warnings))


def _table(place: str, plan: IndexPlan) -> PriceTable:
    """The first file of an index."""
    files = [source for source in plan.sources if source.file is not None]
    if not files:
        problem = (
            "is missing, and the index has no file to measure it in; give volume_per_minute and "
            "volatility, or remove [calibrated]"
        )
        raise SettingFault(place, problem)
    return source_table(files[0])


def _found(
    name: str,
    given: tuple[float | None, float | None],
    table: PriceTable,
    time: TimePlan,
    window_ns: int,
) -> tuple[Calm, Stretch]:
    """The calm, with what was not given measured; the window is doubled while too little happens
    in it."""
    while True:
        stretch = _stretch(table, time, window_ns)
        try:
            return _measured(given, stretch), stretch
        except ScenarioError as error:
            is_all = stretch.end_ns - stretch.begin_ns < window_ns
            if is_all or not isinstance(error, TooQuietError):
                problem = f"cannot be measured: {error}; or give it"
                raise SettingFault(f"calm.{name}", problem) from None
        window_ns *= 2


def _stretch(table: PriceTable, time: TimePlan, window_ns: int) -> Stretch:
    """The window before the path if the file reaches that far back, else the one in which the path
    begins, as far as the file goes."""
    before_ns = time.start_ns - window_ns
    begin_ns = before_ns if table.times_ns[0] <= before_ns else time.start_ns
    return Stretch(table, begin_ns, min(begin_ns + window_ns, table.end_ns))


def _measured(given: tuple[float | None, float | None], stretch: Stretch) -> Calm:
    """The calm, with what was not given measured to six digits: the rest is noise."""
    volume, moves = given
    if volume is None:
        volume = float(f"{volume_per_minute(stretch):.6g}")
    if moves is None:
        moves = float(f"{volatility(stretch):.6g}")
    return Calm(volume, moves)


def _few(name: str, stretch: Stretch) -> list[str]:
    """Whether the calm was measured from little."""
    found = len(stretch.rows)
    if found >= _FEW:
        return []
    return [
        f"calm.{name} is measured from {found} prices of {stretch.table.where}, up to "
        f"{utc(stretch.end_ns)}, fewer than {_FEW}; a longer calibrated.window, or [calm] itself, "
        "would say it better"
    ]
