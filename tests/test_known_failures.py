"""What broke, in other projects and in this one, as tests. Where it was is in name or docstring.

Long 10 at 100 with 100 of its own: equity ``10 p - 900``, maintenance ``0.5 p``; liquidated at
94.73, bankrupt at 90.
"""

from decimal import Decimal
from pathlib import Path

import pytest

from engine import commands as c
from engine.events import (
    BadDebtBooked,
    Deleveraged,
    FundingPaid,
    LiquidationEnded,
    LiquidationStage,
    LiquidationStarted,
    OrderFilled,
    Trade,
)
from engine.reasons import Reason
from risk.rulebook import AdlRule, FeeRule, FundingRule, FundRule, MarkRule
from tests.market import FEES, FUND, Market, flat, liquidation, ppb, px, rules, size, usd

KINDS: dict[str, tuple[str, ...]] = {
    "a size nobody set a limit to": ("no_order_leads_beyond_the_last_margin_tier",),
    "set-up that was refused or ignored, and a run that reports success": (
        "a_refused_set_up_ends_the_run",
        "an_override_replaces_what_is_one_value",
        "a_run_says_what_it_was_made_of",
        "a_run_warns_of_what_did_nothing",
    ),
    "a deficit lands on whoever is left, or on nobody, or makes the house bankrupt in silence": (
        "deficits_land_on_those_who_won",
    ),
    "a mark, or a clock, that takes money along": ("marks_and_clocks_take_no_money_along",),
    "input of the real world": (
        "one_odd_candle_changes_nothing_else",
        "margin_tables_of_other_venues_load",
        "every_door_reads_toml_alike",
    ),
    "a figure that says less than happened": (
        "a_call_names_what_ended_it",
        "the_whole_loss_is_told",
    ),
    "what a user holds behaves differently in the two builds": ("messages_have_one_behaviour",),
}
"""Kinds of failures whose tests are files of their own, ``regressions/test_NAME.py``."""

ALICE, BOB, CAROL, DAVE = 100, 101, 102, 103
HOUR_NS = 3_600 * 10**9


def market(*deposits: str, **settings: object) -> Market:
    """Alice, Bob, Carol and Dave with these deposits."""
    m = Market(rules(**settings))
    for trader, deposit in zip((ALICE, BOB, CAROL, DAVE), deposits, strict=False):
        m.open(trader, deposit=deposit)
    m.index("100")
    return m


def test_partial_close_keeps_its_profit() -> None:
    """10 bought at 100; 4 sold at 110, 6 at 120: 40 + 120 = 160 arrive in the wallet, in order."""
    m = market("1000", "1000")
    m.trade(ALICE, BOB, "10", "100")
    m.trade(BOB, ALICE, "4", "110")
    assert m.wallet(ALICE) == usd("1040")
    m.trade(BOB, ALICE, "6", "120")
    assert m.wallet(ALICE) == usd("1160")
    assert m.wallet(BOB) == usd("840")


def test_the_same_liquidity_never_fills_two_orders() -> None:
    """nautilus_trader#2564: an offer of 1; two buyers of 1 each."""
    m = market("1000", "1000", "1000")
    m.sell(BOB, "1", "100")
    m.buy(ALICE, "1", "100")
    m.buy(CAROL, "1", "100")
    assert (m.lots(ALICE), m.lots(CAROL)) == (size("1"), 0)
    assert sum(e.qty_lots for e in m.all(Trade)) == size("1")


def test_funding_is_not_counted_twice_after_a_partial_exit() -> None:
    """freqtrade#13102: 0.1 % of 1,000 on 10, then 0.1 % of 400 on the 4 left: 1.40 in all."""
    funding = FundingRule(HOUR_NS, ppb("0.001"), ppb("0.001"))
    m = market("1000", "1000", funding=funding)
    m.trade(ALICE, BOB, "10", "100")
    m.wait("3600")
    m.trade(BOB, ALICE, "6", "100")
    assert m.wallet(ALICE) == usd("999")
    m.wait("3600")
    m.trade(BOB, ALICE, "4", "100")
    assert m.wallet(ALICE) == usd("998.60")
    assert len(m.all(FundingPaid)) == 4


def test_a_liquidation_ends_although_nobody_ever_trades() -> None:
    """drift protocol-v2#2122: stuck in liquidation. No bids, no fund, the counterparty exits it."""
    m = market("100", "100000")
    m.trade(ALICE, BOB, "10", "100")
    m.index("94")
    assert m.only(LiquidationEnded).outcome == "deleveraged"


