"""An account seen from outside: derived on request from the functions the engine decides with."""

from heapq import nsmallest

from engine.commands import TRAILING
from engine.events import (
    AccountReport,
    AccountRisk,
    AssetReport,
    CollateralReport,
    InstrumentReport,
    InstrumentSetting,
    MarginAccountReport,
    MarketReport,
    OrderReport,
    OrdersReport,
    PositionReport,
    RiskReport,
    TriggerReport,
)
from engine.reports import FIRED, OPEN, PARTLY_FILLED, WAITING
from engine.units import PPB, apply_rate_down, apply_rate_up, on_wire
from risk.accounts import BAD_DEBT, FUND, Holding, MarginAccount, Position, Trader
from risk.check.pretrade import margin_equity_q
from risk.core import RiskCore
from risk.entry.transfers import Transfers
from risk.health import (
    evaluate,
    initial_requirement_q,
    position_notional_q,
    unrealised_q,
)
from risk.losses.adl_queue import AdlQueues
from risk.nearest import bears_risk, rank, ratio_ppb
from risk.solve import bankruptcy_price_ticks
from risk.triggers.trails import trail_level_ticks
from risk.triggers.trigger import Trigger

NO_PRICE = -1
NO_DEADLINE = -1


class Reports:
    """Builds the answers to queries; reading changes nothing."""

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
            [
                self._margin_account(account)
                for account in sorted(trader.accounts, key=lambda each: each.margin_account_id)
            ],
            [order.order_id for order in trader.open_orders()],
            self._settings(trader),
        )

    def _settings(self, trader: Trader) -> list[InstrumentSetting]:
        """What the trader chose, contract by contract."""
        listings = self._core.listings
        return [
            InstrumentSetting(
                instrument_id,
                trader.leverage.get(instrument_id, listings[instrument_id].default_leverage),
                trader.isolated.get(instrument_id, False),
            )
            for instrument_id in sorted({*trader.leverage, *trader.isolated})
        ]

    def orders(self, trader: Trader) -> OrdersReport:
        """The open orders of a trader and those that wait for their trigger, each oldest first."""
        return OrdersReport(
            self._core.now_ns,
            trader.account_id,
            [
                OrderReport(
                    order.order_id,
                    order.instrument_id,
                    order.position.leg,
                    order.side,
                    order.qty_lots,
                    order.remaining_lots,
                    order.price_ticks,
                    order.reduce_only,
                    order.liquidation,
                    OPEN if order.remaining_lots == order.qty_lots else PARTLY_FILLED,
                    expire_ns=self._core.expiries.expire_ns(order.order_id),
                )
                for order in trader.open_orders()
            ],
            triggers=[_trigger(trigger) for trigger in trader.triggers.values()],
        )

    def market(self) -> MarketReport:
        """Assets and instruments by id, their prices, and the margin levels in force."""
        core = self._core
        return MarketReport(
            core.now_ns,
            core.rulebook.name,
            list(zip(core.levels.names[1:], core.levels.factors_ppb, strict=True)),
            [self._asset(key) for key in sorted(core.assets)],
            [
                InstrumentReport(
                    listing.instrument.spec,
                    listing.mark_ticks,
                    listing.index_ticks,
                    listing.last_ticks,
                    on_wire(listing.long_lots),
                    listing.premium.rate_ppb(),
                    listing.next_funding_ns,
                    listing.default_leverage,
                )
                for _, listing in sorted(core.listings.items())
            ],
        )

    def _asset(self, asset_id: int) -> AssetReport:
        core = self._core
        spec = core.assets[asset_id]
        fund_q = on_wire(core.ledger.house(FUND, asset_id).wallet_q)
        bad_debt_q = on_wire(-core.ledger.house(BAD_DEBT, asset_id).wallet_q)
        asset = core.ledger.collateral.get(asset_id)
        if asset is None:
            return AssetReport(spec, fund_q, bad_debt_q)
        return AssetReport(
            spec, fund_q, bad_debt_q, asset.margin_asset_id, asset.price_ppb, asset.haircut_ppb
        )

    def nearest(self, account_ids: list[int], count: int) -> RiskReport:
        """The ``count`` margin accounts nearest to liquidation of some traders, or of all (none).

        Named traders cost an evaluation of each of their accounts, all traders together one of
        hardly more accounts than are returned.
        """
        core = self._core
        if not account_ids:
            total, found = core.nearest.find(count)
        else:
            traders = core.ledger.traders
            named = [traders[key] for key in sorted(dict.fromkeys(account_ids)) if key in traders]
            pots = [pot for trader in named for pot in trader.accounts if bears_risk(pot)]
            total, found = len(pots), nsmallest(count, pots, key=rank)
        return RiskReport(core.now_ns, account_ids, total, [self._risk(each) for each in found])

    def _risk(self, account: MarginAccount) -> AccountRisk:
        levels = self._core.levels
        live = [position for position in account.positions if position.qty_lots]
        instrument_id = qty_lots = liquidation_ticks = distance_ppb = NO_PRICE
        if live:
            largest = max(live, key=_notional_q)
            instrument_id = largest.listing.instrument_id
            qty_lots = largest.qty_lots
            liquidation_ticks = self._liquidation_ticks(largest)
            distance_ppb = _distance_ppb(largest.listing.mark_ticks, liquidation_ticks)
        evaluate(account)
        record = account.liquidation
        level = account.level if record is None else levels.liquidate_level
        call = account.call
        return AccountRisk(
            account.margin_account_id,
            account.asset_id,
            account.isolated,
            on_wire(account.equity_q),
            on_wire(account.maintenance_q),
            ratio_ppb(account),
            level,
            levels.names[level],
            instrument_id,
            on_wire(qty_lots),
            liquidation_ticks,
            distance_ppb,
            0 if call is None else call.call_id,
            0 if call is None else on_wire(call.amount_q),
            NO_DEADLINE if call is None else call.deadline_ns,
            0 if record is None else record.liquidation_id,
            "" if record is None else record.stage,
        )

    def _margin_account(self, account: MarginAccount) -> MarginAccountReport:
        core = self._core
        live = [position for position in account.positions if position.qty_lots]
        positions = [self._position(position) for position in live]
        initial_total_q = initial_requirement_q(account)
        position_initial_q = account.requirement.initial_q(account)
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
            on_wire(account.wallet_q),
            on_wire(account.equity_q),
            on_wire(initial_total_q),
            on_wire(account.maintenance_q),
            on_wire(free_q),
            on_wire(withdrawable_q),
            # Equity over position value, rounded down.
            on_wire(account.equity_q * PPB // notional_q) if notional_q else NO_PRICE,
            level,
            core.levels.names[level],
            positions,
            [self._collateral(account, holding) for holding in account.holdings],
            on_wire(position_initial_q),
            on_wire(initial_total_q - position_initial_q),
        )

    def _collateral(self, account: MarginAccount, holding: Holding) -> CollateralReport:
        """A balance of an evaluated account that counts in it."""
        levels = self._core.levels
        asset = holding.asset
        amount_q = holding.source.wallet_q
        value_q = holding.value_q()
        liquidation_ppb = NO_PRICE
        if value_q > 0:
            # The least equity that is not liquidated: the factor times maintenance, rounded up.
            least_q = apply_rate_up(account.maintenance_q, levels.factors_ppb[-1])
            if levels.inclusive and account.maintenance_q:
                least_q = apply_rate_down(account.maintenance_q, levels.factors_ppb[-1]) + 1
            needed_q = least_q - (account.equity_q - value_q)
            liquidation_ppb = asset.first_price_below(amount_q, needed_q)
        return CollateralReport(
            asset.asset_id,
            on_wire(amount_q),
            asset.price_ppb,
            asset.haircut_ppb,
            on_wire(value_q),
            on_wire(liquidation_ppb),
        )

    def _position(self, position: Position) -> PositionReport:
        account = position.account
        listing = position.listing
        mark_ticks = listing.mark_ticks
        liquidation_ticks = self._liquidation_ticks(position)
        distance_ppb = _distance_ppb(mark_ticks, liquidation_ticks)
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
            on_wire(position.qty_lots),
            on_wire(position.entry_value_q),
            mark_ticks,
            on_wire(gain_q),
            on_wire(account.requirement.initial_share_q(position)),
            on_wire(account.requirement.share_q(position)),
            position.leverage,
            liquidation_ticks,
            NO_PRICE if bankruptcy is None else bankruptcy,
            distance_ppb,
            self._queues.rank(position),
            on_wire(account.requirement.initial_alone_q(position)),
        )

    def _liquidation_ticks(self, position: Position) -> int:
        """Price at which the account falls to liquidation if only this instrument moves.

        The two legs of a hedge move together, so a cross account has one price for both.
        """
        levels = self._core.levels
        account = position.account
        line = account.requirement.price_line(account, position.listing)
        found = line.level_ticks(levels.factors_ppb[-1], levels.inclusive)
        return NO_PRICE if found is None else found


