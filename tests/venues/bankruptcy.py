"""Bankruptcy prices, the fillable price above them, and what closing there does to the fund."""

from fractions import Fraction

ZERO = Fraction(0)
ONE = Fraction(1)


def inverse_isolated_price(side: int, entry_price: Fraction, leverage: Fraction) -> Fraction:
    """``entry x L / (L + side)``: the coins put up are gone. Source: Bybit help 900000031623."""
    return entry_price * leverage / (leverage + side)


def inverse_cross_price(
    quote_qty: Fraction, entry_price: Fraction, available: Fraction, taker_fee: Fraction
) -> Fraction:
    """Long: ``(1 + fee) x Q / (Q/entry + balance - order margin)``. Source: Bybit 360039261334."""
    return (1 + taker_fee) * quote_qty / (quote_qty / entry_price + available)


def inverse_price(
    side: int, quote_qty: Fraction, entry_price: Fraction, collateral: Fraction
) -> Fraction:
    """``Q / (Q/entry + side x collateral)``: zero equity. Source: Kraken Futures 360022835671."""
    return quote_qty / (quote_qty / entry_price + side * collateral)


def linear_isolated_value(side: int, entry_value: Fraction, margin: Fraction) -> Fraction:
    """Value at bankruptcy: opening value less (plus, for a short) the margin. Source: Phemex."""
    return entry_value - side * margin


def linear_isolated_price(side: int, entry_price: Fraction, leverage: Fraction) -> Fraction:
    """``entry x (1 - side / L)``. Source: Bybit help, bankruptcy price (USDT contract)."""
    return entry_price * (1 - side / leverage)


def inverse_pnl(contracts: Fraction, entry_price: Fraction, exit_price: Fraction) -> Fraction:
    """``contracts x (1/entry - 1/exit)`` in coins. Source: BitMEX, perpetual contract guide."""
    return contracts * (1 / entry_price - 1 / exit_price)


def bankruptcy_amount(
    size: Fraction,
    price: Fraction,
    size_delta: Fraction,
    rate: Fraction,
    total_equity: Fraction,
    total_maintenance: Fraction,
) -> Fraction:
    """Quote received (negative: paid) when ``size_delta`` is closed at bankruptcy.

    ``-delta value - equity x |delta maintenance| / total maintenance``: each position answers for
    the account's equity in proportion to its requirement. Rounded up to a millionth.
    Source: dYdX v4-chain, ``GetBankruptcyPriceInQuoteQuantums``.
    """
    released = (abs(size) - abs(size + size_delta)) * price * rate
    amount = -size_delta * price - total_equity * abs(released) / total_maintenance
    millionths = amount * 1_000_000
    return Fraction(-(-millionths // 1), 1_000_000)


def fillable_price(
    size: Fraction,
    price: Fraction,
    rate: Fraction,
    total_equity: Fraction,
    total_maintenance: Fraction,
    adjustment: Fraction,
    spread_to_maintenance: Fraction,
) -> Fraction:
    """The worst price a liquidation order may ask: further from the oracle the poorer the account.

    ``(value - ABR x SMMR x maintenance) / size``, ``ABR = clamp(BA x (1 - equity/maintenance))``
    between 0 and 1. Source: dYdX v4-chain, ``GetFillablePrice``.
    """
    ratio = min(ONE, max(ZERO, adjustment * (1 - total_equity / total_maintenance)))
    maintenance = abs(size) * price * rate
    return (size * price - ratio * spread_to_maintenance * maintenance) / size


def insurance_fund_delta(
    received: Fraction, amount_at_bankruptcy: Fraction, fill_notional: Fraction, max_fee: Fraction
) -> Fraction:
    """What the fund gains or pays: the result against bankruptcy, a gain capped by the fee.

    The trader keeps what is above the cap. Source: dYdX v4-chain, clob liquidations,
    ``GetLiquidationInsuranceFundDelta``.
    """
    delta = received - amount_at_bankruptcy
    return min(delta, max_fee * abs(fill_notional)) if delta > 0 else delta


def takeover_fund_delta(
    side: int, qty: Fraction, bankruptcy_price: Fraction, fill_price: Fraction
) -> Fraction:
    """A fill better than bankruptcy goes to the fund entirely, a worse one is paid by it.

    Source: BitMEX, liquidation examples.
    """
    return side * qty * (fill_price - bankruptcy_price)


def deleverage(
    quote_balance: Fraction, offsetting_quote: Fraction, size_delta: Fraction, amount: Fraction
) -> tuple[Fraction, Fraction, Fraction]:
    """Both sides meet at the bankrupt account's price: that price and the quotes after it.

    ``amount`` is `bankruptcy_amount` of ``size_delta``. Source: dYdX v4-chain, deleveraging.
    """
    return abs(amount / size_delta), quote_balance + amount, offsetting_quote - amount
