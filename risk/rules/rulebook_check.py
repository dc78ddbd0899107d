"""Validity of a rulebook: the range of every value, and rules about several together.

The same rules serve a rulebook read from TOML and one that arrives in a message. Places are named
by the keys of the TOML form; list entries count from 1.
"""

import re
from collections.abc import Sequence
from typing import Final

from engine.settings import SettingFault, check_struct
from engine.units import PPB, from_ppb
from risk.choices import CHOICES, chosen
from risk.fund_delta import FUND_DELTAS
from risk.prices.index_price import INDEX_METHODS
from risk.prices.mark import MARK_METHODS
from risk.registry import check_names
from risk.rulebook import (
    GO_ON,
    LEVEL_CALL,
    LEVEL_LIQUIDATE,
    STAGES,
    CallRule,
    CoinRule,
    CollateralRule,
    FeeRule,
    FundingRule,
    FundRule,
    ImpactRule,
    IndexRule,
    LevelRule,
    LiquidationRule,
    Rulebook,
    SymbolFeeRule,
)

LAST_STAGE: Final[str] = "socialise"
"""The one stage that always ends a liquidation: the fund can be empty, and auto-deleveraging does
nothing for a deficit whose position is already gone."""

_NAME: Final[re.Pattern[str]] = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def check_rulebook(rulebook: Rulebook) -> None:
    """Refuse a rulebook that could not run.

    Raises:
        SettingFault: the first broken rule, with place, value and what is allowed.
    """
    if not _NAME.fullmatch(rulebook.name):
        raise SettingFault(
            "name", f"{rulebook.name!r} is not allowed; use lower-case words joined by hyphens"
        )
    if not rulebook.title.strip():
        raise SettingFault("title", "is empty; give the venue in plain words")
    if not rulebook.sources:
        raise SettingFault("sources", "is empty; name at least one source, even if it is yourself")
    check_struct(rulebook)
    for table in CHOICES:
        _check_choices(rulebook, table)
    _check_levels(rulebook.levels)
    _check_call(rulebook.call, rulebook.levels)
    _check_fees(rulebook.fees)
    _check_symbols("borrow", rulebook.borrow.contracts, "a limit")
    _check_index(rulebook.index)
    mark = rulebook.mark
    _check_weights("mark", mark.weights, mark.method, MARK_METHODS.get(mark.method).weighs)
    _check_sources(rulebook)
    _check_funding(rulebook.funding)
    _check_stages(rulebook.liquidation.stages)
    _check_liquidation(rulebook.liquidation)
    _check_fund(rulebook.fund)
    _check_collateral(rulebook.collateral)


def _check_choices(rulebook: Rulebook, table: str) -> None:
    """The mechanisms a table names exist, and their figures are there and in range."""
    mechanisms = chosen(rulebook, table)
    params: list[tuple[str, int]] = getattr(rulebook, table).params
    fields = [figure.field for mechanism in mechanisms for figure in mechanism.figures]
    try:
        check_names(table, params, fields)
    except ValueError as error:
        raise SettingFault(table, str(error).removeprefix(f"{table}: ")) from None
    for mechanism in mechanisms:
        mechanism.check_values(table, params)


def _check_levels(levels: list[LevelRule]) -> None:
    if not levels:
        raise SettingFault(
            "levels", f"is empty; the last level must be of kind {LEVEL_LIQUIDATE!r}"
        )
    seen: list[str] = []
    calls = 0
    for number, level in enumerate(levels, 1):
        place = f"levels[{number}]"
        if not level.name.strip():
            raise SettingFault(f"{place}.name", "is empty; every level needs a name")
        if level.name in seen:
            raise SettingFault(f"{place}.name", f"{level.name!r} is given twice; names must differ")
        seen.append(level.name)
        if number > 1 and level.factor_ppb >= levels[number - 2].factor_ppb:
            raise SettingFault(
                f"{place}.factor",
                f"{from_ppb(level.factor_ppb)} does not fall; levels go from mild to liquidate, so "
                f"it must be below {from_ppb(levels[number - 2].factor_ppb)}",
            )
        calls += level.kind == LEVEL_CALL
        if calls > 1:
            raise SettingFault(f"{place}.kind", "'call' is given twice; at most one level may call")
        is_last = number == len(levels)
        if is_last != (level.kind == LEVEL_LIQUIDATE):
            raise SettingFault(
                f"{place}.kind",
                f"is {level.kind!r}; the last level, and only that one, must be of kind "
                f"{LEVEL_LIQUIDATE!r}",
            )


