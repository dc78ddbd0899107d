"""Funding and mark figures printed by venues, or computed from their rules."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from engine.units import PPB, to_ppb
from risk.exponential_average import ema_step
from risk.marks.three_prices import book_price_ticks, three_prices_ticks
from risk.prices.funding import clamp, funding_payment_q, funding_rate_ppb, premium_ppb
from risk.prices.mark import average_basis_price_ticks, funding_basis_price_ticks, mark_price_ticks
from risk.rulebook import FundingRule
from tests.risk.venue_vectors import (
    VECTORS_FILE,
    Vector,
    all_vectors,
    engine_parameters,
    parameters,
)
from tests.venues.funding import (
    dydx_funding_cap_ppb,
    dydx_index_delta,
    impact_notional_q,
    interest_difference_ppb,
    time_weighted_sum,
    vega_funding_payment,
    vega_funding_rate_ppb,
)

KINDS = (
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
WAITING: dict[str, str] = {}
"""Vectors not covered yet: id and reason."""

QUANTA = 10**6
TICKS = 10**6
"""Ticks and quanta per unit, fine enough for every printed figure."""
NO_BOUND = 10**18


def ppb(text: str | None, default: int = 0) -> int:
    return default if text is None else to_ppb(text, "rate")


def grid(text: str, per_unit: int = TICKS) -> int:
    count = Decimal(text) * per_unit
    assert count == int(count)
    return int(count)


def check_dampener(given: dict[str, Any], expected: dict[str, Any]) -> None:
    # A dampener is a clamp around no interest.
    rule = FundingRule(clamp_ppb=ppb(given["damp"]), cap_ppb=ppb(given["cap"]))
    assert funding_rate_ppb(ppb(given["premium_rate"]), rule) == ppb(expected["funding_rate_8h"])


def check_clamped_premium(given: dict[str, Any], expected: dict[str, Any]) -> None:
    bid, oracle = grid(given["impact_bid"]), grid(given["oracle"])
    premium = premium_ppb(bid, bid, oracle)
    assert premium == ppb(given["premium"])
    # The formula's own text carries the clamp: P + clamp(I-P, -0.0005, 0.0005).
    bound = ppb(given["formula"].rsplit(",", 1)[1].rstrip(")"))
    rule = FundingRule(interest_ppb=ppb(given["interest_8h"]), clamp_ppb=bound)
    rate = funding_rate_ppb(premium, rule)
    assert rate == ppb(expected["funding_rate_8h"])
    assert rate - premium == ppb(expected["clamp"])


def check_vega_rate(given: dict[str, Any], expected: dict[str, Any]) -> None:
    external = grid(given["external_twap"])
    low, high = (ppb(bound) for bound in given["clamp"])
    payment = vega_funding_payment(
        grid(given["internal_twap"]), external, ppb(given["interest_rate"]), low, high
    )
    rate = vega_funding_rate_ppb(
        payment,
        external,
        ppb(given["scaling_factor"]),
        ppb(given["rate_lower_bound"], -NO_BOUND),
        ppb(given["rate_upper_bound"], NO_BOUND),
    )
    assert rate == ppb(expected["funding_rate"])


def check_funding_rate(given: dict[str, Any], expected: dict[str, Any]) -> None:
    if "internal_twap" in given:
        check_vega_rate(given, expected)
    elif given["formula"] == "dampener":
        check_dampener(given, expected)
    else:
        check_clamped_premium(given, expected)


def check_twap(given: dict[str, Any], expected: dict[str, Any]) -> None:
    period = given["period_min"]
    gaps = [(start, end) for start, end in given["auctions"]]
    sums = {}
    for side in ("internal", "external"):
        points = [(time, price) for time, price in given[side]["points"]]
        total, covered = time_weighted_sum(int(given[side]["start"]), points, period, gaps)
        assert Fraction(total, covered) == Fraction(expected[f"{side}_twap"])
        sums[side] = total
    if "funding_payment" in expected:
        low, high = (ppb(bound) for bound in given["clamp"])
        payment = vega_funding_payment(
            sums["internal"], sums["external"], ppb(given["interest_rate"]), low, high
        )
        # Averages divide by the time traded, the payment is scaled by its share of the period.
        assert Fraction(payment, period) == Fraction(expected["funding_payment"])


def check_payment(given: dict[str, Any], expected: dict[str, Any]) -> None:
    sign = 1 if given["side"] == "long" else -1
    if "contracts" in given:
        interest = interest_difference_ppb(
            ppb(given["interest_quote_daily"]),
            ppb(given["interest_base_daily"]),
            given["intervals_per_day"],
        )
        rate = funding_rate_ppb(
            ppb(given["premium"]), FundingRule(interest_ppb=interest, clamp_ppb=PPB)
        )
        assert rate == ppb(expected["funding_rate"])
        value_q = grid(str(Decimal(given["contracts"]) / Decimal(given["price"])), QUANTA)
        assert value_q == grid(expected["entry_value"], QUANTA)
        paid = expected["funding_amount_paid"]
    else:
        interval, period = 1, given["payments_per_8h"]
        rule = FundingRule(interval_ns=interval, rate_period_ns=period)
        rate = funding_rate_ppb(ppb(given["funding_rate_8h"]), rule)
        assert rate == ppb(expected["hourly_rate"])
        value_q = grid(str(Decimal(given["size"]) * Decimal(given["oracle_price"])), QUANTA)
        paid = expected["payment_by_long"]
    assert funding_payment_q(value_q, rate, sign) == -grid(paid, QUANTA)


def check_index_delta(given: dict[str, Any], expected: dict[str, Any]) -> None:
    delta = dydx_index_delta(
        given["rate_8h_ppm"],
        given["seconds"],
        given["price"],
        given["price_exponent"],
        given["atomic_resolution"] - given["quote_atomic_resolution"],
    )
    assert delta == expected["index_delta"]


def check_cap(given: dict[str, Any], expected: dict[str, Any]) -> None:
    cap = dydx_funding_cap_ppb(ppb(given["clamp_factor"]), ppb(given["imf"]), ppb(given["mmf"]))
    assert cap == ppb(expected["cap_8h"])
    assert clamp(2 * cap, -cap, cap) == cap


def check_impact_notional(given: dict[str, Any], expected: dict[str, Any]) -> None:
    notional = impact_notional_q(grid(given["usdc"], QUANTA), ppb(given["imf"]))
    assert notional == grid(expected["impact_notional"], QUANTA)


def check_mark(given: dict[str, Any], expected: dict[str, Any]) -> None:
    if "oracle" in given:
        inputs = [
            grid(given[key])
            for key in ("oracle", "ema_basis", "best_bid", "best_ask", "last", "cex_perp_median")
        ]
        oracle, basis, bid, ask, last, others = inputs
        book = book_price_ticks(bid, ask, last)
        assert three_prices_ticks(oracle + basis, book, others, 0) == grid(expected["mark_price"])
        return
    index = grid(given["index"])
    price1 = funding_basis_price_ticks(
        index,
        ppb(given["last_funding_rate"]),
        int(given["hours_until_funding"]),
        int(given["interval_hours"]),
    )
    price2 = average_basis_price_ticks(index, 2 * grid(given["basis_ma"]), 1)
    last = grid(given.get("contract_price", given.get("last_price")))
    assert price1 == grid(expected["price1"])
    assert price2 == grid(expected["price2"])
    assert mark_price_ticks(price1, price2, last) == grid(expected["mark_price"])


def check_mark_component(given: dict[str, Any], expected: dict[str, Any]) -> None:
    price = funding_basis_price_ticks(
        grid(given["index"]),
        ppb(given["funding_rate"]),
        int(given["minutes_until"]),
        int(given["interval_minutes"]),
    )
    assert price == grid(expected["price"])


def check_ema(given: dict[str, Any], expected: dict[str, Any]) -> None:
    total, weight = 0, 0
    for step in given["samples"]:
        total, weight = ema_step(total, weight, step["sample"], step["dt"], given["tau_seconds"])
    printed = Fraction(expected["ema"])
    assert abs(Fraction(total, weight) - printed) <= printed * Fraction(expected["rel_tol"])


CHECKS: dict[str, Callable[[dict[str, Any], dict[str, Any]], None]] = {
    "funding_rate": check_funding_rate,
    "funding_twap": check_twap,
    "funding_payment": check_payment,
    "funding_index_delta": check_index_delta,
    "funding_cap": check_cap,
    "impact_notional": check_impact_notional,
    "mark_price": check_mark,
    "mark_price_component": check_mark_component,
    "ema_time_weighted": check_ema,
}


@pytest.mark.skipif(not VECTORS_FILE.exists(), reason=f"{VECTORS_FILE} is absent")
def test_every_kind_has_vectors_and_waiting_names_only_existing_ones() -> None:
    ours = [vector for vector in all_vectors() if vector["kind"] in KINDS]
    assert sorted({vector["kind"] for vector in ours}) == sorted(KINDS)
    assert [name for name in WAITING if name not in [vector["id"] for vector in ours]] == []


def asks_the_engine(vector: Vector) -> bool:
    """Whether the check computes with the functions the engine runs, of `risk.prices.mark` and
    `risk.prices.funding`, and not with a formula of its own."""
    if vector["kind"] == "funding_rate":
        return "internal_twap" not in vector["inputs"]
    return vector["kind"] in (
        "funding_payment",
        "mark_price",
        "mark_price_component",
        "ema_time_weighted",
    )


engine_parameters(asks_the_engine)


@pytest.mark.parametrize("vector", parameters(lambda vector: vector["kind"] in KINDS))
def test_formula_gives_the_figure_of_the_venue(vector: Vector) -> None:
    if vector["id"] in WAITING:
        pytest.skip(WAITING[vector["id"]])
    CHECKS[vector["kind"]](vector["inputs"], vector["expected"])
