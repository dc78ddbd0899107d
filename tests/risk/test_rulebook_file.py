"""Rulebooks from TOML: every shipped one loads, every mistake is named with its place."""

import re
from decimal import Decimal
from pathlib import Path
from typing import get_args, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import MAX_AMOUNT_Q
from engine.instruments import AssetSpec, MarginTier
from engine.settings import fields_of
from engine.toml_lines import find_line
from risk.choices import CHOICES
from risk.margin import MARGIN_FAMILIES, build_margin_model
from risk.rulebook import (
    LEVEL_LIQUIDATE,
    CollateralAssetRule,
    CollateralRule,
    Rulebook,
    rulebook_from_json,
)
from risk.rulebook_file import (
    SHIPPED,
    RulebookError,
    list_rulebooks,
    load_rulebook,
    parse_rulebook,
)
from risk.rules.margin_table import TIER_FIGURES
from risk.rules.rulebook_check import check_rulebook

REGISTRIES = [MARGIN_FAMILIES, *(one for table in CHOICES.values() for one in table.values())]

USDT = AssetSpec(1, "USDT", 6)
BTC = AssetSpec(2, "BTC", 8)
SECOND = 10**9

GOOD = """\
name = "test-venue"
title = "Test venue"
sources = ["worked by hand"]

[[levels]]
name = "alert"
kind = "alert"
factor = "2"

[[levels]]
name = "call"
kind = "call"
factor = "1.5"

[[levels]]
name = "liquidation"
kind = "liquidate"
factor = 1

[call]
restore_to = "maintenance"
buffer = "0.75"
grace_s = "2.5"
on_expiry = "liquidate"

[fees]
maker = "-0.0001"
taker = "0.0005"

[index]
method = "weighted"
weights = { "7" = 3, "2" = 5 }

[mark]
basis_samples = 12

[funding]
interval_s = 28800
clamp = "0.0005"
cap = "0.01"

[liquidation]
stages = ["cancel", "reduce", "fund", "socialise"]
partial = "tier_step"

[fund]
disposal_fraction = "0.1"
disposal_interval_s = 10

[margin]
model = "brackets"
tiers = [
  { up_to = "1000.5", max_leverage = 20, maintenance = "0.02" },
  { max_leverage = 10, maintenance = "0.04" },
]

[margin.symbols.ETHUSDT]
model = "brackets"
tiers = [{ max_leverage = 5, maintenance = "0.1" }]

[[collateral]]
margin_asset = "USDT"
debt_limit = 10000
assets = [
  { asset = "BTC", haircut = "0.05" },
  { asset = "ETH", haircut = "0.1" },
]
"""


def test_values_arrive_in_inside_units() -> None:
    rules = parse_rulebook(GOOD, "good.toml").rulebook
    assert [(level.name, level.factor_ppb) for level in rules.levels] == [
        ("alert", 2_000_000_000),
        ("call", 1_500_000_000),
        ("liquidation", 1_000_000_000),
    ]
    assert rules.call.grace_ns == 2_500_000_000
    assert rules.call.buffer_ppb == 750_000_000
    assert (rules.fees.maker_ppb, rules.fees.taker_ppb) == (-100_000, 500_000)
    assert rules.index.weights == [(2, 5), (7, 3)]
    assert rules.funding.interval_ns == 28_800 * SECOND
    assert rules.liquidation.stages == ["cancel", "reduce", "fund", "socialise"]
    assets = [CollateralAssetRule("BTC", 50_000_000), CollateralAssetRule("ETH", 100_000_000)]
    assert rules.collateral == [CollateralRule("USDT", assets, 10_000)]
    assert rulebook_from_json(rules.to_json()) == rules


def test_what_is_not_given_keeps_the_default_of_the_struct() -> None:
    rules = parse_rulebook(GOOD, "good.toml").rulebook
    plain = Rulebook("x", "x", ["x"], rules.levels, rules.liquidation)
    assert rules.mark.basis_interval_ns == plain.mark.basis_interval_ns
    assert rules.adl == plain.adl
    assert rules.market_slippage_ppb == plain.market_slippage_ppb


def test_grace_of_none_means_no_deadline() -> None:
    text = GOOD.replace('grace_s = "2.5"', 'grace_s = "none"').replace(
        'on_expiry = "liquidate"', 'on_expiry = "notify"'
    )
    assert parse_rulebook(text, "x.toml").rulebook.call.grace_ns == -1


