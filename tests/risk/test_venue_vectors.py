"""Venue vectors: margin requirements, orders, levels and portfolios; and that none is forgotten.

A handler turns the inputs of one kind of vector into figures with the functions of
`tests.venues`; every figure the vector expects is compared. Liquidation and losses are in
``test_venue_vectors_liquidation.py``, the integer models in ``test_venue_vectors_engine.py``.
"""

from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from typing import Any

import pytest

from tests.risk.test_venue_vectors_liquidation import HANDLERS as LIQUIDATION_HANDLERS
from tests.risk.venue_vectors import (
    REPOSITORY,
    THROUGH_THE_ENGINE,
    Handler,
    Vector,
    all_vectors,
    check,
    f,
    parameters,
    side_of,
)
from tests.venues import bankruptcy, levels, maintenance, order_margin, portfolio

MARKS_KINDS = (
    "funding_rate",
    "funding_twap",
    "funding_payment",
    "funding_index_delta",
    "funding_cap",
    "impact_notional",
    "mark_price",
    "mark_price_component",
    "ema_time_weighted",
)
"""Covered in tests/risk/test_venue_vectors_marks.py."""

WAITING = {
    "tier_lookup": "the coin-margined bracket table it looks up is not part of the vector",
}
"""Kinds not tested, and why."""

Inputs = dict[str, Any]


def deductions(inputs: Inputs) -> list[Fraction]:
    tiers = inputs["tiers"]
    floors = [f(tier["min_notional"]) for tier in tiers]
    rates = [f(tier["maintenance_margin_rate"]) for tier in tiers]
    return maintenance.bracket_deductions(floors, rates)


def tier_deduction(inputs: Inputs) -> Inputs:
    step = maintenance.bracket_deductions(
        [Fraction(0), f(inputs["floor"])], [f(inputs["prev_mmr"]), f(inputs["mmr"])]
    )
    return {"cum": f(inputs["prev_cum"]) + step[1]}


def tier_table_validate(inputs: Inputs) -> Inputs:
    right = deductions(inputs)
    bad = [i for i, tier in enumerate(inputs["tiers"]) if f(tier["cum"]) != right[i]]
    return {
        "valid": not bad,
        "bad_tier": bad[0] + 1 if bad else 0,
        "expected_cum": right[bad[0]] if bad else Fraction(0),
    }


def bracket_table(inputs: Inputs) -> tuple[list[Fraction], list[Fraction]]:
    """Floors and rates of the three ways the vectors write a table."""
    if "tier_table_ref" in inputs:
        (table,) = [v for v in all_vectors() if v["id"] == inputs["tier_table_ref"]]
        inputs = table["inputs"]
    tiers = inputs["tiers"]
    if "lower_bound" in tiers[0]:
        rates = [maintenance.half_of_initial(f(tier["max_leverage"])) for tier in tiers]
        return [f(tier["lower_bound"]) for tier in tiers], rates
    floors = [f(tier["min_notional"]) for tier in tiers]
    return floors, [f(tier["maintenance_margin_rate"]) for tier in tiers]


def maintenance_margin(inputs: Inputs) -> Inputs:
    if "risk_factor" in inputs:
        margin = maintenance.slippage_maintenance(
            f(inputs["mark_price"]),
            f(inputs["open_volume"]),
            f(inputs["linear_slippage_factor"]),
            f(inputs["risk_factor"]),
        )
        return {"maintenance_margin": margin}
    notional = f(inputs["position_value"] if "position_value" in inputs else inputs["notional"])
    floors, rates = bracket_table(inputs)
    taken_off = maintenance.bracket_deductions(floors, rates)
    tier = max(i for i, floor in enumerate(floors) if notional >= floor)
    margin = notional * rates[tier] - taken_off[tier]
    assert margin == maintenance.bracket_slices(notional, floors, rates)
    return {
        "tier": tier + 1,
        "maintenance_margin": margin,
        "mmr": rates,
        "mm_deduction": taken_off,
        "maintenance_deduction": taken_off,
    }


