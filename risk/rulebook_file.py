"""The door for rulebooks: TOML with decimals in, checked integers out.

The keys follow `risk.rulebook`: a field ``x_ppb`` is the key ``x`` (a decimal fraction), a field
``x_ns`` the key ``x_s`` (seconds), every other field a key of its own name. Decimals stand in
quotes, because a TOML float is not exact. ``risk/rulebooks/README.md`` lists them all.
"""

from decimal import Decimal
from pathlib import Path
from typing import Any, Final, get_args, get_origin

import msgspec

from engine.instruments import AssetSpec, MarginSpec
from engine.settings import (
    SettingFault,
    check_type,
    choice,
    inner_place,
    refuse_unknown,
    table_at,
    told,
    unknown,
)
from engine.toml_text import TomlError, parse_toml
from engine.units import parse_decimal, to_ns, to_ppb
from risk.choices import CHOICES
from risk.liquidation.policy import CLOSE_POLICIES
from risk.margin.family import MARGIN_FAMILIES
from risk.margin.tier_rows import TierRow
from risk.registry import AMOUNT, COUNT, SIZE, Figure
from risk.rulebook import LEVEL_CALL, Rulebook
from risk.rules.citations import Citations, take_citations
from risk.rules.margin_table import TIER_FIGURES, MarginTable, check_margin_table
from risk.rules.rulebook_check import check_rulebook

SHIPPED: Final[Path] = Path(__file__).parent / "rulebooks"
NO_DEADLINE: Final[str] = "none"
ALSO: Final[str] = "also"
"""Other symbols with the same margin table."""

AT: Final[str] = "@"
"""Between a symbol and the date of its margin table."""