def _trigger(trigger: Trigger) -> TriggerReport:
    terms = trigger.terms
    fires_ticks: int = 0 if terms.trigger == TRAILING else terms.trigger_ticks
    best_ticks = trigger.best_ticks()
    if best_ticks:
        fires_ticks = trail_level_ticks(terms, best_ticks)
    return TriggerReport(
        trigger.order_id,
        terms.instrument_id,
        terms.leg,
        terms.side,
        terms.qty_lots,
        terms.trigger,
        terms.trigger_by,
        terms.trigger_ticks,
        terms.trail_ticks,
        terms.trail_ppb,
        terms.order_type,
        terms.price_ticks,
        terms.tif,
        terms.post_only,
        terms.reduce_only,
        terms.close_position,
        terms.stp,
        terms.expire_ns,
        terms.time_ns,
        best_ticks,
        trigger.fired_ticks or fires_ticks,
        FIRED if trigger.fired_ticks else WAITING,
    )


def _notional_q(position: Position) -> int:
    listing = position.listing
    return listing.instrument.notional_q(position.qty_lots, listing.mark_ticks)


def _distance_ppb(mark_ticks: int, liquidation_ticks: int) -> int:
    """How far the mark is from a liquidation price, as a share of the mark, rounded down."""
    if liquidation_ticks == NO_PRICE:
        return NO_PRICE
    return on_wire(abs(mark_ticks - liquidation_ticks) * PPB // mark_ticks)
