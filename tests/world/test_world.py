"""`seawall up --scenario`: a client meets makers, traders and a crash on the real services."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest

from engine.commands import BUY, IOC, LIMIT, QueryAccount, SubmitOrder
from engine.events import (
    AccountReport,
    Event,
    LiquidationStarted,
    MarginCallIssued,
    OrderFilled,
    Trade,
)
from gateway.client import Client
from gateway.rights.keys import new_pair
from risk.accounts import FIRST_TRADER
from seawall.cli import main
from seawall.world.serve import WORLD
from tests.services.endpoints import free_port
from tests.services.supervised import Running

PATIENCE_S = 60
ROOT = Path(__file__).parents[2]
SCENARIO = str(ROOT / "examples" / "small_crash.toml")
MINE = 5_000
OWN_ACCOUNT = f"""
[[accounts]]
account_id = {MINE}
deposit = {{ USDT = "1000" }}
"""


def living(folder: Path, *arguments: str, tables: str = OWN_ACCOUNT) -> Running:
    given = ("--scenario", SCENARIO, *arguments)
    return Running(folder, tables=tables, arguments=given)


def wait_until(client: Client, holds: Callable[[list[Event]], bool]) -> list[Event]:
    """Everything heard until it holds of it."""
    heard: list[Event] = []
    limit = time.monotonic() + PATIENCE_S
    while not holds(heard):
        assert time.monotonic() < limit, f"not among {len(heard)} events"
        heard += client.poll(0.2)
    return heard


def steer(running: Running, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = main(["admin", "--config", str(running.file), "world", *words])
    said = capsys.readouterr()
    return status, said.out + said.err


def test_a_client_trades_with_makers_and_sees_the_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with living(tmp_path, "--speed", "10") as up:
        assert any("WAVE-PERP falls 26.0% from" in line for line in up.lines)
        with Client(up.address) as client:
            client.subscribe(0)
            wait_until(client, lambda heard: any(isinstance(each, Trade) for each in heard))
            # where a message was missed there is no book for a moment
            wait_until(client, lambda heard: client.depth(0) is not None)
            book = client.depth(0)
            assert book is not None and book.best_ask_ticks() > 0
            limit_ticks = book.best_ask_ticks() + 100
            order = SubmitOrder(0, MINE, 0, 0, BUY, 1, limit_ticks, LIMIT, IOC)
            client.call(order)
            wait_until(
                client,
                lambda heard: any(
                    isinstance(each, OrderFilled) and each.account_id == MINE for each in heard
                ),
            )
            steer(up, capsys, "crash", "--in", "1")
            wait_until(
                client,
                lambda heard: {MarginCallIssued, LiquidationStarted} <= set(map(type, heard)),
            )
        up.child.send_signal(signal.SIGINT)
        assert up.child.wait(PATIENCE_S) == 0
    assert up.errors.read_text() == ""


def test_an_administrator_pauses_moves_and_resumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with living(tmp_path, "--speed", "5") as up:
        status, said = steer(up, capsys, "pause")
        assert status == 0 and "speed 5, paused" in said
        assert steer(up, capsys, "index", "WAVE-PERP", "92.5")[0] == 0
        assert "WAVE-PERP: index 92.5\n" in steer(up, capsys, "status")[1]
        with Client(up.address) as client:
            client.subscribe(0)
            [before] = client.call(QueryAccount(0, MINE)).events
            moved = wait_until(
                client,
                lambda heard: any(getattr(each, "index_ticks", 0) == 9_250 for each in heard),
            )
            later = client.poll(1.0)
            assert isinstance(before, AccountReport)
            assert not [each for each in (*moved[-1:], *later) if isinstance(each, Trade)]
            assert "paused" not in steer(up, capsys, "resume")[1]
            wait_until(client, lambda heard: any(isinstance(each, Trade) for each in heard))
        assert steer(up, capsys, "index", "TIDE-PERP", "1") == (
            1,
            "seawall admin world: 'TIDE-PERP' is not listed; allowed: WAVE-PERP\n",
        )
        for price in ("0", "1e30"):
            assert steer(up, capsys, "index", "WAVE-PERP", price)[0] == 1
        assert steer(up, capsys, "crash", "--in", "90000")[0] == 1


def test_it_goes_on_after_it_and_after_the_exchange_were_killed(tmp_path: Path) -> None:
    with living(tmp_path, "--speed", "20") as up, Client(up.address) as client:
        client.subscribe(0)
        wait_until(client, lambda heard: sum(isinstance(each, Trade) for each in heard) > 20)
        before = up.lines.copy()
        os.kill(up.children()[WORLD], signal.SIGKILL)
        up.wait_for("falls")
        assert not any("opening" in line for line in up.lines[len(before) :])
        wait_until(client, lambda heard: any(isinstance(each, Trade) for each in heard))
        traders = range(FIRST_TRADER, FIRST_TRADER + 200)
        reports = [
            reply.events[0]
            for reply in client.call_all([QueryAccount(0, each) for each in traders])
        ]
        assert all(isinstance(each, AccountReport) for each in reports)
        os.kill(up.children()["all"], signal.SIGKILL)
        up.wait_for("events were missed")
        client.poll()
        wait_until(client, lambda heard: sum(isinstance(each, Trade) for each in heard) > 5)


def test_a_run_directory_goes_on_with_its_scenario_and_with_no_other(tmp_path: Path) -> None:
    with living(tmp_path, "--speed", "20", tables="") as up, Client(up.address) as client:
        client.subscribe(0)
        wait_until(client, lambda heard: any(isinstance(each, Trade) for each in heard))
    with living(tmp_path, "--speed", "20", tables="") as up, Client(up.address) as client:
        assert not any("opening" in line for line in up.lines)
        client.subscribe(0)
        wait_until(client, lambda heard: any(isinstance(each, Trade) for each in heard))
    other = living(tmp_path, "--seed", "3", tables="")
    assert other.child.wait(PATIENCE_S) == 2
    assert "was opened with another market, seed or speed" in other.errors.read_text()


def test_a_trading_program_and_a_page_meet_it_through_their_doors(tmp_path: Path) -> None:
    for needed in ("aiohttp", "cryptography"):
        pytest.importorskip(needed, reason="the doors need the extra [doors]")
    example = (ROOT / "examples" / "crash_for_bots.toml").read_text()
    door, page = free_port(), free_port()
    tables = example.partition('run_dir = "run"')[2].replace("8080", str(door))
    tables = tables.replace("7480", str(page))
    arguments = ("--speed", "5", "--set", "instruments.perp.symbol=BTCUSDT")
    with living(tmp_path, *arguments, tables=tables) as up, Client(up.address) as client:
        client.subscribe(0)
        wait_until(client, lambda heard: any(isinstance(each, Trade) for each in heard))
        asked = f"http://127.0.0.1:{door}/fapi/v1/trades?symbol=BTCUSDT"
        limit = time.monotonic() + PATIENCE_S
        while not json.loads(urlopen(asked, timeout=PATIENCE_S).read()):
            # the door hears of a trade for itself, as the client did
            assert time.monotonic() < limit, "the door never saw the trade"
            time.sleep(0.05)
        shown = urlopen(f"http://127.0.0.1:{page}/", timeout=PATIENCE_S).read().decode()
        assert "<title>Seawall</title>" in shown


def test_only_the_key_of_an_administrator_steers_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, world, ann = new_pair(), new_pair(), new_pair()
    keys = tmp_path / "keys.toml"
    keys.write_text(
        f'[server]\npublic = "{server[0]}"\nsecret = "{server[1]}"\n'
        f'[clients.world]\npublic = "{world[0]}"\nrights = ["admin", "trade", "read"]\n'
        f'[clients.ann]\npublic = "{ann[0]}"\nrights = ["trade", "read"]\n'
    )
    keys.chmod(0o600)
    clock = f'server_public = "{server[0]}"\npublic = "{world[0]}"\nsecret = "{world[1]}"\n'
    top = ""
    running = Running(
        tmp_path,
        tables=clock,
        top=top,
        gateway={"keys": str(keys)},
        arguments=("--scenario", SCENARIO, "--set", "population.retail.accounts=10"),
    )
    with running as up:
        assert steer(up, capsys, "pause")[0] == 0
        anns = up.file.with_name("ann.toml")
        text = up.file.read_text().replace(world[0], ann[0]).replace(world[1], ann[1])
        anns.write_text(text)
        status = main(["admin", "--config", str(anns), "world", "resume"])
        assert status == 1 and "does not know the key" in capsys.readouterr().err
        assert "paused" in steer(up, capsys, "status")[1]


@pytest.mark.parametrize(
    ("arguments", "tables", "said"),
    [
        (["--speed", "0.5"], "", "--speed 0.5: allowed are 1 to 1000"),
        (["--speed", "fast"], "", "--speed: 'fast' is not a decimal number"),
        (["--set", "seed=-1"], "", "seed"),
        ([], "[[accounts]]\naccount_id = 200\n", "accounts[1]: account_id is 200; up to 3"),
        ([], '[[assets]]\nsymbol = "USDT"\n', "assets: the scenario opens the market"),
        (
            [],
            "[[clock.index]]\ninstrument_id = 1\nstart_ticks = 5\n",
            "the scenario has the prices",
        ),
        (
            [],
            '[[accounts]]\naccount_id = 9000\ndeposit = { EUR = "1" }\n',
            "accounts[1].deposit: 'EUR' is not listed; allowed: USDT",
        ),
    ],
)
def test_what_cannot_live_is_refused_in_a_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    tables: str,
    said: str,
) -> None:
    file = tmp_path / "services.toml"
    file.write_text(f'run_dir = "{tmp_path}/run"\n{tables}')
    assert main(["up", "--config", str(file), "--scenario", SCENARIO, *arguments]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.parametrize("given", [["--speed", "2"], ["--seed", "3"], ["--set", "seed=3"]])
def test_what_needs_a_scenario_says_so(
    given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up", *given]) == 2
    assert f"{given[0]} needs --scenario" in capsys.readouterr().err
