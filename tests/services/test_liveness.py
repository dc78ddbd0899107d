"""A service that is stopped, or hangs, exists and does nothing: `up` says so, and so do metrics."""

import os
import re
import signal
from pathlib import Path

import pytest

from engine import commands as c
from gateway.client import Client
from gateway.host.pulse import BEAT_NS, SILENT_NS, Pulse, Pulses, file_of
from seawall.operating.liveness import Liveness
from tests.services.endpoints import free_base_port, scrape
from tests.services.supervised import Running

SECOND_NS = 10**9


@pytest.mark.parametrize(
    ("layout", "names"), [("one", ["all", "clock"]), ("separate", ["risk", "matching", "gateway"])]
)
def test_a_stopped_service_is_noticed_and_its_going_on_too(
    tmp_path: Path, layout: str, names: list[str]
) -> None:
    port = free_base_port()
    top = f'layout = "{layout}"\nmetrics = {{ base_port = {port} }}\n'
    of_up = port + (1 if layout == "one" else 4)
    with Running(tmp_path, top=top) as up:
        children = up.children()
        for name in names:
            os.kill(children[name], signal.SIGSTOP)
            try:
                up.wait_for(f"ALERT {name}: no sign of life")
                # Only it: a service that waits for another one gives signs of life.
                alerts = [line for line in up.lines if line.startswith("ALERT")]
                assert all(line.startswith(f"ALERT {name}") for line in alerts), alerts
                told = re.search(r"for ([0-9.]+) s", up.lines[-1])
                assert told is not None and 2.0 <= float(told.group(1)) < 10
                shown = scrape(of_up)
                assert shown["seawall_service_silent_seconds", name] >= 2
                others = [value for key, value in shown.items() if key[1:] not in ((name,), ())]
                assert all(value < 2 for value in others), shown
                if layout == "separate" and name != "gateway":
                    assert scrape(port)["seawall_service_silent_seconds", name] >= 2
            finally:
                os.kill(children[name], signal.SIGCONT)
            up.wait_for(f"{name} goes on; it was silent for")
            up.lines.clear()
        with Client(up.address) as client:
            client.call(c.QueryMarket(0))
        assert up.children() == children


def test_one_that_is_silent_for_too_long_is_started_again_where_that_is_asked_for(
    tmp_path: Path,
) -> None:
    with Running(tmp_path, top='layout = "one"\nrestart_silent_after_s = 3\n') as up:
        os.kill(up.children()["all"], signal.SIGSTOP)
        up.wait_for("all is silent for too long; killed")
        up.wait_for("all ended with code -9; starting it again")
        with Client(up.address) as client:
            client.call(c.QueryMarket(0), 30)


def test_up_ends_with_a_stopped_service(tmp_path: Path) -> None:
    with Running(tmp_path, top='layout = "one"\n') as up:
        os.kill(up.children()["all"], signal.SIGSTOP)
        up.child.send_signal(signal.SIGTERM)
        assert up.child.wait(15) == 0


def test_silence_is_counted_by_a_clock_that_never_jumps(tmp_path: Path) -> None:
    now_ns = [5 * SECOND_NS]
    said: list[str] = []
    pulse = Pulse(tmp_path, "risk", lambda: now_ns[0])
    liveness = Liveness(
        tmp_path, ["risk"], say=said.append, clock=lambda: now_ns[0], restart_after_s=9
    )
    assert liveness.look({"risk": True}) == [], "one that never gave a sign is starting"
    pulse.beat()
    now_ns[0] += SILENT_NS
    assert liveness.look({"risk": True}) == [] and said == []
    now_ns[0] += 1
    assert liveness.look({"risk": False}) == [] and said == []
    for _ in range(3):
        assert liveness.look({"risk": True}) == []
    assert said == ["ALERT risk: no sign of life for 2.0 s; it is stopped, or hangs in one input"]
    now_ns[0] += 7 * SECOND_NS
    assert liveness.look({"risk": True}) == ["risk"]
    pulse.beat()
    assert liveness.look({"risk": True}) == []
    assert said[1:] == ["risk goes on; it was silent for 9.0 s"]


def test_a_note_of_the_machines_last_life_or_a_torn_one_is_no_silence(tmp_path: Path) -> None:
    Pulse(tmp_path, "risk", lambda: 900 * SECOND_NS).beat()
    pulses = Pulses(tmp_path, ["risk", "gateway"], lambda: SECOND_NS)
    assert pulses.silent_ns("risk") == 0
    assert pulses.seconds() == {("risk",): 0.0}
    file_of(tmp_path, "risk").write_bytes(b"abc")
    assert pulses.silent_ns("risk") is None


def test_signs_are_written_four_times_a_second_at_most(tmp_path: Path) -> None:
    now_ns = [0]
    pulse = Pulse(tmp_path, "risk", lambda: now_ns[0])
    noted = set()
    for _ in range(1_000):
        now_ns[0] += BEAT_NS // 100
        pulse.beat()
        noted.add(file_of(tmp_path, "risk").read_bytes())
    assert len(noted) in (10, 11)
