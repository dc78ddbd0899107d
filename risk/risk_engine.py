"""The risk engine: the hub, and the only owner of accounts.

A deterministic component. It takes commands and what matching and liquidation answer, and hands
each message to the part that knows the rule.
"""

from collections.abc import Callable
from typing import Any

from engine import commands as c
from engine import internal as k
from engine.commands import CancelOrder, IndexPrice, SubmitOrder
from engine.component import Component
from engine.events import SystemChanged
from engine.internal import BookTop, Fill, OrderGone
from engine.reasons import Reason
from risk.adl_queue import AdlQueues
from risk.admission import check_asset, check_instrument, read_rulebook
from risk.close_out import CloseOut
from risk.core import RiskCore
from risk.deleveraging import Deleveraging
from risk.house_waterfall import HouseWaterfall
from risk.listing import Listing
from risk.orders import Orders
from risk.pretrade import Verdict
from risk.pricing import Pricing
from risk.reports import Reports
from risk.reservations import Reservations
from risk.settlement import Settlement
from risk.socialisation import Socialisation
from risk.transfers import Transfers
from risk.watch import MarginWatch


class RiskEngine(Component):
    """Entry point of the risk component; `core` holds its state."""

    def __init__(self) -> None:
        self.core = RiskCore()
        self.reservations = Reservations(self.core)
        self.watch = MarginWatch(self.core, self.reservations)
        self.queues = AdlQueues(self.core)
        self.orders = Orders(self.core, self.reservations)
        self.settlement = Settlement(self.core, self.watch, self.reservations)
        deleveraging = Deleveraging(
            self.core, self.reservations, self.settlement, self.watch, self.queues
        )
        socialisation = Socialisation(self.core, self.watch)
        self.house = HouseWaterfall(self.core, deleveraging, socialisation)
        self.pricing = Pricing(self.core, self.watch, self.house)
        self.transfers = Transfers(self.core, self.watch)
        self.reports = Reports(self.core, self.queues, self.transfers)
        self.close_out = CloseOut(
            self.core, self.reservations, self.watch, deleveraging, socialisation, self.house
        )
        self._handlers = self._routes()

    def _routes(self) -> dict[type, Callable[[Any], None]]:
        orders, settlement, transfers = self.orders, self.settlement, self.transfers
        close_out, pricing = self.close_out, self.pricing
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
            c.CancelAll: orders.cancel_all,
            c.AmendOrder: orders.amend,
            c.AssetPrice: pricing.asset_price,
            c.AdvanceTime: self._advance_time,
            c.QueryAccount: self._query_account,
            c.QueryMarket: self._query_market,
            c.QueryRisk: self._query_risk,
            c.QueryOrders: self._query_orders,
            c.Skipped: self._skipped,
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
        """
        core = self.core
        core.out = out
        # The commonest first, by their classes: compiled this is a direct call, the table is not.
        if isinstance(message, OrderGone):
            core.advance(message.time_ns)
            self.settlement.gone(message)
        elif isinstance(message, Fill):
            core.advance(message.time_ns)
            self.settlement.filled(message)
        elif isinstance(message, SubmitOrder):
            self.orders.submit(message)
        elif isinstance(message, CancelOrder):
            self.orders.cancel(message)
        elif isinstance(message, BookTop):
            core.advance(message.time_ns)
            self.pricing.book_top(message)
        elif isinstance(message, IndexPrice):
            core.advance(message.time_ns)
            self.pricing.index_price(message)
        else:
            handler = self._handlers.get(type(message))
            if handler is None:
                raise TypeError(f"the risk engine does not take {type(message).__name__}")
            core.advance(message.time_ns)
            handler(message)

    def answer(self, query: Any) -> list[Any]:
        """What there is to say to a query now. Nothing changes, not even the time."""
        out: list[Any] = []
        self.core.out = out
        self._handlers[type(query)](query)
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
            core.reject(0, 0, Verdict(Reason.INVALID_FIELD, detail=str(error)))
            return
        core.emit(SystemChanged(core.now_ns, "asset", command.spec.symbol))
        if len(core.ledger.collateral) != counted:
            self._refresh_everybody()

    def _add_instrument(self, command: c.AddInstrument) -> None:
        core = self.core
        spec = command.spec
        verdict = None
        if spec.instrument_id in core.listings:
            detail = f"instrument_id {spec.instrument_id}"
            verdict = Verdict(Reason.DUPLICATE_ID, detail=detail)
        elif spec.settle_asset_id not in core.assets:
            detail = f"settle_asset_id {spec.settle_asset_id}"
            verdict = Verdict(Reason.UNKNOWN_ASSET, detail=detail)
        elif spec.settle_asset_id in core.ledger.collateral:
            detail = "settle_asset_id is collateral in another asset by the rulebook"
            verdict = Verdict(Reason.INVALID_FIELD, detail=detail)
        else:
            try:
                check_instrument(spec)
                core.listings[spec.instrument_id] = Listing(spec, core.rulebook)
            except ValueError as error:
                verdict = Verdict(Reason.INVALID_FIELD, detail=str(error))
        if verdict is not None:
            core.reject(0, 0, verdict)
        else:
            core.emit(k.InstrumentListed(core.now_ns, spec))
            core.emit(SystemChanged(core.now_ns, "instrument", spec.symbol))

    def _set_rulebook(self, command: c.SetRulebook) -> None:
        core = self.core
        try:
            rulebook = read_rulebook(command.rulebook)
            core.set_rulebook(rulebook)
        except ValueError as error:
            core.reject(0, 0, Verdict(Reason.INVALID_FIELD, detail=str(error)))
            return
        core.emit(k.RulesInForce(core.now_ns, command.rulebook))
        core.emit(SystemChanged(core.now_ns, "rulebook", rulebook.name))
        self._refresh_everybody(new_rules=True)

    def _refresh_everybody(self, new_rules: bool = False) -> None:
        accounts = self.core.ledger.accounts
        for account_id in sorted(accounts):
            self.watch.refresh(accounts[account_id], widen=True, new_rules=new_rules)

    def _advance_time(self, command: c.AdvanceTime) -> None:
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
        """Answer a query. One that fails has changed nothing, so it stops nobody: the asker is told
        what went wrong."""
        core = self.core
        try:
            found = report()
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"[:200]
            core.reject(account_id, 0, Verdict(Reason.INTERNAL_ERROR, detail=detail))
            return
        core.emit(found)
