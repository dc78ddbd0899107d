"""Money and positions: what a fill books, what a fee costs, and that nothing is ever lost."""

import pytest

from engine import commands as c
from engine.events import BalanceChanged, OrderFilled
from risk.rulebook import FeeRule
from tests.market import FEES, Market, btc, ppb, px, rules, size, usd

ALICE, BOB, CAROL = 100, 101, 102


def market(**settings: object) -> Market:
    m = Market(rules(**settings))
    m.open(ALICE, BOB, CAROL, deposit="1000")
    m.index("100")
    return m


def realised(m: Market, trader: int) -> list[int]:
    return [e.realised_q for e in m.all(OrderFilled) if e.account_id == trader]


def test_both_sides_of_a_fill_book_the_same_value() -> None:
    m = market()
    m.trade(ALICE, BOB, "2.50", "100.10")
    # 2.50 x 100.10 = 250.25
    assert m.held(ALICE).entry_value_q == usd("250.25")
    assert m.held(BOB).entry_value_q == -usd("250.25")


def test_partial_close_of_a_long_releases_the_floor_and_keeps_the_remainder() -> None:
    """Three lots paid 3,000,200 quanta in all.

    | step             | released            | received  | realised | entry left |
    | sell 1 at 100.00 | floor(3000200/3) = 1000066 | 1000000 | -66 | 2000134 |
    | sell 2 at 100.00 | 2000134             | 2000000   | -134     | 0          |
    """
    m = market()
    m.trade(ALICE, BOB, "0.01", "100.00")
    m.trade(ALICE, BOB, "0.02", "100.01")
    assert m.held(ALICE).entry_value_q == 3_000_200
    m.trade(BOB, ALICE, "0.01", "100.00")
    assert m.held(ALICE).entry_value_q == 2_000_134
    m.trade(BOB, ALICE, "0.02", "100.00")
    assert realised(m, ALICE) == [0, 0, -66, -134]
    assert m.wallet(ALICE) == usd("1000") - 200


def test_partial_close_of_a_short_is_exact_over_all_parts() -> None:
    """The same from the other side: floor(-3000200 / 3) = -1000067, realised 67 then 133."""
    m = market()
    m.trade(ALICE, BOB, "0.01", "100.00")
    m.trade(ALICE, BOB, "0.02", "100.01")
    m.trade(BOB, ALICE, "0.01", "100.00")
    assert m.held(BOB).entry_value_q == -2_000_133
    m.trade(BOB, ALICE, "0.02", "100.00")
    assert realised(m, BOB) == [0, 0, 67, 133]
    assert m.wallet(BOB) == usd("1000") + 200


def test_a_fill_larger_than_the_position_closes_it_and_opens_the_rest() -> None:
    """Long 3 at 100; sell 5 at 110: the 3 close for 330 - 300 = 30, short 2 opens at 220."""
    m = market()
    m.trade(ALICE, BOB, "3", "100")
    m.trade(BOB, ALICE, "5", "110")
    assert m.all(OrderFilled)[-1].realised_q == usd("30")
    held = m.held(ALICE)
    assert (held.qty_lots, held.entry_value_q) == (-size("2"), -usd("220"))
    assert m.wallet(ALICE) == usd("1030")
    # Bob was short 3 and is long 2: he lost what she won.
    assert m.wallet(BOB) == usd("970")


def test_taker_pays_and_maker_pays() -> None:
    """Maker 0.02 %, taker 0.05 % of 1,000: 0.20 and 0.50."""
    m = market(fees=FeeRule(maker_ppb=ppb("0.0002"), taker_ppb=ppb("0.0005")))
    m.trade(ALICE, BOB, "10", "100")
    assert m.wallet(ALICE) == usd("999.50")
    assert m.wallet(BOB) == usd("999.80")
    assert m.wallet(FEES) == usd("0.70")


def test_fee_is_rounded_up_and_rebate_down() -> None:
    """One lot at 100.01 is 1,000,100 quanta.

    taker 0.000333333: 333.366... rounded up, 334; maker -0.000111111: 111.122... rounded down, 111
    """
    m = market(fees=FeeRule(maker_ppb=-ppb("0.000111111"), taker_ppb=ppb("0.000333333")))
    m.trade(ALICE, BOB, "0.01", "100.01")
    assert [e.fee_q for e in m.all(OrderFilled)] == [334, -111]
    assert m.wallet(ALICE) == usd("1000") - 334
    assert m.wallet(BOB) == usd("1000") + 111
    assert m.wallet(FEES) == 223


def test_deposit_and_withdrawal_say_the_new_balance() -> None:
    m = market()
    m.deposit(ALICE, "0.000001")
    assert m.last(BalanceChanged).wallet_q == usd("1000.000001")
    m.withdraw(ALICE, "0.5")
    changed = m.last(BalanceChanged)
    assert (changed.amount_q, changed.wallet_q) == (-usd("0.5"), usd("999.500001"))
    assert changed.cause == "withdrawal"


ODD_NAMES = [" ", "1000PEPE-Δ/USDT:USDT", "'; DROP TABLE trades; --"]


@pytest.mark.parametrize("symbol", ODD_NAMES)
def test_no_symbol_is_magic(symbol: str) -> None:
    m = Market(listed=False)
    m.add("first")
    m.add(symbol)
    m.open(ALICE, BOB, deposit="100")
    m.index("7", "first")
    m.index("50", symbol)
    m.trade(ALICE, BOB, "2", "50", symbol)
    assert m.lots(ALICE, symbol) == size("2")
    assert m.lots(ALICE, "first") == 0


def test_each_asset_has_its_own_books() -> None:
    """A loss in the coin does not touch the dollars, and the residue is zero in both."""
    m = market()
    m.add("COIN", asset="BTC", inverse=True, tick="0.5", lot="1", multiplier="100")
    m.open(ALICE, BOB, deposit="1", asset="BTC")
    m.index("50000", "COIN")
    m.trade(ALICE, BOB, "100", "50000", "COIN")
    m.trade(ALICE, BOB, "1", "100")
    m.trade(BOB, ALICE, "100", "40000", "COIN")
    # 10,000 / 50,000 = 0.2 coins, 10,000 / 40,000 = 0.25 coins: the long lost 0.05.
    assert m.wallet(ALICE, "BTC") == btc("0.95")
    assert m.wallet(BOB, "BTC") == btc("1.05")
    assert m.wallet(ALICE) == usd("1000")
    assert m.exchange.residues_q() == {"USD": 0, "BTC": 0}


def test_positions_and_open_interest_are_the_same_from_both_sides() -> None:
    m = market()
    m.trade(ALICE, BOB, "2", "100")
    m.trade(CAROL, ALICE, "3", "100")
    # Alice: +2 - 3 = -1, Bob -2, Carol +3.
    assert [m.lots(trader) for trader in (ALICE, BOB, CAROL)] == [-100, -200, 300]
    assert m.exchange.listing(0).long_lots == size("3")


def test_time_never_goes_back() -> None:
    m = market()
    m.wait("5")
    before = m.exchange.state_hash()
    m.send(c.Deposit(m.now_ns - 1, ALICE, 0, 1))
    assert m.refusal().reason == 113
    assert m.exchange.state_hash() == before


def test_prices_are_ticks_of_the_contract() -> None:
    m = market()
    m.trade(ALICE, BOB, "1", "99.99")
    assert m.exchange.last_ticks(0) == px("99.99") == 9_999
