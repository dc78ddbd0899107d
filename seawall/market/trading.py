"""Orders of a market: limit and market orders, orders that wait for a price, and their flags."""

from decimal import Decimal
from typing import Final, NamedTuple

from engine.commands import (
    ALL_INSTRUMENTS,
    BUY,
    LIMIT,
    MARKET,
    SELL,
    AmendOrder,
    CancelAll,
    CancelOrder,
    SubmitOrder,
    SubmitTrigger,
)
from engine.events import Event
from engine.units import SECOND_NS
from seawall.market.exact import Amount, on_grid
from seawall.market.refusals import made
from seawall.market.venue import Venue
from seawall.market.views import OrderView
from seawall.order_flags import LEG, SIDE, STP, TIF, TRIGGER, TRIGGER_BY, read_choice, read_switch
from seawall.scenario_fields import MAX_TIME_NS

_PPB: Final[Decimal] = Decimal("1e-9")


class _Flags(NamedTuple):
    """The flags of an order, as numbers."""

    tif: int
    post_only: bool
    reduce_only: bool
    stp: int
    leg: int
    expire_ns: int


class Trading(Venue):
    """Places, changes and cancels orders; figures are decimals, flags go by name.

    ``tif`` is GTC (rests until cancelled), IOC (what does not fill at once is dropped) or FOK (all
    at once or nothing); ``post_only`` orders never take, ``reduce_only`` ones only close; ``stp``,
    for orders that meet one of the same account, is cancel_newest, cancel_oldest, cancel_both,
    decrement or none; ``leg``, in hedge mode, long or short; ``good_for`` ends what rests after so
    many seconds. The numbers of `engine.commands` are taken as well.
    """

    def buy(
        self,
        account_id: int,
        qty: Amount,
        price: Amount | None = None,
        *,
        contract: str | None = None,
        tif: str | int = "GTC",
        post_only: bool = False,
        reduce_only: bool = False,
        stp: str | int = "cancel_newest",
        leg: str | int = "net",
        good_for: Amount | None = None,
    ) -> int:
        """Buy at a limit, or at market without a price; returns the order id.

        Raises:
            ValueError: a figure is no decimal or off its grid, or a flag is none of those above.
            Rejected: the exchange refused the order.
        """
        flags = self._flags(tif, post_only, reduce_only, stp, leg, good_for)
        return self._order(account_id, BUY, qty, price, contract, flags)

    def sell(
        self,
        account_id: int,
        qty: Amount,
        price: Amount | None = None,
        *,
        contract: str | None = None,
        tif: str | int = "GTC",
        post_only: bool = False,
        reduce_only: bool = False,
        stp: str | int = "cancel_newest",
        leg: str | int = "net",
        good_for: Amount | None = None,
    ) -> int:
        """Sell; see `buy`."""
        flags = self._flags(tif, post_only, reduce_only, stp, leg, good_for)
        return self._order(account_id, SELL, qty, price, contract, flags)

    def trigger(
        self,
        account_id: int,
        side: str | int,
        qty: Amount | None,
        at: Amount | None = None,
        *,
        kind: str | int = "stop",
        by: str | int = "last",
        price: Amount | None = None,
        trail: Amount | None = None,
        trail_rate: Amount | None = None,
        contract: str | None = None,
        tif: str | int = "GTC",
        post_only: bool = False,
        reduce_only: bool = False,
        stp: str | int = "cancel_newest",
        leg: str | int = "net",
        good_for: Amount | None = None,
    ) -> int:
        """An order that waits until a price comes to ``at``; returns the order id.

        ``kind`` is stop, take_profit or trailing; ``by`` is the price it looks at, last, mark or
        index. What is sent then is a limit order at ``price``, or a market order. A trailing order
        follows the best price at a distance of ``trail``, or of ``trail_rate`` of it, from ``at``
        on or at once. Without a ``qty`` it closes what there is of the position by then.

        Raises:
            ValueError: a figure is no decimal or off its grid, or a flag is none of those above.
            Rejected: the exchange refused the order.
        """
        spec = self._listed.contract(contract)
        flags = self._flags(tif, post_only, reduce_only, stp, leg, good_for)
        tick = spec.tick_size
        return self._place(
            SubmitTrigger(
                self.time_ns,
                account_id,
                spec.instrument_id,
                self.exchange.last_order_id + 1,
                read_choice("side", side, SIDE),
                0 if qty is None else on_grid(qty, spec.lot_size, "qty"),
                read_choice("kind", kind, TRIGGER),
                0 if at is None else on_grid(at, tick, "at"),
                trigger_by=read_choice("by", by, TRIGGER_BY),
                order_type=MARKET if price is None else LIMIT,
                price_ticks=0 if price is None else on_grid(price, tick, "price"),
                close_position=qty is None,
                trail_ticks=0 if trail is None else on_grid(trail, tick, "trail"),
                trail_ppb=0 if trail_rate is None else on_grid(trail_rate, _PPB, "trail_rate"),
                **flags._asdict(),
            )
        )

    def _flags(
        self,
        tif: str | int,
        post_only: bool,
        reduce_only: bool,
        stp: str | int,
        leg: str | int,
        good_for: Amount | None,
    ) -> _Flags:
        return _Flags(
            read_choice("tif", tif, TIF),
            read_switch("post_only", post_only),
            read_switch("reduce_only", reduce_only),
            read_choice("stp", stp, STP),
            read_choice("leg", leg, LEG),
            0 if good_for is None else self._end_ns(good_for),
        )

    def _end_ns(self, good_for: Amount) -> int:
        span_ns = on_grid(good_for, _PPB, "good_for")
        if not 0 < span_ns <= MAX_TIME_NS - self.time_ns:
            most = (MAX_TIME_NS - self.time_ns) // SECOND_NS
            raise ValueError(f"good_for {good_for}: allowed are seconds above 0 and to {most}")
        return self.time_ns + span_ns

    def _order(
        self,
        account_id: int,
        side: int,
        qty: Amount,
        price: Amount | None,
        contract: str | None,
        flags: _Flags,
    ) -> int:
        spec = self._listed.contract(contract)
        return self._place(
            made(
                SubmitOrder,
                self.time_ns,
                account_id,
                spec.instrument_id,
                self.exchange.last_order_id + 1,
                side,
                on_grid(qty, spec.lot_size, "qty"),
                0 if price is None else on_grid(price, spec.tick_size, "price"),
                order_type=MARKET if price is None else LIMIT,
                **flags._asdict(),
            )
        )

    def _place(self, order: SubmitOrder | SubmitTrigger) -> int:
        order_id = self.exchange.next_order_id()
        self.send(order)
        return order_id

    def cancel(self, account_id: int, order_id: int) -> list[Event]:
        """Cancel an order."""
        return self.send(made(CancelOrder, self.time_ns, account_id, order_id))

    def cancel_all(self, account_id: int, contract: str | None = None) -> list[Event]:
        """Cancel every order of an account, in one contract or in all."""
        instrument_id = ALL_INSTRUMENTS if contract is None else self._id(contract)
        return self.send(CancelAll(self.time_ns, account_id, instrument_id))

    def amend(self, account_id: int, order_id: int, qty: Amount, price: Amount) -> list[Event]:
        """Change price and remaining size; only a smaller size alone keeps the place in the row."""
        spec = self._order_contract(account_id, order_id)
        lots = on_grid(qty, spec.lot_size, "qty")
        ticks = on_grid(price, spec.tick_size, "price")
        return self.send(made(AmendOrder, self.time_ns, account_id, order_id, ticks, lots))

    def orders(self, account_id: int) -> list[OrderView]:
        """The open orders of a trader and those that wait for their price, each oldest first.

        Raises:
            KeyError: no such account.
        """
        return self._window.orders(account_id)

    def _id(self, contract: str | None) -> int:
        return self._listed.contract(contract).instrument_id
