"""The native classes the build writes have the fields of the structs they are written from."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from engine import commands, events, internal
from engine.build_info import build_kind
from engine.forms import struct_form
from engine.messages import COMMAND_TYPES, EVENT_TYPES, INTERNAL_TYPES, decode_message, encode
from engine.native_message import NativeMessage, to_wire
from setup_messages import native_classes, with_native_classes, write_messages

ROOT = Path(__file__).parents[2]

BUSY = {
    commands: ("SubmitOrder", "CancelOrder", "AmendOrder", "IndexPrice"),
    events: (
        *("OrderAccepted", "OrderFilled", "OrderAmended", "OrderClosed"),
        *("Trade", "BookLevel", "MarkUpdated"),
    ),
    internal: (
        *("PlaceOrder", "PullOrder", "ChangeOrder", "Fill", "OrderGone", "OrderChanged"),
        *("PullFailed", "BookTop"),
    ),
}
"""What nearly every command, or every mark, makes and reads."""

STRUCTS = [struct_form(getattr(module, name)) for module, names in BUSY.items() for name in names]


def named(kind: type) -> str:
    return kind.__name__


def values_of(struct: type[msgspec.Struct]) -> list[Any]:
    """A different value for every number; flags take turns."""
    fields = msgspec.structs.fields(struct)
    return [
        place % 2 == 0 if field.type is bool else 10 + place for place, field in enumerate(fields)
    ]


def required_of(struct: type[msgspec.Struct]) -> list[Any]:
    fields = msgspec.structs.fields(struct)
    return [value for value, field in zip(values_of(struct), fields, strict=True) if field.required]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The native classes: those that run, or the written ones read by plain Python."""
    if build_kind() == "compiled":
        return sys.modules["engine.native_classes"]
    path, _ = write_messages(ROOT, tmp_path_factory.mktemp("messages"))
    module = ModuleType("native_classes")
    exec(compile(path.read_text(), path, "exec"), vars(module))
    return module


def test_the_busy_messages_and_no_others_have_native_classes(written: Any) -> None:
    found = {
        name
        for name, kind in vars(written).items()
        if isinstance(kind, type) and issubclass(kind, NativeMessage) and kind is not NativeMessage
    }
    assert found == {struct.__name__ for struct in STRUCTS}


def test_the_running_messages_are_native_where_the_engine_is_compiled() -> None:
    kinds = {*COMMAND_TYPES, *INTERNAL_TYPES, *EVENT_TYPES}
    native = {kind for kind in kinds if issubclass(kind, NativeMessage)}
    assert len(native) == (len(STRUCTS) if build_kind() == "compiled" else 0)


@pytest.mark.parametrize("struct", STRUCTS, ids=named)
def test_a_native_class_has_the_fields_of_its_struct(
    struct: type[msgspec.Struct], written: Any
) -> None:
    native = getattr(written, struct.__name__)
    for values in (values_of(struct), required_of(struct)):
        message, same = native(*values), struct(*values)
        fields = msgspec.structs.asdict(same)
        assert {name: getattr(message, name) for name in fields} == fields
        assert to_wire(message) == (struct.__name__, *fields.values())
        assert native(**fields) == message


@pytest.mark.parametrize("struct", STRUCTS, ids=named)
def test_it_is_made_of_a_tuple_of_all_fields(struct: type[msgspec.Struct], written: Any) -> None:
    values = tuple(values_of(struct))
    made = getattr(written, f"make_{struct.__name__}")(values)
    assert made == getattr(written, struct.__name__)(*values)


@pytest.mark.parametrize("struct", STRUCTS, ids=named)
def test_both_are_the_same_on_the_wire(struct: type[msgspec.Struct], written: Any) -> None:
    values = values_of(struct)
    wire = encode(getattr(written, struct.__name__)(*values))
    assert wire == msgspec.msgpack.encode(struct(*values))
    assert encode(decode_message(wire)) == wire


def test_what_is_no_message_has_no_wire_form() -> None:
    with pytest.raises(NotImplementedError, match="object has no wire form"):
        to_wire(object())


DEFINITIONS = '''
from typing import Final

FEW: Final[int] = 3

class _Base(Hashed, frozen=True):
    time_ns: int

class Plain(_Base, frozen=True):
    text: str

@native
class Busy(_Base, frozen=True):
    """Help."""

    size: Word
    many: int = FEW
    odd: bool = False

LAST = Busy
'''


def test_the_compiler_reads_an_import_in_the_place_of_a_native_struct() -> None:
    before, after = DEFINITIONS.split("@native")[0], "\nLAST = Busy\n"
    line = "from engine.native_classes import Busy as Busy\n"
    assert with_native_classes(DEFINITIONS) == before + line + after


def test_word_fields_are_words_and_defaults_are_written_out() -> None:
    (text,) = native_classes(DEFINITIONS)
    assert 'def __init__(self, time_ns: int, size: "i64", many: int = 3, odd: bool = False)' in text


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ("size: str", "Busy.size is str: a native field is one of int, bool, Word"),
        ("size: int = field(default=1)", "Busy.size: a native field's default is a constant"),
        ("size: int = MANY", "Busy.size: a native field's default is a constant"),
    ],
)
def test_what_a_native_class_cannot_hold_ends_the_build(field: str, why: str) -> None:
    with pytest.raises(SystemExit, match=why):
        list(native_classes(DEFINITIONS.replace("size: Word", field)))
