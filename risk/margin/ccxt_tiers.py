"""A door: margin tables from files in the form of ccxt's ``fetch_leverage_tiers``.

The file maps a symbol to rows ``{tier, minNotional, maxNotional, maintenanceMarginRate,
maxLeverage, info: {cum}}`` in the quote currency, or is one table, a list of rows, as ccxt answers
for one market (``fetch_market_leverage_tiers``). Numbers are read as decimals, never as floats.

Venues write the same table in different ways, and all of these mean it: a whole leverage or a
broken one (rounded down, as accounts choose whole ones); a floor equal to the cap before it, a unit
beside it (OKX), or none; a last cap, none, or a number no amount reaches ("no limit").

OKX, and KuCoin for unified accounts, count contracts where ccxt says notional; what one contract is
worth is not in the file.
"""

import json
from decimal import Context, Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from engine.commands import MAX_AMOUNT_Q
from engine.instruments import AssetSpec, MarginTier
from engine.record.packed_file import unpacked
from engine.units import MAX_DIGITS, parse_decimal, to_grid, to_ppb
from risk.margin.tiers import next_deduction_q, validate_tiers, with_deductions

_FEW: Final[int] = 9
"""So many symbols are listed where another was asked for."""

TierRows = list[dict[str, Any]]

ONE: Final[Decimal] = Decimal(1)

CONTRACTS_AS_MONEY: Final[str] = (
    "the venue counts contracts in this table, and they are taken as money; "
    "contract_value says what one is worth"
)

_EXACT: Final[Context] = Context(prec=2 * MAX_DIGITS)

MAX_FILE_BYTES: Final[int] = 100_000_000
"""Unpacked; the tables of all the contracts of the largest venue are three of them."""


def read_ccxt_tables(path: str | Path) -> dict[str, TierRows]:
    """All tables of a file, plain or packed (gzip, zip), with every number a `Decimal` or an int.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not JSON, or not an object of symbols and lists of rows.
    """
    source = Path(path)
    try:
        with unpacked(source) as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            raise ValueError(f"longer than {MAX_FILE_BYTES:,} bytes")
        text = raw.decode(json.detect_encoding(raw))
        tables = json.loads(text, parse_float=Decimal, parse_constant=Decimal)
    except InvalidOperation:
        raise ValueError(f"{source.name}: not a readable JSON file: a number without end") from None
    except ValueError as error:
        raise ValueError(f"{source.name}: not a readable JSON file: {error}") from None
    except RecursionError:
        raise ValueError(f"{source.name}: not a readable JSON file: nested too deeply") from None
    if isinstance(tables, list) and tables and all(isinstance(row, dict) for row in tables):
        return {str(tables[0].get("symbol")): tables}
    if not isinstance(tables, dict) or not all(isinstance(rows, list) for rows in tables.values()):
        raise ValueError(
            f"{source.name}: must be an object of symbols, each with a list of tiers, or the list "
            "of tiers of one"
        )
    return tables


def read_ccxt_table(path: str | Path, symbol: str) -> TierRows:
    """The rows of one symbol.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no file of tiers, or the symbol is missing.
    """
    tables = read_ccxt_tables(path)
    if symbol not in tables:
        few = f": {', '.join(tables)}" if len(tables) <= _FEW else ""
        problem = f"no tiers for {symbol!r} among its {len(tables)} symbols{few}"
        raise ValueError(f"{Path(path).name}: {problem}")
    return tables[symbol]


def counts_contracts(rows: TierRows) -> bool:
    """Whether the sizes of a table are contracts, by what the venue calls them (OKX, KuCoin)."""
    infos = [row.get("info") for row in rows if isinstance(row, dict)]
    return any(
        isinstance(info, dict) and ("maxSize" in info or ("maxSz" in info and "uly" in info))
        for info in infos
    )


def load_ccxt_tiers(
    path: str | Path, symbol: str, asset: AssetSpec, contract_value: Decimal = ONE
) -> list[MarginTier]:
    """The valid margin table of one symbol, notionals in quanta of ``asset``.

    Raises:
        OSError: the file cannot be read.
        ValueError: the symbol is missing or its table is wrong; file, symbol, tier and value named.
    """
    rows = read_ccxt_table(path, symbol)
    return ccxt_tiers(rows, asset, f"{Path(path).name}: {symbol}", contract_value)


