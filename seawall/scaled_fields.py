"""Settings that are stated for one coin and grow with another: money, spreads and volatilities.

Money grows with the coin's calm volume, spreads and volatilities with its calm volatility. Which
of the two a setting is says its unit; all others are the same for every coin.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec

from engine.settings import SettingFault, Unit, fields_of, inner_place, unit_of
from seawall.scenario_fields import Exact, Number, Span


class Scale(msgspec.Struct, frozen=True):
    """How many times larger a coin's calm volume and its calm volatility are than those of the coin
    that a scenario's figures are stated for."""

    money: float = 1.0
    volatility: float = 1.0


AS_STATED: Final[Scale] = Scale()
"""Of the coin itself."""


def mean_scale(scales: Sequence[tuple[Scale, float]]) -> Scale:
    """What scales a figure that several contracts share: the mean of theirs by weight."""
    total = sum(weight for _, weight in scales)
    return Scale(
        sum(scale.money * weight for scale, weight in scales) / total,
        sum(scale.volatility * weight for scale, weight in scales) / total,
    )


class ScaledUnit(Unit):
    """A unit whose values are other ones for another coin."""

    def factor(self, scale: Scale) -> float:
        """How many times larger a value is for the coin."""
        raise NotImplementedError

    def scaled(self, value: Any, scale: Scale, place: str) -> Any:
        """The value for the coin.

        Raises:
            SettingFault: it leaves the range of the setting.
        """
        factor = self.factor(scale)
        pair = isinstance(value, tuple)
        larger = [each * factor for each in value] if pair else value * factor
        try:
            return self.read(larger, place)
        except SettingFault as fault:
            problem = f"{value!r} scaled by {factor:.6g} to this coin: {fault.problem}"
            raise SettingFault(place, problem) from None


class OfVolume(ScaledUnit):
    """Grows with the calm volume."""

    def factor(self, scale: Scale) -> float:
        """That of money."""
        return scale.money


class OfVolatility(ScaledUnit):
    """Grows with the calm volatility."""

    def factor(self, scale: Scale) -> float:
        """That of volatility."""
        return scale.volatility


class Money(OfVolume, Number):
    """An amount in quote currency."""


class MoneySpan(OfVolume, Span):
    """A pair ``[from, to]`` of amounts in quote currency."""


class Volatility(OfVolatility, Number):
    """A volatility, or what is as wide as prices move: a spread, a distance, a move."""


class VolatilitySpan(OfVolatility, Span):
    """A pair ``[from, to]`` of volatilities, spreads, distances or moves."""


class ExactMoney(OfVolume, Exact):
    """An exact amount in quote currency."""

    def read(self, value: Any, place: str) -> Decimal:
        """A decimal."""
        amount = Decimal(super().read(value, place))
        if amount < 0:
            raise SettingFault(place, f"{amount} must be 0 or more, in the quote currency")
        return amount

    def scaled(self, value: Decimal, scale: Scale, place: str) -> Decimal:
        """The amount for the coin, to the nearest whole unit of the quote currency, half to even:
        nobody states a fund to the cent that is an estimate."""
        return round(value * Decimal(repr(self.factor(scale))), 0)


AnyStruct = TypeVar("AnyStruct", bound=msgspec.Struct)


def scaled(settings: AnyStruct, scale: Scale, place: str = "") -> AnyStruct:
    """Settings for a coin: every field of a `ScaledUnit`, also in structs inside.

    Raises:
        SettingFault: a value leaves its range.
    """
    if scale == AS_STATED:
        return settings
    changed: dict[str, Any] = {}
    for field in fields_of(type(settings)):
        value, inner = getattr(settings, field.name), inner_place(place, field.key)
        unit = unit_of(field.kind)
        if isinstance(unit, ScaledUnit):
            changed[field.name] = unit.scaled(value, scale, inner)
        elif isinstance(value, msgspec.Struct):
            changed[field.name] = scaled(value, scale, inner)
    return msgspec.structs.replace(settings, **changed)
