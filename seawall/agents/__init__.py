"""Agents: the kinds a scenario can name, read from ``[agents.NAME]`` and built by name and seed."""

import random
from collections.abc import Mapping
from typing import get_args

import msgspec

from engine.settings import SettingFault, choice
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
from seawall.scaled_fields import Scale, scaled

AgentSettings = (
    MarketMakerPlan | ArbitrageurPlan | MomentumPlan | NoisePlan | LatentPlan | OutsidePlan
)

AGENT_KINDS: tuple[str, ...] = tuple(
    str(kind.__struct_config__.tag) for kind in get_args(AgentSettings)
)


class AgentPlan(msgspec.Struct, frozen=True):
    """``count`` agents of one kind with the same settings, each with its own account and seed.

    ``further`` are the contracts after the first that each trades from its account, with the
    settings there.
    """

    name: str
    instrument: str
    count: int
    settings: AgentSettings
    further: tuple[tuple[str, AgentSettings], ...] = ()

    def scaled(self, scales: Mapping[str, Scale]) -> "AgentPlan":
        """With the figures of each contract's coin, by the contract's name.

        Raises:
            SettingFault: a figure leaves its range.
        """
        place = f"agents.{self.name}"
        return msgspec.structs.replace(
            self,
            settings=scaled(self.settings, scales[self.instrument], place),
            further=tuple((name, scaled(each, scales[name], place)) for name, each in self.further),
        )


def agent_plan(name: str, settings: AgentSettings, settles: Mapping[str, str]) -> AgentPlan:
    """The plan of an ``[agents.NAME]`` table; ``settles`` has the asset each instrument settles in.

    Raises:
        SettingFault: there is no such instrument, or those there are do not share an account.
    """
    place = f"agents.{name}"
    several = settings.instruments if isinstance(settings, MarketMakerPlan) else []
    first = settings.instrument or next(iter(settles))
    if several:
        if settings.instrument:
            problem = "has no effect beside instrument; give one of the two"
            raise SettingFault(f"{place}.instruments", problem)
        _check_one_account(f"{place}.instruments", several, settles)
        first = several[0]
    choice(f"{place}.instrument", first, settles)
    further = tuple((each, settings) for each in several[1:])
    return AgentPlan(name, first, settings.count, settings, further)


def _check_one_account(place: str, names: list[str], settles: Mapping[str, str]) -> None:
    for name in names:
        choice(place, name, settles)
        if names.count(name) > 1:
            raise SettingFault(place, f"names {name!r} twice")
    if len({settles[name] for name in names}) > 1:
        listed = ", ".join(f"{name} in {settles[name]}" for name in names)
        raise SettingFault(
            place,
            f"settle in several assets ({listed}); a cross account has one settlement asset",
        )


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
            agents.append(_build(plan, name, account_id, views, rng))
    return agents


def _build(
    plan: AgentPlan,
    name: str,
    account_id: int,
    views: Mapping[str, MarketView],
    rng: random.Random,
) -> Agent:
    view = views[plan.instrument]
    match plan.settings:
        case MarketMakerPlan() as settings:
            further = [
                (each, views[instrument])
                for instrument, each in plan.further
                if isinstance(each, MarketMakerPlan)
            ]
            return MarketMaker(settings, name, account_id, view, rng, further)
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
