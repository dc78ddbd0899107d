"""`seawall admin`: one command of an administrator, in decimals and symbols."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Final

from engine.commands import (
    ALL_INSTRUMENTS,
    BUY,
    AddAsset,
    AddInstrument,
    AdvanceTime,
    AssetPrice,
    CancelAll,
    Command,
    Deposit,
    IndexPrice,
    OpenAccount,
    QueryAccount,
    QueryMarket,
    QueryOrders,
    SetRulebook,
    Withdraw,
)
from engine.events import (
    AccountReport,
    AssetReport,
    InstrumentReport,
    MarketReport,
    OrderReport,
    OrdersReport,
)
from engine.instruments import AssetSpec
from engine.services.market_config import InstrumentEntry
from engine.units import from_grid, from_ppb, to_grid, to_ppb
from gateway.client import Client, NoAnswer
from gateway.host.opening_market import MAX_ACCOUNTS, listed_instrument
from gateway.serve import read_config
from risk.accounts import BACKSTOP, FUND
from risk.rulebook_file import load_rulebook
from seawall.operating.client_arguments import address_of
from seawall.world.control import WorldRequest, ask_world

REFUSED: Final[int] = 1
FRAME: Final[int] = 200
WORLD: Final[str] = "world"
HOUSE: Final[dict[str, int]] = {"fund": FUND, "backstop": BACKSTOP}


class CommandRefused(RuntimeError):
    """The exchange did not carry out a command; the text has its reason."""


class Admin:
    """A client and what it was told is listed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        [reply] = client.call_all([QueryMarket(0)])
        rejection = reply.rejection
        if rejection is not None:
            raise CommandRefused(rejection.words)
        report = reply.events[0]
        assert isinstance(report, MarketReport)
        self.market: MarketReport = report

    def send(self, commands: Sequence[Command]) -> None:
        """Carry out commands in order, up to the first frame with a refusal.

        Raises:
            Refused: one was refused.
        """
        for place in range(0, len(commands), FRAME):
            part = commands[place : place + FRAME]
            for command, reply in zip(part, self._client.call_all(part), strict=True):
                if reply.rejection is not None:
                    raise CommandRefused(f"{type(command).__name__}: {reply.rejection.words}")

    def account(self, account_id: int) -> AccountReport:
        """The figures of an account.

        Raises:
            Refused: there is none.
        """
        reply = self._client.call(QueryAccount(0, account_id))
        if reply.rejection is not None:
            raise CommandRefused(reply.rejection.words)
        report = reply.events[0]
        assert isinstance(report, AccountReport)
        return report

    def orders(self, account_id: int) -> list[OrderReport]:
        """The open orders of an account, oldest first."""
        [report] = self._client.call(QueryOrders(0, account_id)).events
        assert isinstance(report, OrdersReport)
        return report.orders

    def asset(self, symbol: str) -> AssetReport:
        """A listed asset.

        Raises:
            ValueError: there is none of that name.
        """
        for found in self.market.assets:
            if found.spec.symbol == symbol:
                return found
        raise ValueError(_unlisted(symbol, [one.spec.symbol for one in self.market.assets]))

    def instrument(self, symbol: str) -> InstrumentReport:
        """A listed contract.

        Raises:
            ValueError: there is none of that name.
        """
        for found in self.market.instruments:
            if found.spec.symbol == symbol:
                return found
        raise ValueError(_unlisted(symbol, [one.spec.symbol for one in self.market.instruments]))

    def settled_in(self, asset_id: int) -> AssetSpec:
        """The asset of an id."""
        return next(one.spec for one in self.market.assets if one.spec.asset_id == asset_id)


def _unlisted(symbol: str, listed: list[str]) -> str:
    return f"{symbol!r} is not listed; allowed: {', '.join(listed) or 'none is listed'}"


