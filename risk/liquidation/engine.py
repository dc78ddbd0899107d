"""The liquidation engine: one state machine per account, walking the rulebook's waterfall.

It decides, risk executes. Each stage ends in a report, and every report first asks whether the
account is restored. Within one burst all orders go before all takeovers, and these before all
auto-deleveraging: a takeover waits until no account has orders under way.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec

from engine.commands import BUY, MAX_ORDER_ID, SELL, AdvanceTime
from engine.instruments import Instrument, InstrumentSpec
from engine.internal import (
    AccountFacts,
    HouseFacts,
    HouseInventory,
    InstrumentListed,
    LiquidateAdl,
    LiquidateCancel,
    LiquidateOrder,
    LiquidateRelease,
    LiquidateSocialise,
    LiquidateStage,
    LiquidateTakeover,
    LiquidationReport,
    LiquidationRequired,
    MarginRate,
    PositionFacts,
    RulesInForce,
)
from engine.routing.component import Component
from engine.units import PPB, apply_rate_down
from risk.accounts import BACKSTOP, FUND
from risk.liquidation.limits import house_limit_ticks, liquidation_limit_ticks
from risk.liquidation.liquidation import Liquidation
from risk.liquidation.policy import (
    CLOSE_POLICIES,
    Candidate,
    MarginedContract,
    fraction_lots,
    largest_requirement,
    notional_q,
)
from risk.liquidation.ranking import ADL_RANKINGS
from risk.margin import build_margin_model
from risk.rulebook import NO_RULES, Rulebook, rulebook_from_json

FIRST_ORDER_ID: Final[int] = MAX_ORDER_ID + 1
"""Order ids from here on belong to the liquidation engine."""

MAX_ORDERS_PER_ROUND: Final[int] = 64
MAX_ROUNDS: int = 1_000
"""Limits that make every liquidation end: orders per visit to a stage, visits before an account
that is not restored is closed out unconditionally."""

ORDER_STAGES: Final[tuple[str, ...]] = ("cancel", "reduce", "close")

RESTORED: Final[str] = "restored"
CLOSED: Final[str] = "closed"
TAKEN_OVER: Final[str] = "taken over"
DELEVERAGED: Final[str] = "deleveraged"
SOCIALISED: Final[str] = "socialised"

_OUTCOMES: Final[dict[str, str]] = {
    "backstop": TAKEN_OVER,
    "fund": TAKEN_OVER,
    "adl": DELEVERAGED,
    "socialise": SOCIALISED,
}


class LiquidationEngine(Component):
    """A deterministic component: takes reports, emits decisions.

    `_busy` counts liquidations with orders under way; `_running` is the one in takeover or ADL
    (-1: none), since these change the means of the house and go one at a time.
    """

    def __init__(self) -> None:
        self.liquidations: dict[int, Liquidation] = {}
        self._obey(NO_RULES)
        self._contracts: dict[int, MarginedContract] = {}
        self._house: dict[int, HouseFacts] = {}
        self._takeovers: deque[int] = deque()
        self._adls: deque[int] = deque()
        self._joined: list[int] = []
        self._rates: dict[int, int] = {}
        self._busy = 0
        self._running = -1
        self._next_order_id = FIRST_ORDER_ID
        self._disposed_ns: dict[int, int] = {}
        self._fraction_ns: dict[int, int] = {}
        self._now_ns = 0
        self._out: list[Any] = []
        self._handlers: dict[type, Callable[[Any], None]] = {
            InstrumentListed: self._list_instrument,
            RulesInForce: self._set_rules,
            AdvanceTime: self._advance_time,
            LiquidationRequired: self._start,
            LiquidationReport: self._report,
            HouseInventory: self._dispose,
            MarginRate: self._set_margin_rate,
        }

    def handle(self, message: Any, out: list[Any]) -> None:
        """Apply one message and append what follows from it to ``out``.

        Raises:
            TypeError: a message type this component does not take.
        """
        handler = self._handlers.get(type(message))
        if handler is None:
            raise TypeError(f"the liquidation engine does not take {type(message).__name__}")
        self._out = out
        self._now_ns = max(self._now_ns, message.time_ns)
        handler(message)

    def _list_instrument(self, message: InstrumentListed) -> None:
        self._add_contract(message.spec)

    def _add_contract(self, spec: InstrumentSpec) -> None:
        self._contracts[spec.instrument_id] = MarginedContract(
            Instrument(spec), build_margin_model(spec.margin), spec.symbol
        )

    def _set_margin_rate(self, message: MarginRate) -> None:
        self._take_rate(message.instrument_id, message.rate_ppb)

    def _take_rate(self, instrument_id: int, rate_ppb: int) -> None:
        contract = self._contracts[instrument_id]
        contract.model = contract.model.at_rate(rate_ppb)
        self._rates[instrument_id] = rate_ppb

    def _set_rules(self, message: RulesInForce) -> None:
        self._obey(rulebook_from_json(message.rulebook))
        queued = [*self._takeovers, *self._adls]
        self._takeovers.clear()
        self._adls.clear()
        self._joined.clear()
        for liquidation in self.liquidations.values():
            # The one in takeover or ADL goes on with the next stage when it reports: the first.
            running = liquidation.margin_account_id == self._running
            self._enter(liquidation, -1 if running else 0)
            liquidation.announced = -1
        for account_id in queued:
            liquidation = self.liquidations[account_id]
            liquidation.queued = False
            self._advance(liquidation)
        self._pump()

    def _obey(self, rulebook: Rulebook) -> None:
        """These rules are in force; what every step asks for is copied."""
        self.rulebook: Rulebook = rulebook
        self._stages: list[str] = rulebook.liquidation.stages
        self._inclusive: bool = rulebook.liquidation.inclusive
        self._policy = CLOSE_POLICIES.get(rulebook.liquidation.partial)
        self._splits = ADL_RANKINGS.get(rulebook.adl.ranking).splits

    # the walk through the waterfall

    def _start(self, message: LiquidationRequired) -> None:
        facts = message.facts
        self._house[facts.asset_id] = message.house
        liquidation = Liquidation(facts, message.target_ppb)
        self.liquidations[facts.margin_account_id] = liquidation
        self._advance(liquidation)
        self._pump()

    def _report(self, message: LiquidationReport) -> None:
        facts = message.facts
        self._house[facts.asset_id] = message.house
        liquidation = self.liquidations.get(facts.margin_account_id)
        if liquidation is not None:
            liquidation.hear(facts)
            if liquidation.in_orders:
                liquidation.in_orders = False
                self._busy -= 1
                liquidation.stalled = message.filled_lots == 0
            if self._running == liquidation.margin_account_id:
                self._running = -1
                self._enter(liquidation, liquidation.stage + 1)
            if not liquidation.queued:
                self._advance(liquidation)
        self._pump()

    def _advance(self, liquidation: Liquidation) -> None:
        """Go on until the account is restored or something must be waited for."""
        if self._restored(liquidation):
            self._release(liquidation)
            return
        if liquidation.facts.halted:
            liquidation.wait_until_ns = self._now_ns + 1
            return
        stages = self._stages
        while liquidation.stage < len(stages):
            name = stages[liquidation.stage]
            if name in ORDER_STAGES:
                if self._work_orders(liquidation, name):
                    return
            elif self._due(liquidation, name):
                queue = self._takeovers if name in ("backstop", "fund") else self._adls
                queue.append(liquidation.margin_account_id)
                if name == "adl" and self._splits:
                    self._joined.append(liquidation.margin_account_id)
                liquidation.queued = True
                return
            self._enter(liquidation, liquidation.stage + 1)
        # No stage could act (no buyers, nothing due): look again when the clock ticks.
        liquidation.rounds += 1
        self._enter(liquidation, 0)
        liquidation.wait_until_ns = self._now_ns + 1

    @staticmethod
    def _enter(liquidation: Liquidation, stage: int) -> None:
        liquidation.stage = stage
        liquidation.tried = []
        liquidation.orders_sent = 0
        liquidation.stalled = False

    def _restored(self, liquidation: Liquidation) -> bool:
        if not liquidation.positions:
            return liquidation.equity_q >= 0
        scaled_equity = liquidation.equity_q * PPB
        target = liquidation.target_ppb * liquidation.maintenance_q
        if self._inclusive:
            return scaled_equity > target
        return scaled_equity >= target

    def _release(self, liquidation: Liquidation) -> None:
        outcome = RESTORED
        if not liquidation.positions:
            outcome = _OUTCOMES.get(liquidation.last_stage, CLOSED)
        del self.liquidations[liquidation.margin_account_id]
        self._out.append(LiquidateRelease(self._now_ns, liquidation.margin_account_id, outcome))

    def _announce(self, liquidation: Liquidation) -> None:
        name = self._stages[liquidation.stage]
        liquidation.last_stage = name
        if liquidation.announced != liquidation.stage:
            liquidation.announced = liquidation.stage
            self._out.append(LiquidateStage(self._now_ns, liquidation.margin_account_id, name))

    # orders: cancel, reduce, close

    def _work_orders(self, liquidation: Liquidation, name: str) -> bool:
        """Send what the stage asks for; False when it has nothing (more) to do."""
        if name == "cancel":
            if liquidation.open_orders == 0:
                return False
            self._announce(liquidation)
            self._set_busy(liquidation)
            self._out.append(LiquidateCancel(self._now_ns, liquidation.margin_account_id))
            return True
        if liquidation.orders_sent >= MAX_ORDERS_PER_ROUND:
            return False
        if name == "reduce":
            return self._reduce(liquidation)
        return self._close(liquidation)

    def _reduce(self, liquidation: Liquidation) -> bool:
        if liquidation.stalled and liquidation.orders_sent:
            return False
        facts = liquidation.facts
        rule = self.rulebook.liquidation
        if not facts.positions:
            return False
        position = self._policy.position(facts)
        contract = self._contracts[position.instrument_id]
        lots = self._policy.lots(
            Candidate(position, contract, facts, self.rulebook, liquidation.target_ppb)
        )
        if self._policy.paced and rule.cooldown_ns:
            last_ns = self._fraction_ns.get(facts.margin_account_id, -rule.cooldown_ns)
            if self._now_ns < last_ns + rule.cooldown_ns:
                if rule.after_fraction == "wait":
                    liquidation.wait_until_ns = last_ns + rule.cooldown_ns
                    return True
                lots = abs(position.qty_lots)
            elif lots < abs(position.qty_lots):
                self._fraction_ns[facts.margin_account_id] = self._now_ns
        self._send_order(liquidation, position, lots)
        return True

    def _close(self, liquidation: Liquidation) -> bool:
        """Offer every position whole, the largest requirement first, each once."""
        waiting = [
            position
            for position in liquidation.positions
            if (position.instrument_id, position.leg) not in liquidation.tried
        ]
        if not waiting:
            return False
        position = largest_requirement(waiting)
        liquidation.tried.append((position.instrument_id, position.leg))
        self._send_order(liquidation, position, abs(position.qty_lots))
        return True

    def _send_order(self, liquidation: Liquidation, position: PositionFacts, lots: int) -> None:
        self._announce(liquidation)
        self._set_busy(liquidation)
        liquidation.orders_sent += 1
        contract = self._contracts[position.instrument_id]
        limit_ticks = liquidation_limit_ticks(
            contract.instrument, liquidation.facts, position, self.rulebook.liquidation
        )
        self._order(liquidation.margin_account_id, position, lots, limit_ticks)

    def _order(
        self, margin_account_id: int, position: PositionFacts, lots: int, limit_ticks: int
    ) -> None:
        self._out.append(
            LiquidateOrder(
                self._now_ns,
                margin_account_id,
                self._next_order_id,
                position.instrument_id,
                position.leg,
                SELL if position.qty_lots > 0 else BUY,
                lots,
                limit_ticks,
            )
        )
        self._next_order_id += 1

    def _set_busy(self, liquidation: Liquidation) -> None:
        liquidation.in_orders = True
        self._busy += 1

    # takeover, deleveraging, socialisation

    def _due(self, liquidation: Liquidation, name: str) -> bool:
        """Whether a closing stage applies to the account as it stands."""
        facts = liquidation.facts
        rules = self.rulebook
        equity_q = liquidation.equity_q
        forced = liquidation.rounds >= MAX_ROUNDS
        if name == "socialise":
            return equity_q < 0 or forced
        held = bool(liquidation.positions)
        scaled_equity = equity_q * PPB
        factor_ppb: int = rules.levels[-1].factor_ppb
        if held and scaled_equity > factor_ppb * liquidation.maintenance_q:
            return False
        if name == "adl":
            return held and (not rules.adl.negative_equity_only or equity_q < 0 or forced)
        house = self._house[facts.asset_id]
        if name == "backstop":
            return (
                held
                and scaled_equity < rules.backstop.trigger_ppb * liquidation.maintenance_q
                and self._can_bear(
                    facts,
                    house.backstop_equity_q,
                    house.backstop_notional_q,
                    rules.backstop.notional_cap_ppb,
                    0,
                )
            )
        return self._can_bear(
            facts,
            house.fund_equity_q,
            house.fund_notional_q,
            rules.fund.notional_cap_ppb,
            rules.fund.loss_cap_ppb,
        )

    def _can_bear(
        self,
        facts: AccountFacts,
        equity_q: int,
        held_q: int,
        notional_cap_ppb: int,
        loss_cap_ppb: int,
    ) -> bool:
        """Whether the house has the means for a takeover; caps of 0 mean no limit."""
        if equity_q <= 0:
            return False
        loss_q = max(0, -facts.equity_q)
        limit_q = apply_rate_down(equity_q, loss_cap_ppb) if loss_cap_ppb else equity_q
        if loss_q > limit_q:
            return False
        if not notional_cap_ppb:
            return True
        taken_q = sum(
            notional_q(self._contracts[position.instrument_id], position)
            for position in facts.positions
        )
        return held_q + taken_q <= apply_rate_down(equity_q, notional_cap_ppb)

    def _pump(self, overdue: bool = False) -> None:
        """Start the next takeover, or ADL when no takeover waits, once all orders are done.

        ``overdue`` starts one although orders are under way: none waits longer than a tick.
        """
        while self._running < 0 and (self._busy == 0 or overdue):
            if self._takeovers:
                account_id = self._takeovers.popleft()
            elif self._adls:
                account_id = self._adls.popleft()
            else:
                return
            liquidation = self.liquidations[account_id]
            liquidation.queued = False
            name = self._stages[liquidation.stage]
            if self._restored(liquidation) or not self._due(liquidation, name):
                self._advance(liquidation)
                continue
            self._announce(liquidation)
            self._running = account_id
            self._out.append(self._decision(account_id, name))

    def _decision(
        self, account_id: int, name: str
    ) -> LiquidateTakeover | LiquidateAdl | LiquidateSocialise:
        if name == "backstop":
            return LiquidateTakeover(self._now_ns, account_id, BACKSTOP)
        if name == "fund":
            return LiquidateTakeover(self._now_ns, account_id, FUND)
        if name == "adl":
            joined, self._joined = self._joined, []
            return LiquidateAdl(self._now_ns, account_id, joined)
        forced = self.liquidations[account_id].rounds >= MAX_ROUNDS
        return LiquidateSocialise(self._now_ns, account_id, forced)

    # time

    def _advance_time(self, message: AdvanceTime) -> None:
        """Wake who waited: asking to cancel nothing brings a fresh report."""
        self._pump(overdue=True)
        for account_id in sorted(self.liquidations):
            liquidation = self.liquidations[account_id]
            if 0 <= liquidation.wait_until_ns <= self._now_ns:
                liquidation.wait_until_ns = -1
                liquidation.orders_sent = 0
                self._set_busy(liquidation)
                self._out.append(LiquidateCancel(self._now_ns, liquidation.margin_account_id))

    def _dispose(self, message: HouseInventory) -> None:
        """Offer a slice of what the fund or backstop holds, at most once per interval."""
        facts = message.facts
        rule = self.rulebook.fund
        account_id = facts.margin_account_id
        last_ns = self._disposed_ns.get(account_id, -rule.disposal_interval_ns)
        if not rule.disposal_fraction_ppb or self._now_ns < last_ns + rule.disposal_interval_ns:
            return
        self._disposed_ns[account_id] = self._now_ns
        for position in facts.positions:
            lots = fraction_lots(position, rule.disposal_fraction_ppb)
            instrument = self._contracts[position.instrument_id].instrument
            limit_ticks = house_limit_ticks(instrument, position, rule)
            self._order(account_id, position, lots, limit_ticks)

    def state(self) -> list[Any]:
        """Everything that decides future behaviour, as plain values in a fixed order."""
        return [
            self._now_ns,
            self._next_order_id,
            self._busy,
            self._running,
            list(self._takeovers),
            list(self._adls),
            sorted([key, value] for key, value in self._disposed_ns.items()),
            sorted([key, value] for key, value in self._fraction_ns.items()),
            [self.liquidations[key].row() for key in sorted(self.liquidations)],
            [[key, msgspec.to_builtins(self._house[key])] for key in sorted(self._house)],
            [
                msgspec.to_builtins(self._contracts[key].instrument.spec)
                for key in sorted(self._contracts)
            ],
            self.rulebook.to_json(),
            *self._beyond(),
        ]

    def _beyond(self) -> list[Any]:
        """What only some rules leave: who waits to be shared out, margin rates that changed."""
        if not self._joined and not self._rates:
            return []
        return [list(self._joined), sorted([key, rate] for key, rate in self._rates.items())]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self._now_ns, self._next_order_id, self._busy, self._running = state[:4]
        self._takeovers, self._adls = deque(state[4]), deque(state[5])
        self._disposed_ns = dict(state[6])
        self._fraction_ns = dict(state[7])
        self.liquidations = {row[0]: Liquidation.from_row(row) for row in state[8]}
        for account_id in (*self._takeovers, *self._adls):
            self.liquidations[account_id].queued = True
        self._house = {key: msgspec.convert(facts, HouseFacts) for key, facts in state[9]}
        for row in state[10]:
            self._add_contract(msgspec.convert(row, InstrumentSpec))
        self._obey(rulebook_from_json(state[11]))
        if len(state) > 12:
            self._joined = list(state[12])
            for instrument_id, rate_ppb in state[13]:
                self._take_rate(instrument_id, rate_ppb)
