"""Liquidation and bankruptcy prices in ticks: substitution, and a scan over every price."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import MAX_TICKS
from engine.instruments import INVERSE, LINEAR, Instrument, InstrumentSpec, MarginSpec, MarginTier
from engine.units import PPB
from risk.margin import (
    BracketMargin,
    LinearInSizeMargin,
    MarginModel,
    UsedMargin,
    with_deductions,
)
from risk.solve import (
    bankruptcy_price_ticks,
    hedge_liquidation_price_ticks,
    liquidation_price_ticks,
)

PERCENT = PPB // 100
SCANNED = 400
"""Prices the naive twin looks at; beyond it no position of these tests changes its state."""


def instrument(kind: int, unit_q: int) -> Instrument:
    return Instrument(InstrumentSpec(1, "X", kind, 1, "1", "1", unit_q, MarginSpec("flat")))


def flat(maintenance_ppb: int, leverage: int = 1) -> BracketMargin:
    return BracketMargin([MarginTier(0, 10**15, maintenance_ppb, leverage, 0)])


def brackets(cap_q: int) -> BracketMargin:
    return BracketMargin(
        with_deductions(
            [
                MarginTier(0, cap_q, PERCENT, 50, 0),
                MarginTier(cap_q, 3 * cap_q, 5 * PERCENT, 10, 0),
                MarginTier(3 * cap_q, 10**15, 45 * PERCENT, 2, 0),
            ]
        )
    )


def equity_q(contract: Instrument, qty: int, entry_q: int, other_q: int, ticks: int) -> int:
    return other_q + contract.position_value_q(qty, ticks) - entry_q


def breached(
    contract: Instrument, model: MarginModel, facts: tuple[int, ...], ticks: int, factor_ppb: int
) -> bool:
    qty, entry_q, leverage, other_q, other_maintenance_q = facts
    notional_q = contract.notional_q(qty, ticks)
    maintenance_q = other_maintenance_q + model.maintenance_q(
        qty, notional_q, abs(entry_q), leverage
    )
    required_q = -(-maintenance_q * factor_ppb // PPB)
    return equity_q(contract, qty, entry_q, other_q, ticks) < required_q


model_choice = st.one_of(
    st.integers(10, 100_000).map(brackets),
    st.integers(1, 60 * PERCENT).map(flat),
    st.builds(
        lambda rate, slope, n: LinearInSizeMargin(rate * 2, rate, slope, slope, n),
        st.integers(1, 10 * PERCENT),
        st.integers(0, PERCENT // 100),
        st.integers(1, 10),
    ),
    st.builds(UsedMargin, st.integers(1, PPB - 1), st.just(5)),
)


@st.composite
def positions(draw: st.DrawFn) -> tuple[Instrument, MarginModel, tuple[int, ...]]:
    """A position whose liquidation price, if any, lies among the scanned prices."""
    kind = draw(st.sampled_from([LINEAR, INVERSE]))
    contract = instrument(kind, draw(st.integers(1, 50) if kind == LINEAR else st.just(10**6)))
    qty = draw(st.integers(-100, 100).filter(bool))
    entry_ticks = draw(st.integers(2, 200))
    entry_q = contract.fill_value_q(abs(qty), entry_ticks)
    entry_q = entry_q if qty > 0 else -entry_q
    wallet_q = abs(entry_q) * draw(st.integers(-20, 120)) // 100
    leverage = draw(st.integers(1, 5))
    other_maintenance_q = draw(st.integers(0, 5))
    return contract, draw(model_choice), (qty, entry_q, leverage, wallet_q, other_maintenance_q)


@given(positions(), st.sampled_from([PPB, 2 * PPB, 3 * PPB // 2]))
def test_price_is_breached_and_the_safer_tick_is_not(
    position: tuple[Instrument, MarginModel, tuple[int, ...]], factor_ppb: int
) -> None:
    contract, model, facts = position
    found = liquidation_price_ticks(contract, model, *facts, factor_ppb=factor_ppb)
    last = 1 if facts[0] > 0 else MAX_TICKS
    safer = 1 if facts[0] > 0 else -1
    if found is None:
        assert not breached(contract, model, facts, last, factor_ppb)
        return
    assert breached(contract, model, facts, found, factor_ppb)
    if 1 <= found + safer <= MAX_TICKS:
        assert not breached(contract, model, facts, found + safer, factor_ppb)


@given(positions())
def test_price_is_the_first_a_scan_of_all_prices_meets(
    position: tuple[Instrument, MarginModel, tuple[int, ...]],
) -> None:
    contract, model, facts = position
    found = liquidation_price_ticks(contract, model, *facts)
    states = [breached(contract, model, facts, ticks, PPB) for ticks in range(1, SCANNED + 1)]
    hits = [ticks for ticks, hit in enumerate(states, 1) if hit]
    if facts[0] > 0:
        if found is None or found <= SCANNED:
            assert found == (max(hits) if hits else None)
        else:
            assert all(states)
    elif not contract.inverse:
        if found is not None and found <= SCANNED:
            assert found == min(hits)
        else:
            assert not hits
    elif hits and found is not None and found != min(hits):
        # Rounding of an inverse short moves its health by at most two quanta against the trend.
        qty, entry_q, leverage, other_q, other_maintenance_q = facts
        for ticks in range(min(hits), min(found, SCANNED)):
            notional_q = contract.notional_q(qty, ticks)
            maintenance_q = model.maintenance_q(qty, notional_q, abs(entry_q), leverage)
            health = equity_q(contract, qty, entry_q, other_q, ticks)
            assert abs(health - maintenance_q - other_maintenance_q) <= 2


@pytest.mark.parametrize("inclusive", [False, True])
def test_equality_is_a_breach_only_where_the_rulebook_says_so(inclusive: bool) -> None:
    # Ten lots long from 100 with 100: equity = 10 x price - 900, maintenance = price; equal at 100.
    contract = instrument(LINEAR, 1)
    found = liquidation_price_ticks(
        contract, flat(10 * PERCENT), 10, 1_000, 1, 100, 0, inclusive=inclusive
    )
    assert found == (100 if inclusive else 99)


def test_the_tier_at_the_liquidation_price_decides() -> None:
    # Long 100 from 1,000 with 20,000. In the second tier (5 %, deduction 2,000) the price is
    # (80,000 - 2,000) / (100 x 0.95) = 821.05; the first tier's 1 % would give 808.08.
    contract = instrument(LINEAR, 1)
    model = brackets(50_000)
    assert liquidation_price_ticks(contract, model, 100, 100_000, 1, 20_000, 0) == 821
    assert liquidation_price_ticks(contract, flat(PERCENT), 100, 100_000, 1, 20_000, 0) == 808


def test_fully_covered_positions_cannot_be_liquidated() -> None:
    linear, coin = instrument(LINEAR, 10), instrument(INVERSE, 10**9)
    model = flat(PERCENT, 50)
    assert liquidation_price_ticks(linear, model, 5, 5_000, 1, 5_001, 0) is None
    # A coin short worth exactly its collateral: dollars, whatever the price.
    assert liquidation_price_ticks(coin, model, -5, 5 * 10**7, 1, 2 * 5 * 10**7, 0) is None
    assert liquidation_price_ticks(linear, model, 0, 0, 1, 0, 100) is None


def test_hopeless_positions_get_the_end_of_the_price_range() -> None:
    contract, coin = instrument(LINEAR, 1), instrument(INVERSE, 10**9)
    model = flat(PERCENT, 50)
    assert liquidation_price_ticks(coin, model, 1, -(10**7), 1, -(10**9), 0) == MAX_TICKS
    assert liquidation_price_ticks(contract, model, -1, -100, 1, -1_000, 0) == 1
    assert bankruptcy_price_ticks(coin, 1, -(10**7), -(10**9)) == MAX_TICKS
    assert bankruptcy_price_ticks(contract, -1, -100, -1_000) == 1


@given(positions())
def test_bankruptcy_price_is_the_last_with_equity_left(
    position: tuple[Instrument, MarginModel, tuple[int, ...]],
) -> None:
    contract, _, (qty, entry_q, _, other_q, _) = position
    found = bankruptcy_price_ticks(contract, qty, entry_q, other_q)

    def solvent(ticks: int) -> bool:
        return equity_q(contract, qty, entry_q, other_q, ticks) >= 0

    worse = -1 if qty > 0 else 1
    if found is None:
        assert all(solvent(ticks) for ticks in (1, 2, SCANNED, MAX_TICKS))
    elif found in (1, MAX_TICKS):
        assert not solvent(found + worse if 1 <= found + worse <= MAX_TICKS else found)
    else:
        assert solvent(found)
        assert not solvent(found + worse)


def test_bankruptcy_comes_no_earlier_than_liquidation() -> None:
    contract = instrument(LINEAR, 3)
    for qty in (7, -7):
        entry_q = contract.unit_q * qty * 1_000
        liquidation = liquidation_price_ticks(
            contract, flat(PERCENT, 50), qty, entry_q, 1, 2_100, 0
        )
        bankrupt = bankruptcy_price_ticks(contract, qty, entry_q, 2_100)
        assert liquidation is not None
        assert bankrupt == (900 if qty > 0 else 1_100)
        assert (liquidation - bankrupt) * qty > 0


@pytest.mark.parametrize(
    ("qty", "other_q", "expected"),
    [
        (1, 99, None),  # equity 0 at one tick, the lowest price there is
        (1, 98, 2),
        (-1, MAX_TICKS - 100, None),  # equity 0 at the highest
        (-1, MAX_TICKS - 101, MAX_TICKS - 1),
    ],
)
def test_bankruptcy_price_at_the_ends_of_the_range(
    qty: int, other_q: int, expected: int | None
) -> None:
    assert bankruptcy_price_ticks(instrument(LINEAR, 1), qty, 100 * qty, other_q) == expected


def test_flat_position_has_no_bankruptcy_price() -> None:
    assert bankruptcy_price_ticks(instrument(LINEAR, 1), 0, 0, -5) is None


def test_equal_legs_of_a_hedge_are_liquidated_by_rising_requirement() -> None:
    # Equity stands at 100; both legs pay 1 % of 10 x price: breached above 500.
    contract = instrument(LINEAR, 1)
    found = hedge_liquidation_price_ticks(
        contract, flat(PERCENT, 50), 10, 1_000, -10, -1_000, 1, 100, 0
    )
    assert found == 501
