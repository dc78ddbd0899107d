"""A door: margin tables from files in the form of ccxt's ``fetch_leverage_tiers``.

The file maps a symbol to rows ``{tier, minNotional, maxNotional, maintenanceMarginRate,
maxLeverage, info: {cum}}`` in the quote currency. Numbers are read as decimals, never as floats.
"""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.instruments import AssetSpec, MarginTier
from engine.units import to_grid, to_ppb
from risk.margin.tiers import next_deduction_q, validate_tiers, with_deductions

TierRows = list[dict[str, Any]]


def read_ccxt_tables(path: str | Path) -> dict[str, TierRows]:
    """All tables of a file, ``.gz`` or plain, with every number a `Decimal` or an int.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not JSON, or not an object of symbols and lists of rows.
    """
    source = Path(path)
    raw = source.read_bytes()
    try:
        text = (gzip.decompress(raw) if source.suffix == ".gz" else raw).decode()
        tables = json.loads(text, parse_float=Decimal)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{source.name}: not a readable JSON file: {error}") from None
    if not isinstance(tables, dict) or not all(isinstance(rows, list) for rows in tables.values()):
        raise ValueError(f"{source.name}: must be an object of symbols, each with a list of tiers")
    return tables


def load_ccxt_tiers(path: str | Path, symbol: str, asset: AssetSpec) -> list[MarginTier]:
    """The valid margin table of one symbol, notionals in quanta of ``asset``.

    Raises:
        OSError: the file cannot be read.
        ValueError: the symbol is missing or its table is wrong; file, symbol, tier and value named.
    """
    tables = read_ccxt_tables(path)
    name = Path(path).name
    if symbol not in tables:
        raise ValueError(f"{name}: no tiers for {symbol!r} among its {len(tables)} symbols")
    return ccxt_tiers(tables[symbol], asset, f"{name}: {symbol}")


def ccxt_tiers(rows: TierRows, asset: AssetSpec, where: str) -> list[MarginTier]:
    """One table's rows as tiers, validated; ``where`` opens every error message.

    ``info.cum`` is the deduction where present; where it is not, the continuous one is computed.
    The last tier's cap is inclusive: a notional equal to it is still inside the table.

    Raises:
        ValueError: a field is missing, no decimal or off the grid of the asset, or the table
            breaks a rule of `risk.margin.tiers.validate_tiers`.
    """
    tiers: list[MarginTier] = []
    for index, row in enumerate(rows):
        tiers.append(_tier(row, tiers, asset, f"{where}: tier {index + 1}"))
    try:
        validate_tiers(tiers)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return tiers


def inverse_tiers(
    tiers: list[MarginTier], quote: AssetSpec, coin: AssetSpec, price: Decimal
) -> list[MarginTier]:
    """A table in quote currency turned into one in coin quanta at one fixed price.

    An approximation for coin-margined contracts: venues publish their tables in contracts or coins,
    and a bound fixed in coins moves in dollars as the price does. Every bound is
    ``notional / price`` rounded down to a quantum of the coin, so neighbours still share it; rates
    and leverages stay, deductions are recomputed so that margin is continuous in coin quanta.

    Raises:
        ValueError: the price is not positive, or two bounds fall on one quantum.
    """
    if price <= 0:
        raise ValueError(f"inverse_tiers: price {price} must be positive")
    # quanta of coin = quote_q x quote.quantum / price / coin.quantum, as one exact fraction
    price_up, price_down = price.as_integer_ratio()
    up = 10**coin.decimals * price_down
    down = 10**quote.decimals * price_up
    converted = with_deductions(
        [
            MarginTier(
                tier.floor_q * up // down,
                tier.cap_q * up // down,
                tier.maintenance_ppb,
                tier.max_leverage,
                0,
            )
            for tier in tiers
        ]
    )
    validate_tiers(converted)
    return converted


def _tier(
    row: dict[str, Any], before: list[MarginTier], asset: AssetSpec, where: str
) -> MarginTier:
    floor_q = _quanta(row, "minNotional", asset, where)
    rate_ppb = to_ppb(_text(row, "maintenanceMarginRate", where), f"{where}: maintenanceMarginRate")
    info = row.get("info")
    if isinstance(info, dict) and info.get("cum") is not None:
        deduction_q = _quanta(info, "cum", asset, where)
    elif before:
        last = before[-1]
        deduction_q = next_deduction_q(last.deduction_q, floor_q, last.maintenance_ppb, rate_ppb)
    else:
        deduction_q = 0
    return MarginTier(
        floor_q=floor_q,
        cap_q=_quanta(row, "maxNotional", asset, where),
        maintenance_ppb=rate_ppb,
        max_leverage=to_grid(_text(row, "maxLeverage", where), Decimal(1), f"{where}: maxLeverage"),
        deduction_q=deduction_q,
    )


def _quanta(row: dict[str, Any], field: str, asset: AssetSpec, where: str) -> int:
    return to_grid(_text(row, field, where), asset.quantum, f"{where}: {field}")


def _text(row: dict[str, Any], field: str, where: str) -> str:
    """The field as a decimal string; ccxt passes some numbers through as strings."""
    if not isinstance(row, dict):
        raise ValueError(f"{where}: {row!r} must be an object with the fields of a tier")
    value = row.get(field)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{where}: {field} is {value!r}; it must be a number")
    return str(value)
