"""Venue vectors: liquidation and bankruptcy prices, sizes, the fund, ADL and shared losses."""

from fractions import Fraction
from typing import Any

import pytest

from tests.risk.venue_vectors import Handler, Vector, check, f, parameters, side_of
from tests.venues import adl, bankruptcy, levels, liquidation_size, losses
from tests.venues import liquidation_price as price_of

Inputs = dict[str, Any]
ZERO = Fraction(0)


def margin_of(inputs: Inputs) -> Fraction:
    """The isolated margin, under the names the sources use, or value over leverage."""
    for name in ("margin", "wallet_balance", "isolated_wallet", "isolated_margin"):
        if name in inputs:
            return f(inputs[name])
    return f(inputs["qty"]) * f(inputs["entry_price"]) / f(inputs["leverage"])


def isolated_linear(inputs: Inputs, added: Fraction = ZERO) -> Fraction:
    side, qty, entry = side_of(inputs), f(inputs["qty"]), f(inputs["entry_price"])
    rate, deduction = f(inputs["mmr"]), f(inputs.get("cum", 0))
    if inputs["formula"] == "mark_based":
        margin = margin_of(inputs) + added
        return price_of.mark_based_price(side, qty, entry, margin, rate, deduction)
    if inputs["formula"] == "hyperliquid":
        maximum = f(inputs["max_leverage"])
        price = price_of.hyperliquid_price(side, qty, entry, margin_of(inputs), maximum)
        assert price == price_of.mark_based_price(side, qty, entry, margin_of(inputs), rate, ZERO)
        return price
    if inputs["formula"] == "entry_based":
        return price_of.entry_based_price(side, qty, entry, f(inputs["leverage"]), rate, added)
    margin = f(inputs["assigned_balance"]) if "assigned_balance" in inputs else margin_of(inputs)
    fee = f(inputs["taker_fee"])
    return price_of.fee_included_price(side, qty, entry, margin, rate, fee)


def liq_price_isolated_linear(inputs: Inputs) -> Inputs:
    raw = isolated_linear(inputs)
    figures: Inputs = {"liquidation_price": price_of.reachable(raw), "raw": raw}
    if "open_value" in inputs:
        value = f(inputs["open_value"])
        closing = bankruptcy.linear_isolated_value(
            side_of(inputs), value, value / f(inputs["leverage"])
        )
        figures["bankruptcy_value"] = closing
        figures["close_fee"] = closing * f(inputs["taker_fee"])
    return figures


def liq_price_isolated_add_margin(inputs: Inputs) -> Inputs:
    return {
        "liquidation_price_before": isolated_linear(inputs),
        "liquidation_price_after": isolated_linear(inputs, f(inputs["added"])),
    }


def liq_price_cross(inputs: Inputs) -> Inputs:
    tmm, upnl = ZERO, ZERO
    for other in inputs["other_positions"]:
        notional = f(other["qty"]) * f(other["mark_price"])
        tmm += notional * f(other["mmr"]) - f(other["cum"])
        upnl += (
            side_of(other) * f(other["qty"]) * (f(other["mark_price"]) - f(other["entry_price"]))
        )
    leg = inputs["position"]
    price = price_of.cross_price(
        f(inputs["wallet_balance"]), tmm, upnl, [leg_of(leg, side_of(leg))]
    )
    return {"liquidation_price": price, "tmm": tmm, "upnl": upnl}


def leg_of(leg: Inputs, side: int) -> tuple[int, Fraction, Fraction, Fraction, Fraction]:
    return side, f(leg["qty"]), f(leg["entry_price"]), f(leg["mmr"]), f(leg["cum"])


def liq_price_hedge_cross(inputs: Inputs) -> Inputs:
    legs = [leg_of(inputs["long"], 1), leg_of(inputs["short"], -1)]
    wallet = f(inputs["wallet_balance"])
    price = price_of.cross_price(wallet, f(inputs["tmm"]), f(inputs["upnl"]), legs)
    equity = wallet + sum(side * qty * (price - entry) for side, qty, entry, _, _ in legs)
    return {"liquidation_price": price, "equity_at_liquidation": equity}


