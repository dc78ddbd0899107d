"""Margin that follows the index's volatility: who is looked at again, and what everybody knows.

The contract's rate starts at 10 %, maintenance is half of it, samples are a minute apart.
"""

from copy import copy
from decimal import Decimal

import pytest

from engine.events import (
    LiquidationStarted,
    MarginCallEnded,
    MarginCallIssued,
    MarginRateChanged,
)
from engine.instruments import MarginSpec
from engine.settings import SettingFault
from engine.units import PPB, SECOND_NS
from risk.margin import build_margin_model
from risk.rulebook import CallRule
from risk.rules.margin_table import MarginTable, check_margin_table
from tests.market import Market, levels, liquidation, ppb, rules, usd

ALICE, BOB = 100, 101


def spec(**figures: str) -> MarginSpec:
    rates = {
        "decay": "0.5",
        "multiplier": "10",
        "start": "0.01",
        "floor": "0",
        "ceiling": "0.5",
        "buffer": "0",
        "buffer_until": "0",
        "stressed": "0",
        "stressed_weight": "0",
        "rise_limit": "0",
        "maintenance_of_initial": "0.5",
    } | figures
    params = [(f"{name}_ppb", ppb(value)) for name, value in rates.items()]
    return MarginSpec(
        "by_volatility", [], [*params, ("interval_ns", 60 * SECOND_NS), ("max_leverage", 10)]
    )


def market(margin: MarginSpec | None = None, **settings: object) -> Market:
    m = Market(rules(**settings), listed=False)
    m.add("PERP", margin=margin or spec())
    m.index("100")
    m.tick()
    for trader, deposit in ((ALICE, "100"), (BOB, "100000")):
        m.open(trader, deposit=deposit)
    return m


def minute(m: Market, price: str) -> list[int]:
    """A minute later at this index; the rates that were told."""
    before = len(m.all(MarginRateChanged))
    m.index(price)
    m.wait("60")
    return [each.rate_ppb for each in m.all(MarginRateChanged)[before:]]


def test_the_rate_follows_the_index() -> None:
    """ln 1.03 = 0.029559; variance (0.01^2 + 0.029559^2) / 2 = 0.022065^2."""
    m = market()
    (rate_ppb,) = minute(m, "103")
    assert rate_ppb == pytest.approx(0.220650 * PPB, abs=1000)
    assert minute(m, "103") == [pytest.approx(0.156023 * PPB, abs=1000)]


def test_initial_margin_is_that_of_the_rate_in_force() -> None:
    """Ten at 100 need 100 at 10 %. At 22.065 % and 103 they need 227.27."""
    m = market()
    m.trade(ALICE, BOB, "9", "100")
    minute(m, "103")
    m.deposit(ALICE, "0.01")
    m.buy(ALICE, "1", "103")
    assert m.refusal().required_q > m.refusal().free_q
    assert m.pot(ALICE).maintenance_q == pytest.approx(usd("102.27"), abs=usd("0.01"))


def test_a_rise_calls_and_a_fall_cures() -> None:
    m = market(levels=levels(call="2", liquidate="1"), call=CallRule(buffer_ppb=PPB))
    m.deposit(ALICE, "30")
    m.trade(ALICE, BOB, "9", "100")
    assert not m.all(MarginCallIssued)
    minute(m, "97")  # equity 103, maintenance 873 x 11.3 % = 98.6 of which twice is 197
    assert m.only(MarginCallIssued).margin_account_id == m.pot(ALICE).margin_account_id
    for _ in range(3):
        minute(m, "97")
    assert m.only(MarginCallEnded).cured_by == "price"


def test_a_rise_liquidates_where_no_price_would_have() -> None:
    """The index moves up and back: at 100 again Alice has lost nothing, but the rate is 23 %."""
    m = market()
    m.trade(ALICE, BOB, "9", "100")
    minute(m, "103.2")
    minute(m, "100")
    assert m.only(LiquidationStarted).equity_q == usd("100")


def test_the_ceiling_and_the_limit_hold() -> None:
    assert minute(market(spec(ceiling="0.15")), "103") == [ppb("0.15")]
    assert minute(market(spec(rise_limit="0.02")), "103") == [ppb("0.102")]
    assert minute(market(spec(floor="0.1", ceiling="0.1")), "103") == []


def test_it_goes_on_from_a_snapshot_and_from_a_copy() -> None:
    m = market(levels=levels(call="2", liquidate="1"), call=CallRule(buffer_ppb=PPB))
    m.trade(ALICE, BOB, "5", "100")
    minute(m, "103")
    again = copy(m.exchange)
    assert again.state_hash() == m.exchange.state_hash()
    commands = len(m.commands)
    for price in ("99", "102", "97", "97"):
        minute(m, price)
    for command in m.commands[commands:]:
        again.send(command)
    assert again.state_hash() == m.exchange.state_hash()


def test_the_liquidation_engine_restores_at_the_rate_in_force() -> None:
    """With `restore` it closes as much as the risen requirement asks, in one order."""
    m = market(liquidation=liquidation(partial="restore"))
    m.trade(ALICE, BOB, "9", "100")
    m.buy(BOB, "9", "100")
    minute(m, "103.2")
    m.buy(BOB, "50", "100")
    minute(m, "100")
    assert m.all(LiquidationStarted)
    left = m.pot(ALICE)
    assert 0 < m.lots(ALICE) < 900
    assert left.equity_q >= left.maintenance_q
    assert left.equity_q < left.maintenance_q + usd("1")


@pytest.mark.parametrize("change", [{"decay": "2"}, {"floor": "0.6"}, {"multiplier": "0"}])
def test_what_makes_no_sense_is_built_by_nobody(change: dict[str, str]) -> None:
    figures = dict.fromkeys(("buffer", "buffer_until", "stressed", "stressed_weight"), "0") | {
        "interval_s": "60",
        "decay": "0.5",
        "multiplier": "10",
        "start": "0.01",
        "floor": "0",
        "ceiling": "0.5",
        "rise_limit": "0",
        "maintenance_of_initial": "0.5",
        "max_leverage": "10",
    }
    good = {key: Decimal(value) for key, value in figures.items()}
    check_margin_table(MarginTable("by_volatility", [], good))
    bad = good | {key: Decimal(value) for key, value in change.items()}
    with pytest.raises(SettingFault):
        check_margin_table(MarginTable("by_volatility", [], bad))
    assert build_margin_model(spec()).max_leverage(1) == 10
