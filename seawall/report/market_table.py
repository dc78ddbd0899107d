"""The market of a run as a table: where this contract, the real one and the index went."""

from collections.abc import Callable
from typing import Final

from seawall.report.chart import Chart
from seawall.report.contract import ContractData
from seawall.report.market_facts import PriceFacts, price_facts
from seawall.report.text import at, html_table

_ROWS: Final[dict[str, Callable[[PriceFacts, int], str]]] = {
    "First price": lambda facts, digits: f"{facts.first:,.{digits}f}",
    "Low": lambda facts, digits: f"{facts.low:,.{digits}f}",
    "Time of the low (UTC)": lambda facts, digits: at(facts.low_ns),
    "Fall, first to low": lambda facts, digits: f"{facts.fall:.1%}",
    "High": lambda facts, digits: f"{facts.high:,.{digits}f}",
    "Time of the high (UTC)": lambda facts, digits: at(facts.high_ns),
    "Rise, first to high": lambda facts, digits: f"{facts.rise:+.1%}",
    "Last price": lambda facts, digits: f"{facts.last:,.{digits}f}",
    "Largest basis": lambda facts, digits: "" if facts.basis is None else f"{facts.basis:+.1%}",
    "Time of that (UTC)": lambda facts, digits: at(facts.basis_ns) if facts.basis_ns else "",
}


def market_facts(contract: ContractData) -> dict[str, PriceFacts | None]:
    """The facts by market: trades here, the real perpetual if there is one, mark and index."""
    index = contract.price("index_ticks")
    frames = {"Traded here": price_facts(contract.traded(), contract.start_ns, index)}
    if contract.real is not None:
        frames[contract.real_name] = price_facts(contract.real, contract.start_ns, index)
    frames["Mark"] = price_facts(contract.price("mark_ticks"), contract.start_ns, index)
    frames["Index"] = price_facts(index, contract.start_ns)
    return frames


def market_chart(contract: ContractData) -> Chart:
    """The table under the heading of its contract."""
    instrument = contract.instrument
    markets = market_facts(contract)
    header = [f"{instrument.symbol}, {contract.price_unit}", *markets]
    rows = [
        [name, *(words(facts, contract.digits) if facts else "none" for facts in markets.values())]
        for name, words in _ROWS.items()
    ]
    return Chart(
        f"market-{instrument.instrument_id}",
        f"The market of {instrument.symbol} ({instrument.kind}) in figures",
        captions=[
            "From the end of the warm-up on. Basis: a price over the last index sample before it, "
            "minus one; the largest in size, with its sign."
        ],
        table=html_table(header, rows),
        time_axis=False,
    )
