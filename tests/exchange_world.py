"""A small exchange to break: its setting-up commands, and the checks run after every command."""

from collections import Counter
from heapq import nsmallest
from typing import Any

import msgspec

from engine.commands import (
    AddAsset,
    AddInstrument,
    AssetPrice,
    Command,
    Deposit,
    IndexPrice,
    OpenAccount,
    QueryAccount,
    SetMarginMode,
    SetPositionMode,
    SetRulebook,
    SubmitOrder,
)
from engine.events import (
    BadDebtBooked,
    CommandRejected,
    LiquidationEnded,
    LossSocialised,
    OrderAccepted,
)
from engine.instruments import (
    INVERSE,
    LINEAR,
    AssetSpec,
    InstrumentSpec,
    MarginSpec,
    MarginTier,
    build_instrument_spec,
)
from engine.internal import AccountFacts
from engine.messages import decode_command, decode_message, encode
from engine.reasons import Reason
from engine.routing.bus import Bus, Latency
from engine.routing.topology import LIQUIDATION, MATCHING, RISK
from risk.accounts import BACKSTOP, BAD_DEBT, FUND, OpenOrder, Position
from risk.margin.tiers import with_deductions
from risk.nearest import bears_risk, rank
from risk.rulebook import (
    AdlRule,
    BackstopRule,
    CallRule,
    CollateralAssetRule,
    CollateralRule,
    FeeRule,
    FundingRule,
    FundRule,
    IndexRule,
    LevelRule,
    LiquidationRule,
    MarkRule,
    Rulebook,
)
from risk.rulebook_file import load_rulebook
from seawall.exchange import Exchange
from tests.market import checked_parts

SECOND = 10**9
USD = AssetSpec(0, "USD", 4)
COIN = AssetSpec(1, "COIN", 8)
GOLD = AssetSpec(2, "GOLD", 3)
SHELL = AssetSpec(3, "SHELL", 2)
ASSET_PRICES_PPB = {2: 10_000_000_000, 3: 100_000}
"""What collateral costs at first: gold in USD, shells in COIN."""

BOLDEST = {"binance-usdm": "BTCUSDT", "hyperliquid": "BTC", "deribit-linear": "BTC_USDC"}
"""The margin table with the highest leverage of a venue that has several."""

SHIPPED = ("teaching-default", "binance-usdm", "hyperliquid", "kraken-spot", "deribit-linear")
START_TICKS = (1_000, 50, 2_000)
CROSS, ISOLATED, HEDGE = (100, 101, 102), (103, 104), (105, 106)
TRADERS = CROSS + ISOLATED + HEDGE

SEEN: Counter[str] = Counter()
"""What happened over all worlds: a machine that never liquidates anybody proves little."""

STEEP_TIERS = with_deductions(
    [
        MarginTier(0, 3_000_000, 20_000_000, 25, 0),
        MarginTier(3_000_000, 20_000_000, 50_000_000, 10, 0),
        MarginTier(20_000_000, 10**15, 125_000_000, 4, 0),
    ]
)
WHOLE_TIERS = [
    MarginTier(tier.floor_q, tier.cap_q, tier.maintenance_ppb, tier.max_leverage, 0)
    for tier in STEEP_TIERS
]
BY_OPEN_INTEREST = MarginSpec(
    "by_open_interest",
    [],
    [
        ("initial_ppb", 40_000_000),
        ("maintenance_ppb", 20_000_000),
        ("lower_cap_q", 3_000_000),
        ("upper_cap_q", 60_000_000),
        ("interval_ns", SECOND),
    ],
)


def harsh_rulebook() -> Rulebook:
    """Every stage, every cap, calls that expire, and marks that follow the last trade."""
    return Rulebook(
        name="harsh",
        title="every stage",
        sources=["tests"],
        levels=[
            LevelRule("alert", "alert", 2_000_000_000),
            LevelRule("call", "call", 1_500_000_000),
            LevelRule("liquidation", "liquidate", 1_000_000_000),
        ],
        call=CallRule("initial", 500_000_000, 60 * SECOND, "liquidate"),
        fees=FeeRule(-100_000, 500_000, 5_000_000),
        mark=MarkRule("last"),
        funding=FundingRule(
            interval_ns=300 * SECOND, interest_ppb=100_000, clamp_ppb=500_000, cap_ppb=10_000_000
        ),
        liquidation=LiquidationRule(
            stages=["cancel", "reduce", "close", "backstop", "fund", "adl", "socialise"],
            partial="fraction",
            fraction_ppb=500_000_000,
            cooldown_ns=5 * SECOND,
            restore_buffer_ppb=50_000_000,
            inclusive=True,
        ),
        index=IndexRule(stale_ns=300 * SECOND, when_stale="reduce_only"),
        fund=FundRule(500_000_000, 500_000_000, 250_000_000, 10 * SECOND, 50_000_000, 50_000_000),
        backstop=BackstopRule(700_000_000, 300_000_000),
        adl=AdlRule("pro_rata", "bankruptcy"),
        profit_margins_orders=False,
    )


