"""Series of studies: a sample per second of every contract."""

import pytest

from engine.events import Event, MarkUpdated
from seawall.exchange import Exchange
from seawall.lab.series_sampler import SeriesSampler, series_table
from seawall.runs.light_run import light_run
from seawall.simulating.simulation import Simulation
from tests.seawall.test_portfolio_traders import two_coins


def test_every_contract_is_sampled_under_its_symbol() -> None:
    scenario = two_coins("time.duration=20s", "population.retail.accounts=20")
    sampler = SeriesSampler(scenario)
    marks: dict[int, list[MarkUpdated]] = {0: [], 1: []}

    def keep(event: Event) -> None:
        if isinstance(event, MarkUpdated) and event.time_ns >= scenario.time.start_ns:
            marks[event.instrument_id].append(event)

    def before(exchange: Exchange, simulation: Simulation) -> None:
        sampler(exchange, simulation)
        exchange.subscribe(keep)

    light_run(scenario, before=before)
    table = series_table(sampler.columns)
    ours = ["price", "basis", "open_interest"]
    theirs = [f"{name}.DOT-PERP" for name in ours]
    assert table.columns == ["second", *ours, *theirs, "fund"]
    assert table["second"].to_list() == list(range(table.height))
    assert table.height == len(marks[0]) == 21
    for names, told in ((ours, marks[0]), (theirs, marks[1])):
        last, heard = table.row(-1, named=True), told[-2:]
        bases = [each.last_ticks / each.index_ticks - 1 for each in heard]
        assert last[names[1]] in bases, "as told last, or before the first contract's sample"
        assert last[names[2]] in [each.open_interest_lots * 0.1 for each in heard]
        assert table[names[0]][0] == pytest.approx(1.0, abs=0.2)
    assert table["open_interest"][0] != table["open_interest.DOT-PERP"][0]
