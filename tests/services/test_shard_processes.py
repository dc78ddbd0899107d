"""Matching shards as real processes: killed, started by `seawall up`, refused when they change."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine import commands as c
from engine.events import BookLevel, Event, OrderAccepted, Trade
from engine.routing.topology import GATEWAY, LIQUIDATION, RISK
from engine.services.rounds import Batch
from engine.services.service_config import CLOCK
from gateway.client import Address, Client
from gateway.serve import build_service
from seawall.exchange import Exchange
from seawall.state_hash import exchange_hash
from tests.services.endpoints import free_base_port, free_port, scrape
from tests.services.processes import PATIENCE_SECONDS, ROOT, Feeder, Processes, replayed_hash
from tests.services.streams import RULEBOOKS, START_NS, opening
from tests.services.test_rounds import cut
from tests.services.test_shards import merged, of_each_instrument, wide_stream


def batches_of(seed: int, commands: int, largest: int) -> list[Batch]:
    parts = cut(wide_stream(seed, RULEBOOKS[0], commands), random.Random(seed), largest)
    return [Batch(number, part) for number, part in enumerate(parts, start=1)]


def hash_of(processes: Processes) -> str:
    """The exchange's state hash from the snapshots of the stopped services."""
    books = merged([processes.snapshot(name) for name in processes.config.shards().names])
    return exchange_hash([processes.snapshot(RISK)[1], books, processes.snapshot(LIQUIDATION)])


def run_with_kills(folder: Path, batches: list[Batch], kills: dict[int, str], **more: Any) -> None:
    """Feed batches to real processes, kill a service when so many are done, and compare."""
    with Processes(folder, **more) as processes:
        config = processes.config
        for name in config.services():
            if name != GATEWAY:
                processes.start(name)
        feeder = Feeder(batches)
        feeder.start(config)
        for number, (done, name) in enumerate(kills.items()):
            feeder.run_until(done)
            for _ in range(number % 20):
                feeder.service.turn(0)
            processes.kill(name)
            processes.start(name)
        exchange = Exchange(publish_depth=True)
        told: list[Event] = []
        exchange.subscribe(told.append)
        for batch in batches:
            exchange.send_batch(batch.commands)
        public = [event for event in told if isinstance(event, Trade | BookLevel)]
        feeder.run_until(len(batches), len(public))
        processes.stop()
        feeder.service.close()
        numbers = [outcome.number for outcome in feeder.outcomes]
        assert numbers == [batch.number for batch in batches]
        assert hash_of(processes) == exchange.state_hash() == replayed_hash(processes)
        assert of_each_instrument(feeder.public) == of_each_instrument(public)


@pytest.mark.parametrize(("count", "snapshot_every"), [(2, 40), (3, 20_000)])
def test_a_killed_shard_comes_back_with_nothing_lost_and_nothing_twice(
    tmp_path: Path, count: int, snapshot_every: int
) -> None:
    batches = batches_of(7, 1_500, 20)
    victims = ("matching-0", "matching-1", RISK, f"matching-{count - 1}")
    kills = {len(batches) * part // 5: name for part, name in enumerate(victims, start=1)}
    run_with_kills(tmp_path, batches, kills, matching_shards=count, snapshot_every=snapshot_every)


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("SEAWALL_PROFILE") != "long", reason="thirty kills: SEAWALL_PROFILE=long"
)
def test_thirty_kills_at_random_moments_under_load(tmp_path: Path) -> None:
    rng = random.Random(30)
    batches = batches_of(8, 15_000, 30)
    shards = ("matching-0", "matching-1", "matching-2")
    places = sorted(rng.sample(range(1, len(batches)), 30))
    kills = {place: rng.choice((*shards, *shards, RISK, LIQUIDATION)) for place in places}
    run_with_kills(tmp_path, batches, kills, matching_shards=3, snapshot_every=300)


def settings(folder: Path, shards: int, base_port: int) -> tuple[Path, Address]:
    """A file for `seawall up`."""
    file = folder / f"{shards}.toml"
    address = Address(f"tcp://127.0.0.1:{free_port()}", f"tcp://127.0.0.1:{free_port()}")
    file.write_text(
        f'run_dir = "{folder}/run"\nlayout = "separate"\nmatching_shards = {shards}\n'
        f'[gateway]\ncommands = "{address.commands}"\nmarket_data = "{address.market_data}"\n'
        f"[metrics]\nbase_port = {base_port}\n[clock]\ntick_ms = 50\n"
    )
    return file, address


