"""Portfolio requirements in their simplest forms: scans, netting, haircuts and contingencies."""

from decimal import Decimal
from fractions import Fraction

THIRDS: tuple[int, ...] = (0, 1, -1, 2, -2, 3, -3)
"""Order of SPAN's price moves in thirds of the range, each with volatility up and down."""


def haircut_value(net: Fraction, index_price: Fraction, rate: Fraction) -> Fraction:
    """``min(net x price x rate, net x price)``: a haircut never makes a debt smaller.

    Source: Binance FAQ, portfolio margin equity.
    """
    value = net * index_price
    return min(value * rate, value)


def netted_margin(long_margin: Fraction, short_margin: Fraction) -> Fraction:
    """The larger side within one underlying. Source: Kraken support 4844463246100."""
    return max(long_margin, short_margin)


def future_risk_array(scan_range: Fraction, multiple: Fraction, cover: Fraction) -> list[Fraction]:
    """Profit of one long future in SPAN's sixteen scenarios, gains positive.

    Seven moves twice (volatility does not matter to a future), then the extreme up and down moves
    of ``multiple x range`` of which ``cover`` counts. Source: McMillan, chapter 34.
    """
    profit: list[Fraction] = []
    for third in THIRDS:
        profit += [scan_range * third / 3] * 2
    extreme = scan_range * multiple * cover
    return [*profit, extreme, -extreme]


def combine_arrays(arrays: list[tuple[int, list[int]]]) -> list[int]:
    """Scenario profits of a portfolio: the sum over ``(quantity, profits of one)``."""
    return [sum(qty * row[i] for qty, row in arrays) for i in range(len(arrays[0][1]))]


def scan_risk(profits: list[int]) -> tuple[int, int]:
    """The worst loss over the scenarios and its number, from 1. Source: CME SPAN."""
    worst = min(profits)
    return max(0, -worst), profits.index(worst) + 1


def worst_over_range(
    units: Fraction, price: Fraction, low: Fraction, high: Fraction, points: int
) -> Fraction:
    """Worst loss of a linear position over equidistant moves of its price, both ends included.

    Source: OCC TIMS as brokers describe it.
    """
    moves = [low + (high - low) * i / (points - 1) for i in range(points)]
    return max(-units * price * move for move in moves)


def volatility_shock(days_to_expiry: int, base: Decimal, power: Decimal) -> Decimal:
    """``(30 / days) ^ power x base``, to the precision of the decimal context.

    Source: Deribit docs, portfolio margin of 2017-18.
    """
    return (Decimal(30) / days_to_expiry) ** power * base


def short_option_contingency(net_options: list[Fraction], charge: Fraction) -> Fraction:
    """Charge per net short option of one strike. Source: Deribit docs, portfolio margin."""
    return max(Fraction(0), -sum(net_options, Fraction(0))) * charge


def offset_futures_contingency(offsetting: Fraction, charge: Fraction) -> Fraction:
    """Charge on futures that offset each other. Source: Deribit docs, portfolio margin."""
    return offsetting * charge