def liq_price_account(inputs: Inputs) -> Inputs:
    if "collateral" in inputs:
        size, mark = f(inputs["open_volume"]), f(inputs["mark_price"])
        collateral, factor = f(inputs["collateral"]), f(inputs["risk_factor"])
        slippage = f(inputs["linear_slippage_factor"])
        return {
            "liquidation_price_with_slippage": price_of.account_price(
                collateral, size, mark, factor + slippage, ZERO
            ),
            "liquidation_price_no_slippage": price_of.account_price(
                collateral, size, mark, factor, ZERO
            ),
        }
    equity, size, mark = f(inputs["equity"]), f(inputs["size"]), f(inputs["price"])
    price = price_of.account_price(equity, size, mark, f(inputs["mmf"]), f(inputs["other_mmr"]))
    return {"liquidation_price": price, "equity_at_liq": equity + size * (price - mark)}


def liq_price_isolated_inverse(inputs: Inputs) -> Inputs:
    quote_qty, entry = f(inputs["qty_usd"]), f(inputs["entry_price"])
    value = quote_qty / entry
    if inputs["formula"] == "mark_based":
        side, coins, rate = side_of(inputs), f(inputs["collateral"]), f(inputs["mm_rate"])
        return {
            "position_value_entry": value,
            "initial_margin": value * f(inputs["im_rate"]),
            "maintenance_margin_entry": value * rate,
            "liquidation_price": price_of.inverse_mark_based_price(
                side, quote_qty, entry, coins, rate
            ),
            "bankruptcy_price": bankruptcy.inverse_price(side, quote_qty, entry, coins),
        }
    leverage, rate = f(inputs["leverage"]), f(inputs["mmr"])
    both = [
        price_of.inverse_entry_based_price(side, quote_qty, entry, leverage, rate)
        for side in (1, -1)
    ]
    return {
        "position_value": value,
        "initial_margin": value / leverage,
        "maintenance_margin": value * rate,
        "liquidation_price_long": both[0],
        "liquidation_price_short": both[1],
    }


def liq_price_cross_inverse(inputs: Inputs) -> Inputs:
    available = f(inputs["account_balance"]) - f(inputs["order_margin"])
    price = price_of.inverse_cross_price(
        f(inputs["qty_usd"]),
        f(inputs["entry_price"]),
        available,
        f(inputs["mmr"]),
        f(inputs["taker_fee"]),
        f(inputs["bankruptcy_price"]),
    )
    rounded = price_of.to_tick_against(side_of(inputs), price, f(inputs["tick_size"]))
    return {"unrounded": price, "liquidation_price": rounded}


def bankruptcy_price(inputs: Inputs) -> Inputs:
    side, entry = side_of(inputs), f(inputs["entry_price"])
    if inputs["margin_mode"] == "cross":
        available = f(inputs["account_balance"]) - f(inputs["order_margin"])
        price = bankruptcy.inverse_cross_price(
            f(inputs["qty_usd"]), entry, available, f(inputs["taker_fee"])
        )
        return {"bankruptcy_price": price}
    price = bankruptcy.inverse_isolated_price(side, entry, f(inputs["leverage"]))
    rounded = price_of.to_tick_against(side, price, f(inputs["tick_size"]))
    return {"unrounded": price, "bankruptcy_price": rounded}


def subaccount(inputs: Inputs) -> tuple[Fraction, Fraction]:
    """Total equity and maintenance of a dYdX subaccount."""
    equity, maintenance = f(inputs["quote_balance"]), ZERO
    for position in inputs["positions"]:
        value = f(position["size"]) * f(inputs["prices"][position["market"]])
        equity += value
        maintenance += abs(value) * f(inputs["mmf"])
    return equity, maintenance


def size_in(inputs: Inputs, market: str) -> Fraction:
    (size,) = [f(p["size"]) for p in inputs["positions"] if p["market"] == market]
    return size


def bankruptcy_quote_amount(inputs: Inputs) -> Inputs:
    market = inputs["close_market"]
    amount = bankruptcy.bankruptcy_amount(
        size_in(inputs, market),
        f(inputs["prices"][market]),
        f(inputs["size_delta"]),
        f(inputs["mmf"]),
        *subaccount(inputs),
    )
    return {"bankruptcy_quote_amount": amount}


def fillable_price(inputs: Inputs) -> Inputs:
    market = inputs["market"]
    price = bankruptcy.fillable_price(
        size_in(inputs, market),
        f(inputs["prices"][market]),
        f(inputs["mmf"]),
        *subaccount(inputs),
        Fraction(inputs["bankruptcy_adjustment_ppm"], 10**6),
        Fraction(inputs["spread_to_maintenance_margin_ratio_ppm"], 10**6),
    )
    return {"fillable_price": price}


def closed_amount(quote: Fraction, size: Fraction, price: Fraction, delta: Fraction) -> Fraction:
    """Bankruptcy amount of an account with one position, whose rate then cancels out."""
    value = size * price
    return bankruptcy.bankruptcy_amount(size, price, delta, Fraction(1), quote + value, abs(value))


