"""Costs of an order before it trades: initial margin, open loss, fees and the worse side."""

from fractions import Fraction

ZERO = Fraction(0)


def initial_margin(notional: Fraction, leverage: Fraction) -> Fraction:
    """``notional / leverage``. Source: Binance FAQ, cost required to open a position."""
    return notional / leverage


def open_loss(side: int, qty: Fraction, order_price: Fraction, mark_price: Fraction) -> Fraction:
    """Loss the order would open with: ``qty x |min(0, side x (mark - order price))|``.

    Source: Binance FAQ, cost required to open a position.
    """
    return qty * abs(min(ZERO, side * (mark_price - order_price)))


def market_sell_assuming_price(
    last_price: Fraction, mark_price: Fraction, order_price: Fraction, markup: Fraction
) -> Fraction:
    """Price a market sell is margined at: ``max(last x (1 + markup), mark, order price)``.

    Source: Binance FAQ, cost required to open a position.
    """
    return max(last_price * (1 + markup), mark_price, order_price)


def order_cost(margin: Fraction, loss: Fraction) -> Fraction:
    """Initial margin plus open loss. Source: Binance FAQ, cost required to open a position."""
    return margin + loss


def cost_with_fees(
    value: Fraction, leverage: Fraction, taker_fee: Fraction, bankruptcy_value: Fraction
) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """Initial margin, fee to open, fee to close at bankruptcy, and their sum.

    Source: Bybit help, order cost.
    """
    margin = value / leverage
    open_fee = value * taker_fee
    close_fee = bankruptcy_value * taker_fee
    return margin, open_fee, close_fee, margin + open_fee + close_fee


def two_sided_requirement(buy_side: Fraction, sell_side: Fraction) -> Fraction:
    """Only one side can become the position, so the larger one counts.

    Source: Bybit help, margin of open orders; exchange-core, pending sizes.
    """
    return max(buy_side, sell_side)


def riskiest_positions(open_volume: int, buys: int, sells: int) -> tuple[int, int]:
    """The longest and the shortest position the orders can lead to; ``sells`` is negative.

    ``max(open + buys, 0)`` and ``min(open + sells, 0)``. Source: Vega specification 0019-MCAL.
    """
    return max(open_volume + buys, 0), min(open_volume + sells, 0)


def isolated_order_margin(
    side: int, price: Fraction, size: Fraction, margin_factor: Fraction, position: Fraction
) -> Fraction:
    """``price x size x factor`` for the part of an order that goes beyond closing the position.

    Source: Vega specification 0019-MCAL, isolated mode.
    """
    offsetting = max(ZERO, -side * position)
    return price * max(ZERO, size - offsetting) * margin_factor


def isolated_position_margin(
    position: Fraction, average_entry: Fraction, margin_factor: Fraction
) -> Fraction:
    """``|position| x average entry x factor``: what a switch to isolated mode moves in.

    Source: Vega specification 0019-MCAL, isolated mode.
    """
    return abs(position) * average_entry * margin_factor
