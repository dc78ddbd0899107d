"""Reduce-only orders: never more than the position, whatever happens to it meanwhile."""

from engine.events import OrderAccepted, OrderAmended
from engine.reasons import Reason
from tests.market import Market, rules, size, usd

ALICE, BOB, CAROL = 100, 101, 102


def long_ten(deposit: str = "1000", reduce_only: str = "cap") -> Market:
    m = Market(rules(reduce_only=reduce_only))
    m.open(ALICE, deposit=deposit)
    m.open(BOB, CAROL, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    return m


def close(m: Market, qty: str, price: str) -> int:
    return m.sell(ALICE, qty, price, reduce_only=True)


def resting(m: Market) -> dict[int, int]:
    return {order.order_id: order.remaining_lots for order in m.exchange.book(0).orders()}


def test_it_is_cut_to_the_position_when_it_arrives() -> None:
    m = long_ten()
    close(m, "15", "101")
    assert m.last(OrderAccepted).qty_lots == size("10")


def test_several_may_ask_for_more_than_the_position_and_close_what_is_left() -> None:
    """7 and 7 on a position of 10: the second closes 3."""
    m = long_ten()
    first, second = close(m, "7", "101"), close(m, "7", "102")
    assert resting(m) == {first: size("7"), second: size("7")}
    m.buy(BOB, "20", "102")
    assert m.lots(ALICE) == 0
    gone = m.only_closed(second)
    assert (gone.reason, gone.remaining_lots) == (Reason.REDUCE_ONLY_TRIMMED, size("4"))


def test_where_open_ones_count_one_too_many_is_refused_and_names_the_first() -> None:
    m = long_ten(reduce_only="count")
    first = close(m, "7", "101")
    close(m, "7", "102")
    assert m.refusal().reason == Reason.NOTHING_TO_REDUCE
    assert m.refusal().detail.startswith(f"order {first} is to reduce 700 lots already")
    assert m.accepted(close(m, "3", "102"))
    m.sell(ALICE, "10", reduce_only=True)
    assert m.refusal().reason == Reason.NOTHING_TO_REDUCE
    m.buy(CAROL, "10", "100")
    m.sell(ALICE, "10")
    assert m.lots(ALICE) == 0
    assert resting(m) == {}


def test_it_needs_no_margin() -> None:
    """Equity 40 at 94.74... far below initial; no free collateral at all."""
    m = long_ten("100")
    m.index("95")
    assert m.pot(ALICE).free_q == usd("50") - usd("95")
    assert m.accepted(close(m, "10", "95"))


def test_it_is_refused_in_the_direction_of_the_position() -> None:
    m = long_ten()
    m.buy(ALICE, "1", "99", reduce_only=True)
    assert m.refusal().reason == Reason.NOTHING_TO_REDUCE


def test_it_may_be_smaller_than_the_least_order() -> None:
    m = Market(listed=False)
    m.add("PERP", min_qty="5")
    m.open(ALICE, BOB, deposit="1000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.sell(ALICE, "1", "101")
    # A plain order that can only close is small by right as well.
    assert m.accepted(2)
    assert m.accepted(close(m, "1", "101"))
    m.buy(ALICE, "1", "99")
    assert m.refusal().reason == Reason.QTY_BELOW_MINIMUM


def test_it_shrinks_with_the_position() -> None:
    """Orders for 6 and 4; at a position of 5 the first keeps 5, at 3 both keep 3."""
    m = long_ten()
    first, second = close(m, "6", "110"), close(m, "4", "111")
    m.trade(BOB, ALICE, "5", "100")
    assert resting(m) == {first: size("5"), second: size("4")}
    amended = m.last(OrderAmended)
    assert (amended.order_id, amended.remaining_lots) == (first, size("5"))
    m.trade(BOB, ALICE, "2", "100")
    assert resting(m) == {first: size("3"), second: size("3")}
    m.trade(BOB, ALICE, "3", "100")
    assert resting(m) == {}
    assert m.only_closed(second).reason == Reason.REDUCE_ONLY_TRIMMED


def test_it_keeps_its_place_in_the_queue_when_it_shrinks() -> None:
    m = long_ten()
    mine = close(m, "10", "101")
    m.sell(CAROL, "5", "101")
    m.trade(BOB, ALICE, "6", "100")
    m.buy(BOB, "4", "101")
    assert mine not in resting(m)
    assert m.lots(ALICE) == 0
    assert m.lots(CAROL) == 0


def test_it_goes_when_the_position_turns() -> None:
    m = long_ten()
    close(m, "10", "110")
    m.trade(BOB, ALICE, "15", "100")
    assert m.lots(ALICE) == -size("5")
    assert resting(m) == {}


def test_it_never_opens_even_when_one_taker_sweeps_everything() -> None:
    """Reduce-only 10 at 102 behind a plain sell of 7 at 101: 3 are left for it to close."""
    m = long_ten()
    mine = close(m, "10", "102")
    m.sell(ALICE, "7", "101")
    m.buy(BOB, "20", "102")
    assert m.lots(ALICE) == 0
    assert m.only_closed(mine).remaining_lots == size("7")


def test_a_plain_order_behind_it_that_opens_is_paid_for() -> None:
    """Both for 10: the reduce-only one fills first, so the plain one opens 10. Equity 1,000."""
    m = long_ten()
    close(m, "10", "101")
    m.sell(ALICE, "10", "102")
    assert m.pot(ALICE).initial_q == usd("100")
    m.buy(BOB, "20", "102")
    assert m.lots(ALICE) == -size("10")
