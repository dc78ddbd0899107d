"""Liquidation prices in closed form: the families venues use, isolated, cross, hedged and inverse.

``rate`` is the maintenance rate, ``deduction`` what the bracket table takes off. A result at or
below zero means the position cannot be liquidated: see `reachable`.
"""

from fractions import Fraction


def reachable(price: Fraction) -> Fraction | None:
    """The price, or None where it is zero or less: no market can trade there.

    Source: Binance COIN-M FAQ, which shows such a price as "--".
    """
    return price if price > 0 else None


def mark_based_price(
    side: int,
    qty: Fraction,
    entry_price: Fraction,
    margin: Fraction,
    rate: Fraction,
    deduction: Fraction,
) -> Fraction:
    """Isolated linear position with maintenance on value at mark.

    ``margin + side x qty x (P - entry) = qty x P x rate - deduction`` solved for P.
    Source: Binance FAQ "How to Calculate Liquidation Price of USD-M Futures Contracts".
    """
    return (margin + deduction - side * qty * entry_price) / (qty * rate - side * qty)


def hyperliquid_price(
    side: int, qty: Fraction, entry_price: Fraction, margin: Fraction, max_leverage: Fraction
) -> Fraction:
    """``entry - side x (margin - qty x entry x l) / (qty x (1 - side x l))``, l = 1/(2 x maximum).

    The margin available above maintenance at entry, spread over the size; equal to
    `mark_based_price` without deduction. Source: Hyperliquid docs, "Liquidations".
    """
    rate = 1 / (2 * max_leverage)
    return entry_price - side * (margin - qty * entry_price * rate) / (qty * (1 - side * rate))


def entry_based_price(
    side: int,
    qty: Fraction,
    entry_price: Fraction,
    leverage: Fraction,
    rate: Fraction,
    added: Fraction = Fraction(0),
    deduction: Fraction = Fraction(0),
) -> Fraction:
    """Isolated linear position with initial and maintenance margin both on value at entry.

    ``entry x (1 - side x (1/leverage - rate)) - side x (added + deduction) / qty``.
    Source: Bybit help, "Liquidation Price (USDT Contract)".
    """
    moved = entry_price * (1 - side * (1 / leverage - rate))
    return moved - side * (added + deduction) / qty


def fee_included_price(
    side: int,
    qty: Fraction,
    entry_price: Fraction,
    margin: Fraction,
    rate: Fraction,
    taker_fee: Fraction,
) -> Fraction:
    """Isolated linear position whose requirement holds the fee of closing at mark.

    ``(entry - side x margin / qty) / (1 - side x (rate + fee))``.
    Source: OKX help, "Forced liquidation"; Phemex help, liquidation price of USDT contracts.
    """
    return (entry_price - side * margin / qty) / (1 - side * (rate + taker_fee))


def cross_price(
    wallet: Fraction,
    other_maintenance: Fraction,
    other_unrealised: Fraction,
    legs: list[tuple[int, Fraction, Fraction, Fraction, Fraction]],
) -> Fraction:
    """The price of one contract at which a cross account's balance equals its maintenance.

    ``legs`` are that contract's positions ``(side, qty, entry, rate, deduction)``: one in one-way
    mode, a long and a short in hedge mode, each with its own maintenance. The other contracts stand
    at their marks. Numerator ``WB - TMM + UPNL + sum(deduction - side x qty x entry)``, denominator
    ``sum(qty x rate - side x qty)``.
    Source: Binance FAQ "How to Calculate Liquidation Price of USD-M Futures Contracts".
    """
    numerator = wallet - other_maintenance + other_unrealised
    denominator = Fraction(0)
    for side, qty, entry_price, rate, deduction in legs:
        numerator += deduction - side * qty * entry_price
        denominator += qty * rate - side * qty
    return numerator / denominator


def account_price(
    equity: Fraction, size: Fraction, price: Fraction, rate: Fraction, other_maintenance: Fraction
) -> Fraction:
    """The same in terms of today's equity: ``(e - s x p - MMR_other) / (|s| x rate - s)``.

    ``size`` is signed. Source: dYdX documentation, "Liquidations"; Vega specification 0012-NP-LIPE
    with slippage plus risk factor as the rate.
    """
    return (equity - size * price - other_maintenance) / (abs(size) * rate - size)


def inverse_mark_based_price(
    side: int, quote_qty: Fraction, entry_price: Fraction, collateral: Fraction, rate: Fraction
) -> Fraction:
    """Inverse position with maintenance on coin value at mark.

    ``Q x (1 + side x rate) / (Q/entry + side x collateral)``, Q the size in quote currency.
    Source: Kraken Futures, "Equity Protection Process".
    """
    return quote_qty * (1 + side * rate) / (quote_qty / entry_price + side * collateral)


def inverse_entry_based_price(
    side: int, quote_qty: Fraction, entry_price: Fraction, leverage: Fraction, rate: Fraction
) -> Fraction:
    """Isolated inverse position with both margins on coin value at entry.

    ``Q / (V + side x (V/leverage - V x rate))`` with ``V = Q / entry``.
    Source: Bybit help, "Liquidation Price Calculation under Isolated Mode".
    """
    value = quote_qty / entry_price
    return quote_qty / (value + side * (value / leverage - value * rate))


def inverse_cross_price(
    quote_qty: Fraction,
    entry_price: Fraction,
    available: Fraction,
    rate: Fraction,
    taker_fee: Fraction,
    bankruptcy_price: Fraction,
) -> Fraction:
    """Long inverse position that may lose the account's available coins.

    ``Q / (V + available - V x rate - fee x Q / bankruptcy price)``: what is left when maintenance
    at entry and the fee of closing at bankruptcy must still be there.
    Source: Bybit help 360039261334.
    """
    value = quote_qty / entry_price
    reserved = value * rate + taker_fee * quote_qty / bankruptcy_price
    return quote_qty / (value + available - reserved)


def buffered_price(
    entry_price: Fraction, liquidation_price: Fraction, buffer: Fraction
) -> Fraction:
    """A stop that comes before the liquidation: ``liq + buffer x (entry - liq)``.

    Source: freqtrade documentation, "Leverage", ``liquidation_buffer``.
    """
    return liquidation_price + buffer * (entry_price - liquidation_price)


def to_tick_against(side: int, price: Fraction, tick: Fraction) -> Fraction:
    """The price on the grid, rounded against the trader: up for a long, down for a short.

    Source: Bybit help 360039261334, whose printed long prices are rounded up to the tick.
    """
    steps = price / tick
    # Fraction floor division rounds down; negated twice it rounds up.
    return tick * (-(-steps // 1) if side > 0 else steps // 1)
