"""Turns the documentation of the repository into a site: pages outside docs/, lessons, and links.

The pages are written for readers of the repository: a link may lead to the README above or to a
source file. On the site the pages named in `PAGES` are there under a name of their own, files of
the folders in `FILES` are copied, and a link to anything else becomes plain text. The notebooks of
the course become pages with their results; solutions are closed until they are asked for.
"""

import json
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

PAGES = {
    "README.md": "overview.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "risk/rulebooks/README.md": "rulebooks.md",
    "notebooks/README.md": "course/index.md",
}
"""Pages outside docs/, by their path in the repository, with their path on the site."""

FILES = ("examples/",)
"""Folders whose files a page may link to."""

LESSONS = {
    f"notebooks/{path.name}": f"course/{path.stem}.md"
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
}
"""The notebooks of the course, by their path in the repository, with their path on the site."""

SOLUTION = "### "
"""How the first cell of a solution begins."""

_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages and files that lie outside docs/."""
    from mkdocs.structure.files import File  # the rest is tested without MkDocs

    for source, uri in PAGES.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / source)))
    for source, uri in LESSONS.items():
        content = lesson_page((ROOT / source).read_text())
        files.append(File.generated(config, uri, content=content))
    for folder in FILES:
        for path in sorted((ROOT / folder).glob("*.*")):
            uri = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Point the links of a page to where their targets are on the site."""
    uri = page.file.src_uri
    sources = {target: source for source, target in {**PAGES, **LESSONS}.items()}
    return resolved(markdown, sources.get(uri, f"docs/{uri}"), uri)


def resolved(markdown: str, source: str, uri: str) -> str:
    """The text of the page ``source`` of the repository as it stands at ``uri`` of the site."""

    def link(match: re.Match[str]) -> str:
        picture, label, target = match.groups()
        if "://" in target or target.startswith("#"):
            return match[0]
        path, hash_sign, anchor = target.partition("#")
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        place = site_path(wanted)
        if place is None:
            return label
        relative = posixpath.relpath(place, posixpath.dirname(uri) or ".")
        return f"{picture}[{label}]({relative}{hash_sign}{anchor})"

    parts = re.split(r"(^```.*?^```)", markdown, flags=re.M | re.S)
    return "".join(part if part.startswith("```") else _LINK.sub(link, part) for part in parts)


def site_path(path: str) -> str | None:
    """Where a file of the repository is on the site; None if it is not there."""
    if path in PAGES or path in LESSONS:
        return PAGES.get(path) or LESSONS[path]
    if path == "docs":
        return "README.md"
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return path if path.startswith(FILES) else None


# lessons


def lesson_page(notebook: str) -> str:
    """A notebook as a page: prose, code, and what the code gave."""
    parts: list[str] = []
    in_solution = False
    for cell in json.loads(notebook)["cells"]:
        text = "".join(cell["source"])
        solution = "solution" in cell["metadata"].get("tags", [])
        if solution and text.startswith(SOLUTION):
            heading, _, text = text.partition("\n")
            parts.append(f'??? note "{heading.removeprefix(SOLUTION)}"')
            in_solution = True
        for block in [text] if cell["cell_type"] == "markdown" else _code(text, cell["outputs"]):
            parts.append(_indented(block) if solution and in_solution else block)
    return "\n\n".join(part for part in parts if part.strip()) + "\n"


def _code(text: str, outputs: list[Any]) -> Iterator[str]:
    """A code cell and its results; a table is one on the page too, a figure the file in docs."""
    yield f"```python\n{text}\n```"
    for output in outputs:
        about = output.get("metadata", {}).get("course", {})
        result = "".join(output.get("text") or output["data"]["text/plain"])
        if "figure" in about:
            yield f"![{about['alt']}](../docs/course/{about['figure']}.svg)"
        elif "table" in about:
            yield result
        else:
            yield f"```text\n{result.rstrip()}\n```"


def _indented(block: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in block.splitlines())
