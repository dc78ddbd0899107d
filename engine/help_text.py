"""Help texts of compiled classes: the compiler drops them, so they are read from the source."""

import ast
from functools import cache
from pathlib import Path


class HelpText:
    """In the place of a class's ``__doc__``: its docstring, looked up when somebody asks for it."""

    def __init__(self, source: str, name: str) -> None:
        self._source = source
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> str | None:
        return _docstrings(self._source).get(self._name)


@cache
def _docstrings(module: str) -> dict[str, str | None]:
    """The docstrings of the classes of a module beside this one; none where there is no source."""
    try:
        text = Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    except OSError:
        return {}
    return {
        node.name: ast.get_docstring(node)
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef)
    }