def test_a_liquidation_that_may_use_the_book_only_still_ends() -> None:
    """As long as there is equity it waits for bids; once it is below zero it is socialised."""
    m = market("100", "100000", liquidation=liquidation(["cancel", "close", "socialise"]))
    m.trade(ALICE, BOB, "10", "100")
    m.index("94")
    for _ in range(5):
        m.wait("1")
    assert not m.all(LiquidationEnded)
    m.index("89")
    m.wait("1")
    assert m.only(LiquidationEnded).outcome == "socialised"
    assert (m.wallet(ALICE), m.lots(ALICE)) == (0, 0)


@pytest.mark.parametrize("reduce_only", [True, False])
@pytest.mark.parametrize("price", ["95", "94.80", None])
def test_an_account_low_on_margin_can_close(reduce_only: bool, price: str | None) -> None:
    """nautilus_trader#2632, pendle#31: equity 50, initial 95, free collateral -45."""
    m = market("100", "100000", fees=FeeRule(taker_ppb=ppb("0.0005")))
    m.deposit(ALICE, "0.50")
    m.trade(ALICE, BOB, "10", "100")
    m.index("95")
    assert m.pot(ALICE).free_q == -usd("45")
    m.buy(BOB, "10", "95")
    m.sell(ALICE, "10", price, reduce_only=reduce_only)
    assert m.lots(ALICE) == 0


def test_closing_everything_leaves_exactly_zero() -> None:
    """cTrader-related repository, issue 17: one unit of float residue triggered a stop-out.

    A thousand fills of one lot at prices with odd cents, then all is sold in thirds.
    """
    m = market("100000", "100000")
    for step in range(1000):
        m.trade(ALICE, BOB, "0.01", str(Decimal("99.37") + Decimal(step % 97) / 100))
    for qty in ("3.33", "3.33", "3.34"):
        m.trade(BOB, ALICE, qty, "100")
    for trader in (ALICE, BOB):
        assert m.position(trader) is None
        pot = m.pot(trader)
        assert (pot.maintenance_q, pot.initial_q, pot.level) == (0, 0, 0)
        assert pot.equity_q == pot.wallet_q
    assert m.wallet(ALICE) + m.wallet(BOB) == usd("200000")


@pytest.mark.parametrize("price", ["93", "90", "85", "60", "1"])
def test_adl_has_price_protection(price: str) -> None:
    """GMX audits #143, #153: not beyond the bankruptcy price of 90, nor 5 % from the mark,
    only opposite positions, and nobody is carried below zero by it."""
    m = market("100", "61", "100", "1000")
    m.trade(ALICE, BOB, "6", "100")
    m.trade(ALICE, CAROL, "4", "100")
    m.trade(DAVE, BOB, "0.01", "100")
    m.index(price)
    for hit in m.all(Deleveraged):
        assert hit.margin_account_id in (BOB, CAROL)
        most = min(Decimal(90), Decimal(price) * Decimal("1.05"))
        assert abs(hit.value_q - hit.qty_lots * most * 10_000) < 1
    assert m.all(Deleveraged)
    assert m.lots(DAVE) == size("0.01")
    for trader in (ALICE, BOB, CAROL):
        assert m.equity(trader) >= 0


def test_one_tick_is_one_batch() -> None:
    """October 2025: within one timestamp all liquidations precede all deleveraging.

    Twelve accounts fall at once, one of them onto a bid; the fund may hold 1,000.
    """
    m = market("0.01", "1000000", fund=FundRule(notional_cap_ppb=ppb("1")))
    m.deposit(FUND, "1000")
    fallen = range(200, 212)
    m.open(*fallen, deposit="100")
    for trader in fallen:
        m.trade(trader, BOB, "10", "100")
    m.buy(BOB, "10", "94")
    m.forget()
    m.index("94")
    order = [type(e) for e in m.events if isinstance(e, OrderFilled | Deleveraged)]
    assert order == sorted(order, key=[OrderFilled, Deleveraged].index)
    stages = [e.stage for e in m.all(LiquidationStage)]
    rank = {"cancel": 0, "reduce": 0, "close": 0, "fund": 1, "adl": 2}
    assert [rank[s] for s in stages] == sorted(rank[s] for s in stages)
    assert {len(m.all(LiquidationStarted)), len(m.all(LiquidationEnded))} == {12}


