"""Accounts as a table: who each owner is, what it paid in, what it has at the end, what became of
it.

| column | meaning |
| --- | --- |
| ``account_id`` | the owner's account; below 100 the house |
| ``kind``, ``name`` | ``group``, ``agent`` or ``house``, and the name of it |
| ``instrument_id`` | the contract it trades; of several the first |
| ``side`` | ``long`` or ``short``, what a trader came for |
| ``leverage`` | that of the account in the contract |
| ``isolated`` | whether its margin is isolated |
| ``on_call`` | what a trader does on a margin call |
| ``asset_id`` | the asset of the amounts |
| ``paid_in_q`` | deposits less withdrawals |
| ``end_q`` | wallets, and positions at their marks |
| ``fate`` | what became of it, one of `seawall.records.results.FATES` |

One row per owner and asset in which it paid in or has something, and in any case one for the asset
its contract settles in. A column is null where the owner has no such thing. What all have at the
end in an asset is what all paid in.
"""

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from seawall.exchange import Exchange
from seawall.records.owner import HOUSE, Owner
from seawall.records.results import FATES, ResultCollector, ends_q, owner_at

SCHEMA: Final[pl.Schema] = pl.Schema(
    {
        "account_id": pl.Int64(),
        "kind": pl.String(),
        "name": pl.String(),
        "instrument_id": pl.Int64(),
        "side": pl.Enum(["long", "short"]),
        "leverage": pl.Int64(),
        "isolated": pl.Boolean(),
        "on_call": pl.String(),
        "asset_id": pl.Int64(),
        "paid_in_q": pl.Decimal(38, 0),
        "end_q": pl.Decimal(38, 0),
        "fate": pl.Enum(FATES),
    }
)
"""Columns of the table, in order."""


def account_table(
    exchange: Exchange, collector: ResultCollector, owners: Sequence[Owner]
) -> pl.DataFrame:
    """The table as the exchange stands now; ``owners`` by account id from
    `risk.accounts.FIRST_TRADER` on.

    Raises:
        AssertionError: the values of all positions differ by more than their rounding.
    """
    core = exchange.risk.core
    settles = {
        listing.instrument.spec.instrument_id: listing.instrument.spec.settle_asset_id
        for listing in core.listings.values()
    }
    rows: list[tuple[Any, ...]] = []
    for asset_id in core.assets:
        for account_id, end_q in ends_q(exchange, asset_id).items():
            owner = owner_at(account_id, owners)
            paid_in_q = collector.paid_in_q(account_id, asset_id)
            if paid_in_q or end_q or settles.get(owner.instrument_id) == asset_id:
                what = _described(exchange, account_id, owner)
                fate = None if owner.kind == HOUSE else collector.fate(account_id, owner)
                rows.append((*what, asset_id, paid_in_q, end_q, fate))
    rows.sort(key=lambda row: row[0])  # stable: an owner's assets stay in their order
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _described(exchange: Exchange, account_id: int, owner: Owner) -> tuple[Any, ...]:
    kept = (account_id, owner.kind, owner.name)
    if owner.kind == HOUSE or owner.instrument_id < 0:
        return (*kept, None, None, None, None, None)
    trader = exchange.risk.core.ledger.traders[account_id]
    return (
        *kept,
        owner.instrument_id,
        owner.side or None,
        trader.leverage.get(owner.instrument_id),
        owner.isolated,
        owner.on_call or None,
    )
