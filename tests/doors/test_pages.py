"""The page of the doors is current: its table is the one the program runs on."""

from pathlib import Path

import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra doors)")

from doors.usdm.endpoints.general import ORDER_TYPES
from doors.usdm.route_table import BY_CALL, ROUTES, draw
from doors.usdm.websocket_api import METHODS
from engine.services.service_config import DoorConfig

PAGE = Path(__file__).parents[2] / "docs" / "doors.md"


def test_the_table_of_endpoints_is_printed_from_the_program() -> None:
    _, _, rest = PAGE.read_text().partition("<!-- endpoints -->\n")
    table, _, _ = rest.partition("<!-- /endpoints -->")
    assert table == draw(), "put the output of doors.usdm.route_table.draw() there"


def test_no_endpoint_is_there_twice() -> None:
    assert len(BY_CALL) == len(ROUTES)


def test_every_setting_and_method_is_on_the_page() -> None:
    text = PAGE.read_text()
    for name in (*DoorConfig.__struct_fields__, *METHODS):
        assert f"`{name}`" in text or f"`{name.split('.')[-1]}`" in text or name.startswith("v2/")


def test_ccxt_would_refuse_stops_that_are_not_listed() -> None:
    assert {"STOP", "STOP_MARKET", "TAKE_PROFIT", "TRAILING_STOP_MARKET"} <= set(ORDER_TYPES)
