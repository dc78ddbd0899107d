"""Everything in one process: the same state and events as apart, and after any kill."""

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine import commands as c
from engine.connections.link import NotAFrame
from engine.events import Event, OrderAccepted, OrderClosed
from engine.messages import at_time
from engine.native_message import from_wire
from engine.record.snapshot import pack, unpack
from engine.routing.topology import GATEWAY, MATCHING
from engine.services.rounds import Batch, Unhandled, encode_frame
from engine.services.service_config import ALL, ONE, SEPARATE, SERVICES, ConfigError, parse_config
from gateway.client import Client
from gateway.door.addressing import NOBODY, account_of
from gateway.door.frames import AddressedOutcome
from gateway.host.merged import MergedHub
from gateway.host.parts import RiskHolder
from seawall.exchange import Exchange
from tests.services.processes import LAYOUTS, Processes, replayed_hash
from tests.services.streams import RULEBOOKS, START_NS, Stream, rankless
from tests.services.test_rounds import cut, on_the_bus
from tests.services.trading import QUERIES

PATIENCE_SECONDS = 60


def merged_hub() -> MergedHub:
    return RiskHolder().merged_hub(publish_depth=True)


def hand_in(hub: MergedHub, number: int, commands: list[c.Command]) -> AddressedOutcome:
    out: list[tuple[str, Any]] = []
    hub.handle(GATEWAY, encode_frame(Batch(number, commands)), out)
    [(receiver, body)] = out
    assert receiver == GATEWAY
    outcome = msgspec.msgpack.decode(body, type=AddressedOutcome)
    assert outcome.number == number
    assert [len(answers) for answers in outcome.direct] == ([len(commands)] if commands else [0])
    return outcome


def by_account(events: list[Event]) -> dict[int, list[Event]]:
    found: dict[int, list[Event]] = {}
    for event in events:
        found.setdefault(account_of(event), []).append(rankless(event))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_a_merged_hub_equals_the_bus(seed: int) -> None:
    rng = random.Random(seed)
    batches = cut(Stream(seed, RULEBOOKS[seed % 3]).take(500), rng, (1, 3, 20, 200)[seed % 4])
    hub = merged_hub()
    outcomes: list[AddressedOutcome] = []
    for number, batch in enumerate(batches, start=1):
        outcomes.append(hand_in(hub, number, batch))
        if rng.random() < 0.05:
            state = unpack(pack(hub.state()))
            hub = merged_hub()
            hub.restore(state)
    state, of_risk, of_matching = on_the_bus(batches)
    assert hub.state()[0] == len(batches)
    assert pack(hub.state()[1:]) == pack(state)
    told = [
        event
        for one in outcomes
        for [answers] in [one.direct]
        for answer in answers
        for event in answer
    ]
    told += [event for one in outcomes for _, events in one.private for event in events]
    mine = by_account(from_wire(told))
    for account_id, events in by_account(of_risk).items():
        if account_id >= 0:
            found = sorted(mine.pop(account_id), key=encode_frame)
            assert found == sorted(events, key=encode_frame)
    mine.pop(NOBODY, None)
    assert not mine
    published = [
        event
        for one in outcomes
        for topic, events in one.public
        for event in events
        if topic.startswith(("depth.", "trade."))
    ]
    published = from_wire(published)
    assert sorted(published, key=encode_frame) == sorted(of_matching, key=encode_frame)


def test_public_events_keep_their_order_within_a_topic() -> None:
    hub = merged_hub()
    sequences: dict[str, list[int]] = {}
    for number, batch in enumerate(cut(Stream(3).take(300), random.Random(3), 50), start=1):
        for topic, events in hand_in(hub, number, batch).public:
            if topic.startswith("depth."):
                sequences.setdefault(topic, []).extend(event.sequence for event in events)
    assert set(sequences) == {"depth.3.", "depth.7."}
    for found in sequences.values():
        assert found == list(range(1, len(found) + 1))


def test_what_is_no_batch_is_refused_and_changes_nothing() -> None:
    hub = merged_hub()
    before = pack(hub.state())
    for source, body in ((MATCHING, b""), (GATEWAY, b"\xc1"), (GATEWAY, b"\x92\x01")):
        with pytest.raises(NotAFrame):
            hub.handle(source, body, [])
    with pytest.raises(ValueError, match="batch 2 came, 1 is next"):
        hub.handle(GATEWAY, encode_frame(Batch(2, [])), [])
    assert pack(hub.state()) == before


def test_a_component_that_raises_is_named_with_its_message() -> None:
    holder = RiskHolder(wrap=lambda handler: broken)
    with pytest.raises(Unhandled, match=r"OpenAccount.*no room"):
        hand_in(holder.merged_hub(True), 1, [c.OpenAccount(0, 100)])


