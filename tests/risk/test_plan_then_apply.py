"""A command is planned, then applied. Whatever its plan raises refuses it and changes nothing; what
is raised once it changes state is not taken for a refusal.

The fault is planted in every function in turn that a command calls, over random worlds: the
interpreter raises when the function is entered, as if its first line did.
"""

import gc
import inspect
import random
import sys
from types import FrameType
from typing import Any, get_args

import pytest

from engine import commands as c
from engine.events import CommandRejected, TriggerRefused
from engine.reasons import Reason
from engine.routing.bus import Bus
from engine.routing.topology import LIQUIDATION, MATCHING, RISK
from engine.units import COMPILED, PPB
from matching.matching_engine import MatchingEngine
from risk.entry.orders import Orders
from risk.entry.transfers import Transfers
from risk.liquidation.engine import LiquidationEngine
from risk.risk_engine import RiskEngine
from risk.state import restore_risk, risk_state
from tests.market import Market
from tests.services.poison import World

WORLDS = 4
COMMANDS = 60
FAULTS = 10
"""Functions of a command, by chance, that raise in turn."""


class Planted(Exception):
    """The fault."""


def puts_back(frame: FrameType) -> bool:
    """The end of a plan, where what it borrowed is put back: sums and comparisons only, in which
    nothing can be raised."""
    inside: FrameType | None = frame
    while inside is not None and inside.f_code.co_name != "handle":
        name = inside.f_code.co_name
        inside = inside.f_back
        by = "" if inside is None else inside.f_code.co_name
        if name in ("count_in", "drop_if_empty") or (name, by) == ("reserve", "_recheck"):
            return True
    return False


def handled(engine: RiskEngine, command: Any, at: int = 0) -> tuple[list[Any], int]:
    """What the engine says to a command whose ``at``-th call fails, and how many there were."""
    calls = 0

    def watch(frame: FrameType, event: str, _: Any) -> None:
        nonlocal calls
        # Nobody hears what a generator raises that is closed early, as by `any`.
        generator = frame.f_code.co_flags & inspect.CO_GENERATOR
        if event == "call" and not generator and not puts_back(frame):
            calls += 1
            if calls == at:
                raise Planted

    out: list[Any] = []
    # What the collector calls on its way is no function of the command.
    gc.disable()
    sys.setprofile(watch)
    try:
        engine.handle(command, out)
    finally:
        sys.setprofile(None)
        gc.enable()
    return out, calls


class Tried:
    """The risk engine of a world: before it takes a command, a twin takes it with faults."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.engine = RiskEngine()
        self.refused: set[str] = set()
        self.raised: set[str] = set()

    def handle(self, message: Any, out: list[Any]) -> None:
        if isinstance(message, get_args(c.Command)):
            self.engine.core.advance(message.time_ns)
            self.plant(message)
        self.engine.handle(message, out)

    def plant(self, command: Any) -> None:
        before = risk_state(self.engine)
        _, calls = handled(restore_risk(before), command)
        twin = restore_risk(before)
        # The first call is that of the engine itself.
        for at in self.rng.sample(range(2, calls + 1), min(FAULTS, calls - 1)):
            try:
                out, calls = handled(twin, command, at)
            except Planted:
                assert not twin.core.planning
                self.raised.add(type(command).__name__)
                twin = restore_risk(before)
                continue
            if calls < at:
                # An engine that was asked before finds some things without a call.
                twin = restore_risk(before)
                continue
            assert risk_state(twin) == before, f"{command} failed in call {at}"
            assert [type(event) for event in out] == [CommandRejected]
            assert out[0].reason == Reason.INTERNAL_ERROR
            self.refused.add(type(command).__name__)


def rare(time_ns: int) -> list[c.Command]:
    """Commands that a short world may be without."""
    trail = c.SubmitTrigger(
        *(time_ns, 100, 1, 10**6, c.SELL, 1, c.TRAILING, 0), trail_ppb=PPB // 2, leg=c.LEG_NET
    )
    return [
        trail,
        c.AmendTrigger(time_ns, 100, 10**6, 1, 0, trail_ppb=PPB // 3),
        c.CancelOrder(time_ns, 100, 2),
        c.Withdraw(time_ns, 100, 1, 1),
        c.SetLeverage(time_ns, 100, 1, 3),
        c.SetPositionMode(time_ns, 103, True),
        c.Skipped(time_ns, 100, "", ""),
    ]


@pytest.mark.skipif(COMPILED, reason="compiled functions cannot be made to fail from outside")
def test_what_a_plan_raises_refuses_the_command_and_changes_nothing() -> None:
    refused: set[str] = set()
    for seed in range(WORLDS):
        tried = Tried(seed)
        takers = {
            RISK: tried.handle,
            MATCHING: MatchingEngine(False).handle,
            LIQUIDATION: LiquidationEngine().handle,
        }
        bus = Bus(takers, lambda event: None)
        commands = World(seed).commands(COMMANDS)
        for command in [*commands, *rare(commands[-1].time_ns)]:
            bus.send(command)
        refused |= tried.refused
    assert refused == {kind.__name__ for kind in get_args(c.Command)} - {"AdvanceTime"}


@pytest.mark.skipif(COMPILED, reason="compiled functions cannot be made to fail from outside")
def test_what_the_turn_of_a_trigger_order_raises_ends_the_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The price that fired it stands, and so does all else."""

    def raises(*_: object) -> None:
        raise ZeroDivisionError

    defects: list[Exception] = []
    market = Market()
    market.exchange.risk._on_defect = lambda _, error: defects.append(error)
    market.open(100, 101, deposit="1000")
    market.index("100")
    order = market.trigger(100, c.SELL, "1", "95", trigger_by=c.BY_INDEX)
    monkeypatch.setattr(Orders, "place", raises)
    market.index("95")
    refused = market.only(TriggerRefused)
    assert (refused.reason, refused.detail) == (Reason.INTERNAL_ERROR, "ZeroDivisionError")
    assert market.only_closed(order).reason == Reason.INTERNAL_ERROR
    assert [type(error) for error in defects] == [ZeroDivisionError]
    assert (market.mark(), market.exchange.risk.core.triggers.count) == ("95", 0)


@pytest.mark.skipif(COMPILED, reason="compiled functions cannot be made to fail from outside")
@pytest.mark.parametrize("kind", [AssertionError, MemoryError, RecursionError, ZeroDivisionError])
def test_a_broken_invariant_is_no_refusal(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor what comes of the process: a replay elsewhere would carry the command out."""

    def raises(*_: object) -> None:
        raise kind("planted")

    defects: list[Exception] = []
    engine = RiskEngine(lambda _, error: defects.append(error))
    monkeypatch.setattr(Transfers, "_check_amount", raises)
    out: list[Any] = []
    if kind is not ZeroDivisionError:
        with pytest.raises(kind):
            engine.handle(c.Deposit(0, 100, 1, 5), out)
        return
    engine.handle(c.Deposit(0, 100, 1, 5), out)
    assert (out[0].reason, out[0].detail) == (Reason.INTERNAL_ERROR, "ZeroDivisionError")
    assert [type(error) for error in defects] == [kind]
