"""Client order ids could collide with the liquidation engine's, an amended size had no limit."""

import pytest

from engine.commands import BUY, MAX_LOTS, MAX_ORDER_ID, AmendOrder, Deposit, SubmitOrder
from engine.reasons import Reason
from risk.accounts import BAD_DEBT, FEES, RESIDUE
from risk.liquidation.engine import FIRST_ORDER_ID
from tests.market import Market, px, size


def opened() -> Market:
    market = Market()
    market.open(100, deposit="1000")
    market.index("100")
    return market


@pytest.mark.parametrize("order_id", [FIRST_ORDER_ID, FIRST_ORDER_ID + 7, 0, -1])
def test_an_order_id_outside_the_clients_range_is_refused(order_id: int) -> None:
    market = opened()
    market.send(SubmitOrder(0, 100, 0, order_id, BUY, size("1"), px("100")))
    assert market.refusal().reason == Reason.INVALID_FIELD


def test_the_last_client_id_is_accepted_and_is_the_one_before_the_engines() -> None:
    market = opened()
    market.send(SubmitOrder(0, 100, 0, MAX_ORDER_ID, BUY, size("1"), px("100")))
    assert market.accepted(MAX_ORDER_ID)
    assert MAX_ORDER_ID + 1 == FIRST_ORDER_ID


def test_an_amended_size_has_the_limit_of_a_new_one() -> None:
    market = opened()
    order = market.buy(100, "1", "100")
    market.send(AmendOrder(0, 100, order, 1, MAX_LOTS + 1))
    assert market.refusal().reason == Reason.NUMBER_TOO_LARGE


@pytest.mark.parametrize("house", [FEES, RESIDUE, BAD_DEBT])
def test_house_accounts_that_are_results_take_no_deposits(house: int) -> None:
    """A deposit to the bad debt account would hide that debt."""
    market = opened()
    market.send(Deposit(0, house, 0, 1))
    assert market.refusal().reason == Reason.HOUSE_ACCOUNT
