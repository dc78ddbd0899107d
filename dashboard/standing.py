"""How accounts stood in a finished run, as far as its events tell: when their level changed."""

from typing import Any

from msgspec.structs import replace

from engine.events import (
    AccountRisk,
    Event,
    LiquidationEnded,
    LiquidationStage,
    LiquidationStarted,
    MarginCallEnded,
    MarginCallIssued,
    MarginLevelChanged,
    RiskReport,
)
from engine.units import MAX_WIRE, PPB
from risk.accounts import pot_of
from seawall.terminal.watch_units import Units


class Standing:
    """Rows of the accounts that are in a level, called or in liquidation. What only risk knows (the
    position, its liquidation price) is not in the events and left out."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self._rows: dict[int, AccountRisk] = {}

    def apply(self, event: Event) -> None:
        """Take in an event."""
        match event:
            case MarginLevelChanged():
                changed = {
                    "level": event.level,
                    "level_name": event.level_name,
                    **_figures(event.equity_q, event.maintenance_q),
                }
                self._change(event.margin_account_id, changed)
            case MarginCallIssued():
                changed = {
                    "call_id": event.call_id,
                    "call_amount_q": event.amount_q,
                    "deadline_ns": event.deadline_ns,
                }
                self._change(event.margin_account_id, changed)
            case MarginCallEnded():
                self._change(event.margin_account_id, {"call_id": 0})
            case LiquidationStarted():
                changed = {
                    "liquidation_id": event.liquidation_id,
                    **_figures(event.equity_q, event.maintenance_q),
                }
                self._change(event.margin_account_id, changed)
            case LiquidationStage():
                changed = {
                    "stage": event.stage,
                    **_figures(event.equity_q, event.maintenance_q),
                }
                self._change(event.margin_account_id, changed)
            case LiquidationEnded():
                self._change(event.margin_account_id, {"liquidation_id": 0, "stage": ""})
                if not event.partial:
                    self._rows.pop(event.margin_account_id, None)

    def report(self, time_ns: int) -> RiskReport:
        """The rows as an answer to a question about everybody."""
        return RiskReport(time_ns, [], len(self._rows), list(self._rows.values()))

    def _change(self, margin_account_id: int, changed: dict[str, Any]) -> None:
        row = self._rows.get(margin_account_id) or self._new(margin_account_id)
        row = replace(row, **changed)
        if row.level or row.call_id or row.liquidation_id:
            self._rows[margin_account_id] = row
        else:
            self._rows.pop(margin_account_id, None)

    def _new(self, margin_account_id: int) -> AccountRisk:
        _, instrument_id = pot_of(margin_account_id)
        return AccountRisk(
            margin_account_id=margin_account_id,
            asset_id=self._units.asset_of_account(margin_account_id),
            isolated=instrument_id >= 0,
            equity_q=0,
            maintenance_q=0,
            ratio_ppb=MAX_WIRE,
            level=0,
            level_name="",
            instrument_id=-1,
            qty_lots=0,
            liquidation_ticks=-1,
            distance_ppb=-1,
            call_id=0,
            call_amount_q=0,
            deadline_ns=-1,
            liquidation_id=0,
            stage="",
        )


def _figures(equity_q: int, maintenance_q: int) -> dict[str, int]:
    """Equity, maintenance and their ratio, rounded down."""
    ratio_ppb = equity_q * PPB // maintenance_q if maintenance_q else MAX_WIRE
    return {"equity_q": equity_q, "maintenance_q": maintenance_q, "ratio_ppb": ratio_ppb}
