"""The margin calculator: what a position needs, and where it is called, liquidated and wiped out.

Uses the functions the engine decides with, on one account holding one position.
"""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from engine.instruments import (
    INVERSE,
    LINEAR,
    AssetSpec,
    Instrument,
    InstrumentSpec,
    MarginSpec,
    build_instrument_spec,
)
from engine.units import PPB, from_grid, from_ppb, parse_decimal, to_grid
from risk.margin import build_margin_model
from risk.margin.ccxt_tiers import inverse_tiers, load_ccxt_tiers
from risk.rulebook_file import RulebookFile, load_rulebook
from risk.solve import bankruptcy_price_ticks, liquidation_price_ticks

LINEAR_DECIMALS: Final[int] = 8
INVERSE_DECIMALS: Final[int] = 10


@dataclass(frozen=True)
class Question:
    """What is asked, in decimals. ``wallet`` None means the initial margin at the entry price."""

    rulebook: str
    side: str
    qty: str
    entry: str
    leverage: int
    mark: str | None = None
    wallet: str | None = None
    inverse: bool = False
    multiplier: str = "1"
    tick: str | None = None
    tiers_file: str | None = None
    symbol: str | None = None


@dataclass(frozen=True)
class Answer:
    """Figures as decimal strings; a price of None cannot be reached. ``levels`` are the prices of
    the rulebook's margin levels in its order."""

    asset: str
    notional: str
    initial_margin: str
    maintenance_margin: str
    wallet: str
    equity: str
    margin_ratio: str
    levels: list[tuple[str, str | None]]
    bankruptcy_price: str | None


def calculate(question: Question) -> Answer:
    """Answer a question.

    Raises:
        ValueError: a figure is malformed, off its grid, or not allowed by the rulebook.
    """
    if question.side not in ("long", "short"):
        raise ValueError(f"side {question.side!r}: allowed are 'long' and 'short'")
    loaded = load_rulebook(question.rulebook)
    spec, asset = _contract(question, loaded)
    instrument = Instrument(spec)
    model = build_margin_model(spec.margin)
    lots = to_grid(question.qty, spec.lot_size, "qty")
    entry_ticks = to_grid(question.entry, spec.tick_size, "entry")
    mark_ticks = to_grid(question.mark or question.entry, spec.tick_size, "mark")
    if lots <= 0 or entry_ticks <= 0 or mark_ticks <= 0:
        raise ValueError("qty, entry and mark must be positive")
    sign = 1 if question.side == "long" else -1
    entry_value_q = sign * instrument.fill_value_q(lots, entry_ticks)
    entry_notional_q = abs(entry_value_q)
    limit = model.max_leverage(instrument.notional_q(lots, mark_ticks))
    if not 1 <= question.leverage <= limit:
        raise ValueError(f"leverage {question.leverage}: allowed at this size are 1 to {limit}")

    def requirements(price_ticks: int) -> tuple[int, int]:
        notional_q = instrument.notional_q(lots, price_ticks)
        arguments = (sign * lots, notional_q, entry_notional_q, question.leverage)
        return model.initial_q(*arguments), model.maintenance_q(*arguments)

    initial_q, maintenance_q = requirements(mark_ticks)
    wallet_q = requirements(entry_ticks)[0]
    if question.wallet is not None:
        wallet_q = to_grid(question.wallet, asset.quantum, "wallet")
    notional_q = instrument.notional_q(lots, mark_ticks)
    equity_q = wallet_q + instrument.position_value_q(sign * lots, mark_ticks) - entry_value_q

    def price(ticks: int | None) -> str | None:
        return None if ticks is None else from_grid(ticks, spec.tick_size)

    levels = [
        (
            level.name,
            price(
                liquidation_price_ticks(
                    instrument,
                    model,
                    sign * lots,
                    entry_value_q,
                    question.leverage,
                    wallet_q,
                    0,
                    level.factor_ppb,
                )
            ),
        )
        for level in loaded.rulebook.levels
    ]
    return Answer(
        asset=asset.symbol,
        notional=from_grid(notional_q, asset.quantum),
        initial_margin=from_grid(initial_q, asset.quantum),
        maintenance_margin=from_grid(maintenance_q, asset.quantum),
        wallet=from_grid(wallet_q, asset.quantum),
        equity=from_grid(equity_q, asset.quantum),
        # Rounded down.
        margin_ratio=from_ppb(equity_q * PPB // notional_q),
        levels=levels,
        bankruptcy_price=price(
            bankruptcy_price_ticks(instrument, sign * lots, entry_value_q, wallet_q)
        ),
    )


def _contract(question: Question, loaded: RulebookFile) -> tuple[InstrumentSpec, AssetSpec]:
    """A contract fine enough for the figures given."""
    asset = (
        AssetSpec(0, "coin", INVERSE_DECIMALS)
        if question.inverse
        else (AssetSpec(0, "quote", LINEAR_DECIMALS))
    )
    tick = question.tick or _finest(question.entry, question.mark or "1")
    lot = _finest(question.qty)
    margin = _margin(question, loaded, asset, lot)
    spec = build_instrument_spec(
        instrument_id=0,
        symbol=question.symbol or "position",
        kind=INVERSE if question.inverse else LINEAR,
        asset=asset,
        tick=tick,
        lot=lot,
        margin=margin,
        multiplier=question.multiplier,
    )
    return spec, asset


def _margin(question: Question, loaded: RulebookFile, asset: AssetSpec, lot: str) -> MarginSpec:
    if question.tiers_file is None:
        return loaded.margin_spec(asset, question.symbol, lot)
    if question.symbol is None:
        raise ValueError("a tiers file needs --symbol, the table's name in it")
    quote = AssetSpec(1, "quote", LINEAR_DECIMALS)
    tiers = load_ccxt_tiers(Path(question.tiers_file), question.symbol, quote)
    if question.inverse:
        tiers = inverse_tiers(tiers, quote, asset, parse_decimal(question.entry, "entry"))
    return MarginSpec("brackets", tiers)


def _finest(*texts: str) -> str:
    """The smallest decimal place any of the figures uses, with two more to spare for prices."""
    places = 0
    for text in texts:
        exponent = parse_decimal(text, "figure").as_tuple().exponent
        places = max(places, -exponent if isinstance(exponent, int) else 0)
    return str(Decimal(1).scaleb(-places))
