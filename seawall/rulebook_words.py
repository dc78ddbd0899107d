"""A rulebook in words: every rule as a sentence, with the source and the date of its figures."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

import msgspec

from engine.settings import fields_of
from engine.units import PPB, SECOND_NS, from_ppb
from risk.choices import CHOICES
from risk.liquidation.policy import CLOSE_POLICIES
from risk.prices.index_price import INDEX_METHODS
from risk.prices.mark import MARK_METHODS
from risk.registry import Mechanism
from risk.rulebook import (
    LEVEL_CALL,
    BorrowRule,
    CoinRule,
    FundingRule,
    ImpactRule,
    LevelRule,
    Rulebook,
    SymbolFeeRule,
)
from risk.rulebook_file import RulebookFile
from risk.rules.citations import ENGINE, Citations
from risk.rules.margin_table import MarginTable

_INDENT: Final[str] = "      "
_NO_SOURCE: Final[str] = "no source given"
_DEFAULT: Final[str] = "the format's default; the file says nothing"

_SHARES: Final[tuple[str, ...]] = (
    "factor_ppb",
    "restore_buffer_ppb",
    "buffer_ppb",
    "notional_cap_ppb",
    "trigger_ppb",
)
"""Fields in parts per billion that read better as multiples than as per cent."""

HEADINGS: Final[dict[str, str]] = {
    "": "Orders",
    "levels": "Margin levels",
    "call": "Margin call",
    "fees": "Fees",
    "borrow": "Borrowing",
    "index": "Index",
    "mark": "Mark",
    "funding": "Funding",
    "liquidation": "Liquidation",
    "fund": "Insurance fund",
    "backstop": "Backstop",
    "adl": "Auto-deleveraging",
    "socialisation": "Socialisation",
    "withdrawal": "Withdrawals",
    "collateral": "Collateral",
}
"""The tables of a rulebook, in the order they are told."""

SENTENCES: Final[dict[str, str]] = {
    "profit_margins_orders": "Unrealised profit counts as margin of new orders: {}.",
    "market_slippage": "A market order must be able to pay for {} beyond the mark.",
    "reduce_only": "Open reduce-only orders together: {}.",
    "call.restore_to": "A call restores the {} requirement.",
    "call.buffer": "It asks for {} times that requirement on top.",
    "call.grace_s": "Time to pay: {}.",
    "call.on_expiry": "When the time is over: {}.",
    "call.ends": "A call is cured when its {}.",
    "fees.maker": "The resting side pays {} of the notional.",
    "fees.taker": "The taking side pays {} of the notional.",
    "fees.liquidation": "What is liquidated pays {} of its notional to the fund.",
    "borrow.long": "A long pays {} of its opening value for what it borrows.",
    "borrow.short": "A short pays {} of its value for what it borrows.",
    "borrow.allowance": "A long may be worth {} at most.",
    "borrow.rollover_s": "It pays so when it opens, and again every {}.",
    "index.method": "The index is the {}.",
    "index.stale_s": "A source is left out when it is older than {}.",
    "index.outlier": "A source is stray when it is further than {} from the median.",
    "index.weights": "Weights by source: {}.",
    "index.when_stale": "While every source is too old: {}.",
    "mark.method": "The mark is the {}.",
    "mark.basis_samples": "The basis is averaged over {} samples.",
    "mark.basis_interval_s": "A sample of the basis is taken every {}.",
    "mark.weights": "Weights of other venues' prices by source: {}.",
    "mark.max_distance": "The mark is never further than {} from the index.",
    "funding.interval_s": "Funding is settled every {}.",
    "funding.rate_period_s": "The rate belongs to {}, of which an interval pays its share.",
    "funding.interest": "The interest part of the rate is {}.",
    "funding.clamp": "Interest less premium counts up to {} either way.",
    "funding.cap": "An interval's rate is at most {} either way.",
    "funding.sample_interval_s": "The premium is sampled every {}.",
    "funding.method": "The rate is the {}.",
    "funding.paid_on": "It is paid on the value at the {}.",
    "funding.impact_notional": "The premium is that of an order of {}.",
    "funding.impact_margin": "The premium is that of an order of {} times the highest leverage.",
    "funding.averaging": "The mean of the premium: {}.",
    "liquidation.stages": "The waterfall: {}.",
    "liquidation.partial": "The stage reduce closes {}.",
    "liquidation.restore_buffer": "An account is released {} times maintenance above maintenance.",
    "liquidation.fraction": "The share closed at a time is {}.",
    "liquidation.fraction_min_notional": "Positions below {} are closed whole.",
    "liquidation.cooldown_s": "After a share was closed the next waits {}.",
    "liquidation.after_fraction": "In that time: {}.",
    "liquidation.order_price": "Liquidation orders are limited by {}.",
    "liquidation.slippage": "The limit from the mark is {}.",
    "liquidation.residual": "Margin left at a takeover goes to the {}.",
    "liquidation.inclusive": "Equity equal to maintenance is liquidated: {}.",
    "liquidation.split": "Where positions close at bankruptcy, equity is shared by their {}.",
    "liquidation.fund_delta": "Of their fills the fund gets {}.",
    "fund.notional_cap": "Its positions are at most {} times its equity.",
    "fund.loss_cap": "One takeover may cost it {} of its equity.",
    "fund.disposal_fraction": "It offers {} of each position at a time.",
    "fund.disposal_interval_s": "It offers every {}.",
    "fund.disposal_slippage": "It offers within {} of the mark.",
    "fund.solvency": "It is insolvent with equity below {} of its positions' value.",
    "backstop.trigger": "It takes accounts with equity below {} times maintenance.",
    "backstop.notional_cap": "Its positions are at most {} times its equity.",
    "adl.ranking": "Counterparties are ranked by {}.",
    "adl.price": "They are closed at the {}.",
    "adl.negative_equity_only": "Only when equity is below zero: {}.",
    "adl.max_distance": "No price is further than {} from the mark.",
    "socialisation.window_s": "Gains realised in this and the preceding window of {} count.",
    "withdrawal.unrealised_profit": "Profit that is not realised may leave: {}.",
    "withdrawal.min_notional": "Beyond initial margin {} of all notional must stay.",
}
"""A sentence for every key, {} being its value; `VALUES` has words for values that are words, a
mechanism brings its own."""

VALUES: Final[dict[str, dict[str, str]]] = {
    "reduce_only": {
        "cap": "each closes what is left of the position when its turn comes",
        "count": "count against the position, and one too many is refused",
    },
    "call.on_expiry": {"notify": "a notice", "liquidate": "liquidation"},
    "call.ends": {"level": "level is left", "met": "amount is there"},
    "index.when_stale": {
        "go_on": "the last index stands and trading goes on",
        "reduce_only": "orders may only reduce and the house does not sell",
        "halt_liquidations": "orders may only reduce and nobody is liquidated",
    },
    "funding.averaging": {
        "plain": "all samples count the same",
        "rising": "the n-th sample counts n times",
    },
    "liquidation.after_fraction": {
        "wait": "the account waits",
        "whole": "the whole position is closed",
    },
    "liquidation.order_price": {
        "bankruptcy": "the price that uses the equity up",
        "slippage": "the price that uses the equity up, and by a distance from the mark",
    },
    "liquidation.residual": {"taker": "taker", "account": "account"},
}

ZEROES: Final[dict[str, str]] = {
    "call.buffer": "It asks for nothing on top.",
    "borrow.rollover_s": "It pays so when it opens.",
    "borrow.allowance": "Nothing limits what a long borrows.",
    "index.stale_s": "No source is ever too old.",
    "index.outlier": "No source is ever stray.",
    "mark.max_distance": "Nothing bounds the mark's distance from the index.",
    "funding.interval_s": "There is no funding.",
    "funding.rate_period_s": "The rate belongs to the interval.",
    "funding.cap": "Nothing bounds the rate.",
    "funding.impact_notional": "No size is fixed for the prices of the premium.",
    "funding.impact_margin": "No margin fixes it; without both they are the best prices.",
    "liquidation.restore_buffer": "An account is released at maintenance.",
    "liquidation.fraction_min_notional": "Positions of every size are closed in shares.",
    "fund.notional_cap": "Nothing bounds its positions.",
    "fund.loss_cap": "Nothing bounds what a takeover may cost.",
    "fund.disposal_fraction": "It keeps what it took over.",
    "fund.solvency": "It is insolvent with equity below zero.",
    "backstop.notional_cap": "Nothing bounds its positions.",
    "socialisation.window_s": "Only open gains count.",
}
"""What a key says when it is zero."""


def keys_without_effect(rules: Rulebook) -> list[str]:
    """Keys that change nothing beside the others of a rulebook."""
    keys: list[str] = []
    if not INDEX_METHODS.get(rules.index.method).weighs:
        keys.append("index.weights")
    if not MARK_METHODS.get(rules.mark.method).weighs:
        keys.append("mark.weights")
    if not rules.funding.interval_ns:
        fields = fields_of(FundingRule)
        keys += [f"funding.{field.key}" for field in fields if field.name != "interval_ns"]
    if not CLOSE_POLICIES.get(rules.liquidation.partial).paced:
        keys += ["liquidation.fraction", "liquidation.fraction_min_notional"]
        keys += ["liquidation.cooldown_s", "liquidation.after_fraction"]
    if rules.liquidation.order_price != "slippage":
        keys.append("liquidation.slippage")
    if not MARK_METHODS.get(rules.mark.method).samples:
        keys += ["mark.basis_samples", "mark.basis_interval_s"]
    return keys


def rulebook_in_words(file: RulebookFile) -> Iterator[str]:
    """The lines of a rulebook in words, of all its tables that have an effect."""
    rules = file.rulebook
    yield f"{rules.title} ({rules.name})"
    yield from _sources(file)
    silent = keys_without_effect(rules)
    plain = {field: getattr(rules, field) for field in Rulebook.__struct_fields__}
    for table, heading in HEADINGS.items():
        if not _is_off(table, rules):
            yield ""
            yield heading
            for place, sentence in _table(table, plain):
                if place in silent:
                    continue
                yield from _cited(sentence, place, file.citations)
    yield from _margins(file)
    yield from _differences(file.citations)


def _sources(file: RulebookFile) -> Iterator[str]:
    yield ""
    yield "Sources"
    for key, source in file.citations.sources.items():
        yield f"  {key} ({source.date}): {source.title}"
    if not file.citations.sources:
        yield from (f"  {title}" for title in file.rulebook.sources)


def _is_off(table: str, rules: Rulebook) -> bool:
    """Whether a table has no effect."""
    stages = rules.liquidation.stages
    match table:
        case "call":
            return all(level.kind != LEVEL_CALL for level in rules.levels)
        case "fund":
            return "fund" not in stages and "backstop" not in stages
        case "borrow":
            return rules.borrow == BorrowRule()
        case "backstop" | "adl":
            return table not in stages
        case "collateral":
            return not rules.collateral
    return False


def _table(table: str, plain: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Place and sentence of each rule of a table."""
    if table == "levels":
        for number, level in enumerate(plain["levels"], 1):
            yield f"levels[{number}].factor", _level(level)
    elif table == "collateral":
        for number, rule in enumerate(plain["collateral"], 1):
            listed = ", ".join(f"{e.asset} less {_percent(e.haircut_ppb)}" for e in rule.assets)
            yield f"collateral[{number}].assets", f"{listed} count in {rule.margin_asset}."
    elif table:
        yield from _struct(f"{table}.", plain[table])
    else:
        for field in fields_of(Rulebook):
            if field.key in SENTENCES:
                yield field.key, _sentence(field.key, field.name, plain[field.name])


