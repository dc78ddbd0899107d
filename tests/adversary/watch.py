"""The properties no set of colluding accounts may break, looked at fill by fill and at rest."""

from typing import Any

from engine.commands import AmendOrder, Command, SubmitOrder, SubmitTrigger
from engine.events import (
    CollateralPriceChanged,
    CommandRejected,
    FundingSettled,
    LiquidationEnded,
    LiquidationStarted,
    MarkUpdated,
    OrderAccepted,
    OrderAmended,
    OrderFilled,
)
from engine.reasons import Reason
from engine.units import magnitude
from risk.accounts import MarginAccount, Position, Trader
from risk.health import initial_requirement_q
from seawall.exchange import Exchange
from tests.adversary.ledger_view import (
    at_stake_q,
    equity_q,
    idle,
    prices,
    requirement_q,
    unrealised_q,
)

MONEY = "money taken from others"
BANKRUPT = "bankrupt by a fill"
LIQUIDATION_PRICE = "liquidation order past bankruptcy"
OPENED = "reduce-only fill opened or flipped"
UNPAID = "opening fill leaves a pot below its margin"
REFUSED = "an order that only reduces was refused"
STUCK = "money held with nothing open"
OVERHELD = "more held than can be needed"
INVARIANT = "invariant"
CRASH = "crash"


