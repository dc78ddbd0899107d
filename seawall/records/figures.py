"""The figures of a run that studies go by, collected while it runs: one flat row of numbers.

Names without a suffix are those of the first contract and of the asset it settles in; those of
others end in ``.SYMBOL``. Money is in whole units of its asset, as floats: exact figures are those
of ``summary.json``.

| figure | meaning |
| --- | --- |
| ``low``, ``high``, ``basis_*``, volumes, ``adl_*`` | `seawall.records.price_figures` |
| ``calls``, ``calls_cured``, ``calls_expired``, ``calls_overtaken`` | margin calls by outcome |
| ``called_before`` | share of liquidated accounts that had been called before |
| ``response_s`` | median time from a call that was not cured to the account's liquidation |
| ``liquidated`` | accounts ever liquidated; ``closed``, ``partial`` liquidations by their end |
| ``bad_debt`` | every deficit recognised, at whatever stage; ``socialised`` the part of winners |
| ``cover_1``, ``cover_2`` | deficits of the one and the two accounts with the largest |
| ``fund_start``, ``fund_low`` | the insurance fund's wallet as the window begins, and its least |
| ``fund_end`` | what the fund has at the end, with its positions at their marks |
| ``accounts``, ``entered`` | traders there are, and those that ever held a position |
| ``profit_NAME`` | result of a group, of all agents of a table, or of a house account |
"""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from engine.events import (
    CALL_CURED,
    CALL_OUTCOMES,
    BadDebtBooked,
    Deleveraged,
    Event,
    FundChanged,
    LiquidationEnded,
    LiquidationStarted,
    LossSocialised,
    MarginCallEnded,
    MarginCallIssued,
    MarkUpdated,
    TakenOver,
    Trade,
)
from engine.units import SECOND_NS
from risk.accounts import FUND
from risk.health import evaluate
from seawall.exchange import Exchange
from seawall.records.owner import Owner
from seawall.records.price_figures import PriceFigures
from seawall.records.results import RESULT_EVENTS, TOTAL, ResultCollector
from seawall.scenario import Scenario


class _Money:
    """Sums of one asset, in quanta; the fund's figures begin with the window."""

    def __init__(self) -> None:
        self.deficits_q: dict[int, int] = {}
        self.socialised_q = 0
        self.fund_low_q = self.fund_start_q = 0


