"""The prints of one index or price, one after the other."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

from engine.commands import AssetPrice, IndexPrice
from risk.collateral import MAX_PRICE_PPB
from seawall.actions import Action
from seawall.index_path import IndexTick, Look, index_path
from seawall.scenario import Scenario
from seawall.simulating.forced_sales import ForcedSales

PRINT: Final[str] = "print"

PRICE_STEP: Final[Decimal] = Decimal("1e-9")
"""The step of an asset's price: a part per billion of a whole unit."""


class IndexStream:
    """The prints of an instrument's index or an asset's price, with the first one known in advance
    to size accounts by. ``kind`` is the command they are sent as, `point` the one taken last and
    `place` how many were taken; ``forced`` is what of the contract's forced trades it feels."""

    __slots__ = ("_first", "_points", "first_ticks", "forced", "kind", "name", "place", "point")

    def __init__(
        self,
        name: str,
        kind: type[IndexPrice] | type[AssetPrice],
        points: Iterator[IndexTick],
        forced: ForcedSales | None = None,
    ) -> None:
        self.name = name
        self.forced = forced
        self.kind = kind
        self.place = 0
        self.point: IndexTick | None = None
        self._points = points
        self._first: IndexTick | None = next(points)
        self.first_ticks = self._first.price_ticks

    def take(self) -> IndexTick | None:
        """The next print, None after the last."""
        self.place += 1
        if self._first is not None:
            self.point, self._first = self._first, None
        else:
            self.point = next(self._points, None)
        return self.point

    def skip_to(self, place: int) -> None:
        """Go on behind so many prints."""
        while self.place < place:
            self.take()


class Print(Action):
    """A print that is to be sent at its time."""

    __slots__ = ("_send", "point", "stream")

    def __init__(
        self, stream: IndexStream, point: IndexTick, send: Callable[["Print"], None]
    ) -> None:
        self.stream = stream
        self.point = point
        self._send = send

    def __call__(self) -> None:
        """Send it, and have the next one sent."""
        self._send(self)

    def row(self) -> list[Any]:
        """The command it is sent as, and of which index or price it is."""
        return [PRINT, self.stream.kind.__name__, self.stream.name]

    def command(self) -> IndexPrice | AssetPrice:
        """The command it is sent as, with what the index feels by then; to be asked for once."""
        point = self.point
        forced = self.stream.forced
        ticks = point.price_ticks if forced is None else forced.felt(point)
        return self.stream.kind(point.time_ns, point.subject_id, point.source_id, ticks)


def index_streams(scenario: Scenario, seed: int, look: Look) -> dict[str, IndexStream]:
    """The index of every instrument, by its name; ``look`` is shown what was read of each file.

    Raises:
        ScenarioError: an index file is wrong.
    """
    streams: dict[str, IndexStream] = {}
    for name, spec in scenario.instruments.items():
        plan = scenario.indices[name]
        points = index_path(
            plan, spec.instrument_id, spec.tick_size, scenario.time, seed, look=look
        )
        forced = (
            None
            if plan.forced is None
            else ForcedSales(plan.forced, spec.instrument_id, plan.max_step)
        )
        streams[name] = IndexStream(name, IndexPrice, points, forced)
    return streams


def price_streams(scenario: Scenario, seed: int, look: Look) -> dict[str, IndexStream]:
    """The price of every collateral asset that has one, as `index_streams`."""
    streams: dict[str, IndexStream] = {}
    for name, plan in scenario.asset_prices.items():
        asset_id = scenario.assets[name].asset_id
        points = index_path(
            plan, asset_id, PRICE_STEP, scenario.time, seed, "asset price", look, MAX_PRICE_PPB
        )
        streams[name] = IndexStream(name, AssetPrice, points)
    return streams
