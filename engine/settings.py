"""What every file of settings shares: a mistake has a place, a wrong word a nearest right one."""

from collections.abc import Iterable
from difflib import get_close_matches


class SettingFault(ValueError):
    """A setting is wrong at a place: a key path such as ``levels[2].factor``."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place
        self.problem = problem


def unknown(word: str, allowed: Iterable[str]) -> str:
    """What to say of a word that is not allowed: the nearest one that is, and all of them."""
    names = list(allowed)
    near = get_close_matches(word, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"is unknown; {hint}allowed are {', '.join(names)}"
