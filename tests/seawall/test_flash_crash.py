"""The built-in flash crash: calm before, everything a venue has during it, slow to heal after."""

import os
from typing import Any

import pytest

from seawall.runs.light_run import light_run

LONG = os.environ.get("SEAWALL_PROFILE") == "long"


def assert_crashes(figures: dict[str, Any]) -> None:
    """A fall far below the index that takes a while to heal, with every stage of trouble."""
    assert figures["entered"] == figures["accounts"] == 12_000
    assert abs(figures["basis_warm_up"]) < 0.01
    assert figures["low"] < -0.38, "the index falls by 34 percent"
    assert figures["basis_worst"] < -0.1
    assert figures["basis_half_s"] > 10
    for outcome in ("calls_cured", "calls_expired", "partial", "closed", "taken_over", "adl_fills"):
        assert figures[outcome] > 0, outcome
    assert figures["fund_end"] < 0.95 * figures["fund_start"]


@pytest.mark.skipif(not LONG, reason="eight flash crashes: SEAWALL_PROFILE=long")
@pytest.mark.parametrize("seed", range(1, 9))
def test_every_seed_of_the_flash_crash_has_every_stage(seed: int) -> None:
    assert_crashes(light_run("flash_crash", seed=seed).figures)
