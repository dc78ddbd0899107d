"""Policies on a table of waves: a hand-worked table, and the October crash to the cent."""

import os
from decimal import Decimal
from pathlib import Path

import pytest

from seawall.cli import main
from seawall.lab.waves import WavesError, score_waves

SHARED = Path(os.environ.get("SEAWALL_SHARED", Path(__file__).parents[3] / "shared"))
OCTOBER = SHARED / "data" / "hyperliquid_oct10" / "mit_policy_per_wave.csv.gz"

SMALL = """\
wave,budget_needed,budget_queue,budget_fixed_point_ilp_integer,max_pct_queue,\
max_pct_fixed_point_ilp_integer,theta_needed_capped,deficit_usd
1,100,150,100,0.5,0.1,0.25,300
2,60,40,66,0.2,0.3,0.75,400
"""

# policy: budget, overshoot, above 0, tracking, fairness, total, % of bound, worst haircut
TABLE = {
    "prod": "60108335 45028666 49405578 53782490.53 11077031.68 64859522.21 50.01 1.0000",
    "pr": "15079670 0 0 0.00 2732437.29 2732437.29 2.11 0.1652",
    "pnl_pr": "15079670 0 0 0.00 1677764.43 1677764.43 1.29 0.1853",
    "eq_pr": "15079670 0 0 0.00 2800072.86 2800072.86 2.16 0.0632",
    "vector": "13286648 -1793022 0 1793022.03 2620345.57 4413367.61 3.40 0.0230",
    "contract_pr": "12059549 -3020121 0 3020120.65 384064.35 3404185.00 2.62 0.7365",
    "fixed_point_ilp_integer": "15171857 92187 99196 106205.81 0.00 106205.81 0.08 0.3744",
}


def test_scores_are_those_of_the_definitions(tmp_path: Path) -> None:
    """Tracking 50 + 20; fairness 100 x 0.4 + 60 x 0.1; bound sqrt((1 + 2 x 0.5) x 250000)."""
    path = tmp_path / "waves.csv"
    path.write_text(SMALL)
    queue, least = score_waves(path)
    assert (queue.policy, queue.budget, queue.overshoot) == ("queue", 190, 30)
    assert (queue.overshoot_above, queue.tracking, queue.fairness) == (50, 70, Decimal("46"))
    assert queue.total == 116
    assert queue.of_bound is not None
    assert abs(queue.of_bound - Decimal(116) / Decimal(500000).sqrt()) < Decimal("1e-25")
    assert queue.worst == Decimal("0.5")
    assert (least.tracking, least.fairness) == (6, 0)


@pytest.mark.data
@pytest.mark.skipif(not OCTOBER.is_file(), reason=f"{OCTOBER} is not there")
def test_the_october_crash_to_the_cent() -> None:
    """arXiv 2602.15182, Table 2, and the two policies of its data that the table leaves out."""
    found = {
        each.policy: (
            f"{each.budget:.0f} {each.overshoot.quantize(Decimal(1)) + 0} "
            f"{each.overshoot_above:.0f} {each.tracking:.2f} {each.fairness:.2f} "
            f"{each.total:.2f} {100 * (each.of_bound or 0):.2f} {each.worst:.4f}"
        )
        for each in score_waves(OCTOBER)
    }
    assert found == TABLE


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("a,b\n1,2\n", "needs the columns budget_needed"),
        (SMALL.replace("150", "many"), "budget_queue of wave 1 is 'many', not a number"),
        (SMALL.splitlines()[0] + "\n", "holds no waves"),
    ],
)
def test_what_is_no_table_of_waves_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "waves.csv"
    path.write_text(text)
    with pytest.raises(WavesError, match=told):
        score_waves(path)


def test_the_command_prints_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "waves.csv"
    path.write_text(SMALL)
    assert main(["lab", "waves", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[0] == "fixed_point_ilp_integer"
    assert "116.00" in lines[2]
    assert main(["lab", "waves", str(tmp_path / "none.csv")]) == 2
    assert "none.csv" in capsys.readouterr().err
