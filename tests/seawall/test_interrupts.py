"""Signals are held back where stopping is not safe, and only there."""

import signal
import threading
from collections.abc import Iterator

import pytest

from seawall.interrupts import hear_interrupts, held_interrupts


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    chosen: signal.Signals = request.param
    before = signal.signal(chosen, signal.default_int_handler)
    yield chosen
    signal.signal(chosen, before)


def test_a_signal_takes_effect_at_the_next_check(number: signal.Signals) -> None:
    with held_interrupts() as interrupts:
        interrupts.check()
        signal.raise_signal(number)
        assert interrupts.pending
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_a_handler_of_the_caller_stays(number: signal.Signals) -> None:
    heard: list[int] = []
    signal.signal(number, lambda which, _: heard.append(which))
    with held_interrupts() as interrupts:
        signal.raise_signal(number)
    assert heard == [number]
    assert not interrupts.pending


def test_a_thread_that_hears_no_signals_may_run_too() -> None:
    done: list[bool] = []

    def work() -> None:
        with held_interrupts() as interrupts:
            interrupts.check()
            done.append(interrupts.pending)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [False]


@pytest.mark.parametrize("how", ["ignored", "blocked"])
def test_a_process_started_deaf_hears_again(how: str) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if how == "ignored" else heard_nothing)
    if how == "blocked":
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        hear_interrupts()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, before)


def test_a_handler_somebody_chose_is_left_alone() -> None:
    before = signal.signal(signal.SIGINT, heard_nothing)
    try:
        hear_interrupts()
        assert signal.getsignal(signal.SIGINT) is heard_nothing
    finally:
        signal.signal(signal.SIGINT, before)


def heard_nothing(_number: int, _frame: object) -> None:
    """A handler of somebody else's."""
