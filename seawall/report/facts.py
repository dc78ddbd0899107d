"""Facts a report states, taken from the table of events.

Money stays in integer quanta here, so sums are exact.
"""

from collections import Counter
from itertools import compress, repeat
from typing import Final

import msgspec
import polars as pl

from engine.events import CALL_CURED, CURES
from seawall.records.event_fields import event_columns

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
    "CollateralPriceChanged",
)
"""The event types a report reads."""

FORCED: Final[pl.Expr] = pl.col("detail").str.contains(r'"liquidation"\s*:\s*true').fill_null(False)
"""Whether a trade or fill is one of a liquidation order."""

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


_ISSUED: Final[int] = 0
_CURED: Final[int] = 1
_LIQUIDATED: Final[int] = 2
_NO_CALL: Final[int] = -1


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

    ``open_ns`` lists per outcome (`outcome_of`) the time from call to end; ``response_ns`` the time
    from the last uncured call of an account to the start of its liquidation; ``still_open`` calls
    had no end.
    """

    issued: int
    open_ns: dict[str, list[int]]
    response_ns: list[int]
    still_open: int


def outcome_of(outcome: str, cured_by: str) -> str:
    """How a call ended, with what cured it: ``cured by deposit``."""
    return f"{outcome} by {cured_by}" if cured_by else outcome


CURED_OUTCOMES: Final[tuple[str, ...]] = tuple(outcome_of(CALL_CURED, by) for by in CURES)
"""All that `outcome_of` calls a cured call."""


def fund_series(events: pl.DataFrame) -> pl.DataFrame:
    """The insurance fund's wallet after each change, per asset.

    A wallet that was not empty before the first change also gets a row for what it held then.
    """
    changes = event_columns(events, "FundChanged", "time_ns", "asset_id", "amount_q", "wallet_q")
    amounts_q = changes.pop("amount_q")
    times_ns, assets, wallets_q = changes.values()
    # From the last to the first, so that a row put in moves none that is still to be looked at.
    for place in sorted(map(assets.index, set(assets)), reverse=True):
        before_q = wallets_q[place] - amounts_q[place]
        if before_q:
            times_ns.insert(place, times_ns[place])
            assets.insert(place, assets[place])
            wallets_q.insert(place, before_q)
    schema = {"time_ns": pl.Int64, "asset_id": pl.Int64, "wallet_q": pl.Int128}
    return pl.DataFrame(changes, schema=schema)


def loss_parts(events: pl.DataFrame) -> list[LossParts]:
    """The attribution of losses per settlement asset, in the order assets first appear."""
    names = ("equity_before_q", "equity_after_q", *LOSS_FIELDS)
    columns = event_columns(events, "LiquidationEnded", "asset_id", *names)
    result = []
    for asset_id in dict.fromkeys(columns["asset_id"]):
        chosen = [asset == asset_id for asset in columns["asset_id"]]
        before_q, after_q, *parts = (sum(compress(columns[name], chosen)) for name in names)
        by_name = dict(zip(LOSS_FIELDS, parts, strict=True))
        result.append(LossParts(asset_id, sum(chosen), before_q, after_q, by_name))
    return result


def call_facts(events: pl.DataFrame) -> CallFacts:
    """Calls, how they ended, and the response window of those who were liquidated.

    A call counts once: when an account is liquidated twice after one call, the first time.
    """
    where = ("seq", "time_ns", "account_id")
    issues = event_columns(events, "MarginCallIssued", *where, "call_id")
    ends = event_columns(
        events, "MarginCallEnded", *where, "call_id", "outcome", "cured_by", "open_ns"
    )
    starts = event_columns(events, "LiquidationStarted", *where)
    open_ns: dict[str, list[int]] = {}
    outcomes = map(outcome_of, ends["outcome"], ends["cured_by"])
    for outcome, lasted_ns in zip(outcomes, ends["open_ns"], strict=True):
        open_ns.setdefault(outcome, []).append(lasted_ns)
    cured = [outcome == CALL_CURED for outcome in ends["outcome"]]
    cures = [compress(ends[name], cured) for name in (*where, "call_id")]
    story = list(zip(*issues.values(), repeat(_ISSUED)))
    story += zip(*cures, repeat(_CURED))
    story += zip(*starts.values(), repeat(_NO_CALL), repeat(_LIQUIDATED))
    story.sort()
    issued: dict[tuple[int, int], int] = {}
    latest: dict[int, int] = {}
    response_ns: list[int] = []
    for _, time_ns, account_id, call_id, what in story:
        if what == _ISSUED:
            latest[account_id] = call_id
            issued[account_id, call_id] = time_ns
        elif what == _LIQUIDATED:
            if account_id in latest:
                response_ns.append(time_ns - issued[account_id, latest.pop(account_id)])
        elif latest.get(account_id) == call_id:
            del latest[account_id]
    return CallFacts(len(issued), open_ns, response_ns, len(issued) - len(ends["seq"]))


def liquidation_trades(events: pl.DataFrame) -> pl.DataFrame:
    """Public trades that a liquidation order took part in."""
    return events.filter((pl.col("type") == "Trade") & FORCED)


def liquidation_fills(events: pl.DataFrame) -> pl.DataFrame:
    """The same trades as seen by the accounts in liquidation, one row per fill."""
    return events.filter((pl.col("type") == "OrderFilled") & FORCED)


def counts_by_group(
    events: pl.DataFrame, event_type: str, bucket_ns: int, group: str | None = None
) -> dict[str, Counter[int]]:
    """How many events per time bucket (its start, rounded down), split by a text field.

    ``group`` ``outcome`` of a liquidation that left a position standing gets ``(partial)``, that of
    a call is `outcome_of`.
    """
    fields = ["time_ns"] if group is None else ["time_ns", group]
    by_size = group == "outcome" and event_type == "LiquidationEnded"
    by_cure = group == "outcome" and event_type == "MarginCallEnded"
    fields += ["partial"] * by_size + ["cured_by"] * by_cure
    columns = event_columns(events, event_type, *fields)
    starts = [time_ns // bucket_ns * bucket_ns for time_ns in columns["time_ns"]]
    if group is None:
        return {event_type: Counter(starts)} if starts else {}
    names = list(map(str, columns[group]))
    if by_size:
        partly = columns["partial"]
        names = [f"{name} (partial)" if p else name for name, p in zip(names, partly, strict=True)]
    if by_cure:
        names = list(map(outcome_of, names, columns["cured_by"]))
    counts: dict[str, Counter[int]] = {}
    for (name, start_ns), count in Counter(zip(names, starts, strict=True)).items():
        counts.setdefault(name, Counter())[start_ns] = count
    return counts
