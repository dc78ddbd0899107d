"""Warm-ups by themselves: what tests ask of the stretch before a scenario's path."""

from engine.events import Event, MarkUpdated, Trade
from seawall.exchange import Exchange
from seawall.scenario import Scenario
from seawall.simulating.simulation import Simulation


def worst_basis(scenario: Scenario, seed: int) -> float:
    """The largest distance of a trade from the index before it, as a share of the index, in the
    warm-up of a scenario."""
    index: dict[int, int] = {}
    gaps = [0.0]

    def on_event(event: Event) -> None:
        if isinstance(event, MarkUpdated):
            index[event.instrument_id] = event.index_ticks
        elif isinstance(event, Trade) and index.get(event.instrument_id):
            gaps.append(abs(event.price_ticks / index[event.instrument_id] - 1))

    exchange = Exchange(latency=scenario.latency)
    exchange.subscribe(on_event)
    simulation = Simulation(scenario, exchange, seed=seed, samples=False)
    simulation.open()
    simulation.advance(scenario.time.start_ns)
    assert len(gaps) > 1, "there were trades"
    return max(gaps)
