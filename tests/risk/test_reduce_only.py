"""Reduce-only orders: never more than the position, whatever happens to it meanwhile."""

from engine.events import OrderAccepted, OrderAmended, OrderClosed
from engine.reasons import Reason
from tests.market import Market, size, usd

ALICE, BOB, CAROL = 100, 101, 102


def long_ten(deposit: str = "1000") -> Market:
    m = Market()
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


def test_it_is_cut_to_what_other_reduce_only_orders_leave() -> None:
    m = long_ten()
    close(m, "7", "101")
    close(m, "7", "102")
    assert m.last(OrderAccepted).qty_lots == size("3")
    close(m, "1", "103")
    assert m.refusal().reason == Reason.NOTHING_TO_REDUCE


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


def test_it_shrinks_with_the_position_newest_first() -> None:
    """Orders for 6 and 4; the position falls to 7, so the second keeps 1."""
    m = long_ten()
    first, second = close(m, "6", "110"), close(m, "4", "111")
    m.trade(BOB, ALICE, "3", "100")
    assert resting(m) == {first: size("6"), second: size("1")}
    amended = m.last(OrderAmended)
    assert (amended.order_id, amended.remaining_lots) == (second, size("1"))
    m.trade(BOB, ALICE, "2", "100")
    assert resting(m) == {first: size("5")}
    ended = [(e.order_id, e.reason) for e in m.all(OrderClosed) if e.order_id == second]
    assert ended == [(second, Reason.REDUCE_ONLY_TRIMMED)]


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
    """Reduce-only 10 at 102, then a plain sell of 7 at 101: together they may close 10, so 3 are
    left of the first. One buyer takes all there is."""
    m = long_ten()
    mine = close(m, "10", "102")
    m.sell(ALICE, "7", "101")
    assert resting(m)[mine] == size("3")
    m.buy(BOB, "20", "102")
    assert m.lots(ALICE) == 0


def test_it_may_not_rest_beside_plain_orders_that_close_everything() -> None:
    """But what trades at once may always close."""
    m = long_ten()
    m.sell(ALICE, "10", "101")
    close(m, "10", "102")
    assert m.refusal().reason == Reason.NOTHING_TO_REDUCE
    m.buy(CAROL, "10", "100")
    m.sell(ALICE, "10", reduce_only=True)
    assert m.lots(ALICE) == 0


def test_a_plain_order_that_grows_takes_from_it() -> None:
    m = long_ten()
    plain = m.sell(ALICE, "2", "101")
    mine = close(m, "8", "102")
    m.amend(ALICE, plain, "6", "101")
    assert resting(m) == {plain: size("6"), mine: size("4")}


def test_filling_it_frees_the_next() -> None:
    m = long_ten()
    close(m, "10", "101")
    m.buy(BOB, "4", "101")
    close(m, "1", "102")
    assert m.refusal().reason == Reason.NOTHING_TO_REDUCE
    m.trade(ALICE, CAROL, "2", "100")
    assert m.accepted(close(m, "5", "102"))
    assert m.last(OrderAccepted).qty_lots == size("2")
