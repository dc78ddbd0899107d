"""Funding as money: what falls due is paid as far as there is equity to pay it with.

A payer pays out of its equity and never below zero. What it owes beyond that is its deficit,
recognised here, and the receivers of funding get as much less, in proportion: what was not paid is
not received, nor does the house pay it. Liquidation then looks at all of them as after any loss.
"""

from engine.events import BadDebtBooked, FundingPaid, FundingSettled
from engine.units import PPB, magnitude
from risk.accounts import RESIDUE, MarginAccount, Position
from risk.core import RiskCore
from risk.health import evaluate
from risk.levels.watch import MarginWatch, changed_equity_q, sync_record
from risk.liquidation.adl import split_pro_rata
from risk.listing import Listing
from risk.losses.house_waterfall import HouseWaterfall
from risk.prices.funding import position_funding_q
from risk.rulebook import PAID_ON_INDEX

STAGE = "funding"
"""Where a deficit of funding is recognised: before any stage of the waterfall."""


class FundingSettlement:
    """Moves funding between the holders of a contract."""

    __slots__ = ("_core", "_house", "_watch")

    def __init__(self, core: RiskCore, watch: MarginWatch, house: HouseWaterfall) -> None:
        self._core = core
        self._watch = watch
        self._house = house

    def settle(self, listing: Listing, ended: int) -> None:
        """Every position pays or receives for each interval that ended since the last settlement,
        all at the rate of the samples taken since then, and together no more than its value.

        Payers pay the ceiling and receivers get the floor, so the residue is never negative.
        """
        core = self._core
        rate_ppb = listing.premium.settle()
        listing.funding_rate_ppb = rate_ppb
        # Rounded down: so many intervals make up the position's value, or nearly.
        intervals = min(ended, max(1, PPB // max(1, magnitude(rate_ppb))))
        paid_q = 0
        received_q = 0
        price_ticks = listing.mark_ticks
        if core.rulebook.funding.paid_on == PAID_ON_INDEX and listing.index_ticks:
            price_ticks = listing.index_ticks
        holders = listing.sorted_holders() if rate_ppb and price_ticks else []
        amounts: list[int] = []
        for position in holders:
            amounts.append(
                intervals
                * position_funding_q(listing.instrument, position.qty_lots, price_ticks, rate_ppb)
            )
        self._cut_to_means(holders, amounts)
        for position, amount_q in zip(holders, amounts, strict=True):
            self._pay(position, amount_q)
            if amount_q < 0:
                paid_q -= amount_q
            else:
                received_q += amount_q
        core.emit(
            FundingSettled(
                core.now_ns,
                listing.instrument_id,
                rate_ppb,
                price_ticks,
                paid_q,
                received_q,
                paid_q - received_q,
                intervals,
            )
        )
        for position in holders:
            self._watch.refresh(position.account, widen=True)
        self._house.check(listing.instrument.settle_asset_id)

    def _cut_to_means(self, holders: list[Position], amounts: list[int]) -> None:
        """Take off what payers have not got, and as much from receivers.

        The legs of a hedge are netted first: one account pays or receives what is left.
        """
        net_q: dict[int, int] = {}
        for position, amount_q in zip(holders, amounts, strict=True):
            account_id = position.account.margin_account_id
            net_q[account_id] = net_q.get(account_id, 0) + amount_q
        change_q: dict[int, int] = {}
        missing_q = 0
        for account_id, amount_q in net_q.items():
            if amount_q < 0:
                short_q = self._missing_q(self._core.ledger.accounts[account_id], -amount_q)
                if short_q:
                    change_q[account_id] = short_q
                    missing_q += short_q
        if not missing_q:
            return
        receivers = [account_id for account_id in net_q if net_q[account_id] > 0]
        shares = split_pro_rata(missing_q, [net_q[account_id] for account_id in receivers])
        for account_id, share_q in zip(receivers, shares, strict=True):
            change_q[account_id] = -share_q
        for place, position in enumerate(holders):
            account_id = position.account.margin_account_id
            changed = change_q.get(account_id, 0)
            # The leg that pays has at least what its account is short of, that of a receiver too.
            if (changed > 0 and amounts[place] < 0) or (changed < 0 and amounts[place] > 0):
                amounts[place] += changed
                change_q[account_id] = 0

    def _missing_q(self, account: MarginAccount, due_q: int) -> int:
        """What an account owes beyond its equity at the marks, recognised as its deficit."""
        evaluate(account)
        missing_q = due_q - min(due_q, max(0, account.equity_q))
        if missing_q:
            core = self._core
            core.emit(
                BadDebtBooked(
                    core.now_ns, account.margin_account_id, account.asset_id, missing_q, STAGE
                )
            )
        return missing_q

    def _pay(self, position: Position, amount_q: int) -> None:
        core = self._core
        account = position.account
        residue = core.ledger.house(RESIDUE, account.asset_id)
        sync_record(account)
        core.ledger.transfer(residue, account, amount_q)
        core.ledger.note_gain(account, amount_q, core.now_ns)
        core.fund_moved(account, amount_q, "funding")
        if account.liquidation is not None:
            account.liquidation.funding_q += changed_equity_q(account)
        core.emit(
            FundingPaid(
                core.now_ns,
                account.margin_account_id,
                position.listing.instrument_id,
                amount_q,
            )
        )
