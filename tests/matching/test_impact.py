"""Impact prices: the average at which a size would trade, by value or by lots."""

import pytest

from engine.commands import BUY, MAX_LOTS, SELL, STP_CANCEL_NEWEST
from matching.book_side import BookSide
from matching.impact import E6, impact_price_e6
from matching.order import Order


def side_of(side: int, *rows: tuple[int, int]) -> BookSide:
    """Orders of price and lots."""
    found = BookSide(side)
    for order_id, (price_ticks, lots) in enumerate(rows, 1):
        order = Order(
            order_id, 100, side, price_ticks, lots, STP_CANCEL_NEWEST, False, False, False, 0
        )
        found.join(order)
    return found


def test_the_average_over_the_levels_errs_to_the_side_it_is_asked_for() -> None:
    """2 at 100 and one third of 3 at 102: by value 302 buys 2 + 102/102 = 3, by lots
    3 / (2/100 + 1/102) = 100.66."""
    side = side_of(SELL, (100, 2), (102, 3))
    for up in (False, True):
        assert impact_price_e6(side, 302, True, up) == 302 * E6 // 3 + up
    assert impact_price_e6(side, 3, False, False) == 100_657_894
    assert impact_price_e6(side, 3, False, True) == 100_657_895


def test_a_side_that_has_less_has_no_price() -> None:
    side = side_of(BUY, (100, 2), (99, 1))
    assert impact_price_e6(side, 299, True, False) > 0
    assert impact_price_e6(side, 300, True, False) == 0
    assert impact_price_e6(side_of(BUY), 1, True, False) == 0


@pytest.mark.parametrize("levels", [8, 9, 64, 65, 200])
def test_any_number_of_levels_is_looked_at(levels: int) -> None:
    side = side_of(BUY, *((1_000 - place, 1) for place in range(levels)))
    assert impact_price_e6(side, levels, False, False) > 0
    assert impact_price_e6(side, levels + 1, False, False) == 0


def test_a_level_may_be_worth_more_than_a_machine_word() -> None:
    side = side_of(SELL, *[(10**6, MAX_LOTS)] * 10)
    assert impact_price_e6(side, 2**62, True, True) == 10**6 * E6
