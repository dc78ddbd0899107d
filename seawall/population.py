"""The population of margined accounts as a scenario describes it: groups of traders.

Wealth is in the quote currency, so one description serves linear and inverse contracts. Who the
traders of a group are is drawn in `seawall.profiles`.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from seawall.scenario_fields import Fields

ADD: Final[str] = "add"
CUT: Final[str] = "cut"
BOTH: Final[str] = "both"
IGNORE: Final[str] = "ignore"
TOO_LATE: Final[str] = "too_late"
CALL_ANSWERS: Final[tuple[str, ...]] = (ADD, CUT, BOTH, IGNORE, TOO_LATE)

LOGNORMAL: Final[str] = "lognormal"
PARETO: Final[str] = "pareto"

MAX_LEVERAGE: Final[int] = 1_000
_MAX_ACCOUNTS: Final[int] = 1_000_000


class WealthPlan(msgspec.Struct, frozen=True):
    """Wealth in quote currency: lognormal (``median``, ``sigma``) or Pareto (``alpha`` above
    ``low``), both bounded to ``low..high``."""

    kind: str
    low: float
    high: float
    median: float = 0.0
    sigma: float = 0.0
    alpha: float = 0.0


class PopulationPlan(msgspec.Struct, frozen=True):
    """One group of traders as a scenario describes it; weights sum to one. ``collateral_share`` of
    the wealth is held in the asset ``collateral`` (its name in the file; "": in the settlement
    asset)."""

    name: str
    instrument: str
    accounts: int
    wealth: WealthPlan
    leverage: tuple[tuple[int, float], ...]
    long_share: float
    isolated_share: float
    utilisation: tuple[float, float]
    reserve: tuple[float, float]
    on_call: tuple[tuple[str, float], ...]
    reaction_ns: tuple[int, int]
    stop_share: float
    stop_distance: tuple[float, float]
    passive_share: float
    clip: float
    collateral: str = ""
    collateral_share: float = 0.0


def read_population_plan(
    name: str, fields: Fields, instruments: list[str], collateral: Mapping[str, list[str]]
) -> PopulationPlan:
    """The ``[population.NAME]`` table of a scenario; ``collateral`` has the names of the assets
    that count for each instrument.

    Raises:
        ScenarioError: a field is wrong or unknown.
    """
    instrument = fields.choice("instrument", instruments, instruments[0])
    asset, share = _read_collateral(fields, instrument, collateral[instrument])
    plan = PopulationPlan(
        name=name,
        instrument=instrument,
        accounts=fields.integer("accounts", low=0, high=_MAX_ACCOUNTS),
        wealth=_read_wealth(fields.table("wealth")),
        leverage=_read_leverage(fields),
        long_share=fields.share("long_share", 0.5),
        isolated_share=fields.share("isolated_share", 0.0),
        utilisation=fields.span("utilisation", (0.3, 0.9), low=0.01, high=0.98),
        reserve=fields.span("reserve", (0.0, 0.5), high=100.0),
        on_call=_read_answers(fields),
        reaction_ns=fields.duration_span("reaction", ("5s", "60s")),
        stop_share=fields.share("stop_share", 0.0),
        stop_distance=fields.span("stop_distance", (0.03, 0.15), low=0.001, high=0.95),
        passive_share=fields.share("passive_share", 0.0),
        clip=fields.number("clip", 50_000.0, low=1.0),
        collateral=asset,
        collateral_share=share,
    )
    if asset and plan.isolated_share:
        raise fields.fail(
            "isolated_share",
            f"{plan.isolated_share} must be 0 with collateral {asset!r}: isolated positions take "
            "margin in the settlement asset only",
        )
    fields.close()
    return plan


def _read_collateral(fields: Fields, instrument: str, counted: list[str]) -> tuple[str, float]:
    """The asset wealth is held in and the share of it that is."""
    asset = fields.text("collateral", "")
    share = fields.share("collateral_share", 1.0)
    if asset and asset not in counted:
        allowed = ", ".join(counted) or "none: the rulebook has no [[collateral]] for its asset"
        raise fields.fail(
            "collateral", f"{asset!r} does not count for {instrument!r}; assets that do: {allowed}"
        )
    return asset, share if asset else 0.0


def _read_wealth(fields: Fields) -> WealthPlan:
    kind = fields.choice("kind", (LOGNORMAL, PARETO))
    low, high = fields.span("bounds", (100.0, 1e6), low=0.01)
    if kind == LOGNORMAL:
        median = fields.number("median", low=0.01)
        plan = WealthPlan(
            kind, low, high, median=median, sigma=fields.number("sigma", 1.0, high=5.0)
        )
    else:
        plan = WealthPlan(kind, low, high, alpha=fields.number("alpha", 1.5, low=0.1, high=20.0))
    fields.close()
    return plan


def _read_leverage(fields: Fields) -> tuple[tuple[int, float], ...]:
    weights = fields.weights("leverage", {"5": 1.0})
    for name in weights:
        if not name.isdigit() or not 1 <= int(name) <= MAX_LEVERAGE:
            raise fields.fail(
                f"leverage.{name}",
                f"{name!r} must be a whole leverage from 1 to {MAX_LEVERAGE}, as in "
                "{ 5 = 0.6, 20 = 0.4 }",
            )
    return tuple((int(name), weight) for name, weight in weights.items())


def _read_answers(fields: Fields) -> tuple[tuple[str, float], ...]:
    weights = fields.weights("on_call", {ADD: 0.2, CUT: 0.2, BOTH: 0.1, IGNORE: 0.3, TOO_LATE: 0.2})
    for name in weights:
        if name not in CALL_ANSWERS:
            raise fields.fail(
                f"on_call.{name}", f"{name!r} must be one of {', '.join(CALL_ANSWERS)}"
            )
    return tuple(weights.items())
