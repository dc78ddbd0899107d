"""The command line as typed: what it prints, its exit status and what it leaves on disk."""

import gc
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from risk.rulebook_file import list_rulebooks, load_rulebook
from seawall import cli
from seawall.cli import EXIT_BAD_INPUT, EXIT_INTERRUPTED, EXIT_OK, build_parser, main
from seawall.runs import run_arguments
from seawall.runs.run_directory import EVENTS, JOURNAL, REPORT, SUMMARY, RunDirectoryError, load_run
from seawall.scenario_file import built_in_scenarios

ROOT = Path(__file__).parents[2]
SMALL = str(ROOT / "examples" / "small_crash.toml")
TINY = ["--set", "time.duration=5s", "--set", "time.warm_up=20s"]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "run"
    assert main(["run", SMALL, "--out", str(out)]) == EXIT_OK
    return out


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must fail on its input; returns its one line."""
    assert main(arguments) == EXIT_BAD_INPUT
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("seawall: ")
    return lines[0]


# help


def help_examples() -> list[str]:
    runs = (run_arguments._RUN_EPILOG, run_arguments._CONTINUE_EPILOG)
    epilogs = (cli._EPILOG, *runs, cli._REPLAY_EPILOG, cli._REPORT_EPILOG, cli._CALC_EPILOG)
    text = re.sub(r"\\\n\s*", "", "\n".join(epilogs))
    lines = [line.strip().split("    ")[0] for line in text.splitlines()]
    return [line for line in lines if re.match(r"seawall [a-z]", line)]


def test_the_help_has_examples() -> None:
    assert len(help_examples()) >= 10


@pytest.mark.parametrize("line", help_examples())
def test_every_example_of_the_help_parses(line: str) -> None:
    args = build_parser().parse_args(shlex.split(line)[1:])
    assert callable(args.action)


@pytest.mark.parametrize(
    "command", ["run", "continue", "replay", "report", "calc", "rulebooks", "scenarios"]
)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([command, "--help"])
    assert exit_.value.code == EXIT_OK
    assert f"usage: seawall {command}" in capsys.readouterr().out


def test_a_process_that_ends_leaves_its_objects_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Searching a run for unreachable cycles, only to end, took a fortieth of it."""
    monkeypatch.setattr(sys, "argv", ["seawall", "scenarios"])
    try:
        assert cli.main_of_process() == EXIT_OK
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
    assert "flash_crash" in capsys.readouterr().out


