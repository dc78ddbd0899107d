"""Matching in several processes: the same state, order and events as in one, whatever dies."""

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import commands as c
from engine import internal as k
from engine.commands import Command
from engine.events import Event
from engine.instruments import InstrumentSpec
from engine.record.hashing import state_hash
from engine.record.service_journal import ServiceJournal
from engine.record.snapshot import pack, unpack
from engine.routing.topology import BOOK_OF, GATEWAY, LIQUIDATION, MATCHING, RISK, ROUTES
from engine.services.hub import Hub
from engine.services.leaf import Leaf
from engine.services.rounds import Answer, Batch, Outputs, Round, encode_frame
from engine.services.service_config import ConfigError, parse_config
from engine.services.shards import MAX_SHARDS, Shards, component_of
from gateway.host.parts import risk_hub
from tests.messages import changed
from tests.services.streams import RULEBOOKS, START_NS, Stream, instruments, rankless
from tests.services.test_rounds import Wires, cut, on_the_bus

FAR_IDS = (0, 4, 5, 9, 999)
"""Instruments besides those of the streams (3 and 7), so that most shards have several books."""


def more_instruments() -> list[InstrumentSpec]:
    linear = instruments()[0]
    return [
        msgspec.structs.replace(linear, instrument_id=number, symbol=f"LIN-{number}")
        for number in FAR_IDS
    ]


def wide_stream(seed: int, rulebook: str, count: int) -> list[Command]:
    """A stream in which orders, cancels and index prices are spread over seven instruments."""
    rng = random.Random(seed)
    commands = Stream(seed, rulebook).take(count)
    listed = next(
        place
        for place, command in enumerate(commands)
        if isinstance(command, c.AddInstrument) and command.spec.instrument_id == 7
    )
    added = [c.AddInstrument(START_NS, spec) for spec in more_instruments()]
    rng.shuffle(added)
    rest = [moved(command, rng) for command in commands[listed + 1 :]]
    first = [c.IndexPrice(START_NS, number, 1, 10_000) for number in FAR_IDS]
    opening = next(place for place, command in enumerate(rest) if isinstance(command, c.IndexPrice))
    return [*commands[: listed + 1], *added, *rest[:opening], *first, *rest[opening:]]


def moved(command: Command, rng: random.Random) -> Command:
    """A command for the linear contract, perhaps for another one like it."""
    if not isinstance(command, c.SubmitOrder | c.SubmitTrigger | c.IndexPrice | c.SetLeverage):
        return command
    if command.instrument_id != 7 or rng.random() < 0.3:
        return command
    return changed(command, instrument_id=rng.choice(FAR_IDS))


def merged(states: list[Any]) -> list[Any]:
    """The books of all shards as one matching engine would list them."""
    return sorted((book for state in states for book in state), key=lambda book: book[0])


class ShardedWires(Wires):
    """The same with matching in several parts."""

    def __init__(self, shards: Shards, rng: random.Random, restarts: bool) -> None:
        self.shards = shards
        self.names = (RISK, *shards.names, LIQUIDATION)
        super().__init__(rng, restarts)

    def fresh(self, name: str) -> Hub | Leaf:
        return risk_hub(self.shards) if name == RISK else super().fresh(name)

    def state(self) -> list[Any]:
        books = merged([self.parts[name].state() for name in self.shards.names])
        return [self.parts[RISK].state()[1], books, self.parts[LIQUIDATION].state()]

    def private(self) -> list[Event]:
        return [
            rankless(event)
            for outcome in self.outcomes
            for group in (*outcome.direct, outcome.later)
            for event in group
        ]


def of_each_instrument(events: list[Event]) -> dict[int, list[Event]]:
    found: dict[int, list[Event]] = {}
    for event in events:
        found.setdefault(event.instrument_id, []).append(event)  # type: ignore[union-attr]
    return found


