"""Programs of commands, sensible and absurd, against every rule that must always hold.

``SEAWALL_PROFILE=long python -m pytest tests/test_state_machine.py`` runs up to 225,000 steps
(about 700,000 commands, ten minutes).
"""

import os
from random import Random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from engine import commands as c
from engine.instruments import AssetSpec, InstrumentSpec, MarginSpec
from engine.messages import fields_of
from engine.routing.bus import Latency
from risk.liquidation import engine as liquidation_engine
from tests.exchange_world import (
    ASSET_PRICES_PPB,
    HEDGE,
    RULEBOOKS,
    SECOND,
    SEEN,
    START_TICKS,
    TRADERS,
    World,
    replay_over_the_wire,
)
from tests.messages import field_names

LONG = os.environ.get("SEAWALL_PROFILE") == "long"
ROUNDS = 3
"""Visits to the waterfall before an account is closed out; the real limit would take too long."""

STEPS = {"total": 0}

INSTRUMENTS = st.integers(0, len(START_TICKS) - 1)
ACCOUNTS = st.sampled_from(TRADERS)
SIDES = st.sampled_from([1, -1])
LOTS = st.one_of(st.integers(1, 60), st.integers(1, 2_000))
SEEDS = st.integers(0, 2**32 - 1)
OFFSETS = st.one_of(st.integers(-3, 3), st.integers(-25, 25))
"""Percent from the mark."""

WEIRD = st.one_of(
    st.sampled_from([0, 1, -1, 2, 3, 99, 100, 105, 999, 2**31, 2**40, 2**60, 2**61, 10**12]),
    st.sampled_from([-(2**63), 2**63 - 1, 2**64 - 1, 10**12 + 1, -(10**12)]),
    st.integers(-5, 200),
)
TEXT = st.sampled_from(["", "x", "1", "0", "-1", "NaN", "0.1", "{}", "null", "[]"])


def garbage(kind: type) -> st.SearchStrategy[Any]:
    """A command of this type with any values at all, at the time given later."""
    spec = st.builds(AssetSpec, WEIRD, TEXT, WEIRD)
    margin = st.builds(
        MarginSpec,
        st.sampled_from(["flat", "brackets", "used_margin", "linear_in_size", "none"]),
        st.just([]),
        st.lists(st.tuples(st.sampled_from(["max_leverage", "maintenance_ppb"]), WEIRD)),
    )
    contract = st.builds(
        InstrumentSpec, WEIRD, TEXT, WEIRD, WEIRD, TEXT, TEXT, WEIRD, margin, WEIRD, WEIRD, WEIRD
    )
    known = {
        c.AddAsset: [spec],
        c.AddInstrument: [contract],
        c.SetRulebook: [TEXT],
        c.QueryRisk: [st.lists(WEIRD, max_size=3), WEIRD],
        c.Skipped: [WEIRD, TEXT, TEXT],
    }
    if kind in known:
        return st.builds(kind, st.just(0), *known[kind])
    fields = [st.booleans() if f in BOOLEANS else WEIRD for f in field_names(kind)[1:]]
    return st.builds(kind, st.just(0), *fields)


BOOLEANS = ("isolated", "hedge", "post_only", "reduce_only", "close_position")
GARBAGE = st.one_of([garbage(kind) for kind in c.Command.__args__])


