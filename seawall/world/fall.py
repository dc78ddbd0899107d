"""When an index falls: the steepest way down of its path, known beforehand."""

from typing import NamedTuple

from seawall.index_path import index_path
from seawall.scenario import Scenario


class Fall(NamedTuple):
    """From the highest price before to the lowest after it; ``share`` of the higher one is lost."""

    from_ns: int
    to_ns: int
    share: float


def falls(scenario: Scenario, seed: int) -> dict[str, Fall]:
    """The largest fall of each index after the warm-up, by instrument; of its first source.

    Raises:
        ScenarioError: an index file is wrong.
    """
    found: dict[str, Fall] = {}
    for name, spec in scenario.instruments.items():
        plan = scenario.indices[name]
        first = plan.sources[0].source_id
        points = [
            (point.time_ns, point.price_ticks)
            for point in index_path(plan, spec.instrument_id, spec.tick_size, scenario.time, seed)
            if point.source_id == first and point.time_ns >= scenario.time.start_ns
        ]
        found[name] = _largest(points)
    return found


def _largest(points: list[tuple[int, int]]) -> Fall:
    top_ns, top_ticks = points[0]
    largest = Fall(top_ns, top_ns, 0.0)
    for time_ns, ticks in points:
        if ticks >= top_ticks:
            top_ns, top_ticks = time_ns, ticks
        share = 1.0 - ticks / top_ticks
        if share > largest.share:
            largest = Fall(top_ns, time_ns, share)
    return largest
