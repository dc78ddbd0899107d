"""A batch of auto-deleveraging: what was closed of one contract and side at one mark, and everybody
who could have been asked.

`AdlWatch` stands in front of the risk engine and writes down who could be asked before the first
position of a batch closes. It reads and changes nothing that decides what comes.
"""

from typing import Any, Final

import msgspec

from engine.events import Deleveraged, MarkUpdated
from engine.internal import LiquidateAdl
from engine.routing.bus import Bus, Latency
from engine.routing.component import Component, Handler
from engine.routing.topology import LIQUIDATION, MATCHING, RISK
from engine.units import magnitude
from risk.accounts import Position
from risk.core import RiskCore
from risk.health import evaluate, unrealised_q
from risk.liquidation.ranking import Standing
from risk.listing import Listing
from seawall.exchange import Exchange

HORIZONS_S: Final[tuple[float, ...]] = (0.0, 0.5, 1.0, 2.0, 5.0)
"""Seconds after a batch at which it is asked what the closed lots would be worth."""


class Winner(msgspec.Struct):
    """A counterparty as a batch found it: position and account at the mark, in quanta.

    ``others_q`` is the signed value of the account's other positions; ``given_lots`` is what it
    gave in the run.
    """

    uid: int
    account_id: int
    size: int
    gain_q: int
    entry_value_q: int
    notional_q: int
    wallet_q: int
    equity_q: int
    maintenance_q: int
    unit_q: int
    others_q: int
    house: bool
    given_lots: int = 0

    def standing(self) -> Standing:
        """What rankings go by."""
        return Standing(
            self.gain_q,
            self.entry_value_q,
            self.notional_q,
            self.wallet_q,
            self.equity_q,
            self.maintenance_q,
            self.unit_q,
        )

    @property
    def capacity_q(self) -> int:
        """What it may lose: its gain, and no more than its equity."""
        return max(0, min(self.gain_q, self.equity_q))


class AdlBatch(msgspec.Struct):
    """``side`` is that of the winners, 1 long. ``needed_q`` is what all fills cost against the mark
    (negative where winners gained), ``deficits_q`` what the bankrupt accounts owed beyond their
    equity, ``value_q`` what one winner's lot is worth at the mark, as a float. ``drift_q`` is what
    a lot would have gained more by each of `HORIZONS_S`, and by the end of the run."""

    time_ns: int
    instrument_id: int
    asset_id: int
    side: int
    mark_ticks: int
    winners: list[Winner]
    lots: int = 0
    needed_q: int = 0
    fills: int = 0
    deficits_q: list[int] = []
    drift_q: list[float] = []


