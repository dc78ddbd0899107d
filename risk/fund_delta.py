"""Fund deltas: what the insurance fund gets of a fill of a liquidation order.

Each is one file in ``risk/liquidation/fund_deltas``.
"""

from typing import TYPE_CHECKING, Final

from engine.native import mypyc_attr
from risk.health import evaluate
from risk.registry import Mechanism, Registry

if TYPE_CHECKING:
    from risk.accounts import Position


@mypyc_attr(allow_interpreted_subclasses=True)
class FundDelta(Mechanism):
    """A delta by name. ``by_gain``: it asks what the fill brought beyond bankruptcy;
    ``restores``: it leaves the account something, so that closing a part lifts its ratio."""

    __slots__ = ("by_gain", "restores")

    def __init__(
        self, name: str, *, by_gain: bool = False, restores: bool = True, words: str = ""
    ) -> None:
        super().__init__(name, words=words)
        self.by_gain: Final[bool] = by_gain
        self.restores: Final[bool] = restores

    def amount_q(self, fee_q: int, gain_q: int) -> int:
        """What the fund gets, if the account's equity reaches so far.

        ``fee_q`` is the liquidation fee of the fill; ``gain_q`` what the fill brought beyond the
        value at bankruptcy of what it closed (0 unless ``by_gain``).
        """
        raise NotImplementedError


FUND_DELTAS: Final[Registry[FundDelta]] = Registry(
    "liquidation.fund_delta", "risk.liquidation.fund_deltas"
)


class BeforeFill:
    """How an account stands before a fill, to tell afterwards what the fill brought."""

    __slots__ = ("_equity_q", "_maintenance_q", "_share_q")

    def __init__(self, position: "Position") -> None:
        account = position.account
        evaluate(account)
        self._equity_q: int = account.equity_q
        self._maintenance_q: int = account.maintenance_q
        self._share_q: int = account.requirement.share_q(position)

    def gain_q(self, position: "Position") -> int:
        """What the fill brought beyond the value at bankruptcy of what it closed: its result
        against the mark, and the part of the equity that what it closed answered for, by
        maintenance (rounded up).

        Source: dYdX v4-chain, ``GetLiquidationInsuranceFundDelta``.
        """
        account = position.account
        left_q = account.requirement.share_q(position) if position.qty_lots else 0
        evaluate(account)
        result_q = account.equity_q - self._equity_q
        if not self._maintenance_q:
            return account.equity_q
        released_q = self._share_q - left_q
        return result_q - (-self._equity_q * released_q // self._maintenance_q)
