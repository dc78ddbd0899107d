"""An exchange with colluders and an honest account, and everything that was sent to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import msgspec

from engine.commands import (
    AddAsset,
    AddInstrument,
    AdvanceTime,
    AssetPrice,
    Command,
    Deposit,
    IndexPrice,
    OpenAccount,
    SetLeverage,
    SetMarginMode,
    SetPositionMode,
    SetRulebook,
)
from engine.instruments import (
    INVERSE,
    LINEAR,
    AssetSpec,
    InstrumentSpec,
    MarginSpec,
    build_instrument_spec,
)
from engine.messages import at_time
from engine.routing.bus import Bus, Latency
from engine.routing.topology import LIQUIDATION, MATCHING, RISK
from engine.units import SECOND_NS
from risk.accounts import BACKSTOP, FUND
from risk.rulebook import (
    CollateralAssetRule,
    CollateralRule,
    FeeRule,
    Rulebook,
    WithdrawalRule,
)
from risk.rulebook_file import RulebookFile, load_rulebook
from seawall.exchange import Exchange
from tests.adversary.watch import CRASH, INVARIANT, Finding, Watch
from tests.exchange_world import BOLDEST

SHIPPED = (
    "teaching-default",
    "binance-usdm",
    "binance-coinm",
    "hyperliquid",
    "kraken-spot",
    "deribit-linear",
)
USD = AssetSpec(0, "USD", 6)
COIN = AssetSpec(1, "COIN", 8)
GOLD = AssetSpec(2, "GOLD", 6)
LINEAR_BANDED, LINEAR_FREE, INVERSE_BANDED = 0, 1, 2
CONTRACTS = (LINEAR_BANDED, LINEAR_FREE, INVERSE_BANDED)
START_TICKS = (10_000, 5_000, 10_000)
SOURCE = 1
HONEST = 200
FIRST_COLLUDER = 100
GOLD_PPB = 10 * 10**9
INVARIANTS_EVERY = 12
"""All invariants are costly: they run after every so many commands, and at the end."""

OTHER_RULES: dict[str, dict[str, Any]] = {
    "": {},
    "profit margins no orders": {"profit_margins_orders": False},
    "maker rebate": {"fees": FeeRule(-100_000, 500_000, 5_000_000)},
    "profit may leave": {"withdrawal": WithdrawalRule(True, 0)},
}
"""Now and then a market has one rule that no shipped rulebook has with the others."""

Step = list[Command]
"""Commands sent together: one alone, or a batch."""


@dataclass(frozen=True)
class Seat:
    """How a colluder comes: money, modes and leverage (0: the highest there is)."""

    usd: int
    coin: int
    gold: int = 0
    hedge: bool = False
    isolated: tuple[bool, bool, bool] = (False, False, False)
    leverage: int = 0


@dataclass(frozen=True)
class Setting:
    """A market to attack; whole units of money, bands in parts per billion. The margin is the
    rulebook's, or rises with the open interest."""

    rulebook: str = "teaching-default"
    band_ppb: int = 100_000_000
    fund: int = 100_000
    collateral: bool = False
    seats: tuple[Seat, ...] = (Seat(1_000, 10), Seat(100_000, 1_000))
    rule: str = ""
    by_open_interest: bool = False

    @property
    def colluders(self) -> list[int]:
        """Account ids of the colluders, in the order of their seats."""
        return [FIRST_COLLUDER + place for place in range(len(self.seats))]


