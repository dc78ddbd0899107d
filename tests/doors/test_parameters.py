"""Parameters of a request: where they stand, and what cannot be meant."""

import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra doors)")

from doors.usdm.errors import VenueError
from doors.usdm.parameters import Parameters


def test_query_and_body_are_read_together_and_the_query_counts() -> None:
    found = Parameters.of_forms(b"symbol=BTCUSDT&quantity=1", b"quantity=3&price=9")
    assert [found.text(name) for name in ("symbol", "quantity", "price")] == ["BTCUSDT", "1", "9"]


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (b"quantity=1&quantity=3", b""),
        (b"", b"quantity=1&price=9&quantity=1"),
        (b"quantity=1&%71uantity=3", b""),
        (b"reduceOnly=true&reduceOnly=", b"quantity=1"),
    ],
)
def test_a_parameter_that_stands_twice_is_refused(query: bytes, body: bytes) -> None:
    with pytest.raises(VenueError, match="Duplicate") as caught:
        Parameters.of_forms(query, body)
    assert caught.value.body()["code"] == -1101
