"""Seawall: a margin engine simulator. What a notebook needs is here.

`Market` builds a market and trades on it. `run_scenario` runs a scenario, `light_run` keeps only
its figures, and `continue_run` finishes one that was stopped. `load_prices` reads files of prices,
`load_run` a run as data frames; `replay` verifies one, `calculate` answers margin questions.
"""

from seawall import lab
from seawall.calc import Question, calculate
from seawall.exchange import Exchange
from seawall.market import (
    AccountView,
    CallView,
    CollateralView,
    ContractView,
    Market,
    OrderView,
    PositionView,
    Rejected,
)
from seawall.own_prices import load_prices
from seawall.runs.light_run import LightRun, light_run
from seawall.runs.replay import replay_journal as replay
from seawall.runs.run import continue_run, run_scenario
from seawall.runs.run_directory import Run, load_run
from seawall.scenario import load_scenario
from seawall.version import __version__

__all__ = [
    "AccountView",
    "CallView",
    "CollateralView",
    "ContractView",
    "Exchange",
    "LightRun",
    "Market",
    "OrderView",
    "PositionView",
    "Question",
    "Rejected",
    "Run",
    "__version__",
    "calculate",
    "continue_run",
    "lab",
    "light_run",
    "load_prices",
    "load_run",
    "load_scenario",
    "replay",
    "run_scenario",
]
