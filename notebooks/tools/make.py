"""Run the lessons; write their notebooks, and their figures into docs/course.

``python -m notebooks.tools.make [NAME ...]``: all of them, or those whose file name begins so.
"""

import sys
import time
from pathlib import Path
from typing import Final

import nbformat

from notebooks.tools.figures import digest_in
from notebooks.tools.lesson import (
    FOLDER,
    lessons,
    notebook_of,
    run_lesson,
    stale_cells,
    with_outputs_kept,
)

FIGURES: Final[Path] = FOLDER.parent / "docs" / "course"


def make(source: Path) -> list[str]:
    """Run a lesson and write what changed; returns what that was."""
    figures: dict[str, str] = {}
    fresh = run_lesson(source, figures)
    changed: list[str] = []
    path = notebook_of(source)
    if path.exists():
        kept = nbformat.read(path, as_version=4)
        changed = stale_cells(fresh, kept)
        fresh = with_outputs_kept(fresh, kept)
    nbformat.validate(fresh)
    text = nbformat.writes(fresh) + "\n"
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
        changed.append(path.name)
    for name, picture in figures.items():
        file = FIGURES / f"{name}.svg"
        if not file.exists() or digest_in(file.read_text()) != digest_in(picture):
            file.write_text(picture)
            changed.append(file.name)
    return changed


def main() -> None:
    """Make the lessons named on the command line, or all."""
    wanted = tuple(sys.argv[1:]) or ("",)
    FIGURES.mkdir(exist_ok=True)
    for source in lessons():
        if source.stem.startswith(wanted):
            begin = time.process_time()
            changed = make(source)
            print(f"{source.stem}: {time.process_time() - begin:.1f} s of CPU")
            for line in changed:
                print(f"  {line}")


if __name__ == "__main__":
    main()
