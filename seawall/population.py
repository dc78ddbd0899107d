"""The population of margined accounts as a scenario describes it: groups of traders.

Wealth is in the quote currency, so one description serves linear and inverse contracts. Who the
traders of a group are is drawn in `seawall.profiles`.
"""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec.structs import replace

from engine.setting_units import OneOf
from engine.settings import NO_KEY, SettingFault, choice
from engine.units import SECOND_NS
from seawall.order_flags import TRIGGER_BY
from seawall.scaled_fields import Money, MoneySpan
from seawall.scenario_fields import (
    SHARE,
    Count,
    DurationSpan,
    Filled,
    Number,
    Span,
    Weights,
)

ADD: Final[str] = "add"
CUT: Final[str] = "cut"
BOTH: Final[str] = "both"
IGNORE: Final[str] = "ignore"
TOO_LATE: Final[str] = "too_late"
CALL_ANSWERS: Final[tuple[str, ...]] = (ADD, CUT, BOTH, IGNORE, TOO_LATE)

MAX_LEVERAGE: Final[int] = 1_000
_MAX_ACCOUNTS: Final[int] = 1_000_000


class Wealth(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """Wealth in quote currency between two bounds."""

    bounds: Annotated[tuple[float, float], MoneySpan(0.01)] = (100.0, 1e6)


class LognormalWealth(Wealth, frozen=True, kw_only=True, tag="lognormal"):
    """Lognormal; ``sigma`` is of the logarithm."""

    median: Annotated[float, Money(0.01)]
    sigma: Annotated[float, Number(high=5.0)] = 1.0


class ParetoWealth(Wealth, frozen=True, kw_only=True, tag="pareto"):
    """Pareto above the lower bound."""

    alpha: Annotated[float, Number(0.1, 20.0)] = 1.5


def _leverage(name: str) -> int | None:
    return int(name) if name.isdigit() and 1 <= int(name) <= MAX_LEVERAGE else None


LEVERAGES: Final[Weights] = Weights(
    f"a whole leverage from 1 to {MAX_LEVERAGE}, as in {{ 5 = 0.6, 20 = 0.4 }}", _leverage
)
ANSWERS: Final[Weights] = Weights(
    f"one of {', '.join(CALL_ANSWERS)}", lambda name: name if name in CALL_ANSWERS else None
)
CONTRACTS: Final[Weights] = Weights("the name of an instrument", lambda name: name or None)
USUAL_ANSWERS: Final[dict[str, float]] = {ADD: 0.2, CUT: 0.2, BOTH: 0.1, IGNORE: 0.3, TOO_LATE: 0.2}


class PopulationPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One group of traders as a scenario describes it; weights sum to one. Each trades all of
    ``instruments``, or the one ``instrument``. ``collateral_share`` of the wealth is held in the
    asset ``collateral`` (its name in the file; "": in the settlement asset)."""

    name: Annotated[str, NO_KEY] = ""
    instrument: Annotated[str, Filled()] = ""
    instruments: Annotated[tuple[tuple[str, float], ...], CONTRACTS] = ()
    accounts: Annotated[int, Count(0, _MAX_ACCOUNTS)]
    wealth: LognormalWealth | ParetoWealth
    leverage: Annotated[tuple[tuple[int, float], ...], LEVERAGES] = ((5, 1.0),)
    long_share: Annotated[float, SHARE] = 0.5
    isolated_share: Annotated[float, SHARE] = 0.0
    utilisation: Annotated[tuple[float, float], Span(0.01, 0.98)] = (0.3, 0.9)
    reserve: Annotated[tuple[float, float], Span(high=100.0)] = (0.0, 0.5)
    on_call: Annotated[tuple[tuple[str, float], ...], ANSWERS] = ANSWERS.read(USUAL_ANSWERS, "")
    reaction_ns: Annotated[tuple[int, int], DurationSpan()] = (5 * SECOND_NS, 60 * SECOND_NS)
    stop_share: Annotated[float, SHARE] = 0.0
    stop_distance: Annotated[tuple[float, float], Span(0.001, 0.95)] = (0.03, 0.15)
    stop_by: Annotated[str, OneOf(*(word.lower() for word in TRIGGER_BY))] = "last"
    passive_share: Annotated[float, SHARE] = 0.0
    clip: Annotated[float, Money(1.0)] = 50_000.0
    collateral: Annotated[str, Filled()] = ""
    collateral_share: Annotated[float, SHARE] = 1.0


def population_plan(
    name: str,
    table: PopulationPlan,
    settles: Mapping[str, str],
    collateral: Mapping[str, list[str]],
) -> PopulationPlan:
    """The plan of a ``[population.NAME]`` table; ``settles`` has the asset each instrument settles
    in, ``collateral`` the names of the assets that count for it.

    Raises:
        SettingFault: there is no such instrument, those there are do not share an account, or the
            collateral does not count for them.
    """
    place = f"population.{name}"
    shares = _instruments(place, table, settles)
    instrument = shares[0][0]
    asset, counted = table.collateral, collateral[instrument]
    if asset and asset not in counted:
        allowed = ", ".join(counted) or "none: the rulebook has no [[collateral]] for its asset"
        raise SettingFault(
            f"{place}.collateral",
            f"{asset!r} does not count for {instrument!r}; assets that do: {allowed}",
        )
    if asset and table.isolated_share:
        raise SettingFault(
            f"{place}.isolated_share",
            f"{table.isolated_share} must be 0 with collateral {asset!r}: isolated positions take "
            "margin in the settlement asset only",
        )
    share = table.collateral_share if asset else 0.0
    return replace(
        table, name=name, instrument=instrument, instruments=shares, collateral_share=share
    )


def _instruments(
    place: str, table: PopulationPlan, settles: Mapping[str, str]
) -> tuple[tuple[str, float], ...]:
    """The contracts of a group and the share of the position value in each."""
    if not table.instruments:
        instrument = table.instrument or next(iter(settles))
        choice(f"{place}.instrument", instrument, settles)
        return ((instrument, 1.0),)
    if table.instrument:
        raise SettingFault(
            f"{place}.instruments", "has no effect beside instrument; give one of the two"
        )
    for name, _ in table.instruments:
        choice(f"{place}.instruments", name, settles)
    shares = tuple((name, share) for name, share in table.instruments if share > 0)
    if len({settles[name] for name, _ in shares}) > 1:
        listed = ", ".join(f"{name} in {settles[name]}" for name, _ in shares)
        raise SettingFault(
            f"{place}.instruments",
            f"settle in several assets ({listed}); a cross account has one settlement asset",
        )
    if len(shares) > 1 and table.isolated_share:
        raise SettingFault(
            f"{place}.isolated_share",
            f"{table.isolated_share} must be 0 with several instruments: an isolated position "
            "shares its margin with no other",
        )
    return shares