class Driver(RuleBasedStateMachine):
    """Draws commands; the worlds below decide how they are run."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.order_id = 0
        self.batch: list[c.Command] | None = None
        self.rounds_before = liquidation_engine.MAX_ROUNDS
        liquidation_engine.MAX_ROUNDS = ROUNDS

    def teardown(self) -> None:
        liquidation_engine.MAX_ROUNDS = self.rounds_before

    def send(self, command: c.Command) -> None:
        STEPS["total"] += 1
        if self.batch is None:
            self.world.send(command)
        else:
            self.batch.append(command)

    def mark(self, instrument_id: int) -> int:
        return max(1, self.world.exchange.mark_ticks(instrument_id))

    @rule(
        account=ACCOUNTS,
        instrument=INSTRUMENTS,
        side=SIDES,
        lots=LOTS,
        offset=OFFSETS,
        kind=st.sampled_from([c.LIMIT, c.LIMIT, c.LIMIT, c.MARKET]),
        tif=st.sampled_from([c.GTC, c.GTC, c.GTC, c.IOC, c.FOK]),
        flags=st.integers(0, 40),
        stp=st.integers(0, 4),
        leg=st.integers(1, 2),
    )
    def submit(
        self,
        account: int,
        instrument: int,
        side: int,
        lots: int,
        offset: int,
        kind: int,
        tif: int,
        flags: int,
        stp: int,
        leg: int,
    ) -> None:
        self.order_id += 1
        order_id = {4: max(1, self.order_id - 3), 7: 2**60 + self.order_id % 50}.get(
            flags, self.order_id
        )
        price = max(1, self.mark(instrument) * (100 + offset) // 100)
        if flags in (8, 9):
            lots, price = (10**12, price) if flags == 8 else (10**6 * lots, 10**12)
        hedge = self.world.exchange.risk.core.ledger.traders[account].hedge
        if flags == 3:
            hedge = not hedge
        self.send(
            c.SubmitOrder(
                self.now,
                account,
                instrument,
                order_id,
                side,
                lots,
                price,
                kind,
                tif,
                flags == 1,
                flags in (2, 5, 6),
                stp,
                leg if hedge else 0,
                self.now + flags * SECOND if flags > 36 else 0,
            )
        )

    @rule(
        account=ACCOUNTS,
        instrument=INSTRUMENTS,
        side=SIDES,
        lots=st.one_of(st.just(0), LOTS),
        offset=OFFSETS,
        kind=st.integers(0, 2),
        by=st.integers(0, 2),
        flags=st.integers(0, 40),
        trail=st.integers(1, 80),
    )
    def trigger(
        self,
        account: int,
        instrument: int,
        side: int,
        lots: int,
        offset: int,
        kind: int,
        by: int,
        flags: int,
        trail: int,
    ) -> None:
        """An order that waits: near the mark, so that it fires soon, or is refused at once."""
        self.order_id += 1
        mark = self.mark(instrument)
        level = 0 if kind == c.TRAILING and flags % 3 else max(1, mark * (100 + offset) // 100)
        is_limit = lots > 0 and flags % 4 == 0
        trails = kind == c.TRAILING
        hedge = self.world.exchange.risk.core.ledger.traders[account].hedge
        self.send(
            c.SubmitTrigger(
                self.now,
                account,
                instrument,
                self.order_id,
                side,
                lots,
                kind,
                level,
                by,
                c.LIMIT if is_limit else c.MARKET,
                max(1, level + side * flags) if is_limit else 0,
                reduce_only=flags % 5 == 0,
                close_position=lots == 0,
                stp=flags % 5,
                leg=1 + flags % 2 if hedge else 0,
                trail_ticks=trail if trails and flags % 2 else 0,
                trail_ppb=trail * 1_000_000 if trails and not flags % 2 else 0,
                expire_ns=self.now + flags * SECOND if flags > 36 else 0,
            )
        )

    @rule(which=st.integers(0, 500), offset=OFFSETS, lots=LOTS, wrong=st.integers(0, 9))
    def amend_trigger(self, which: int, offset: int, lots: int, wrong: int) -> None:
        waiting = self.world.exchange.risk.core.triggers.values()
        if not waiting:
            return
        terms = waiting[which % len(waiting)].terms
        level = max(1, self.mark(terms.instrument_id) * (100 + offset) // 100)
        fields = (
            0 if terms.close_position else lots,
            0 if terms.trigger == c.TRAILING else level,
            level if terms.order_type == c.LIMIT else 0,
        )
        order = (terms.account_id + (wrong == 1), terms.order_id)
        match wrong:
            case 2:
                self.send(c.CancelOrder(self.now, *order))
            case 3:
                self.send(c.AmendOrder(self.now, *order, level, lots))
            case _:
                trail = (terms.trail_ticks and terms.trail_ticks + 1, terms.trail_ppb)
                self.send(c.AmendTrigger(self.now, *order, *fields, *trail))

    @rule(seed=SEEDS, size=st.integers(1, 8))
    def triggers(self, seed: int, size: int) -> None:
        """Orders that wait on both sides of the marks."""
        rng = Random(seed)
        for _ in range(size):
            self.trigger(
                rng.choice(TRADERS),
                rng.randrange(len(START_TICKS)),
                rng.choice((1, -1)),
                rng.choice((0, rng.randint(1, 300))),
                rng.choice((-12, -3, -1, 1, 3, 12)),
                rng.randint(0, 2),
                rng.randint(0, 2),
                rng.randint(0, 40),
                rng.randint(1, 80),
            )

    def open_positions(self, rng: Random) -> None:
        """Positions near the limit of what the accounts can carry, so that prices matter."""
        for instrument in range(len(START_TICKS)):
            self.send(c.IndexPrice(self.now, instrument, 2, START_TICKS[instrument]))
            for _ in range(6):
                self.trade(rng, instrument, percent=0)
        self.arrive()

    def trade(self, rng: Random, instrument: int, percent: int) -> None:
        """Two orders that meet, sized to a good part of what the smaller account can carry."""
        price = max(1, self.mark(instrument) * (100 + percent) // 100)
        spec = self.world.exchange.listing(instrument).instrument
        lots = max(1, 3_000_000 * rng.randint(1, 30) // spec.notional_q(1, price))
        side = rng.choice((1, -1))
        for trader, way in zip(rng.sample(TRADERS, 2), (side, -side), strict=True):
            self.order_id += 1
            leg = 0
            if self.world.exchange.risk.core.ledger.traders[trader].hedge:
                leg = 1 if way > 0 else 2
            self.send(
                c.SubmitOrder(
                    self.now, trader, instrument, self.order_id, way, lots, price, leg=leg
                )
            )

    def arrive(self) -> None:
        """With latencies: wait for everything under way."""

    @rule(seed=SEEDS, size=st.integers(1, 12))
    def session(self, seed: int, size: int) -> None:
        """Trades at prices that wander, with the clock running."""
        rng = Random(seed)
        for _ in range(size):
            instrument = rng.randrange(len(START_TICKS))
            move = rng.randint(-4, 4)
            self.trade(rng, instrument, move)
            if rng.random() < 0.5:
                self.index(instrument, rng.randint(1, 2), 100 + move)

    @rule(seed=SEEDS, size=st.integers(1, 12))
    def quotes(self, seed: int, size: int) -> None:
        """Resting orders of every kind around the marks."""
        rng = Random(seed)
        for _ in range(size):
            self.submit(
                rng.choice(TRADERS),
                rng.randrange(len(START_TICKS)),
                rng.choice((1, -1)),
                rng.randint(1, 300),
                rng.randint(-12, 12),
                int(rng.random() < 0.1),
                rng.choice((0, 0, 0, 0, 1, 2)),
                rng.randint(0, 40),
                rng.randint(0, 4),
                rng.randint(1, 2),
            )

    @rule(seed=SEEDS)
    def crash(self, seed: int) -> None:
        """Prices fall or rise step by step; accounts call, liquidate, and drag others along."""
        rng = Random(seed)
        instrument = rng.randrange(len(START_TICKS))
        way = rng.choice((-1, 1))
        for _ in range(rng.randint(2, 8)):
            percent = 100 + way * rng.randint(1, 9)
            if rng.random() < 0.5:
                self.asset_price(rng.choice((2, 3)), rng.randint(1, 2), percent)
            self.index(instrument, rng.randint(1, 2), percent)

    def move_margin(self, rng: Random) -> None:
        """Collateral of an isolated position, if there is one, up or down."""
        pots = [
            position
            for account in self.world.exchange.risk.core.ledger.accounts.values()
            for position in account.positions
            if account.isolated
        ]
        trader, instrument, leg = rng.choice(TRADERS), rng.randrange(3), rng.randrange(3)
        if pots:
            position = rng.choice(pots)
            trader = position.account.trader.account_id
            instrument, leg = position.listing.instrument_id, position.leg
        self.adjust(trader, instrument, leg, rng.randint(-60_000, 120_000))

    @rule(seed=SEEDS, size=st.integers(1, 8))
    def housekeeping(self, seed: int, size: int) -> None:
        """Amends, cancels, closes, and collateral moved about."""
        rng = Random(seed)
        for _ in range(size):
            match rng.randrange(7):
                case 0:
                    self.cancel(rng.randrange(500), rng.randrange(20))
                case 1 | 2:
                    self.amend(rng.randrange(500), rng.randint(-12, 12), rng.randint(0, 250))
                case 3:
                    self.close(rng.randrange(500), rng.randint(-20, 20), rng.randint(1, 3))
                case 4:
                    self.move_margin(rng)
                case 5:
                    self.withdraw(rng.choice(TRADERS), rng.randrange(4), rng.randint(1, 2_000_000))
                case _:
                    self.leverage(rng.choice(TRADERS), rng.randrange(3), rng.randint(1, 25))

    @rule(which=st.integers(0, 500), offset=st.integers(-30, 30), closing=st.integers(1, 3))
    def close(self, which: int, offset: int, closing: int) -> None:
        """An order that only reduces, aggressive or not."""
        held = [p for p in self.world.positions() if not p.account.trader.is_house()]
        if not held:
            return
        position = held[which % len(held)]
        self.order_id += 1
        instrument = position.listing.instrument_id
        lots = max(1, abs(position.qty_lots) // closing)
        side = -1 if position.qty_lots > 0 else 1
        price = max(1, self.mark(instrument) * (100 + offset) // 100)
        account = position.account.trader.account_id
        self.send(
            c.SubmitOrder(
                self.now, account, instrument, self.order_id, side, lots, price, leg=position.leg
            )
        )

    @rule(which=st.integers(0, 500), wrong=st.integers(0, 20))
    def cancel(self, which: int, wrong: int) -> None:
        orders = self.world.open_orders()
        if orders:
            order = orders[which % len(orders)]
            account = order.position.account.trader.account_id + (wrong == 1)
            self.send(c.CancelOrder(self.now, account, order.order_id))

    @rule(account=ACCOUNTS, instrument=st.integers(-1, 3))
    def cancel_all(self, account: int, instrument: int) -> None:
        self.send(c.CancelAll(self.now, account, instrument))

    @rule(which=st.integers(0, 500), offset=OFFSETS, percent=st.integers(0, 300))
    def amend(self, which: int, offset: int, percent: int) -> None:
        orders = self.world.open_orders()
        if orders:
            order = orders[which % len(orders)]
            price = order.price_ticks
            if offset:
                price = max(1, self.mark(order.instrument_id) * (100 + offset) // 100)
            account = order.position.account.trader.account_id
            lots = order.remaining_lots * percent // 100
            self.send(c.AmendOrder(self.now, account, order.order_id, price, lots))

    @rule(account=ACCOUNTS, asset=st.integers(0, 3), amount=st.integers(1, 3_000_000))
    def deposit(self, account: int, asset: int, amount: int) -> None:
        self.send(c.Deposit(self.now, account, asset, amount))

    @rule(account=ACCOUNTS, asset=st.integers(0, 3), amount=st.integers(1, 3_000_000))
    def withdraw(self, account: int, asset: int, amount: int) -> None:
        self.send(c.Withdraw(self.now, account, asset, amount))

    @rule(
        account=ACCOUNTS,
        instrument=INSTRUMENTS,
        leg=st.integers(0, 2),
        amount=st.integers(-300_000, 300_000),
    )
    def adjust(self, account: int, instrument: int, leg: int, amount: int) -> None:
        self.send(c.AdjustIsolatedMargin(self.now, account, instrument, leg, amount))

    @rule(account=ACCOUNTS, instrument=INSTRUMENTS, leverage=st.integers(0, 30))
    def leverage(self, account: int, instrument: int, leverage: int) -> None:
        self.send(c.SetLeverage(self.now, account, instrument, leverage))

    @rule(account=ACCOUNTS, instrument=INSTRUMENTS, isolated=st.booleans())
    def margin_mode(self, account: int, instrument: int, isolated: bool) -> None:
        self.send(c.SetMarginMode(self.now, account, instrument, isolated))

    @rule(account=st.sampled_from((*HEDGE, TRADERS[0])), hedge=st.booleans())
    def position_mode(self, account: int, hedge: bool) -> None:
        self.send(c.SetPositionMode(self.now, account, hedge))

    @rule(
        instrument=INSTRUMENTS,
        source=st.integers(1, 2),
        percent=st.one_of(
            st.integers(97, 103), st.integers(70, 140), st.sampled_from([5, 30, 300])
        ),
    )
    def index(self, instrument: int, source: int, percent: int) -> None:
        """The index moves, and the clock ticks so that the mark follows."""
        price = max(1, self.mark(instrument) * percent // 100)
        self.send(c.IndexPrice(self.now, instrument, source, min(price, 10**7)))
        self.tick(1)

    @rule(
        asset=st.sampled_from(sorted(ASSET_PRICES_PPB)),
        source=st.integers(1, 2),
        percent=st.one_of(st.integers(95, 105), st.sampled_from([10, 40, 70, 150, 400])),
    )
    def asset_price(self, asset: int, source: int, percent: int) -> None:
        """The price of a collateral asset moves; most rulebooks know of none."""
        known = self.world.exchange.risk.core.ledger.collateral.get(asset)
        price = known.price_ppb if known is not None else 0
        price = max(1, (price or ASSET_PRICES_PPB[asset]) * percent // 100)
        self.send(c.AssetPrice(self.now, asset, source, min(price, 10**15)))

    @rule(seconds=st.sampled_from([0, 1, 5, 31, 61, 300, 3_600, 28_800]))
    def tick(self, seconds: int) -> None:
        self.now += seconds * SECOND
        self.send(c.AdvanceTime(self.now))

    @rule(name=st.sampled_from(sorted(RULEBOOKS)))
    def rulebook(self, name: str) -> None:
        self.send(c.SetRulebook(self.now, RULEBOOKS[name].to_json()))

    @rule(account=ACCOUNTS)
    def query(self, account: int) -> None:
        self.send(c.QueryAccount(self.now, account))
        self.send(c.QueryMarket(self.now))
        self.send(c.QueryRisk(self.now, [account], 5))
        self.send(c.QueryRisk(self.now, [], 5))

    @rule(command=GARBAGE, back=st.integers(0, 8))
    def absurd(self, command: c.Command, back: int) -> None:
        fields = list(fields_of(command).values())[1:]
        time_ns = self.now - SECOND if back == 0 else self.now
        self.send(type(command)(time_ns, *fields))

    @rule(kind=st.sampled_from([c.Deposit, c.Withdraw]), house=st.integers(1, 5), q=WEIRD)
    def money_of_the_house(self, kind: type, house: int, q: int) -> None:
        self.send(kind(self.now, house, 0, q))


class ExchangeMachine(Driver):
    """Without latency: every invariant after every command."""

    @rule(seed=SEEDS, size=st.integers(1, 5))
    def batch_of_commands(self, seed: int, size: int) -> None:
        """Everything at once: fills, amends and cancels cross on their way."""
        rng = Random(seed)
        self.batch = []
        for _ in range(size):
            kind = rng.choice((self.session, self.quotes, self.triggers, self.housekeeping))
            kind(rng.randrange(2**32), rng.randint(1, 4))
        commands, self.batch = self.batch, None
        if commands:
            self.world.send_batch(commands)

    @initialize(
        rules=st.sampled_from(sorted(RULEBOOKS)),
        fund_q=st.sampled_from([1, 500_000, 20_000_000]),
        seed=SEEDS,
    )
    def open(self, rules: str, fund_q: int, seed: int) -> None:
        self.world = World(rules, fund_q=fund_q)
        self.open_positions(Random(seed))

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.drain()
                twin = replay_over_the_wire(self.world.sent)
                assert twin.state_hash() == self.world.exchange.state_hash()
        finally:
            super().teardown()

    def drain(self) -> None:
        """Nothing but the clock: whoever is in liquidation now must get out of it."""
        waiting = dict.fromkeys(self.world.locked().values(), 0)
        ticks = 0
        while waiting:
            self.now += 31 * SECOND
            self.world.send(c.AdvanceTime(self.now))
            ticks += 1
            still = self.world.locked().values()
            waiting = {key: count + 1 for key, count in waiting.items() if key in still}
            assert ticks < 40 * ROUNDS, f"liquidations {sorted(waiting)} do not end"


LATENCIES = st.builds(
    Latency, *[st.sampled_from([0, 1, SECOND // 10, SECOND, 7 * SECOND]) for _ in range(6)]
)


class LatencyMachine(Driver):
    """Messages under way: conservation always, the rest when everything has arrived."""

    @initialize(
        rules=st.sampled_from(sorted(RULEBOOKS)),
        latency=LATENCIES,
        fund_q=st.sampled_from([1, 500_000, 20_000_000]),
        seed=SEEDS,
    )
    def open(self, rules: str, latency: Latency, fund_q: int, seed: int) -> None:
        self.world = World(rules, latency, fund_q)
        self.open_positions(Random(seed))

    @rule()
    def arrive(self) -> None:
        self.world.rest()
        self.now = max(self.now, self.world.exchange.bus.now_ns)

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.arrive()
        finally:
            super().teardown()


def report_steps() -> None:
    print(f"{STEPS['total']} commands sent by the machines")
    for name, count in sorted(SEEN.items()):
        print(f"{count:9} {name}")


@pytest.fixture(scope="module", autouse=True)
def _steps_reported() -> Any:
    yield
    report_steps()


_EXAMPLES, _STEPS = (1_500, 100) if LONG else (120, 40)
_SETTINGS = settings(max_examples=_EXAMPLES, stateful_step_count=_STEPS)

TestExchange = ExchangeMachine.TestCase
TestExchange.settings = _SETTINGS
TestLatency = LatencyMachine.TestCase
TestLatency.settings = settings(max_examples=_EXAMPLES // 2, stateful_step_count=_STEPS)
