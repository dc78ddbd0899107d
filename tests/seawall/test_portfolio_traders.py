"""Traders with several contracts in one account: entry, answers over all, a stop for each."""

from collections.abc import Callable

import pytest

from engine.commands import (
    BUY,
    SELL,
    Command,
    Deposit,
    QueryAccount,
    QueryMarket,
    SetLeverage,
    SubmitOrder,
    SubmitTrigger,
)
from engine.events import (
    AccountReport,
    CommandRejected,
    Deleveraged,
    Event,
    LiquidationEnded,
    LiquidationStarted,
    MarginCallIssued,
    MarketReport,
    OrderClosed,
    OrderFilled,
    TakenOver,
    TriggerFired,
)
from engine.reasons import Reason
from risk.accounts import FIRST_TRADER, owner_of
from seawall.agents.dice import Dice
from seawall.agents.margin_traders import MarginTrader, errand
from seawall.agents.stake import Crowd, Stake
from seawall.agents.view import Desk
from seawall.exchange import Exchange
from seawall.profiles import TraderProfile, draw_population
from seawall.scenario import Scenario, load_scenario
from seawall.scenario_fields import ScenarioError
from seawall.simulating.market_setup import EntryPlanner
from seawall.simulating.simulation import Simulation, simulate
from seawall.world.stock import Stock
from tests.seawall.test_agents import Recorder, make_view, rest

S = 10**9
SMALL = (
    "instruments.dot={symbol='DOT-PERP', tick='0.01', lot='0.1', max_qty='20000', band='0.15'}",
    "index.dot.sources.spot={kind='anchored', anchors=[['0s', 50], ['3m', 49]]}",
    "agents.dot_makers={kind='market_maker', instrument='dot', capital=10000000, size=4000}",
    "agents.dot_makers.count=2",
    "population.both.instruments={perp=0.75, dot=0.25}",
    "population.both.accounts=40",
    "population.both.wealth={kind='lognormal', median=1500, sigma=1.2}",
    "population.both.leverage={10=1}",
    "population.both.long_share=0.9",
    "population.both.on_call={cut=1}",
    "population.both.reaction=['1s', '2s']",
    "population.both.stop_share=0.3",
)
"""Laid over the small crash: a second coin that hardly moves, and a group that holds both."""


class World:
    """One trader with 25 lots to buy of x and 50 of y, at the same price; a recording venue."""

    def __init__(self, answer: str = "cut", stop_distance: float = 0.0) -> None:
        self.venue = Recorder()
        self.desk = Desk(self.venue)
        self.desk.now_ns = S
        self.asked: list[tuple[int, Callable[[], None]]] = []
        self.views = {"x": make_view(), "y": make_view()}
        self.views["y"].instrument_id = 1
        for view in self.views.values():
            rest(view, BUY, 9_990, 10**6, 1)
            rest(view, SELL, 10_010, 10**6, 2)
        crowd = Crowd(self.desk, self.views, lambda at, what: self.asked.append((at, what)))
        profile = TraderProfile(
            100,
            "g",
            (("x", 0.4), ("y", 0.6)),
            1_000.0,
            5,
            True,
            False,
            0.5,
            500.0,
            answer,
            10 * S,
            stop_distance,
            False,
            1e9,
            0.5,
        )
        self.trader = MarginTrader(profile, crowd, Dice(1), 0, 1_000, [25, 50])

    @property
    def x(self) -> Stake:
        return self.trader.stakes[0]

    @property
    def y(self) -> Stake:
        return self.trader.stakes[1]

    def fill(self, instrument_id: int, side: int, lots: int, price: int, position: int) -> None:
        self.trader.on_event(
            OrderFilled(
                0, 100, 1, instrument_id, 0, side, lots, price, False, False, 0, 0, position
            )
        )

    def hold(self, x_lots: int, y_lots: int, price: int = 10_000) -> None:
        if x_lots:
            self.fill(0, BUY if x_lots > 0 else SELL, abs(x_lots), price, x_lots)
        if y_lots:
            self.fill(1, BUY if y_lots > 0 else SELL, abs(y_lots), price, y_lots)

    def call(self) -> None:
        """A call comes and is answered."""
        self.trader.on_event(MarginCallIssued(2 * S, 100, 7, 300, 60 * S, 1, 2))
        for _, action in self.asked:
            action()
        self.asked.clear()

    def sent(self) -> list[tuple[int, int, int]]:
        """Instrument, side and lots of the orders."""
        return [(o.instrument_id, o.side, o.qty_lots) for o in self.venue.orders()]


