"""An initial margin rate that rises with the contract's open interest (dYdX)."""

from decimal import Decimal
from typing import Final

from engine.instruments import MarginTier
from engine.units import PPB
from risk.margin.family import MARGIN_FAMILIES, MarginFamily, check_not_above
from risk.margin.model import MarginModel
from risk.margin.open_interest import OpenInterestMeter, OpenInterestRules
from risk.margin.rate_meter import RateMeter
from risk.margin.tier_rows import TierRow
from risk.margin.two_rates import TwoRatesMargin
from risk.registry import AMOUNT, DURATION, RATE, Figure


class OpenInterestMargin(TwoRatesMargin):
    """An initial rate that the contract's `OpenInterestMeter` renews, and a maintenance rate that
    stands still. The model itself never changes: a new rate is another model (`at_rate`).

    The largest leverage is ``1 / initial``, rounded up: the rate asks for no less margin anyway.
    Source: dYdX v4-chain, perpetuals ``liquidity_tier``.

    Raises:
        ValueError: maintenance is not positive or not strictly below the lowest initial rate.
    """

    __slots__ = ("_rules",)

    def __init__(self, rules: OpenInterestRules, maintenance_ppb: int, rate_ppb: int) -> None:
        if not 0 < maintenance_ppb < rules.initial_ppb:
            raise ValueError(
                f"by_open_interest: maintenance_ppb {maintenance_ppb} must be positive and "
                f"strictly below initial_ppb {rules.initial_ppb}"
            )
        super().__init__(rate_ppb, maintenance_ppb, -(-PPB // rules.initial_ppb))
        self._rules: Final[OpenInterestRules] = rules

    def new_meter(self) -> RateMeter | None:
        """A meter at the rate it starts with."""
        return OpenInterestMeter(self._rules)

    def at_rate(self, rate_ppb: int) -> MarginModel:
        """The model while this initial rate is in force."""
        return OpenInterestMargin(self._rules, self._maintenance_ppb, rate_ppb)


class ByOpenInterest(MarginFamily):
    """Two rates, the open interest between which the first one rises, and how often it may."""

    __slots__ = ()

    def check(self, figures: dict[str, Decimal], rows: list[TierRow]) -> None:
        """Maintenance is below initial margin at every open interest; the caps lie in order."""
        check_not_above(figures, "maintenance", "initial", strictly=True)
        check_not_above(figures, "lower_cap", "upper_cap", strictly=False)

    def build(self, values: list[int], tiers: list[MarginTier]) -> MarginModel:
        """The model at the rate the meter starts with."""
        initial_ppb, maintenance_ppb, lower_cap_q, upper_cap_q, interval_ns = values
        rules = OpenInterestRules(initial_ppb, lower_cap_q, upper_cap_q, interval_ns)
        return OpenInterestMargin(rules, maintenance_ppb, initial_ppb)


MARGIN_FAMILIES.add(
    ByOpenInterest(
        "by_open_interest",
        (
            Figure("initial", RATE, above="0", most="1"),
            Figure("maintenance", RATE, above="0", below="1"),
            Figure("lower_cap", AMOUNT, least="0"),
            Figure("upper_cap", AMOUNT, least="0"),
            Figure("interval_s", DURATION, above="0", most="86400"),
        ),
    )
)
