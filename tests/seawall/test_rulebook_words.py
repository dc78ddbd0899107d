"""Rulebooks in words: a sentence for every key, its source, and what the engine does instead."""

import msgspec
import pytest

from risk.rulebook import Rulebook
from risk.rulebook_file import list_rulebooks, load_rulebook, parse_rulebook
from seawall.cli import EXIT_OK, main
from seawall.rulebook_words import HEADINGS, SENTENCES, rulebook_in_words
from tests.risk.test_citations import CITED
from tests.risk.test_rulebook_file import GOOD, keys_of


def is_table(kind: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def lines_of(name: str) -> list[str]:
    return list(rulebook_in_words(load_rulebook(name)))


def test_every_key_has_a_sentence() -> None:
    told = {key.rpartition(".")[2] for key in SENTENCES}
    elsewhere = {"name", "title", "sources", "kind", "factor", "asset", "haircut"}
    elsewhere |= {"margin_asset", "debt_limit", "symbols", "notional", "coins"}
    assert [key for key in keys_of(Rulebook) if key not in told | elsewhere] == []
    structs = [field.name for field in msgspec.structs.fields(Rulebook) if is_table(field.type)]
    assert [name for name in structs if name not in HEADINGS] == []


@pytest.mark.parametrize("name", list_rulebooks())
def test_every_sentence_of_a_shipped_rulebook_has_its_source(name: str) -> None:
    lines = lines_of(name)
    assert not [line for line in lines if "no source" in line or "format's default" in line]
    assert not [line for line in lines if "{" in line]


def test_the_fee_of_a_venue_is_told_with_source_and_date() -> None:
    lines = lines_of("hyperliquid")
    at = lines.index("  The taking side pays 0.045 % of the notional.")
    assert lines[at + 1].strip() == "docs, fees, tier 0 (2026-08-22)"


def test_the_last_resort_of_the_engine_is_told_first_among_the_differences() -> None:
    lines = lines_of("binance-usdm")
    at = lines.index("Where the engine does something else than the venue")
    assert lines[at + 1].startswith("  liquidation.stages.socialise: the venue deleverages")


def test_a_rulebook_without_citations_says_so() -> None:
    lines = list(rulebook_in_words(parse_rulebook(GOOD, "good.toml")))
    assert "  worked by hand" in lines
    assert "      no source given" in lines
    assert "  BTC less 5 %, ETH less 10 % count in USDT." in lines


def test_a_key_that_a_file_leaves_out_is_told_as_a_default() -> None:
    lines = list(rulebook_in_words(parse_rulebook(CITED, "x.toml")))
    at = lines.index("  There is no funding.")
    assert lines[at + 1].strip() == "the format's default; the file says nothing"


def test_the_command_prints_the_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rulebooks", "kraken-spot"]) == EXIT_OK
    shown = capsys.readouterr().out
    assert shown.startswith("Kraken spot margin (kraken-spot)\n")
    assert "rollover (2026-02-10): support.kraken.com 206161568: margin fees" in shown
