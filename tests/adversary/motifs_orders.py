"""Motifs of orders: what two accounts of one owner do with prices, order and amendment.

A motif is a generator: every command it yields is made from the state as it is then.
"""

from engine.commands import IOC, STP_NONE, CancelAll
from tests.adversary.hands import Commands, Hands


def close_far(h: Hands) -> Commands:
    """Close at a losing price against a partner's far order."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    side = -1 if held > 0 else 1
    price = h.losing(loser, key)
    yield h.offer(friend, key, -side, abs(held) * h.rng.choice((1, 1, 2)), price)
    lots = abs(held) if h.rng.random() < 0.7 else h.share(abs(held))
    yield h.take(loser, key, side, lots, price, closing=True)


def rest_a_close_far(h: Hands) -> Commands:
    """The closing order rests at a losing price, and the partner comes to it."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    side = -1 if held > 0 else 1
    price = h.losing(loser, key)
    yield h.order(loser, key, side, abs(held), price, closing=True)
    if h.rng.random() < 0.5:
        yield from h.withdraw(loser)
    yield h.take(friend, key, -side, abs(held), price, closing=False)


def vanished_position(h: Hands) -> Commands:
    """Orders rest against a position that another order closes; what is left would open."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    side = -1 if held > 0 else 1
    lots = abs(held)
    far = h.far(key, side)
    yield h.order(loser, key, side, lots, far - side, closing=True)
    yield h.order(loser, key, side, lots, far, closing=True)
    if h.rng.random() < 0.3:
        yield from h.withdraw(loser)
    yield h.order(friend, key, -side, lots, far, tif=IOC)
    yield from h.withdraw(loser)
    yield h.order(friend, key, -side, lots, far - side, tif=IOC)


def market_into_far(h: Hands) -> Commands:
    """A market order with all it may have, into the partner's far offer."""
    loser, friend = h.cast()
    key = h.contract()
    side = h.side()
    yield from h.clear()
    lots = h.share(h.capacity(loser, key, side, h.mark(key)))
    yield h.offer(friend, key, -side, lots, h.far(key, side))
    yield h.order(loser, key, side, lots, None)


def open_far(h: Hands) -> Commands:
    """Open at a losing price with all that the account has for it; then the clock ticks."""
    loser, friend = h.cast()
    key = h.contract()
    side = h.side()
    yield from h.clear()
    price = h.far(key, side)
    lots = h.share(h.capacity(loser, key, side, price))
    first, second = h.offer(friend, key, -side, lots, price), None
    if h.rng.random() < 0.5:
        yield first
        yield h.order(loser, key, side, lots, price)
    else:
        second = h.order(loser, key, side, lots, price)
        yield second
        yield from h.withdraw(loser)
        yield h.offer(friend, key, -side, lots, price)
    if h.rng.random() < 0.5:
        yield from h.withdraw(loser)
    if h.rng.random() < 0.5:
        yield from h.tick()


def close_behind_resting(h: Hands) -> Commands:
    """Larger orders rest further out; the close behind them fills first."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    side = -1 if held > 0 else 1
    lots = abs(held)
    out = h.far(key, -side)
    for _ in range(h.rng.randint(1, 2)):
        yield h.order(loser, key, side, lots * h.rng.choice((1, 2, 2)), out, closing=True)
    price = h.losing(loser, key)
    yield h.offer(friend, key, -side, lots, price)
    yield h.take(loser, key, side, lots, price, closing=True)


def flip(h: Hands) -> Commands:
    """One order closes at a loss and opens the other way."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    side = -1 if held > 0 else 1
    lots = abs(held) * h.rng.choice((110, 150, 200, 200, 300)) // 100 + 1
    price = h.losing(loser, key)
    if h.rng.random() < 0.5:
        yield h.offer(friend, key, -side, lots, price)
        yield h.take(loser, key, side, lots, price, closing=False)
    else:
        yield h.order(loser, key, side, lots, price)
        if h.rng.random() < 0.5:
            yield from h.withdraw(loser)
        yield h.take(friend, key, -side, lots, price, closing=False)


