"""Every message survives the wire, nothing else does, and the routing table knows each one."""

import ast
import re
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import Deposit
from engine.events import CommandRejected, OrderClosed
from engine.forms import struct_form
from engine.internal import FireTrigger, PlaceOrder
from engine.messages import (
    COMMAND_TYPES,
    EVENT_TYPES,
    INTERNAL_TYPES,
    decode_command,
    decode_message,
    encode,
)
from engine.native_message import NativeMessage, from_wire
from engine.routing.topology import (
    COMPONENTS,
    EVENT_SENDERS,
    GATEWAY,
    LIQUIDATION,
    MATCHING,
    RISK,
    ROUTES,
    SENDERS,
    draw,
)
from gateway.protocol import Reply

ROOT = Path(__file__).parents[2]
ALL_TYPES = COMMAND_TYPES + INTERNAL_TYPES + EVENT_TYPES
FOLDERS = {MATCHING: "matching", RISK: "risk", LIQUIDATION: "risk/liquidation"}


def example(kind: msgspec.inspect.Type, numbers: "count[int]") -> Any:
    """A value of this type, different from every other one made with the same numbers."""
    match kind:
        case msgspec.inspect.IntType():
            return next(numbers) * 7_919 - 100_000
        case msgspec.inspect.StrType():
            return f"text {next(numbers)}"
        case msgspec.inspect.BoolType():
            return next(numbers) % 2 == 0
        case msgspec.inspect.ListType(item_type=item):
            return [example(item, numbers), example(item, numbers)]
        case msgspec.inspect.TupleType(item_types=items):
            return tuple(example(item, numbers) for item in items)
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            return cls(*(example(field.type, numbers) for field in fields))
    raise AssertionError(f"no example for {kind}")


def example_of(message_type: type) -> Any:
    struct = example(msgspec.inspect.type_info(struct_form(message_type)), count(1))
    return from_wire([struct])[0]


def named(message_type: type) -> str:
    return message_type.__name__


@pytest.mark.parametrize("message_type", ALL_TYPES, ids=named)
def test_every_message_survives_the_wire(message_type: type) -> None:
    message = example_of(message_type)
    back = decode_message(encode(message))
    assert type(back) is message_type
    assert back == message


@pytest.mark.parametrize("message_type", COMMAND_TYPES, ids=named)
def test_every_command_survives_the_journal(message_type: type) -> None:
    command = example_of(message_type)
    assert decode_command(encode(command)) == command


@pytest.mark.parametrize("message_type", INTERNAL_TYPES + EVENT_TYPES, ids=named)
def test_links_and_events_are_no_commands(message_type: type) -> None:
    with pytest.raises(ValueError, match=r"^not a command: Invalid value '"):
        decode_command(encode(example_of(message_type)))


STRUCTS = [kind for kind in ALL_TYPES if not issubclass(kind, NativeMessage)]


@pytest.mark.parametrize("message_type", STRUCTS, ids=named)
def test_messages_cannot_be_changed(message_type: type) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        example_of(message_type).time_ns = 1


def test_the_wire_form_is_the_name_and_the_fields_in_order() -> None:
    assert msgspec.msgpack.decode(encode(Deposit(5, 100, 1, -7))) == ["Deposit", 5, 100, 1, -7]
    order = PlaceOrder(5, 1, 100, 2, -1, 7, 9_000, 1, True, 3)
    wire = ["PlaceOrder", 5, 1, 100, 2, -1, 7, 9_000, 1, True, 3, False, False, 0]
    assert msgspec.msgpack.decode(encode(order)) == wire


def test_messages_are_equal_when_all_their_fields_are() -> None:
    order = PlaceOrder(5, 1, 100, 2, -1, 7, 9_000, 1, True, 3)
    assert order == PlaceOrder(5, 1, 100, 2, -1, 7, 9_000, 1, True, 3, False)
    assert order != PlaceOrder(5, 1, 100, 2, -1, 7, 9_000, 1, True, 3, True)
    assert order != "PlaceOrder"
    assert repr(order).startswith("PlaceOrder(time_ns=5, order_id=1, account_id=100, ")
    assert repr(order).endswith("stp=3, liquidation=False, reduce_only=False, leg=0)")


@pytest.mark.parametrize("message_type", ALL_TYPES, ids=named)
def test_every_cut_short_message_is_refused(message_type: type) -> None:
    data = encode(example_of(message_type))
    for length in range(len(data)):
        with pytest.raises(ValueError, match=r"^not a message: "):
            decode_message(data[:length])


WIRE_ERRORS = [
    (b"", "Input data was truncated"),
    (b"\xc1", "invalid opcode"),
    (msgspec.msgpack.encode({"type": "AdvanceTime"}), "Expected `array`, got `object`"),
    (msgspec.msgpack.encode([]), "at least length 1, got 0"),
    (msgspec.msgpack.encode(["NoSuchThing", 1]), "Invalid value 'NoSuchThing'"),
    (msgspec.msgpack.encode([7, 1]), "Expected `str`"),
    (msgspec.msgpack.encode(["AdvanceTime"]), "at least length 2, got 1"),
    (msgspec.msgpack.encode(["AdvanceTime", "noon"]), "Expected `int`, got `str`"),
    (msgspec.msgpack.encode(["AdvanceTime", 1.5]), "Expected `int`, got `float`"),
    (msgspec.msgpack.encode(["AdvanceTime", True]), "Expected `int`, got `bool`"),
    (msgspec.msgpack.encode(["AdvanceTime", None]), "Expected `int`, got `None`"),
    (b"\x91" * 100_000, ""),
    (b"\x92\xa7Deposit" + b"\x91" * 100_000, ""),
    # Of text that is none the message differs between versions of the library.
    (b"\x92\xa3\xff\xfe\xfd\x01", ""),
]


