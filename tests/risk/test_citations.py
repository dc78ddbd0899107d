"""Every figure of a shipped rulebook has a source with a date, or says why it is assumed."""

from pathlib import Path

import msgspec
import pytest

from engine.instruments import AssetSpec
from engine.settings import fields_of
from engine.toml_text import parse_toml
from risk.rulebook import LEVEL_CALL, BorrowRule, Rulebook
from risk.rulebook_file import (
    SHIPPED,
    RulebookError,
    list_rulebooks,
    load_rulebook,
    parse_rulebook,
)
from risk.rules.citations import ASSUMED, ENGINE, figures, take_citations
from seawall import load_scenario
from seawall.rulebook_words import keys_without_effect

SMALL = str(Path(__file__).parents[2] / "examples/small_crash.toml")

CITED = """\
name = "test-venue"
title = "Test venue"

[sources.faq]
title = "Answers"
date = "2026-08"

[[levels]]
name = "liquidation"
kind = "liquidate"
factor = 1
from = "faq: liquidations"

[fees]
maker = 0
taker = "0.0005"
[fees.from]
maker = "assumed: none is published"
taker = "faq"

[liquidation]
stages = ["cancel", "socialise"]
[liquidation.from]
stages = "faq: liquidations"
"stages.socialise" = "engine: the venue has no such stage"

[margin]
model = "flat"
maintenance = "0.05"
max_leverage = 10
from = "faq: margin"
"""


def uncited(text: str) -> list[str]:
    plain, citations = take_citations(parse_toml(text))
    return [place for place in figures(plain) if place not in citations.by_place]


def text_of(name: str) -> str:
    return (SHIPPED / f"{name}.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list_rulebooks())
def test_every_figure_of_a_shipped_rulebook_has_a_source_or_is_assumed(name: str) -> None:
    assert uncited(text_of(name)) == []


def test_a_figure_without_a_source_is_found() -> None:
    assert uncited(CITED) == []
    assert uncited(CITED.replace('taker = "faq"\n', "")) == ["fees.taker"]
    assert uncited(CITED.replace('from = "faq: margin"\n', "")) == [
        "margin.model",
        "margin.maintenance",
        "margin.max_leverage",
    ]


def keys_in_force(rules: Rulebook) -> list[str]:
    """Keys of all tables of a rulebook that have an effect."""
    stages = rules.liquidation.stages
    off = {"collateral", "levels", "sources"}
    off |= {"backstop", "adl"} - set(stages)
    if rules.borrow == BorrowRule():
        off.add("borrow")
    if all(level.kind != LEVEL_CALL for level in rules.levels):
        off.add("call")
    keys = []
    for field in fields_of(Rulebook):
        value = getattr(rules, field.name)
        if field.name in off:
            continue
        if not isinstance(value, msgspec.Struct):
            keys.append(field.key)
            continue
        inner = [f"{field.key}.{each.key}" for each in fields_of(type(value))]
        silent = (*keys_without_effect(rules), f"{field.key}.contracts")
        keys += [key for key in inner if key not in silent]
    return keys


@pytest.mark.parametrize("name", list_rulebooks())
def test_a_shipped_rulebook_leaves_nothing_that_counts_to_a_default(name: str) -> None:
    plain, _ = take_citations(parse_toml(text_of(name)))
    written = [*figures(plain), "name", "title"]
    assert [key for key in keys_in_force(load_rulebook(name).rulebook) if key not in written] == []


@pytest.mark.parametrize("name", [name for name in list_rulebooks() if name != "teaching-default"])
def test_a_venue_that_never_socialises_says_that_the_stage_is_the_engines(name: str) -> None:
    cited = load_rulebook(name).citations.by_place
    last = cited.get("liquidation.stages.socialise")
    # Deribit is the one venue of these that does socialise.
    assert (last is not None and last.source == ENGINE) is (name != "deribit-linear")


def test_words_name_source_date_and_reason() -> None:
    citations = parse_rulebook(CITED, "x.toml").citations
    assert citations.in_words("levels[1].factor") == "faq, liquidations (2026-08)"
    assert citations.in_words("fees.taker") == "faq (2026-08)"
    assert citations.in_words("fees.maker") == "assumed: none is published"
    assert citations.in_words("fees.liquidation") == ""


@pytest.mark.parametrize(
    ("old", "new", "fragment"),
    [
        ('taker = "faq"', 'taker = "faqs"', "'faqs' is no source of this file; allowed are faq,"),
        ('taker = "faq"', 'takr = "faq"', "fees.from.takr"),
        ('"assumed: none is published"', '"assumed"', "gives no reason; write 'assumed: reason'"),
        ('"stages.socialise"', '"stages.adl"', "liquidation.from.stages.adl"),
        ('date = "2026-08"', 'date = "last summer"', "sources.faq.date"),
        ('date = "2026-08"\n', "", "sources.faq (line 4)"),
        ('title = "Answers"', 'title = ""', "sources.faq.title"),
        ("[sources.faq]", "[sources.assumed]", "is not allowed as an id"),
        ('from = "faq: margin"', "from = 1", "margin.from (line 31): 1 must be a text or a table"),
    ],
)
def test_a_wrong_citation_is_refused(old: str, new: str, fragment: str) -> None:
    assert old in CITED
    with pytest.raises(RulebookError) as error:
        parse_rulebook(CITED.replace(old, new, 1), "bad.toml")
    assert fragment in str(error.value)


def test_what_a_scenario_lays_over_a_rulebook_is_not_cited_as_the_venues(tmp_path: Path) -> None:
    overrides = [
        "rulebook=binance-usdm",
        "rulebook_overrides.fees.taker=0.001",
        "rulebook_overrides.liquidation.stages=['reduce','socialise']",
        "rulebook_overrides.socialisation.window_s=60",
    ]
    text = load_scenario(SMALL, overrides).rulebook_text
    cited = parse_rulebook(text, "merged.toml").citations
    assert uncited(text) == []
    for place in ("fees.taker", "liquidation.stages", "socialisation.window_s"):
        assert cited.in_words(place) == f"{ASSUMED}: set by the scenario"
    assert "liquidation.stages.socialise" not in cited.by_place
    assert cited.by_place["fees.maker"].source == "ccxt"


def test_a_margin_table_of_another_date_is_named_by_it() -> None:
    file = load_rulebook("binance-usdm")
    today, then = file.symbol_margins["BTCUSDT"], file.symbol_margins["BTCUSDT@2022-02"]
    assert (today.tiers[0].max_leverage, then.tiers[0].max_leverage) == (150, 125)
    assert file.citations.in_words("margin.symbols.BTCUSDT@2022-02.tiers").endswith("(2022-02-12)")


def test_a_date_without_a_table_is_refused_with_those_there_are() -> None:
    asset = AssetSpec(1, "USDT", 6)
    with pytest.raises(RulebookError, match=r"'BTCUSDT@2021-09' is unknown; tables of BTC"):
        load_rulebook("binance-usdm").margin_spec(asset, "BTCUSDT@2021-09")


def test_symbols_of_a_group_share_its_table() -> None:
    asset = AssetSpec(1, "USDC", 6)
    file = load_rulebook("hyperliquid")
    assert file.margin_spec(asset, "ZEC") == file.margin_spec(asset, "DOGE")
    assert file.margin_spec(asset, "DOGE").tiers[0].max_leverage == 10
    text = text_of("hyperliquid").replace('"BNB", "DOT"', '"DOGE", "DOT"')
    with pytest.raises(RulebookError, match="'DOGE' has another table already"):
        parse_rulebook(text, "x.toml")