def tier_rulebook() -> Rulebook:
    """Tier steps, margin returned at takeover, mark is the index, and no house to speak of."""
    return Rulebook(
        name="tiers",
        title="tier steps",
        sources=["tests"],
        levels=[
            LevelRule("call", "call", 1_200_000_000),
            LevelRule("liquidation", "liquidate", 1_000_000_000),
        ],
        call=CallRule("maintenance", 300_000_000, 0, "liquidate"),
        fees=FeeRule(200_000, 500_000, 20_000_000),
        index=IndexRule(stale_ns=120 * SECOND, when_stale="halt_liquidations"),
        mark=MarkRule("index"),
        liquidation=LiquidationRule(
            stages=["reduce", "adl", "fund", "socialise"],
            partial="tier_step",
            order_price="slippage",
            residual="account",
        ),
        adl=AdlRule("profit_leverage", "mark", negative_equity_only=True),
    )


def with_collateral(rulebook: Rulebook, name: str, debt_limit: int) -> Rulebook:
    """The same rules, and other assets that count."""
    gold = CollateralRule("USD", [CollateralAssetRule("GOLD", 150_000_000)], debt_limit)
    shell = CollateralRule("COIN", [CollateralAssetRule("SHELL", 400_000_000)])
    return msgspec.structs.replace(rulebook, name=name, collateral=[gold, shell])


RULEBOOKS: dict[str, Rulebook] = {
    **{name: load_rulebook(name).rulebook for name in SHIPPED},
    "harsh": harsh_rulebook(),
    "tiers": tier_rulebook(),
    "open-interest": msgspec.structs.replace(harsh_rulebook(), name="open-interest"),
    "whole-tiers": msgspec.structs.replace(tier_rulebook(), name="whole-tiers"),
    "harsh-collateral": with_collateral(harsh_rulebook(), "harsh-collateral", 100),
    "tiers-collateral": with_collateral(tier_rulebook(), "tiers-collateral", 0),
    "teaching-collateral": with_collateral(
        load_rulebook("teaching-default").rulebook, "teaching-collateral", 0
    ),
}


def instruments(rules: str) -> list[InstrumentSpec]:
    """Two linear contracts in USD (the venue's own margin, steep tiers), one inverse in COIN."""
    venue = None
    if rules in SHIPPED:
        venue = load_rulebook(rules).margin_spec(USD, BOLDEST.get(rules), "0.01")
    steep = MarginSpec("brackets", STEEP_TIERS)
    if rules == "whole-tiers":
        steep = MarginSpec("whole_tier", WHOLE_TIERS)
    if rules == "open-interest":
        steep = BY_OPEN_INTEREST
    return [
        build_instrument_spec(
            instrument_id=0,
            symbol="AAA",
            kind=LINEAR,
            asset=USD,
            tick="0.1",
            lot="0.01",
            margin=venue or steep,
            band_ppb=300_000_000,
        ),
        build_instrument_spec(
            instrument_id=1,
            symbol="BBB",
            kind=LINEAR,
            asset=USD,
            tick="1",
            lot="0.1",
            margin=steep,
            min_qty="0.2",
        ),
        build_instrument_spec(
            instrument_id=2,
            symbol="CCC",
            kind=INVERSE,
            asset=COIN,
            tick="0.5",
            lot="1",
            multiplier="7",
            margin=MarginSpec(
                "linear_in_size",
                [],
                [
                    ("initial_ppb", 50_000_000),
                    ("maintenance_ppb", 25_000_000),
                    ("initial_slope_ppb", 20_000),
                    ("maintenance_slope_ppb", 10_000),
                ],
            ),
        ),
    ]


