"""The market a notebook drives: plain calls in, decimals out."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from engine.commands import (
    AdjustIsolatedMargin,
    Deposit,
    OpenAccount,
    SetLeverage,
    SetMarginMode,
    SetPositionMode,
    SetRulebook,
    Withdraw,
)
from engine.events import Event
from engine.instruments import AssetSpec
from engine.messages import EVENT_TYPES
from engine.settings import unknown
from engine.units import from_grid
from risk.accounts import BACKSTOP, FUND
from risk.rulebook_file import load_rulebook
from seawall.market.event_decimals import columns_of_event, frame_of, in_decimals
from seawall.market.exact import Amount, exact_rules, on_grid
from seawall.market.trading import Trading
from seawall.market.views import AccountView, CallView, ContractView, PositionView
from seawall.order_flags import LEG, read_choice, read_switch
from seawall.scenario_rulebook import read_rulebook


class Market(Trading):
    """Perpetual contracts on a fresh exchange, driven by plain calls.

    A market begins with one contract and the asset it settles in; `add_contract` and `add_asset`
    bring more. Where a call takes a ``contract`` or an ``asset`` by name, the first is meant when
    none is given. Figures are decimal strings, whole numbers or `decimal.Decimal`; a float is
    refused. Time stands still between calls unless `tick` moves it. A refused command raises
    `Rejected`. ``events`` keeps everything that happened, `history` tells it in decimals.

    ``rulebook`` is a name or the path of a file, ``rules`` what is laid over it, in the shape of
    the file (``{"call": {"grace_s": 300}}``). ``tick``, ``lot``, ``multiplier`` and ``band`` are
    the contract's, ``asset`` and ``decimals`` the settlement asset's, ``fund`` and ``backstop``
    what the house starts with. A ``symbol`` has the margin table the rulebook has for it; without
    one the contract is an example with the table of the rulebook's first symbol.

    Raises:
        ValueError: a figure is no exact decimal or off its grid, or there is no such rulebook.
    """

    def __init__(
        self,
        *,
        rulebook: str = "teaching-default",
        rules: Mapping[str, Any] | None = None,
        price: Amount = "100",
        symbol: str = "",
        tick: str = "0.01",
        lot: str = "0.01",
        inverse: bool = False,
        multiplier: str = "1",
        asset: str = "USDT",
        decimals: int = 6,
        band: str = "0.1",
        fund: Amount = "0",
        backstop: Amount = "0",
    ) -> None:
        loaded = load_rulebook(rulebook)
        if rules:
            loaded, _ = read_rulebook(rulebook, exact_rules(rules, "rules"), "rules")
        self._open(loaded)
        settled_in = AssetSpec(0, asset, decimals)
        spec = self._contract_spec(symbol, settled_in, tick, lot, inverse, multiplier, band)
        on_grid(price, spec.tick_size, "price")
        seeds_q = self._seeds_q(settled_in, fund, backstop)
        self._list_asset(settled_in)
        self.send(SetRulebook(self.time_ns, loaded.rulebook.to_json()))
        self._list_contract(spec)
        self._seed(settled_in, seeds_q)
        self.set_index(price)

    # accounts

    def open_account(
        self, deposit: Amount = "0", leverage: int | None = None, isolated: bool = False
    ) -> int:
        """Open a trader's account with a deposit of the first asset; returns its id.

        ``leverage`` and ``isolated`` are for the first contract; `set_leverage` and `set_isolated`
        choose them for others.

        Raises:
            ValueError: the deposit is negative or off the asset's grid, or the contract does not
                allow the leverage; no account was opened.
        """
        amount_q = on_grid(deposit, self.asset.quantum, "deposit")
        if amount_q < 0:
            raise ValueError(f"deposit {deposit} is negative; it must be 0 or more")
        if leverage is not None:
            self._check_leverage(leverage, None)
        account_id = self._next_account
        self._next_account += 1
        self.send(OpenAccount(self.time_ns, account_id))
        if amount_q:
            self.send(Deposit(self.time_ns, account_id, self.asset.asset_id, amount_q))
        if leverage is not None:
            self.set_leverage(account_id, leverage)
        if isolated:
            self.set_isolated(account_id)
        return account_id

    def set_leverage(
        self, account_id: int, leverage: int, contract: str | None = None
    ) -> list[Event]:
        """Choose the leverage that initial margin in a contract is computed with.

        Raises:
            ValueError: the contract does not allow the leverage.
            Rejected: what is open would not be covered.
        """
        self._check_leverage(leverage, contract)
        return self.send(SetLeverage(self.time_ns, account_id, self._id(contract), leverage))

    def _check_leverage(self, leverage: int, contract: str | None) -> None:
        limit = self.exchange.listing(self._id(contract)).model.max_leverage(1)
        whole = isinstance(leverage, int) and not isinstance(leverage, bool)
        if not (whole and 1 <= leverage <= limit):
            raise ValueError(f"leverage {leverage!r}: allowed are whole numbers from 1 to {limit}")

    def set_isolated(
        self, account_id: int, isolated: bool = True, contract: str | None = None
    ) -> list[Event]:
        """Keep the positions of a contract in pots of their own, or in the cross account; refused
        while anything is open there."""
        on = read_switch("isolated", isolated)
        return self.send(SetMarginMode(self.time_ns, account_id, self._id(contract), on))

    def set_hedge(self, account_id: int, hedge: bool = True) -> list[Event]:
        """Hold a long and a short leg of a contract side by side, or one net position; refused
        while anything is open."""
        return self.send(SetPositionMode(self.time_ns, account_id, read_switch("hedge", hedge)))

    def deposit(self, account_id: int, amount: Amount, asset: str | None = None) -> list[Event]:
        """Add collateral."""
        spec = self._listed.asset(asset)
        amount_q = on_grid(amount, spec.quantum, "amount")
        return self.send(Deposit(self.time_ns, account_id, spec.asset_id, amount_q))

    def withdraw(self, account_id: int, amount: Amount, asset: str | None = None) -> list[Event]:
        """Take out free collateral."""
        spec = self._listed.asset(asset)
        amount_q = on_grid(amount, spec.quantum, "amount")
        return self.send(Withdraw(self.time_ns, account_id, spec.asset_id, amount_q))

    def add_margin(
        self,
        account_id: int,
        amount: Amount,
        contract: str | None = None,
        *,
        leg: str | int = "net",
    ) -> list[Event]:
        """Move collateral from the cross account to an isolated position; negative takes back."""
        instrument_id = self._id(contract)
        amount_q = on_grid(amount, self._listed.settled_in(instrument_id).quantum, "amount")
        leg_number = read_choice("leg", leg, LEG)
        return self.send(
            AdjustIsolatedMargin(self.time_ns, account_id, instrument_id, leg_number, amount_q)
        )

    # looking at it

    def account(self, account_id: int, asset: str | None = None) -> AccountView:
        """The trader's cross account in an asset.

        Raises:
            KeyError: no such account.
        """
        return self._window.account(account_id, self._listed.asset(asset))

    def fund(self, asset: str | None = None) -> AccountView:
        """The insurance fund in an asset."""
        return self.account(FUND, asset)

    def backstop(self, asset: str | None = None) -> AccountView:
        """The backstop in an asset."""
        return self.account(BACKSTOP, asset)

    def isolated(self, account_id: int, contract: str | None = None) -> AccountView | None:
        """The pot of the trader's isolated position in a contract; None without one.

        Raises:
            KeyError: no such account.
        """
        return self._window.isolated(account_id, self._id(contract))

    def position(
        self, account_id: int, contract: str | None = None, leg: str | None = None
    ) -> PositionView | None:
        """The trader's position in a contract, cross or isolated; None when flat.

        Raises:
            KeyError: no such account.
            ValueError: there are two legs and none was named.
        """
        symbol = self._listed.contract(contract).symbol
        found = [each for each in self.positions(account_id) if each.contract == symbol]
        if leg is not None:
            number = read_choice("leg", leg, LEG)
            found = [each for each in found if LEG[each.leg.upper()] == number]
        if len(found) > 1:
            raise ValueError(f"account {account_id} has two legs in {symbol}: name long or short")
        return found[0] if found else None

    def positions(self, account_id: int) -> list[PositionView]:
        """All positions of a trader: those of the cross account, then the isolated ones.

        Raises:
            KeyError: no such account.
        """
        return self._window.positions(account_id)

    def calls(self, account_id: int) -> list[CallView]:
        """The margin calls a trader has had, oldest first; an open one stands as it is now."""
        return self._window.calls(self.events, account_id)

    def contract(self, symbol: str | None = None) -> ContractView:
        """Mark, index, last price, open interest and funding of a contract."""
        return self._window.contract(self._id(symbol))

    @property
    def mark(self) -> str:
        """The mark price of the first contract."""
        return from_grid(self.exchange.mark_ticks(0), self.instrument.tick_size)

    def depth(
        self, levels: int = 10, contract: str | None = None
    ) -> dict[str, list[tuple[str, str]]]:
        """The best levels of both sides as (price, size)."""
        return self._window.depth(self._id(contract), levels)

    def history(self, *types: str) -> pl.DataFrame:
        """What happened, in decimals and words: the events of these types, or all.

        The columns are the fields of the events without their units: ``price``, ``qty``,
        ``amount``, ``contract``, ``account``; times are ``time_s`` and ``deadline_s``.

        Raises:
            ValueError: there is no such type of event.
        """
        known = {each.__name__: each for each in EVENT_TYPES}
        for name in types:
            if name not in known:
                raise ValueError(f"event {name!r} {unknown(name, known)}")
        wanted = types or tuple(known)
        rows = (
            in_decimals(event, self._listed, self._units_refused.get(number))
            for number, event in enumerate(self.events)
            if type(event).__name__ in wanted
        )
        return frame_of(rows, (name for kind in types for name in columns_of_event(known[kind])))

    def events_frame(self) -> pl.DataFrame:
        """Everything that happened as it is kept: ticks, lots and quanta, as in a run's
        ``events.parquet``."""
        return self._table.frame()
