"""The documentation against the program: scenario keys, run files, invariants, links, examples."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import polars as pl
import pytest

from engine import invariants
from engine.routing.bus import Latency
from engine.settings import Field, fields_of, unit_of
from engine.toml_text import TomlError, parse_toml
from seawall import load_run, load_scenario, run_scenario
from seawall.agents import AgentSettings
from seawall.agents.plans import AgentTable
from seawall.calm import CalibratedTable, CalmTable
from seawall.index_path import ForcedSalesPlan, IndexTable, PathTable, SourceTable
from seawall.population import (
    LognormalWealth,
    ParetoWealth,
    PopulationPlan,
    Wealth,
)
from seawall.records.event_table import SCHEMA
from seawall.runs.run_directory import Run
from seawall.scaled_fields import OfVolatility, OfVolume
from seawall.scenario_fields import ScenarioReader, WrittenFloat
from seawall.scenario_tables import (
    AssetTable,
    HouseTable,
    InstrumentTable,
    OutputPlan,
    ReferencePlan,
    ScenarioTables,
    TiersTable,
)
from seawall.time_plan import TimeTable

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
ELSEWHERE = ("NAME", "the first", "its place", "the file's name", "the name", "the instrument's")
"""How a default that depends on the rest of the file begins."""


def table_rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row whose first cell is code."""
    for line in text.splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
            yield [cells[0].strip("`"), *cells[1:]]


# scenario files


def documented_keys() -> dict[str, dict[str, str]]:
    """Default by key by place, a place being a table's path and perhaps a kind."""
    places: dict[str, dict[str, str]] = {}
    table = place = ""
    for line in (ROOT / "docs" / "scenarios.md").read_text().splitlines():
        if heading := re.fullmatch(r"## (?:`\[(.+)\]`|Top level)", line):
            table = place = heading[1] or "top level"
        elif heading := re.fullmatch(r'### `kind = "(\w+)"`', line):
            place = f"{table} {heading[1]}"
        elif line.startswith("## "):
            place = ""
        elif place:
            for key, _, default, _ in table_rows(line):
                places.setdefault(place, {})[key] = default.strip("`")
    return places


TABLES: dict[str, type[msgspec.Struct]] = {
    "top level": ScenarioTables,
    "time": TimeTable,
    "house": HouseTable,
    "calibrated": CalibratedTable,
    "calm.NAME": CalmTable,
    "output": OutputPlan,
    "reference": ReferencePlan,
    "assets.NAME": AssetTable,
    "instruments.NAME": InstrumentTable,
    "instruments.NAME.margin": TiersTable,
    "index.NAME": IndexTable,
    "index.NAME.forced": ForcedSalesPlan,
    "asset_prices.NAME": PathTable,
    "population.NAME": PopulationPlan,
}
"""The struct of each table of a scenario, by its name on the page."""

KINDS: dict[str, tuple[type[msgspec.Struct], tuple[type[msgspec.Struct], ...]]] = {
    "index.NAME.sources.NAME": (SourceTable, get_args(get_args(fields_of(IndexTable)[0].kind)[1])),
    "population.NAME.wealth": (Wealth, (LognormalWealth, ParetoWealth)),
    "agents.NAME": (AgentTable, get_args(AgentSettings)),
}
"""Tables whose keys depend on ``kind``: what all kinds have, and the kinds."""


def is_value(kind: object) -> bool:
    """Whether a key of this type holds a value, not a table with a page of its own."""
    return unit_of(kind) is not None or kind in (str, int, bool, list[str], dict[str, Any])


def values_of(table: type[msgspec.Struct]) -> dict[str, Field]:
    return {field.key: field for field in fields_of(table) if is_value(field.kind)}


def read_keys() -> dict[str, dict[str, Field | None]]:
    """Fields by key by place; ``kind`` has none."""
    places: dict[str, dict[str, Field | None]] = {}
    for place, table in TABLES.items():
        places[place] = {**values_of(table)}
    for place, (common, kinds) in KINDS.items():
        places[place] = {"kind": None, **values_of(common)}
        for kind in kinds:
            own = {k: v for k, v in values_of(kind).items() if k not in places[place]}
            places[f"{place} {kind.__struct_config__.tag}"] = {**own}
    return places


def struct_of(place: str) -> type[msgspec.Struct]:
    if place in TABLES:
        return TABLES[place]
    table, _, tag = place.partition(" ")
    common, kinds = KINDS[table]
    return {"": common, **{str(kind.__struct_config__.tag): kind for kind in kinds}}[tag]


def test_every_key_of_a_scenario_is_documented_and_no_other() -> None:
    read = {place: sorted(keys) for place, keys in read_keys().items()}
    documented = {place: sorted(keys) for place, keys in documented_keys().items()}
    documented["top level"].remove("extends")  # read before the tables are merged
    del documented["latency"]  # below
    assert documented == read


def test_the_documented_defaults_are_the_loaders() -> None:
    documented = documented_keys()
    compared = 0
    for place, keys in read_keys().items():
        defaults = {f.name: f.default for f in msgspec.structs.fields(struct_of(place))}
        for key, field in keys.items():
            text = documented[place][key]
            if field is None or field.required:
                assert text == "required", f"{place}: {key}"
            elif text.startswith(ELSEWHERE) or defaults[field.name] in ("", None, -1, ()):
                continue  # no default of its own, or one that depends on the file
            elif is_value(field.kind) and field.kind not in (list[str], dict[str, Any]):
                try:
                    value = parse_toml(f"value = {text}", WrittenFloat)["value"]
                except TomlError:
                    value = text
                read = ScenarioReader().value(field.kind, value, key)
                assert read == defaults[field.name], f"{place}: {key}"
            compared += 1
    assert compared > 80


