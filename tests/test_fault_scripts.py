"""The scripts of ../shared/faults that stand for a mended kind of fault: each ends without error,
or with the right refusal.

A script fails by an assertion of its own; a TOML file is run, a JSON file asked for
its tiers.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = Path(os.environ.get("SEAWALL_SHARED", REPOSITORY.parent / "shared")) / "faults"

SCRIPTS = [
    "01_isolated_order_without_hold.py",
    "03_market_order_beyond_its_margin.py",
    "04_adl_at_a_price_of_another_contract.py",
    "05_deficit_charged_to_nobody.py",
    "06_fund_deep_below_zero.py",
    "07_decimals_change_the_market.py",
    "09_beyond_the_last_tier.py",
    "10_one_odd_candle_hides_the_crash.py",
    "12_sentinel_cap.json",
    "12_sentinel_cap_is_a_traceback.py",
    "14_isolated_orders_hold_too_much.py",
    "16_native_toml_time.toml",
    "17_bom.toml",
    "18_tiers_of_other_venues.json",
    "21_closing_past_bankruptcy.py",
    "22_isolated_order_liquidated_by_its_own_check.py",
    "23_reduce_only_opens_a_position.py",
    "24_cannot_close_beside_a_take_profit.py",
    "25_isolated_profit_cannot_leave.py",
    "26_weights_merge.py",
    "31_resting_order_the_mark_has_passed.py",
    "33_liquidation_order_past_bankruptcy.py",
    "37_close_behind_a_resting_order.py",
    "39_isolated_margin_in_slices.py",
]

REFUSED = {
    "07_decimals_change_the_market.py": "assets.usd.decimals: 12 leave too little room",
    "21_closing_past_bankruptcy.py": "closes past bankruptcy (price 9000; bankrupt beyond 9920",
}
"""Scripts that end with a refusal for the right reason."""

PROGRAM = [sys.executable, "-P", "-m", "seawall.cli"]
POSITION = ["--side", "long", "--qty", "1", "--entry", "100", "--leverage", "5"]


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} is absent")
@pytest.mark.parametrize("name", SCRIPTS)
def test_script_of_a_mended_fault_ends_without_error(name: str, tmp_path: Path) -> None:
    for command in commands(FOLDER / name, tmp_path / "out"):
        ended = subprocess.run(
            command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False
        )
        refused = REFUSED.get(name)
        said = ended.stdout + ended.stderr
        assert (refused in said) if refused else (ended.returncode == 0), said


def commands(file: Path, out: Path) -> list[list[str]]:
    """What to run of a file, by its kind."""
    if file.suffix == ".toml":
        return [[*PROGRAM, "run", str(file), "--out", str(out)]]
    if file.suffix == ".json":
        asked = [*PROGRAM, "calc", "--rulebook", "binance-usdm", *POSITION, "--tiers", str(file)]
        return [[*asked, "--symbol", symbol] for symbol in json.loads(file.read_text())]
    return [[sys.executable, str(file)]]
