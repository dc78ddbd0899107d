"""What a market shows: the exchange's reports in decimals."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

from engine.commands import BUY, SELL
from engine.events import (
    CollateralReport,
    Event,
    MarginAccountReport,
    MarginCallEnded,
    MarginCallIssued,
    PositionReport,
)
from engine.instruments import INVERSE, AssetSpec
from engine.reports import OrderReport, TriggerReport
from engine.units import PPB, from_grid, from_ppb
from risk.accounts import cross_account_id, owner_of
from seawall.exchange import Exchange
from seawall.market.listed import Listed
from seawall.market.views import (
    AccountView,
    CallView,
    CollateralView,
    ContractView,
    OrderView,
    PositionView,
)
from seawall.order_flags import LEG, SIDE, TRIGGER, TRIGGER_BY, name_of

_HEALTHY: Final[str] = "healthy"
_OPEN: Final[str] = "open"
_NS: Final[Decimal] = Decimal("1e-9")
_MORE_PLACES: Final[int] = 8
"""Digits of an average entry price beyond the tick's."""


class Window:
    """Looks at an exchange; changes nothing."""

    def __init__(self, exchange: Exchange, listed: Listed) -> None:
        self._exchange = exchange
        self._listed = listed

    # accounts

    def account(self, account_id: int, asset: AssetSpec) -> AccountView:
        """The cross account in an asset; all zero before anything was paid in."""
        wanted = cross_account_id(account_id, asset.asset_id)
        for pot in self._exchange.account_report(account_id).margin_accounts:
            if pot.margin_account_id == wanted:
                return self._account(pot)
        nothing = ("0",) * 6
        return AccountView(asset.symbol, *nothing, None, None, _HEALTHY)

    def isolated(self, account_id: int, instrument_id: int) -> AccountView | None:
        """The pot of an isolated position; None without one."""
        for pot in self._exchange.account_report(account_id).margin_accounts:
            if any(
                position.isolated and position.instrument_id == instrument_id
                for position in pot.positions
            ):
                return self._account(pot)
        return None

    def _account(self, pot: MarginAccountReport) -> AccountView:
        asset = self._listed.asset_of_id(pot.asset_id)

        def text(amount_q: int) -> str:
            return from_grid(amount_q, asset.quantum)

        multiple = None
        if pot.positions and pot.maintenance_q:
            multiple = from_ppb(pot.equity_q * PPB // pot.maintenance_q)  # rounded down
        return AccountView(
            asset=asset.symbol,
            wallet=text(pot.wallet_q),
            equity=text(pot.equity_q),
            initial_margin=text(pot.initial_q),
            maintenance_margin=text(pot.maintenance_q),
            free=text(pot.free_q),
            withdrawable=text(pot.withdrawable_q),
            margin_ratio=from_ppb(pot.margin_ratio_ppb) if pot.positions else None,
            times_maintenance=multiple,
            level=pot.level_name,
            collateral=tuple(self._collateral(each, asset) for each in pot.collateral),
        )

    def _collateral(self, balance: CollateralReport, counts_in: AssetSpec) -> CollateralView:
        asset = self._listed.asset_of_id(balance.asset_id)
        price_ppb = balance.liquidation_price_ppb
        return CollateralView(
            asset=asset.symbol,
            amount=from_grid(balance.amount_q, asset.quantum),
            price=from_ppb(balance.price_ppb),
            haircut=from_ppb(balance.haircut_ppb),
            value=from_grid(balance.value_q, counts_in.quantum),
            liquidation_price=None if price_ppb < 0 else from_ppb(price_ppb),
        )

    # positions

    def positions(self, account_id: int) -> list[PositionView]:
        """All positions of a trader."""
        pots = self._exchange.account_report(account_id).margin_accounts
        return [self._position(each) for pot in pots for each in pot.positions]

    def _position(self, position: PositionReport) -> PositionView:
        contract = self._listed.contract_of_id(position.instrument_id)
        quantum = self._listed.settled_in(position.instrument_id).quantum

        def price(ticks: int) -> str | None:
            return None if ticks < 0 else from_grid(ticks, contract.tick_size)

        return PositionView(
            contract=contract.symbol,
            leg=name_of(position.leg, LEG),
            isolated=position.isolated,
            leverage=position.leverage,
            qty=from_grid(position.qty_lots, contract.lot_size),
            entry_price=self._entry_price(position),
            mark_price=from_grid(position.mark_ticks, contract.tick_size),
            unrealised=from_grid(position.unrealised_q, quantum),
            initial_margin=from_grid(position.initial_q, quantum),
            maintenance_margin=from_grid(position.maintenance_q, quantum),
            liquidation_price=price(position.liquidation_ticks),
            bankruptcy_price=price(position.bankruptcy_ticks),
            adl_rank=position.adl_rank,
        )

    def _entry_price(self, position: PositionReport) -> str:
        """Entry value over size (inverse: the other way round), to the nearest of the digits."""
        contract = self._listed.contract_of_id(position.instrument_id)
        ticks = Fraction(position.entry_value_q, position.qty_lots * contract.unit_q)
        if contract.kind == INVERSE and ticks:
            ticks = -1 / ticks
        step = Decimal(1).scaleb(-_MORE_PLACES)
        return from_grid(round(ticks / Fraction(step)), step * contract.tick_size)

    # orders

    def orders(self, account_id: int) -> list[OrderView]:
        """The open orders of a trader, then those that wait for their price."""
        trader = self._exchange.risk.core.ledger.traders[account_id]
        report = self._exchange.risk.reports.orders(trader)
        return [*map(self._open_order, report.orders), *map(self._waiting, report.triggers)]

    def _open_order(self, order: OrderReport) -> OrderView:
        contract = self._listed.contract_of_id(order.instrument_id)
        return OrderView(
            order_id=order.order_id,
            contract=contract.symbol,
            leg=name_of(order.leg, LEG),
            side=name_of(order.side, SIDE),
            qty=from_grid(order.qty_lots, contract.lot_size),
            remaining=from_grid(order.remaining_lots, contract.lot_size),
            price=from_grid(order.price_ticks, contract.tick_size),
            reduce_only=order.reduce_only,
            state=order.state,
            expires_s=seconds(order.expire_ns) if order.expire_ns else None,
        )

    def _waiting(self, order: TriggerReport) -> OrderView:
        contract = self._listed.contract_of_id(order.instrument_id)
        qty = None if order.close_position else from_grid(order.qty_lots, contract.lot_size)

        def price(ticks: int) -> str | None:
            return from_grid(ticks, contract.tick_size) if ticks > 0 else None

        return OrderView(
            order_id=order.order_id,
            contract=contract.symbol,
            leg=name_of(order.leg, LEG),
            side=name_of(order.side, SIDE),
            qty=qty,
            remaining=qty,
            price=price(order.price_ticks),
            reduce_only=order.reduce_only or order.close_position,
            state=order.state,
            expires_s=seconds(order.expire_ns) if order.expire_ns else None,
            waits_for=name_of(order.trigger, TRIGGER),
            by=name_of(order.trigger_by, TRIGGER_BY),
            fires_at=price(order.fires_ticks),
        )

    # calls

    def calls(self, events: Sequence[Event], account_id: int) -> list[CallView]:
        """The calls of a trader that events tell of, oldest first."""
        ended = {each.call_id: each for each in events if isinstance(each, MarginCallEnded)}
        return [
            self._call(each, ended.get(each.call_id))
            for each in events
            if isinstance(each, MarginCallIssued) and owner_of(each.margin_account_id) == account_id
        ]

    def _call(self, call: MarginCallIssued, ended: MarginCallEnded | None) -> CallView:
        quantum = self._listed.asset_of_pot(call.margin_account_id).quantum
        if ended is None:
            pot = self._exchange.risk.core.ledger.accounts[call.margin_account_id]
            assert pot.call is not None, "a call without an end is open"
            paid_q, reduced_q = pot.call.paid_q, pot.call.reduced_q
        else:
            paid_q, reduced_q = ended.paid_q, ended.reduced_q
        return CallView(
            call_id=call.call_id,
            account_id=owner_of(call.margin_account_id),
            contract=self._listed.isolated_contract(call.margin_account_id),
            amount=from_grid(call.amount_q, quantum),
            issued_s=seconds(call.time_ns),
            deadline_s=None if call.deadline_ns < 0 else seconds(call.deadline_ns),
            outcome=_OPEN if ended is None else ended.outcome,
            ended_s=None if ended is None else seconds(ended.time_ns),
            cured_by="" if ended is None else ended.cured_by,
            paid=from_grid(paid_q, quantum),
            reduced=from_grid(reduced_q, quantum),
        )

    # contracts

    def contract(self, instrument_id: int) -> ContractView:
        """The public prices of a contract."""
        report = self._exchange.risk.reports.market().instruments[instrument_id]
        tick = report.spec.tick_size

        def price(ticks: int) -> str | None:
            return from_grid(ticks, tick) if ticks > 0 else None

        return ContractView(
            symbol=report.spec.symbol,
            mark=price(report.mark_ticks),
            index=price(report.index_ticks),
            last=price(report.last_ticks),
            open_interest=from_grid(report.open_interest_lots, report.spec.lot_size),
            funding_rate=from_ppb(report.funding_ppb),
            funding_s=seconds(report.funding_ns) if report.funding_ns else None,
        )

    def depth(self, instrument_id: int, levels: int) -> dict[str, list[tuple[str, str]]]:
        """The best levels of both sides as (price, size)."""
        book = self._exchange.book(instrument_id)
        contract = self._listed.contract_of_id(instrument_id)
        tick, lot = contract.tick_size, contract.lot_size
        return {
            name: [
                (from_grid(price, tick), from_grid(lots, lot))
                for price, lots, _ in book.depth(side, levels)
            ]
            for name, side in (("bids", BUY), ("asks", SELL))
        }


def seconds(time_ns: int) -> str:
    """Nanoseconds as seconds, in decimals."""
    return from_grid(time_ns, _NS)
