"""The exchange behind a gateway as a simulation uses it.

What the agents of one moment ask for goes out together, and nothing more before all of it was
answered. So one moment's wishes are under way at most, however slow the exchange is.
"""

from collections import Counter, deque
from typing import Any, Final

from engine.commands import (
    MAX_TICKS,
    AdvanceTime,
    AssetPrice,
    Command,
    IndexPrice,
    SubmitOrder,
    SubmitTrigger,
)
from engine.events import Event, MarginCallIssued
from engine.messages import at_time, fields_of
from engine.reasons import in_words
from gateway.client import Client
from gateway.protocol import Reply
from matching.market_data import DepthBook
from seawall.simulating.simulated_market import Listener
from seawall.world.order_ids import ABOUT_AN_ORDER, NO_ORDER, OF_AN_ORDER, OrderIds

FRAME: Final[int] = 400
"""Commands that go out together."""


class SeenBook:
    """The published depth of an instrument; what was seen last while it is asked for again."""

    def __init__(self, client: Client, instrument_id: int) -> None:
        self._client = client
        self._instrument_id = instrument_id
        self._seen: DepthBook | None = None

    def _book(self) -> DepthBook | None:
        self._seen = self._client.depth(self._instrument_id) or self._seen
        return self._seen

    def best_bid_ticks(self) -> int:
        """Best bid in ticks, 0 without one."""
        book = self._book()
        return book.best_bid_ticks() if book else 0

    def best_ask_ticks(self) -> int:
        """Best ask in ticks, 0 without one."""
        book = self._book()
        return book.best_ask_ticks() if book else 0

    def level_lots(self, side: int, price_ticks: int) -> int:
        """Lots resting at a price, 0 if nothing does."""
        book = self._book()
        return book.lots_at(side, price_ticks) if book else 0

    def depth(self, side: int) -> list[tuple[int, int, int]]:
        """Prices and lots, best first; how many orders they are is not published (0)."""
        book = self._book()
        return [(price, lots, 0) for price, lots in book.depth(side)] if book else []


