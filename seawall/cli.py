"""The command line: run scenarios, replay journals, rebuild reports, answer margin questions."""

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import msgspec

from risk.rulebook_file import RulebookError, list_rulebooks, load_rulebook
from seawall.calibrate_command import add_calibrate
from seawall.data_command import add_data
from seawall.interrupts import hear_interrupts
from seawall.lab.lab_arguments import add_lab
from seawall.operating.admin_arguments import add_admin, add_gateway
from seawall.operating.door_arguments import add_door
from seawall.operating.services_arguments import add_services, add_show
from seawall.results_command import add_results
from seawall.runs.run_arguments import add_runs
from seawall.version import __version__, build_words

EXIT_OK: Final[int] = 0
EXIT_DIFFERENT: Final[int] = 1
EXIT_BAD_INPUT: Final[int] = 2
EXIT_INTERRUPTED: Final[int] = 130

_EPILOG: Final[str] = """\
first steps:
  seawall run flash_crash --out out/demo    a liquidation cascade in under a minute
  seawall replay out/demo                   the same commands again, the same state hash
  seawall calc --rulebook teaching-default --side long --qty 10 --entry 100 --leverage 10

seawall COMMAND --help explains a command. Exit status: 0 done, 1 a replay differs or no gateway
answers, 2 bad input, 130 interrupted.
"""

_REPLAY_EPILOG: Final[str] = """\
exit status: 0 equal at every checkpoint; 1 a state hash differs; 2 no readable journal.

example:
  seawall replay out/demo
"""

_CALC_EPILOG: Final[str] = """\
Prices are the first on the tick grid at which the account is below a level; the bankruptcy price
is the last one at which its equity is not negative. "never": no price gets there.

examples:
  seawall calc --rulebook teaching-default --side long --qty 10 --entry 100 --leverage 10
  seawall calc --rulebook kraken-spot --side long --qty 1 --entry 20000 --leverage 5 --wallet 10000
  seawall calc --rulebook binance-coinm --inverse --multiplier 100 --side short --qty 50 \\
      --entry 60000 --leverage 20
  seawall calc --rulebook binance-usdm --tiers tiers.json --symbol AVAX/USDT:USDT --side long \\
      --qty 1000 --entry 26.5 --leverage 20
"""


_REPORT_EPILOG: Final[str] = """\
examples:
  seawall report out/demo
  seawall run flash_crash --set house.fund=0 --out out/no-fund
  seawall report out/demo --beside out/no-fund
"""


