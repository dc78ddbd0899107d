"""Random crashes over random rules: whoever bears a deficit, the promises about it hold.

After every command all invariants are checked (the house is never below zero among them). Here:
no ADL price beyond its bound, nothing left to nobody while a winner has anything, no liquidation
order beyond the price that uses its account up.
"""

from random import Random
from typing import Any

import pytest

from engine import commands as c
from engine.events import BadDebtBooked, Deleveraged, HouseInsolvent, LossSocialised, OrderFilled
from engine.routing.bus import Latency
from engine.units import PPB
from risk.accounts import BAD_DEBT, cross_account_id
from risk.health import evaluate, unrealised_q
from risk.liquidation.ranking import ADL_RANKINGS
from risk.rulebook import (
    AdlRule,
    BackstopRule,
    FeeRule,
    FundingRule,
    FundRule,
    IndexRule,
    MarkRule,
    Rulebook,
    SocialisationRule,
)
from tests.market import BACKSTOP, FUND, Market, flat, liquidation, rules

TRADERS = tuple(range(100, 107))
SECOND_NS = 10**9
CONTRACTS = ("PERP", "OTHER", "COIN")
SEEN: dict[str, int] = {}


def rulebook(dice: Random) -> Rulebook:
    closing = [stage for stage in ("backstop", "fund", "adl") if dice.random() < 0.6]
    book = [stage for stage in ("cancel", "reduce", "close") if dice.random() < 0.7]
    partial = dice.choice(["all", "restore", "fraction", "fifo"]) if "reduce" in book else "all"
    return rules(
        liquidation=liquidation(
            [*book, *closing, "socialise"],
            partial=partial,
            order_price=dice.choice(["bankruptcy", "slippage"]),
            slippage_ppb=dice.choice([10, 100, 500]) * 1_000_000,
            residual=dice.choice(["taker", "account"]),
        ),
        adl=AdlRule(
            ranking=(ranking := dice.choice(ADL_RANKINGS.names())),
            price=dice.choice(["bankruptcy", "mark"]),
            negative_equity_only=dice.random() < 0.3,
            max_distance_ppb=dice.choice([0, 10, 50, 300]) * 1_000_000,
            params=[("equity_cap_ppb", PPB // 3)] if ranking == "capped_pro_rata" else [],
        ),
        fund=FundRule(
            notional_cap_ppb=dice.choice([0, PPB]),
            loss_cap_ppb=dice.choice([0, PPB // 4]),
            disposal_fraction_ppb=dice.choice([0, PPB // 2]),
            disposal_interval_ns=5 * SECOND_NS,
            disposal_slippage_ppb=dice.choice([0, 50_000_000]),
            solvency_ppb=dice.choice([0, 0, 50_000_000]),
        ),
        backstop=BackstopRule(trigger_ppb=dice.choice([PPB, PPB // 2])),
        socialisation=SocialisationRule(window_ns=3_600 * SECOND_NS),
        mark=MarkRule(method=dice.choice(["index", "last", "median"]), basis_samples=2),
        funding=FundingRule(
            dice.choice([0, 600 * SECOND_NS]), interest_ppb=10_000_000, clamp_ppb=20_000_000
        ),
        fees=FeeRule(taker_ppb=500_000, liquidation_ppb=dice.choice([0, 5_000_000])),
        index=IndexRule(
            stale_ns=120 * SECOND_NS, when_stale=dice.choice(["go_on", "halt_liquidations"])
        ),
    )


class Crash:
    """A market with three contracts in two assets, and prices that jump."""

    def __init__(self, seed: int, slow: bool = False) -> None:
        self.dice = Random(seed)
        self.rules = rulebook(self.dice)
        latency = None
        if slow:
            delays = [self.dice.choice([0, 1, SECOND_NS, 7 * SECOND_NS]) for _ in range(4)]
            latency = Latency(
                risk_to_matching_ns=delays[0],
                matching_to_risk_ns=delays[1],
                risk_to_liquidation_ns=delays[2],
                liquidation_to_risk_ns=delays[3],
            )
        m = Market(self.rules, latency=latency, listed=False)
        self.m = m
        m.add("PERP", margin=flat("0.03", 20))
        m.add("OTHER", margin=flat("0.05", 10))
        m.add("COIN", asset="BTC", inverse=True, lot="1", multiplier="100", margin=flat("0.03", 20))
        for house in (FUND, BACKSTOP):
            if self.dice.random() < 0.7:
                m.deposit(house, "50")
                m.deposit(house, "0.001", "BTC")
        self.prices = dict.fromkeys(CONTRACTS, 100)
        for trader in TRADERS:
            m.open(trader, deposit=str(self.dice.choice([60, 120, 1_000])))
            m.open(trader, deposit=str(self.dice.choice([2, 20])), asset="BTC")
        for symbol in CONTRACTS:
            m.index("100", symbol)
        for trader in TRADERS:
            for symbol in CONTRACTS:
                if self.dice.random() < 0.3:
                    m.isolate(trader, symbol)
            if self.dice.random() < 0.2:
                m.hedge(trader)
        self.checked = 0

    def hedged(self, trader: int) -> bool:
        return self.m.exchange.risk.core.ledger.traders[trader].hedge

    def step(self) -> None:
        m, dice = self.m, self.dice
        debts = self.debts
        what = dice.random()
        symbol = dice.choice(CONTRACTS)
        if what < 0.55:
            trader, side = dice.choice(TRADERS), dice.choice([1, -1])
            price = round(self.prices[symbol] * dice.uniform(0.93, 1.07), 2)
            qty = str(dice.randint(1, 4)) if symbol == "COIN" else str(dice.randint(1, 500) / 100)
            fields: dict[str, Any] = {"reduce_only": dice.random() < 0.2}
            if self.hedged(trader):
                fields["leg"] = dice.choice([c.LEG_LONG, c.LEG_SHORT])
            m.order(trader, side, qty, str(max(0.05, price)), symbol, **fields)
        elif what < 0.85:
            jump = dice.choice([0.99, 1.01, 0.97, 1.03, 0.9, 1.1, 0.7, 1.4])
            self.prices[symbol] = min(2_000, max(2, self.prices[symbol] * jump))
            m.index(f"{self.prices[symbol]:.2f}", symbol)
        elif what < 0.95:
            m.wait(str(dice.choice([1, 5, 40, 700])))
        else:
            m.withdraw(dice.choice(TRADERS), str(dice.randint(1, 100)))
        self.check(debts)

    def check(self, debts: list[int]) -> None:
        new = self.m.events[self.checked :]
        self.checked = len(self.m.events)
        for event in new:
            name = type(event).__name__
            SEEN[name] = SEEN.get(name, 0) + 1
            if isinstance(event, Deleveraged):
                self.within_bound(event)
        for asset_id, before_q in enumerate(debts):
            if self.debts[asset_id] < before_q:
                SEEN["debt of nobody"] = SEEN.get("debt of nobody", 0) + 1
                gainers = self.gainers(asset_id)
                assert not gainers, (asset_id, self.debts[asset_id] - before_q, gainers, new[-12:])

    def within_bound(self, event: Deleveraged) -> None:
        instrument = self.m.exchange.listing(event.instrument_id).instrument
        notional_q = instrument.notional_q(event.qty_lots, event.mark_ticks)
        bound_q = notional_q * self.rules.adl.max_distance_ppb // PPB
        assert abs(event.gain_q) <= bound_q + 2, event

    @property
    def debts(self) -> list[int]:
        ledger = self.m.exchange.risk.core.ledger
        return [ledger.house(BAD_DEBT, asset_id).wallet_q for asset_id in (0, 1)]

    def gainers(self, asset_id: int) -> list[tuple[int, int]]:
        """Traders who have won and still have equity, after a debt was left to nobody.

        A pot in liquidation is not asked, and equity a fill has made since is not looked at.
        """
        core = self.m.exchange.risk.core
        found = []
        for trader in core.ledger.traders.values():
            if trader.is_house():
                continue
            pots = [each for each in trader.accounts if each.asset_id == asset_id]
            gain_q = sum(unrealised_q(position) for pot in pots for position in pot.positions)
            cross = core.ledger.accounts.get(cross_account_id(trader.account_id, asset_id))
            if cross is not None:
                gain_q += core.ledger.realised_q(cross, core.now_ns)
            means_q = 0
            for pot in pots:
                evaluate(pot)
                means_q += max(0, pot.equity_q) if pot.liquidation is None else 0
            if min(gain_q, means_q) > 10:
                found.append((trader.account_id, min(gain_q, means_q)))
        return found


@pytest.mark.parametrize("seed", range(40))
def test_whoever_bears_it_the_promises_hold(seed: int) -> None:
    crash = Crash(seed)
    for _ in range(120):
        crash.step()


@pytest.mark.parametrize("seed", range(1_000, 1_020))
def test_the_same_with_messages_under_way(seed: int) -> None:
    crash = Crash(seed, slow=True)
    for _ in range(120):
        crash.step()
    for _ in range(60):
        crash.m.wait("7")
        crash.check(crash.debts)


@pytest.mark.parametrize("seed", range(2_020, 2_040))
def test_the_same_in_batches(seed: int) -> None:
    """Four commands at a time, prices, orders and the clock in one batch."""
    crash = Crash(seed)
    waiting: list[c.Command] = []
    m = crash.m
    m.send = lambda command: waiting.append(command) or []  # type: ignore[method-assign]
    for _ in range(200):
        crash.step()
        if len(waiting) >= 4:
            debts = crash.debts
            m.exchange.send_batch(waiting)
            waiting.clear()
            crash.check(debts)


def test_the_random_crashes_reached_every_end() -> None:
    for kind in (Deleveraged, LossSocialised, BadDebtBooked, HouseInsolvent, OrderFilled):
        assert SEEN.get(kind.__name__, 0) > 10, SEEN
