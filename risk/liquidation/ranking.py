"""Rankings of auto-deleveraging: in which order counterparties are closed, or in which shares.

Pure functions over what each counterparty gains and risks; each ranking is one file in
``risk/liquidation/rankings``. The queue is the same one traders see as their rank.
"""

from typing import Final

from engine.native import mypyc_attr
from risk.liquidation.allocation import Claims
from risk.registry import Figure, Mechanism, Registry


class Standing:
    """A counterparty's position and account at the mark, in quanta.

    ``gain_q`` is unrealised profit (negative: loss), ``entry_value_q`` and ``notional_q`` have no
    sign; ``wallet_q``, ``equity_q`` and ``maintenance_q`` are the account's. The latter is 0
    unless the ranking ``uses_maintenance``. ``unit_q`` is a whole unit of the asset.
    """

    __slots__ = (
        "entry_value_q",
        "equity_q",
        "gain_q",
        "maintenance_q",
        "notional_q",
        "unit_q",
        "wallet_q",
    )

    def __init__(
        self,
        gain_q: int,
        entry_value_q: int,
        notional_q: int,
        wallet_q: int,
        equity_q: int,
        maintenance_q: int,
        unit_q: int,
    ) -> None:
        self.gain_q = gain_q
        self.entry_value_q = entry_value_q
        self.notional_q = notional_q
        self.wallet_q = wallet_q
        self.equity_q = equity_q
        self.maintenance_q = maintenance_q
        self.unit_q = unit_q


@mypyc_attr(allow_interpreted_subclasses=True)
class AdlRanking(Mechanism):
    """A ranking by name; the highest score closes first, 0 last.

    Positions at a loss are not scored and have 0. One that ``splits`` shares the lots of an instant
    out over all counterparties but the house; its order decides only who is asked for what the
    shares leave, and where it does not ask (``asks_rest``) that stays with the account.
    """

    __slots__ = ("asks_rest", "splits", "uses_maintenance")

    def __init__(
        self,
        name: str,
        figures: tuple[Figure, ...] = (),
        *,
        uses_maintenance: bool = False,
        splits: bool = False,
        asks_rest: bool = True,
        words: str = "",
    ) -> None:
        super().__init__(name, figures, words=words)
        self.uses_maintenance: Final[bool] = uses_maintenance
        self.splits: Final[bool] = splits
        self.asks_rest: Final[bool] = asks_rest

    def score(self, standing: Standing) -> int:
        """How early the position is closed; 0 or more."""
        raise NotImplementedError

    def shares(self, claims: Claims, lots: int, budget_q: int, values: list[int]) -> list[int]:
        """How many of ``lots`` each counterparty gives, at most its size; of one that ``splits``.

        ``budget_q`` is what all of them together lose against the mark by closing ``lots``; 0 or
        less where they lose nothing. ``values`` are the ranking's figures.
        """
        raise NotImplementedError


ADL_RANKINGS: Final[Registry[AdlRanking]] = Registry("adl.ranking", "risk.liquidation.rankings")
