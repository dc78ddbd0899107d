"""One rate at every size."""

from decimal import Decimal

from engine.commands import MAX_AMOUNT_Q
from engine.instruments import MarginTier
from risk.margin.family import LEVERAGE, MARGIN_FAMILIES, MarginFamily, check_below_initial
from risk.margin.model import MarginModel
from risk.margin.models.brackets import BracketMargin
from risk.margin.tier_rows import TierRow
from risk.registry import RATE, Figure


class Flat(MarginFamily):
    """One bracket without end."""

    __slots__ = ()

    def check(self, figures: dict[str, Decimal], rows: list[TierRow]) -> None:
        """Maintenance is strictly below initial margin at the largest leverage."""
        check_below_initial("maintenance", figures["maintenance"], int(figures["max_leverage"]))

    def build(self, values: list[int], tiers: list[MarginTier]) -> MarginModel:
        """A table of one tier."""
        rate_ppb, leverage = values
        return BracketMargin([MarginTier(0, MAX_AMOUNT_Q, rate_ppb, leverage, 0)])


MARGIN_FAMILIES.add(Flat("flat", (Figure("maintenance", RATE, above="0", below="1"), LEVERAGE)))
