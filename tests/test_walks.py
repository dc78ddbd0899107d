"""The walks of docs/architecture.md: every function they name is in the file they name."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
ROW = re.compile(r"^\| `([\w/]+\.py)` \| `([\w.]+)` \|", re.M)


def walks() -> list[list[tuple[str, str]]]:
    """File and function of each row, by walk."""
    blocks = re.findall(r"<!-- walk -->\n(.*?)<!-- /walk -->", PAGE, re.S)
    return [ROW.findall(block) for block in blocks]


def defines(source: str, name: str) -> bool:
    """Whether a module has the class, function or method of that dotted name."""
    body: list[ast.stmt] = ast.parse(source).body
    for part in name.split("."):
        kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        found = [each for each in body if isinstance(each, kinds) and each.name == part]
        if not found:
            return False
        body = found[0].body
    return True


def test_the_page_has_three_walks_and_each_row_is_read() -> None:
    assert [len(walk) for walk in walks()] == [
        block.count("\n") - 2
        for block in re.findall(r"<!-- walk -->\n(.*?)<!-- /walk -->", PAGE, re.S)
    ]
    assert len(walks()) == 3 and min(map(len, walks())) > 5


@pytest.mark.parametrize(("file", "name"), sorted({row for walk in walks() for row in walk}))
def test_a_function_of_a_walk_is_there(file: str, name: str) -> None:
    path = ROOT / file
    assert path.exists(), f"docs/architecture.md: there is no {file}"
    assert defines(path.read_text(), name), f"docs/architecture.md: {file} has no {name}"


def test_a_renamed_function_is_noticed() -> None:
    source = "class Book:\n    def enter(self): ...\n\ndef rest(): ...\n"
    assert defines(source, "Book.enter") and defines(source, "rest")
    assert not defines(source, "Book.rest") and not defines(source, "enter")
