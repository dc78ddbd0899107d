"""An id of 64 bits, or a text, broke a market for good: its events could not be shown."""

import copy
from typing import Any

import pytest

import seawall


@pytest.mark.parametrize("order_id", [2**63, 2**70, "3", None, 1.5, True, [1]])
def test_an_order_id_that_cannot_travel_is_refused_and_nothing_stays(order_id: Any) -> None:
    market = seawall.Market()
    account = market.open_account(deposit="1000")
    with pytest.raises(ValueError, match="CancelOrder: "):
        market.cancel(account, order_id)
    with pytest.raises(ValueError, match="AmendOrder: "):
        market.amend(account, order_id, "1", "100")
    assert market.events_frame().height == len(market.events)
    assert copy.copy(market).exchange.state_hash() == market.exchange.state_hash()


@pytest.mark.parametrize("account_id", ["102", 2**70, 1.5])
def test_an_account_id_that_cannot_travel_is_refused(account_id: Any) -> None:
    market = seawall.Market()
    with pytest.raises(ValueError, match="Deposit: "):
        market.deposit(account_id, "1")
    with pytest.raises(ValueError, match="SubmitOrder: "):
        market.buy(account_id, "1", price="100")
    market.events_frame()
