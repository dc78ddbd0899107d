"""Agents: the kinds a scenario can name, read from ``[agents.NAME]`` and built by name and seed."""

import random
from collections.abc import Mapping

import msgspec

from seawall.agents.arbitrageur import Arbitrageur
from seawall.agents.base import Agent
from seawall.agents.market_maker import MarketMaker
from seawall.agents.plans import (
    ArbitrageurPlan,
    DipBuyerPlan,
    MarketMakerPlan,
    MomentumPlan,
    NoisePlan,
)
from seawall.agents.takers import DipBuyer, MomentumTrader, NoiseTrader
from seawall.agents.view import MarketView
from seawall.scenario_fields import Fields

AGENT_KINDS: tuple[str, ...] = ("market_maker", "arbitrageur", "momentum", "noise", "dip_buyer")

AgentSettings = MarketMakerPlan | ArbitrageurPlan | MomentumPlan | NoisePlan | DipBuyerPlan


class AgentPlan(msgspec.Struct, frozen=True):
    """``count`` agents of one kind with the same settings, each with its own account and seed."""

    name: str
    instrument: str
    count: int
    settings: AgentSettings


def read_agent_plan(name: str, fields: Fields, instruments: list[str]) -> AgentPlan:
    """The ``[agents.NAME]`` table of a scenario.

    Raises:
        ScenarioError: a field is wrong or unknown.
    """
    kind = fields.choice("kind", AGENT_KINDS)
    instrument = fields.choice("instrument", instruments, instruments[0])
    count = fields.integer("count", 1, high=10_000)
    settings: AgentSettings
    match kind:
        case "market_maker":
            settings = MarketMakerPlan.read(fields)
        case "arbitrageur":
            settings = ArbitrageurPlan.read(fields)
        case "momentum":
            settings = MomentumPlan.read(fields)
        case "noise":
            settings = NoisePlan.read(fields)
        case _:
            settings = DipBuyerPlan.read(fields)
    fields.close()
    return AgentPlan(name, instrument, count, settings)


def build_agents(
    plans: tuple[AgentPlan, ...], views: Mapping[str, MarketView], first_account_id: int, seed: int
) -> list[Agent]:
    """Every agent of every plan, account ids in order from ``first_account_id``.

    Each draws from its own generator, seeded by ``seed`` and its name, so adding one agent changes
    nothing about the others' chance.
    """
    agents: list[Agent] = []
    for plan in plans:
        for number in range(plan.count):
            name = f"{plan.name}-{number + 1}"
            rng = random.Random(f"{seed}:agent:{name}")
            account_id = first_account_id + len(agents)
            agents.append(_build(plan, name, account_id, views[plan.instrument], rng))
    return agents


def _build(
    plan: AgentPlan, name: str, account_id: int, view: MarketView, rng: random.Random
) -> Agent:
    match plan.settings:
        case MarketMakerPlan() as settings:
            return MarketMaker(settings, name, account_id, view, rng)
        case ArbitrageurPlan() as settings:
            return Arbitrageur(settings, name, account_id, view, rng)
        case MomentumPlan() as settings:
            return MomentumTrader(settings, name, account_id, view, rng)
        case NoisePlan() as settings:
            return NoiseTrader(settings, name, account_id, view, rng)
        case DipBuyerPlan() as settings:
            return DipBuyer(settings, name, account_id, view, rng)
