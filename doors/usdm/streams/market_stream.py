"""Market data to whoever listens: at once, or merged at the pace of the stream."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from doors.exchange.contracts import Contract
from doors.history.records import AlgoChange, Change, PublicTrade
from doors.usdm.call import Call, ms
from doors.usdm.door import Door
from doors.usdm.endpoints.market import day_row, premium_row
from doors.usdm.parameters import Parameters
from doors.usdm.streams.candle_stream import FormingCandle
from doors.usdm.streams.depth_stream import DepthDifferences, depth_event
from doors.usdm.streams.names import (
    AGG_TRADE,
    ALL,
    BOOK_TICKER,
    CONTINUOUS_KLINE,
    DEPTH,
    FORCE_ORDER,
    KLINE,
    LEVELS,
    MARK_PRICE,
    MINI_TICKER,
    TICKER,
    TRADE,
    Spec,
)
from doors.usdm.streams.subscribers import Hub, Topic, encode
from engine.commands import BUY, SELL
from engine.events import BookLevel, Event, Trade
from engine.units import MINUTE_NS

TICK_S: Final[float] = 0.05
TICK_MS: Final[int] = 50
_CANDLES: Final[tuple[str, ...]] = (KLINE, CONTINUOUS_KLINE)


class MarketStream:
    """Tells the hub's subscribers what happens in the market."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self.hub: Final = Hub(self._topic_changed)
        self._differences: dict[Spec, DepthDifferences] = {}
        self._diff_of: dict[int, dict[Spec, DepthDifferences]] = {}
        self._candles: dict[Spec, FormingCandle] = {}
        self._best: dict[int, tuple[Any, ...]] = {}
        self._touched: dict[int, None] = {}
        self._told_levels: dict[Spec, int] = {}
        self._ticks = 0
        self._call = Call(door, Parameters({}))

    async def run(self) -> None:
        """Send what is merged, until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            self._ticks += 1
            for topic in self.hub.all():
                spec = topic.spec
                if spec.every_ms and self._ticks * TICK_MS % spec.every_ms == 0:
                    self._tell_merged(topic)
            self._tell_differences()

    def _topic_changed(self, topic: Topic, begins: bool) -> None:
        spec = topic.spec
        if spec.kind in _CANDLES and begins:
            self._forming(spec)
        elif spec.kind == DEPTH and begins and spec not in self._differences:
            contract = self._door.listed.by_id[spec.instrument_id]
            book = self._door.link.depth(spec.instrument_id)
            differences = self._differences[spec] = DepthDifferences(contract, book)
            self._diff_of.setdefault(spec.instrument_id, {})[spec] = differences
        elif not begins and not any(
            one.spec == spec for one in self.hub.topics(spec.kind, spec.instrument_id)
        ):
            self._candles.pop(spec, None)
            self._told_levels.pop(spec, None)
            if self._differences.pop(spec, None) is not None:
                del self._diff_of[spec.instrument_id][spec]

    # an audience of the door

    def orders_changed(self, changes: list[Change | AlgoChange]) -> None:
        """Not public."""

    def happened(self, events: Sequence[Event]) -> None:
        """Not public."""

    def listed(self, instrument_ids: list[int]) -> None:
        """New contracts can be subscribed to as they are."""

    def unheard(self, listen_key: str) -> None:
        """Not public."""

    def traded(self, trade: PublicTrade) -> None:
        """A trade was printed."""
        instrument_id = trade.instrument_id
        hub = self.hub
        contract = self._door.listed.by_id.get(instrument_id)
        if contract is None:
            return
        if hub.has(AGG_TRADE, instrument_id):
            hub.publish(AGG_TRADE, instrument_id, _agg_trade(contract, trade, self._now_ms()))
        if hub.has(TRADE, instrument_id):
            hub.publish(TRADE, instrument_id, _trade(contract, trade, self._now_ms()))

    def published(self, events: Sequence[Event]) -> None:
        """Depth changed, or a liquidation was printed."""
        for event in events:
            if type(event) is BookLevel:
                self._touched[event.instrument_id] = None
                for differences in self._diff_of.get(event.instrument_id, {}).values():
                    differences.changed(event)
            elif type(event) is Trade and event.liquidation:
                self._liquidated(event)

    def delivered(self) -> None:
        """All that came at once was told: what is not merged goes out."""
        touched, self._touched = self._touched, {}
        for instrument_id in touched:
            if self.hub.has(BOOK_TICKER, instrument_id) or self.hub.has(BOOK_TICKER, ALL):
                self._tell_best(instrument_id)
            for spec in list(self._diff_of.get(instrument_id, ())):
                if not spec.every_ms:
                    self._tell_difference(spec)

    # what is told

    def _now_ms(self) -> int:
        return ms(self._door.clock())

    def _tell_best(self, instrument_id: int) -> None:
        book = self._door.link.depth(instrument_id)
        contract = self._door.listed.by_id.get(instrument_id)
        if book is None or contract is None:
            return
        best = (*book.depth(BUY, 1), *book.depth(SELL, 1))
        if self._best.get(instrument_id) == best or len(best) < 2:
            return
        self._best[instrument_id] = best
        (bid, bid_lots), (ask, ask_lots) = best
        now_ms = self._now_ms()
        event = {
            "e": "bookTicker",
            "u": book.sequence,
            "s": contract.symbol,
            "ps": contract.symbol,
            "b": contract.price(bid),
            "B": contract.qty(bid_lots),
            "a": contract.price(ask),
            "A": contract.qty(ask_lots),
            "T": now_ms,
            "E": now_ms,
            "st": 1,
        }
        self.hub.publish(BOOK_TICKER, instrument_id, event)
        self.hub.publish(BOOK_TICKER, ALL, event)

    def _tell_differences(self) -> None:
        for spec in list(self._differences):
            # Those at once too: a book that was asked for anew comes without a change.
            if self._ticks * TICK_MS % (spec.every_ms or TICK_MS) == 0:
                self._tell_difference(spec)

    def _tell_difference(self, spec: Spec) -> None:
        book = self._door.link.depth(spec.instrument_id)
        event = self._differences[spec].take(book, self._now_ms())
        if event is None:
            return
        body = encode(event)
        for topic in self.hub.topics(DEPTH, spec.instrument_id):
            if topic.spec == spec:
                topic.publish(body)

    def _tell_merged(self, topic: Topic) -> None:
        spec = topic.spec
        if spec.kind == LEVELS:
            self._tell_levels(topic)
        elif spec.kind in _CANDLES:
            self._tell_candles(topic)
        elif spec.kind == MARK_PRICE:
            self._tell_all(topic, self._mark)
        elif spec.kind == TICKER:
            self._tell_all(topic, self._ticker)
        elif spec.kind == MINI_TICKER:
            self._tell_all(topic, self._mini_ticker)

    def _tell_all(self, topic: Topic, event_of: Any) -> None:
        if topic.spec.instrument_id == ALL:
            topic.publish(encode([event_of(contract) for contract in self._door.listed]))
        else:
            topic.publish(encode(event_of(self._door.listed.by_id[topic.spec.instrument_id])))

    def _tell_levels(self, topic: Topic) -> None:
        spec = topic.spec
        book = self._door.link.depth(spec.instrument_id)
        before = self._told_levels.get(spec, 0)
        if book is None or book.sequence == before:
            return
        self._told_levels[spec] = book.sequence
        contract = self._door.listed.by_id[spec.instrument_id]
        event = depth_event(
            contract,
            self._now_ms(),
            (before + 1, book.sequence, before),
            book.depth(BUY, spec.levels),
            book.depth(SELL, spec.levels),
        )
        topic.publish(encode(event))

    def _forming(self, spec: Spec) -> FormingCandle:
        """The candle of a topic, from the minute on in which it was first asked for."""
        forming = self._candles.get(spec)
        if forming is None:
            forming = self._candles[spec] = FormingCandle(
                self._door.candles,
                self._door.listed.by_id[spec.instrument_id],
                spec.interval,
                spec.minutes,
                self._door.clock() // MINUTE_NS,
            )
        return forming

    def _tell_candles(self, topic: Topic) -> None:
        spec = topic.spec
        contract = self._door.listed.by_id[spec.instrument_id]
        trades = self._door.tape(spec.instrument_id).trades
        last_id = trades[-1].trade_id if trades else 0
        for candle in self._forming(spec).take(self._door.clock() // MINUTE_NS, last_id):
            event: dict[str, Any] = {"e": spec.kind, "E": self._now_ms(), "s": contract.symbol}
            if spec.kind == CONTINUOUS_KLINE:
                event = {
                    "e": "continuous_kline",
                    "E": self._now_ms(),
                    "ps": contract.symbol,
                    "ct": "PERPETUAL",
                }
            topic.publish(encode({**event, "k": candle}))

    def _mark(self, contract: Contract) -> dict[str, Any]:
        row = premium_row(self._call, contract)
        return {
            "e": "markPriceUpdate",
            "E": self._now_ms(),
            "s": contract.symbol,
            "p": row["markPrice"],
            "ap": row["markPrice"],
            "i": row["indexPrice"],
            "P": row["estimatedSettlePrice"],
            "r": row["lastFundingRate"],
            "T": row["nextFundingTime"],
            "st": 1,
        }

    def _mini_ticker(self, contract: Contract) -> dict[str, Any]:
        row = day_row(self._call, contract)
        return {
            "e": "24hrMiniTicker",
            "E": self._now_ms(),
            "s": contract.symbol,
            "ps": contract.symbol,
            "c": row["lastPrice"],
            "o": row["openPrice"],
            "h": row["highPrice"],
            "l": row["lowPrice"],
            "v": row["volume"],
            "q": row["quoteVolume"],
            "st": 1,
        }

    def _ticker(self, contract: Contract) -> dict[str, Any]:
        row = day_row(self._call, contract)
        return {
            **self._mini_ticker(contract),
            "e": "24hrTicker",
            "p": row["priceChange"],
            "P": row["priceChangePercent"],
            "w": row["weightedAvgPrice"],
            "Q": row["lastQty"],
            "O": row["openTime"],
            "C": row["closeTime"],
            "F": row["firstId"],
            "L": row["lastId"],
            "n": row["count"],
        }

    def _liquidated(self, event: Trade) -> None:
        contract = self._door.listed.by_id.get(event.instrument_id)
        if contract is None:
            return
        price, qty = contract.price(event.price_ticks), contract.qty(event.qty_lots)
        order = {
            "s": contract.symbol,
            "ps": contract.symbol,
            "S": "BUY" if event.taker_side == BUY else "SELL",
            "o": "LIMIT",
            "f": "IOC",
            "q": qty,
            "p": price,
            "ap": price,
            "X": "FILLED",
            "l": qty,
            "z": qty,
            "T": ms(event.time_ns),
        }
        told = {"e": "forceOrder", "E": self._now_ms(), "st": 1, "o": order}
        self.hub.publish(FORCE_ORDER, event.instrument_id, told)
        self.hub.publish(FORCE_ORDER, ALL, told)


def _agg_trade(contract: Contract, trade: PublicTrade, now_ms: int) -> dict[str, Any]:
    qty = contract.qty(trade.qty_lots)
    return {
        "e": "aggTrade",
        "E": now_ms,
        "a": trade.trade_id,
        "s": contract.symbol,
        "p": contract.price(trade.price_ticks),
        "q": qty,
        "nq": qty,
        "f": trade.trade_id,
        "l": trade.trade_id,
        "T": ms(trade.time_ns),
        "m": trade.taker_side == SELL,
        "st": 1,
    }


def _trade(contract: Contract, trade: PublicTrade, now_ms: int) -> dict[str, Any]:
    return {
        "e": "trade",
        "E": now_ms,
        "T": ms(trade.time_ns),
        "s": contract.symbol,
        "t": trade.trade_id,
        "p": contract.price(trade.price_ticks),
        "q": contract.qty(trade.qty_lots),
        "X": "MARKET",
        "m": trade.taker_side == SELL,
        "st": 1,
    }
