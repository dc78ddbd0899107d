"""The way past a command that cannot be handled, in every layout, and that it changes no state but
by leaving the command out: services, kills, restarts and replays agree."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from engine import commands as c
from engine.events import AccountReport, CommandRejected, OrderAccepted, OrdersReport
from engine.reasons import Reason
from engine.routing.topology import GATEWAY, LIQUIDATION, RISK
from engine.services.rounds import Batch, encode_frame
from engine.services.service_config import ALL, ONE, SEPARATE, ConfigError, parse_config
from engine.units import COMPILED
from gateway.circle import Circle
from gateway.client import Client
from gateway.host.parts import RiskHolder
from gateway.protocol import Reply
from gateway.serve import BROKEN
from seawall.operating.backup import back_up
from seawall.state_hash import exchange_hash
from tests.services.processes import PATIENCE_SECONDS, ROOT, Processes, replayed_hash
from tests.services.streams import RULEBOOKS, START_NS, opening

IN_RISK = """
from risk.entry.transfers import Transfers

booked = Transfers._booked


def raises(self, account, amount_q, cause):
    if cause == "withdrawal":
        raise ZeroDivisionError("planted")
    booked(self, account, amount_q, cause)


Transfers._booked = raises
"""

IN_MATCHING = """
from matching.matching_engine import MatchingEngine

pull = MatchingEngine._pull


def raises(self, order, out):
    pull(self, order, out)
    if order.reason == 301:
        raise ZeroDivisionError("planted")


MatchingEngine._pull = raises
"""
"""Put before the services as the module Python imports by itself: state has changed when it is
raised. The second one raises when an owner cancels an order."""

CUT_OFF = """
import os

if "CUT_OFF" in os.environ:
    from engine.record.service_journal import ServiceJournal

    begin_anew = ServiceJournal.begin_anew
    left = [int(os.environ["CUT_OFF"])]

    def cut(self, state):
        if not left[0]:
            os._exit(9)
        left[0] -= 1
        begin_anew(self, state)

    ServiceJournal.begin_anew = cut
