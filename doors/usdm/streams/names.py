"""Names of streams, taken apart: ``btcusdt@depth5@100ms`` is a kind, a contract and details."""

import re
from typing import Final, NamedTuple

from doors.exchange.contracts import Listed
from doors.history.candles import INTERVALS

AGG_TRADE: Final[str] = "aggTrade"
TRADE: Final[str] = "trade"
DEPTH: Final[str] = "depth"
LEVELS: Final[str] = "levels"
BOOK_TICKER: Final[str] = "bookTicker"
MARK_PRICE: Final[str] = "markPrice"
KLINE: Final[str] = "kline"
CONTINUOUS_KLINE: Final[str] = "continuousKline"
TICKER: Final[str] = "ticker"
MINI_TICKER: Final[str] = "miniTicker"
FORCE_ORDER: Final[str] = "forceOrder"
CONTRACT_INFO: Final[str] = "contractInfo"

ALL: Final[int] = -1
"""In the place of a contract: every one of them."""

USUAL_DEPTH_MS: Final[int] = 250
USUAL_MARK_MS: Final[int] = 3_000
KLINE_MS: Final[int] = 250
TICKER_MS: Final[int] = 1_000

_DEPTH: Final = re.compile(r"depth(5|10|20)?(?:@(0|100|250|500)ms)?", re.ASCII)
_MARK: Final = re.compile(r"markPrice(@1s)?", re.ASCII)
_KLINE: Final = re.compile(r"(kline|continuousKline)_(\w+)", re.ASCII)
_PLAIN: Final[tuple[str, ...]] = (*(AGG_TRADE, TRADE, BOOK_TICKER, FORCE_ORDER),)
_OF_ALL: Final[dict[str, tuple[str, int]]] = {
    "!markPrice@arr": (MARK_PRICE, USUAL_MARK_MS),
    "!markPrice@arr@1s": (MARK_PRICE, 1_000),
    "!ticker@arr": (TICKER, TICKER_MS),
    "!miniTicker@arr": (MINI_TICKER, TICKER_MS),
    "!bookTicker": (BOOK_TICKER, 0),
    "!forceOrder@arr": (FORCE_ORDER, 0),
    "!contractInfo": (CONTRACT_INFO, 0),
}


class Spec(NamedTuple):
    """What a stream carries. ``every_ms`` is how often, 0 at once; ``levels`` how many prices of
    each side, ``minutes`` how long a candle is."""

    kind: str
    instrument_id: int
    every_ms: int = 0
    levels: int = 0
    interval: str = ""

    @property
    def minutes(self) -> int:
        """How long its candles are."""
        return INTERVALS[self.interval]


def spec_of(name: str, listed: Listed) -> Spec | None:
    """What a name stands for; None for one that stands for nothing here."""
    if name in _OF_ALL:
        kind, every_ms = _OF_ALL[name]
        return Spec(kind, ALL, every_ms)
    symbol, _, rest = name.partition("@")
    contract = listed.find(symbol.upper())
    if rest.startswith(CONTINUOUS_KLINE):
        pair, _, contract_type = symbol.partition("_")
        contract = listed.find(pair.upper()) if contract_type == "perpetual" else None
    return None if contract is None else _of_contract(rest, contract.instrument_id)


def _of_contract(rest: str, instrument_id: int) -> Spec | None:
    if rest in _PLAIN:
        return Spec(rest, instrument_id)
    if rest in (TICKER, MINI_TICKER):
        return Spec(rest, instrument_id, TICKER_MS)
    if found := _DEPTH.fullmatch(rest):
        every_ms = USUAL_DEPTH_MS if found[2] is None else int(found[2])
        if found[1] is None:
            return Spec(DEPTH, instrument_id, every_ms)
        return Spec(LEVELS, instrument_id, max(100, every_ms), int(found[1]))
    if found := _MARK.fullmatch(rest):
        return Spec(MARK_PRICE, instrument_id, 1_000 if found[1] else USUAL_MARK_MS)
    found = _KLINE.fullmatch(rest)
    if found is not None and found[2] in INTERVALS:
        return Spec(found[1], instrument_id, KLINE_MS, 0, found[2])
    return None
