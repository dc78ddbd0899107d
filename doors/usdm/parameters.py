"""The parameters of a request as text, read one by one with the venue's errors.

They come in the query, in a form in the body, in both, or as JSON over WebSocket; what is not asked
for is passed over, as at the venue.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from doors.exchange.contracts import Contract, OffGrid
from doors.usdm.errors import NO_TICK, TOO_PRECISE, VenueError, illegal, invalid, missing

MOST_PARAMETERS: Final[int] = 100
MALFORMED: Final[tuple[int, str]] = (-1101, "Too many or malformed parameters sent.")
TWICE_SENT: Final[tuple[int, str]] = (-1101, "Duplicate values for a parameter detected.")
MAX_WHOLE: Final[int] = 2**63 - 1


class Parameters:
    """Text by name."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    @classmethod
    def of_forms(cls, query: bytes, body: bytes) -> "Parameters":
        """Of a query and a body as they were sent. Of what stands in both the query counts, as at
        the venue.

        Raises:
            VenueError: they are no forms, have too many parameters, or one of them twice.
        """
        return cls(_values_of(body) | _values_of(query))

    def has(self, name: str) -> bool:
        """Whether it was sent with a value."""
        return bool(self._values.get(name))

    def text(self, name: str, otherwise: str = "") -> str:
        """A value, or what stands for it where it was not sent."""
        return self._values.get(name) or otherwise

    def required(self, name: str) -> str:
        """A value that must be there.

        Raises:
            VenueError: it is not.
        """
        value = self._values.get(name)
        if not value:
            raise missing(name)
        return value

    def one_of(self, name: str, allowed: Sequence[str], otherwise: str, code: int = 0) -> str:
        """A word, in upper case.

        Raises:
            VenueError: it is another one.
        """
        word = self.text(name, otherwise).upper()
        if word not in allowed:
            raise VenueError(code, f"Invalid {name}.") if code else invalid(name)
        return word

    def whole(self, name: str, otherwise: int, least: int = 0, most: int = MAX_WHOLE) -> int:
        """A whole number.

        Raises:
            VenueError: it is none, or out of range.
        """
        text = self._values.get(name)
        if not text:
            return otherwise
        digits = text.removeprefix("-")
        if not digits.isascii() or not digits.isdigit() or len(digits) > 19:
            raise illegal(name)
        number = int(text)
        if not least <= number <= most:
            raise invalid(name)
        return number

    def yes(self, name: str, otherwise: bool = False) -> bool:
        """True or false, in any case.

        Raises:
            VenueError: it is neither.
        """
        text = self.text(name).lower()
        if not text:
            return otherwise
        if text not in ("true", "false"):
            raise invalid(name)
        return text == "true"

    def price_ticks(self, name: str, contract: Contract) -> int:
        """A price that must be there.

        Raises:
            VenueError: it is not, or is no price of the contract.
        """
        ticks = self._steps(name, contract.ticks_of, NO_TICK)
        if ticks <= 0:
            raise VenueError(-4001, "Price less than or equal to zero.")
        return ticks

    def lots(self, name: str, contract: Contract) -> int:
        """A size that must be there.

        Raises:
            VenueError: it is not, or is no size of the contract.
        """
        lots = self._steps(name, contract.lots_of, TOO_PRECISE)
        if lots <= 0:
            raise VenueError(-4003, "Quantity less than or equal to zero.")
        return lots

    def amount_q(self, name: str, contract: Contract) -> int:
        """An amount of the settlement asset that must be there.

        Raises:
            VenueError: it is not, or is no amount of the asset.
        """
        return self._steps(name, contract.quanta_of, TOO_PRECISE)

    def _steps(self, name: str, steps_of: Callable[[str], int], off_grid: tuple[int, str]) -> int:
        """How many steps a decimal is that must be there; between two it is ``off_grid``."""
        text = self.required(name)
        try:
            steps = steps_of(text)
        except OffGrid:
            raise VenueError(*off_grid) from None
        except ValueError:
            raise illegal(name) from None
        if abs(steps) > MAX_WHOLE:
            raise invalid(name)
        return steps


def _values_of(form: bytes) -> dict[str, str]:
    values: dict[str, str] = {}
    pairs = form.split(b"&") if form else []
    if len(pairs) > MOST_PARAMETERS:
        raise VenueError(*MALFORMED)
    try:
        for pair in filter(None, pairs):
            name, _, value = pair.partition(b"=")
            decoded = _decoded(name)
            if decoded in values:
                # Which of two sizes was meant is not for the door to say.
                raise VenueError(*TWICE_SENT)
            values[decoded] = _decoded(value)
    except UnicodeDecodeError:
        raise VenueError(*MALFORMED) from None
    return values


def _decoded(part: bytes) -> str:
    """A name or value of a form as text.

    Raises:
        UnicodeDecodeError: it is none.
    """
    if b"%" in part or b"+" in part:
        return unquote_to_bytes(part.replace(b"+", b" ")).decode()
    return part.decode("ascii")
