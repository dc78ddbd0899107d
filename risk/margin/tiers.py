"""Bracket tables: what makes one valid, and the deduction that keeps margin continuous."""

from engine.instruments import MarginTier
from engine.units import PPB, apply_rate_up


def next_deduction_q(deduction_q: int, floor_q: int, rate_before_ppb: int, rate_ppb: int) -> int:
    """Deduction of a tier such that maintenance at its floor is the same from both sides.

    ``deduction + ceil(floor x rate) - ceil(floor x rate before)``, each product rounded up as the
    requirement itself is. Where ``floor x (rate - rate before)`` is a whole number of quanta this
    is the venue identity ``cum[n] = cum[n-1] + floor[n] x (rate[n] - rate[n-1])``.
    Source: Binance, "Leverage and Margin of USD-M Futures".
    """
    return deduction_q + apply_rate_up(floor_q, rate_ppb) - apply_rate_up(floor_q, rate_before_ppb)


def with_deductions(tiers: list[MarginTier]) -> list[MarginTier]:
    """The same table with every deduction recomputed by `next_deduction_q`, the first being 0."""
    result: list[MarginTier] = []
    deduction_q = 0
    for index, tier in enumerate(tiers):
        if index > 0:
            before = tiers[index - 1]
            deduction_q = next_deduction_q(
                deduction_q, tier.floor_q, before.maintenance_ppb, tier.maintenance_ppb
            )
        result.append(
            MarginTier(
                tier.floor_q, tier.cap_q, tier.maintenance_ppb, tier.max_leverage, deduction_q
            )
        )
    return result


def validate_tiers(tiers: list[MarginTier]) -> None:
    """Refuse a bracket table no margin can be computed from.

    Raises:
        ValueError: as `validate_whole_tiers`, or a deduction is not the continuous one. The message
            names the row (from 1), the value and what is allowed.
    """
    _check_rows(tiers)
    for index, tier in enumerate(tiers[1:], 1):
        before = tiers[index - 1]
        expected = next_deduction_q(
            before.deduction_q, tier.floor_q, before.maintenance_ppb, tier.maintenance_ppb
        )
        if tier.deduction_q != expected:
            raise ValueError(
                f"margin table row {index + 1}: deduction {tier.deduction_q} makes the margin jump "
                f"at {tier.floor_q}; it must be {expected}"
            )


def validate_whole_tiers(tiers: list[MarginTier]) -> None:
    """Refuse a table of tiers, each with one rate for the whole position, that is none.

    Raises:
        ValueError: the table is empty, does not start at 0, has a gap, an overlap or an empty row;
            a rate or leverage is not positive; rates fall or leverages rise with size; maintenance
            is not strictly below initial margin at the maximum leverage; there is a deduction. The
            message names the row (from 1), the value and what is allowed.
    """
    _check_rows(tiers)
    for row, tier in enumerate(tiers, 1):
        if tier.deduction_q != 0:
            raise ValueError(f"margin table row {row}: deduction {tier.deduction_q} must be 0")


def _check_rows(tiers: list[MarginTier]) -> None:
    if not tiers:
        raise ValueError("margin table: no rows; it needs at least one tier with floor 0")
    first = tiers[0]
    if first.floor_q != 0:
        raise ValueError(f"margin table row 1: floor {first.floor_q} must be 0")
    if first.deduction_q != 0:
        raise ValueError(f"margin table row 1: deduction {first.deduction_q} must be 0")
    for index, tier in enumerate(tiers):
        _check_row(index + 1, tier)
        if index > 0:
            _check_step(index + 1, tiers[index - 1], tier)


def _check_row(row: int, tier: MarginTier) -> None:
    where = f"margin table row {row}"
    if tier.cap_q <= tier.floor_q:
        raise ValueError(f"{where}: cap {tier.cap_q} must be above its floor {tier.floor_q}")
    if tier.max_leverage < 1:
        raise ValueError(f"{where}: max leverage {tier.max_leverage} must be 1 or more")
    if tier.maintenance_ppb <= 0:
        raise ValueError(f"{where}: maintenance rate {tier.maintenance_ppb} ppb must be positive")
    if tier.maintenance_ppb * tier.max_leverage >= PPB:
        highest_ppb = (PPB - 1) // tier.max_leverage  # rounded down: the last rate that passes
        raise ValueError(
            f"{where}: maintenance rate {tier.maintenance_ppb} ppb is not strictly below the "
            f"initial rate 1/{tier.max_leverage}; it may be at most {highest_ppb} ppb"
        )


def _check_step(row: int, before: MarginTier, tier: MarginTier) -> None:
    where = f"margin table row {row}"
    if tier.floor_q != before.cap_q:
        fault = "a gap" if tier.floor_q > before.cap_q else "an overlap"
        raise ValueError(
            f"{where}: floor {tier.floor_q} leaves {fault}; it must equal the cap of "
            f"row {row - 1}, {before.cap_q}"
        )
    if tier.maintenance_ppb < before.maintenance_ppb:
        raise ValueError(
            f"{where}: maintenance rate {tier.maintenance_ppb} ppb falls; it must be at least "
            f"that of row {row - 1}, {before.maintenance_ppb} ppb"
        )
    if tier.max_leverage > before.max_leverage:
        raise ValueError(
            f"{where}: max leverage {tier.max_leverage} rises; it may be at most that of "
            f"row {row - 1}, {before.max_leverage}"
        )
