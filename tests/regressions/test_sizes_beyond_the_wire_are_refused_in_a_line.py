"""A size that no message carries ended a run in an OverflowError when the first one was written."""

import re
from pathlib import Path

import pytest

from seawall.cli import main

SCENARIO = """
rulebook = "teaching-default"
[time]
duration = "10s"
[assets.usd]
symbol = "USDT"
[instruments.perp]
symbol = "X-PERP"
tick = "0.01"
lot = "0.1"
[index.perp.sources.one]
kind = "anchored"
anchors = [["0s", 100], ["10s", 99]]
"""


@pytest.mark.parametrize(
    ("key", "value", "largest"),
    [
        ("max_qty", "1e20", "100000000000"),
        ("min_qty", "1e20", "100000000000"),
        ("max_qty", "100000000000.1", "100000000000"),
        ("max_notional", "1e30", "2305843009213.693952"),
        ("min_notional", "1e30", "2305843009213.693952"),
        ("lot", "1e20", "2.30584e+14"),
        ("band", "1e20", "1"),
    ],
)
def test_a_size_beyond_the_wire_names_its_key_and_the_largest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, value: str, largest: str
) -> None:
    file = tmp_path / "s.toml"
    file.write_text(SCENARIO)
    out = tmp_path / "out"
    given = f"instruments.perp.{key}={value}"
    assert main(["run", str(file), "--set", given, "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(rf"instruments.perp \(line \d+\): X-PERP: {key}", line)
    assert line.endswith(f" {largest} (with --set {given})")
