"""What a margin model says of itself, and the way from its name and figures to the model.

Each model is one file in ``risk/margin/models``. Its figures arrive in two forms: as decimals in a
rulebook (`risk.rules.margin_table`) and as integers in a specification, as it travels in messages.
"""

from decimal import Decimal
from typing import Final

from engine.instruments import MarginSpec, MarginTier
from engine.native import mypyc_attr
from engine.settings import SettingFault
from risk.margin.model import MarginModel
from risk.margin.tier_rows import TierRow
from risk.registry import COUNT, Figure, Mechanism, Registry, check_names

LEVERAGE: Final[Figure] = Figure("max_leverage", COUNT, least="1", most="1000")


@mypyc_attr(allow_interpreted_subclasses=True)
class MarginFamily(Mechanism):
    """A margin model by name. ``tiered`` models have a table of tiers beside their figures."""

    __slots__ = ("tiered",)

    def __init__(self, name: str, figures: tuple[Figure, ...] = (), tiered: bool = False) -> None:
        super().__init__(name, figures)
        self.tiered: Final[bool] = tiered

    def check(self, figures: dict[str, Decimal], rows: list[TierRow]) -> None:
        """Refuse figures that do not go together; each alone is within its range already.

        Raises:
            SettingFault: places are relative to the margin table.
        """

    def tiers(self, tiers: list[MarginTier]) -> list[MarginTier]:
        """Tiers as the rulebook gives them, completed by what the model computes."""
        return tiers

    def build(self, values: list[int], tiers: list[MarginTier]) -> MarginModel:
        """The model, from its figures in the order they are declared.

        Raises:
            ValueError: they are out of range or do not go together.
        """
        raise NotImplementedError


MARGIN_FAMILIES: Final[Registry[MarginFamily]] = Registry("margin.model", "risk.margin.models")


def build_margin_model(spec: MarginSpec) -> MarginModel:
    """The margin model a specification names.

    Raises:
        ValueError: the name is unknown, a parameter is missing, unknown, doubled or out of range,
            tiers stand where none belong, or the table is not valid.
    """
    if spec.model not in MARGIN_FAMILIES.names():
        allowed = ", ".join(MARGIN_FAMILIES.names())
        raise ValueError(f"margin model {spec.model!r} is unknown; allowed are {allowed}")
    family = MARGIN_FAMILIES.get(spec.model)
    if spec.tiers and not family.tiered:
        raise ValueError(f"margin model {spec.model!r} takes no tiers, {len(spec.tiers)} given")
    fields = [figure.field for figure in family.figures]
    check_names(f"margin model {spec.model!r}", spec.params, fields)
    return family.build(family.values(spec.params), spec.tiers)


def check_below_initial(place: str, rate: Decimal, max_leverage: int) -> None:
    """Refuse a maintenance rate that is not strictly below the least initial one.

    Raises:
        SettingFault: it is not.
    """
    if rate * max_leverage >= 1:
        raise SettingFault(
            place,
            f"{rate} is not below the initial margin 1/{max_leverage}; maintenance must be "
            "strictly below initial",
        )


def check_not_above(figures: dict[str, Decimal], name: str, limit: str, *, strictly: bool) -> None:
    """Refuse a figure above another (``strictly``: or equal to it).

    Raises:
        SettingFault: it is.
    """
    value, highest = figures[name], figures[limit]
    if value > highest or (strictly and value == highest):
        rule = "strictly below" if strictly else "at most"
        raise SettingFault(name, f"{value} must be {rule} {limit} {highest}")
