"""The ledger: every change of money or position happens here, in matching pairs.

Conservation per asset, checked after every command: the wallets of all margin accounts (house
included) minus the entry values of their positions equal deposits minus withdrawals. A fill is
booked with one value on both sides, so no rounding can break this.
"""

from typing import Final

from engine.record.hashing import TableHash
from engine.units import magnitude, scale_down
from risk.accounts import (
    BACKSTOP,
    BAD_DEBT,
    FEES,
    FUND,
    RESIDUE,
    Holding,
    MarginAccount,
    Position,
    Trader,
    cross_account_id,
    isolated_account_id,
)
from risk.collateral import CollateralAsset
from risk.frontier import Banded
from risk.listing import Listing
from risk.records import RealisedGains

_HOUSE = (FUND, BACKSTOP, FEES, RESIDUE, BAD_DEBT)
_FEWEST_NEAR: Final[int] = 1_024


def share_down(value_q: int, part: int, whole: int) -> int:
    """``value * part / whole`` rounded down."""
    return value_q if part == whole or not value_q else scale_down(value_q, part, whole)


class AssetBooks:
    """Running sums of one asset: `booked_q`, wallets minus entry values, and `deposited_q`, which
    only deposits and withdrawals touch. `fees` is the house's account for them."""

    __slots__ = ("asset_id", "booked_q", "deposited_q", "fees")

    def __init__(self, asset_id: int, fees: MarginAccount) -> None:
        self.asset_id = asset_id
        self.fees = fees
        self.booked_q = 0
        self.deposited_q = 0


