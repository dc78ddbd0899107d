"""The risk engine: the hub, and the only owner of accounts.

A deterministic component. It takes commands and what matching and liquidation answer, and hands
each message to the part that knows the rule.

Each command is planned before it is applied: up to `RiskCore.apply` its handler only looks, and
what it borrows it puts back. So an exception before that is a refusal (`INTERNAL_ERROR`) that
follows from state and command alone, and changes nothing; one behind it leaves state half changed
and is raised. A tick of the clock, and what other components say, have no plan.
"""

from collections.abc import Callable
from typing import Any, Final

from engine import commands as c
from engine import internal as k
from engine.commands import CancelOrder, IndexPrice, SubmitOrder
from engine.events import SystemChanged
from engine.instruments import InstrumentSpec
from engine.internal import BookTop, Fill, OrderGone
from engine.reasons import Reason
from engine.routing.component import Component
from risk.check.pretrade import Verdict
from risk.core import RiskCore
from risk.cover.reservations import Reservations
from risk.entry.cancels import Cancels
from risk.entry.orders import Orders
from risk.entry.settlement import Settlement
from risk.entry.transfers import Transfers
from risk.entry.triggers import Triggers
from risk.levels.watch import MarginWatch
from risk.listing import Listing
from risk.losses.adl_queue import AdlQueues
from risk.losses.adl_rounds import AdlRounds
from risk.losses.close_out import CloseOut
from risk.losses.deleveraging import Deleveraging
from risk.losses.house_waterfall import HouseWaterfall
from risk.losses.socialisation import Socialisation
from risk.reports import Reports
from risk.revaluation.pricing import Pricing
from risk.rules.admission import check_asset, check_instrument, read_rulebook

OnDefect = Callable[[Any, Exception], object]

NOT_OF_THE_COMMAND: Final = (AssertionError, MemoryError, RecursionError)
"""Raised for a broken invariant, or by the process the engine runs in: never a refusal. The latter
would not come again in a replay."""


def unheard(command: Any, error: Exception) -> None:
    """Nobody asks what the defects are."""


