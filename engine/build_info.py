"""Whether the engine runs compiled or as plain Python."""

from engine.units import COMPILED


def build_kind() -> str:
    """``compiled`` or ``interpreted``."""
    return "compiled" if COMPILED else "interpreted"
