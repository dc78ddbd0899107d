"""A market of latent traders only: the impact of sales of many sizes, and how it heals.

One account driven from outside sells into a flat index. What is expected is the model's figure
(`seawall.agents.latent_density`), measured through orders, margin, matching and fills.
"""

import math
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.commands import BUY, IOC, SELL
from engine.events import CommandRejected, OrderFilled
from engine.routing.bus import Latency
from seawall import Exchange, load_scenario
from seawall.agents.latent_trader import LatentTrader
from seawall.agents.outside import OutsideAgent
from seawall.agents.plans import LatentPlan
from seawall.agents.view import Desk
from seawall.simulating.simulation import Simulation
from tests.seawall.test_agents import desk_for, make_view, plan_of, rest

S = 10**9
OWNERS = 10
DEPTH = 20_000.0
"""Of all owners together, within one percent."""

INDEX_TICKS = 10_000
SCENARIO = """
rulebook = "teaching-default"
[time]
duration = "40m"
[assets.usd]
symbol = "USDT"
[assets.coin]
decimals = 6
[instruments.perp]
symbol = "X-PERP"
kind = "{kind}"
settle = "{settle}"
tick = "0.01"
lot = "{lot}"
[index.perp.sources.flat]
kind = "anchored"
volatility = 0
anchors = [["0s", 100], ["40m", 100]]
[agents.latent]
kind = "latent"
count = {owners}
capital = {capital}
depth = {depth}
refill_half_life = ["{refill}", "{refill}"]
refresh = "1s"
[agents.seller]
kind = "outside"
capital = 100000000
leverage = 2
"""


class Sales:
    """A market of latent traders, and an account that sells in it."""

    def __init__(
        self,
        folder: Path,
        *,
        refill: str = "10m",
        capital: float = 1e7,
        inverse: bool = False,
        latency: Latency | None = None,
    ) -> None:
        file = folder / "latent.toml"
        contract = (
            {"kind": "inverse", "settle": "coin", "lot": 1}
            if inverse
            else {"kind": "linear", "settle": "usd", "lot": "0.01"}
        )
        depth = DEPTH / OWNERS
        text = SCENARIO.format(
            owners=OWNERS, capital=capital, depth=depth, refill=refill, **contract
        )
        file.write_text(text)
        self.exchange = Exchange(latency=latency)
        self.refused: list[CommandRejected] = []
        self.exchange.subscribe(self._hear)
        self.taken: list[int] = []
        scenario = msgspec.structs.replace(load_scenario(str(file)), latency=latency)
        self.simulation = Simulation(scenario, self.exchange, samples=False)
        self.simulation.open()
        (self.seller,) = [a for a in self.simulation.agents if isinstance(a, OutsideAgent)]
        self.wait(10)

    def _hear(self, event: Any) -> None:
        if isinstance(event, CommandRejected):
            self.refused.append(event)
        elif isinstance(event, OrderFilled) and event.side == BUY and not event.maker:
            self.taken.append(event.order_id)

    def owners(self) -> list[LatentTrader]:
        return [each for each in self.simulation.agents if isinstance(each, LatentTrader)]

    def wait(self, seconds: float) -> None:
        self.simulation.advance(self.simulation.now_ns + int(seconds * S))

    def sell(self, notional: float) -> float:
        """Sell at any price; how far below the index the last fill was, as a log distance."""
        desk = Desk(self.simulation)
        desk.now_ns = self.simulation.now_ns
        self.seller.take_heard()
        self.seller.take(desk, SELL, self.seller.view.lots(notional, INDEX_TICKS), 100)
        fills = [each for each in self.seller.take_heard() if isinstance(each, OrderFilled)]
        return math.log(INDEX_TICKS / fills[-1].price_ticks)

    def offer(self, notional: float, price_ticks: int) -> None:
        """Leave an order to sell in the book."""
        desk = Desk(self.simulation)
        desk.now_ns = self.simulation.now_ns
        view = self.seller.view
        lots = view.lots(notional, INDEX_TICKS)
        desk.submit(self.seller.account_id, view.instrument_id, SELL, lots, price_ticks)

    def bought(self) -> float:
        """What the latent traders have, at the index."""
        return -self.seller.view.notional(self.seller.position_lots, INDEX_TICKS)

    def metaorder(self, notional: float, pieces: int = 20) -> float:
        """Sell in pieces, half a second apart; the worst distance of a fill."""
        worst = 0.0
        for _ in range(pieces):
            worst = max(worst, self.sell(notional / pieces))
            self.wait(0.5)
        return worst

    def distance_of(self, notional: float) -> float:
        """How far a sale of this would move the price now."""
        left = notional
        for price, lots, _ in self.seller.view.book.depth(BUY):
            left -= self.seller.view.notional(lots, INDEX_TICKS)
            if left <= 0:
                return math.log(INDEX_TICKS / price)
        return math.inf


def slope(points: list[tuple[float, float]]) -> float:
    """Of the line of least squares through the logarithms."""
    xs = [math.log(x) for x, _ in points]
    ys = [math.log(y) for _, y in points]
    x0, y0 = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - x0) * (y - y0) for x, y in zip(xs, ys, strict=True)) / sum(
        (x - x0) ** 2 for x in xs
    )


def test_impact_grows_with_the_square_root_of_what_is_sold(tmp_path: Path) -> None:
    sizes = (2e3, 8e3, 3.2e4, 1.28e5, 5.12e5, 2.048e6)
    found = [(size, Sales(tmp_path).metaorder(size)) for size in sizes]
    assert 0.45 < slope(found) < 0.55
    for size, distance in found:
        assert distance == pytest.approx(0.01 * math.sqrt(size / DEPTH), rel=0.15)


