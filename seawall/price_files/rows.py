"""Rows of a price file before anything is known of them: texts, with the place of each row."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from seawall.scenario_fields import ScenarioError

MAX_ROWS: Final[int] = 50_000_000
"""What one file may hold: more than a month of the busiest contract's trades."""

MAX_BYTES: Final[int] = 1_000_000_000
"""Unpacked, of a file that has to be read whole."""


class Rows(msgspec.Struct):
    """The rows of a file. ``names`` is the header, empty where there is none; ``word`` is what a
    row is called in messages. A column in ``units`` has times of that unit."""

    where: str
    form: str
    word: str
    names: list[str]
    body: Iterable[tuple[int, Sequence[str]]]
    units: Mapping[str, str] = {}

    def error(self, number: int, problem: str) -> ScenarioError:
        """What is wrong in a row."""
        return ScenarioError(f"{self.where}: {self.word} {number}: {problem}")

    def counted(self) -> Iterator[tuple[int, Sequence[str]]]:
        """The rows, of a number that a run can hold."""
        for count, row in enumerate(self.body):
            if count == MAX_ROWS:
                raise too_long(self.where, MAX_ROWS, "rows")
            yield row


def too_long(where: str, most: int, what: str) -> ScenarioError:
    """That a file holds more than is read."""
    return ScenarioError(f"{where}: more than {most:,} {what}; cut the file first")


def is_number(text: str) -> bool:
    """Whether a cell holds a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
