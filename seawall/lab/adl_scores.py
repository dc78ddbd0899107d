"""Scores of auto-deleveraging policies on the batches of a run, in whole units of the asset.

Every lot of a batch costs the same: its share of what the batch needed against the mark, and with
a horizon what the lot would have gained until then. So the policies are compared on one path of
prices: what they would have changed in it is another run's to show.

- needed: what the fills of all batches cost against the mark;
- budget: what the policy takes from winners; overshoot is budget less needed;
- tracking: the sum over batches of ``|budget - needed|``; fairness: the sum of ``needed x |worst
  haircut by equity - the least possible|`` (arXiv 2602.15182);
- worst haircuts: the largest loss of one winner in one batch over its equity, its profit, and its
  capacity (the smaller of both); the first counts those with equity and the others those in profit;
- PTSR and PMR: the largest capacity left to one winner over the deficits of a batch and over the
  largest of them; RD-NSE is ``PTSR / (1 + PTSR)``; means over batches with a deficit (2512.01112);
- Gini: of the losses of all winners in profit over all batches;
- opened: net exposure that closing one position opened in accounts hedged by others;
- leverage: the highest left to a counterparty with equity, position value over equity;
- overtaken: the share of neighbours by equity among winners in profit of whom the richer is the
  poorer after; stability: the mean rank correlation of losses by equity between a batch and the
  next, over the accounts in both.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

from seawall.lab.adl_batch import HORIZONS_S, AdlBatch, Winner
from seawall.lab.adl_policies import AS_IT_WAS, LEAST_WORST, allocate

END: Final[str] = "end"
"""The horizon at the end of the run."""


class AdlScore(msgspec.Struct):
    """One policy over the batches of one asset; see the module for each figure."""

    policy: str
    needed: float = 0.0
    budget: float = 0.0
    overshoot: float = 0.0
    tracking: float = 0.0
    fairness: float = 0.0
    worst_of_equity: float = 0.0
    worst_of_profit: float = 0.0
    worst_of_capacity: float = 0.0
    touched: int = 0
    unplaced_lots: int = 0
    gini: float = 0.0
    opened: float = 0.0
    leverage: float = 0.0
    overtaken: float = 0.0
    stability: float = 0.0
    ptsr: float = 0.0
    pmr: float = 0.0
    rd_nse: float = 0.0


def horizon_place(horizon: str) -> int:
    """Where a batch keeps what its lots were worth at this horizon.

    Raises:
        ValueError: it is not one that is kept.
    """
    allowed = [f"{seconds:g}" for seconds in HORIZONS_S] + [END]
    if horizon not in allowed:
        raise ValueError(f"--horizon: {horizon!r} is not kept; allowed are {', '.join(allowed)}")
    return allowed.index(horizon)


def score(
    batches: Sequence[AdlBatch],
    policy: str,
    unit_q: int,
    *,
    params: list[tuple[str, int]] | None = None,
    horizon: str = "0",
) -> AdlScore:
    """The scores of a policy; ``unit_q`` is a whole unit of the batches' asset.

    Raises:
        ValueError: the horizon is not kept.
    """
    place = horizon_place(horizon)
    result = AdlScore(policy)
    totals: dict[int, float] = {}
    burdens: list[dict[int, float]] = []
    pairs = overtaken = with_deficit = 0
    for batch in batches:
        lots = allocate(batch, policy, params or [])
        losses = _losses(batch, lots, place)
        _add_money(result, batch, lots, losses, place)
        _add_worst(result, batch.winners, losses)
        _add_leverage(result, batch, lots, losses)
        found, inverted = _inversions(batch.winners, losses)
        pairs, overtaken = pairs + found, overtaken + inverted
        with_deficit += _add_survivors(result, batch, losses)
        for winner, loss in zip(batch.winners, losses, strict=True):
            if winner.gain_q > 0 or loss:
                totals[winner.account_id] = totals.get(winner.account_id, 0.0) + loss
        burdens.append(
            {
                winner.account_id: loss / winner.equity_q
                for winner, loss in zip(batch.winners, losses, strict=True)
                if winner.equity_q > 0
            }
        )
    for name in ("needed", "budget", "tracking", "fairness", "opened"):
        setattr(result, name, getattr(result, name) / unit_q)
    result.overshoot = result.budget - result.needed
    result.touched = len({each for each, loss in totals.items() if loss})
    result.gini = gini([max(0.0, loss) for loss in totals.values()])
    result.overtaken = overtaken / pairs if pairs else 0.0
    result.stability = _stability(burdens)
    for name in ("ptsr", "pmr", "rd_nse"):
        setattr(result, name, getattr(result, name) / max(1, with_deficit))
    return result


def _losses(batch: AdlBatch, lots: list[int], place: int) -> list[float]:
    """What each winner loses, in quanta, by the horizon at this place."""
    if not batch.lots:
        return [0.0] * len(lots)
    drift_q = batch.drift_q[place] if batch.drift_q else 0.0
    cost_q = batch.needed_q / batch.lots + drift_q
    return [each * cost_q for each in lots]


def _add_money(
    result: AdlScore, batch: AdlBatch, lots: list[int], losses: list[float], place: int
) -> None:
    budget_q = sum(losses)
    least = _losses(batch, allocate(batch, LEAST_WORST, []), place)
    worst = _worst_of_equity(batch.winners, losses)
    result.needed += batch.needed_q
    result.budget += budget_q
    result.tracking += abs(budget_q - batch.needed_q)
    result.fairness += max(0, batch.needed_q) * abs(worst - _worst_of_equity(batch.winners, least))
    result.unplaced_lots += batch.lots - sum(lots)


def _worst_of_equity(winners: list[Winner], losses: list[float]) -> float:
    return max(
        (
            loss / winner.equity_q
            for winner, loss in zip(winners, losses, strict=True)
            if winner.equity_q > 0
        ),
        default=0.0,
    )


def _add_worst(result: AdlScore, winners: list[Winner], losses: list[float]) -> None:
    result.worst_of_equity = max(result.worst_of_equity, _worst_of_equity(winners, losses))
    for winner, loss in zip(winners, losses, strict=True):
        if winner.gain_q > 0:
            result.worst_of_profit = max(result.worst_of_profit, loss / winner.gain_q)
        if winner.capacity_q:
            result.worst_of_capacity = max(result.worst_of_capacity, loss / winner.capacity_q)


def _add_leverage(result: AdlScore, batch: AdlBatch, lots: list[int], losses: list[float]) -> None:
    for winner, given, loss in zip(batch.winners, lots, losses, strict=True):
        left_q = winner.notional_q * (winner.size - given) / winner.size
        equity_q = winner.equity_q - loss
        if equity_q > 0:
            result.leverage = max(result.leverage, (left_q + abs(winner.others_q)) / equity_q)
        if given and winner.others_q:
            before_q = abs(winner.others_q + batch.side * winner.notional_q)
            result.opened += max(0.0, abs(winner.others_q + batch.side * left_q) - before_q)


def _inversions(winners: list[Winner], losses: list[float]) -> tuple[int, int]:
    """Neighbours by equity among winners in profit, and how many changed places."""
    ordered = sorted(
        (
            (winner.equity_q, winner.equity_q - loss)
            for winner, loss in zip(winners, losses, strict=True)
            if winner.gain_q > 0 and winner.equity_q > 0
        ),
        reverse=True,
    )
    inverted = sum(
        1
        for (richer, after_richer), (poorer, after_poorer) in pairwise(ordered)
        if richer > poorer and after_richer < after_poorer
    )
    return max(0, len(ordered) - 1), inverted


def _add_survivors(result: AdlScore, batch: AdlBatch, losses: list[float]) -> int:
    """Add the figures of the largest capacity left; returns whether there was a deficit."""
    deficit_q = sum(batch.deficits_q)
    if not deficit_q:
        return 0
    largest = max(
        (
            max(0.0, winner.capacity_q - loss)
            for winner, loss in zip(batch.winners, losses, strict=True)
        ),
        default=0.0,
    )
    ratio = largest / deficit_q
    result.ptsr += ratio
    result.pmr += largest / max(batch.deficits_q)
    result.rd_nse += ratio / (1 + ratio)
    return 1


def gini(amounts: Sequence[float]) -> float:
    """Gini coefficient of amounts of 0 or more: 0 all alike, near 1 one has all; 0 of nothing.

    ``sum (2 i - n - 1) x_i / (n sum x)`` over the amounts in ascending order.
    """
    ordered = sorted(amounts)
    count, total = len(ordered), sum(ordered)
    if not total:
        return 0.0
    weighted = sum((2 * i - count - 1) * each for i, each in enumerate(ordered, start=1))
    return weighted / (count * total)


def _stability(burdens: list[dict[int, float]]) -> float:
    """Mean rank correlation (Spearman) of neighbouring batches; 0 without two to compare."""
    found = []
    for before, after in pairwise(burdens):
        both = sorted(before.keys() & after.keys())
        correlation = rank_correlation([before[i] for i in both], [after[i] for i in both])
        if correlation is not None:
            found.append(correlation)
    return sum(found) / len(found) if found else 0.0


def rank_correlation(one: list[float], other: list[float]) -> float | None:
    """Spearman's coefficient, equal values sharing their mean rank; None where one is constant."""
    ranks, others = _ranks(one), _ranks(other)
    middle = (len(one) + 1) / 2
    covariance = sum((a - middle) * (b - middle) for a, b in zip(ranks, others, strict=True))
    spread = sum((a - middle) ** 2 for a in ranks) * sum((b - middle) ** 2 for b in others)
    return float(covariance / spread**0.5) if spread else None


