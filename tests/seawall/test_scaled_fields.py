"""Settings that grow with a coin: which do, by what, and what is refused."""

from decimal import Decimal

import pytest

from engine.settings import SettingFault
from seawall.agents.plans import MarketMakerPlan, MomentumPlan
from seawall.population import LognormalWealth, PopulationPlan
from seawall.scaled_fields import AS_STATED, Scale, mean_scale, scaled
from seawall.scenario_tables import HouseTable

HALF_AS_LARGE_TWICE_AS_WILD = Scale(money=0.5, volatility=2.0)


def test_money_grows_with_volume_spreads_with_volatility_and_the_rest_stays() -> None:
    maker = MarketMakerPlan(capital=1000.0, size=50.0, half_spread=0.0004, leverage=4)
    for_coin = scaled(maker, HALF_AS_LARGE_TWICE_AS_WILD)
    assert (for_coin.capital, for_coin.size) == (500.0, 25.0)
    assert for_coin.half_spread == 0.0008
    usual = maker.usual_volatility
    assert for_coin.usual_volatility == 2 * usual, "a default is a figure of the coin too"
    assert (for_coin.leverage, for_coin.levels) == (maker.leverage, maker.levels)
    assert for_coin.refresh_ns == maker.refresh_ns
    assert for_coin.spread_per_volatility == maker.spread_per_volatility


def test_structs_inside_are_scaled_too() -> None:
    group = PopulationPlan(
        accounts=7, wealth=LognormalWealth(median=300.0, bounds=(100.0, 5000.0)), clip=400.0
    )
    for_coin = scaled(group, HALF_AS_LARGE_TWICE_AS_WILD)
    assert for_coin.wealth == LognormalWealth(median=150.0, bounds=(50.0, 2500.0))
    assert (for_coin.accounts, for_coin.clip) == (7, 200.0)


def test_the_coin_itself_is_left_as_it_is_written() -> None:
    maker = MarketMakerPlan(capital=1000.0, size=50.0)
    assert scaled(maker, AS_STATED) is maker


def test_a_fund_stays_exact_to_the_whole_unit() -> None:
    house = HouseTable(fund=Decimal("30000001"), backstop=Decimal("7"))
    for_coin = scaled(house, Scale(money=0.1))
    assert (for_coin.fund, for_coin.backstop) == (Decimal(3000000), Decimal(1))


def test_what_leaves_its_range_is_refused_with_both_figures() -> None:
    trend = MomentumPlan(capital=1.0, clip=1.0, slippage=0.5)
    with pytest.raises(SettingFault, match=r"agents\.trend\.slippage: 0\.5 scaled by 2 .* to 0\.9"):
        scaled(trend, Scale(volatility=2.0), "agents.trend")


def test_what_contracts_share_grows_with_their_mean_by_weight() -> None:
    assert mean_scale([(Scale(1.0, 3.0), 0.75), (Scale(0.2, 1.0), 0.25)]) == Scale(0.8, 2.5)