def maintenance_margin_perp(inputs: Inputs) -> Inputs:
    lower = Fraction(-1) if inputs.get("clamp") == "wide" else f(inputs["clamp_lower_binding"])
    payment = maintenance.funding_payment_estimate(
        f(inputs["s_twap"]),
        f(inputs["f_twap"]),
        f(inputs.get("delta_t", 0)) * f(inputs.get("interest_rate", 0)),
        lower,
        Fraction(1),
    )
    total = maintenance.perpetual_maintenance(
        f(inputs["futures_margin"]),
        f(inputs["margin_funding_factor"]),
        f(inputs["open_volume"]),
        payment,
    )
    return {"funding_payment": payment, "total": total}


def maintenance_margin_with_orders(inputs: Inputs) -> Inputs:
    open_volume = int(inputs["open_volume"])
    longest, shortest = order_margin.riskiest_positions(
        open_volume, int(inputs["buys"]), -int(inputs["sells"])
    )
    mark, slippage = f(inputs["mark_price"]), f(inputs["linear_slippage_factor"])

    def requirement(size: int, factor: str) -> Fraction:
        risk_factor = f(inputs[factor])
        return maintenance.slippage_maintenance(mark, Fraction(size), slippage, risk_factor)

    long_side, short_side = requirement(longest, "rf_long"), requirement(shortest, "rf_short")
    position = requirement(open_volume, "rf_long" if open_volume > 0 else "rf_short")
    return {
        "riskiest_long": longest,
        "riskiest_short": shortest,
        "maintenance_margin_long": long_side,
        "maintenance_margin_short": short_side,
        "maintenance_margin": position,
        "order_margin": max(long_side, short_side) - position,
    }


def margin_linear_in_size(inputs: Inputs) -> Inputs:
    size, step = f(inputs["size"]), f(inputs["step_per_unit"])
    value = size * f(inputs["index_price"])
    im_rate = maintenance.linear_rate(f(inputs["im_base"]), step, size)
    mm_rate = maintenance.linear_rate(f(inputs["mm_base"]), step, size)
    return {
        "im_rate": im_rate,
        "mm_rate": mm_rate,
        "initial_margin": value * im_rate,
        "maintenance_margin": value * mm_rate,
    }


def risk_limit_step(inputs: Inputs) -> Inputs:
    value = f(inputs["position_value"])
    steps = maintenance.risk_limit_steps(
        value, f(inputs["base_risk_limit"]), f(inputs["risk_step"])
    )
    mm_rate, im_rate = maintenance.risk_limit_rates(
        steps, f(inputs["base_mm"]), f(inputs["base_im"])
    )
    return {
        "steps": steps,
        "maintenance_margin_rate": mm_rate,
        "initial_margin_rate": im_rate,
        "maintenance_margin": value * mm_rate,
    }


def initial_margin(inputs: Inputs) -> Inputs:
    rate = maintenance.open_interest_scaled_ppm(
        inputs["initial_margin_ppm"],
        inputs["open_interest_lower_cap"],
        inputs["open_interest_upper_cap"],
        inputs["open_interest_notional"],
    )
    margin = maintenance.initial_margin_up(inputs["notional_quantums"], rate)
    return {"initial_margin_quantums": margin, "effective_imf_ppm": rate}


def imf_open_interest_scaled(inputs: Inputs) -> Inputs:
    rate = maintenance.open_interest_scaled_ppm(
        inputs["base_imf_ppm"], inputs["lower_cap"], inputs["upper_cap"], inputs["open_notional"]
    )
    return {"effective_imf_ppm": rate}


def size_weight_arguments(inputs: Inputs) -> tuple[int, int, int]:
    imf_ppm = f(inputs["imf_factor"]) * maintenance.PPM
    assert imf_ppm.denominator == 1
    return inputs["weight_bps"], int(imf_ppm), int(inputs["size"])


def margin_model(inputs: Inputs) -> Inputs:
    notional = f(inputs["notional"])
    initial, maint = f(inputs["margin_init"]), f(inputs["margin_maint"])
    if inputs["model"] == "standard":
        pair = maintenance.standard_margins(notional, initial, maint)
    else:
        pair = maintenance.leveraged_margins(notional, f(inputs["leverage"]), initial, maint)
    return {"initial": pair[0], "maintenance": pair[1]}


def max_leverage_for_margin(inputs: Inputs) -> Inputs:
    tiers = [(f(tier["max_notional"]), f(tier["max_leverage"])) for tier in inputs["tiers"]]
    return {"max_leverage": maintenance.max_leverage_for_margin(f(inputs["margin"]), tiers)}


