"""When a scenario begins and ends: as it says, or as long as its files of prices last."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from engine.settings import SettingFault
from engine.units import PPB
from seawall.index_path import IndexPlan, source_table
from seawall.price_files.price_table import PriceTable
from seawall.price_files.times import utc
from seawall.time_plan import OF_FILES, YEAR_2025_NS, TimePlan, TimeTable

_LEFT_OPEN: Final[tuple[int | None, ...]] = (None, OF_FILES)


def time_plan(table: TimeTable, indices: Iterable[IndexPlan]) -> TimePlan:
    """The plan of the table ``time``. What it leaves open is the stretch that all files of the
    indices cover, in whole ticks: the first tick is the one in which the last file begins.

    Raises:
        SettingFault: a time is missing that no file gives, or the files have no stretch in common.
        ScenarioError: a file is wrong.
    """
    start_ns, duration_ns, tick_ns = table.start_ns, table.duration_ns, table.tick_ns
    files: list[PriceTable] = []
    if start_ns in _LEFT_OPEN or duration_ns in _LEFT_OPEN:
        sources = [source for index in indices for source in index.sources]
        files = [source_table(source) for source in sources if source.file is not None]
    if not files:
        _check_without_files(start_ns, duration_ns)
        start_ns = YEAR_2025_NS if start_ns is None else start_ns
        return _plan(table, start_ns, duration_ns or 0)
    if start_ns is None or start_ns == OF_FILES:
        first_ns = max(file.times_ns[0] for file in files)
        start_ns = first_ns - first_ns % tick_ns
    if duration_ns is None or duration_ns == OF_FILES:
        end_ns = min(file.end_ns for file in files)
        if end_ns < start_ns:
            spans = ", ".join(map(_span, files))
            problem = f"nothing is left from {utc(start_ns)} on that all files cover: {spans}"
            raise SettingFault("time.start", problem)
        duration_ns = max(1, (end_ns - start_ns) // tick_ns) * tick_ns
    return _plan(table, start_ns, duration_ns)


def _plan(table: TimeTable, start_ns: int, duration_ns: int) -> TimePlan:
    limit = Decimal(table.warm_up_limit)
    if not 0 < limit <= 1:
        raise SettingFault("time.warm_up_limit", f"{limit} must be a share above 0, at most 1")
    return TimePlan(
        start_ns=start_ns,
        warm_up_ns=table.warm_up_ns,
        duration_ns=duration_ns,
        tick_ns=table.tick_ns,
        warm_up_limit_ppb=int(limit * PPB),
        warm_up_breach=table.warm_up_breach,
    )


def _span(file: PriceTable) -> str:
    return f"{file.where} from {utc(file.times_ns[0])} to {utc(file.end_ns)}"


def _check_without_files(start_ns: int | None, duration_ns: int | None) -> None:
    if start_ns == OF_FILES:
        raise SettingFault("time.start", "'file' has no meaning here: no source reads a file")
    if duration_ns == OF_FILES:
        raise SettingFault("time.duration", "'file' has no meaning here: no source reads a file")
    if duration_ns is None:
        raise SettingFault("time.duration", "is missing; it must be given")
