"""The command line of `seawall admin`."""

import argparse
from collections.abc import Callable
from typing import Any, Final

_EPILOG: Final[str] = """\
Amounts, prices and sizes are decimals; assets and instruments go by their symbols. The key needs
the right admin (withdraw: withdraw; cancel: trade; account: read). --config takes the gateway's
address and the keys of its [clock] table.

examples:
  seawall admin add-asset USDT --decimals 6
  seawall admin set-rulebook teaching-default
  seawall admin add-instrument WAVE-PERP --tick 0.01 --lot 0.1 --index 100
  seawall admin open 100 --count 20 --deposit USDT=10000
  seawall admin deposit fund USDT 50000
  seawall admin index WAVE-PERP 101.25
  seawall admin cancel 100 --instrument WAVE-PERP
  seawall admin world crash --in 60
  seawall admin show

exit status: 0 done; 1 refused, or no gateway answers; 2 bad input. A refusal is a line with the
reason in words.
"""


def add_gateway(parser: argparse.ArgumentParser) -> None:
    """The arguments that say where the gateway is."""
    parser.add_argument(
        "--config", metavar="FILE", help="settings of the services: where and as who"
    )
    parser.add_argument("--commands", metavar="ADDRESS", help="the gateway's door for commands")
    parser.add_argument("--market-data", metavar="ADDRESS", help="its door for market data")
    parser.add_argument("--server-public", metavar="KEY", help="the gateway's public key")
    parser.add_argument("--public", metavar="KEY", help="the client's public key")
    parser.add_argument("--secret", metavar="KEY", help="the client's secret key")


def add_admin(add: Callable[..., Any], commands: Any) -> None:
    """Put `seawall admin` and what it can do among the commands."""
    admin = add(
        commands,
        "admin",
        "list, fund, open and price things on the running services",
        "One command of an administrator to the running exchange, in decimals and symbols.",
        _EPILOG,
    )
    add_gateway(admin)
    what = admin.add_subparsers(dest="what", required=True, metavar="WHAT")
    what.add_parser("show", help="what is listed, its prices, the insurance fund")
    _with_account(what, "account", "balances, positions and orders of an account")
    asset = what.add_parser("add-asset", help="list an asset")
    asset.add_argument("symbol")
    asset.add_argument("--decimals", type=int, default=6, help="default 6")
    asset.add_argument("--id", type=int, default=0, help="default: the next free one")
    _add_instrument(what)
    rulebook = what.add_parser("set-rulebook", help="put a rulebook in force")
    rulebook.add_argument("name", help="name or path of a rulebook")
    opened = _with_account(what, "open", "open accounts")
    opened.add_argument("--count", type=int, default=1, help="as many from this id on (default 1)")
    opened.add_argument(
        "--deposit",
        action="append",
        default=[],
        metavar="ASSET=AMOUNT",
        help="credit each of them (repeatable)",
    )
    for name, help_ in (("deposit", "credit an account"), ("withdraw", "take out of an account")):
        moved = _with_account(what, name, f"{help_}; fund and backstop are accounts, too")
        moved.add_argument("asset", help="symbol")
        moved.add_argument("amount", help="decimal")
    cancel = _with_account(what, "cancel", "cancel all resting orders of an account")
    cancel.add_argument("--instrument", default="", help="symbol (default: all)")
    for name, help_ in (
        ("index", "publish the index price of an instrument"),
        ("price", "publish the price of a collateral asset"),
    ):
        priced = what.add_parser(name, help=help_)
        priced.add_argument("symbol")
        priced.add_argument("price", help="decimal")
        priced.add_argument(
            "--source", type=int, default=1, help="number of the source (default 1)"
        )
    _add_world(what)
    admin.set_defaults(action=_admin)


def _add_world(what: Any) -> None:
    world = what.add_parser("world", help="steer the scenario of seawall up --scenario")
    doing = world.add_subparsers(dest="doing", required=True, metavar="WHAT")
    doing.add_parser("status", help="where the scenario stands, and when its index falls")
    doing.add_parser("pause", help="agents and prices stand still; the exchange's time goes on")
    doing.add_parser("resume", help="agents and prices go on")
    moved = doing.add_parser("index", help="move an index; its path goes on from there")
    moved.add_argument("symbol")
    moved.add_argument("price", help="decimal")
    crash = doing.add_parser("crash", help="begin the next round now")
    crash.add_argument(
        "--in",
        dest="seconds",
        type=int,
        default=-1,
        metavar="SECONDS",
        help="begin the path in so many seconds (default: after the scenario's own warm-up)",
    )


def _with_account(what: Any, name: str, help_: str) -> Any:
    parser = what.add_parser(name, help=help_)
    parser.add_argument("account", help="id, or fund, or backstop")
    return parser


def _add_instrument(what: Any) -> None:
    instrument = what.add_parser("add-instrument", help="list a perpetual contract")
    instrument.add_argument("symbol")
    instrument.add_argument("--tick", required=True, help="step of the prices")
    instrument.add_argument("--lot", default="1", help="step of the sizes (default 1)")
    instrument.add_argument("--id", type=int, default=0, help="default: the next free one")
    instrument.add_argument("--kind", default="linear", help="linear (default) or inverse")
    instrument.add_argument("--settle", default="", help="asset (default: the first one listed)")
    instrument.add_argument("--multiplier", default="1", help="value of one contract (default 1)")
    instrument.add_argument("--band", default="0", help="price band, a fraction (default 0: none)")
    instrument.add_argument("--rulebook", default="", help="whose margin table (default: in force)")
    instrument.add_argument("--margin-symbol", default="", help="symbol of the margin table")
    instrument.add_argument("--index", default="", help="first index price")


def _admin(arguments: argparse.Namespace) -> int:
    from seawall.operating.admin import admin

    return admin(arguments)
