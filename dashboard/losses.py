"""Who lost what: what liquidations took, the deficits they left, and the calls before them."""

from collections import Counter

from engine.events import (
    BadDebtBooked,
    Event,
    LiquidationEnded,
    LiquidationStage,
    LiquidationStarted,
    MarginCallEnded,
    MarginCallIssued,
)
from seawall.terminal.watch_tape import COST_PARTS

BEGUN = "begun"
"""The stage of a liquidation that entered none yet."""


class Losses:
    """Counts since it was begun.

    `taken_q` is what ended liquidations took from their accounts, by asset and part (negative where
    a deficit was passed on); `deficits_q` what was missing, by asset and the stage it was
    recognised at. `running` has the stage of each liquidation under way, `stages` how often each
    was entered, `calls` the open calls by margin account.
    """

    def __init__(self) -> None:
        self.taken_q: dict[int, Counter[str]] = {}
        self.deficits_q: dict[int, Counter[str]] = {}
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
            case BadDebtBooked():
                deficits = self.deficits_q.setdefault(event.asset_id, Counter())
                deficits[event.stage] += event.amount_q
