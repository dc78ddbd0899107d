"""Latent density: its shape, what trades leave of it, how it comes back, where capital ends it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import BUY, SELL
from seawall.agents.latent_density import LatentDensity

S = 10**9
PLENTY = 1e12


def density(depth: float = 1_000.0, phase: float = 0.0, half_life: int = 100) -> LatentDensity:
    found = LatentDensity(depth, 0.01, phase, half_life * S)
    found.heal(S)
    return found


def within(found: LatentDensity, side: int, distance: float, capital: float = PLENTY) -> float:
    amounts = found.shown(side, capital, capital)
    pairs = zip(found.distances, amounts, strict=True)
    return sum(amount for where, amount in pairs if where < distance)


@pytest.mark.parametrize("distance", [0.006, 0.01, 0.03, 0.1, 0.3])
@pytest.mark.parametrize("side", [BUY, SELL])
def test_what_is_wanted_grows_with_the_square_of_the_distance(side: int, distance: float) -> None:
    """The mean over many owners, whose slices lie between each other."""
    owners = [density(phase=number / 200) for number in range(200)]
    mean = sum(within(owner, side, distance) for owner in owners) / len(owners)
    assert mean == pytest.approx(1_000.0 * (distance / 0.01) ** 2, rel=0.03)


@given(st.floats(0, 1e9), st.floats(1e-9, 1e9), st.floats(1e-9, 1e9), st.sampled_from((BUY, SELL)))
def test_no_more_is_shown_than_there_is_room(
    depth: float, capital: float, room: float, side: int
) -> None:
    amounts = density(depth).shown(side, capital, room)
    assert all(amount >= 0 for amount in amounts)
    assert sum(amounts) <= room * (1 + 1e-9)


def test_capital_fades_with_what_it_is_used_for() -> None:
    """Used up one slice after the other, or shown all at once: the same amounts."""
    found = density()
    capital = 20_000.0
    at_once = found.shown(BUY, capital, capital)
    room = capital
    for number, amount in enumerate(at_once):
        assert found.shown(BUY, capital, room)[number] == pytest.approx(amount, abs=1e-6)
        found.use(BUY, number, number + 1, 1.0)
        room -= amount
    assert abs(room) < 1e-6


def test_without_capital_or_room_nothing_is_shown() -> None:
    for capital, room in ((0.0, 10.0), (-5.0, 10.0), (10.0, 0.0), (10.0, -1.0)):
        assert not any(density().shown(SELL, capital, room))


def test_trades_use_up_one_side_only_and_time_brings_half_of_it_back() -> None:
    found = density(half_life=100)
    calm = within(found, BUY, 0.05)
    found.use(BUY, 0, len(found.distances), 0.8)
    assert within(found, BUY, 0.05) == pytest.approx(0.2 * calm)
    assert within(found, SELL, 0.05) == pytest.approx(calm)
    found.heal(101 * S)
    assert within(found, BUY, 0.05) == pytest.approx(0.6 * calm)
    found.heal(201 * S)
    assert within(found, BUY, 0.05) == pytest.approx(0.8 * calm)


def test_looking_more_often_brings_nothing_back_sooner() -> None:
    often, once = density(), density()
    for found in (often, once):
        found.use(SELL, 3, 9, 0.7)
    for second in range(2, 60):
        often.heal(second * S)
    once.heal(59 * S)
    assert often.shown(SELL, PLENTY, PLENTY) == pytest.approx(once.shown(SELL, PLENTY, PLENTY))


def test_slices_reach_from_a_quarter_of_the_distance_to_a_twentieth_of_the_price() -> None:
    found = density()
    assert found.distances[0] < 0.01 / 4
    assert math.exp(-found.distances[-1]) < 0.08
    assert found.distances == sorted(found.distances)


def test_what_was_saved_goes_on() -> None:
    found, again = density(), density()
    found.use(BUY, 0, 5, 0.5)
    found.heal(7 * S)
    again.restore(found.state())
    assert again.state() == found.state()
    again.use(BUY, 0, 5, 0.5)
    assert again.state() != found.state()
