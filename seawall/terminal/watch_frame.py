"""One frame of `seawall watch`: header, order book, accounts and tape as lines of text.

A pure function of what is known, so that a terminal, a pipe and a test get the same lines.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from engine.commands import BUY, SELL
from engine.events import AccountRisk, InstrumentReport, MarketReport
from engine.units import PPB, scale_up
from matching.market_data import DepthBook
from risk.accounts import owner_of
from seawall.terminal.watch_lines import (
    ALARM,
    BAD,
    BOLD,
    DIM,
    GOOD,
    LEFT,
    PLAIN,
    RIGHT,
    WARN,
    Line,
    Span,
    banded,
    beside,
    columns,
    folded,
    line,
    width_of,
)
from seawall.terminal.watch_model import WatchModel
from seawall.terminal.watch_tape import tape_line
from seawall.terminal.watch_units import Units, clock, duration, multiple, percent, printable

FREE_BOOK_ROWS: Final[int] = 10
FREE_TAPE_ROWS: Final[int] = 30
"""Rows where nothing limits the height."""

FAR: Final[int] = 100
"""From here on a ratio or distance is no longer told in figures."""

LEAST_ROWS: Final[int] = 3
FIXED_ROWS: Final[int] = 11
"""Header, titles, column heads and the blank lines between the parts."""

ACCOUNT_HEADS: Final[tuple[str, ...]] = (
    "account",
    "level",
    "ratio",
    "equity",
    "next level",
    "call or stage",
    "liq. price",
    "distance",
    "maintenance",
    "position",
)
ACCOUNT_SIDES: Final[str] = "<<>>><>>>>"
"""The first columns are what a narrow terminal still shows."""


class Status(msgspec.Struct):
    """The connection: ``trouble`` is empty while the gateway answers."""

    address: str = ""
    trouble: str = ""
    reconnects: int = 0
    lost_deliveries: int = 0
    depth_gaps: int = 0
    denied: str = ""


class View(msgspec.Struct):
    """Everything a frame shows. ``now_ns`` is the exchange's time; ``missing`` says that the
    instrument asked for is not listed."""

    model: WatchModel
    status: Status
    instrument_id: int | None = None
    book: DepthBook | None = None
    now_ns: int = 0
    accounts: int = 10
    missing: str = ""
    hint: str = ""


def frame(view: View, height: int | None = None, width: int | None = None) -> list[Line]:
    """The lines of a frame, at most ``height`` of them; what is beyond ``width`` goes on below."""
    units = Units(view.model.market)
    book_rows, account_rows, tape_rows = _shares(view, height)
    lines = [
        *_header(view, units),
        [],
        *_book(view, units, book_rows, width, whole=height is None),
        [],
        *_accounts(view, units, account_rows, width, whole=height is None),
        [],
        *_tape(view, units, tape_rows),
    ]
    if width is not None:
        lines = [part for spans in lines for part in folded(spans, width)]
    return lines if height is None else lines[:height]


def _shares(view: View, height: int | None) -> tuple[int, int, int]:
    """Rows for book, accounts and tape: book and accounts a third each, the tape the rest.

    Shares are rounded down.
    """
    if height is None:
        return _filled_rows(view), view.accounts, FREE_TAPE_ROWS
    free = max(0, height - FIXED_ROWS)
    book = max(LEAST_ROWS, min(FREE_BOOK_ROWS, free // 3))
    known = len(view.model.nearest(view.accounts))
    accounts = max(LEAST_ROWS, min(known, (free - book) // 2))
    return book, accounts, max(LEAST_ROWS, free - book - accounts)


def _filled_rows(view: View) -> int:
    """Rows the book and its trades fill, at most `FREE_BOOK_ROWS`."""
    book, key = view.book, view.instrument_id
    if book is None or key is None:
        return 0
    levels = [len(book.depth(side, FREE_BOOK_ROWS)) for side in (BUY, SELL)]
    return min(FREE_BOOK_ROWS, max(*levels, len(view.model.trades.get(key, ()))))


# header


def _header(view: View, units: Units) -> list[Line]:
    status = view.status
    market = view.model.market
    connection: list[Span] = [("seawall watch  ", BOLD), (f"{status.address}  ", DIM)]
    connection.append((status.trouble, ALARM) if status.trouble else ("connected", GOOD))
    connection.append((f"  {clock(view.now_ns)} UTC" if view.now_ns else "", PLAIN))
    for name, count in (
        ("reconnects", status.reconnects),
        ("lost", status.lost_deliveries),
        ("gaps", status.depth_gaps),
    ):
        connection.append((f"  {name} {count}", WARN if count else DIM))
    connection.append((f"  {view.hint}" if view.hint else "", DIM))
    if market is not None:
        connection.append((f"  rules {printable(market.rulebook)}", DIM))
    return [connection, _prices(view, units)]


def _prices(view: View, units: Units) -> Line:
    model = view.model
    if view.instrument_id is None or view.instrument_id not in model.instruments:
        none = model.market is not None and not model.instruments
        return line(view.missing or ("no instrument is listed yet" if none else ""), WARN)
    key = view.instrument_id
    row = model.instruments[key]
    return [
        (units.symbol(key), BOLD),
        ("  mark ", DIM),
        (units.price(key, row.mark_ticks), BOLD),
        ("  index ", DIM),
        (units.price(key, row.index_ticks), PLAIN),
        ("  last ", DIM),
        (units.price(key, row.last_ticks), PLAIN),
        ("  funding ", DIM),
        (_funding(row, view.now_ns), PLAIN),
        ("  open interest ", DIM),
        (units.quantity(key, row.open_interest_lots), PLAIN),
    ]


def _funding(row: InstrumentReport, now_ns: int) -> str:
    if not row.funding_ns:
        return "none"
    return f"{percent(row.funding_ppb, 4)} in {duration(row.funding_ns - now_ns)}"


# order book


def _book(view: View, units: Units, rows: int, width: int | None, *, whole: bool) -> list[Line]:
    if view.instrument_id is None:
        return [line("ORDER BOOK", BOLD)]
    key = view.instrument_id
    if view.book is None:
        return [line(f"ORDER BOOK {units.symbol(key)}", BOLD), line("waiting for the depth", WARN)]
    bids = view.book.depth(BUY, rows)
    asks = view.book.depth(SELL, rows)
    ladder = columns(
        [
            [
                ("total", DIM),
                ("size", DIM),
                ("bid", DIM),
                ("ask", DIM),
                ("size", DIM),
                ("total", DIM),
            ],
            *_ladder(bids, asks, rows, key, units),
        ],
        RIGHT * 3 + LEFT + RIGHT * 2,
    )
    title = [("ORDER BOOK  ", BOLD), *_spread(bids, asks, key, units)]
    trades = _trades(view, units, rows)
    both = beside(ladder, trades)
    if width is None or max(map(width_of, both)) <= width:
        return [title, *both]
    if whole:
        return [title, *ladder, *trades]
    # One below the other, half the rows each; the book's is the odd one.
    return [title, *ladder[: 1 + (rows + 1) // 2], *trades[: 1 + rows // 2]]


def _ladder(
    bids: Sequence[tuple[int, int]],
    asks: Sequence[tuple[int, int]],
    rows: int,
    key: int,
    units: Units,
) -> list[list[Span]]:
    """Bids to the left, asks to the right, best first, each with the size up to its price."""
    found: list[list[Span]] = []
    bid_total = ask_total = 0
    for row in range(rows):
        cells: list[Span] = [("", PLAIN)] * 6
        if row < len(bids):
            price, lots = bids[row]
            bid_total += lots
            cells[:3] = [
                (units.quantity(key, bid_total), DIM),
                (units.quantity(key, lots), PLAIN),
                (units.price(key, price), GOOD),
            ]
        if row < len(asks):
            price, lots = asks[row]
            ask_total += lots
            cells[3:] = [
                (units.price(key, price), BAD),
                (units.quantity(key, lots), PLAIN),
                (units.quantity(key, ask_total), DIM),
            ]
        found.append(cells)
    return found


def _spread(
    bids: Sequence[tuple[int, int]], asks: Sequence[tuple[int, int]], key: int, units: Units
) -> Line:
    if not bids or not asks:
        return line("empty" if not bids and not asks else "one side is empty", WARN)
    bid, ask = bids[0][0], asks[0][0]
    # Share of the bid, rounded down.
    share = percent((ask - bid) * PPB // bid, 3)
    return [
        ("best ", DIM),
        (units.price(key, bid), GOOD),
        (" / ", DIM),
        (units.price(key, ask), BAD),
        ("  spread ", DIM),
        (f"{units.price_step(key, ask - bid)} ({share})", PLAIN),
    ]


def _trades(view: View, units: Units, rows: int) -> list[Line]:
    key = view.instrument_id
    assert key is not None, "trades are shown beside a book"
    cells: list[list[Span]] = [[("trades", DIM), ("price", DIM), ("size", DIM), ("", DIM)]]
    for trade in list(reversed(view.model.trades.get(key, ())))[:rows]:
        style = GOOD if trade.taker_side == BUY else BAD
        cells.append(
            [
                (clock(trade.time_ns), DIM),
                (units.price(key, trade.price_ticks), style),
                (units.quantity(key, trade.qty_lots), PLAIN),
                ("liquidation" if trade.liquidation else "", WARN),
            ]
        )
    return columns(cells, LEFT + RIGHT * 2 + LEFT)


# accounts


def _accounts(view: View, units: Units, rows: int, width: int | None, *, whole: bool) -> list[Line]:
    model = view.model
    title: Line = [("ACCOUNTS NEAREST TO LIQUIDATION", BOLD)]
    if view.status.denied:
        return [[*title, (f"  {view.status.denied}", WARN)]]
    nearest = model.nearest(min(rows, view.accounts))
    cells = [[(head, DIM) for head in ACCOUNT_HEADS]]
    cells += [account_cells(row, model.market, view.now_ns, units) for row in nearest]
    table = banded(cells, ACCOUNT_SIDES, width)
    if not whole:
        # Behind the heads; a row of several lines takes the place of others.
        table = table[: 1 + max(1, rows // len(table[0]))]
    title.append((f"  {len(table) - 1} of {model.accounts_at_risk} with positions", DIM))
    return [title, *(spans for lines in table for spans in lines)]


def account_cells(
    row: AccountRisk, market: MarketReport | None, now_ns: int, units: Units
) -> list[Span]:
    """An account under `ACCOUNT_HEADS`, each cell with its style."""
    levels = [] if market is None else market.levels
    style = _style_of(row, len(levels))
    name = f"{owner_of(row.margin_account_id)}{' isolated' if row.isolated else ''}"
    key = row.instrument_id
    position = "" if key < 0 else f"{units.quantity(key, row.qty_lots)} {units.symbol(key)}"
    far = row.distance_ppb >= FAR * PPB
    distance = "" if row.distance_ppb < 0 else "far" if far else percent(row.distance_ppb)
    return [
        (name, BOLD),
        (printable(row.level_name), style),
        ("-" if row.ratio_ppb >= FAR * PPB else multiple(row.ratio_ppb), style),
        (units.money(row.asset_id, row.equity_q), PLAIN),
        (_next_level(row, levels, units), style),
        (_state(row, now_ns, units), style),
        (units.price(key, row.liquidation_ticks), PLAIN),
        (distance, PLAIN),
        (units.amount(row.asset_id, row.maintenance_q), DIM),
        (position, PLAIN),
    ]


def _style_of(row: AccountRisk, levels: int) -> str:
    if row.liquidation_id or (row.level and row.level >= levels):
        return BAD
    return WARN if row.level or row.call_id else PLAIN


def _next_level(row: AccountRisk, levels: Sequence[tuple[str, int]], units: Units) -> str:
    """The equity left until the next worse level, rounded down, and its name."""
    if row.level >= len(levels):
        return ""
    name, factor_ppb = levels[row.level]
    room_q = row.equity_q - scale_up(row.maintenance_q, factor_ppb, PPB)
    return f"{units.amount(row.asset_id, room_q)} to {printable(name)}"


def _state(row: AccountRisk, now_ns: int, units: Units) -> str:
    """Stage of its liquidation, else its open call with the time left."""
    if row.liquidation_id:
        stage = f", {printable(row.stage)}" if row.stage else ""
        return f"liquidation {row.liquidation_id}{stage}"
    if not row.call_id:
        return ""
    wanted = units.money(row.asset_id, row.call_amount_q)
    left = "no deadline" if row.deadline_ns < 0 else f"{duration(row.deadline_ns - now_ns)} left"
    return f"call {row.call_id}: {wanted}, {left}"


# tape


def _tape(view: View, units: Units, rows: int) -> list[Line]:
    model = view.model
    counts = model.counts
    title: Line = [
        ("LIQUIDATION TAPE", BOLD),
        (
            f"  calls {counts['MarginCallIssued']} issued, {counts['cured']} cured, "
            f"{counts['expired']} expired, {counts['overtaken']} overtaken;"
            f"  liquidations {counts['LiquidationStarted']} started, "
            f"{counts['LiquidationEnded']} ended;"
            f"  takeovers {counts['TakenOver']}, ADL {counts['Deleveraged']}",
            DIM,
        ),
    ]
    funds: Line = [("fund ", DIM), (_amounts(model.funds_q, units) or "unknown", PLAIN)]
    debt = {asset_id: amount_q for asset_id, amount_q in model.bad_debt_q.items() if amount_q}
    funds += [
        ("  bad debt since the watch began ", DIM),
        (_amounts(debt, units) or "none", ALARM if debt else PLAIN),
    ]
    entries = list(reversed(model.tape))[:rows]
    return [title, funds, *(tape_line(entry, units) for entry in entries)]


def _amounts(amounts_q: dict[int, int], units: Units) -> str:
    return ", ".join(units.money(key, amounts_q[key]) for key in sorted(amounts_q))
