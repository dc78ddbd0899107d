"""Coin-margined contracts: 100 dollars each, settled in the coin.

A position of ``n`` contracts is worth ``100 n / price`` coins. One tick is 0.5, so the value of
one lot at a tick price ``t`` is ``2 x 10^10 / t`` quanta (10^-8 coins).
"""

import pytest

from engine.events import LiquidationStarted, OrderFilled
from engine.instruments import LINEAR, build_instrument_spec
from engine.reasons import Reason
from risk.rulebook import FeeRule
from tests.market import FEES, FUND, USD, Market, btc, flat, ppb, rules

ALICE, BOB = 100, 101
COIN = "COIN"


def market(deposit: str, **settings: object) -> Market:
    m = Market(rules(**settings), listed=False)
    m.add(COIN, asset="BTC", inverse=True, tick="0.5", lot="1", multiplier="100")
    m.open(ALICE, deposit=deposit, asset="BTC")
    m.open(BOB, deposit="100", asset="BTC")
    m.index("50000", COIN)
    return m


def ticks(price: str) -> int:
    whole, _, half = price.partition(".")
    return 2 * int(whole) + (half == "5")


@pytest.mark.parametrize(
    ("price", "long_gain"),
    [
        # 0.2 - 10,000 / price
        ("40000", "-0.05"),
        ("62500", "0.04"),
        ("50000", "0"),
        ("100000", "0.1"),
        ("25000", "-0.2"),
    ],
)
def test_profit_is_the_difference_of_the_reciprocals(price: str, long_gain: str) -> None:
    """100 contracts = 10,000 dollars, opened at 50,000."""
    m = market("10")
    m.trade(ALICE, BOB, "100", "50000", COIN)
    m.index(price, COIN)
    assert m.held(ALICE, COIN).unrealised_q == btc(long_gain)
    assert m.held(BOB, COIN).unrealised_q == -btc(long_gain)
    m.trade(BOB, ALICE, "100", price, COIN)
    assert m.wallet(ALICE, "BTC") == btc("10") + btc(long_gain)


def test_a_fill_that_does_not_divide_is_booked_alike_on_both_sides() -> None:
    """One contract at 30,001: 2 x 10^10 / 60,002 = 333,322.2... quanta, rounded down once.

    At the mark the position's own value is rounded against it: -333,323 for the long.
    """
    m = market("10")
    m.index("30001", COIN)
    m.trade(ALICE, BOB, "1", "30001", COIN)
    assert m.held(ALICE, COIN).entry_value_q == -333_322
    assert m.held(BOB, COIN).entry_value_q == 333_322
    assert m.held(ALICE, COIN).unrealised_q == -1
    assert m.held(BOB, COIN).unrealised_q == 0
    m.trade(BOB, ALICE, "1", "30001", COIN)
    assert m.wallet(ALICE, "BTC") == btc("10")
    assert m.wallet(BOB, "BTC") == btc("100")


def test_fees_are_in_coins() -> None:
    """0.05 % of 0.2 coins = 0.0001."""
    m = market("10", fees=FeeRule(taker_ppb=ppb("0.0005")))
    m.trade(ALICE, BOB, "100", "50000", COIN)
    assert m.last(OrderFilled).maker
    assert m.wallet(ALICE, "BTC") == btc("9.9999")
    assert m.wallet(FEES, "BTC") == btc("0.0001")


def test_initial_margin_is_a_share_of_the_coin_value() -> None:
    """10 % of 0.2 coins."""
    m = market("0.02")
    assert m.accepted(m.buy(ALICE, "100", "50000", symbol=COIN))
    m.buy(ALICE, "1", "50000", symbol=COIN)
    assert m.refusal().reason == Reason.INSUFFICIENT_MARGIN
    assert (m.refusal().required_q, m.refusal().free_q) == (btc("0.0202"), btc("0.02"))


def test_long_falls_where_its_coins_run_out() -> None:
    """0.02 + 0.2 - 10,000/p < 500/p below 10,500 / 0.22 = 47,727.27; bankrupt below
    10,000 / 0.22 = 45,454.55, rounded up to the tick 45,455."""
    m = market("0.02")
    m.trade(ALICE, BOB, "100", "50000", COIN)
    held = m.held(ALICE, COIN)
    assert held.liquidation_ticks == ticks("47727")
    assert held.bankruptcy_ticks == ticks("45455")
    m.index("47727.5", COIN)
    assert not m.all(LiquidationStarted)
    m.index("47727", COIN)
    assert m.all(LiquidationStarted)


def test_short_falls_where_its_coins_run_out() -> None:
    """Sold 0.2: 0.02 - 0.2 + 10,000/p < 500/p above 9,500 / 0.18 = 52,777.78; bankrupt above
    10,000 / 0.18 = 55,555.56, rounded down to the tick 55,555.5."""
    m = market("0.02")
    m.trade(BOB, ALICE, "100", "50000", COIN)
    held = m.held(ALICE, COIN)
    assert held.liquidation_ticks == ticks("52778")
    assert held.bankruptcy_ticks == ticks("55555.5")
    m.index("52777.5", COIN)
    assert not m.all(LiquidationStarted)
    m.index("52778", COIN)
    assert m.all(LiquidationStarted)


def test_a_short_fully_backed_in_coins_cannot_be_liquidated() -> None:
    """Sold 0.2 coins' worth and owns 0.2: a synthetic dollar of 10,000."""
    m = market("0.2")
    m.trade(BOB, ALICE, "100", "50000", COIN)
    assert m.held(ALICE, COIN).liquidation_ticks == -1
    m.index("4000000", COIN)
    assert not m.all(LiquidationStarted)
    # 10,000 / 4,000,000 = 0.0025 coins are still 10,000 dollars.
    assert m.equity(ALICE, "BTC") == btc("0.0025")


def test_takeover_leaves_exactly_nothing() -> None:
    """At 47,000 the value is 10,000/47,000, no round number of quanta; the wallet ends at zero."""
    m = market("0.02")
    m.deposit(FUND, "1", asset="BTC")
    m.trade(ALICE, BOB, "100", "50000", COIN)
    m.index("47000", COIN)
    assert m.wallet(ALICE, "BTC") == 0
    assert m.position(ALICE, COIN) is None
    # The fund got the equity: 0.22 - ceil(0.212765957...) = 0.00723404 at its own rounded value.
    assert m.equity(FUND, "BTC") == btc("1.00723404")


def test_liquidation_through_the_book_leaves_exactly_nothing_when_flat() -> None:
    """Sold at the bankruptcy price 45,455 or better, what is left is the account's."""
    m = market("0.02")
    m.trade(ALICE, BOB, "100", "50000", COIN)
    m.buy(BOB, "100", "46000", symbol=COIN)
    m.index("47000", COIN)
    # floor(10^4 / 46,000 coins) = 0.21739130: 0.22 - 0.21739130
    assert m.wallet(ALICE, "BTC") == btc("0.0026087")


def test_unknown_kind_of_contract_is_refused_before_it_is_listed() -> None:
    with pytest.raises(ValueError, match="use 'linear' or 'inverse'"):
        build_instrument_spec(
            instrument_id=0, symbol="X", kind=7, asset=USD, tick="1", lot="1", margin=flat()
        )
    assert LINEAR == 0