class Ledger:
    """Traders, margin accounts and what was paid in, by id.

    `changed` are the traders that the hash of all of them, `table`, does not know as they are.
    `books` has the sums of each asset that `check_conservation` compares, `collateral` the assets
    that count in another one. `gain_window_ns` is how long a realised gain counts (0: it does not).
    """

    __slots__ = (
        "_near",
        "accounts",
        "books",
        "changed",
        "collateral",
        "gain_window_ns",
        "table",
        "traders",
    )

    def __init__(self) -> None:
        self.changed: list[Trader] = []
        self.table = TableHash()
        self.traders: dict[int, Trader] = {}
        for account_id in _HOUSE:
            self.add_trader(account_id)
        self.accounts: dict[int, MarginAccount] = {}
        # A list: there are few, and compiled a dictionary is several times slower to ask.
        self.books: list[AssetBooks] = []
        self.collateral: dict[int, CollateralAsset] = {}
        self.gain_window_ns = 0
        # Traders at the places the low bits of their ids say, as far as there is room.
        self._near: list[Trader | None] = [None] * _FEWEST_NEAR

    def add_trader(self, account_id: int) -> Trader:
        """A new customer, or account of the house."""
        trader = Trader(account_id, self.changed)
        self.traders[account_id] = trader
        return trader

    def trader(self, account_id: int) -> Trader | None:
        """The trader, or account of the house, of this id."""
        near = self._near
        trader = near[account_id & (len(near) - 1)]
        if trader is None or trader.account_id != account_id:
            trader = self.traders.get(account_id)
            if trader is not None:
                self._bring_near(trader)
        return trader

    def _bring_near(self, trader: Trader) -> None:
        """Let a trader be found without the dictionary, whose lookups by an int are slow."""
        places = len(self._near)
        if places < len(self.traders):
            while places < len(self.traders):
                places *= 2
            self._near = [None] * places
            for each in self.traders.values():
                self._near[each.account_id & (places - 1)] = each
        self._near[trader.account_id & (places - 1)] = trader

    def books_of(self, asset_id: int) -> AssetBooks:
        """The books of an asset.

        Raises:
            KeyError: it was never added.
        """
        for books in self.books:
            if books.asset_id == asset_id:
                return books
        raise KeyError(asset_id)

    def add_asset(self, asset_id: int) -> None:
        """Open the house's accounts in a new asset."""
        for account_id in _HOUSE:
            self.cross(self.traders[account_id], asset_id)
        self.books.append(AssetBooks(asset_id, self.house(FEES, asset_id)))

    def house(self, account_id: int, asset_id: int) -> MarginAccount:
        """One of the exchange's own margin accounts."""
        return self.accounts[cross_account_id(account_id, asset_id)]

    def cross(self, trader: Trader, asset_id: int) -> MarginAccount:
        """The trader's cross account in an asset, opened on first use."""
        account = trader.cross
        if account is None or account.asset_id != asset_id:
            account_id = cross_account_id(trader.account_id, asset_id)
            account = self.open_account(account_id, trader, asset_id, isolated=False)
            trader.cross = account
        return account

    def isolated(self, trader: Trader, listing: Listing, leg: int) -> MarginAccount:
        """The margin account of an isolated position, opened on first use."""
        account_id = isolated_account_id(trader.account_id, listing.instrument_id, leg)
        asset_id = listing.instrument.settle_asset_id
        return self.open_account(account_id, trader, asset_id, isolated=True)

    def open_account(
        self, account_id: int, trader: Trader, asset_id: int, isolated: bool
    ) -> MarginAccount:
        """The margin account of this id, opened if there is none."""
        account = self.accounts.get(account_id)
        if account is None:
            account = MarginAccount(account_id, trader, asset_id, isolated)
            self.accounts[account_id] = account
            trader.accounts.append(account)
            trader.touch()
            if not isolated and asset_id in self.collateral:
                self._count(account)
        return account

    def close_opened(self, count: int) -> None:
        """Take back the accounts that were opened, and are empty, since there were ``count``."""
        while len(self.accounts) > count:
            _, account = self.accounts.popitem()
            trader = account.trader
            trader.touch()
            trader.accounts.pop()
            if trader.cross is account:
                trader.cross = None
            holding = account.counts
            if holding is not None:
                holding.account.holdings = [
                    each for each in holding.account.holdings if each is not holding
                ]

    def set_collateral(self, collateral: dict[int, CollateralAsset]) -> None:
        """From now on balances in these assets count where each says, and no others."""
        self.collateral = collateral
        for account_id in sorted(self.accounts):
            self.accounts[account_id].forget_holdings()
        for account_id in sorted(self.accounts):
            account = self.accounts[account_id]
            if not account.isolated and account.asset_id in collateral:
                self._count(account)

    def collateral_value_q(self, margin_asset_id: int, except_for: int) -> int:
        """What all balances that count in an asset are worth, without haircut, those of one asset
        left out."""
        total_q = 0
        for asset in self.collateral.values():
            if asset.margin_asset_id == margin_asset_id and asset.asset_id != except_for:
                total_q += asset.full_value_q(self.books_of(asset.asset_id).deposited_q)
        return total_q

    def holdings_in(self, asset: CollateralAsset) -> list[Banded]:
        """All balances that count in another asset, of one collateral asset."""
        found: list[Banded] = []
        for account in self.accounts.values():
            if account.counts is not None and account.asset_id == asset.asset_id:
                found.append(account.counts)
        return found

    def _count(self, source: MarginAccount) -> None:
        """Let a balance count in the trader's cross account of the margin asset."""
        asset = self.collateral[source.asset_id]
        trader = source.trader
        account_id = cross_account_id(trader.account_id, asset.margin_asset_id)
        account = self.open_account(account_id, trader, asset.margin_asset_id, isolated=False)
        account.hold(Holding(account, source, asset))

    def deposit(self, account: MarginAccount, amount_q: int) -> None:
        """Money enters (or with a negative amount leaves) the exchange."""
        account.trader.touch()
        account.wallet_q += amount_q
        books = self.books_of(account.asset_id)
        books.booked_q += amount_q
        books.deposited_q += amount_q

    def transfer(self, source: MarginAccount, target: MarginAccount, amount_q: int) -> None:
        """Move collateral between two margin accounts of the same asset."""
        assert source.asset_id == target.asset_id, "a transfer stays within one asset"
        source.trader.touch()
        target.trader.touch()
        source.wallet_q -= amount_q
        target.wallet_q += amount_q

    def settle(self, position: Position, qty_lots: int, value_q: int, time_ns: int) -> int:
        """Book one side of a fill and return the profit it realised.

        ``qty_lots`` and ``value_q`` are signed from this side: the buyer gets plus both, the
        seller minus both. Closing part of a position releases that part of its entry value
        (rounded down, the remainder stays in the position); what exceeds the position opens a new
        one at its share of the value.
        """
        held_lots = position.qty_lots
        account = position.account
        account.trader.touch()
        entry_before_q = position.entry_value_q
        entry_q = entry_before_q + value_q
        realised_q = 0
        if held_lots == 0:
            position.opened_ns = time_ns
        elif (held_lots > 0) != (qty_lots > 0):
            held = magnitude(held_lots)
            traded = magnitude(qty_lots)
            closed_lots = min(held, traded)
            # Floor; the share of the fill that opens the other side gets the remainder.
            closing_value_q = share_down(value_q, closed_lots, traded)
            released_q = share_down(entry_before_q, closed_lots, held)
            realised_q = -closing_value_q - released_q
            # Both shares leave the entry value; what they leave behind is the profit.
            entry_q += realised_q
            account.wallet_q += realised_q
            if realised_q:
                self.note_gain(account, realised_q, time_ns)
            if closed_lots < traded:
                position.opened_ns = time_ns
        position.entry_value_q = entry_q
        position.qty_lots = held_lots + qty_lots
        self.books_of(account.asset_id).booked_q += realised_q - (entry_q - entry_before_q)
        self._track_holder(position, held_lots)
        return realised_q

    def note_gain(self, account: MarginAccount, amount_q: int, time_ns: int) -> None:
        """Remember what a trader realised, in the cross account of whatever pot it was in."""
        if not self.gain_window_ns or account.trader.is_house():
            return
        window = time_ns // self.gain_window_ns  # rounded down: windows are counted from zero
        account.trader.touch()
        if account.isolated:
            account = self.cross(account.trader, account.asset_id)
        if account.realised is None:
            account.realised = RealisedGains(window)
        account.realised.add(window, amount_q)

    def realised_q(self, account: MarginAccount, time_ns: int) -> int:
        """What a cross account's trader realised in the present and the preceding window."""
        if account.realised is None or not self.gain_window_ns:
            return 0
        return account.realised.total_q(time_ns // self.gain_window_ns)  # rounded down

    def _track_holder(self, position: Position, held_before: int) -> None:
        listing = position.listing
        qty_lots = position.qty_lots
        listing.long_lots += max(qty_lots, 0) - max(held_before, 0)
        if (held_before > 0) != (qty_lots > 0) or (held_before < 0) != (qty_lots < 0):
            if held_before:
                listing.leave(position, held_before > 0)
            if qty_lots:
                listing.enter(position)
            else:
                position.opened_ns = 0
                if not position.buy_lots and not position.sell_lots:
                    listing.frontier.remove(position)

    def pay_fee(self, account: MarginAccount, fee_q: int) -> None:
        """Move a fee (or with a negative amount a rebate) between an account and the fees."""
        if fee_q:
            self.transfer(account, self.books_of(account.asset_id).fees, fee_q)

    def check_conservation(self) -> None:
        """Nothing appeared or vanished: constant time per asset.

        Raises:
            AssertionError: the books of an asset do not balance.
        """
        for books in self.books:
            assert books.booked_q == books.deposited_q, (
                f"asset {books.asset_id}: booked {books.booked_q}, paid in {books.deposited_q}"
            )

    def residue_q(self, asset_id: int) -> int:
        """Wallets minus entry values minus net deposits, added up from nothing; must be 0."""
        total_q = -self.books_of(asset_id).deposited_q
        for account in self.accounts.values():
            if account.asset_id == asset_id:
                total_q += account.wallet_q
                total_q -= sum(position.entry_value_q for position in account.positions)
        return total_q
