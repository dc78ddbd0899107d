"""Endpoints of the venue's other parts that clients ask before anything else: empty here."""

from typing import Any

from doors.usdm.call import Call


async def nothing(_: Call) -> Any:
    """An empty list."""
    return []


async def no_symbols(call: Call) -> Any:
    """Another market, in which nothing is listed."""
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms(),
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [],
    }
