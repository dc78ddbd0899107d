"""One crash, four ways to liquidate: the same scenario and seed under changed rules."""

import tempfile
from pathlib import Path
from typing import Any

from seawall import load_scenario, run_scenario

SCENARIO = Path(__file__).parent / "small_crash.toml"

WORLDS: dict[str, list[str]] = {
    "as it is": [],
    "all at once": ["rulebook_overrides.liquidation.partial=all"],
    "a fifth at a time": [
        "rulebook_overrides.liquidation.partial=fraction",
        "rulebook_overrides.liquidation.cooldown_s=10",
    ],
    "ADL pro rata": ["rulebook_overrides.adl.ranking=pro_rata"],
}


def outcome(overrides: list[str]) -> dict[str, Any]:
    """The summary of one run, which leaves nothing behind."""
    with tempfile.TemporaryDirectory() as directory:
        return run_scenario(load_scenario(SCENARIO, overrides), Path(directory) / "run")


def main() -> None:
    """Print a table of outcomes; money is in the settlement asset."""
    print(f"{'':<18} liquidated  partial  full  takeovers  ADL fills    bad debt  fund's change")
    for name, overrides in WORLDS.items():
        summary = outcome(overrides)
        liquidations = summary["liquidations"]
        (debt,) = summary["bad_debt"].values()
        (start,) = summary["insurance_fund"]["start"].values()
        (end,) = summary["insurance_fund"]["end"].values()
        print(
            f"{name:<18} {liquidations['accounts']:>10} {liquidations['partial']:>8} "
            f"{liquidations['full']:>5} {liquidations['takeovers']:>10} "
            f"{summary['adl']['fills']:>10} {float(debt):>11,.2f} "
            f"{float(end) - float(start):>14,.2f}"
        )


if __name__ == "__main__":
    main()