class Finding(AssertionError):
    """A property that does not hold: its kind, and the figures."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class Watch:
    """Listens to one exchange.

    While prices stand still, what others have (`at_stake_q`) may not fall below `_base`, which is
    taken anew when a price moves. `moved` is set from then on: a house that holds what a crash left
    may sell it within its rule.
    """

    def __init__(self, exchange: Exchange, colluders: frozenset[int]) -> None:
        self._exchange = exchange
        self._core = exchange.risk.core
        self._colluders = colluders
        self._reduce_only: set[int] = set()
        self._checked_at: dict[int, tuple[int, ...]] = {}
        self._accepted: dict[int, int] = {}
        self._taker = 0
        self._amended_at: dict[int, tuple[int, ...]] = {}
        self._fresh = True
        self._locked: dict[int, int] = {}
        self._seen = 0
        self._pots: dict[int, int] = {}
        self._prices: tuple[int, ...] = ()
        self._base: dict[int, int] = {}
        self._rounding = 0
        self.moved = False
        self.finding: Finding | None = None
        self.counts: dict[str, int] = {}
        self._rebase()
        exchange.subscribe(self.hear)

    # before and after commands

    def note(self, command: Command) -> None:
        """A command is about to be sent."""
        if isinstance(command, SubmitOrder) and command.reduce_only:
            self._reduce_only.add(command.order_id)
        elif isinstance(command, SubmitTrigger):
            if command.reduce_only or command.close_position:
                self._reduce_only.add(command.order_id)
        elif isinstance(command, AmendOrder):
            self._amended_at[command.order_id] = self._terms()

    def only_reduces(self, command: Command) -> bool:
        """Whether an order fits into the position it points against, beside the plain ones open:
        those that only reduce are trimmed or make room."""
        if not isinstance(command, SubmitOrder):
            return False
        trader = self._core.ledger.traders.get(command.account_id)
        position = trader and trader.find_position(command.instrument_id, command.leg)
        if not position:
            return False
        beside = sum(
            order.remaining_lots
            for order in position.account.trader.open_orders()
            if order.position is position and order.side == command.side and not order.reduce_only
        )
        held: int = -command.side * position.qty_lots
        return bool(command.qty_lots + beside <= held)

    def reduces_something(self, command: Command) -> bool:
        """Whether a reduce-only order points against a position, where resting ones do not count
        against it."""
        if not isinstance(command, SubmitOrder) or not command.reduce_only:
            return False
        if self._core.rulebook.reduce_only != "cap":
            return False
        trader = self._core.ledger.traders.get(command.account_id)
        position = trader and trader.find_position(command.instrument_id, command.leg)
        return bool(position and command.side * position.qty_lots < 0)

    def answered(self, command: Command, events: list[Any], free: bool, reduces: bool) -> None:
        """A command sent alone came to its end; what was asked of it before is passed in.

        Raises:
            Finding: a property does not hold.
        """
        for event in events:
            if isinstance(event, CommandRejected) and (
                (free and event.reason == Reason.INSUFFICIENT_MARGIN)
                or (reduces and event.reason == Reason.NOTHING_TO_REDUCE)
            ):
                raise Finding(REFUSED, f"{command}: {event}")

    def at_rest(self) -> None:
        """Nothing is under way: raise what was found since, and add everything up.

        Raises:
            Finding: a property does not hold.
        """
        if self.finding is not None:
            raise self.finding
        if self._values() != self._prices:
            self._rebase()
        self._check_money()
        self._note_pots()

    def check_holds(self) -> None:
        """Reservations at rest: none without anything open, none beyond what can be needed.

        Raises:
            Finding: a property does not hold.
        """
        for trader in self._core.ledger.traders.values():
            if trader.is_house():
                continue
            if idle(trader):
                self._check_idle(trader)
            else:
                self._check_held(trader)

    # events

    def hear(self, event: Any) -> None:
        """Look at one event as it is published."""
        if self.finding is not None:
            return
        self._seen += 1
        name = type(event).__name__
        self.counts[name] = self.counts.get(name, 0) + 1
        try:
            if isinstance(event, OrderFilled):
                self._filled(event)
            elif isinstance(event, OrderAccepted):
                self._checked_at[event.order_id] = self._terms()
                self._accepted[event.order_id] = self._seen
            elif isinstance(event, OrderAmended):
                at = self._amended_at.get(event.order_id, self._checked_at[event.order_id])
                self._checked_at[event.order_id] = at
            elif isinstance(event, FundingSettled):
                self._rebase()
            elif isinstance(event, LiquidationStarted):
                self._locked[event.margin_account_id] = self._seen
            elif isinstance(event, LiquidationEnded):
                self._locked.pop(event.margin_account_id, None)
            elif isinstance(event, MarkUpdated | CollateralPriceChanged):
                self._price_told()
        except Finding as finding:
            self.finding = finding

    def _values(self) -> tuple[int, ...]:
        """All prices, and how often funding was paid: what values a pot besides fills."""
        return (
            *prices(self._exchange),
            self.counts.get("FundingSettled", 0),
            self.counts.get("BorrowFeePaid", 0),
        )

    def _terms(self) -> tuple[int, ...]:
        """What an order is checked by: the prices, and how often a margin rate changed."""
        return (*self._values(), self.counts.get("MarginRateChanged", 0))

    def _price_told(self) -> None:
        """A price may have moved: what follows is measured from here."""
        if self._values() != self._prices:
            self.moved = True
            self._rebase()

    def _filled(self, fill: OrderFilled) -> None:
        self._price_told()
        now = self._terms()
        trader = self._core.ledger.traders[fill.account_id]
        listing = self._core.listings[fill.instrument_id]
        instrument = listing.instrument
        self._rounding += 2 if instrument.inverse else 0
        if not fill.maker:
            self._taker = fill.order_id
            self._fresh = self._checked_at.get(fill.order_id) == now
        signed = fill.side * fill.qty_lots
        worth_q = instrument.position_value_q(signed, listing.mark_ticks)
        paid_q = fill.side * instrument.fill_value_q(fill.qty_lots, fill.price_ticks)
        own_q = worth_q - paid_q - fill.fee_q
        if trader.is_house():
            if self.moved and own_q < 0:
                self._base[instrument.settle_asset_id] += own_q
            return
        if fill.account_id not in self._colluders:
            self._base[instrument.settle_asset_id] += own_q
        self._check_direction(fill, signed)
        position = trader.find_position(fill.instrument_id, fill.leg)
        asset_id = instrument.settle_asset_id
        pots = [
            account
            for account in trader.accounts
            if account.asset_id == asset_id
            and (not account.isolated or (position and position.account is account))
        ]
        had_q = dict(self._pots)
        for account in pots:
            self._check_equity(account, fill)
        if position is None or fill.liquidation or not self._fresh:
            return
        opened = magnitude(fill.position_lots) > magnitude(fill.position_lots - signed) or (
            fill.position_lots * (fill.position_lots - signed) < 0
        )
        if not opened or self._checked_at.get(fill.order_id) != now:
            return
        for account in pots:
            # A cross account that lost its margin by a close may still give what it promised.
            met = had_q.get(account.margin_account_id, 0) >= requirement_q(account)
            if account is position.account or met:
                self._check_paid(account, fill)

    def _check_direction(self, fill: OrderFilled, signed: int) -> None:
        if fill.order_id not in self._reduce_only and not fill.liquidation:
            return
        before = fill.position_lots - signed
        if before * signed >= 0 or fill.position_lots * before < 0:
            raise Finding(OPENED, f"from {before} to {fill.position_lots}: {fill}")

    def _check_equity(self, account: MarginAccount, fill: OrderFilled) -> None:
        key = account.margin_account_id
        now_q = equity_q(account)
        before_q = self._pots.get(key, 0)
        self._pots[key] = now_q
        slack = 2 if self._core.listings[fill.instrument_id].instrument.inverse else 0
        slack += len(account.holdings)
        if not self._fresh or self._accepted[self._taker] < self._locked.get(key, 0):
            # A price or rate changed, or the account was locked, while the taker was on its way to
            # the book: no cancel could be faster.
            if fill.account_id in self._colluders:
                self._base[account.asset_id] += min(0, now_q) - min(0, before_q)
            return
        if now_q + slack < min(0, before_q):
            kind = LIQUIDATION_PRICE if fill.liquidation else BANKRUPT
            raise Finding(kind, f"pot {key} from {before_q} to {now_q}: {fill}")

    def _check_paid(self, account: MarginAccount, fill: OrderFilled) -> None:
        now_q = equity_q(account)
        need_q = requirement_q(account)
        slack = 4 if self._core.listings[fill.instrument_id].instrument.inverse else 0
        if now_q + slack < need_q and account.margin_account_id not in self._locked:
            least_q = requirement_q(account, maintenance=True)
            raise Finding(
                UNPAID,
                f"pot {account.margin_account_id} has {now_q}, initial {need_q}, "
                f"maintenance {least_q}: {fill}",
            )

    # adding up

    def _rebase(self) -> None:
        self._prices = self._values()
        stake = at_stake_q(self._exchange, self._colluders)
        self._base = {asset_id: sum(row.values()) for asset_id, row in stake.items()}
        self._rounding = 0
        self._note_pots()

    def _note_pots(self) -> None:
        self._pots = {
            key: equity_q(account)
            for key, account in self._core.ledger.accounts.items()
            if not account.trader.is_house()
        }

    def _check_money(self) -> None:
        for asset_id, row in at_stake_q(self._exchange, self._colluders).items():
            total_q = sum(row.values())
            base_q = self._base.setdefault(asset_id, total_q)
            if total_q < base_q - self._rounding:
                raise Finding(MONEY, f"asset {asset_id}: {base_q} became {total_q}, {row}")

    # holds

    def _check_idle(self, trader: Trader) -> None:
        for account in trader.accounts:
            if account.isolated and account.wallet_q and account.liquidation is None:
                raise Finding(STUCK, f"pot {account.margin_account_id}: {account.wallet_q}")
            held_q = initial_requirement_q(account)
            if held_q:
                raise Finding(STUCK, f"pot {account.margin_account_id} holds {held_q}")

    def _check_held(self, trader: Trader) -> None:
        """What cross accounts keep back, against every order filling at its own price."""
        most_q: dict[int, int] = {}
        for account in trader.accounts:
            for position in account.positions:
                if position.buy_lots or position.sell_lots or not account.isolated:
                    need_q = most_q.get(account.asset_id, 0) + self._most_needed_q(position)
                    most_q[account.asset_id] = need_q
        for account in trader.accounts:
            need_q = most_q.get(account.asset_id, 0)
            held_q = initial_requirement_q(account)
            if held_q > need_q and not account.isolated:
                text = f"pot {account.margin_account_id} holds {held_q}, needs {need_q}"
                raise Finding(OVERHELD, text)

    def _most_needed_q(self, position: Position) -> int:
        """Margin of the larger side at the dearest price, every order's loss, and fees."""
        listing = position.listing
        instrument = listing.instrument
        mark = listing.mark_ticks
        extra_q = 2
        lots_of = {1: 0, -1: 0}
        value_q = {1: 0, -1: 0}
        for order in position.account.trader.open_orders():
            if order.position is not position or order.liquidation:
                continue
            lots, price = order.remaining_lots, order.price_ticks
            notional_q = max(instrument.notional_q(lots, price), instrument.notional_q(lots, mark))
            lots_of[order.side] += lots
            value_q[order.side] += notional_q
            paid_q = instrument.fill_value_q(lots, price)
            worth_q = instrument.position_value_q(lots, mark)
            extra_q += max(0, order.side * (paid_q - worth_q)) + 3
            extra_q += max(0, position.listing.fees.held.up(notional_q))
            if instrument.inverse:
                # It may fill lot by lot, each rounded.
                extra_q += lots
        entry_q = max(
            magnitude(position.entry_value_q), instrument.notional_q(position.qty_lots, mark)
        )
        margins = [
            listing.model.initial_q(
                magnitude(position.qty_lots) + lots_of[side],
                entry_q + value_q[side],
                entry_q + value_q[side],
                position.leverage,
            )
            for side in (1, -1)
        ]
        lost_q = max(0, -unrealised_q(position)) if position.account.isolated else 0
        return max(margins) + extra_q + lost_q
