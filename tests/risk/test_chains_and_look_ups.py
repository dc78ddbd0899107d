"""How accounts are found and what they hold is chained: against a dictionary and a list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import worlds
from risk.accounts import FIRST_TRADER, FUND, MAX_ACCOUNT_ID, MarginAccount, Position, Trader
from risk.ledger import Ledger
from risk.listing import Listing
from tests.market import Market, rules

NEAR = st.integers(FIRST_TRADER, FIRST_TRADER + 40)
SAME_LOW_BITS = st.integers(1, 20).map(lambda number: number * 2**30)
IDS = st.one_of(NEAR, SAME_LOW_BITS, st.integers(FIRST_TRADER, MAX_ACCOUNT_ID))


@given(st.lists(IDS, max_size=200), st.lists(IDS, max_size=50))
def test_a_trader_is_found_by_its_id_and_by_no_other(opened: list[int], asked: list[int]) -> None:
    ledger = Ledger()
    for account_id in opened:
        assert ledger.trader(account_id) is ledger.traders.get(account_id)
        if account_id not in ledger.traders:
            ledger.add_trader(account_id)
    for account_id in [*opened, *asked, *opened, -FUND, 0, 2**62, 2**64, -(2**64)]:
        assert ledger.trader(account_id) is ledger.traders.get(account_id)


def test_more_traders_than_there_were_places_are_all_found() -> None:
    ledger = Ledger()
    for account_id in range(FIRST_TRADER, FIRST_TRADER + 5_000):
        ledger.add_trader(account_id)
    for account_id in (*ledger.traders, *ledger.traders):
        assert ledger.trader(account_id) is ledger.traders[account_id]
    assert ledger.trader(FIRST_TRADER + 5_000) is None


@pytest.mark.parametrize("instrument_id", [-1, 7, 1_023, 1_024, 1_000_000, 2**64])
def test_a_contract_that_was_not_listed_is_unknown(instrument_id: int) -> None:
    core = Market(rules()).exchange.risk.core
    assert core.listing(instrument_id) is None
    core.listings[instrument_id] = core.listings[0]
    assert core.listing(instrument_id) is core.listing(0) is core.listings[0]


def contracts(count: int) -> list[Listing]:
    exchange = worlds.new_exchange(count)
    return [exchange.listing(number) for number in range(count)]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 7)), max_size=60))
def test_the_chain_of_positions_is_the_list_of_them(steps: list[tuple[bool, int]]) -> None:
    account = MarginAccount(1, Trader(FIRST_TRADER, []), 0, False)
    listings = contracts(8)
    held: list[Position] = []
    for adds, number in steps:
        found = account.position(number, 0)
        assert found is next((each for each in held if each.instrument_id == number), None)
        assert account.position(number, 1) is None
        if adds and found is None:
            held.append(Position(account, listings[number], 0, 1))
            account.add_position(held[-1])
        elif found is not None:
            held.remove(found)
            account.drop_position(found)
            assert found.next is None
        assert account.positions == held
        assert (account.first_position is None) == (not held)


def test_a_position_of_another_account_cannot_be_dropped() -> None:
    trader = Trader(FIRST_TRADER, [])
    account, other = MarginAccount(1, trader, 0, False), MarginAccount(2, trader, 1, False)
    [listing] = contracts(1)
    account.add_position(Position(account, listing, 0, 1))
    with pytest.raises(AssertionError, match="of the account"):
        account.drop_position(Position(other, listing, 0, 1))


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([-3, -1, 0, 2, 5])), max_size=80))
def test_the_open_positions_of_a_contract_are_known_by_side(
    steps: list[tuple[int, int]],
) -> None:
    exchange = Market(rules()).exchange
    core = exchange.risk.core
    listing = core.listings[0]
    positions: list[Position] = []
    for number in range(10):
        trader = Trader(FIRST_TRADER + number, [])
        account = core.ledger.cross(trader, listing.instrument.settle_asset_id)
        positions.append(Position(account, listing, 0, 1))
        account.add_position(positions[-1])
    for number, qty_lots in steps:
        position = positions[number]
        change = qty_lots - position.qty_lots
        if change:
            core.ledger.settle(position, change, 100 * change, 0)
        for side, held in ((1, listing.longs), (-1, listing.shorts)):
            open_there = [each for each in positions if each.qty_lots * side > 0]
            assert sorted(each.uid for each in held) == [each.uid for each in open_there]
            assert all(held[each.side_place] is each for each in open_there)


def test_leverage_nobody_chose_is_the_contracts() -> None:
    m = Market(rules())
    m.open(FIRST_TRADER, FIRST_TRADER + 1, deposit="1000")
    m.index("100")
    listing = m.exchange.listing(0)
    assert listing.default_leverage == min(20, listing.model.max_leverage(1))
    m.leverage(FIRST_TRADER, 3)
    m.trade(FIRST_TRADER, FIRST_TRADER + 1, "0.01", "100")
    assert m.held(FIRST_TRADER).leverage == 3
    assert m.held(FIRST_TRADER + 1).leverage == listing.default_leverage