def order_cost(inputs: Inputs) -> Inputs:
    leverage = f(inputs["leverage"])
    if "taker_fee" in inputs:
        return order_cost_with_fees(inputs, leverage)
    qty, price, mark = f(inputs["qty"]), f(inputs["order_price"]), f(inputs["mark_price"])
    if inputs["order_type"] == "market":
        price = order_margin.market_sell_assuming_price(
            f(inputs["last_price"]), mark, price, f(inputs["sell_price_markup"])
        )
    margin = order_margin.initial_margin(qty * price, leverage)
    loss = order_margin.open_loss(side_of(inputs), qty, price, mark)
    return {
        "assuming_price": price,
        "initial_margin": margin,
        "open_loss": loss,
        "cost": order_margin.order_cost(margin, loss),
    }


def order_cost_with_fees(inputs: Inputs, leverage: Fraction) -> Inputs:
    side, price = side_of(inputs), f(inputs["order_price"])
    if inputs.get("contract") == "inverse":
        quote_qty = f(inputs["qty_usd"])
        value = quote_qty / price
        closing = quote_qty / bankruptcy.inverse_isolated_price(side, price, leverage)
    else:
        qty = f(inputs["qty"])
        value = qty * price
        closing = qty * bankruptcy.linear_isolated_price(side, price, leverage)
    figures = order_margin.cost_with_fees(value, leverage, f(inputs["taker_fee"]), closing)
    return dict(zip(("initial_margin", "open_fee", "close_fee", "cost"), figures, strict=True))


def order_margin_isolated(inputs: Inputs) -> Inputs:
    position = f(inputs.get("position", 0))
    price = f(inputs["buy_limit_price"] if "buy_limit_price" in inputs else inputs["limit_price"])
    size = f(inputs["buy_size"] if "buy_size" in inputs else inputs["size"])
    factor = f(inputs["margin_factor"])
    return {"order_margin": order_margin.isolated_order_margin(1, price, size, factor, position)}


def order_margin_two_sided(inputs: Inputs) -> Inputs:
    buys, sells = f(inputs["buy_side_im"]), f(inputs["sell_side_im"])
    before = order_margin.two_sided_requirement(buys, sells)
    after = order_margin.two_sided_requirement(buys, sells + f(inputs["new_sell_order_im"]))
    return {"additional_margin": after - before, "account_im": after}


def riskiest_positions(inputs: Inputs) -> Inputs:
    longest, shortest = order_margin.riskiest_positions(
        inputs["open_volume"], inputs["buys"], inputs["sells"]
    )
    return {"riskiest_long": longest, "riskiest_short": shortest}


def isolated_margin_switch(inputs: Inputs) -> Inputs:
    margin = order_margin.isolated_position_margin(
        f(inputs["position"]), f(inputs["average_entry"]), f(inputs["margin_factor"])
    )
    return {"margin_account": margin}


def is_liquidatable(inputs: Inputs) -> Inputs:
    if "trigger_ratio" in inputs:
        verdict = levels.is_liquidatable_inclusive(
            f(inputs["equity"]), f(inputs["maintenance"]), f(inputs["trigger_ratio"])
        )
        return {"is_liquidatable": verdict}
    value = f(inputs["position_size"]) * f(inputs["oracle_price"])
    equity = f(inputs["quote_balance"]) + value
    return {"is_liquidatable": levels.is_liquidatable_strict(equity, abs(value) * f(inputs["mmf"]))}


def margin_level_state(inputs: Inputs) -> Inputs:
    if "uni_mmr" in inputs:
        return {"state": levels.unimmr_state(f(inputs["uni_mmr"]))}
    equity, maint = f(inputs["account_equity"]), f(inputs["maintenance_margin"])
    return {"state": levels.hyperliquid_stage(equity, maint)}


def margin_level(inputs: Inputs) -> Inputs:
    side = side_of(inputs)
    if "balance" in inputs:
        value = f(inputs["position_usd"])
        used = levels.used_margin(side, Fraction(1), value, value, f(inputs["leverage"]))
        return {"used_margin": used, "free_margin": f(inputs["balance"]) - used}
    size, entry, price = f(inputs["size_btc"]), f(inputs["open_price"]), f(inputs["price"])
    leverage = size / f(inputs["used_margin_btc"]) if side < 0 else f(inputs["leverage"])
    used = levels.used_margin(side, size, entry, price, leverage)
    unrealised = side * size * (price - entry)
    equity = f(inputs["equity_start"]) + unrealised
    level = levels.margin_level(equity, used)
    return {
        "used_margin": used,
        "used_margin_usd": used,
        "unrealized": unrealised,
        "equity": equity,
        "margin_level": level,
        "state": levels.kraken_state(level),
    }