@given(
    seed=st.integers(0, 10**6),
    rulebook=st.sampled_from(RULEBOOKS),
    count=st.integers(1, 4),
    largest=st.sampled_from((1, 3, 20, 200)),
    restarts=st.booleans(),
)
def test_shards_equal_the_bus(
    seed: int, rulebook: str, count: int, largest: int, restarts: bool
) -> None:
    rng = random.Random(seed)
    batches = cut(wide_stream(seed, rulebook, 400), rng, largest)
    wires = ShardedWires(Shards(count), rng, restarts)
    wires.run(batches)
    state, events, public = on_the_bus(batches)
    assert state_hash(wires.state()) == state_hash(state)
    assert wires.private() == [rankless(event) for event in events]
    assert [len(outcome.direct) for outcome in wires.outcomes] == [len(batch) for batch in batches]
    assert of_each_instrument(wires.public) == of_each_instrument(public)


def test_the_streams_reach_every_shard_with_several_messages_at_once() -> None:
    """What the property test compares would prove little if one shard had everything."""
    batches = cut(wide_stream(5, RULEBOOKS[0], 600), random.Random(1), 20)
    _, _, public = on_the_bus(batches)
    counts = {number: len(own) for number, own in of_each_instrument(public).items()}
    assert sorted(counts) == sorted((3, 7, *FAR_IDS))
    assert min(counts.values()) > 4, counts


# routing


