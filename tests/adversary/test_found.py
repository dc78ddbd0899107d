"""What the adversary found once, played again: `found` has a file for each, named after it."""

from pathlib import Path

import pytest

from tests.adversary.cases import load, play_again, text_of
from tests.adversary.plan import Broken
from tests.adversary.watch import Finding

FOUND = sorted(Path(__file__).with_name("found").glob("*.jsonl"))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_was_found_once_does_not_happen_again(path: Path) -> None:
    play_again(path.read_text())


def test_a_file_keeps_everything_of_a_finding() -> None:
    text = FOUND[0].read_text()
    case, steps = load(text)
    broken = Broken(Finding("kind", "text"), case.setting, steps, case.latency)
    assert text_of(broken).splitlines()[1:] == text.splitlines()[1:]
    again, same = load(text_of(broken))
    assert (again.setting, again.latency, same) == (case.setting, case.latency, steps)
