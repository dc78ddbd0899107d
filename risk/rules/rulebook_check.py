"""Validity of a rulebook: every rule about a value or about two values together.

The same rules serve a rulebook read from TOML and one that arrives in a message. Places are named
by the keys of the TOML form; list entries count from 1.
"""

import re
from typing import Final

from engine.settings import SettingFault, choice
from engine.units import PPB, from_ppb
from risk.choices import CHOICES, chosen
from risk.prices.index_price import INDEX_METHODS
from risk.prices.mark import MARK_METHODS
from risk.registry import check_names
from risk.rulebook import (
    CALL_ENDS,
    GO_ON,
    LEVEL_ALERT,
    LEVEL_CALL,
    LEVEL_LIQUIDATE,
    PAID_ON_INDEX,
    PAID_ON_MARK,
    PLAIN,
    REDUCE_ONLY_RULES,
    RISING,
    STAGES,
    WHEN_STALE,
    BorrowRule,
    CallRule,
    CollateralRule,
    FeeRule,
    FundingRule,
    FundRule,
    IndexRule,
    LevelRule,
    LiquidationRule,
    MarkRule,
    Rulebook,
)

LEVEL_KINDS: Final[tuple[str, ...]] = (LEVEL_ALERT, LEVEL_CALL, LEVEL_LIQUIDATE)
RESTORE_TARGETS: Final[tuple[str, ...]] = ("initial", "maintenance")
EXPIRY_ACTIONS: Final[tuple[str, ...]] = ("liquidate", "notify")
ORDER_PRICES: Final[tuple[str, ...]] = ("bankruptcy", "slippage")
RESIDUALS: Final[tuple[str, ...]] = ("taker", "account")
AFTER_FRACTION: Final[tuple[str, ...]] = ("wait", "whole")
LAST_STAGE: Final[str] = "socialise"
"""The one stage that always ends a liquidation: the fund can be empty, and auto-deleveraging does
nothing for a deficit whose position is already gone."""

MOST_BORROW_PPB: Final[int] = PPB // 10
MAX_FACTOR_PPB: Final[int] = 1_000 * PPB
MAX_BASIS_SAMPLES: Final[int] = 100_000
MAX_DEBT_LIMIT: Final[int] = 10**18
MAX_DURATION_NS: Final[int] = 366 * 86_400 * 10**9

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
    for table in CHOICES:
        _check_choices(rulebook, table)
    _check_levels(rulebook.levels)
    _check_call(rulebook.call, rulebook.levels)
    _check_fees(rulebook.fees)
    _rate("borrow.long", rulebook.borrow.long_ppb, 0, MOST_BORROW_PPB)
    _rate("borrow.short", rulebook.borrow.short_ppb, 0, MOST_BORROW_PPB)
    _duration("borrow.rollover_s", rulebook.borrow.rollover_ns, 0)
    _check_allowances(rulebook.borrow)
    _check_index(rulebook.index)
    _check_mark(rulebook.mark)
    _check_sources(rulebook)
    _check_funding(rulebook.funding)
    _check_stages(rulebook.liquidation.stages)
    _check_liquidation(rulebook.liquidation)
    _check_fund(rulebook.fund)
    _rate("backstop.trigger", rulebook.backstop.trigger_ppb, 1, PPB)
    _rate("backstop.notional_cap", rulebook.backstop.notional_cap_ppb, 0, MAX_FACTOR_PPB)
    _rate("adl.max_distance", rulebook.adl.max_distance_ppb, 0, PPB - 1)
    _duration("socialisation.window_s", rulebook.socialisation.window_ns, 0)
    _rate("withdrawal.min_notional", rulebook.withdrawal.min_notional_ppb, 0, PPB)
    _rate("market_slippage", rulebook.market_slippage_ppb, 0, PPB - 1)
    choice("reduce_only", rulebook.reduce_only, REDUCE_ONLY_RULES)
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


def _rate(place: str, rate_ppb: int, lowest_ppb: int, highest_ppb: int) -> None:
    if not lowest_ppb <= rate_ppb <= highest_ppb:
        raise SettingFault(
            place,
            f"{from_ppb(rate_ppb)} is out of range; allowed are {from_ppb(lowest_ppb)} "
            f"to {from_ppb(highest_ppb)}",
        )


