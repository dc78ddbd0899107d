"""The accounts nearest to liquidation, found without looking at all of them.

The rank of an account is its ratio, equity over maintenance. The equity is shared out over the
positions (and the balances in collateral assets), and each position has a price at which its share
is used up. While every balance is above the price of its own share,

    ratio >= the least, over its positions, of  (what is left of the share) / (maintenance),

and where the maintenance is at most a rate times the notional, that is the distance to the price,
as a part of the mark, over the rate. So the positions of one contract, one side and one rate stand
in an order that no move of the mark changes. A question reads these orders from the mark outwards,
the nearest bound first, evaluates the accounts it meets, and stops when no bound is left that could
beat those found.

The rates hold between two marks some way around a reference; a mark that leaves this window has the
contract's positions placed again. Accounts that changed wait in a list until a question comes.
Nothing is kept before the first question.
"""

from collections.abc import Iterator
from heapq import heapify, heappop, heapreplace
from typing import Final

from sortedcontainers import SortedList

from engine.units import MAX_WIRE, PPB, on_wire, scale_down
from risk.accounts import MarginAccount, Position
from risk.frontier import ROUNDING_SLACK_Q
from risk.health import evaluate
from risk.ledger import Ledger
from risk.listing import Listing

_FINENESS: Final[int] = 1 << 20
"""Parts of a quantum that prices of shares are kept in."""
_RATE_BITS: Final[int] = 5
"""Significant bits of a rate: rates within some six per cent stand in one order."""

_Entry = tuple[int, int, int]
"""What a position is ordered by, its margin account and its leg."""
_Number = tuple[int, bool, int]
"""An order's contract, side and rate."""


