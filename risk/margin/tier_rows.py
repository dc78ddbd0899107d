"""Rows of a margin table in decimals, as a rulebook states them, and what makes them a table."""

from decimal import Decimal

import msgspec

from engine.settings import SettingFault


class TierRow(msgspec.Struct, frozen=True):
    """One tier: notionals in whole units of the asset, ``up_to`` None for no end.

    ``deduction`` is what the venue prints, where it does; the one in force is always computed.
    """

    up_to: Decimal | None
    maintenance: Decimal
    max_leverage: int
    deduction: Decimal | None = None


def check_rows(rows: list[TierRow]) -> None:
    """Refuse rows that are no table: bounds and rates rise, leverages fall, and maintenance is
    strictly below initial margin in each.

    Raises:
        SettingFault: the first broken rule; places are relative to the margin table.
    """
    if not rows:
        raise SettingFault("tiers", "is empty; give at least one tier")
    floor = Decimal(0)
    for number, row in enumerate(rows, 1):
        place = f"tiers[{number}]"
        if row.maintenance * row.max_leverage >= 1:
            raise SettingFault(
                f"{place}.maintenance",
                f"{row.maintenance} is not below the initial margin 1/{row.max_leverage}; "
                "maintenance must be strictly below initial",
            )
        if number > 1:
            _check_step(place, rows[number - 2], row)
        if row.up_to is None and number < len(rows):
            raise SettingFault(f"{place}.up_to", "is missing; only the last tier may have no end")
        if row.up_to is not None:
            if row.up_to <= floor:
                raise SettingFault(
                    f"{place}.up_to", f"{row.up_to} must be above the tier's start, {floor}"
                )
            floor = row.up_to


def check_deductions(rows: list[TierRow]) -> None:
    """Refuse a printed deduction that makes margin jump at the floor of its tier.

    Raises:
        SettingFault: the first that does.
    """
    deduction = Decimal(0)
    floor = Decimal(0)
    for number, row in enumerate(rows, 1):
        if number > 1:
            before = rows[number - 2]
            floor = before.up_to or floor
            deduction += floor * (row.maintenance - before.maintenance)
        if row.deduction is not None and row.deduction != deduction:
            raise SettingFault(
                f"tiers[{number}].deduction",
                f"{row.deduction} makes the margin jump at {floor}; it must be {deduction:f}, or "
                "a rate or bound is wrong",
            )


def refuse_deductions(rows: list[TierRow]) -> None:
    """Refuse deductions, where the whole position pays the rate of its tier.

    Raises:
        SettingFault: the first row that has one.
    """
    for number, row in enumerate(rows, 1):
        if row.deduction:
            raise SettingFault(
                f"tiers[{number}].deduction",
                f"{row.deduction} has no meaning where the whole position pays the rate of its "
                "tier; leave it out",
            )


def _check_step(place: str, before: TierRow, row: TierRow) -> None:
    if row.maintenance < before.maintenance:
        raise SettingFault(
            f"{place}.maintenance",
            f"{row.maintenance} falls; rates rise with size, so it must be at least "
            f"{before.maintenance}",
        )
    if row.max_leverage > before.max_leverage:
        raise SettingFault(
            f"{place}.max_leverage",
            f"{row.max_leverage} rises; leverage falls with size, so it may be at most "
            f"{before.max_leverage}",
        )
