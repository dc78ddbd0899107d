"""Auto-deleveraging done to the ledger: positions close against ranked counterparties.

No price lies further from the mark of the contract closed than the rulebook's ``max_distance``: a
loss made in one contract is not charged through the price of another. What does not fit under the
bound stays with the account and is socialised.
"""

from collections.abc import Iterator
from typing import Final

from engine.commands import LEG_LONG, LEG_SHORT
from engine.events import Deleveraged
from engine.units import Rate, magnitude, scale_down
from risk.accounts import MarginAccount, Position
from risk.adl_price import ADL_PRICES
from risk.bankruptcy_split import BANKRUPTCY_SPLITS
from risk.check.bankruptcy import bankruptcy_values, mark_value_q
from risk.core import RiskCore
from risk.cover.reservations import Reservations, drop_if_empty
from risk.entry.settlement import Settlement
from risk.health import evaluate
from risk.levels.watch import MarginWatch, move_collateral
from risk.liquidation.adl import split_pro_rata, split_value
from risk.liquidation.ranking import ADL_RANKINGS
from risk.losses.adl_queue import AdlQueues

OWN_LEG_RANK: Final[int] = 0
"""Rank of the bankrupt account's own other leg, which closes before the queue is asked."""


class Deleveraging:
    """Closes positions of an account against the queue, an account of the house's too."""

    __slots__ = ("_core", "_queues", "_reservations", "_settlement", "_watch")

    def __init__(
        self,
        core: RiskCore,
        reservations: Reservations,
        settlement: Settlement,
        watch: MarginWatch,
        queues: AdlQueues,
    ) -> None:
        self._core = core
        self._reservations = reservations
        self._settlement = settlement
        self._watch = watch
        self._queues = queues

    def close_positions(self, account: MarginAccount, at_mark: bool) -> None:
        """Close all positions of an evaluated account, as far as counterparties can bear it: at
        the mark, or at the rulebook's price."""
        rule = self._core.rulebook.adl
        price = ADL_PRICES.get(rule.price)
        distance = Rate(rule.max_distance_ppb)
        split = BANKRUPTCY_SPLITS.get(self._core.rulebook.liquidation.split)
        for position, bankrupt_q in bankruptcy_values(account, split, keeps_equity=False):
            value_q = mark_value_q(position)
            if not at_mark:
                value_q = price.value_q(position, bankrupt_q, distance)
            self._close(position, value_q)

    def net_legs(self, account: MarginAccount) -> None:
        """The legs of a hedge close against each other, at mark, before anyone else has to."""
        core = self._core
        for long_leg in list(account.positions):
            listing = long_leg.listing
            short_leg = account.position(listing.instrument_id, LEG_SHORT)
            if long_leg.leg != LEG_LONG or short_leg is None:
                continue
            lots = min(long_leg.qty_lots, -short_leg.qty_lots)
            if not lots:
                continue
            value_q = listing.instrument.position_value_q(lots, listing.mark_ticks)
            core.settle_outside_book(long_leg, -lots, -value_q)
            core.settle_outside_book(short_leg, lots, value_q)
            self._tell(long_leg, short_leg, lots, value_q, OWN_LEG_RANK, 0)
            drop_if_empty(long_leg)
            drop_if_empty(short_leg)

    def _close(self, position: Position, value_q: int) -> None:
        """Place the lots along the queue; what no counterparty can bear stays in the position."""
        total_lots = magnitude(position.qty_lots)
        sign = 1 if position.qty_lots > 0 else -1
        placed = 0
        for rank, (target, most_lots) in enumerate(self._candidates(position), start=1):
            lots = min(most_lots, magnitude(target.qty_lots), total_lots - placed)
            if not lots:
                continue
            part_q = split_value(value_q, total_lots, placed, lots)
            if self._close_against(position, target, sign * lots, part_q, rank):
                placed += lots
            if placed == total_lots:
                return

    def _candidates(self, position: Position) -> Iterator[tuple[Position, int]]:
        """Counterparties in turn with the most each is asked for; pro rata asks twice, the second
        time for whatever the first round could not place."""
        if ADL_RANKINGS.get(self._core.rulebook.adl.ranking).pro_rata:
            queue = list(self._queues.against(position))
            sizes = [magnitude(target.qty_lots) for target in queue]
            shares = split_pro_rata(magnitude(position.qty_lots), sizes)
            yield from zip(queue, shares, strict=True)
        for target in self._queues.against(position):
            yield target, magnitude(target.qty_lots)

    def _close_against(
        self, position: Position, target: Position, qty_lots: int, value_q: int, rank: int
    ) -> bool:
        """One ADL fill; refused when it would itself bankrupt the counterparty."""
        core = self._core
        listing = position.listing
        account = target.account
        gain_q = listing.instrument.position_value_q(qty_lots, listing.mark_ticks) - value_q
        if gain_q < 0:
            evaluate(account)
            if account.equity_q + gain_q < 0:
                return False
        freed_q = _freed_margin_q(target, qty_lots, value_q)
        given_q = core.settle_outside_book(position, -qty_lots, -value_q)
        realised_q = core.settle_outside_book(target, qty_lots, value_q)
        core.fund_moved(position.account, given_q, "deleveraged")
        core.fund_moved(account, realised_q, "deleveraged")
        self._tell(position, target, qty_lots, value_q, rank, gain_q)
        self._reservations.trim_reduce_only(target)
        if freed_q:
            cross = core.cross_of(account)
            move_collateral(core.ledger, account, cross, freed_q, by_owner=False)
            self._watch.refresh(cross, widen=True)
        self._settlement.sweep_isolated(account, by_owner=False)
        drop_if_empty(target)
        drop_if_empty(position)
        self._watch.refresh(account, widen=True)
        return True

    def _tell(
        self,
        position: Position,
        target: Position,
        qty_lots: int,
        value_q: int,
        rank: int,
        gain_q: int,
    ) -> None:
        listing = position.listing
        self._core.emit(
            Deleveraged(
                self._core.now_ns,
                target.account.margin_account_id,
                position.account.margin_account_id,
                listing.instrument_id,
                qty_lots,
                value_q,
                listing.mark_ticks,
                rank,
                gain_q,
            )
        )


def _freed_margin_q(target: Position, qty_lots: int, value_q: int) -> int:
    """What a partial close frees of an isolated pot, as a trade at that price would: its share of
    the pot's equity (rounded down)."""
    account = target.account
    closed = magnitude(qty_lots)
    held = magnitude(target.qty_lots)
    if not account.isolated or closed == held:
        return 0
    # The whole position at the price of the part that closes, rounded down.
    whole_q = scale_down(-value_q, held, closed)
    equity_q = account.wallet_q + whole_q - target.entry_value_q
    return max(0, equity_q) * closed // held
