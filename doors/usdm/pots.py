"""An account's figures in the venue's terms: sums over its pots of collateral, per asset."""

from typing import Final

from doors.exchange.contracts import Contract
from doors.exchange.decimals import money
from doors.usdm.door import Door
from engine.commands import LEG_LONG, LEG_NET, LEG_SHORT
from engine.events import AccountReport, MarginAccountReport, PositionReport
from engine.instruments import AssetSpec
from engine.reports import InstrumentSetting
from risk.accounts import pot_of

SIDE_OF_LEG: Final[dict[int, str]] = {LEG_NET: "BOTH", LEG_LONG: "LONG", LEG_SHORT: "SHORT"}
LEG_OF_SIDE: Final[dict[str, int]] = {side: leg for leg, side in SIDE_OF_LEG.items()}

WORST_RANK: Final[int] = 5
"""The place in the queue of who is deleveraged last (`engine.reports.PositionReport`)."""


class AssetSums:
    """One asset of an account: its cross pot and its isolated ones together."""

    def __init__(self, asset: AssetSpec) -> None:
        self.asset: Final = asset
        self.wallet_q = 0
        self.unrealised_q = 0
        self.equity_q = 0
        self.maintenance_q = 0
        self.initial_q = 0
        self.position_initial_q = 0
        self.order_initial_q = 0
        self.cross_wallet_q = 0
        self.cross_unrealised_q = 0
        self.available_q = 0
        self.withdrawable_q = 0

    def add(self, pot: MarginAccountReport) -> None:
        """Take in a pot."""
        unrealised_q = sum(position.unrealised_q for position in pot.positions)
        self.wallet_q += pot.wallet_q
        self.unrealised_q += unrealised_q
        self.equity_q += pot.equity_q
        self.maintenance_q += pot.maintenance_q
        self.initial_q += pot.initial_q
        self.position_initial_q += pot.position_initial_q
        self.order_initial_q += pot.order_initial_q
        if pot_of(pot.margin_account_id)[1] < 0:
            self.cross_wallet_q += pot.wallet_q
            self.cross_unrealised_q += unrealised_q
            self.available_q += max(0, pot.free_q)
            self.withdrawable_q += max(0, pot.withdrawable_q)

    def text(self, amount_q: int) -> str:
        """An amount of the asset."""
        return money(amount_q, self.asset.decimals)


def sums_of(door: Door, report: AccountReport) -> list[AssetSums]:
    """Every asset that contracts are settled in, and every other one the account has a pot in."""
    found = {asset.asset_id: AssetSums(asset) for asset in door.listed.settle_assets}
    for pot in report.margin_accounts:
        sums = found.get(pot.asset_id)
        if sums is None:
            sums = found[pot.asset_id] = AssetSums(door.listed.assets[pot.asset_id])
        sums.add(pot)
    return list(found.values())


class Place:
    """A position, or the empty place of one: a contract and a side."""

    def __init__(
        self,
        door: Door,
        setting: InstrumentSetting,
        contract: Contract,
        leg: int,
        position: PositionReport | None,
        pot: MarginAccountReport | None,
    ) -> None:
        self._door = door
        self._setting = setting
        self.contract: Final = contract
        self.leg: Final = leg
        self.position: Final = position
        self.pot: Final = pot

    @property
    def lots(self) -> int:
        """Its size, negative for a short."""
        return 0 if self.position is None else self.position.qty_lots

    @property
    def side(self) -> str:
        """As the venue calls the leg."""
        return SIDE_OF_LEG[self.leg]

    @property
    def isolated(self) -> bool:
        """Whether it has a pot of its own, or would have."""
        return self._setting.isolated

    @property
    def leverage(self) -> int:
        """What it is margined with, or would be."""
        return self._setting.leverage

    @property
    def entry_price(self) -> str:
        """The average price it was opened at."""
        if self.position is None or not self.lots:
            return self.contract.average(0, 0)
        unit_q = self.contract.spec.unit_q
        return self.contract.average(self.position.entry_value_q, self.lots * unit_q)

    @property
    def mark_ticks(self) -> int:
        """The mark."""
        if self.position is not None:
            return self.position.mark_ticks
        return self._door.tape(self.contract.instrument_id).mark_ticks

    @property
    def notional_q(self) -> int:
        """What it is worth at the mark, negative for a short."""
        return self.contract.value_q(self.mark_ticks, self.lots)

    @property
    def unrealised_q(self) -> int:
        """Its result at the mark."""
        return 0 if self.position is None else self.position.unrealised_q

    @property
    def initial_q(self) -> int:
        """Its initial margin."""
        return 0 if self.position is None else self.position.initial_q

    @property
    def position_initial_q(self) -> int:
        """What the position alone asks for."""
        return 0 if self.position is None else self.position.position_initial_q

    @property
    def order_initial_q(self) -> int:
        """What its open orders ask for beyond that."""
        return self.initial_q - self.position_initial_q

    @property
    def maintenance_q(self) -> int:
        """Its maintenance margin."""
        return 0 if self.position is None else self.position.maintenance_q

    @property
    def isolated_wallet_q(self) -> int:
        """What is in a pot of its own; 0 for a cross one."""
        return self.pot.wallet_q if self.pot is not None and self.isolated else 0

    @property
    def isolated_margin_q(self) -> int:
        """The same with its result at the mark."""
        return self.isolated_wallet_q + self.unrealised_q if self.isolated_wallet_q else 0

    @property
    def liquidation_price(self) -> str:
        """The price it is liquidated at; zero where there is none."""
        if self.position is None or self.position.liquidation_ticks < 0:
            return "0"
        return self.contract.price(self.position.liquidation_ticks)

    @property
    def adl_quantile(self) -> int:
        """0 to 4, the highest first in the queue to be deleveraged."""
        rank = 0 if self.position is None else self.position.adl_rank
        return WORST_RANK - rank if rank else 0


def places_of(door: Door, report: AccountReport, contracts: list[Contract]) -> list[Place]:
    """The places of these contracts, empty ones included: one each, or two in hedge mode."""
    held: dict[tuple[int, int], tuple[PositionReport, MarginAccountReport]] = {}
    for pot in report.margin_accounts:
        for position in pot.positions:
            held[position.instrument_id, position.leg] = (position, pot)
    legs = (LEG_LONG, LEG_SHORT) if report.hedge else (LEG_NET,)
    found: list[Place] = []
    settings = settings_of(door, report, contracts)
    for contract, setting in zip(contracts, settings, strict=True):
        for leg in legs:
            pair = held.get((contract.instrument_id, leg), (None, None))
            found.append(Place(door, setting, contract, leg, *pair))
    return found


def settings_of(
    door: Door, report: AccountReport, contracts: list[Contract]
) -> list[InstrumentSetting]:
    """Leverage and margin mode of an account in these contracts, chosen or not."""
    chosen = {one.instrument_id: one for one in report.settings}
    found: list[InstrumentSetting] = []
    for contract in contracts:
        instrument_id = contract.instrument_id
        usual = door.listed.reports[instrument_id].default_leverage
        setting = InstrumentSetting(instrument_id, usual, isolated=False)
        found.append(chosen.get(instrument_id, setting))
    return found


def largest_notional_q(contract: Contract, leverage: int) -> int:
    """The largest position the margin table allows at a leverage, in quanta."""
    caps = [tier.cap_q for tier in contract.spec.margin.tiers if tier.max_leverage >= leverage]
    return max(caps, default=0)