def _check_call(call: CallRule, levels: list[LevelRule]) -> None:
    if call.grace_ns == -1 and call.on_expiry == "liquidate":
        raise SettingFault(
            "call.on_expiry",
            "'liquidate' needs a deadline; give call.grace_s in seconds, or use 'notify'",
        )
    for level in levels:
        target_ppb = PPB + call.buffer_ppb
        maintenance = call.restore_to == "maintenance"
        if level.kind == LEVEL_CALL and maintenance and target_ppb < level.factor_ppb:
            raise SettingFault(
                "call.buffer",
                f"{from_ppb(call.buffer_ppb)} restores only {from_ppb(target_ppb)} x maintenance, "
                f"under the call level {from_ppb(level.factor_ppb)}; it must be at least "
                f"{from_ppb(level.factor_ppb - PPB)}",
            )


def _check_fees(fees: FeeRule) -> None:
    _check_rebate("fees", fees.maker_ppb, fees.taker_ppb)
    for number, rule in enumerate(fees.contracts, 1):
        _check_rebate(f"fees.contracts[{number}]", rule.maker_ppb, rule.taker_ppb)
    _check_symbols("fees", fees.contracts, "fees")


def _check_symbols(
    table: str, rules: Sequence[SymbolFeeRule | CoinRule | ImpactRule], what: str
) -> None:
    """A contract has one rule of its own at most."""
    seen: set[str] = set()
    for number, rule in enumerate(rules, 1):
        for symbol in rule.symbols:
            if symbol in seen:
                place = f"{table}.contracts[{number}].symbols"
                raise SettingFault(place, f"{symbol!r} has {what} of its own already")
            seen.add(symbol)


def _check_rebate(place: str, maker_ppb: int, taker_ppb: int) -> None:
    if maker_ppb + taker_ppb < 0:
        raise SettingFault(
            f"{place}.maker",
            f"the rebate {from_ppb(maker_ppb)} exceeds the taker fee; it must be at least "
            f"{from_ppb(-taker_ppb)}",
        )


def _check_index(index: IndexRule) -> None:
    if index.when_stale != GO_ON and not index.stale_ns:
        raise SettingFault(
            "index.when_stale",
            f"{index.when_stale!r} has no effect; give index.stale_s, the age at which a source is "
            "stale",
        )
    _check_weights("index", index.weights, index.method, INDEX_METHODS.get(index.method).weighs)


def _check_weights(place: str, weights: list[tuple[int, int]], method: str, weighs: bool) -> None:
    if weights and not weighs:
        raise SettingFault(
            f"{place}.weights", f"has no effect; {place}.method {method!r} does not weigh"
        )


def _check_sources(rulebook: Rulebook) -> None:
    """A source reports for the index or for the mark."""
    both = dict(rulebook.index.weights).keys() & dict(rulebook.mark.weights).keys()
    if both:
        raise SettingFault(
            "mark.weights", f"source {min(both)} is one of the index; its ids must be others"
        )


