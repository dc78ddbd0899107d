"""Compiled, an event could be changed and neither pickled nor hashed, and had no help text.

What a user can hold behaves the same in both builds. The tests are the same for both; a pickle of
the one is read by the other.
"""

import copy
import inspect
import pickle
import typing
from typing import Any

import msgspec
import pytest

from engine import commands, events, internal, reports
from engine.forms import struct_form
from engine.messages import (
    COMMAND_TYPES,
    EVENT_TYPES,
    INTERNAL_TYPES,
    decode_message,
    encode,
    fields_of,
)

HOMES = [module.__name__ for module in (commands, internal, events, reports)]
KINDS = [*COMMAND_TYPES, *INTERNAL_TYPES, *EVENT_TYPES]


def named(kind: type) -> str:
    return kind.__name__


def value_of(kind: Any, place: int) -> Any:
    """Some value of a field's type; lists hold one entry."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return value_of(arguments[0], place)
    if origin is list:
        return [value_of(arguments[0], place)]
    if origin is tuple:
        return tuple(value_of(inner, place) for inner in arguments)
    if kind is bool:
        return place % 2 == 0
    if kind is int:
        return 10 + place
    if kind is str:
        return f"text {place}"
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return made(kind)
    raise AssertionError(f"no value for {kind}")


def made(kind: Any) -> Any:
    """A message with a different value in every field."""
    fields = msgspec.structs.fields(struct_form(kind))
    return kind(*(value_of(field.type, place) for place, field in enumerate(fields)))


def test_there_are_messages_with_lists_and_without() -> None:
    held = [
        kind for kind in KINDS if any(isinstance(v, list) for v in fields_of(made(kind)).values())
    ]
    assert {named(kind) for kind in held} >= {"AccountReport", "MarketReport", "RiskReport"}
    assert len(KINDS) > 60


@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_it_pickles_and_copies(kind: Any) -> None:
    message = made(kind)
    for again in (
        pickle.loads(pickle.dumps(message)),
        copy.copy(message),
        copy.deepcopy(message),
        decode_message(encode(message)),
    ):
        assert again == message
        assert type(again) is kind
        assert repr(again) == repr(message)


@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_it_compares_and_hashes_by_its_fields(kind: Any) -> None:
    message = made(kind)
    assert message == made(kind)
    assert hash(message) == hash(made(kind))
    assert {message: 1}[made(kind)] == 1
    other = kind(99, *list(fields_of(message).values())[1:])
    assert other != message
    assert len({message, other, made(kind)}) == 2
    assert message != tuple(fields_of(message).values())
    with pytest.raises(TypeError):
        assert message < other


@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_it_refuses_to_be_changed(kind: Any) -> None:
    message = made(kind)
    before = repr(message)
    for name in fields_of(message):
        with pytest.raises(AttributeError):
            setattr(message, name, 1)
        with pytest.raises(AttributeError):
            delattr(message, name)
    with pytest.raises(AttributeError):
        message.colour = "red"
    assert repr(message) == before


@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_it_shows_its_help_text_where_it_is_imported_from(kind: Any) -> None:
    assert inspect.getdoc(kind)
    assert kind.__module__ in HOMES
    assert getattr(inspect.getmodule(kind), kind.__name__) is kind
    names = list(inspect.signature(kind).parameters)
    assert names == list(fields_of(made(kind)))
    assert kind.__match_args__ == tuple(names)


def test_it_matches_patterns_by_place_and_by_name() -> None:
    trade = made(events.Trade)
    match trade:
        case events.Trade(10, instrument_id, price_ticks=price):
            assert (instrument_id, price) == (trade.instrument_id, trade.price_ticks)
        case _:
            pytest.fail("no match")


WRITTEN = (
    b"\x80\x04\x95-\x00\x00\x00\x00\x00\x00\x00\x8c\x0fengine.commands\x94\x8c\x0bCancelOrder\x94"
    b"\x93\x94K\x05K\x06K\x07\x87\x94R\x94."
)


def test_a_pickle_of_one_build_is_read_by_the_other() -> None:
    assert pickle.loads(WRITTEN) == commands.CancelOrder(5, 6, 7)
    assert pickle.dumps(commands.CancelOrder(5, 6, 7), 4) == WRITTEN
