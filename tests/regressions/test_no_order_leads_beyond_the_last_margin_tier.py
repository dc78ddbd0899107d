"""A margin table that ends at 25,000 took an order of 10,000,000 at its last rate.

Mark 100, so 250 contracts are worth 25,000: the last notional inside the table. Prices may carry a
position out of it; orders may not, whichever of them leads there.
"""

import json
from pathlib import Path

import pytest

from engine.reasons import Reason
from risk.margin import BracketMargin, LinearInSizeMargin, UsedMargin
from seawall.calc import Question, calculate
from tests.market import Market, size, tiers, usd

ALICE, BOB = 100, 101
TABLE = tiers(("5000", "0.01", 50, "0"), ("25000", "0.02", 25, "50"))


def market() -> Market:
    m = Market(listed=False)
    m.add("PERP", margin=TABLE)
    m.open(ALICE, BOB, deposit="100000000")
    m.index("100")
    return m


def refused_at(m: Market, position: str) -> None:
    """The last order was refused, with the figures and the end of the table."""
    refusal = m.refusal()
    assert refusal.reason == Reason.NOTIONAL_ABOVE_MAXIMUM
    assert (refusal.required_q, refusal.free_q) == (usd("25000"), usd(position))
    assert refusal.detail == f"a position of {usd(position)}; the margin table ends at 25000000000"
    m.forget()


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("price", ["100", None])
def test_one_lot_or_a_thousandfold_beyond_the_table_is_refused(
    side: str, isolated: bool, price: str | None
) -> None:
    m = market()
    m.isolate(ALICE, isolated=isolated)
    order = getattr(m, side)
    order(ALICE, "250.01", price)
    refused_at(m, "25001")
    order(ALICE, "100000", price)
    refused_at(m, "10000000")
    assert m.accepted(order(ALICE, "250", price))


def test_the_position_and_the_orders_at_rest_count() -> None:
    m = market()
    m.trade(ALICE, BOB, "100", "100")
    assert m.accepted(m.buy(ALICE, "100", "99"))
    m.buy(ALICE, "50.01", "98")
    refused_at(m, "25001")
    assert m.accepted(m.buy(ALICE, "50", "98"))
    # 100 close, 250 open
    m.sell(ALICE, "350.01", "101")
    refused_at(m, "25001")
    assert m.accepted(m.sell(ALICE, "350", "101"))


def test_an_amendment_does_not_lead_there_either() -> None:
    m = market()
    order = m.buy(ALICE, "250", "99")
    m.amend(ALICE, order, "250.01", "99")
    refused_at(m, "25001")
    m.amend(ALICE, order, "250", "98")
    assert m.report(ALICE).open_order_ids == [order]


def test_what_the_price_carried_beyond_the_table_can_be_reduced_but_not_enlarged() -> None:
    m = market()
    m.trade(ALICE, BOB, "250", "100")
    m.index("120")
    m.buy(ALICE, "0.01", "120")
    refused_at(m, "30001.20")
    m.trade(BOB, ALICE, "20", "120")
    m.trade(BOB, ALICE, "20", "120")
    assert m.lots(ALICE) == size("210")
    m.buy(ALICE, "0.01", "120")
    refused_at(m, "25201.20")
    m.trade(BOB, ALICE, "10", "120")
    assert m.accepted(m.buy(ALICE, "8.33", "120"))
    m.buy(ALICE, "0.01", "120")
    refused_at(m, "25000.80")


def test_each_leg_of_a_hedge_has_the_table_to_itself() -> None:
    m = market()
    m.hedge(ALICE)
    assert m.accepted(m.buy(ALICE, "250", "100", leg=1))
    m.buy(ALICE, "0.01", "100", leg=1)
    refused_at(m, "25001")
    assert m.accepted(m.sell(ALICE, "250", "101", leg=2))


def test_models_without_a_table_have_no_end_of_their_own() -> None:
    unlimited = LinearInSizeMargin(20_000_000, 10_000_000, 0, 0, 1).cap_q
    assert unlimited == UsedMargin(400_000_000, 5).cap_q > 10**18
    assert BracketMargin(TABLE.tiers).cap_q == usd("25000")


def test_the_calculator_names_the_end_of_the_table(tmp_path: Path) -> None:
    """A position opened inside the table and carried out of it by the mark still has figures."""
    rows = [
        {"minNotional": low, "maxNotional": high, "maintenanceMarginRate": rate, "maxLeverage": 25}
        for low, high, rate in ((0, 5000, 0.01), (5000, 25000, 0.02))
    ]
    (tmp_path / "tiers.json").write_text(json.dumps({"X": rows}))
    table = {"tiers_file": str(tmp_path / "tiers.json"), "symbol": "X"}
    with pytest.raises(ValueError, match=r"the margin table ends at 25000 quote"):
        calculate(Question("binance-usdm", "long", "250.1", "100", 5, **table))
    assert calculate(Question("binance-usdm", "long", "250", "100", 5, mark="120", **table))