def test_a_fall_has_no_floor_once_the_capital_is_used_up(tmp_path: Path) -> None:
    """The same sales against less and less capital; what is shown is bounded by it."""

    def worst(capital: float) -> float:
        sales = Sales(tmp_path, capital=capital / OWNERS)
        assert sum(lots for _, lots, _ in sales.seller.view.book.depth(BUY)) < capital
        return sales.metaorder(4e5)

    rich, poor, poorer = worst(1e8), worst(6e5), worst(2e5)
    assert rich == pytest.approx(0.045, rel=0.15)
    assert rich * 1.1 < poor < 0.1
    assert poorer > 0.5


@pytest.mark.parametrize("minutes", [1, 4, 12])
def test_the_price_heals_in_proportion_to_the_refill(tmp_path: Path, minutes: int) -> None:
    """A sixteenth of what made the fall moves the calm price by a quarter of it, and by half of it
    once a quarter of what was used up is back: after log(4/3) / log(2) = 0.42 half-lives. Orders
    are moved a little later than their size has grown."""
    sales = Sales(tmp_path, refill=f"{minutes}m")
    worst = sales.metaorder(5e5)
    waited = 0.0
    while sales.distance_of(5e5 / 16) > worst / 2 and waited < 60 * minutes:
        sales.wait(1)
        waited += 1
    assert 0.4 < waited / (60 * minutes) < 0.7


@pytest.mark.parametrize("inverse", [False, True])
def test_what_was_bought_stays_bought(tmp_path: Path, inverse: bool) -> None:
    sales = Sales(tmp_path, refill="1m", inverse=inverse)
    assert sales.metaorder(5e5) == pytest.approx(0.05, rel=0.15)
    sold = sales.seller.position_lots
    sales.wait(600)
    owners = sales.owners()
    assert sum(each.position_lots for each in owners) == -sold > 0
    assert not sales.refused
    sales.exchange.check_invariants()


def test_what_is_offered_below_the_intentions_is_bought_as_far_as_they_reach(
    tmp_path: Path,
) -> None:
    """Two percent below the index four times the depth is wanted; then what comes back."""
    sales = Sales(tmp_path, refill="2m")
    sales.sell(4 * DEPTH)  # the same, had it been sold at once
    sales.offer(1e6, 9_802)
    sales.wait(5)
    at_once = sales.bought() - 4 * DEPTH
    assert at_once < DEPTH
    sales.wait(115)
    assert sales.bought() - 4 * DEPTH > 2 * DEPTH
    sales = Sales(tmp_path, refill="10m")
    sales.offer(1e6, 9_802)
    sales.wait(5)
    assert sales.bought() == pytest.approx(4 * DEPTH, rel=0.2)


def test_what_comes_back_within_seconds_is_not_worth_an_order(tmp_path: Path) -> None:
    """Within a minute half of what was used up comes back: a fifth of the depth of each owner, who
    trades a twentieth at a time, not what a second brings."""
    sales = Sales(tmp_path, refill="1m")
    sales.offer(1e6, 9_930)
    sales.wait(5)
    first = len(sales.taken)
    before = sales.bought()
    sales.wait(60)
    orders = len(set(sales.taken[first:]))
    assert orders > 0
    assert (sales.bought() - before) / orders > 0.05 * DEPTH / OWNERS * 0.9


@pytest.mark.parametrize("offered", [0, 9_802])
def test_a_slow_answer_is_waited_for(offered: int) -> None:
    """Neither what rests nor what takes is sent again; after a minute no answer comes."""
    view = make_view()
    if offered:
        rest(view, SELL, offered, 100, order_id=1)
    plan = plan_of(LatentPlan, capital=1e6, depth=DEPTH)
    agent = LatentTrader(plan, "a", 1, view, random.Random(1))
    desk, venue = desk_for(agent)
    venue.agent = None
    agent.wake(desk)
    sent = len(venue.orders())
    taking = [each for each in venue.orders() if each.tif == IOC]
    assert sent > 15
    assert len(taking) == (1 if offered else 0)
    desk.now_ns += S
    agent.wake(desk)
    assert len(venue.orders()) == sent
    desk.now_ns += 61 * S
    agent.wake(desk)
    assert len(venue.orders()) == 2 * sent


def test_an_order_that_is_under_way_is_not_placed_again(tmp_path: Path) -> None:
    """Links of three seconds and a look each second: the book is the one of links without delay."""
    slow = Sales(tmp_path, latency=Latency(gateway_to_risk_ns=3 * S))
    quick = Sales(tmp_path)
    for sales in (slow, quick):
        sales.wait(20)
    assert [len(each.orders) for each in slow.owners()] == [
        len(each.orders) for each in quick.owners()
    ]
    assert not slow.refused
    slow.offer(1e6, 9_802)
    slow.wait(20)
    assert slow.bought() == pytest.approx(4 * DEPTH, rel=0.2)


def test_who_has_bought_sells_more_than_it_buys(tmp_path: Path) -> None:
    sales = Sales(tmp_path, capital=4e5 / OWNERS, refill="1s")
    sales.metaorder(2e5)
    sales.wait(30)
    book = sales.seller.view.book
    bids, asks = (sum(lots for _, lots, _ in book.depth(side)) for side in (BUY, SELL))
    assert asks > 1.5 * bids > 0
    assert not sales.refused
