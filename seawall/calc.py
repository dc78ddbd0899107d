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
from risk.margin.ccxt_tiers import (
    CONTRACTS_AS_MONEY,
    counts_contracts,
    inverse_tiers,
    load_ccxt_tiers,
    read_ccxt_table,
)
from risk.rulebook import LEVEL_LIQUIDATE
from risk.rulebook_file import RulebookFile, load_rulebook
from risk.solve import bankruptcy_price_ticks, liquidation_price_ticks

LINEAR_DECIMALS: Final[int] = 8
INVERSE_DECIMALS: Final[int] = 10
"""Decimals of the settlement asset, unless the figures of the question need more."""

EXTRA_PLACES: Final[int] = 2
"""How many more decimals the answer's prices have than the question's."""


@dataclass(frozen=True)
class Question:
    """What is asked, in decimals.

    ``mark`` None means the entry price, ``wallet`` None the initial margin there, ``tick`` None two
    decimals more than the prices given. ``contract_value`` is what one contract is worth where the
    tiers file counts contracts.
    """

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
    contract_value: str = ""


@dataclass(frozen=True)
class MarginFigures:
    """Figures as decimal strings; a price of None cannot be reached.

    ``levels`` holds, for each margin level of the rulebook from mild to liquidation, its name and
    the first price on the tick grid at which the account is below it. The bankruptcy price is the
    last one at which equity is not negative.
    """

    asset: str
    notional: str
    initial_margin: str
    maintenance_margin: str
    wallet: str
    equity: str
    margin_ratio: str
    levels: list[tuple[str, str | None]]
    bankruptcy_price: str | None
    warnings: list[str]


def calculate(question: Question) -> MarginFigures:
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
        raise ValueError("qty, entry and mark must be above 0")
    sign = 1 if question.side == "long" else -1
    entry_value_q = sign * instrument.fill_value_q(lots, entry_ticks)
    entry_notional_q = abs(entry_value_q)
    if instrument.notional_q(lots, entry_ticks) > model.cap_q:
        end = from_grid(model.cap_q, asset.quantum)
        raise ValueError(f"no order of this size: the margin table ends at {end} {asset.symbol}")
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
        if wallet_q < 0:
            raise ValueError(f"wallet {question.wallet} must be 0 or more")
    notional_q = instrument.notional_q(lots, mark_ticks)
    equity_q = wallet_q + instrument.position_value_q(sign * lots, mark_ticks) - entry_value_q

    def price(ticks: int | None) -> str | None:
        return None if ticks is None else from_grid(ticks, spec.tick_size)

    rules = loaded.rulebook
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
                    rules.liquidation.inclusive and level.kind == LEVEL_LIQUIDATE,
                )
            ),
        )
        for level in rules.levels
    ]
    return MarginFigures(
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
        warnings=_warnings(question),
    )


def _contract(question: Question, loaded: RulebookFile) -> tuple[InstrumentSpec, AssetSpec]:
    """A contract and an asset fine enough for the figures given."""
    lot = _step(_places("qty", question.qty))
    tick = question.tick
    if tick is None:
        places = max(_places("entry", question.entry), _places("mark", question.mark or "0"))
        tick = _step(places + EXTRA_PLACES)
    if question.inverse:
        asset = AssetSpec(0, "coin", INVERSE_DECIMALS)
    else:
        places = _places("lot", lot) + _places("tick", tick)
        places += _places("multiplier", question.multiplier)
        asset = AssetSpec(0, "quote", max(LINEAR_DECIMALS, places))
    spec = build_instrument_spec(
        instrument_id=0,
        symbol=question.symbol or "position",
        kind=INVERSE if question.inverse else LINEAR,
        asset=asset,
        tick=tick,
        lot=lot,
        margin=_margin(question, loaded, asset, lot),
        multiplier=question.multiplier,
    )
    return spec, asset


def _margin(question: Question, loaded: RulebookFile, asset: AssetSpec, lot: str) -> MarginSpec:
    if question.tiers_file is None:
        if question.contract_value:
            raise ValueError("contract value: has no effect without a tiers file")
        if question.symbol is not None and question.symbol not in loaded.symbol_margins:
            names = ", ".join(loaded.symbol_margins) or "none"
            raise ValueError(
                f"symbol {question.symbol!r}: rulebook {loaded.rulebook.name} has no margin table "
                f"of its own for it; it has: {names}. Without a symbol its default table is used"
            )
        return loaded.margin_spec(asset, question.symbol, lot)
    if question.symbol is None:
        raise ValueError("a tiers file needs a symbol, the table's name in it (--symbol)")
    quote = AssetSpec(1, "quote", LINEAR_DECIMALS) if question.inverse else asset
    worth = parse_decimal(question.contract_value or "1", "contract value")
    tiers = load_ccxt_tiers(Path(question.tiers_file), question.symbol, quote, worth)
    if question.inverse:
        tiers = inverse_tiers(tiers, quote, asset, parse_decimal(question.entry, "entry"))
    return MarginSpec("brackets", tiers)


def _warnings(question: Question) -> list[str]:
    if question.tiers_file is None or question.symbol is None or question.contract_value:
        return []
    rows = read_ccxt_table(question.tiers_file, question.symbol)
    return [f"{question.tiers_file}: {CONTRACTS_AS_MONEY}"] if counts_contracts(rows) else []


def _places(what: str, *texts: str) -> int:
    """The most decimal places any of the figures has; ``what`` names them in messages."""
    exponents = [parse_decimal(text, what).as_tuple().exponent for text in texts]
    return max(-exponent if isinstance(exponent, int) else 0 for exponent in [*exponents, 0])


def _step(places: int) -> str:
    """The smallest step of a figure with that many decimal places."""
    return f"{Decimal(1).scaleb(-places):f}"
