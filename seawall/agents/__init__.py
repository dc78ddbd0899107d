"""Agents: the kinds a scenario can name, read from ``[agents.NAME]`` and built by name and seed."""

import random
from collections.abc import Mapping
from typing import get_args

import msgspec

from engine.settings import choice
from seawall.agents.arbitrageur import Arbitrageur
from seawall.agents.base import Agent
from seawall.agents.latent_trader import LatentTrader
from seawall.agents.market_maker import MarketMaker
from seawall.agents.momentum_trader import MomentumTrader
from seawall.agents.noise_trader import NoiseTrader
from seawall.agents.outside import OutsideAgent
from seawall.agents.plans import (
    ArbitrageurPlan,
    LatentPlan,
    MarketMakerPlan,
    MomentumPlan,
    NoisePlan,
    OutsidePlan,
)
from seawall.agents.view import MarketView

AgentSettings = (
    MarketMakerPlan | ArbitrageurPlan | MomentumPlan | NoisePlan | LatentPlan | OutsidePlan
)

AGENT_KINDS: tuple[str, ...] = tuple(
    str(kind.__struct_config__.tag) for kind in get_args(AgentSettings)
)


class AgentPlan(msgspec.Struct, frozen=True):
    """``count`` agents of one kind with the same settings, each with its own account and seed."""

    name: str
    instrument: str
    count: int
    settings: AgentSettings


def agent_plan(name: str, settings: AgentSettings, instruments: list[str]) -> AgentPlan:
    """The plan of an ``[agents.NAME]`` table.

    Raises:
        SettingFault: there is no such instrument.
    """
    instrument = settings.instrument or instruments[0]
    choice(f"agents.{name}.instrument", instrument, instruments)
    return AgentPlan(name, instrument, settings.count, settings)


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
        case LatentPlan() as settings:
            return LatentTrader(settings, name, account_id, view, rng)
        case OutsidePlan() as settings:
            return OutsideAgent(settings, name, account_id, view, rng)
