"""The course: its lessons run, and its notebooks, figures and prose are what they give."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="the course needs seawall[notebooks]")
pytest.importorskip("jupytext", reason="the course needs seawall[notebooks]")

import nbformat

from notebooks.tools.figures import digest_in
from notebooks.tools.lesson import (
    cells_of,
    environment,
    in_prose,
    is_solution,
    lessons,
    notebook_of,
    run_lesson,
    stale_cells,
    with_outputs_kept,
)
from notebooks.tools.make import FIGURES

ROOT = Path(__file__).parents[1]
LESSONS = lessons()
IN_A_KERNEL = "02_margin_call"
"""The lesson that is run as a notebook too, in a process of its own."""


def named(source: Path) -> str:
    return source.stem


def made_by_all() -> set[str]:
    """Names of the figures the lessons make, as their sources say."""
    texts = (source.read_text() for source in LESSONS)
    return {name for text in texts for name in re.findall(r'num="(\w+)"', text)}


@pytest.mark.slow
@pytest.mark.parametrize("source", LESSONS, ids=named)
def test_a_lesson_runs_and_its_notebook_and_figures_are_current(source: Path) -> None:
    figures: dict[str, str] = {}
    fresh = run_lesson(source, figures)
    nbformat.validate(fresh)
    kept = nbformat.read(notebook_of(source), as_version=4)
    assert stale_cells(fresh, kept) == [], "make course writes the notebooks anew"
    for name, picture in figures.items():
        assert digest_in((FIGURES / f"{name}.svg").read_text()) == digest_in(picture), name


@pytest.mark.slow
def test_a_notebook_runs_in_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    client = pytest.importorskip("nbclient")
    path = notebook_of(ROOT / "notebooks" / f"{IN_A_KERNEL}.py")
    notebook = nbformat.read(path, as_version=4)
    said = copy.deepcopy(notebook)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    run = client.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": path.parent}}
    )
    run.execute()
    for now, then in zip(notebook.cells, said.cells, strict=True):
        assert printed(now) == printed(then)


def printed(cell: Any) -> list[str]:
    return [output.text for output in cell.get("outputs", []) if output.output_type == "stream"]


# the prose


PLACEHOLDER = re.compile(r"\{\{|\}\}|\{[^{}]*\}")
LINK = re.compile(r"\]\([^)]*\)")
NUMBERED = re.compile(r"^\d+\. ", re.M)


def figures_by_hand(prose: str) -> list[str]:
    """Digits of a cell's prose that no code computed, and figures that are no name's value."""
    text = LINK.sub("]", NUMBERED.sub("", prose))
    literals = [
        each
        for each in PLACEHOLDER.findall(text)
        if each not in ("{{", "}}") and not re.search(r"[A-Za-z_]\w*", each.split(":")[0])
    ]
    return literals + re.findall(r"\S*\d\S*", PLACEHOLDER.sub("", text))


def prose_of(source: Path) -> list[str]:
    return [cell.source for cell in cells_of(source).cells if cell.cell_type == "markdown"]


@pytest.mark.parametrize("source", LESSONS, ids=named)
def test_every_figure_of_the_prose_is_computed(source: Path) -> None:
    assert [each for prose in prose_of(source) for each in figures_by_hand(prose)] == []


@pytest.mark.parametrize(
    ("prose", "found"),
    [
        ("It falls by 5 %.", ["5"]),
        ("At 20x.", ["20x."]),
        ("{10}x", ["{10}"]),
        ("{10:,} and {price:.2f}", ["{10:,}"]),
        ("{room[20]:.1%} and {{}}", []),
        ("1. first\n2. second [here](05_mark.ipynb)", []),
    ],
)
def test_a_figure_by_hand_is_found(prose: str, found: list[str]) -> None:
    assert figures_by_hand(prose) == found


@pytest.mark.parametrize("source", LESSONS, ids=named)
def test_the_prose_has_no_sign_that_begins_a_formula(source: Path) -> None:
    assert [prose for prose in prose_of(source) if "$" in prose] == []


def test_prose_takes_its_figures_from_the_code() -> None:
    assert in_prose('a {x:.1%} "fall" {{}}', {"x": 0.25}) == 'a 25.0% "fall" {}'
    with pytest.raises(NameError):
        in_prose("{y}", {})


# the parts of a lesson


@pytest.mark.parametrize("source", LESSONS, ids=named)
def test_a_lesson_has_exercises_and_their_solutions(source: Path) -> None:
    cells = cells_of(source).cells
    (asked,) = [cell.source for cell in cells if cell.source.startswith("## Exercises")]
    solutions = [
        cell for cell in cells if is_solution(cell) and cell.source.startswith("### Solution")
    ]
    assert len(NUMBERED.findall(asked)) == len(solutions) >= 2
    tagged = [is_solution(cell) for cell in cells]
    assert tagged == sorted(tagged)  # the solutions come last
    assert [cell for cell in cells if is_solution(cell) and cell.cell_type == "code"]


def test_the_lessons_are_numbered_and_listed() -> None:
    assert [source.stem[:2] for source in LESSONS] == [
        f"{number:02}" for number in range(1, len(LESSONS) + 1)
    ]
    notebooks = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert notebooks == [source.stem for source in LESSONS]
    readme = (ROOT / "notebooks" / "README.md").read_text()
    assert re.findall(r"\]\((\d\d_\w+)\.ipynb\)", readme) == notebooks


def test_every_figure_in_the_docs_is_made_by_a_lesson_and_small() -> None:
    there = sorted(FIGURES.glob("*.svg"))
    assert [path.stem for path in there] == sorted(made_by_all())
    for path in there:
        assert path.stat().st_size < 80_000, path.name


# what is stale is found


def test_a_stale_notebook_is_found() -> None:
    kept = nbformat.read(notebook_of(LESSONS[0]), as_version=4)
    assert stale_cells(kept, copy.deepcopy(kept)) == []
    for spoil in (reworded, with_another_output, with_another_figure):
        other = copy.deepcopy(kept)
        spoil(other)
        assert len(stale_cells(kept, other)) == 1, spoil.__name__
    shorter = copy.deepcopy(kept)
    del shorter.cells[-1]
    assert stale_cells(kept, shorter)


def reworded(notebook: Any) -> None:
    notebook.cells[0].source += " More."


def with_another_output(notebook: Any) -> None:
    next(output for output in outputs(notebook) if output.output_type == "stream").text = "other"


def with_another_figure(notebook: Any) -> None:
    next(
        each for each in outputs(notebook) if "course" in each.metadata
    ).metadata.course.digest = ""


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def test_a_picture_that_shows_the_same_is_kept() -> None:
    kept = nbformat.read(notebook_of(LESSONS[0]), as_version=4)
    fresh = copy.deepcopy(kept)
    for output in outputs(fresh):
        if "image/png" in output.get("data", {}):
            output.data["image/png"] = "drawn by another version"
    assert with_outputs_kept(fresh, kept) == kept
