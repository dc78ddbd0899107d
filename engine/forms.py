"""The class the running build uses for each kernel message; see `engine.kernel`."""

import inspect
from typing import Annotated, Any, Final

import msgspec

from engine.help_text import HelpText
from engine.kernel import KernelMessage, Maker, decoded_as
from engine.reasons import shown
from engine.units import COMPILED

FLAGS: Final[frozenset[str]] = frozenset(
    {"answers", "liquidation", "maker", "post_only", "reduce_only", "shrink_only"}
)
"""The fields that are true or false; all others are whole numbers."""

Word = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that fits a machine word."""


class Hashed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A struct some of whose fields may be lists: equal ones have equal hashes all the same."""

    def __hash__(self) -> int:
        values = msgspec.structs.astuple(self)
        return hash(tuple(tuple(v) if isinstance(v, list) else v for v in values))


def form_of(kernel: type[KernelMessage], number: Any = int, maker: Maker | None = None) -> Any:
    """The class itself where it is compiled, a struct with its fields in plain Python.

    ``number`` is what a decoder checks the numbers for: `Word` where the fields are ``i64``.
    ``maker`` makes a message of a tuple of its fields faster than calling the class does.
    """
    struct = _struct_of(kernel, number)
    if not COMPILED:
        return struct
    manners = {name: getattr(struct, name) for name in ("__match_args__", "__struct_fields__")}
    manners["__doc__"] = HelpText(kernel.__module__.rpartition(".")[2], kernel.__name__)
    manners["__module__"] = struct.__module__
    for name, value in manners.items():
        setattr(kernel, name, value)
    decoded_as(struct, maker or (lambda values: kernel(*values)))
    _STRUCTS[kernel] = struct
    return kernel


def struct_form(kind: type) -> type[msgspec.Struct]:
    """The struct a decoder has to be told of in the place of a message type."""
    return _STRUCTS.get(kind, kind)


_STRUCTS: Final[dict[type, type[msgspec.Struct]]] = {}


def _shown(message: msgspec.Struct) -> str:
    names = type(message).__struct_fields__
    return shown(type(message).__name__, ((name, getattr(message, name)) for name in names))


def _struct_of(kernel: type[KernelMessage], number: Any) -> type[msgspec.Struct]:
    fields: list[Any] = []
    for name, argument in inspect.signature(kernel).parameters.items():
        kind = bool if name in FLAGS else number
        fields.append(
            (name, kind) if argument.default is argument.empty else (name, kind, argument.default)
        )
    return msgspec.defstruct(
        kernel.__name__,
        fields,
        module=kernel.__module__.replace("kernel_", ""),
        namespace={"__doc__": kernel.__doc__, "__repr__": _shown},
        frozen=True,
        array_like=True,
        tag=True,
        gc=False,
    )