def test_brackets_become_quanta_with_continuous_deductions() -> None:
    spec = parse_rulebook(GOOD, "good.toml").margin_spec(USDT, "UNKNOWN")
    edge = 1_000_500_000
    assert spec.tiers == [
        MarginTier(0, edge, 20_000_000, 20, 0),
        MarginTier(edge, MAX_AMOUNT_Q, 40_000_000, 10, edge * 2 // 100),
    ]


def test_symbol_with_its_own_table_uses_it() -> None:
    spec = parse_rulebook(GOOD, "good.toml").margin_spec(USDT, "ETHUSDT")
    assert spec.tiers == [MarginTier(0, MAX_AMOUNT_Q, 100_000_000, 5, 0)]


def test_without_a_symbol_it_is_the_first_table_of_today() -> None:
    dated = '[margin.symbols."BTCUSDT@2022-02"]\nmodel = "brackets"\n'
    dated += 'tiers = [{ max_leverage = 125, maintenance = "0.004" }]\n\n'
    text = GOOD.replace("[margin.symbols.ETHUSDT]", f"{dated}[margin.symbols.ETHUSDT]")
    file = parse_rulebook(text, "good.toml")
    assert file.margin_spec(USDT) == file.margin_spec(USDT, "ETHUSDT")
    assert file.margin_spec(USDT, "BTCUSDT@2022-02").tiers[0].max_leverage == 125


def test_bound_finer_than_a_quantum_of_the_asset_is_refused() -> None:
    file = parse_rulebook(GOOD, "good.toml")
    with pytest.raises(RulebookError, match=r"good.toml: margin: tiers\[1\].up_to in YEN: 1000.5"):
        file.margin_spec(AssetSpec(3, "YEN", 0), "OTHER")


def test_bound_too_large_for_the_asset_is_refused() -> None:
    text = GOOD.replace('"1000.5"', "5000000000")
    with pytest.raises(RulebookError, match="5000000000 WEI is too large; at most"):
        parse_rulebook(text, "x.toml").margin_spec(AssetSpec(3, "WEI", 9), "OTHER")


@pytest.mark.parametrize("name", list_rulebooks())
def test_shipped_rulebook_loads_and_builds_every_margin_model(name: str) -> None:
    file = load_rulebook(name)
    rules = file.rulebook
    assert rules.name == name
    assert rules.levels[-1].kind == LEVEL_LIQUIDATE
    asset = BTC if name == "binance-coinm" else USDT
    for symbol in [None, *file.symbol_margins]:
        model = build_margin_model(file.margin_spec(asset, symbol, lot="0.001"))
        for notional_q in (1, 10**9, 10**13):
            maintenance = model.maintenance_q(1_000, notional_q, notional_q, 1)
            assert 0 < maintenance < model.initial_q(1_000, notional_q, notional_q, 1)


@pytest.mark.parametrize("name", list_rulebooks())
def test_shipped_rulebook_survives_its_message_form(name: str) -> None:
    rules = load_rulebook(name).rulebook
    again = rulebook_from_json(rules.to_json())
    assert again == rules
    check_rulebook(again)


def test_expected_rulebooks_ship_and_the_readme_names_each_of_them() -> None:
    assert list_rulebooks() == [
        "binance-coinm",
        "binance-usdm",
        "deribit-linear",
        "hyperliquid",
        "kraken-spot",
        "teaching-default",
    ]
    readme = (SHIPPED / "README.md").read_text()
    assert [name for name in list_rulebooks() if f"`{name}`" not in readme] == []


def keys_of(kind: type) -> list[str]:
    keys: list[str] = []
    for field in fields_of(kind):
        inner = get_args(field.kind)[0] if get_origin(field.kind) is list else field.kind
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            keys += keys_of(inner)
        else:
            keys.append(field.key)
    return keys


def test_readme_explains_every_key_there_is() -> None:
    readme = (SHIPPED / "README.md").read_text()
    keys = [*keys_of(Rulebook), *(figure.key for figure in TIER_FIGURES)]
    for registry in REGISTRIES:
        for name in registry.names():
            assert re.search(rf"\b{name}\b", readme), f"{registry.place}: {name}"
            keys += [figure.key for figure in registry.get(name).figures]
    assert len(keys) > 60
    assert [key for key in keys if f"`{key}`" not in readme] == []


def test_path_loads_a_file_outside_the_package(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert load_rulebook(str(path)).rulebook.name == "test-venue"


def test_teaching_ladder_is_opened_alert_call_liquidation() -> None:
    file = load_rulebook("teaching-default")
    tier = file.margin.tiers[0]
    assert 1 / (tier.maintenance * tier.max_leverage) == Decimal("2.5")
    assert [level.factor_ppb for level in file.rulebook.levels] == [2 * 10**9, 15 * 10**8, 10**9]
    assert 10**9 + file.rulebook.call.buffer_ppb == 2 * 10**9


def test_kraken_levels_are_shares_of_used_margin() -> None:
    file = load_rulebook("kraken-spot")
    share = file.margin.figures["maintenance_of_used"]
    levels = [share * level.factor_ppb / 10**9 for level in file.rulebook.levels]
    assert levels == [Decimal(1), Decimal("0.8"), Decimal("0.4")]


def test_hyperliquid_maintenance_is_half_of_initial_at_the_maximum_leverage() -> None:
    file = load_rulebook("hyperliquid")
    for table in [file.margin, *file.symbol_margins.values()]:
        for tier in table.tiers:
            half = Decimal(1) / (2 * tier.max_leverage)
            assert 0 <= half - tier.maintenance < Decimal("1e-9")


# Mistakes: what is replaced in the good file, by what, and what the message must say.

MISTAKES = {
    "unknown key": (
        'maker = "-0.0001"',
        'makr = "-0.0001"',
        ["fees.makr (line 27)", "did you mean 'maker'?", "allowed are maker, taker, liquidation"],
    ),
    "unknown section": ("[mark]", "[marks]", ["marks (line 34)", "did you mean 'mark'?"]),
    "unknown key in a level": (
        'kind = "alert"\n',
        'kind = "alert"\ncolour = "red"\n',
        ["levels[1].colour (line 8)", "allowed are name, kind, factor"],
    ),
    "missing name": ('name = "test-venue"\n', "", ["bad.toml: name: is missing"]),
    "missing factor": (
        'kind = "call"\nfactor = "1.5"\n',
        'kind = "call"\n',
        ["levels[2].factor (line 10)", "is missing"],
    ),
    "missing stages": (
        'stages = ["cancel", "reduce", "fund", "socialise"]\n',
        "",
        ["liquidation.stages", "is missing"],
    ),
    "wrong type": (
        "basis_samples = 12",
        'basis_samples = "12"',
        ["mark.basis_samples (line 35)", "'12' must be a whole number"],
    ),
    "bool for a number": (
        "basis_samples = 12",
        "basis_samples = true",
        ["mark.basis_samples", "True must be a whole number"],
    ),
    "number for a string": (
        'title = "Test venue"',
        "title = 5",
        ["title (line 2)", "5 must be a string"],
    ),
    "float": (
        'taker = "0.0005"',
        "taker = 0.0005",
        ["fees.taker (line 28)", "0.0005 is a float and not exact", 'write it in quotes: "0.0005"'],
    ),
    "no decimal": (
        'taker = "0.0005"',
        'taker = "5 bp"',
        ["fees.taker", "'5 bp' is not a decimal number; write a decimal in quotes"],
    ),
    "not finite": ('taker = "0.0005"', 'taker = "NaN"', ["fees.taker", "'NaN' is not finite"]),
    "too fine": (
        'taker = "0.0005"',
        'taker = "0.00000000051"',
        ["fees.taker", "'0.00000000051' is too fine; at most nine decimals"],
    ),
    "absurdly large": (
        'taker = "0.0005"',
        'taker = "1e999999"',
        ["fees.taker", "'1e999999'"],
    ),
    "finer than any asset": (
        'up_to = "1000.5"',
        'up_to = "1e-19"',
        ["margin.tiers[1].up_to", "'1e-19' is too fine; at most 18 decimals"],
    ),
    "large": (
        'taker = "0.0005"',
        'taker = "1e19"',
        ["fees.taker", "'1e19' is too large; at most 1000000000000000000"],
    ),
    "percent instead of a fraction": (
        'taker = "0.0005"',
        "taker = 5",
        ["fees.taker", "5 is out of range; allowed are 0 to 0.999999999"],
    ),
    "rebate above the taker fee": (
        'maker = "-0.0001"',
        'maker = "-0.0006"',
        ["fees.maker", "-0.0006 exceeds the taker fee", "at least -0.0005"],
    ),
    "list for a section": ("[mark]\n", "[[mark]]\n", ["mark (line 34)", "must be a table"]),
    "sources not a list": (
        'sources = ["worked by hand"]',
        'sources = "worked by hand"',
        ["sources (line 3)", "'worked by hand' must be a list"],
    ),
    "no source": ('sources = ["worked by hand"]', "sources = []", ["sources", "is empty"]),
    "name with blanks": (
        '"test-venue"',
        '"Test Venue"',
        ["name (line 1)", "'Test Venue' is not allowed", "lower-case words joined by hyphens"],
    ),
    "levels rise": (
        'factor = "1.5"',
        'factor = "2.5"',
        ["levels[2].factor (line 13)", "2.5 does not fall", "must be below 2"],
    ),
    "levels equal": ('factor = "1.5"', 'factor = "2"', ["levels[2].factor", "2 does not fall"]),
    "factor of zero": (
        "factor = 1\n",
        "factor = 0\n",
        ["levels[3].factor (line 18)", "0 is out of range"],
    ),
    "no liquidation": (
        'kind = "liquidate"',
        'kind = "alert"',
        ["levels[3].kind (line 17)", "is 'alert'; the last level", "'liquidate'"],
    ),
    "liquidation first": (
        'kind = "alert"',
        'kind = "liquidate"',
        ["levels[1].kind", "is 'liquidate'; the last level, and only that one"],
    ),
    "two calls": (
        'kind = "alert"',
        'kind = "call"',
        ["levels[2].kind (line 12)", "at most one level may call"],
    ),
    "unknown kind": (
        'kind = "alert"',
        'kind = "warning"',
        ["levels[1].kind (line 7)", "'warning' is unknown; allowed are alert, call, liquidate"],
    ),
    "level names repeat": (
        'name = "call"',
        'name = "alert"',
        ["levels[2].name", "'alert' is given twice"],
    ),
    "call without a deadline liquidates": (
        'grace_s = "2.5"',
        'grace_s = "none"',
        ["call.on_expiry (line 24)", "'liquidate' needs a deadline"],
    ),
    "negative grace": (
        'grace_s = "2.5"',
        'grace_s = "-1"',
        ["call.grace_s (line 23)", "'-1' is negative; give seconds or 'none'"],
    ),
    "call restores too little": (
        'buffer = "0.75"',
        'buffer = "0.25"',
        ["call.buffer (line 22)", "only 1.25 x maintenance", "at least 0.5"],
    ),
    "call restores to nowhere": (
        'restore_to = "maintenance"',
        'restore_to = "happiness"',
        ["call.restore_to", "'happiness' is unknown; allowed are initial, maintenance"],
    ),
    "call ends nowhere": (
        'on_expiry = "liquidate"',
        'on_expiry = "liquidate"\nends = "paid"',
        ["call.ends", "'paid' is unknown; allowed are level, met"],
    ),
    "call section without a call": (
        'kind = "call"',
        'kind = "alert"',
        ["call (line 20)", "has no effect; no level is of kind 'call'"],
    ),
    "weights without the weighted method": (
        'method = "weighted"',
        'method = "median"',
        ["index.weights (line 32)", "has no effect"],
    ),
    "weight of zero": ('"7" = 3', '"7" = 0', ["index.weights", "source 7 with weight 0"]),
    "weight of a name": ('"7" = 3', '"cex" = 3', ["index.weights", "source 'cex' must be"]),
    "weight given as text": ('"7" = 3', '"7" = "3"', ["index.weights", "weight '3' of source 7"]),
    "clamp above cap": (
        'cap = "0.01"',
        'cap = "0.0001"',
        ["funding.clamp (line 39)", "0.0005 exceeds the cap", "at most 0.0001"],
    ),
    "samples rarer than funding": (
        "interval_s = 28800",
        "interval_s = 1",
        ["funding.sample_interval_s", "5 exceeds the interval; it may be at most 1"],
    ),
    "rate period shorter than the interval": (
        "interval_s = 28800",
        "interval_s = 28800\nrate_period_s = 3600",
        ["funding.rate_period_s (line 39)", "3600 is shorter than the interval"],
    ),
    "unknown stage": (
        '"fund", "socialise"]',
        '"fund", "pray", "socialise"]',
        ["liquidation.stages[4] (line 43)", "'pray' is unknown; allowed are cancel, reduce"],
    ),
    "stage twice": (
        '"fund", "socialise"]',
        '"fund", "fund", "socialise"]',
        ["liquidation.stages[4]", "'fund' is given twice"],
    ),
    "cancel late": (
        '["cancel", "reduce", "fund", "socialise"]',
        '["reduce", "cancel", "fund", "socialise"]',
        ["liquidation.stages (line 43)", "'cancel' is not first"],
    ),
    "no stages": (
        '["cancel", "reduce", "fund", "socialise"]',
        "[]",
        ["liquidation.stages", "is empty"],
    ),
    "socialise early": (
        '"fund", "socialise"]',
        '"socialise", "fund"]',
        ["liquidation.stages (line 43)", "ends in 'fund'", "the last stage must be 'socialise'"],
    ),
    "waterfall that may never end": (
        '"fund", "socialise"]',
        '"fund", "adl"]',
        ["liquidation.stages", "ends in 'adl'", "might never end"],
    ),
    "policy without its stage": (
        '"reduce", ',
        "",
        ["liquidation.partial (line 44)", "'tier_step' has no effect", "stage 'reduce'"],
    ),
    "unknown policy": (
        'partial = "tier_step"',
        'partial = "half"',
        ["liquidation.partial", "'half' is unknown; allowed are all, fifo"],
    ),
    "unknown pace": (
        'partial = "tier_step"',
        'partial = "tier_step"\nafter_fraction = "rest"',
        ["liquidation.after_fraction (line 45)", "'rest' is unknown; allowed are wait, whole"],
    ),
    "disposal without a pace": (
        "disposal_interval_s = 10\n",
        "",
        ["fund.disposal_interval_s (line 46)", "it must be positive"],
    ),
    "maintenance at initial": (
        'maintenance = "0.02"',
        'maintenance = "0.05"',
        [
            "margin.tiers[1].maintenance (line 52)",
            "0.05 is not below the initial margin 1/20",
        ],
    ),
    "margin rate falls": (
        'maintenance = "0.04"',
        'maintenance = "0.01"',
        ["margin.tiers[2].maintenance", "0.01 falls", "at least 0.02"],
    ),
    "leverage rises": (
        "max_leverage = 10",
        "max_leverage = 24",
        ["margin.tiers[2].max_leverage", "24 rises", "at most 20"],
    ),
    "deduction that jumps": (
        'max_leverage = 10, maintenance = "0.04"',
        'max_leverage = 10, maintenance = "0.04", deduction = 20',
        ["margin.tiers[2].deduction", "20 makes the margin jump at 1000.5", "must be 20.01"],
    ),
    "tier without width": (
        "{ max_leverage = 10,",
        '{ up_to = "1000.5", max_leverage = 10,',
        ["margin.tiers[2].up_to", "1000.5 must be above the tier's start, 1000.5"],
    ),
    "end missing in the middle": (
        'up_to = "1000.5", ',
        "",
        ["margin.tiers[1].up_to", "is missing; only the last tier"],
    ),
    "unknown margin model": (
        '[margin]\nmodel = "brackets"',
        '[margin]\nmodel = "span"',
        [
            "margin.model (line 51)",
            "'span' is unknown; allowed are brackets, by_open_interest, by_volatility, flat",
        ],
    ),
    "tier without leverage": (
        'tiers = [{ max_leverage = 5, maintenance = "0.1" }]',
        'tiers = [{ maintenance = "0.1" }]',
        ["margin.symbols.ETHUSDT.tiers[1].max_leverage (line 59)", "is missing"],
    ),
    "leverage given as text": (
        "max_leverage = 5",
        'max_leverage = "5"',
        ["margin.symbols.ETHUSDT.tiers[1].max_leverage", "'5' must be a whole number"],
    ),
    "unknown key in a tier": (
        "max_leverage = 5",
        "leverage = 5",
        ["margin.symbols.ETHUSDT.tiers[1].leverage", "did you mean 'max_leverage'?"],
    ),
    "figure of another model": (
        '[margin]\nmodel = "brackets"',
        '[margin]\nmodel = "brackets"\ninitial = "0.1"',
        ["margin.initial (line 52)", "is unknown; allowed are model, tiers, symbols"],
    ),
    "tier steps without tiers": (
        'model = "brackets"\ntiers = [{ max_leverage = 5, maintenance = "0.1" }]',
        'model = "flat"\nmax_leverage = 5\nmaintenance = "0.1"',
        ["liquidation.partial", "'tier_step' needs a margin model with tiers", "ETHUSDT"],
    ),
    "haircut missing": (
        'asset = "BTC", haircut = "0.05"',
        'asset = "BTC"',
        ["collateral[1].assets[1].haircut (line 64)", "is missing; it must be given"],
    ),
    "haircut of everything": (
        'haircut = "0.05"',
        'haircut = "1"',
        ["collateral[1].assets[1].haircut (line 64)", "1 is out of range; allowed are 0 to 0.99"],
    ),
    "collateral in itself": (
        'asset = "ETH"',
        'asset = "USDT"',
        ["collateral[1].assets[2].asset", "'USDT' is a margin asset"],
    ),
    "debt limit below zero": (
        "debt_limit = 10000",
        "debt_limit = -1",
        ["collateral[1].debt_limit (line 63)", "-1 is out of range; allowed are 0 (no limit)"],
    ),
    "collateral as one table": (
        "[[collateral]]",
        "[collateral]",
        ["collateral (line 61)", "must be a list"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_refused_with_file_place_value_and_what_is_allowed(mistake: str) -> None:
    old, new, fragments = MISTAKES[mistake]
    assert GOOD.count(old) >= 1
    with pytest.raises(RulebookError) as error:
        parse_rulebook(GOOD.replace(old, new, 1), "bad.toml")
    message = str(error.value)
    assert message.startswith("bad.toml: ")
    assert [part for part in fragments if part not in message] == [], message


FLAT = 'model = "flat"\nmaintenance = "0.05"\nmax_leverage = 10\n'
LINEAR = (
    'model = "linear_in_size"\ninitial = "0.02"\nmaintenance = "0.01"\n'
    'initial_slope = "0.00005"\nmaintenance_slope = "0.00005"\nslope_size = 1\n'
)
USED = 'model = "used_margin"\nmaintenance_of_used = "0.4"\nmax_leverage = 5\n'


def with_margin(margin: str) -> str:
    rules = GOOD[: GOOD.index("[margin]")].replace('"tier_step"', '"all"')
    return f"{rules}[margin]\n{margin}"


@pytest.mark.parametrize(
    ("margin", "params"),
    [
        (FLAT, [("maintenance_ppb", 50_000_000), ("max_leverage", 10)]),
        (USED, [("maintenance_of_used_ppb", 400_000_000), ("max_leverage", 5)]),
        (
            LINEAR,
            [
                ("initial_ppb", 20_000_000),
                ("initial_slope_ppb", 50_000),
                ("maintenance_ppb", 10_000_000),
                ("maintenance_slope_ppb", 50_000),
                ("slope_lots", 1_000),
            ],
        ),
    ],
)
def test_models_without_a_table_get_sorted_parameters(
    margin: str, params: list[tuple[str, int]]
) -> None:
    spec = parse_rulebook(with_margin(margin), "x.toml").margin_spec(USDT, lot="0.001")
    assert spec.params == params
    assert spec.tiers == []


@pytest.mark.parametrize(
    ("margin", "old", "new", "fragment"),
    [
        (FLAT, '"0.05"', '"0.1"', "margin.maintenance (line 52): 0.1 is not below the initial"),
        (FLAT, '"0.05"', '"0"', "0 is out of range; allowed is above 0, below 1"),
        (
            FLAT,
            "= 10",
            "= 0",
            "margin.max_leverage (line 53): 0 is out of range; allowed is 1 to 1000",
        ),
        (FLAT, "max_leverage = 10\n", "", "max_leverage (line 50): is missing; model 'flat'"),
        (LINEAR, '"0.01"', '"0.02"', "maintenance (line 53): 0.02 must be strictly below initial"),
        (
            LINEAR,
            'maintenance_slope = "0.00005"',
            'maintenance_slope = "0.0001"',
            "0.0001 must be at most initial_slope 0.00005",
        ),
        (
            LINEAR,
            "slope_size = 1",
            "slope_size = 0",
            "slope_size (line 56): 0 is out of range; allowed is above 0",
        ),
        (USED, '"0.4"', '"1"', "maintenance_of_used (line 52): 1 is out of range"),
        (USED, '"0.4"', '"0.40000000001"', "is too fine; at most nine decimals"),
    ],
)
def test_figures_of_other_models_are_checked(
    margin: str, old: str, new: str, fragment: str
) -> None:
    assert old in margin
    with pytest.raises(RulebookError) as error:
        parse_rulebook(with_margin(margin.replace(old, new, 1)), "bad.toml")
    assert fragment in str(error.value)


def test_model_that_counts_lots_needs_a_lot_that_divides_its_size() -> None:
    file = parse_rulebook(with_margin(LINEAR), "x.toml")
    with pytest.raises(RulebookError, match=r"x\.toml: margin: slope_size: .* give the lot"):
        file.margin_spec(USDT)
    with pytest.raises(RulebookError, match=r"slope_size in lots: 1 is not a multiple of 0\.3"):
        file.margin_spec(USDT, lot="0.3")


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "bad.toml: is empty"),
        ("# only a remark\n", "bad.toml: is empty"),
        ("name = ", "bad.toml: is not TOML"),
        ('{"name": "json"}', "bad.toml: is not TOML"),
    ],
)
def test_empty_or_foreign_text_is_refused(text: str, fragment: str) -> None:
    with pytest.raises(RulebookError, match=fragment):
        parse_rulebook(text, "bad.toml")


def test_unknown_name_suggests_the_nearest_and_lists_all() -> None:
    with pytest.raises(RulebookError) as error:
        load_rulebook("binance-usd")
    assert "rulebook 'binance-usd' is unknown; did you mean 'binance-usdm'?" in str(error.value)
    assert "teaching-default" in str(error.value)


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RulebookError, match=r"absent.toml: cannot be read"):
        load_rulebook(str(tmp_path / "absent.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RulebookError, match=r"binary.toml: is not UTF-8 text"):
        load_rulebook(str(tmp_path / "binary.toml"))
    (tmp_path / "huge.toml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(RulebookError, match=r"huge.toml: is larger than 1000000 bytes"):
        load_rulebook(str(tmp_path / "huge.toml"))


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("a", 1),
        ("t", 3),
        ("t.key", 4),
        ("t.absent", 3),
        ("rows[1].x", 6),
        ("rows[2].x", 8),
        ("rows[2].y", 7),
        ("t.key[3].deep", 4),
        ("t.q s.v", 10),
        ("nowhere.at.all", 0),
    ],
)
def test_line_of_a_place_falls_back_to_what_encloses_it(place: str, line: int) -> None:
    text = 'a = 1\n\n[t]\nkey = [\n[[rows]]\nx = 1\n[[rows]]\nx = 2\n["t"."q s"]\nv = 1\n'
    assert find_line(text, place) == line


@given(st.text(max_size=200))
def test_any_text_is_a_rulebook_or_a_rulebook_error(text: str) -> None:
    with pytest.raises(RulebookError):
        parse_rulebook(text, "noise.toml")


VALUES = st.one_of(
    st.integers(-(10**30), 10**30),
    st.booleans(),
    st.floats(),
    st.text(max_size=5),
    st.decimals().map(str),
    st.just([]),
)


def as_toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = "".join(f"\\U{ord(letter):08x}" for letter in value)
        return f'"{escaped}"'
    return str(value)


@given(st.integers(0, 100), VALUES)
def test_any_value_on_any_line_is_accepted_or_refused_with_the_file_named(
    place: int, value: object
) -> None:
    lines = GOOD.splitlines()
    keys = [number for number, line in enumerate(lines) if " = " in line and "{" not in line]
    chosen = keys[place % len(keys)]
    lines[chosen] = f"{lines[chosen].split(' = ')[0]} = {as_toml(value)}"
    try:
        file = parse_rulebook("\n".join(lines), "odd.toml")
    except RulebookError as error:
        assert str(error).startswith("odd.toml: ")
    else:
        check_rulebook(file.rulebook)
