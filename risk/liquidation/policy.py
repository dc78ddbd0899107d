"""Close policies: which position a liquidation reduces next, and by how much.

Pure functions from the account's facts to a position and its lots; each policy is one file in
``risk/liquidation/policies``.
"""

from typing import Final

from engine.instruments import Instrument
from engine.internal import AccountFacts, PositionFacts
from engine.native import mypyc_attr
from engine.units import apply_rate_up
from risk.margin.model import MarginModel
from risk.registry import Mechanism, Registry
from risk.requirement import SUM_OF_POSITIONS, Requirement
from risk.rulebook import Rulebook


class MarginedContract:
    """An instrument with its margin model, as the liquidation engine knows it; `requirement` is
    what the accounts that hold it must have."""

    __slots__ = ("instrument", "model", "requirement", "symbol")

    def __init__(self, instrument: Instrument, model: MarginModel, symbol: str = "") -> None:
        self.instrument = instrument
        self.model = model
        self.symbol = symbol
        self.requirement: Requirement = SUM_OF_POSITIONS


class Candidate:
    """The position to reduce, with what decides by how much: its contract, its account, the rules,
    and the equity the account is to reach, in parts per billion of maintenance."""

    __slots__ = ("account", "contract", "position", "rulebook", "target_ppb")

    def __init__(
        self,
        position: PositionFacts,
        contract: MarginedContract,
        account: AccountFacts,
        rulebook: Rulebook,
        target_ppb: int,
    ) -> None:
        self.position = position
        self.contract = contract
        self.account = account
        self.rulebook = rulebook
        self.target_ppb = target_ppb


@mypyc_attr(allow_interpreted_subclasses=True)
class ClosePolicy(Mechanism):
    """A close policy by name. ``needs_tiers``: it works with tiered margin models only. ``paced``:
    the rulebook's cooldown holds between two steps that close a part of a position."""

    __slots__ = ("needs_tiers", "paced")

    def __init__(
        self, name: str, needs_tiers: bool = False, paced: bool = False, words: str = ""
    ) -> None:
        super().__init__(name, words=words)
        self.needs_tiers: Final[bool] = needs_tiers
        self.paced: Final[bool] = paced

    def position(self, account: AccountFacts) -> PositionFacts:
        """Which position is reduced: the one that frees the most margin."""
        return largest_requirement(account.positions)

    def lots(self, candidate: Candidate) -> int:
        """How many lots of it are closed now, at least one."""
        raise NotImplementedError


CLOSE_POLICIES: Final[Registry[ClosePolicy]] = Registry(
    "liquidation.partial", "risk.liquidation.policies"
)


def notional_q(contract: MarginedContract, position: PositionFacts) -> int:
    """Value of a position at its mark."""
    return contract.instrument.notional_q(position.qty_lots, position.mark_ticks)


def largest_requirement(positions: list[PositionFacts]) -> PositionFacts:
    """The position with the highest maintenance; of equal ones the lowest id."""
    if len(positions) == 1:
        return positions[0]
    return min(positions, key=lambda p: (-p.maintenance_q, p.instrument_id, p.leg))


def fraction_lots(position: PositionFacts, fraction_ppb: int) -> int:
    """The given fraction of the position, rounded up, at least one lot."""
    return min(abs(position.qty_lots), apply_rate_up(abs(position.qty_lots), fraction_ppb))
