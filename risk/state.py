"""The risk engine's whole state as nested lists of plain values, in one fixed order, and back.

What two runs are compared by and what a snapshot keeps. Lists that matter in their own order
(assets and instruments as they were listed, a trader's orders, an account's positions) keep it;
everything else is sorted by id.
"""

from typing import Any, Final

from engine.commands import AddAsset, AddInstrument, SubmitTrigger
from engine.messages import decode_command, encode
from engine.record.hashing import TableHash, row_hash, table_hash
from risk.accounts import (
    MarginAccount,
    OpenOrder,
    Position,
    Trader,
)
from risk.core import RiskCore
from risk.cover.cover import watch_cover
from risk.health import evaluate
from risk.ledger import Ledger
from risk.listing import Listing
from risk.records import LiquidationRecord, MarginCall, RealisedGains
from risk.risk_engine import OnDefect, RiskEngine, unheard
from risk.rulebook import rulebook_from_json
from risk.triggers.trigger import Trigger

_RECORD_FIELDS: Final[tuple[str, ...]] = (
    "liquidation_id",
    "asset_id",
    "equity_before_q",
    "last_equity_q",
    "target_ppb",
    "awaits_cancels",
    "call_expired",
    "started_ns",
    "stage",
    "price_q",
    "slippage_q",
    "fee_q",
    "funding_q",
    "surrender_q",
    "adl_q",
    "haircut_q",
    "transfer_q",
)


_TABLES: Final[slice] = slice(6, 8)
_QUEUE_ROW: Final[int] = 4
"""How long a row of a deleveraging queue is; those of rounds are longer or shorter."""
"""The places of traders and margin accounts in the state."""


def risk_state(engine: RiskEngine) -> list[Any]:
    """Everything that decides future behaviour. Price bands of the frontier are left out: they
    only decide how often an account is looked at. Rules without collateral add nothing to it, and
    neither does a market that never had an order with a trigger or an end."""
    ledger = engine.core.ledger
    state = _without_tables(engine)
    state[_TABLES] = [
        [_trader(ledger.traders[key]) for key in sorted(ledger.traders)],
        [_account(ledger.accounts[key]) for key in sorted(ledger.accounts)],
    ]
    return state


def condensed_risk(engine: RiskEngine) -> list[Any]:
    """`condense_risk` of the state as it is, at the cost of the traders that changed since this was
    asked last."""
    state = _without_tables(engine)
    state[_TABLES] = [_table_digest(engine.core.ledger)]
    return state


def condense_risk(state: list[Any]) -> list[Any]:
    """A `risk_state` with the hash of all traders and their margin accounts in their place: what
    the state hash is made of."""
    traders, accounts = state[_TABLES]
    condensed = list(state)
    condensed[_TABLES] = [table_hash([*traders, *accounts])]
    return condensed


def recounted_risk(engine: RiskEngine) -> list[Any]:
    """What `condensed_risk` returns, with every trader hashed again. Takes one row at a time: the
    whole state of a million accounts would be several times as large as they are."""
    ledger = engine.core.ledger
    state = _without_tables(engine)
    table = TableHash()
    for trader in ledger.traders.values():
        table.replace(0, row_hash(_trader(trader)))
    for account in ledger.accounts.values():
        table.replace(0, row_hash(_account(account)))
    state[_TABLES] = [table.digest()]
    return state


def _table_digest(ledger: Ledger) -> bytes:
    """The hash of all traders and margin accounts, renewed for those that changed."""
    for trader in ledger.changed:
        trader.touched = False
        hashed = row_hash(_trader(trader))
        for account in trader.accounts:
            hashed += row_hash(_account(account))
        ledger.table.replace(trader.hashed, hashed)
        trader.hashed = hashed
    ledger.changed.clear()
    return ledger.table.digest()


def _without_tables(engine: RiskEngine) -> list[Any]:
    """The state with nothing at the places of traders and margin accounts."""
    core = engine.core
    ledger = core.ledger
    state = [
        core.now_ns,
        core.next_call_id,
        core.next_liquidation_id,
        core.rulebook.to_json(),
        [encode(AddAsset(0, core.assets[key])) for key in core.assets],
        [_listing(core.listings[key]) for key in core.listings],
        None,
        None,
        sorted([books.asset_id, books.deposited_q] for books in ledger.books),
        engine.watch.calls.state(),
        [*engine.queues.state(), *engine.rounds.state()],
    ]
    waiting = _waiting(core)
    if ledger.collateral or waiting:
        state.append([ledger.collateral[key].state() for key in sorted(ledger.collateral)])
    if waiting:
        state.append(waiting)
    return state