def _struct(prefix: str, rule: msgspec.Struct) -> Iterator[tuple[str, str]]:
    for field in fields_of(type(rule)):
        value = getattr(rule, field.name)
        if field.name == "contracts":
            yield from _CONTRACTS[prefix](value)
            continue
        key = f"{prefix}{field.key}"
        yield key, _sentence(key, field.name, value)
    if prefix[:-1] in CHOICES:
        yield from _params(prefix, rule)


def _contract_fees(rules: list[SymbolFeeRule]) -> Iterator[tuple[str, str]]:
    for number, rule in enumerate(rules, 1):
        rates = [_percent(rate) for rate in (rule.maker_ppb, rule.taker_ppb, rule.liquidation_ppb)]
        shown = "resting {}, taking {}, liquidated {}".format(*rates)
        yield f"fees.contracts[{number}].symbols", f"{', '.join(rule.symbols)}: {shown}."


def _contract_sizes(rules: list[ImpactRule]) -> Iterator[tuple[str, str]]:
    for number, rule in enumerate(rules, 1):
        symbols = ", ".join(rule.symbols)
        yield f"funding.contracts[{number}].symbols", f"{symbols}: an order of {rule.notional:,}."


def _contract_coins(rules: list[CoinRule]) -> Iterator[tuple[str, str]]:
    for number, rule in enumerate(rules, 1):
        symbols = ", ".join(rule.symbols)
        yield f"borrow.contracts[{number}].symbols", f"{symbols}: a short of {rule.coins:,} coins."


