"""Candles of trades, mark, index and premium."""

from typing import Any, Final

from doors.exchange.contracts import Contract
from doors.exchange.decimals import fixed, rounded
from doors.history.candles import INDEX, INTERVALS, MARK, MOST_CANDLES, TRADES, Candle
from doors.usdm.call import Call
from doors.usdm.errors import VenueError
from engine.units import MINUTE_NS

MINUTE_MS: Final[int] = 60_000
FURTHEST_MS: Final[int] = 2**53
PREMIUM_DECIMALS: Final[int] = 8


async def klines(call: Call) -> Any:
    """Candles of trades."""
    return _rows(call, TRADES, call.contract())


async def continuous_klines(call: Call) -> Any:
    """The same by the pair; there are perpetual contracts only."""
    contract = call.door.contract(call.parameters.required("pair"))
    call.parameters.one_of("contractType", ("PERPETUAL",), "PERPETUAL")
    return _rows(call, TRADES, contract)


async def mark_klines(call: Call) -> Any:
    """Candles of the mark."""
    return _rows(call, MARK, call.contract())


async def index_klines(call: Call) -> Any:
    """Candles of the index, by the pair."""
    return _rows(call, INDEX, call.door.contract(call.parameters.required("pair")))


async def premium_klines(call: Call) -> Any:
    """How far the mark was from the index, as a share of it, at open and close."""
    contract = call.contract()
    length, marks = _found(call, MARK, contract)
    _, indices = _found(call, INDEX, contract)
    by_minute = {one.minute: one for one in indices}
    rows: list[list[Any]] = []
    for mark in marks:
        index = by_minute.get(mark.minute)
        if index is not None:
            premia = [_premium(mark.open, index.open), _premium(mark.close, index.close)]
            shown = [premia[0], max(premia), min(premia), premia[1]]
            prices = [fixed(one, PREMIUM_DECIMALS) for one in shown]
            rows.append(_row(mark, length, prices, contract))
    return rows


def _premium(mark: int, index: int) -> int:
    """A premium in units of `PREMIUM_DECIMALS`, to the nearest."""
    return rounded((mark - index) * 10**PREMIUM_DECIMALS, index) if index else 0


def interval_minutes(call: Call) -> int:
    """The length that was asked for.

    Raises:
        VenueError: there is no such length.
    """
    name = call.parameters.required("interval")
    length = INTERVALS.get(name)
    if length is None:
        raise VenueError(-1120, "Invalid interval.")
    return length


def _found(call: Call, series: str, contract: Contract) -> tuple[int, list[Candle]]:
    parameters = call.parameters
    length = interval_minutes(call)
    limit = parameters.whole("limit", 500, 1, MOST_CANDLES)
    now = call.door.clock() // MINUTE_NS
    begin_ms = parameters.whole("startTime", -1, 0, FURTHEST_MS)
    end_ms = parameters.whole("endTime", FURTHEST_MS, 0, FURTHEST_MS)
    last = min(now, end_ms // MINUTE_MS)
    if begin_ms < 0:
        first = 0
    else:
        first = -(-begin_ms // MINUTE_MS)  # the first that begins at or after it
        # With a begin it is the first candles that are wanted, without one the last.
        last = min(last, first + limit * length - 1)
    found = call.door.candles.of_length(series, contract.instrument_id, length, first, last, limit)
    return length, found


def _rows(call: Call, series: str, contract: Contract) -> list[list[Any]]:
    length, found = _found(call, series, contract)
    return [
        _row(
            one,
            length,
            [contract.price(ticks) for ticks in (one.open, one.high, one.low, one.close)],
            contract,
        )
        for one in found
    ]


def _row(one: Candle, length: int, prices: list[str], contract: Contract) -> list[Any]:
    begin_ms = one.minute * MINUTE_MS
    unit_q = contract.spec.unit_q
    return [
        begin_ms,
        *prices,
        contract.qty(one.lots),
        begin_ms + length * MINUTE_MS - 1,
        contract.money(one.value * unit_q),
        one.trades,
        contract.qty(one.taker_lots),
        contract.money(one.taker_value * unit_q),
        "0",
    ]
