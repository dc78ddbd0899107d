"""Tiers of which the whole position pays one rate: figures, prices and what a gain can do."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.events import LiquidationStarted, MarginLevelChanged
from engine.instruments import MarginSpec, MarginTier
from engine.units import PPB
from risk.margin import WholeTierMargin, build_margin_model
from risk.margin.tiers import validate_whole_tiers
from risk.solve import PriceLine, liquidation_price_ticks
from tests.market import Market, levels, px, rules, usd
from tests.risk.venue_accounts import inverse, linear

ALICE, BOB = 100, 101
PERCENT = PPB // 100

TABLE = [
    MarginTier(0, 1_000, PERCENT, 50, 0),
    MarginTier(1_000, 5_000, 5 * PERCENT, 10, 0),
    MarginTier(5_000, 20_000, 20 * PERCENT, 4, 0),
]


def table(*rows: tuple[str, str, int]) -> MarginSpec:
    """``(up to, maintenance in per cent, max leverage)`` in dollars."""
    built: list[MarginTier] = []
    floor_q = 0
    for up_to, percent, leverage in rows:
        built.append(MarginTier(floor_q, usd(up_to), int(percent) * PERCENT, leverage, 0))
        floor_q = usd(up_to)
    return MarginSpec("whole_tier", built)


STEEP = table(("1000", "2", 20), ("10000", "10", 5), ("100000", "30", 3))


@pytest.mark.parametrize(
    ("notional_q", "maintenance_q", "initial_q", "leverage"),
    [
        (0, 0, 0, 50),
        (1, 1, 2, 50),  # a quantum above maintenance
        (999, 10, 20, 50),  # 9.99 and 19.98, rounded up
        (1_000, 50, 100, 10),  # the bound belongs to the higher tier
        (4_999, 250, 500, 10),
        (5_000, 1_000, 1_250, 4),
        (30_000, 6_000, 7_500, 4),  # beyond the last cap its rate goes on
    ],
)
def test_the_whole_position_pays_the_rate_of_its_tier(
    notional_q: int, maintenance_q: int, initial_q: int, leverage: int
) -> None:
    model = WholeTierMargin(TABLE)
    assert model.maintenance_q(7, notional_q, 0, 100) == maintenance_q
    assert model.initial_q(-7, notional_q, 0, 100) == initial_q
    assert model.max_leverage(notional_q) == leverage
    assert model.cap_q == 20_000


def test_a_chosen_leverage_asks_for_more() -> None:
    model = WholeTierMargin(TABLE)
    assert model.initial_q(1, 999, 0, 10) == 100
    assert model.initial_q(1, 1_000, 0, 50) == 100


@pytest.mark.parametrize(
    ("tiers", "message"),
    [
        ([], "no rows"),
        (
            [TABLE[0], MarginTier(1_000, 5_000, 5 * PERCENT, 10, 40)],
            "row 2: deduction 40 must be 0",
        ),
        ([TABLE[1]], "row 1: floor 1000 must be 0"),
        ([TABLE[0], TABLE[2]], "row 2: floor 5000 leaves a gap"),
    ],
)
def test_a_table_that_is_none_is_refused(tiers: list[MarginTier], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        validate_whole_tiers(tiers)


def test_it_is_built_by_name_and_takes_no_other_figure() -> None:
    assert isinstance(build_margin_model(MarginSpec("whole_tier", TABLE)), WholeTierMargin)
    with pytest.raises(ValueError, match="'maintenance_ppb' is unknown"):
        build_margin_model(MarginSpec("whole_tier", TABLE, [("maintenance_ppb", 1)]))


# accounts


def long_at_900(deposit: str) -> Market:
    """Alice, long 9 from 100: 900 of notional, 18 of maintenance; at 1,000 it is 100."""
    m = Market(rules(levels=levels(alert="2", liquidate="1")), listed=False)
    m.add("PERP", margin=STEEP)
    m.open(ALICE, deposit=deposit)
    m.open(BOB, deposit="100000")
    m.index("100")
    m.leverage(ALICE, 20)
    m.leverage(BOB, 5)
    m.trade(ALICE, BOB, "9", "100")
    return m


def test_a_gain_over_a_bound_warns_at_the_first_price_there() -> None:
    """At 111.12 the notional is 1,000.08 and maintenance 100.008, of which 46 + 100.08 covers one
    but not the two of the alert."""
    m = long_at_900("46")
    assert not m.all(MarginLevelChanged)
    m.index("111.11")  # 999.99: 20 of 145.99
    assert not m.all(MarginLevelChanged)
    m.index("111.12")
    change = m.last(MarginLevelChanged)
    assert change.level == 1
    assert (change.equity_q, change.maintenance_q) == (usd("146.08"), usd("100.008"))
    m.index("111.11")
    assert m.last(MarginLevelChanged).level == 0
    assert not m.all(LiquidationStarted)


def test_the_liquidation_price_lies_in_the_direction_of_a_loss() -> None:
    """Long 9 from 100 with 46: 9 x (p - 100) + 46 = 0.02 x 9p, so p = 854 / 8.82 = 96.825."""
    m = long_at_900("46")
    report = m.exchange.account_report(ALICE)
    (position,) = report.margin_accounts[0].positions
    assert position.liquidation_ticks == px("96.82")


def test_the_price_in_the_higher_tier_counts_where_the_lower_one_would_hold() -> None:
    """Long 12 from 100 with 240: 12 x (p - 100) + 240 = 0.1 x 12p at 88.889, in the tier that
    begins at 83.34. At the 2 % of the lower one it would be 81.63."""
    m = Market(rules(), listed=False)
    m.add("PERP", margin=STEEP)
    m.open(ALICE, deposit="240")
    m.open(BOB, deposit="100000")
    m.index("100")
    m.leverage(ALICE, 5)
    m.leverage(BOB, 5)
    m.trade(ALICE, BOB, "12", "100")
    (position,) = m.exchange.account_report(ALICE).margin_accounts[0].positions
    assert position.liquidation_ticks == px("88.88")
    m.index("88.89")
    assert not m.all(LiquidationStarted)
    m.index("88.88")
    assert m.all(LiquidationStarted)


def breached(line: PriceLine, ticks: int, factor_ppb: int) -> bool:
    return line.below(ticks, factor_ppb, False)


# against a look at every price


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_the_price_found_is_the_first_breached_on_the_way_from_the_mark(seed: int) -> None:
    rng = Random(seed)
    contract = (inverse if rng.random() < 0.5 else linear)("1")
    mark = rng.randint(20, 400)
    lots = rng.choice((1, -1)) * rng.randint(1, 50)
    value_q = contract.position_value_q(lots, mark)
    notional_q = contract.notional_q(lots, mark)
    floors = sorted({notional_q * rng.randint(60, 170) // 100 for _ in range(3)})
    percents = sorted(rng.sample(range(1, 90), len(floors) + 1))
    caps = [*floors, 10**30]
    model = WholeTierMargin(
        [
            MarginTier(floor_q, cap_q, percent * PERCENT, 1, 0)
            for floor_q, cap_q, percent in zip([0, *floors], caps, percents, strict=True)
        ]
    )
    wallet_q = notional_q * rng.randint(1, 95) // 100
    line = PriceLine(contract, model, wallet_q, 0, mark)
    line.add_leg(lots, value_q, 1)
    found = line.level_ticks(PPB, False)
    if breached(line, mark, PPB):
        return
    step = -1 if lots > 0 else 1
    way = range(mark, 0 if step < 0 else 4 * mark, step)
    first = next((ticks for ticks in way if breached(line, ticks, PPB)), None)
    if found is None or found in way:
        assert found == first
    else:
        assert first is None


def test_without_a_mark_the_highest_price_of_a_long_counts() -> None:
    model = WholeTierMargin([MarginTier(0, 10**30, PERCENT, 50, 0)])
    flat = liquidation_price_ticks(linear("1"), model, 5, 5 * 100 * 10**12, 1, 10**13, 0)
    assert flat is not None
    assert flat < 100
