"""Which tables of a scenario are laid over another in a way of their own."""

from collections.abc import Mapping, Sequence
from typing import Final

from engine.setting_layers import Layers, Place, Table
from risk.rules.rulebook_layers import RULE_LAYERS

RULES: Final[str] = "rulebook_overrides"
"""Where a scenario keeps what it lays over its rulebook."""

_SOURCES: Final[tuple[Place, ...]] = (
    ("index", "*", "sources", "*"),
    ("asset_prices", "*", "sources", "*"),
)
_RULES: Final[Layers] = RULE_LAYERS.below((RULES,))

_SCENARIO: Final[Layers] = Layers(
    whole=(
        ("population", "*", "instruments"),
        ("population", "*", "leverage"),
        ("population", "*", "on_call"),
        *((*source, "columns") for source in _SOURCES),
        *_RULES.whole,
    ),
    shaped=(
        *((source, "kind", ()) for source in _SOURCES),
        (("population", "*", "wealth"), "kind", ()),
        (("agents", "*"), "kind", ()),
        *_RULES.shaped,
    ),
    named=(
        ("assets", "*"),
        ("instruments", "*"),
        ("index", "*"),
        ("asset_prices", "*"),
        *_SOURCES,
        ("calm", "*"),
        ("population", "*"),
        ("agents", "*"),
    ),
    listed=_RULES.listed,
    kept=(RULES,),
)
"""With a weight of the table below left in, the shares would be others; the columns of a file go
together."""


def merge(base: Mapping[str, object], over: Mapping[str, object]) -> Table:
    """A scenario's tables with others laid on top.

    Raises:
        MergeError: they do not fit.
    """
    return _SCENARIO.merge(base, over)


def merge_key(base: Table, keys: Sequence[str], value: object) -> Table:
    """A scenario's tables with one value laid at a dotted key.

    Raises:
        MergeError: it does not fit.
    """
    return _SCENARIO.merge_key(base, keys, value)


def gives_shape(keys: Sequence[str]) -> bool:
    """Whether this key of its table says what the others are: it has to be laid before them."""
    return _SCENARIO.gives_shape(keys)
