"""A margin rate that follows the volatility of the index, as clearing houses set it."""

from decimal import Decimal
from typing import Final

from engine.instruments import MarginTier
from engine.settings import SettingFault
from engine.units import PPB
from risk.margin.family import LEVERAGE, MARGIN_FAMILIES, MarginFamily
from risk.margin.model import MarginModel
from risk.margin.rate_meter import RateMeter
from risk.margin.tier_rows import TierRow
from risk.margin.two_rates import TwoRatesMargin
from risk.margin.volatility import VolatilityMeter, VolatilityRules
from risk.registry import DURATION, RATE, Figure


class VolatilityMargin(TwoRatesMargin):
    """An initial rate that the contract's `VolatilityMeter` renews; maintenance is a share of it,
    rounded up. The model itself never changes: a new rate is another model (`at_rate`).

    Source of the tools: EMIR RTS 153/2013, article 28; Bank of England FS paper 29.
    """

    __slots__ = ("_rules", "_share_ppb")

    def __init__(
        self, rules: VolatilityRules, share_ppb: int, largest_leverage: int, initial_ppb: int
    ) -> None:
        super().__init__(initial_ppb, -(-initial_ppb * share_ppb // PPB), largest_leverage)
        self._rules: Final[VolatilityRules] = rules
        self._share_ppb: Final[int] = share_ppb

    def new_meter(self) -> RateMeter | None:
        """A meter at the rate it starts with."""
        return VolatilityMeter(self._rules)

    def at_rate(self, rate_ppb: int) -> MarginModel:
        """The model while this rate is in force."""
        return VolatilityMargin(self._rules, self._share_ppb, self._largest_leverage, rate_ppb)


class ByVolatility(MarginFamily):
    """The figures of the meter, the share of the rate that is maintenance, and a leverage."""

    __slots__ = ()

    def check(self, figures: dict[str, Decimal], rows: list[TierRow]) -> None:
        """The bounds of the rate lie in order, and the buffer ends within them."""
        floor, ceiling, until = (figures[key] for key in ("floor", "ceiling", "buffer_until"))
        if floor > ceiling:
            raise SettingFault("floor", f"{floor} must be at most ceiling {ceiling}")
        if figures["buffer"] and not floor <= until <= ceiling:
            raise SettingFault(
                "buffer_until", f"{until} must lie between floor {floor} and ceiling {ceiling}"
            )

    def build(self, values: list[int], tiers: list[MarginTier]) -> MarginModel:
        """The model at the rate the meter starts with."""
        *of_meter, share_ppb, leverage = values
        rules = VolatilityRules(*of_meter)
        return VolatilityMargin(rules, share_ppb, leverage, VolatilityMeter(rules).rate_ppb)


MARGIN_FAMILIES.add(
    ByVolatility(
        "by_volatility",
        (
            Figure("interval_s", DURATION, above="0", most="86400"),
            Figure("decay", RATE, above="0", below="1"),
            Figure("multiplier", RATE, above="0", most="1000"),
            Figure("start", RATE, above="0", below="1"),
            Figure("floor", RATE, least="0", below="1"),
            Figure("ceiling", RATE, above="0", most="1"),
            Figure("buffer", RATE, least="0", most="1"),
            Figure("buffer_until", RATE, least="0", most="1"),
            Figure("stressed", RATE, least="0", below="1"),
            Figure("stressed_weight", RATE, least="0", most="1"),
            Figure("rise_limit", RATE, least="0", most="1000"),
            Figure("maintenance_of_initial", RATE, above="0", below="1"),
            LEVERAGE,
        ),
    )
)
