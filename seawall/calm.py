"""How lively a coin is while nothing happens, and what scales a scenario's figures to it.

A scenario's figures are stated for one coin, whose calm stands in ``[calibrated]``. The calm of
each contract's own coin stands in ``[calm.NAME]``; what is not there is measured in the file of its
index. An index without a file is that of the coin itself. Without ``[calibrated]`` nothing is
scaled.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Final

import msgspec

from engine.settings import SettingFault
from engine.units import MINUTE_NS, SECOND_NS
from seawall.index_path import IndexPlan, source_table
from seawall.scaled_fields import AS_STATED, Scale
from seawall.scenario_fields import SHARE, Duration, Number, ScenarioError
from seawall.time_plan import TimePlan
from seawall.trade_measures import Stretch, UnmeasuredError, volatility, volume_per_minute

VOLUME: Final[Number] = Number(1e-6, 1e15)
PER_ROOT_SECOND: Final[Number] = Number(1e-9, 1.0)
_FEW: Final[int] = 30
"""Prices from which nothing is measured well."""
_MOST_VOLUME: Final[float] = 20.0
_MOST_VOLATILITY: Final[float] = 2.5
"""How many times another coin's figures may be larger or smaller where they are only measured: a
flat price, or one large trade, is no coin's calm, and at four times the volatility the entering
population alone takes the contract almost 1 % off its index."""


class CalibratedTable(msgspec.Struct, frozen=True, kw_only=True):
    """The calm of the coin that all figures are stated for: traded value per minute in quote
    currency, volatility per root second; how long a stretch others are measured in, and how much
    that says: a measured ratio counts by its power of ``weight``, for a short stretch shows less
    of a coin than of its own minutes."""

    volume_per_minute: Annotated[float, VOLUME]
    volatility: Annotated[float, PER_ROOT_SECOND]
    window_ns: Annotated[int, Duration(60 * SECOND_NS)] = 5 * MINUTE_NS
    weight: Annotated[float, SHARE] = 1.0


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
    its name, and what is to be said of them. Where nothing is scaled there is no calm. What was
    measured over ``window_ns`` or less counts by its power of ``weight``."""

    stated: Calm | None
    calms: Mapping[str, Calm]
    scales: Mapping[str, Scale]
    warnings: tuple[str, ...] = ()
    window_ns: int = 0
    weight: float = 1.0

    def counted(self, measured: Calm, length_ns: int) -> Calm:
        """A calm that was measured over so long, as far as it counts."""
        stated = self.stated
        if stated is None or length_ns > self.window_ns:
            return measured
        return Calm(
            _counted(measured.volume_per_minute, stated.volume_per_minute, self.weight),
            _counted(measured.volatility, stated.volatility, self.weight),
        )

    @property
    def notes(self) -> list[str]:
        """What readers of a run should know: which contracts' figures are not as stated."""
        return [
            f"Figures of {name} are scaled to its coin: money by {scale.money:.3g}, spreads and "
            f"volatilities by {scale.volatility:.3g}."
            for name, scale in self.scales.items()
            if scale != AS_STATED
        ]


def coins(
    stated: CalibratedTable | None,
    calms: Mapping[str, CalmTable],
    indices: Mapping[str, IndexPlan],
    time: TimePlan,
) -> Coins:
    """What scales the figures of each contract.

    Raises:
        SettingFault: a calm belongs to no contract, or to a scenario that states nothing, or the
            file has an amount that is none.
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
    calibrated = Calm(stated.volume_per_minute, stated.volatility)
    whole: dict[str, Calm] = {}
    warnings: list[str] = []
    for name, plan in indices.items():
        given = calms.get(name, CalmTable())
        stretch = _stretch(plan, time, stated.window_ns)
        finder = _Finder(f"calm.{name}", calibrated, stretch, stated.weight)
        whole[name] = finder.calm(given)
        warnings += finder.warnings
    scales = {name: calm.times(calibrated) for name, calm in whole.items()}
    return Coins(calibrated, whole, scales, tuple(warnings), stated.window_ns, stated.weight)


def _stretch(plan: IndexPlan, time: TimePlan, window_ns: int) -> Stretch | None:
    """The first file of an index: the window before the path if it reaches that far back, else the
    one in which the path begins, as far as the file goes. None where the index has no file."""
    files = [source for source in plan.sources if source.file is not None]
    if not files:
        return None
    table = source_table(files[0])
    before_ns = time.start_ns - window_ns
    begin_ns = before_ns if table.times_ns[0] <= before_ns else time.start_ns
    return Stretch(table, begin_ns, min(begin_ns + window_ns, table.end_ns))


class _Finder:
    """Finds the calm of one coin: given, measured, or, where nothing shows it, as stated."""

    def __init__(self, place: str, stated: Calm, stretch: Stretch | None, weight: float) -> None:
        self._place = place
        self._stated = stated
        self._stretch = stretch
        self._weight = weight
        self.warnings: list[str] = []

    def calm(self, given: CalmTable) -> Calm:
        """The calm; what is to be said of it is in ``warnings``."""
        stated, volume, moves = self._stated, given.volume_per_minute, given.volatility
        if self._stretch is not None and (volume is None or moves is None):
            self.warnings += _few(self._place, self._stretch)
        if volume is None:
            volume = self._measured(
                "volume_per_minute", volume_per_minute, stated.volume_per_minute, _MOST_VOLUME
            )
        if moves is None:
            moves = self._measured("volatility", volatility, stated.volatility, _MOST_VOLATILITY)
        return Calm(volume, moves)

    def _measured(
        self, key: str, measure: Callable[[Stretch], float], stated: float, most: float
    ) -> float:
        """A figure of the coin, as far as it counts, to six digits: the rest is noise."""
        if self._stretch is None:
            return stated
        try:
            found = _rounded(measure(self._stretch))
        except UnmeasuredError as error:
            self.warnings.append(
                f"{self._place}.{key} cannot be measured, so it is taken as calibrated: {error}"
            )
            return stated
        except ScenarioError as error:
            raise SettingFault(f"{self._place}.{key}", f"cannot be measured: {error}") from None
        kept = min(max(found, stated / most), stated * most)
        if kept != found:
            self.warnings.append(
                f"{self._place}.{key} is measured as {found:g} and taken as {kept:g}: a figure "
                f"more than {most:g} times apart from the calibrated one has to be given"
            )
        return _counted(kept, stated, self._weight)


def _counted(found: float, stated: float, weight: float) -> float:
    """A figure that was found, as far as it counts."""
    return _rounded(stated * (found / stated) ** weight)


def _rounded(figure: float) -> float:
    return float(f"{figure:.6g}")


def _few(place: str, stretch: Stretch) -> list[str]:
    """Whether the calm was measured from little."""
    found = len(stretch.rows)
    if found >= _FEW:
        return []
    return [
        f"{place} is measured from {found} prices of {stretch.table.where}, fewer than {_FEW}; "
        "a longer calibrated.window, or [calm] itself, would say it better"
    ]