def reduce_only_overlap(h: Hands) -> Commands:
    """Plain and reduce-only orders that would each close the position, all at once."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    side = -1 if held > 0 else 1
    lots = abs(held)
    price = h.near(key, -side) if h.rng.random() < 0.7 else h.losing(loser, key)
    if h.rng.random() < 0.8:
        yield h.offer(friend, key, -side, 3 * lots, price)
    for _ in range(h.rng.randint(2, 4)):
        yield h.order(
            loser,
            key,
            side,
            h.rng.choice((lots, lots, lots // 2 + 1)),
            price if h.rng.random() < 0.7 else price - side,
            closing=True,
            tif=h.rng.choice((0, IOC, IOC)),
            reduce_only=h.rng.random() < 0.5,
        )
    yield h.take(friend, key, -side, 3 * lots, price, closing=False)


def slices(h: Hands) -> Commands:
    """A position in slices, each margined as if it were alone."""
    loser, friend = h.cast()
    key = h.contract()
    side = h.side()
    yield from h.clear()
    price = h.mark(key) if h.rng.random() < 0.6 else h.far(key, side)
    count = h.rng.randint(2, 6)
    room = min(h.capacity(loser, key, side, price), h.capacity(friend, key, -side, price))
    whole = max(count, room * h.rng.choice((1, 1, 2)))
    yield h.offer(friend, key, -side, whole, price)
    for _ in range(count):
        yield h.order(loser, key, side, whole // count, price, tif=h.rng.choice((0, IOC)))
    yield from h.tick()


def stacked(h: Hands) -> Commands:
    """Orders at several prices on one side or both; they fill in any order."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    if h.rng.random() < 0.4:
        yield from h.ensure(loser, friend, key)
    placed = []
    for _ in range(h.rng.randint(2, 5)):
        side = h.side() if h.rng.random() < 0.4 else 1
        price = h.far(key, side) if h.rng.random() < 0.5 else h.near(key, side)
        lots = h.share(h.capacity(loser, key, side, price))
        order = h.order(loser, key, side, lots, price, post_only=h.rng.random() < 0.2)
        placed.append(order)
        yield order
    yield from h.withdraw(loser)
    h.rng.shuffle(placed)
    for order in placed:
        yield h.order(friend, key, -order.side, order.qty_lots, order.price_ticks, tif=IOC)