@pytest.mark.parametrize(("data", "problem"), WIRE_ERRORS, ids=range(len(WIRE_ERRORS)))
def test_malformed_bytes_are_a_value_error(data: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^not a command: .*{re.escape(problem)}"):
        decode_command(data)
    with pytest.raises(ValueError, match=f"^not a message: .*{re.escape(problem)}"):
        decode_message(data)


@given(st.binary(max_size=64))
def test_random_bytes_are_a_message_or_a_value_error(data: bytes) -> None:
    try:
        message = decode_message(data)
    except ValueError:
        return
    assert type(message) in ALL_TYPES


@given(st.sampled_from(ALL_TYPES), st.data())
def test_a_flipped_byte_is_a_message_or_a_value_error(
    message_type: type, data: st.DataObject
) -> None:
    wire = bytearray(encode(example_of(message_type)))
    wire[data.draw(st.integers(0, len(wire) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        message = decode_message(bytes(wire))
    except ValueError:
        return
    assert type(message) in ALL_TYPES


def test_defaults_are_filled_in_where_the_wire_form_ends_early() -> None:
    data = msgspec.msgpack.encode(["CommandRejected", 1, 100, 5, 201])
    assert decode_message(data) == CommandRejected(1, 100, 5, 201, 0, 0, "")


@pytest.mark.parametrize("message_type", ALL_TYPES, ids=named)
def test_type_names_are_unique_on_the_wire(message_type: type) -> None:
    assert [other.__name__ for other in ALL_TYPES].count(message_type.__name__) == 1


@pytest.mark.parametrize("message_type", COMMAND_TYPES + INTERNAL_TYPES, ids=named)
def test_every_command_and_link_has_a_sender_and_receivers(message_type: type) -> None:
    receivers = ROUTES[message_type]
    assert receivers
    assert len(dict.fromkeys(receivers)) == len(receivers)
    for receiver in receivers:
        assert receiver in COMPONENTS
    assert SENDERS[message_type] in (GATEWAY, *COMPONENTS)
    to_itself = message_type is FireTrigger
    assert (SENDERS[message_type] in receivers) == to_itself


@pytest.mark.parametrize("message_type", EVENT_TYPES, ids=named)
def test_no_component_takes_an_event(message_type: type) -> None:
    assert message_type not in ROUTES
    assert message_type not in SENDERS


def test_only_commands_come_from_the_gateway() -> None:
    from_gateway = [message for message, sender in SENDERS.items() if sender == GATEWAY]
    assert from_gateway == list(COMMAND_TYPES)


def test_the_table_names_nothing_but_commands_and_links() -> None:
    assert sorted(map(named, ROUTES)) == sorted(map(named, COMMAND_TYPES + INTERNAL_TYPES))
    assert sorted(map(named, SENDERS)) == sorted(map(named, ROUTES))


def made_by(component: str) -> list[str]:
    """Names of everything the component's source calls, so of every message it makes."""
    called: list[str] = []
    for path in sorted((ROOT / FOLDERS[component]).rglob("*.py")):
        if component == RISK and path.is_relative_to(ROOT / FOLDERS[LIQUIDATION]):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called.append(ast.unparse(node.func).split(".")[-1])
    return called


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_makes_the_links_the_table_says_it_sends(component: str) -> None:
    made = made_by(component)
    for link in INTERNAL_TYPES:
        assert (link.__name__ in made) == (SENDERS[link] == component), link.__name__


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_makes_events_if_the_table_says_it_publishes(component: str) -> None:
    made = made_by(component)
    publishes = any(event.__name__ in made for event in EVENT_TYPES)
    assert publishes == (component in EVENT_SENDERS)


def test_the_printed_table_shows_each_route_once() -> None:
    rows = re.findall(r"^\| (\w+) \| (\w+) \| ([A-Z][\w, ]+) \|$", draw(), re.MULTILINE)
    printed = [
        (sender, name, receiver) for sender, receiver, names in rows for name in names.split(", ")
    ]
    table = [
        (SENDERS[message], message.__name__, receiver)
        for message, receivers in ROUTES.items()
        for receiver in receivers
    ]
    assert sorted(printed) == sorted(table)
    assert len(rows) == len(dict.fromkeys((sender, receiver) for sender, receiver, _ in rows))


def test_the_table_on_the_architecture_page_is_the_programs() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    block = re.search(r"<!-- topology -->\n(.*?)\n<!-- /topology -->", page, re.DOTALL)
    assert block is not None, "docs/architecture.md has no block between the topology markers"
    assert block[1] == draw(), "docs/architecture.md: replace it by engine.routing.topology.draw()"


def test_a_refusal_is_printed_with_its_reason_in_words() -> None:
    rejected = CommandRejected(1, 2, 3, 208, detail="no index yet")
    assert "reason=208 (no mark price)" in repr(rejected) and rejected.words == (
        "208 no mark price: no index yet"
    )
    closed = OrderClosed(1, 2, 3, 4, 5, 301)
    assert (
        repr(closed)
        == str(closed)
        == (
            "OrderClosed(time_ns=1, account_id=2, order_id=3, instrument_id=4, remaining_lots=5, "
            "reason=301 (cancelled by owner))"
        )
    )
    assert CommandRejected(1, 2, 3, 9_999).words == "9999 of a later version"
    reply = Reply(7, 0, [closed, rejected])
    assert reply.rejection is rejected and Reply(7, 0, [closed]).rejection is None
