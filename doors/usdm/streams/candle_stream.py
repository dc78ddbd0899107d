"""Candles as they form: the part that is over is put together once a minute."""

from typing import Any, Final

import msgspec

from doors.exchange.contracts import Contract
from doors.history.candles import TRADES, Candle, Candles, begin_of

MINUTE_MS: Final[int] = 60_000


class FormingCandle:
    """The current candle of a contract and a length, from the minute it was asked for on, and
    whether it was told as it is."""

    def __init__(
        self, candles: Candles, contract: Contract, interval: str, length: int, now_minute: int
    ) -> None:
        self._candles = candles
        self._contract = contract
        self._interval = interval
        self._length = length
        self._begin = begin_of(now_minute, length)
        self._told: Candle | None = None
        # What of it is over, and the first minute that is not in that.
        self._over: Candle | None = None
        self._next = self._begin

    def take(self, now_minute: int, last_trade_id: int) -> list[dict[str, Any]]:
        """The candles to tell of now: the last one as it ended, the current one if it changed."""
        begin = begin_of(now_minute, self._length)
        found: list[dict[str, Any]] = []
        if self._begin != begin:
            ended = self._candle(self._begin, begin)
            if ended is not None:
                found.append(self._shown(ended, last_trade_id, over=True))
            self._begin, self._told, self._over, self._next = begin, None, None, begin
        current = self._candle(begin, now_minute)
        if current is not None and current != self._told:
            self._told = current
            found.append(self._shown(current, last_trade_id, over=False))
        return found

    def _candle(self, begin: int, now_minute: int) -> Candle | None:
        end = min(now_minute, begin + self._length - 1)
        minutes = self._candles.minutes(TRADES, self._contract.instrument_id, self._next, end)
        for minute in minutes:
            if minute.minute < now_minute:
                self._over = _added(self._over, minute, begin)
        self._next = max(self._next, min(now_minute, begin + self._length))
        if minutes and minutes[-1].minute == now_minute:
            return _added(self._over, minutes[-1], begin)
        return None if self._over is None else msgspec.structs.replace(self._over)

    def _shown(self, one: Candle, last_trade_id: int, *, over: bool) -> dict[str, Any]:
        contract = self._contract
        begin_ms = one.minute * MINUTE_MS
        unit_q = contract.spec.unit_q
        return {
            "t": begin_ms,
            "T": begin_ms + self._length * MINUTE_MS - 1,
            "s": contract.symbol,
            "i": self._interval,
            "f": max(0, last_trade_id - one.trades + 1),
            "L": last_trade_id,
            "o": contract.price(one.open),
            "c": contract.price(one.close),
            "h": contract.price(one.high),
            "l": contract.price(one.low),
            "v": contract.qty(one.lots),
            "n": one.trades,
            "x": over,
            "q": contract.money(one.value * unit_q),
            "V": contract.qty(one.taker_lots),
            "Q": contract.money(one.taker_value * unit_q),
            "B": "0",
        }


def _added(whole: Candle | None, minute: Candle, begin: int) -> Candle:
    """A candle with one minute more."""
    if whole is None:
        return msgspec.structs.replace(minute, minute=begin)
    found = msgspec.structs.replace(whole)
    found.add(minute)
    return found
