"""The hash of an exchange's state: of everything that decides what it does next.

Where a state grows with the work (traders with their margin accounts, price levels, positions that
the books know) it goes into the hash as hashes of its parts. An exchange keeps those and renews
the ones that changed; `exchange_hash` makes them from nothing, and the two agree.
"""

from collections.abc import Sequence
from typing import Any

from engine.record.hashing import state_hash
from matching.condensed import condense_books
from matching.matching_engine import MatchingEngine
from risk.liquidation.engine import LiquidationEngine
from risk.risk_engine import RiskEngine
from risk.state import condense_risk, condensed_risk, recounted_risk


def exchange_hash(state: Sequence[Any]) -> str:
    """The hash of the states of risk, matching and liquidation, from nothing."""
    risk, matching, liquidation = state
    return state_hash([condense_risk(risk), condense_books(matching), liquidation])


def condensed_hash(
    risk: RiskEngine, matching: MatchingEngine, liquidation: LiquidationEngine
) -> str:
    """`exchange_hash` of three components as they are, from what they keep."""
    return state_hash([condensed_risk(risk), matching.condensed(), liquidation.state()])


def recounted_hash(
    risk: RiskEngine, matching: MatchingEngine, liquidation: LiquidationEngine
) -> str:
    """The same with nothing taken from what they keep."""
    books = condense_books(matching.state())
    return state_hash([recounted_risk(risk), books, liquidation.state()])
