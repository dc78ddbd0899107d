"""Facts a report states, taken from the table of events.

An event's fields are partly columns of the table and partly in its ``detail`` JSON; `event_rows`
puts them together again. Money stays in integer quanta here, so sums are exact.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import polars as pl

from engine.events import CALL_CURED

REPORT_EVENTS: Final[tuple[str, ...]] = (
    "Trade",
    "MarginCallIssued",
    "MarginCallEnded",
    "LiquidationStarted",
    "LiquidationStage",
    "LiquidationEnded",
    "TakenOver",
    "Deleveraged",
    "FundChanged",
)
"""The event types a report reads."""

LOSS_FIELDS: Final[tuple[str, ...]] = (
    "price_q",
    "slippage_q",
    "fee_q",
    "funding_q",
    "surrender_q",
    "adl_q",
    "haircut_q",
    "transfer_q",
)
"""The parts of a liquidated account's change in equity, as in ``LiquidationEnded``."""


class LossParts(msgspec.Struct):
    """Sums over all finished liquidations that settle in one asset, in quanta."""

    asset_id: int
    liquidations: int
    equity_before_q: int
    equity_after_q: int
    parts: dict[str, int]

    @property
    def change_q(self) -> int:
        """The total change in equity."""
        return self.equity_after_q - self.equity_before_q

    @property
    def unexplained_q(self) -> int:
        """What the parts do not explain; zero if the attribution is right."""
        return self.change_q - sum(self.parts.values())


class CallFacts(msgspec.Struct):
    """Margin calls by outcome, and how long they lasted.

    ``open_ns`` lists per outcome the time from call to end; ``response_ns`` the time from the last
    uncured call of an account to the start of its liquidation; ``still_open`` calls had no end.
    """

    issued: int
    open_ns: dict[str, list[int]]
    response_ns: list[int]
    still_open: int


def event_rows(events: pl.DataFrame, event_type: str) -> Iterator[dict[str, Any]]:
    """The events of one type with all their fields, in order; absent fields are left out.

    Raises:
        ValueError: an event's ``detail`` is not a JSON object.
    """
    for row in events.filter(pl.col("type") == event_type).iter_rows(named=True):
        fields = {name: value for name, value in row.items() if value is not None}
        detail = fields.pop("detail", None)
        if detail:
            try:
                fields.update(msgspec.json.decode(detail, type=dict[str, Any]))
            except msgspec.DecodeError as error:
                raise ValueError(
                    f"event {row.get('seq')} ({event_type}): detail: {error}"
                ) from None
        # The table keeps the account of any event in one column, whatever the event calls it.
        if "account_id" in fields:
            fields.setdefault("margin_account_id", fields["account_id"])
        yield fields


def fund_series(events: pl.DataFrame) -> pl.DataFrame:
    """The insurance fund's wallet after each change, per asset.

    A wallet that was not empty before the first change also gets a row for what it held then.
    """
    rows: list[tuple[int, int, int]] = []
    seen: dict[int, bool] = {}
    for event in event_rows(events, "FundChanged"):
        asset_id = event["asset_id"]
        if asset_id not in seen:
            seen[asset_id] = True
            before_q = event["wallet_q"] - event["amount_q"]
            if before_q:
                rows.append((event["time_ns"], asset_id, before_q))
        rows.append((event["time_ns"], asset_id, event["wallet_q"]))
    schema = {"time_ns": pl.Int64, "asset_id": pl.Int64, "wallet_q": pl.Int128}
    return pl.DataFrame(rows, schema=schema, orient="row")


def loss_parts(events: pl.DataFrame) -> list[LossParts]:
    """The attribution of losses per settlement asset, in the order assets first appear."""
    by_asset: dict[int, LossParts] = {}
    for event in event_rows(events, "LiquidationEnded"):
        asset_id = event["asset_id"]
        total = by_asset.get(asset_id)
        if total is None:
            total = LossParts(asset_id, 0, 0, 0, dict.fromkeys(LOSS_FIELDS, 0))
            by_asset[asset_id] = total
        total.liquidations += 1
        total.equity_before_q += event["equity_before_q"]
        total.equity_after_q += event["equity_after_q"]
        for name in LOSS_FIELDS:
            total.parts[name] += event[name]
    return list(by_asset.values())


def call_facts(events: pl.DataFrame) -> CallFacts:
    """Calls, how they ended, and the response window of those who were liquidated.

    A call counts once: when an account is liquidated twice after one call, the first time.
    """
    issued: dict[tuple[int, int], int] = {}
    latest: dict[int, tuple[int, int]] = {}
    open_ns: dict[str, list[int]] = {}
    for event in event_rows(events, "MarginCallEnded"):
        open_ns.setdefault(event["outcome"], []).append(event["open_ns"])
    response_ns: list[int] = []
    ended = 0
    names = ("MarginCallIssued", "MarginCallEnded", "LiquidationStarted")
    ordered = [event for name in names for event in event_rows(events, name)]
    ordered.sort(key=lambda event: event["seq"])
    for event in ordered:
        account = event["margin_account_id"]
        kind = event["type"]
        if kind == "MarginCallIssued":
            latest[account] = (account, event["call_id"])
            issued[latest[account]] = event["time_ns"]
        elif kind == "MarginCallEnded":
            ended += 1
            if event["outcome"] == CALL_CURED and latest.get(account) == (
                account,
                event["call_id"],
            ):
                del latest[account]
        elif account in latest:
            response_ns.append(event["time_ns"] - issued[latest.pop(account)])
    return CallFacts(len(issued), open_ns, response_ns, len(issued) - ended)


def liquidation_trades(events: pl.DataFrame) -> pl.DataFrame:
    """Public trades that a liquidation order took part in."""
    flagged = pl.col("detail").str.contains(r'"liquidation"\s*:\s*true').fill_null(False)
    return events.filter((pl.col("type") == "Trade") & flagged)


def counts_by_group(
    events: pl.DataFrame, event_type: str, bucket_ns: int, group: str | None = None
) -> dict[str, Counter[int]]:
    """How many events per time bucket (its start, rounded down), split by a text field.

    ``group`` ``outcome`` of a liquidation that left a position standing gets ``(partial)``.
    """
    counts: dict[str, Counter[int]] = {}
    for event in event_rows(events, event_type):
        name = event_type if group is None else str(event[group])
        if group == "outcome" and event.get("partial"):
            name += " (partial)"
        start_ns = event["time_ns"] // bucket_ns * bucket_ns
        counts.setdefault(name, Counter())[start_ns] += 1
    return counts
