"""Who lost what: what liquidations took, the deficits they left, and the calls before them."""

from collections import Counter
from typing import Final

from engine.events import (
    BadDebtBooked,
    Event,
    FundChanged,
    LiquidationEnded,
    LiquidationStage,
    LiquidationStarted,
    LossSocialised,
    MarginCallEnded,
    MarginCallIssued,
)
from seawall.terminal.watch_tape import COST_PARTS

BEGUN: Final[str] = "begun"
"""The stage of a liquidation that entered none yet."""

BY_FUND: Final[str] = "paid by the fund"
BY_WINNERS: Final[str] = "socialised"


class Losses:
    """Counts since it was begun.

    `taken_q` is what ended liquidations took from their accounts, by asset and part (negative where
    a deficit was passed on); `deficits_q` what was missing, by asset and the stage it was
    recognised at, and `borne_q` what the insurance fund paid and what winners gave for it.
    `running` has the stage of each liquidation under way, `stages` how often each
    was entered, `calls` the open calls by margin account.
    """

    def __init__(self) -> None:
        self.taken_q: dict[int, Counter[str]] = {}
        self.deficits_q: dict[int, Counter[str]] = {}
        self.borne_q: dict[int, Counter[str]] = {}
        self.running: dict[int, str] = {}
        self.stages: Counter[str] = Counter()
        self.calls: dict[int, MarginCallIssued] = {}

    def apply(self, event: Event) -> None:
        """Take in an event."""
        match event:
            case MarginCallIssued():
                self.calls[event.margin_account_id] = event
            case MarginCallEnded():
                self.calls.pop(event.margin_account_id, None)
            case LiquidationStarted():
                self.running[event.liquidation_id] = BEGUN
            case LiquidationStage():
                self.running[event.liquidation_id] = event.stage
                self.stages[event.stage] += 1
            case LiquidationEnded():
                self.running.pop(event.liquidation_id, None)
                taken = self.taken_q.setdefault(event.asset_id, Counter())
                for name, field in COST_PARTS:
                    taken[name] -= getattr(event, field)
            case FundChanged(cause="deficit"):
                self._bear(event.asset_id, BY_FUND, -event.amount_q)
            case LossSocialised():
                self._bear(event.asset_id, BY_WINNERS, event.amount_q)
            case BadDebtBooked():
                deficits = self.deficits_q.setdefault(event.asset_id, Counter())
                deficits[event.stage] += event.amount_q

    def _bear(self, asset_id: int, who: str, amount_q: int) -> None:
        self.borne_q.setdefault(asset_id, Counter())[who] += amount_q