def test_each_contract_is_entered_with_its_own_size() -> None:
    world = World()
    for stake in world.trader.stakes:
        stake.enter()
    assert world.sent() == [(0, BUY, 25), (1, BUY, 50)]
    world.fill(1, BUY, 50, 10_010, 50)
    assert (world.x.position_lots, world.y.position_lots) == (0, 50)
    for _, action in list(world.asked):
        action()
    assert world.sent()[2:] == [(0, BUY, 25)]


def test_a_refused_order_makes_that_entry_smaller_and_no_other() -> None:
    for at_once in (True, False):
        world = World()
        refusal = CommandRejected(0, 100, 102, Reason.INSUFFICIENT_MARGIN)
        if at_once:
            send = world.venue.send

            def refuse(
                command: Command,
                world: World = world,
                send: Callable[[Command], None] = send,
                refusal: CommandRejected = refusal,
            ) -> None:
                send(command)
                if isinstance(command, SubmitOrder) and command.order_id == refusal.order_id:
                    world.trader.on_event(refusal)

            world.venue.send = refuse  # type: ignore[method-assign]
        for stake in world.trader.stakes:
            stake.enter()
        if not at_once:
            world.trader.on_event(refusal)
        assert (world.x.target_lots, world.y.target_lots) == (25, 50 - 6)


@pytest.mark.parametrize(
    ("x_lots", "y_lots", "sold"),
    [
        (25, 50, [(1, SELL, 37)]),  # half of 75 is 37 and a half
        (50, 25, [(0, SELL, 37)]),
        (30, 30, [(0, SELL, 30)]),
        (0, 50, [(1, SELL, 25)]),
        (-25, 50, [(1, SELL, 37)]),
        (-50, -10, [(0, BUY, 30)]),
    ],
)
def test_who_cuts_sells_the_largest_position(
    x_lots: int, y_lots: int, sold: list[tuple[int, int, int]]
) -> None:
    world = World("cut")
    world.hold(x_lots, y_lots)
    world.call()
    assert world.sent() == sold


def test_the_value_decides_which_is_the_largest() -> None:
    world = World("cut")
    world.hold(25, 50)
    world.views["y"].last_ticks = 4_000  # 50 lots are worth less than 25 of the other
    world.call()
    # 25 x 10,000 + 50 x 4,000 = 450,000, of which half is 22 lots and a half of x
    assert world.sent() == [(0, SELL, 22)]


def test_what_cannot_be_sold_is_sold_in_the_other_contract() -> None:
    world = World("cut")
    world.hold(25, 50)
    world.views["y"].book.cancel(1)
    world.call()
    assert world.sent() == [(0, SELL, 25)]


def test_both_brings_half_and_cuts_a_quarter_of_everything() -> None:
    world = World("both")
    world.hold(25, 50)
    world.call()
    assert world.venue.commands[0] == Deposit(world.desk.now_ns, 100, 0, 180)
    assert world.sent() == [(1, SELL, 18)]


def test_each_position_has_its_own_stop() -> None:
    world = World(stop_distance=0.05)
    world.fill(0, BUY, 25, 10_000, 25)
    world.fill(1, BUY, 50, 9_000, 50)
    for _, action in world.asked:
        action()
    stops = [c for c in world.venue.commands if isinstance(c, SubmitTrigger)]
    assert [(s.instrument_id, s.trigger_ticks) for s in stops] == [(0, 9_500), (1, 8_550)]
    world.asked.clear()
    world.trader.on_event(TriggerFired(2 * S, 100, stops[0].order_id, 0, 9_400, 9_500))
    assert (world.x.entering, world.y.entering) == (False, True)
    world.fill(0, SELL, 20, 9_400, 5)
    closed = OrderClosed(2 * S, 100, stops[0].order_id, 0, 5, Reason.IOC_REMAINDER)
    world.trader.on_event(closed)
    world.asked[0][1]()
    assert world.sent() == [(0, SELL, 5)]


