"""The owners of accounts: who hears of what happens on the exchange."""

from collections.abc import Callable
from typing import Any

from engine.events import (
    BalanceChanged,
    CommandRejected,
    Deleveraged,
    Event,
    FundingPaid,
    LiquidationEnded,
    LiquidationStarted,
    LossSocialised,
    MarginCallEnded,
    MarginCallIssued,
    MarkUpdated,
    OrderAccepted,
    OrderAmended,
    OrderClosed,
    OrderFilled,
    TakenOver,
    Trade,
    TriggerFired,
)
from risk.accounts import FIRST_TRADER, owner_of
from seawall.agents.base import Agent
from seawall.agents.margin_traders import MarginTrader
from seawall.agents.view import MarketView
from seawall.records.owner import AGENT, GROUP, Owner
from seawall.records.run_warnings import Uncountable
from seawall.simulating.set_up import SetUp


class Owners:
    """Agents and traders by account id, and the views of the markets; `on_event` tells each what
    concerns it. `accepted` are the accounts of agents that ever had an order accepted,
    `uncountable` what was refused because numbers end."""

    def __init__(self, set_up: SetUp) -> None:
        # By account id from `FIRST_TRADER` on: there are no gaps.
        self.all: list[Agent | MarginTrader] = []
        self.accepted: set[int] = set()
        self.uncountable = Uncountable()
        self._set_up = set_up
        self._views: dict[int, MarketView] = {}
        self._hearers: list[Callable[[Trade, int], None]] = []
        self._routes = self._event_routes()

    def show(self, view: MarketView) -> None:
        """Keep a view of a market up to date from now on."""
        self._views[view.instrument_id] = view

    def hear_trades(self, hearer: Callable[[Trade, int], None]) -> None:
        """Tell of every trade and the index before it, in ticks (0: none yet)."""
        self._hearers.append(hearer)

    def traders(self) -> dict[int, MarginTrader]:
        """The margined traders by account id."""
        return {
            account_id: owner
            for account_id, owner in enumerate(self.all, FIRST_TRADER)
            if isinstance(owner, MarginTrader)
        }

    def described(self) -> list[Owner]:
        """Every owner as the records know it."""
        return [_described(owner) for owner in self.all]

    def on_event(self, event: Event) -> None:
        """Tell the owners it concerns."""
        route = self._routes.get(type(event))
        if route is not None:
            route(event)

    def _event_routes(self) -> dict[type, Callable[[Event], None]]:
        routes: dict[type, Callable[[Event], None]] = {
            Trade: self._on_trade,
            MarkUpdated: self._on_mark,
            Deleveraged: self._on_deleveraged,
        }
        routes[OrderAccepted] = self._on_accepted
        for kind in (OrderAmended, OrderClosed, OrderFilled, TriggerFired):
            routes[kind] = self._to_owner
        routes[CommandRejected] = self._on_rejected
        for margin_kind in (
            MarginCallIssued,
            MarginCallEnded,
            LiquidationStarted,
            LiquidationEnded,
            TakenOver,
            FundingPaid,
            LossSocialised,
            BalanceChanged,
        ):
            routes[margin_kind] = self._to_margin_owner
        return routes

    def _owner(self, account_id: int) -> Agent | MarginTrader | None:
        place = account_id - FIRST_TRADER
        return self.all[place] if 0 <= place < len(self.all) else None

    def _to_owner(self, event: Event) -> None:
        owner = self._owner(event.account_id)  # type: ignore[union-attr]
        if owner is not None:
            owner.on_event(event)

    def _to_margin_owner(self, event: Event) -> None:
        owner = self._owner(owner_of(event.margin_account_id))  # type: ignore[union-attr]
        if owner is not None:
            owner.on_event(event)

    def _on_accepted(self, event: Event) -> None:
        assert isinstance(event, OrderAccepted)
        owner = self._owner(event.account_id)
        if owner is not None:
            if not isinstance(owner, MarginTrader):
                self.accepted.add(event.account_id)
            owner.on_event(event)

    def _on_rejected(self, event: Event) -> None:
        """A trader's refused order is its own affair; what sets the market up may not be refused,
        nor a price."""
        assert isinstance(event, CommandRejected)
        self._set_up.refused(event)
        if self._owner(event.account_id) is not None:
            self.uncountable.refused(self._set_up.place(event.account_id), event)
        self._to_owner(event)

    def _on_deleveraged(self, event: Event) -> None:
        assert isinstance(event, Deleveraged)
        for margin_account_id in (event.margin_account_id, event.bankrupt_account_id):
            owner = self._owner(owner_of(margin_account_id))
            if owner is not None:
                owner.on_event(event)

    def _on_trade(self, event: Event) -> None:
        assert isinstance(event, Trade)
        view = self._views[event.instrument_id]
        view.last_ticks = event.price_ticks
        for hear in self._hearers:
            hear(event, view.index_ticks)

    def _on_mark(self, event: Event) -> None:
        assert isinstance(event, MarkUpdated)
        view = self._views.get(event.instrument_id)
        if view is not None:
            view.mark_ticks = event.mark_ticks
            view.index_ticks = event.index_ticks
            view.open_interest_lots = event.open_interest_lots

    def state(self) -> list[Any]:
        """What every owner is to remember, who had an order accepted, and what was refused."""
        rows = [owner.state() for owner in self.all]
        return [rows, sorted(self.accepted), self.uncountable.state()]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned of the same owners."""
        rows, accepted, uncountable = state
        for owner, row in zip(self.all, rows, strict=True):
            owner.restore(row)
        self.accepted = set(accepted)
        self.uncountable.restore(uncountable)


def group_of(owner: Agent | MarginTrader) -> tuple[str, str]:
    """Kind and name of what an account belongs to."""
    if isinstance(owner, MarginTrader):
        return GROUP, owner.profile.group
    return AGENT, owner.name.rpartition("-")[0]


def _described(owner: Agent | MarginTrader) -> Owner:
    if not isinstance(owner, MarginTrader):
        return Owner(*group_of(owner), owner.view.instrument_id)
    profile = owner.profile
    return Owner(
        *group_of(owner),
        owner.instrument_id,
        "long" if profile.is_long else "short",
        profile.isolated,
        profile.answer,
        owner.entered,
    )
