"""A component rebuilt from its state goes on exactly as the one the state was taken from."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.commands import Command
from engine.events import Deleveraged, Event, LiquidationEnded, MarginCallIssued, OrderFilled
from engine.record.snapshot import pack, unpack
from engine.routing.bus import Bus
from engine.routing.topology import LIQUIDATION, MATCHING, RISK
from matching.matching_engine import MatchingEngine
from risk.liquidation.engine import LiquidationEngine
from risk.risk_engine import RiskEngine
from risk.state import restore_risk, risk_state
from tests.services.streams import RULEBOOKS, Stream, rankless


class Parts:
    """The three components on a bus, with everything they publish."""

    def __init__(
        self, risk: RiskEngine, matching: MatchingEngine, liquidation: LiquidationEngine
    ) -> None:
        self.risk = risk
        self.matching = matching
        self.liquidation = liquidation
        self.events: list[Event] = []
        self.bus = Bus(
            {
                RISK: risk.handle,
                MATCHING: matching.handle,
                LIQUIDATION: liquidation.handle,
            },
            lambda event: self.events.append(rankless(event)),
        )

    def state(self) -> list[Any]:
        return [risk_state(self.risk), self.matching.state(), self.liquidation.state()]

    def run(self, commands: list[Command]) -> list[Event]:
        seen = len(self.events)
        for command in commands:
            self.bus.send(command)
        return self.events[seen:]


def fresh() -> Parts:
    return Parts(RiskEngine(), MatchingEngine(True), LiquidationEngine())


def rebuilt(state: list[Any]) -> Parts:
    """From bytes, as after the death of a process."""
    risk, matching, liquidation = unpack(pack(state))
    engine = MatchingEngine(True)
    engine.restore(matching)
    liquidations = LiquidationEngine()
    liquidations.restore(liquidation)
    return Parts(restore_risk(risk), engine, liquidations)


@given(
    seed=st.integers(0, 10**6),
    rulebook=st.sampled_from(RULEBOOKS),
    before=st.integers(0, 600),
)
def test_the_rebuilt_exchange_goes_on_identically(seed: int, rulebook: str, before: int) -> None:
    commands = Stream(seed, rulebook).take(before + 200)
    original = fresh()
    original.run(commands[:-200])
    copy = rebuilt(original.state())
    assert pack(copy.state()) == pack(original.state())
    for command in commands[-200:]:
        assert copy.run([command]) == original.run([command])
    assert pack(copy.state()) == pack(original.state())


def test_an_empty_exchange_can_be_rebuilt() -> None:
    original = fresh()
    copy = rebuilt(original.state())
    commands = Stream(1).take(100)
    assert copy.run(commands) == original.run(commands)
    assert pack(copy.state()) == pack(original.state())


def test_the_streams_reach_calls_liquidations_and_deleveraging() -> None:
    kinds: dict[type, int] = {}
    for seed in range(6):
        for event in fresh().run(Stream(seed).take(600)):
            kinds[type(event)] = kinds.get(type(event), 0) + 1
    for kind in (OrderFilled, MarginCallIssued, LiquidationEnded, Deleveraged):
        assert kinds.get(kind, 0) > 3, f"{kind.__name__}: {kinds}"
