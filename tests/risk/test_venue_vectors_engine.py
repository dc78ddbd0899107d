"""Venue vectors through the engine's own integers: margin models and the price search.

The same figures as in ``test_venue_vectors.py``, but asked of the models in quanta and of the
solver in ticks. A requirement of a venue whose deduction stands alone (without its table) is moved
to the other side: what a deduction takes off is added to the fixed part of the account.
"""

from fractions import Fraction
from typing import Any

import pytest

from engine.instruments import AssetSpec, Instrument, MarginSpec, MarginTier
from engine.units import PPB
from risk.margin import (
    BracketMargin,
    LinearInSizeMargin,
    MarginModel,
    UsedMargin,
    WholeTierMargin,
    build_margin_model,
    with_deductions,
)
from risk.margin.ccxt_tiers import ccxt_tiers
from risk.solve import (
    bankruptcy_price_ticks,
    hedge_liquidation_price_ticks,
    liquidation_price_ticks,
)
from tests.risk.venue_accounts import (
    QUANTA,
    fine_tick,
    inverse,
    linear,
    lots,
    price_of,
    quanta,
)
from tests.risk.venue_vectors import Vector, all_vectors, engine_parameters, f, side_of

Inputs = dict[str, Any]
DOLLARS = AssetSpec(1, "USDT", 6)


def flat_model(rate: Fraction) -> BracketMargin:
    """One bracket; leverage 1 leaves every rate below 100 % possible."""
    rate_ppb = rate * PPB
    assert rate_ppb.denominator == 1
    return BracketMargin([MarginTier(0, 10**30, int(rate_ppb), 1, 0)])


def solve(
    contract: Instrument, tick: str, model: MarginModel, qty_lots: int, entry_q: int,
    other_q: int, other_maintenance_q: int,
) -> Fraction:  # fmt: skip
    ticks = liquidation_price_ticks(
        contract, model, qty_lots, entry_q, 1, other_q, other_maintenance_q
    )
    assert ticks is not None
    return price_of(ticks, tick)


def agree(found: Fraction, vector: Vector, field: str, tick: str) -> None:
    """Within the vector's tolerance, the printed decimals and two ticks of the search."""
    want = f(vector["expected"][field])
    printed = vector["expected"][field]
    places = len(printed.split(".")[1]) if "." in printed else 0
    absolute = f(vector["expected"].get("abs_tol", 0))
    relative = f(vector["expected"].get("rel_tol", 0)) * abs(want)
    slack = max(absolute, relative, Fraction(1, 2 * 10**places)) + 2 * Fraction(tick)
    assert abs(found - want) <= slack, f"{float(found)} against {printed}"


MARK_FAMILIES = ("mark_based", "hyperliquid", "fee_included")


def reachable_on_mark(vector: Vector) -> bool:
    return (
        vector["kind"] == "liq_price_isolated_linear"
        and vector["inputs"]["formula"] in MARK_FAMILIES
        and vector["expected"]["liquidation_price"] is not None
    )


def margin_of(inputs: Inputs) -> Fraction:
    names = ("assigned_balance", "margin", "wallet_balance", "isolated_margin")
    for name in names:
        if name in inputs:
            return f(inputs[name])
    return f(inputs["qty"]) * f(inputs["entry_price"]) / f(inputs["leverage"])


def entry_value(side: int, qty: Fraction, price: Fraction) -> int:
    return quanta(side * qty * price)


@pytest.mark.parametrize("vector", engine_parameters(reachable_on_mark))
def test_isolated_liquidation_price_solves_in_ticks(vector: Vector) -> None:
    inputs = vector["inputs"]
    side, qty, entry = side_of(inputs), f(inputs["qty"]), f(inputs["entry_price"])
    tick = fine_tick(entry)
    rate = f(inputs["mmr"])
    if inputs["formula"] == "fee_included":
        rate += f(inputs["taker_fee"])
    deduction_q = quanta(f(inputs.get("cum", 0)))
    found = solve(
        linear(tick), tick, flat_model(rate), side * lots(qty), entry_value(side, qty, entry),
        quanta(margin_of(inputs)), -deduction_q,
    )  # fmt: skip
    agree(found, vector, "liquidation_price", tick)


def entry_based_long(vector: Vector) -> bool:
    inputs = vector["inputs"]
    right_kind = vector["kind"] == "liq_price_isolated_linear"
    return right_kind and inputs["formula"] == "entry_based" and inputs["side"] == "long"


