"""Stylised facts of tapes whose facts are known."""

import math
import random

import polars as pl
import pytest

from engine.units import HOUR_NS, MINUTE_NS, SECOND_NS
from seawall.records.stylised_facts import STEP_NS, TAPE, autocorrelation, stylised_facts

Row = tuple[int, float, int, float]


def tape(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=TAPE, orient="row")


def facts(rows: list[Row], end_ns: int) -> dict[str, float | None]:
    return stylised_facts(tape(rows), 0, end_ns)


def near(found: float | None, wanted: float, tolerance: float) -> None:
    assert found is not None
    assert abs(found - wanted) < tolerance, found


def walk(returns: list[float]) -> list[Row]:
    """One trade per step, so that the returns between steps are these."""
    price, rows = 100.0, [(0, 100.0, 1, 1.0)]
    for place, each in enumerate(returns, 1):
        price *= math.exp(each)
        rows.append((place * STEP_NS, price, 1 if each > 0 else -1, 1.0))
    return rows


def test_an_empty_tape_has_no_facts() -> None:
    found = facts([], MINUTE_NS)
    assert found.pop("per_minute") == 0
    assert set(found.values()) == {None}


def test_returns_of_a_normal_walk() -> None:
    rng = random.Random(1)
    found = facts(walk([rng.gauss(0, 0.001) for _ in range(20_000)]), 20_000 * STEP_NS)
    near(found["volatility"], 0.001 * math.sqrt(360), 0.0005)
    near(found["kurtosis"], 0.0, 0.12)  # three and a half standard errors
    near(found["absolute_1"], 0.0, 0.03)
    near(found["absolute_6"], 0.0, 0.03)
    near(found["per_minute"], 6.0, 0.01)


def test_the_tail_of_a_pareto_walk_is_its_exponent() -> None:
    rng = random.Random(2)
    sizes = [1e-4 * rng.paretovariate(3.0) for _ in range(20_000)]
    found = facts(walk([each * rng.choice((-1, 1)) for each in sizes]), 20_000 * STEP_NS)
    near(found["tail"], 3.0, 0.3)  # three standard errors of 1,000 values
    assert found["kurtosis"] is not None
    assert found["kurtosis"] > 3


def test_quiet_and_wild_hours_show_in_the_sizes_of_returns() -> None:
    rng = random.Random(3)
    calm = [rng.choice((-1, 1)) * 0.001 for _ in range(360)]
    wild = [rng.choice((-1, 1)) * 0.003 for _ in range(360)]
    found = facts(walk(calm + wild), 720 * STEP_NS)
    near(found["absolute_1"], 1.0, 0.01)
    near(found["absolute_6"], 1.0, 0.02)


def test_signs_that_last_for_metaorders_of_one_length() -> None:
    """In blocks of L independent signs agree at lag k with probability 1 - k / L."""
    rng = random.Random(4)
    rows = []
    for place in range(40_000):
        if place % 50 == 0:
            side = rng.choice((-1, 1))
        rows.append((place * SECOND_NS, 100.0, side, 1.0))
    found = facts(rows, 40_000 * SECOND_NS)
    near(found["sign_1"], 0.98, 0.01)
    near(found["sign_10"], 0.8, 0.03)
    near(found["sign_100"], 0.0, 0.12)


def test_the_spread_is_what_buyers_pay_over_sellers() -> None:
    rng = random.Random(5)
    sides = [rng.choice((-1, 1)) for _ in range(500)]
    rows = [(place * SECOND_NS, 100.0 + 0.05 * side, side, 1.0) for place, side in enumerate(sides)]
    near(facts(rows, 500 * SECOND_NS)["spread_bp"], 10.005, 0.001)


@pytest.mark.parametrize("exponent", [0.3, 0.5, 1.0])
def test_impact_has_the_exponent_the_price_was_moved_by(exponent: float) -> None:
    """Runs of two trades; the second is where an order of both sizes leaves the price."""
    rng = random.Random(6)
    rows = []
    for place in range(4_000):
        size = math.exp(rng.gauss(3.0, 1.5))
        side = 1 if place % 2 else -1
        moved = 100.0 * math.exp(side * 1e-4 * size**exponent)
        at_ns = place * 2 * SECOND_NS
        rows += [(at_ns, 100.0, side, size / 2), (at_ns + SECOND_NS, moved, side, size / 2)]
    near(facts(rows, 8_000 * SECOND_NS)["impact"], exponent, 0.05)


def test_flow_explains_the_part_of_returns_that_it_made() -> None:
    rng = random.Random(7)
    price, rows = 100.0, []
    for place in range(5_000):
        flow, other = rng.gauss(0, 1), rng.gauss(0, 2)
        price *= math.exp(1e-4 * (flow + other))
        rows.append((place * STEP_NS, price, 1 if flow > 0 else -1, abs(flow)))
    near(facts(rows, 5_000 * STEP_NS)["flow_r2"], 0.2, 0.04)


def test_without_sides_the_facts_of_returns_remain() -> None:
    rng = random.Random(8)
    rows = [
        (at, price, 0, 0.0) for at, price, _, _ in walk([rng.gauss(0, 0.001) for _ in range(99)])
    ]
    found = facts(rows, 99 * STEP_NS)
    unknown = {name for name, value in found.items() if value is None}
    assert unknown == {"sign_1", "sign_10", "sign_100", "spread_bp", "impact", "flow_r2"}


def test_only_the_stretch_counts() -> None:
    rows = [(second * SECOND_NS, 100.0 + second % 2, 1, 1.0) for second in range(3_600)]
    inside = stylised_facts(tape(rows), 600 * SECOND_NS, 1_200 * SECOND_NS)
    assert inside["per_minute"] == 60.1  # both ends count
    assert facts(rows, HOUR_NS)["per_minute"] == 60


def test_a_series_that_does_not_vary_has_no_autocorrelation() -> None:
    assert autocorrelation(pl.Series([1, 1, 1, 1, 1]), 1) is None
    assert autocorrelation(pl.Series([1, -1] * 10), 1) == pytest.approx(-1)
    assert autocorrelation(pl.Series([1, 2]), 1) is None
