"""The least figures a formula meets: one quantum, one lot, nothing at all, and the short side.

Each of them is a place where a rounding or a comparison one off would still look right elsewhere.
"""

from itertools import product

import pytest

from engine.commands import MAX_TICKS
from engine.instruments import LINEAR, Instrument, InstrumentSpec, MarginSpec, MarginTier
from engine.internal import AccountFacts, PositionFacts
from engine.units import PPB
from risk.accounts import Position
from risk.health import can_open
from risk.liquidation.adl import rank_group, split_pro_rata
from risk.liquidation.limits import house_limit_ticks
from risk.liquidation.policies.restore import restoring_lots
from risk.liquidation.policies.tier_step import tier_step_lots
from risk.liquidation.policy import MarginedContract
from risk.liquidation.rankings.profit_leverage import profit_leverage_score
from risk.margin import (
    BracketMargin,
    LinearInSizeMargin,
    MarginModel,
    UsedMargin,
    validate_tiers,
    with_deductions,
)
from risk.prices.mark import funding_basis_price_ticks
from risk.rulebook import FundRule
from risk.solve import hedge_liquidation_price_ticks, liquidation_price_ticks
from tests.market import Market, rules, size

PERCENT = PPB // 100
HOUR_NS = 3_600 * 10**9

# Rates of next to nothing: the requirement is its rounding.
LINEAR_LEAST = LinearInSizeMargin(2, 1, 0, 0, 1)
USED_LEAST = UsedMargin(PPB - 1, 5)
MODELS: list[MarginModel] = [
    LINEAR_LEAST,
    USED_LEAST,
    LinearInSizeMargin(10 * PERCENT, 5 * PERCENT, 3_000, 1_000, 7),
    BracketMargin(with_deductions([MarginTier(0, 2**60, PERCENT, 20, 0)])),
]


def contract(model: MarginModel) -> MarginedContract:
    spec = InstrumentSpec(1, "X", LINEAR, 1, "1", "1", 1, MarginSpec("flat"))
    return MarginedContract(Instrument(spec), model)


def position(
    qty_lots: int, entry_ticks: int, mark_ticks: int, leverage: int = 1, maintenance_q: int = 0
) -> PositionFacts:
    return PositionFacts(
        instrument_id=1,
        leg=0,
        qty_lots=qty_lots,
        entry_value_q=qty_lots * entry_ticks,
        mark_ticks=mark_ticks,
        leverage=leverage,
        maintenance_q=maintenance_q,
        opened_ns=0,
    )


# margin models


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("qty_lots", [1, -1, 3, -3])
def test_a_requirement_is_a_whole_number_of_quanta(model: MarginModel, qty_lots: int) -> None:
    for notional_q in (0, 1, 2, 7, 10**9 + 1, 10**15 + 7):
        initial_q = model.initial_q(qty_lots, notional_q, notional_q, 3)
        maintenance_q = model.maintenance_q(qty_lots, notional_q, notional_q, 3)
        assert type(initial_q) is int and type(maintenance_q) is int
        assert initial_q > maintenance_q if notional_q else (initial_q, maintenance_q) == (0, 0)


def test_initial_margin_is_one_quantum_above_a_maintenance_that_rounds_up_to_it() -> None:
    assert LINEAR_LEAST.maintenance_q(1, 10, 10, 1) == 1
    assert LINEAR_LEAST.initial_q(1, 10, 10, 10**9) == 2
    assert USED_LEAST.maintenance_q(1, 100, 100, 1) == 100
    assert USED_LEAST.initial_q(1, 100, 100, 1) == 101
    # One quantum of margin is asked for one quantum of value.
    assert USED_LEAST.initial_q(1, 1, 1, 1) == 2
    assert LinearInSizeMargin(PPB, 1, 0, 0, 1).initial_q(1, 1, 1, 1) == 2