def _ranks(values: list[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or values[order[end]] != values[order[start]]:
            for place in order[start:end]:
                ranks[place] = (start + end + 1) / 2
            start = end
    return ranks


def scores_in_words(scores: Sequence[AdlScore]) -> list[str]:
    """The scores as a table of text; the run itself comes first, then the smallest total."""
    head = (
        f"{'policy':<19} {'budget':>12} {'overshoot':>11} {'tracking':>11} {'fairness':>11} "
        f"{'of equity':>9} {'of profit':>9} {'of cap.':>8} {'touched':>8} {'Gini':>5} "
        f"{'leverage':>8} {'overtaken':>9} {'stability':>9} {'PTSR':>8}"
    )
    ordered = sorted(
        scores, key=lambda each: (each.policy != AS_IT_WAS, each.tracking + each.fairness)
    )
    return [head] + [
        f"{each.policy:<19} {each.budget:>12,.2f} {each.overshoot:>+11,.2f} "
        f"{each.tracking:>11,.2f} {each.fairness:>11,.2f} {each.worst_of_equity:>9.2%} "
        f"{each.worst_of_profit:>9.2%} {each.worst_of_capacity:>8.2%} {each.touched:>8,} "
        f"{each.gini:>5.2f} {each.leverage:>8.1f} {each.overtaken:>9.2%} {each.stability:>9.2f} "
        f"{each.ptsr:>8.2f}"
        for each in ordered
    ]
