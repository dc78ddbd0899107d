"""Scenario, rulebook, settings of the services and keys: a byte order mark or a time without quotes
was a riddle at one door and a traceback at another.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.services.service_config import parse_config
from gateway.rights.keys import new_pair, read_keys
from risk.rulebook_file import SHIPPED, load_rulebook
from seawall.scenario import load_scenario
from seawall.scenario_file import find_scenario

MARK = "\ufeff"


def services(path: Path) -> Any:
    return parse_config(path.read_text(encoding="utf-8"), path.name)


def keys(path: Path) -> Any:
    path.chmod(0o600)
    return read_keys(str(path))


SERVER = new_pair()
RULES = (SHIPPED / "teaching-default.toml").read_text()
DOORS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "scenario": (load_scenario, find_scenario("flash_crash").read_text()),
    "rulebook": (lambda path: load_rulebook(str(path)), RULES),
    "services": (services, 'run_dir = "somewhere"\nsnapshot_every = 7\n'),
    "keys": (keys, f'[server]\npublic = "{SERVER[0]}"\nsecret = "{SERVER[1]}"\n'),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_byte_order_mark_means_nothing(tmp_path: Path, door: str) -> None:
    read, text = DOORS[door]
    plain, marked = tmp_path / "plain.toml", tmp_path / "marked.toml"
    plain.write_text(text, encoding="utf-8")
    marked.write_text(MARK + text, encoding="utf-8")
    assert str(read(marked)).replace("marked", "plain") == str(read(plain))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 50_000,
        ".".join("a" * 3_000) + " = 1",
        "a = " + "9" * 5_000,
        "a = = 1",
        "when = 2025-01-01T00:00:00Z",
    ],
    ids=["deep", "dotted", "digits", "syntax", "time"],
)
def test_what_is_no_settings_is_refused_in_a_line(tmp_path: Path, door: str, text: str) -> None:
    read, _ = DOORS[door]
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine\.toml: ") as refused:
        read(path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 900
