"""The arguments of the commands that run the services and look after their files."""

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from engine.services.service_config import ALL, CLOCK, SERVICES

USUAL_PORT: Final[int] = 7480
"""Where the page is, unless somewhere else is asked for."""

_UP_EPILOG: Final[str] = """\
examples:
  seawall up --config examples/market.toml
  seawall up --scenario flash_crash --dashboard
  seawall up --scenario flash_crash --speed 4 --set population.retail.accounts=2000
"""


def add_show(add: Any, commands: Any) -> None:
    """Add `seawall show`."""
    shown = add(
        commands,
        "show",
        "play a finished run back in the browser",
        "Serves the page of the running exchange for a run directory, with a slider for its time,\n"
        "on this machine and until Ctrl-C.",
    )
    shown.add_argument("directory", type=Path, help="run directory")
    shown.add_argument(
        "--port", type=int, default=USUAL_PORT, help=f"port of the page (default {USUAL_PORT})"
    )
    shown.set_defaults(action=action_of("dashboard_client", "show"))


def add_services(add: Any, commands: Any) -> None:
    """Add the commands; ``add`` makes one as `seawall.cli` makes all of them."""
    made = [*_running(add, commands), *_past_a_fault(add, commands), *_files(add, commands)]
    for parser in made:
        parser.add_argument("--config", metavar="FILE", help="TOML file with the settings")


def _running(add: Any, commands: Any) -> list[Any]:
    up = add(
        commands,
        "up",
        "run the exchange as services on this machine, until Ctrl-C",
        'Starts the exchange and its clock as two processes, or with layout = "separate" every\n'
        "component as one, prints the addresses for clients, and starts again what dies.\n"
        "docs/services.md tells the rest.\n\n"
        "With --scenario the exchange opens with a scenario's market, and its makers, traders and\n"
        "index live on it as clients: docs/world.md.",
        _UP_EPILOG,
    )
    up.add_argument(
        "--scenario", help="name of a built-in scenario, or path of a TOML file, to live there"
    )
    up.add_argument(
        "--speed",
        help="how many times as fast as the machine's clock the scenario lives (default 1)",
    )
    up.add_argument("--seed", type=int, help="replaces the scenario's seed (0 or more)")
    up.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="replace a value of the scenario, as in seawall run (repeatable)",
    )
    up.add_argument(
        "--dashboard",
        type=int,
        nargs="?",
        const=USUAL_PORT,
        metavar="PORT",
        help=f"a page in the browser at this port (default {USUAL_PORT}): docs/dashboard.md",
    )
    up.set_defaults(action=action_of("services", "up"))
    serve = add(
        commands,
        "serve",
        "run one service in the foreground",
        "For containers and several hosts: every service with the same settings.",
    )
    serve.add_argument(
        "service",
        help=f'{ALL}, {CLOCK}; with layout = "separate" {", ".join((*SERVICES, CLOCK))}, and with '
        "matching_shards matching-0, matching-1, ...",
    )
    serve.set_defaults(action=action_of("services", "serve"))
    return [up, serve]


def _past_a_fault(add: Any, commands: Any) -> list[Any]:
    skip = add(
        commands,
        "skip",
        "leave out a command that the exchange cannot handle",
        "For an exchange that stopped: leaves out what raises in an input, says which commands,\n"
        "and notes it in the journal, so that every restart and replay leaves them out as well.",
    )
    skip.add_argument("--input", type=int, required=True, help="the input `seawall up` named")
    skip.add_argument("--reason", required=True, help="why; it is noted in the journal")
    skip.set_defaults(action=action_of("skip", "skip"))
    take_clock = add(
        commands,
        "take-clock",
        "say that the machine's clock is right after a jump",
        "After a restart a wall clock that is far off from what it was is not believed: time goes\n"
        "on as if it had not jumped, and follows it slowly. This takes it as it is.",
    )
    take_clock.set_defaults(action=action_of("services", "take_clock"))
    cut = add(
        commands,
        "cut",
        "go on without the end of a damaged journal",
        "For an exchange without a backup: forgets an input and all behind it, which lie beside\n"
        "the journal afterwards. What was answered to them did not happen. Of separate services\n"
        "matching and liquidation can be made anew from risk's journal; nothing is lost then.",
    )
    cut.add_argument("--input", type=int, help='the row that is damaged (layout = "one")')
    cut.add_argument("--service", help='the service to make anew (layout = "separate")')
    cut.set_defaults(action=action_of("backup", "cut"))
    return [skip, take_clock, cut]


def _files(add: Any, commands: Any) -> list[Any]:
    backup = add(
        commands,
        "backup",
        "copy the run directory of services, also while they run",
        "Copies journal and snapshots into a new folder and checks every row of the copy. To go\n"
        "on from it, put it in the place of the run directory.",
    )
    backup.add_argument("folder", type=Path, help="folder to make")
    backup.set_defaults(action=action_of("backup", "backup"))
    verify = add(
        commands,
        "verify",
        "check every row and snapshot of services' journals, also while they run",
        "Reads all of a run directory, or of a backup of one, and names file, row and what to do\n"
        "where it is not what was written. A start reads only what lies behind the last snapshot.",
        "exit status: 0 all is whole; 1 something is damaged; 2 no journal, or none that can be "
        "read.",
    )
    verify.add_argument(
        "folder", type=Path, nargs="?", help="folder to check (default: the run directory)"
    )
    verify.set_defaults(action=action_of("verify", "verify"))
    return [backup, verify]


def action_of(module: str, name: str) -> Callable[[argparse.Namespace], int]:
    """The action of a command, whose module in this room is imported when it was given."""

    def act(args: argparse.Namespace) -> int:
        status: int = getattr(import_module(f"seawall.operating.{module}"), name)(args)
        return status

    return act
