"""The whole exchange in one process: three components on a bus, and nothing else.

The simulator, the tests and notebooks all use this class. It adds no rule of its own: it refuses
commands whose time goes back, counts, passes events on, and checks invariants when asked to.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from engine.commands import CancelOrder, Command, SubmitOrder
from engine.events import AccountReport, CommandRejected, Event
from engine.native_message import time_of
from engine.reasons import Reason
from engine.record.snapshot import pack, unpack
from engine.routing.bus import Bus, Latency
from engine.routing.component import Component, Handler, Sink
from engine.routing.topology import LIQUIDATION, MATCHING, RISK
from engine.units import COMPILED, PPB
from matching.book import Book
from matching.matching_engine import MatchingEngine
from risk.health import evaluate, position_notional_q
from risk.liquidation.engine import FIRST_ORDER_ID, LiquidationEngine
from risk.listing import Listing
from risk.risk_engine import RiskEngine
from risk.state import restore_risk, risk_state
from seawall.invariants import check_cheap, check_full
from seawall.state_hash import condensed_hash

Listener = Callable[[Event], None]


def warn_of_defect(command: Any, error: Exception) -> None:
    """Warn of a command that was refused because its plan raised."""
    text = f"refused, nothing changed: {command!r:.300}: {error!r}; a defect to be reported"
    warnings.warn(text, RuntimeWarning, stacklevel=2)


class Exchange(Sink):
    """A deterministic market driven by commands.

    ``check_invariants_every`` runs the complete (linear cost) invariants after every that many
    commands, 0 never; the constant-time ones run after every command unless ``check_cheap`` is
    off. ``latency`` turns the bus into a discrete-event simulation.
    """

    def __init__(
        self,
        *,
        latency: Latency | None = None,
        publish_depth: bool = False,
        check_invariants_every: int = 0,
        check_cheap: bool = True,
    ) -> None:
        self.matching = MatchingEngine(publish_depth=publish_depth)
        self.risk = RiskEngine(warn_of_defect)
        self.liquidation = LiquidationEngine()
        self._latency = latency
        self.bus = self._new_bus()
        self.commands = 0
        self.events = 0
        self.time_ns = 0
        self.before_command: Callable[[int, Command], None] | None = None
        self._listeners: list[Listener] = []
        self._check_every = check_invariants_every
        self._check_cheap = check_cheap
        self.last_order_id = 0

    def _new_bus(self) -> Bus:
        takers: dict[str, Component | Handler] = {
            MATCHING: self.matching,
            RISK: self.risk,
            LIQUIDATION: self.liquidation,
        }
        return Bus(takers, self, self._latency)

    # driving it

    def send(self, command: Command) -> None:
        """Run one command to its end; `before_command` sees it (with its number) first.

        A command whose time lies before the last one's is answered with `Reason.TIME_WENT_BACK`
        and not counted.

        Raises:
            AssertionError: an invariant broke.
        """
        if self._admit(command):
            self.bus.send(command)
            self._check(1)

    def send_batch(self, commands: Sequence[Command]) -> None:
        """Run commands as one batch, in the order of the services (`Bus.send_batch`).

        Raises:
            AssertionError: an invariant broke, or the exchange has latencies.
        """
        admitted = [command for command in commands if self._admit(command)]
        if admitted:
            self.bus.send_batch(admitted)
            self._check(len(admitted))

    def _admit(self, command: Command) -> bool:
        """Count a command and show it to `before_command`, unless its time goes back."""
        if COMPILED and isinstance(command, (SubmitOrder, CancelOrder)):
            time_ns = command.time_ns  # the commonest, cheaper than looking for their base class
        else:
            time_ns = time_of(command)
        if time_ns < self.time_ns:
            self.publish(
                CommandRejected(
                    self.time_ns,
                    getattr(command, "account_id", 0),
                    getattr(command, "order_id", 0),
                    Reason.TIME_WENT_BACK,
                    detail=f"time {time_ns} is before {self.time_ns}",
                )
            )
            return False
        self.time_ns = time_ns
        self.commands += 1
        if self.before_command is not None:
            self.before_command(self.commands, command)
        return True

    def _check(self, count: int) -> None:
        """Check what is due after ``count`` more commands."""
        if self._check_cheap:
            check_cheap(self.risk)
        every = self._check_every
        if every and self.commands % every < count and self.bus.idle:
            self.check_invariants()

    def run_until(self, time_ns: int) -> None:
        """With latencies: deliver everything due up to a time. Without: nothing is ever due."""
        self.bus.run_until(time_ns)

    def subscribe(self, listener: Listener) -> None:
        """Call ``listener`` with every event from now on, in order."""
        self._listeners.append(listener)

    def next_order_id(self) -> int:
        """A fresh order id, as the gateway would assign it."""
        self.last_order_id += 1
        assert self.last_order_id < FIRST_ORDER_ID, "ids beyond belong to the liquidation engine"
        return self.last_order_id

    def publish(self, event: Any) -> None:
        """Count an event and tell the listeners."""
        self.events += 1
        for listener in self._listeners:
            listener(event)

    # looking at it

    def book(self, instrument_id: int) -> Book:
        """The live order book of an instrument."""
        return self.matching.books[instrument_id]

    def listing(self, instrument_id: int) -> Listing:
        """Risk's view of an instrument."""
        return self.risk.core.listings[instrument_id]

    def mark_ticks(self, instrument_id: int) -> int:
        """Mark price; 0 while unknown."""
        return self.listing(instrument_id).mark_ticks

    def index_sources(self, instrument_id: int, time_ns: int) -> list[int]:
        """Ids of the sources that an instrument's index or mark is made of at a time."""
        listing = self.listing(instrument_id)
        others = listing.others.counting(time_ns) if listing.others is not None else []
        return [*listing.index.counting(time_ns), *others]

    def price_sources(self, asset_id: int, time_ns: int) -> list[int]:
        """Ids of the sources that the price of a collateral asset is made of at a time."""
        return self.risk.core.ledger.collateral[asset_id].index.counting(time_ns)

    def index_ticks(self, instrument_id: int) -> int:
        """Index price; 0 while unknown."""
        return self.listing(instrument_id).index_ticks

    def last_ticks(self, instrument_id: int) -> int:
        """Price of the last trade; 0 while there was none."""
        return self.listing(instrument_id).last_ticks

    def account_report(self, account_id: int) -> AccountReport:
        """The account as its owner sees it.

        Raises:
            KeyError: no such account.
        """
        return self.risk.reports.account(self.risk.core.ledger.traders[account_id])

    def margin_figures(self, margin_account_id: int) -> tuple[int, int, int]:
        """Equity, maintenance and gross notional of one margin account, in quanta.

        Raises:
            KeyError: no such margin account.
        """
        account = self.risk.core.ledger.accounts[margin_account_id]
        evaluate(account)
        return account.equity_q, account.maintenance_q, position_notional_q(account)

    def margin_ratios_ppb(self, account_id: int) -> list[int]:
        """Equity over position value, rounded down, of a trader's margin accounts with positions.

        Raises:
            KeyError: no such account.
        """
        ratios: list[int] = []
        for account in self.risk.core.ledger.traders[account_id].accounts:
            notional_q = position_notional_q(account)
            if notional_q:
                evaluate(account)
                ratios.append(account.equity_q * PPB // notional_q)
        return ratios

    def state(self) -> list[Any]:
        """The canonical state of all components."""
        return [risk_state(self.risk), self.matching.state(), self.liquidation.state()]

    def state_hash(self) -> str:
        """`seawall.state_hash.exchange_hash` of `state`, equal for equal runs on any machine; costs
        what changed since it was asked last."""
        return condensed_hash(self.risk, self.matching, self.liquidation)

    # saving it

    def restore(self, state: Sequence[Any]) -> None:
        """Take over what `state` returned: what comes then is what came where it was taken.

        Listeners and settings stay. Commands and events count from 0, time is that of the state,
        and nothing is under way; `resume` brings all of that along. Books are new objects.
        """
        risk, matching, liquidation = state
        self.risk = restore_risk(risk, warn_of_defect)
        self.matching.restore(matching)
        self.liquidation = LiquidationEngine()
        self.liquidation.restore(liquidation)
        self.bus = self._new_bus()
        self.commands = 0
        self.events = 0
        self.time_ns = self.risk.core.now_ns
        owned = [key for key in self.risk.core.orders if key < FIRST_ORDER_ID]
        self.last_order_id = max(owned, default=0)

    def snapshot(self) -> bytes:
        """Everything that decides what comes: `state`, the counters, what is under way."""
        counters = [self.commands, self.events, self.time_ns, self.last_order_id]
        return pack([self.state(), counters, self.bus.under_way()])

    def resume(self, snapshot: bytes) -> None:
        """Go on where `snapshot` was taken of an exchange with the same latencies.

        Raises:
            ValueError: the bytes are no snapshot.
        """
        state, counters, under_way = unpack(snapshot)
        self.restore(state)
        self.commands, self.events, self.time_ns, self.last_order_id = counters
        self.bus.restore(under_way)

    def __reduce__(self) -> tuple[Any, ...]:
        """What `copy` and `pickle` make the same exchange of, which then goes its own way. Who
        listens, and `before_command`, are not copied."""
        settings = (self._latency, self.matching.publish_depth, self._check_every)
        return _again, (*settings, self._check_cheap, self.snapshot())

    def residues_q(self) -> dict[str, int]:
        """Conservation residue per asset symbol, added up from nothing; every value must be 0."""
        core = self.risk.core
        return {
            core.assets[asset_id].symbol: core.ledger.residue_q(asset_id)
            for asset_id in sorted(core.assets)
        }

    def check_invariants(self) -> None:
        """Run every invariant, whatever it costs.

        Raises:
            AssertionError: names the invariant and the figures that broke it.
        """
        check_full(self.risk, self.matching, self.liquidation)


def _again(
    latency: Latency | None,
    publish_depth: bool,
    check_invariants_every: int,
    check_cheap: bool,
    snapshot: bytes,
) -> Exchange:
    """The exchange of these settings that goes on where the snapshot was taken."""
    exchange = Exchange(
        latency=latency,
        publish_depth=publish_depth,
        check_invariants_every=check_invariants_every,
        check_cheap=check_cheap,
    )
    exchange.resume(snapshot)
    return exchange