def test_a_stop_whose_price_was_there_already_closes_its_contract() -> None:
    world = World(stop_distance=0.05)
    world.fill(1, BUY, 50, 9_000, 50)
    world.hold(25, 0)
    for _, action in world.asked:
        action()
    world.asked.clear()
    first = next(c for c in world.venue.commands if isinstance(c, SubmitTrigger))
    assert first.instrument_id == 1
    world.trader.on_event(CommandRejected(2 * S, 100, first.order_id, Reason.WOULD_TRIGGER_AT_ONCE))
    world.asked[0][1]()
    assert world.sent() == [(1, SELL, 50)]


def test_a_liquidation_locks_every_contract_and_gives_stops_back() -> None:
    world = World(stop_distance=0.05)
    world.hold(25, 50)
    world.asked.clear()
    world.trader.on_event(LiquidationStarted(3 * S, 100, 1, 0, 0, 1, 1, False))
    for stake in world.trader.stakes:
        stake.enter()
        stake.protect()
    world.call()
    assert world.venue.commands == []
    world.trader.on_event(TakenOver(3 * S, 100, 1, 1, 50, 0, 1, 0))
    world.trader.on_event(Deleveraged(3 * S, 100, 200, 0, 5, 1, 1, 1, 1))
    assert (world.x.position_lots, world.y.position_lots) == (20, 0)
    world.trader.on_event(LiquidationEnded(3 * S, 100, 1, 0, "restored", True, *[0] * 10))
    for _, action in world.asked:
        action()
    stops = [c.instrument_id for c in world.venue.commands if isinstance(c, SubmitTrigger)]
    assert stops == [0]


def test_errands_and_answers_are_found_again_by_their_rows() -> None:
    world = World(stop_distance=0.05)
    world.hold(25, 50)
    world.trader.on_event(MarginCallIssued(2 * S, 100, 7, 300, 60 * S, 1, 2))
    for _, action in world.asked:
        row = action.row()  # type: ignore[attr-defined]
        assert errand(row, world.trader).row() == row
    assert [a.row()[:2] for _, a in world.asked] == [  # type: ignore[attr-defined]
        ["protect", 100],
        ["protect", 100],
        ["answer", 100],
    ]


def test_adopting_tells_the_contracts_apart() -> None:
    world = World()
    world.trader.adopt({1: 7})
    assert (world.x.position_lots, world.y.position_lots) == (0, 7)
    assert (world.x.entering, world.y.entering) == (True, False)
    assert world.trader.entered


# in a market


