"""Structured logs of real services: what is logged, and in which form."""

import io
import json
import os
import shlex
import signal
import time
from pathlib import Path

import pytest

from engine import commands as c
from engine.services.service_config import LOG_FORMATS, ConfigError, parse_config
from gateway.client import Client, NoAnswer
from gateway.door.logs import LOGGED, ServiceLog, event_name
from tests.services.processes import PATIENCE_SECONDS, Processes
from tests.services.streams import RULEBOOKS, START_NS, Stream, opening
from tests.services.supervised import Running
from tests.services.test_keys import address, guarded_by, key_file


def json_lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def logfmt_lines(text: str) -> list[dict[str, str]]:
    return [
        dict(pair.split("=", 1) for pair in shlex.split(line))
        for line in text.splitlines()
        if line.startswith("time=")
    ]


def test_a_restarted_service_and_liquidations_are_logged_once(tmp_path: Path) -> None:
    with Running(tmp_path, tables='[log]\nformat = "json"\n') as running:
        with Client(running.address) as client:
            commands = Stream(6).take(600)
            for place in range(0, len(commands), 20):
                client.call_all(commands[place : place + 20])
            events = client.poll(0.5)
        before = json_lines(running.errors.read_text())
        os.kill(running.children()["all"], signal.SIGKILL)
        running.wait_for("starting it again")
        limit = time.monotonic() + PATIENCE_SECONDS
        while sum(line["event"] == "ready" for line in json_lines(running.errors.read_text())) < 3:
            assert time.monotonic() < limit
            time.sleep(0.05)
    lines = json_lines(running.errors.read_text())
    wanted = [event_name(type(event)) for event in events if type(event) in LOGGED]
    logged = [str(line["event"]) for line in lines if line["service"] == "all"]
    assert "liquidation_started" in wanted and set(wanted) <= set(logged)
    # What a restart handles again is not logged again.
    names = {event_name(kind) for kind in LOGGED}
    assert [line for line in lines if line["event"] in names] == [
        line for line in before if line["event"] in names
    ]
    first = next(line for line in lines if line["event"] == "liquidation_started")
    assert first["level"] == "info" and isinstance(first["equity_q"], int)
    of_up = [(line["event"], line.get("name")) for line in lines if line["service"] == "up"]
    assert of_up == [
        ("ready", None),
        ("service_ended", "all"),
        ("service_restarted", "all"),
        ("stopped", None),
    ]


def test_refusals_at_the_door_are_logged(tmp_path: Path) -> None:
    log = {"format": "logfmt"}
    with guarded_by(key_file(tmp_path), tmp_path / "run", log=log) as processes:
        with Client(address(processes, "admin")) as admin:
            admin.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
        stranger = Client(address(processes, "far"))
        with pytest.raises(NoAnswer):
            stranger.connect(1.0)
        stranger.close()
        with Client(address(processes, "bot")) as bot:
            bot.call(c.Withdraw(0, 100, 1, 1))
        lines = logfmt_lines(processes.log("all"))
    found = {line["event"]: line for line in lines}
    assert found["connection_refused"]["why"] == "not from this address"
    assert found["command_refused"]["why"] == "not_authorised"
    assert found["command_refused"]["level"] == "warning"
    assert found["ready"]["service"] == "all"


def test_without_the_setting_nothing_is_logged(tmp_path: Path) -> None:
    with Processes(tmp_path / "run", layout="one") as processes:
        processes.start_all()
        assert "event" not in processes.log("all")


def test_values_are_told_apart_in_both_forms() -> None:
    facts = {"text": 'a "b"\n=c', "number": -5, "none": None, "yes": True, "plain": "x/y.toml"}
    out = {form: io.StringIO() for form in ("json", "logfmt")}
    for form, stream in out.items():
        ServiceLog("risk", form, stream).warn("tried", **facts)
    line = json.loads(out["json"].getvalue())
    assert {key: line[key] for key in facts} == facts
    assert (line["service"], line["event"], line["level"]) == ("risk", "tried", "warning")
    text = out["logfmt"].getvalue()
    assert text.count("\n") == 1
    assert text.endswith(r'text="a \"b\"\n=c" number=-5 none=null yes=true plain=x/y.toml' + "\n")


def test_a_format_that_is_none_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"log.format .*: 'xml' is unknown; allowed are text, logfmt, json"
    ):
        parse_config('[log]\nformat = "xml"\n', "f")
    for form in LOG_FORMATS:
        assert parse_config(f'[log]\nformat = "{form}"\n', "f").log.format == form
