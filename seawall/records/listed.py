"""The assets and contracts of a run, as its summary lists them: what turns ticks, lots and quanta
into decimals."""

from decimal import Decimal, InvalidOperation

import msgspec


class ListedInstrument(msgspec.Struct, frozen=True, kw_only=True):
    """A contract.

    ``kind`` is ``linear`` or ``inverse``; ``tick_size``, ``lot_size`` and ``multiplier`` (value of
    one contract) are decimal strings; money of the contract is in ``10 ** -settle_decimals`` of
    ``settle_asset``.
    """

    instrument_id: int
    symbol: str
    kind: str
    tick_size: str
    lot_size: str
    settle_asset_id: int
    settle_asset: str
    settle_decimals: int
    multiplier: str = "1"

    def __post_init__(self) -> None:
        if self.kind not in ("linear", "inverse"):
            raise ValueError(f"kind {self.kind!r} is unknown; use 'linear' or 'inverse'")
        for name in ("tick_size", "lot_size", "multiplier"):
            text = getattr(self, name)
            try:
                valid = Decimal(text) > 0
            except InvalidOperation:
                valid = False
            if not valid:
                raise ValueError(f"{name} {text!r} must be a positive decimal string")


class ListedAsset(msgspec.Struct, frozen=True, kw_only=True):
    """An asset: one quantum is the last of its ``decimals``."""

    asset_id: int
    symbol: str
    decimals: int


class ScenarioBlock(msgspec.Struct, kw_only=True):
    """The block ``scenario`` of a summary. The run begins with a warm-up, in which the accounts
    enter: from ``begin_ns`` to ``start_ns``; it ends at ``end_ns``."""

    title: str
    description: str
    notes: list[str]
    begin_ns: int = 0
    start_ns: int = 0
    end_ns: int = 0
    assets: list[ListedAsset]
    instruments: list[ListedInstrument]