@pytest.mark.parametrize("lots", [1, 2, 100])
def test_linear_in_size_asks_of_a_short_what_it_asks_of_a_long(lots: int) -> None:
    model = LinearInSizeMargin(10 * PERCENT, 5 * PERCENT, PERCENT, PERCENT // 2, 10)
    for notional_q in (999, 10**6):
        long, short = (model.initial_q(qty, notional_q, 0, 100) for qty in (lots, -lots))
        assert long == short == -(-notional_q * (100 * PERCENT + lots * PERCENT) // (10 * PPB))


def test_used_margin_caps_the_leverage_at_the_largest() -> None:
    assert UsedMargin(PERCENT, 5).used_q(1, 0, 100, 5) == 20
    assert UsedMargin(PERCENT, 5).used_q(1, 0, 100, 6) == 20


def test_a_falling_rate_is_told_with_the_row_before() -> None:
    tiers = with_deductions([MarginTier(0, 10, 2 * PERCENT, 20, 0), MarginTier(10, 20, 0, 20, 0)])
    falling = [tiers[0], MarginTier(10, 20, PERCENT, 20, 0)]
    with pytest.raises(ValueError, match=f"at least that of row 1, {2 * PERCENT}"):
        validate_tiers(falling)


# deleveraging


def test_only_a_profit_has_a_score() -> None:
    assert profit_leverage_score(0, 100, 100, 100) == 0
    assert profit_leverage_score(-1, 100, 100, 100) == 0
    assert profit_leverage_score(1, 100, 100, 100) == PPB // 100 * PPB
    # An entry value or an equity of one quantum, or none, counts as one.
    assert profit_leverage_score(3, 1, 5, 1) == profit_leverage_score(3, 0, 5, -7) == 15 * PPB**2


def test_ranks_and_shares_are_whole_numbers() -> None:
    assert [rank_group(place, 7) for place in range(7)] == [1, 1, 2, 3, 3, 4, 5]
    assert all(type(rank_group(place, 7)) is int for place in range(7))
    assert split_pro_rata(3, []) == [] and split_pro_rata(3, [0, 0]) == [0, 0]
    assert split_pro_rata(1, [1]) == [1]
    assert split_pro_rata(2, [1, 1, 1]) == [0, 1, 1]
    shares = split_pro_rata(10**17 + 1, [10**17, 10**17])
    assert sum(shares) == 10**17 + 1 and all(type(share) is int for share in shares)


# liquidation


@pytest.mark.parametrize(
    ("qty_lots", "mark_ticks", "limit_ticks"),
    [
        (10, 110, 100),  # gave 100: no less while the mark is above
        (1, 110, 100),
        (10, 90, 90),
        (-10, 90, 100),  # was given 100 for a short: no more while the mark is below
        (-1, 90, 100),
        (-10, 110, 110),
        (-10, 60, 72),  # the slippage of 20 % is nearer
        (10, 140, 112),
    ],
)
def test_the_house_closes_for_what_it_gave_or_at_the_mark_on_both_sides(
    qty_lots: int, mark_ticks: int, limit_ticks: int
) -> None:
    held = position(qty_lots, 100, mark_ticks)
    rule = FundRule(disposal_slippage_ppb=20 * PERCENT)
    assert house_limit_ticks(contract(MODELS[3]).instrument, held, rule) == limit_ticks


@pytest.mark.parametrize("model", [MODELS[3], UsedMargin(50 * PERCENT, 5)], ids=["flat", "used"])
@pytest.mark.parametrize("qty_lots", [10, -10, 1, -1])
@pytest.mark.parametrize("leverage", [1, 4])
def test_no_smaller_reduction_restores(model: MarginModel, qty_lots: int, leverage: int) -> None:
    """Every number of lots is tried; maintenance of what is left stands at its share of entry."""
    mark_ticks, entry_ticks, cost_ppb = 100_000, 110_000, PPB // 1_000
    margin_q = model.maintenance_q(
        qty_lots, abs(qty_lots) * mark_ticks, abs(qty_lots) * entry_ticks, leverage
    )
    held = position(qty_lots, entry_ticks, mark_ticks, leverage, margin_q)
    for share in range(0, 12):
        equity_q = margin_q * share // 10
        facts = AccountFacts(
            margin_account_id=1,
            asset_id=1,
            asset_unit_q=1,
            wallet_q=0,
            equity_q=equity_q,
            maintenance_q=margin_q,
            initial_q=margin_q,
            open_orders=0,
            positions=[held],
        )
        enough = abs(qty_lots)
        for lots in range(1, abs(qty_lots) + 1):
            left = abs(qty_lots) - lots
            signed = left if qty_lots > 0 else -left
            required_q = model.maintenance_q(
                signed, left * mark_ticks, left * entry_ticks, leverage
            )
            cost_q = -(-lots * mark_ticks * cost_ppb // PPB)
            if equity_q - cost_q >= required_q:
                enough = lots
                break
        assert restoring_lots(contract(model), facts, held, PPB, cost_ppb) == enough, share


def test_a_tier_step_leaves_the_most_that_lies_below_the_floor() -> None:
    tiers = with_deductions(
        [MarginTier(0, 1_000, PERCENT, 20, 0), MarginTier(1_000, 2**60, 2 * PERCENT, 10, 0)]
    )
    table = contract(BracketMargin(tiers))
    for mark_ticks in (1, 2, 3, 7, 100, 333, 999, 1_000):
        held = position(-1_500, 1, mark_ticks)
        kept = 1_500 - tier_step_lots(table, held)
        assert kept * mark_ticks < 1_000 <= (kept + 1) * mark_ticks, mark_ticks
    assert tier_step_lots(table, position(9, 1, 100)) == 9  # in the lowest tier


# prices


def test_without_a_rate_the_funding_basis_is_the_index() -> None:
    assert funding_basis_price_ticks(1_000_000_000, 0, HOUR_NS, HOUR_NS) == 1_000_000_000
    # A rate of one part per billion is a rate.
    assert funding_basis_price_ticks(1_000_000_000, 1, HOUR_NS, HOUR_NS) == 1_000_000_001


@pytest.mark.parametrize(
    ("leverage", "inclusive", "price"),
    [(2, False, 101), (2, True, 100), (4, False, 301), (4, True, 300)],
)
def test_a_hedge_is_liquidated_where_its_leverage_says(
    leverage: int, inclusive: bool, price: int
) -> None:
    """Equity stands at 1,000; the long's margin at 1,000 / leverage, the short's is 10 x price /
    leverage: above their sum no more than equality."""
    model = UsedMargin(PPB - 1, 10)
    legs = (10, 1_000, -10, -1_000)
    found = hedge_liquidation_price_ticks(
        contract(model).instrument, model, *legs, leverage, 1_000, 0, inclusive=inclusive
    )
    assert found == price


@pytest.mark.parametrize("inclusive", [False, True])
def test_a_level_met_at_the_last_price_there_is_counts_where_equality_does(
    inclusive: bool,
) -> None:
    """10 % of 10 lots is the price itself; equity equals it at 1 tick, or at the highest price."""
    model = BracketMargin(with_deductions([MarginTier(0, 2**62, 10 * PERCENT, 5, 0)]))
    line = contract(model).instrument
    long = (10, 1_000, 1, 1 - (10 - 1_000), 0)
    short = (-10, -1_000, 1, 11 * MAX_TICKS - 1_000, 0)
    found = liquidation_price_ticks(line, model, *long, inclusive=inclusive)
    assert found == (1 if inclusive else None)
    found = liquidation_price_ticks(line, model, *short, inclusive=inclusive)
    assert found == (MAX_TICKS if inclusive else None)


def test_a_share_of_a_quantum_that_is_required_is_a_whole_one() -> None:
    """Maintenance of 1 lot at 9 ticks is 1; one and a half times that is 2, and equity is 2."""
    model = BracketMargin(with_deductions([MarginTier(0, 2**60, 10 * PERCENT, 5, 0)]))
    line = contract(model).instrument
    facts = (1, 100, 1, 100 - 9 + 2, 0)
    found = liquidation_price_ticks(line, model, *facts, factor_ppb=3 * PPB // 2, inclusive=True)
    assert found == 9


# what orders can open


def opens(held: int, plain: int, reducing: int) -> bool:
    """Whether plain buys can enlarge or turn a position, tried fill by fill.

    ``reducing`` lots of reduce-only buys may fill before, as far as they close.
    """
    for closed in range(0, min(reducing, max(0, -held)) + 1):
        for filled in range(1, plain + 1):
            after = held + closed + filled
            if held >= 0 or after > 0:
                return True
    return False


@pytest.fixture(scope="module")
def held() -> Position:
    m = Market(rules())
    m.open(100, 101, deposit="100000")
    m.index("100")
    m.trade(100, 101, "1", "100")
    ledger = m.exchange.risk.core.ledger
    found = ledger.accounts[100].first_position
    assert found is not None and found.qty_lots == size("1")
    return found


def test_can_open_is_what_filling_the_orders_one_by_one_would_show(held: Position) -> None:
    lots = range(0, 4)
    for qty, buys, reduce_buys, sells, reduce_sells in product(
        range(-3, 4), lots, lots, lots, lots
    ):
        held.qty_lots = qty
        held.buy_lots, held.reduce_buy_lots = buys + reduce_buys, reduce_buys
        held.sell_lots, held.reduce_sell_lots = sells + reduce_sells, reduce_sells
        expected = opens(qty, buys, reduce_buys) or opens(-qty, sells, reduce_sells)
        assert can_open(held) == expected, (qty, buys, reduce_buys, sells, reduce_sells)
