"""How far a contract left its index in the warm-up, when nothing was to happen yet.

A market that breaks before its scenario begins makes every figure of the run about something else:
accounts are liquidated that the path would have met, and makers are gone. Such a run fails, or says
so. Each trade is held against the index before it.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from engine.events import Trade
from engine.instruments import InstrumentSpec
from engine.units import PPB, from_grid, from_ppb
from seawall.scenario import Scenario
from seawall.scenario_fields import ScenarioError
from seawall.time_plan import FAIL

_SECOND: Final[Decimal] = Decimal("0.001")


class Distance:
    """The trade of a warm-up that was farthest from its index, as a share of it."""

    __slots__ = ("index_ticks", "price_ticks", "time_ns")

    def __init__(self, time_ns: int, price_ticks: int, index_ticks: int) -> None:
        self.time_ns = time_ns
        self.price_ticks = price_ticks
        self.index_ticks = index_ticks

    @property
    def basis(self) -> float:
        """The price over the index, less one."""
        return self.price_ticks / self.index_ticks - 1

    def beyond(self, other: "Distance") -> bool:
        """Whether it is farther than another."""
        own = abs(self.price_ticks - self.index_ticks) * other.index_ticks
        return own > abs(other.price_ticks - other.index_ticks) * self.index_ticks

    def beyond_ppb(self, limit_ppb: int) -> bool:
        """Whether it is farther than a share of the index, in parts per billion."""
        return abs(self.price_ticks - self.index_ticks) * PPB > limit_ppb * self.index_ticks

    def row(self) -> list[int]:
        """Its fields, to save them."""
        return [self.time_ns, self.price_ticks, self.index_ticks]


class WarmUp:
    """Hears the trades of a run's warm-up."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self._file = scenario.file
        self._seed = seed
        self._time = scenario.time
        self._specs = {spec.instrument_id: spec for spec in scenario.instruments.values()}
        self._worst: dict[int, Distance] = {}

    def trade(self, event: Trade, index_ticks: int) -> None:
        """A trade, and the index before it (0: none yet)."""
        if event.time_ns >= self._time.start_ns or not index_ticks:
            return
        distance = Distance(event.time_ns, event.price_ticks, index_ticks)
        worst = self._worst.get(event.instrument_id)
        if worst is None or distance.beyond(worst):
            self._worst[event.instrument_id] = distance

    def check(self, causes: Sequence[str] = ()) -> None:
        """Every contract stayed within the limit, or may leave it; ``causes`` are what may have
        made it leave.

        Raises:
            ScenarioError: one did not; with the trade, and how to let such a run go on.
        """
        if self._time.warm_up_breach != FAIL:
            return
        for text in self.warnings():
            raise ScenarioError(
                f"{self._file}: {text}; the run ends, for what follows would not be the "
                'scenario\'s. time.warm_up_breach = "warn" lets it go on'
                + "".join(f"; {cause}" for cause in causes)
            )

    def warnings(self) -> list[str]:
        """Contracts that left the limit."""
        limit_ppb = self._time.warm_up_limit_ppb
        return [
            self._words(self._specs[instrument_id], worst)
            for instrument_id, worst in sorted(self._worst.items())
            if worst.beyond_ppb(limit_ppb)
        ]

    def _words(self, spec: InstrumentSpec, worst: Distance) -> str:
        since_ns = worst.time_ns - self._time.begin_ns
        price, index = (
            from_grid(ticks, spec.tick_size) for ticks in (worst.price_ticks, worst.index_ticks)
        )
        limit = from_ppb(self._time.warm_up_limit_ppb * 100)
        return (
            f"seed {self._seed}: {spec.symbol} traded at {price} at an index of {index} "
            f"({worst.basis:+.2%}) {from_grid(since_ns // 1_000_000, _SECOND)} s into the warm-up; "
            f"time.warm_up_limit allows {limit} %"
        )

    def summary(self) -> dict[str, Any]:
        """The block of ``summary.json``; no basis without a trade."""
        contracts = [
            {"symbol": spec.symbol, "worst_basis": self._basis(instrument_id)}
            for instrument_id, spec in self._specs.items()
        ]
        limit = from_ppb(self._time.warm_up_limit_ppb)
        return {"limit": limit, "kept": not self.warnings(), "contracts": contracts}

    def _basis(self, instrument_id: int) -> float | None:
        worst = self._worst.get(instrument_id)
        return None if worst is None else worst.basis

    def state(self) -> list[list[int]]:
        """The farthest trades so far."""
        return [[instrument_id, *worst.row()] for instrument_id, worst in self._worst.items()]

    def restore(self, state: list[list[int]]) -> None:
        """Take over what `state` returned."""
        self._worst = {row[0]: Distance(*row[1:]) for row in state}


def warm_up_figures(summary: dict[str, Any]) -> dict[str, float | None]:
    """``basis_warm_up`` of each contract in `WarmUp.summary`, those after the first with
    ``.SYMBOL``."""
    bases = [(row["symbol"], row["worst_basis"]) for row in summary["contracts"]]
    return {
        f"basis_warm_up.{symbol}" if place else "basis_warm_up": basis
        for place, (symbol, basis) in enumerate(bases)
    }
