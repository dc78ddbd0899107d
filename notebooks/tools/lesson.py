"""A lesson: a Python file of cells that is run, and becomes a notebook with its results.

The prose of a lesson is one f-string a cell: a figure in it is written ``{room:.1%}`` and comes
out of the code above. So no figure can differ from what the code computes.
"""

import ast
import io
import os
import warnings
from base64 import b64encode
from contextlib import chdir, redirect_stdout
from pathlib import Path
from typing import Any, Final

import jupytext
import matplotlib as mpl
import nbformat
import polars as pl
from matplotlib import pyplot as plt
from nbformat import NotebookNode
from plotly.basedatatypes import BaseFigure

from notebooks.tools.figures import alt_text, digest_of_figure, digest_of_frame, png, svg

FOLDER: Final[Path] = Path(__file__).parents[1]
SOURCES: Final[Path] = FOLDER / "sources"
SOLUTION: Final[str] = "solution"
"""The tag of cells that answer an exercise; a notebook shows them closed."""

_MARKDOWN_TABLE: Final[dict[str, Any]] = {
    "tbl_formatting": "MARKDOWN",
    "tbl_hide_column_data_types": True,
    "tbl_hide_dataframe_shape": True,
    "tbl_rows": 40,
    "tbl_cols": -1,
    "tbl_width_chars": 300,
    "fmt_str_lengths": 60,
}


def lessons() -> list[Path]:
    """The sources of all lessons, in their order."""
    return sorted(SOURCES.glob("*.py"))


def notebook_of(source: Path) -> Path:
    """Where the notebook of a lesson stands."""
    return FOLDER / f"{source.stem}.ipynb"


def cells_of(source: Path) -> NotebookNode:
    """A lesson as it is written, as a notebook that was not run."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        if is_solution(cell) and cell.cell_type == "code":
            cell.metadata.jupyter = {"source_hidden": True, "outputs_hidden": True}
    return notebook


def is_solution(cell: NotebookNode) -> bool:
    """Whether a cell answers an exercise."""
    return SOLUTION in cell.metadata.get("tags", [])


def run_lesson(source: Path, figures: dict[str, str]) -> NotebookNode:
    """Run a lesson in this process, in the folder of the notebooks; its figures go to ``figures``
    by their names.

    Raises:
        Exception: whatever a cell raises; a note says which cell.
    """
    mpl.use("Agg")
    notebook = cells_of(source)
    names: dict[str, Any] = {"__name__": "__main__"}
    count = 0
    with chdir(FOLDER), plt.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")
        for cell in notebook.cells:
            try:
                if cell.cell_type == "markdown":
                    cell.source = in_prose(cell.source, names)
                    continue
                count += 1
                cell.execution_count = count
                cell.outputs = _run(cell.source, names, count, figures)
            except Exception as error:
                error.add_note(f"in {source.name}, cell:\n{cell.source}")
                raise
    return notebook


def in_prose(text: str, names: dict[str, Any]) -> str:
    """Prose with its figures filled in."""
    return str(eval(f'f"""{text}\n"""', names)).removesuffix("\n")


def _run(code: str, names: dict[str, Any], count: int, figures: dict[str, str]) -> list[Any]:
    """Run a cell; its outputs are what it printed, its figures, and its last value."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    value = None
    with redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
    outputs: list[Any] = []
    if printed.getvalue():
        outputs.append(nbformat.v4.new_output("stream", name="stdout", text=printed.getvalue()))
    for number in plt.get_fignums():
        figure = plt.figure(number)
        figures[figure.get_label()] = svg(figure)
        outputs.append(_figure_output(figure))
    plt.close("all")
    if value is not None:
        outputs.append(_value_output(value, count))
    return outputs


def _figure_output(figure: Any) -> NotebookNode:
    name = figure.get_label()
    if not name:
        raise ValueError("a figure of the course needs a name: plt.subplots(num='room_for_error')")
    about = {"figure": name, "alt": alt_text(figure), "digest": digest_of_figure(figure)}
    data = {"image/png": b64encode(png(figure)).decode(), "text/plain": f"<figure {name}>"}
    return nbformat.v4.new_output("display_data", data, metadata={"course": about})


def _value_output(value: Any, count: int) -> NotebookNode:
    data = {"text/plain": repr(value)}
    metadata = {}
    if isinstance(value, BaseFigure):
        data = {"text/plain": "an interactive chart: run the notebook to see it"}
    if isinstance(value, pl.DataFrame):
        with pl.Config(**_MARKDOWN_TABLE):
            data = {"text/html": value._repr_html_(), "text/plain": str(value)}
        metadata = {"course": {"table": True, "digest": digest_of_frame(value)}}
    return nbformat.v4.new_output("execute_result", data, metadata=metadata, execution_count=count)


# whether a notebook is current


def stale_cells(fresh: NotebookNode, kept: NotebookNode) -> list[str]:
    """What of a kept notebook is not what its lesson gives now, one line a cell."""
    if len(fresh.cells) != len(kept.cells):
        return [f"{len(kept.cells)} cells; the lesson has {len(fresh.cells)}"]
    return [
        f"{now.id}: {now.source.splitlines()[0] if now.source else ''}"
        for now, then in zip(fresh.cells, kept.cells, strict=True)
        if _said(now) != _said(then)
    ]


def with_outputs_kept(fresh: NotebookNode, kept: NotebookNode) -> NotebookNode:
    """The fresh notebook, with the pictures of the kept one where they show the same."""
    for now, then in zip(fresh.cells, kept.cells, strict=False):
        if now.cell_type == "code" and _said(now) == _said(then):
            now.outputs = then.outputs
    return fresh


def _said(cell: NotebookNode) -> list[Any]:
    """What a cell says and gives; of pictures and tables their figures, not how they are drawn."""
    outputs = [
        output.metadata.course.digest
        if "course" in output.get("metadata", {})
        else output.get("text") or output.data["text/plain"]
        for output in cell.get("outputs", [])
    ]
    return [cell.cell_type, cell.source, cell.metadata, outputs]


def environment() -> dict[str, str]:
    """The environment of a kernel that finds this checkout."""
    return os.environ | {"PYTHONPATH": str(FOLDER.parent)}