def test_a_run_is_not_searched_for_cycles_when_it_is_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not even at the moment when the usual setting is in force again."""
    looks: list[str] = []
    monkeypatch.setattr(sys, "argv", ["seawall", "run", SMALL, *TINY, "--out", str(tmp_path / "r")])
    before = gc.get_threshold()
    gc.collect()
    gc.set_threshold(10_000, *before[1:])
    gc.callbacks.append(lambda phase, info: looks.append(phase))
    try:
        assert cli.main_of_process() == EXIT_OK
        assert looks == []
    finally:
        gc.callbacks.pop()
        gc.unfreeze()
        gc.set_threshold(*before)


def test_a_command_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([])
    assert exit_.value.code == EXIT_BAD_INPUT
    assert "COMMAND" in capsys.readouterr().err


# run


def test_a_run_leaves_the_files_and_nothing_else_beside_it(run_dir: Path) -> None:
    names = sorted(path.name for path in run_dir.iterdir())
    tables = [EVENTS, "accounts.parquet", "series.parquet", "margin_ratio.parquet"]
    rules = ["scenario.toml", "rulebook.toml"]
    assert names == sorted([SUMMARY, JOURNAL, REPORT, *tables, *rules])
    assert [path.name for path in run_dir.parent.iterdir()] == [run_dir.name]


def test_the_summary_has_every_figure(run_dir: Path) -> None:
    summary = json.loads((run_dir / SUMMARY).read_text())
    assert summary["accounts"] == 200
    assert summary["commands"] > 0 < summary["events"]
    assert re.fullmatch(r"[0-9a-f]{32}", summary["state_hash"])
    calls = summary["margin_calls"]
    assert calls["issued"] >= calls["cured"] + calls["expired"] + calls["overtaken"]
    assert list(summary["liquidations"]) == ["accounts", "partial", "full", "takeovers"]
    assert list(summary["insurance_fund"]) == ["start", "end", "paid"]
    assert list(summary["adl"]) == ["fills", "notional"]
    assert set(summary["conservation_residue"].values()) == {"0"}
    for key in ("trades", "bad_debt", "socialised", "wall_seconds", "commands_per_second"):
        assert key in summary


def test_the_small_crash_is_a_cascade(run_dir: Path) -> None:
    summary = json.loads((run_dir / SUMMARY).read_text())
    assert summary["margin_calls"]["cured"] > 0
    assert summary["liquidations"]["full"] > 0 < summary["liquidations"]["partial"]
    assert summary["adl"]["fills"] > 0
    assert summary["liquidations"]["takeovers"] > 0


def test_what_a_run_prints_is_what_it_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", SMALL, "--out", str(tmp_path / "run")]) == EXIT_OK
    printed = capsys.readouterr().out
    summary = load_run(tmp_path / "run").summary
    assert f"state hash {summary['state_hash']}" in printed
    assert f"{summary['margin_calls']['issued']:,} issued" in printed
    assert f"report: {tmp_path / 'run' / REPORT}" in printed


def test_the_same_seed_gives_the_same_hash_and_another_seed_another(
    run_dir: Path, tmp_path: Path
) -> None:
    hashes = {}
    for name, more in (("again", []), ("eight", ["--seed", "8"])):
        assert main(["run", SMALL, "--out", str(tmp_path / name), *more]) == EXIT_OK
        hashes[name] = load_run(tmp_path / name).summary["state_hash"]
    assert hashes["again"] == load_run(run_dir).summary["state_hash"]
    assert hashes["eight"] != hashes["again"]
    assert load_run(tmp_path / "eight").summary["seed"] == 8


def test_the_default_directory_is_named_after_the_scenario_and_the_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", SMALL, *TINY]) == EXIT_OK
    assert load_run(tmp_path / "out" / "small_crash-seed7").summary["accounts"] == 200


def test_set_changes_the_scenario_and_the_rulebook(tmp_path: Path) -> None:
    sets = ["population.retail.accounts=7", "rulebook_overrides.fees.taker=0.001"]
    arguments = ["run", SMALL, *TINY, "--out", str(tmp_path / "run")]
    for text in sets:
        arguments += ["--set", text]
    assert main(arguments) == EXIT_OK
    assert load_run(tmp_path / "run").summary["accounts"] == 57


def test_overwrite_replaces_a_run_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    arguments = ["run", SMALL, *TINY, "--out", str(out)]
    assert main(arguments) == EXIT_OK
    first = load_run(out).summary["seed"]
    assert "holds a run already" in refused(arguments, capsys)
    assert main([*arguments, "--overwrite", "--seed", str(first + 1)]) == EXIT_OK
    assert load_run(out).summary["seed"] == first + 1
    strangers = tmp_path / "photos"
    strangers.mkdir()
    (strangers / "cat.jpg").write_text("")
    capsys.readouterr()
    line = refused(["run", SMALL, "--overwrite", "--out", str(strangers)], capsys)
    assert "is not empty and holds no complete run" in line
    assert [path.name for path in strangers.iterdir()] == ["cat.jpg"]


# bad input to run


BAD_RUNS: list[tuple[list[str], list[str]]] = [
    (
        ["run", "nosuch"],
        ["nosuch: no such scenario file", "built in: calm_day, coin_crash, collateral_crash"],
    ),
    (["run", "flash_crsh"], ["did you mean 'flash_crash'?"]),
    (["run", "no/such/file.toml"], ["no/such/file.toml: no such scenario file"]),
    (
        ["run", SMALL, "--set", "population.retail.acounts=5"],
        [SMALL, "population.retail.acounts: is unknown", "did you mean 'accounts'?"],
    ),
    (["run", SMALL, "--set", "agent.noise.count=5"], ["agent: is unknown", "'agents'"]),
    (
        ["run", SMALL, "--set", "population.retail.accounts=-5"],
        ["population.retail.accounts: -5 must be a whole number from 0"],
    ),
    (["run", SMALL, "--set", "accounts"], ["--set accounts: must look like key.path=value"]),
    (["run", SMALL, "--set", "seed.x=1"], ["--set seed.x=1: seed is 7, not a table"]),
    (["run", SMALL, "--set", "time.duration=10"], ["time.duration: 10 must be", "'90m'"]),
    (["run", SMALL, "--seed", "-1"], ["seed: -1 must be a whole number from 0"]),
    (
        ["run", SMALL, "--set", "rulebook=binance"],
        ["rulebook 'binance' is unknown", "binance-usdm"],
    ),
    (
        ["run", SMALL, "--set", "rulebook_overrides.adl.ranking=largest"],
        ["adl.ranking", "largest", "profit_leverage, profit_over_wallet"],
    ),
    (
        [
            "run",
            SMALL,
            "--set",
            'rulebook_overrides.margin.tiers=[{up_to=1000,max_leverage=10,maintenance="0.2"}]',
        ],
        ["rulebook_overrides", "margin", "maintenance"],
    ),
    (
        [
            "run",
            SMALL,
            "--set",
            'rulebook_overrides.margin.tiers=[{up_to=1000,max_leverage=10,maintenance="0.04"},'
            '{max_leverage=5,maintenance="0.02"}]',
        ],
        ["rulebook_overrides", "margin", "maintenance"],
    ),
    (
        ["run", SMALL, "--set", "instruments.perp.tick=0.0000001"],
        ["instruments.perp", "tick x lot x multiplier", "not a whole number of quanta"],
    ),
]


@pytest.mark.parametrize(("arguments", "parts"), BAD_RUNS, ids=lambda value: str(value[-1])[:60])
def test_bad_input_is_one_line_and_leaves_nothing(
    arguments: list[str],
    parts: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = refused([*arguments, "--out", str(tmp_path / "deep" / "run")], capsys)
    for part in parts:
        assert part in line
    assert list(tmp_path.iterdir()) == []


def test_a_scenario_that_is_not_toml_names_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "flash_crash"\nseed == 3\n')
    line = refused(["run", str(path), "--out", str(tmp_path / "run")], capsys)
    assert f"{path}: not valid TOML" in line
    assert "line 2" in line
    path.write_text("")
    assert "the file is empty" in refused(["run", str(path)], capsys)


BROKEN_CSVS: list[tuple[str, str]] = [
    ("", "the file is empty"),
    ("timestamp_us,price\n", "no rows after the header"),
    ("at,price\n1,100\n", "line 1: column 'timestamp_us' is missing"),
    ("timestamp_us,price\n2,100\n1,100\n", "line 3: timestamp_us 1 is not after"),
    ("timestamp_us,price\n1,100\n2,nan\n", "line 3: price 'nan' must be a finite price above 0"),
    ("timestamp_us,price\n1,-3\n", "line 2: price '-3' must be a finite price above 0"),
    ("timestamp_us,price\n1\n", "line 2: 1 fields, but line 1 names 2"),
    ("timestamp_us,price\n1,100\n", "no price between"),
]


@pytest.mark.parametrize(("text", "problem"), BROKEN_CSVS, ids=[p for _, p in BROKEN_CSVS])
def test_a_broken_csv_is_named_with_its_line_and_leaves_the_old_run_alone(
    text: str, problem: str, run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = tmp_path / "prices.csv"
    prices.write_text(text)
    scenario = tmp_path / "mine.toml"
    scenario.write_text(
        f'extends = "{SMALL}"\n[index.perp]\n'
        '[index.perp.sources.spot]\nkind = "trades_csv"\nfile = "prices.csv"\n'
    )
    before = {path.name: path.read_bytes() for path in run_dir.iterdir()}
    line = refused(["run", str(scenario), "--overwrite", "--out", str(run_dir)], capsys)
    assert f"{prices}: {problem}" in line
    assert {path.name: path.read_bytes() for path in run_dir.iterdir()} == before
    assert [path.name for path in run_dir.parent.iterdir()] == [run_dir.name]


def test_a_csv_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = tmp_path / "mine.toml"
    scenario.write_text(
        'extends = "flash_crash"\n[index.perp.sources.spot]\n'
        'kind = "candles_csv"\nfile = "nowhere/candles.csv"\n'
    )
    line = refused(["run", str(scenario), "--out", str(tmp_path / "run")], capsys)
    assert f"{tmp_path / 'nowhere/candles.csv'}: no such file" in line
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize("command", ["replay", "report"])
def test_replay_and_report_want_a_complete_run(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "nothing")
    assert missing in refused([command, missing], capsys)
    assert str(tmp_path) in refused([command, str(tmp_path)], capsys)
    assert list(tmp_path.iterdir()) == []


# interruption, in a real process


def start_long_run(out: Path, *before: str) -> subprocess.Popen[str]:
    """The full flash crash in a process of its own, returned once it is under way; ``before`` is a
    program that starts it."""
    process = subprocess.Popen(
        [*before, sys.executable, "-m", "seawall.cli", "run", "flash_crash", "--out", str(out)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(6_000):
        journals = list(out.parent.glob(f"{out.name}.partial-*/{JOURNAL}"))
        if journals and journals[0].stat().st_size > 100_000:
            return process
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.kill()
    raise AssertionError("the run did not get under way")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_an_interrupted_run_cleans_up(number: signal.Signals, tmp_path: Path) -> None:
    process = start_long_run(tmp_path / "run")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == EXIT_INTERRUPTED, errors
    assert errors.strip() == "seawall: interrupted; nothing was written"
    assert list(tmp_path.iterdir()) == []


def test_a_run_started_with_interrupts_ignored_hears_them(tmp_path: Path) -> None:
    """As a shell starts what runs in the background; the signal stays ignored through `exec`."""
    process = start_long_run(tmp_path / "run", "sh", "-c", "trap '' INT; exec \"$@\"", "sh")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == EXIT_INTERRUPTED, errors
    assert list(tmp_path.iterdir()) == []


def test_a_killed_run_leaves_nothing_that_looks_complete(tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start_long_run(out)
    process.kill()
    process.communicate(timeout=60)
    assert not out.exists()
    (partial,) = tmp_path.iterdir()
    with pytest.raises(RunDirectoryError, match="not a complete run"):
        load_run(partial)
    assert main(["run", SMALL, *TINY, "--out", str(out)]) == EXIT_OK


def test_a_reader_that_leaves_early_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "seawall.cli", "scenarios", "flash_crash"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == EXIT_OK
    assert errors == b""


# report, rulebooks, scenarios, version


def test_report_rebuilds_the_page(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = run_dir / REPORT
    first = page.read_text()
    page.unlink()
    assert main(["report", str(run_dir)]) == EXIT_OK
    assert capsys.readouterr().out.strip() == str(page)
    assert page.read_text() == first
    assert load_run(run_dir).summary["state_hash"] in first


def test_report_sets_another_run_beside_it(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, other = tmp_path / "here", tmp_path / "other"
    shutil.copytree(run_dir, here)
    seed = load_run(run_dir).summary["seed"]
    assert main(["run", SMALL, "--seed", str(seed + 1), "--out", str(other)]) == EXIT_OK
    capsys.readouterr()
    assert main(["report", str(here), "--beside", str(other)]) == EXIT_OK
    assert capsys.readouterr().out.strip() == str(here / REPORT)
    page = (here / REPORT).read_text()
    row = f'<th scope="row">seed</th><td>{seed}</td><td>{seed + 1}</td>'
    assert row in page
    assert '<th scope="row">Margin calls</th>' in page
    assert main(["report", str(here), "--beside", str(here)]) == EXIT_OK
    assert "Nothing: both ran the same scenario" in (here / REPORT).read_text()


def test_report_names_the_file_that_is_missing_beside(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(["report", str(run_dir), "--beside", str(tmp_path)], capsys)
    assert str(tmp_path / SUMMARY) in said


def test_report_names_the_file_that_is_missing(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / SUMMARY).write_bytes((run_dir / SUMMARY).read_bytes())
    assert str(tmp_path / EVENTS) in refused(["report", str(tmp_path)], capsys)


def test_rulebooks_lists_all_and_shows_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rulebooks"]) == EXIT_OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list_rulebooks()
    assert main(["rulebooks", "teaching-default", "--json"]) == EXIT_OK
    shown = json.loads(capsys.readouterr().out)
    assert shown["name"] == "teaching-default"
    assert [level["kind"] for level in shown["levels"]] == ["alert", "call", "liquidate"]
    line = refused(["rulebooks", "binance"], capsys)
    assert "rulebook 'binance' is unknown" in line


def test_scenarios_lists_all_and_shows_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios"]) == EXIT_OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == built_in_scenarios()
    assert main(["scenarios", "flash_crash"]) == EXIT_OK
    assert "population" in tomllib.loads(capsys.readouterr().out)
    assert "did you mean 'flash_crash'" in refused(["scenarios", "flashcrash"], capsys)


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "seawall.cli", "--version"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert re.fullmatch(r"seawall \S+ \((compiled|interpreted)\)\n", done.stdout)


def test_a_run_does_not_load_what_only_services_need() -> None:
    """ZeroMQ takes longer to load than the rest of the command line."""
    loads = "import sys, seawall.cli, seawall.runs.run; sys.exit('zmq' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loads], check=False).returncode == 0


def test_results_are_a_table_that_adds_up(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["results", str(run_dir)]) == EXIT_OK
    head, *lines, hedges = capsys.readouterr().out.splitlines()
    assert hedges.startswith("spot legs of arbitrage, in none of these: ")
    assert head.split() == ["USDT", "accounts", "liquidated", "deleveraged", "paid", "in", "result"]
    results = {line[:18].strip(): Decimal(line.split()[-1].replace(",", "")) for line in lines}
    assert {"retail", "makers", "insurance fund", "bad debt", "total"} <= set(results)
    assert results.pop("total") == 0
    assert abs(sum(results.values())) < Decimal("0.1")  # each is rounded to cents
    assert main(["results", str(run_dir), "--json"]) == EXIT_OK
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows][-1] == "total"


@pytest.mark.parametrize("name", ["teaching-default", "binance-usdm", "hyperliquid"])
def test_a_rulebook_is_printed_saved_edited_and_used(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["rulebooks", name, "--toml"]) == EXIT_OK
    Path("mine.toml").write_text(capsys.readouterr().out)
    mine = load_rulebook("mine.toml")
    assert mine.rulebook == load_rulebook(name).rulebook
    assert mine.symbol_margins == load_rulebook(name).symbol_margins
    Path("other.toml").write_text('extends = "mine.toml"\n[fees]\ntaker = "0.001"\n')
    assert main(["rulebooks", "other.toml", "--toml"]) == EXIT_OK
    Path("whole.toml").write_text(capsys.readouterr().out)
    whole = load_rulebook("whole.toml").rulebook
    assert whole == load_rulebook("other.toml").rulebook
    assert (whole.name, whole.fees.taker_ppb) == ("other", 1_000_000)
    calc = ["--side", "long", "--qty", "1", "--entry", "100", "--leverage", "2"]
    assert main(["calc", "--rulebook", "other.toml", *calc]) == EXIT_OK
    assert "liquidation price" in capsys.readouterr().out


def test_forms_of_a_rulebook_need_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert "need the name of a rulebook" in refused(["rulebooks", "--toml"], capsys)