def broken(message: Any, out: list[Any]) -> None:
    raise RuntimeError("no room")


@pytest.mark.parametrize("snapshot_every", [40, 20_000])
def test_killed_and_started_again_it_ends_in_the_state_of_its_journal(
    tmp_path: Path, snapshot_every: int
) -> None:
    commands = Stream(5).take(900)
    with Processes(tmp_path, ONE, snapshot_every=snapshot_every) as processes:
        assert processes.config.services() == (ALL,)
        processes.start_all()
        replies = []
        with Client(processes.address) as client:
            for place in range(0, len(commands), 30):
                replies += client.call_all(commands[place : place + 30], PATIENCE_SECONDS)
                if place in (240, 420, 600):
                    processes.kill(ALL)
                    processes.start(ALL)
            processes.wait_until_ready()
        assert any(isinstance(event, OrderAccepted) for one in replies for event in one.events)
        processes.stop()
        batches = processes.recorded()
        done = [command for batch in batches for command in batch.commands]
        # A query whose answer was lost is answered anew.
        assert len(without_queries(done)) == len(without_queries(commands))
        assert processes.state_hash() == replayed_hash(processes)


def without_queries(commands: list[c.Command]) -> list[c.Command]:
    return [command for command in commands if not isinstance(command, QUERIES)]


def test_there_is_no_inbox_to_write_to(tmp_path: Path) -> None:
    with Processes(tmp_path, ONE) as processes:
        processes.start_all()
        processes.wait_until_ready()
        sockets = sorted(file.name for file in tmp_path.iterdir() if file.is_socket())
        assert sockets == ["commands.ipc", "data.ipc"]


def test_all_layouts_come_to_the_same_state(tmp_path: Path) -> None:
    commands = [one for one in Stream(9).take(400) if not isinstance(one, c.AdvanceTime)]
    hashes: set[str] = set()
    for number, settings in enumerate(LAYOUTS):
        folder = tmp_path / str(number)
        with Processes(folder, **settings) as processes:
            processes.start_all()
            with Client(processes.address) as client:
                for place in range(0, len(commands), 20):
                    client.call_all(commands[place : place + 20], PATIENCE_SECONDS)
            processes.wait_until_ready()
            processes.stop()
            hashes.add(timeless_hash(processes))
            assert processes.state_hash() == replayed_hash(processes)
    assert len(hashes) == 1


def timeless_hash(processes: Processes) -> str:
    """The state after the recorded batches with all times the same."""
    exchange = Exchange(publish_depth=True)
    for batch in processes.recorded():
        exchange.send_batch([at_time(command, START_NS) for command in batch.commands])
    return exchange.state_hash()


def test_a_client_hears_of_the_accounts_it_asked_for_and_of_no_others(tmp_path: Path) -> None:
    with Processes(tmp_path, ONE) as processes:
        processes.start_all()
        with (
            Client(processes.address) as trader,
            Client(processes.address, accounts=[101]) as one,
            Client(processes.address, accounts=[]) as none,
        ):
            trader.call_all(Stream(1).take(0), PATIENCE_SECONDS)
            for account_id in (100, 101):
                order = c.SubmitOrder(0, account_id, 7, 0, c.BUY, 10, 9_000)
                placed = trader.call(order, PATIENCE_SECONDS)
                trader.call(c.CancelOrder(0, account_id, placed.order_id), PATIENCE_SECONDS)
            heard = one.poll(PATIENCE_SECONDS)
            while not any(isinstance(event, OrderClosed) for event in heard):
                heard += one.poll(PATIENCE_SECONDS)
            assert {account_of(event) for event in heard} == {101}
            assert [type(event) for event in heard][-2:] == [OrderAccepted, OrderClosed]
            answer = none.call(c.QueryAccount(0, 101), PATIENCE_SECONDS)
            assert answer.events
            assert none.poll() == []


def test_the_layouts_do_not_mix(tmp_path: Path) -> None:
    for text in ("matching_shards = 2\n", '[addresses]\nrisk = "tcp://127.0.0.1:7500"\n'):
        with pytest.raises(ConfigError, match=r'but the layout is "one"; give layout = "separate"'):
            parse_config(text, "a.toml")
    with pytest.raises(ConfigError, match=r"'two' is unknown; .*allowed are one, separate"):
        parse_config('layout = "two"\n', "a.toml")
    for begun, other, services in ((ONE, SEPARATE, SERVICES), (SEPARATE, ONE, (ALL,))):
        folder = tmp_path / begun
        with Processes(folder, begun) as processes:
            processes.start_all()
            processes.wait_until_ready()
            processes.stop()
        with Processes(folder, other) as processes:
            for name in services:
                processes.start(name)
                assert processes.running[name].wait(PATIENCE_SECONDS) == 2
                assert f'begun with layout = "{begun}", not "{other}"' in processes.log(name)
