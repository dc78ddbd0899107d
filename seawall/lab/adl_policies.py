"""The policies of auto-deleveraging put to one batch: how many lots each would have taken of whom.

A policy is a ranking of the rulebook (`risk.liquidation.rankings`), by the same functions that the
engine decides with. The house is asked last, as there.
"""

from typing import Final

from engine.settings import unknown
from risk.liquidation.allocation import Claims
from risk.liquidation.ranking import ADL_RANKINGS, AdlRanking
from seawall.lab.adl_batch import AdlBatch, Winner

AS_IT_WAS: Final[str] = "as it was"
"""What the run itself did."""

LEAST_WORST: Final[str] = "min_max"
"""The policy whose worst haircut is the least possible."""

EQUITY_CAP_PPB: Final[int] = 100_000_000
"""``equity_cap`` of `capped_pro_rata` where the run's rulebook names none: a tenth."""

_ORDER: Final[str] = "profit_leverage"


def policies(names: str) -> list[str]:
    """The rankings of a list with commas; ``all`` are all there are.

    Raises:
        ValueError: there is none of that name.
    """
    known = ADL_RANKINGS.names()
    if names == "all":
        return known
    chosen = [name.strip() for name in names.split(",")]
    for name in chosen:
        if name not in known:
            raise ValueError(f"--policies: {name!r} {unknown(name, ['all', *known])}")
    return chosen


def allocate(batch: AdlBatch, policy: str, params: list[tuple[str, int]]) -> list[int]:
    """Lots of each winner of a batch, by its place, under a policy or `AS_IT_WAS`."""
    if policy == AS_IT_WAS:
        return [winner.given_lots for winner in batch.winners]
    ranking = ADL_RANKINGS.get(policy)
    lots = [0] * len(batch.winners)
    if ranking.splits:
        _share(batch, ranking, params, lots)
    if not ranking.splits or ranking.asks_rest:
        _queue(batch, ADL_RANKINGS.get(_ORDER) if ranking.splits else ranking, lots)
    return lots


def _share(
    batch: AdlBatch, ranking: AdlRanking, params: list[tuple[str, int]], lots: list[int]
) -> None:
    places = [place for place, winner in enumerate(batch.winners) if not winner.house]
    asked = [batch.winners[place] for place in places]
    claims = Claims(
        [winner.size for winner in asked],
        [winner.equity_q for winner in asked],
        [winner.gain_q for winner in asked],
    )
    given = dict(params)
    if ranking.figures:
        given.setdefault("equity_cap_ppb", EQUITY_CAP_PPB)
    values = ranking.values(list(given.items()))
    shares = ranking.shares(claims, batch.lots, batch.needed_q, values)
    for place, share in zip(places, shares, strict=True):
        lots[place] = share


def _queue(batch: AdlBatch, ranking: AdlRanking, lots: list[int]) -> None:
    """Give what is missing to the queue, whole positions, the house last."""
    missing = batch.lots - sum(lots)
    places = sorted(
        range(len(lots)),
        key=lambda place: (
            batch.winners[place].house,
            -_score(batch.winners[place], ranking),
            batch.winners[place].uid,
        ),
    )
    for place in places:
        if not missing:
            return
        more = min(missing, batch.winners[place].size - lots[place])
        lots[place] += more
        missing -= more


def _score(winner: Winner, ranking: AdlRanking) -> int:
    return ranking.score(winner.standing()) if winner.gain_q > 0 else 0