def test_it_is_documented_which_settings_grow_with_a_coin() -> None:
    page = (ROOT / "docs" / "scenarios.md").read_text()
    meanings = {key: meaning for key, meaning, *_ in table_rows(page) if "money" in meaning}
    fields = [f for keys in read_keys().values() for f in keys.values() if f is not None]
    money = {f.key for f in fields if isinstance(unit_of(f.kind), OfVolume)}
    assert money <= set(meanings), "called money"
    (row,) = re.findall(
        r"^\| spreads, .*", (ROOT / "docs" / "other_coins.md").read_text(), re.MULTILINE
    )
    wide = {f.key for f in fields if isinstance(unit_of(f.kind), OfVolatility)}
    assert wide == set(re.findall(r"`(\w+)`", row))


def test_every_link_of_the_latency_table_is_documented() -> None:
    names = [name.removesuffix("_ns") for name in Latency.__struct_fields__]
    assert sorted(documented_keys()["latency"]) == sorted(names)


# run directories


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("docs") / "run"
    run_scenario(load_scenario(ROOT / "examples" / "small_crash.toml"), out)
    return load_run(out)


def section(heading: str) -> list[str]:
    """First cells of the tables under a heading of outputs.md."""
    text = (ROOT / "docs" / "outputs.md").read_text()
    (part,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return [row[0] for row in table_rows(part)]


def figure_names(value: object, assets: list[str], path: str = "") -> Iterator[str]:
    """Dotted names of a summary's figures; ASSET stands for a symbol, [] for a list."""
    if isinstance(value, dict):
        for key, inner in value.items():
            name = "ASSET" if key in assets else key
            yield from figure_names(inner, assets, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from figure_names(value[0], assets, f"{path}[]")
    else:
        yield path


def test_every_figure_of_the_summary_is_documented_and_no_other(run: Run) -> None:
    assert sorted(section("`summary.json`")) == sorted(figure_names(run.summary, ["USDT"]))


def test_every_file_of_a_run_is_documented(run: Run) -> None:
    files = [path.name for path in run.path.iterdir()]
    assert sorted(section("The files")) == sorted(
        [*files, "real_trades.parquet", "index_NAME.parquet"]
    )


@pytest.mark.parametrize(
    "name", ["events.parquet", "series.parquet", "margin_ratio.parquet", "accounts.parquet"]
)
def test_every_column_is_documented_and_no_other(name: str, run: Run) -> None:
    columns = pl.read_parquet(run.path / name).columns
    assert section(f"`{name}`") == columns


def test_the_event_columns_are_those_of_the_schema() -> None:
    assert section("`events.parquet`") == SCHEMA.names()


# invariants


def invariant_table() -> str:
    lines = ["| invariant | checked | meaning |", "| --- | --- | --- |"]
    when = {
        invariants.CONSTANT: "after every command",
        invariants.LINEAR: "every N commands, at the end",
    }
    lines += [f"| {each.name} | {when[each.cost]} | {each.meaning} |" for each in invariants.ALL]
    return "\n".join(lines)


def test_the_table_of_invariants_is_the_programs() -> None:
    text = (ROOT / "docs" / "invariants.md").read_text()
    block = re.search(r"<!-- invariants -->\n(.*?)\n<!-- /invariants -->", text, re.S)
    assert block is not None
    assert block[1] == invariant_table()


# pages


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if not target.startswith("https://"):
            assert (page.parent / target.split("#")[0]).exists(), target


def test_the_textbook_book_is_shown_as_it_is() -> None:
    page = (ROOT / "docs" / "order_book.md").read_text()
    shown = page.split("```python\n")[1].split("```")[0]
    assert "def _match(" in shown
    source = (ROOT / "matching" / "textbook_book.py").read_text()
    assert "".join(shown.split()) in "".join(source.split())  # here it is indented


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index


def test_the_toml_in_the_pages_is_toml() -> None:
    blocks = 0
    for page in PAGES:
        for block in re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.M | re.S):
            assert msgspec.toml.decode(block.encode())
            blocks += 1
    assert blocks


# words


def bold_words(page: str) -> list[str]:
    """What a page prints in bold, which is where it explains a word."""
    text = re.sub(r"^```.*?^```", "", (ROOT / "docs" / page).read_text(), flags=re.M | re.S)
    return [word.lower() for word in re.findall(r"\*\*([^*]+)\*\*", text)]


def glossary() -> list[str]:
    rows = (ROOT / "docs" / "glossary.md").read_text().splitlines()
    return [row.split("|")[1].strip() for row in rows if row.startswith("| ")][2:]


def test_the_glossary_goes_by_the_alphabet() -> None:
    assert glossary() == sorted(glossary(), key=str.lower)


def test_the_glossary_has_the_words_that_concepts_explains() -> None:
    words = {part.strip() for name in glossary() for part in name.lower().split(",")}
    explained = [word.removesuffix("s") for word in bold_words("concepts.md")]
    assert len(explained) > 50
    assert [word for word in explained if not {word, f"{word}s"} & words] == []


def test_concepts_begins_with_leverage() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "concepts.md").read_text(), re.M)
    assert headings[:2] == ["Leverage", "Equity and requirements"]
    assert [heading for heading in headings if heading.startswith("Inside")] == headings[-2:]
