"""Liquidations that waited for ever: with nobody to sell to, or for another account's order."""

from typing import Any

import pytest

from engine.commands import AdvanceTime, IndexPrice
from engine.events import LiquidationEnded, LiquidationStarted
from engine.internal import (
    AccountFacts,
    HouseFacts,
    InstrumentListed,
    LiquidateCancel,
    LiquidateOrder,
    LiquidateSocialise,
    LiquidateTakeover,
    LiquidationReport,
    LiquidationRequired,
    PositionFacts,
    RulesInForce,
)
from risk.liquidation import engine as liquidation_engine
from risk.liquidation.engine import LiquidationEngine
from risk.rulebook import CallRule, Rulebook
from tests.market import Market, levels, liquidation, ppb, rules


@pytest.fixture
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(liquidation_engine, "MAX_ROUNDS", 3)
    return 3


def test_an_expired_call_above_maintenance_is_closed_out_after_the_last_round(
    few_rounds: int,
) -> None:
    """Nobody buys, the account is solvent, and no stage was due: it stayed locked."""
    market = Market(
        rules(
            levels=levels(call="2", liquidate="1"),
            call=CallRule("maintenance", ppb("1"), 60 * 10**9, "liquidate"),
        )
    )
    market.open(100, 101, deposit="1000")
    market.index("100")
    market.trade(100, 101, "90", "100")
    # At 97.5: equity 775, between 1 x and 2 x the maintenance of 438.75.
    market.index("97.5")
    market.wait("61")
    assert market.only(LiquidationStarted).call_expired
    for _ in range(few_rounds + 1):
        market.wait("1")
    assert market.only(LiquidationEnded).outcome == "socialised"
    assert market.lots(100) == 0


def test_a_restore_buffer_nobody_can_reach_ends_too(few_rounds: int) -> None:
    """Above maintenance no stage was due, below the buffer it was not restored."""
    stages = ["cancel", "close", "socialise"]
    market = Market(rules(liquidation=liquidation(stages, restore_buffer_ppb=ppb("0.5"))))
    market.open(100, 101, deposit="1000")
    market.index("100")
    market.trade(100, 101, "90", "100")
    market.index("93")
    assert market.only(LiquidationStarted)
    market.index("94")
    for _ in range(few_rounds + 2):
        market.wait("1")
    assert market.only(LiquidationEnded)


def index_price(instrument: int, ticks: int) -> IndexPrice:
    return IndexPrice(0, instrument, 1, ticks)


def test_a_cross_account_does_not_wait_for_an_isolated_accounts_liquidation_order() -> None:
    """Both fall in one tick: the isolated one's order was counted among those to cancel."""
    market = Market(rules(liquidation=liquidation(["cancel", "close", "fund", "socialise"])))
    market.add("OTHER")
    market.open(100, deposit="1000")
    market.open(101, deposit="100000")
    market.deposit(1, "100000")
    market.index("100")
    market.index("100", "OTHER")
    market.isolate(100, "OTHER")
    market.trade(100, 101, "40", "100", symbol="OTHER")
    market.trade(100, 101, "55", "100")
    market.buy(100, "1", "50")
    for instrument in (0, 1):
        market.send(index_price(instrument, 9_100))
    market.tick()
    assert len(market.all(LiquidationStarted)) == 2
    assert len(market.all(LiquidationEnded)) == 2


def test_without_any_rulebook_accounts_are_liquidated_by_the_built_in_rules() -> None:
    class Unruled(Market):
        def rule(self, rulebook: Rulebook) -> None:
            """No rulebook is ever sent."""

    market = Unruled()
    market.open(100, 101, deposit="1000")
    market.index("100")
    market.trade(100, 101, "90", "100")
    for price in ("60", "55"):
        market.index(price)
        market.wait("6")
    assert market.only(LiquidationEnded).margin_account_id == 100


def facts(account_id: int) -> AccountFacts:
    position = PositionFacts(0, 0, 100, 1_000_000, 10_000, 50_000, 10, 0)
    return AccountFacts(account_id, 0, 10**6, 0, 40_000, 50_000, 100_000, 0, [position])


def in_force(*stages: str) -> RulesInForce:
    return RulesInForce(0, rules(liquidation=liquidation(stages)).to_json())


def test_new_rules_send_an_account_that_waits_for_its_takeover_back_to_the_first_stage() -> None:
    """It was taken for one at the stage of its place in the new list, and socialised at once."""
    spec = Market().exchange.listing(0).instrument.spec
    house = HouseFacts(10**12, 0, 0, 0)
    engine = LiquidationEngine()
    out: list[Any] = []
    engine.handle(in_force("fund", "socialise"), out)
    engine.handle(InstrumentListed(0, spec), out)
    for account_id in (100, 101):
        engine.handle(LiquidationRequired(0, facts(account_id), house, ppb("1")), out)
    assert sum(isinstance(message, LiquidateTakeover) for message in out) == 1
    out.clear()
    engine.handle(in_force("cancel", "close", "socialise"), out)
    (order,) = [message for message in out if isinstance(message, LiquidateOrder)]
    assert order.margin_account_id == 101
    out.clear()
    engine.handle(LiquidationReport(0, facts(100), house), out)
    (order,) = [message for message in out if isinstance(message, LiquidateOrder)]
    assert order.margin_account_id == 100
    engine.handle(AdvanceTime(1), out)
    assert not any(isinstance(message, LiquidateSocialise | LiquidateCancel) for message in out)


@pytest.mark.parametrize("restored", [False, True])
def test_a_report_on_an_account_that_waits_for_its_takeover_does_not_queue_it_again(
    restored: bool,
) -> None:
    engine = LiquidationEngine()
    out: list[Any] = []
    engine.handle(in_force("fund", "socialise"), out)
    engine.handle(InstrumentListed(0, Market().exchange.listing(0).instrument.spec), out)
    house = HouseFacts(10**12, 0, 0, 0)
    for account_id in (100, 101):
        engine.handle(LiquidationRequired(0, facts(account_id), house, ppb("1")), out)
    if restored:
        state = engine.state()
        engine = LiquidationEngine()
        engine.restore(state)
    out.clear()
    before = engine.state()
    engine.handle(LiquidationReport(0, facts(101), house), out)
    assert engine.state() == before
    assert out == []
