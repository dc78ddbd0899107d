"""The protocol as others see it: a client in another language, and versions that only add."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from engine import commands as c
from engine import events as e
from engine.forms import struct_form
from engine.messages import COMMAND_TYPES, EVENT_TYPES
from engine.native_message import to_wire
from engine.reasons import REASON_TEXT
from gateway import protocol as p
from gateway.client import Client
from gateway.connection import Connection
from tests.messages import field_names
from tests.services.processes import PATIENCE_SECONDS, ROOT
from tests.services.supervised import Running
from tests.services.test_opening_market import TABLES, TOP

NODE = shutil.which("node")
PAGE = ROOT / "docs" / "protocol.md"
MORE: list[Any] = [7, "of a later version", None, [1, [2]]]
pack = msgspec.msgpack.Encoder(enc_hook=to_wire).encode
unpack = msgspec.msgpack.decode


@pytest.mark.skipif(NODE is None, reason="there is no node on this machine")
def test_a_client_in_another_language_trades(tmp_path: Path) -> None:
    assert NODE is not None
    with Running(tmp_path, top=TOP, tables=TABLES) as up:
        done = subprocess.run(
            [NODE, str(ROOT / "examples/node/seawall.mjs"), up.address.commands, "100", "1"],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        welcome, market, sent, cancelled, unknown, told = map(json.loads, done.stdout.splitlines())
        assert welcome["welcome"][0] == "anonymous" and welcome["welcome"][4] == p.VERSION
        [report] = market["events"]
        assert report[0] == "MarketReport" and report[5][0][0][1] == "WAVE-PERP"
        [accepted] = sent["events"]
        assert accepted[0] == "OrderAccepted" and accepted[3] == sent["orderId"] > 0
        assert cancelled["events"] == []
        [refused] = unknown["events"]
        assert refused[0] == "CommandRejected" and refused[4] == 103
        [closed] = [event for event in told["events"] if event[0] == "OrderClosed"]
        assert closed[3] == sent["orderId"] and closed[6] == 301
        with Client(up.address) as client:
            [orders] = client.call(c.QueryOrders(0, 100)).events
            assert orders.orders == []  # type: ignore[union-attr]


BAD_IN_A_FRAME = """
import { Client } from "%s";
const client = new Client("%s");
await client.connect();
const order = (lots) => ["SubmitOrder", 0, 100, 1, 0, 1, lots, 9_000];
const raised = [];
for (const lots of [1.5, "5", null, undefined, 2n ** 63n]) {
  try { await client.call(order(lots)); } catch (error) { raised.push(error.name); }
}
const replies = await client.ask([order(3), order("5"), order(4)]);
const told = [raised, replies.map((reply) => reply.events[0])];
console.log(JSON.stringify(told, (_, value) => typeof value === "bigint" ? 0 : value));
client.close();
"""


@pytest.mark.skipif(NODE is None, reason="there is no node on this machine")
def test_a_mistake_in_another_language_is_refused_where_it_is_made(tmp_path: Path) -> None:
    """In the client, before anything is sent; and what a frame has besides is carried out."""
    assert NODE is not None
    with Running(tmp_path, top=TOP, tables=TABLES) as up:
        module = (ROOT / "examples/node/seawall.mjs").as_uri()
        script = BAD_IN_A_FRAME % (module, up.address.commands)
        done = subprocess.run(
            [NODE, "--input-type=module", "--eval", script],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        raised, (first, bad, last) = json.loads(done.stdout)
        assert raised == ["TypeError"] * 5
        assert (first[0], last[0]) == ("OrderAccepted", "OrderAccepted")
        assert (bad[0], bad[4]) == ("CommandRejected", 112)
        with Client(up.address) as client:
            report = client.call(c.QueryOrders(0, 100)).events[0]
            assert isinstance(report, e.OrdersReport)
            assert [order.qty_lots for order in report.orders] == [3, 4]


def with_more(value: Any) -> Any:
    """A message with fields behind its own, inner ones too where they are messages."""
    if isinstance(value, list):
        inner = [with_more(one) for one in value]
        is_message = value and isinstance(value[0], str) and value[0][:1].isupper()
        return [*inner, *MORE] if is_message else inner
    return value


def samples() -> list[Any]:
    rejected = e.CommandRejected(1, 100, 3, 208)
    closed = e.OrderClosed(1, 100, 3, 4, 5, 301)
    return [
        p.Welcome("ann", [100], ["read"], 7),
        p.Pong(True),
        p.Delivery(1, [p.Replies([1], [0], [[rejected]])], [[closed, rejected]], [(100, 1, 2)]),
        p.Refused("no"),
        p.AccountEvents(100, 0, 1, 1, [closed]),
    ]


@pytest.mark.parametrize("message", samples(), ids=lambda message: type(message).__name__)
def test_a_client_passes_over_fields_behind_those_it_knows(message: Any) -> None:
    data = pack(message)
    assert p.decode_from_server(pack(with_more(unpack(data)))) == p.decode_from_server(data)


def parts_of(kinds: Iterable[type]) -> Iterator[type]:
    """Structs without a name of their own that stand in these, at any depth."""
    for kind in kinds:
        for hint in get_type_hints(struct_form(kind)).values():
            for inner in (hint, *get_args(hint)):
                if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                    yield inner
                    yield from parts_of([inner])


PARTS = sorted({*parts_of([*COMMAND_TYPES, *EVENT_TYPES])}, key=lambda kind: kind.__name__)


def some(hint: Any) -> Any:
    """A value of a field, as on the wire."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return [some(inner) for inner in get_type_hints(hint).values()]
    return [] if get_origin(hint) is list else hint(1)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_parts_of_events_may_grow_as_well(part: type) -> None:
    decode = msgspec.msgpack.Decoder(part).decode
    assert decode(pack([*some(part), *MORE])) == decode(pack(some(part)))


