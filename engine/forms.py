"""The two forms of a message: a struct, and where the engine is compiled a native class."""

from importlib import import_module
from typing import Annotated, Final, TypeVar

import msgspec

from engine.native_message import decoded_as
from engine.reasons import shown
from engine.units import COMPILED

Word = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that fits a machine word."""


class Hashed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A struct some of whose fields may be lists: equal ones have equal hashes all the same. It
    prints a reason with its words."""

    def __hash__(self) -> int:
        values = msgspec.structs.astuple(self)
        try:
            return hash(values)
        except TypeError:
            return hash(tuple(tuple(v) if isinstance(v, list) else v for v in values))

    def __repr__(self) -> str:
        names = self.__struct_fields__
        return shown(type(self).__name__, ((name, getattr(self, name)) for name in names))


Struct = TypeVar("Struct", bound=type[msgspec.Struct])


def native(struct: Struct) -> Struct:
    """The class the running build uses for a message that nearly every command makes and reads.

    In plain Python that is the struct itself. Compiled, it is the class that the build wrote from
    the struct's definition (``setup_messages.py``), as a user sees it the same.
    """
    if not COMPILED:
        return struct
    name = struct.__name__
    written = import_module("engine.native_classes")
    kind: Struct = getattr(written, name)
    for manner in ("__doc__", "__match_args__", "__module__", "__struct_fields__"):
        setattr(kind, manner, getattr(struct, manner))
    decoded_as(struct, getattr(written, f"make_{name}"))
    _STRUCTS[kind] = struct
    return kind


def struct_form(kind: type) -> type[msgspec.Struct]:
    """The struct a decoder has to be told of in the place of a message type."""
    return _STRUCTS.get(kind, kind)


_STRUCTS: Final[dict[type, type[msgspec.Struct]]] = {}
