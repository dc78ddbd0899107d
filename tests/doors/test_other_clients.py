"""Clients with an environment of their own: `make clients-long` makes them in build/clients."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra doors)")

from tests.doors.world import DoorWorld, door_world
from tests.services.processes import ROOT

ENVIRONMENTS = ROOT / "build" / "clients"
SCRIPTS = {
    "python-binance": "python_binance.py",
    "binance-futures-connector": "connector.py",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorWorld]:
    with door_world(tmp_path_factory.mktemp("others")) as world:
        yield world


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_day_of(name: str, request: pytest.FixtureRequest) -> None:
    python = ENVIRONMENTS / name / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{name} is not installed: make clients-long")
    world: DoorWorld = request.getfixturevalue("world")
    account = world.account()
    script = Path(__file__).parent / "clients" / SCRIPTS[name]
    asked = [str(world.port), f"key-{account}", f"secret-{account}"]
    done = subprocess.run([python, script, *asked], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