def piecemeal(h: Hands) -> Commands:
    """An order with all the account has fills in many small pieces, each rounded."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    side = h.side()
    closing = h.rng.random() < 0.3
    if closing:
        yield from h.ensure(loser, friend, key, -side)
    price = h.far(key, side) + h.rng.randint(-7, 7)
    lots = abs(h.lots(loser, key)) if closing else h.capacity(loser, key, side, price)
    yield h.order(loser, key, side, max(1, lots), price, closing=closing)
    yield from h.withdraw(loser)
    for _ in range(h.rng.randint(3, 9)):
        yield h.order(friend, key, -side, h.rng.choice((1, 1, 2, 3, 7)), price, tif=IOC)
    yield h.order(friend, key, -side, max(1, lots), price, tif=IOC)


def amend_dear(h: Hands) -> Commands:
    """A modest order becomes a dear or large one after it was checked."""
    loser, friend = h.cast()
    key = h.contract()
    side = h.side()
    yield from h.clear()
    closing = h.rng.random() < 0.5
    if closing:
        yield from h.ensure(loser, friend, key, -side)
    lots = abs(h.lots(loser, key)) if closing else 0
    price = h.near(key, side)
    lots = lots or h.share(h.capacity(loser, key, side, price))
    order = h.order(loser, key, side, lots, price, closing=closing)
    yield order
    if h.rng.random() < 0.6:
        yield from h.withdraw(loser)
    for _ in range(h.rng.randint(1, 2)):
        more = lots * h.rng.choice((100, 100, 50, 101, 200)) // 100
        price = h.losing(loser, key) if closing else h.far(key, side)
        yield h.amend(loser, order.order_id, price, more)
    yield h.take(friend, key, -side, 2 * lots, price, closing=False)


def enlarge_after_fill(h: Hands) -> Commands:
    """An amendment and a fill of the same order cross on their way."""
    loser, friend = h.cast()
    key = h.contract()
    side = h.side()
    yield from h.clear()
    if h.rng.random() < 0.5:
        yield from h.ensure(loser, friend, key, -side)
    price = h.near(key, side)
    lots = abs(h.lots(loser, key)) or h.share(h.capacity(loser, key, side, price))
    order = h.order(loser, key, side, lots, price, reduce_only=h.rng.random() < 0.3)
    yield order
    yield h.take(friend, key, -side, lots // 2 + 1, price, closing=False)
    yield h.amend(loser, order.order_id, h.far(key, side), lots)
    if h.rng.random() < 0.3:
        yield h.cancel(loser, order.order_id)
    yield h.take(friend, key, -side, 2 * lots, price, closing=False)


def own_orders_meet(h: Hands) -> Commands:
    """The account's own orders meet, with every way of preventing a trade with oneself."""
    loser, friend = h.cast()
    key = h.contract()
    side = h.side()
    yield from h.clear()
    price = h.far(key, side) if h.rng.random() < 0.5 else h.mark(key)
    lots = h.share(h.capacity(loser, key, side, price))
    yield h.order(loser, key, -side, lots, price)
    yield h.order(loser, key, side, lots // 2 + 1, price, stp=h.rng.randint(0, STP_NONE))
    yield from h.withdraw(loser)
    yield h.take(friend, key, side, lots, price, closing=False)
    yield h.take(friend, key, -side, lots, price, closing=False)


def several_closes(h: Hands) -> Commands:
    """Closing orders for more than the position rest; the partner fills them from either end."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    side = -1 if held > 0 else 1
    placed = []
    for _ in range(h.rng.randint(2, 4)):
        price = h.rng.choice((h.near(key, side), h.losing(loser, key), h.far(key, -side)))
        lots = h.share(abs(held))
        reduce_only = h.rng.random() < 0.3
        order = h.order(loser, key, side, lots, price, closing=True, reduce_only=reduce_only)
        placed.append(order)
        yield order
    if h.rng.random() < 0.5:
        yield from h.withdraw(loser)
    h.rng.shuffle(placed)
    for order in placed:
        yield h.order(friend, key, -side, order.qty_lots, order.price_ticks, tif=IOC)
        if h.rng.random() < 0.3:
            yield from h.withdraw(loser)


def cancel_race(h: Hands) -> Commands:
    """A close is cancelled or replaced while its partner's order is under way."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    side = -1 if held > 0 else 1
    price = h.losing(loser, key)
    order = h.order(loser, key, side, abs(held), price, closing=True)
    yield order
    yield h.cancel(loser, order.order_id)
    yield h.order(loser, key, side, abs(held), price, closing=True)
    yield h.take(friend, key, -side, 2 * abs(held), price, closing=False)
    if h.rng.random() < 0.5:
        yield CancelAll(h.arena.now_ns, loser)


def noise(h: Hands) -> Commands:
    """Any orders at all, the honest account's quotes among them."""
    key = h.contract()
    if h.rng.random() < 0.5:
        yield from h.honest_quotes(key, h.rng.choice((100, 10_000)))
    for _ in range(h.rng.randint(1, 5)):
        account = h.rng.choice(h.arena.setting.colluders)
        side = h.side()
        price = h.rng.choice((h.far(key, side), h.near(key, side), h.mark(key)))
        lots = h.share(max(1, h.capacity(account, key, side, price)))
        yield h.take(account, key, side, lots, price, closing=h.rng.random() < 0.3)
