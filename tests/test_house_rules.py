"""The rules of the house, held by reading the source: what may be imported and called where.

Each rule is a function from a file to its violations, and each is shown a guilty example, so that
a rule that stopped working is noticed.
"""

import ast
import re
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

MAX_FILE_LINES = 550
MAX_FUNCTION_LINES = 80

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "engine": (),
    "matching": ("engine",),
    "risk": ("engine",),
    "gateway": ("engine", "matching", "risk"),
    "doors": ("engine", "matching", "risk", "gateway"),
    "seawall": ("engine", "matching", "risk", "gateway", "doors"),
    "dashboard": ("engine", "matching", "risk", "gateway", "seawall"),
}
"""The packages each package may import besides itself."""

CORE = ("engine", "matching", "risk")
"""Where money is counted and runs are decided."""

DOORS = (
    "engine/record/journal.py",
    "engine/record/packed_file.py",
    "engine/record/chained_log.py",
    "engine/record/journal_copy.py",
    "engine/record/journal_cut.py",
    "engine/record/journal_head.py",
    "engine/record/service_journal.py",
    "engine/record/skip_file.py",
    "engine/record/snapshot_file.py",
    "engine/setting_units.py",
    "risk/rulebook_file.py",
    "risk/margin/ccxt_tiers.py",
)
"""Core files that read or write the outside. They may name ``float`` to refuse one."""

EXACT_DIVISION = (
    "engine/units.py",
    "engine/instruments.py",
    *DOORS,
)
"""Core files where ``/`` divides exact decimals or fractions, or joins paths."""

FORBIDDEN_MODULES = ("random", "secrets", "uuid", "logging", "threading", "asyncio", "socket")
FORBIDDEN_CALLS = (
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.sleep",
    "datetime.now",
    "datetime.utcnow",
    "date.today",
    "os.urandom",
    "os.getenv",
    "open",
    "print",
    "input",
    "read_text",
    "read_bytes",
    "write_text",
    "write_bytes",
    "hash",
    "id",
)
"""Calls that make a component depend on the clock, chance, the outside or the process."""


class Source(NamedTuple):
    """A file of the project: its path from the root, its text and its syntax."""

    path: str
    text: str
    tree: ast.Module


Rule = Callable[[Source], Iterator[str]]


def read(path: Path) -> Source:
    return parse(path.relative_to(ROOT).as_posix(), path.read_text())


def parse(path: str, text: str) -> Source:
    return Source(path, text, ast.parse(text))


def python_files(*folders: str) -> list[Source]:
    return [read(path) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


PACKAGES = python_files(*MAY_IMPORT)
TESTS = python_files("tests", "bench", "examples")


def imported_modules(source: Source) -> Iterator[tuple[int, str]]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." if node.level else node.module or ""


def imports_one_way(source: Source) -> Iterator[str]:
    """Imports go one way: engine <- matching, risk <- gateway <- doors <- seawall."""
    package = source.path.split("/")[0]
    for line, module in imported_modules(source):
        top = module.split(".")[0]
        if top == "":
            yield f"{line}: relative import; name the package"
        elif top != package and top in MAY_IMPORT and top not in MAY_IMPORT[package]:
            yield f"{line}: {package} must not import {module}"


def no_floats(source: Source) -> Iterator[str]:
    """The core counts in integers: no float literal, no call of ``float``, no float type."""
    if not source.path.startswith(CORE):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            yield f"{node.lineno}: float {node.value!r}"
        elif (
            isinstance(node, ast.Name)
            and node.id in ("float", "complex")
            and source.path not in DOORS
        ):
            yield f"{node.lineno}: {node.id}"


def no_true_division(source: Source) -> Iterator[str]:
    """``/`` makes a float of two ints; only files that work on exact decimals may use it."""
    if not source.path.startswith(CORE) or source.path.startswith(EXACT_DIVISION):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield f"{node.lineno}: true division"


def called_name(node: ast.Call) -> str:
    """``module.function`` of a call, as far as it is written out."""
    parts: list[str] = []
    function: ast.expr = node.func
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    if isinstance(function, ast.Name):
        parts.append(function.id)
    return ".".join(reversed(parts))


def no_outside_in_components(source: Source) -> Iterator[str]:
    """Components read no clock, draw no random number, do no I/O and log nothing."""
    if not source.path.startswith(CORE) or source.path in DOORS:
        return
    for line, module in imported_modules(source):
        if module.split(".")[0] in FORBIDDEN_MODULES:
            yield f"{line}: import of {module}"
    hashes = {
        id(call)
        for function in ast.walk(source.tree)
        if isinstance(function, ast.FunctionDef) and function.name == "__hash__"
        for call in ast.walk(function)
    }
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            name = called_name(node)
            if name == "hash" and id(node) in hashes:
                continue  # for the dictionaries of whoever holds the object
            for forbidden in FORBIDDEN_CALLS:
                if name == forbidden or name.endswith(f".{forbidden}"):
                    yield f"{node.lineno}: call of {name}"


def is_set(node: ast.expr) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.BitOr | ast.BitAnd | ast.Sub | ast.BitXor) and (
            is_set(node.left) or is_set(node.right)
        )
    return isinstance(node, ast.Call) and called_name(node) in ("set", "frozenset")


