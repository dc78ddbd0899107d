"""`seawall watch` beside `seawall up` and the example client: real processes, a real terminal."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest

from engine import commands as c
from gateway.client import Address, Client
from gateway.rights.keys import new_pair
from seawall.cli import main
from seawall.terminal import watch
from tests.services.endpoints import free_port
from tests.services.processes import PATIENCE_SECONDS, ROOT, Processes
from tests.services.streams import RULEBOOKS, START_NS, instruments, opening
from tests.services.supervised import Running
from tests.services.terminal import ENTER_ALTERNATE, INTERRUPT, LEAVE_ALTERNATE, Terminal

WATCH = ("-m", "seawall.cli", "watch")
EXAMPLE = ROOT / "examples" / "zmq_margin_call.py"
STORY = (
    "margin call 1 issued: account 201 to bring",
    "margin call 1 cured",
    "margin call 2 issued: account 201 to bring",
    "margin call 2 overtaken",
    "liquidation 1 started: account 201, equity",
    "liquidation 1 of account 201: stage reduce",
    "insurance fund +",
    "liquidation 1 ended restored, partial: account 201, cost",
)
"""What the tape says of the example's account. The amounts depend on how the clock ticks between
its steps."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("up")) as up:
        yield up


def doors(address: Address) -> list[str]:
    return ["--commands", address.commands, "--market-data", address.market_data]


