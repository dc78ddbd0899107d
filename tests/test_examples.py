"""Every script in examples/ runs and prints what it is there to show."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seawall.scenario import load_scenario

ROOT = Path(__file__).parents[1]
OVER_THE_WIRE = ("ccxt_margin_call.py", "zmq_client.py", "zmq_margin_call.py")
"""Need running services; test_up.py and test_watch.py in tests/services and test_example.py in
tests/doors run them."""
EXAMPLES = sorted(
    path for path in (ROOT / "examples").glob("*.py") if path.name not in OVER_THE_WIRE
)

SHOWS = {
    "first_market.py": ["margin call: bring", "the call ends", "forced sale", "liquidation over"],
    "liquidation_price.py": ["kraken-spot", "binance-coinm", "hyperliquid"],
    "read_a_run.py": ["state hash", "liquidations", "low_mark", "insurance fund", "cured_by"],
    "compare_rulebooks.py": ["as it is", "all at once", "a fifth at a time", "ADL pro rata"],
}
"""What must be in the output of each script."""


def output(path: Path, where: Path) -> str:
    """Run a script in a directory of its own, the way a reader would."""
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_every_example_is_listed_here() -> None:
    assert sorted(SHOWS) == [path.name for path in EXAMPLES]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs_and_leaves_nothing_behind(path: Path, tmp_path: Path) -> None:
    printed = output(path, tmp_path)
    for part in SHOWS[path.name]:
        assert part in printed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 60


def test_the_rulebooks_compared_come_out_differently(tmp_path: Path) -> None:
    lines = output(ROOT / "examples" / "compare_rulebooks.py", tmp_path).splitlines()[1:]
    figures = [re.split(r"\s{2,}", line, maxsplit=1)[1] for line in lines]
    assert len(dict.fromkeys(figures)) == len(lines)


def test_the_small_crash_is_small() -> None:
    assert load_scenario(ROOT / "examples" / "small_crash.toml").accounts == 200
