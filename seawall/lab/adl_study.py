"""Every policy of auto-deleveraging on the batches of one run, or each in a run of its own.

On the batches of a run the path of prices is given, and so is who is bankrupt: what differs is who
bears it. In a run of its own (``in the loop``) a policy also changes who is left to trade.
"""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from engine.record.journal import JournalReader
from engine.routing.bus import Latency
from engine.units import from_ppb
from risk.rulebook import Rulebook
from seawall.exchange import Exchange
from seawall.lab.adl_batch import AdlBatch, AdlWatch
from seawall.lab.adl_policies import AS_IT_WAS, EQUITY_CAP_PPB
from seawall.lab.adl_scores import AdlScore, score
from seawall.runs.light_run import LightRun, light_run
from seawall.runs.run_directory import load_run
from seawall.runs.run_origin import SCENARIO
from seawall.runs.scenario_run import AT_REST_NS
from seawall.scenario import load_scenario
from seawall.simulating.simulation import Simulation


class AdlTable(msgspec.Struct):
    """The scores of all policies on the batches that settle in one asset."""

    asset: str
    batches: int
    fills: int
    scores: list[AdlScore]


def run_batches(directory: str | Path) -> tuple[Exchange, list[AdlBatch]]:
    """The batches of a run directory, by replaying its journal; with the exchange at its end.

    Raises:
        RunDirectoryError: it is no complete run.
        JournalError: its journal is damaged.
    """
    with (
        JournalReader(load_run(directory).journal_path) as reader,
        closing(reader.commands()) as entries,
    ):
        text = reader.header().get("latency", "")
        latency = msgspec.json.decode(text, type=Latency) if text else None
        exchange = Exchange(latency=latency)
        watch = AdlWatch(exchange, latency)
        for entry in entries:
            exchange.run_until(entry.command.time_ns)
            exchange.send(entry.command)
        exchange.run_until(AT_REST_NS)
    return exchange, watch.finish()


def study(
    exchange: Exchange, batches: Sequence[AdlBatch], policies: Sequence[str], horizon: str = "0"
) -> list[AdlTable]:
    """A table for each asset in which anything was deleveraged.

    Raises:
        ValueError: the horizon is not one that is kept.
    """
    core = exchange.risk.core
    params = core.rulebook.adl.params
    tables = []
    for asset_id in sorted({batch.asset_id for batch in batches}):
        there = [batch for batch in batches if batch.asset_id == asset_id]
        asset = core.assets[asset_id]
        scores = [
            score(there, policy, 10**asset.decimals, params=params, horizon=horizon)
            for policy in (AS_IT_WAS, *policies)
        ]
        fills = sum(batch.fills for batch in there)
        tables.append(AdlTable(asset.symbol, len(there), fills, scores))
    return tables


def in_the_loop(
    directory: str | Path, policies: Sequence[str], horizon: str = "0"
) -> dict[str, tuple[LightRun, list[AdlTable]]]:
    """The scenario of a run directory again under each policy, with the same seed; the scores are
    those of what each run did itself.

    Raises:
        RunDirectoryError: it is no complete run.
        ScenarioError: its scenario cannot be read any more.
    """
    path = load_run(directory).path / SCENARIO
    found: dict[str, tuple[LightRun, list[AdlTable]]] = {}
    for policy in policies:
        overrides = [f"rulebook_overrides.adl.ranking={policy}"]
        scenario = load_scenario(path, [*overrides, *_figures(path, policy)])
        seen = _Seen(scenario.latency)
        run = light_run(scenario, before=seen)
        assert seen.exchange is not None and seen.watch is not None
        found[policy] = run, study(seen.exchange, seen.watch.finish(), [], horizon)
    return found


class _Seen:
    """Puts a watch on an exchange before its first command."""

    def __init__(self, latency: Latency | None) -> None:
        self._latency = latency
        self.exchange: Exchange | None = None
        self.watch: AdlWatch | None = None

    def __call__(self, exchange: Exchange, simulation: Simulation) -> None:
        self.exchange, self.watch = exchange, AdlWatch(exchange, self._latency)


def _figures(path: Path, policy: str) -> list[str]:
    """The figures a policy asks for, where the scenario's rules do not give them."""
    if policy != "capped_pro_rata":
        return []
    rulebook: Rulebook = load_scenario(path).rulebook
    given = dict(rulebook.adl.params).get("equity_cap_ppb", EQUITY_CAP_PPB)
    return [f'rulebook_overrides.adl.equity_cap="{from_ppb(given)}"']
