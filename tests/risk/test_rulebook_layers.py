"""Rules laid over a rulebook: files that extend one, levels by name, a world without calls."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.setting_layers import MergeError
from engine.toml_text import parse_toml
from risk.rulebook import CallRule
from risk.rulebook_file import (
    RulebookError,
    RulebookFile,
    list_rulebooks,
    load_rulebook,
    parse_rulebook,
    rulebook_tables,
)
from risk.rules.rulebook_layers import lay_rules
from seawall.scenario import Scenario, load_scenario
from seawall.scenario_fields import ScenarioError

TEACHING = rulebook_tables("teaching-default")


def laid(over: Mapping[str, Any], base: Mapping[str, Any] = TEACHING) -> dict[str, Any]:
    return lay_rules(base, over, "set by the test")


def levels(rules: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [(level["name"], level["kind"], str(level["factor"])) for level in rules["levels"]]


# levels by name


def test_a_level_is_changed_by_its_name() -> None:
    changed = laid({"levels": {"margin call": {"factor": "1.4"}}})
    assert levels(changed) == [
        ("alert", "alert", "2"),
        ("margin call", "call", "1.4"),
        ("liquidation", "liquidate", "1"),
    ]
    assert levels(TEACHING)[1] == ("margin call", "call", "1.5")


def test_levels_stand_in_the_order_of_their_factors_again() -> None:
    new = {"early": {"kind": "alert", "factor": "3"}, "late": {"kind": "alert", "factor": "1.2"}}
    assert [name for name, _, _ in levels(laid({"levels": new}))] == [
        "early",
        "alert",
        "margin call",
        "late",
        "liquidation",
    ]
    assert [name for name, _, _ in levels(laid({"levels": {"alert": {"factor": "1.1"}}}))] == [
        "margin call",
        "alert",
        "liquidation",
    ]


def test_a_level_is_removed_by_its_name_or_refused() -> None:
    assert [n for n, _, _ in levels(laid({"levels": {"alert": "none"}}))] == [
        "margin call",
        "liquidation",
    ]
    with pytest.raises(MergeError, match=r"levels\.call: nothing of that name to remove; there: "):
        laid({"levels": {"call": "none"}})
    with pytest.raises(MergeError, match=r"levels\.alert: '3' must be a table, or 'none'"):
        laid({"levels": {"alert": "3"}})


# without margin calls


@pytest.mark.parametrize(
    "over",
    [
        {"call": "none"},
        {"levels": {"margin call": "none"}},
        {"levels": [{"name": "liquidation", "kind": "liquidate", "factor": 1}]},
    ],
    ids=["the table", "the level", "another list"],
)
def test_a_world_without_margin_calls(over: Mapping[str, Any]) -> None:
    changed = laid(over)
    assert "call" not in changed
    assert all(kind != "call" for _, kind, _ in levels(changed))


def test_a_table_nobody_needs_is_refused_where_it_was_given_just_now() -> None:
    changed = laid({"levels": {"margin call": "none"}, "call": {"grace_s": 5}})
    assert changed["call"]["grace_s"] == 5  # and the reader says that it has no effect
    with pytest.raises(MergeError, match="call: nothing of that name to remove"):
        laid({"call": "none"}, rulebook_tables("hyperliquid"))


@pytest.mark.parametrize("name", list_rulebooks())
def test_every_shipped_rulebook_can_do_without_calls(name: str, tmp_path: Path) -> None:
    tables = rulebook_tables(name)
    has_call = any(kind == "call" for _, kind, _ in levels(tables))
    more = 'call = "none"\n' if has_call else ""
    rulebook = extended(tmp_path, f'extends = "{name}"\n{more}').rulebook
    assert all(level.kind != "call" for level in rulebook.levels)
    assert rulebook.call == CallRule()


# files that extend a rulebook


def extended(tmp_path: Path, text: str, name: str = "mine.toml") -> RulebookFile:
    file = tmp_path / name
    file.write_text(text)
    return load_rulebook(str(file))


def test_a_file_extends_a_shipped_rulebook(tmp_path: Path) -> None:
    mine = extended(
        tmp_path,
        'extends = "binance-usdm"\n[fees]\ntaker = "0.001"\n[levels.liquidation]\nfactor = "1.1"\n',
    )
    base = load_rulebook("binance-usdm")
    assert (mine.rulebook.name, mine.rulebook.title) == (
        "mine",
        f"{base.rulebook.title}, changed",
    )
    assert (mine.rulebook.fees.taker_ppb, mine.rulebook.levels[-1].factor_ppb) == (
        1_000_000,
        1_100_000_000,
    )
    assert mine.rulebook.fees.maker_ppb == base.rulebook.fees.maker_ppb
    assert mine.symbol_margins == base.symbol_margins
    assert mine.rulebook.liquidation == base.rulebook.liquidation


def test_what_a_file_changes_is_cited_as_set_by_it_unless_it_says_from_where(
    tmp_path: Path,
) -> None:
    mine = extended(
        tmp_path,
        'extends = "teaching-default"\n[sources.paper]\ntitle = "A paper"\ndate = "2026"\n'
        '[fees]\ntaker = "0.001"\n[mark]\nbasis_samples = 9\nfrom = "paper: table 2"\n'
        '[levels.alert]\nfactor = "3"\n[levels.early]\nkind = "alert"\nfactor = "4"\n',
    )
    cited = mine.citations
    assert cited.in_words("fees.taker") == "assumed: set by mine.toml"
    assert cited.in_words("fees.maker") == "own (2026)"
    assert cited.in_words("mark.basis_samples") == "paper, table 2 (2026)"
    assert cited.in_words("mark.method") == "own (2026)"
    assert cited.in_words("levels[1].factor") == "assumed: set by mine.toml"
    assert cited.in_words("levels[2].factor") == "assumed: set by mine.toml"
    assert cited.in_words("levels[3].factor") == "own (2026)"


def test_a_file_extends_another_beside_it(tmp_path: Path) -> None:
    extended(tmp_path, 'extends = "teaching-default"\n[fees]\ntaker = "0.001"\n', "base.toml")
    mine = extended(tmp_path, 'extends = "base.toml"\n[fees]\nmaker = "0.0007"\n')
    assert (mine.rulebook.fees.maker_ppb, mine.rulebook.fees.taker_ppb) == (700_000, 1_000_000)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('extends = "nowhere"', "mine.toml: extends: rulebook 'nowhere' is unknown"),
        ("extends = 3", "mine.toml: extends: 3 must be the name or path of a rulebook"),
        ('extends = "mine.toml"', "more than 8 files deep; is it circular?"),
        ('extends = "gone/base.toml"', "gone/base.toml: cannot be read"),
        ('extends = "teaching-default"\n[fees]\ntakr = 1', r"fees.takr.*'takr'|takr.*is unknown"),
        ('extends = "teaching-default"\n[levels.no]\nfactor = 3', "kind: is missing"),
        ('extends = "teaching-default"\n[levels]\nno = "none"', "levels.no: nothing of that name"),
        ('extends = "teaching-default"\n[fees]', "fees: an empty table changes nothing"),
        ('extends = "teaching-default"\n[fees]\ntaker = 1\nfrom = "x"', "'x' is no source"),
    ],
)
def test_a_file_that_extends_what_is_not_there_is_refused(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(RulebookError, match=problem):
        extended(tmp_path, text)


def test_a_margin_model_starts_anew_and_the_symbols_stay(tmp_path: Path) -> None:
    flat = '[margin]\nmodel = "flat"\nmaintenance = "0.01"\nmax_leverage = 20\n'
    partial = '[liquidation]\npartial = "restore"\n'
    mine = extended(tmp_path, f'extends = "binance-usdm"\n{partial}{flat}')
    assert mine.margin.figures == {"maintenance": Decimal("0.01"), "max_leverage": Decimal(20)}
    assert list(mine.symbol_margins) == list(load_rulebook("binance-usdm").symbol_margins)


# scenarios


def scenario(*overrides: str) -> Scenario:
    return load_scenario("small_crash", [f"rulebook_overrides.{text}" for text in overrides])


def test_a_scenario_switches_the_call_off_and_names_levels() -> None:
    plain = scenario()
    quiet = scenario("call=none")
    assert [level.kind for level in quiet.rulebook.levels] == ["alert", "liquidate"]
    assert quiet.rulebook.liquidation == plain.rulebook.liquidation
    later = scenario("levels.margin call.factor=1.2", "levels.alert.factor=1.3")
    assert [level.factor_ppb // 10**8 for level in later.rulebook.levels] == [13, 12, 10]
    assert parse_rulebook(later.rulebook_text, "again").rulebook == later.rulebook
    with pytest.raises(ScenarioError, match=r"rulebook_overrides\.levels\.no: nothing of that"):
        scenario("levels.no=none")
    with pytest.raises(ScenarioError, match=r"call.*has no effect; no level is of kind 'call'"):
        scenario("levels.margin call=none", "call.grace_s=5")


def test_layers_of_scenarios_reach_the_rulebook(tmp_path: Path) -> None:
    """A table that one file lays over the rulebook and the next removes: also the rulebook's."""
    below, above = tmp_path / "below.toml", tmp_path / "above.toml"
    below.write_text(
        'extends = "small_crash"\n[rulebook_overrides.call]\ngrace_s = 5\n'
        '[[rulebook_overrides.levels]]\nname = "early"\nkind = "call"\nfactor = 1.4\n'
        '[[rulebook_overrides.levels]]\nname = "end"\nkind = "liquidate"\nfactor = 1\n'
    )
    above.write_text('extends = "below.toml"\n[rulebook_overrides]\ncall = "none"\n')
    assert [level.name for level in load_scenario(above).rulebook.levels] == ["end"]
    again = load_scenario(above, ["rulebook_overrides.levels.end.factor=1.1"])
    assert again.rulebook.levels[0].factor_ppb == 1_100_000_000
    back = load_scenario(above, ["rulebook_overrides.call.grace_s=7"]).rulebook
    assert [level.name for level in back.levels] == ["early", "end"]
    assert back.call.grace_ns == 7 * 10**9


def test_a_scenario_runs_under_a_rulebook_that_extends_one(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('extends = "teaching-default"\ncall = "none"\n')
    file = tmp_path / "s.toml"
    file.write_text('extends = "small_crash"\nrulebook = "mine.toml"\n')
    found = load_scenario(file)
    assert found.rulebook.name == "mine"
    tables = parse_toml(found.rulebook_text)
    assert "extends" not in tables
    assert parse_rulebook(found.rulebook_text, "again").rulebook == found.rulebook
