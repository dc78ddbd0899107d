"""The risk engine's whole state as nested lists of plain values, in one fixed order.

What two runs are compared by and what a snapshot keeps. Lists that matter in their own order (a
trader's orders, an account's positions) keep it; everything else is sorted by id.
"""

from typing import Any

from engine.messages import encode
from engine.commands import AddAsset, AddInstrument
from risk.accounts import LiquidationRecord, MarginAccount, MarginCall, OpenOrder, Position, Trader
from risk.listing import Listing
from risk.risk_engine import RiskEngine


def risk_state(engine: RiskEngine) -> list[Any]:
    """Everything that decides future behaviour. Price bands of the frontier are left out: they
    only decide how often an account is looked at."""
    core = engine.core
    ledger = core.ledger
    return [
        core.now_ns,
        core.next_call_id,
        core.next_liquidation_id,
        core.rulebook.to_json(),
        [encode(AddAsset(0, core.assets[key])) for key in sorted(core.assets)],
        [_listing(core.listings[key]) for key in sorted(core.listings)],
        [_trader(ledger.traders[key]) for key in sorted(ledger.traders)],
        [_account(ledger.accounts[key]) for key in sorted(ledger.accounts)],
        sorted([key, value] for key, value in ledger.deposited_q.items()),
        engine.watch.state(),
    ]


def _listing(listing: Listing) -> list[Any]:
    return [
        encode(AddInstrument(0, listing.instrument.spec)),
        listing.mark_ticks,
        listing.index_ticks,
        listing.last_ticks,
        listing.bid_ticks,
        listing.ask_ticks,
        listing.mark_version,
        listing.funding_rate_ppb,
        listing.next_funding_ns,
        listing.index.state(),
        listing.mark.state(),
        listing.premium.state(),
    ]


def _trader(trader: Trader) -> list[Any]:
    return [
        trader.account_id,
        trader.hedge,
        sorted([key, value] for key, value in trader.leverage.items()),
        sorted([key, value] for key, value in trader.isolated.items()),
        [_order(order) for order in trader.orders.values()],
    ]


def _order(order: OpenOrder) -> list[Any]:
    return [
        order.order_id,
        order.position.account.margin_account_id,
        order.instrument_id,
        order.position.leg,
        order.side,
        order.qty_lots,
        order.remaining_lots,
        order.price_ticks,
        order.reduce_only,
        order.liquidation,
        order.value_q,
        order.hold_q,
    ]


def _account(account: MarginAccount) -> list[Any]:
    return [
        account.margin_account_id,
        account.trader.account_id,
        account.asset_id,
        account.isolated,
        account.wallet_q,
        account.held_q,
        account.level,
        _call(account.call),
        _record(account.liquidation),
        [_position(position) for position in account.positions],
    ]


def _position(position: Position) -> list[Any]:
    return [
        position.listing.instrument_id,
        position.leg,
        position.leverage,
        position.qty_lots,
        position.entry_value_q,
        position.opened_ns,
        position.buy_lots,
        position.sell_lots,
        position.buy_value_q,
        position.sell_value_q,
        position.reduce_lots,
    ]


def _call(call: MarginCall | None) -> list[int] | None:
    if call is None:
        return None
    return [call.call_id, call.amount_q, call.issued_ns, call.deadline_ns]


def _record(record: LiquidationRecord | None) -> list[Any] | None:
    if record is None:
        return None
    return [
        record.liquidation_id,
        record.asset_id,
        record.equity_before_q,
        record.last_equity_q,
        record.target_ppb,
        record.awaits_cancels,
        record.call_expired,
        record.started_ns,
        record.stage,
        record.price_q,
        record.slippage_q,
        record.fee_q,
        record.funding_q,
        record.surrender_q,
        record.adl_q,
        record.haircut_q,
        record.transfer_q,
    ]
