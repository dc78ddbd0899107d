"""Motifs of trigger orders and of trades with oneself: orders that nobody paid for while they wait,
fired at the worst moment, many at once, by one's own trades.

A motif is a generator: every command it yields is made from the state as it is then.
"""

from engine.commands import (
    BY_INDEX,
    BY_LAST,
    BY_MARK,
    IOC,
    STOP,
    STP_NONE,
    TAKE_PROFIT,
    TRAILING,
    CancelAll,
)
from engine.units import SECOND_NS
from tests.adversary.hands import Commands, Hands

PRICES = (BY_LAST, BY_LAST, BY_MARK, BY_INDEX)


def _print_last(h: Hands, buyer: int, seller: int, key: int, price: int) -> Commands:
    """A trade of one lot that makes this the last price, if it may."""
    yield h.order(seller, key, -1, 1, price)
    yield h.order(buyer, key, 1, 1, price, tif=IOC)


def _levels(h: Hands, key: int, side: int, count: int) -> list[int]:
    """Prices that a stop of a side waits for, near the mark first."""
    mark = h.mark(key)
    steps = sorted(h.rng.sample((1, 2, 3, 5, 8, 13, 20, 40), count))
    return [max(1, mark * (1000 + side * step) // 1000) for step in steps]


def _fire(h: Hands, loser: int, friend: int, key: int, side: int) -> Commands:
    """The price goes where stops of this side wait: by the friends' trades or by the index."""
    if h.rng.random() < 0.6:
        price = h.mark(key) * (1000 + side * h.rng.choice((1, 5, 20, 60))) // 1000
        pair = (loser, friend) if h.rng.random() < 0.4 else (friend, loser)
        yield from _print_last(h, *pair, key, max(1, price))
    else:
        yield from h.move(key, 100 + side * h.rng.choice((1, 2, 5)))


def stops_nobody_paid_for(h: Hands) -> Commands:
    """Stops that open with all the account has, several times over; then the money leaves."""
    loser, friend = h.cast()
    key = h.contract()
    side = h.side()
    yield from h.clear()
    far = h.far(key, side)
    for level in _levels(h, key, side, h.rng.randint(1, 3)):
        lots = h.share(h.capacity(loser, key, side, far))
        limit = h.rng.choice((None, far, level))
        yield h.trigger(loser, key, side, lots, level, limit, by=h.rng.choice(PRICES))
    if h.rng.random() < 0.6:
        yield from h.withdraw(loser)
    yield h.offer(friend, key, -side, 10**6, far)
    yield from _fire(h, loser, friend, key, side)
    yield from h.withdraw(loser)


def closes_by_trigger(h: Hands) -> Commands:
    """One position and many orders that would each close it once a price comes."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    side = -1 if held > 0 else 1
    for level in _levels(h, key, side, h.rng.randint(2, 4)):
        whole = h.rng.random() < 0.5
        price = h.losing(loser, key) if h.rng.random() < 0.5 else None
        yield h.trigger(
            loser,
            key,
            side,
            0 if whole else h.share(abs(held)),
            level,
            price,
            by=h.rng.choice(PRICES),
            closing=True,
            reduce_only=h.rng.random() < 0.5,
        )
    yield h.offer(friend, key, -side, 3 * abs(held), h.losing(loser, key))
    if h.rng.random() < 0.4:
        yield h.order(loser, key, side, abs(held), h.losing(loser, key), closing=True)
    if h.rng.random() < 0.3:
        yield from h.withdraw(loser)
    yield from _fire(h, loser, friend, key, side)


def a_position_turns_under_its_stop(h: Hands) -> Commands:
    """A close-position order waits, and the position goes, turns or grows before it fires."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    side = -1 if held > 0 else 1
    (level,) = _levels(h, key, side, 1)
    yield h.trigger(loser, key, side, 0, level, by=h.rng.choice(PRICES))
    lots = abs(held) * h.rng.choice((50, 100, 150, 200)) // 100 + 1
    price = h.mark(key)
    yield h.offer(friend, key, -side, lots, price)
    yield h.order(loser, key, side, lots, price, closing=h.rng.random() < 0.5)
    yield h.offer(friend, key, -side, 2 * abs(held), h.far(key, side))
    yield from _fire(h, loser, friend, key, side)


def stops_at_a_liquidation(h: Hands) -> Commands:
    """Stops at the price where the account is liquidated, into a partner's ruinous bid."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    side = -1 if held > 0 else 1
    yield from h.withdraw(loser)
    ruin = h.ruin(loser, key)
    for percent in (100, 99, 101):
        level = max(1, ruin * percent // 100)
        yield h.trigger(loser, key, side, 0, level, by=h.rng.choice((BY_MARK, BY_INDEX)))
    yield h.offer(friend, key, -side, abs(held), h.far(key, side))
    for _ in range(h.rng.randint(1, 4)):
        yield from h.move(key, 100 + side * h.rng.choice((1, 2, 4, 9)))
    yield from h.tick(h.rng.choice((1, 31, 61)))


def chains(h: Hands) -> Commands:
    """Stops of two accounts that fire each other, upwards and downwards."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    for side in (1, -1):
        for account in (loser, friend):
            for level in _levels(h, key, side, 2):
                lots = max(1, h.capacity(account, key, side, level) // 10)
                price = max(1, level * (1000 + side * 5) // 1000)
                yield h.trigger(account, key, side, lots, level, price)
    yield from _print_last(h, friend, loser, key, h.mark(key))
    yield from _fire(h, loser, friend, key, h.side())


def trailing(h: Hands) -> Commands:
    """Orders that follow the price, amended on the way, fired when it comes back."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    if h.rng.random() < 0.6:
        yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    side = h.side() if not held else (-1 if held > 0 else 1)
    ticks = max(1, h.mark(key) * h.rng.choice((1, 5, 20)) // 1000)
    lots = h.rng.choice((0, h.share(abs(held)))) if held else h.share(1_000)
    order = h.trigger(
        loser, key, side, lots, 0, kind=TRAILING, by=h.rng.choice(PRICES), trail_ticks=ticks
    )
    yield order
    for _ in range(h.rng.randint(1, 3)):
        yield from _fire(h, loser, friend, key, -side)
        if h.rng.random() < 0.4:
            yield h.amend_trigger(loser, order.order_id, lots, 0, 0, ticks * 2)
    yield h.offer(friend, key, -side, 2 * abs(held) + 10, h.far(key, side))
    yield from _fire(h, loser, friend, key, side)


def triggers_change_on_their_way(h: Hands) -> Commands:
    """What a price fires is amended or cancelled in the same moment."""
    loser, friend = h.cast()
    key = h.contract()
    side = h.side()
    yield from h.clear()
    (level,) = _levels(h, key, side, 1)
    lots = h.share(h.capacity(loser, key, side, level))
    kind = h.rng.choice((STOP, STOP, TAKE_PROFIT))
    way = side if kind == STOP else -side
    order = h.trigger(loser, key, side, lots, max(1, level), level, kind=kind)
    yield order
    yield h.offer(friend, key, -side, lots, level)
    yield from _fire(h, friend, loser, key, way)
    if h.rng.random() < 0.5:
        yield h.amend(loser, order.order_id, h.far(key, side), 2 * lots)
    else:
        yield h.amend_trigger(loser, order.order_id, 2 * lots, level, h.far(key, side))
    yield h.cancel(loser, order.order_id)
    yield from h.withdraw(loser)


def orders_that_end_by_the_clock(h: Hands) -> Commands:
    """Orders and triggers that end at a tick, beside a partner who takes them in that moment."""
    loser, friend = h.cast()
    key = h.contract()
    side = h.side()
    yield from h.clear()
    end_ns = h.arena.now_ns + h.rng.choice((1, SECOND_NS))
    price = h.near(key, side)
    lots = h.share(h.capacity(loser, key, side, price))
    order = h.order(loser, key, side, lots, price, expire_ns=end_ns)
    yield order
    (level,) = _levels(h, key, side, 1)
    yield h.trigger(loser, key, side, lots, level, h.far(key, side), expire_ns=end_ns)
    if h.rng.random() < 0.5:
        yield h.amend(loser, order.order_id, h.far(key, side), lots)
    yield from h.tick()
    yield h.take(friend, key, -side, 2 * lots, price, closing=False)
    yield from h.withdraw(loser)


def wash(h: Hands) -> Commands:
    """Trades with oneself at prices far from the mark, in one pot or between two legs, and the
    money leaves between them."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    if h.rng.random() < 0.7:
        yield from h.ensure(loser, friend, key)
    for _ in range(h.rng.randint(1, 4)):
        side = h.side()
        price = h.rng.choice(
            (h.far(key, side), h.far(key, -side), h.mark(key), h.losing(loser, key))
        )
        held = abs(h.lots(loser, key))
        lots = h.rng.choice((held or 1, held // 2 + 1, 2 * held + 1))
        lots = h.rng.choice((lots, h.share(max(1, h.capacity(loser, key, side, price)))))
        reduce_only = h.rng.random() < 0.2
        closing = h.rng.random() < 0.4
        yield h.order(loser, key, -side, lots, price, closing=closing, reduce_only=reduce_only)
        yield h.order(
            loser,
            key,
            side,
            max(1, lots * h.rng.choice((50, 100, 100, 150)) // 100),
            price,
            closing=h.rng.random() < 0.4,
            tif=h.rng.choice((0, IOC, 2)),
            reduce_only=h.rng.random() < 0.2,
            stp=STP_NONE,
        )
        if h.rng.random() < 0.6:
            yield from h.withdraw(loser)
    if h.rng.random() < 0.3:
        yield CancelAll(h.arena.now_ns, loser)
