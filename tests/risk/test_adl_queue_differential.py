"""The deleveraging queue, which orders only as far as anyone asks, against a plain sort."""

from fractions import Fraction
from math import floor

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.units import PPB
from risk.accounts import Position
from risk.health import evaluate, unrealised_q
from risk.losses.adl_queue import AdlQueues
from tests.market import Market, collateral, rules

TRADERS = tuple(range(100, 116))
TRADES = st.tuples(
    st.sampled_from(TRADERS),
    st.sampled_from(TRADERS),
    st.integers(1, 9),
    st.integers(96, 104),
).filter(lambda trade: trade[0] != trade[1])


def score(position: Position) -> int:
    """Return on entry times effective leverage, each rounded down to parts per billion."""
    evaluate(position.account)
    listing = position.listing
    notional_q = listing.instrument.notional_q(position.qty_lots, listing.mark_ticks)
    profit = Fraction(max(0, unrealised_q(position)), max(1, abs(position.entry_value_q)))
    leverage = Fraction(notional_q, max(1, position.account.equity_q))
    return floor(profit * PPB) * floor(leverage * PPB)


class PlainQueue:
    """Everybody on one side, sorted at once; looks at who is still there when asked."""

    def __init__(self, market: Market, side: int) -> None:
        self.listing = market.exchange.listing(0)
        self.side = side
        there = [held for held in self.listing.sorted_holders() if held.qty_lots * side > 0]
        self.uids = [held.uid for held in sorted(there, key=lambda held: (-score(held), held.uid))]

    def against(self) -> list[int]:
        held = {each.uid: each.qty_lots * self.side for each in self.listing.sorted_holders()}
        came_later = sorted(uid for uid in held if uid not in self.uids)
        return [uid for uid in self.uids + came_later if held.get(uid, 0) > 0]


def trade(market: Market, buyer: int, seller: int, lots: int, price: int) -> None:
    market.sell(seller, str(lots), str(price))
    market.buy(buyer, str(lots), str(price))


@settings(max_examples=100, deadline=None)
@given(
    deposits=st.lists(st.integers(60, 5_000), min_size=len(TRADERS), max_size=len(TRADERS)),
    before=st.lists(TRADES, min_size=3, max_size=24),
    mark=st.integers(85, 115),
    asked=st.integers(0, 8),
    after=st.lists(TRADES, max_size=6),
    restored=st.booleans(),
)
def test_the_order_is_that_of_a_plain_sort(
    deposits: list[int],
    before: list[tuple[int, int, int, int]],
    mark: int,
    asked: int,
    after: list[tuple[int, int, int, int]],
    restored: bool,
) -> None:
    """Some are asked, then positions close, shrink, turn and open at the same mark, then all are
    asked; in between the queue may have gone through a snapshot."""
    market = Market()
    for trader, amount in zip(TRADERS, deposits, strict=True):
        market.open(trader, deposit=str(amount))
    market.index("100")
    for buyer, seller, lots, price in before:
        trade(market, buyer, seller, lots, price)
    market.index(str(mark))
    core = market.exchange.risk.core
    held = market.exchange.listing(0).sorted_holders()
    if not held or any(each.account.liquidation is not None for each in held):
        return
    position = held[0]
    side = -1 if position.qty_lots > 0 else 1
    queues = AdlQueues(core)
    plain = PlainQueue(market, side)
    candidates = queues.against(position)
    first = [each.uid for each, _ in zip(candidates, range(asked), strict=False)]
    assert first == plain.against()[:asked]
    for buyer, seller, lots, price in after:
        trade(market, buyer, seller, lots, price)
    if restored:
        state = queues.state()
        assert [row[:2] + row[3:] for row in state] == [[0, side, plain.uids]]
        queues = AdlQueues(core)
        queues.restore(state)
    if position.qty_lots * side >= 0:
        return
    locked = {each.uid for each in plain.listing.sorted_holders() if each.account.liquidation}
    free = [uid for uid in plain.against() if uid not in locked]
    assert [each.uid for each in queues.against(position)] == free
    assert queues.state()[0][3] == plain.uids


def test_what_nobody_asked_for_is_in_order_in_a_snapshot() -> None:
    """Fifteen shorts of one size, so the smaller the deposit the earlier: 7 steps through 15."""
    market = Market()
    market.index("100")
    market.open(TRADERS[0], deposit="100000")
    for number, trader in enumerate(TRADERS[1:]):
        market.open(trader, deposit=str(60 + number * 7 % 15))
        market.trade(TRADERS[0], trader, "1", "100")
    market.index("99")
    queues = AdlQueues(market.exchange.risk.core)
    plain = PlainQueue(market, -1)
    position = market.exchange.risk.core.ledger.traders[TRADERS[0]].find_position(0)
    assert position is not None
    assert next(queues.against(position)).uid == plain.uids[0]
    assert queues.state() == [[0, -1, 0, plain.uids]]


def test_equity_is_all_an_account_has() -> None:
    """Five shorts of one size with 60 dollars each, at a gain of 1: who lost elsewhere comes
    first, then by what they gained elsewhere or hold besides. 0.002 BTC count for 90."""
    plain, with_coins, rich, winner, loser = TRADERS[1:6]
    market = Market(rules(collateral=collateral(BTC="0.1")))
    market.add("OTHER")
    market.asset_price("50000")
    market.index("100")
    market.index("100", symbol="OTHER")
    market.open(TRADERS[0], TRADERS[6], deposit="100000")
    for trader in (plain, with_coins, rich, winner, loser):
        market.open(trader, deposit="60")
        market.trade(TRADERS[0], trader, "1", "100")
    market.open(with_coins, deposit="0.002", asset="BTC")
    market.open(rich, deposit="75")
    market.trade(winner, TRADERS[6], "2", "100", symbol="OTHER")
    market.trade(TRADERS[6], loser, "2", "100", symbol="OTHER")
    market.index("105", symbol="OTHER")
    market.index("99")
    position = market.exchange.risk.core.ledger.traders[TRADERS[0]].find_position(0)
    assert position is not None
    queue = AdlQueues(market.exchange.risk.core).against(position)
    accounts = [each.account.trader.account_id for each in queue]
    assert accounts == [loser, plain, winner, rich, with_coins]
    assert [score(each) for each in AdlQueues(market.exchange.risk.core).against(position)] == [
        10**7 * floor(Fraction(99 * PPB, equity)) for equity in (51, 61, 71, 136, 151)
    ]
