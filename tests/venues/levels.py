"""Margin levels: ratios, the states venues read from them, calls and the prices they come at."""

from fractions import Fraction

UNIMMR_BANDS: tuple[tuple[Fraction, str], ...] = (
    (Fraction(1), "liquidation_and_claim"),
    (Fraction("1.05"), "liquidation"),
    (Fraction("1.2"), "reduce_only"),
    (Fraction("1.5"), "remind"),
)
"""Upper ends, inclusive, of Binance portfolio margin's bands, from the worst."""


def margin_ratio(equity: Fraction, position_value: Fraction) -> Fraction:
    """Equity over the value of the positions. Source: the usual definition."""
    return equity / position_value


def is_liquidatable_strict(equity: Fraction, maintenance: Fraction) -> bool:
    """``maintenance > 0`` and ``equity < maintenance``: equality is safe, and so is an account in
    debt without positions. Source: dYdX v4-chain, clob liquidations."""
    return maintenance > 0 and equity < maintenance


def is_liquidatable_inclusive(
    equity: Fraction, maintenance: Fraction, trigger_ratio: Fraction
) -> bool:
    """``equity <= maintenance x ratio``. Source: nautilus_trader, backtest liquidation."""
    return equity <= maintenance * trigger_ratio


def unimmr_state(uni_mmr: Fraction) -> str:
    """Band of adjusted equity over maintenance; bands include their upper end.

    Source: Binance FAQ, portfolio margin maintenance ratio.
    """
    for upper, state in UNIMMR_BANDS:
        if uni_mmr <= upper:
            return state
    return "normal"


def hyperliquid_stage(equity: Fraction, maintenance: Fraction) -> str:
    """Market orders below maintenance, backstop below two thirds of it, ADL below zero.

    Source: Hyperliquid docs, "Liquidations" and "Auto-deleveraging".
    """
    if equity < 0:
        return "adl"
    if 3 * equity < 2 * maintenance:
        return "backstop"
    return "market_liquidation" if equity < maintenance else "healthy"


def okx_margin_ratio(
    margin_balance: Fraction,
    pnl: Fraction,
    position_value: Fraction,
    maintenance_rate: Fraction,
    taker_fee: Fraction,
) -> Fraction:
    """``(balance + pnl) / (value at mark x (rate + fee))``; liquidation at 1 and below.

    Source: OKX help, "Forced liquidation".
    """
    return (margin_balance + pnl) / (position_value * (maintenance_rate + taker_fee))


def used_margin(
    side: int, qty: Fraction, entry: Fraction, price: Fraction, lev: Fraction
) -> Fraction:
    """Opening value over leverage for a long; present value over leverage for a short, whose margin
    is held in the coin. Source: Kraken support 203325763 and 203053156."""
    return qty * (entry if side > 0 else price) / lev


def margin_level(equity: Fraction, used: Fraction) -> Fraction:
    """Equity over used margin. Source: Kraken support 203325763."""
    return equity / used


def kraken_state(level: Fraction) -> str:
    """Liquidation at about 40 %, margin call at about 80 %. Source: Kraken support 203325763."""
    if level < Fraction(2, 5):
        return "liquidation"
    return "margin_call" if level < Fraction(4, 5) else "open"


def kraken_long_price(
    entry: Fraction, equity: Fraction, used: Fraction, level: Fraction, volume: Fraction
) -> Fraction:
    """``entry - (trade balance - used x level) / volume``: the price where the level is reached.

    ``equity`` is the trade balance at entry. Source: Kraken support, margin call price of a long.
    """
    return entry - (equity - used * level) / volume


def kraken_short_price(
    entry: Fraction, equity: Fraction, leverage: Fraction, level: Fraction, volume: Fraction
) -> Fraction:
    """``leverage x (trade balance + entry x volume) / (volume x (level + leverage))``.

    Used margin follows the price, so the level appears in the denominator.
    Source: Kraken support, margin call price of a short.
    """
    return leverage * (equity + entry * volume) / (volume * (level + leverage))


def margin_call(
    balance: Fraction, initial: Fraction, maintenance: Fraction, restore_to_initial: bool
) -> Fraction:
    """Cash demanded once the balance is below maintenance: up to initial, or to maintenance.

    Source: ACCA AFM December 2018, answer 2(c), which prints both.
    """
    if balance >= maintenance:
        return Fraction(0)
    return (initial if restore_to_initial else maintenance) - balance


def margin_call_path(
    units: Fraction,
    open_price: Fraction,
    settlements: list[Fraction],
    initial: Fraction,
    maintenance: Fraction,
) -> tuple[list[Fraction], list[Fraction]]:
    """Daily marking to market of a futures account that pays every call up to initial margin.

    Returns the balances before each day's call, and the calls. ``units`` is signed.
    Source: futures margin mechanics as taught; `margin_call` for the amount.
    """
    balance, price = initial, open_price
    balances: list[Fraction] = []
    calls: list[Fraction] = []
    for settlement in settlements:
        balance += units * (settlement - price)
        price = settlement
        balances.append(balance)
        calls.append(margin_call(balance, initial, maintenance, True))
        balance += calls[-1]
    return balances, calls