def _duration(place: str, time_ns: int, lowest_ns: int) -> None:
    if not lowest_ns <= time_ns <= MAX_DURATION_NS:
        raise SettingFault(
            place,
            f"{from_ppb(time_ns)} seconds is out of range; allowed are {from_ppb(lowest_ns)} "
            f"to {from_ppb(MAX_DURATION_NS)}",
        )


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
        choice(f"{place}.kind", level.kind, LEVEL_KINDS)
        _rate(f"{place}.factor", level.factor_ppb, 1, MAX_FACTOR_PPB)
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
    choice("call.restore_to", call.restore_to, RESTORE_TARGETS)
    choice("call.on_expiry", call.on_expiry, EXPIRY_ACTIONS)
    choice("call.ends", call.ends, CALL_ENDS)
    _rate("call.buffer", call.buffer_ppb, 0, MAX_FACTOR_PPB)
    if call.grace_ns != -1:
        _duration("call.grace_s", call.grace_ns, 0)
    elif call.on_expiry == "liquidate":
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
    _check_rates("fees", fees.maker_ppb, fees.taker_ppb, fees.liquidation_ppb)
    seen: list[str] = []
    for number, rule in enumerate(fees.contracts, 1):
        place = f"fees.contracts[{number}]"
        _check_rates(place, rule.maker_ppb, rule.taker_ppb, rule.liquidation_ppb)
        for symbol in rule.symbols:
            if symbol in seen:
                raise SettingFault(f"{place}.symbols", f"{symbol!r} has fees of its own already")
            seen.append(symbol)


def _check_rates(place: str, maker_ppb: int, taker_ppb: int, liquidation_ppb: int) -> None:
    _rate(f"{place}.maker", maker_ppb, 1 - PPB, PPB - 1)
    _rate(f"{place}.taker", taker_ppb, 0, PPB - 1)
    _rate(f"{place}.liquidation", liquidation_ppb, 0, PPB - 1)
    if maker_ppb + taker_ppb < 0:
        raise SettingFault(
            f"{place}.maker",
            f"the rebate {from_ppb(maker_ppb)} exceeds the taker fee; it must be at least "
            f"{from_ppb(-taker_ppb)}",
        )


def _check_index(index: IndexRule) -> None:
    _duration("index.stale_s", index.stale_ns, 0)
    _rate("index.outlier", index.outlier_ppb, 0, PPB)
    choice("index.when_stale", index.when_stale, WHEN_STALE)
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
    for source, weight in weights:
        if source < 0 or weight < 1:
            raise SettingFault(
                f"{place}.weights",
                f"source {source} with weight {weight} is not allowed; source ids are 0 or more, "
                "weights 1 or more",
            )
    if len(dict(weights)) != len(weights):
        raise SettingFault(f"{place}.weights", "a source is given twice; ids must differ")


def _check_sources(rulebook: Rulebook) -> None:
    """A source reports for the index or for the mark."""
    both = dict(rulebook.index.weights).keys() & dict(rulebook.mark.weights).keys()
    if both:
        raise SettingFault(
            "mark.weights", f"source {min(both)} is one of the index; its ids must be others"
        )


def _check_mark(mark: MarkRule) -> None:
    _check_weights("mark", mark.weights, mark.method, MARK_METHODS.get(mark.method).weighs)
    if not 1 <= mark.basis_samples <= MAX_BASIS_SAMPLES:
        raise SettingFault(
            "mark.basis_samples",
            f"{mark.basis_samples} is out of range; allowed are 1 to {MAX_BASIS_SAMPLES}",
        )
    _duration("mark.basis_interval_s", mark.basis_interval_ns, 1)
    _rate("mark.max_distance", mark.max_distance_ppb, 0, PPB - 1)


