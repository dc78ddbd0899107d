"""Market data: depth, trades, tickers, marks, funding, open interest."""

from typing import Any, Final

from doors.exchange.contracts import Contract, share
from doors.exchange.decimals import fixed, money, rounded
from doors.history.candles import DAY_MINUTES, TRADES, Candle
from doors.history.records import PublicTrade
from doors.usdm.call import Call, ms
from doors.usdm.errors import VenueError, invalid
from engine.commands import BUY, SELL
from engine.units import HOUR_NS, MINUTE_NS

DEPTHS: Final[tuple[int, ...]] = (5, 10, 20, 50, 100, 500, 1000)
DAY_MS: Final[int] = 86_400_000
MINUTE_MS: Final[int] = 60_000
USUAL_INTERVAL_HOURS: Final[int] = 8
ADL_RISKS: Final[tuple[str, ...]] = ("low", "medium", "high")


async def depth(call: Call) -> Any:
    """The best levels; ``lastUpdateId`` counts with the stream."""
    contract = call.contract()
    limit = call.parameters.whole("limit", 500)
    if limit not in DEPTHS:
        raise invalid("limit")
    book = call.door.link.depth(contract.instrument_id)
    now_ms = call.now_ms()
    found: dict[str, Any] = {"lastUpdateId": 0, "E": now_ms, "T": now_ms, "bids": [], "asks": []}
    if book is not None:
        found["lastUpdateId"] = book.sequence
        for name, side in (("bids", BUY), ("asks", SELL)):
            levels = book.depth(side, limit)
            found[name] = [[contract.price(ticks), contract.qty(lots)] for ticks, lots in levels]
    return found


async def trades(call: Call) -> Any:
    """The last trades, oldest first."""
    contract = call.contract()
    found = _last_trades(call, contract)
    return [trade_row(contract, trade) for trade in found]


def trade_row(contract: Contract, trade: PublicTrade) -> dict[str, Any]:
    """One trade as REST shows it."""
    value_q = contract.value_q(trade.price_ticks, trade.qty_lots)
    return {
        "id": trade.trade_id,
        "price": contract.price(trade.price_ticks),
        "qty": contract.qty(trade.qty_lots),
        "quoteQty": contract.money(value_q),
        "time": ms(trade.time_ns),
        "isBuyerMaker": trade.taker_side == SELL,
    }


def _last_trades(call: Call, contract: Contract) -> list[PublicTrade]:
    limit = call.parameters.whole("limit", 500, 1, 1000)
    if call.parameters.has("fromId"):
        first = call.parameters.whole("fromId", 0)
        return call.door.file.trades(
            "instrument_id = ? AND trade_id >= ? ORDER BY trade_id LIMIT ?",
            (contract.instrument_id, first, limit),
        )
    kept = call.door.tape(contract.instrument_id).trades
    if len(kept) >= limit:
        return list(kept)[-limit:]
    found = call.door.file.trades(
        "instrument_id = ? ORDER BY trade_id DESC LIMIT ?", (contract.instrument_id, limit)
    )
    return found[::-1]


async def agg_trades(call: Call) -> Any:
    """Trades as the venue aggregates them; here each stands alone."""
    contract = call.contract()
    parameters = call.parameters
    if parameters.has("startTime") or parameters.has("endTime"):
        begin_ns, end_ns = time_span_ns(call)
        limit = parameters.whole("limit", 500, 1, 1000)
        found = call.door.file.trades(
            "instrument_id = ? AND time_ns BETWEEN ? AND ? ORDER BY trade_id LIMIT ?",
            (contract.instrument_id, begin_ns, end_ns, limit),
        )
    else:
        found = _last_trades(call, contract)
    return [
        {
            "a": trade.trade_id,
            "p": contract.price(trade.price_ticks),
            "q": contract.qty(trade.qty_lots),
            "nq": contract.qty(trade.qty_lots),
            "f": trade.trade_id,
            "l": trade.trade_id,
            "T": ms(trade.time_ns),
            "m": trade.taker_side == SELL,
        }
        for trade in found
    ]


