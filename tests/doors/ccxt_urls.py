"""Where ccxt is pointed: its URLs, and nothing else, are changed."""

from typing import Any

from tests.doors.world import DoorWorld

SYMBOL = "BTC/USDT:USDT"


def point_at(exchange: Any, world: DoorWorld) -> None:
    """All that is needed to have ccxt trade here."""
    api, url = exchange.urls["api"], world.url
    for version in ("", "V2", "V3"):
        path = f"{url}/fapi/{version.lower() or 'v1'}"
        api[f"fapiPublic{version}"] = api[f"fapiPrivate{version}"] = path
    api["fapiData"] = f"{url}/futures/data"
    api["sapi"] = f"{url}/sapi/v1"
    socket = f"ws://127.0.0.1:{world.port}"
    if "ws" in api:
        api["ws"]["linear"] = f"{socket}/ws"
        api["ws"]["ws-api"]["linear"] = f"{socket}/ws-fapi/v1"
