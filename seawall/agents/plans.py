"""Plans of agents as a scenario states them: the keys of its ``[agents.NAME]`` table.

Money is in quote currency, prices and spreads are shares, volatility is per root second. What is
`Money` grows with a coin's calm volume, what is `Volatility` with its calm volatility; the rest is
the same for every coin.
"""

from typing import Annotated

import msgspec

from engine.units import MINUTE_NS, SECOND_NS
from seawall.scaled_fields import Money, Volatility, VolatilitySpan
from seawall.scenario_fields import (
    A_MILLISECOND,
    MILLISECONDS,
    SHARE,
    Count,
    DurationSpan,
    Number,
)


class AgentTable(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What every kind has: the instrument (none: the first) and how many agents there are."""

    instrument: str = ""
    count: Annotated[int, Count(0, 10_000)] = 1


class MarketMakerPlan(AgentTable, frozen=True, kw_only=True, tag="market_maker"):
    """A ladder of quotes on both sides, and the capital behind it.

    ``size`` is the first level's; each further one is ``size_growth`` times larger and
    ``step_growth`` times further away. Half spread = ``half_spread`` + ``spread_per_volatility`` x
    volatility. Sizes are multiplied by the share of capital that is left and divided by
    1 + volatility / ``size_volatility``; what they lost that way returns by the half-life
    ``recovery``. A full inventory moves the ladder by ``lean`` half spreads. Volatility is each
    maker's own estimate, with a half-life out of ``volatility_half_life``. With several
    ``instruments`` the figures are those of each book, and the capital of all is one.
    """

    instruments: list[str] = []
    capital: Annotated[float, Money()]
    leverage: Annotated[int, Count(low=1, high=1000)] = 5
    levels: Annotated[int, Count(low=1, high=50)] = 8
    half_spread: Annotated[float, Volatility(low=1e-6, high=0.5)] = 0.0003
    step_growth: Annotated[float, Number(low=1.01, high=5.0)] = 1.6
    size: Annotated[float, Money()]
    size_growth: Annotated[float, Number(low=0.1, high=5.0)] = 1.3
    refresh_ns: Annotated[int, A_MILLISECOND] = SECOND_NS
    index_weight: Annotated[float, SHARE] = 0.6
    basis_half_life_ns: Annotated[int, A_MILLISECOND] = 60 * SECOND_NS
    usual_volatility: Annotated[float, Volatility(low=1e-7, high=1.0)] = 0.0002
    volatility_half_life_ns: Annotated[tuple[int, int], MILLISECONDS] = (
        20 * SECOND_NS,
        120 * SECOND_NS,
    )
    spread_per_volatility: Annotated[float, Number(high=100.0)] = 1.5
    size_volatility: Annotated[tuple[float, float], VolatilitySpan(low=1e-6)] = (0.0008, 0.0016)
    recovery_ns: Annotated[tuple[int, int], MILLISECONDS] = (
        60 * SECOND_NS,
        600 * SECOND_NS,
    )
    inventory_limit: Annotated[float, Number(low=0.01, high=50.0)] = 2.0
    lean: Annotated[float, Number(high=100.0)] = 5.0


class ArbitrageurPlan(AgentTable, frozen=True, kw_only=True, tag="arbitrageur"):
    """Enters beyond ``entry`` plus what its hedge costs (shares of the index), leaves inside
    ``exit``. Money is in quote currency.

    ``venue_share`` of the capital is at the venue, the rest at a spot venue; what goes from one to
    the other is under way for a time of ``transfer``. A position binds margin at both, by
    ``leverage`` and ``hedge_leverage``, of which at most ``margin_use`` is put to use. The hedge
    costs ``hedge_spread`` and what the spot market moves by it, which trades a ``clip`` within
    ``hedge_time`` where volatility is ``usual_volatility``. Who was liquidated opens nothing for a
    time of ``return_after``.
    """

    capital: Annotated[float, Money()]
    leverage: Annotated[int, Count(low=1, high=1000)] = 3
    venue_share: Annotated[float, Number(low=0.05, high=0.95)] = 0.5
    margin_use: Annotated[float, Number(low=0.01, high=1.0)] = 0.8
    entry: Annotated[tuple[float, float], VolatilitySpan(low=1e-5, high=0.9)] = (0.002, 0.01)
    exit: Annotated[float, Volatility(high=0.9)] = 0.0005
    clip: Annotated[float, Money()]
    hedge_leverage: Annotated[int, Count(low=1, high=1000)] = 3
    hedge_spread: Annotated[float, Volatility(high=0.5)] = 0.0002
    hedge_time_ns: Annotated[int, A_MILLISECOND] = 5 * SECOND_NS
    usual_volatility: Annotated[float, Volatility(low=1e-7, high=1.0)] = 0.0002
    volatility_half_life_ns: Annotated[tuple[int, int], MILLISECONDS] = (
        20 * SECOND_NS,
        90 * SECOND_NS,
    )
    transfer_ns: Annotated[tuple[int, int], DurationSpan()] = (3 * MINUTE_NS, 12 * MINUTE_NS)
    return_after_ns: Annotated[tuple[int, int], DurationSpan()] = (5 * MINUTE_NS, 30 * MINUTE_NS)
    reaction_ns: Annotated[tuple[int, int], MILLISECONDS] = (100_000_000, 2 * SECOND_NS)
    refresh_ns: Annotated[int, A_MILLISECOND] = 2 * SECOND_NS


class NoisePlan(AgentTable, frozen=True, kw_only=True, tag="noise"):
    """Metaorders of Pareto length, cut into pieces of lognormal size that come in bursts; part of
    them rest near the touch.

    ``every`` is the mean time between a trader's pieces, over all traders of the plan: their own
    means are lognormal with ``every_sigma``. A piece brings about ``excitation`` more.
    """

    capital: Annotated[float, Money()]
    leverage: Annotated[int, Count(low=1, high=1000)] = 5
    every_ns: Annotated[int, A_MILLISECOND] = 5 * SECOND_NS
    every_sigma: Annotated[float, Number(high=3.0)] = 1.5
    excitation: Annotated[float, Number(high=0.9)] = 0.8
    burst_half_life_ns: Annotated[int, A_MILLISECOND] = 50_000_000
    pieces: Annotated[int, Count(low=1, high=10_000)] = 15
    pieces_alpha: Annotated[float, Number(low=0.1, high=20.0)] = 1.5
    pieces_max: Annotated[int, Count(low=1, high=1_000_000)] = 1_000
    size: Annotated[float, Money()]
    size_sigma: Annotated[float, Number(high=4.0)] = 1.0
    passive_share: Annotated[float, SHARE] = 0.4
    queue_weight: Annotated[float, SHARE] = 0.65
    lifetime_ns: Annotated[int, A_MILLISECOND] = 60 * SECOND_NS
    slippage: Annotated[float, Volatility(high=0.5)] = 0.003


class MomentumPlan(AgentTable, frozen=True, kw_only=True, tag="momentum"):
    """Follows moves over its own ``window``: with half of what it can where one exceeds one
    standard deviation by ``threshold``, with less the smaller it is and the more of ``loss_limit``
    of its capital it has lost; closes ``hold`` after it followed last."""

    capital: Annotated[float, Money()]
    leverage: Annotated[int, Count(low=1, high=1000)] = 5
    window_ns: Annotated[tuple[int, int], DurationSpan()] = (20 * SECOND_NS, 180 * SECOND_NS)
    threshold: Annotated[tuple[float, float], VolatilitySpan(low=1e-5, high=1.0)] = (0.01, 0.04)
    clip: Annotated[float, Money()]
    exposure_limit: Annotated[float, Number(low=0.01, high=100.0)] = 2.0
    slippage: Annotated[float, Volatility(high=0.9)] = 0.01
    hold_ns: Annotated[tuple[int, int], DurationSpan()] = (120 * SECOND_NS, 900 * SECOND_NS)
    refresh_ns: Annotated[int, A_MILLISECOND] = 3 * SECOND_NS
    loss_limit: Annotated[float, SHARE] = 0.3


class LatentPlan(AgentTable, frozen=True, kw_only=True, tag="latent"):
    """Buying below and selling above the index, ``depth`` within ``distance`` of it on each side,
    growing with the square of the distance until the capital is used up.

    Half of what trades have used up is wanted again after ``refill_half_life``. What the book
    offers on the wrong side is taken from a twentieth of ``depth`` on.
    """

    capital: Annotated[float, Money()]
    leverage: Annotated[int, Count(low=1, high=1000)] = 1
    depth: Annotated[float, Money()]
    distance: Annotated[float, Volatility(low=1e-5, high=0.5)] = 0.01
    refill_half_life_ns: Annotated[tuple[int, int], DurationSpan()] = (
        2 * MINUTE_NS,
        10 * MINUTE_NS,
    )
    refresh_ns: Annotated[int, A_MILLISECOND] = 5 * SECOND_NS


class OutsidePlan(AgentTable, frozen=True, kw_only=True, tag="outside"):
    """An account with money and leverage, for whoever drives it from outside."""

    capital: Annotated[float, Money()]
    leverage: Annotated[int, Count(low=1, high=1000)] = 1
