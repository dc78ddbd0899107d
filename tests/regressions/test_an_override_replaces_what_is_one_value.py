"""``--set population.retail.leverage={5=1}`` kept the other leverages: another experiment was run.

A table of weights is one value, a source whose kind changes is another source, and what a base
scenario has can be taken out again.
"""

from pathlib import Path

import pytest

from risk.rulebook import FundRule
from seawall.agents.plans import NoisePlan
from seawall.index_path import SourcePlan
from seawall.population import ParetoWealth
from seawall.scenario import Scenario, load_scenario
from seawall.scenario_fields import ScenarioError

BASE = """
rulebook = "teaching-default"
[time]
duration = "60s"
[assets.usd]
[instruments.perp]
symbol = "X-PERP"
tick = "0.01"
[index.perp.sources.alpha]
kind = "jump_diffusion"
start_price = 100
volatility = 0.5
[index.perp.sources.beta]
kind = "follow"
of = "alpha"
[population.retail]
accounts = 3
leverage = { 2 = 1, 20 = 3 }
wealth = { kind = "lognormal", median = 1000, sigma = 2 }
[population.funds]
accounts = 2
on_call = { add = 1, ignore = 1 }
wealth = { kind = "pareto" }
[agents.makers]
kind = "market_maker"
capital = 1000
size = 10
half_spread = 0.001
[latency]
gateway_to_risk = "1ms"
"""


def extended(tmp_path: Path, text: str, *overrides: str) -> Scenario:
    (tmp_path / "base.toml").write_text(BASE)
    child = tmp_path / "child.toml"
    child.write_text('extends = "base.toml"\n' + text)
    return load_scenario(child, overrides)


def overridden(tmp_path: Path, *overrides: str) -> Scenario:
    return extended(tmp_path, "", *overrides)


def sources(scenario: Scenario) -> dict[str, SourcePlan]:
    return {source.name: source for source in scenario.indices["perp"].sources}


def leverages(scenario: Scenario) -> dict[int, float]:
    return dict(scenario.population[0].leverage)


def test_weights_are_replaced_by_an_override_and_by_extends(tmp_path: Path) -> None:
    assert leverages(overridden(tmp_path, "population.retail.leverage={5=1}")) == {5: 1.0}
    table = "[population.retail.leverage]\n5 = 1\n"
    assert leverages(extended(tmp_path, table)) == {5: 1.0}
    table = "[population.retail]\nleverage = { 5 = 1 }\naccounts = 4\n"
    scenario = extended(tmp_path, table)
    assert (leverages(scenario), scenario.population[0].accounts) == ({5: 1.0}, 4)
    answers = overridden(tmp_path, "population.funds={on_call={ignore=1}}").population[1]
    assert (dict(answers.on_call), answers.accounts) == ({"ignore": 1.0}, 2)


def test_one_weight_by_its_own_key_leaves_the_others(tmp_path: Path) -> None:
    assert leverages(overridden(tmp_path, "population.retail.leverage.5=4")) == {
        2: 0.125,
        20: 0.375,
        5: 0.5,
    }
    both = overridden(
        tmp_path, "population.retail.leverage={5=1}", "population.retail.leverage.10=1"
    )
    assert leverages(both) == {5: 0.5, 10: 0.5}


def test_weights_of_an_index_are_replaced_too(tmp_path: Path) -> None:
    rules = "[rulebook_overrides.index]\nmethod = 'weighted'\nweights = { 1 = 3, 2 = 5 }\n"
    change = "rulebook_overrides.index.weights={1=7}"
    assert extended(tmp_path, rules, change).rulebook.index.weights == [(1, 7)]


