"""Initial margin that rises with a contract's open interest: who is looked at again.

The contract's initial rate is 10 % up to 1,000 dollars of open interest and 100 % from 2,000 on;
maintenance is 5 %, and the rate is renewed at whole minutes.
"""

from copy import copy
from decimal import Decimal

import pytest

from engine.events import LiquidationStarted, MarginRateChanged, OrderClosed
from engine.instruments import MarginSpec
from engine.reasons import Reason
from engine.settings import SettingFault
from engine.units import SECOND_NS
from risk.margin import build_margin_model
from risk.rules.margin_table import MarginTable, check_margin_table
from tests.market import Market, ppb, rules, usd

ALICE, BOB, CAROL = 100, 101, 102


def spec(**figures: int) -> MarginSpec:
    params = {
        "initial_ppb": ppb("0.1"),
        "maintenance_ppb": ppb("0.05"),
        "lower_cap_q": usd("1000"),
        "upper_cap_q": usd("2000"),
        "interval_ns": 60 * SECOND_NS,
    } | figures
    return MarginSpec("by_open_interest", [], list(params.items()))


def market(margin: MarginSpec | None = None) -> Market:
    m = Market(rules(), listed=False)
    m.add("PERP", margin=margin or spec())
    m.index("100")
    for trader, deposit in ((ALICE, "100000"), (BOB, "100000"), (CAROL, "200")):
        m.open(trader, deposit=deposit)
    m.leverage(CAROL, 10)
    return m


def minute(m: Market, price: str = "100") -> list[int]:
    """A minute later at this index; the rates that were told."""
    before = len(m.all(MarginRateChanged))
    m.index(price)
    m.wait("60")
    return [each.rate_ppb for each in m.all(MarginRateChanged)[before:]]


@pytest.mark.parametrize(
    ("size", "rate"),
    [
        ("10", None),
        ("10.01", "0.1009"),
        ("15", "0.55"),
        ("19.99", "0.9991"),
        ("20", "1"),
        ("30", "1"),
    ],
)
def test_the_rate_rises_in_a_straight_line_between_the_caps(size: str, rate: str | None) -> None:
    m = market()
    m.trade(ALICE, BOB, size, "100")
    assert minute(m) == ([] if rate is None else [ppb(rate)])


def test_the_rate_stands_still_between_two_renewals_and_falls_back() -> None:
    m = market()
    m.trade(ALICE, BOB, "15", "100")
    assert not m.all(MarginRateChanged)
    m.buy(CAROL, "1", "90")
    assert m.exchange.risk.core.listings[0].model.initial_q(1, 1000, 0, 10) == 100
    assert minute(m) == [ppb("0.55")]
    assert minute(m) == []
    m.trade(BOB, ALICE, "6", "100")
    assert minute(m) == [ppb("0.1")]


def test_the_mark_moves_the_open_interest_too() -> None:
    m = market()
    m.trade(ALICE, BOB, "10", "100")
    assert minute(m, "120") == [ppb("0.28")]


def test_caps_of_zero_are_no_scaling() -> None:
    m = market(spec(lower_cap_q=0, upper_cap_q=0))
    m.trade(ALICE, BOB, "100", "100")
    assert minute(m) == []


def test_positions_stay_and_new_ones_ask_for_the_rate_in_force() -> None:
    """Nineteen at 10 % need 190 of Carol's 200. At 100 % they would need 1,900; maintenance is
    95, so nobody is liquidated, but nothing can be added."""
    m = market()
    m.trade(CAROL, BOB, "19", "100")
    minute(m)
    assert m.exchange.risk.core.listings[0].model.initial_q(1, 1000, 0, 10) == 910
    assert not m.all(LiquidationStarted)
    assert m.lots(CAROL) == 1900
    m.buy(CAROL, "0.01", "100")
    assert m.refusal().reason == Reason.INSUFFICIENT_MARGIN
    assert m.accepted(m.sell(CAROL, "19", "100"))


def test_orders_of_others_stay_covered_when_the_rate_rises() -> None:
    """Carol's orders of 3 and of 10 need 130 of her 200 at the mark. At 55 % they would need 715:
    the newer one goes, the older one needs 165 and stays."""
    m = market()
    older, newer = m.buy(CAROL, "3", "90"), m.buy(CAROL, "10", "90")
    m.trade(ALICE, BOB, "15", "100")
    m.tick()
    assert len(m.all(OrderClosed)) == 2  # those of the trade
    minute(m)
    assert m.only_closed(newer).reason == Reason.MARGIN_LOST
    m.sell(ALICE, "3", "90")
    assert m.only_closed(older).reason == Reason.FILLED
    assert m.lots(CAROL) == 300


def test_an_isolated_position_counts_at_the_new_rate_too() -> None:
    """Carol's isolated order of 10 needs 100 of her 200; at 55 % it would need 550."""
    m = market()
    m.isolate(CAROL)
    order = m.buy(CAROL, "10", "90")
    m.trade(ALICE, BOB, "15", "100")
    minute(m)
    assert m.only_closed(order).reason == Reason.MARGIN_LOST


def test_it_goes_on_from_a_snapshot_and_from_a_copy() -> None:
    m = market()
    m.trade(ALICE, BOB, "15", "100")
    minute(m)
    again = copy(m.exchange)
    assert again.state_hash() == m.exchange.state_hash()
    commands = len(m.commands)
    m.buy(CAROL, "1", "90")
    m.trade(ALICE, BOB, "3", "100")
    for price in ("99", "102"):
        minute(m, price)
    for command in m.commands[commands:]:
        again.send(command)
    assert again.state_hash() == m.exchange.state_hash()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"maintenance": "0.1"}, "maintenance"),
        ({"lower_cap": "3000"}, "lower_cap"),
        ({"upper_cap": "0"}, "lower_cap"),
        ({"interval_s": "0"}, "interval_s"),
        ({"initial": "1.1"}, "initial"),
    ],
)
def test_what_makes_no_sense_is_built_by_nobody(change: dict[str, str], place: str) -> None:
    figures = {
        "initial": "0.1",
        "maintenance": "0.05",
        "lower_cap": "1000",
        "upper_cap": "2000",
        "interval_s": "60",
    }
    check_margin_table(table(figures))
    with pytest.raises(SettingFault, match=place):
        check_margin_table(table(figures | change))


def table(figures: dict[str, str]) -> MarginTable:
    return MarginTable(
        "by_open_interest", [], {key: Decimal(value) for key, value in figures.items()}
    )


@pytest.mark.parametrize(
    "change",
    [
        {"maintenance_ppb": ppb("0.1")},
        {"maintenance_ppb": 0},
        {"initial_ppb": ppb("1") + 1},
        {"lower_cap_q": -1},
        {"upper_cap_q": 1},
        {"interval_ns": 0},
    ],
)
def test_a_message_with_figures_that_make_no_sense_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="by_open_interest"):
        build_margin_model(spec(**change))
