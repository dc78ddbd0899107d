"""Scenario files: what loads, what is refused and how the refusal reads."""

from pathlib import Path

import pytest

from engine.instruments import INVERSE
from seawall.agents import AGENT_KINDS
from seawall.agents.plans import MarketMakerPlan
from seawall.runs.run import run_scenario
from seawall.scenario import load_scenario
from seawall.scenario_fields import ScenarioError, duration_ns
from seawall.scenario_file import apply_overrides, built_in_scenarios, parse_override
from seawall.scenario_merge import merge

MINIMAL = """
rulebook = "teaching-default"
[time]
duration = "60s"
[assets.usd]
decimals = 6
[instruments.perp]
symbol = "X-PERP"
tick = "0.01"
[index.perp.sources.one]
kind = "jump_diffusion"
start_price = 100
"""


def write(tmp_path: Path, text: str, name: str = "case.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(tmp_path: Path, text: str, overrides: tuple[str, ...] = ()) -> str:
    path = write(tmp_path, text)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path, overrides)
    message = str(caught.value)
    assert "case.toml" in message or message.startswith("--set")
    return message


def test_a_minimal_scenario_loads_with_defaults(tmp_path: Path) -> None:
    scenario = load_scenario(write(tmp_path, MINIMAL))
    assert scenario.name == "case"
    assert scenario.rulebook.name == "teaching-default"
    assert scenario.instruments["perp"].unit_q == 10_000
    assert scenario.time.tick_ns == 10**9
    assert scenario.latency is None
    assert scenario.accounts == 0


def test_every_built_in_scenario_loads() -> None:
    assert built_in_scenarios() == [
        "calm_day",
        "coin_crash",
        "collateral_crash",
        "flash_crash",
        "small_crash",
        "two_coin_crash",
        "two_coins_apart",
    ]
    assert [load_scenario(name).accounts for name in built_in_scenarios()] == [
        300,
        12_000,
        1_700,
        12_000,
        200,
        2_580,
        2_780,
    ]


def test_the_example_extends_the_built_in_scenario() -> None:
    example = load_scenario(Path(__file__).parents[2] / "examples" / "flash_crash.toml")
    built_in = load_scenario("flash_crash")
    assert example.population == built_in.population
    assert example.agents == built_in.agents
    assert example.indices == built_in.indices


def test_an_unknown_name_lists_the_built_in_ones() -> None:
    with pytest.raises(ScenarioError, match=r"flash_crsh.*did you mean 'flash_crash'"):
        load_scenario("flash_crsh")


def test_extends_merges_tables_and_replaces_lists(tmp_path: Path) -> None:
    write(tmp_path, MINIMAL + '[house]\nfund = "5"\nbackstop = "6"\n', "base.toml")
    child = write(tmp_path, 'extends = "base.toml"\nnotes = ["n"]\n[house]\nfund = "7"\n')
    scenario = load_scenario(child)
    assert (str(scenario.fund), str(scenario.backstop)) == ("7", "6")
    assert scenario.notes == ("n",)
    assert merge({"a": [1, 2], "b": {"c": 1}}, {"a": [3], "b": {"d": 2}}) == {
        "a": [3],
        "b": {"c": 1, "d": 2},
    }


def test_circular_extends_is_refused(tmp_path: Path) -> None:
    assert "circular" in refusal(tmp_path, 'extends = "case.toml"\n')


def test_overrides_are_applied_before_validation(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL)
    scenario = load_scenario(path, ["time.duration=2m", "seed=9", "house.fund=12.5"])
    assert scenario.time.duration_ns == 120 * 10**9
    assert scenario.seed == 9
    assert str(scenario.fund) == "12.5"
    with pytest.raises(ScenarioError, match=r"time.tick: 'often' must be a whole or decimal"):
        load_scenario(path, ["time.tick=often"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b=3", (["a", "b"], 3)),
        ("a=true", (["a"], True)),
        ('a="3"', (["a"], "3")),
        ("a=10ms", (["a"], "10ms")),
        ("a=[1, 2]", (["a"], [1, 2])),
    ],
)
def test_override_values_are_toml_or_bare_text(text: str, expected: object) -> None:
    assert parse_override(text) == expected


@pytest.mark.parametrize("text", ["novalue", "=3", "a..b=3"])
def test_malformed_overrides_are_refused(text: str) -> None:
    with pytest.raises(ScenarioError, match=r"must look like key\.path=value"):
        parse_override(text)