def _show(admin: Admin, _: argparse.Namespace) -> None:
    market = admin.market
    print(f"rulebook {market.rulebook or 'none'}")
    for asset in market.assets:
        fund = from_grid(asset.fund_q, asset.spec.quantum)
        price = f", price {from_ppb(asset.price_ppb)}" if asset.price_ppb else ""
        print(f"asset {asset.spec.asset_id} {asset.spec.symbol}: insurance fund {fund}{price}")
    for listed in market.instruments:
        spec, tick = listed.spec, listed.spec.tick_size
        print(
            f"instrument {spec.instrument_id} {spec.symbol}: tick {spec.tick}, lot {spec.lot}, "
            f"index {from_grid(listed.index_ticks, tick)}, "
            f"mark {from_grid(listed.mark_ticks, tick)}, "
            f"open interest {from_grid(listed.open_interest_lots, spec.lot_size)}"
        )


def _account(admin: Admin, arguments: argparse.Namespace) -> None:
    report = admin.account(_id_of(arguments.account))
    names = {one.spec.instrument_id: one.spec for one in admin.market.instruments}
    for pot in report.margin_accounts:
        asset = admin.settled_in(pot.asset_id)
        figures = [
            f"{name} {from_grid(amount_q, asset.quantum)}"
            for name, amount_q in (
                ("wallet", pot.wallet_q),
                ("equity", pot.equity_q),
                ("free", pot.free_q),
            )
        ]
        print(f"{asset.symbol}: {', '.join(figures)}, level {pot.level_name}")
        for position in pot.positions:
            spec = names[position.instrument_id]
            ticks = position.liquidation_ticks
            liquidation = from_grid(ticks, spec.tick_size) if ticks >= 0 else "never"
            print(
                f"  {spec.symbol}: {from_grid(position.qty_lots, spec.lot_size)} "
                f"at mark {from_grid(position.mark_ticks, spec.tick_size)}, "
                f"unrealised {from_grid(position.unrealised_q, asset.quantum)}, "
                f"liquidation {liquidation}"
            )
    print(f"open orders: {len(report.open_order_ids)}")
    for order in admin.orders(report.account_id) if report.open_order_ids else []:
        spec = names[order.instrument_id]
        print(
            f"  {order.order_id}: {'buy' if order.side == BUY else 'sell'} "
            f"{from_grid(order.remaining_lots, spec.lot_size)} of "
            f"{from_grid(order.qty_lots, spec.lot_size)} {spec.symbol} "
            f"at {from_grid(order.price_ticks, spec.tick_size)}"
        )


def _require_new(symbol: str, listed: dict[str, int]) -> None:
    """Refuse a second thing of a name: symbols are what these commands know things by."""
    if symbol in listed:
        raise ValueError(f"{symbol!r} is listed already, with the id {listed[symbol]}")


def _add_asset(admin: Admin, arguments: argparse.Namespace) -> None:
    _require_new(
        arguments.symbol, {one.spec.symbol: one.spec.asset_id for one in admin.market.assets}
    )
    known = [one.spec.asset_id for one in admin.market.assets]
    asset_id = arguments.id or max(known, default=0) + 1
    admin.send([AddAsset(0, AssetSpec(asset_id, arguments.symbol, arguments.decimals))])


def _add_instrument(admin: Admin, arguments: argparse.Namespace) -> None:
    _require_new(
        arguments.symbol,
        {one.spec.symbol: one.spec.instrument_id for one in admin.market.instruments},
    )
    known = [one.spec.instrument_id for one in admin.market.instruments]
    entry = InstrumentEntry(
        symbol=arguments.symbol,
        tick=arguments.tick,
        lot=arguments.lot,
        kind=arguments.kind,
        multiplier=arguments.multiplier,
        band=arguments.band,
        margin_symbol=arguments.margin_symbol,
    )
    if not admin.market.assets:
        raise ValueError("no asset is listed; add one first")
    settle = arguments.settle or admin.market.assets[0].spec.symbol
    rulebook = load_rulebook(arguments.rulebook or admin.market.rulebook)
    instrument_id = arguments.id or max(known, default=0) + 1
    spec = listed_instrument(instrument_id, entry, admin.asset(settle).spec, rulebook)
    commands: list[Command] = [AddInstrument(0, spec)]
    if arguments.index:
        ticks = to_grid(arguments.index, spec.tick_size, "--index")
        commands += [IndexPrice(0, instrument_id, 1, ticks), AdvanceTime(0)]
    admin.send(commands)


