"""A small finished run for tests of the page, made once."""

from pathlib import Path

from seawall import load_scenario, run_scenario
from seawall.runs.run_directory import Run, load_run

ROOT = Path(__file__).parents[2]


def small_run(folder: Path) -> Run:
    """The small crash with sixty accounts."""
    accounts = {"population.retail.accounts": 40, "population.hedgers.accounts": 20}
    scenario = load_scenario(ROOT / "examples" / "small_crash.toml", accounts)
    run_scenario(scenario, folder / "run")
    return load_run(folder / "run")
