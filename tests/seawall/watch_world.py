"""A small exchange that a `WatchModel` follows, for the tests of `seawall watch` without sockets.

Ann is long 10 at 100 with 150: equity ``10 p - 850``, maintenance ``0.5 p``. Called below 91.89,
liquidated below 89.48, bankrupt at 85. Bob is on the other side.
"""

from typing import Any

from engine import commands as c
from engine.units import PPB, SECOND_NS
from matching.market_data import DepthBook, depth_snapshot
from risk.accounts import FUND
from risk.rulebook import CallRule
from seawall.terminal.watch_frame import Status, View
from seawall.terminal.watch_model import WatchModel
from tests.market import Market, levels, rules

ANN, BOB, CARL = 100, 101, 102
NOON_S = "43200"
RULES = {
    "levels": levels(alert="2", call="1.5", liquidate="1"),
    "call": CallRule(restore_to="maintenance", buffer_ppb=PPB, grace_ns=60 * SECOND_NS),
}


class WatchedMarket(Market):
    """A market whose every event a model hears, and that answers the model's questions."""

    def __init__(self) -> None:
        self.model = WatchModel()
        super().__init__(rules(**RULES))
        self.exchange.subscribe(self.model.apply)
        self.wait(NOON_S)
        self.deposit(FUND, "500")
        self.open(ANN, deposit="150")
        self.open(BOB, CARL, deposit="100000")
        self.index("100")
        self.trade(ANN, BOB, "10", "100")
        self.look()
        self.model.tape.clear()
        self.model.ask_about(0)

    def look(self) -> None:
        """What the watch asks for in a while."""
        self.send(c.QueryMarket(self.now_ns))
        self.send(c.QueryRisk(self.now_ns, [], 20))

    def view(self, **settings: Any) -> View:
        book = DepthBook(depth_snapshot(self.exchange.book(0), 0, 1))
        given = {"instrument_id": 0, "book": book, "now_ns": self.now_ns, "accounts": 5}
        return View(self.model, Status("tcp://here:1"), **(given | settings))
