"""Events in decimals: the unit at the end of a field's name says how its number is written.

| inside | outside |
| --- | --- |
| ``amount_q`` quanta | ``amount`` in the asset of the event, contract or pot |
| ``price_ticks`` | ``price``; None where there is none |
| ``qty_lots`` | ``qty`` in contracts |
| ``rate_ppb`` | ``rate`` as a fraction |
| ``deadline_ns`` | ``deadline_s`` seconds from the market's start; None without one |
| ``instrument_id``, ``asset_id`` | ``contract``, ``asset``: their symbols |
| ``margin_account_id`` | ``account`` the owner, ``isolated`` whether it is an isolated pot |
| ``side``, ``leg``, ``trigger``, ``reason`` | words |
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
import polars as pl

from engine.events import Event
from engine.forms import struct_form
from engine.instruments import AssetSpec
from engine.reasons import Reason, in_words
from engine.units import PPB, SECOND_NS
from risk.accounts import owner_of, pot_of
from seawall.market.listed import Listed
from seawall.order_flags import LEG, ORDER_TYPE, SIDE, STP, TIF, TRIGGER, TRIGGER_BY, name_of

Row = dict[str, Any]

IN_MARGIN_ASSET: Final[tuple[str, ...]] = ("value_q", "haircut_q")
"""Fields in the margin asset of an event that names a collateral asset too."""

_UNITS: Final[tuple[str, ...]] = ("q", "ticks", "lots", "ppb")
_NAMED: Final[tuple[str, ...]] = (
    "account_id",
    "taker_account_id",
    "bankrupt_account_id",
    "asset_id",
    "margin_asset_id",
)
"""Fields with a number in the place of which there is a name, or an owner's account."""

_OTHERWISE: Final[dict[str, str]] = {
    "instrument_id": "contract",
    "trigger_ticks": "trigger_price",  # ``trigger`` is what an order waits for
}
"""Fields whose column has a name of its own."""

_WORDS: Final[dict[str, Mapping[str, int]]] = {
    "side": SIDE,
    "taker_side": SIDE,
    "leg": LEG,
    "tif": TIF,
    "stp": STP,
    "trigger": TRIGGER,
    "trigger_by": TRIGGER_BY,
    "order_type": ORDER_TYPE,
}
"""Fields that are words."""

_DIGITS: Final[int] = 38
"""What a decimal column of Polars holds."""


def in_decimals(event: Event, listed: Listed, refused: Decimal | None = None) -> Row:
    """An event as a row: ``type``, ``time_s``, then its fields in the order of its definition.

    ``refused`` is what one of a refusal's figures is worth, which its command decides.
    """
    row: Row = {"type": type(event).__name__}
    for field in msgspec.structs.fields(struct_form(type(event))):
        values = _written(event, field.name, getattr(event, field.name), listed, refused)
        row.update(zip(columns_of(field.name), values, strict=True))
    return row


def columns_of_event(event_type: type) -> list[str]:
    """The columns of a row of `in_decimals`."""
    fields = msgspec.structs.fields(struct_form(event_type))
    return ["type", *(column for field in fields for column in columns_of(field.name))]


def columns_of(name: str) -> list[str]:
    """The columns a field of an event becomes."""
    if name == "margin_account_id":
        return ["account", "isolated"]
    if name in _OTHERWISE:
        return [_OTHERWISE[name]]
    stem, _, unit = name.rpartition("_")
    if unit in _UNITS or name in _NAMED:
        return [stem]
    return [f"{stem}_s"] if unit == "ns" else [name]


def _written(
    event: Any, name: str, value: Any, listed: Listed, refused: Decimal | None
) -> tuple[Any, ...]:
    """The values of a field's columns."""
    if name in _WORDS:
        return (name_of(value, _WORDS[name]),)
    match name:
        case "margin_account_id":
            return owner_of(value), pot_of(value)[0] < 0
        case "account_id" | "taker_account_id" | "bankrupt_account_id":
            return (owner_of(value),)
        case "instrument_id":
            known = 0 <= value < len(listed.contracts)
            return (listed.contract_of_id(value).symbol if known else None,)
        case "asset_id" | "margin_asset_id":
            return (listed.asset_of_id(value).symbol,)
        case "reason":
            return (in_words(value) if value != Reason.NONE else "",)
    match name.rpartition("_")[2]:
        case "q":
            quantum = refused if refused is not None else _asset(event, name, listed).quantum
            return (value * quantum,)
        case "ticks":
            tick = listed.contract_of_id(event.instrument_id).tick_size
            return (value * tick if value > 0 else None,)
        case "lots":
            return (value * listed.contract_of_id(event.instrument_id).lot_size,)
        case "ppb":
            return (Decimal(value) / PPB,)
        case "ns":
            none = value < 0 or (name == "expire_ns" and value == 0)
            return (None if none else Decimal(value) / SECOND_NS,)
    return (value,)


def _asset(event: Any, name: str, listed: Listed) -> AssetSpec:
    if name in IN_MARGIN_ASSET and hasattr(event, "margin_asset_id"):
        return listed.asset_of_id(event.margin_asset_id)
    for field, asset in (
        ("asset_id", listed.asset_of_id),
        ("instrument_id", listed.settled_in),
        ("margin_account_id", listed.asset_of_pot),
    ):
        if hasattr(event, field):
            return asset(getattr(event, field))
    return listed.asset()


def frame_of(rows: Iterable[Row], columns_there: Iterable[str] = ()) -> pl.DataFrame:
    """Rows as a data frame; decimals are exact columns with as many places as they need.
    ``columns_there`` are there without a row too."""
    columns: dict[str, list[Any]] = {name: [] for name in columns_there}
    count = 0
    for count, row in enumerate(rows, 1):
        for name in row:
            columns.setdefault(name, [None] * (count - 1))
        for name, values in columns.items():
            values.append(row.get(name))
    return pl.DataFrame([_column(name, values) for name, values in columns.items()])


def _column(name: str, values: list[Any]) -> pl.Series:
    figures = [value for value in values if isinstance(value, Decimal)]
    if not figures:
        return pl.Series(name, values)
    places = max(_places(figure) for figure in figures)
    return pl.Series(name, values, dtype=pl.Decimal(_DIGITS, places))


def _places(figure: Decimal) -> int:
    exponent = figure.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