def play_the_example(running: Running) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), *doors(running.address), "--pause", "0.2"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def once(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *WATCH, "--once", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


def test_the_call_and_the_liquidation_of_the_example_are_seen(
    running: Running, tmp_path: Path
) -> None:
    at = doors(running.address)
    frames = tmp_path / "frames.txt"
    with Terminal(*WATCH, *at, "--refresh", "100") as terminal, frames.open("w") as file:
        piped = subprocess.Popen(
            [sys.executable, *WATCH, *at, "--refresh", "100"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=file,
        )
        try:
            terminal.wait_for("connected")
            wait_for_text(frames, "connected")
            printed = play_the_example(running)
            assert "margin call 2: overtaken" in printed
            assert "liquidation 1: restored" in printed
            terminal.wait_for("SURF-PERP  mark 8", *STORY)
            wait_for_text(frames, STORY[-1])
            terminal.resize(60, 24)
            terminal.wait_for("liquidation 1 ended")
            assert all(len(text) <= 60 for text in terminal.lines())
            terminal.type(INTERRUPT)
            assert terminal.end() == 0
            assert terminal.is_in_order()
        finally:
            piped.send_signal(signal.SIGINT)
            assert piped.wait(PATIENCE_SECONDS) == 0
    text = frames.read_text()
    assert "\x1b" not in text
    # The open call stood among the accounts while it lasted.
    rows = [line for line in text.splitlines() if line.startswith("201 ")]
    assert any("margin call" in line and "call 2: 1" in line for line in rows), rows
    frame = once(*at, "--instrument", "SURF-PERP")
    assert frame.returncode == 0, frame.stderr
    assert "\x1b" not in frame.stdout
    assert any(line.startswith("201 ") for line in frame.stdout.splitlines())


def wait_for_text(file: Path, text: str) -> None:
    limit = time.monotonic() + PATIENCE_SECONDS
    while text not in file.read_text():
        assert time.monotonic() < limit, file.read_text()[-3_000:]
        time.sleep(0.1)


def test_a_gateway_that_is_gone_is_said_and_everything_is_asked_for_again(
    running: Running,
) -> None:
    with Client(running.address) as client:
        client.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
        client.call(c.SubmitOrder(0, 100, 7, 0, c.BUY, 15, 9_900))
    at = [*doors(running.address), "--refresh", "100", "--instrument", "LIN-PERP"]
    with Terminal(*WATCH, *at) as terminal:
        terminal.wait_for("connected", "LIN-PERP", "1.5   1.5  99.00")
        gateway = running.children()["all"]
        os.kill(gateway, signal.SIGSTOP)
        terminal.wait_for("gateway silent for")
        os.kill(gateway, signal.SIGCONT)
        terminal.wait_for("connected", "reconnects 0")
        os.kill(gateway, signal.SIGKILL)
        terminal.wait_for(
            "connected again: what happened meanwhile is missing here", "reconnects 1"
        )
        with Client(running.address) as client:
            client.call(c.SubmitOrder(0, 100, 7, 0, c.BUY, 20, 9_950))
        terminal.wait_for("2.0   2.0  99.50", "3.5   1.5  99.00")
        terminal.type("p")
        terminal.wait_for("INV-PERP  mark")
        terminal.type("q")
        assert terminal.end() == 0
        assert terminal.is_in_order()


FAILING = """
from seawall.terminal.watch_screen import TerminalScreen
from seawall.terminal.watch_lines import line
with TerminalScreen() as screen:
    screen.show([line("drawn")])
    raise RuntimeError("in the middle")
"""


def test_the_terminal_is_left_in_order_on_errors() -> None:
    with Terminal("-c", FAILING) as terminal:
        assert terminal.end() == 1
        assert terminal.is_in_order()
        before, after = terminal.raw.split(LEAVE_ALTERNATE)
        assert b"drawn" in before
        assert b"RuntimeError: in the middle" in after


def test_the_terminal_is_left_in_order_when_terminated(running: Running) -> None:
    with Terminal(*WATCH, *doors(running.address)) as terminal:
        terminal.wait_for("LIQUIDATION TAPE")
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.end() == 0
        assert terminal.is_in_order()


def test_an_instrument_that_is_not_listed_is_waited_for(running: Running) -> None:
    with Client(running.address) as client:
        client.call_all(list(opening(RULEBOOKS[0])))
        wanted = ["--instrument", "NEW-PERP"]
        frame = once(*doors(running.address), *wanted)
        assert (frame.returncode, frame.stdout) == (2, "")
        assert "--instrument NEW-PERP: not listed; listed are " in frame.stderr
        assert "INV-PERP (3)" in frame.stderr
        with Terminal(*WATCH, *doors(running.address), *wanted) as terminal:
            terminal.wait_for("--instrument NEW-PERP: not listed")
            spec = msgspec.structs.replace(instruments()[0], instrument_id=9, symbol="NEW-PERP")
            client.call(c.AddInstrument(0, spec))
            terminal.wait_for("NEW-PERP  mark -")


def test_a_single_frame_on_a_terminal_is_plain_text_folded_at_its_width(running: Running) -> None:
    with Terminal(*WATCH, *doors(running.address), "--once", columns=40) as terminal:
        assert terminal.end() == 0
    assert ENTER_ALTERNATE not in terminal.raw
    assert b"\x1b" not in terminal.raw
    shown = terminal.raw.decode().splitlines()
    assert 30 < max(map(len, shown)) <= 40
    assert "distance" in " ".join(shown) and "bad debt since the watch began" in " ".join(
        " ".join(shown).split()
    )


# keys


def test_keys_come_from_the_services_file_or_the_command_line(tmp_path: Path) -> None:
    pairs = {name: new_pair() for name in ("server", "admin")}
    pairs["ann"] = next(pair for _ in count() if (pair := new_pair())[0].startswith("-"))
    keys = [f'[server]\npublic = "{pairs["server"][0]}"\nsecret = "{pairs["server"][1]}"']
    for name, rights in (
        ("admin", '["admin", "trade", "read", "withdraw"]'),
        ("ann", '["read"]\naccounts = [103]'),
    ):
        keys.append(f'[clients.{name}]\npublic = "{pairs[name][0]}"\nrights = {rights}')
    file = tmp_path / "keys.toml"
    file.write_text("\n".join(keys))
    clock = {
        "server_public": pairs["server"][0],
        "public": pairs["admin"][0],
        "secret": pairs["admin"][1],
    }
    with Processes(tmp_path / "run", gateway={"keys": str(file)}, clock=clock) as processes:
        processes.start_all()
        plain = processes.address
        with Client(Address(plain.commands, plain.market_data, *clock.values())) as client:
            client.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(0, 7, 1, 10_000)])
            for side, account_id in ((c.BUY, 100), (c.SELL, 103)):
                client.call(c.SubmitOrder(0, account_id, 7, 0, side, 30, 10_000))
        seen = once("--config", str(processes.file), "--instrument", "7")
        own = once(
            *doors(plain),
            f"--server-public={pairs['server'][0]}",
            f"--public={pairs['ann'][0]}",
            f"--secret={pairs['ann'][1]}",
        )
    assert seen.returncode == 0, seen.stderr
    assert "LIN-PERP  mark 100.00" in seen.stdout
    assert accounts_in(seen.stdout) == ["100", "103"]
    assert own.returncode == 0, own.stderr
    assert accounts_in(own.stdout) == ["103"]


def accounts_in(frame: str) -> list[str]:
    """The accounts of a printed frame, by number."""
    table = frame.split("ACCOUNTS NEAREST")[1].split("\n\n")[0].splitlines()[2:]
    return sorted(line.split()[0] for line in table)


# what is wrong is said


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--refresh", "10"], "--refresh 10: at least 50"),
        (["--accounts", "0"], "--accounts 0: allowed are 1 to 200"),
        (["--accounts", "201"], "--accounts 201: allowed are 1 to 200"),
        (["--public", "short"], "belong together, 40 characters each"),
        (["--secret", "x" * 40], "belong together, 40 characters each"),
        (["--config", "/nowhere.toml"], "/nowhere.toml: cannot be read"),
    ],
)
def test_bad_arguments_are_refused(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["watch", "--once", *arguments]) == 2
    assert problem in capsys.readouterr().err


def test_without_a_gateway_a_single_frame_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(watch, "PATIENCE_S", 0.2)
    nobody = f"tcp://127.0.0.1:{free_port()}"
    assert main(["watch", "--once", "--commands", nobody]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        f"seawall: {nobody}: no answer: no gateway there, or it does not know the key\n"
    )