def _waiting(core: RiskCore) -> list[Any]:
    """Numbers and best prices of trigger orders, whose terms stand with their traders, and when
    orders end."""
    if not core.triggers.numbers and not core.expiries.count:
        return []
    bests = [
        [trigger.order_id, trigger.best_ticks()]
        for listing in core.listings.values()
        if listing.triggers is not None
        for trigger in listing.triggers.active()
    ]
    return [core.triggers.numbers, bests, core.expiries.state()]


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
        listing.max_ticks,
        listing.index.state(),
        listing.mark.state(),
        listing.premium.state(),
        listing.stale,
        *_beyond(listing),
    ]


def _beyond(listing: Listing) -> list[Any]:
    """What only some rulebooks ask a contract to keep."""
    meter = [] if listing.meter is None else [listing.meter.state()]
    kept = listing.keeps_previous_mark or listing.rolled_ns
    if listing.others is None and not kept and not meter:
        return []
    others = listing.others.state() if listing.others is not None else []
    return [listing.previous_mark_ticks, others, listing.rolled_ns, *meter]


def _trader(trader: Trader) -> list[Any]:
    row = [
        trader.account_id,
        trader.hedge,
        sorted([key, value] for key, value in trader.leverage.items()),
        sorted([key, value] for key, value in trader.isolated.items()),
        [_order(order) for order in trader.open_orders()],
    ]
    if trader.triggers:
        row.append(
            [
                [encode(trigger.terms), trigger.number, trigger.fired_ticks]
                for trigger in trader.triggers.values()
            ]
        )
    return row


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
        order.changes,
        order.book_lots,
        order.uncovered,
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
        _realised(account.realised),
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
        position.reduce_buy_lots,
        position.reduce_sell_lots,
        position.buy_high_ticks,
        position.sell_low_ticks,
    ]


def _call(call: MarginCall | None) -> list[int] | None:
    if call is None:
        return None
    return [
        call.call_id,
        call.amount_q,
        call.issued_ns,
        call.deadline_ns,
        call.paid_q,
        call.reduced_q,
    ]


def _record(record: LiquidationRecord | None) -> list[Any] | None:
    if record is None:
        return None
    return [getattr(record, name) for name in _RECORD_FIELDS]


def restore_risk(state: list[Any], on_defect: OnDefect = unheard) -> RiskEngine:
    """A risk engine that goes on exactly as the one `risk_state` was taken from.

    What the state leaves out follows from it: holders and open interest from the positions, the
    price bands from the accounts at their marks.
    """
    engine = RiskEngine(on_defect)
    core = engine.core
    core.now_ns, core.next_call_id, core.next_liquidation_id, rulebook = state[:4]
    core.set_rulebook(rulebook_from_json(rulebook))
    for row in state[4]:
        asset = decode_command(row)
        assert isinstance(asset, AddAsset)
        core.add_asset(asset)
    for row in state[5]:
        _restore_listing(core, row)
    for account_id, hedge, leverage, isolated, *_ in state[6]:
        trader = core.ledger.traders.get(account_id) or core.ledger.add_trader(account_id)
        trader.hedge = hedge
        trader.leverage = dict(leverage)
        trader.isolated = dict(isolated)
    for row in state[7]:
        _restore_account(core, row)
    best_ticks: dict[int, int] = {}
    if len(state) > 12:
        core.triggers.numbers, bests, expiries = state[12]
        core.expiries.restore(expiries)
        best_ticks = dict(bests)
    for row in state[6]:
        _restore_orders(core, row)
        if len(row) > 5:
            _restore_triggers(core, row, best_ticks)
    for asset_id, deposited_q in state[8]:
        books = core.ledger.books_of(asset_id)
        books.deposited_q = deposited_q
        books.booked_q = deposited_q + core.ledger.residue_q(asset_id)
    engine.watch.calls.restore([(due_ns, call_id, key) for due_ns, call_id, key in state[9]])
    engine.queues.restore([row for row in state[10] if len(row) == _QUEUE_ROW])
    engine.rounds.restore([row for row in state[10] if len(row) != _QUEUE_ROW])
    for asset_id, _, price_ppb, samples in state[11] if len(state) > 11 else []:
        core.ledger.collateral[asset_id].index.restore(samples)
        core.ledger.collateral[asset_id].set_price(price_ppb)
    for account in core.ledger.accounts.values():
        evaluate(account)
        if account.liquidation is None and not account.trader.is_house():
            engine.watch.place_bands(account, widen=True)
    for account in core.ledger.accounts.values():
        if not account.isolated and account.liquidation is None:
            watch_cover(core, account)
    return engine