def random_setting(rng: Random, rulebooks: Sequence[str] = SHIPPED) -> Setting:
    """Any market: the first colluder is poor, the second rich."""
    seats = []
    for place in range(rng.randint(2, 4)):
        rich = place == 1 or (place > 1 and rng.random() < 0.5)
        scale = rng.choice((100, 1_000, 1_000, 10_000)) if not rich else 200_000
        isolated = rng.choice((False, True)) if rng.random() < 0.8 else None
        modes = [rng.random() < 0.5 if isolated is None else isolated for _ in CONTRACTS]
        seats.append(
            Seat(
                scale,
                max(1, scale // 100),
                rng.choice((0, scale // 20)),
                hedge=rng.random() < 0.25,
                isolated=(modes[0], modes[1], modes[2]),
                leverage=rng.choice((0, 0, 0, 2, 5, 10, 20)),
            )
        )
    return Setting(
        rulebook=rng.choice(rulebooks),
        band_ppb=rng.choice((20_000_000, 100_000_000, 100_000_000, 500_000_000)),
        fund=rng.choice((0, 1_000, 100_000, 10_000_000)),
        collateral=rng.random() < 0.25,
        seats=tuple(seats),
        rule=rng.choice(list(OTHER_RULES)) if rng.random() < 0.4 else "",
    )


@cache
def shipped(name: str) -> RulebookFile:
    """A rulebook of the package, read once."""
    return load_rulebook(name)


def rulebook_of(setting: Setting) -> Rulebook:
    """The shipped rulebook, with gold as collateral where the setting says so."""
    rulebook = shipped(setting.rulebook).rulebook
    if setting.collateral:
        gold = CollateralRule("USD", [CollateralAssetRule("GOLD", 150_000_000)], 100)
        rulebook = msgspec.structs.replace(rulebook, collateral=[gold])
    return msgspec.structs.replace(rulebook, **OTHER_RULES[setting.rule])


def by_open_interest(asset: AssetSpec) -> MarginSpec:
    """Initial margin from 2 % at a thousand units of open interest to all at 300,000, renewed at
    every tick; maintenance is 1 %."""
    figures = [
        ("initial_ppb", 20_000_000),
        ("maintenance_ppb", 10_000_000),
        ("lower_cap_q", 1_000 * 10**asset.decimals),
        ("upper_cap_q", 300_000 * 10**asset.decimals),
        ("interval_ns", 1),
    ]
    return MarginSpec("by_open_interest", [], figures)


@cache
def contracts(setting: Setting) -> list[InstrumentSpec]:
    """Two linear contracts, one without a band, and an inverse one; the venue's own margin is that
    of its contract with the highest leverage."""
    loaded = shipped(setting.rulebook)
    boldest = BOLDEST.get(setting.rulebook)
    rows = (
        ("AAA", LINEAR, USD, "0.01", "0.01", setting.band_ppb),
        ("BBB", LINEAR, USD, "0.01", "0.01", 0),
        ("CCC", INVERSE, COIN, "0.01", "1", setting.band_ppb),
    )
    return [
        build_instrument_spec(
            instrument_id=place,
            symbol=symbol,
            kind=kind,
            asset=asset,
            tick=tick,
            lot=lot,
            margin=(
                by_open_interest(asset)
                if setting.by_open_interest
                else loaded.margin_spec(asset, boldest, lot)
            ),
            band_ppb=band_ppb,
        )
        for place, (symbol, kind, asset, tick, lot, band_ppb) in enumerate(rows)
    ]


def opening_commands(setting: Setting) -> list[Command]:
    """Assets, rules, contracts, prices and the house's money; all at time 0."""
    commands: list[Command] = [AddAsset(0, asset) for asset in (USD, COIN, GOLD)]
    commands.append(SetRulebook(0, rulebook_of(setting).to_json()))
    commands += [AddInstrument(0, spec) for spec in contracts(setting)]
    if setting.fund:
        for house in (FUND, BACKSTOP):
            commands.append(Deposit(0, house, 0, setting.fund * 10**6))
            commands.append(Deposit(0, house, 1, setting.fund * 10**6))
    commands += [IndexPrice(0, key, SOURCE, ticks) for key, ticks in enumerate(START_TICKS)]
    if setting.collateral:
        commands.append(AssetPrice(0, GOLD.asset_id, SOURCE, GOLD_PPB))
    commands.append(AdvanceTime(0))
    commands += [
        OpenAccount(0, HONEST),
        Deposit(0, HONEST, 0, 10**14),
        Deposit(0, HONEST, 1, 10**14),
    ]
    return commands


def seat_commands(setting: Setting, exchange: Exchange) -> list[Command]:
    """Open and fund the colluders; their leverage is the highest allowed unless chosen."""
    commands: list[Command] = []
    for account_id, seat in zip(setting.colluders, setting.seats, strict=True):
        commands.append(OpenAccount(0, account_id))
        for asset, amount in ((USD, seat.usd), (COIN, seat.coin), (GOLD, seat.gold)):
            if amount:
                commands.append(Deposit(0, account_id, asset.asset_id, amount * 10**asset.decimals))
        if seat.hedge:
            commands.append(SetPositionMode(0, account_id, True))
        for key in CONTRACTS:
            if seat.isolated[key]:
                commands.append(SetMarginMode(0, account_id, key, True))
            most = exchange.listing(key).model.max_leverage(1)
            leverage = min(seat.leverage or most, most)
            commands.append(SetLeverage(0, account_id, key, leverage))
    return commands


def slow_bus(exchange: Exchange, latency: Latency) -> Bus:
    """A bus with latencies for an exchange that was opened without."""
    parts = {
        MATCHING: exchange.matching,
        RISK: exchange.risk,
        LIQUIDATION: exchange.liquidation,
    }
    return Bus(parts, exchange, latency)


class Arena:
    """One exchange under attack. `steps` is what was sent after the opening."""

    def __init__(self, setting: Setting, latency: Latency | None = None) -> None:
        self.setting = setting
        self.latency = latency
        self.exchange = Exchange()
        for command in opening_commands(setting):
            self.exchange.send(command)
        for command in seat_commands(setting, self.exchange):
            self.exchange.send(command)
        if latency is not None:
            self.exchange.bus = slow_bus(self.exchange, latency)
        self.now_ns = 0
        self.index = list(START_TICKS)
        self.steps: list[Step] = []
        self.commands = 0
        self.rejected = 0
        self._order_id = 0
        self._events: list[Any] = []
        self.exchange.subscribe(self._events.append)
        self.watch = Watch(self.exchange, frozenset(setting.colluders))

    def next_order_id(self) -> int:
        """An id nobody had yet."""
        self._order_id += 1
        return self._order_id

    def send(self, command: Command) -> list[Any]:
        """Run one command to its end and look at everything.

        Raises:
            Finding: a property does not hold.
        """
        self._events.clear()
        free = self.watch.only_reduces(command)
        reduces = self.watch.reduces_something(command)
        self._run([command], lambda: self.exchange.send(command))
        if self.latency is None:
            self.watch.answered(command, self._events, free, reduces)
            self.watch.at_rest()
        return list(self._events)

    def send_batch(self, commands: Sequence[Command]) -> None:
        """Run commands as the services pass a batch, and look at everything at rest.

        Raises:
            Finding: a property does not hold.
        """
        self._run(list(commands), lambda: self.exchange.send_batch(list(commands)))
        self.watch.at_rest()

    def play(self, steps: Sequence[Step]) -> None:
        """Send recorded steps; with latencies their times stay as they are.

        Raises:
            Finding: a property does not hold.
        """
        for step in steps:
            if len(step) == 1:
                self.send(step[0])
            else:
                self.send_batch(step)
        self.end()

    def end(self) -> None:
        """Wait for what is under way, then look at everything, invariants too.

        Raises:
            Finding: a property does not hold.
        """
        self._guarded(self._arrive)
        self.watch.at_rest()
        self._guarded(self.exchange.check_invariants)
        self.watch.check_holds()

    def _run(self, step: Step, run: Callable[[], None]) -> None:
        self.steps.append(step)
        for command in step:
            self.watch.note(command)
        before = self.commands
        self.commands += len(step)
        self._guarded(run)
        due = self.commands // INVARIANTS_EVERY > before // INVARIANTS_EVERY
        if due and self.latency is None and self.watch.finding is None:
            self._guarded(self.exchange.check_invariants)
            self.watch.check_holds()

    def _guarded(self, run: Callable[[], None]) -> None:
        """Run something of the exchange; what it raises is a finding."""
        try:
            run()
        except Finding:
            raise
        except AssertionError as error:
            raise self.watch.finding or Finding(INVARIANT, str(error)) from error
        except Exception as error:
            raise Finding(CRASH, f"{type(error).__name__}: {error}") from error

    def _arrive(self) -> None:
        """With latencies: deliver everything under way."""
        if self.latency is None:
            return
        for _ in range(10_000):
            if self.exchange.bus.idle:
                return
            self.exchange.run_until(self.exchange.bus.now_ns + SECOND_NS)
        raise AssertionError("messages go round for ever")


def later(command: Command, time_ns: int) -> Command:
    """The same command at another time."""
    moved: Command = at_time(command, time_ns)
    return moved