def no_iteration_over_sets(source: Source) -> Iterator[str]:
    """A set of strings has another order in every process; sort it before looking through it."""
    for node in ast.walk(source.tree):
        iterated: list[ast.expr] = []
        if isinstance(node, ast.For | ast.comprehension):
            iterated = [node.iter]
        elif isinstance(node, ast.Call) and called_name(node) in (
            "list",
            "tuple",
            "enumerate",
            "iter",
        ):
            iterated = node.args[:1]
        elif isinstance(node, ast.Starred):
            iterated = [node.value]
        for expression in iterated:
            if is_set(expression):
                yield f"{expression.lineno}: iteration over a set"


def no_long_files(source: Source) -> Iterator[str]:
    """One noun per file."""
    lines = source.text.count("\n")
    if lines > MAX_FILE_LINES:
        yield f"{MAX_FILE_LINES}: the file has {lines} lines"


def no_long_functions(source: Source) -> Iterator[str]:
    """A function fits on a screen."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"{node.lineno}: {node.name} has {lines} lines"


UNFINISHED = re.compile(
    r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b"
)


def no_unfinished_marks(source: Source) -> Iterator[str]:
    """What is not done is written in the list of limits, not in the code."""
    for number, line in enumerate(source.text.splitlines(), start=1):
        if UNFINISHED.search(line):
            yield f"{number}: {line.strip()}"


def modules_are_described(source: Source) -> Iterator[str]:
    """A file says in its first line what it is about."""
    if not ast.get_docstring(source.tree):
        yield "1: no module docstring"


def violations(rule: Rule, sources: list[Source]) -> list[str]:
    return [f"{source.path}:{found}" for source in sources for found in rule(source)]


PACKAGE_RULES: tuple[Rule, ...] = (
    imports_one_way,
    no_floats,
    no_true_division,
    no_outside_in_components,
    no_iteration_over_sets,
    no_long_files,
    no_long_functions,
    no_unfinished_marks,
    modules_are_described,
)
TEST_RULES: tuple[Rule, ...] = (no_iteration_over_sets, no_unfinished_marks)


@pytest.mark.parametrize("rule", PACKAGE_RULES, ids=lambda rule: rule.__name__)
def test_the_packages_keep_the_rule(rule: Rule) -> None:
    assert violations(rule, PACKAGES) == []


@pytest.mark.parametrize("rule", TEST_RULES, ids=lambda rule: rule.__name__)
def test_the_tests_keep_the_rule(rule: Rule) -> None:
    assert violations(rule, TESTS) == []


def test_every_folder_of_a_package_is_a_package() -> None:
    folders = [str(Path(source.path).parent) for source in PACKAGES]
    missing = [
        folder for folder in dict.fromkeys(folders) if not (ROOT / folder / "__init__.py").is_file()
    ]
    assert missing == []


def room_of(module: str) -> str:
    """The folder of a module below its package; a module at the top is a room of its own."""
    return ".".join(module.split(".")[:2])


def modules_used(source: Source) -> Iterator[str]:
    """The project's modules a file needs to be loaded; what is only there for types is not."""
    for node in source.tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                is_module = (ROOT / f"{whole.replace('.', '/')}.py").exists()
                yield whole if is_module else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def arrows_between_rooms(sources: list[Source]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for source in sources:
        room = room_of(source.path.removesuffix(".py").replace("/", "."))
        used = {room_of(name) for name in modules_used(source) if name.split(".")[0] in MAY_IMPORT}
        found.setdefault(room, set()).update(used - {room})
    return found


def test_no_arrow_between_rooms_runs_back_up() -> None:
    arrows = arrows_between_rooms(PACKAGES)
    assert len(arrows) > 50
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_a_circle_of_rooms_is_found() -> None:
    up = parse("risk/prices/low.py", "from risk.levels.high import HIGH")
    down = parse("risk/levels/high.py", "import risk.prices.low")
    with pytest.raises(CycleError):
        TopologicalSorter(arrows_between_rooms([up, down])).prepare()


def test_every_package_is_read() -> None:
    folders = [source.path.split("/")[0] for source in PACKAGES]
    assert list(dict.fromkeys(folders)) == list(MAY_IMPORT)


LONG_FUNCTION = "def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES

GUILTY: list[tuple[Rule, str, str]] = [
    (imports_one_way, "engine/a.py", "import matching.book"),
    (imports_one_way, "matching/a.py", "from risk import ledger"),
    (imports_one_way, "risk/margin/a.py", "from matching.book import Book"),
    (imports_one_way, "risk/a.py", "def f():\n    import gateway"),
    (imports_one_way, "gateway/a.py", "import seawall.cli"),
    (imports_one_way, "risk/a.py", "from . import ledger"),
    (no_floats, "risk/a.py", "x = 0.5"),
    (no_floats, "engine/a.py", "x = 1e9"),
    (no_floats, "matching/a.py", "x = float(y)"),
    (no_floats, "risk/rulebook_file.py", "x = 0.5"),
    (no_floats, "risk/liquidation/a.py", "def f(x: float) -> None: ..."),
    (no_true_division, "risk/a.py", "x = a / b"),
    (no_true_division, "matching/a.py", "x /= 2"),
    (no_outside_in_components, "risk/a.py", "import random"),
    (no_outside_in_components, "risk/a.py", "from random import choice"),
    (no_outside_in_components, "engine/a.py", "import time\nt = time.time_ns()"),
    (no_outside_in_components, "engine/a.py", "import datetime\nt = datetime.datetime.now()"),
    (no_outside_in_components, "matching/a.py", "print(1)"),
    (no_outside_in_components, "matching/a.py", "f = open('x')"),
    (no_outside_in_components, "risk/a.py", "path.read_text()"),
    (no_outside_in_components, "risk/a.py", "import logging"),
    (no_outside_in_components, "risk/a.py", "x = hash('a')"),
    (no_iteration_over_sets, "seawall/a.py", "for x in {1, 2}: pass"),
    (no_iteration_over_sets, "seawall/a.py", "for x in set(y): pass"),
    (no_iteration_over_sets, "risk/a.py", "x = [y for y in {z for z in w}]"),
    (no_iteration_over_sets, "risk/a.py", "x = list(set(a) | b)"),
    (no_iteration_over_sets, "risk/a.py", "x = [*frozenset(a)]"),
    (no_long_files, "risk/a.py", "x = 1\n" * (MAX_FILE_LINES + 1)),
    (no_long_functions, "risk/a.py", LONG_FUNCTION),
    (no_unfinished_marks, "risk/a.py", "# TO" + "DO: later"),
    (modules_are_described, "risk/a.py", "x = 1"),
]


@pytest.mark.parametrize(
    ("rule", "path", "text"), GUILTY, ids=lambda part: getattr(part, "__name__", "")
)
def test_a_guilty_file_is_found(rule: Rule, path: str, text: str) -> None:
    assert len(violations(rule, [parse(path, text)])) == 1


INNOCENT: list[tuple[Rule, str, str]] = [
    (imports_one_way, "seawall/a.py", "import engine, matching, risk.margin, gateway, polars"),
    (imports_one_way, "risk/a.py", "from risk.margin import model\nfrom engine import units"),
    (no_floats, "seawall/a.py", "x = 0.5"),
    (no_floats, "risk/a.py", "x = 10**9"),
    (no_floats, "risk/rulebook_file.py", "refused = isinstance(x, float)"),
    (no_true_division, "risk/a.py", "x = a // b"),
    (no_true_division, "risk/rulebook_file.py", "x = Fraction(a) / b"),
    (no_outside_in_components, "engine/record/journal.py", "open('x')"),
    (no_outside_in_components, "seawall/a.py", "import random\nprint(1)"),
    (no_iteration_over_sets, "risk/a.py", "for x in sorted({1, 2}): pass\ny = x in {1, 2}"),
    (no_long_functions, "risk/a.py", LONG_FUNCTION.removesuffix("    x = 1\n")),
]


@pytest.mark.parametrize(
    ("rule", "path", "text"), INNOCENT, ids=lambda part: getattr(part, "__name__", "")
)
def test_an_innocent_file_is_left_alone(rule: Rule, path: str, text: str) -> None:
    assert violations(rule, [parse(path, text)]) == []