def test_an_override_through_a_value_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"seed is 3, not a table"):
        apply_overrides({"seed": 3}, ["seed.x=1"])


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ('[tiem]\nstart = "x"\n', ["tiem", "is unknown", "did you mean 'time'"]),
        ("[agents.m]\nkind = 'market_makre'\n", ["agents.m.kind", "did you mean 'market_maker'"]),
        ("[agents.m]\nkind = 'noise'\ncapital = 1\n", ["agents.m.size", "is missing"]),
        (
            "[agents.m]\nkind = 'noise'\ncapital = 1\nsize = 1\nlevals = 2\n",
            ["agents.m.levals", "is unknown", "leverage"],
        ),
        ("[house]\nfund = -1\n", ["house.fund", "-1", "0 or more"]),
        ("[house]\nfund = inf\n", ["house.fund", "inf", "exact decimal"]),
        ("[house]\nfund = true\n", ["house.fund", "True", "exact decimal"]),
        ("[latency]\ngateway_to_risk = 5\n", ["latency.gateway_to_risk", "5", "ms"]),
        ("[output]\nsample_every = '0s'\n", ["output.sample_every", "too short"]),
        (
            "[population.p]\naccounts = 1\nwealth = { kind = 'normal' }\n",
            ["population.p.wealth.kind", "'normal'", "lognormal, pareto"],
        ),
        (
            "[population.p]\naccounts = 1\nlong_share = 1.2\n"
            "wealth = { kind = 'pareto', bounds = [1, 2] }\n",
            ["population.p.long_share", "1.2", "from 0 to 1"],
        ),
        (
            "[population.p]\naccounts = 1\nleverage = { x = 1 }\n"
            "wealth = { kind = 'pareto', bounds = [1, 2] }\n",
            ["population.p.leverage.x", "whole leverage"],
        ),
        (
            "[population.p]\naccounts = 1\non_call = { pray = 1 }\n"
            "wealth = { kind = 'pareto', bounds = [1, 2] }\n",
            ["population.p.on_call.pray", "add, cut, both, ignore, too_late"],
        ),
        ("[index.other.sources.a]\nkind = 'anchored'\n", ["index.other", "instruments: perp"]),
        ("[rulebook_overrides.fund]\nloss_kap = '1'\n", ["rulebook_overrides", "loss_cap"]),
    ],
)
def test_wrong_fields_are_named(tmp_path: Path, change: str, parts: list[str]) -> None:
    message = refusal(tmp_path, MINIMAL + change)
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("rulebook=binanse-usdm", ["rulebook", "binance-usdm"]),
        ("instruments.perp.tick=0", ["instruments.perp", "tick is 0"]),
        ('instruments.perp.tick="0.0000001"', ["instruments.perp", "whole number of quanta"]),
        ("instruments.perp.kind=quadratic", ["instruments.perp.kind", "linear, inverse"]),
        ("instruments.perp.settle=eur", ["instruments.perp.settle", "usd"]),
        ('instruments.perp.band="x"', ["instruments.perp.band", "exact decimal"]),
        ("instruments.perp.margin.ccxt_file=absent.json", ["ccxt_symbol", "is missing"]),
        ("time.start=yesterday", ["time.start", "2025-10-10T20:45:00Z"]),
        ('time.start="2025-01-01T00:00:00+02:00"', ["time.start", "UTC"]),
        ("time.duration=1500ms", ["time.duration", "whole number of ticks"]),
        ("seed=-1", ["seed", "-1"]),
        ("index.perp.sources.one.kind=anchored", ["anchors", "at least two"]),
        ("index.perp.sources.one.volatility=nan", ["volatility", "number from 0"]),
    ],
)
def test_wrong_values_are_named(tmp_path: Path, override: str, parts: list[str]) -> None:
    message = refusal(tmp_path, MINIMAL, (override,))
    for part in parts:
        assert part in message


def test_syntax_errors_name_the_line(tmp_path: Path) -> None:
    assert "line 2" in refusal(tmp_path, "a = 1\nb = = 2\n")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert "empty" in refusal(tmp_path, "")


def test_decimals_keep_the_digits_they_were_written_with(tmp_path: Path) -> None:
    text = MINIMAL + "[house]\nfund = 1_000.000000000000000000000001\n"
    assert str(load_scenario(write(tmp_path, text)).fund) == "1000.000000000000000000000001"


def test_a_missing_ccxt_file_is_named(tmp_path: Path) -> None:
    text = MINIMAL + "[instruments.perp.margin]\nccxt_file = 'absent.json'\nccxt_symbol = 'X'\n"
    assert str(tmp_path / "absent.json") in refusal(tmp_path, text)


def test_paths_are_relative_to_the_file_and_the_shared_folder_can_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = MINIMAL.replace(
        'kind = "jump_diffusion"\nstart_price = 100',
        'kind = "trades_csv"\nfile = "../shared/a.csv"',
    )
    path = write(tmp_path, text)
    start = ["time.start=2025-01-01T00:00:00Z"]  # or the file would say it
    monkeypatch.delenv("SEAWALL_SHARED", raising=False)
    source = load_scenario(path, start).indices["perp"].sources[0]
    assert source.file == tmp_path / "../shared/a.csv"
    monkeypatch.setenv("SEAWALL_SHARED", "/elsewhere")
    assert load_scenario(path, start).indices["perp"].sources[0].file == Path("/elsewhere/a.csv")


