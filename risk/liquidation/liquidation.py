"""One account on its way through the waterfall, as the liquidation engine keeps it."""

from typing import Any

import msgspec

from engine.internal import AccountFacts, PositionFacts


class Liquidation:
    """Where one account stands in the waterfall.

    `stage` counts into the rulebook's list, `announced` is the last one published. `wait_until_ns`
    is set while it waits for a cooldown or the next tick (-1: it does not). `tried` lists the
    positions this stage has sent orders for, `stalled` says that the last order filled nothing,
    `queued` that it waits for its takeover or ADL. What the facts say most is asked for stands
    beside them.
    """

    __slots__ = (
        "announced",
        "equity_q",
        "facts",
        "in_orders",
        "last_stage",
        "maintenance_q",
        "margin_account_id",
        "open_orders",
        "orders_sent",
        "positions",
        "queued",
        "rounds",
        "stage",
        "stalled",
        "target_ppb",
        "tried",
        "wait_until_ns",
    )

    def __init__(self, facts: AccountFacts, target_ppb: int) -> None:
        self.margin_account_id: int = facts.margin_account_id
        self.hear(facts)
        self.target_ppb = target_ppb
        self.stage = 0
        self.announced = -1
        self.last_stage = ""
        self.tried: list[tuple[int, int]] = []
        self.stalled = False
        self.orders_sent = 0
        self.rounds = 0
        self.in_orders = False
        self.queued = False
        self.wait_until_ns = -1

    def hear(self, facts: AccountFacts) -> None:
        """This is how the account stands now."""
        self.facts = facts
        self.equity_q: int = facts.equity_q
        self.maintenance_q: int = facts.maintenance_q
        self.open_orders: int = facts.open_orders
        self.positions: list[PositionFacts] = facts.positions

    def row(self) -> list[Any]:
        """All fields as plain values, the account first; who is queued the engine knows."""
        return [
            self.margin_account_id,
            msgspec.to_builtins(self.facts),
            self.target_ppb,
            self.stage,
            self.announced,
            self.last_stage,
            [list(key) for key in self.tried],
            self.stalled,
            self.orders_sent,
            self.rounds,
            self.in_orders,
            self.wait_until_ns,
        ]

    @classmethod
    def from_row(cls, row: list[Any]) -> "Liquidation":
        """The inverse of `row`."""
        self = cls(msgspec.convert(row[1], AccountFacts), row[2])
        self.stage, self.announced, self.last_stage = row[3:6]
        self.tried = [(instrument_id, leg) for instrument_id, leg in row[6]]
        self.stalled, self.orders_sent, self.rounds, self.in_orders, self.wait_until_ns = row[7:]
        return self
