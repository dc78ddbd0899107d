"""Native classes for the busiest messages, written from their definitions for `setup.py`.

A struct decorated with ``@native`` (`engine.forms`) shows every field of its message. From it comes
a class with the same fields for the compiler. The compiler also needs to know that such a class
stands in the struct's place, so it reads copies of the defining modules that say so.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

DEFINED_IN = ("commands", "events", "internal")
"""The modules of ``engine`` that define messages."""

CLASSES = "native_classes"

TYPES = {"int": "int", "bool": "bool", "Word": '"i64"'}
"""What the compiler makes of a field's type."""

HEAD = '''"""Written by setup_messages.py; see `engine.native_message`."""

from typing import TYPE_CHECKING, Any, Final

from engine.native import mypyc_attr
from engine.native_message import NativeMessage

if TYPE_CHECKING:
    from mypy_extensions import i64
'''


def write_messages(root: Path, target: Path) -> tuple[Path, list[Path]]:
    """Write a package ``engine`` into ``target`` from the one in ``root``.

    Returns:
        The module of native classes, and the copies of the modules that define the messages.
    """
    package = target / "engine"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    classes = [HEAD]
    copies = []
    for module in DEFINED_IN:
        source = (root / "engine" / f"{module}.py").read_text(encoding="utf-8")
        classes += native_classes(source)
        copies.append(package / f"{module}.py")
        copies[-1].write_text(with_native_classes(source), encoding="utf-8")
    written = package / f"{CLASSES}.py"
    written.write_text("\n\n".join(classes), encoding="utf-8")
    return written, copies


def native_classes(source: str) -> Iterator[str]:
    """The native classes of a module's messages.

    Raises:
        SystemExit: a field is no number, word or truth value, or its default is no constant.
    """
    body = ast.parse(source).body
    constants = {
        node.target.id: node.value
        for node in body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    structs = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
    for struct in structs.values():
        if _is_native(struct):
            base = structs[ast.unparse(struct.bases[0])]
            fields = [*_fields(base, constants), *_fields(struct, constants)]
            yield _native_class(struct.name, fields)


def with_native_classes(source: str) -> str:
    """A module's source with imports in the place of the structs that have native classes."""
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.ClassDef) and _is_native(node):
            first = node.decorator_list[0].lineno - 1
            name = node.name
            lines[first : node.end_lineno] = [f"from engine.{CLASSES} import {name} as {name}\n"]
    return "".join(lines)


Field = tuple[str, str, str]
"""Name, type and default, each as written in Python; without a default the last is empty."""


def _is_native(struct: ast.ClassDef) -> bool:
    return any(ast.unparse(decorator) == "native" for decorator in struct.decorator_list)


def _fields(struct: ast.ClassDef, constants: dict[str, ast.expr | None]) -> list[Field]:
    fields: list[Field] = []
    for node in struct.body:
        if not isinstance(node, ast.AnnAssign):
            continue
        name, kind = ast.unparse(node.target), ast.unparse(node.annotation)
        if kind not in TYPES:
            allowed = ", ".join(TYPES)
            where = f"{struct.name}.{name} is {kind}"
            raise SystemExit(f"{where}: a native field is one of {allowed}")
        default = node.value
        if isinstance(default, ast.Name):
            default = constants.get(default.id, default)
        # A negative number is a minus and a constant.
        plain = default.operand if isinstance(default, ast.UnaryOp) else default
        if not isinstance(plain, ast.Constant | None):
            raise SystemExit(f"{struct.name}.{name}: a native field's default is a constant")
        fields.append((name, TYPES[kind], "" if default is None else ast.unparse(default)))
    return fields


def _native_class(name: str, fields: list[Field]) -> str:
    arguments = [
        f"{field}: {kind} = {default}" if default else f"{field}: {kind}"
        for field, kind, default in fields
    ]
    first, *own = [field for field, _, _ in fields]
    kinds = ["bool" if kind == "bool" else "int" for _, kind, _ in fields]
    return "\n".join(
        [
            "@mypyc_attr(acyclic=True, free_list_len=1)",
            f"class {name}(NativeMessage):",
            f"    def __init__(self, {', '.join(arguments)}) -> None:",
            f"        super().__init__({first})",
            *(f"        self.{field}: Final = {field}" for field in own),
            "",
            "    def wire(self) -> tuple[Any, ...]:",
            f"        return ({', '.join([repr(name), *(f'self.{f}' for f, _, _ in fields)])})",
            "",
            "",
            f"def make_{name}(values: tuple[{', '.join(kinds)}]) -> {name}:",
            f"    return {name}({', '.join(f'values[{place}]' for place in range(len(fields)))})",
            "",
        ]
    )
