"""An account seen from outside: derived on request from the functions the engine decides with."""

from engine.events import AccountReport, MarginAccountReport, PositionReport
from engine.units import PPB
from risk.accounts import MarginAccount, Position, Trader
from risk.adl_queue import AdlQueues
from risk.core import RiskCore
from risk.health import (
    evaluate,
    initial_q,
    initial_requirement_q,
    position_maintenance_q,
    position_notional_q,
    unrealised_q,
)
from risk.pretrade import margin_equity_q
from risk.solve import (
    bankruptcy_price_ticks,
    hedge_liquidation_price_ticks,
    liquidation_price_ticks,
)
from risk.transfers import Transfers

NO_PRICE = -1


class Reports:
    """Builds account reports; reading changes nothing."""

    __slots__ = ("_core", "_queues", "_transfers")

    def __init__(self, core: RiskCore, queues: AdlQueues, transfers: Transfers) -> None:
        self._core = core
        self._queues = queues
        self._transfers = transfers

    def account(self, trader: Trader) -> AccountReport:
        """All margin accounts and open orders of a trader."""
        return AccountReport(
            self._core.now_ns,
            trader.account_id,
            trader.hedge,
            [self._margin_account(trader.accounts[key]) for key in sorted(trader.accounts)],
            list(trader.orders),
        )

    def _margin_account(self, account: MarginAccount) -> MarginAccountReport:
        core = self._core
        live = [position for position in account.positions if position.qty_lots]
        positions = [self._position(position) for position in live]
        initial_total_q = initial_requirement_q(account)
        free_q = margin_equity_q(account, core.rulebook) - initial_total_q
        withdrawable_q = 0 if account.isolated else self._transfers.withdrawable_q(account)
        notional_q = position_notional_q(account)
        level = account.level
        if account.liquidation is not None:
            level = core.levels.liquidate_level
        evaluate(account)
        return MarginAccountReport(
            account.margin_account_id,
            account.asset_id,
            account.wallet_q,
            account.equity_q,
            initial_total_q,
            account.maintenance_q,
            free_q,
            withdrawable_q,
            # Equity over position value, rounded down.
            account.equity_q * PPB // notional_q if notional_q else NO_PRICE,
            level,
            core.levels.names[level],
            positions,
        )

    def _position(self, position: Position) -> PositionReport:
        account = position.account
        listing = position.listing
        mark_ticks = listing.mark_ticks
        liquidation_ticks = self._liquidation_ticks(position)
        distance_ppb = NO_PRICE
        if liquidation_ticks != NO_PRICE:
            distance_ppb = abs(mark_ticks - liquidation_ticks) * PPB // mark_ticks
        evaluate(account)
        gain_q = unrealised_q(position)
        bankruptcy = bankruptcy_price_ticks(
            listing.instrument,
            position.qty_lots,
            position.entry_value_q,
            account.equity_q - gain_q,
        )
        return PositionReport(
            account.margin_account_id,
            listing.instrument_id,
            position.leg,
            account.isolated,
            position.qty_lots,
            position.entry_value_q,
            mark_ticks,
            gain_q,
            initial_q(position, mark_ticks),
            position_maintenance_q(position),
            position.leverage,
            liquidation_ticks,
            NO_PRICE if bankruptcy is None else bankruptcy,
            distance_ppb,
            self._queues.rank(position),
        )

    def _liquidation_ticks(self, position: Position) -> int:
        """Price at which the account falls to liquidation if only this instrument moves.

        The two legs of a hedge move together, so a cross account has one price for both.
        """
        core = self._core
        account = position.account
        listing = position.listing
        evaluate(account)
        together = [p for p in account.positions if p.listing is listing and p.qty_lots]
        other_equity_q = account.equity_q - sum(unrealised_q(p) for p in together)
        other_maintenance_q = account.maintenance_q - sum(
            position_maintenance_q(p) for p in together
        )
        factor_ppb = core.levels.factors_ppb[-1]
        inclusive = core.levels.inclusive
        if len(together) == 1:
            found = liquidation_price_ticks(
                listing.instrument,
                listing.model,
                position.qty_lots,
                position.entry_value_q,
                position.leverage,
                other_equity_q,
                other_maintenance_q,
                factor_ppb,
                inclusive,
            )
        else:
            long_leg, short_leg = sorted(together, key=lambda p: -p.qty_lots)
            found = hedge_liquidation_price_ticks(
                listing.instrument,
                listing.model,
                long_leg.qty_lots,
                long_leg.entry_value_q,
                short_leg.qty_lots,
                short_leg.entry_value_q,
                position.leverage,
                other_equity_q,
                other_maintenance_q,
                factor_ppb,
                inclusive,
            )
        return NO_PRICE if found is None else found