MAX_FILE_BYTES: Final[int] = 1_000_000
MAX_NUMBER: Final[int] = 10**18
MAX_DECIMALS: Final[int] = 18
"""What lies beyond is refused before any arithmetic: rates are cut at nine decimals with 28 digits
to do it in, and an asset rarely has more decimals than 18."""


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
        """The margin table of a symbol (or the default one) in quanta of ``asset``.

        ``lot`` is the instrument's lot as a decimal; only models that count lots need it.

        Raises:
            RulebookError: the table does not fit the asset or the lot, or there is none of the
                date asked for.
        """
        table = self.margin
        place = "margin"
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
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        path = Path(name_or_path)
    else:
        names = list_rulebooks()
        if name_or_path not in names:
            raise RulebookError(f"rulebook {name_or_path!r} {unknown(name_or_path, names)}")
        path = SHIPPED / f"{name_or_path}.toml"
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise RulebookError(f"{path.name}: is larger than {MAX_FILE_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RulebookError(f"{path.name}: is not UTF-8 text; a rulebook is a TOML file") from None
    except OSError as error:
        raise RulebookError(f"{path}: cannot be read: {error.strerror}") from None
    return parse_rulebook(text, path.name)


def parse_rulebook(text: str, file: str) -> RulebookFile:
    """A rulebook from TOML text; ``file`` is the name errors give.

    Raises:
        RulebookError: it is not TOML, or breaks a rule; nothing was half read.
    """
    try:
        data = parse_toml(text)
    except TomlError as error:
        raise RulebookError(f"{file}: is not TOML: {error}") from None
    if not data:
        raise RulebookError(f"{file}: is empty; a rulebook needs name, title, sources, levels, ...")
    try:
        return _read_file(data, file)
    except SettingFault as fault:
        raise RulebookError(told(file, text, fault.place, fault.problem)) from None


def _read_file(cited: dict[str, Any], file: str) -> RulebookFile:
    data, citations = take_citations(cited)
    rules = {key: value for key, value in data.items() if key != "margin"}
    rulebook = _read_struct(Rulebook, rules, "", also_allowed=["margin"])
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


# Structs, field by field


def toml_key(field: str) -> str:
    """The key that stands for a field of a rule: without its unit, or with seconds for it."""
    if field.endswith("_ppb"):
        return field.removesuffix("_ppb")
    if field.endswith("_ns"):
        return f"{field.removesuffix('_ns')}_s"
    return field


def _read_struct(
    kind: type[Any], table: dict[str, Any], place: str, also_allowed: list[str] | None = None
) -> Any:
    """One table of the file as the struct ``kind``; every key must belong to a field, or be a
    figure of a mechanism the table chooses."""
    fields = [field for field in msgspec.structs.fields(kind) if field.name != "params"]
    keys = [toml_key(field.name) for field in fields]
    figures = _chosen_figures(kind, table, place)
    own = [figure.key for figure in figures]
    refuse_unknown(table, keys + own + (also_allowed or []), place)
    values: dict[str, Any] = {}
    if figures:
        values["params"] = _read_params(figures, table, place)
    for field, key in zip(fields, keys, strict=True):
        inner = inner_place(place, key)
        if key in table:
            optional = field.default == -1
            values[field.name] = _read_value(field.name, field.type, table[key], inner, optional)
        elif field.required:
            raise SettingFault(inner, "is missing; it must be given")
    return kind(**values)


def _chosen_figures(kind: type[Any], table: dict[str, Any], place: str) -> list[Figure]:
    """The figures of the mechanisms a table names, or leaves at their default."""
    usual = {field.name: field.default for field in msgspec.structs.fields(kind)}
    figures: list[Figure] = []
    for key, registry in CHOICES.get(place, {}).items():
        name = table.get(key, usual[key])
        if isinstance(name, str):
            figures += registry.get(name).figures
    return figures


def _read_params(figures: list[Figure], table: dict[str, Any], place: str) -> list[tuple[str, int]]:
    params: list[tuple[str, int]] = []
    for figure in figures:
        inner = f"{place}.{figure.key}"
        if figure.key in table:
            value = _figure(figure, table[figure.key], inner)
            params.append((figure.field, figure.inside(value)))
        elif not figure.default:
            raise SettingFault(inner, "is missing; it must be given")
    return sorted(params)


def _read_value(field: str, kind: Any, value: Any, place: str, optional: bool) -> Any:
    """One value in inside units. ``optional``: the word none is allowed and means -1."""
    if field.endswith(("_ppb", "_ns")):
        if optional and value == NO_DEADLINE:
            return -1
        return _read_number(field, value, place, optional)
    if field == "weights":
        return _read_weights(value, place)
    if get_origin(kind) is list:
        inner = get_args(kind)[0]
        if not isinstance(value, list):
            raise SettingFault(place, f"{value!r} must be a list")
        return [
            _read_value("", inner, entry, f"{place}[{number}]", False)
            for number, entry in enumerate(value, 1)
        ]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _read_struct(kind, table_at(value, place), place)
    check_type(value, kind, place)
    return value


def _read_number(field: str, value: Any, place: str, optional: bool) -> int:
    number = _decimal(value, place)
    if number != round(number, 9):
        raise SettingFault(place, f"{value!r} is too fine; at most nine decimals")
    inside = to_ns(str(number), place) if field.endswith("_ns") else to_ppb(str(number), place)
    if optional and inside < 0:
        raise SettingFault(place, f"{value!r} is negative; give seconds or {NO_DEADLINE!r}")
    return inside


def _read_weights(value: Any, place: str) -> list[tuple[int, int]]:
    weights: list[tuple[int, int]] = []
    for source, weight in table_at(value, place).items():
        if not source.isdecimal():
            raise SettingFault(place, f"source {source!r} must be a whole number in quotes")
        if type(weight) is not int:
            raise SettingFault(
                place, f"weight {weight!r} of source {source} must be a whole number"
            )
        weights.append((int(source), weight))
    return sorted(weights)


def _decimal(value: Any, place: str) -> Decimal:
    if isinstance(value, float):
        raise SettingFault(
            place, f'{value!r} is a float and not exact; write it in quotes: "{value}"'
        )
    try:
        number = parse_decimal(value, place)
    except ValueError as error:
        problem = str(error).removeprefix(f"{place}: ")
        raise SettingFault(
            place, f"{problem}; write a decimal in quotes or a whole number"
        ) from None
    if abs(number) > MAX_NUMBER:
        raise SettingFault(place, f"{value!r} is too large; at most {MAX_NUMBER}")
    if int(number.as_tuple().exponent) < -MAX_DECIMALS:
        raise SettingFault(place, f"{value!r} is too fine; at most {MAX_DECIMALS} decimals")
    return number


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
    figures: tuple[Figure, ...], table: dict[str, Any], place: str
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
    number = _decimal(value, place)
    # Rates become parts per billion; notionals and sizes are left to the asset's own grid.
    if figure.unit not in (AMOUNT, SIZE) and number != round(number, 9):
        raise SettingFault(place, f"{value!r} is too fine; at most nine decimals")
    return number
