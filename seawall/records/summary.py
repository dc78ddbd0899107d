"""The figures of a run, counted from its events.

Definitions: ``liquidations.accounts`` counts margin accounts that were ever liquidated; ``partial``
and ``full`` count finished liquidations by whether a position survived. ``insurance_fund.paid`` is
what the fund gave: deficits it paid in cash and the loss against the mark of what it took over.
``bad_debt`` is every deficit recognised, at whatever stage; ``socialised`` the part charged to
winners. ``house_accounts`` are those of `seawall.records.house_accounts`, ``results`` the rows of
`seawall.records.results`. ``collateral_exchanged`` is what the house took of each asset for debts
in another one. Money is by asset symbol, as decimal strings.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from engine.events import (
    CALL_OUTCOMES,
    CURES,
    BadDebtBooked,
    CollateralExchanged,
    Deleveraged,
    Event,
    FundChanged,
    LiquidationEnded,
    LiquidationStarted,
    LossSocialised,
    MarginCallEnded,
    MarginCallIssued,
    TakenOver,
    Trade,
)
from engine.instruments import AssetSpec, InstrumentSpec
from engine.units import from_grid
from risk.accounts import FUND
from seawall.records.house_accounts import END, START, Lines
from seawall.records.results import Result

Money = dict[int, int]
"""Quanta by asset id."""

_COUNTS: Final[tuple[str, ...]] = (
    "events",
    "trades",
    "calls_issued",
    "partial",
    "full",
    "takeovers",
    "adl_fills",
)
_TABLES: Final[tuple[str, ...]] = (
    "calls_ended",
    "calls_cured",
    "liquidated",
    "fund_paid_q",
    "adl_notional_q",
    "bad_debt_q",
    "socialised_q",
    "exchanged_q",
)
"""What `SummaryCollector` counts, as numbers and by a key."""


class SummaryCollector:
    """A listener that counts; `summary` answers the figures."""

    def __init__(self, assets: Sequence[AssetSpec], instruments: Sequence[InstrumentSpec]) -> None:
        self._assets = {asset.asset_id: asset for asset in assets}
        self._asset_of = {spec.instrument_id: spec.settle_asset_id for spec in instruments}
        self.events = 0
        self.trades = 0
        self.calls_issued = 0
        self.calls_ended: dict[str, int] = dict.fromkeys(CALL_OUTCOMES, 0)
        self.calls_cured: dict[str, int] = dict.fromkeys(CURES, 0)
        self.liquidated: dict[int, int] = {}
        self.partial = 0
        self.full = 0
        self.takeovers = 0
        self.fund_paid_q = self._nothing()
        self.adl_fills = 0
        self.adl_notional_q = self._nothing()
        self.bad_debt_q = self._nothing()
        self.socialised_q = self._nothing()
        self.exchanged_q = self._nothing()
        self._routes: dict[type, Callable[[Any], None]] = {
            Trade: self._trade,
            MarginCallIssued: self._call_issued,
            MarginCallEnded: self._call_ended,
            LiquidationStarted: self._liquidation_started,
            LiquidationEnded: self._liquidation_ended,
            TakenOver: self._taken_over,
            FundChanged: self._fund_changed,
            Deleveraged: self._deleveraged,
            BadDebtBooked: self._bad_debt,
            LossSocialised: self._socialised,
            CollateralExchanged: self._exchanged,
        }

    def state(self) -> list[Any]:
        """The counts so far."""
        counts = (getattr(self, name) for name in _COUNTS)
        tables = (list(getattr(self, name).items()) for name in _TABLES)
        return [list(counts), list(tables)]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        counts, tables = state
        for name, count in zip(_COUNTS, counts, strict=True):
            setattr(self, name, count)
        for name, items in zip(_TABLES, tables, strict=True):
            setattr(self, name, dict(items))

    def _nothing(self) -> Money:
        return dict.fromkeys(self._assets, 0)

    def __call__(self, event: Event) -> None:
        """Count one event."""
        self.events += 1
        route = self._routes.get(type(event))
        if route is not None:
            route(event)

    def _trade(self, event: Trade) -> None:
        self.trades += 1

    def _call_issued(self, event: MarginCallIssued) -> None:
        self.calls_issued += 1

    def _call_ended(self, event: MarginCallEnded) -> None:
        self.calls_ended[event.outcome] += 1
        if event.cured_by:
            self.calls_cured[event.cured_by] += 1

    def _liquidation_started(self, event: LiquidationStarted) -> None:
        self.liquidated[event.margin_account_id] = 1

    def _liquidation_ended(self, event: LiquidationEnded) -> None:
        if event.partial:
            self.partial += 1
        else:
            self.full += 1

    def _taken_over(self, event: TakenOver) -> None:
        self.takeovers += 1
        if event.taker_account_id == FUND and event.gain_q < 0:
            self.fund_paid_q[self._asset_of[event.instrument_id]] -= event.gain_q

    def _fund_changed(self, event: FundChanged) -> None:
        if event.cause == "deficit" and event.amount_q < 0:
            self.fund_paid_q[event.asset_id] -= event.amount_q

    def _deleveraged(self, event: Deleveraged) -> None:
        self.adl_fills += 1
        self.adl_notional_q[self._asset_of[event.instrument_id]] += abs(event.value_q)

    def _bad_debt(self, event: BadDebtBooked) -> None:
        self.bad_debt_q[event.asset_id] += event.amount_q

    def _socialised(self, event: LossSocialised) -> None:
        self.socialised_q[event.asset_id] += event.amount_q

    def _exchanged(self, event: CollateralExchanged) -> None:
        self.exchanged_q[event.asset_id] += event.amount_q

    def amount(self, asset_id: int, amount_q: int) -> str:
        """Quanta of an asset as a decimal string."""
        return from_grid(amount_q, Decimal(1).scaleb(-self._assets[asset_id].decimals))

    def money(self, amounts_q: Mapping[int, int]) -> dict[str, str]:
        """Amounts in quanta by asset id as decimal strings by symbol."""
        return {
            self._assets[asset_id].symbol: self.amount(asset_id, amount_q)
            for asset_id, amount_q in amounts_q.items()
        }

    def _accounts(self, accounts: Mapping[int, Lines]) -> dict[str, dict[str, str]]:
        """A house's accounts by asset id as decimal strings by symbol and line."""
        return {
            self._assets[asset_id].symbol: {
                line: self.amount(asset_id, amount_q) for line, amount_q in lines.items()
            }
            for asset_id, lines in accounts.items()
        }

    def _result(self, row: Result) -> dict[str, Any]:
        amounts_q = {
            "paid_in": row.paid_in_q,
            "liquidated": row.liquidated_q,
            "deleveraged": row.deleveraged_q,
            "other": row.other_q,
            "result": row.result_q,
        }
        return {
            "asset": self._assets[row.asset_id].symbol,
            "kind": row.kind,
            "name": row.name,
            "accounts": row.accounts,
            "accounts_liquidated": row.accounts_liquidated,
            "accounts_deleveraged": row.accounts_deleveraged,
            **{name: self.amount(row.asset_id, value_q) for name, value_q in amounts_q.items()},
        }

    def summary(
        self,
        *,
        state_hash: str,
        commands: int,
        accounts: int,
        fund: Mapping[int, Lines],
        backstop: Mapping[int, Lines],
        results: Sequence[Result],
        residue_q: Mapping[int, int],
        wall_seconds: float,
    ) -> dict[str, Any]:
        """The summary's figures; accounts of fund and backstop and conservation residue (0 in every
        asset if no quantum was lost) by asset id."""
        return {
            "state_hash": state_hash,
            "commands": commands,
            "events": self.events,
            "trades": self.trades,
            "accounts": accounts,
            "margin_calls": {
                "issued": self.calls_issued,
                **self.calls_ended,
                "cured_by": dict(self.calls_cured),
            },
            "liquidations": {
                "accounts": len(self.liquidated),
                "partial": self.partial,
                "full": self.full,
                "takeovers": self.takeovers,
            },
            "insurance_fund": {
                "start": self.money({key: lines[START] for key, lines in fund.items()}),
                "end": self.money({key: lines[END] for key, lines in fund.items()}),
                "paid": self.money(self.fund_paid_q),
            },
            "house_accounts": {
                "insurance_fund": self._accounts(fund),
                "backstop": self._accounts(backstop),
            },
            "results": [self._result(row) for row in results],
            "adl": {"fills": self.adl_fills, "notional": self.money(self.adl_notional_q)},
            "bad_debt": self.money(self.bad_debt_q),
            "socialised": self.money(self.socialised_q),
            "collateral_exchanged": self.money(self.exchanged_q),
            "conservation_residue": self.money(residue_q),
            "wall_seconds": round(wall_seconds, 3),
            "commands_per_second": round(commands / wall_seconds) if wall_seconds > 0 else 0,
        }