_WATCH_EPILOG: Final[str] = """\
On a terminal the picture is drawn over and over until q or Ctrl-C; n and p change the instrument.
Without a terminal every frame is printed as plain text. --once prints one frame as soon as it is
complete, or fails with exit status 1 when no gateway answers.

The key needs the right to read; one that is limited to accounts sees those. Keys are in Z85, which
has quoting marks of the shell and may begin with a minus sign: write --public='KEY'. Who can list
this machine's processes can read --secret: prefer the [clock] table of --config.

examples:
  seawall watch --config examples/services.toml
  seawall watch --instrument WAVE-PERP --once
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser with all subcommands."""
    parser = argparse.ArgumentParser(
        prog="seawall",
        description="A margin engine simulator: one order book, margined accounts, margin calls, "
        "liquidation, insurance fund, auto-deleveraging.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"seawall {__version__} ({build_words()})"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_runs(_add, commands)
    _add_replay(commands)
    _add_report(commands)
    _add_calc(commands)
    _add_lists(commands)
    add_results(_add, commands)
    add_data(_add, commands)
    add_calibrate(_add, commands)
    add_services(_add, commands)
    add_show(_add, commands)
    add_door(_add, commands)
    _add_watch(commands)
    add_admin(_add, commands)
    add_lab(_add, commands)
    return parser


def _add(commands: Any, name: str, help_: str, description: str, epilog: str = "") -> Any:
    return commands.add_parser(
        name,
        help=help_,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_replay(commands: Any) -> None:
    replay = _add(
        commands,
        "replay",
        "re-execute a run's journal and verify its state hashes",
        "Run the commands of journal.sqlite again on an empty exchange and hold every noted\n"
        "state hash against the result. Needs nothing but the run directory.",
        _REPLAY_EPILOG,
    )
    replay.add_argument("directory", type=Path, help="run directory")
    replay.set_defaults(action=_replay)


def _add_report(commands: Any) -> None:
    report = _add(
        commands,
        "report",
        "write report.html of a run directory anew",
        "Build report.html again from the other files of a run directory, and print its path.\n"
        "With another run beside it the page ends with what was different, and what came of it.",
        _REPORT_EPILOG,
    )
    report.add_argument("directory", type=Path, help="run directory")
    report.add_argument(
        "--beside", type=Path, metavar="DIR", help="run directory of a run to compare it with"
    )
    report.set_defaults(action=_report)


def _add_calc(commands: Any) -> None:
    calc = _add(
        commands,
        "calc",
        "margin, call, liquidation and bankruptcy price of a position",
        "Figures of one position alone in its account, by the same functions the engine\n"
        "decides with.",
        _CALC_EPILOG,
    )
    calc.add_argument("--rulebook", required=True, help="name or path of a rulebook")
    calc.add_argument("--side", required=True, choices=("long", "short"))
    calc.add_argument("--qty", required=True, help="size in contracts (linear: in base asset)")
    calc.add_argument("--entry", required=True, help="entry price")
    calc.add_argument("--leverage", type=int, default=1, help="whole number (default 1)")
    calc.add_argument("--mark", help="mark price (default: the entry price)")
    calc.add_argument("--wallet", help="collateral (default: the initial margin at entry)")
    calc.add_argument("--inverse", action="store_true", help="coin-margined contract")
    calc.add_argument("--multiplier", default="1", help="value of one contract (default 1)")
    calc.add_argument("--tick", help="step of the prices (default: two decimals finer than given)")
    calc.add_argument("--tiers", help="leverage tiers in ccxt's JSON form, needs --symbol")
    calc.add_argument("--symbol", help="symbol whose margin table to use")
    calc.add_argument(
        "--contract-value", default="", help="what one contract is worth, for tiers in contracts"
    )
    calc.add_argument("--json", action="store_true", help="answer as JSON")
    calc.set_defaults(action=_calc)


def _add_lists(commands: Any) -> None:
    rulebooks = _add(
        commands,
        "rulebooks",
        "list the venues' rules that ship with Seawall, or show one",
        "Without a name: list the rulebooks. With one: its rules in words, each with its source\n"
        "and date, and where the engine does something else than the venue.",
    )
    rulebooks.add_argument("name", nargs="?", help="name or path of a rulebook")
    form = rulebooks.add_mutually_exclusive_group()
    form.add_argument(
        "--toml", action="store_true", help="as the file it is, to save, edit and use by its path"
    )
    form.add_argument(
        "--json",
        action="store_true",
        help="as JSON, in parts per billion and nanoseconds, without the margin tables",
    )
    rulebooks.set_defaults(action=_rulebooks)
    scenarios = _add(
        commands,
        "scenarios",
        "list the built-in scenarios, or show one",
        "Without a name: list the built-in scenarios. With one: print its file, to copy from.",
    )
    scenarios.add_argument("name", nargs="?", help="name of a scenario")
    scenarios.set_defaults(action=_scenarios)


def _add_watch(commands: Any) -> None:
    watch = _add(
        commands,
        "watch",
        "watch the running services live on a terminal",
        "Order book of an instrument, the accounts nearest to liquidation, and the liquidation\n"
        "tape: margin calls, liquidations with their cost, ADL, bad debt, insurance fund.",
        _WATCH_EPILOG,
    )
    add_gateway(watch)
    watch.add_argument("--instrument", default="", help="symbol or id (default: the lowest id)")
    watch.add_argument(
        "--refresh", type=int, default=500, metavar="MS", help="time between frames (default 500)"
    )
    watch.add_argument(
        "--accounts", type=int, default=10, metavar="N", help="accounts shown (default 10)"
    )
    watch.add_argument("--once", action="store_true", help="print one frame as plain text")
    watch.set_defaults(action=_watch)


def _replay(args: argparse.Namespace) -> int:
    from seawall.runs.replay import replay_journal
    from seawall.runs.run_directory import load_run

    result = replay_journal(load_run(args.directory).journal_path)
    if result.equal:
        print(
            f"equal: {result.commands:,} commands, state hashes compared: {result.checkpoints}, "
            f"state hash {result.state_hash}"
        )
        return EXIT_OK
    print(f"different: {result.mismatch}", file=sys.stderr)
    return EXIT_DIFFERENT


def _report(args: argparse.Namespace) -> int:
    from seawall.report import rebuild_report

    print(rebuild_report(args.directory, beside=args.beside))
    return EXIT_OK


def _calc(args: argparse.Namespace) -> int:
    from seawall.calc import Question, calculate

    answer = calculate(
        Question(
            rulebook=args.rulebook,
            side=args.side,
            qty=args.qty,
            entry=args.entry,
            leverage=args.leverage,
            mark=args.mark,
            wallet=args.wallet,
            inverse=args.inverse,
            multiplier=args.multiplier,
            tick=args.tick,
            tiers_file=args.tiers,
            symbol=args.symbol,
            contract_value=args.contract_value,
        )
    )
    for warning in answer.warnings:
        print(f"seawall: warning: {warning}", file=sys.stderr)
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
        return EXIT_OK
    rows = [
        ("position value", f"{answer.notional} {answer.asset}"),
        ("initial margin", f"{answer.initial_margin} {answer.asset}"),
        ("maintenance margin", f"{answer.maintenance_margin} {answer.asset}"),
        ("wallet", f"{answer.wallet} {answer.asset}"),
        ("equity", f"{answer.equity} {answer.asset}"),
        ("margin ratio", f"{float(answer.margin_ratio):.4%}"),
        *((f"{name} price", price or "never") for name, price in answer.levels),
        ("bankruptcy price", answer.bankruptcy_price or "never"),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
    return EXIT_OK


def _watch(args: argparse.Namespace) -> int:
    from seawall.terminal.watch import watch

    return watch(args)


def _rulebooks(args: argparse.Namespace) -> int:
    if not args.name and (args.toml or args.json):
        raise RulebookError("rulebooks: --toml and --json need the name of a rulebook")
    if args.name and args.toml:
        from seawall.scenario_rulebook import whole_text

        load_rulebook(args.name)  # refused before it is shown
        print(whole_text(args.name), end="")
        return EXIT_OK
    if args.name and args.json:
        text = load_rulebook(args.name).rulebook.to_json()
        print(msgspec.json.format(text.encode(), indent=2).decode())
        return EXIT_OK
    if args.name:
        from seawall.rulebook_words import rulebook_in_words

        print(*rulebook_in_words(load_rulebook(args.name)), sep="\n")
        return EXIT_OK
    for name in list_rulebooks():
        print(f"{name:<18} {load_rulebook(name).rulebook.title}")
    return EXIT_OK


def _scenarios(args: argparse.Namespace) -> int:
    from seawall.scenario import load_scenario
    from seawall.scenario_file import built_in_scenarios, find_scenario

    if args.name:
        print(find_scenario(args.name).read_text(encoding="utf-8"), end="")
        return EXIT_OK
    for name in built_in_scenarios():
        scenario = load_scenario(name)
        print(f"{name:<18} {scenario.title}: {scenario.accounts:,} accounts")
    return EXIT_OK


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    Bad input is one line on standard error that says what was wrong and what is allowed.
    """
    return _perform(build_parser().parse_args(arguments))


def _perform(args: argparse.Namespace) -> int:
    action: Callable[[argparse.Namespace], int] = args.action
    try:
        status = action(args)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader has left; the flush at exit must not fail on it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except KeyboardInterrupt:
        return _interrupted(args)
    except ValueError as error:
        if _raised_while_interrupted(error):
            return _interrupted(args)
        # Scenario, rulebook, journal, run directory and number errors are all ValueErrors.
        print(f"seawall: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"seawall: {place}{error.strerror or error}", file=sys.stderr)
        return EXIT_BAD_INPUT


def main_of_process() -> int:
    """`main` for a process that ends with it: what is left goes with the process, unsearched."""
    hear_interrupts()
    args = build_parser().parse_args()
    from seawall.runs.run import rare_collections

    with rare_collections() if "writes_run" in args else nullcontext():
        status = _perform(args)
        # Still inside: after a run the usual setting would look through all that the run has made.
        gc.freeze()
    return status


def _interrupted(args: argparse.Namespace) -> int:
    from seawall.runs.unfinished import unfinished

    left = "nothing was written"
    if "writes_run" in args and unfinished(args.out).is_dir():
        left = f"seawall continue {args.out} goes on"
    print(f"seawall: interrupted; {left}", file=sys.stderr)
    return EXIT_INTERRUPTED


def _raised_while_interrupted(error: BaseException) -> bool:
    """Whether an error only came up while an interruption was unwinding a half-done step."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            return True
        cause = cause.__context__
    return False


if __name__ == "__main__":
    sys.exit(main_of_process())