@pytest.mark.parametrize("vector", engine_parameters(entry_based_long))
def test_margin_on_entry_value_solves_as_used_margin_at_leverage_one(vector: Vector) -> None:
    inputs = vector["inputs"]
    qty, entry = f(inputs["qty"]), f(inputs["entry_price"])
    tick = fine_tick(entry)
    model = UsedMargin(int(f(inputs["mmr"]) * PPB), 1)
    margin = qty * entry / f(inputs["leverage"])
    found = solve(
        linear(tick), tick, model, lots(qty), entry_value(1, qty, entry), quanta(margin), 0
    )
    agree(found, vector, "liquidation_price", tick)


@pytest.mark.parametrize("vector", engine_parameters(lambda v: v["id"] == "long-never-liquidated"))
def test_overfunded_long_has_no_liquidation_price(vector: Vector) -> None:
    inputs = vector["inputs"]
    qty, entry = f(inputs["qty"]), f(inputs["entry_price"])
    assert vector["expected"]["liquidation_price"] is None
    model = flat_model(f(inputs["mmr"]))
    facts = (lots(qty), entry_value(1, qty, entry), 1, quanta(f(inputs["wallet_balance"])), 0)
    assert liquidation_price_ticks(linear("0.01"), model, *facts) is None


def of_kind(*kinds: str) -> list[Any]:
    return engine_parameters(lambda vector: vector["kind"] in kinds)


@pytest.mark.parametrize("vector", of_kind("liq_price_cross"))
def test_cross_liquidation_price_holds_the_other_positions_fixed(vector: Vector) -> None:
    inputs, leg = vector["inputs"], vector["inputs"]["position"]
    other_q, other_maintenance_q = quanta(f(inputs["wallet_balance"])), 0
    for other in inputs["other_positions"]:
        contract = linear("0.01")
        other_lots = side_of(other) * lots(f(other["qty"]))
        mark_ticks = int(f(other["mark_price"]) * 100)
        value_q = contract.position_value_q(other_lots, mark_ticks)
        entry_q = entry_value(side_of(other), f(other["qty"]), f(other["entry_price"]))
        other_q += value_q - entry_q
        model = flat_model(f(other["mmr"]))
        notional_q = contract.notional_q(other_lots, mark_ticks)
        other_maintenance_q += model.maintenance_q(other_lots, notional_q, abs(entry_q), 1)
        other_maintenance_q -= quanta(f(other["cum"]))
    side, qty, entry = side_of(leg), f(leg["qty"]), f(leg["entry_price"])
    tick = fine_tick(entry)
    found = solve(
        linear(tick), tick, flat_model(f(leg["mmr"])), side * lots(qty),
        entry_value(side, qty, entry), other_q, other_maintenance_q - quanta(f(leg["cum"])),
    )  # fmt: skip
    agree(found, vector, "liquidation_price", tick)


@pytest.mark.parametrize("vector", of_kind("liq_price_hedge_cross"))
def test_hedge_legs_share_one_price_and_each_pays_maintenance(vector: Vector) -> None:
    inputs = vector["inputs"]
    long, short = inputs["long"], inputs["short"]
    assert long["mmr"] == short["mmr"]
    ticks = hedge_liquidation_price_ticks(
        linear("0.000001"),
        flat_model(f(long["mmr"])),
        lots(f(long["qty"])),
        entry_value(1, f(long["qty"]), f(long["entry_price"])),
        -lots(f(short["qty"])),
        entry_value(-1, f(short["qty"]), f(short["entry_price"])),
        1,
        quanta(f(inputs["wallet_balance"])),
        0,
    )
    assert ticks is not None
    agree(price_of(ticks, "0.000001"), vector, "liquidation_price", "0.000001")


@pytest.mark.parametrize("vector", of_kind("liq_price_account"))
def test_account_liquidation_price_solves_from_equity_today(vector: Vector) -> None:
    inputs = vector["inputs"]
    tick = "0.000001"
    if "collateral" in inputs:
        size, mark = f(inputs["open_volume"]), f(inputs["mark_price"])
        rates = {
            "liquidation_price_no_slippage": f(inputs["risk_factor"]),
            "liquidation_price_with_slippage": f(inputs["risk_factor"])
            + f(inputs["linear_slippage_factor"]),
        }
        equity = f(inputs["collateral"])
    else:
        size, mark, equity = f(inputs["size"]), f(inputs["price"]), f(inputs["equity"])
        rates = {"liquidation_price": f(inputs["mmf"])}
    for field, rate in rates.items():
        # Today's price serves as entry: then equity today is the fixed part of the account.
        found = solve(
            linear(tick), tick, flat_model(rate), lots(size), quanta(size * mark),
            quanta(equity), 0,
        )  # fmt: skip
        agree(found, vector, field, tick)


