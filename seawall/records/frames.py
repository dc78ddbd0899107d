"""Frames of a run for people: whole units as exact decimals, times in UTC, names for numbers.

What is a number in the files (ticks, lots, quanta, ids) is a price, contracts, an amount of an
asset or a symbol here. An amount or price that there was not is null. Rows are in the order of
time.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec
import polars as pl

from engine.events import (
    Deleveraged,
    FundChanged,
    LiquidationEnded,
    LiquidationStage,
    LiquidationStarted,
    MarginCallEnded,
    MarginCallIssued,
    Trade,
)
from engine.forms import struct_form
from risk.accounts import owner_of, pot_of
from seawall.records.event_fields import event_columns
from seawall.records.listed import ScenarioBlock

TIME: Final[pl.Datetime] = pl.Datetime("ns", "UTC")
_DIGITS: Final[int] = 38
_AMOUNT: Final[pl.Decimal] = pl.Decimal(_DIGITS, 0)
_TYPES: Final[dict[type, pl.DataType]] = {
    int: pl.Int64(),
    str: pl.String(),
    bool: pl.Boolean(),
}
_SIDES: Final[dict[int, str]] = {1: "buy", -1: "sell"}
_WHO: Final[tuple[str, ...]] = ("account", "group", "side", "leverage")
_LOSSES: Final[dict[str, str]] = {
    "price_q": "price",
    "slippage_q": "slippage",
    "fee_q": "fee",
    "funding_q": "funding",
    "surrender_q": "surrender",
    "adl_q": "adl",
    "haircut_q": "socialised",
    "transfer_q": "transfer",
}


class Units:
    """What turns a run's ticks, lots and quanta into decimals, by the columns that name them."""

    def __init__(self, block: ScenarioBlock) -> None:
        listed = block.instruments
        self._ticks = {each.instrument_id: Decimal(each.tick_size) for each in listed}
        self._lots = {each.instrument_id: Decimal(each.lot_size) for each in listed}
        self._quanta = {each.asset_id: Decimal(1).scaleb(-each.decimals) for each in block.assets}
        self._symbols = {each.instrument_id: each.symbol for each in listed}
        self._assets = {each.asset_id: each.symbol for each in block.assets}
        self.settles = {each.instrument_id: each.settle_asset_id for each in listed}

    def price(self, ticks: pl.Expr) -> pl.Expr:
        """Ticks of the row's instrument as a price; none where they are not above zero."""
        return pl.when(ticks > 0).then(_times(ticks, "instrument_id", self._ticks))

    def contracts(self, lots: pl.Expr) -> pl.Expr:
        """Lots of the row's instrument as contracts."""
        return _times(lots, "instrument_id", self._lots)

    def amount(self, quanta: pl.Expr) -> pl.Expr:
        """Quanta of the row's asset in whole units."""
        return _times(quanta, "asset_id", self._quanta)

    def instrument(self) -> pl.Expr:
        """Symbol of the row's instrument."""
        return _named("instrument_id", self._symbols).alias("instrument")

    def asset(self) -> pl.Expr:
        """Symbol of the row's asset."""
        return _named("asset_id", self._assets).alias("asset")

    def asset_id(self, margin_account_id: int) -> int:
        """The asset of a pot of collateral."""
        asset_id, instrument_id = pot_of(margin_account_id)
        return asset_id if instrument_id < 0 else self.settles[instrument_id]


def trades_frame(events: pl.DataFrame, units: Units) -> pl.DataFrame:
    """Every trade in the book: its price, its contracts, the taker's side, and whether a
    liquidation order took part."""
    fields = ("time_ns", "instrument_id", "price_ticks", "qty_lots", "side", "liquidation")
    return _raw(events, Trade, fields).select(
        _time("time_ns", "time"),
        units.instrument(),
        units.price(pl.col("price_ticks")).alias("price"),
        units.contracts(pl.col("qty_lots")).alias("contracts"),
        _named("side", _SIDES).alias("taker_side"),
        "liquidation",
    )


