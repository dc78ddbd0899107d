"""The documentation as a site: its menu has every page, and links lead there as they do here."""

import importlib.util
import pkgutil
import posixpath
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def load_hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site_hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hooks = load_hooks()
CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
ON_SITE = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.*")}
ON_SITE |= {*hooks.PAGES.values(), *hooks.LESSONS.values()}
ON_SITE |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "examples").glob("*.*")}


def listed(menu: Any) -> list[str]:
    """Every page of a menu, of its sections too."""
    if isinstance(menu, str):
        return [menu]
    values = menu.values() if isinstance(menu, dict) else menu
    return [page for value in values for page in listed(value)]


def test_the_menu_has_every_page() -> None:
    pages = [page for page in ON_SITE if page.endswith(".md")]
    assert sorted(listed(CONFIG["nav"])) == sorted(pages)


def test_the_menu_leads_from_the_first_minute_to_the_interface() -> None:
    sections = [next(iter(section)) for section in CONFIG["nav"]]
    assert sections == ["First minute", "Lessons", "How to", "Reference", "API"]
    lessons = [page for page in listed(CONFIG["nav"]) if page in hooks.LESSONS.values()]
    assert lessons == list(hooks.LESSONS.values())
    assert "search" in CONFIG["plugins"]


@pytest.mark.parametrize("source", hooks.LESSONS)
def test_a_lesson_is_a_page_with_its_figures(source: str) -> None:
    uri = hooks.LESSONS[source]
    page = hooks.resolved(hooks.lesson_page((ROOT / source).read_text()), source, uri)
    assert page.startswith("# ")
    pictures = re.findall(r"^!\[.+\]\((\w+\.svg)\)$", page, re.M)
    assert pictures
    for picture in pictures:
        assert (ROOT / "docs" / "course" / picture).exists()
    prose = re.sub(r"^ *```.*?^ *```", "", page, flags=re.M | re.S)
    assert not re.search(r"^### ", prose, re.M)  # solutions are closed
    assert re.findall(r'^\?\?\? note "Solution: .+"$', prose, re.M)
    for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)#]+)", page):
        place = posixpath.normpath(posixpath.join(posixpath.dirname(uri), target))
        assert "://" in target or place in ON_SITE, target


NOTEBOOK = """{"cells": [
{"cell_type": "markdown", "metadata": {}, "source": ["# A\\n", "text"]},
{"cell_type": "code", "metadata": {}, "source": "x = 1\\nx", "outputs": [
  {"output_type": "execute_result", "metadata": {}, "data": {"text/plain": "1"}},
  {"output_type": "display_data", "metadata": {"course": {"figure": "f", "alt": "A curve"}},
   "data": {"text/plain": "<figure f>"}}]},
{"cell_type": "markdown", "metadata": {"tags": ["solution"]}, "source": "### Solution: why"},
{"cell_type": "code", "metadata": {"tags": ["solution"]}, "source": "2", "outputs": []}]}"""


def test_a_notebook_becomes_a_page() -> None:
    assert hooks.lesson_page(NOTEBOOK) == (
        "# A\ntext\n\n```python\nx = 1\nx\n```\n\n```text\n1\n```\n\n"
        "![A curve](../docs/course/f.svg)\n\n"
        '??? note "Solution: why"\n\n    ```python\n    2\n    ```\n'
    )


def test_the_api_reference_names_what_is_there() -> None:
    pages = sorted((ROOT / "docs" / "api").glob("*.md"))
    names = [name for page in pages for name in re.findall(r"^::: (.+)$", page.read_text(), re.M)]
    assert len(names) > 20
    for name in names:
        assert pkgutil.resolve_name(name) is not None, name


def test_nothing_of_the_site_is_fetched_from_elsewhere() -> None:
    assert CONFIG["theme"]["font"] is False
    assert not {"extra_javascript", "extra_css"} & set(CONFIG)
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    assert not [page for page in pages if "```mermaid" in page.read_text()]  # its script is remote


@pytest.mark.parametrize("source", hooks.PAGES)
def test_a_page_from_outside_leads_to_pages_of_the_site(source: str) -> None:
    uri = hooks.PAGES[source]
    text = hooks.resolved((ROOT / source).read_text(), source, uri)
    targets = re.findall(
        r"\]\(([^)#\s]+)[^)]*\)", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    )
    inside = [target for target in targets if "://" not in target]
    for target in inside:
        place = posixpath.normpath(posixpath.join(posixpath.dirname(uri), target))
        assert place in ON_SITE, target
    assert inside or source == "risk/rulebooks/README.md"


def test_links_are_pointed_to_where_their_targets_are() -> None:
    text = "[a](../README.md#x) [b](concepts.md) [c](../engine/bus.py) ![d](report.png) [e](#here)"
    assert hooks.resolved(text, "docs/page.md", "page.md") == (
        "[a](overview.md#x) [b](concepts.md) c ![d](report.png) [e](#here)"
    )
    assert hooks.resolved("[a](docs/page.md)", "README.md", "overview.md") == "[a](page.md)"
    code = "```sh\n[a](../README.md)\n```"
    assert hooks.resolved(code, "docs/page.md", "page.md") == code
