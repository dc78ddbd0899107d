"""Socialisation: a deficit that is left is borne by those who won, in proportion.

What a trader has won in an asset is the sum over all its pots there of what its open positions have
gained at the marks, in whatever contract, and what it realised by trades and funding in the present
and the preceding window of the rulebook, losses taken off. No winner bears more than that, nor more
than it has; free equity is asked first, so no account is liquidated for a deficit while others
could pay.

A debt that then stands on collateral in other assets, with nothing of its owner's beside it, would
be a free option: the owner gains by a rise of the collateral, others bear its fall. So where the
house has no money for it, the same winners pay that debt and take the collateral for what it
counts.
"""

from engine.events import LossSocialised
from risk.accounts import BAD_DEBT, Holding, MarginAccount, Trader
from risk.check.pretrade import free_cash_q
from risk.core import RiskCore
from risk.health import evaluate, initial_requirement_q, unrealised_q
from risk.levels.conversion import exchange
from risk.levels.watch import MarginWatch
from risk.liquidation.adl import split_pro_rata


class _Winner:
    """What a trader has won in an asset, and the pots that can pay."""

    __slots__ = ("gain_q", "pots")

    def __init__(self, trader: Trader, asset_id: int) -> None:
        self.gain_q = 0
        self.pots: list[MarginAccount] = []
        for account in sorted(trader.accounts, key=_id_of):
            if account.asset_id == asset_id and account.liquidation is None:
                evaluate(account)
                self.pots.append(account)

    def cash_q(self) -> int:
        """What its cross pot has free in the asset itself, but no more than it won."""
        cash_q = sum(free_cash_q(pot) for pot in self.pots if not pot.isolated)
        return max(0, min(self.gain_q, cash_q))

    def can_pay_q(self, only_free: bool) -> int:
        """As much as it has, but no more than it won."""
        has_q = 0
        for pot in self.pots:
            has_q += _can_pay_q(pot, only_free)
        return min(self.gain_q, has_q)


def _id_of(account: MarginAccount) -> int:
    return account.margin_account_id


def _can_pay_q(pot: MarginAccount, only_free: bool) -> int:
    """Equity of an evaluated pot, or what of it positions and orders do not require."""
    if pot.liquidation is not None:
        return 0
    can_q = pot.equity_q - (initial_requirement_q(pot) if only_free else 0)
    return max(0, can_q)


class Socialisation:
    """Spreads deficits over the winners of an asset."""

    __slots__ = ("_core", "_watch")

    def __init__(self, core: RiskCore, watch: MarginWatch) -> None:
        self._core = core
        self._watch = watch

    def cover(self, account: MarginAccount, deficit_q: int) -> None:
        """Bring the deficit into the account: from the winners, what they cannot bear from the
        house's account for bad debt."""
        winners = self._winners(account.asset_id)
        left_q = self._charge(account, deficit_q, winners, only_free=True)
        left_q = self._charge(account, left_q, winners, only_free=False)
        if left_q:
            debt = self._core.ledger.house(BAD_DEBT, account.asset_id)
            self._core.ledger.transfer(debt, account, left_q)

    def exchange(self, account: MarginAccount) -> None:
        """Have winners pay the debt that stands on collateral in other assets, in proportion to
        their cash, and take that collateral for what it counts.

        A gain pays once, whatever it buys.
        """
        winners = self._winners(account.asset_id) if account.wallet_q < 0 else []
        for holding in account.holdings:
            worth_q = min(-account.wallet_q, holding.value_q())
            if worth_q <= 0:
                continue
            cash_q = [winner.cash_q() for winner in winners]
            for winner, share_q in zip(winners, split_pro_rata(worth_q, cash_q), strict=True):
                if share_q:
                    self._give(holding, share_q, winner)

    def _give(self, holding: Holding, value_q: int, winner: _Winner) -> None:
        core = self._core
        (pot,) = (each for each in winner.pots if not each.isolated)
        coins = core.ledger.cross(pot.trader, holding.asset.asset_id)
        had_q, had_coins_q = pot.wallet_q, coins.wallet_q
        exchange(core, holding, value_q, pot, winner.cash_q(), "liquidation")
        if pot.wallet_q == had_q:
            return
        winner.gain_q -= had_q - pot.wallet_q
        core.balance_moved(pot, pot.wallet_q - had_q, "collateral")
        core.balance_moved(coins, coins.wallet_q - had_coins_q, "collateral")
        evaluate(pot)
        self._watch.refresh(pot, widen=True)

    def _winners(self, asset_id: int) -> list[_Winner]:
        """All traders who gained, in the order of their ids."""
        core = self._core
        gains: dict[int, int] = {}
        for listing in core.listings.values():
            if listing.instrument.settle_asset_id == asset_id:
                for side in (listing.longs, listing.shorts):
                    for position in side:
                        trader_id = position.account.trader.account_id
                        gains[trader_id] = gains.get(trader_id, 0) + unrealised_q(position)
        for account in core.ledger.accounts.values():
            if account.realised is not None and account.asset_id == asset_id:
                trader_id = account.trader.account_id
                gains[trader_id] = gains.get(trader_id, 0) + core.ledger.realised_q(
                    account, core.now_ns
                )
        winners: list[_Winner] = []
        for trader_id in sorted(gains):
            trader = core.ledger.traders[trader_id]
            if gains[trader_id] > 0 and not trader.is_house():
                winner = _Winner(trader, asset_id)
                winner.gain_q = gains[trader_id]
                winners.append(winner)
        return winners

    def _charge(
        self, account: MarginAccount, deficit_q: int, winners: list[_Winner], only_free: bool
    ) -> int:
        """Charge winners in proportion to what they can pay; returns what is left."""
        sizes = [winner.can_pay_q(only_free) for winner in winners] if deficit_q else []
        left_q = deficit_q
        for winner, share_q in zip(winners, split_pro_rata(deficit_q, sizes), strict=False):
            winner.gain_q -= share_q
            left_q -= share_q
            for pot in winner.pots:
                paid_q = min(share_q, _can_pay_q(pot, only_free))
                if paid_q:
                    share_q -= paid_q
                    self._take(pot, account, paid_q)
            assert not share_q, "a winner is asked for what it can pay"
        return left_q

    def _take(self, pot: MarginAccount, account: MarginAccount, amount_q: int) -> None:
        core = self._core
        core.ledger.transfer(pot, account, amount_q)
        core.ledger.note_gain(pot, -amount_q, core.now_ns)
        core.emit(LossSocialised(core.now_ns, pot.margin_account_id, pot.asset_id, amount_q))
        evaluate(pot)
        self._watch.refresh(pot, widen=True)
