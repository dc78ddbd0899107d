"""The documentation against the program: scenario keys, run files, invariants, links, examples."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import polars as pl
import pytest

from engine import invariants
from engine.routing.bus import Latency
from seawall import load_run, load_scenario, run_scenario
from seawall.agents import AGENT_KINDS
from seawall.index_path import SOURCE_KINDS
from seawall.population import LOGNORMAL, PARETO
from seawall.records.event_table import SCHEMA
from seawall.runs.run_directory import Run
from seawall.scenario import parse_scenario
from seawall.scenario_fields import Fields, ScenarioError
from seawall.scenario_file import apply_overrides, find_scenario, load_tables

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


PLACES = {
    "": "top level",
    "assets.usd": "assets.NAME",
    "instruments.perp": "instruments.NAME",
    "instruments.perp.margin": "instruments.NAME.margin",
    "index.perp": "index.NAME",
    "asset_prices.coin": "asset_prices.NAME",
    "population.retail": "population.NAME",
}
"""Tables of the scenario read below, by path, and how the page calls them; others as they are."""

KINDS = {
    "index.perp.sources.beta": (
        "index.NAME.sources.NAME",
        ("kind", "id", "silences"),
        {
            "trades_csv": "file='x'",
            "candles_csv": "file='x'",
            "anchored": "anchors=[['0s',1],['1s',1]]",
            "jump_diffusion": "start_price=1",
            "follow": "of='alpha'",
        },
    ),
    "population.retail.wealth": (
        "population.NAME.wealth",
        ("kind", "bounds"),
        {LOGNORMAL: "median=1", PARETO: "alpha=2"},
    ),
    "agents.some": (
        "agents.NAME",
        ("kind", "instrument", "count"),
        {
            "market_maker": "capital=1,size=1",
            "arbitrageur": "capital=1,clip=1",
            "momentum": "capital=1,clip=1",
            "noise": "capital=1,size=1",
            "dip_buyer": "capital=1",
        },
    ),
}
"""Tables whose keys depend on ``kind``: name on the page, common keys, what each kind requires."""


class Reader:
    """Loads scenarios and notes every key the loader asks for, by table, with its default."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.keys: dict[str, dict[str, object]] = {}
        raw, value = Fields.raw, Fields._value

        def note_raw(fields: Fields, key: str) -> object:
            self._note(fields.path, key, "")
            return raw(fields, key)

        def note_value(fields: Fields, key: str, default: object) -> object:
            self._note(fields.path, key, default)
            return value(fields, key, default)

        patch.setattr(Fields, "raw", note_raw)
        patch.setattr(Fields, "_value", note_value)

    def _note(self, path: str, key: str, default: object) -> None:
        known = self.keys.setdefault(path, {})
        if key not in known:
            known[key] = default

    def read(self, *overrides: str) -> dict[str, dict[str, object]]:
        """Keys by table of one scenario: one source, one group and no agents, then overrides."""
        self.keys = {}
        tables = load_tables(find_scenario("flash_crash"))
        perp = {"kind": "anchored", "anchors": [["0s", 1], ["1s", 1]]}
        tables["index"] = {"perp": {"sources": {"alpha": perp}}}
        wealth = {"kind": "lognormal", "median": 1}
        tables["population"] = {"retail": {"accounts": 1, "wealth": wealth}}
        tables["agents"] = {}
        try:
            parse_scenario(apply_overrides(tables, overrides), "test", "test")
        except ScenarioError as error:
            assert "/nowhere" in str(error)  # the last thing a loader looks for is the file
        return {
            path: {key: default for key, default in keys.items() if default != {}}
            for path, keys in self.keys.items()
        }


def read_keys(patch: pytest.MonkeyPatch) -> dict[str, dict[str, object]]:
    """Default by key by place, as `documented_keys` gives them."""
    reader = Reader(patch)
    keys = reader.read("latency.gateway_to_risk=1ms", "reference={label='x',file='x'}")
    prices = "asset_prices.coin.sources.a={kind='anchored',anchors=[['0s',1],['1s',1]]}"
    rule = "rulebook_overrides.collateral=[{margin_asset='USDT',assets=[{asset='C',haircut=0.1}]}]"
    coin = reader.read("assets.coin.symbol='C'", rule, prices)
    keys["asset_prices.coin"] = coin["asset_prices.coin"]
    tiers = "instruments.perp.margin={ccxt_file='/nowhere',ccxt_symbol='X'}"
    keys["instruments.perp.margin"] |= reader.read(tiers)["instruments.perp.margin"]
    places = {
        PLACES.get(path, path): found
        for path, found in keys.items()
        if found and "sources" not in path and "wealth" not in path
    }
    for path, (place, common, kinds) in KINDS.items():
        for kind, more in kinds.items():
            # A table is replaced by setting it to a value first.
            found = reader.read(f"{path}=0", f"{path}={{kind='{kind}',{more}}}")[path]
            places[place] = {key: found[key] for key in common}
            places[f"{place} {kind}"] = {k: v for k, v in found.items() if k not in common}
    return places


def shown(default: object) -> str:
    """A default as TOML."""
    match default:
        case None:
            return "required"
        case bool():
            return str(default).lower()
        case dict():
            return "{ " + ", ".join(f"{key} = {value}" for key, value in default.items()) + " }"
        case str():
            return f'"{default}"'
        case list():
            return "[" + ", ".join(shown(item) for item in default) + "]"
        case _:
            return str(default)


def test_every_kind_there_is_is_read() -> None:
    sources, wealth, agents = ([*kinds] for _, _, kinds in KINDS.values())
    assert sorted(sources) == sorted(SOURCE_KINDS)
    assert wealth == [LOGNORMAL, PARETO]
    assert agents == list(AGENT_KINDS)


def test_every_key_of_a_scenario_is_documented_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = {place: sorted(keys) for place, keys in read_keys(monkeypatch).items()}
    documented = {place: sorted(keys) for place, keys in documented_keys().items()}
    documented["top level"].remove("extends")  # read before the tables are merged
    assert documented == read


def test_the_documented_defaults_are_the_loaders(monkeypatch: pytest.MonkeyPatch) -> None:
    documented = documented_keys()
    compared = 0
    for place, keys in read_keys(monkeypatch).items():
        for key, default in keys.items():
            text = documented[place][key]
            if default == "" or text.startswith(ELSEWHERE):
                continue  # no default of its own, or one that depends on the file
            expected = shown(default)
            assert text in (expected, expected.strip('"')), f"{place}: {key}"
            compared += 1
    assert compared > 80


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
    assert sorted(section("The files")) == sorted([*files, "real_trades.parquet"])


@pytest.mark.parametrize("name", ["events.parquet", "series.parquet", "margin_ratio.parquet"])
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
