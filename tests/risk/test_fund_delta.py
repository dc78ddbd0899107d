"""What the fund gets of a liquidation order's fill, worked by hand and by venue vectors."""

from decimal import Decimal
from fractions import Fraction

import pytest

from engine.events import LiquidationEnded
from engine.settings import SettingFault
from risk.rulebook import FeeRule, Rulebook, rulebook_from_json
from risk.rules.rulebook_check import check_rulebook
from tests.market import Market, checked_parts, flat, liquidation, ppb, rules, usd
from tests.risk.venue_vectors import Vector, engine_parameters, f

ALICE, BOB, CAROL, FUND = 100, 101, 102, 1
DELTAS = ["fee", "fee_from_gain", "whole_gain"]


def book(delta: str, fee: str = "0.01", **more: str) -> Rulebook:
    rule = liquidation(["cancel", "close", "socialise"], fund_delta=delta, **more)
    return rules(liquidation=rule, fees=FeeRule(0, 0, ppb(fee)))


def text(amount: Fraction) -> str:
    """A number that ends, as a decimal."""
    return f"{Decimal(amount.numerator) / amount.denominator:f}"


def fund_q(m: Market) -> int:
    return m.exchange.risk.core.ledger.house(FUND, 0).wallet_q


def wallet_q(m: Market, trader: int) -> int:
    core = m.exchange.risk.core
    return core.ledger.cross(core.ledger.traders[trader], 0).wallet_q


def one_position(delta: str, price: str) -> Market:
    """Alice, long 10 from 100 with 100, is closed at 94 of which 90 is bankruptcy."""
    m = Market(book(delta), listed=False)
    m.add("PERP", margin=flat("0.05", 10))
    m.open(ALICE, deposit="100")
    m.open(BOB, deposit="100000")
    m.index("100")
    m.leverage(ALICE, 10)
    m.trade(ALICE, BOB, "10", "100")
    m.buy(BOB, "10", price)
    m.index("94")
    return m


@pytest.mark.parametrize(
    ("delta", "price", "fund"),
    [
        ("fee", "94", "9.4"),  # 1 % of 940; 40 is left of 100
        ("fee_from_gain", "94", "9.4"),
        ("whole_gain", "94", "40"),
        ("fee", "90.5", "5"),  # no more than the equity
        ("fee_from_gain", "90.5", "5"),
        ("whole_gain", "90.5", "5"),
    ],
)
def test_the_fund_gets_the_delta_and_the_account_the_rest(
    delta: str, price: str, fund: str
) -> None:
    m = one_position(delta, price)
    assert fund_q(m) == usd(fund)
    left = 100 - 10 * (100 - Fraction(price)) - Fraction(fund)
    assert wallet_q(m, ALICE) == left * 10**6
    checked_parts(m.last(LiquidationEnded))


def two_positions(delta: str) -> Market:
    """Alice, long 10 AAA and 10 BBB from 100 with 200; at 94 and 90 her equity is 40 against 92 of
    maintenance, 47 of it AAA's. AAA is closed first, at 92.5."""
    m = Market(book(delta), listed=False)
    for symbol in ("AAA", "BBB"):
        m.add(symbol, margin=flat("0.05", 10))
        m.index("100", symbol)
    m.open(ALICE, deposit="200")
    m.open(BOB, deposit="100000")
    for symbol in ("AAA", "BBB"):
        m.leverage(ALICE, 10, symbol)
        m.trade(ALICE, BOB, "10", "100", symbol)
    m.index("94", "AAA")
    m.buy(BOB, "10", "92.5", symbol="AAA")
    m.index("90", "BBB")
    return m


@pytest.mark.parametrize(
    ("delta", "fund_q_after_aaa"),
    [
        ("fee", 9_250_000),  # 1 % of 925
        # -15 against the mark, and 40 x 47 / 92 = 20.434782.. of the equity, rounded up.
        ("fee_from_gain", 5_434_783),
        ("whole_gain", 5_434_783),
    ],
)
def test_a_position_answers_for_its_share_alone(delta: str, fund_q_after_aaa: int) -> None:
    assert fund_q(two_positions(delta)) == fund_q_after_aaa


@pytest.mark.parametrize(
    "vector",
    engine_parameters(
        lambda v: (
            v["kind"] == "insurance_fund_delta"
            and "max_liquidation_fee_ppm" in v["inputs"]
            # The fee is below the whole value, and no liquidation order goes beyond bankruptcy.
            and v["inputs"]["max_liquidation_fee_ppm"] < 10**6
            and f(v["expected"]["insurance_fund_delta"]) >= 0
        )
    ),
)
def test_the_fund_gets_what_the_venue_prints(vector: Vector) -> None:
    """The position is opened where the venue's quote balance is what the deposit leaves, and the
    book has the venue's price."""
    inputs = vector["inputs"]
    size, price = f(inputs["position_size"]), inputs["fill_price"]
    fee = text(Fraction(inputs["max_liquidation_fee_ppm"], 10**6))
    m = Market(book("fee_from_gain", fee), listed=False)
    m.add("PERP", margin=flat("0.1", 5))
    side = 1 if size > 0 else -1
    opened = Fraction(inputs["oracle_price"]) * (1 + side * Fraction(1, 2))
    deposit = f(inputs["quote_balance"]) + size * opened
    m.open(ALICE, deposit=text(deposit))
    m.open(BOB, CAROL, deposit="1000000")
    m.index(text(opened))
    m.leverage(ALICE, 5)
    quantity = text(abs(size))
    m.trade(*((ALICE, BOB) if side > 0 else (BOB, ALICE)), quantity, text(opened))
    (m.buy if side > 0 else m.sell)(CAROL, quantity, price)
    m.index(inputs["oracle_price"])
    assert fund_q(m) == usd(vector["expected"]["insurance_fund_delta"])


@pytest.mark.parametrize(
    "vector",
    engine_parameters(
        lambda v: v["kind"] == "insurance_fund_delta" and "bankruptcy_price" in v["inputs"]
    ),
)
def test_the_whole_remainder_goes_to_the_fund(vector: Vector) -> None:
    inputs, expected = vector["inputs"], vector["expected"]
    m = Market(book("whole_gain"), listed=False)
    m.add("PERP", margin=flat("0.005", 100))
    m.open(ALICE, deposit=text(f(inputs["entry_price"]) - f(inputs["bankruptcy_price"])))
    m.open(BOB, deposit="100000")
    m.index(inputs["entry_price"])
    m.leverage(ALICE, 100)
    m.trade(ALICE, BOB, inputs["qty"], inputs["entry_price"])
    m.buy(BOB, inputs["qty"], inputs["fill_price"])
    m.index("99.4")
    assert fund_q(m) == usd(expected["fund_delta"])
    assert wallet_q(m, ALICE) == usd(expected["trader_left"])


def test_the_usual_delta_is_left_out_of_messages_and_others_travel() -> None:
    assert "fund_delta" not in book("fee").to_json()
    other = book("whole_gain")
    assert rulebook_from_json(other.to_json()) == other


def test_a_delta_that_leaves_nothing_is_refused_beside_closing_a_part() -> None:
    with pytest.raises(SettingFault, match="'whole_gain' leaves an account nothing"):
        check_rulebook(book("whole_gain", partial="restore"))