def insurance_fund_delta(inputs: Inputs) -> Inputs:
    if "bankruptcy_price" in inputs:
        side, qty = side_of(inputs), f(inputs["qty"])
        zero_price, fill = f(inputs["bankruptcy_price"]), f(inputs["fill_price"])
        delta = bankruptcy.takeover_fund_delta(side, qty, zero_price, fill)
        margin = side * qty * (f(inputs["entry_price"]) - zero_price)
        result = side * qty * (fill - f(inputs["entry_price"]))
        return {"fund_delta": delta, "trader_left": margin + result - delta}
    if "deposit" in inputs:
        return documented_insurance(inputs)
    size, fill_size = f(inputs["position_size"]), f(inputs["fill_size"])
    direction = -1 if inputs["fill_side"] == "sell" else 1
    amount = closed_amount(
        f(inputs["quote_balance"]), size, f(inputs["oracle_price"]), direction * fill_size
    )
    notional = fill_size * f(inputs["fill_price"])
    fee = Fraction(inputs["max_liquidation_fee_ppm"], 10**6)
    delta = bankruptcy.insurance_fund_delta(-direction * notional, amount, notional, fee)
    return {"insurance_fund_delta": delta}


def documented_insurance(inputs: Inputs) -> Inputs:
    deposit, size, entry = f(inputs["deposit"]), f(inputs["size"]), f(inputs["entry"])
    oracle, fill = f(inputs["oracle"]), f(inputs["fill_price"])
    amount = closed_amount(deposit - size * entry, size, oracle, -size)
    delta = bankruptcy.insurance_fund_delta(size * fill, amount, size * fill, ZERO)
    pnl = losses.mark_to_market(size, entry, [], oracle)
    return {
        "pnl_at_oracle": pnl,
        "equity": deposit + pnl,
        "mmr_at_entry": size * entry * f(inputs["mmf"]),
        "max_spread": f(inputs["smmr"]) * f(inputs["mmf"]),
        "pnl_at_fill": losses.mark_to_market(size, entry, [], fill),
        "fund_contribution": -delta,
    }


def deleverage(inputs: Inputs) -> Inputs:
    price = f(inputs["price"])
    if "a" in inputs:
        a, b = inputs["a"], inputs["b"]
        size = f(b["size"])
        quotes = [f(x["deposit"]) - f(x["size"]) * f(x["entry"]) for x in (a, b)]
        amount = closed_amount(quotes[1], size, price, -size)
        close, b_after, a_after = bankruptcy.deleverage(quotes[1], quotes[0], -size, amount)
        return {
            "b_equity": quotes[1] + size * price,
            "b_bankruptcy_price": close,
            "a_pnl": a_after - f(a["deposit"]),
            "b_pnl": b_after - f(b["deposit"]),
            "b_value": b_after,
        }
    loser, winner, delta = inputs["liquidated"], inputs["offsetting"], f(inputs["size_delta"])
    quote, size = f(loser["quote_balance"]), f(loser["size"])
    amount = closed_amount(quote, size, price, delta)
    close, after, other = bankruptcy.deleverage(quote, f(winner["quote_balance"]), delta, amount)
    left = after + (size + delta) * price
    return {
        "close_price": close,
        "liquidated_quote_after": after,
        "offsetting_quote_after": other,
        "liquidated_size_after": size + delta,
        "offsetting_size_after": f(winner["size"]) - delta,
        "ok": left >= 0,
    }


def liquidation_size_(inputs: Inputs) -> Inputs:
    if "position_contracts" in inputs:
        position = inputs["position_contracts"]
        closed = liquidation_size.down_to_tier(position, inputs["tier1_max_contracts"])
        return {"contracts_to_close": closed, "contracts_left": position - closed}
    if "in_30s_cooldown" in inputs:
        notional, cooling = f(inputs["position_notional"]), inputs["in_30s_cooldown"]
        return {"fraction_sent": liquidation_size.hyperliquid_fraction(notional, cooling)}
    if "max_position_portion_ppm" in inputs:
        least, most = liquidation_size.block_notional_limits(
            f(inputs["position_size"]) * f(inputs["oracle_price"]),
            Fraction(inputs["min_position_notional_quantums"], 10**6),
            Fraction(inputs["max_position_portion_ppm"], 10**6),
        )
        return {"min_notional": least, "max_notional": most}
    base = liquidation_size.cover_shortage(
        f(inputs["margin_shortage"]),
        f(inputs["margin_ratio"]),
        f(inputs["liquidator_fee"]),
        f(inputs["insurance_fee"]),
        f(inputs["oracle_price"]),
        f(inputs["quote_oracle_price"]),
    )
    return {"base_to_liquidate": base}


