"""Whether a market was set up as its scenario says: a refused command ends the run at once.

A deposit, leverage or account that the exchange refused would leave another market than the one
that was asked for, and the run would report on that one without a word.
"""

from decimal import Decimal

from engine.commands import (
    MAX_AMOUNT_Q,
    AddAsset,
    AddInstrument,
    AssetPrice,
    Command,
    Deposit,
    IndexPrice,
    OpenAccount,
    SetLeverage,
    SetMarginMode,
    SetRulebook,
)
from engine.events import CommandRejected
from engine.instruments import AssetSpec
from engine.reasons import Reason
from engine.units import from_grid
from risk.accounts import BACKSTOP, FUND
from seawall.scenario import Scenario
from seawall.scenario_fields import ScenarioError

_HOUSE = {FUND: "house.fund", BACKSTOP: "house.backstop"}
_ROOM = 2
"""Prices may rise to this many times what they are when the positions open."""


class SetUp:
    """The commands that open a market and what the exchange says to them."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._assets = {asset.asset_id: asset for asset in scenario.assets.values()}
        self._names = {spec.instrument_id: name for name, spec in scenario.instruments.items()}
        self._owners: dict[int, str] = dict(_HOUSE)
        self._power_q: dict[int, int] = {}
        self._sent: list[Command] = []
        self._stands = False
        self._refused: list[CommandRejected] = []

    def add_owner(self, account_id: int, place: str) -> None:
        """The account belongs to this table of the scenario, such as ``population.retail``."""
        self._owners[account_id] = place

    def place(self, account_id: int) -> str:
        """The table of the scenario an account belongs to."""
        return self._owners[account_id]

    def sent(self, command: Command) -> None:
        """A command is about to be sent; once the market stands, a price.

        Raises:
            ScenarioError: its amount is larger than any message can carry.
        """
        if self._stands or self._scenario.latency is None:
            self._sent.clear()  # the answer to it is there before the next one
        self._sent.append(command)
        if isinstance(command, Deposit) and command.amount_q > MAX_AMOUNT_Q:
            too_large = CommandRejected(
                command.time_ns, command.account_id, 0, Reason.NUMBER_TOO_LARGE.value
            )
            raise self._error(too_large, [command])

    def refused(self, event: CommandRejected) -> None:
        """The exchange refused something; once the market stands, what traders are refused is
        their own affair."""
        if not self._stands or not event.account_id:
            self._refused.append(event)

    def stands(self) -> None:
        """Everything is set up; from now on only prices are looked at.

        Raises:
            ScenarioError: something was refused.
        """
        self.check()
        self._stands = True

    def check(self) -> None:
        """Everything so far was accepted.

        Raises:
            ScenarioError: something was not; with whose, what and why.
        """
        for event in self._refused:
            raise self._error(event, self._of(event))

    def _error(self, event: CommandRejected, said: list[Command]) -> ScenarioError:
        what = " or ".join(dict.fromkeys(map(self._words, said))) or "a command"
        doing = "the run cannot go on" if self._stands else "the market cannot be set up"
        return ScenarioError(
            f"{self._scenario.file}: {doing}: {self._owner(event)}{what} was refused: "
            f"{event.words}{self._room(event, said)}"
        )

    def check_room(self, account_id: int, asset: AssetSpec, amount_q: int, leverage: int) -> None:
        """The positions this account and all before it could open are amounts the engine can count.

        Raises:
            ScenarioError: they are not; fewer decimals of the asset make room.
        """
        power_q = self._power_q.get(asset.asset_id, 0) + amount_q * leverage
        self._power_q[asset.asset_id] = power_q
        most_q = MAX_AMOUNT_Q // _ROOM
        if power_q <= most_q:
            return
        name = next(key for key, spec in self._scenario.assets.items() if spec is asset)
        place = f"assets.{name}.decimals"
        raise ScenarioError(
            f"{self._scenario.file}: {place}: {asset.decimals} leave too little room: the accounts "
            f"up to {account_id} ({self._owners[account_id]}) could open positions of "
            f"{_money(power_q, asset)}, and what can be counted is {_money(most_q, asset)}; choose "
            "fewer decimals"
        )

    def _of(self, event: CommandRejected) -> list[Command]:
        """What was refused: the last command, or with latencies those it may have been."""
        if self._scenario.latency is None:
            return self._sent[-1:]
        account_id = event.account_id
        return [each for each in self._sent if getattr(each, "account_id", 0) == account_id]

    def _owner(self, event: CommandRejected) -> str:
        owner = self._owners.get(event.account_id)
        if owner is None or event.account_id in _HOUSE:
            return f"{owner}: " if owner else ""
        return f"account {event.account_id} of {owner}: "

    def _words(self, command: Command) -> str:
        match command:
            case Deposit():
                return f"a deposit of {_money(command.amount_q, self._assets[command.asset_id])}"
            case SetLeverage():
                return f"leverage {command.leverage} on {self._names[command.instrument_id]}"
            case SetMarginMode():
                return f"isolated margin on {self._names[command.instrument_id]}"
            case OpenAccount():
                return "opening the account"
            case AddAsset():
                return f"the asset {command.spec.symbol}"
            case AddInstrument():
                return f"the instrument {command.spec.symbol}"
            case IndexPrice():
                name = self._names[command.instrument_id]
                return f"the price of {command.price_ticks} ticks for {name}"
            case AssetPrice():
                return f"a price of {self._assets[command.asset_id].symbol}"
            case SetRulebook():
                return f"the rulebook {self._scenario.rulebook.name}"
        return type(command).__name__

    def _room(self, event: CommandRejected, said: list[Command]) -> str:
        if event.reason != Reason.NUMBER_TOO_LARGE:
            return ""
        for command in said:
            if isinstance(command, Deposit):
                asset = self._assets[command.asset_id]
                most = _money(MAX_AMOUNT_Q, asset)
                return f"; with {asset.decimals} decimals an amount may be at most {most}"
        return ""


def _money(amount_q: int, asset: AssetSpec) -> str:
    return f"{Decimal(from_grid(amount_q, asset.quantum)):,.0f} {asset.symbol}"