_CONTRACTS: Final[dict[str, Callable[[Any], Iterator[tuple[str, str]]]]] = {
    "fees.": _contract_fees,
    "funding.": _contract_sizes,
    "borrow.": _contract_coins,
}


def _params(prefix: str, rule: Any) -> Iterator[tuple[str, str]]:
    """What the mechanisms of a table ask for beside it."""
    given = dict(rule.params)
    for key, registry in CHOICES[prefix[:-1]].items():
        for figure in registry.get(getattr(rule, key)).figures:
            value = given.get(figure.field, figure.inside(Decimal(figure.default or 0)))
            words = figure.key.removesuffix("_s").replace("_", " ")
            shown = _value(figure.key, figure.field, value)
            yield f"{prefix}{figure.key}", f"Its {words}: {shown}."


def _sentence(key: str, field: str, value: Any) -> str:
    if value == 0 and value is not False and key in ZEROES:
        return ZEROES[key]
    return SENTENCES[key].format(_value(key, field, value))


def _value(key: str, field: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if field.endswith("_ns"):
        return "no deadline" if value < 0 else f"{_plain(Decimal(value) / SECOND_NS)} s"
    if field in _SHARES:
        return str(from_ppb(value))
    if field.endswith("_ppb"):
        return _percent(value)
    if field == "weights":
        return ", ".join(f"{source} has {weight}" for source, weight in value) or "all alike"
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, int):
        return f"{value:,}"
    table, _, choice = key.rpartition(".")
    if choice in CHOICES.get(table, {}):
        mechanism: Mechanism = CHOICES[table][choice].get(value)
        return mechanism.words
    return VALUES.get(key, {}).get(value, str(value))


