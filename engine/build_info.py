"""Whether the engine runs compiled or as plain Python."""

from typing import Final

from engine import contract

COMPILED: Final[bool] = not str(contract.__file__).endswith(".py")
"""All kernels are compiled or none is; `engine.contract` stands for them."""


def build_kind() -> str:
    """``compiled`` or ``interpreted``."""
    return "compiled" if COMPILED else "interpreted"