class _Order:
    """Positions of one contract and one side, of which none asks for more than a rate.

    `grows` says that the notional grows when they lose. An entry's key is then the notional of a
    lot at which the share is used up; otherwise it is that with a minus, so that the nearest always
    comes first.
    """

    __slots__ = ("_inverse", "_rate_ppb", "_unit", "entries", "grows", "listing")

    def __init__(self, listing: Listing, grows: bool, rate_ppb: int) -> None:
        self.listing = listing
        self.grows = grows
        self.entries: SortedList[_Entry] = SortedList()
        self._rate_ppb = rate_ppb
        self._inverse: bool = listing.instrument.inverse
        self._unit: int = listing.instrument.unit_q * _FINENESS

    def bound_ppb(self, key: int) -> int:
        """No account whose nearest entry is this one has a lower ratio (rounded down)."""
        mark_ticks = self.listing.mark_ticks
        # The notional of a lot is `unit x mark`, or `unit / mark` of an inverse contract.
        price, lot = (key * mark_ticks, self._unit)
        if not self._inverse:
            price, lot = (key, self._unit * mark_ticks)
        left = price - lot if self.grows else price + lot
        if left <= 0:
            # The share is used up, and others' may have been before: nothing is known.
            return -MAX_WIRE
        return min(MAX_WIRE, left * PPB * PPB // (lot * self._rate_ppb))


class _Place:
    """What an account has in the orders, and prices of collateral assets at which the shares of its
    balances are used up. One without entries is looked at by every question."""

    __slots__ = ("entries", "shares")

    def __init__(self) -> None:
        self.entries: list[tuple[_Number, _Entry]] = []
        self.shares: list[tuple[int, tuple[int, int]]] = []


class NearestAccounts:
    """The orders of all contracts, and what every risk-bearing account has in them."""

    __slots__ = (
        "_always",
        "_kept",
        "_ledger",
        "_listings",
        "_orders",
        "_placed",
        "_shares",
        "_waiting",
        "_windows",
    )

    def __init__(self, ledger: Ledger, listings: dict[int, Listing]) -> None:
        self._ledger = ledger
        self._listings = listings
        self._forget()

    def _forget(self) -> None:
        """Keep nothing, as before the first question."""
        self._kept = False
        self._waiting: list[MarginAccount] = []
        self._orders: dict[_Number, _Order] = {}
        # By margin account.
        self._placed: dict[int, _Place] = {}
        self._always: dict[int, MarginAccount] = {}
        # By collateral asset: the price at which a balance's share is used up, and its account.
        self._shares: dict[int, SortedList[tuple[int, int]]] = {}
        self._windows: dict[int, tuple[int, int]] = {}
        for account in self._ledger.accounts.values():
            account.noted = False

    def note(self, account: MarginAccount) -> None:
        """An account changed in another way than by a price."""
        if self._kept and not account.noted:
            account.noted = True
            self._waiting.append(account)

    def find(self, count: int) -> tuple[int, list[MarginAccount]]:
        """How many accounts could be liquidated or are called, and the ``count`` nearest: those in
        liquidation first, then by ratio, equal ones by id.

        Looks at as many accounts as it returns, and at those whose bounds are too near to tell.
        """
        try:
            self._catch_up()
        except Exception:
            # Half of it may be done: the next question starts from nothing.
            self._forget()
            raise
        best: SortedList[tuple[bool, int, int]] = SortedList()
        for account in self._always.values():
            best.add(rank(account))
        del best[count:]
        seen: set[int] = set()
        for bound_ppb, account_id in self._by_bound():
            if len(best) == count and not _could_beat(bound_ppb, best[-1]):
                break
            if account_id in seen:
                continue
            seen.add(account_id)
            account = self._ledger.accounts[account_id]
            best.add(rank(account))
            del best[count:]
            if len(self._placed[account_id].entries) > 1 or account.holdings:
                # Its shares say less the further its prices have moved apart.
                self.note(account)
        accounts = self._ledger.accounts
        return len(self._placed), [accounts[account_id] for _, _, account_id in best]

    def _by_bound(self) -> Iterator[tuple[int, int]]:
        """Bounds and margin accounts of all entries, the lowest bound first."""
        orders = list(self._orders.values())
        walks = [iter(order.entries) for order in orders]
        heads: list[tuple[int, int, int]] = []
        for number, order in enumerate(orders):
            key, account_id, _ = next(walks[number])
            heads.append((order.bound_ppb(key), number, account_id))
        heapify(heads)
        while heads:
            bound_ppb, number, account_id = heads[0]
            yield bound_ppb, account_id
            following = next(walks[number], None)
            if following is None:
                heappop(heads)
            else:
                bound_ppb = orders[number].bound_ppb(following[0])
                heapreplace(heads, (bound_ppb, number, following[1]))

    # keeping up

    def _catch_up(self) -> None:
        """Place all who changed, and those for whom a price has gone too far."""
        accounts = self._ledger.accounts
        if not self._kept:
            self._kept = True
            for account in accounts.values():
                self.note(account)
        for listing in self._listings.values():
            low_ticks, high_ticks = self._windows.get(listing.instrument_id, (0, -1))
            mark_ticks = listing.mark_ticks
            if not low_ticks <= mark_ticks <= high_ticks:
                # Three quarters and five quarters, rounded outwards.
                window = (mark_ticks * 3 // 4, -(-mark_ticks * 5 // 4))
                self._windows[listing.instrument_id] = window
                for side in (listing.longs, listing.shorts):
                    for position in side:
                        self.note(position.account)
        for asset_id, shares in self._shares.items():
            asset = self._ledger.collateral.get(asset_id)
            price_ppb = 0 if asset is None else asset.price_ppb
            for _, account_id in shares.irange(minimum=(price_ppb + 1, 0)):
                self.note(accounts[account_id])
        fresh: dict[_Number, list[_Entry]] = {}
        for account in self._waiting:
            account.noted = False
            self._take_out(account)
            if bears_risk(account):
                self._place(account, fresh)
        self._waiting.clear()
        for number, entries in fresh.items():
            order = self._orders.get(number)
            if order is None:
                order = _Order(self._listings[number[0]], number[1], number[2])
                self._orders[number] = order
            order.entries.update(entries)

    def _take_out(self, account: MarginAccount) -> None:
        account_id = account.margin_account_id
        self._always.pop(account_id, None)
        place = self._placed.pop(account_id, None)
        if place is None:
            return
        for number, entry in place.entries:
            order = self._orders[number]
            order.entries.remove(entry)
            if not order.entries:
                del self._orders[number]
        for asset_id, share in place.shares:
            self._shares[asset_id].remove(share)

    def _place(self, account: MarginAccount, fresh: dict[_Number, list[_Entry]]) -> None:
        """Share the equity of a risk-bearing account out; the entries of its positions go to the
        ``fresh`` ones."""
        account_id = account.margin_account_id
        place = _Place()
        self._placed[account_id] = place
        live = [position for position in account.positions if position.qty_lots]
        borrows = any(holding.source.wallet_q < 0 for holding in account.holdings)
        if account.liquidation is not None or not live or borrows:
            self._always[account_id] = account
            return
        evaluate(account)
        equity_q = account.equity_q - ROUNDING_SLACK_Q * (len(live) + len(account.holdings))
        equity_q -= self._share_of_balances(account, live, equity_q, place)
        rates = [self._rate_ppb(position) for position in live]
        weights = [_notional_q(each) * rate for each, rate in zip(live, rates, strict=True)]
        total = sum(weights)
        for position, rate_ppb, weight in zip(live, rates, weights, strict=True):
            # Rounded down, so together they are no more than the equity.
            share_q = equity_q * weight // total
            number = (position.listing.instrument_id, _grows(position), rate_ppb)
            entry = (_key(position, share_q), account_id, position.leg)
            place.entries.append((number, entry))
            fresh.setdefault(number, []).append(entry)

    def _share_of_balances(
        self, account: MarginAccount, live: list[Position], equity_q: int, place: _Place
    ) -> int:
        """Give the balances in collateral assets their shares of the equity, by value, and watch
        the prices at which these are used up; returns what they have together."""
        if equity_q <= 0:
            equity_q = 0
        total_q = sum(_notional_q(position) for position in live)
        total_q += sum(holding.value_q() for holding in account.holdings)
        given_q = 0
        for holding in account.holdings:
            value_q = holding.value_q()
            if not value_q:
                continue
            share_q = scale_down(equity_q, value_q, total_q)
            low_ppb, _ = holding.asset.band(holding.source.wallet_q, share_q, -1)
            given_q += share_q
            if low_ppb > 0:
                asset_id = holding.asset.asset_id
                share = (low_ppb, account.margin_account_id)
                self._shares.setdefault(asset_id, SortedList()).add(share)
                place.shares.append((asset_id, share))
        return given_q

    def _rate_ppb(self, position: Position) -> int:
        """No less than the maintenance per notional anywhere in the window, in few bits."""
        low_ticks, high_ticks = self._windows[position.listing.instrument_id]
        requirement = position.account.requirement
        rate_ppb = max(1, requirement.rate_bound_ppb(position, max(1, low_ticks), high_ticks))
        dropped = max(0, rate_ppb.bit_length() - _RATE_BITS)
        return -(-rate_ppb >> dropped) << dropped


def bears_risk(account: MarginAccount) -> bool:
    """Whether a trader's account has anything that could be liquidated, or is called for it."""
    if account.trader.is_house():
        return False
    if account.call is not None or account.liquidation is not None:
        return True
    return any(position.qty_lots for position in account.positions)


def rank(account: MarginAccount) -> tuple[bool, int, int]:
    """What accounts are nearest to liquidation by, at current marks: the lower, the nearer."""
    evaluate(account)
    return account.liquidation is None, ratio_ppb(account), account.margin_account_id


def ratio_ppb(account: MarginAccount) -> int:
    """Equity over maintenance of an evaluated account, rounded down, within the wire's numbers."""
    if not account.maintenance_q:
        return MAX_WIRE
    return on_wire(account.equity_q * PPB // account.maintenance_q)


def _could_beat(bound_ppb: int, last: tuple[bool, int, int]) -> bool:
    """Whether an account that is not in liquidation may come before the last one found."""
    free, last_ppb, _ = last
    return free and bound_ppb <= last_ppb


def _notional_q(position: Position) -> int:
    listing = position.listing
    return listing.instrument.notional_q(position.qty_lots, listing.mark_ticks)


def _grows(position: Position) -> bool:
    """Whether the notional of a position grows when it loses."""
    return (position.qty_lots > 0) == position.listing.instrument.inverse


def _key(position: Position, share_q: int) -> int:
    """The notional of a lot, in parts of a quantum, at which a share is used up, rounded towards
    the mark; with a minus where the notional shrinks with losses."""
    lots = abs(position.qty_lots)
    notional_q = _notional_q(position)
    used_up_q = notional_q + share_q if _grows(position) else share_q - notional_q
    return used_up_q * _FINENESS // lots