class FigureCollector:
    """A listener from the first command on; `row` answers when the run has ended. A deep copy goes
    on by itself."""

    def __init__(self, scenario: Scenario) -> None:
        self._start_ns = scenario.time.start_ns
        self._symbols = {spec.instrument_id: spec.symbol for spec in scenario.instruments.values()}
        self._assets = {asset.asset_id: asset for asset in scenario.assets.values()}
        specs = list(scenario.instruments.values())
        self._prices = {spec.instrument_id: PriceFigures(spec, self._start_ns) for spec in specs}
        self._settles = {spec.instrument_id: spec.settle_asset_id for spec in specs}
        self._money = {asset_id: _Money() for asset_id in self._assets}
        self._results = ResultCollector()
        self._calls = 0
        self._ended = dict.fromkeys(CALL_OUTCOMES, 0)
        self._called: set[int] = set()
        self._uncured_ns: dict[int, int] = {}
        self._windows_ns: list[int] = []
        self._liquidated: dict[int, bool] = {}
        self._closed = self._partial = 0
        self._routes: dict[type, Callable[[Any], None]] = {
            Trade: self._trade,
            MarkUpdated: self._mark,
            TakenOver: self._taken_over,
            Deleveraged: self._deleveraged,
            MarginCallIssued: self._issued,
            MarginCallEnded: self._call_ended,
            LiquidationStarted: self._started,
            LiquidationEnded: self._liquidation_ended,
            BadDebtBooked: self._debt,
            LossSocialised: self._socialised,
            FundChanged: self._fund,
        }

    def __call__(self, event: Event) -> None:
        """Count one event."""
        kind = type(event)
        route = self._routes.get(kind)
        if route is not None:
            route(event)
        if kind in RESULT_EVENTS:
            self._results(event)

    def _trade(self, event: Trade) -> None:
        self._prices[event.instrument_id].trade(event)

    def _mark(self, event: MarkUpdated) -> None:
        self._prices[event.instrument_id].mark(event)

    def _taken_over(self, event: TakenOver) -> None:
        self._prices[event.instrument_id].taken_over(event)

    def _deleveraged(self, event: Deleveraged) -> None:
        self._prices[event.instrument_id].deleveraged(event)

    def _issued(self, event: MarginCallIssued) -> None:
        self._calls += 1
        self._called.add(event.margin_account_id)
        self._uncured_ns[event.margin_account_id] = event.time_ns

    def _call_ended(self, event: MarginCallEnded) -> None:
        self._ended[event.outcome] += 1
        if event.outcome == CALL_CURED:
            self._uncured_ns.pop(event.margin_account_id, None)

    def _started(self, event: LiquidationStarted) -> None:
        called = event.margin_account_id in self._called
        self._liquidated.setdefault(event.margin_account_id, called)
        called_ns = self._uncured_ns.pop(event.margin_account_id, None)
        if called_ns is not None:
            self._windows_ns.append(event.time_ns - called_ns)

    def _liquidation_ended(self, event: LiquidationEnded) -> None:
        if event.partial:
            self._partial += 1
        else:
            self._closed += 1

    def _debt(self, event: BadDebtBooked) -> None:
        deficits_q = self._money[event.asset_id].deficits_q
        account_id = event.margin_account_id
        deficits_q[account_id] = deficits_q.get(account_id, 0) + event.amount_q

    def _socialised(self, event: LossSocialised) -> None:
        self._money[event.asset_id].socialised_q += event.amount_q

    def _fund(self, event: FundChanged) -> None:
        money = self._money[event.asset_id]
        if event.time_ns < self._start_ns:
            money.fund_start_q = money.fund_low_q = event.wallet_q
        money.fund_low_q = min(money.fund_low_q, event.wallet_q)

    def row(self, exchange: Exchange, owners: Sequence[Owner]) -> dict[str, Any]:
        """All figures, of a run that has ended; ``owners`` by account id from
        `risk.accounts.FIRST_TRADER` on."""
        row: dict[str, Any] = {
            "calls": self._calls,
            **{f"calls_{outcome}": count for outcome, count in self._ended.items()},
            "liquidated": len(self._liquidated),
            "called_before": sum(self._liquidated.values()) / max(1, len(self._liquidated)),
            "response_s": median(self._windows_ns) / SECOND_NS if self._windows_ns else None,
            "closed": self._closed,
            "partial": self._partial,
            "accounts": sum(1 for owner in owners if owner.kind == "group"),
            "entered": sum(1 for owner in owners if owner.kind == "group" and owner.entered),
        }
        first = next(iter(self._prices))
        for instrument_id, prices in self._prices.items():
            suffix = "" if instrument_id == first else f".{self._symbols[instrument_id]}"
            figures = prices.row(self._unit_q(self._settles[instrument_id]))
            row |= {f"{name}{suffix}": value for name, value in figures.items()}
        for asset_id in self._money:
            suffix = "" if asset_id == self._settles[first] else f".{self._assets[asset_id].symbol}"
            figures = self._of_asset(asset_id, exchange)
            row |= {f"{name}{suffix}": value for name, value in figures.items()}
        return row | self._profits(exchange, owners, self._settles[first])

    def _unit_q(self, asset_id: int) -> int:
        unit_q: int = 10 ** self._assets[asset_id].decimals
        return unit_q

    def _of_asset(self, asset_id: int, exchange: Exchange) -> dict[str, float]:
        fund = exchange.risk.core.ledger.house(FUND, asset_id)
        evaluate(fund)
        money, unit_q = self._money[asset_id], self._unit_q(asset_id)
        largest = sorted(money.deficits_q.values(), reverse=True)
        amounts_q = {
            "bad_debt": sum(largest),
            "cover_1": sum(largest[:1]),
            "cover_2": sum(largest[:2]),
            "socialised": money.socialised_q,
            "fund_start": money.fund_start_q,
            "fund_end": fund.equity_q,
            "fund_low": money.fund_low_q,
        }
        return {name: amount_q / unit_q for name, amount_q in amounts_q.items()}

    def _profits(
        self, exchange: Exchange, owners: Sequence[Owner], first_asset_id: int
    ) -> dict[str, float]:
        profits: dict[str, float] = {}
        for result in self._results.results(exchange, owners):
            if result.kind != TOTAL:
                asset_id = result.asset_id
                symbol = self._assets[asset_id].symbol
                suffix = "" if asset_id == first_asset_id else f".{symbol}"
                name = f"profit_{result.name.replace(' ', '_')}{suffix}"
                profits[name] = result.result_q / self._unit_q(asset_id)
        return profits
