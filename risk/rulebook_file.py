"""The door for rulebooks: TOML with decimals in, checked integers out.

The keys follow the units in `risk.rulebook`: a field ``x_ppb`` is the key ``x`` (a decimal
fraction), a field ``x_ns`` the key ``x_s`` (seconds), every other field a key of its own name.
Decimals stand in quotes, because a TOML float is not exact. ``risk/rulebooks/README.md`` lists them
all.
"""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.instruments import AssetSpec, MarginSpec
from engine.setting_layers import MergeError
from engine.setting_units import exact_decimal, nine_decimals
from engine.settings import (
    Reader,
    SettingFault,
    choice,
    refuse_unknown,
    table_at,
    told,
    unknown,
)
from engine.toml_text import BYTE_ORDER_MARK, TomlError, parse_toml
from risk.choices import CHOICES
from risk.liquidation.policy import CLOSE_POLICIES
from risk.margin.family import MARGIN_FAMILIES
from risk.margin.tier_rows import TierRow
from risk.registry import AMOUNT, COUNT, SIZE, Figure
from risk.rulebook import LEVEL_CALL, Rulebook
from risk.rules.citations import Citations, take_citations
from risk.rules.margin_table import TIER_FIGURES, MarginTable, check_margin_table
from risk.rules.rulebook_check import check_rulebook
from risk.rules.rulebook_layers import lay_rules

SHIPPED: Final[Path] = Path(__file__).parent / "rulebooks"
ALSO: Final[str] = "also"
"""Other symbols with the same margin table."""

EXTENDS: Final[str] = "extends"
"""The rulebook that a file changes: a shipped one by name, or a file beside it."""

MAX_EXTENDS: Final[int] = 8

AT: Final[str] = "@"
"""Between a symbol and the date of its margin table."""

MAX_FILE_BYTES: Final[int] = 1_000_000


class RulebookError(ValueError):
    """A rulebook that cannot be used: file, place, line where known, value and what is allowed."""


class RulebookFile(msgspec.Struct, frozen=True):
    """A rulebook and its margin tables, still in decimals: quanta need an asset.

    A table of another date has it in its name: ``BTCUSDT@2024-10``.
    """

    file: str
    rulebook: Rulebook
    margin: MarginTable
    symbol_margins: dict[str, MarginTable] = {}
    citations: Citations = Citations()

    def margin_spec(
        self, asset: AssetSpec, symbol: str | None = None, lot: str | None = None
    ) -> MarginSpec:
        """The margin table of a symbol in quanta of ``asset``: its own, or the one of all symbols
        that have none. Without a symbol it is the table of the first one the rulebook names (not of
        another date), the venue's main contract.

        ``lot`` is the instrument's lot as a decimal; only models that count lots need it.

        Raises:
            RulebookError: the table does not fit the asset or the lot, or there is none of the
                date asked for.
        """
        table = self.margin
        place = "margin"
        if symbol is None:
            symbol = next((name for name in self.symbol_margins if AT not in name), None)
        if symbol is not None and symbol in self.symbol_margins:
            table = self.symbol_margins[symbol]
            place = f"margin.symbols.{symbol}"
        elif symbol is not None and AT in symbol:
            raise RulebookError(f"{self.file}: margin.symbols: {symbol!r} {self._dates_of(symbol)}")
        try:
            return table.spec(asset, lot)
        except ValueError as error:
            raise RulebookError(f"{self.file}: {place}: {error}") from None

    def _dates_of(self, symbol: str) -> str:
        """What there is for a symbol of which a date was asked for that there is not."""
        plain = symbol.partition(AT)[0]
        known = [name for name in self.symbol_margins if name.partition(AT)[0] == plain]
        return f"is unknown; tables of {plain}: {', '.join(known) or 'none'}"


