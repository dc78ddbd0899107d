"""Sizes, paces and fees of venues' partial liquidations."""

from fractions import Fraction

ZERO = Fraction(0)
ONE = Fraction(1)


def down_to_tier(position: int, tier_max: int) -> int:
    """Contracts to close so that the rest fits a lower tier. Source: OKX help 360020411711."""
    return max(0, position - tier_max)


def hyperliquid_fraction(position_notional: Fraction, in_cooldown: bool) -> Fraction:
    """A fifth of a position above 100,000 USDC, everything otherwise or in the 30 s after.

    Source: Hyperliquid docs, "Liquidations".
    """
    return Fraction(1, 5) if position_notional > 100_000 and not in_cooldown else ONE


def block_notional_limits(
    position_notional: Fraction, min_notional: Fraction, max_portion: Fraction
) -> tuple[Fraction, Fraction]:
    """The least and the most notional one block may liquidate of a position.

    ``min(minimum, position)`` and the larger of that and ``portion x position``.
    Source: dYdX v4-chain, ``GetMaxAndMinPositionNotionalLiquidatable``.
    """
    least = min(min_notional, position_notional)
    return least, max(least, position_notional * max_portion)


def cover_shortage(
    shortage: Fraction,
    margin_ratio: Fraction,
    liquidator_fee: Fraction,
    insurance_fee: Fraction,
    oracle_price: Fraction,
    quote_price: Fraction,
) -> Fraction:
    """Base to close that just frees the missing margin after both fees, rounded down to 1e-9.

    ``shortage / (price x quote x (ratio - liquidator fee) - price x insurance fee)``; the ratio
    includes the buffer. Source: Drift protocol-v2,
    ``calculate_base_asset_amount_to_cover_margin_shortage``.
    """
    freed = oracle_price * quote_price * (margin_ratio - liquidator_fee)
    base = shortage / (freed - oracle_price * insurance_fee)
    return Fraction(base * 10**9 // 1, 10**9)


def max_share(
    shortage: Fraction, freed: Fraction, elapsed: int, duration: int, initial: Fraction
) -> Fraction:
    """Share of the shortage that may be covered by now: everything below 50 USD, else ramped.

    Freeable is ``elapsed/duration + initial`` (the quotient rounded down to 1e-4, the sum at most
    1) of the total, less what was freed already. Source: Drift protocol-v2,
    ``calculate_max_pct_to_liquidate``.
    """
    if shortage < 50:
        return ONE
    share = min(ONE, Fraction(elapsed * 10_000 // duration, 10_000) + initial)
    freeable = max(ZERO, (shortage + freed) * share - freed)
    return min(ONE, freeable / shortage)


def ramped_liquidator_fee(
    base_fee: Fraction, max_fee: Fraction, elapsed: int, grace: int, per_slot: Fraction
) -> Fraction:
    """Base fee within the grace slots; after them every elapsed slot counts, up to the maximum.

    Source: Drift protocol-v2, ``get_liquidation_fee``.
    """
    return base_fee if elapsed < grace else min(max_fee, base_fee + elapsed * per_slot)


def adaptive_insurance_fee(
    shortage: Fraction,
    base: Fraction,
    oracle_price: Fraction,
    margin_ratio: Fraction,
    liquidator_fee: Fraction,
    max_fee: Fraction,
) -> Fraction:
    """A fee that leaves the account solvent: 95 % of what ratio, fee and shortage leave over.

    Source: Drift protocol-v2, ``calculate_perp_if_fee``.
    """
    room = margin_ratio - liquidator_fee - shortage / (base * oracle_price)
    return max(ZERO, min(max_fee, room * Fraction(19, 20)))


def disposal_schedule(
    position: int, fraction: Fraction, full_size: int, max_consumed: Fraction, available: int
) -> list[int]:
    """Sizes in which a venue sells what it took over, one per time step, until nothing is left.

    ``min(max share of the book, fraction of the position)``, all of it once it is at most
    ``full_size``; the fraction is rounded up, so the schedule ends. Source: Vega specification
    0012-POSR.

    Raises:
        ValueError: the book has no volume to sell into, so the schedule would not end.
    """
    largest = int(max_consumed * available // 1)
    if largest < 1:
        raise ValueError(f"available volume {available}: its usable share must be at least 1")
    sizes: list[int] = []
    while position > 0:
        wanted = position if position <= full_size else int(-(-position * fraction // 1))
        sizes.append(min(largest, wanted))
        position -= sizes[-1]
    return sizes


def unfilled_to_assignment(qty: int, filled_in_book: int) -> int:
    """What the book did not take goes to assignment providers. Source: Kraken 360022835231."""
    return qty - filled_in_book
