"""Public prices and trades of one instrument as they came: what market data is answered from."""

from collections import deque
from typing import Final

from doors.history.records import PublicTrade

KEPT_TRADES: Final[int] = 1_000


class Tape:
    """Its last trades, and mark, index and last price in ticks (0: unknown)."""

    def __init__(self) -> None:
        self.trades: deque[PublicTrade] = deque(maxlen=KEPT_TRADES)
        self.mark_ticks = 0
        self.index_ticks = 0
        self.last_ticks = 0
        self.open_interest_lots = 0
        self.time_ns = 0
