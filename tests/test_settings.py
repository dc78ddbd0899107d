"""One table of mistakes, made in all three kinds of settings: scenario, rulebook, services.

Every message names the file, the place, the line, the value and what is allowed; a misspelt word
also the nearest right one.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.services.service_config import ConfigError, parse_config
from risk.rulebook_file import RulebookError, parse_rulebook
from seawall.scenario import load_scenario
from seawall.scenario_fields import ScenarioError
from tests.risk.test_rulebook_file import GOOD
from tests.seawall.test_scenario import MINIMAL

SERVICES = """\
run_dir = "run"
layout = "one"
snapshot_every = 500

[clock]
tick_ms = 250

[[clock.asset]]
asset_id = 2
start_price = "100.5"

[[accounts]]
account_id = 7
leverage = { PERP = 5 }
"""


def refuse_scenario(text: str, folder: Path) -> str:
    path = folder / "bad.toml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as error:
        load_scenario(path)
    return str(error.value).replace(f"{folder}/", "")


def refuse_rulebook(text: str, folder: Path) -> str:
    with pytest.raises(RulebookError) as error:
        parse_rulebook(text, "bad.toml")
    return str(error.value)


def refuse_services(text: str, folder: Path) -> str:
    with pytest.raises(ConfigError) as error:
        parse_config(text, "bad.toml")
    return str(error.value)


READERS: dict[str, tuple[str, Callable[[str, Path], str]]] = {
    "scenario": (MINIMAL, refuse_scenario),
    "rulebook": (GOOD, refuse_rulebook),
    "services": (SERVICES, refuse_services),
}

MISTAKES: dict[str, dict[str, tuple[str, str, str, str]]] = {
    "unknown key": {
        "scenario": ("[time]", "[time]\ntik = '1s'", "time.tik", "did you mean 'tick'? allowed"),
        "rulebook": ("taker =", "takr =", "fees.takr", "did you mean 'taker'? allowed are"),
        "services": ("tick_ms", "tik_ms", "clock.tik_ms", "did you mean 'tick_ms'? allowed are"),
    },
    "unknown word": {
        "scenario": (
            '"jump_diffusion"',
            '"jump_difusion"',
            "index.perp.sources.one.kind",
            "'jump_diffusion'? al",
        ),
        "rulebook": ('"weighted"', '"weigthed"', "index.method", "did you mean 'weighted'?"),
        "services": ('"one"', '"separated"', "layout", "did you mean 'separate'? allowed are one"),
    },
    "wrong type": {
        "scenario": ("[time]", "seed = true\n[time]", "seed", "True must be a whole number"),
        "rulebook": ("= 12", '= "12"', "mark.basis_samples", "'12' must be a whole number"),
        "services": ("= 250", '= "250"', "clock.tick_ms", "'250' must be a whole number"),
    },
    "out of range": {
        "scenario": ("[time]", "seed = -1\n[time]", "seed", "-1 must be a whole number from 0"),
        "rulebook": ("= 12", "= 0", "mark.basis_samples", "0 is out of range; allowed are 1 to"),
        "services": ("= 500", "= 0", "snapshot_every", "is 0; it must be at least 1"),
    },
    "off the grid": {
        "scenario": ("[time]", "[time]\ntick = '0.1ns'", "time.tick", "'0.1ns' must be a whole"),
        "rulebook": ('"0.0005"', '"0.00000000051"', "fees.taker", "at most nine decimals"),
        "services": ('"100.5"', '"1.0000000001"', "clock.asset[1].start_price", "1E-9"),
    },
    "given twice": {
        "scenario": ("[time]", "seed = 1\nseed = 2\n[time]", "", "TOML"),
        "rulebook": ("[fees]", "[fees]\ntaker = 0", "", "TOML"),
        "services": ("[clock]", "[clock]\ntick_ms = 1", "", "Cannot overwrite a value"),
    },
    "nested": {
        "scenario": ("[time]", "[house]\nfund = [[[[1]]]]\n[time]", "house.fund", "[[[[1]]]] must"),
        "rulebook": ("= 12", "= [[[[1]]]]", "mark.basis_samples", "[[[[1]]]] must be a whole"),
        "services": ("PERP = 5", "PERP = [[5]]", "accounts[1].leverage.PERP", "[[5]] must be a"),
    },
    "table for a value": {
        "scenario": ("[time]", "[seed]\nx = 1\n[time]", "seed", "must be a whole number"),
        "rulebook": ("= 12", "= { x = 1 }", "mark.basis_samples", "must be a whole number"),
        "services": ("= 250", "= { x = 1 }", "clock.tick_ms", "must be a whole number"),
    },
    "missing": {
        "scenario": ("[time]", "[agents.m]\nkind = 'noise'\n[time]", "agents.m.capital", "missing"),
        "rulebook": ('kind = "alert"\n', "", "levels[1].kind", "is missing; it must be given"),
        "services": ("account_id = 7\n", "", "accounts[1].account_id", "is missing; it must"),
    },
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("reader", READERS)
def test_a_mistake_is_told_with_place_line_value_and_what_is_allowed(
    reader: str, mistake: str, tmp_path: Path
) -> None:
    good, refuse = READERS[reader]
    old, new, place, fragment = MISTAKES[mistake][reader]
    assert old in good
    message = refuse(good.replace(old, new, 1), tmp_path)
    assert message.startswith("bad.toml: ")
    assert fragment in message
    assert re.search(rf"{re.escape(place)} \(line \d+\): |line \d+", message), message


@pytest.mark.parametrize("reader", READERS)
def test_without_a_mistake_nothing_is_refused(reader: str, tmp_path: Path) -> None:
    good, refuse = READERS[reader]
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        refuse(good, tmp_path)


BASE = MINIMAL.replace("[time]", '[house]\nfund = "5"\n[time]')


@pytest.mark.parametrize(
    ("base", "child", "overrides", "expected"),
    [
        pytest.param(
            BASE.replace('"60s"', '"soon"'),
            "seed = 3\n",
            [],
            "base.toml: time.duration (line 6): 'soon' must be",
            id="in the file that is extended",
        ),
        pytest.param(
            BASE,
            "[house]\nfund = -1\n",
            [],
            "child.toml: house.fund (line 3): -1 must be",
            id="in the file that extends",
        ),
        pytest.param(
            BASE,
            "[house]\nfnd = 1\n",
            [],
            "child.toml: house.fnd (line 3): is unknown; did you mean 'fund'?",
            id="a key only one has",
        ),
        pytest.param(
            BASE,
            "seed = 3\n",
            ["house.fund=-1"],
            "child.toml with --set house.fund=-1: house.fund: -1 must be",
            id="in an override",
        ),
        pytest.param(
            BASE,
            "seed = 3\n",
            ["house={fund = -1}"],
            "child.toml with --set house={fund = -1}: house.fund: -1 must be",
            id="inside the table an override gives",
        ),
        pytest.param(
            BASE,
            "seed = 3\n",
            ["seed=4", "instruments.perp.tick=0"],
            "base.toml: instruments.perp (line 9): X-PERP: tick is 0",
            id="around what an override gives",
        ),
    ],
)
def test_a_mistake_is_told_with_the_file_or_override_it_stands_in(
    base: str, child: str, overrides: list[str], expected: str, tmp_path: Path
) -> None:
    (tmp_path / "base.toml").write_text(base)
    path = tmp_path / "child.toml"
    path.write_text('extends = "base.toml"\n' + child)
    with pytest.raises(ScenarioError) as error:
        load_scenario(path, overrides)
    message = str(error.value).replace(f"{tmp_path}/", "")
    assert message.startswith(expected)
    if "with --set" not in expected and overrides:
        assert message.endswith("(with --set instruments.perp.tick=0)")
