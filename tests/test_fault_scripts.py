"""The scripts of ../shared/faults that stand for a mended kind of fault: each ends without error.

A script fails by an assertion of its own; a TOML file is run.
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
    "16_native_toml_time.toml",
    "26_weights_merge.py",
]


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} is absent")
@pytest.mark.parametrize("name", SCRIPTS)
def test_script_of_a_mended_fault_ends_without_error(name: str, tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / name)]
    if name.endswith(".toml"):
        program = [sys.executable, "-P", "-m", "seawall.cli"]
        command = [*program, "run", str(FOLDER / name), "--out", str(tmp_path / "out")]
    ended = subprocess.run(
        command,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