def series_frame(series: pl.DataFrame, units: Units) -> pl.DataFrame:
    """Prices, open interest and depth of every instrument, sampled."""
    prices = [name for name in series.columns if name.endswith("_ticks")]
    depths = [name for name in series.columns if name.startswith("depth_")]
    return series.select(
        _time("time_ns", "time"),
        units.instrument(),
        *(units.price(pl.col(name)).alias(name.removesuffix("_ticks")) for name in prices),
        units.contracts(pl.col("open_interest_lots")).alias("open_interest"),
        *(units.contracts(pl.col(name)).alias(name) for name in depths),
    )


def accounts_frame(accounts: pl.DataFrame, units: Units) -> pl.DataFrame:
    """Who every owner is, what it paid in, what it has at the end, its result and its fate. The
    results of an asset add up to zero."""
    deposit, end = (units.amount(pl.col(name)) for name in ("paid_in_q", "end_q"))
    return accounts.select(
        pl.col("account_id").alias("account"),
        "kind",
        pl.col("name").alias("group"),
        units.instrument(),
        pl.col("side").cast(pl.String),
        "leverage",
        _mode(pl.col("isolated")),
        "on_call",
        units.asset(),
        deposit.alias("deposit"),
        end.alias("end"),
        (end - deposit).alias("result"),
        pl.col("fate").cast(pl.String),
    )


def calls_frame(events: pl.DataFrame, units: Units, accounts: pl.DataFrame) -> pl.DataFrame:
    """Every margin call: whom, how much, until when, and how and when it ended. Without an outcome
    it was open at the end; without a deadline it had none."""
    key = ("account_id", "call_id")
    issued = ("time_ns", *key, "amount_q", "deadline_ns", "equity_q", "maintenance_q")
    ended = (*key, "outcome", "cured_by", "open_ns", "paid_q", "reduced_q")
    frame = _raw(events, MarginCallIssued, issued).join(
        _raw(events, MarginCallEnded, ended), on=key, how="left", maintain_order="left"
    )
    deadline = pl.when(pl.col("deadline_ns") >= 0).then(pl.col("deadline_ns"))
    return _with_owners(frame, units, accounts).select(
        _time("time_ns", "time"),
        *_WHO,
        "mode",
        units.asset(),
        *_amounts(units, {"amount_q": "amount", "equity_q": "equity"}),
        *_amounts(units, {"maintenance_q": "maintenance"}),
        deadline.cast(TIME).alias("deadline"),
        "outcome",
        pl.when(pl.col("cured_by") != "").then(pl.col("cured_by")).alias("cured_by"),
        pl.col("open_ns").cast(pl.Duration("ns")).alias("open_for"),
        *_amounts(units, {"paid_q": "paid", "reduced_q": "reduced"}),
    )


def liquidations_frame(events: pl.DataFrame, units: Units, accounts: pl.DataFrame) -> pl.DataFrame:
    """Every liquidation: whose, from what to what, the stages it went through, and the parts of its
    change in equity, which add up to it. Without an outcome it was not over at the end."""
    key = ("account_id", "liquidation_id")
    started = ("time_ns", *key, "asset_id", "notional_q", "equity_q", "maintenance_q")
    stages = _raw(events, LiquidationStage, (*key, "stage"))
    ended = ("outcome", "partial", "equity_before_q", "equity_after_q", *_LOSSES)
    last = _raw(events, LiquidationEnded, ("time_ns", *key, *ended)).rename({"time_ns": "ended_ns"})
    frame = (
        _raw(events, LiquidationStarted, (*started, "call_expired"))
        .join(
            stages.group_by(key, maintain_order=True).agg(pl.col("stage").alias("stages")),
            on=key,
            how="left",
            maintain_order="left",
        )
        .join(last, on=key, how="left", maintain_order="left")
    )
    at_start = {"notional_q": "notional", "equity_q": "equity", "maintenance_q": "maintenance"}
    at_end = {"equity_before_q": "equity_before", "equity_after_q": "equity_after"}
    return _with_owners(frame, units, accounts).select(
        _time("time_ns", "time"),
        *_WHO,
        "mode",
        units.asset(),
        *_amounts(units, at_start),
        "call_expired",
        "stages",
        _time("ended_ns", "ended"),
        "outcome",
        "partial",
        *_amounts(units, at_end | _LOSSES),
    )


