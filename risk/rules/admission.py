"""What can be told of a command that brings text without knowing any state: whether it is whole.

The door asks before a command gets its place in the order of all commands, and risk asks again:
the same pure functions, so that neither trusts the other.
"""

from typing import Any, Final

from engine.commands import (
    MAX_AMOUNT_Q,
    MAX_LOTS,
    AddAsset,
    AddInstrument,
    SetRulebook,
    Skipped,
)
from engine.instruments import KIND_NAMES, AssetSpec, InstrumentSpec
from engine.units import PPB, parse_decimal
from risk.accounts import MAX_ASSET_ID, MAX_INSTRUMENT_ID
from risk.margin import build_margin_model
from risk.rulebook import Rulebook, rulebook_from_json
from risk.rules.rulebook_check import check_rulebook

MAX_SYMBOL: Final[int] = 100
MAX_DECIMALS: Final[int] = 12
MAX_ORDERS: Final[int] = 1_000_000


def check_asset(spec: AssetSpec) -> None:
    """Refuse an asset that no exchange could have.

    Raises:
        ValueError: the field, its value and what is allowed.
    """
    _within("asset_id", spec.asset_id, 0, MAX_ASSET_ID)
    _within("decimals", spec.decimals, 0, MAX_DECIMALS)
    _check_symbol(spec.symbol)


def check_instrument(spec: InstrumentSpec) -> None:
    """Refuse a contract that no exchange could list.

    Raises:
        ValueError: the field, its value and what is allowed.
    """
    _within("instrument_id", spec.instrument_id, 0, MAX_INSTRUMENT_ID)
    _check_symbol(spec.symbol)
    if spec.kind not in KIND_NAMES:
        raise ValueError(f"kind {spec.kind}: allowed are {sorted(KIND_NAMES)}")
    for name, text in (("tick", spec.tick), ("lot", spec.lot)):
        if parse_decimal(text, name) <= 0:
            raise ValueError(f"{name} {text}: must be positive")
    _within("unit_q", spec.unit_q, 1, MAX_AMOUNT_Q)
    _within("min_lots", spec.min_lots, 0, MAX_LOTS)
    _within("max_lots", spec.max_lots, 0, MAX_LOTS)
    _within("min_notional_q", spec.min_notional_q, 0, MAX_AMOUNT_Q)
    _within("max_notional_q", spec.max_notional_q, 0, MAX_AMOUNT_Q)
    _within("band_ppb", spec.band_ppb, 0, PPB)
    _within("max_open_orders", spec.max_open_orders, 0, MAX_ORDERS)
    build_margin_model(spec.margin)


def read_rulebook(text: str) -> Rulebook:
    """A rulebook from its JSON form, whole and runnable.

    Raises:
        ValueError: the first broken rule, with place, value and what is allowed.
    """
    rulebook = rulebook_from_json(text)
    check_rulebook(rulebook)
    return rulebook


def fault_of(command: Any) -> str:
    """What is wrong with a command whatever the state is; empty when nothing is."""
    try:
        if isinstance(command, AddAsset):
            check_asset(command.spec)
        elif isinstance(command, AddInstrument):
            check_instrument(command.spec)
        elif isinstance(command, SetRulebook):
            read_rulebook(command.rulebook)
        elif isinstance(command, Skipped):
            raise ValueError("Skipped stands in a journal; it cannot be sent")
    except ValueError as error:
        return str(error)
    return ""


def _check_symbol(symbol: str) -> None:
    if not 1 <= len(symbol) <= MAX_SYMBOL:
        raise ValueError(f"symbol {symbol!r:.40}: 1 to {MAX_SYMBOL} characters")


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} {value}: allowed are {least} to {most}")