@pytest.mark.parametrize("vector", engine_parameters(lambda v: v["id"] == "kraken-futures-epp"))
def test_inverse_liquidation_and_bankruptcy_price_solve_in_ticks(vector: Vector) -> None:
    inputs = vector["inputs"]
    tick = "0.001"
    contract = inverse(tick)
    qty_lots = int(inputs["qty_usd"])
    entry_q = contract.fill_value_q(qty_lots, int(inputs["entry_price"]) * 1_000)
    coins_q = quanta(f(inputs["collateral"]))
    assert -entry_q == quanta(f(vector["expected"]["position_value_entry"]))
    model = BracketMargin([MarginTier(0, QUANTA, int(f(inputs["mm_rate"]) * PPB), 50, 0)])
    initial_q = model.initial_q(qty_lots, -entry_q, -entry_q, 50)
    assert initial_q == quanta(f(vector["expected"]["initial_margin"]))
    maintenance_q = model.maintenance_q(qty_lots, -entry_q, -entry_q, 50)
    assert maintenance_q == quanta(f(vector["expected"]["maintenance_margin_entry"]))
    found = solve(contract, tick, model, qty_lots, entry_q, coins_q, 0)
    agree(found, vector, "liquidation_price", tick)
    bankrupt = bankruptcy_price_ticks(contract, qty_lots, entry_q, coins_q)
    assert bankrupt is not None
    agree(price_of(bankrupt, tick), vector, "bankruptcy_price", tick)


def bracket_tiers(inputs: Inputs) -> list[MarginTier]:
    """The vector's table with computed deductions, in millionths of a dollar."""
    if "tier_table_ref" in inputs:
        (table,) = [v for v in all_vectors() if v["id"] == inputs["tier_table_ref"]]
        inputs = table["inputs"]
    rows = inputs["tiers"]
    tiers: list[MarginTier] = []
    for index, row in enumerate(rows):
        if "lower_bound" in row:
            floor = f(row["lower_bound"])
            cap = f(rows[index + 1]["lower_bound"]) if index + 1 < len(rows) else Fraction(10**12)
            leverage = row["max_leverage"]
            rate = Fraction(1, 2 * leverage)
        else:
            floor, cap = f(row["min_notional"]), f(row["max_notional"])
            leverage = int(f(row.get("max_leverage", 1)))
            rate = f(row["maintenance_margin_rate"])
        tiers.append(MarginTier(int(floor * 10**6), int(cap * 10**6), int(rate * PPB), leverage, 0))
    return with_deductions(tiers)


def has_brackets(vector: Vector) -> bool:
    return vector["kind"] == "maintenance_margin" and "risk_factor" not in vector["inputs"]