def adl_frame(events: pl.DataFrame, units: Units, accounts: pl.DataFrame) -> pl.DataFrame:
    """Every position closed by auto-deleveraging: whose, against whom, the contracts by which it
    changed, at what value and mark, and the gain against the mark."""
    fields = ("time_ns", "account_id", "bankrupt_account_id", "instrument_id", "qty_lots")
    frame = _raw(events, Deleveraged, (*fields, "value_q", "price_ticks", "rank", "gain_q"))
    frame = frame.with_columns(
        asset_id=_named("instrument_id", units.settles, pl.Int64),
        bankrupt=_owner("bankrupt_account_id"),
    )
    return _with_owners(frame, units, accounts).select(
        _time("time_ns", "time"),
        *_WHO,
        "bankrupt",
        units.instrument(),
        units.contracts(pl.col("qty_lots")).alias("contracts"),
        units.price(pl.col("price_ticks")).alias("mark"),
        units.asset(),
        units.amount(pl.col("value_q")).abs().alias("value"),
        *_amounts(units, {"gain_q": "gain"}),
        "rank",
    )


def fund_frame(events: pl.DataFrame, units: Units) -> pl.DataFrame:
    """Every change of the insurance fund's wallet, by cause, and what it held then."""
    fields = ("time_ns", "asset_id", "amount_q", "wallet_q", "cause")
    return _raw(events, FundChanged, fields).select(
        _time("time_ns", "time"),
        units.asset(),
        *_amounts(units, {"amount_q": "amount", "wallet_q": "wallet"}),
        "cause",
    )


def _raw(events: pl.DataFrame, event_type: type, fields: Sequence[str]) -> pl.DataFrame:
    """The named fields of all events of a type, as they are; amounts may be large."""
    named = {field.name: field.type for field in msgspec.structs.fields(struct_form(event_type))}
    schema = {
        name: _AMOUNT if name.endswith("_q") else _TYPES[named.get(name, int)] for name in fields
    }
    return pl.DataFrame(event_columns(events, event_type.__name__, *fields), schema=schema)


def _with_owners(frame: pl.DataFrame, units: Units, accounts: pl.DataFrame) -> pl.DataFrame:
    """With the owner's group, side and leverage, the mode and the asset of the pot."""
    pots = frame["account_id"]
    isolated = [pot_of(pot)[0] < 0 for pot in pots]
    columns = [
        _owner("account_id").alias("account"),
        _mode(pl.Series("isolated", isolated, pl.Boolean)),
    ]
    if "asset_id" not in frame.columns:
        assets = list(map(units.asset_id, pots))
        columns.append(pl.lit(pl.Series("asset_id", assets, pl.Int64)))
    owners = accounts.unique("account", keep="first", maintain_order=True).select(_WHO)
    return frame.with_columns(columns).join(owners, on="account", how="left", maintain_order="left")


def _mode(isolated: pl.Expr | pl.Series) -> pl.Expr:
    column = pl.lit(isolated) if isinstance(isolated, pl.Series) else isolated
    names = {True: "isolated", False: "cross"}
    return column.replace_strict(names, default=None, return_dtype=pl.String).alias("mode")


def _owner(column: str) -> pl.Expr:
    """The owner of a margin account."""
    return pl.col(column).map_batches(
        lambda ids: pl.Series(ids.name, list(map(owner_of, ids)), pl.Int64), pl.Int64
    )


def _amounts(units: Units, names: dict[str, str]) -> list[pl.Expr]:
    return [units.amount(pl.col(column)).alias(name) for column, name in names.items()]


def _time(column: str, name: str) -> pl.Expr:
    return pl.col(column).cast(TIME).alias(name)


def _named(
    column: str, names: Mapping[int, str | int], kind: type[pl.DataType] = pl.String
) -> pl.Expr:
    return pl.col(column).replace_strict(names, default=None, return_dtype=kind)


def _times(numbers: pl.Expr, key: str, steps: dict[int, Decimal]) -> pl.Expr:
    """Whole numbers times the step of their row's key, with the decimals of the finest step."""
    digits = max((_decimals(step) for step in steps.values()), default=0)
    exact = pl.Decimal(_DIGITS, digits)
    by_row = pl.col(key).replace_strict(
        {number: str(step) for number, step in steps.items()}, default=None, return_dtype=pl.String
    )
    return (numbers.cast(exact) * by_row.cast(exact)).cast(exact)


def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)
