"""Taking stock: what the accounts of a scenario hold on an exchange that has traded before."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from engine.commands import ALL_INSTRUMENTS, CancelAll, Command, Deposit, QueryAccount, QueryMarket
from engine.events import AccountReport, MarketReport
from gateway.client import Client
from risk.accounts import FIRST_TRADER, FUND

TOGETHER: Final[int] = 200
"""Accounts that are asked about in one frame."""

PATIENCE_S: Final[float] = 30.0


class Stock(NamedTuple):
    """Reports of all accounts, by id, and of the market."""

    accounts: dict[int, AccountReport]
    market: MarketReport

    def positions(self) -> dict[int, dict[int, int]]:
        """Lots of each account by instrument id, longs and shorts and all pots together."""
        return {account_id: _lots(report) for account_id, report in self.accounts.items()}

    def cancels(self) -> Iterator[Command]:
        """The commands that take all resting orders off the books."""
        for account_id, report in self.accounts.items():
            if report.open_order_ids:
                yield CancelAll(0, account_id, ALL_INSTRUMENTS)

    def refills(self, deposits: Sequence[Deposit], always: set[int]) -> Iterator[Deposit]:
        """What brings the insurance fund, accounts without a position and those that are ``always``
        filled back to what they were opened with; nobody is taken anything."""
        for deposit in deposits:
            account_id = deposit.account_id
            report = self.accounts.get(account_id)
            if account_id == FUND:
                have_q = self._fund_q(deposit.asset_id)
            elif report is None or (any(_lots(report).values()) and account_id not in always):
                continue
            else:
                have_q = _held_q(report, deposit.asset_id)
            if deposit.amount_q > have_q:
                missing_q = deposit.amount_q - have_q
                yield Deposit(0, account_id, deposit.asset_id, missing_q)

    def _fund_q(self, asset_id: int) -> int:
        return sum(row.fund_q for row in self.market.assets if row.spec.asset_id == asset_id)


def take_stock(client: Client, accounts: int, beat: Callable[[], None]) -> Stock:
    """Ask about so many accounts from the first trader's on; ``beat`` is called now and then.

    Raises:
        NoAnswer: the gateway does not answer.
    """
    reports: dict[int, AccountReport] = {}
    last = FIRST_TRADER + accounts
    for first in range(FIRST_TRADER, last, TOGETHER):
        beat()
        asked = range(first, min(first + TOGETHER, last))
        for reply in client.call_all([QueryAccount(0, each) for each in asked], PATIENCE_S):
            for event in reply.events:
                if isinstance(event, AccountReport):
                    reports[event.account_id] = event
    [market] = client.call(QueryMarket(0), PATIENCE_S).events
    assert isinstance(market, MarketReport), "a market is told about"
    return Stock(reports, market)


def _lots(report: AccountReport) -> dict[int, int]:
    lots: dict[int, int] = {}
    for pot in report.margin_accounts:
        for each in pot.positions:
            lots[each.instrument_id] = lots.get(each.instrument_id, 0) + each.qty_lots
    return lots


def _held_q(report: AccountReport, asset_id: int) -> int:
    """What an account has of an asset, as margin or as collateral for another one."""
    held_q = 0
    for pot in report.margin_accounts:
        held_q += pot.wallet_q if pot.asset_id == asset_id else 0
        held_q += sum(row.amount_q for row in pot.collateral if row.asset_id == asset_id)
    return held_q
