"""Rounds of auto-deleveraging: what is shared out over all counterparties, once an instant.

Every bankrupt position shared out on its own would cost as many fills as there are counterparties.
So the positions of one contract and side that wait at one mark are shared out together, and each
takes its lots from what is left of the shares, in order. Who meets which of them follows from the
order of both and not from size; the lots of each counterparty do not.
"""

from typing import Any

from engine.commands import LEG_LONG, LEG_NET, LEG_SHORT
from engine.units import Rate, magnitude
from risk.accounts import MarginAccount, Position
from risk.adl_price import ADL_PRICES
from risk.bankruptcy_split import BANKRUPTCY_SPLITS
from risk.check.bankruptcy import bankruptcy_values, mark_value_q
from risk.core import RiskCore
from risk.health import evaluate, unrealised_q
from risk.liquidation.allocation import Claims
from risk.liquidation.ranking import ADL_RANKINGS
from risk.losses.adl_queue import AdlQueues


def transfer_values(
    core: RiskCore, account: MarginAccount, at_mark: bool
) -> list[tuple[Position, int]]:
    """The positions of an evaluated account, each with the value it closes at: the mark, or the
    rulebook's price."""
    rule = core.rulebook.adl
    price = ADL_PRICES.get(rule.price)
    distance = Rate(rule.max_distance_ppb)
    split = BANKRUPTCY_SPLITS.get(core.rulebook.liquidation.split)
    values: list[tuple[Position, int]] = []
    for position, bankrupt_q in bankruptcy_values(account, split, keeps_equity=False):
        if at_mark:
            values.append((position, mark_value_q(position)))
        else:
            values.append((position, price.value_q(position, bankrupt_q, distance)))
    return values


class AdlRound:
    """Lots by counterparty, used up in order.

    `members` are the accounts it was made for that have not come yet; `version` is the mark's.
    """

    __slots__ = ("lots", "members", "start", "uids", "version")

    def __init__(
        self, version: int, members: dict[int, int], uids: list[int], lots: list[int]
    ) -> None:
        self.version = version
        self.members = members
        self.uids = uids
        self.lots = lots
        self.start = 0

    def take(self, place: int, lots: int) -> None:
        """These lots of a place are used."""
        self.lots[place] -= lots
        self.skip()

    def pass_over(self, place: int) -> None:
        """A place gives nothing (more) in this round."""
        self.lots[place] = 0
        self.skip()

    def skip(self) -> None:
        """The places at the front that are used up are not looked at again."""
        while self.start < len(self.lots) and not self.lots[self.start]:
            self.start += 1


class AdlRounds:
    """Makes the rounds of the ranking in force, and keeps them while accounts wait."""

    __slots__ = ("_core", "_queues", "_rounds", "_waiting")

    def __init__(self, core: RiskCore, queues: AdlQueues) -> None:
        self._core = core
        self._queues = queues
        self._rounds: dict[tuple[int, int], AdlRound] = {}
        self._waiting: dict[int, int] = {}

    def expect(self, margin_account_ids: list[int]) -> None:
        """These accounts wait for their deleveraging."""
        for margin_account_id in margin_account_ids:
            self._waiting[margin_account_id] = 1

    def comes(self, margin_account_id: int) -> None:
        """An account waits no longer: its turn has come."""
        self._waiting.pop(margin_account_id, None)

    def rules_change(self, of_adl: bool) -> None:
        """Whoever waits is put into line again under the new rules; what was shared out is void if
        they are others of deleveraging (``of_adl``)."""
        self._waiting.clear()
        if of_adl:
            self._rounds.clear()

    def alone(self, position: Position, value_q: int) -> AdlRound:
        """The round of one position that closes at this value."""
        budget_q = value_q - mark_value_q(position)
        return self._shared_out(position, magnitude(position.qty_lots), budget_q, {})

    def of(self, position: Position, value_q: int) -> AdlRound:
        """The round a waiting account's position takes part in, made if there is none yet."""
        listing = position.listing
        key = (listing.instrument_id, 1 if position.qty_lots > 0 else -1)
        found = self._rounds.get(key)
        account_id = position.account.margin_account_id
        if (
            found is not None
            and found.version == listing.mark_version
            and account_id in found.members
        ):
            del found.members[account_id]
            return found
        lots = magnitude(position.qty_lots)
        budget_q = value_q - mark_value_q(position)
        members: dict[int, int] = {}
        for other, other_q in self._others(position):
            members[other.account.margin_account_id] = 1
            lots += _net_lots(other)
            budget_q += other_q - mark_value_q(other)
        made = self._shared_out(position, lots, budget_q, members)
        self._rounds[key] = made
        return made

    def _others(self, position: Position) -> list[tuple[Position, int]]:
        """The positions that wait in the same contract on the same side, with their values."""
        core = self._core
        found: list[tuple[Position, int]] = []
        for account_id in list(self._waiting):
            account = core.ledger.accounts[account_id]
            if account.liquidation is None:
                del self._waiting[account_id]
                continue
            if account is position.account or account.asset_id != position.account.asset_id:
                continue
            evaluate(account)
            for other, value_q in transfer_values(core, account, at_mark=False):
                same_side = (other.qty_lots > 0) == (position.qty_lots > 0)
                if other.listing is position.listing and same_side and _net_lots(other):
                    found.append((other, value_q))
        return found

    def _shared_out(
        self, position: Position, lots: int, budget_q: int, members: dict[int, int]
    ) -> AdlRound:
        rule = self._core.rulebook.adl
        ranking = ADL_RANKINGS.get(rule.ranking)
        claims = Claims([], [], [])
        uids: list[int] = []
        for target in self._queues.against(position):
            if target.account.trader.is_house():
                continue
            evaluate(target.account)
            uids.append(target.uid)
            claims.sizes.append(magnitude(target.qty_lots))
            claims.equities_q.append(target.account.equity_q)
            claims.gains_q.append(unrealised_q(target))
        shares = ranking.shares(claims, lots, budget_q, ranking.values(rule.params))
        made = AdlRound(position.listing.mark_version, members, uids, shares)
        made.skip()
        return made

    def state(self) -> list[list[Any]]:
        """The rounds somebody still waits for at the present mark, and who waits; rows of another
        length than those of `AdlQueues`."""
        listings = self._core.listings
        rows: list[list[Any]] = [
            [*key, sorted(each.members), each.uids[each.start :], each.lots[each.start :]]
            for key, each in sorted(self._rounds.items())
            if each.members and each.version == listings[key[0]].mark_version
        ]
        return [*rows, [sorted(self._waiting)]] if self._waiting else rows

    def restore(self, rows: list[list[Any]]) -> None:
        """Take over what `state` returned."""
        for row in rows:
            if len(row) == 1:
                self.expect(row[0])
                continue
            instrument_id, side, members, uids, lots = row
            version = self._core.listings[instrument_id].mark_version
            known = dict.fromkeys(members, 1)
            self._rounds[(instrument_id, side)] = AdlRound(version, known, list(uids), list(lots))


def _net_lots(position: Position) -> int:
    """Lots that are left when the account's own other leg has closed against them."""
    lots = magnitude(position.qty_lots)
    if position.leg == LEG_NET:
        return lots
    other_leg = LEG_SHORT if position.leg == LEG_LONG else LEG_LONG
    other = position.account.position(position.instrument_id, other_leg)
    return lots if other is None else max(0, lots - magnitude(other.qty_lots))