def time_span_ns(call: Call) -> tuple[int, int]:
    """From ``startTime`` to the end of the millisecond ``endTime``, in nanoseconds; a side that was
    not sent is open.

    Raises:
        VenueError: the end is before the begin.
    """
    highest = 2**63 // 1_000_000 - 1  # rounded down
    begin = call.parameters.whole("startTime", 0, 0, highest)
    end = call.parameters.whole("endTime", highest, 0, highest)
    if end < begin:
        raise VenueError(-4023, "Start time is greater than end time.")
    return begin * 1_000_000, end * 1_000_000 + 999_999


async def premium_index(call: Call) -> Any:
    """Mark, index and the funding to come."""
    return _one_or_all(call, premium_row)


def premium_row(call: Call, contract: Contract) -> dict[str, Any]:
    """Mark, index and funding of a contract."""
    tape = call.door.tape(contract.instrument_id)
    report = call.door.listed.reports[contract.instrument_id]
    rules = call.door.listed.rulebook
    return {
        "symbol": contract.symbol,
        "markPrice": contract.price(tape.mark_ticks),
        "indexPrice": contract.price(tape.index_ticks),
        "estimatedSettlePrice": contract.price(tape.index_ticks),
        "lastFundingRate": share(report.funding_ppb),
        "interestRate": share(rules.funding.interest_ppb if rules else 0),
        "nextFundingTime": ms(report.funding_ns),
        "time": ms(tape.time_ns) or call.now_ms(),
    }


def _one_or_all(call: Call, row: Any) -> Any:
    if call.parameters.has("symbol"):
        return row(call, call.contract())
    return [row(call, contract) for contract in call.door.listed]


async def funding_rate(call: Call) -> Any:
    """Settlements of funding, oldest first."""
    limit = call.parameters.whole("limit", 100, 1, 1000)
    begin_ns, end_ns = time_span_ns(call)
    ids = [contract.instrument_id for contract in call.contracts()]
    marks = ", ".join("?" * len(ids))
    found = call.door.file.rows(
        f"SELECT instrument_id, time_ns, rate_ppb, mark_ticks FROM funding "
        f"WHERE instrument_id IN ({marks}) AND time_ns BETWEEN ? AND ? "
        "ORDER BY time_ns DESC LIMIT ?",
        (*ids, begin_ns, end_ns, limit),
    )
    rows: list[dict[str, Any]] = []
    for instrument_id, time_ns, rate_ppb, mark_ticks in reversed(found):
        contract = call.door.listed.by_id[instrument_id]
        rows.append(
            {
                "symbol": contract.symbol,
                "fundingTime": ms(time_ns),
                "fundingRate": share(rate_ppb),
                "markPrice": contract.price(mark_ticks),
            }
        )
    return rows