def test_rulebook_overrides_change_only_what_they_name(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL)
    plain = load_scenario(path).rulebook
    changed = load_scenario(path, ["rulebook_overrides.fund.loss_cap=0.1"]).rulebook
    assert changed.fund.loss_cap_ppb == 100_000_000
    assert changed.levels == plain.levels
    assert changed.liquidation == plain.liquidation


def test_an_inverse_contract_settles_in_its_coin(tmp_path: Path) -> None:
    overrides = [
        "assets.usd.symbol=COIN",
        "assets.usd.decimals=8",
        "instruments.perp.kind=inverse",
        'instruments.perp.multiplier="10"',
    ]
    spec = load_scenario(write(tmp_path, MINIMAL), overrides).instruments["perp"]
    assert spec.kind == INVERSE
    assert spec.unit_q == 10 * 100 * 10**8


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1s", 10**9), ("250ms", 250 * 10**6), ("1.5m", 90 * 10**9), ("3us", 3000), ("7ns", 7)],
)
def test_durations(text: str, expected: int) -> None:
    assert duration_ns(text) == expected


@pytest.mark.parametrize("value", ["", "5", "s", "1 fortnight", "0.5ns", "-3s x", 5, None, True])
def test_what_is_no_duration(value: object) -> None:
    assert duration_ns(value) is None


def test_every_agent_kind_can_be_read(tmp_path: Path) -> None:
    text = MINIMAL + "".join(
        f"[agents.a_{kind}]\nkind = '{kind}'\ncapital = 1000\n"
        + ("size = 10\n" if kind in ("market_maker", "noise") else "")
        + ("clip = 10\n" if kind in ("momentum", "arbitrageur") else "")
        + ("depth = 10\n" if kind == "latent" else "")
        for kind in AGENT_KINDS
    )
    agents = load_scenario(write(tmp_path, text)).agents
    assert [agent.name for agent in agents] == [f"a_{kind}" for kind in AGENT_KINDS]
    assert isinstance(agents[0].settings, MarketMakerPlan)


@pytest.mark.parametrize("value", ["2025-06-01T12:00:00Z", '"2025-06-01T12:00:00Z"'])
def test_a_time_needs_no_quotes(tmp_path: Path, value: str) -> None:
    text = MINIMAL.replace("[time]\n", f"[time]\nstart = {value}\n")
    expected = 1_748_779_200 * 10**9
    assert load_scenario(write(tmp_path, text)).time.start_ns == expected
    overridden = load_scenario(write(tmp_path, MINIMAL), [f"time.start={value}"])
    assert overridden.time.start_ns == expected


def test_a_byte_order_mark_before_a_scenario_means_nothing(tmp_path: Path) -> None:
    assert load_scenario(write(tmp_path, "\ufeff" + MINIMAL)).accounts == 0


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("time.start=2300-01-01T00:00:00Z", ["time.start", "would end after 2261"]),
        ("time.start=9999-12-31T00:00:00Z", ["time.start", "would end after 2261"]),
        ("time.duration=1e900000s", ["time.duration", "must be a whole or decimal number"]),
        ("time.duration=9999999999999h", ["time.duration", "too long"]),
        ("house.fund=1e900000", ["house.fund", "at most 60 digits"]),
        ('house.fund="1e900000"', ["house.fund", "at most 60 digits"]),
        ("instruments.perp.tick=1e-900000", ["instruments.perp.tick", "at most 60 digits"]),
        ('index.perp.sources.one.silences=[["1s", "9999999999999h"]]', ["silences", "too long"]),
        ("time=" + "[" * 100_000, ["--set time=", "is not TOML", "nested more than 32 deep"]),
        (".".join("a" * 3_000) + "=1", ["--set", "nested more than 32 deep"]),
    ],
)
def test_numbers_and_times_without_end_are_refused_in_a_line(
    tmp_path: Path, override: str, parts: list[str]
) -> None:
    message = refusal(tmp_path, MINIMAL, (override,))
    assert "\n" not in message
    assert len(message) < 800
    for part in parts:
        assert part in message


def test_the_last_year_that_can_be_counted_runs_to_its_end(tmp_path: Path) -> None:
    """What is under way at the end of a run arrives, however late the run is."""
    path = write(tmp_path, MINIMAL + "[latency]\nrisk_to_matching = '10ms'\n")
    late = load_scenario(path, ["time.start=2261-12-31T23:00:00Z", "time.duration=3s"])
    summary = run_scenario(late, tmp_path / "out")
    assert summary["commands"] > 3
