"""A market for notebooks: one contract, decimals in and out, the whole engine behind it.

>>> import seawall
>>> market = seawall.Market(rulebook="teaching-default", price="100")
>>> maker = market.open_account(deposit="1000000")
>>> trader = market.open_account(deposit="1000", leverage=10)
>>> _ = market.sell(maker, "50", price="100")
>>> _ = market.buy(trader, "50", price="100")
>>> market.position(trader).liquidation_price
'81.68'
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import msgspec
import polars as pl

from engine.commands import (
    BUY,
    LEG_NET,
    LIMIT,
    MARKET,
    MAX_WIRE,
    SELL,
    AddAsset,
    AddInstrument,
    AdjustIsolatedMargin,
    AdvanceTime,
    AmendOrder,
    CancelOrder,
    Command,
    Deposit,
    IndexPrice,
    OpenAccount,
    SetLeverage,
    SetMarginMode,
    SetRulebook,
    SubmitOrder,
    Withdraw,
)
from engine.events import CommandRejected, Event, MarginAccountReport, PositionReport
from engine.instruments import INVERSE, LINEAR, AssetSpec, InstrumentSpec, build_instrument_spec
from engine.messages import decode_command, encode
from engine.reasons import Reason, in_words
from engine.units import SECOND_NS, from_grid, from_ppb, parse_decimal, to_grid, to_ns, to_ppb
from risk.accounts import BACKSTOP, FIRST_TRADER, FUND
from risk.rulebook_file import load_rulebook
from seawall.exchange import Exchange
from seawall.order_flags import LEG, STP, TIF, read_choice, read_switch
from seawall.records.event_table import EventTable
from seawall.scenario_fields import MAX_TIME_NS

_INSTRUMENT_ID: Final[int] = 0
_INDEX_SOURCE: Final[int] = 1


_IN_LOTS: Final[tuple[int, ...]] = (Reason.QTY_BELOW_MINIMUM, Reason.QTY_ABOVE_MAXIMUM)
"""Reasons whose figures are sizes; all others give money."""

_HEALTHY: Final[str] = "healthy"

EXAMPLE_SYMBOL: Final[str] = "WAVE-PERP"
"""The contract of a market for which no symbol is given."""


class Rejected(ValueError):
    """The exchange refused a command; the text gives the number, the reason and the figures.

    ``reason`` is a number of `engine.reasons.Reason`, ``event`` the refusal as it was published.
    """

    def __init__(self, event: CommandRejected, unit: Decimal) -> None:
        figures = ""
        if event.required_q:
            required, free = from_grid(event.required_q, unit), from_grid(event.free_q, unit)
            figures = f"; required {required}, there is {free}"
        detail = f" ({event.detail})" if event.detail else ""
        super().__init__(f"{in_words(event.reason)}{detail}{figures}")
        self.event = event
        self.reason = Reason(event.reason)
        self._unit = unit

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.event, self._unit)


@dataclass(frozen=True)
class PositionView:
    """A position in decimals; prices are None where there is none."""

    qty: str
    mark_price: str
    unrealised: str
    initial_margin: str
    maintenance_margin: str
    liquidation_price: str | None
    bankruptcy_price: str | None
    adl_rank: int


@dataclass(frozen=True)
class AccountView:
    """One pot of collateral in decimals; ``margin_ratio`` is equity over position value."""

    wallet: str
    equity: str
    initial_margin: str
    maintenance_margin: str
    free: str
    withdrawable: str
    margin_ratio: str | None
    level: str


class Market:
    """One perpetual contract on a fresh exchange, driven by plain calls.

    ``events`` keeps everything that happened. Time stands still between calls unless `tick` moves
    it. A refused command raises `Rejected`. ``tick``, ``lot``, ``multiplier`` and ``band`` are the
    contract's, ``asset`` and ``decimals`` the settlement asset's, ``fund`` and ``backstop`` what
    the house starts with; ``rulebook`` is a name or the path of a file. A ``symbol`` has the margin
    table the rulebook has for it; without one the contract is an example with the table of the
    rulebook's first symbol.

    Raises:
        ValueError: a figure is no decimal or off its grid, or there is no such rulebook.
    """

    def __init__(
        self,
        *,
        rulebook: str = "teaching-default",
        price: str = "100",
        symbol: str = "",
        tick: str = "0.01",
        lot: str = "0.01",
        inverse: bool = False,
        multiplier: str = "1",
        asset: str = "USDT",
        decimals: int = 6,
        band: str = "0.1",
        fund: str = "0",
        backstop: str = "0",
    ) -> None:
        settled_in = AssetSpec(0, asset, decimals)
        loaded = load_rulebook(rulebook)
        spec = build_instrument_spec(
            instrument_id=_INSTRUMENT_ID,
            symbol=symbol or EXAMPLE_SYMBOL,
            kind=INVERSE if inverse else LINEAR,
            asset=settled_in,
            tick=tick,
            lot=lot,
            multiplier=multiplier,
            margin=loaded.margin_spec(settled_in, symbol or None, lot),
            band_ppb=to_ppb(band, "band"),
        )
        self._start(settled_in, spec)
        self.send(AddAsset(0, self.asset))
        self.send(SetRulebook(0, loaded.rulebook.to_json()))
        self.send(AddInstrument(0, self.instrument))
        for account_id, amount in ((FUND, fund), (BACKSTOP, backstop)):
            if parse_decimal(amount, "seed") > 0:
                self.send(Deposit(0, account_id, self.asset.asset_id, self._money(amount)))
        self.set_index(price)

    def _start(self, asset: AssetSpec, instrument: InstrumentSpec) -> None:
        """An exchange on which nothing has happened, and what is kept of what will."""
        self.exchange = Exchange(check_invariants_every=1)
        self.asset = asset
        self.instrument = instrument
        self.time_ns = 0
        self._index_ticks = 0
        self.events: list[Event] = []
        self._commands: list[Command] = []
        self._table = EventTable()
        self._next_account = FIRST_TRADER
        self.exchange.before_command = self._note
        self.exchange.subscribe(self._record)

    def _note(self, _: int, command: Command) -> None:
        self._commands.append(command)

    def _record(self, event: Event) -> None:
        self.events.append(event)
        self._table.add(event, self.exchange.commands)

    # copying: a market is its commands, and a copy has run them again

    def __reduce__(self) -> tuple[Any, ...]:
        """What `copy` and `pickle` make the same market of, which then goes its own way. Listeners
        of the exchange are not copied."""
        counters = (
            self.time_ns,
            self._index_ticks,
            self._next_account,
            self.exchange.last_order_id,
        )
        said = (self.asset, self.instrument, list(self._commands), counters)
        return _again, (*said, self.exchange.state_hash())

    # driving it

    def send(self, command: Command) -> list[Event]:
        """Run any command; returns what it caused.

        Raises:
            ValueError: a value of it is no number that a command can carry; nothing was sent.
            Rejected: the exchange refused it.
        """
        check_travels(command)
        before = len(self.events)
        self.exchange.send(command)
        caused = self.events[before:]
        for event in caused:
            if isinstance(event, CommandRejected):
                unit = self.asset.quantum
                if event.reason in _IN_LOTS:
                    unit = self.instrument.lot_size
                raise Rejected(event, unit)
        return caused

    def open_account(
        self, deposit: str = "0", leverage: int | None = None, isolated: bool = False
    ) -> int:
        """Open a trader's account with a deposit; returns its id.

        Raises:
            ValueError: the deposit is negative or off the asset's grid, or the contract does not
                allow the leverage; no account was opened.
        """
        amount_q = self._money(deposit, "deposit")
        if amount_q < 0:
            raise ValueError(f"deposit {deposit} is negative; it must be 0 or more")
        limit = self.exchange.listing(_INSTRUMENT_ID).model.max_leverage(1)
        if leverage is not None and not (isinstance(leverage, int) and 1 <= leverage <= limit):
            raise ValueError(f"leverage {leverage!r}: allowed are whole numbers from 1 to {limit}")
        account_id = self._next_account
        self._next_account += 1
        self.send(OpenAccount(self.time_ns, account_id))
        if amount_q:
            self.send(Deposit(self.time_ns, account_id, self.asset.asset_id, amount_q))
        if leverage is not None:
            self.send(SetLeverage(self.time_ns, account_id, _INSTRUMENT_ID, leverage))
        if isolated:
            self.send(SetMarginMode(self.time_ns, account_id, _INSTRUMENT_ID, True))
        return account_id

    def deposit(self, account_id: int, amount: str) -> list[Event]:
        """Add collateral."""
        amount_q = self._money(amount)
        return self.send(Deposit(self.time_ns, account_id, self.asset.asset_id, amount_q))

    def withdraw(self, account_id: int, amount: str) -> list[Event]:
        """Take out free collateral."""
        amount_q = self._money(amount)
        return self.send(Withdraw(self.time_ns, account_id, self.asset.asset_id, amount_q))

    def add_margin(self, account_id: int, amount: str) -> list[Event]:
        """Move collateral from the cross account to an isolated position; negative takes back."""
        amount_q = self._money(amount)
        return self.send(
            AdjustIsolatedMargin(self.time_ns, account_id, _INSTRUMENT_ID, LEG_NET, amount_q)
        )

    def buy(
        self,
        account_id: int,
        qty: str,
        price: str | None = None,
        *,
        tif: str | int = "GTC",
        post_only: bool = False,
        reduce_only: bool = False,
        stp: str | int = "cancel_newest",
        leg: str | int = "net",
    ) -> int:
        """Buy at a limit, or at market without a price; returns the order id.

        ``tif`` is GTC (rests until cancelled), IOC (what does not fill at once is dropped) or FOK
        (all at once or nothing); ``stp``, for orders that meet one of the same account,
        cancel_newest, cancel_oldest, cancel_both or decrement; ``leg``, in hedge mode, long or
        short. The numbers of `engine.commands` are taken as well.

        Raises:
            ValueError: a figure is no decimal or off its grid, or a flag is none of these.
            Rejected: the exchange refused the order.
        """
        flags = (tif, post_only, reduce_only, stp, leg)
        return self._order(account_id, BUY, qty, price, *flags)

    def sell(
        self,
        account_id: int,
        qty: str,
        price: str | None = None,
        *,
        tif: str | int = "GTC",
        post_only: bool = False,
        reduce_only: bool = False,
        stp: str | int = "cancel_newest",
        leg: str | int = "net",
    ) -> int:
        """Sell; see `buy`."""
        flags = (tif, post_only, reduce_only, stp, leg)
        return self._order(account_id, SELL, qty, price, *flags)

    def _order(
        self,
        account_id: int,
        side: int,
        qty: str,
        price: str | None,
        tif: str | int,
        post_only: bool,
        reduce_only: bool,
        stp: str | int,
        leg: str | int,
    ) -> int:
        order = SubmitOrder(
            self.time_ns,
            account_id,
            _INSTRUMENT_ID,
            self.exchange.last_order_id + 1,
            side,
            to_grid(qty, self.instrument.lot_size, "qty"),
            0 if price is None else to_grid(price, self.instrument.tick_size, "price"),
            order_type=MARKET if price is None else LIMIT,
            tif=read_choice("tif", tif, TIF),
            post_only=read_switch("post_only", post_only),
            reduce_only=read_switch("reduce_only", reduce_only),
            stp=read_choice("stp", stp, STP),
            leg=read_choice("leg", leg, LEG),
        )
        order_id = self.exchange.next_order_id()
        self.send(order)
        return order_id

    def cancel(self, account_id: int, order_id: int) -> list[Event]:
        """Cancel an order."""
        return self.send(CancelOrder(self.time_ns, account_id, order_id))

    def amend(self, account_id: int, order_id: int, qty: str, price: str) -> list[Event]:
        """Change price and remaining size; only a smaller size alone keeps the place in the row."""
        lots = to_grid(qty, self.instrument.lot_size, "qty")
        ticks = to_grid(price, self.instrument.tick_size, "price")
        return self.send(AmendOrder(self.time_ns, account_id, order_id, ticks, lots))

    def set_index(self, price: str) -> list[Event]:
        """A new index price, and a clock tick so that the mark follows."""
        ticks = to_grid(price, self.instrument.tick_size, "price")
        return self._publish_index(self.time_ns, ticks)

    def tick(self, seconds: str | int = 1) -> list[Event]:
        """Let time pass; the index keeps its price, and stays fresh.

        Raises:
            ValueError: the seconds are no decimal, or lead beyond what 63 bits of nanoseconds hold.
        """
        time_ns = self.time_ns + to_ns(seconds, "seconds")
        if time_ns > MAX_TIME_NS:
            raise ValueError(f"seconds {seconds}: time may go to {MAX_TIME_NS // SECOND_NS} s")
        return self._publish_index(time_ns, self._index_ticks)

    def _publish_index(self, time_ns: int, index_ticks: int) -> list[Event]:
        caused = self.send(IndexPrice(time_ns, _INSTRUMENT_ID, _INDEX_SOURCE, index_ticks))
        # Only now: a price or time that was refused must not stand in the way of the next one.
        self.time_ns, self._index_ticks = time_ns, index_ticks
        return caused + self.send(AdvanceTime(time_ns))

    # looking at it

    def account(self, account_id: int) -> AccountView:
        """The trader's cross account.

        Raises:
            KeyError: no such account.
        """
        pots = self.exchange.account_report(account_id).margin_accounts
        for pot in pots:
            if pot.margin_account_id == account_id:
                return self._account(pot)
        return AccountView("0", "0", "0", "0", "0", "0", None, _HEALTHY)

    def isolated(self, account_id: int) -> AccountView | None:
        """The pot of the trader's isolated position; None without one.

        Raises:
            KeyError: no such account.
        """
        for pot in self.exchange.account_report(account_id).margin_accounts:
            if any(position.isolated for position in pot.positions):
                return self._account(pot)
        return None

    def _account(self, pot: MarginAccountReport) -> AccountView:
        return AccountView(
            wallet=self._text(pot.wallet_q),
            equity=self._text(pot.equity_q),
            initial_margin=self._text(pot.initial_q),
            maintenance_margin=self._text(pot.maintenance_q),
            free=self._text(pot.free_q),
            withdrawable=self._text(pot.withdrawable_q),
            margin_ratio=from_ppb(pot.margin_ratio_ppb) if pot.positions else None,
            level=pot.level_name,
        )

    def position(self, account_id: int) -> PositionView | None:
        """The trader's position, cross or isolated; None when flat.

        Raises:
            KeyError: no such account.
        """
        report = self.exchange.account_report(account_id)
        for pot in report.margin_accounts:
            for position in pot.positions:
                return self._position(position)
        return None

    def _position(self, position: PositionReport) -> PositionView:
        return PositionView(
            qty=from_grid(position.qty_lots, self.instrument.lot_size),
            mark_price=from_grid(position.mark_ticks, self.instrument.tick_size),
            unrealised=self._text(position.unrealised_q),
            initial_margin=self._text(position.initial_q),
            maintenance_margin=self._text(position.maintenance_q),
            liquidation_price=self._price(position.liquidation_ticks),
            bankruptcy_price=self._price(position.bankruptcy_ticks),
            adl_rank=position.adl_rank,
        )

    @property
    def mark(self) -> str:
        """The mark price."""
        return from_grid(self.exchange.mark_ticks(_INSTRUMENT_ID), self.instrument.tick_size)

    def depth(self, levels: int = 10) -> dict[str, list[tuple[str, str]]]:
        """The best levels of both sides as (price, size)."""
        book = self.exchange.book(_INSTRUMENT_ID)
        tick, lot = self.instrument.tick_size, self.instrument.lot_size
        return {
            name: [
                (from_grid(price, tick), from_grid(lots, lot))
                for price, lots, _ in book.depth(side, levels)
            ]
            for name, side in (("bids", BUY), ("asks", SELL))
        }

    def events_frame(self) -> pl.DataFrame:
        """Everything that happened, as a data frame."""
        return self._table.frame()

    def _money(self, amount: str, what: str = "amount") -> int:
        return to_grid(amount, self.asset.quantum, what)

    def _text(self, amount_q: int) -> str:
        return from_grid(amount_q, self.asset.quantum)

    def _price(self, ticks: int) -> str | None:
        return None if ticks < 0 else from_grid(ticks, self.instrument.tick_size)


def check_travels(command: Command) -> None:
    """Refuse a command whose values the journal and the services could not carry.

    Raises:
        ValueError: a value is of another type, or beyond 63 bits.
    """
    name = type(command).__name__
    try:
        data = encode(command)
        decode_command(data)
    except OverflowError:
        raise ValueError(f"{name}: a number is beyond 63 bits") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None
    for value in msgspec.msgpack.decode(data):
        if isinstance(value, int) and value > MAX_WIRE:
            raise ValueError(f"{name}: {value} is beyond 63 bits; allowed: up to {MAX_WIRE}")


def _again(
    asset: AssetSpec,
    instrument: InstrumentSpec,
    commands: list[Command],
    counters: tuple[int, int, int, int],
    state_hash: str,
) -> Market:
    """The market in which these commands have been run.

    Raises:
        ValueError: they do not lead to this state: the exchange was driven past the market.
    """
    market = Market.__new__(Market)
    market._start(asset, instrument)
    for command in commands:
        market.exchange.send(command)
    market.time_ns, market._index_ticks, market._next_account, last_order_id = counters
    market.exchange.last_order_id = last_order_id
    if market.exchange.state_hash() != state_hash:
        raise ValueError(
            "this market cannot be copied: its exchange was sent commands in batches, or its "
            "before_command was replaced"
        )
    return market
