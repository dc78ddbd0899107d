"""What is listed, as clients of a linear venue see it: decimals for ticks, lots and quanta."""

from collections.abc import Callable, Iterator
from typing import Final

from doors.exchange.decimals import decimals_of, fixed, money, rounded, scaled
from engine.events import InstrumentReport, MarketReport
from engine.instruments import LINEAR, AssetSpec, InstrumentSpec
from engine.units import PPB
from risk.rulebook import Rulebook

AVERAGE_DECIMALS: Final[int] = 4
"""An average price has so many decimals more than prices have."""


class OffGrid(ValueError):
    """A decimal between two ticks or two lots."""


class Contract:
    """A linear contract whose size counts in the base asset."""

    def __init__(self, spec: InstrumentSpec, asset: AssetSpec) -> None:
        self.spec: Final = spec
        self.asset: Final = asset
        self.instrument_id: Final = spec.instrument_id
        self.symbol: Final = spec.symbol
        self.base: Final = base_of(spec.symbol, asset.symbol)
        self.price_decimals, self._tick = decimals_of(spec.tick)
        self.qty_decimals, self._lot = decimals_of(spec.lot)

    def price(self, ticks: int) -> str:
        """A price as text."""
        return fixed(ticks * self._tick, self.price_decimals)

    def qty(self, lots: int) -> str:
        """A size as text."""
        return fixed(lots * self._lot, self.qty_decimals)

    def money(self, amount_q: int) -> str:
        """An amount of the settlement asset as text."""
        return money(amount_q, self.asset.decimals)

    def value_q(self, ticks: int, lots: int) -> int:
        """What a size is worth at a price, in quanta."""
        return ticks * lots * self.spec.unit_q

    def average(self, value: int, lots: int) -> str:
        """The average price of ``lots`` worth ``value`` ticks times lots, to the nearest of its
        decimals; zero without lots."""
        more = AVERAGE_DECIMALS
        shown = rounded(value * self._tick * 10**more, lots) if lots else 0
        return fixed(shown, self.price_decimals + more)

    def ticks_of(self, text: str) -> int:
        """A price in ticks.

        Raises:
            OffGrid: it is between two.
            ValueError: it is no decimal.
        """
        return _steps(text, self.price_decimals, self._tick)

    def lots_of(self, text: str) -> int:
        """A size in lots.

        Raises:
            OffGrid: it is between two.
            ValueError: it is no decimal.
        """
        return _steps(text, self.qty_decimals, self._lot)

    def quanta_of(self, text: str) -> int:
        """An amount of the settlement asset in quanta.

        Raises:
            OffGrid: it is finer than a quantum.
            ValueError: it is no decimal.
        """
        return _steps(text, self.asset.decimals, 1)

    @property
    def max_leverage(self) -> int:
        """The highest leverage of any size, 1 where the margin model has no table."""
        return max((tier.max_leverage for tier in self.spec.margin.tiers), default=1)


def _steps(text: str, decimals: int, step: int) -> int:
    count = scaled(text, decimals)
    if count is None or count % step:
        raise OffGrid(text)
    return count // step  # exact


def base_of(symbol: str, quote: str) -> str:
    """The base asset of a contract's symbol: BTC of BTCUSDT, WAVE of WAVE-PERP."""
    for ending in (f"-{quote}", f"/{quote}", quote, "-PERP", "PERP"):
        if symbol.endswith(ending) and len(symbol) > len(ending):
            return symbol[: -len(ending)]
    return symbol


def counts_in_base(spec: InstrumentSpec, asset: AssetSpec) -> bool:
    """Whether one contract is one of the base asset, settled in what it is priced in: a lot at a
    price of one is then worth a lot."""
    price_decimals, tick = decimals_of(spec.tick)
    qty_decimals, lot = decimals_of(spec.lot)
    left = spec.unit_q * 10 ** (price_decimals + qty_decimals)
    return spec.kind == LINEAR and left == tick * lot * 10**asset.decimals


class Listed:
    """The contracts and assets there are, with the rules in force. `hidden` are the symbols of
    contracts that this API has no form for. ``load`` finds a rulebook by its name, None if it is
    not to be had here."""

    def __init__(self, load: Callable[[str], Rulebook | None]) -> None:
        self._load = load
        self.contracts: dict[str, Contract] = {}
        self.by_id: dict[int, Contract] = {}
        self.assets: dict[int, AssetSpec] = {}
        self.reports: dict[int, InstrumentReport] = {}
        self.hidden: list[str] = []
        self.rulebook: Rulebook | None = None
        self.market: MarketReport | None = None

    def take(self, report: MarketReport) -> None:
        """Take in a report."""
        if self.market is None or report.rulebook != self.market.rulebook:
            self.rulebook = self._load(report.rulebook)
        self.market = report
        self.assets = {one.spec.asset_id: one.spec for one in report.assets}
        self.hidden = []
        for one in report.instruments:
            spec = one.spec
            self.reports[spec.instrument_id] = one
            asset = self.assets[spec.settle_asset_id]
            if not counts_in_base(spec, asset):
                self.hidden.append(spec.symbol)
                continue
            known = self.by_id.get(spec.instrument_id)
            if known is None or known.spec != spec:
                contract = Contract(spec, asset)
                self.contracts[spec.symbol] = self.by_id[spec.instrument_id] = contract

    def find(self, symbol: str) -> Contract | None:
        """The contract of a symbol."""
        return self.contracts.get(symbol)

    def __iter__(self) -> Iterator[Contract]:
        return iter(self.contracts.values())

    @property
    def settle_assets(self) -> list[AssetSpec]:
        """The assets contracts are settled in, or all where there is no contract."""
        found = {one.asset.asset_id: one.asset for one in self.by_id.values()}
        return list((found or self.assets).values())

    def fees_ppb(self, contract: Contract) -> tuple[int, int, int]:
        """Maker, taker and liquidation fee of a contract; zero where the rules are not known."""
        rules = self.rulebook
        return (0, 0, 0) if rules is None else rules.fees.rates_of(contract.symbol)


def share(rate_ppb: int, decimals: int = 8) -> str:
    """A rate as text, to the nearest of its decimals."""
    return fixed(rounded(rate_ppb * 10**decimals, PPB), decimals)
