"""Margin calls: what one demands, what the owner did about it, and when it is over.

Two sums are kept per call. `MarginCall.paid_q` is collateral the owner brought into the pot since
the call was issued, less what the owner took out again. `MarginCall.reduced_q` is by how much less
is missing because of the owner's own trades, at the marks of their moments. What the exchange does
(liquidation, ADL, funding) and what prices do is in neither.
"""

from heapq import heappop, heappush

from engine.events import (
    CALL_CURED,
    CURED_BY_BOTH,
    CURED_BY_DEPOSIT,
    CURED_BY_PRICE,
    CURED_BY_REDUCTION,
    MarginCallEnded,
    MarginCallIssued,
)
from engine.units import PPB, apply_rate_up
from risk.accounts import MarginAccount
from risk.core import RiskCore
from risk.health import evaluate
from risk.records import MarginCall
from risk.rulebook import ENDS_MET


class MarginCalls:
    """Issues calls, knows when they are over or due, and publishes how they end."""

    __slots__ = ("_core", "_deadlines")

    def __init__(self, core: RiskCore) -> None:
        self._core = core
        self._deadlines: list[tuple[int, int, int]] = []

    def issue(self, account: MarginAccount) -> None:
        """Demand what an evaluated account lacks."""
        core = self._core
        grace_ns = core.rulebook.call.grace_ns
        deadline_ns = -1 if grace_ns < 0 else core.now_ns + grace_ns
        amount_q = demanded_equity_q(core, account) - account.equity_q
        call = MarginCall(core.next_call_id, amount_q, core.now_ns, deadline_ns)
        core.next_call_id += 1
        account.trader.touch()
        account.call = call
        if deadline_ns >= 0:
            heappush(self._deadlines, (deadline_ns, call.call_id, account.margin_account_id))
        core.emit(
            MarginCallIssued(
                core.now_ns,
                account.margin_account_id,
                call.call_id,
                call.amount_q,
                deadline_ns,
                account.equity_q,
                account.maintenance_q,
            )
        )

    def is_over(self, account: MarginAccount) -> bool:
        """Whether an open call of an evaluated account has ended.

        A rulebook lets a call end at the level, or only when it is met: when the owner did as much
        as it asked for, or the account stands where it was to be brought, by whatever means.
        """
        core = self._core
        levels = core.levels
        call = account.call
        assert call is not None, "only an open call can be over"
        if core.rulebook.call.ends == ENDS_MET and levels.call_level < levels.liquidate_level:
            done_q = call.paid_q + call.reduced_q
            return done_q >= call.amount_q or account.equity_q >= demanded_equity_q(core, account)
        return account.level < levels.call_level

    def end(self, account: MarginAccount, outcome: str) -> None:
        """Close an open call and publish how it ended."""
        core = self._core
        call = account.call
        assert call is not None, "only an open call can end"
        account.trader.touch()
        account.call = None
        core.emit(
            MarginCallEnded(
                core.now_ns,
                account.margin_account_id,
                call.call_id,
                outcome,
                core.now_ns - call.issued_ns,
                cured_by(call) if outcome == CALL_CURED else "",
                call.paid_q,
                call.reduced_q,
            )
        )

    def next_due(self) -> MarginAccount | None:
        """The account of the open call whose deadline has come first, each once; None if none."""
        core = self._core
        while self._deadlines and self._deadlines[0][0] <= core.now_ns:
            _, call_id, account_id = heappop(self._deadlines)
            account = core.ledger.accounts[account_id]
            if account.call is not None and account.call.call_id == call_id:
                return account
        return None

    def postpone(self, account: MarginAccount) -> None:
        """Look at a call that is due again at the next tick of the clock."""
        assert account.call is not None, "only an open call can be due"
        due = (self._core.now_ns + 1, account.call.call_id, account.margin_account_id)
        heappush(self._deadlines, due)

    def state(self) -> list[tuple[int, int, int]]:
        """The pending deadlines, for snapshots."""
        return sorted(self._deadlines)

    def restore(self, deadlines: list[tuple[int, int, int]]) -> None:
        """Take over the pending deadlines of a snapshot."""
        self._deadlines = [(a, b, c) for a, b, c in sorted(deadlines)]


def cured_by(call: MarginCall) -> str:
    """What ended a cured call: the owner's payment, the owner's trades, both, or neither."""
    if call.paid_q > 0:
        return CURED_BY_BOTH if call.reduced_q > 0 else CURED_BY_DEPOSIT
    return CURED_BY_REDUCTION if call.reduced_q > 0 else CURED_BY_PRICE


def demanded_equity_q(core: RiskCore, account: MarginAccount) -> int:
    """The equity a call asks for, of an evaluated account: the rulebook's requirement with its
    buffer, at least the call level, rounded up."""
    rule = core.rulebook.call
    required_q = account.maintenance_q
    if rule.restore_to == "initial":
        required_q = account.requirement.initial_q(account)
    demanded_q = apply_rate_up(required_q, PPB + rule.buffer_ppb)
    return max(demanded_q, core.levels.call_limit_q(account))


def demanded_ppb(core: RiskCore, account: MarginAccount) -> int:
    """`demanded_equity_q` as a multiple of maintenance, rounded up."""
    return -(-demanded_equity_q(core, account) * PPB // max(1, account.maintenance_q))


def missing_q(core: RiskCore, account: MarginAccount) -> int:
    """What an account lacks of the equity a call asks for, now; negative if it has more."""
    evaluate(account)
    return demanded_equity_q(core, account) - account.equity_q


def note_payment(account: MarginAccount, amount_q: int) -> None:
    """The owner brought collateral into a pot, or with a minus took it out."""
    if account.call is not None:
        account.trader.touch()
        account.call.paid_q += amount_q


def note_deposit(account: MarginAccount, amount_q: int) -> None:
    """The owner paid into a wallet, or with a minus took from it: a payment of what that counts
    for in the pot the wallet belongs to."""
    holding = account.counts
    if holding is None:
        note_payment(account, amount_q)
    elif holding.account.call is not None:
        before_q = holding.asset.value_q(account.wallet_q - amount_q)
        note_payment(holding.account, holding.value_q() - before_q)


def note_trade(core: RiskCore, account: MarginAccount, missing_before_q: int, paid_q: int) -> None:
    """The owner of a called account traded; ``missing_before_q`` and ``paid_q`` are `missing_q` and
    `MarginCall.paid_q` from before.

    Margin that a trade brought into an isolated pot stays a payment; what it freed belongs to the
    reduction.
    """
    call = account.call
    if call is None:
        return
    account.trader.touch()
    brought_q = call.paid_q - paid_q
    if brought_q < 0:
        call.paid_q = paid_q
        brought_q = 0
    call.reduced_q += missing_before_q - missing_q(core, account) - brought_q