"""
"""Ends a skip after some of several journals, as a kill would."""

BID = c.SubmitOrder(0, 100, 7, 0, c.BUY, 5, 10_000)
ASK = c.SubmitOrder(0, 101, 7, 0, c.SELL, 3, 10_000)
CASES: list[tuple[dict[str, Any], str, str, str]] = [
    ({"layout": ONE}, IN_RISK, ALL, "all"),
    ({"layout": SEPARATE}, IN_MATCHING, "matching", RISK),
    ({"layout": SEPARATE, "matching_shards": 2}, IN_RISK, RISK, GATEWAY),
]
"""Settings, the fault, the service that meets it, and one that is killed before."""


def skip(processes: Processes, words: str, **environment: str) -> str:
    """What `seawall skip` prints, given the words that a service printed."""
    child = subprocess.Popen(
        [sys.executable, "-m", "seawall.cli", *words.replace("WHY", "planted").split()],
        cwd=ROOT,
        env={**os.environ, **processes.environment, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return child.communicate(timeout=PATIENCE_SECONDS)[0]


def until_broken(processes: Processes, name: str) -> str:
    """Wait until a service has met its fault, end the others (as `seawall up` does, or killed, by
    turns), and return the line that says how to go on."""
    child = processes.running.pop(name)
    assert child.wait(PATIENCE_SECONDS) == BROKEN, processes.log(name)
    if name == RISK:
        for other in list(processes.running):
            processes.kill(other)
    processes.stop()
    found = re.search(r"to go on without it: seawall (skip .*)", processes.log(name))
    assert found, processes.log(name)
    return found[1]


def answered(client: Client, numbers: list[int]) -> list[Reply]:
    replies: dict[int, Reply] = {}
    limit = time.monotonic() + PATIENCE_SECONDS
    while len(replies) < len(numbers):
        assert time.monotonic() < limit, "the exchange does not answer"
        replies.update({reply.request_id: reply for reply in client.take_replies(0.2)})
    return [replies[number] for number in numbers]


def held_by(client: Client, account_id: int) -> int:
    """Lots that an account has."""
    report = client.call(c.QueryAccount(0, account_id), PATIENCE_SECONDS).events[0]
    assert isinstance(report, AccountReport)
    return sum(row.qty_lots for pot in report.margin_accounts for row in pot.positions)


def hashes_of(batches: list[Batch]) -> set[str]:
    """The hash of the same batches in the one process and as separate services with two shards."""
    merged = RiskHolder().merged_hub(publish_depth=True)
    text = 'layout = "separate"\nmatching_shards = 2\n'
    circle = Circle(parse_config(text, "services.toml"))
    for batch in batches:
        body = encode_frame(batch)
        merged.handle(GATEWAY, body, [])
        circle.work(body)
    states = circle.states()
    shards = [states[name] for name in ("matching-0", "matching-1")]
    books = sorted((book for shard in shards for book in shard), key=lambda book: book[0])
    apart = [states[RISK][1], books, states[LIQUIDATION]]
    return {exchange_hash(merged.state()[1:]), exchange_hash(apart)}


@pytest.mark.skipif(COMPILED, reason="compiled functions cannot be replaced from outside")
@pytest.mark.parametrize(("settings", "fault", "meets_it", "victim"), CASES)
def test_the_same_commands_lead_to_the_same_state_everywhere(
    tmp_path: Path, settings: dict[str, Any], fault: str, meets_it: str, victim: str
) -> None:
    """Over services, after kills, after a skip that was cut off and done again, on replay in one
    process, and as services of another layout: one hash."""
    (tmp_path / "sitecustomize.py").write_text(fault + CUT_OFF)
    with Processes(tmp_path / "run", **settings) as processes:
        processes.environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
        processes.start_all()
        with Client(processes.address) as client:
            client.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
            client.call(BID)
            client.call_all([BID, ASK] * 10)
            processes.kill(victim)
            processes.start(victim)
            client.call_all([BID, ASK] * 10, PATIENCE_SECONDS)
            poison: c.Command = c.Withdraw(0, 100, 1, 1_000)
            if fault == IN_MATCHING:
                poison = c.CancelOrder(0, 100, client.call(BID, PATIENCE_SECONDS).order_id)
            numbers = client.send([ASK, poison, BID])
            words = until_broken(processes, meets_it)

            beyond = re.sub(r"--input \d+", "--input 999999", words)
            assert "cannot be handled either: skip it first" in skip(processes, beyond)
            if settings["layout"] == SEPARATE:
                good = re.sub(r"--input \d+", "--input 2", words)
                assert "this version can handle the input" in skip(processes, good)
                for journals in ("0", "2"):
                    skip(processes, words, CUT_OFF=journals)
                processes.start(RISK)
                assert processes.running.pop(RISK).wait(PATIENCE_SECONDS) == 2
                assert "a skip was cut off" in processes.log(RISK)
                with pytest.raises(ConfigError, match="a skip was cut off"):
                    back_up(processes.config, tmp_path / "early copy")
            told = skip(processes, words)
            assert f"skipped {type(poison).__name__}(" in told or "cut off is finished" in told
            assert "this version can handle the input" in skip(processes, words)

            processes.start_all()
            one, left_out, other = answered(client, numbers)
            assert isinstance(one.events[0], OrderAccepted)
            assert isinstance(other.events[0], OrderAccepted)
            rejected = left_out.events[0]
            assert isinstance(rejected, CommandRejected)
            assert rejected.reason == Reason.SKIPPED_BY_OPERATOR
            assert rejected.detail.startswith("planted ")
            client.call_all([BID, ASK] * 5, PATIENCE_SECONDS)
            for name in processes.config.services():
                processes.kill(name)
                processes.start(name)
            processes.wait_until_ready()
            client.call_all([BID, ASK] * 5, PATIENCE_SECONDS)
            report = client.call(c.QueryOrders(0, 100), PATIENCE_SECONDS).events[0]
            assert isinstance(report, OrdersReport)
            held = held_by(client, 100)
            assert held == 3 * 31
            bids = 32 + (fault == IN_MATCHING)
            assert sum(order.remaining_lots for order in report.orders) == 5 * bids - held
        processes.stop()
        skipped = [
            command
            for batch in processes.recorded()
            for command in batch.commands
            if isinstance(command, c.Skipped)
        ]
        assert [command.note for command in skipped] == ["planted"]
        back_up(processes.config, tmp_path / "copy")
        found = processes.state_hash()
        assert replayed_hash(processes) == found
        assert hashes_of(processes.recorded()) == {found}
