"""Kernel messages are the same message in every form: as defined, as a struct, on the wire."""

import inspect

import msgspec
import pytest

from engine import kernel_commands, kernel_events, kernel_links
from engine.forms import FLAGS, form_of, struct_form
from engine.kernel import KernelMessage, to_wire
from engine.messages import encode

DEFINED = [
    kind
    for module in (kernel_commands, kernel_links, kernel_events)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, KernelMessage) and name[:6] != "Kernel"
]


def named(kernel: type) -> str:
    return kernel.__name__


def values_of(kernel: type[KernelMessage]) -> list[int]:
    """A different value for every field."""
    names = inspect.signature(kernel).parameters
    return [place % 2 == 0 if name in FLAGS else 10 + place for place, name in enumerate(names)]


def test_all_of_them_were_found() -> None:
    assert len(DEFINED) == 19


@pytest.mark.parametrize("kernel", DEFINED, ids=named)
def test_the_wire_form_is_the_name_and_the_arguments_in_order(kernel: type[KernelMessage]) -> None:
    values = values_of(kernel)
    message = kernel(*values)
    assert to_wire(message) == (kernel.__name__, *values)
    for name, value in zip(inspect.signature(kernel).parameters, values, strict=True):
        assert getattr(message, name) == value


@pytest.mark.parametrize("kernel", DEFINED, ids=named)
def test_the_struct_has_the_same_fields_and_wire_form(kernel: type[KernelMessage]) -> None:
    values = values_of(kernel)
    struct = struct_form(form_of(kernel))
    fields = msgspec.structs.fields(struct)
    assert [field.name for field in fields] == list(inspect.signature(kernel).parameters)
    assert encode(struct(*values)) == encode(kernel(*values))


@pytest.mark.parametrize("kernel", DEFINED, ids=named)
def test_every_flag_and_nothing_else_is_defined_as_true_or_false(
    kernel: type[KernelMessage],
) -> None:
    for name, argument in inspect.signature(kernel).parameters.items():
        if argument.annotation is not argument.empty:
            assert (argument.annotation is bool) == (name in FLAGS), name


@pytest.mark.parametrize("kernel", DEFINED, ids=named)
def test_they_compare_and_show_by_their_fields(kernel: type[KernelMessage]) -> None:
    values = values_of(kernel)
    message = kernel(*values)
    assert message == kernel(*values)
    assert message != kernel(values[0] + 1, *values[1:])
    assert repr(message).startswith(f"{kernel.__name__}(time_ns={values[0]}, ")


def test_what_is_no_message_has_no_wire_form() -> None:
    with pytest.raises(NotImplementedError, match="object has no wire form"):
        to_wire(object())
