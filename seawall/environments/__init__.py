"""Environments for learning agents: Gymnasium's and PettingZoo's interface to a scenario.

`TraderEnv`, `MakerEnv`, `ExecutionEnv` and `VenueEnv` are Gymnasium environments, registered as
``seawall/Trader-v0`` and so on; `MarketEnv` seats several of them in one market, as a parallel
environment of PettingZoo. Both come with the extra ``gym``.
"""

try:
    import gymnasium
    import pettingzoo  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"environments need {error.name}: pip install 'seawall[gym]'", name=error.name
    ) from None

from seawall.environments.execution import ExecutionTask
from seawall.environments.maker import MakerTask
from seawall.environments.parallel import MarketEnv
from seawall.environments.single import ExecutionEnv, MakerEnv, TraderEnv, VenueEnv
from seawall.environments.trader import TraderTask
from seawall.environments.venue import VenueTask

__all__ = [
    "ExecutionEnv",
    "ExecutionTask",
    "MakerEnv",
    "MakerTask",
    "MarketEnv",
    "TraderEnv",
    "TraderTask",
    "VenueEnv",
    "VenueTask",
]

for _kind in (TraderEnv, MakerEnv, ExecutionEnv, VenueEnv):
    gymnasium.register(
        id=f"seawall/{_kind.__name__.removesuffix('Env')}-v0",
        entry_point=f"seawall.environments.single:{_kind.__name__}",
    )
