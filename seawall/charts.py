"""The charts of a report as Plotly figures: ``charts.price(load_run("out/demo"))``.

Each function draws what the report of the run draws under the same heading, for a notebook or a
page of one's own. Of several contracts (or assets) the first is drawn unless one is named by its
symbol; ``dark`` gives the colours for a dark page. A run in which there was nothing to draw gives
an empty figure that says so.
"""

from collections.abc import Sequence
from copy import deepcopy
from functools import lru_cache
from html import escape

from plotly import graph_objects as go

from seawall.report import call_charts, house_charts, liquidation_charts, market_charts
from seawall.report.beside import mark_charts
from seawall.report.chart import Chart, Window, layout
from seawall.report.collateral_chart import collateral_charts
from seawall.report.contract import ContractData
from seawall.report.data import ReportData, load_report_data
from seawall.report.palette import DARK, LIGHT, painted
from seawall.report.result_charts import result_charts
from seawall.report.window import window_of
from seawall.runs.run_directory import Run

_LEGEND_PIXELS = 64


def price(run: Run, instrument: str = "", dark: bool = False) -> go.Figure:
    """Prices, mark and index of a contract, and a bubble for every forced trade.

    Raises:
        ValueError: the run has no such contract (of every function that takes one).
    """
    return _figure(market_charts.price_chart(_contract(run, instrument), _window(run)), dark)


def chain(run: Run, instrument: str = "", dark: bool = False) -> go.Figure:
    """The chain of a cascade: the mark's distance from the index, forced trades, what rests near
    the mid."""
    return _figure(market_charts.chain_chart(_contract(run, instrument), _window(run), []), dark)


def depth(run: Run, instrument: str = "", dark: bool = False) -> go.Figure:
    """Resting size within several distances of the mid."""
    return _figure(market_charts.depth_chart(_contract(run, instrument), _window(run)), dark)


def open_interest(run: Run, instrument: str = "", dark: bool = False) -> go.Figure:
    """Open contracts, one side."""
    chart = market_charts.open_interest_chart(_contract(run, instrument), _window(run))
    return _figure(chart, dark)


def collateral_price(run: Run, asset: str = "", dark: bool = False) -> go.Figure:
    """The price of a collateral asset, drawn in the asset it is margin for (``asset``)."""
    charts = collateral_charts(_data(run), _window(run))
    nothing = "No balance in another asset counts as margin in this run."
    return _figure(
        _of_asset(charts or [Chart("collateral", "Collateral", empty=nothing)], asset), dark
    )


def stages(run: Run, dark: bool = False) -> go.Figure:
    """Liquidations by stage of the waterfall."""
    return _figure(liquidation_charts.stages_chart(_data(run), _window(run)), dark)


def cascade(run: Run, dark: bool = False) -> go.Figure:
    """Liquidations started and positions closed by ADL, second by second."""
    return _figure(liquidation_charts.cascade_chart(_data(run), _window(run)), dark)


def margin_ratios(run: Run, dark: bool = False) -> go.Figure:
    """Percentiles of equity over position value."""
    return _figure(liquidation_charts.margin_ratio_chart(_data(run), _window(run)), dark)


def results(run: Run, asset: str = "", dark: bool = False) -> go.Figure:
    """What every group, agents and the house won or lost in an asset.

    Raises:
        ValueError: nothing of that asset was drawn (of every function that takes one).
    """
    return _figure(_of_asset(result_charts(_data(run), []), asset), dark)


def losses(run: Run, asset: str = "", dark: bool = False) -> go.Figure:
    """What liquidated accounts lost while they were liquidated, part by part."""
    return _figure(_of_asset(liquidation_charts.loss_charts(_data(run)), asset), dark)


def insurance_fund(run: Run, asset: str = "", dark: bool = False) -> go.Figure:
    """The account of the insurance fund, from the start to the end."""
    charts = house_charts.house_charts(_data(run), [])
    own = [chart for chart in charts if chart.key.startswith("account-insurance_fund")]
    empty = Chart("account", "Account of the insurance fund", empty="Nothing happened to the fund.")
    return _figure(_of_asset(own or [empty], asset), dark)


def fund_cash(run: Run, asset: str = "", dark: bool = False) -> go.Figure:
    """The insurance fund's cash over time."""
    return _figure(_of_asset(house_charts.fund_charts(_data(run), _window(run)), asset), dark)


def call_outcomes(run: Run, dark: bool = False) -> go.Figure:
    """How the margin calls ended."""
    return _figure(_of_calls(run, 0), dark)


def calls_through_time(run: Run, dark: bool = False) -> go.Figure:
    """The calls that ended, by answered, cured by price and too late."""
    return _figure(_of_calls(run, 1), dark)


def call_windows(run: Run, dark: bool = False) -> go.Figure:
    """How long after the call its account was liquidated, its owner answered, the price cured."""
    return _figure(_of_calls(run, 2), dark)


def calls_by_leverage(run: Run, dark: bool = False) -> go.Figure:
    """Of the traders of each leverage: the share that was called at least once."""
    return _figure(_of_calls(run, 3), dark)


def marks_beside(run: Run, other: Run, instrument: str = "", dark: bool = False) -> go.Figure:
    """The marks of two runs in one contract that both have.

    Raises:
        ValueError: they have no such contract in common.
    """
    found = list(mark_charts(_data(run), _data(other), _window(run)))
    named = [chart for chart in found if not instrument or chart.heading.endswith(instrument)]
    if not named:
        raise ValueError(f"contract {instrument!r} is not in both runs")
    return _figure(named[0], dark)


@lru_cache(maxsize=8)
def _data(run: Run) -> ReportData:
    return load_report_data(run.path)


def _window(run: Run) -> Window | None:
    return window_of(_data(run))


def _contract(run: Run, symbol: str) -> ContractData:
    data = _data(run)
    for instrument in data.instruments:
        if not symbol or instrument.symbol == symbol:
            return ContractData(data, instrument)
    symbols = ", ".join(each.symbol for each in data.instruments)
    raise ValueError(f"contract {symbol!r} is not in this run; there are: {symbols}")


def _of_calls(run: Run, place: int) -> Chart:
    charts = call_charts.call_charts(_data(run), _window(run), [])
    return charts[place] if len(charts) > 1 else charts[0]


def _of_asset(charts: Sequence[Chart], symbol: str) -> Chart:
    for chart in charts:
        if not symbol or chart.heading.endswith(f", {symbol}"):
            return chart
    headings = "; ".join(chart.heading for chart in charts)
    raise ValueError(f"nothing was drawn of asset {symbol!r}; there are: {headings}")


def _figure(chart: Chart, dark: bool) -> go.Figure:
    figure = deepcopy(chart.figure)
    if figure is None:
        words = {"text": escape(chart.empty), "showarrow": False, "x": 0.5, "y": 0.5}
        figure = {"data": [], "layout": layout("", 240, annotations=[words])}
    look = figure["layout"]
    look["title"] = {"text": escape(chart.heading), "x": 0, "xref": "paper"}
    look["margin"] = look["margin"] | {"t": look["margin"]["t"] + _LEGEND_PIXELS}
    look["height"] += _LEGEND_PIXELS
    return go.Figure(painted(figure, DARK if dark else LIGHT))
