"""The parts of the page as plain values: one section for each panel.

A pure function of what is known. Money, prices and sizes are texts as the terminal shows them; only
what is drawn is a number.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from dashboard.board import Board
from dashboard.losses import Losses
from engine.commands import BUY, SELL
from engine.events import AccountReport, MarginAccountReport, PositionReport
from engine.units import SECOND_NS
from matching.market_data import DepthBook
from risk.accounts import owner_of, pot_of
from seawall.terminal.watch_frame import ACCOUNT_HEADS, View, account_cells
from seawall.terminal.watch_lines import BAD, GOOD, WARN
from seawall.terminal.watch_tape import tape_line
from seawall.terminal.watch_units import Units, clock, duration, percent, printable

BOOK_ROWS: Final[int] = 14
TRADE_ROWS: Final[int] = 40
TAPE_ROWS: Final[int] = 80
CALL_ROWS: Final[int] = 40

Sections = dict[str, Any]


def sections(view: View, account: AccountReport | None) -> Sections:
    """Every section; ``account`` is the one whose prices are drawn."""
    board = view.model
    assert isinstance(board, Board), "a page shows a board"
    units = Units(board.market)
    return {
        "head": _head(view, board, units),
        "prices": _prices(view, units),
        "book": _book(view.book, view.instrument_id, units),
        "trades": _trades(view, units),
        "accounts": _accounts(view, units),
        "account": _account(account, view.instrument_id, units),
        "calls": _calls(board, view.now_ns, units),
        "tape": [
            [[text, style] for text, style in tape_line(entry, units)]
            for entry in list(reversed(board.tape))[:TAPE_ROWS]
        ],
        "counts": _counts(board),
        "stages": _stages(board.losses),
        "losses": _losses(board.losses, units),
        "funds": [units.money(asset_id, q) for asset_id, q in sorted(board.funds_q.items())],
    }


def _head(view: View, board: Board, units: Units) -> Sections:
    status, market = view.status, view.model.market
    return {
        "trouble": status.trouble or status.denied or view.missing,
        "address": status.address,
        "rulebook": "" if market is None else printable(market.rulebook),
        "reconnects": status.reconnects,
        "lost": status.lost_deliveries,
        "gaps": status.depth_gaps,
        "instrument": view.instrument_id,
        "instruments": [[key, units.symbol(key)] for key in sorted(view.model.instruments)],
        "candle_seconds": board.scale.candle_ns // SECOND_NS,
    }


def _prices(view: View, units: Units) -> Sections:
    key = view.instrument_id
    row = None if key is None else view.model.instruments.get(key)
    if key is None or row is None:
        return {}
    funding = "none"
    if row.funding_ns:
        left = duration(row.funding_ns - view.now_ns) if view.now_ns else ""
        funding = f"{percent(row.funding_ppb, 4)} in {left}"
    return {
        "mark": units.price(key, row.mark_ticks),
        "index": units.price(key, row.index_ticks),
        "last": units.price(key, row.last_ticks),
        "funding": funding,
        "open_interest": units.quantity(key, row.open_interest_lots),
        "time": clock(view.now_ns) if view.now_ns else "",
        "mark_line": _number(key, row.mark_ticks, units),
        "index_line": _number(key, row.index_ticks, units),
    }


def _book(book: DepthBook | None, key: int | None, units: Units) -> Sections:
    if book is None or key is None:
        return {}
    sides = {"bids": book.depth(BUY, BOOK_ROWS), "asks": book.depth(SELL, BOOK_ROWS)}
    most = max((sum(lots for _, lots in levels) for levels in sides.values()), default=0)
    found: Sections = {name: _ladder(levels, key, most, units) for name, levels in sides.items()}
    bid, ask = book.best_bid_ticks(), book.best_ask_ticks()
    found["spread"] = units.price_step(key, ask - bid) if bid and ask else "one side is empty"
    return found


def _ladder(
    levels: Sequence[tuple[int, int]], key: int, most: int, units: Units
) -> list[list[Any]]:
    """Price, size, size up to there, and that as a share of the larger side in per cent."""
    total = 0
    rows: list[list[Any]] = []
    for price, lots in levels:
        total += lots
        row = [units.price(key, price), units.quantity(key, lots), units.quantity(key, total)]
        rows.append([*row, round(100 * total / most)])
    return rows


def _trades(view: View, units: Units) -> list[list[Any]]:
    key = view.instrument_id
    if key is None:
        return []
    return [
        [
            clock(trade.time_ns),
            units.price(key, trade.price_ticks),
            units.quantity(key, trade.qty_lots),
            GOOD if trade.taker_side == BUY else BAD,
            trade.liquidation,
        ]
        for trade in list(reversed(view.model.trades.get(key, ())))[:TRADE_ROWS]
    ]


def _accounts(view: View, units: Units) -> Sections:
    model = view.model
    return {
        "heads": ACCOUNT_HEADS,
        "rows": [
            [
                owner_of(row.margin_account_id),
                [
                    [text, style]
                    for text, style in account_cells(row, model.market, view.now_ns, units)
                ],
            ]
            for row in model.nearest(view.accounts)
        ],
        "all": model.accounts_at_risk,
    }


def _account(report: AccountReport | None, key: int | None, units: Units) -> Sections:
    """One account: its pots, its positions, and where those in this instrument are liquidated and
    where bankrupt."""
    if report is None:
        return {}
    positions = [each for pot in report.margin_accounts for each in pot.positions]
    lines = [
        line
        for each in positions
        if key is not None and each.instrument_id == key
        for line in _lines_of(each, key, units)
    ]
    return {
        "id": report.account_id,
        "lines": lines,
        "pots": [_pot(each, units) for each in report.margin_accounts],
        "positions": [_position(each, units) for each in positions],
        "orders": len(report.open_order_ids),
    }


def _pot(pot: MarginAccountReport, units: Units) -> list[str]:
    figures = (pot.wallet_q, pot.equity_q, pot.initial_q, pot.maintenance_q, pot.free_q)
    name = units.money(pot.asset_id, 0).partition(" ")[2]
    _, instrument_id = pot_of(pot.margin_account_id)
    if instrument_id >= 0:
        name = f"{name}, {units.symbol(instrument_id)}"
    return [name, pot.level_name, *(units.amount(pot.asset_id, amount_q) for amount_q in figures)]


def _position(position: PositionReport, units: Units) -> list[str]:
    key = position.instrument_id
    asset_id = units.settle_asset(key)
    return [
        units.symbol(key),
        units.quantity(key, position.qty_lots),
        f"{position.leverage} x",
        units.money(asset_id, position.unrealised_q, signed=True),
        units.price(key, position.liquidation_ticks),
        units.price(key, position.bankruptcy_ticks),
        str(position.adl_rank or ""),
    ]


def _lines_of(position: PositionReport, key: int, units: Units) -> list[list[Any]]:
    side = "long" if position.qty_lots > 0 else "short"
    prices = (
        ("liquidation", position.liquidation_ticks),
        ("bankruptcy", position.bankruptcy_ticks),
    )
    return [[name, side, _number(key, ticks, units)] for name, ticks in prices if ticks > 0]


def _calls(board: Board, now_ns: int, units: Units) -> list[list[Any]]:
    """Open calls, the next deadline first: account, amount, time left, and whether it is short."""
    calls = sorted(
        board.losses.calls.values(), key=lambda call: (call.deadline_ns < 0, call.deadline_ns)
    )
    return [
        [
            owner_of(call.margin_account_id),
            units.money(units.asset_of_account(call.margin_account_id), call.amount_q),
            "no deadline" if call.deadline_ns < 0 else duration(call.deadline_ns - now_ns),
            WARN,
        ]
        for call in calls[:CALL_ROWS]
    ]


def _counts(board: Board) -> list[list[Any]]:
    counts = board.counts
    return [
        ["calls issued", counts["MarginCallIssued"]],
        ["cured", counts["cured"]],
        ["expired", counts["expired"]],
        ["overtaken", counts["overtaken"]],
        ["liquidations", counts["LiquidationStarted"]],
        ["ended", counts["LiquidationEnded"]],
        ["takeovers", counts["TakenOver"]],
        ["ADL fills", counts["Deleveraged"]],
        ["losses socialised", counts["LossSocialised"]],
    ]


def _stages(losses: Losses) -> list[list[Any]]:
    """Each stage of the waterfall: liquidations in it now, and how often it was entered."""
    now: dict[str, int] = {}
    for stage in losses.running.values():
        now[stage] = now.get(stage, 0) + 1
    names = dict.fromkeys([*losses.stages, *now])
    return [[printable(name), now.get(name, 0), losses.stages[name]] for name in names]


def _losses(losses: Losses, units: Units) -> list[Sections]:
    """By asset: what liquidations took, what was missing by stage, and who paid it."""
    found = []
    for asset_id in sorted({*losses.taken_q, *losses.deficits_q, *losses.borne_q}):
        bars: list[tuple[str, int, str]] = []
        for name, amount_q in losses.taken_q.get(asset_id, Counter[str]()).items():
            bars.append((name, amount_q, "taken"))
        for stage, amount_q in losses.deficits_q.get(asset_id, Counter[str]()).items():
            bars.append((f"missing at {printable(stage)}", amount_q, "missing"))
        for who, amount_q in losses.borne_q.get(asset_id, Counter[str]()).items():
            bars.append((who, amount_q, "borne"))
        found.append(
            {
                "asset": units.money(asset_id, 0).partition(" ")[2],
                "bars": [
                    [name, units.drawn_amount(asset_id, q), units.money(asset_id, q), kind]
                    for name, q, kind in bars
                    if q
                ],
            }
        )
    return found


def _number(key: int, ticks: int, units: Units) -> float | None:
    """A price to be drawn; None where there is none."""
    return units.drawn_price(key, ticks) if ticks > 0 else None
