"""The model of `seawall watch`, built from reports and events; no socket, clock or screen in here.

How an account stands is never worked out here: an event only says whose figures have to be asked
for anew (`ask_about`), and the answer, a `RiskReport`, replaces what was known.
"""

from collections import Counter, deque
from typing import Final

import msgspec

from engine.commands import MAX_ROWS
from engine.events import (
    AccountRisk,
    BadDebtBooked,
    CollateralExchanged,
    Deleveraged,
    Event,
    FundChanged,
    FundingSettled,
    HouseInsolvent,
    InstrumentReport,
    LiquidationEnded,
    LiquidationStage,
    LiquidationStarted,
    LossSocialised,
    MarginCallEnded,
    MarginCallIssued,
    MarginLevelChanged,
    MarketReport,
    MarkUpdated,
    RiskReport,
    SystemChanged,
    TakenOver,
    Trade,
)
from risk.accounts import owner_of

TAPE_LENGTH: Final[int] = 1_000
TRADES_KEPT: Final[int] = 100


class Notice(msgspec.Struct, frozen=True):
    """A line of the tape that is no event: what the watch itself has to say."""

    time_ns: int
    text: str


TapeEvent = (
    MarginCallIssued
    | MarginCallEnded
    | LiquidationStarted
    | LiquidationStage
    | LiquidationEnded
    | TakenOver
    | Deleveraged
    | LossSocialised
    | BadDebtBooked
    | CollateralExchanged
    | FundChanged
    | HouseInsolvent
)
"""What the liquidation tape shows."""

_CONCERNS: Final = (
    MarginLevelChanged,
    MarginCallIssued,
    MarginCallEnded,
    LiquidationStarted,
    LiquidationStage,
    LiquidationEnded,
)
"""Events after which an account stands differently."""


class WatchModel:
    """The market, the accounts nearest to liquidation and the tape.

    `time_ns` is the exchange's time as last heard. `counts` are totals since the watch began, by
    name of the event or outcome of a call; `bad_debt_q` is what was booked since then, by asset.
    `market_changed` asks for a new `MarketReport`; the asker clears it.
    """

    def __init__(self) -> None:
        self.time_ns = 0
        self.market: MarketReport | None = None
        self.market_changed = False
        self.instruments: dict[int, InstrumentReport] = {}
        self.funds_q: dict[int, int] = {}
        self.trades: dict[int, deque[Trade]] = {}
        self.tape: deque[TapeEvent | Notice] = deque(maxlen=TAPE_LENGTH)
        self.counts: Counter[str] = Counter()
        self.bad_debt_q: Counter[int] = Counter()
        self.accounts_at_risk = 0
        self._rows: dict[int, AccountRisk] = {}
        self._concerned: dict[int, None] = {}

    # in

    def apply(self, event: Event) -> None:
        """Take in an event or an answer."""
        self.time_ns = max(self.time_ns, event.time_ns)
        if isinstance(event, Trade):
            trades = self.trades.setdefault(event.instrument_id, deque(maxlen=TRADES_KEPT))
            trades.append(event)
        elif isinstance(event, MarkUpdated):
            self._take_mark(event)
        elif isinstance(event, MarketReport):
            self._take_market(event)
        elif isinstance(event, RiskReport):
            self._take_figures(event)
        elif isinstance(event, SystemChanged | FundingSettled):
            self.market_changed = True
        if isinstance(event, TapeEvent):
            self._record(event)
        if isinstance(event, _CONCERNS):
            self._concerned[owner_of(event.margin_account_id)] = None

    def note(self, text: str) -> None:
        """Put a line of the watch's own on the tape."""
        self.tape.append(Notice(self.time_ns, text))

    def _take_mark(self, event: MarkUpdated) -> None:
        known = self.instruments.get(event.instrument_id)
        if known is not None:
            self.instruments[event.instrument_id] = msgspec.structs.replace(
                known,
                mark_ticks=event.mark_ticks,
                index_ticks=event.index_ticks,
                last_ticks=event.last_ticks,
                open_interest_lots=event.open_interest_lots,
            )

    def _take_market(self, report: MarketReport) -> None:
        self.market = report
        self.instruments = {row.spec.instrument_id: row for row in report.instruments}
        self.funds_q = {row.spec.asset_id: row.fund_q for row in report.assets}

    def _take_figures(self, report: RiskReport) -> None:
        if not report.account_ids:
            self._rows.clear()
            self.accounts_at_risk = report.accounts
        asked = dict.fromkeys(report.account_ids)
        for key in [key for key in self._rows if owner_of(key) in asked]:
            del self._rows[key]
        self._rows.update((row.margin_account_id, row) for row in report.rows)
        if len(self._rows) > MAX_ROWS:
            self._rows = {row.margin_account_id: row for row in self.nearest(MAX_ROWS)}
        self.accounts_at_risk = max(self.accounts_at_risk, len(self._rows))

    def _record(self, event: TapeEvent) -> None:
        self.tape.append(event)
        name = event.outcome if isinstance(event, MarginCallEnded) else type(event).__name__
        self.counts[name] += 1
        if isinstance(event, FundChanged):
            self.funds_q[event.asset_id] = event.wallet_q
        elif isinstance(event, BadDebtBooked):
            self.bad_debt_q[event.asset_id] += event.amount_q

    # out

    @property
    def has_news(self) -> bool:
        """Whether an event has named accounts that were not asked about yet."""
        return bool(self._concerned)

    def nearest(self, count: int) -> list[AccountRisk]:
        """The accounts nearest to liquidation, in risk's order: in liquidation, then by ratio."""
        rows = self._rows.values()
        return sorted(rows, key=_nearness)[:count]

    def ask_about(self, count: int) -> list[int]:
        """Traders whose figures to ask for now: those an event named, and the ``count`` nearest.

        More of the former than a query may name wait for the next time.
        """
        named = list(self._concerned)[: MAX_ROWS // 2]
        for account_id in named:
            del self._concerned[account_id]
        shown = [owner_of(row.margin_account_id) for row in self.nearest(count)]
        return list(dict.fromkeys([*named, *shown]))[:MAX_ROWS]


def _nearness(row: AccountRisk) -> tuple[bool, int, int]:
    return not row.liquidation_id, row.ratio_ppb, row.margin_account_id