def _set_rulebook(admin: Admin, arguments: argparse.Namespace) -> None:
    admin.send([SetRulebook(0, load_rulebook(arguments.name).rulebook.to_json())])


def _open(admin: Admin, arguments: argparse.Namespace) -> None:
    if not 1 <= arguments.count <= MAX_ACCOUNTS:
        raise ValueError(f"--count {arguments.count}: allowed are 1 to {MAX_ACCOUNTS}")
    deposits: list[tuple[int, int]] = []
    for text in arguments.deposit:
        symbol, _, amount = text.partition("=")
        spec = admin.asset(symbol).spec
        deposits.append((spec.asset_id, to_grid(amount, spec.quantum, f"--deposit {symbol}")))
    commands: list[Command] = []
    first = _id_of(arguments.account)
    for account_id in range(first, first + arguments.count):
        commands.append(OpenAccount(0, account_id))
        commands += [Deposit(0, account_id, *deposit) for deposit in deposits]
    admin.send(commands)


def _move(admin: Admin, arguments: argparse.Namespace) -> None:
    spec = admin.asset(arguments.asset).spec
    amount_q = to_grid(arguments.amount, spec.quantum, "amount")
    kind = Deposit if arguments.what == "deposit" else Withdraw
    admin.send([kind(0, _id_of(arguments.account), spec.asset_id, amount_q)])


def _cancel(admin: Admin, arguments: argparse.Namespace) -> None:
    instrument_id = ALL_INSTRUMENTS
    if arguments.instrument:
        instrument_id = admin.instrument(arguments.instrument).spec.instrument_id
    admin.send([CancelAll(0, _id_of(arguments.account), instrument_id)])


def _index(admin: Admin, arguments: argparse.Namespace) -> None:
    spec = admin.instrument(arguments.symbol).spec
    ticks = to_grid(arguments.price, spec.tick_size, "price")
    admin.send([IndexPrice(0, spec.instrument_id, arguments.source, ticks), AdvanceTime(0)])


def _price(admin: Admin, arguments: argparse.Namespace) -> None:
    asset_id = admin.asset(arguments.symbol).spec.asset_id
    price_ppb = to_ppb(arguments.price, "price")
    admin.send([AssetPrice(0, asset_id, arguments.source, price_ppb), AdvanceTime(0)])


def _id_of(text: str) -> int:
    if text in HOUSE:
        return HOUSE[text]
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ValueError(f"account {text!r}: allowed are whole numbers, fund and backstop")
    return int(text)


def _steer_world(arguments: argparse.Namespace) -> None:
    """Ask the scenario that lives on the exchange.

    Raises:
        CommandRefused: it refused, or there is none.
    """
    request = WorldRequest(
        arguments.doing,
        getattr(arguments, "symbol", ""),
        getattr(arguments, "price", ""),
        getattr(arguments, "seconds", -1),
    )
    run_dir = read_config(arguments.config).run_dir
    answer = ask_world(run_dir, address_of(arguments), request)
    if answer is None:
        raise CommandRefused(f"no scenario answers in {run_dir}, or it does not know the key")
    if not answer.done:
        raise CommandRefused("; ".join(answer.lines))
    print(*answer.lines, sep="\n")


ACTIONS: Final[dict[str, Callable[[Admin, argparse.Namespace], None]]] = {
    "show": _show,
    "account": _account,
    "add-asset": _add_asset,
    "add-instrument": _add_instrument,
    "set-rulebook": _set_rulebook,
    "open": _open,
    "deposit": _move,
    "withdraw": _move,
    "cancel": _cancel,
    "index": _index,
    "price": _price,
}


def admin(arguments: argparse.Namespace) -> int:
    """`seawall admin WHAT`; returns the exit status: 1 when it was refused or no gateway answers.

    Raises:
        ValueError: an argument cannot be used.
    """
    try:
        if arguments.what == WORLD:
            _steer_world(arguments)
            return 0
        with Client(address_of(arguments), accounts=[]) as client:
            ACTIONS[arguments.what](Admin(client), arguments)
    except (CommandRefused, NoAnswer) as error:
        print(f"seawall admin {arguments.what}: {error}", file=sys.stderr)
        return REFUSED
    return 0