def _check_funding(funding: FundingRule) -> None:
    _duration("funding.interval_s", funding.interval_ns, 0)
    _duration("funding.rate_period_s", funding.rate_period_ns, 0)
    _duration("funding.sample_interval_s", funding.sample_interval_ns, 1)
    choice("funding.paid_on", funding.paid_on, (PAID_ON_MARK, PAID_ON_INDEX))
    _check_impact(funding)
    choice("funding.averaging", funding.averaging, (PLAIN, RISING))
    _rate("funding.interest", funding.interest_ppb, 1 - PPB, PPB - 1)
    _rate("funding.clamp", funding.clamp_ppb, 0, PPB - 1)
    _rate("funding.cap", funding.cap_ppb, 0, PPB - 1)
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


def _check_allowances(borrow: BorrowRule) -> None:
    amounts = {"allowance": borrow.allowance}
    for number, rule in enumerate(borrow.contracts, 1):
        amounts[f"contracts[{number}].coins"] = rule.coins
    for key, amount in amounts.items():
        if not 0 <= amount <= MAX_DEBT_LIMIT:
            raise SettingFault(
                f"borrow.{key}",
                f"{amount} is out of range; allowed are 0 (no limit) to {MAX_DEBT_LIMIT}",
            )


def _check_impact(funding: FundingRule) -> None:
    amounts = {"impact_notional": funding.impact_notional, "impact_margin": funding.impact_margin}
    for number, rule in enumerate(funding.contracts, 1):
        amounts[f"contracts[{number}].notional"] = rule.notional
    for key, amount in amounts.items():
        if not 0 <= amount <= MAX_DEBT_LIMIT:
            raise SettingFault(
                f"funding.{key}",
                f"{amount} is out of range; allowed are 0 (best prices) to {MAX_DEBT_LIMIT}",
            )
    if funding.impact_notional and funding.impact_margin:
        raise SettingFault(
            "funding.impact_margin", "has no effect beside an impact_notional; give one of the two"
        )


def _check_stages(stages: list[str]) -> None:
    place = "liquidation.stages"
    if not stages:
        raise SettingFault(place, f"is empty; allowed are {', '.join(STAGES)}")
    for number, stage in enumerate(stages, 1):
        choice(f"{place}[{number}]", stage, STAGES)
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
    if rule.partial != "all" and "reduce" not in rule.stages:
        raise SettingFault(
            "liquidation.partial",
            f"{rule.partial!r} has no effect; it needs the stage 'reduce', or use 'all'",
        )
    _rate("liquidation.restore_buffer", rule.restore_buffer_ppb, 0, MAX_FACTOR_PPB)
    _rate("liquidation.fraction", rule.fraction_ppb, 1, PPB)
    if rule.fraction_min_notional < 0:
        raise SettingFault(
            "liquidation.fraction_min_notional",
            f"{rule.fraction_min_notional} is negative; it must be 0 or more",
        )
    _duration("liquidation.cooldown_s", rule.cooldown_ns, 0)
    choice("liquidation.after_fraction", rule.after_fraction, AFTER_FRACTION)
    choice("liquidation.order_price", rule.order_price, ORDER_PRICES)
    _rate("liquidation.slippage", rule.slippage_ppb, 0, PPB - 1)
    choice("liquidation.residual", rule.residual, RESIDUALS)


def _check_fund(fund: FundRule) -> None:
    _rate("fund.notional_cap", fund.notional_cap_ppb, 0, MAX_FACTOR_PPB)
    _rate("fund.loss_cap", fund.loss_cap_ppb, 0, PPB)
    _rate("fund.disposal_fraction", fund.disposal_fraction_ppb, 0, PPB)
    _duration("fund.disposal_interval_s", fund.disposal_interval_ns, 0)
    _rate("fund.disposal_slippage", fund.disposal_slippage_ppb, 0, PPB - 1)
    _rate("fund.solvency", fund.solvency_ppb, 0, PPB)
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
        if not 0 <= rule.debt_limit <= MAX_DEBT_LIMIT:
            raise SettingFault(
                f"{place}.debt_limit",
                f"{rule.debt_limit} is out of range; allowed are 0 (no limit) to {MAX_DEBT_LIMIT}",
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
            _rate(f"{inner}.haircut", entry.haircut_ppb, 0, PPB - 1)
