"""Branches: the same past, other rules, and what shows that the difference is theirs."""

import json
from pathlib import Path

import polars as pl
import pytest

pytest.importorskip("scipy", reason="the extra lab is not installed")

from seawall import light_run, load_scenario
from seawall.cli import main
from seawall.lab.branch import (
    AS_IT_WAS,
    BRANCH,
    PLACEBO,
    BranchAnswer,
    BranchTask,
    branch_in_words,
    branch_seed,
    noise_name,
    rule_overrides,
    summarise,
)
from seawall.lab.intervals import LabError
from seawall.lab.moment import Moment
from seawall.scenario import Scenario
from tests.lab.studies import SCENARIO

SMALL = [
    "population.retail.accounts=60",
    "population.funds.accounts=6",
    "population.hedgers.accounts=16",
    "time.duration=100s",
]
RULES = ["rulebook.adl.ranking=water_filling"]
DEPOSIT = 10**6


def small(*more: str) -> Scenario:
    return load_scenario(SCENARIO, [*SMALL, *more])


@pytest.fixture(scope="module")
def answer() -> BranchAnswer:
    other = small(*rule_overrides(RULES)).rulebook.to_json()
    return branch_seed(BranchTask(small(), other, 4, "adl", commands=True))


def test_the_run_goes_on_as_if_nobody_had_looked(answer: BranchAnswer) -> None:
    assert answer.worlds[AS_IT_WAS].state_hash == light_run(small(), seed=4).state_hash
    assert answer.worlds[AS_IT_WAS].figures == light_run(small(), seed=4).figures


def test_the_same_rules_again_change_nothing(answer: BranchAnswer) -> None:
    placebo = answer.worlds[PLACEBO]
    assert placebo.state_hash == answer.worlds[AS_IT_WAS].state_hash
    assert placebo.first_difference == []


def test_the_first_difference_is_what_the_rule_did(answer: BranchAnswer) -> None:
    """A queue takes a whole position, water-filling a part: until then both worlds are one."""
    told = answer.worlds[BRANCH].first_difference
    assert [line.split(":")[0] for line in told[-2:]] == [AS_IT_WAS, BRANCH]
    assert "Deleveraged(" in told[-2]
    assert "Deleveraged(" in told[-1]
    assert any("stage='adl'" in line for line in told[:-2])


def test_a_lot_sold_is_another_world(answer: BranchAnswer) -> None:
    told = answer.worlds[noise_name(100)].first_difference
    assert "OrderAccepted(" in told[-1] or "CommandRejected(" in told[-1]


def test_commands_that_lost_their_meaning_are_counted(answer: BranchAnswer) -> None:
    assert answer.replayed is not None
    assert answer.replayed.commands > 20
    assert 0 <= answer.replayed.changed <= answer.replayed.commands


def test_rules_that_forbid_what_was_sent_change_most_commands() -> None:
    """No order may be worth more margin than anybody has: whoever opens is refused."""
    other = small("rulebook_overrides.fees.taker=0.5").rulebook.to_json()
    found = branch_seed(BranchTask(small(), other, 2, "0s", commands=True)).replayed
    assert found is not None
    assert found.changed > 0.05 * found.commands
    assert found.kinds.keys() & {"refused", "filled otherwise"}


def test_the_summary_counts_accounts_and_seeds(answer: BranchAnswer) -> None:
    summary = summarise("adl", [answer], DEPOSIT)
    one = set(answer.worlds[AS_IT_WAS].liquidated)
    other = set(answer.worlds[BRANCH].liquidated)
    assert (summary.placebo_equal, summary.seeds) == (1, 1)
    assert summary.both + summary.only_before == len(one)
    assert summary.both + summary.only_branch == len(other)
    text = "\n".join(branch_in_words(summary, RULES))
    assert "same state hash in 1 of 1" in text
    assert "too few seeds" in text


def test_moments() -> None:
    plan = small().time
    assert Moment("90s", plan).time_ns == plan.start_ns + 90 * 10**9
    assert Moment("00:00:30", plan).time_ns == plan.start_ns + 30 * 10**9
    for text, told in (
        ("noon", "must be a time such as 90s"),
        ("25:00:00", "no such time of the day"),
        ("1h", "lies outside of the run"),
    ):
        with pytest.raises(LabError, match=told):
            Moment(text, plan)


def test_a_moment_that_never_comes_is_told() -> None:
    with pytest.raises(LabError, match="it never happens with seed 2"):
        branch_seed(BranchTask(small(), "", 2, "index-99%"))


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("house.fund=0", "a branch changes rules"),
        ("rulebook.margin.model=flat", "margin tables belong to the contract"),
    ],
)
def test_what_no_branch_can_change_is_refused(setting: str, told: str) -> None:
    with pytest.raises(LabError, match=told):
        rule_overrides([setting])


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "small.toml"
    path.write_text(
        f'extends = "{SCENARIO}"\n[time]\nduration = "60s"\n[population.retail]\naccounts = 30\n'
    )
    command = ["branch", str(path), "--at", "20s", "--set", RULES[0], "--seeds", "2"]
    table = tmp_path / "out" / "worlds.parquet"
    assert main([*command, "--workers", "1", "--json", "--out", str(table)]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["placebo_equal"], summary["after_s"]) == (2, [20, 20])
    worlds = pl.read_parquet(table)
    assert worlds["world"].to_list()[:3] == [AS_IT_WAS, BRANCH, PLACEBO]
    assert worlds.height == 2 * 6
    assert main([*command[:-1], "0"]) == 2
    assert "--seeds 0" in capsys.readouterr().err
