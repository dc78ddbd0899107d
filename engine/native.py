"""Hints to the compiler about the layout of a class; plain Python ignores them.

Plain Python does without the package `mypyc_attr` comes from. This module is never compiled itself.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr as mypyc_attr
else:

    def mypyc_attr(**_):
        """A decorator that changes nothing. ``free_list_len=1`` makes compiled code keep the last
        freed object for the next one; ``acyclic=True`` leaves a class whose objects can never
        refer back to themselves out of the search for cyclic garbage."""
        return lambda kind: kind