@pytest.mark.parametrize("overrides_reversed", [False, True])
def test_a_source_of_another_kind_keeps_nothing(tmp_path: Path, overrides_reversed: bool) -> None:
    changes = [
        "index.perp.sources.alpha.kind=anchored",
        'index.perp.sources.alpha.anchors=[["0s", 50], ["60s", 40]]',
    ]
    alpha = sources(overridden(tmp_path, *changes[:: -1 if overrides_reversed else 1]))["alpha"]
    assert (alpha.kind, alpha.start_price, alpha.volatility) == ("anchored", 0.0, 0.8)
    table = "[index.perp.sources.alpha]\nkind = 'anchored'\nanchors = [['0s', 50], ['60s', 40]]\n"
    assert sources(extended(tmp_path, table))["alpha"] == alpha


def test_a_source_of_the_same_kind_keeps_its_other_keys(tmp_path: Path) -> None:
    table = "[index.perp.sources.alpha]\nkind = 'jump_diffusion'\ndrift = 1\n"
    alpha = sources(extended(tmp_path, table))["alpha"]
    assert (alpha.start_price, alpha.volatility, alpha.drift) == (100.0, 0.5, 1.0)


def test_wealth_agents_and_margin_of_another_kind_keep_nothing(tmp_path: Path) -> None:
    wealth = overridden(tmp_path, "population.retail.wealth.kind=pareto").population[0].wealth
    assert isinstance(wealth, ParetoWealth)
    assert wealth.alpha == 1.5
    noise = overridden(tmp_path, "agents.makers={kind='noise', capital=7, size=2}").agents[0]
    assert isinstance(noise.settings, NoisePlan)
    flat = '{model="flat", maintenance="0.01", max_leverage=20}'
    spec = overridden(tmp_path, f"rulebook_overrides.margin={flat}").instruments["perp"].margin
    assert spec.model == "flat"


def test_what_the_base_has_can_be_removed(tmp_path: Path) -> None:
    text = '[population]\nretail = "none"\n[index.perp.sources]\nbeta = "none"\n'
    scenario = extended(tmp_path, text, "agents.makers=none", "latency=none")
    assert [group.name for group in scenario.population] == ["funds"]
    assert list(sources(scenario)) == ["alpha"]
    assert scenario.agents == ()
    assert scenario.latency is None


def test_a_table_can_start_anew(tmp_path: Path) -> None:
    text = """
    [index.perp.sources]
    replace = true
    mine = { kind = "anchored", anchors = [["0s", 50], ["60s", 40]] }
    """
    scenario = extended(tmp_path, text, "population.replace=true")
    assert list(sources(scenario)) == ["mine"]
    assert scenario.population == ()


def test_a_table_of_the_rulebook_can_be_removed_or_start_anew(tmp_path: Path) -> None:
    """What the table no longer says has its default."""
    assert overridden(tmp_path).rulebook.fund != FundRule()
    assert overridden(tmp_path, "rulebook_overrides.fund=none").rulebook.fund == FundRule()
    fees = extended(tmp_path, "[rulebook_overrides.fees]\nreplace = true\ntaker = '0.01'\n")
    assert (fees.rulebook.fees.taker_ppb, fees.rulebook.fees.maker_ppb) == (10**7, 0)


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("population.retial=none", ["population.retial", "nothing of that name", "retail, funds"]),
        ("index.perp.sources.gamma=none", ["sources.gamma", "alpha, beta"]),
        ("population.retail={}", ["population.retail", "changes nothing", '"none"', "replace"]),
        ("reference=none", ["reference", "no table of that name to remove"]),
        ("index.perp.sources.alpha=none", ["beta.of", "must be a source above this one"]),
    ],
)
def test_removing_nothing_is_refused(tmp_path: Path, override: str, parts: list[str]) -> None:
    with pytest.raises(ScenarioError) as refused:
        overridden(tmp_path, override)
    for part in parts:
        assert part in str(refused.value)


def test_removing_without_a_base_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "alone.toml"
    file.write_text(BASE + '[asset_prices]\nbtc = "none"\n')
    with pytest.raises(ScenarioError, match=r"alone.toml: asset_prices.btc: nothing of that name"):
        load_scenario(file)