def _level(level: LevelRule) -> str:
    return f"{level.name} ({level.kind}): equity below {from_ppb(level.factor_ppb)} x maintenance."


def _cited(sentence: str, place: str, citations: Citations) -> Iterator[str]:
    yield f"  {sentence}"
    words = citations.in_words(place)
    yield f"{_INDENT}{words or (_DEFAULT if citations.sources else _NO_SOURCE)}"
    for inner in citations.by_place:
        if inner.startswith(f"{place}.") and "." not in inner.removeprefix(f"{place}."):
            yield f"{_INDENT}{inner.rpartition('.')[2]}: {citations.in_words(inner)}"


def _margins(file: RulebookFile) -> Iterator[str]:
    tables: dict[int, tuple[str, MarginTable, list[str]]] = {}
    for symbol, table in file.symbol_margins.items():
        place = f"margin.symbols.{symbol}"
        tables.setdefault(id(table), (place, table, []))[2].append(symbol)
    for place, table, symbols in tables.values():
        yield from _margin(f"Margin of {', '.join(symbols)}", place, table, file.citations)
    others = "Margin of all other symbols" if tables else "Margin"
    yield from _margin(others, "margin", file.margin, file.citations)


def _margin(heading: str, place: str, table: MarginTable, citations: Citations) -> Iterator[str]:
    yield ""
    yield heading
    figures = [f"{key} {_plain(value)}" for key, value in table.figures.items()]
    yield from _cited(f"{table.model} {', '.join(figures)}".strip(), f"{place}.model", citations)
    for row in table.tiers:
        bound = f"to {row.up_to:,f}" if row.up_to is not None else "beyond"
        rate = _percent(int(row.maintenance * PPB))
        yield f"  {bound}: maintenance {rate}, at most {row.max_leverage}x"


def _differences(citations: Citations) -> Iterator[str]:
    """Where the engine does something of its own, the last resort of the waterfall first."""
    own = [place for place, cited in citations.by_place.items() if cited.source == ENGINE]
    if not own:
        return
    yield ""
    yield "Where the engine does something else than the venue"
    for place in sorted(own, key=lambda place: not place.startswith("liquidation.stages.")):
        yield f"  {place}: {citations.by_place[place].text}"


def _percent(rate_ppb: int) -> str:
    return f"{_plain(Decimal(rate_ppb) * 100 / PPB)} %"


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