def margin_call_price(inputs: Inputs) -> Inputs:
    entry, equity = f(inputs["open_price"]), f(inputs["trade_balance"])
    used, volume = f(inputs["used_margin"]), f(inputs["size_btc"])
    call, liquidation = f(inputs["call_level"]), f(inputs["liq_level"])
    call_price = levels.kraken_long_price(entry, equity, used, call, volume)
    return {
        "margin_level_now": levels.margin_level(equity, used),
        "equity_at_call": equity + volume * (call_price - entry),
        "call_price": call_price,
        "liquidation_price": levels.kraken_long_price(entry, equity, used, liquidation, volume),
    }


def margin_call_amount(inputs: Inputs) -> Inputs:
    contracts = f(inputs["contracts"])
    initial = contracts * f(inputs["initial_per_contract"])
    maint = contracts * f(inputs["maintenance_per_contract"])
    loss = contracts * f(inputs["loss_ticks"]) * f(inputs["tick_value"])
    to_initial = inputs["restore_to"] == "initial"
    return {
        "initial": initial,
        "maintenance": maint,
        "loss": loss,
        "balance": initial - loss,
        "call": levels.margin_call(initial - loss, initial, maint, to_initial),
    }


def margin_call_path(inputs: Inputs) -> Inputs:
    contracts = f(inputs["contracts"])
    balances, calls = levels.margin_call_path(
        contracts * f(inputs["contract_size"]),
        f(inputs["open_price"]),
        [f(price) for price in inputs["settlements"]],
        contracts * f(inputs["initial_per_contract"]),
        contracts * f(inputs["maintenance_per_contract"]),
    )
    return {"balances_before_call": balances, "calls": calls}


def margin_ratio(inputs: Inputs) -> Inputs:
    value = f(inputs["face_value"]) * f(inputs["contracts"]) * f(inputs["mark_price"])
    ratio = levels.okx_margin_ratio(
        f(inputs["margin_balance"]), f(inputs["pnl"]), value, f(inputs["mmr"]),
        f(inputs["taker_fee"]),
    )  # fmt: skip
    return {"margin_ratio": ratio}


def risk_array(inputs: Inputs) -> Inputs:
    rows = [(row.get("qty", 1), row["profit"]) for row in inputs["position"]]
    profits = portfolio.combine_arrays(rows)
    worst, scenario = portfolio.scan_risk(profits)
    return {"portfolio_profit": profits, "scan_risk": worst, "worst_scenario": scenario}


def risk_array_future(inputs: Inputs) -> Inputs:
    profit = portfolio.future_risk_array(
        f(inputs["price_scan_range"]), f(inputs["extreme_multiple"]), f(inputs["extreme_cover"])
    )
    return {"profit": profit}


def portfolio_margin(inputs: Inputs) -> Inputs:
    assert inputs["position"] == "long 100 shares at 100"
    requirement = portfolio.worst_over_range(
        Fraction(100),
        Fraction(100),
        f(inputs["range_low"]),
        f(inputs["range_high"]),
        inputs["valuation_points"],
    )
    return {"requirement": requirement}


def portfolio_margin_param(inputs: Inputs) -> Inputs:
    if "power" in inputs:
        shock = portfolio.volatility_shock(
            inputs["days_to_expiry"], Decimal(inputs["base_vol_change"]), Decimal(inputs["power"])
        )
        return {"vol_change": Fraction(shock)}
    options = [f(inputs["short_call_strike_x"]), f(inputs["short_put_strike_x"])]
    charge = f(inputs["short_option_contingency"])
    return {
        "net_short_per_strike": portfolio.short_option_contingency(options, Fraction(1)),
        "short_option_charge": portfolio.short_option_contingency(options, charge),
        "futures_charge": portfolio.offset_futures_contingency(
            f(inputs["offsetting_futures"]), f(inputs["futures_contingency"])
        ),
    }