@pytest.mark.parametrize(
    ("deposit", "inclusive", "liquidated"),
    [
        ("98.40", False, False),
        ("98.399999", False, True),
        ("98.40", True, True),
        ("98.400001", True, False),
    ],
)
def test_equality_is_decided_by_the_rules_to_the_quantum(
    deposit: str, inclusive: bool, liquidated: bool
) -> None:
    """2 % maintenance, 10 at 100: at 92 maintenance is 18.40, equity the deposit less 80."""
    m = Market(rules(liquidation=liquidation(inclusive=inclusive)), listed=False)
    m.add("PERP", margin=flat("0.02", 20))
    m.open(ALICE, deposit=deposit)
    m.open(BOB, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.index("92")
    assert bool(m.all(LiquidationStarted)) is liquidated


def test_fifo_closing_reaches_the_winner_that_was_opened_first() -> None:
    """Kraken spot: position age decides, not the pair and not the profit."""
    m = Market(rules(liquidation=liquidation(partial="fifo")), listed=False)
    m.add("OLD")
    m.add("NEW")
    m.open(ALICE, deposit="110")
    m.open(BOB, deposit="100000")
    m.index("20", "OLD")
    m.index("100", "NEW")
    m.trade(ALICE, BOB, "5", "20", "OLD")
    m.wait("1")
    m.trade(ALICE, BOB, "10", "100", "NEW")
    m.buy(BOB, "5", "24", symbol="OLD")
    m.index("24", "OLD")
    # 110 + 20 - 80 = 50 < 46 + 6
    m.index("92", "NEW")
    assert m.lots(ALICE, "OLD") == 0
    assert m.lots(ALICE, "NEW") == size("10")


def test_unrealised_profit_cannot_be_withdrawn() -> None:
    """Hyperliquid, 12 March 2025: margin was withdrawn under a large winning position.

    At 150 equity is 1,500, of which 500 unrealised; 1,000 - 150 may leave.
    """
    m = market("1000", "100000")
    m.trade(ALICE, BOB, "10", "100")
    m.index("150")
    m.withdraw(ALICE, "850.000001")
    assert m.refusal().reason == Reason.INSUFFICIENT_FREE_COLLATERAL
    m.withdraw(ALICE, "850")
    # The price falls back: 150 - 0 is still above the 94.74 line of a 10x position.
    m.index("100")
    assert m.equity(ALICE) == usd("150")


def test_liquidation_fills_push_the_price_into_the_next_account() -> None:
    """The cascade is a loop through the book: the mark is the last price, and nobody moves it but
    Alice's liquidation.

    | at    | who falls                                     | sells down to |
    | 94.70 | Alice (10 at 100, liquidated below 94.74)     | 92            |
    | 92    | Bob (10 at 98 with 100: 10 p - 880 < 0.5 p    | 88            |
    |       | below 92.63)                                  |               |
    """
    m = Market(rules(mark=MarkRule(method="last")))
    m.open(ALICE, BOB, deposit="100")
    m.open(CAROL, DAVE, deposit="100000")
    m.index("100")
    m.trade(ALICE, CAROL, "10", "100")
    m.trade(BOB, CAROL, "10", "98")
    m.tick()
    m.buy(DAVE, "10", "92")
    m.buy(DAVE, "10", "88")
    m.trade(DAVE, CAROL, "0.01", "94.70")
    assert not m.all(LiquidationStarted)
    m.wait("1")
    assert [e.margin_account_id for e in m.all(LiquidationStarted)] == [ALICE]
    assert m.exchange.last_ticks(0) == px("92")
    m.wait("1")
    assert [e.margin_account_id for e in m.all(LiquidationStarted)] == [ALICE, BOB]


# draining the fund


def drain(m: Market, price: str) -> int:
    """An adversary with two accounts: the one sells to the other far from the mark, so that one
    is bankrupt and the other rich. Returns what both have lost (or won, if negative)."""
    deposited_q = usd("2000")
    m.buy(CAROL, "50", price)
    m.sell(DAVE, "50", price)
    m.index("100")
    m.wait("1")
    m.buy(BOB, "50", "100")
    m.sell(CAROL, "50", "100")
    m.wait("1")
    return deposited_q - m.equity(CAROL) - m.equity(DAVE)


@pytest.mark.parametrize("price", ["99", "95", "91", "90.01", "90", "80", "50", "1"])
@pytest.mark.parametrize("band", ["0.05", "0"])
def test_the_fund_cannot_be_drained_by_dealing_with_oneself(price: str, band: str) -> None:
    """percolator#49: an order that starts with a loss the account cannot bear is refused.

    With 1,000, 50 at the mark of 100 need 500; a loss of 10 per contract is all that is left.
    """
    m = Market(listed=False)
    m.add("PERP", band_ppb=ppb(band))
    m.open(BOB, deposit="100000")
    m.open(CAROL, DAVE, deposit="1000")
    m.deposit(FUND, "10000")
    m.index("100")
    assert drain(m, price) >= 0
    assert m.equity(FUND) >= usd("10000")
    assert not m.all(BadDebtBooked)


@pytest.mark.parametrize("band", ["0.02", "0.05", "0.20"])
def test_closing_at_a_bad_price_costs_the_fund_nothing(band: str) -> None:
    """Closing is never refused for initial margin, but stops where the account is bankrupt.

    Dave: long 10 at 100 with 100. He sells to his friend at 100 x (1 - band): a loss of 1,000 x
    band, of which 100 are his own. A band of 20 % would let 100 more go to the friend.
    """
    m = Market(listed=False)
    m.add("PERP", band_ppb=ppb(band))
    m.open(BOB, CAROL, deposit="100000")
    m.open(DAVE, deposit="100")
    m.deposit(FUND, "10000")
    m.index("100")
    m.trade(DAVE, BOB, "10", "100")
    m.buy(CAROL, "10", "50")
    m.sell(DAVE, "10", "50")
    assert m.refusal().reason == Reason.PRICE_OUTSIDE_BAND
    edge = str(100 - 100 * Decimal(band))
    m.buy(CAROL, "10", edge)
    m.sell(DAVE, "10", edge)
    if band == "0.20":
        assert m.refusal().reason == Reason.CLOSES_PAST_BANKRUPTCY
        assert (m.refusal().required_q, m.refusal().free_q) == (usd("200"), usd("100"))
    else:
        assert m.lots(DAVE) == 0
    m.wait("1")
    assert m.equity(FUND) == usd("10000")


def test_the_loss_cap_limits_what_one_account_can_take_from_the_fund() -> None:
    """A gap to 50 leaves Alice 400 short; 1 % of 10,000 is the most the fund pays for one."""
    m = market("100", "100000", fund=FundRule(loss_cap_ppb=ppb("0.01")))
    m.deposit(FUND, "10000")
    m.trade(ALICE, BOB, "10", "100")
    m.index("50")
    assert m.equity(FUND) >= usd("9900")
    assert m.wallet(ALICE) == 0


def test_fees_are_not_paid_with_money_that_is_not_there() -> None:
    """A fee on a liquidation never makes the debt larger, and no fee is paid twice."""
    m = market("100", "100000", fees=FeeRule(liquidation_ppb=ppb("0.05")))
    m.deposit(FUND, "1000")
    m.trade(ALICE, BOB, "10", "100")
    m.buy(BOB, "10", "90")
    m.index("90.50")
    assert (m.wallet(ALICE), m.wallet(FEES)) == (0, 0)
    assert not m.all(BadDebtBooked)


def test_a_cancelled_order_can_be_cancelled_once() -> None:
    """liquibook#23: cancelling what is not in the book is an answer and harms nothing."""
    m = market("1000")
    order = m.buy(ALICE, "1", "99")
    m.cancel(ALICE, order)
    before = m.exchange.state_hash()
    m.cancel(ALICE, order)
    assert m.refusal().reason == Reason.UNKNOWN_ORDER
    assert m.exchange.state_hash() == before


def test_adl_only_after_the_equity_is_gone_where_the_rules_say_so() -> None:
    """Hyperliquid closes counterparties only when the account value is negative."""
    m = market("100", "100000", adl=AdlRule(negative_equity_only=True))
    m.trade(ALICE, BOB, "10", "100")
    m.index("90")
    m.send(c.AdvanceTime(m.now_ns))
    assert not m.all(Deleveraged)
    m.index("89.99")
    m.wait("1")
    assert m.all(Deleveraged)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_that_is_listed_has_its_tests(kind: str) -> None:
    folder = Path(__file__).parent / "regressions"
    for name in KINDS[kind]:
        assert "def test_" in (folder / f"test_{name}.py").read_text()