class GatewayMarket:
    """A `seawall.simulating.simulated_market.SimulatedMarket` over one client of the gateway.

    Between `record` and `recorded` commands are only written down. ``speed`` is how many times
    faster the agents live than the exchange; ``now_ns`` is the agents' time. `refused` counts what
    the exchange refused, by reason.
    """

    def __init__(self, client: Client, speed: float) -> None:
        self.client = client
        self.now_ns = 0
        self.refused: Counter[int] = Counter()
        self._speed = speed
        self._listeners: list[Listener] = []
        self._recorded: list[Command] | None = None
        self._books: dict[int, SeenBook] = {}
        self._ids = OrderIds()
        self._waiting: deque[Command] = deque()
        self._asked: dict[int, int] = {}
        self._factors: dict[int, float] = {}
        self._prices: dict[tuple[type, int, int], Command] = {}
        self._breaks = (0, 0)

    # what a simulation needs

    def send(self, command: Command) -> None:
        """Put a command in line."""
        if self._recorded is not None:
            self._recorded.append(command)
            return
        if isinstance(command, IndexPrice | AssetPrice):
            command = self._priced(command)
        self._waiting.append(command)

    def run_until(self, time_ns: int) -> None:
        """The agents' time is this now."""
        self.now_ns = time_ns

    def subscribe(self, listener: Listener) -> None:
        """Hear every event."""
        self._listeners.append(listener)

    def next_order_id(self) -> int:
        """A fresh order id, known to the agents only."""
        return self._ids.fresh()

    def book(self, instrument_id: int) -> SeenBook:
        """The published depth of an instrument."""
        if instrument_id not in self._books:
            self._books[instrument_id] = SeenBook(self.client, instrument_id)
            self.client.subscribe(instrument_id)
        return self._books[instrument_id]

    def index_sources(self, instrument_id: int, time_ns: int) -> list[int]:
        """Not published: none."""
        return []

    def price_sources(self, asset_id: int, time_ns: int) -> list[int]:
        """Not published: none."""
        return []

    def margin_ratios_ppb(self, account_id: int) -> list[int]:
        """Not asked for: none."""
        return []

    # opening

    def record(self) -> None:
        """A simulation opens: write down what it asks for, and forget who listened before."""
        self._listeners.clear()
        self._recorded = []

    def recorded(self) -> list[Command]:
        """What was asked for since `record`; from now on commands go out."""
        commands, self._recorded = self._recorded or [], None
        return commands

    # the line to the gateway

    @property
    def idle(self) -> bool:
        """Whether everything was sent and answered."""
        return not self._waiting and not self._asked

    def pump(self, wait_s: float) -> None:
        """Send what waits, and hear what came, for at most ``wait_s``."""
        if self._waiting and not self._asked:
            self._send_frame()
        replies = self.client.take_replies(wait_s if self._asked else 0.0)
        events = self.client.poll(0.0 if replies or self._asked else wait_s)
        for reply in replies:
            self._learn(reply)
        for reply in replies:
            for event in reply.events:
                self._tell(event)
        for event in events:
            self._tell(event)

    def was_broken(self) -> bool:
        """Whether events may have been missed since this was last asked."""
        connection = self.client.connection
        breaks = (connection.lost_deliveries, connection.new_sessions)
        before, self._breaks = self._breaks, breaks
        return breaks != before

    def _send_frame(self) -> None:
        frame: list[Command] = []
        orders: list[int] = []
        while self._waiting and len(frame) < FRAME:
            command: Any = self._waiting[0]
            is_new = isinstance(command, SubmitOrder | SubmitTrigger)
            order_id = command.order_id if is_new else NO_ORDER
            if type(command) in ABOUT_AN_ORDER:
                if command.order_id in orders:
                    break  # the gateway's id of it comes with the answer to this frame
                command = self._ids.to_gateway(command)
            self._waiting.popleft()
            if type(command) in ABOUT_AN_ORDER and command.order_id == NO_ORDER:
                continue
            frame.append(at_time(command, 0))
            orders.append(order_id)
        if frame:
            self._asked.update(zip(self.client.send(frame), orders, strict=True))

    def _learn(self, reply: Reply) -> None:
        order_id = self._asked.pop(reply.request_id, NO_ORDER)
        rejection = reply.rejection
        if rejection is not None:
            self.refused[rejection.reason] += 1
        elif order_id:
            self._ids.learn(order_id, reply.order_id)

    def _tell(self, event: Any) -> None:
        if type(event) in OF_AN_ORDER:
            event = self._ids.to_agent(event)
        elif isinstance(event, MarginCallIssued):
            event = self._in_agents_time(event)
        for listener in self._listeners:
            listener(event)

    def _in_agents_time(self, call: MarginCallIssued) -> Event:
        """A call as its owner hears it: now, with as much of its time left."""
        deadline_ns = call.deadline_ns
        if deadline_ns >= 0:
            left_ns = int((deadline_ns - call.time_ns) * self._speed)
            deadline_ns = self.now_ns + left_ns
        fields = {**fields_of(call), "time_ns": self.now_ns, "deadline_ns": deadline_ns}
        return MarginCallIssued(**fields)

    # prices

    def move(self, instrument_id: int, price_ticks: int) -> None:
        """The index goes on from this price; its path keeps its shape."""
        now_ticks = self.index_ticks(instrument_id)
        self._factors[instrument_id] = self._factor(instrument_id) * price_ticks / now_ticks
        for key, sent in self._prices.items():
            if isinstance(sent, IndexPrice) and sent.instrument_id == instrument_id:
                scaled = min(MAX_TICKS, max(1, round(sent.price_ticks * price_ticks / now_ticks)))
                self._prices[key] = IndexPrice(0, instrument_id, sent.source_id, scaled)

    def index_ticks(self, instrument_id: int) -> int:
        """The index as the first source of it said last; 0 before that."""
        for sent in self._prices.values():
            if isinstance(sent, IndexPrice) and sent.instrument_id == instrument_id:
                return sent.price_ticks
        return 0

    def begin_at(self, instrument_id: int, first_ticks: int, wanted_ticks: int) -> None:
        """A path that begins at its first price is to begin at another one."""
        self._factors[instrument_id] = wanted_ticks / first_ticks

    def stand_still(self) -> None:
        """Let time pass at the prices of now."""
        for command in self._prices.values():
            self._waiting.append(command)
        self._waiting.append(AdvanceTime(0))

    def _factor(self, instrument_id: int) -> float:
        return self._factors.get(instrument_id, 1.0)

    def _priced(self, command: IndexPrice | AssetPrice) -> Command:
        if isinstance(command, IndexPrice):
            subject_id = command.instrument_id
            scaled = round(command.price_ticks * self._factor(subject_id))
            ticks = min(MAX_TICKS, max(1, scaled))
            command = IndexPrice(0, subject_id, command.source_id, ticks)
        else:
            subject_id = command.asset_id
        self._prices[type(command), subject_id, command.source_id] = command
        return command


def refusals_by_name(refused: Counter[int]) -> str:
    """Counts of refusals in words, the most frequent first."""
    return ", ".join(
        f"{in_words(reason)} {count:,} times" for reason, count in refused.most_common()
    )