def two_coins(*overrides: str) -> Scenario:
    return load_scenario("small_crash", (*SMALL, *overrides))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("instruments={perp=1, doge=1}", "'doge' is unknown.*allowed are perp, dot"),
        ("instruments={perp=0}", "at least one weight must be above 0"),
        ("instruments={perp=-1}", "-1 must be a weight of 0 or more"),
        ("instruments={}", "an empty table changes nothing"),
        ("instrument='dot'", "has no effect beside instrument; give one of the two"),
        ("isolated_share=0.5", "must be 0 with several instruments"),
    ],
)
def test_a_portfolio_that_cannot_be_is_refused(override: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        two_coins(f"population.both.{override}")


def test_contracts_that_settle_in_several_assets_share_no_account() -> None:
    other = ("assets.eur={symbol='EUR'}", "instruments.dot.settle='eur'")
    with pytest.raises(ScenarioError, match=r"several assets \(perp in usd, dot in eur\)"):
        two_coins(*other)
    two_coins(*other, "population.both.instruments={perp=1, dot=0}")


def test_an_account_is_opened_for_all_its_contracts() -> None:
    scenario = two_coins()
    exchange = Exchange()
    commands: list[Command] = []
    exchange.before_command = lambda _, command: commands.append(command)
    simulation = Simulation(scenario, exchange)
    simulation.open()
    last = FIRST_TRADER + scenario.accounts - 1
    mine = [c for c in commands if getattr(c, "account_id", 0) == last]
    assert [type(c).__name__ for c in mine] == [
        "OpenAccount",
        "Deposit",
        "SetLeverage",
        "SetLeverage",
    ]
    assert [c.instrument_id for c in mine if isinstance(c, SetLeverage)] == [0, 1]


@pytest.fixture(scope="module")
def run() -> tuple[Scenario, list[Command], list[Event]]:
    """A run of two coins, with its commands and events."""
    scenario = two_coins("output.check_invariants_every=50")
    exchange = Exchange(check_invariants_every=scenario.output.check_invariants_every)
    commands: list[Command] = []
    events: list[Event] = []
    exchange.before_command = lambda _, command: commands.append(command)
    simulate(scenario, exchange, listeners=[events.append])
    return scenario, commands, events


def test_positions_are_shared_out_by_the_weights() -> None:
    scenario = two_coins()
    simulation = Simulation(scenario, Exchange())
    simulation.open()
    first_ticks = {"perp": 10_000, "dot": 5_000}
    planner = EntryPlanner(scenario, first_ticks, {})
    group = scenario.population[-1]
    for profile in draw_population((group,), FIRST_TRADER, 1):
        entry = planner.plan(profile, simulation.views)
        worth = [lots * ticks for lots, ticks in zip(entry.target_lots, (100, 50), strict=True)]
        wanted = profile.wealth * profile.utilisation * 10
        for value, share in zip(worth, (0.75, 0.25), strict=True):
            assert value / 10 == pytest.approx(wanted * share, abs=10)  # a lot is worth 10 or 5
        assert entry.leverages == [10, 10]


def test_a_fall_of_one_coin_is_sold_in_the_other(
    run: tuple[Scenario, list[Command], list[Event]],
) -> None:
    scenario, commands, events = run
    first = FIRST_TRADER + scenario.accounts - 40
    called = {owner_of(e.margin_account_id) for e in events if isinstance(e, MarginCallIssued)}
    called &= set(range(first, first + 40))
    assert called, "somebody with both coins was called"
    cut = {
        c.instrument_id
        for c in commands
        if isinstance(c, SubmitOrder)
        and c.account_id in called
        and c.reduce_only
        and c.time_ns > scenario.time.start_ns
    }
    assert 1 in cut


def test_a_saved_run_of_two_coins_goes_on_to_the_same_end() -> None:
    scenario = two_coins()
    exchange = Exchange()
    simulation = Simulation(scenario, exchange)
    simulation.open()
    half_ns = (scenario.time.start_ns + scenario.time.end_ns) // 2
    simulation.advance(half_ns)
    saved = exchange.snapshot(), simulation.snapshot()
    simulation.advance(scenario.time.end_ns)
    again = Exchange()
    again.resume(saved[0])
    resumed = Simulation(scenario, again)
    resumed.restore(saved[1])
    assert resumed.snapshot() == saved[1]
    resumed.advance(scenario.time.end_ns)
    assert again.state_hash() == exchange.state_hash()


def test_positions_found_on_an_exchange_are_told_apart_by_contract() -> None:
    scenario = two_coins()
    exchange = Exchange()
    simulation = Simulation(scenario, exchange)
    simulation.open()
    simulation.advance(scenario.time.start_ns)
    events: list[Event] = []
    exchange.subscribe(events.append)
    accounts = range(FIRST_TRADER, FIRST_TRADER + scenario.accounts)
    for account_id in accounts:
        exchange.send(QueryAccount(exchange.time_ns, account_id))
    exchange.send(QueryMarket(exchange.time_ns))
    reports = {each.account_id: each for each in events if isinstance(each, AccountReport)}
    (market,) = (each for each in events if isinstance(each, MarketReport))
    found = Stock(reports, market).positions()
    assert sum(0 in lots and 1 in lots for lots in found.values()) >= 10, "some hold both"
    again = Simulation(scenario, Exchange())
    again.open()
    again.adopt(found)
    traders = [lots for account_id, lots in found.items() if account_id in accounts]
    assert again.result().entered == sum(any(lots.values()) for lots in traders)
    for account in exchange.risk.core.ledger.accounts.values():
        for position in account.positions:
            if account.trader.account_id in found:
                lots = found[account.trader.account_id]
                instrument_id = position.listing.instrument.spec.instrument_id
                assert lots.get(instrument_id, 0) == position.qty_lots