def opening_commands(rules: str, fund_q: int = 500_000) -> list[Command]:
    """Assets, rules, contracts, money and modes; all at time 0."""
    commands: list[Command] = [
        AddAsset(0, USD),
        AddAsset(0, COIN),
        AddAsset(0, GOLD),
        AddAsset(0, SHELL),
        SetRulebook(0, RULEBOOKS[rules].to_json()),
    ]
    commands += [AddInstrument(0, spec) for spec in instruments(rules)]
    for house in (FUND, BACKSTOP):
        commands += [Deposit(0, house, 0, fund_q), Deposit(0, house, 1, fund_q)]
    for trader in TRADERS:
        commands.append(OpenAccount(0, trader))
        commands += [Deposit(0, trader, 0, 3_000_000), Deposit(0, trader, 1, 3_000_000)]
        commands += [Deposit(0, trader, asset_id, 20_000) for asset_id in ASSET_PRICES_PPB]
    for trader in ISOLATED:
        commands += [SetMarginMode(0, trader, i, True) for i in range(len(START_TICKS))]
    commands += [SetPositionMode(0, trader, True) for trader in HEDGE]
    commands.append(SetMarginMode(0, HEDGE[1], 0, True))
    commands += [IndexPrice(0, i, 1, ticks) for i, ticks in enumerate(START_TICKS)]
    if RULEBOOKS[rules].collateral:
        commands += [AssetPrice(0, key, 1, price) for key, price in ASSET_PRICES_PPB.items()]
    return commands