async def funding_info(call: Call) -> Any:
    """Bounds of the rate and the interval."""
    rules = call.door.listed.rulebook
    cap_ppb = rules.funding.cap_ppb if rules else 0
    interval_ns = rules.funding.interval_ns if rules else 0
    hours = max(1, interval_ns // HOUR_NS) if interval_ns else USUAL_INTERVAL_HOURS
    return [
        {
            "symbol": contract.symbol,
            "adjustedFundingRateCap": share(cap_ppb),
            "adjustedFundingRateFloor": share(-cap_ppb),
            "fundingIntervalHours": hours,
            "disclaimer": False,
            "updateTime": call.now_ms(),
        }
        for contract in call.door.listed
    ]


async def open_interest(call: Call) -> Any:
    """Open interest of one side."""
    contract = call.contract()
    lots = call.door.tape(contract.instrument_id).open_interest_lots
    return {
        "symbol": contract.symbol,
        "openInterest": contract.qty(lots),
        "time": call.now_ms(),
    }


async def book_ticker(call: Call) -> Any:
    """The best bid and ask."""
    return _one_or_all(call, book_row)


def book_row(call: Call, contract: Contract) -> dict[str, Any]:
    """The best bid and ask of a contract."""
    book = call.door.link.depth(contract.instrument_id)
    bids = book.depth(BUY, 1) if book is not None else []
    asks = book.depth(SELL, 1) if book is not None else []
    bid, ask = (bids or [(0, 0)])[0], (asks or [(0, 0)])[0]
    return {
        "symbol": contract.symbol,
        "bidPrice": contract.price(bid[0]),
        "bidQty": contract.qty(bid[1]),
        "askPrice": contract.price(ask[0]),
        "askQty": contract.qty(ask[1]),
        "time": call.now_ms(),
        "lastUpdateId": 0 if book is None else book.sequence,
    }


async def price_ticker(call: Call) -> Any:
    """The last price."""
    return _one_or_all(call, _price_row)


def _price_row(call: Call, contract: Contract) -> dict[str, Any]:
    tape = call.door.tape(contract.instrument_id)
    return {
        "symbol": contract.symbol,
        "price": contract.price(tape.last_ticks or tape.mark_ticks),
        "time": call.now_ms(),
    }


async def day_ticker(call: Call) -> Any:
    """The last 24 hours."""
    return _one_or_all(call, day_row)


def day_row(call: Call, contract: Contract) -> dict[str, Any]:
    """The last 24 hours of a contract, to the minute."""
    door = call.door
    instrument_id = contract.instrument_id
    now_ms = call.now_ms()
    last_minute = door.clock() // MINUTE_NS
    minutes = door.candles.minutes(TRADES, instrument_id, last_minute - DAY_MINUTES, last_minute)
    tape = door.tape(instrument_id)
    price = tape.last_ticks or tape.mark_ticks
    day = Candle(last_minute, price, price, price, price)
    if minutes:
        day = Candle(*(minutes[0].minute, minutes[0].open, 0, minutes[0].low, 0))
        for minute in minutes:
            day.add(minute)
    last = tape.trades[-1] if tape.trades else None
    last_id = last.trade_id if last else 0
    change = day.close - day.open
    return {
        "symbol": contract.symbol,
        "priceChange": contract.price(change),
        "priceChangePercent": _percent(change, day.open),
        "weightedAvgPrice": contract.average(day.value, day.lots),
        "lastPrice": contract.price(day.close),
        "lastQty": contract.qty(last.qty_lots if last else 0),
        "openPrice": contract.price(day.open),
        "highPrice": contract.price(day.high),
        "lowPrice": contract.price(day.low),
        "volume": contract.qty(day.lots),
        "quoteVolume": contract.money(day.value * contract.spec.unit_q),
        "openTime": now_ms - DAY_MS,
        "closeTime": now_ms,
        "firstId": max(0, last_id - day.trades + 1) if last_id else 0,
        "lastId": last_id,
        "count": day.trades,
    }


def _percent(change: int, before: int) -> str:
    """A change in percent, to the nearest thousandth."""
    return fixed(rounded(change * 100_000, before), 3) if before else "0.000"


async def insurance_balance(call: Call) -> Any:
    """The insurance fund, truly."""
    market = call.door.listed.market
    now_ms = call.now_ms()
    symbols = [contract.symbol for contract in call.door.listed]
    assets = [
        {
            "asset": one.spec.symbol,
            "marginBalance": money(one.fund_q, one.spec.decimals),
            "updateTime": now_ms,
        }
        for one in (market.assets if market else [])
    ]
    return {"symbols": symbols, "assets": assets}


async def adl_risk(call: Call) -> Any:
    """How likely a deleveraging is: high while the insurance fund has nothing left."""
    return _one_or_all(call, _risk_row)


def _risk_row(call: Call, contract: Contract) -> dict[str, Any]:
    market = call.door.listed.market
    funds = [
        one.fund_q
        for one in (market.assets if market else [])
        if one.spec.asset_id == contract.asset.asset_id
    ]
    risk = ADL_RISKS[0] if funds and funds[0] > 0 else ADL_RISKS[-1]
    return {"symbol": contract.symbol, "adlRisk": risk, "updateTime": call.now_ms()}
