"""Exchanges to measure: built by commands, or by hand where commands would take too long."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from bench import flow
from engine.commands import (
    BUY,
    IOC,
    LIMIT,
    MARKET,
    SELL,
    AddAsset,
    AddInstrument,
    AdvanceTime,
    AmendOrder,
    CancelOrder,
    Command,
    Deposit,
    IndexPrice,
    OpenAccount,
    SetRulebook,
    SubmitOrder,
)
from engine.instruments import LINEAR, AssetSpec, InstrumentSpec, build_instrument_spec
from engine.internal import BookTop
from risk.accounts import FIRST_TRADER, Position
from risk.rulebook_file import RulebookFile, load_rulebook
from seawall.exchange import Exchange

USD: Final = AssetSpec(0, "USD", 6)
START_TICKS: Final[int] = flow.START_TICKS
UNIT_Q: Final[int] = 10_000
"""Quanta per lot and tick: tick 0.01, lot 1."""


def contract(
    number: int, rules: RulebookFile, lot: str = "1", max_open_orders: int = 10_000
) -> InstrumentSpec:
    """A linear contract in `USD` with the rulebook's own margin."""
    symbol = f"SIM{number}-PERP"
    return build_instrument_spec(
        instrument_id=number,
        symbol=symbol,
        kind=LINEAR,
        asset=USD,
        tick="0.01",
        lot=lot,
        margin=rules.margin_spec(USD, symbol, lot),
        max_open_orders=max_open_orders,
    )


def market_commands(
    numbers: Iterable[int] = (0,),
    rulebook: str = "teaching-default",
    lot: str = "1",
    max_open_orders: int = 10_000,
) -> list[Command]:
    """Lists alike contracts, all marked at `START_TICKS`."""
    rules = load_rulebook(rulebook)
    commands: list[Command] = [AddAsset(0, USD), SetRulebook(0, rules.rulebook.to_json())]
    for number in numbers:
        commands.append(AddInstrument(0, contract(number, rules, lot, max_open_orders)))
        commands.append(IndexPrice(0, number, 1, START_TICKS))
    return [*commands, AdvanceTime(0)]


def new_exchange(instruments: int = 1) -> Exchange:
    """An exchange with so many contracts."""
    exchange = Exchange()
    for command in market_commands(range(instruments)):
        exchange.send(command)
    return exchange


def fund_traders(exchange: Exchange, count: int, amount_q: int) -> None:
    """Open accounts from `FIRST_TRADER` on, each with a deposit."""
    for account_id in range(FIRST_TRADER, FIRST_TRADER + count):
        exchange.send(OpenAccount(0, account_id))
        exchange.send(Deposit(0, account_id, 0, amount_q))


def flow_commands(rows: list[flow.Row]) -> list[Command]:
    """The shared flow as commands of instrument 0."""
    commands: list[Command] = []
    for kind, order_id, account_id, side, price, lots in rows:
        if kind == flow.CANCEL:
            commands.append(CancelOrder(0, account_id, order_id))
        elif kind == flow.AMEND:
            commands.append(AmendOrder(0, account_id, order_id, price, lots))
        elif kind == flow.MARKET:
            order = SubmitOrder(0, account_id, 0, order_id, side, lots, 0, MARKET, IOC)
            commands.append(order)
        else:
            commands.append(SubmitOrder(0, account_id, 0, order_id, side, lots, price, LIMIT))
    return commands


def populate(
    exchange: Exchange,
    accounts: int,
    instruments: int,
    headroom: Callable[[int], int],
    first: int = FIRST_TRADER,
) -> None:
    """Give cross accounts of one to three positions each to an exchange.

    Even accounts are long and odd ones short of the same, so that every instrument sums to zero.
    ``headroom(number)`` is the account's equity in parts per thousand of its notional; maintenance
    is 20, the first alert stands at 40.
    """
    core = exchange.risk.core
    ledger = core.ledger
    asset_id = USD.asset_id
    listings = list(core.listings.values())
    for number in range(accounts):
        trader = ledger.add_trader(first + number)
        account = ledger.cross(trader, asset_id)
        pair = number // 2
        side = BUY if number % 2 == 0 else SELL
        positions = 1 + pair % min(3, instruments)
        lots = 1 + pair % 5
        notional_q = 0
        for place in range(positions):
            listing = listings[(pair + place) % instruments]
            position = Position(account, listing, 0, 10)
            account.add_position(position)
            value_q = listing.instrument.fill_value_q(lots, START_TICKS)
            ledger.settle(position, side * lots, side * value_q, 0)
            notional_q += value_q
        ledger.deposit(account, notional_q * headroom(number) // 1000)
        exchange.risk.watch.refresh(account, widen=True)


def mark_tick(exchange: Exchange, instrument_id: int, time_ns: int, ticks: int) -> int:
    """One instrument's tick inside risk: index in, mark out, and who crossed; returns the number
    of messages that followed."""
    out: list[Any] = []
    handle = exchange.risk.handle
    handle(IndexPrice(time_ns, instrument_id, 1, ticks), out)
    handle(BookTop(time_ns, instrument_id, ticks - 1, ticks + 1), out)
    return len(out)
