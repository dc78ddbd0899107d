"""What the program imports, it also asks to be installed."""

import subprocess
import sys
from importlib import metadata

from packaging.requirements import Requirement

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(f"{name} comes with no dependency of seawall", name=name)

sys.meta_path.insert(0, Refuse())
for package in ("engine", "matching", "risk", "gateway", "seawall"):
    for module in pkgutil.walk_packages([package], package + "."):
        if not module.name.endswith("__main__") and module.name != "seawall.environments":
            importlib.import_module(module.name)
            print(module.name)
"""


def installed_with(name: str, found: set[str]) -> set[str]:
    """A distribution and all that is installed because of it, without extras."""
    if name.lower() not in found:
        found.add(name.lower())
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                installed_with(requirement.name, found)
    return found


def test_no_module_needs_a_package_that_only_developers_have() -> None:
    wanted = {name.replace("-", "_") for name in installed_with("seawall", set())}
    others = [
        module
        for module, owners in metadata.packages_distributions().items()
        if not any(owner.lower().replace("-", "_") in wanted for owner in owners)
    ]
    assert {"mypy", "pytest", "hypothesis"} <= set(others)
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING, *others], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "seawall.cli" in run.stdout


def test_a_room_of_an_extra_says_which_one_it_needs() -> None:
    lines = IMPORT_EVERYTHING.partition("for package in")[0] + "import seawall.environments"
    run = subprocess.run(
        [sys.executable, "-c", lines, "gymnasium", "pettingzoo"], capture_output=True, text=True
    )
    assert run.returncode != 0
    last = run.stderr.strip().splitlines()[-1]
    assert last.endswith("environments need gymnasium: pip install 'seawall[gym]'")