class World:
    """An exchange with the checks every command must survive."""

    def __init__(self, rules: str, latency: Latency | None = None, fund_q: int = 500_000) -> None:
        self.exchange = Exchange(latency=latency)
        self.latency = latency
        self.sent: list[list[Command]] = []
        self.events: list[Any] = []
        self.seen = SEEN
        self.exchange.subscribe(self.events.append)
        for command in opening_commands(rules, fund_q):
            answer = self.send(command)
            if latency is not None:
                answer += self.rest()
            assert not any(isinstance(event, CommandRejected) for event in answer), answer

    def send(self, command: Command) -> list[Any]:
        """Run one command, check everything, and return its events."""
        exchange = self.exchange
        self.events.clear()
        debt_before = self._bad_debt_q()
        free = self._only_reduces(command)
        self.sent.append([command])
        exchange.send(command)
        events = list(self.events)
        self.check_events(events, debt_before)
        if self.latency is None:
            exchange.check_invariants()
            self.check_no_money_stranded()
            self.check_nearest()
            self.check_answers(command, events)
            if free:
                reasons = [e.reason for e in events if isinstance(e, CommandRejected)]
                assert Reason.INSUFFICIENT_MARGIN not in reasons, f"refused to reduce: {events}"
        return events

    def send_batch(self, commands: list[Command]) -> None:
        """Commands faster than the answers, as the services pass them; checked at rest."""
        self.events.clear()
        debt_before = self._bad_debt_q()
        self.sent.append(commands)
        self.exchange.send_batch(commands)
        self.check_events(list(self.events), debt_before)
        self.exchange.check_invariants()
        self.check_no_money_stranded()
        self.check_nearest()

    def rest(self) -> list[Any]:
        """With latencies: deliver all that is under way, then check what holds at rest."""
        self.events.clear()
        debt_before = self._bad_debt_q()
        until_ns = self.exchange.bus.now_ns
        for _ in range(10_000):
            if self.exchange.bus.idle:
                break
            until_ns += SECOND
            self.exchange.run_until(until_ns)
        assert self.exchange.bus.idle, "messages go round for ever"
        self.check_events(self.events, debt_before)
        self.exchange.check_invariants()
        self.check_no_money_stranded()
        self.check_nearest()
        return list(self.events)

    def check_events(self, events: list[Any], debt_before: list[int]) -> None:
        for event in events:
            self.seen[type(event).__name__] += 1
            assert decode_message(encode(event)) == event
            if isinstance(event, LiquidationEnded):
                self._check_parts(event)
        self._check_debt(events, debt_before)

    def check_answers(self, command: Command, events: list[Any]) -> None:
        """A refused command has exactly one event; an accepted order exactly one acceptance."""
        rejected = [event for event in events if isinstance(event, CommandRejected)]
        if rejected:
            assert events == rejected and len(rejected) == 1, f"{command}: {events}"
        elif isinstance(command, SubmitOrder):
            accepted = [
                event
                for event in events
                if isinstance(event, OrderAccepted) and event.order_id == command.order_id
            ]
            assert len(accepted) == 1, f"{command}: {events}"
        elif not isinstance(command, QueryAccount):
            self.seen[f"accepted {type(command).__name__}"] += 1

    def check_no_money_stranded(self) -> None:
        """An isolated account without a position keeps no collateral: nobody could reach it."""
        for account in self.exchange.risk.core.ledger.accounts.values():
            if account.isolated and account.liquidation is None and not account.positions:
                assert account.wallet_q == 0, f"{account.margin_account_id}: {account.wallet_q}"

    def check_nearest(self) -> None:
        """The accounts nearest to liquidation are those that a look at everybody finds."""
        core = self.exchange.risk.core
        bearing = [each for each in core.ledger.accounts.values() if bears_risk(each)]
        count = (1, 3, len(TRADERS))[len(self.sent) % 3]
        found = core.nearest.find(count)
        assert found == (len(bearing), nsmallest(count, bearing, key=rank))

    def _check_parts(self, ended: LiquidationEnded) -> None:
        self.seen[f"ended {ended.outcome}"] += 1
        checked_parts(ended)
        assert ended.haircut_q >= 0, f"a deficit was socialised twice: {ended}"

    def _check_debt(self, events: list[Any], debt_before: list[int]) -> None:
        """What was socialised is what the winners and the bad debt account bore."""
        for asset_id, before_q in enumerate(debt_before):
            borne_q = before_q - self._bad_debt_q()[asset_id]
            booked_q = 0
            for event in events:
                if isinstance(event, BadDebtBooked | LossSocialised):
                    assert event.amount_q > 0, event
                if isinstance(event, LossSocialised) and event.asset_id == asset_id:
                    borne_q += event.amount_q
                if isinstance(event, BadDebtBooked) and event.asset_id == asset_id:
                    self.seen[f"debt at {event.stage}"] += 1
                    if event.stage == "socialise":
                        booked_q += event.amount_q
            assert booked_q == borne_q, f"asset {asset_id}: booked {booked_q}, borne {borne_q}"

    def _bad_debt_q(self) -> list[int]:
        ledger = self.exchange.risk.core.ledger
        if 1 not in self.exchange.risk.core.assets:
            return []
        return [ledger.house(BAD_DEBT, asset_id).wallet_q for asset_id in (0, 1)]

    def _only_reduces(self, command: Command) -> bool:
        """Whether a new order fits into the position it points against, beside those open."""
        if not isinstance(command, SubmitOrder):
            return False
        trader = self.exchange.risk.core.ledger.traders.get(command.account_id)
        if trader is None or command.side not in (1, -1):
            return False
        position = trader.find_position(command.instrument_id, command.leg)
        if position is None:
            return False
        orders = position.buy_lots if command.side == 1 else position.sell_lots
        return command.qty_lots + orders <= -command.side * position.qty_lots

    # views for the machines

    def open_orders(self) -> list[OpenOrder]:
        return list(self.exchange.risk.core.orders.values())

    def positions(self) -> list[Position]:
        return [
            position
            for account in self.exchange.risk.core.ledger.accounts.values()
            for position in account.positions
            if position.qty_lots
        ]

    def locked(self) -> dict[int, int]:
        """Liquidation id by margin account."""
        return {
            account.margin_account_id: account.liquidation.liquidation_id
            for account in self.exchange.risk.core.ledger.accounts.values()
            if account.liquidation is not None
        }


def replay_over_the_wire(batches: list[list[Command]]) -> Exchange:
    """The same commands through the codec, every link message too; queries ask nobody."""
    twin = Exchange(check_cheap=False)
    components = {RISK: twin.risk, MATCHING: twin.matching, LIQUIDATION: twin.liquidation}
    takers = {name: _through_codec(component.handle) for name, component in components.items()}
    twin.bus = Bus(takers, twin)
    for batch in batches:
        twin.send_batch([decode_command(encode(_ask_nobody(command))) for command in batch])
    return twin


def _ask_nobody(command: Command) -> Command:
    return QueryAccount(command.time_ns, -1) if isinstance(command, QueryAccount) else command


def _through_codec(handler: Any) -> Any:
    def handle(message: Any, out: list[Any]) -> None:
        handler(decode_message(encode(message)), out)

    return handle


def facts_of(world: World, margin_account_id: int) -> AccountFacts:
    core = world.exchange.risk.core
    return core.facts(core.ledger.accounts[margin_account_id])
