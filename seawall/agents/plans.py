"""Plans of agents as a scenario states them: the keys of its ``[agents.NAME]`` table.

Money is in quote currency, prices and spreads are shares, volatility is per root second.
"""

import msgspec

from seawall.scenario_fields import Fields


class MarketMakerPlan(msgspec.Struct, frozen=True):
    """Spreads and prices as shares, money in quote currency, volatility per root second.

    ``size`` is the first level's; each further one is ``size_growth`` times larger and
    ``step_growth`` times further away. Half spread = ``half_spread`` + ``spread_per_volatility`` x
    volatility. Sizes are divided by 1 + volatility / ``size_volatility``.
    """

    capital: float
    leverage: int
    levels: int
    half_spread: float
    step_growth: float
    size: float
    size_growth: float
    refresh_ns: int
    index_weight: float
    basis_half_life_ns: int
    spread_per_volatility: float
    size_volatility: float
    withdraw_volatility: tuple[float, float]
    return_after_ns: tuple[int, int]
    inventory_limit: float
    loss_limit: float

    @staticmethod
    def read(fields: Fields) -> "MarketMakerPlan":
        """The maker's keys of an ``[agents.NAME]`` table."""
        return MarketMakerPlan(
            capital=fields.number("capital"),
            leverage=fields.integer("leverage", 5, low=1, high=1000),
            levels=fields.integer("levels", 8, low=1, high=50),
            half_spread=fields.number("half_spread", 0.0003, low=1e-6, high=0.5),
            step_growth=fields.number("step_growth", 1.6, low=1.01, high=5.0),
            size=fields.number("size"),
            size_growth=fields.number("size_growth", 1.3, low=0.1, high=5.0),
            refresh_ns=fields.duration("refresh", "1s", low_ns=1_000_000),
            index_weight=fields.share("index_weight", 0.6),
            basis_half_life_ns=fields.duration("basis_half_life", "60s", low_ns=1_000_000),
            spread_per_volatility=fields.number("spread_per_volatility", 1.5, high=100.0),
            size_volatility=fields.number("size_volatility", 0.001, low=1e-6),
            withdraw_volatility=fields.span("withdraw_volatility", (0.002, 0.005), low=1e-6),
            return_after_ns=fields.duration_span("return_after", ("30s", "180s")),
            inventory_limit=fields.number("inventory_limit", 2.0, low=0.01, high=50.0),
            loss_limit=fields.share("loss_limit", 0.4),
        )


class ArbitrageurPlan(msgspec.Struct, frozen=True):
    """Enters beyond ``entry`` plus ``caution`` x volatility (shares of the index), leaves inside
    ``exit``. Money is in quote currency."""

    capital: float
    leverage: int
    entry: tuple[float, float]
    exit: float
    clip: float
    exposure_limit: float
    reaction_ns: tuple[int, int]
    refresh_ns: int
    caution: tuple[float, float]

    @staticmethod
    def read(fields: Fields) -> "ArbitrageurPlan":
        """The arbitrageur's keys of an ``[agents.NAME]`` table."""
        return ArbitrageurPlan(
            capital=fields.number("capital"),
            leverage=fields.integer("leverage", 3, low=1, high=1000),
            entry=fields.span("entry", (0.002, 0.01), low=1e-5, high=0.9),
            exit=fields.number("exit", 0.0005, high=0.9),
            clip=fields.number("clip"),
            exposure_limit=fields.number("exposure_limit", 2.0, low=0.01, high=100.0),
            reaction_ns=fields.duration_span("reaction", ("100ms", "2s")),
            refresh_ns=fields.duration("refresh", "2s", low_ns=1_000_000),
            caution=fields.span("caution", (5.0, 20.0), high=1000.0),
        )


class NoisePlan(msgspec.Struct, frozen=True):
    """Orders at Poisson times with lognormal sizes; part of them rest near the touch."""

    capital: float
    leverage: int
    every_ns: int
    size: float
    size_sigma: float
    passive_share: float
    lifetime_ns: int
    slippage: float

    @staticmethod
    def read(fields: Fields) -> "NoisePlan":
        """The noise trader's keys of an ``[agents.NAME]`` table."""
        return NoisePlan(
            capital=fields.number("capital"),
            leverage=fields.integer("leverage", 5, low=1, high=1000),
            every_ns=fields.duration("every", "5s", low_ns=1_000_000),
            size=fields.number("size"),
            size_sigma=fields.number("size_sigma", 1.0, high=4.0),
            passive_share=fields.share("passive_share", 0.4),
            lifetime_ns=fields.duration("lifetime", "60s", low_ns=1_000_000),
            slippage=fields.number("slippage", 0.003, high=0.5),
        )


class MomentumPlan(msgspec.Struct, frozen=True):
    """Follows moves that exceed one standard deviation by ``threshold`` over its own ``window``;
    closes after ``hold``, and only closes once it has lost ``loss_limit`` of its capital."""

    capital: float
    leverage: int
    window_ns: tuple[int, int]
    threshold: tuple[float, float]
    clip: float
    exposure_limit: float
    slippage: float
    hold_ns: tuple[int, int]
    refresh_ns: int
    loss_limit: float

    @staticmethod
    def read(fields: Fields) -> "MomentumPlan":
        """The momentum trader's keys of an ``[agents.NAME]`` table."""
        return MomentumPlan(
            capital=fields.number("capital"),
            leverage=fields.integer("leverage", 5, low=1, high=1000),
            window_ns=fields.duration_span("window", ("20s", "180s")),
            threshold=fields.span("threshold", (0.01, 0.04), low=1e-5, high=1.0),
            clip=fields.number("clip"),
            exposure_limit=fields.number("exposure_limit", 2.0, low=0.01, high=100.0),
            slippage=fields.number("slippage", 0.01, high=0.9),
            hold_ns=fields.duration_span("hold", ("120s", "900s")),
            refresh_ns=fields.duration("refresh", "3s", low_ns=1_000_000),
            loss_limit=fields.share("loss_limit", 0.3),
        )


class DipBuyerPlan(msgspec.Struct, frozen=True):
    """Resting bids far below the long-run price, and the sale of what they bought.

    Bids start at a depth drawn from ``depth`` and spread over ``rungs`` down to twice that depth;
    the anchor is a slow average of the index. Bought lots are offered at ``target`` above cost.
    """

    capital: float
    leverage: int
    depth: tuple[float, float]
    rungs: int
    budget: float
    anchor_half_life_ns: int
    target: tuple[float, float]
    refresh_ns: int

    @staticmethod
    def read(fields: Fields) -> "DipBuyerPlan":
        """The dip buyer's keys of an ``[agents.NAME]`` table."""
        return DipBuyerPlan(
            capital=fields.number("capital"),
            leverage=fields.integer("leverage", 1, low=1, high=1000),
            depth=fields.span("depth", (0.05, 0.4), low=0.001, high=0.95),
            rungs=fields.integer("rungs", 6, low=1, high=50),
            budget=fields.share("budget", 0.8),
            anchor_half_life_ns=fields.duration("anchor_half_life", "30m", low_ns=1_000_000),
            target=fields.span("target", (0.05, 0.3), low=0.001, high=10.0),
            refresh_ns=fields.duration("refresh", "30s", low_ns=1_000_000),
        )
