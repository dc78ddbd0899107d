"""The compiled engine gives the same results as the interpreted one."""

import ast
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

from engine.build_info import build_kind

ROOT = Path(__file__).resolve().parent.parent
BUILD_FILES = ("setup.py", "setup_messages.py", "pyproject.toml")
PACKAGES = ("engine", "matching", "risk", "gateway", "doors", "seawall", "dashboard")
COMPILER = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]

SCENARIO = """
from hashlib import blake2b

from engine.build_info import build_kind
from seawall.records.event_table import EventTable
from seawall.exchange import Exchange
from seawall.scenario import load_scenario
from seawall.simulating.simulation import simulate

sizes = [
    "population.retail.accounts=300",
    "population.funds.accounts=40",
    "population.hedgers.accounts=80",
    "time.duration=13m",
]
scenario = load_scenario("flash_crash", sizes)
exchange = Exchange()
table = EventTable()
keep = lambda event: table.add(event, exchange.commands)
result = simulate(scenario, exchange, listeners=[keep])
exchange.check_invariants()
sampled = repr([result.series, result.margin_ratio, result.agent_profits])
told = [blake2b(text.encode()).hexdigest() for text in (table.frame().write_csv(), sampled)]
print(build_kind(), exchange.commands, exchange.events, exchange.state_hash(), *told)
"""


EDGES = """
from itertools import product
from types import SimpleNamespace

from engine.build_info import build_kind
from engine.contract import INVERSE, LINEAR, Instrument
from engine.units import PPB, WORD, Rate, scale_down, scale_up

edges = [2**bits + more for bits in (0, 29, 30, 31, 32, 60, 61, 62, 63, 64) for more in (-1, 0, 1)]
for amount, numerator, denominator in product([*edges, *(-edge for edge in edges)], edges, edges):
    if denominator > 0:
        exact = -(-amount * numerator // denominator)
        assert scale_up(amount, numerator, denominator) == exact, (amount, numerator, denominator)
        exact = amount * numerator // denominator
        assert scale_down(amount, numerator, denominator) == exact, (amount, numerator, denominator)
longs = [sign * (2**bits - more) for bits in (25, 36, 47, 48, 49) for more in (0, 1, 12_345_679)
         for sign in (1, -1)]
for amount, numerator, denominator in product(longs, longs, longs):
    if denominator > 0:
        exact = amount * numerator // denominator
        assert scale_down(amount, numerator, denominator) == exact, (amount, numerator, denominator)
rates = [1, 400_000, 777_777_777, PPB, 3 * PPB // 2, *edges[-6:]]
amounts = [*edges, *(-edge for edge in edges)]
for ppb, amount in product([*rates, *(-ppb for ppb in rates)], amounts):
    rate = Rate(ppb)
    assert rate.up(amount) == -(-amount * ppb // PPB), (ppb, amount)
    assert rate.down(amount) == amount * ppb // PPB, (ppb, amount)
    for part in (amount, rate.up(amount), rate.down(amount)):
        assert rate.is_above(part, amount) == (part * PPB < amount * ppb), (ppb, amount, part)
names = "instrument_id settle_asset_id min_lots max_lots min_notional_q max_notional_q band_ppb"
rest = dict.fromkeys([*names.split(), "max_open_orders"], 0) | {"symbol": "X"}
for unit, lots, price in product(edges, edges, edges):
    if unit > 0 and lots > 0 and price > 0:
        linear = Instrument(SimpleNamespace(kind=LINEAR, unit_q=unit, **rest))
        inverse = Instrument(SimpleNamespace(kind=INVERSE, unit_q=unit, **rest))
        where = (unit, lots, price)
        assert linear.fill_value_q(lots, price) == unit * lots * price, where
        assert linear.notional_q(-lots, price) == unit * lots * price, where
        assert linear.position_value_q(-lots, price) == -unit * lots * price, where
        assert inverse.fill_value_q(lots, price) == -(unit * lots // price), where
        assert inverse.notional_q(-lots, price) == -(-unit * lots // price), where
        assert inverse.position_value_q(-lots, price) == unit * lots // price, where
        assert inverse.position_value_q(lots, price) == -unit * lots // price, where
print(build_kind())
"""


def compiled_modules() -> list[str]:
    """The lists in setup.py, read without running it."""
    lists: dict[str, list[str]] = {}
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List):
            name = ast.unparse(node.targets[0])
            if name in ("COMPILED", "MECHANISMS"):
                lists[name] = list(ast.literal_eval(node.value))
    folders = [ROOT / folder for folder in lists["MECHANISMS"]]
    files = [path for folder in folders for path in sorted(folder.glob("[!_]*.py"))]
    assert len(files) > len(folders)
    return [*lists["COMPILED"], *(path.relative_to(ROOT).as_posix() for path in files)]


def run_script(folder: Path, script: str) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def interrupted_run(folder: Path) -> tuple[int, str, list[str]]:
    """Exit status, words and what is left of a run that was told to stop on its way."""
    out = folder / "out"
    out.mkdir()
    command = [sys.executable, "-P", "-m", "seawall.cli", "run", "flash_crash"]
    process = subprocess.Popen(
        [*command, "--out", str(out / "run")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None:
        if any(journal.stat().st_size > 100_000 for journal in out.glob("*/journal.sqlite-wal")):
            process.send_signal(signal.SIGINT)
            break
        time.sleep(0.01)
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors.strip(), [path.name for path in out.iterdir()]


@pytest.mark.parametrize("module", compiled_modules())
def test_a_compiled_module_defines_no_message(module: str) -> None:
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
        if isinstance(node, ast.ClassDef):
            bases = [ast.unparse(base) for base in node.bases]
            assert not any(base.endswith("Struct") for base in bases), f"{module}: {node.name}"


@pytest.mark.slow
def test_compiled_and_interpreted_reach_the_same_state(tmp_path: Path) -> None:
    pytest.importorskip("mypyc")
    if shutil.which(COMPILER) is None:
        pytest.skip(f"there is no C compiler {COMPILER!r}")
    for name in PACKAGES:
        ignored = shutil.ignore_patterns("*.so", "__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in BUILD_FILES:
        shutil.copy(ROOT / name, tmp_path)
    interpreted = run_script(tmp_path, SCENARIO)
    built = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"],
        cwd=tmp_path,
        env={**os.environ, "SEAWALL_COMPILE": "1", "SEAWALL_OPT": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    compiled = run_script(tmp_path, SCENARIO)
    assert interpreted[0] == "interpreted"
    assert compiled[0] == "compiled"
    assert compiled[1:] == interpreted[1:]
    assert run_script(tmp_path, EDGES) == ["compiled"]
    status, errors, left = interrupted_run(tmp_path)
    assert (status, errors, left) == (130, "seawall: interrupted; nothing was written", [])


def test_values_at_the_edges_of_machine_words_are_exact() -> None:
    assert run_script(ROOT, EDGES) == [build_kind()]