@pytest.mark.parametrize(
    "message",
    [
        k.PlaceOrder(1, 5, 100, 7, 1, 1, 1, 1, False, 0),
        k.PullOrder(1, 5, 7, 0),
        k.ChangeOrder(1, 5, 7, 1, 1),
        k.PositionMoved(1, 7, 100, 0, -5),
        k.InstrumentListed(1, instruments()[0]),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_about_a_book_goes_to_its_shard_alone(message: Any) -> None:
    assert Shards(1).receivers(message) == (MATCHING,)
    assert Shards(3).receivers(message) == ("matching-1",)
    assert Shards(4).receivers(message) == ("matching-3",)


def test_time_goes_to_every_shard_and_nothing_else_does() -> None:
    assert Shards(3).receivers(c.AdvanceTime(1)) == ("matching-0", "matching-1", "matching-2")
    to_matching = {kind for kind, names in ROUTES.items() if MATCHING in names}
    assert to_matching - set(BOOK_OF) == {c.AdvanceTime}
    assert set(BOOK_OF) <= to_matching


def test_answers_to_one_message_are_merged_by_instrument_whoever_answers_first() -> None:
    def tops(*numbers: int) -> list[Any]:
        return [k.BookTop(START_NS, number, number, number + 1) for number in numbers]

    heard: list[Any] = []

    def risk(message: Any, out: list[Any]) -> None:
        heard.append(message)

    hub = Hub(risk, list, lambda state: risk, Shards(3))
    out: Outputs = []
    hub.handle(GATEWAY, encode_frame(Batch(1, [c.AdvanceTime(START_NS)])), out)
    assert [name for name, _ in out] == ["matching-0", "matching-1", "matching-2", LIQUIDATION]
    answers = {
        "matching-2": tops(2, 5, 8),
        "matching-0": tops(0, 9),
        LIQUIDATION: [],
        "matching-1": tops(1, 4),
    }
    for name, caused in answers.items():
        hub.handle(name, encode_frame(Answer([caused])), out)
    assert heard == [c.AdvanceTime(START_NS), *tops(0, 1, 2, 4, 5, 8, 9)]


def test_a_hub_restored_between_two_answers_goes_on() -> None:
    def run(restored: bool) -> list[tuple[str, Any]]:
        hub = Hub(lambda message, out: None, list, lambda state: silent, Shards(2))
        out: Outputs = []
        hub.handle(GATEWAY, encode_frame(Batch(1, [c.AdvanceTime(START_NS)])), out)
        hub.handle("matching-1", encode_frame(Answer([[k.BookTop(START_NS, 7, 1, 2)]])), out)
        if restored:
            state = unpack(pack(hub.state()))
            hub = Hub(silent, list, lambda state: silent, Shards(2))
            hub.restore(state)
        hub.handle(LIQUIDATION, encode_frame(Answer([[]])), out)
        hub.handle("matching-0", encode_frame(Answer([[k.BookTop(START_NS, 4, 1, 2)]])), out)
        assert hub.batches_done == 1
        return out

    def silent(message: Any, out: list[Any]) -> None:
        """Says nothing to anything."""

    assert run(restored=True) == run(restored=False)


def test_a_shard_hears_only_of_its_own_instruments() -> None:
    hub = risk_hub(Shards(2))
    out: Outputs = []
    commands: list[Command] = [
        command
        for command in wide_stream(3, RULEBOOKS[0], 0)
        if isinstance(command, c.AddAsset | c.SetRulebook | c.AddInstrument)
    ]
    hub.handle(GATEWAY, encode_frame(Batch(1, commands)), out)
    listed = {
        name: [
            message.spec.instrument_id
            for message in msgspec.msgpack.decode(frame, type=Round).messages
            if isinstance(message, k.InstrumentListed)
        ]
        for name, frame in out
        if name != LIQUIDATION
    }
    assert {name: sorted(ids) for name, ids in listed.items()} == {
        "matching-0": [0, 4],
        "matching-1": [3, 5, 7, 9, 999],
    }


# settings


def test_one_shard_is_called_as_ever_and_several_are_numbered() -> None:
    one = parse_config('layout = "separate"', "services.toml")
    assert one.services() == (RISK, MATCHING, LIQUIDATION, GATEWAY)
    three = parse_config("layout = 'separate'\nmatching_shards = 3", "services.toml")
    shards = ("matching-0", "matching-1", "matching-2")
    assert three.services() == (RISK, *shards, LIQUIDATION, GATEWAY)
    assert three.peers(RISK) == (GATEWAY, *shards, LIQUIDATION)
    assert three.peers(GATEWAY) == (RISK, *shards)
    assert three.peers("matching-1") == (RISK, GATEWAY)
    assert list(three.inboxes()) == list(three.services())
    assert [component_of(name) for name in shards] == [MATCHING] * 3


def test_every_shard_has_a_port_of_its_own_for_metrics() -> None:
    config = parse_config(
        "layout = 'separate'\nmatching_shards = 2\n[metrics]\nbase_port = 7410", "services.toml"
    )
    ports = {name: config.metrics.port(name, config.shards()) for name in config.services()}
    assert ports == {
        GATEWAY: 7410,
        RISK: 7411,
        "matching-0": 7412,
        "matching-1": 7413,
        LIQUIDATION: 7414,
    }
    with pytest.raises(ConfigError, match="1 to 65530"):
        parse_config(
            "layout = 'separate'\nmatching_shards = 2\n[metrics]\nbase_port = 65531",
            "services.toml",
        )


@pytest.mark.parametrize("count", [-1, 0, MAX_SHARDS + 1])
def test_a_number_of_shards_that_cannot_be_is_refused(count: int) -> None:
    with pytest.raises(ConfigError, match=rf"x\.toml: matching_shards .*: {count} is out of range"):
        parse_config(f"layout = 'separate'\nmatching_shards = {count}", "x.toml")
    with pytest.raises(ValueError, match="allowed: 1 to"):
        Shards(count)


def test_an_address_for_a_shard_that_is_not_there_is_refused() -> None:
    table = '[addresses]\nmatching-1 = "ipc:///tmp/matching-1.ipc"'
    config = parse_config(f"layout = 'separate'\nmatching_shards = 2\n{table}", "x.toml")
    assert config.address("matching-1") == "ipc:///tmp/matching-1.ipc"
    with pytest.raises(ConfigError, match=r"addresses\.matching-1 .* allowed are risk, m"):
        parse_config(f"layout = 'separate'\n{table}", "x.toml")


def test_a_journal_keeps_the_number_of_shards_it_was_begun_with(tmp_path: Path) -> None:
    journal = ServiceJournal(tmp_path / "risk.journal", RISK)
    assert journal.begun_with("matching_shards", "3") == "3"
    journal.close()
    again = ServiceJournal(tmp_path / "risk.journal", RISK)
    assert again.begun_with("matching_shards", "2") == "3"
    again.close()