def _restore_listing(core: RiskCore, row: list[Any]) -> None:
    command = decode_command(row[0])
    assert isinstance(command, AddInstrument)
    decimals = core.assets[command.spec.settle_asset_id].decimals
    listing = Listing(command.spec, core.rulebook, decimals)
    (
        listing.mark_ticks,
        listing.index_ticks,
        listing.last_ticks,
        listing.bid_ticks,
        listing.ask_ticks,
        listing.mark_version,
        listing.funding_rate_ppb,
        listing.next_funding_ns,
        max_ticks,
    ) = row[1:10]
    listing.limit_prices(max_ticks)
    listing.index.restore(row[10])
    listing.mark.restore(row[11])
    listing.premium.restore(row[12])
    listing.stale = row[13]
    if len(row) > 14:
        listing.previous_mark_ticks = row[14]
        listing.rolled_ns = row[16]
        if listing.others is not None:
            listing.others.restore(row[15])
        if listing.meter is not None:
            listing.restore_meter(row[17])
    core.listings[listing.instrument_id] = listing


def _restore_account(core: RiskCore, row: list[Any]) -> None:
    margin_account_id, account_id, asset_id, isolated = row[:4]
    trader = core.ledger.traders[account_id]
    account = core.ledger.open_account(margin_account_id, trader, asset_id, isolated)
    account.wallet_q, account.held_q, account.level = row[4:7]
    account.call = None if row[7] is None else MarginCall(*row[7])
    account.liquidation = None if row[8] is None else _restored_record(row[8])
    if row[10] is not None:
        account.realised = RealisedGains(row[10][0])
        account.realised.present_q, account.realised.preceding_q = row[10][1:]
    for values in row[9]:
        listing = core.listings[values[0]]
        position = Position(account, listing, values[1], values[2])
        (
            position.qty_lots,
            position.entry_value_q,
            position.opened_ns,
            position.buy_lots,
            position.sell_lots,
            position.buy_value_q,
            position.sell_value_q,
            position.reduce_buy_lots,
            position.reduce_sell_lots,
            position.buy_high_ticks,
            position.sell_low_ticks,
        ) = values[3:]
        account.add_position(position)
        if position.qty_lots:
            listing.enter(position)
            listing.long_lots += max(0, position.qty_lots)
        listing.open_buy_lots += position.buy_lots


def _realised(gains: RealisedGains | None) -> list[int] | None:
    return None if gains is None else [gains.window, gains.present_q, gains.preceding_q]


def _restored_record(row: list[Any]) -> LiquidationRecord:
    record = LiquidationRecord(0, 0, 0, 0, 0)
    for name, value in zip(_RECORD_FIELDS, row, strict=True):
        setattr(record, name, value)
    return record


def _restore_triggers(core: RiskCore, row: list[Any], best_ticks: dict[int, int]) -> None:
    trader = core.ledger.traders[row[0]]
    for encoded, number, fired_ticks in row[5]:
        terms = decode_command(encoded)
        assert isinstance(terms, SubmitTrigger)
        trigger = Trigger(terms, trader, number)
        trigger.fired_ticks = fired_ticks
        core.triggers.remember(trigger)
        if not fired_ticks:
            listing = core.listings[terms.instrument_id]
            core.triggers.wait(trigger, listing, best_ticks.get(trigger.order_id, 0))


def _restore_orders(core: RiskCore, row: list[Any]) -> None:
    trader = core.ledger.traders[row[0]]
    for order_id, margin_account_id, instrument_id, leg, side, qty_lots, *rest in row[4]:
        remaining_lots, price_ticks, reduce_only, liquidation, *rest = rest
        changes, book_lots, uncovered, value_q, hold_q = rest
        position = core.ledger.accounts[margin_account_id].position(instrument_id, leg)
        assert position is not None, f"order {order_id} belongs to no position"
        order = OpenOrder(order_id, position, side, qty_lots, price_ticks, reduce_only, liquidation)
        order.remaining_lots = remaining_lots
        order.changes = changes
        order.book_lots = book_lots
        order.uncovered = uncovered
        order.value_q = value_q
        order.hold_q = hold_q
        core.orders.add(order)
        trader.remember_order(order)
