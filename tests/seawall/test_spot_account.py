"""The spot account of an arbitrage desk: what trading costs, and what else changes its money."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.units import MINUTE_NS, SECOND_NS
from seawall.agents.spot_account import SpotAccount

CLIP = 1_000.0
USUAL = 0.0004


def account(spread: float = 0.0002, cash: float = 10_000) -> SpotAccount:
    return SpotAccount(cash, 3, spread, CLIP, 4 * SECOND_NS, USUAL)


def test_a_clip_costs_the_spread_and_the_move_of_the_time_the_market_needs_for_it() -> None:
    assert account().cost(CLIP, USUAL, 0) == pytest.approx(0.0002 + USUAL * math.sqrt(4))


@given(st.floats(1, 1e6), st.floats(1e-6, 0.1), st.floats(1.1, 100))
def test_the_impact_grows_with_the_root_of_the_size_and_of_volatility(
    amount: float, volatility: float, times: float
) -> None:
    spot = account(spread=0)
    cost = spot.cost(amount, volatility, 0)
    assert spot.cost(amount * times, volatility, 0) == pytest.approx(cost * math.sqrt(times))
    assert spot.cost(amount, volatility * times, 0) == pytest.approx(cost * math.sqrt(times))


def test_what_was_traded_lately_makes_more_dearer_and_is_forgotten() -> None:
    spot = account(spread=0)
    fresh = spot.cost(CLIP, 0.001, 0)
    spot.trade(CLIP / 100, 100, 0.001, 0)
    assert spot.cost(CLIP, 0.001, 0) == pytest.approx(fresh * math.sqrt(2))
    minute = spot.cost(CLIP, 0.001, MINUTE_NS)
    assert minute == pytest.approx(fresh * math.sqrt(1 + math.exp(-1)))
    assert spot.cost(CLIP, 0.001, 60 * MINUTE_NS) == pytest.approx(fresh)


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(50, 150)), max_size=20))
def test_equity_is_the_cash_it_began_with_its_trades_at_their_prices_and_its_costs(
    trades: list[tuple[float, float]],
) -> None:
    spot = account()
    gain = held = 0.0
    before = 100.0
    for second, (coins, index) in enumerate(trades):
        gain += held * (index - before)
        spot.trade(coins, index, 0.001, second * SECOND_NS)
        held, before = held + coins, index
        assert spot.equity(index) == pytest.approx(10_000 + gain - spot.costs)
        assert spot.costs >= 0
        again = account()
        again.restore(spot.state())
        assert again.state() == spot.state()
        assert again.cost(CLIP, 0.001, second * SECOND_NS) == spot.cost(
            CLIP, 0.001, second * SECOND_NS
        )


def test_a_position_binds_margin_whichever_way_it_goes() -> None:
    spot = account(spread=0)
    assert spot.most(100) == 30_000
    spot.trade(-60, 100, 0, 0)
    assert (spot.equity(100), spot.bound(100)) == (10_000, 2_000)
    assert spot.equity(90) == 10_600
    assert spot.equity(300) < 0
    assert spot.most(300) == 0
