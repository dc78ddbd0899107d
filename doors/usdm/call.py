"""One request to an endpoint, however it came: over HTTP or the API over WebSocket."""

from dataclasses import dataclass
from typing import Final

from doors.exchange.contracts import Contract
from doors.keys.key_file import ApiKey
from doors.usdm.door import Door
from doors.usdm.parameters import Parameters

NS_PER_MS: Final[int] = 1_000_000


@dataclass(slots=True)
class Call:
    """The door, the parameters, and who asks: ``key`` is None on public endpoints. ``order_use`` is
    what the account used of its limits, where the endpoint counts orders."""

    door: Door
    parameters: Parameters
    key: ApiKey | None = None
    order_use: tuple[int, int] | None = None

    @property
    def account_id(self) -> int:
        """The account of the key; only signed endpoints ask."""
        assert self.key is not None, "the route needs a key"
        return self.key.account

    def contract(self) -> Contract:
        """The contract of the parameter ``symbol``.

        Raises:
            VenueError: it was not sent, or there is none.
        """
        return self.door.contract(self.parameters.required("symbol"))

    def contracts(self) -> list[Contract]:
        """The contract of ``symbol``, or all where it was not sent.

        Raises:
            VenueError: there is none of this symbol.
        """
        if self.parameters.has("symbol"):
            return [self.contract()]
        return list(self.door.listed)

    def now_ms(self) -> int:
        """The wall clock in milliseconds."""
        return self.door.clock() // NS_PER_MS


def ms(time_ns: int) -> int:
    """A time in the venue's unit."""
    return time_ns // NS_PER_MS
