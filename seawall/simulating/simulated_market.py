"""The exchange as a simulation uses it, and its stand-in while one is opened again."""

from collections.abc import Callable
from typing import Protocol

from engine.commands import Command
from engine.events import Event
from seawall.agents.view import SeenOrders

Listener = Callable[[Event], None]


class SimulatedMarket(Protocol):
    """What the simulation needs of an exchange."""

    def send(self, command: Command) -> None:
        """Hand in a command."""

    def run_until(self, time_ns: int) -> None:
        """Process everything due up to that time."""

    def subscribe(self, listener: Listener) -> None:
        """Hear every event."""

    def next_order_id(self) -> int:
        """A fresh order id."""

    def book(self, instrument_id: int) -> SeenOrders:
        """The order book of an instrument."""

    def index_sources(self, instrument_id: int, time_ns: int) -> list[int]:
        """Ids of the sources that an index is made of."""

    def price_sources(self, asset_id: int, time_ns: int) -> list[int]:
        """Ids of the sources that a collateral price is made of."""

    def margin_ratios_ppb(self, account_id: int) -> list[int]:
        """Equity over position value of a trader's margin accounts with positions."""


class Opened:
    """Stands in for an exchange while a simulation opens again what has been opened there: it lets
    the books be seen and takes no command."""

    def __init__(self, market: SimulatedMarket) -> None:
        self._market = market

    def send(self, command: Command) -> None:
        """It was run already."""

    def run_until(self, time_ns: int) -> None:
        """That has passed."""

    def subscribe(self, listener: Listener) -> None:
        """Nothing happens."""

    def next_order_id(self) -> int:
        """No agent orders."""
        raise NotImplementedError

    def book(self, instrument_id: int) -> SeenOrders:
        """The order book of an instrument."""
        return self._market.book(instrument_id)

    def index_sources(self, instrument_id: int, time_ns: int) -> list[int]:
        """Ids of the sources that an index is made of."""
        return self._market.index_sources(instrument_id, time_ns)

    def price_sources(self, asset_id: int, time_ns: int) -> list[int]:
        """Ids of the sources that a collateral price is made of."""
        return self._market.price_sources(asset_id, time_ns)

    def margin_ratios_ppb(self, account_id: int) -> list[int]:
        """Equity over position value of a trader's margin accounts with positions."""
        return self._market.margin_ratios_ppb(account_id)