class AdlWatch:
    """Stands in front of the risk engine of an exchange, and keeps the batches it has done.

    Made before the first command; ``latency`` is the exchange's.
    """

    def __init__(self, exchange: Exchange, latency: Latency | None = None) -> None:
        self.batches: list[AdlBatch] = []
        self._risk = exchange.risk
        self._open: dict[tuple[int, int, int], AdlBatch] = {}
        self._places: dict[tuple[int, int, int], dict[int, Winner]] = {}
        self._marks: dict[int, list[tuple[int, int]]] = {}
        takers: dict[str, Component | Handler] = {
            MATCHING: exchange.matching,
            RISK: self._handle,
            LIQUIDATION: exchange.liquidation,
        }
        exchange.bus = Bus(takers, exchange, latency)
        exchange.subscribe(self._on_event)

    def _handle(self, message: Any, out: list[Any]) -> None:
        """Write a batch down before it begins, and what came of it after."""
        if type(message) is not LiquidateAdl:
            self._risk.handle(message, out)
            return
        deficit_q = self._note(message)
        self._risk.handle(message, out)
        self._count(out, deficit_q)

    def _note(self, message: LiquidateAdl) -> int:
        """Everybody who could be asked, of batches that begin; returns what the account owes."""
        core = self._risk.core
        account = core.ledger.accounts.get(message.margin_account_id)
        if account is None:
            return 0
        evaluate(account)
        for position in account.positions:
            key = _key(position.listing, -1 if position.qty_lots > 0 else 1)
            if position.qty_lots and key not in self._open:
                winners = _winners(core, position.listing, key[1])
                listing = position.listing
                self._open[key] = AdlBatch(
                    max(core.now_ns, message.time_ns),
                    listing.instrument_id,
                    account.asset_id,
                    key[1],
                    listing.mark_ticks,
                    winners,
                )
                self._places[key] = {winner.account_id: winner for winner in winners}
        return max(0, -account.equity_q)

    def _count(self, events: list[Any], deficit_q: int) -> None:
        for event in events:
            if not isinstance(event, Deleveraged) or not event.rank:
                continue
            listing = self._risk.core.listings[event.instrument_id]
            # The bankrupt position's lots: the winners are on the other side.
            key = _key(listing, -1 if event.qty_lots > 0 else 1)
            batch = self._open.get(key)
            winner = self._places.get(key, {}).get(event.margin_account_id)
            if batch is None or winner is None:
                continue
            if not batch.fills:
                self.batches.append(batch)
            batch.fills += 1
            batch.lots += magnitude(event.qty_lots)
            batch.needed_q -= event.gain_q
            winner.given_lots += magnitude(event.qty_lots)
            if deficit_q:
                batch.deficits_q.append(deficit_q)
                deficit_q = 0

    def _on_event(self, event: Any) -> None:
        if type(event) is MarkUpdated:
            self._marks.setdefault(event.instrument_id, []).append(
                (event.time_ns, event.mark_ticks)
            )

    def finish(self) -> list[AdlBatch]:
        """All batches, with what a lot was worth later; call it when the run has ended."""
        for batch in self.batches:
            marks = self._marks.get(batch.instrument_id, [])
            listing = self._risk.core.listings[batch.instrument_id]
            batch.drift_q = [
                _drift_q(listing, batch, _mark_at(marks, batch.time_ns + int(seconds * 1e9)))
                for seconds in HORIZONS_S
            ]
            batch.drift_q.append(_drift_q(listing, batch, marks[-1][1] if marks else 0))
        return self.batches


def _key(listing: Listing, side: int) -> tuple[int, int, int]:
    return listing.instrument_id, side, listing.mark_version


def _mark_at(marks: list[tuple[int, int]], time_ns: int) -> int:
    """The mark in force at a time."""
    found = 0
    for at_ns, ticks in marks:
        if at_ns > time_ns:
            break
        found = ticks
    return found


def _drift_q(listing: Listing, batch: AdlBatch, mark_ticks: int) -> float:
    """What a winner's lot gained between the mark of the batch and another."""
    if not mark_ticks or not batch.lots:
        return 0.0
    lots = batch.side * batch.lots
    value = listing.instrument.position_value_q
    return (value(lots, mark_ticks) - value(lots, batch.mark_ticks)) / batch.lots


def _winners(core: RiskCore, listing: Listing, side: int) -> list[Winner]:
    """All counterparties of one side that are not in liquidation themselves, by uid."""
    found = [
        _winner(core, position)
        for position in (listing.longs if side > 0 else listing.shorts)
        if position.account.liquidation is None
    ]
    found.sort(key=lambda winner: winner.uid)
    return found


def _winner(core: RiskCore, position: Position) -> Winner:
    account, listing = position.account, position.listing
    evaluate(account)
    instrument, mark_ticks = listing.instrument, listing.mark_ticks
    others_q = sum(
        (1 if other.qty_lots > 0 else -1)
        * other.listing.instrument.notional_q(other.qty_lots, other.listing.mark_ticks)
        for other in account.positions
        if other is not position and other.qty_lots
    )
    return Winner(
        uid=position.uid,
        account_id=account.margin_account_id,
        size=magnitude(position.qty_lots),
        gain_q=unrealised_q(position),
        entry_value_q=magnitude(position.entry_value_q),
        notional_q=instrument.notional_q(position.qty_lots, mark_ticks),
        wallet_q=account.wallet_q,
        equity_q=account.equity_q,
        maintenance_q=account.maintenance_q,
        unit_q=10 ** core.assets[account.asset_id].decimals,
        others_q=others_q,
        house=account.trader.is_house(),
    )
