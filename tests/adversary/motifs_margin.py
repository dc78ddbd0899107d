"""Motifs of margin: money moved between check and fill, liquidation provoked, marks that move."""

from engine.commands import IOC, Deposit, SetMarginMode
from engine.units import magnitude
from tests.adversary.arena import CONTRACTS, GOLD, HONEST
from tests.adversary.hands import Commands, Hands
from tests.adversary.ledger_view import equity_q, requirement_q


def withdraw_between(h: Hands) -> Commands:
    """Money leaves between an order and its fill."""
    loser, friend = h.cast()
    key = h.contract()
    side = h.side()
    yield from h.clear()
    price = h.rng.choice((h.mark(key), h.far(key, side), h.near(key, side)))
    lots = h.share(h.capacity(loser, key, side, price))
    yield h.order(loser, key, side, lots, price)
    yield from h.withdraw(loser)
    for _ in range(h.rng.randint(1, 3)):
        yield h.order(friend, key, -side, lots // 2 + 1, price, tif=IOC)
        yield from h.withdraw(loser)


def leverage_after_order(h: Hands) -> Commands:
    """The leverage goes up (or down) after the order was checked."""
    loser, friend = h.cast()
    key = h.contract()
    side = h.side()
    yield from h.clear()
    most = h.core.listings[key].model.max_leverage(1)
    yield h.leverage(loser, key, h.rng.choice((1, 2, 5)))
    price = h.near(key, side) if h.rng.random() < 0.5 else h.far(key, side)
    lots = h.share(h.capacity(loser, key, side, price))
    yield h.order(loser, key, side, lots, price)
    yield h.leverage(loser, key, h.rng.choice((most, most // 2, 3)))
    yield from h.withdraw(loser)
    yield h.order(friend, key, -side, lots, price, tif=IOC)
    yield h.leverage(loser, key, h.rng.choice((most, 2)))
    yield from h.withdraw(loser)


def leverage_of_position(h: Hands) -> Commands:
    """The leverage of an open position goes up and down, with orders beside it or without."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    most = h.core.listings[key].model.max_leverage(1)
    yield h.leverage(loser, key, h.rng.choice((1, 2, 5, most)))
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    side = -1 if held > 0 else 1
    if h.rng.random() < 0.5:
        way = h.side()
        yield h.order(loser, key, way, h.share(abs(held)), h.far(key, way), closing=way == side)
    for _ in range(h.rng.randint(1, 3)):
        yield h.leverage(loser, key, h.rng.choice((1, 2, 3, most // 2, most)))
        yield from h.withdraw(loser)
    price = h.losing(loser, key)
    yield h.offer(friend, key, -side, abs(held), price)
    yield h.take(loser, key, side, abs(held), price, closing=True)


def margin_out_between(h: Hands) -> Commands:
    """Collateral leaves (or enters) an isolated pot around a resting close."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    yield from h.ensure(loser, friend, key)
    position = h.position(loser, key)
    if position is None:
        return
    held = position.qty_lots
    side = -1 if held > 0 else 1
    if h.rng.random() < 0.5:
        yield from h.adjust(loser, key, h.share(h.free_q(loser, key)))
    price = h.losing(loser, key)
    yield h.order(loser, key, side, abs(held), price, closing=True)
    spare_q = equity_q(position.account) - requirement_q(position.account)
    yield from h.adjust(loser, key, -max(1, spare_q - h.rng.choice((0, 0, 1))))
    yield from h.withdraw(loser)
    yield h.order(friend, key, -side, abs(held), price, tif=IOC)


def provoke_liquidation(h: Hands) -> Commands:
    """Close part at a loss until maintenance is not met; the partner's far order waits for it."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    if h.rng.random() < 0.5:
        yield from h.withdraw(loser)
    side = -1 if held > 0 else 1
    part = max(1, abs(held) * h.rng.choice((10, 25, 50, 50, 75, 90)) // 100)
    price = h.ruin(loser, key, part, (50, 60, 70, 80, 90, 95, 99, 100))
    edge = h.band(key)[side > 0]
    for percent in h.rng.sample((2, 5, 10, 20, 50, 90, 100), 2):
        out = price + (edge - price) * percent // 100
        yield h.offer(friend, key, -side, abs(held), out)
    yield h.offer(friend, key, -side, part, price)
    yield h.order(loser, key, side, part, price, closing=True, tif=IOC)
    for _ in range(h.rng.randint(1, 4)):
        yield from h.tick(h.rng.choice((1, 31, 61)))


def mark_passes_order(h: Hands) -> Commands:
    """An order rests while the index goes past it in small steps; the partner fills it."""
    loser, friend = h.cast()
    key = h.contract()
    side = h.side()
    yield from h.clear()
    if h.rng.random() < 0.3:
        yield from h.ensure(loser, friend, key)
    price = h.near(key, side)
    lots = h.share(h.capacity(loser, key, side, price))
    yield h.order(loser, key, side, lots, price)
    yield from h.withdraw(loser)
    for _ in range(h.rng.randint(1, 8)):
        yield from h.move(key, 100 - side * h.rng.choice((1, 1, 2, 5)))
    if h.rng.random() < 0.3:
        yield h.amend(loser, 1, price, lots + 1)
    yield h.order(friend, key, -side, lots, price, tif=IOC)
    yield from h.tick()


def mark_passes_close(h: Hands) -> Commands:
    """A close rests while the mark makes its position worth more or less; then it fills."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    side = -1 if held > 0 else 1
    price = h.rng.choice((h.near(key, side), h.losing(loser, key)))
    yield h.order(
        loser, key, side, abs(held), price, closing=True, reduce_only=h.rng.random() < 0.3
    )
    for _ in range(h.rng.randint(1, 5)):
        yield from h.move(key, 100 + h.rng.choice((-3, -1, 1, 1, 2, 3, 6)))
        if h.rng.random() < 0.5:
            yield from h.withdraw(loser)
    yield h.order(friend, key, -side, abs(held), price, tif=IOC)
    yield from h.tick()


def beside_take_profit(h: Hands) -> Commands:
    """Below initial margin, the position is closed while a take-profit of its owner rests."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    side = -1 if held > 0 else 1
    gain = h.near(key, side) - side * h.mark(key) // 50
    reduce_only = h.rng.random() < 0.7
    yield h.order(loser, key, side, abs(held), gain, closing=True, reduce_only=reduce_only)
    if h.rng.random() < 0.7:
        yield from h.withdraw(loser)
    for _ in range(h.rng.randint(0, 2)):
        yield from h.move(key, 100 + side)
    yield h.offer(friend, key, -side, abs(held), h.mark(key))
    part = h.share(abs(held))
    yield h.take(loser, key, side, part, h.mark(key), closing=True)
    yield h.take(loser, key, side, abs(held) - part, h.mark(key), closing=True)


def hedge_legs(h: Hands) -> Commands:
    """Both legs open; one is closed at a loss, one order for each rests beside."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    for side in (1, -1):
        price = h.mark(key)
        lots = h.share(h.capacity(loser, key, side, price))
        yield h.offer(friend, key, -side, lots, price)
        yield h.order(loser, key, side, lots, price)
    side = h.side()
    far = h.far(key, side)
    lots = max(1, abs(h.lots(loser, key)))
    if h.rng.random() < 0.5:
        yield h.order(loser, key, side, lots, h.near(key, side))
    yield from h.withdraw(loser)
    yield h.offer(friend, key, -side, 2 * lots, far)
    yield h.take(loser, key, side, lots, far, closing=True)
    yield h.take(loser, key, side, lots, far, closing=False)


def crash(h: Hands) -> Commands:
    """Positions on both sides, then a fall that empties the smaller; winners take theirs out."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    way = -1 if held > 0 else 1
    if h.rng.random() < 0.5:
        yield from h.honest_quotes(key, abs(held))
    for _ in range(h.rng.randint(1, 4)):
        yield from h.move(key, 100 + way * h.rng.choice((1, 2, 5, 10, 20)))
        yield from h.withdraw(friend)
    yield h.order(friend, key, way, abs(held), h.far(key, way))
    for _ in range(h.rng.randint(1, 3)):
        yield from h.tick(h.rng.choice((1, 11, 61)))
    yield from h.withdraw(friend)


def fall_together(h: Hands) -> Commands:
    """One move bankrupts two: the liquidation of the one meets what the other has resting."""
    loser, friend = h.cast()
    key = h.contract()
    side = h.side()
    yield from h.clear()
    mark = h.mark(key)
    for account in (loser, friend):
        lots = h.capacity(account, key, side, mark)
        if account == loser:
            lots //= 2
        yield h.order(HONEST, key, -side, max(1, lots), mark)
        yield h.order(account, key, side, max(1, lots), mark)
    price = h.near(key, side)
    yield h.order(loser, key, side, h.share(h.capacity(loser, key, side, price)), price)
    if h.rng.random() < 0.5:
        yield from h.withdraw(loser)
    yield from h.move(key, 100 - side * h.rng.choice((3, 6, 10, 20)))
    yield from h.tick(31)


def fee_of_the_last(h: Hands) -> Commands:
    """Close with a wallet that has nothing left for the fee."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    yield from h.adjust(loser, key, h.free_q(loser, key))
    yield from h.withdraw(loser)
    side = -1 if held > 0 else 1
    price = h.rng.choice((h.mark(key), h.ruin(loser, key)))
    part = h.share(abs(held))
    if h.rng.random() < 0.5:
        yield h.offer(friend, key, -side, abs(held), price)
        yield h.take(loser, key, side, part, price, closing=True)
    else:
        yield h.order(loser, key, side, part, price, closing=True)
        yield h.order(friend, key, -side, part, price, tif=IOC)


def two_contracts(h: Hands) -> Commands:
    """Gains in one contract, losses in another; one pot or two."""
    loser, friend = h.cast()
    first, second = h.rng.sample(CONTRACTS, 2)
    yield from h.clear()
    for key in (first, second):
        side = h.side()
        price = h.rng.choice((h.mark(key), h.far(key, -side)))
        lots = h.share(h.capacity(loser, key, side, h.mark(key)) // 2)
        yield h.offer(friend, key, -side, lots, price)
        yield h.order(loser, key, side, lots, price)
    yield from h.withdraw(loser)
    for key in (first, second):
        held = h.lots(loser, key)
        if held:
            side = -1 if held > 0 else 1
            price = h.losing(loser, key)
            yield h.offer(friend, key, -side, abs(held), price)
            yield h.take(loser, key, side, abs(held), price, closing=True)


def stolen_room(h: Hands) -> Commands:
    """Orders in one pot are checked, then another pot of the same owner uses the money."""
    loser, friend = h.cast()
    first, second = h.rng.sample(CONTRACTS, 2)
    yield from h.clear()
    side = h.side()
    price = h.far(first, side)
    lots = h.share(h.capacity(loser, first, side, price))
    yield h.order(loser, first, side, lots, price)
    yield from h.ensure(loser, friend, second)
    held = h.lots(loser, second)
    if held:
        away = -1 if held > 0 else 1
        at = h.losing(loser, second)
        yield h.offer(friend, second, -away, abs(held), at)
        yield h.take(loser, second, away, abs(held), at, closing=True)
    yield from h.adjust(loser, second, h.free_q(loser, second))
    yield h.order(friend, first, -side, lots, price, tif=IOC)


def collateral(h: Hands) -> Commands:
    """Margin in another asset, which leaves or falls while orders rest."""
    loser, friend = h.cast()
    key = 0
    side = h.side()
    yield Deposit(h.arena.now_ns, loser, GOLD.asset_id, h.rng.choice((1, 10, 100)) * 10**6)
    yield from h.withdraw(loser)
    price = h.rng.choice((h.mark(key), h.far(key, side)))
    lots = h.share(h.capacity(loser, key, side, price))
    yield h.order(loser, key, side, lots, price)
    if h.rng.random() < 0.3:
        yield from h.gold(h.rng.choice((50, 90, 99, 120)))
    yield from h.withdraw(loser)
    yield h.order(friend, key, -side, lots, price, tif=IOC)
    held = h.lots(loser, key)
    if held:
        side = -1 if held > 0 else 1
        at = h.losing(loser, key)
        yield h.offer(friend, key, -side, abs(held), at)
        yield h.take(loser, key, side, abs(held), at, closing=True)
    yield from h.withdraw(loser)


def switch_mode(h: Hands) -> Commands:
    """Cross becomes isolated (or back) as soon as nothing is open."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    held = h.lots(loser, key)
    if held:
        side = -1 if held > 0 else 1
        yield h.offer(friend, key, -side, magnitude(held), h.mark(key))
        yield h.order(loser, key, side, magnitude(held), h.mark(key), closing=True)
    isolated = h.trader(loser).isolated.get(key, False)
    yield SetMarginMode(h.arena.now_ns, loser, key, not isolated)
    yield from h.ensure(loser, friend, key)


def profit_out(h: Hands) -> Commands:
    """A gain made against a partner leaves, before the partner's loss is settled."""
    loser, friend = h.cast()
    key = h.contract()
    yield from h.clear()
    yield from h.ensure(loser, friend, key)
    held = h.lots(loser, key)
    if not held:
        return
    side = -1 if held > 0 else 1
    price = h.losing(loser, key)
    part = h.share(abs(held))
    yield h.offer(friend, key, -side, part, price)
    yield h.take(loser, key, side, part, price, closing=True)
    yield from h.adjust(friend, key, -h.share(max(1, h.free_q(friend, key))))
    yield from h.withdraw(friend)
    yield from h.withdraw(loser)
    yield from h.tick()
    yield from h.withdraw(friend)


def wait(h: Hands) -> Commands:
    """Time passes: cooldowns end, the house sells, funding falls due."""
    yield from h.tick(h.rng.choice((1, 5, 31, 61, 300, 3_600, 28_800)))


def bid_for_the_house(h: Hands) -> Commands:
    """What the house took over is bought at the worst price it may be sold at."""
    _, friend = h.cast()
    key = h.contract()
    per_mille = h.rng.choice((4, 9, 20, 45, 90))
    for side in (1, -1):
        price = h.mark(key) * (1000 - side * per_mille) // 1000
        yield h.offer(friend, key, side, 10**4, price)
    for _ in range(h.rng.randint(1, 3)):
        yield from h.tick(h.rng.choice((1, 11, 61)))
