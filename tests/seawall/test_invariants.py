"""Every check over accounts and positions finds its damage, and says where and what."""

from collections.abc import Callable

import pytest

from bench import worlds
from engine.commands import Deposit
from risk.accounts import MarginAccount, Position
from risk.rulebook import CallRule
from seawall.state_hash import exchange_hash
from tests.market import Market, levels, rules

ALICE, BOB = 100, 101


def damaged(damage: Callable[[MarginAccount, Position], None]) -> str:
    """What the checks say about Alice, long 1 with a bid for 1 more, once she was damaged."""
    market = Market()
    market.open(ALICE, BOB, deposit="1000")
    market.index("100")
    market.trade(ALICE, BOB, "1", "100")
    market.buy(ALICE, "1", "99")
    market.exchange.check_invariants()
    position = market.exchange.risk.core.ledger.traders[ALICE].find_position(0)
    assert position is not None
    damage(position.account, position)
    with pytest.raises(AssertionError) as caught:
        market.exchange.check_invariants()
    return str(caught.value)


def raise_level(account: MarginAccount, position: Position) -> None:
    account.level += 1


def hold_more(account: MarginAccount, position: Position) -> None:
    account.held_q += 7


def reserve_more(account: MarginAccount, position: Position) -> None:
    position.buy_lots += 1


def reserve_dearer(account: MarginAccount, position: Position) -> None:
    position.buy_value_q += 1


def move_band(account: MarginAccount, position: Position) -> None:
    position.low = position.listing.mark_ticks + 1


@pytest.mark.parametrize(
    ("damage", "name", "figures"),
    [
        (raise_level, "no missed crossing", "level 1, revalued 0"),
        (hold_more, "reservations equal resting orders", "held 7, orders 0"),
        (
            reserve_more,
            "reservations equal resting orders",
            "[101, 0, 0, 0], orders [100, 0, 0, 0]",
        ),
        (reserve_dearer, "reservations equal resting orders", "[99000001, 0], [99000000, 0]"),
        (move_band, "no missed crossing", "price 10000 outside its band"),
    ],
)
def test_damage_is_found(
    damage: Callable[[MarginAccount, Position], None], name: str, figures: str
) -> None:
    text = damaged(damage)
    assert text.startswith(f"{name}: ")
    assert text.endswith(figures)


def called() -> Market:
    """Alice, long 10 with 150 at 91: equity 60 of 1.5 x 45.50."""
    m = Market(rules(levels=levels(call="1.5", liquidate="1"), call=CallRule(buffer_ppb=10**9)))
    m.open(ALICE, deposit="150")
    m.open(BOB, deposit="1000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.index("91")
    return m


def test_an_account_without_the_call_it_should_have_is_found() -> None:
    market = called()
    market.exchange.risk.core.ledger.accounts[ALICE].call = None
    with pytest.raises(AssertionError, match=r"call band is called.*account 100: no call"):
        market.exchange.check_invariants()


def test_a_call_that_should_be_over_is_found() -> None:
    market = called()
    account = market.exchange.risk.core.ledger.accounts[ALICE]
    call = account.call
    market.index("95")
    account.call = call
    with pytest.raises(AssertionError, match=r"account 100: a call that is over"):
        market.exchange.check_invariants()


def lower_leverage(market: Market) -> None:
    position = market.exchange.risk.core.ledger.traders[ALICE].find_position(0)
    assert position is not None
    position.leverage -= 1


def forget_who_pays(market: Market) -> None:
    (order,) = market.exchange.book(0).orders()
    order.stp += 1


@pytest.mark.parametrize("change", [lower_leverage, forget_who_pays])
def test_a_change_that_the_kept_hash_was_not_told_of_is_found(
    change: Callable[[Market], None],
) -> None:
    market = Market()
    market.open(ALICE, BOB, deposit="1000")
    market.index("100")
    market.trade(ALICE, BOB, "1", "100")
    market.buy(ALICE, "1", "99")
    market.exchange.check_invariants()
    change(market)
    with pytest.raises(AssertionError, match=r"^state hash kept: .*; found kept [0-9a-f]{32}, "):
        market.exchange.check_invariants()


def test_only_what_changed_is_hashed_again() -> None:
    exchange = worlds.new_exchange()
    worlds.fund_traders(exchange, 50, 10**9)
    before = exchange.state_hash()
    changed = exchange.risk.core.ledger.changed
    assert not changed
    exchange.send(Deposit(0, ALICE, 0, 1))
    assert [trader.account_id for trader in changed] == [ALICE]
    assert before != exchange.state_hash() == exchange_hash(exchange.state())
