"""One set of rules laid over another: a file that extends a rulebook, a scenario's overrides.

Levels are laid over by name (``[levels."margin call"]``), and stand in the order of their factors
again. ``call = "none"`` is a world without margin calls: the level goes with its table. A table
``call`` that nobody needs any more goes too, unless it was given just now.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from engine.setting_layers import REMOVED, Layers, MergeError, Table, without_marks
from risk.rulebook import LEVEL_CALL
from risk.rules.citations import FROM, cite_layer

CALL: Final[str] = "call"
LEVELS: Final[str] = "levels"

RULE_LAYERS: Final[Layers] = Layers(
    whole=(("index", "weights"), ("mark", "weights")),
    shaped=((("margin",), "model", ("symbols",)), (("margin", "symbols", "*"), "model", ())),
    listed=(((LEVELS,), "name"),),
)


def lay_rules(base: Mapping[str, Any], over: Mapping[str, Any], by: str) -> Table:
    """The tables of a rulebook with others laid on top; what they change is cited as ``assumed``,
    ``by`` whom, unless they cite a source themselves.

    Raises:
        MergeError: they remove what is not there.
    """
    if over.get(CALL) == REMOVED and not _calls(base) and CALL not in base:
        raise MergeError(f"{CALL}: nothing of that name to remove; no level is of kind 'call'")
    plain = without_citations(over)
    merged: Table = without_marks(RULE_LAYERS.merge(base, plain))
    if over.get(CALL) == REMOVED:
        merged[LEVELS] = [level for level in _levels(merged) if level.get("kind") != LEVEL_CALL]
        merged.pop(CALL, None)
    elif CALL not in over and not _calls(merged):
        merged.pop(CALL, None)
    if isinstance(over.get(LEVELS), dict):
        merged[LEVELS] = sorted(_levels(merged), key=_factor, reverse=True)
    cite_layer(merged, over, by)
    return merged


def without_citations(table: Mapping[str, Any]) -> Table:
    """A table without the citations in it."""
    return {
        key: without_citations(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if key != FROM
    }


def _levels(rules: Mapping[str, Any]) -> list[dict[str, Any]]:
    levels = rules.get(LEVELS, [])
    if not isinstance(levels, list):
        return []
    return [level for level in levels if isinstance(level, dict)]


def _calls(rules: Mapping[str, Any]) -> bool:
    return any(level.get("kind") == LEVEL_CALL for level in _levels(rules))


def _factor(level: Mapping[str, Any]) -> Decimal:
    """What is no factor comes last; it is refused when the levels are read."""
    try:
        return Decimal(str(level.get("factor")))
    except InvalidOperation:
        return Decimal("-Infinity")