@pytest.mark.parametrize("vector", engine_parameters(has_brackets))
def test_bracket_model_gives_the_venues_maintenance(vector: Vector) -> None:
    inputs, expected = vector["inputs"], vector["expected"]
    model = BracketMargin(bracket_tiers(inputs))
    notional_q = int(f(inputs.get("position_value", inputs.get("notional"))) * 10**6)
    exact = f(expected["maintenance_margin"]) * 10**6
    assert model.maintenance_q(1, notional_q, 0, 1) == -(-exact // 1)
    if "tier" in expected:
        assert model.tier_of(notional_q) + 1 == expected["tier"]


@pytest.mark.parametrize("vector", of_kind("tier_deduction_table"))
def test_loader_accepts_the_venues_table_with_its_deductions(vector: Vector) -> None:
    rows = [
        {
            "minNotional": row["min_notional"],
            "maxNotional": row["max_notional"],
            "maintenanceMarginRate": row["maintenance_margin_rate"],
            "maxLeverage": row["max_leverage"],
            "info": {"cum": cum},
        }
        for row, cum in zip(vector["inputs"]["tiers"], vector["expected"]["cum"], strict=True)
    ]
    tiers = ccxt_tiers(rows, DOLLARS, vector["id"])
    assert tiers == with_deductions(tiers)


@pytest.mark.parametrize("vector", of_kind("tier_table_validate"))
def test_loader_refuses_the_circulating_table_with_a_wrong_rate(vector: Vector) -> None:
    table = vector["inputs"]["tiers"]
    caps = [row["min_notional"] for row in table[1:]] + ["5000000"]
    rows = [
        {
            "minNotional": row["min_notional"],
            "maxNotional": cap,
            "maintenanceMarginRate": row["maintenance_margin_rate"],
            "maxLeverage": "10",
            "info": {"cum": row["cum"]},
        }
        for row, cap in zip(table, caps, strict=True)
    ]
    expected = vector["expected"]
    assert expected["valid"] is False
    allowed = int(expected["expected_cum"]) * 10**6
    with pytest.raises(ValueError, match=f"row {expected['bad_tier']}: .* must be {allowed}$"):
        ccxt_tiers(rows, DOLLARS, "gist")


@pytest.mark.parametrize("vector", of_kind("margin_linear_in_size"))
def test_linear_in_size_model_gives_the_venues_margins(vector: Vector) -> None:
    inputs, expected = vector["inputs"], vector["expected"]
    slope_ppb = int(f(inputs["step_per_unit"]) * PPB)
    model = LinearInSizeMargin(
        int(f(inputs["im_base"]) * PPB),
        int(f(inputs["mm_base"]) * PPB),
        slope_ppb,
        slope_ppb,
        1_000,
    )
    size_lots = int(f(inputs["size"]) * 1_000)
    notional_q = int(f(inputs["size"]) * f(inputs["index_price"]) * 10**6)
    leverage = model.max_leverage(notional_q)
    initial_q = model.initial_q(size_lots, notional_q, 0, leverage)
    maintenance_q = model.maintenance_q(size_lots, notional_q, 0, leverage)
    assert initial_q == f(expected["initial_margin"]) * 10**6
    assert maintenance_q == f(expected["maintenance_margin"]) * 10**6


@pytest.mark.parametrize("vector", of_kind("risk_limit_step"))
def test_whole_tier_model_gives_the_venues_rates_and_margin(vector: Vector) -> None:
    inputs, expected = vector["inputs"], vector["expected"]
    tiers: list[MarginTier] = []
    floor_q = 0
    for step in range(4):
        cap_q = quanta(f(inputs["base_risk_limit"]) + step * f(inputs["risk_step"]))
        rate = f(inputs["base_mm"]) * (step + 1)
        initial = f(inputs["base_im"]) + step * f(inputs["base_mm"])
        tiers.append(MarginTier(floor_q, cap_q, int(rate * PPB), int(1 / initial), 0))
        floor_q = cap_q
    model = WholeTierMargin(tiers)
    value_q = quanta(f(inputs["position_value"]))
    assert model.tier_floor_q(value_q) == tiers[expected["steps"]].floor_q
    maintenance_q = model.maintenance_q(1, value_q, value_q, 1)
    assert maintenance_q == quanta(f(expected["maintenance_margin"]))
    assert Fraction(maintenance_q, value_q) == f(expected["maintenance_margin_rate"])
    leverage = model.max_leverage(value_q)
    initial_q = model.initial_q(1, value_q, value_q, leverage)
    assert Fraction(initial_q, value_q) == f(expected["initial_margin_rate"])


def has_a_rate_below_one(vector: Vector) -> bool:
    return vector["kind"] == "size_premium_weight" and vector["inputs"]["weight_bps"] < 10_000


@pytest.mark.parametrize("vector", engine_parameters(has_a_rate_below_one))
def test_root_of_size_model_gives_the_venues_margin_ratio(vector: Vector) -> None:
    inputs = vector["inputs"]
    rate_ppb = inputs["weight_bps"] * PPB // 10_000
    premium_ppb = int(f(inputs["imf_factor"]) * PPB)
    lots_of_one = 1_000
    figures = [
        ("initial_ppb", rate_ppb + 1),
        ("maintenance_ppb", rate_ppb),
        ("premium_ppb", premium_ppb),
        ("unit_lots", lots_of_one),
    ]
    model = build_margin_model(MarginSpec("root_of_size", [], figures))
    size_lots = int(f(inputs["size"])) * lots_of_one
    # The venue cuts the ratio at a basis point.
    ratio_ppb = model.maintenance_q(-size_lots, PPB, 0, 1)
    assert ratio_ppb * 10_000 // PPB == vector["expected"]["weight_bps"]
    assert model.slope_bound_ppb(size_lots) == ratio_ppb
    assert model.initial_q(size_lots, PPB, 0, 10) > ratio_ppb


PPB_OF_PPM = 1_000


def open_interest_model(base_ppm: int, lower_cap: int, upper_cap: int) -> MarginModel:
    """The venue's quantum is one of ours; its maintenance is no part of the vectors."""
    figures = [
        ("initial_ppb", base_ppm * PPB_OF_PPM),
        ("maintenance_ppb", 1),
        ("lower_cap_q", lower_cap),
        ("upper_cap_q", upper_cap),
        ("interval_ns", 1),
    ]
    return build_margin_model(MarginSpec("by_open_interest", [], figures))


def rate_ppb_at(model: MarginModel, open_notional: int) -> int:
    """The rate after one sample."""
    meter = model.new_meter()
    assert meter is not None
    meter.sample(1, 1, open_notional)
    return meter.rate_ppb


@pytest.mark.parametrize("vector", of_kind("imf_open_interest_scaled"))
def test_the_initial_rate_rises_with_the_open_interest(vector: Vector) -> None:
    inputs = vector["inputs"]
    model = open_interest_model(inputs["base_imf_ppm"], inputs["lower_cap"], inputs["upper_cap"])
    rate_ppb = rate_ppb_at(model, inputs["open_notional"])
    # The venue cuts the rate at a millionth.
    assert rate_ppb // PPB_OF_PPM == vector["expected"]["effective_imf_ppm"]


def has_room_for_maintenance(vector: Vector) -> bool:
    """At one quantum the venue's initial margin is no more than maintenance; here it is above."""
    return vector["kind"] == "initial_margin" and vector["inputs"]["notional_quantums"] > 1


@pytest.mark.parametrize("vector", engine_parameters(has_room_for_maintenance))
def test_initial_margin_is_that_of_the_open_interest(vector: Vector) -> None:
    inputs = vector["inputs"]
    caps = (inputs["open_interest_lower_cap"], inputs["open_interest_upper_cap"])
    model = open_interest_model(inputs["initial_margin_ppm"], *caps)
    rate_ppb = rate_ppb_at(model, inputs["open_interest_notional"])
    notional_q = inputs["notional_quantums"]
    at_rate = model.at_rate(rate_ppb)
    margin_q = at_rate.initial_q(1, notional_q, notional_q, model.max_leverage(notional_q))
    assert margin_q == vector["expected"]["initial_margin_quantums"]
    assert rate_ppb // PPB_OF_PPM == vector["expected"]["effective_imf_ppm"]
    maintenance_q = model.maintenance_q(1, notional_q, notional_q, 1)
    assert at_rate.maintenance_q(1, notional_q, notional_q, 1) == maintenance_q


@pytest.mark.parametrize(
    "vector", engine_parameters(lambda v: v["id"] == "bybit-inverse-bankruptcy-tick")
)
def test_bankruptcy_price_of_a_long_is_rounded_up_to_the_tick(vector: Vector) -> None:
    inputs = vector["inputs"]
    tick = inputs["tick_size"]
    contract = inverse(tick)
    qty_lots = 1_000_000
    # What the contract was worth in coins, and the margin that is a fiftieth of it.
    unit_q = contract.unit_q * qty_lots
    entry_q = -int(unit_q / (f(inputs["entry_price"]) / f(tick)))
    margin_q = -entry_q // int(inputs["leverage"])
    found = bankruptcy_price_ticks(contract, qty_lots, entry_q, margin_q)
    assert found is not None
    assert price_of(found, tick) == f(vector["expected"]["bankruptcy_price"])


@pytest.mark.parametrize("vector", of_kind("margin_level"))
def test_used_margin_model_gives_the_venues_used_margin(vector: Vector) -> None:
    inputs, expected = vector["inputs"], vector["expected"]
    side = side_of(inputs)
    if "balance" in inputs:
        entry = price = f(inputs["position_usd"])
        leverage = int(inputs["leverage"])
    else:
        size = f(inputs["size_btc"])
        entry, price = size * f(inputs["open_price"]), size * f(inputs["price"])
        leverage = int(size / f(inputs["used_margin_btc"])) if side < 0 else int(inputs["leverage"])
    model = UsedMargin(400_000_000, 5)
    used_q = model.initial_q(side, int(price * 10**6), int(entry * 10**6), leverage)
    assert used_q == f(expected.get("used_margin", expected.get("used_margin_usd"))) * 10**6


@pytest.mark.parametrize("vector", of_kind("margin_call_price"))
def test_call_and_liquidation_price_are_two_levels_of_one_requirement(vector: Vector) -> None:
    inputs = vector["inputs"]
    tick = "0.000001"
    qty, entry = f(inputs["size_btc"]), f(inputs["open_price"])
    leverage = int(qty * entry / f(inputs["used_margin"]))
    liquidation = f(inputs["liq_level"])
    model = UsedMargin(int(liquidation * PPB), leverage)
    for field, level in (
        ("call_price", f(inputs["call_level"])),
        ("liquidation_price", liquidation),
    ):
        ticks = liquidation_price_ticks(
            linear(tick), model, lots(qty), entry_value(1, qty, entry), leverage,
            quanta(f(inputs["trade_balance"])), 0, factor_ppb=int(level / liquidation * PPB),
        )  # fmt: skip
        assert ticks is not None
        agree(price_of(ticks, tick), vector, field, tick)