def list_rulebooks() -> list[str]:
    """Names of the rulebooks that ship with Seawall, sorted."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load_rulebook(name_or_path: str) -> RulebookFile:
    """A shipped rulebook by name, or any file by its path (with a slash or ending in ``.toml``).

    Raises:
        RulebookError: no such rulebook, or it breaks a rule.
    """
    path = _path_of(name_or_path)
    return parse_rulebook(_text_of(path), path.name, path.parent)


def _path_of(name_or_path: str, home: Path | None = None) -> Path:
    """The file of a rulebook that is asked for by name, or by its path from ``home``."""
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        return (home or Path()) / name_or_path
    names = list_rulebooks()
    if name_or_path not in names:
        raise RulebookError(f"rulebook {name_or_path!r} {unknown(name_or_path, names)}")
    return SHIPPED / f"{name_or_path}.toml"


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise RulebookError(f"{path.name}: is larger than {MAX_FILE_BYTES} bytes")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RulebookError(f"{path.name}: is not UTF-8 text; a rulebook is a TOML file") from None
    except OSError as error:
        raise RulebookError(f"{path}: cannot be read: {error.strerror}") from None


def parse_rulebook(text: str, file: str, home: Path | None = None) -> RulebookFile:
    """A rulebook from TOML text; ``file`` is the name errors give, ``home`` the folder in which
    what it extends is looked for, unless it is a shipped one.

    Raises:
        RulebookError: it is not TOML, or breaks a rule; nothing was half read.
    """
    data = _extended(_tables(text, file), file, home, 0)
    try:
        return _read_file(data, file)
    except SettingFault as fault:
        raise RulebookError(told(file, text, fault.place, fault.problem)) from None


def rulebook_tables(name_or_path: str) -> dict[str, Any]:
    """The tables of a rulebook's file, with everything that it extends.

    Raises:
        RulebookError: no such rulebook, it is not TOML, or what it extends does not fit.
    """
    path = _path_of(name_or_path)
    return _extended(_tables(_text_of(path), path.name), path.name, path.parent, 0)


def rulebook_text(name_or_path: str) -> str:
    """The text of a rulebook's file; empty where it extends another, so that it is not all.

    Raises:
        RulebookError: no such rulebook, or it is not TOML.
    """
    path = _path_of(name_or_path)
    text = _text_of(path).removeprefix(BYTE_ORDER_MARK)
    return "" if EXTENDS in _tables(text, path.name) else text


def _tables(text: str, file: str) -> dict[str, Any]:
    try:
        data = parse_toml(text)
    except TomlError as error:
        raise RulebookError(f"{file}: is not TOML: {error}") from None
    if not data:
        raise RulebookError(f"{file}: is empty; a rulebook needs name, title, sources, levels, ...")
    return data


def _extended(data: dict[str, Any], file: str, home: Path | None, depth: int) -> dict[str, Any]:
    """Tables laid over those of the rulebook they extend. Without a name and a title of its own a
    file is called like itself."""
    if EXTENDS not in data:
        return data
    parent = data[EXTENDS]
    if not isinstance(parent, str):
        raise RulebookError(f"{file}: {EXTENDS}: {parent!r} must be the name or path of a rulebook")
    if depth == MAX_EXTENDS:
        raise RulebookError(
            f"{file}: {EXTENDS}: more than {MAX_EXTENDS} files deep; is it circular?"
        )
    try:
        path = _path_of(parent, home)
        base = _extended(_tables(_text_of(path), path.name), path.name, path.parent, depth + 1)
    except RulebookError as error:
        raise RulebookError(f"{file}: {EXTENDS}: {error}") from None
    own = {key: value for key, value in data.items() if key != EXTENDS}
    named = {"name": Path(file).stem, "title": f"{base.get('title')}, changed"}
    try:
        return lay_rules(base, named | own, f"set by {file}")
    except MergeError as error:
        raise RulebookError(f"{file}: {error}") from None
    except SettingFault as fault:
        raise RulebookError(f"{file}: {fault.place}: {fault.problem}") from None


def _read_file(cited: dict[str, Any], file: str) -> RulebookFile:
    data, citations = take_citations(cited)
    rules = {key: value for key, value in data.items() if key != "margin"}
    rulebook = _RulebookReader().struct(Rulebook, rules)
    check_rulebook(rulebook)
    if "call" in data and all(level.kind != LEVEL_CALL for level in rulebook.levels):
        raise SettingFault("call", f"has no effect; no level is of kind {LEVEL_CALL!r}")
    if "margin" not in data:
        raise SettingFault("margin", "is missing; give the margin model and its figures")
    default, symbols = _read_margins(table_at(data["margin"], "margin"))
    policy = CLOSE_POLICIES.get(rulebook.liquidation.partial)
    for place, table in [("margin", default), *symbols.items()]:
        if policy.needs_tiers and not MARGIN_FAMILIES.get(table.model).tiered:
            raise SettingFault(
                "liquidation.partial",
                f"{policy.name!r} needs a margin model with tiers; {place} is {table.model!r}",
            )
    return RulebookFile(file, rulebook, default, symbols, citations)


class _RulebookReader(Reader):
    """Tables that choose a mechanism also take its figures."""

    def keys_beside(
        self, kind: type[msgspec.Struct], table: dict[str, Any], place: str
    ) -> list[str]:
        """The keys of the figures; margin tables are read apart."""
        if not place:
            return ["margin"]
        return [figure.key for figure in _chosen_figures(kind, table, place)]

    def fields_beside(
        self, kind: type[msgspec.Struct], table: dict[str, Any], place: str
    ) -> dict[str, Any]:
        """The figures as parameters."""
        figures = _chosen_figures(kind, table, place)
        if not figures:
            return {}
        found = _read_figures(figures, table, place)
        given = [figure for figure in figures if figure.key in found]
        params = sorted((figure.field, figure.inside(found[figure.key])) for figure in given)
        return {"params": params}


def _chosen_figures(kind: type[msgspec.Struct], table: dict[str, Any], place: str) -> list[Figure]:
    """The figures of the mechanisms a table names, or leaves at their default."""
    usual = {field.name: field.default for field in msgspec.structs.fields(kind)}
    figures: list[Figure] = []
    for key, registry in CHOICES.get(place, {}).items():
        name = table.get(key, usual[key])
        if isinstance(name, str):
            figures += registry.get(name).figures
    return figures


# Margin tables


def _read_margins(table: dict[str, Any]) -> tuple[MarginTable, dict[str, MarginTable]]:
    default = _read_margin(
        {key: value for key, value in table.items() if key != "symbols"}, "margin", ["symbols"]
    )
    symbols: dict[str, MarginTable] = {}
    for symbol, entry in table_at(table.get("symbols", {}), "margin.symbols").items():
        place = f"margin.symbols.{symbol}"
        margin = _read_margin(table_at(entry, place), place, [ALSO])
        for name in [symbol, *_read_names(entry.get(ALSO, []), f"{place}.{ALSO}")]:
            if name in symbols:
                raise SettingFault(f"{place}.{ALSO}", f"{name!r} has another table already")
            symbols[name] = margin
    return default, symbols


def _read_names(value: Any, place: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise SettingFault(place, f"{value!r} must be a list of symbols")
    return value


def _read_margin(table: dict[str, Any], place: str, also_allowed: list[str]) -> MarginTable:
    model = table.get("model")
    if model is None:
        allowed = ", ".join(MARGIN_FAMILIES.names())
        raise SettingFault(f"{place}.model", f"is missing; allowed are {allowed}")
    if not isinstance(model, str):
        raise SettingFault(f"{place}.model", f"{model!r} must be a string")
    choice(f"{place}.model", model, MARGIN_FAMILIES.names())
    family = MARGIN_FAMILIES.get(model)
    keys = [figure.key for figure in family.figures] + (["tiers"] if family.tiered else [])
    refuse_unknown(table, ["model", *keys, *also_allowed], place)
    for key in keys:
        if key not in table:
            raise SettingFault(f"{place}.{key}", f"is missing; model {model!r} needs it")
    result = MarginTable(
        model=model,
        tiers=_read_tiers(table["tiers"], f"{place}.tiers") if family.tiered else [],
        figures=_read_figures(family.figures, table, place),
    )
    try:
        check_margin_table(result)
    except SettingFault as fault:
        raise SettingFault(f"{place}.{fault.place}", fault.problem) from None
    return result


def _read_figures(
    figures: Sequence[Figure], table: dict[str, Any], place: str
) -> dict[str, Decimal]:
    """The figures the table gives; one without default must be there."""
    found: dict[str, Decimal] = {}
    for figure in figures:
        inner = f"{place}.{figure.key}"
        if figure.key in table:
            found[figure.key] = _figure(figure, table[figure.key], inner)
        elif not figure.default:
            raise SettingFault(inner, "is missing; it must be given")
    return found


def _read_tiers(value: Any, place: str) -> list[TierRow]:
    if not isinstance(value, list):
        raise SettingFault(place, f"{value!r} must be a list of tiers")
    rows: list[TierRow] = []
    for number, entry in enumerate(value, 1):
        inner = f"{place}[{number}]"
        row = table_at(entry, inner)
        refuse_unknown(row, [figure.key for figure in TIER_FIGURES], inner)
        figures = _read_figures(TIER_FIGURES, row, inner)
        rows.append(
            TierRow(
                up_to=figures.get("up_to"),
                maintenance=figures["maintenance"],
                max_leverage=int(figures["max_leverage"]),
                deduction=figures.get("deduction"),
            )
        )
    return rows


def _figure(figure: Figure, value: Any, place: str) -> Decimal:
    if figure.unit == COUNT and type(value) is not int:
        raise SettingFault(place, f"{value!r} must be a whole number")
    # Rates become parts per billion; notionals and sizes are left to the asset's own grid.
    own_grid = figure.unit in (AMOUNT, SIZE)
    return exact_decimal(value, place) if own_grid else nine_decimals(value, place)
