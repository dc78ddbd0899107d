"""State hashes of shipped scenarios, pinned: what moves them is a change of rules, made on purpose.

A change that moves one says in its commit which rule moved what, and pins the new hash here. Both
builds and replay have to come to the same.
"""

from pathlib import Path

import pytest

from seawall import light_run, load_scenario, run_scenario
from tests.seawall.test_flash_crash import assert_crashes

ROOT = Path(__file__).parents[2]

SMALL_CRASH = {
    "teaching-default": "b501394309ae7e1fcbc7c2214b599e29",
    "binance-usdm": "0fb95b3836003962775e1f45b53d9cc2",
    "deribit-linear": "5882792dd47f807ee2db8322e0a028c2",
    "hyperliquid": "9185684b9f1b6139f10d2d06f6e9fe9b",
    "kraken-spot": "18b3b2c014701064706935625845283c",
}
"""Of examples/small_crash.toml under each rulebook for linear contracts."""

FLASH_CRASH = "604f2feac3190ff093a6cab38fd8122f"


@pytest.mark.parametrize("rulebook", SMALL_CRASH)
def test_the_small_crash_under_each_rulebook(rulebook: str, tmp_path: Path) -> None:
    overrides = [] if rulebook == "teaching-default" else [f"rulebook={rulebook}"]
    scenario = load_scenario(str(ROOT / "examples/small_crash.toml"), overrides)
    summary = run_scenario(scenario, tmp_path / "run")
    assert summary["state_hash"] == SMALL_CRASH[rulebook]


@pytest.mark.slow
def test_the_flash_crash() -> None:
    run = light_run("flash_crash")
    assert_crashes(run.figures)
    assert run.state_hash == FLASH_CRASH