def _check_funding(funding: FundingRule) -> None:
    _check_impact(funding)
    _check_symbols("funding", funding.contracts, "a notional")
    if funding.cap_ppb > 0 and funding.clamp_ppb > funding.cap_ppb:
        raise SettingFault(
            "funding.clamp",
            f"{from_ppb(funding.clamp_ppb)} exceeds the cap; it may be at most "
            f"{from_ppb(funding.cap_ppb)}",
        )
    if funding.interval_ns == 0:
        return
    if funding.sample_interval_ns > funding.interval_ns:
        raise SettingFault(
            "funding.sample_interval_s",
            f"{from_ppb(funding.sample_interval_ns)} exceeds the interval; it may be at most "
            f"{from_ppb(funding.interval_ns)}",
        )
    if 0 < funding.rate_period_ns < funding.interval_ns:
        raise SettingFault(
            "funding.rate_period_s",
            f"{from_ppb(funding.rate_period_ns)} is shorter than the interval; it must be 0 or at "
            f"least {from_ppb(funding.interval_ns)}",
        )


def _check_impact(funding: FundingRule) -> None:
    if funding.impact_notional and funding.impact_margin:
        raise SettingFault(
            "funding.impact_margin", "has no effect beside an impact_notional; give one of the two"
        )


def _check_stages(stages: list[str]) -> None:
    place = "liquidation.stages"
    if not stages:
        raise SettingFault(place, f"is empty; allowed are {', '.join(STAGES)}")
    for number, stage in enumerate(stages, 1):
        if stage in stages[: number - 1]:
            raise SettingFault(f"{place}[{number}]", f"{stage!r} is given twice; use it once")
    if "cancel" in stages[1:]:
        raise SettingFault(
            place, "'cancel' is not first; open orders are cancelled before the rest"
        )
    if stages[-1] != LAST_STAGE:
        raise SettingFault(
            place,
            f"ends in {stages[-1]!r}, so a liquidation might never end; the last stage must be "
            f"{LAST_STAGE!r}, which acts only on a deficit that is left",
        )


def _check_liquidation(rule: LiquidationRule) -> None:
    if rule.partial != "all" and not FUND_DELTAS.get(rule.fund_delta).restores:
        raise SettingFault(
            "liquidation.fund_delta",
            f"{rule.fund_delta!r} leaves an account nothing of what is closed, so closing a part "
            "never restores it; it needs partial 'all'",
        )
    if rule.partial != "all" and "reduce" not in rule.stages:
        raise SettingFault(
            "liquidation.partial",
            f"{rule.partial!r} has no effect; it needs the stage 'reduce', or use 'all'",
        )


def _check_fund(fund: FundRule) -> None:
    if fund.disposal_fraction_ppb > 0 and fund.disposal_interval_ns == 0:
        raise SettingFault(
            "fund.disposal_interval_s",
            "is 0; with a disposal_fraction it must be positive",
        )


def _check_collateral(rules: list[CollateralRule]) -> None:
    margin_assets = [rule.margin_asset for rule in rules]
    counted: dict[str, str] = {}
    for number, rule in enumerate(rules, 1):
        place = f"collateral[{number}]"
        if not rule.margin_asset.strip():
            raise SettingFault(f"{place}.margin_asset", "is empty; give the symbol of an asset")
        if rule.margin_asset in margin_assets[: number - 1]:
            raise SettingFault(
                f"{place}.margin_asset", f"{rule.margin_asset!r} is given twice; use one table"
            )
        if not rule.assets:
            raise SettingFault(
                f"{place}.assets", "is empty; name at least one asset and its haircut"
            )
        for entry_number, entry in enumerate(rule.assets, 1):
            inner = f"{place}.assets[{entry_number}]"
            if not entry.asset.strip():
                raise SettingFault(f"{inner}.asset", "is empty; give the symbol of an asset")
            if entry.asset in margin_assets:
                raise SettingFault(
                    f"{inner}.asset",
                    f"{entry.asset!r} is a margin asset; it cannot be collateral in another one",
                )
            if entry.asset in counted:
                raise SettingFault(
                    f"{inner}.asset",
                    f"{entry.asset!r} already counts in {counted[entry.asset]!r}; a balance "
                    "counts once",
                )
            counted[entry.asset] = rule.margin_asset