def liquidation_pct(inputs: Inputs) -> Inputs:
    share = liquidation_size.max_share(
        f(inputs["margin_shortage"]),
        f(inputs.get("margin_freed", 0)),
        inputs["slots_elapsed"],
        inputs["liquidation_duration_slots"],
        f(inputs["initial_pct"]),
    )
    return {"pct": share}


def liquidation_fee_ramp(inputs: Inputs) -> Inputs:
    fee = liquidation_size.ramped_liquidator_fee(
        f(inputs["base_fee"]),
        f(inputs["max_fee"]),
        inputs["slots_elapsed"],
        inputs["grace_slots"],
        f(inputs["increase_per_slot"]),
    )
    return {"fee": fee}


def insurance_fee_rate(inputs: Inputs) -> Inputs:
    fee = liquidation_size.adaptive_insurance_fee(
        f(inputs["margin_shortage"]),
        f(inputs["base"]),
        f(inputs["oracle_price"]),
        f(inputs["margin_ratio"]),
        f(inputs["liquidator_fee"]),
        f(inputs["max_if_fee"]),
    )
    return {"if_fee": fee}


def liquidation_schedule(inputs: Inputs) -> Inputs:
    sizes = liquidation_size.disposal_schedule(
        inputs["position"],
        f(inputs["disposal_fraction"]),
        inputs["full_disposal_size"],
        f(inputs["max_fraction_consumed"]),
        inputs["available_volume"],
    )
    return {"sizes": sizes}


def liquidation_waterfall(inputs: Inputs) -> Inputs:
    rest = [
        liquidation_size.unfilled_to_assignment(p["qty"], p["filled_in_book"])
        for p in inputs["positions"]
    ]
    return {"assigned": rest}


def adl_score(inputs: Inputs) -> Inputs:
    if "wallet_balance" in inputs:
        percent, score = adl.binance_score(
            f(inputs["unrealized_profit"]), f(inputs["wallet_balance"]), f(inputs["margin_ratio"])
        )
        return {"pnl_percent": percent, "leverage_pnl": score}
    leverage, percent, score = adl.bitmex_score(
        f(inputs["mark_value"]), f(inputs["bankrupt_value"]), f(inputs["avg_entry_value"])
    )
    return {"effective_leverage": leverage, "pnl_percent": percent, "score": score}


def adl_rank(inputs: Inputs) -> Inputs:
    if "accounts" in inputs:
        scores = {
            a["id"]: adl.hyperliquid_score(
                f(a["mark_price"]), f(a["entry_price"]), f(a["notional"]), f(a["account_value"])
            )
            for a in inputs["accounts"]
        }
        return {"scores": scores, "order": adl.rank(list(scores.items()))}
    order = adl.rank([(p["id"], Fraction(p["score"])) for p in inputs["positions"]])
    qty = {p["id"]: p["qty"] for p in inputs["positions"]}
    lights = dict(adl.quintiles([(name, qty[name]) for name in order]))
    return {"order": order, "percentile": lights}


def adl_fill(inputs: Inputs) -> Inputs:
    queue = [(entry["id"], entry["qty"]) for entry in inputs["queue"]]
    had = dict(queue)
    price = f(inputs["liquidated"]["bankruptcy_price"])
    fills = adl.fill_queue(queue, inputs["liquidated"]["qty"])
    rows = [{"id": n, "qty": q, "price": price, "left": had[n] - q} for n, q in fills]
    return {"fills": rows}


def adl_trigger(inputs: Inputs) -> Inputs:
    peak, change = f(inputs["pool_8h_max_balance"]), f(inputs["symbol_pnl_change_from_8h_max"])
    ratio, triggered, borne = adl.pool_drawdown_trigger(
        f(inputs["pool_balance"]),
        peak,
        change,
        f(inputs["adl_trigger_threshold"]),
        f(inputs["insurance_pnl_ratio"]),
    )
    return {
        "pnl_ratio": ratio,
        "triggered": triggered,
        "amount_borne_by_adl": borne,
        "pnl_ratio_after": (change + borne) / peak,
    }


