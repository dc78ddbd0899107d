"""Benchmarks wait for quiet moments: for how long, how often, and which figure is kept."""

from collections import Counter

import pytest

from bench import quiet
from bench.quiet import QuietMoments, note, quiet_turn_ns

LIMIT_NS = 23.0


class Machine:
    """Reference loops as told; the last one for ever. Counts loops, pauses and measurements."""

    def __init__(self, *turns: float) -> None:
        self.turns = list(turns)
        self.loops = 0
        self.pauses = 0
        self.measured = 0

    def turn(self) -> float:
        self.loops += 1
        return self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]

    def pause(self, seconds: float) -> None:
        self.pauses += 1

    def measure(self, moments: QuietMoments) -> int:
        """The number of the attempt whose figure was kept."""

        def timed(prepared: int) -> int:
            assert prepared == self.measured, "a world of its own for each attempt"
            self.measured += 1
            return self.measured

        return moments.measure("case", lambda: self.measured, timed)

    def moments(self) -> QuietMoments:
        return QuietMoments(LIMIT_NS, self.turn, self.pause)


def test_a_quiet_machine_is_measured_at_once() -> None:
    machine = Machine(20.0)
    moments = machine.moments()
    assert machine.measure(moments) == 1
    assert (machine.loops, machine.pauses, moments.missed) == (2, 0, [])


def test_a_loud_machine_is_waited_for() -> None:
    machine = Machine(40.0, 40.0, 40.0, 20.0)
    moments = machine.moments()
    assert machine.measure(moments) == 1
    assert (machine.loops, machine.pauses, moments.missed) == (5, 3, [])


def test_a_case_that_became_loud_is_repeated() -> None:
    machine = Machine(20.0, 40.0, 20.0, 23.0)
    moments = machine.moments()
    assert machine.measure(moments) == 2
    assert (machine.measured, moments.missed) == (2, [])


def test_the_quietest_of_the_attempts_is_kept() -> None:
    machine = Machine(20.0, 40.0, 20.0, 30.0, 20.0, 50.0, 20.0, 35.0)
    moments = machine.moments()
    assert machine.measure(moments) == 2
    assert (machine.measured, moments.missed) == (quiet.ATTEMPTS, ["case"])


def test_the_loop_before_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "LOOKS", 0)
    machine = Machine(40.0, 20.0, 30.0, 20.0, 50.0, 20.0)
    moments = machine.moments()
    assert machine.measure(moments) == 4
    assert (machine.measured, moments.missed) == (4, [])


def test_waiting_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "LOOKS", 10)
    monkeypatch.setattr(quiet, "LOOKS_OF_A_PROCESS", 25)
    machine = Machine(40.0)
    moments = machine.moments()
    assert machine.measure(moments) == 1
    assert (machine.pauses, moments.missed) == (25, ["case"])
    assert machine.measure(moments) == quiet.ATTEMPTS + 1
    assert (machine.pauses, moments.missed) == (25, ["case", "case"])


def test_the_limit_is_the_fastest_loop_and_its_tolerance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "turn_ns", Machine(40.0, 20.0, 30.0).turn)
    monkeypatch.setattr(quiet, "sleep", lambda seconds: None)
    assert quiet_turn_ns(looks=3) == pytest.approx(23.0)


def test_the_note_names_what_was_missed() -> None:
    assert "at most 23.0 ns" in note(LIMIT_NS, Counter())
    assert "not reached" not in note(LIMIT_NS, Counter())
    assert note(LIMIT_NS, Counter({"b": 1, "a": 2})).endswith(
        "not reached for: a (2 times), b (1 times)."
    )
