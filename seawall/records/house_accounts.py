"""The accounts of the insurance fund and the backstop: every change of what they have, by cause.

Per asset, the equity at the start and all lines add up to the equity at the end, exactly. Equity is
the wallet and the positions at their marks; a balance in another asset stands in that asset's
account, at its amount.

Profit on positions comes in three lines. What a position was worth against the mark when it came
(at a takeover, or as counterparty of a deleveraging) is the ``takeovers``. What became of it from
then on is ``disposal`` for what was sold or closed since, ``unrealised`` for what is still held.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from engine.events import (
    BackstopChanged,
    Deleveraged,
    Event,
    FundChanged,
    OrderFilled,
    TakenOver,
)
from engine.instruments import InstrumentSpec
from risk.accounts import BACKSTOP, FUND, HOUSE_NAMES, MarginAccount, owner_of
from risk.health import unrealised_q
from seawall.exchange import Exchange

HOUSE_EVENTS: Final[frozenset[type]] = frozenset(
    {FundChanged, BackstopChanged, TakenOver, Deleveraged, OrderFilled}
)
"""The events such an account is made of."""

HOUSES: Final[tuple[int, ...]] = (FUND, BACKSTOP)
"""Who takes over positions, and so has such an account."""

START: Final[str] = "start"
TAKEOVERS: Final[str] = "takeovers"
DISPOSAL: Final[str] = "disposal"
UNREALISED: Final[str] = "unrealised"
END: Final[str] = "end"
CASH_LINES: Final[dict[str, str]] = {
    "deposit": "deposits",
    "liquidation fee": "liquidation_fees",
    "deficit": "deficits",
    "socialised": "socialised",
    "collateral": "collateral_exchanged",
    "funding": "funding",
}
"""Lines that are the wallet's changes of one cause; a cause of any other name is its own line."""

_REALISED: Final[frozenset[str]] = frozenset({"takeover", "disposal", "deleveraged"})
"""Causes of changes that are profit on positions."""

Lines = dict[str, int]
"""Quanta by line, from the start to the end."""


class _Inventory:
    """The lots of one contract, and how much of what they gained when they came they still carry.

    The gain leaves with the lots in proportion, rounded down, what is left with the last.
    """

    __slots__ = ("gain_q", "lots")

    def __init__(self) -> None:
        self.lots = 0
        self.gain_q = 0

    def move(self, lots: int, gain_q: int = 0) -> None:
        """Lots come or go at ``gain_q`` against the mark."""
        held = self.lots
        self.lots = held + lots
        if held == 0 or (held > 0) == (lots > 0):
            self.gain_q += gain_q
            return
        size, moved = abs(held), abs(lots)
        self.gain_q -= self.gain_q * min(size, moved) // size
        if moved > size:
            self.gain_q = gain_q * (moved - size) // moved


class _Book:
    """What is counted for one account of the house in one asset."""

    __slots__ = ("cash_q", "inventory", "start_gain_q", "start_q", "takeovers_q")

    def __init__(self, start_q: int = 0, start_gain_q: int = 0) -> None:
        self.start_q = start_q
        self.start_gain_q = start_gain_q
        self.takeovers_q = 0
        self.cash_q: dict[str, int] = {}
        self.inventory: dict[int, _Inventory] = {}

    def of(self, instrument_id: int) -> _Inventory:
        """What is held of a contract."""
        return self.inventory.setdefault(instrument_id, _Inventory())

    def state(self) -> list[Any]:
        """What was counted so far."""
        inventory = [[key, held.lots, held.gain_q] for key, held in self.inventory.items()]
        cash_q = [list(item) for item in self.cash_q.items()]
        return [self.start_q, self.start_gain_q, self.takeovers_q, cash_q, inventory]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self.start_q, self.start_gain_q, self.takeovers_q, cash_q, inventory = state
        self.cash_q = dict(cash_q)
        for instrument_id, lots, gain_q in inventory:
            held = self.of(instrument_id)
            held.lots, held.gain_q = lots, gain_q

    def lines(self, unrealised_at_end_q: int, end_q: int) -> Lines:
        """The account, given the gain on what is held against its entry value."""
        carried_q = sum(held.gain_q for held in self.inventory.values())
        lines = {START: self.start_q, **dict.fromkeys(CASH_LINES.values(), 0)}
        realised_q = 0
        for cause, amount_q in self.cash_q.items():
            if cause in _REALISED:
                realised_q += amount_q
            else:
                name = CASH_LINES.get(cause, cause.replace(" ", "_"))
                lines[name] = lines.get(name, 0) + amount_q
        lines[TAKEOVERS] = self.takeovers_q
        lines[DISPOSAL] = realised_q - (self.takeovers_q - carried_q)
        lines[UNREALISED] = unrealised_at_end_q - self.start_gain_q - carried_q
        lines[END] = end_q
        return lines


