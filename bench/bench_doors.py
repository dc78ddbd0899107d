"""The benchmark of the door once and very short, to see that it runs."""

import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra doors)")

from bench.doors import SUBSCRIBERS, measure, table


def test_a_short_round() -> None:
    figures = measure(samples=50, seconds=0.5)
    assert figures["HTTP over ZeroMQ"] > 0
    assert figures["orders/s over HTTP"] > 0
    assert figures[f"messages/s to {SUBSCRIBERS} subscribers"] > 0
    assert "| orders/s over HTTP |" in table([figures])
