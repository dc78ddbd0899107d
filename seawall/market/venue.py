"""A fresh exchange, what is listed on it, and all that has happened there."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Self

from engine.commands import (
    ALL_INSTRUMENTS,
    MAX_TICKS,
    MAX_WIRE,
    AddAsset,
    AddInstrument,
    AdvanceTime,
    AmendOrder,
    AmendTrigger,
    AssetPrice,
    Command,
    Deposit,
    IndexPrice,
)
from engine.events import CommandRejected, Event, TriggerRefused
from engine.instruments import INVERSE, LINEAR, AssetSpec, InstrumentSpec, build_instrument_spec
from engine.units import SECOND_NS, from_grid, to_ppb
from risk.accounts import BACKSTOP, FIRST_TRADER, FUND
from risk.rulebook_file import RulebookFile
from seawall.exchange import Exchange
from seawall.market.exact import Amount, on_grid
from seawall.market.listed import Listed
from seawall.market.refusals import IN_LOTS, Rejected, check_travels, made
from seawall.market.window import Window
from seawall.records.event_table import EventTable
from seawall.scenario_fields import MAX_TIME_NS

EXAMPLE_SYMBOL: Final[str] = "WAVE-PERP"
"""The contract of a market for which no symbol is given."""

_SOURCE: Final[int] = 1
"""The one source of every price."""

_PPB: Final[Decimal] = Decimal("1e-9")


class Venue:
    """What a `seawall.market.Market` stands on: listings, prices, time, and copies of it all.

    ``events`` keeps everything that happened, ``time_ns`` is how long it has been going on.
    """

    def _open(self, rules: RulebookFile) -> None:
        """An exchange on which nothing has happened, and what is kept of what will."""
        self.exchange = Exchange(check_invariants_every=1)
        self.time_ns = 0
        self.events: list[Event] = []
        self._rules = rules
        self._listed = Listed()
        self._window = Window(self.exchange, self._listed)
        self._prices: dict[str, int] = {}
        self._next_account = FIRST_TRADER
        self._commands: list[Command] = []
        self._table = EventTable()
        self._units_refused: dict[int, Decimal] = {}
        self.exchange.before_command = self._note
        self.exchange.subscribe(self._record)

    def _note(self, _: int, command: Command) -> None:
        self._commands.append(command)

    def _record(self, event: Event) -> None:
        if isinstance(event, CommandRejected | TriggerRefused):
            self._units_refused[len(self.events)] = self._unit_refused(event)
        self.events.append(event)
        self._table.add(event, self.exchange.commands)

    def _unit_refused(self, event: CommandRejected | TriggerRefused) -> Decimal:
        """What one of a refusal's figures is worth: of a size a lot, of money a quantum."""
        command = self._commands[-1]
        instrument_id: int = getattr(command, "instrument_id", ALL_INSTRUMENTS)
        if isinstance(command, AmendOrder | AmendTrigger):
            spec = self._order_contract(command.account_id, command.order_id)
            instrument_id = spec.instrument_id
        if isinstance(event, TriggerRefused):
            instrument_id = event.instrument_id
        if instrument_id in range(len(self._listed.contracts)):
            if event.reason in IN_LOTS:
                return self._listed.contract_of_id(instrument_id).lot_size
            return self._listed.settled_in(instrument_id).quantum
        asset_id = getattr(command, "asset_id", 0)
        known = asset_id in range(len(self._listed.assets))
        return self._listed.asset_of_id(asset_id if known else 0).quantum

    def _order_contract(self, account_id: int, order_id: int) -> InstrumentSpec:
        """The contract of an open order of the account; another's order and none are answered
        alike, on the grid of the first contract."""
        trader = self.exchange.risk.core.ledger.traders.get(account_id)
        if trader is not None:
            report = self.exchange.risk.reports.orders(trader)
            for order in report.orders:
                if order.order_id == order_id:
                    return self._listed.contract_of_id(order.instrument_id)
            for waiting in report.triggers:
                if waiting.order_id == order_id:
                    return self._listed.contract_of_id(waiting.instrument_id)
        return self.instrument

    # copying: a market is its commands, and a copy has run them again

    def __reduce__(self) -> tuple[Any, ...]:
        """What `copy` and `pickle` make the same market of, which then goes its own way. Listeners
        of the exchange are not copied."""
        listed = (dict(self._listed.assets), dict(self._listed.contracts))
        counters = (self.time_ns, dict(self._prices), self._next_account)
        said = (self._rules, listed, list(self._commands), counters, self.exchange.last_order_id)
        return type(self)._again, (*said, self.exchange.state_hash())

    @classmethod
    def _again(
        cls,
        rules: RulebookFile,
        listed: tuple[dict[str, AssetSpec], dict[str, InstrumentSpec]],
        commands: list[Command],
        counters: tuple[int, dict[str, int], int],
        last_order_id: int,
        state_hash: str,
    ) -> Self:
        """The market in which these commands have been run.

        Raises:
            ValueError: they do not lead to this state: the exchange was driven past the market.
        """
        market = cls.__new__(cls)
        market._open(rules)
        market._listed.assets.update(listed[0])
        market._listed.contracts.update(listed[1])
        for command in commands:
            market.exchange.send(command)
        market.time_ns, prices, market._next_account = counters
        market._prices.update(prices)
        market.exchange.last_order_id = last_order_id
        if market.exchange.state_hash() != state_hash:
            raise ValueError(
                "this market cannot be copied: its exchange was sent commands in batches, or its "
                "before_command was replaced"
            )
        return market

    # what is listed

    @property
    def asset(self) -> AssetSpec:
        """The first asset, which the first contract settles in."""
        return self._listed.asset()

    @property
    def instrument(self) -> InstrumentSpec:
        """The first contract."""
        return self._listed.contract()

    def add_contract(
        self,
        symbol: str,
        price: Amount,
        *,
        tick: str = "0.01",
        lot: str = "0.01",
        inverse: bool = False,
        multiplier: str = "1",
        asset: str | None = None,
        band: str = "0.1",
    ) -> str:
        """List another contract at a first index price; returns its symbol.

        Raises:
            ValueError: the symbol is taken, there is no such asset, or a figure is off its grid;
                nothing was listed.
        """
        self._check_name(symbol)
        spec = self._contract_spec(
            symbol, self._listed.asset(asset), tick, lot, inverse, multiplier, band
        )
        ticks = on_grid(price, spec.tick_size, "price")
        if not 0 < ticks <= MAX_TICKS:
            most = from_grid(MAX_TICKS, spec.tick_size)
            raise ValueError(f"price: {price} must be above 0 and at most {most}")
        self._list_contract(spec)
        self.set_prices({symbol: price})
        return symbol

    def add_asset(
        self,
        symbol: str,
        price: Amount | None = None,
        *,
        decimals: int = 8,
        fund: Amount = "0",
        backstop: Amount = "0",
    ) -> str:
        """Make another asset known; returns its symbol. One that counts as collateral has a
        ``price``, in the asset it counts in; a contract can settle in it.

        Raises:
            ValueError: the symbol is taken, a figure is no exact decimal or negative, or the
                rulebook takes no collateral of that name; nothing was added.
            Rejected: the exchange refused the asset.
        """
        self._check_name(symbol)
        if not isinstance(decimals, int) or isinstance(decimals, bool):
            raise ValueError(f"decimals {decimals!r}: must be a whole number")
        spec = AssetSpec(len(self._listed.assets), symbol, decimals)
        seeds_q = self._seeds_q(spec, fund, backstop)
        if price is not None:
            self._check_collateral(symbol, price)
        self._list_asset(spec)
        self._seed(spec, seeds_q)
        if price is not None:
            self.set_prices({symbol: price})
        return symbol

    def _check_collateral(self, symbol: str, price: Amount) -> None:
        if not 0 < on_grid(price, _PPB, f"price of {symbol}") <= MAX_WIRE:
            raise ValueError(f"price of {symbol}: {price} must be above 0 and fit 63 bits")
        tables = self._rules.rulebook.collateral
        counted = [each.asset for table in tables for each in table.assets]
        if symbol not in counted:
            there = ", ".join(counted) or "none"
            raise ValueError(
                f"price of {symbol}: the rulebook takes no collateral of that name (it takes: "
                f"{there}); an asset that contracts only settle in has no price"
            )

    def _check_name(self, symbol: object) -> None:
        if not isinstance(symbol, str):
            raise ValueError(f"symbol {symbol!r}: must be a string")
        if not symbol or symbol in self._listed.contracts or symbol in self._listed.assets:
            raise ValueError(f"symbol {symbol!r}: must be a name that nothing else here has")

    def _contract_spec(
        self,
        symbol: str,
        asset: AssetSpec,
        tick: str,
        lot: str,
        inverse: bool,
        multiplier: str,
        band: str,
    ) -> InstrumentSpec:
        """The next contract; without a symbol an example with the rulebook's main table."""
        return build_instrument_spec(
            instrument_id=len(self._listed.contracts),
            symbol=symbol or EXAMPLE_SYMBOL,
            kind=INVERSE if inverse else LINEAR,
            asset=asset,
            tick=tick,
            lot=lot,
            multiplier=multiplier,
            margin=self._rules.margin_spec(asset, symbol or None, lot),
            band_ppb=to_ppb(band, "band"),
        )

    def _list_asset(self, spec: AssetSpec) -> None:
        self.send(made(AddAsset, self.time_ns, spec))
        self._listed.assets[spec.symbol] = spec

    def _seeds_q(self, spec: AssetSpec, fund: Amount, backstop: Amount) -> dict[int, int]:
        """What the house starts with in an asset, by house account."""
        seeds = {FUND: ("fund", fund), BACKSTOP: ("backstop", backstop)}
        for name, amount in seeds.values():
            if on_grid(amount, spec.quantum, name) < 0:
                raise ValueError(f"{name} {amount} is negative; it must be 0 or more")
        return {who: on_grid(amount, spec.quantum, name) for who, (name, amount) in seeds.items()}

    def _seed(self, spec: AssetSpec, seeds_q: dict[int, int]) -> None:
        for account_id, amount_q in seeds_q.items():
            if amount_q > 0:
                self.send(Deposit(self.time_ns, account_id, spec.asset_id, amount_q))

    def _list_contract(self, spec: InstrumentSpec) -> None:
        self._listed.contracts[spec.symbol] = spec
        self.send(AddInstrument(self.time_ns, spec))

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
        for number, event in enumerate(caused, before):
            if isinstance(event, CommandRejected):
                raise Rejected(event, self._units_refused[number])
        return caused

    def set_index(self, price: Amount, contract: str | None = None) -> list[Event]:
        """A new index price, and a clock tick so that the mark follows."""
        return self.set_prices({self._listed.contract(contract).symbol: price})

    def set_prices(self, prices: Mapping[str, Amount]) -> list[Event]:
        """New index prices of contracts and prices of collateral assets, by name, all before one
        clock tick.

        Raises:
            ValueError: a name is unknown, or a price is off its grid.
        """
        units = {symbol: self._grid(symbol, price) for symbol, price in prices.items()}
        return self._publish(self.time_ns, units)

    def tick(self, seconds: Amount = 1) -> list[Event]:
        """Let time pass; prices stay what they are, and fresh.

        Raises:
            ValueError: the seconds are no decimal, or lead beyond what 63 bits of nanoseconds hold.
        """
        time_ns = self.time_ns + on_grid(seconds, _PPB, "seconds")
        if time_ns > MAX_TIME_NS:
            raise ValueError(f"seconds {seconds}: time may go to {MAX_TIME_NS // SECOND_NS} s")
        return self._publish(time_ns, self._prices)

    def _grid(self, symbol: str, price: Amount) -> int:
        """A price in ticks of a contract, or in parts per billion of an asset."""
        if symbol in self._listed.assets:
            return on_grid(price, _PPB, f"price of {symbol}")
        return on_grid(price, self._listed.contract(symbol).tick_size, "price")

    def _publish(self, time_ns: int, prices: Mapping[str, int]) -> list[Event]:
        caused: list[Event] = []
        for symbol, units in dict(prices).items():
            caused += self.send(self._price_command(time_ns, symbol, units))
            # Only now: a price or time that was refused must not stand in the way of the next.
            self.time_ns, self._prices[symbol] = time_ns, units
        return caused + self.send(AdvanceTime(time_ns))

    def _price_command(self, time_ns: int, symbol: str, units: int) -> Command:
        if symbol in self._listed.assets:
            return AssetPrice(time_ns, self._listed.assets[symbol].asset_id, _SOURCE, units)
        return IndexPrice(time_ns, self._listed.contract(symbol).instrument_id, _SOURCE, units)
