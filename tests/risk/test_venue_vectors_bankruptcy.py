"""Venue vectors of bankruptcies through the engine: what positions close at, and who is paid it."""

from fractions import Fraction
from typing import Any

import pytest

from engine.events import Deleveraged
from risk.accounts import MarginAccount, Position, Trader, cross_account_id
from risk.bankruptcy_split import BANKRUPTCY_SPLITS
from risk.check.bankruptcy import bankruptcy_values
from risk.health import evaluate
from risk.rulebook import AdlRule
from tests.market import Market, flat, liquidation, ppb, rules, usd
from tests.risk.venue_vectors import Vector, engine_parameters, f

ALICE, BOB = 100, 101
MARGIN = flat("0.1", 5)
"""The rates of all these vectors."""


def millionths(amount: Fraction) -> int:
    quanta = amount * 10**6
    assert quanta.denominator == 1
    return int(quanta)


@pytest.mark.parametrize(
    "vector", engine_parameters(lambda vector: vector["kind"] == "bankruptcy_quote_amount")
)
def test_a_position_closes_at_its_share_of_the_equity(vector: Vector) -> None:
    inputs = vector["inputs"]
    m = Market(listed=False)
    for market, price in inputs["prices"].items():
        m.add(market, margin=MARGIN, lot="0.001")
        m.index(price, market)
    account = MarginAccount(cross_account_id(ALICE, 0), Trader(ALICE, []), 0, False)
    # Nothing was paid for the positions, so the wallet is what the venue calls the quote balance.
    account.wallet_q = usd(inputs["quote_balance"])
    for each in inputs["positions"]:
        listing = m.exchange.risk.core.listings[m.ids[each["market"]]]
        position = Position(account, listing, 0, 5)
        position.qty_lots = int(f(each["size"]) * 1_000)
        account.add_position(position)
    evaluate(account)
    split = BANKRUPTCY_SPLITS.get("by_maintenance")
    closing_id = m.ids[inputs["close_market"]]
    ((position, value_q),) = [
        found
        for found in bankruptcy_values(account, split, keeps_equity=False)
        if found[0].listing.instrument_id == closing_id
    ]
    closed = -int(f(inputs["size_delta"]) * 1_000)
    amount_q = Fraction(value_q * closed, position.qty_lots)
    assert amount_q == millionths(f(vector["expected"]["bankruptcy_quote_amount"]))


def ruined(price: str, opened: str, quantity: str, loser: Fraction, winner: Fraction) -> Market:
    """Alice short against Bob from ``opened``, with these deposits; then the price comes."""
    stages = liquidation(["adl", "socialise"])
    m = Market(rules(liquidation=stages, adl=AdlRule(max_distance_ppb=ppb("0.9"))), listed=False)
    m.add("PERP", margin=MARGIN)
    m.open(ALICE, deposit=str(float(loser)))
    m.open(BOB, deposit=str(float(winner)))
    m.index(opened)
    m.leverage(ALICE, 5)
    m.leverage(BOB, 5)
    m.trade(BOB, ALICE, quantity, opened)
    m.index(price)
    return m


def wallet_q(m: Market, trader: int) -> int:
    core = m.exchange.risk.core
    return core.ledger.cross(core.ledger.traders[trader], 0).wallet_q


def closes_whole(vector: Vector) -> bool:
    inputs: dict[str, Any] = vector["inputs"]
    return vector["kind"] == "deleverage" and (
        "a" in inputs or abs(f(inputs["size_delta"])) == abs(f(inputs["liquidated"]["size"]))
    )


@pytest.mark.parametrize("vector", engine_parameters(closes_whole))
def test_the_counterparty_is_paid_the_bankruptcy_price(vector: Vector) -> None:
    inputs, expected = vector["inputs"], vector["expected"]
    if "a" in inputs:
        winner, loser = inputs["a"], inputs["b"]
        size = f(winner["size"])
        deposits = [f(each["deposit"]) for each in (loser, winner)]
        m = ruined(inputs["price"], winner["entry"], winner["size"], *deposits)
        assert wallet_q(m, BOB) - usd(winner["deposit"]) == usd(expected["a_pnl"])
        assert wallet_q(m, ALICE) - usd(loser["deposit"]) == usd(expected["b_pnl"])
        price = f(expected["b_bankruptcy_price"])
    else:
        # Opened at four fifths of the price, where the deposits are worth the venue's balances.
        opened = f(inputs["price"]) * 4 / 5
        size = f(inputs["offsetting"]["size"])
        loser_deposit = f(inputs["liquidated"]["quote_balance"]) - size * opened
        winner_deposit = f(inputs["offsetting"]["quote_balance"]) + size * opened
        m = ruined(inputs["price"], str(opened), str(size), loser_deposit, winner_deposit)
        assert wallet_q(m, ALICE) == usd(expected["liquidated_quote_after"])
        assert wallet_q(m, BOB) == usd(expected["offsetting_quote_after"])
        price = f(expected["close_price"])
    (closed,) = m.all(Deleveraged)
    assert abs(closed.value_q) == millionths(size * price)
