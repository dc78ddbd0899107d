"""State hashes of shipped scenarios, pinned: what moves them is a change of rules, made on purpose.

A change that moves one says in its commit which rule moved what, and pins the new hash here. Both
builds and replay have to come to the same.
"""

from pathlib import Path

import pytest

from seawall import load_scenario, run_scenario

ROOT = Path(__file__).parents[2]

SMALL_CRASH = {
    "teaching-default": "84a9be21a4c831120209f4b453696054",
    "binance-usdm": "d6a87936f0d36bba4475e6a5c825be34",
    "deribit-linear": "1488ebd84c8d9e2e7fd6a88483116e75",
    "hyperliquid": "7743e3ed3daec24d618fdfe5ca38bea4",
    "kraken-spot": "489ab23344eae4cb48ae660d01a425af",
}
"""Of examples/small_crash.toml under each rulebook for linear contracts."""

FLASH_CRASH = "4c3ed2e3912817a18cc8886fd70b0f31"


@pytest.mark.parametrize("rulebook", SMALL_CRASH)
def test_the_small_crash_under_each_rulebook(rulebook: str, tmp_path: Path) -> None:
    overrides = [] if rulebook == "teaching-default" else [f"rulebook={rulebook}"]
    scenario = load_scenario(str(ROOT / "examples/small_crash.toml"), overrides)
    summary = run_scenario(scenario, tmp_path / "run")
    assert summary["state_hash"] == SMALL_CRASH[rulebook]


@pytest.mark.slow
def test_the_flash_crash(tmp_path: Path) -> None:
    summary = run_scenario("flash_crash", tmp_path / "run")
    assert summary["state_hash"] == FLASH_CRASH
