"""The command ``calibrate``: how lively a coin is while nothing happens, and a scenario for it."""

import argparse
import math
import shlex
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.settings import SettingFault, Unit
from engine.units import MINUTE_NS
from seawall.index_path import YEAR_SECONDS
from seawall.price_files.price_table import read_price_file
from seawall.price_files.times import utc
from seawall.scenario_fields import Duration, Exact, Instant, ScenarioError

_EPILOG: Final[str] = """\
The stretch that is measured must be calm: choose it with --from and --for. The first file states
the calm, the last becomes the new scenario's index. Compare like with like: a base whose
[calibrated] was measured on spot trades wants spot trades. Contracts' files need --contract-value.

examples:
  seawall calibrate DOT-USD.csv.gz --from 2025-10-10T20:45:00Z --for 5m
  seawall calibrate DOT-USD.csv.gz --scenario examples/oct10_avax.toml --symbol DOTUSDT \\
      --brackets DOT/USDT:USDT --out dot.toml
  seawall run dot.toml
"""
_BASE: Final[str] = "coin_crash"
_OF_SCENARIO: Final[tuple[str, ...]] = (
    "scenario",
    "instrument",
    "symbol",
    "tick",
    "lot",
    "max_qty",
    "brackets",
)
"""Arguments that say something of the scenario to be written."""
_SIZES: Final[tuple[str, ...]] = ("tick", "lot", "max_qty")
"""Those of them that are exact decimals."""


def add_calibrate(add: Callable[..., Any], commands: Any) -> None:
    """Add ``calibrate`` to the commands."""
    calibrate = add(
        commands,
        "calibrate",
        "measure a coin's calm from trades, and carry a scenario over to it",
        "Measure traded value, volatility, trades and spread of a calm stretch of files of\n"
        "trades, and write a scenario whose figures are scaled to that coin.",
        _EPILOG,
    )
    calibrate.add_argument(
        "file", type=Path, nargs="+", help="trades, or candles with volume, of any shape that runs"
    )
    calibrate.add_argument(
        "--from", dest="start", metavar="TIME", help="UTC (default: the minute the file begins in)"
    )
    calibrate.add_argument(
        "--for", dest="length", metavar="DURATION", help="such as 2h (default 5m)"
    )
    calibrate.add_argument(
        "--contract-value", metavar="MONEY", help="what one is worth where amounts are contracts"
    )
    calibrate.add_argument(
        "--scenario", metavar="BASE", help=f"name or path of the scenario (default {_BASE})"
    )
    calibrate.add_argument("--out", type=Path, metavar="NEW.toml", help="write the scenario here")
    calibrate.add_argument("--instrument", help="its contract to be changed (default: the first)")
    calibrate.add_argument("--symbol", help="the contract's new symbol")
    calibrate.add_argument("--tick", help="its step of price (default: as the prices are written)")
    calibrate.add_argument("--lot", help="its step of size (default: worth what it was)")
    calibrate.add_argument("--max-qty", help="its largest order (default: what it was, scaled)")
    calibrate.add_argument("--brackets", help="its symbol in the base's file of margin brackets")
    calibrate.add_argument("--json", action="store_true", help="answer as JSON")
    calibrate.set_defaults(action=_calibrate)


def _calibrate(args: argparse.Namespace) -> int:
    from seawall.calibration import measure, write_scenario

    given = [name for name in _OF_SCENARIO if getattr(args, name) is not None]
    if given and args.out is None:
        raise ScenarioError(f"{_flag(given[0])}: has no effect without --out")
    for name in given:
        if not getattr(args, name).strip():
            raise ScenarioError(f"{_flag(name)}: must not be empty")
    start_ns = _read(Instant(), args.start, "--from")
    length_ns = _read(Duration(MINUTE_NS), args.length, "--for") or 5 * MINUTE_NS
    worth = _contract_value(args.contract_value)
    tables = [read_price_file(str(file)) for file in args.file]
    found = [measure(table, start_ns, length_ns, worth) for table in tables]
    answer: dict[str, Any] = {"files": [_facts(each) for each in found]}
    if args.out is not None:
        base = args.scenario or _BASE
        written = write_scenario(args.out, base, tables[-1], found[0], _coin(args))
        answer |= {
            "written": str(args.out),
            "scaled": msgspec.structs.asdict(written.scale),
            "warnings": [*written.warnings, *written.scenario.warnings],
        }
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
    else:
        _show(answer)
    return 0


def _coin(args: argparse.Namespace) -> Any:
    from seawall.calibration import NewCoin

    said = {name: getattr(args, name) or "" for name in _OF_SCENARIO[1:]}
    for name in _SIZES:
        flag = _flag(name)
        if said[name] and Decimal(_read(Exact(), said[name], flag)) <= 0:
            raise ScenarioError(f"{flag}: {said[name]!r} must be above 0")
    return NewCoin(**said)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _read(unit: Unit, text: str | None, place: str) -> Any:
    """What an argument says in a unit of scenarios; None where it is not given."""
    try:
        return None if text is None else unit.read(text, place)
    except SettingFault as fault:
        raise ScenarioError(str(fault)) from None


def _contract_value(text: str | None) -> float:
    """What a contract is worth; 0 where amounts are coins."""
    try:
        value = 0.0 if text is None else float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf or (text is not None and value == 0):
        raise ScenarioError(f"--contract-value: {text!r} must be a number above 0")
    return value


def _facts(found: Any) -> dict[str, Any]:
    """What was measured, as figures by name."""
    stretch = found.stretch
    return {
        "file": stretch.table.where,
        "from": utc(stretch.begin_ns),
        "to": utc(stretch.end_ns),
        "rows": len(stretch.rows),
        "volume_per_minute": found.volume_per_minute,
        "volatility": found.volatility,
        "trades_per_minute": found.trades_per_minute,
        "spread": found.spread,
    }


def _show(answer: dict[str, Any]) -> None:
    for facts in answer["files"]:
        _show_rows(_words(facts))
        print()
    if "written" not in answer:
        calm = answer["files"][0]
        print("for a scenario with [calibrated]:\n")
        print("[calm.NAME]")
        print(f"volume_per_minute = {calm['volume_per_minute']!r}")
        print(f"volatility = {calm['volatility']!r}")
        return
    scaled = answer["scaled"]
    rows = [
        ("money", f"x {scaled['money']:.4g}"),
        ("volatility", f"x {scaled['volatility']:.4g}"),
        ("written", answer["written"]),
        ("run it", shlex.join(["seawall", "run", answer["written"]])),
    ]
    _show_rows(rows)
    for warning in answer["warnings"]:
        print(f"seawall: warning: {warning}", file=sys.stderr)


def _words(facts: dict[str, Any]) -> list[tuple[str, str]]:
    yearly = facts["volatility"] * math.sqrt(YEAR_SECONDS)
    spread = facts["spread"]
    return [
        ("file", facts["file"]),
        ("measured", f"{facts['from']} to {facts['to']}, {facts['rows']:,} rows"),
        ("volume", f"{facts['volume_per_minute']:,.0f} a minute, in quote currency"),
        ("volatility", f"{facts['volatility']:.6g} per root second, {yearly:.0%} a year"),
        ("trades", f"{facts['trades_per_minute']:.1f} a minute"),
        ("spread", "unknown: no sides" if spread is None else f"{spread * 1e4:.2f} bp"),
    ]


def _show_rows(rows: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
