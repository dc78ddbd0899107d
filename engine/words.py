"""Rows of machine words: `vec` of mypyc's runtime library where compiled, plain lists elsewhere.

Compiled, a word is read or written with one comparison, where a list's items are objects. Both grow
at the end only, and ``append`` and ``extend`` return the row to use from then on:
``row = append(row, word)``. This module is never compiled itself.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from librt.vecs import append as append
    from librt.vecs import extend as extend
    from librt.vecs import vec as vec
    from mypy_extensions import i64 as i64
else:
    i64 = int
    vec = list

    def append(row, word):
        """Put a word behind the others; returns the row."""
        row.append(word)
        return row

    def extend(row, others):
        """Put other words behind; returns the row."""
        row.extend(others)
        return row
