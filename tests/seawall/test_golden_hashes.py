"""State hashes of shipped scenarios, pinned: what moves them is a change of rules, made on purpose.

A change that moves one says in its commit which rule moved what, and pins the new hash here. Both
builds and replay have to come to the same.
"""

from pathlib import Path

import pytest

from seawall import load_scenario, run_scenario

ROOT = Path(__file__).parents[2]

SMALL_CRASH = {
    "teaching-default": "b821f6a7960b5eafb7292738f7bbc12e",
    "binance-usdm": "39b78d257066166fb6d52314442869f0",
    "deribit-linear": "c599ebf35b4a5e53fd2e7988118ecc8a",
    "hyperliquid": "382c4e560094bd6a42f50d5376d6a59b",
    "kraken-spot": "b0dc4245248a326a2a1a488cce3a3927",
}
"""Of examples/small_crash.toml under each rulebook for linear contracts."""

FLASH_CRASH = "c0026ffcb059bba049e8c3f47c3f863f"


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