class HouseAccounts:
    """A listener that keeps the accounts from `begin` on."""

    def __init__(self, instruments: list[InstrumentSpec]) -> None:
        self._asset_of = {spec.instrument_id: spec.settle_asset_id for spec in instruments}
        self._books: dict[tuple[int, int], _Book] = {}
        self._routes: dict[type, Callable[[Any], None]] = {
            FundChanged: lambda event: self._cash(FUND, event),
            BackstopChanged: lambda event: self._cash(BACKSTOP, event),
            TakenOver: self._taken_over,
            Deleveraged: self._deleveraged,
            OrderFilled: self._filled,
        }

    def begin(self, exchange: Exchange) -> None:
        """Start anew from what the house has now."""
        self._books.clear()
        for account_id in HOUSES:
            for asset_id in exchange.risk.core.assets:
                account = exchange.risk.core.ledger.house(account_id, asset_id)
                gain_q = _unrealised_q(account)
                book = _Book(account.wallet_q + gain_q, gain_q)
                for position in account.positions:
                    book.of(position.instrument_id).lots = position.qty_lots
                self._books[account_id, asset_id] = book

    def state(self) -> list[Any]:
        """The accounts so far."""
        return [[*key, book.state()] for key, book in self._books.items()]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned, in place of `begin`."""
        self._books.clear()
        for account_id, asset_id, row in state:
            self._book(account_id, asset_id).restore(row)

    def __call__(self, event: Event) -> None:
        """Book one event."""
        route = self._routes.get(type(event))
        if route is not None:
            route(event)

    def _book(self, account_id: int, asset_id: int) -> _Book:
        return self._books.setdefault((account_id, asset_id), _Book())

    def _cash(self, account_id: int, event: FundChanged | BackstopChanged) -> None:
        cash_q = self._book(account_id, event.asset_id).cash_q
        cash_q[event.cause] = cash_q.get(event.cause, 0) + event.amount_q

    def _moved(self, account_id: int, instrument_id: int, lots: int, gain_q: int) -> None:
        if account_id in HOUSES:
            book = self._book(account_id, self._asset_of[instrument_id])
            book.takeovers_q += gain_q
            book.of(instrument_id).move(lots, gain_q)

    def _taken_over(self, event: TakenOver) -> None:
        self._moved(event.taker_account_id, event.instrument_id, event.qty_lots, event.gain_q)

    def _deleveraged(self, event: Deleveraged) -> None:
        taker, giver = owner_of(event.margin_account_id), owner_of(event.bankrupt_account_id)
        self._moved(taker, event.instrument_id, event.qty_lots, event.gain_q)
        self._moved(giver, event.instrument_id, -event.qty_lots, -event.gain_q)

    def _filled(self, event: OrderFilled) -> None:
        if event.account_id in HOUSES:
            self._moved(event.account_id, event.instrument_id, event.side * event.qty_lots, 0)

    def accounts(self, exchange: Exchange, account_id: int) -> dict[int, Lines]:
        """The accounts of the fund or the backstop by asset id, as the exchange stands now.

        Raises:
            AssertionError: an account does not add up: a change of it was published by no event.
        """
        core = exchange.risk.core
        result: dict[int, Lines] = {}
        for asset_id in core.assets:
            account = core.ledger.house(account_id, asset_id)
            gain_q = _unrealised_q(account)
            book = self._book(account_id, asset_id)
            lines = book.lines(gain_q, account.wallet_q + gain_q)
            _check(f"{HOUSE_NAMES[account_id]}, asset {asset_id}", lines, book, account)
            result[asset_id] = lines
        return result


def _check(name: str, lines: Mapping[str, int], book: _Book, account: MarginAccount) -> None:
    total_q = sum(amount_q for line, amount_q in lines.items() if line != END)
    assert total_q == lines[END], f"{name}: the lines add up to {total_q}, not {lines[END]}"
    held = {position.instrument_id: position.qty_lots for position in account.positions}
    counted = {key: inventory.lots for key, inventory in book.inventory.items()}
    for instrument_id in held.keys() | counted.keys():
        lots, seen = held.get(instrument_id, 0), counted.get(instrument_id, 0)
        assert lots == seen, f"{name}: {lots} lots of contract {instrument_id}, told of {seen}"


def _unrealised_q(account: MarginAccount) -> int:
    return sum(unrealised_q(position) for position in account.positions if position.qty_lots)