class RiskEngine(Component):
    """Entry point of the risk component; `core` holds its state.

    ``on_defect`` hears of each command that was refused because its plan raised, with the error.
    """

    def __init__(self, on_defect: OnDefect = unheard) -> None:
        self._on_defect = on_defect
        self.core = RiskCore()
        self.reservations = Reservations(self.core)
        self.watch = MarginWatch(self.core, self.reservations)
        self.queues = AdlQueues(self.core)
        self.rounds = AdlRounds(self.core, self.queues)
        self.orders = Orders(self.core, self.reservations)
        self.triggers = Triggers(self.core, self.orders)
        self.cancels = Cancels(self.core)
        self.settlement = Settlement(self.core, self.watch, self.reservations)
        deleveraging = Deleveraging(
            self.core, self.reservations, self.settlement, self.watch, self.queues, self.rounds
        )
        socialisation = Socialisation(self.core, self.watch)
        self.house = HouseWaterfall(self.core, deleveraging, socialisation)
        self.pricing = Pricing(self.core, self.watch, self.house)
        self.transfers = Transfers(self.core, self.watch)
        self.reports = Reports(self.core, self.queues, self.transfers)
        self.close_out = CloseOut(
            self.core,
            self.reservations,
            self.watch,
            deleveraging,
            socialisation,
            self.house,
            self.rounds,
        )
        self._planned = self._routes_planned()
        self._unplanned = self._routes_unplanned()

    def _routes_planned(self) -> dict[type, Callable[[Any], None]]:
        transfers, pricing = self.transfers, self.pricing
        return {
            c.AddAsset: self._add_asset,
            c.AddInstrument: self._add_instrument,
            c.SetRulebook: self._set_rulebook,
            c.OpenAccount: transfers.open_account,
            c.Deposit: transfers.deposit,
            c.Withdraw: transfers.withdraw,
            c.SetLeverage: transfers.set_leverage,
            c.SetMarginMode: transfers.set_margin_mode,
            c.SetPositionMode: transfers.set_position_mode,
            c.AdjustIsolatedMargin: transfers.adjust_isolated,
            c.CancelAll: self.cancels.cancel_all,
            c.AmendOrder: self._amend_order,
            c.SubmitTrigger: self.triggers.submit,
            c.AmendTrigger: self.triggers.amend,
            k.FireTrigger: self.triggers.fire,
            c.AssetPrice: pricing.asset_price,
            c.QueryAccount: self._query_account,
            c.QueryMarket: self._query_market,
            c.QueryRisk: self._query_risk,
            c.QueryOrders: self._query_orders,
            c.Skipped: self._skipped,
        }

    def _routes_unplanned(self) -> dict[type, Callable[[Any], None]]:
        settlement, close_out = self.settlement, self.close_out
        return {
            c.AdvanceTime: self._advance_time,
            k.ImpactPrices: self.pricing.impact_prices,
            k.OrderChanged: settlement.changed,
            k.PullFailed: settlement.pull_failed,
            k.LiquidateCancel: close_out.cancel_orders,
            k.LiquidateOrder: close_out.place_order,
            k.LiquidateTakeover: close_out.take_over,
            k.LiquidateAdl: close_out.deleverage,
            k.LiquidateSocialise: close_out.socialise,
            k.LiquidateStage: close_out.enter_stage,
            k.LiquidateRelease: close_out.release,
        }

    def handle(self, message: Any, out: list[Any]) -> None:
        """Apply one message and append what follows from it to ``out``.

        Raises:
            TypeError: a message type this component does not take.
            Exception: what a defect raises while state changes; that is half done then.
        """
        core = self.core
        core.out = out
        core.planning = False
        said = len(out)
        opened = len(core.ledger.accounts)
        try:
            # The commonest first, by their classes: compiled this is a direct call, the table is
            # not.
            if isinstance(message, OrderGone):
                core.advance(message.time_ns)
                self.settlement.gone(message)
            elif isinstance(message, Fill):
                core.advance(message.time_ns)
                self._filled(message)
            elif isinstance(message, SubmitOrder):
                core.planning = True
                self.orders.submit(message)
            elif isinstance(message, CancelOrder):
                core.planning = True
                self.cancels.cancel(message)
            elif isinstance(message, BookTop):
                core.advance(message.time_ns)
                self.pricing.book_top(message)
            elif isinstance(message, IndexPrice):
                core.planning = True
                core.advance(message.time_ns)
                self.pricing.index_price(message)
            else:
                self._look_up(message)
        except Exception as error:
            if not core.planning or isinstance(error, NOT_OF_THE_COMMAND):
                raise
            core.planning = False
            del out[said:]
            core.ledger.close_opened(opened)
            self._refuse(message, error)

    def _filled(self, fill: Fill) -> None:
        listing = self.core.orders[fill.taker_order_id].position.listing
        if self.settlement.filled(fill):
            self.house.check(listing.instrument.settle_asset_id)

    def _look_up(self, message: Any) -> None:
        core = self.core
        handler = self._planned.get(type(message))
        core.planning = handler is not None
        if handler is None:
            handler = self._unplanned.get(type(message))
        if handler is None:
            raise TypeError(f"the risk engine does not take {type(message).__name__}")
        core.advance(message.time_ns)
        handler(message)

    def _refuse(self, message: Any, error: Exception) -> None:
        """Refuse a command whose plan raised. The answer names the kind of error only: its words
        may differ from one build to the next, and a replay says the same in each."""
        verdict = Verdict(Reason.INTERNAL_ERROR, detail=type(error).__name__)
        if isinstance(message, k.FireTrigger):
            trigger = self.core.triggers.get(message.order_id)
            if trigger is not None:
                self.triggers.refuse(trigger, verdict)
        else:
            self._reject(message, verdict)
        self._on_defect(message, error)

    def _reject(self, message: Any, verdict: Verdict) -> None:
        account_id: int = getattr(message, "account_id", 0)
        order_id: int = getattr(message, "order_id", 0)
        self.core.reject(account_id, order_id, verdict)

    def answer(self, query: Any) -> list[Any]:
        """What there is to say to a query now. Nothing changes, not even the time."""
        out: list[Any] = []
        self.core.out = out
        self._planned[type(query)](query)
        return out

    def _add_asset(self, command: c.AddAsset) -> None:
        core = self.core
        asset_id = command.spec.asset_id
        if asset_id in core.assets:
            core.reject(0, 0, Verdict(Reason.DUPLICATE_ID, detail=f"asset_id {asset_id}"))
            return
        counted = len(core.ledger.collateral)
        try:
            check_asset(command.spec)
            core.add_asset(command)
        except ValueError as error:
            if not core.planning:
                raise
            core.reject(0, 0, Verdict(Reason.INVALID_FIELD, detail=str(error)))
            return
        core.emit(SystemChanged(core.now_ns, "asset", command.spec.symbol))
        if len(core.ledger.collateral) != counted:
            self._refresh_everybody()

    def _add_instrument(self, command: c.AddInstrument) -> None:
        core = self.core
        planned = self._plan_listing(command.spec)
        if isinstance(planned, Verdict):
            core.reject(0, 0, planned)
            return
        core.apply()
        core.listings[planned.instrument_id] = planned
        core.emit(k.InstrumentListed(core.now_ns, command.spec))
        core.emit(SystemChanged(core.now_ns, "instrument", command.spec.symbol))

    def _plan_listing(self, spec: InstrumentSpec) -> "Listing | Verdict":
        core = self.core
        if spec.instrument_id in core.listings:
            detail = f"instrument_id {spec.instrument_id}"
            return Verdict(Reason.DUPLICATE_ID, detail=detail)
        if spec.settle_asset_id not in core.assets:
            detail = f"settle_asset_id {spec.settle_asset_id}"
            return Verdict(Reason.UNKNOWN_ASSET, detail=detail)
        if spec.settle_asset_id in core.ledger.collateral:
            detail = "settle_asset_id is collateral in another asset by the rulebook"
            return Verdict(Reason.INVALID_FIELD, detail=detail)
        try:
            check_instrument(spec)
            return Listing(spec, core.rulebook, core.assets[spec.settle_asset_id].decimals)
        except ValueError as error:
            return Verdict(Reason.INVALID_FIELD, detail=str(error))

    def _set_rulebook(self, command: c.SetRulebook) -> None:
        core = self.core
        try:
            rulebook = read_rulebook(command.rulebook)
            adl = core.rulebook.adl
            core.set_rulebook(rulebook)
        except ValueError as error:
            if not core.planning:
                raise
            core.reject(0, 0, Verdict(Reason.INVALID_FIELD, detail=str(error)))
            return
        self.rounds.rules_change(of_adl=rulebook.adl != adl)
        core.emit(k.RulesInForce(core.now_ns, command.rulebook))
        core.emit(SystemChanged(core.now_ns, "rulebook", rulebook.name))
        self._refresh_everybody(new_rules=True)

    def _refresh_everybody(self, new_rules: bool = False) -> None:
        accounts = self.core.ledger.accounts
        for account_id in sorted(accounts):
            self.watch.refresh(accounts[account_id], widen=True, new_rules=new_rules)

    def _amend_order(self, command: c.AmendOrder) -> None:
        if command.order_id in self.core.triggers:
            self.triggers.amend_order(command)
        else:
            self.orders.amend(command)

    def _advance_time(self, command: c.AdvanceTime) -> None:
        if self.core.expiries.count:
            self.triggers.expire()
        self.pricing.advance_time()

    def _query_account(self, command: c.QueryAccount) -> None:
        core = self.core
        trader = core.ledger.traders.get(command.account_id)
        if trader is None:
            core.reject(command.account_id, 0, Verdict(Reason.UNKNOWN_ACCOUNT))
        else:
            self._answer(command.account_id, lambda: self.reports.account(trader))

    def _query_orders(self, command: c.QueryOrders) -> None:
        core = self.core
        trader = core.ledger.traders.get(command.account_id)
        if trader is None:
            core.reject(command.account_id, 0, Verdict(Reason.UNKNOWN_ACCOUNT))
        else:
            self._answer(command.account_id, lambda: self.reports.orders(trader))

    def _query_market(self, command: c.QueryMarket) -> None:
        self._answer(0, self.reports.market)

    def _query_risk(self, command: c.QueryRisk) -> None:
        core = self.core
        ids, count = command.account_ids, command.count
        if 0 < count <= c.MAX_ROWS and len(ids) <= c.MAX_ROWS:
            self._answer(0, lambda: self.reports.nearest(ids, count))
        else:
            detail = f"count 1 to {c.MAX_ROWS}, at most {c.MAX_ROWS} account_ids"
            core.reject(0, 0, Verdict(Reason.INVALID_FIELD, detail=detail))

    def _skipped(self, command: c.Skipped) -> None:
        verdict = Verdict(Reason.SKIPPED_BY_OPERATOR, detail=f"{command.note} {command.digest}")
        self.core.reject(command.account_id, 0, verdict)

    def _answer(self, account_id: int, report: Callable[[], Any]) -> None:
        """Answer a query. One that fails has changed nothing and stops nothing: the asker is told
        what went wrong."""
        core = self.core
        try:
            found = report()
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"[:200]
            core.reject(account_id, 0, Verdict(Reason.INTERNAL_ERROR, detail=detail))
            return
        core.emit(found)