def loss_socialisation(inputs: Inputs) -> Inputs:
    if "gains" in inputs:
        gains = [int(gain) for gain in inputs["gains"]]
        return {"paid": losses.scale_gains(gains, int(inputs["collected"]))}
    rate = losses.funding_style_rate(
        f(inputs["loss"]), f(inputs["base_long"]), f(inputs["base_short"])
    )
    return {"rate_per_base": rate}


def loss_waterfall(inputs: Inputs) -> Inputs:
    used, rest = losses.fund_then_socialise(f(inputs["shortfall"]), f(inputs["insurance_pool"]))
    return {"insurance_used": used, "socialised": rest}


def network_pnl(inputs: Inputs) -> Inputs:
    takeovers = [(f(t["size"]), f(t["mark"])) for t in inputs["takeovers"]]
    figures = losses.takeover_book(takeovers, f(inputs["final_mark"]))
    names = ("position", "average_entry", "realised", "unrealised")
    return dict(zip(names, figures, strict=True))


def variation_margin(inputs: Inputs) -> Inputs:
    mark = f(inputs["mark"])
    if "fills" not in inputs:
        amount = losses.mark_to_market(f(inputs["position"]), f(inputs["prev_price"]), [], mark)
        return {"amount": amount}
    fills = [(side_of(fill) * f(fill["size"]), f(fill["price"])) for fill in inputs["fills"]]
    sellers = [
        (price, losses.mark_to_market(ZERO, mark, [(-s, price)], mark)) for s, price in fills
    ]
    (paying,) = [price for price, amount in sellers if amount < 0]
    return {
        "buyer_receives": losses.mark_to_market(ZERO, mark, fills, mark),
        "from_seller_at": paying,
    }


def pnl_inverse(inputs: Inputs) -> Inputs:
    contracts, entry = f(inputs["contracts"]), f(inputs["entry_price"])
    pnl = bankruptcy.inverse_pnl(contracts, entry, f(inputs["exit_price"]))
    # The same example settles one funding of 0.25 % on the value at entry (bitmex-funding-amount).
    return {"pnl": pnl, "pnl_after_funding": pnl - contracts / entry * Fraction("0.0025")}


def liq_buffer(inputs: Inputs) -> Inputs:
    price = price_of.buffered_price(
        f(inputs["entry_price"]), f(inputs["liquidation_price"]), f(inputs["buffer"])
    )
    return {"buffered_price": price}


HANDLERS: dict[str, Handler] = {
    "adl_fill": adl_fill,
    "adl_rank": adl_rank,
    "adl_score": adl_score,
    "adl_trigger": adl_trigger,
    "bankruptcy_price": bankruptcy_price,
    "bankruptcy_quote_amount": bankruptcy_quote_amount,
    "deleverage": deleverage,
    "fillable_price": fillable_price,
    "insurance_fee_rate": insurance_fee_rate,
    "insurance_fund_delta": insurance_fund_delta,
    "liq_buffer": liq_buffer,
    "liq_price_account": liq_price_account,
    "liq_price_cross": liq_price_cross,
    "liq_price_cross_inverse": liq_price_cross_inverse,
    "liq_price_hedge_cross": liq_price_hedge_cross,
    "liq_price_isolated_add_margin": liq_price_isolated_add_margin,
    "liq_price_isolated_inverse": liq_price_isolated_inverse,
    "liq_price_isolated_linear": liq_price_isolated_linear,
    "liquidation_fee_ramp": liquidation_fee_ramp,
    "liquidation_pct": liquidation_pct,
    "liquidation_schedule": liquidation_schedule,
    "liquidation_size": liquidation_size_,
    "liquidation_waterfall": liquidation_waterfall,
    "loss_socialisation": loss_socialisation,
    "loss_waterfall": loss_waterfall,
    "network_pnl": network_pnl,
    "pnl_inverse": pnl_inverse,
    "variation_margin": variation_margin,
}


@pytest.mark.parametrize("vector", parameters(lambda v: v["kind"] in HANDLERS))
def test_venue_figure_follows_from_its_formula(vector: Vector) -> None:
    check(vector, HANDLERS[vector["kind"]](vector["inputs"]))


def test_binance_margin_ratio_is_zero_without_a_positive_balance() -> None:
    assert adl.binance_margin_ratio(Fraction(5), Fraction(10), Fraction(-10)) == 0
    assert adl.binance_margin_ratio(Fraction(5), Fraction(10), Fraction(40)) == Fraction(1, 10)


def test_margin_ratio_is_equity_over_position_value() -> None:
    assert levels.margin_ratio(Fraction(5_000), Fraction(100_000)) == Fraction(5, 100)
