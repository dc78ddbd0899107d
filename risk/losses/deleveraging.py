"""Auto-deleveraging done to the ledger: positions close against ranked counterparties.

No price lies further from the mark of the contract closed than the rulebook's ``max_distance``: a
loss made in one contract is not charged through the price of another. What does not fit under the
bound stays with the account and is socialised.
"""

from typing import Final

from engine.commands import LEG_LONG, LEG_SHORT
from engine.events import Deleveraged
from engine.units import magnitude, scale_down
from risk.accounts import MarginAccount, Position
from risk.core import RiskCore
from risk.cover.reservations import Reservations, drop_if_empty
from risk.entry.settlement import Settlement
from risk.health import evaluate
from risk.levels.watch import MarginWatch, move_collateral
from risk.liquidation.adl import split_value
from risk.liquidation.ranking import ADL_RANKINGS
from risk.losses.adl_queue import AdlQueues
from risk.losses.adl_rounds import AdlRound, AdlRounds, transfer_values

OWN_LEG_RANK: Final[int] = 0
"""Rank of the bankrupt account's own other leg, which closes before the queue is asked."""


class Deleveraging:
    """Closes positions of an account against the queue, an account of the house's too."""

    __slots__ = ("_core", "_queues", "_reservations", "_rounds", "_settlement", "_watch")

    def __init__(
        self,
        core: RiskCore,
        reservations: Reservations,
        settlement: Settlement,
        watch: MarginWatch,
        queues: AdlQueues,
        rounds: AdlRounds,
    ) -> None:
        self._core = core
        self._reservations = reservations
        self._settlement = settlement
        self._watch = watch
        self._queues = queues
        self._rounds = rounds

    def close_waiting(self, account: MarginAccount) -> None:
        """Close all positions of an evaluated account whose turn has come at the rulebook's price,
        together with those that wait."""
        for position, value_q in transfer_values(self._core, account, at_mark=False):
            found = self._rounds.of(position, value_q) if self._splits() else None
            self._close(position, value_q, found)

    def close_positions(self, account: MarginAccount, at_mark: bool) -> None:
        """Close all positions of an evaluated account, as far as counterparties can bear it: at
        the mark, or at the rulebook's price."""
        for position, value_q in transfer_values(self._core, account, at_mark):
            found = self._rounds.alone(position, value_q) if self._splits() else None
            self._close(position, value_q, found)

    def _splits(self) -> bool:
        return ADL_RANKINGS.get(self._core.rulebook.adl.ranking).splits

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

    def _close(self, position: Position, value_q: int, found: AdlRound | None) -> None:
        """Place the lots by the shares of a round and then along the queue; what no counterparty
        can bear, or may be asked for, stays in the position."""
        placed = 0
        if found is not None:
            placed = self._close_in_round(position, value_q, found)
            if not ADL_RANKINGS.get(self._core.rulebook.adl.ranking).asks_rest:
                return
        total_lots = magnitude(position.qty_lots) + placed
        sign = 1 if position.qty_lots > 0 else -1
        if placed == total_lots:
            return
        for rank, target in enumerate(self._queues.against(position), start=1):
            lots = min(magnitude(target.qty_lots), total_lots - placed)
            part_q = split_value(value_q, total_lots, placed, lots)
            if self._close_against(position, target, sign * lots, part_q, rank):
                placed += lots
            if placed == total_lots:
                return

    def _close_in_round(self, position: Position, value_q: int, found: AdlRound) -> int:
        """Lots placed by the shares of a round."""
        total_lots = magnitude(position.qty_lots)
        sign = 1 if position.qty_lots > 0 else -1
        placed = 0
        for place in range(found.start, len(found.uids)):
            if placed == total_lots:
                break
            target = self._queues.still_open(position, found.uids[place])
            held = 0 if target is None else magnitude(target.qty_lots)
            lots = min(found.lots[place], held, total_lots - placed)
            if target is None or not lots:
                found.pass_over(place)
                continue
            part_q = split_value(value_q, total_lots, placed, lots)
            if self._close_against(position, target, sign * lots, part_q, place + 1):
                found.take(place, lots)
                placed += lots
            else:
                found.pass_over(place)
        return placed

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
