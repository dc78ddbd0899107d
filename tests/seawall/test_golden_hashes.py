"""State hashes of shipped scenarios, pinned: what moves them is a change of rules, made on purpose.

A change that moves one says in its commit which rule moved what, and pins the new hash here. Both
builds and replay have to come to the same.
"""

from pathlib import Path

import pytest

from seawall import load_scenario, run_scenario

ROOT = Path(__file__).parents[2]

SMALL_CRASH = {
    "teaching-default": "8bf84cea281564d8b24b8c790c04f936",
    "binance-usdm": "6a720e2309046cde8cea7d5eaf2e75fd",
    "deribit-linear": "19de9abaa2a28b9172acddfc2a146dd3",
    "hyperliquid": "2f843a11b9b556acba4c02237f84de59",
    "kraken-spot": "9f13101be600daf8f7133df379c297ca",
}
"""Of examples/small_crash.toml under each rulebook for linear contracts."""

FLASH_CRASH = "f27574cd88398c82f4aac1b96ff349ff"


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
