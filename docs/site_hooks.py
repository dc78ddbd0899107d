"""Turns the documentation of the repository into a site: pages outside docs/, and links to files.

The pages are written for readers of the repository: a link may lead to the README above or to a
source file. On the site the pages named in `PAGES` are there under a name of their own, files of
the folders in `FILES` are copied, and a link to anything else becomes plain text.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

PAGES = {
    "README.md": "overview.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "risk/rulebooks/README.md": "rulebooks.md",
}
"""Pages outside docs/, by their path in the repository, with their path on the site."""

FILES = ("examples/",)
"""Folders whose files a page may link to."""

_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages and files that lie outside docs/."""
    from mkdocs.structure.files import File  # the rest is tested without MkDocs

    for source, uri in PAGES.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / source)))
    for folder in FILES:
        for path in sorted((ROOT / folder).glob("*.*")):
            uri = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Point the links of a page to where their targets are on the site."""
    uri = page.file.src_uri
    sources = {target: source for source, target in PAGES.items()}
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
    if path in PAGES:
        return PAGES[path]
    if path == "docs":
        return "README.md"
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return path if path.startswith(FILES) else None
