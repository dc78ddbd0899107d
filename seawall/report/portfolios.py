"""Accounts with several contracts, and how much of the forced trades in one of them was theirs."""

from collections import Counter
from collections.abc import Iterator, Mapping

import polars as pl

from seawall.report.contract import ContractData
from seawall.report.data import ReportData
from seawall.report.facts import liquidation_fills


def portfolio_accounts(data: ReportData) -> pl.Series:
    """The accounts of all groups and agents that trade several contracts."""
    accounts = data.accounts
    chosen = [
        accounts.filter((pl.col("kind") == kind) & (pl.col("group") == name))["account"]
        for kind, name in _portfolios(data.settings)
    ]
    return pl.concat(chosen) if chosen else pl.Series("account", [], pl.Int64)


def portfolios_share(data: ReportData, contract: ContractData) -> float | None:
    """The share of what liquidations traded in a contract's book that was for accounts with several
    contracts; None if nobody has several, or nothing was forced."""
    theirs = portfolio_accounts(data)
    fills = liquidation_fills(contract.events)
    if not theirs.len() or not fills.height:
        return None
    shared = fills.filter(pl.col("account_id").is_in(theirs.implode()))
    return int(shared["qty_lots"].sum()) / int(fills["qty_lots"].sum())


def _portfolios(settings: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Kind and name of the tables that name several contracts."""
    named = Counter[tuple[str, str]]()
    for place, text in settings.items():
        match place.split("."):
            case ["population", name, "instruments", _]:
                named["group", name] += float(text) > 0
            case ["agents", name, "instruments"]:
                named["agent", name] += 1 + text.count(",")
    return (table for table, count in named.items() if count > 1)