def ccxt_tiers(
    rows: TierRows, asset: AssetSpec, where: str, contract_value: Decimal = ONE
) -> list[MarginTier]:
    """One table's rows as tiers, validated; ``where`` opens every error message. Sizes in contracts
    become money at ``contract_value`` each.

    ``info.cum`` is the deduction where present; where it is not, the continuous one is computed.
    The last tier's cap is inclusive: a notional equal to it is still inside the table. The module
    says what is read as the same.

    Raises:
        ValueError: a field is missing, no decimal or off the grid of the asset, or the table
            breaks a rule of `risk.margin.tiers.validate_tiers`.
    """
    tiers: list[MarginTier] = []
    if contract_value != ONE:
        rows = _in_money(rows, contract_value, where)
    for index, row in enumerate(rows):
        last = index + 1 == len(rows)
        tiers.append(_tier(row, tiers, asset, f"{where}: tier {index + 1}", last))
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
    ``notional / price`` rounded down to a quantum of the coin, so neighbours still share it; a
    table without end has none in coin either. Rates and leverages stay, deductions are recomputed
    so that margin is continuous in coin quanta.

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
                _coin_cap_q(tier.cap_q, up, down),
                tier.maintenance_ppb,
                tier.max_leverage,
                0,
            )
            for tier in tiers
        ]
    )
    validate_tiers(converted)
    return converted


def _coin_cap_q(cap_q: int, up: int, down: int) -> int:
    """A cap in coin, rounded down; no end stays none."""
    return MAX_AMOUNT_Q if cap_q == MAX_AMOUNT_Q else min(cap_q * up // down, MAX_AMOUNT_Q)


def _in_money(rows: TierRows, contract_value: Decimal, where: str) -> TierRows:
    """Rows of contracts as rows of money: a tier begins where the one before it ends."""
    if contract_value <= 0:
        raise ValueError(f"{where}: contract_value {contract_value} must be above 0")
    result: TierRows = []
    for number, row in enumerate(rows, 1):
        place = f"{where}: tier {number}"
        changed = {**row, "minNotional": None, "info": {}} if isinstance(row, dict) else row
        if isinstance(row, dict) and row.get("maxNotional") is not None:
            contracts = parse_decimal(_text(row, "maxNotional", place), f"{place}: maxNotional")
            changed["maxNotional"] = _EXACT.multiply(contracts, contract_value)
        result.append(changed)
    return result


def _tier(
    row: dict[str, Any], before: list[MarginTier], asset: AssetSpec, where: str, last: bool
) -> MarginTier:
    if not isinstance(row, dict):
        raise ValueError(f"{where}: {row!r} must be an object with the fields of a tier")
    floor_q = _floor_q(row, before, asset, where)
    rate_ppb = to_ppb(_text(row, "maintenanceMarginRate", where), f"{where}: maintenanceMarginRate")
    info = row.get("info")
    if isinstance(info, dict) and info.get("cum") not in (None, ""):
        deduction_q = _quanta(info, "cum", asset, where)
    elif before:
        below = before[-1]
        deduction_q = next_deduction_q(below.deduction_q, floor_q, below.maintenance_ppb, rate_ppb)
    else:
        deduction_q = 0
    return MarginTier(
        floor_q=floor_q,
        cap_q=_cap_q(row, asset, where, last),
        maintenance_ppb=rate_ppb,
        max_leverage=_leverage(row, where),
        deduction_q=deduction_q,
    )


def _floor_q(row: dict[str, Any], before: list[MarginTier], asset: AssetSpec, where: str) -> int:
    """Where the tier begins: at the cap of the one before it, also if it says a unit beside it."""
    start_q: int = before[-1].cap_q if before else 0
    if row.get("minNotional") is None:
        return start_q
    floor_q = _quanta(row, "minNotional", asset, where)
    unit_q: int = 10**asset.decimals
    return start_q if abs(floor_q - start_q) <= unit_q else floor_q


def _cap_q(row: dict[str, Any], asset: AssetSpec, where: str, last: bool) -> int:
    """Where the tier ends; the last one nowhere, if it says so or no amount gets there."""
    if last and row.get("maxNotional") is None:
        return MAX_AMOUNT_Q
    most = MAX_AMOUNT_Q * asset.quantum
    text = _text(row, "maxNotional", where)
    if _is_above(text, most):
        if last:
            return MAX_AMOUNT_Q
        raise ValueError(f"{where}: maxNotional {text:.40} is too large; at most {most:f}")
    return _quanta(row, "maxNotional", asset, where)


def _is_above(text: str, most: Decimal) -> bool:
    try:
        return Decimal(text) > most
    except InvalidOperation:
        return False  # no number at all, or none that compares: refused when it is read


def _leverage(row: dict[str, Any], where: str) -> int:
    """The largest whole leverage not above what the tier says."""
    place = f"{where}: maxLeverage"
    value = parse_decimal(_text(row, "maxLeverage", where), place)
    if value < 1:
        raise ValueError(f"{place}: {value} must be 1 or more")
    return int(value)  # rounded down: accounts choose whole leverages


def _quanta(row: dict[str, Any], field: str, asset: AssetSpec, where: str) -> int:
    return to_grid(_text(row, field, where), asset.quantum, f"{where}: {field}")


def _text(row: dict[str, Any], field: str, where: str) -> str:
    """The field as a decimal string; ccxt passes some numbers through as strings."""
    value = row.get(field)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{where}: {field} is {value!r}; it must be a number")
    return str(value)