def test_a_gateway_passes_over_fields_behind_those_it_knows_and_does_without_later_ones() -> None:
    for message in (
        p.Hello(run=3),
        p.Ping(),
        p.DepthRequest(7),
        p.EventsRequest(100, 5),
        p.Submit(3, [(1, c.SubmitOrder(0, 100, 7, 0, c.BUY, 1, 9_000))]),
    ):
        data = pack(message)
        assert p.decode_from_client(pack(with_more(unpack(data)))) == p.decode_from_client(data)
    order = ["SubmitOrder", 0, 100, 7, 0, 1, 1, 9_000]
    [(_, read)] = p.decode_from_client(pack(["Submit", 3, [[1, order]]])).requests  # type: ignore[union-attr]
    assert read == c.SubmitOrder(0, 100, 7, 0, c.BUY, 1, 9_000)
    assert p.decode_from_client(pack(["Hello"])) == p.Hello()


def test_events_and_messages_of_a_later_version_are_left_out() -> None:
    closed = unpack(pack(e.OrderClosed(1, 100, 3, 4, 5, 301)))
    later = ["OrderTeleported", 1, 100, {"where": "elsewhere"}]
    plain = ["Delivery", 1, [[[1], [0], [[closed]]]], [[closed]], [[100, 1, 2]]]
    mixed = ["Delivery", 1, [[[1], [0], [[later, closed]]]], [[closed, later]], [[100, 1, 2]], 9]
    assert p.decode_from_server(pack(mixed)) == p.decode_from_server(pack(plain))
    account = ["AccountEvents", 100, 0, 1, 2, [later, closed]]
    assert p.decode_from_server(pack(account)) == (
        p.decode_from_server(pack(["AccountEvents", 100, 0, 1, 2, [closed]]))
    )
    assert p.decode_events(pack([later, closed])) == p.decode_events(pack([closed]))
    assert p.decode_from_server(pack(["Weather", "fine"])) == p.Unknown("Weather")
    connection = Connection(1)
    connection.receive(pack(["Weather", "fine"]), 5)
    assert connection.last_heard_ns == 5 and connection.welcome is None


@pytest.mark.parametrize(
    "wrong",
    [
        ["OrderClosed", "soon"],
        ["Delivery", 1, [], [[["OrderClosed", "soon"]]], []],
        ["Welcome", 3],
        [],
        [5],
        {},
    ],
)
def test_what_is_wrong_in_what_is_known_is_still_refused(wrong: Any) -> None:
    if wrong and wrong[0] == "OrderClosed":
        with pytest.raises(ValueError):
            p.decode_events(pack([wrong]))
        return
    with pytest.raises(ValueError):
        p.decode_from_server(pack(wrong))


def rows(kind: type) -> str:
    """How the page lists a message: its tag and its fields in order."""
    return f"| `{kind.__name__}` | {', '.join(f'`{name}`' for name in field_names(kind))} |"


@pytest.mark.parametrize(
    "kinds", [COMMAND_TYPES, EVENT_TYPES, PARTS], ids=["commands", "events", "parts"]
)
def test_the_page_lists_every_command_and_event_with_its_fields(kinds: tuple[type, ...]) -> None:
    listed = PAGE.read_text().splitlines()
    missing = [rows(kind) for kind in kinds if rows(kind) not in listed]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize(
    "kind", get_args(p.ClientMessage | p.ServerMessage), ids=lambda kind: kind.__name__
)
def test_the_page_lists_every_message_with_its_fields(kind: type) -> None:
    [row] = [one for one in PAGE.read_text().splitlines() if one.startswith(f"| `{kind.__name__}`")]
    cell = row.split("|")[2]
    named = [name for name in re.findall("`(.+?)`", cell) if name in field_names(kind)]
    assert named == [*field_names(kind)]


def test_the_page_lists_every_topic() -> None:
    text = PAGE.read_text()
    topics = [getattr(p, name).decode() for name in dir(p) if name.endswith("_TOPIC")]
    assert len(topics) == 6
    missing = [one for one in topics if f"`{one}N.`" not in text and f"`{one}`" not in text]
    assert not missing, missing
    fields = ", ".join(field_names(p.DepthSequence))
    assert f'["DepthSequence", {fields}]' in text


def test_the_page_lists_every_reason() -> None:
    text = PAGE.read_text()
    missing = [f"{n} {words}" for n, words in REASON_TEXT.items() if f"{n} {words}" not in text]
    assert not missing, "; ".join(missing)


def test_the_page_says_which_version_is_spoken() -> None:
    assert f"Version {p.VERSION}." in PAGE.read_text()