def margin_netting(inputs: Inputs) -> Inputs:
    assert inputs["same_underlying"] and inputs["both_cross"]
    total = portfolio.netted_margin(f(inputs["long_margin"]), f(inputs["short_margin"]))
    return {"total_margin": total}


def collateral_value(inputs: Inputs) -> Inputs:
    values = [
        portfolio.haircut_value(f(a["net"]), f(a["index_price"]), f(a["collateral_rate"]))
        for a in inputs["assets"]
    ]
    return {"equity": sum(values, Fraction(0))}


HANDLERS: dict[str, Handler] = {
    "collateral_value": collateral_value,
    "imf_open_interest_scaled": imf_open_interest_scaled,
    "initial_margin": initial_margin,
    "is_liquidatable": is_liquidatable,
    "isolated_margin_switch": isolated_margin_switch,
    "maintenance_margin": maintenance_margin,
    "maintenance_margin_perp": maintenance_margin_perp,
    "maintenance_margin_with_orders": maintenance_margin_with_orders,
    "margin_call_amount": margin_call_amount,
    "margin_call_path": margin_call_path,
    "margin_call_price": margin_call_price,
    "margin_level": margin_level,
    "margin_level_state": margin_level_state,
    "margin_linear_in_size": margin_linear_in_size,
    "margin_model": margin_model,
    "margin_netting": margin_netting,
    "margin_ratio": margin_ratio,
    "max_leverage_for_margin": max_leverage_for_margin,
    "order_cost": order_cost,
    "order_margin": order_margin_isolated,
    "order_margin_two_sided": order_margin_two_sided,
    "portfolio_margin": portfolio_margin,
    "portfolio_margin_param": portfolio_margin_param,
    "risk_array": risk_array,
    "risk_array_future": risk_array_future,
    "risk_limit_step": risk_limit_step,
    "riskiest_positions": riskiest_positions,
    "size_discount_weight": lambda i: {
        "weight_bps": maintenance.size_discount_bps(*size_weight_arguments(i))
    },
    "size_premium_weight": lambda i: {
        "weight_bps": maintenance.size_premium_bps(*size_weight_arguments(i))
    },
    "tier_deduction": tier_deduction,
    "tier_deduction_table": lambda i: {"cum": deductions(i)},
    "tier_table_validate": tier_table_validate,
}


@pytest.mark.parametrize("vector", parameters(lambda v: v["kind"] in HANDLERS))
def test_venue_figure_follows_from_its_formula(vector: Vector) -> None:
    check(vector, HANDLERS[vector["kind"]](vector["inputs"]))


@pytest.mark.parametrize(("value", "steps"), [(199, 0), (200, 1), (349, 1), (350, 2)])
def test_value_at_a_risk_limit_belongs_to_the_next_step(value: int, steps: int) -> None:
    limits = (Fraction(200), Fraction(150))
    assert maintenance.risk_limit_steps(Fraction(value), *limits) == steps


def test_every_vector_is_tested_or_waiting_with_a_reason() -> None:
    if not all_vectors():
        pytest.skip("the venue vectors are absent")
    places = [*HANDLERS, *LIQUIDATION_HANDLERS, *MARKS_KINDS, *WAITING]
    assert len(places) == len(set(places)), "a kind has two places"
    kinds = {vector["kind"] for vector in all_vectors()}
    assert sorted(kinds - set(places)) == []
    assert sorted(set(places) - kinds) == []
    tested = [v for v in all_vectors() if v["kind"] not in WAITING]
    assert len(tested) == 229


ASKED_OF_THE_ENGINE = 111
"""How many of the 230 vectors run through the engine's own models, solver, marks and funding. The
number only rises; `docs/real_venues.md` prints it."""


def test_the_number_of_vectors_the_engine_answers_is_pinned_and_printed() -> None:
    if not all_vectors():
        pytest.skip("the venue vectors are absent")
    for module in (
        "test_fund_delta",
        "test_venue_vectors_bankruptcy",
        "test_venue_vectors_engine",
        "test_venue_vectors_marks",
    ):
        import_module(f"tests.risk.{module}")
    assert len(THROUGH_THE_ENGINE) == ASKED_OF_THE_ENGINE
    page = (REPOSITORY / "docs" / "real_venues.md").read_text()
    assert f"{ASKED_OF_THE_ENGINE} of {len(all_vectors())} figures" in " ".join(page.split())
