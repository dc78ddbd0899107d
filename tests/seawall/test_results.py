"""Who lost and who won: the results of all owners of an asset add up to zero, to the quantum."""

from typing import Any

import pytest

from engine.instruments import MarginSpec
from engine.units import SECOND_NS
from risk.accounts import FUND
from risk.rulebook import FeeRule, FundingRule
from seawall.records.owner import OTHERS, Owner
from seawall.records.results import Result, ResultCollector
from tests.market import Market, collateral, flat, rules, usd

ALICE, BOB, CAROL = 100, 101, 102
OWNERS = [Owner("group", "retail"), Owner("group", "funds"), Owner("agent", "makers")]


def followed(rulebook: Any = None, **settings: Any) -> tuple[Market, ResultCollector]:
    m = Market(rulebook or rules(**settings), listed=False)
    collector = ResultCollector()
    m.exchange.subscribe(collector)
    return m, collector


def by_name(rows: list[Result], asset_id: int = 0) -> dict[str, Result]:
    return {row.name: row for row in rows if row.asset_id == asset_id}


def crash(m: Market, margin: str = "100") -> None:
    """Alice is long 10 with 100, Bob short; the fund takes over at 93, the mark goes on to 91."""
    m.add("PERP")
    m.deposit(FUND, "1000")
    m.open(ALICE, deposit=margin)
    m.open(BOB, CAROL, deposit="1000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.index("93")
    m.index("91")


def test_everybody_is_in_it_and_the_total_is_zero() -> None:
    m, collector = followed()
    crash(m)
    rows = by_name(collector.results(m.exchange, OWNERS))
    results = {name: row.result_q for name, row in rows.items() if row.result_q}
    assert results == {
        "retail": usd("-100"),
        "funds": usd("90"),
        "insurance fund": usd("10"),
    }
    total = rows["total"]
    assert total.result_q == 0
    assert (total.accounts, total.paid_in_q) == (8, usd("3100"))


def test_results_are_split_by_what_happened_to_their_owners() -> None:
    """Without a fund Bob's winner is closed against Alice at 90."""
    m, collector = followed()
    m.add("PERP")
    m.open(ALICE, deposit="100")
    m.open(BOB, CAROL, deposit="1000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.index("93")
    rows = by_name(collector.results(m.exchange, OWNERS))
    assert rows["retail"].liquidated_q == usd("-100")
    assert rows["funds"].deleveraged_q == usd("100")
    assert rows["makers"].other_q == 0
    assert (rows["total"].accounts_liquidated, rows["total"].accounts_deleveraged) == (1, 1)


def test_what_is_paid_in_and_out_is_no_result() -> None:
    m, collector = followed()
    crash(m)
    m.deposit(CAROL, "7")
    m.withdraw(CAROL, "500")
    rows = by_name(collector.results(m.exchange, OWNERS))
    assert (rows["makers"].paid_in_q, rows["makers"].result_q) == (usd("507"), 0)


def test_margin_moved_between_own_pots_is_no_result() -> None:
    m, collector = followed()
    m.add("PERP")
    m.open(ALICE, BOB, deposit="1000")
    m.isolate(ALICE)
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.adjust(ALICE, "50")
    rows = by_name(collector.results(m.exchange, OWNERS))
    assert (rows["retail"].paid_in_q, rows["retail"].result_q) == (usd("1000"), 0)


def test_owners_nobody_named_are_others() -> None:
    m, collector = followed()
    crash(m)
    rows = by_name(collector.results(m.exchange, OWNERS[:1]))
    assert rows[OTHERS.name].result_q == usd("90")


def test_fees_funding_and_residue_are_rows() -> None:
    m, collector = followed(
        fees=FeeRule(maker_ppb=100_000, taker_ppb=500_000),
        funding=FundingRule(
            interval_ns=SECOND_NS,
            sample_interval_ns=SECOND_NS,
            interest_ppb=1_234_567,
            clamp_ppb=10**7,
        ),
    )
    crash(m, "101")
    for _ in range(3):
        m.wait("1")
    rows = by_name(collector.results(m.exchange, OWNERS))
    assert rows["fees"].result_q > 0
    assert rows["total"].result_q == 0


@pytest.mark.parametrize("price", ["33333.3", "29999.7", "51234.5"])
def test_what_rounding_leaves_of_inverse_positions_goes_to_the_residue(price: str) -> None:
    """Three positions at a price that divides none of them evenly."""
    m, collector = followed()
    params = [("maintenance_ppb", 5_000_000), ("max_leverage", 100)]
    margin = MarginSpec("flat", params=params)
    m.add("COIN", asset="BTC", inverse=True, tick="0.1", lot="1", margin=margin)
    m.open(ALICE, BOB, CAROL, deposit="10", asset="BTC")
    m.index("40000", "COIN")
    m.trade(ALICE, BOB, "7", "40000", "COIN")
    m.trade(ALICE, CAROL, "3", "40001.7", "COIN")
    m.index(price, "COIN")
    rows = by_name(collector.results(m.exchange, OWNERS), 1)
    assert 0 < rows["residue"].result_q <= 3
    assert rows["total"].result_q == 0


def test_every_asset_adds_up_for_itself_when_collateral_is_exchanged() -> None:
    m, collector = followed(rules(collateral=collateral(BTC="0.1")))
    m.add("PERP", margin=flat())
    m.asset_price("50000")
    m.deposit(FUND, "1000")
    m.open(ALICE, deposit="20")
    m.deposit(ALICE, "0.002", "BTC")
    m.open(BOB, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.index("93")
    rows = collector.results(m.exchange, OWNERS)
    coins = by_name(rows, 1)
    assert coins["retail"].liquidated_q == -coins["insurance fund"].result_q < 0
    assert [row.result_q for row in rows if row.kind == "total"] == [0, 0]


def test_money_that_nobody_paid_in_is_found() -> None:
    m, collector = followed()
    crash(m)
    m.exchange.risk.core.ledger.traders[BOB].accounts[0].wallet_q += 1
    with pytest.raises(AssertionError, match="add up to 1, not 0"):
        collector.results(m.exchange, OWNERS)
