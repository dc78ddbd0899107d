"""Two reports side by side could be told apart by their state hash only: neither the rules nor the
overrides stood anywhere, and a run could not be made again without the command line of then.
"""

import pickle
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from risk.rulebook_file import load_rulebook
from seawall.cli import EXIT_BAD_INPUT, EXIT_OK, main
from seawall.report.page import RULES
from seawall.runs.run import run_scenario
from seawall.runs.run_directory import load_run
from seawall.scenario import load_scenario

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = str(EXAMPLES / "small_crash.toml")
COLLATERAL = str(EXAMPLES / "collateral_crash.toml")
SHORT = ["time.duration=60s", "time.warm_up=60s"]

A_TENTH = (("retail", 120), ("funds", 12), ("hedgers", 38))
"""Of the accounts of the crash of collateral."""

OVERRIDES = {
    "plain": (SMALL, []),
    "numbers and weights": (
        SMALL,
        [
            "population.retail.leverage={5=1, 20=0.25}",
            "house.fund=1_234.5",
            "index.perp.warm_up_volatility=0.25",
            'title="A \\"quoted\\" title, ünïcode"',
        ],
    ),
    "rules": (
        SMALL,
        [
            "rulebook_overrides.fees.taker=0.00075",
            "rulebook_overrides.margin={model='flat', maintenance='0.01', max_leverage=30}",
            "rulebook_overrides.call={grace_s='none', on_expiry='notify'}",
        ],
    ),
    "removed": (SMALL, ["population.retail.accounts=30", "rulebook_overrides.fund=none"]),
    "another rulebook": (SMALL, ["rulebook=hyperliquid", "latency={gateway_to_risk='2ms'}"]),
    "collateral": (
        COLLATERAL,
        [f"population.{name}.accounts={count}" for name, count in A_TENTH],
    ),
}


@pytest.mark.parametrize("case", OVERRIDES)
def test_what_a_run_directory_keeps_runs_again_to_the_same_hash(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, overrides = OVERRIDES[case]
    first = run_scenario(load_scenario(name, [*SHORT, *overrides]), tmp_path / "a", seed=5)
    monkeypatch.chdir(tmp_path)
    again = load_scenario(tmp_path / "a" / "scenario.toml")
    assert run_scenario(again, tmp_path / "b")["state_hash"] == first["state_hash"]
    for file in ("scenario.toml", "rulebook.toml"):
        one, two = ((tmp_path / run / file).read_text().splitlines()[1:] for run in "ab")
        assert one == two


def test_a_moved_price_file_keeps_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths are relative to the scenario; in the run directory they are whole."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "trades.csv").write_text(
        "timestamp_us,price\n"
        + "".join(f"{1_735_689_600_000_000 + n * 500_000},{100 - n / 40}\n" for n in range(130))
    )
    (tmp_path / "mine" / "s.toml").write_text(
        f'extends = "{SMALL}"\n[index.perp.sources]\nreplace = true\n'
        'real = { kind = "trades_csv", file = "trades.csv" }\n'
    )
    monkeypatch.chdir(tmp_path / "mine")
    first = run_scenario(load_scenario("s.toml", SHORT), tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    again = run_scenario(load_scenario("a/scenario.toml"), tmp_path / "b")
    assert again["state_hash"] == first["state_hash"]


def test_the_rulebook_of_a_run_is_whole(tmp_path: Path) -> None:
    overrides = [*SHORT, "rulebook_overrides.fees.taker=0.00075"]
    run_scenario(load_scenario(SMALL, overrides), tmp_path / "a")
    kept = load_rulebook(str(tmp_path / "a" / "rulebook.toml")).rulebook
    assert kept == load_scenario(SMALL, overrides).rulebook
    assert kept.fees.taker_ppb == 750_000


def run_block(tmp_path: Path) -> dict[str, Any]:
    words = ["run", SMALL, "--seed", "9", "--set", "time.duration=60s", "--set", "house.fund=7"]
    words += ["--set", "population.retail.leverage={5=1}", "--out", str(tmp_path / "a")]
    assert main(words) == EXIT_OK
    summary = load_run(tmp_path / "a").summary
    assert summary["seed"] == 9
    block: dict[str, Any] = summary["run"]
    return block


def test_summary_and_report_say_how_the_run_was_made(tmp_path: Path) -> None:
    block = run_block(tmp_path)
    assert (block["scenario"], block["rulebook"]) == (SMALL, "teaching-default")
    assert block["overrides"][1:3] == ["house.fund=7", "population.retail.leverage={5=1}"]
    age = datetime.now(UTC) - datetime.fromisoformat(block["date"])
    assert 0 <= age.total_seconds() < 3_600
    page = (tmp_path / "a" / "report.html").read_text()
    head, rules = page.partition("<nav>")[0], page.partition(f">{RULES}</h2>")[2]
    for part in ("teaching-default", "seed 9", "house.fund=7", block["date"][:10], "0.1.0"):
        assert part in head
    for part in ("seawall run", "--seed 9", "house.fund=7", "scenario.toml"):
        assert part in rules


def test_the_command_of_the_report_makes_the_run_again(tmp_path: Path) -> None:
    words = shlex.split(run_block(tmp_path)["command"])
    assert words[:2] == ["seawall", "run"]
    assert main([*words[1:], "--out", str(tmp_path / "b")]) == EXIT_OK
    hashes = {load_run(tmp_path / run).summary["state_hash"] for run in "ab"}
    assert len(hashes) == 1


def test_the_default_directory_holds_the_seed_and_a_taken_one_names_overwrite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    short = ["--set", "time.duration=10s", "--set", "time.warm_up=0s"]
    for seed in ("1", "2"):
        assert main(["run", SMALL, *short, "--seed", seed]) == EXIT_OK
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "small_crash-seed1",
        "small_crash-seed2",
    ]
    capsys.readouterr()
    assert main(["run", SMALL, *short, "--seed", "2"]) == EXIT_BAD_INPUT
    refusal = capsys.readouterr().err
    assert "holds a run already" in refusal
    assert "--overwrite" in refusal
    assert main(["run", SMALL, *short, "--seed", "2", "--overwrite"]) == EXIT_OK


def test_a_scenario_still_pickles() -> None:
    scenario = load_scenario(SMALL, ["house.fund=0.50"])
    assert pickle.loads(pickle.dumps(scenario)) == scenario


def test_names_and_values_of_python_do_as_well(tmp_path: Path) -> None:
    values = {
        "house.fund": 1_000,
        "population.retail.leverage": {"5": 1, "20": 0.25},
        "time.duration": "60s",
        "population.retail.reserve": (0, 0.5),
    }
    scenario = load_scenario(SMALL, values)
    assert (str(scenario.fund), scenario.time.duration_ns) == ("1000", 60 * 10**9)
    assert dict(scenario.population[0].leverage) == {5: 0.8, 20: 0.2}
    assert scenario == load_scenario(SMALL, list(scenario.overrides))
    short = tmp_path / "short.toml"
    short.write_text(f'extends = "{SMALL}"\n[time]\nduration = "2s"\nwarm_up = "0s"\n')
    assert run_scenario(short, tmp_path / "out")["accounts"] == 200