def seawall(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "seawall.cli", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(child: "subprocess.Popen[str]", text: str) -> list[str]:
    assert child.stdout is not None
    lines: list[str] = []
    for line in child.stdout:
        lines.append(line.strip())
        if lines[-1] == text:
            return lines
    raise AssertionError(f"{text!r} never came; printed: {lines}")


def children_of(pid: int) -> dict[str, int]:
    """Service name to process id."""
    found: dict[str, int] = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        found[words[words.index(b"gateway.serve") + 1].decode()] = int(child)
    return found


def queues(port: int) -> set[str]:
    """The queues a ready service shows."""
    series = scrape(port)
    assert series["seawall_service_ready",] == 1
    return {key[1] for key in series if key[0] == "seawall_queue_depth"}


def bid_on_both_shards(client: Client, price_ticks: int) -> None:
    """Instruments 7 and 8 have different shards; each order has to reach its book."""
    for instrument_id in (7, 8):
        reply = client.call(
            c.SubmitOrder(0, 100, instrument_id, 0, c.BUY, 1, price_ticks), timeout_s=30
        )
        assert isinstance(reply.events[0], OrderAccepted), reply


def wait_for_bids(client: Client, prices: list[int]) -> None:
    """Until the depth of both instruments has these bids, of one lot each."""
    limit = time.monotonic() + PATIENCE_SECONDS
    wanted = [(price, 1) for price in prices]
    while True:
        client.poll(0.1)
        books = [client.depth(instrument_id) for instrument_id in (7, 8)]
        bids = [[] if book is None else book.depth(c.BUY) for book in books]
        if bids == [wanted, wanted]:
            return
        assert time.monotonic() < limit, bids


def test_up_starts_every_shard_and_refuses_another_number_later(tmp_path: Path) -> None:
    base_port = free_base_port()
    file, address = settings(tmp_path, 2, base_port)
    child = seawall("up", "--config", str(file))
    try:
        lines = wait_for(child, "ready")
        assert "matching     2 shards: matching-0, matching-1" in lines
        children = children_of(child.pid)
        assert sorted(children) == sorted(
            (CLOCK, GATEWAY, LIQUIDATION, "matching-0", "matching-1", RISK)
        )
        assert {"outbox_matching-0", "outbox_matching-1"} <= queues(base_port + 1)
        for number in (2, 3):
            assert queues(base_port + number) == {"journal", "outbox_gateway", "outbox_risk"}
        with Client(address) as client:
            client.connect(PATIENCE_SECONDS)
            market = list(opening(RULEBOOKS[0]))
            twin = next(cmd.spec for cmd in market if isinstance(cmd, c.AddInstrument))
            twin = msgspec.structs.replace(twin, instrument_id=8, symbol="LIN-8")
            market.append(c.AddInstrument(START_NS, twin))
            market += [c.IndexPrice(START_NS, number, 1, 10_000) for number in (7, 8)]
            client.call_all(market)
            client.subscribe(7)
            client.subscribe(8)
            bid_on_both_shards(client, 9_900)
            wait_for_bids(client, [9_900])
            os.kill(children["matching-1"], signal.SIGKILL)
            wait_for(child, "matching-1 ended with code -9; starting it again")
            bid_on_both_shards(client, 9_800)
            wait_for_bids(client, [9_900, 9_800])
            assert client.connection.depth_gaps == 0
    finally:
        child.terminate()
        assert child.wait(PATIENCE_SECONDS) == 0
    more, _ = settings(tmp_path, 3, base_port)
    again = seawall("up", "--config", str(more))
    said, _ = again.communicate(timeout=PATIENCE_SECONDS)
    assert again.returncode == 2
    assert said.strip() == (
        f"seawall: {tmp_path}/run/risk.journal: begun with matching_shards = 2, not 3; "
        "go back to 2, or begin in another run_dir"
    )


@pytest.mark.parametrize("name", [RISK, "matching-1", GATEWAY])
def test_no_service_starts_on_a_journal_of_another_number_of_shards(
    tmp_path: Path, name: str
) -> None:
    with Processes(tmp_path, matching_shards=2) as processes:
        build_service(name, processes.config).close()
    with Processes(tmp_path, matching_shards=3) as other:
        other.start(name)
        assert other.running.pop(name).wait(PATIENCE_SECONDS) == 2
        assert "begun with matching_shards = 2, not 3" in other.log(name)


def test_a_shard_beyond_the_last_is_no_service(tmp_path: Path) -> None:
    file, _ = settings(tmp_path, 2, 0)
    child = seawall("serve", "matching-2", "--config", str(file))
    said, _ = child.communicate(timeout=PATIENCE_SECONDS)
    assert child.returncode == 2
    assert said.strip() == (
        "'matching-2' is no service of this configuration; "
        "allowed: risk, matching-0, matching-1, liquidation, gateway, clock"
    )
