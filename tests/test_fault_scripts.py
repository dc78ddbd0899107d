"""The scripts of ../shared/faults that stand for a mended kind of fault: each must end without
error. A script fails by an assertion of its own; a TOML file is run, a JSON file is asked for
tiers.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = Path(os.environ.get("SEAWALL_SHARED", REPOSITORY.parent / "shared")) / "faults"

SCRIPTS = [
    "09_beyond_the_last_tier.py",
]


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} is absent")
@pytest.mark.parametrize("name", SCRIPTS)
def test_script_of_a_mended_fault_ends_without_error(name: str) -> None:
    ended = subprocess.run(
        [sys.executable, FOLDER / name],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
