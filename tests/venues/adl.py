"""Auto-deleveraging: who is first in the queue, when it starts and what it takes."""

from fractions import Fraction

ZERO = Fraction(0)
ONE = Fraction(1)


def binance_score(
    unrealised: Fraction, wallet: Fraction, margin_ratio: Fraction
) -> tuple[Fraction, Fraction]:
    """Profit percent ``max(0, UP) / max(1, WB)`` and its product with the margin ratio.

    Source: Binance FAQ 360033525471.
    """
    percent = max(ZERO, unrealised) / max(ONE, wallet)
    return percent, percent * margin_ratio


def binance_margin_ratio(maintenance: Fraction, wallet: Fraction, unrealised: Fraction) -> Fraction:
    """``MM / (WB + UP)``, and 0 where that balance is not positive. Source: Binance FAQ."""
    balance = wallet + unrealised
    return maintenance / balance if balance > 0 else ZERO


def bitmex_score(
    mark_value: Fraction, bankrupt_value: Fraction, entry_value: Fraction
) -> tuple[Fraction, Fraction, Fraction]:
    """Effective leverage ``|mark| / (mark - bankrupt)``, profit percent, and the score: profit
    times leverage, or loss over leverage. Values are signed, negative for a short.

    Source: BitMEX support 18589621443357.
    """
    leverage = abs(mark_value) / (mark_value - bankrupt_value)
    percent = (mark_value - entry_value) / abs(entry_value)
    return leverage, percent, percent * leverage if percent > 0 else percent / leverage


def hyperliquid_score(
    mark_price: Fraction, entry_price: Fraction, notional: Fraction, account_value: Fraction
) -> Fraction:
    """``(mark / entry) x (notional / account value)``. Source: Hyperliquid docs."""
    return mark_price / entry_price * (notional / account_value)


def rank(scores: list[tuple[str, Fraction]]) -> list[str]:
    """Names by falling score; equal scores keep their order."""
    return [name for name, _ in sorted(scores, key=lambda pair: -pair[1])]


def quintiles(ranked: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Percentile light of each ``(name, qty)`` in queue order: 20, 40, 60, 80 or 100.

    ``ceil(cumulative share of quantity / 20 %) x 20 %``. Source: BitMEX, ADL examples.
    """
    total = sum(qty for _, qty in ranked)
    lights: list[tuple[str, int]] = []
    cumulative = 0
    for name, qty in ranked:
        cumulative += qty
        lights.append((name, 20 * -(-cumulative * 5 // total)))
    return lights


def fill_queue(queue: list[tuple[str, int]], qty: int) -> list[tuple[str, int]]:
    """Who gives up how much: down the queue until the quantity is met. Source: BitMEX examples."""
    fills: list[tuple[str, int]] = []
    for name, available in queue:
        taken = min(available, qty)
        if taken > 0:
            fills.append((name, taken))
        qty -= taken
    return fills


def pool_drawdown_trigger(
    balance: Fraction, peak: Fraction, pnl_change: Fraction, threshold: Fraction, limit: Fraction
) -> tuple[Fraction, bool, Fraction]:
    """Pool ratio ``change / 8h peak``, whether ADL starts, and the loss ADL then bears.

    It starts when the pool is above the threshold and the ratio below the (negative) limit; ADL
    bears what lies beyond the limit. Source: Bybit API docs, ADL alert.
    """
    ratio = pnl_change / peak
    triggered = balance > threshold and ratio < limit
    return ratio, triggered, (limit - ratio) * peak if triggered else ZERO
