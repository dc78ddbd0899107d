"""A wall clock that jumps: exchange time goes on, never back, never faster than was promised."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import commands as c
from engine.routing.topology import GATEWAY
from engine.services.service_config import CLOCK
from gateway.client import Client
from gateway.door.clock_notes import ClockNotes, give_word
from gateway.door.steady_clock import LEAN, SteadyClock
from tests.services.processes import PATIENCE_SECONDS, ROOT, Processes
from tests.services.trading import Trader, commands_of

SECOND_NS = 10**9
YEAR_NS = 365 * 86_400 * SECOND_NS
JUMPING_CLOCK = """
import pathlib
import time

_real = time.time_ns
_offset = pathlib.Path({file!r})


def time_ns():
    return _real() + int(_offset.read_text() or 0)


time.time_ns = time_ns
"""
"""Put before a service as the module Python imports by itself at the start."""


class Hands:
    """A monotonic and a wall clock set by the test."""

    def __init__(self) -> None:
        self.mono_ns = 5_000
        self.wall_ns = 1_000 * SECOND_NS

    def steady(self, floor_ns: int = 0) -> SteadyClock:
        first_ns = max(floor_ns, self.wall_ns)
        return SteadyClock(lambda: self.mono_ns, lambda: self.wall_ns, first_ns)

    def pass_ns(self, elapsed_ns: int, jump_ns: int = 0) -> None:
        self.mono_ns += elapsed_ns
        self.wall_ns += elapsed_ns + jump_ns


def test_without_jumps_it_is_the_wall_clock() -> None:
    hands = Hands()
    steady = hands.steady()
    for elapsed_ns in (0, 1, 7, SECOND_NS, 3_600 * SECOND_NS):
        hands.pass_ns(elapsed_ns)
        assert steady.now_ns() == hands.wall_ns


@pytest.mark.parametrize(("jump_ns", "sign"), [(YEAR_NS, 1), (-YEAR_NS, -1)])
def test_a_jump_is_followed_by_a_tenth_of_the_time_that_passes(jump_ns: int, sign: int) -> None:
    hands = Hands()
    steady = hands.steady()
    before_ns = steady.now_ns()
    hands.pass_ns(0, jump_ns)
    assert steady.now_ns() == before_ns
    hands.pass_ns(100 * SECOND_NS)
    assert steady.now_ns() == before_ns + (100 + sign * 100 // LEAN) * SECOND_NS


def test_a_small_jump_is_caught_up_and_then_the_wall_clock_again() -> None:
    hands = Hands()
    steady = hands.steady()
    hands.pass_ns(0, -2 * SECOND_NS)
    hands.pass_ns(20 * SECOND_NS)
    assert steady.now_ns() == hands.wall_ns
    hands.pass_ns(SECOND_NS)
    assert steady.now_ns() == hands.wall_ns


def test_after_a_restart_it_goes_on_from_the_last_time_there_was() -> None:
    hands = Hands()
    floor_ns = hands.wall_ns + YEAR_NS
    steady = hands.steady(floor_ns)
    assert steady.now_ns() == floor_ns
    hands.pass_ns(10 * SECOND_NS)
    assert steady.now_ns() == floor_ns + 9 * SECOND_NS


def test_whatever_the_wall_clock_does_time_keeps_its_pace() -> None:
    rng = random.Random(4)
    hands = Hands()
    steady = hands.steady()
    last_ns = steady.now_ns()
    for _ in range(5_000):
        elapsed_ns = rng.choice((0, 1, 9, 10**6, SECOND_NS, 60 * SECOND_NS))
        hands.pass_ns(elapsed_ns, rng.choice((0, 0, 1, -1)) * rng.randrange(YEAR_NS))
        now_ns = steady.now_ns()
        least_ns, most_ns = elapsed_ns - elapsed_ns // LEAN, elapsed_ns + elapsed_ns // LEAN
        assert least_ns <= now_ns - last_ns <= most_ns
        last_ns = now_ns


def notes(folder: Path, uptime_ns: int, said: list[str], boot: str = "this") -> ClockNotes:
    return ClockNotes(folder, 600 * SECOND_NS, boot, lambda: uptime_ns, said.append)


def test_a_pause_of_any_length_is_taken_as_it_was(tmp_path: Path) -> None:
    said: list[str] = []
    notes(tmp_path, 5 * SECOND_NS, said).keep(YEAR_NS)
    later = notes(tmp_path, YEAR_NS + 5 * SECOND_NS, said)
    assert later.first_ns(YEAR_NS - 3, 2 * YEAR_NS + 7) == 2 * YEAR_NS + 7
    assert later.first_ns(0, 99) == 99
    assert said == []


@pytest.mark.parametrize("jump_ns", [7_200 * SECOND_NS, -7_200 * SECOND_NS])
@pytest.mark.parametrize("boot", ["this", "another", ""])
def test_a_jump_across_a_restart_waits_for_an_operator(
    tmp_path: Path, jump_ns: int, boot: str
) -> None:
    """Regression: it was taken whole, so a wrong clock and one crash let every call expire."""
    said: list[str] = []
    notes(tmp_path, 5 * SECOND_NS, said, boot).keep(YEAR_NS)
    later = notes(tmp_path, 25 * SECOND_NS, said, "this")
    passed_ns = 20 * SECOND_NS if boot == "this" else 0
    assert later.first_ns(YEAR_NS, YEAR_NS + passed_ns + jump_ns) == YEAR_NS + passed_ns
    assert "seawall take-clock" in said[0]
    assert not later.word_given()
    give_word(tmp_path)
    assert later.word_given()
    assert not later.word_given()


def test_the_exchange_goes_on_without_the_jump_until_the_operator_says_so(tmp_path: Path) -> None:
    offset = tmp_path / "offset"
    offset.write_text("0")
    (tmp_path / "sitecustomize.py").write_text(JUMPING_CLOCK.format(file=str(offset)))
    with Processes(tmp_path / "run", layout="one") as processes:
        processes.environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
        processes.start("all")
        with Client(processes.address) as client:

            def exchange_time_ns() -> int:
                client.call(c.AdvanceTime(0), timeout_s=30)
                return client.call(c.QueryAccount(0, 100), timeout_s=30).events[0].time_ns

            client.call(c.OpenAccount(0, 100), timeout_s=30)
            before_ns = exchange_time_ns()
            processes.kill("all")
            offset.write_text(str(7_200 * SECOND_NS))
            processes.start("all")
            assert exchange_time_ns() - before_ns < 3_600 * SECOND_NS
            assert "7200 s off" in processes.log("all") or "7199 s off" in processes.log("all")
            words = ["take-clock", "--config", str(processes.file)]
            subprocess.run([sys.executable, "-m", "seawall.cli", *words], cwd=ROOT, check=True)
            limit = time.monotonic() + PATIENCE_SECONDS
            while exchange_time_ns() - before_ns < 7_200 * SECOND_NS:
                assert time.monotonic() < limit, "the operator's word was not heard"
                time.sleep(0.05)


def test_services_do_not_notice_a_wall_clock_that_jumps(tmp_path: Path) -> None:
    offset = tmp_path / "offset"
    offset.write_text("0")
    (tmp_path / "sitecustomize.py").write_text(JUMPING_CLOCK.format(file=str(offset)))
    began_ns = time.time_ns()
    began_mono_ns = time.monotonic_ns()
    with Processes(tmp_path / "run", clock={"tick_ms": 10}) as processes:
        processes.environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
        for name in (*processes.config.services(), CLOCK):
            processes.start(name)
        processes.wait_until_ready()
        with Client(processes.address) as client:
            trader = Trader(client, commands_of(21, 900))
            for part, jump_ns in enumerate((YEAR_NS, -2 * YEAR_NS, 0, 10 * YEAR_NS), start=1):
                trader.run_until(len(trader.commands) * part // 6)
                offset.write_text(str(jump_ns))
                ticks_until(client, 3)
            # Back before where it was when the gateway last wrote: a restart does not go back.
            offset.write_text(str(-YEAR_NS))
            processes.kill(GATEWAY)
            processes.start(GATEWAY)
            trader.finish()
        processes.wait_until_ready()
        processes.stop_first(CLOCK)
        processes.stop()
        trader.check(processes)
        batches = processes.recorded()
        times = [command.time_ns for batch in batches for command in batch.commands]
    assert times == sorted(times)
    passed_ns = time.monotonic_ns() - began_mono_ns
    assert began_ns <= times[0]
    assert times[-1] - began_ns <= passed_ns + passed_ns // LEAN
    assert len(set(times)) > 20, "time stood still"


def ticks_until(client: Client, count: int) -> None:
    """Until the exchange's time has moved so many times."""
    seen: set[int] = set()
    limit = time.monotonic() + PATIENCE_SECONDS
    while len(seen) <= count:
        seen.add(client.call(c.QueryAccount(0, 100)).events[0].time_ns)
        assert time.monotonic() < limit, "time stands still"
