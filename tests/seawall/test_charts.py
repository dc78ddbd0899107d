"""Charts as Plotly figures: each is drawn, in colours, and says what it cannot draw."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plotly import graph_objects as go

from seawall import charts
from seawall.report.palette import DARK, LIGHT, PAGE
from seawall.runs.run import run_scenario
from seawall.runs.run_directory import Run, load_run
from seawall.scenario import load_scenario

SMALL = Path(__file__).parents[2] / "examples" / "small_crash.toml"

EVERY: list[Callable[..., go.Figure]] = [
    charts.price,
    charts.chain,
    charts.depth,
    charts.open_interest,
    charts.collateral_price,
    charts.stages,
    charts.cascade,
    charts.margin_ratios,
    charts.results,
    charts.losses,
    charts.insurance_fund,
    charts.fund_cash,
    charts.call_outcomes,
    charts.calls_through_time,
    charts.call_windows,
    charts.calls_by_leverage,
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("charts") / "run"
    run_scenario(SMALL, out)
    return load_run(out)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run in which nobody has an account, and so nothing happens to one."""
    out = tmp_path_factory.mktemp("calm") / "run"
    nobody = [f"population.{name}.accounts=0" for name in ("retail", "funds", "hedgers")]

    run_scenario(load_scenario(SMALL, nobody), out)
    return load_run(out)


def test_every_chart_is_here() -> None:
    public = {
        name
        for name, value in vars(charts).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == charts.__name__
    }
    assert public == {each.__name__ for each in EVERY} | {"marks_beside"}


@pytest.mark.parametrize("chart", EVERY, ids=lambda chart: chart.__name__)
def test_a_chart_is_a_figure_in_colours(run: Run, chart: Callable[..., go.Figure]) -> None:
    for dark, palette in ((False, LIGHT), (True, DARK)):
        figure = chart(run, dark=dark)
        assert isinstance(figure, go.Figure)
        assert figure.data or chart is charts.collateral_price
        assert figure.layout.paper_bgcolor == palette[PAGE]
        assert figure.layout.title.text
        assert '"@' not in figure.to_json()


@pytest.mark.parametrize("chart", EVERY, ids=lambda chart: chart.__name__)
def test_a_run_without_accounts_has_figures_too(calm: Run, chart: Callable[..., go.Figure]) -> None:
    figure = chart(calm)
    if not figure.data:
        (said,) = figure.layout.annotations
        assert said.text.endswith(".")


def test_what_was_not_drawn_is_said_in_its_place(calm: Run) -> None:
    figure = charts.call_outcomes(calm)
    assert figure.layout.annotations[0].text == "No margin call was issued in this run."


def test_two_runs_are_drawn_beside_each_other(run: Run, calm: Run) -> None:
    names = [trace.name for trace in charts.marks_beside(run, calm).data]
    assert names == ["Index, this run", "Mark, this run", "Mark, the run beside"]


@pytest.mark.parametrize(
    ("chart", "named", "said"),
    [
        (charts.price, {"instrument": "NO"}, "contract 'NO' is not in this run; there are: WAVE"),
        (charts.results, {"asset": "NO"}, "asset 'NO'; there are: Results, USDT"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(
    run: Run, chart: Callable[..., go.Figure], named: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        chart(run, **named)
