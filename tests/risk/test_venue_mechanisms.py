"""Rules of one venue each, worked by hand: rankings, prices, marks, indices and funding."""

from collections.abc import Sequence

import msgspec
import pytest

from engine.commands import IndexPrice
from engine.events import BadDebtBooked, BorrowFeePaid, Deleveraged, FundingSettled
from engine.reasons import Reason
from engine.routing.latency import Latency
from engine.settings import SettingFault
from engine.units import Rate
from risk.adl_price import ADL_PRICES
from risk.liquidation.ranking import ADL_RANKINGS, Standing
from risk.prices.funding import PremiumWindow
from risk.prices.index_price import Index
from risk.prices.mark import MarkPrice
from risk.rulebook import (
    AdlRule,
    BorrowRule,
    CoinRule,
    FeeRule,
    FundingRule,
    ImpactRule,
    IndexRule,
    LiquidationRule,
    MarkRule,
    Rulebook,
    SymbolFeeRule,
    rulebook_from_json,
)
from risk.rules.rulebook_check import check_rulebook
from risk.state import restore_risk, risk_state
from tests.market import Market, flat, ppb, px, rules, size, usd

ALICE, BOB, CAROL, DAVE = 100, 101, 102, 103
SECOND = 10**9
UNIT = 10**6


# Rankings


def first_hit(ranking: str) -> int:
    """Alice, short 20, is ruined at 150; Bob is long 10 from 100, Carol long 10 from 147."""
    adl = AdlRule(ranking=ranking, max_distance_ppb=ppb("0.5"))
    m = Market(rules(adl=adl), listed=False)
    m.add("PERP", margin=flat("0.01", 50))
    m.index("100")
    m.open(ALICE, deposit="540")
    m.open(BOB, deposit="250")
    m.open(CAROL, deposit="120")
    for trader in (ALICE, BOB, CAROL):
        m.leverage(trader, 50)
    m.trade(BOB, ALICE, "10", "100")
    m.index("147")
    m.trade(CAROL, ALICE, "10", "147")
    m.index("150")
    return m.all(Deleveraged)[0].margin_account_id


def test_hyperliquid_closes_the_one_with_the_larger_mark_over_entry_times_leverage() -> None:
    """Bob: 150/100 x 1500/750 = 3.00; Carol: 150/147 x 1500/150 = 10.20. By return it is Bob
    (0.50 x 2 = 1.0) before Carol (0.0204 x 10 = 0.204)."""
    assert first_hit("mark_over_entry") == CAROL
    assert first_hit("profit_leverage") == BOB


def test_binance_divides_the_profit_by_the_wallet_and_counts_the_margin_ratio() -> None:
    """Maintenance is 15 for each. Bob: 500/250 x 15/750 = 0.04; Carol: 30/120 x 15/150 = 0.025."""
    assert first_hit("profit_over_wallet") == BOB


def score(ranking: str, **figures: int) -> int:
    standing = Standing(0, 0, 0, 0, 0, 0, UNIT)
    for name, value in figures.items():
        setattr(standing, name, value)
    return ADL_RANKINGS.get(ranking).score(standing)


def test_a_wallet_below_one_unit_counts_as_one() -> None:
    """Profit 2 over max(1, 0.5) is 2; margin ratio 1/2.5: 0.8."""
    got = score(
        "profit_over_wallet",
        equity_q=5 * UNIT // 2,
        wallet_q=UNIT // 2,
        maintenance_q=UNIT,
    )
    assert got == 8 * 10**17


def test_neither_ranks_a_loser_nor_divides_by_an_equity_that_is_gone() -> None:
    assert score("mark_over_entry", gain_q=-1, notional_q=10, entry_value_q=11, equity_q=5) == 0
    assert score("profit_over_wallet", equity_q=-5, wallet_q=-10, maintenance_q=3) == 0
    assert score("profit_over_wallet", equity_q=5, wallet_q=10, maintenance_q=3) == 0
    assert score("mark_over_entry", gain_q=1, notional_q=10, entry_value_q=9, equity_q=0) > 0


# The price of auto-deleveraging


def ruined(price: str, *marks: str, max_distance: str = "0.5") -> Market:
    """Alice is long 10 from 100 with 100 of her own, Bob has the other side."""
    m = Market(rules(adl=AdlRule(price=price, max_distance_ppb=ppb(max_distance))))
    m.open(ALICE, deposit="100")
    m.open(BOB, deposit="1000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    for mark in marks:
        m.index(mark)
    return m


def test_the_previous_mark_leaves_an_account_ruined_in_one_step_with_nothing() -> None:
    """At 96 she has 60, at 88 she owes 20. Closed at 96 she would keep 60 that Bob had won; at 90
    her 100 are used up, and Bob bears the 20."""
    m = ruined("previous_mark", "96", "88")
    hit = m.only(Deleveraged)
    assert (hit.value_q, hit.gain_q) == (usd("900"), -usd("20"))
    assert (m.wallet(ALICE), m.wallet(BOB)) == (0, usd("1100"))
    assert [(debt.amount_q, debt.stage) for debt in m.all(BadDebtBooked)] == [(usd("20"), "adl")]


@pytest.mark.parametrize(
    ("previous", "distance", "value"),
    [("89", "0.5", "890"), ("96", "0.5", "900"), ("89", "0.01", "888.8"), ("0", "0.5", "880")],
)
def test_the_previous_mark_where_it_was_ruinous_already(
    previous: str, distance: str, value: str
) -> None:
    """At 88 her 100 are used up at 90; without a change of the mark there is no other than it."""
    m = ruined("previous_mark")
    listing = m.exchange.listing(0)
    listing.previous_mark_ticks = px(previous) if previous != "0" else 0
    listing.mark_ticks = px("88")
    (position,) = listing.longs
    price = ADL_PRICES.get("previous_mark")
    assert price.value_q(position, usd("900"), Rate(ppb(distance))) == usd(value)


def test_a_mark_that_recovers_makes_no_deficit_larger() -> None:
    """At 84 she owes 60, at 88 she owes 20. Closed at 84 she would owe 60 still, and Bob would have
    won 40 that others bear."""
    m = ruined("previous_mark")
    listing = m.exchange.listing(0)
    listing.previous_mark_ticks, listing.mark_ticks = px("84"), px("88")
    (position,) = listing.longs
    price = ADL_PRICES.get("previous_mark")
    assert price.value_q(position, usd("900"), Rate(ppb("0.5"))) == usd("880")


def test_at_the_previous_mark_an_account_keeps_the_equity_it_has_left() -> None:
    """At 93 she has 30 of the 46.50 she needs. Closed at 90 the 30 would be Bob's, closed at 96 she
    would win 30 of his."""
    m = ruined("previous_mark", "96", "93")
    hit = m.only(Deleveraged)
    assert (hit.value_q, hit.gain_q) == (usd("930"), 0)
    assert (m.wallet(ALICE), m.wallet(BOB)) == (usd("30"), usd("1070"))


# Marks


def mark_of(method: str, **settings: object) -> MarkPrice:
    return MarkPrice(MarkRule(method=method, **settings))  # type: ignore[arg-type]


def value(mark: MarkPrice, time_s: int, index: int, last: int, bid: int, ask: int, o: int) -> int:
    return mark.value(time_s * SECOND, index, last, 0, 0, 0, bid, ask, o)


AVERAGED = {"params": [("average_ns", 30 * SECOND)], "basis_interval_ns": SECOND}


def test_the_averaged_basis_fades_over_its_time() -> None:
    """The first sample of 100 stands alone; then 30 s of 0 leave exp(-1) of nothing: the first
    counted for no time. A second step of 300 over 30 s: 300 x 30 / (30 e^-1 + 30) = 219.3."""
    mark = mark_of("averaged_basis", **AVERAGED)
    mark.sample(0, 10_100, 10_100, 10_000)
    assert value(mark, 0, 10_000, 0, 0, 0, 0) == 10_100
    mark.sample(30 * SECOND, 10_000, 10_000, 10_000)
    assert value(mark, 30, 10_000, 9_000, 0, 0, 0) == 10_000
    mark.sample(60 * SECOND, 10_300, 10_300, 10_000)
    assert value(mark, 60, 10_000, 9_000, 0, 0, 0) == 10_219


def test_the_averaged_basis_is_nothing_when_a_side_was_empty_for_the_window() -> None:
    mark = mark_of("averaged_basis", basis_samples=60, **AVERAGED)
    mark.sample(0, 10_100, 10_100, 10_000)
    assert value(mark, 60, 10_000, 0, 0, 0, 0) == 10_100
    assert value(mark, 61, 10_000, 0, 0, 0, 0) == 10_000


def three_prices() -> MarkPrice:
    params = [("basis_average_ns", 150 * SECOND), ("book_average_ns", 30 * SECOND)]
    return mark_of("three_prices", params=params, basis_interval_ns=3 * SECOND)


def test_the_three_prices_are_basis_book_and_other_venues() -> None:
    """Basis 10_010, book median(10_040, 10_060, 10_050) = 10_050, others 10_020: 10_020."""
    mark = three_prices()
    mark.sample(0, 10_005, 10_015, 10_000, 10_010)
    assert value(mark, 0, 10_000, 10_050, 10_040, 10_060, 10_020) == 10_020


def test_of_two_prices_the_averaged_book_is_the_third() -> None:
    """Without other venues: basis 10_010, book 10_050 now, 10_010 on average: 10_010."""
    mark = three_prices()
    mark.sample(0, 10_005, 10_015, 10_000, 10_010)
    assert value(mark, 0, 10_000, 10_050, 10_040, 10_060, 0) == 10_010


def test_a_tiny_trade_does_not_move_the_mark_of_three_prices() -> None:
    """Last price far outside the spread is cut to the spread; an empty side leaves the basis and
    the averaged book, of which the mean is taken."""
    mark = three_prices()
    mark.sample(0, 9_995, 10_005, 10_000, 10_000)
    assert value(mark, 1, 10_000, 50_000, 9_995, 10_005, 0) == 10_000
    assert value(mark, 1, 10_000, 50_000, 9_995, 0, 0) == 10_000


def test_averages_are_part_of_the_state() -> None:
    averaged = [mark_of("averaged_basis", **AVERAGED) for _ in range(2)]
    for mark, again in ((three_prices(), three_prices()), averaged):
        for second in range(0, 60, 3):
            mark.sample(second * SECOND, 9_900 + second, 10_200 - second, 10_000, 10_050)
        again.restore(mark.state())
        assert again.state() == mark.state()
        assert value(again, 60, 10_000, 1, 2, 3, 0) == value(mark, 60, 10_000, 1, 2, 3, 0)


def weighs_others() -> Rulebook:
    params = [("basis_average_ns", 150 * SECOND), ("book_average_ns", 30 * SECOND)]
    mark = MarkRule("three_prices", weights=[(101, 3), (102, 1)], params=params)
    return rules(mark=mark, index=IndexRule("weighted", 30 * SECOND))


def other_price(m: Market, source: int, price: str) -> None:
    m.send(IndexPrice(m.now_ns, m.ids["PERP"], source, px(price)))


def test_sources_of_other_venues_move_the_mark_and_not_the_index() -> None:
    """Index and basis 100, then a book of 104 to 106: the others' 103 is the median."""
    m = Market(weighs_others())
    m.index("100")
    m.open(ALICE, deposit="1000")
    first = [m.buy(ALICE, "1", "99"), m.sell(ALICE, "1", "101")]
    m.wait("0.001")
    for order in first:
        m.cancel(ALICE, order)
    m.buy(ALICE, "1", "104")
    m.sell(ALICE, "1", "106")
    other_price(m, 101, "103")
    other_price(m, 102, "90")
    m.wait("0.001")
    listing = m.exchange.listing(0)
    assert listing.index_ticks == px("100")
    assert m.mark() == "103"
    state = risk_state(m.exchange.risk)
    assert risk_state(restore_risk(state)) == state
    m.wait("31")  # the others are stale by now
    assert m.mark() != "103"


def test_a_source_that_lost_its_weight_is_no_part_of_the_mark() -> None:
    m = Market(weighs_others())
    m.index("100")
    other_price(m, 101, "103")
    other_price(m, 102, "104")
    rulebook = weighs_others()
    m.rule(
        msgspec.structs.replace(
            rulebook, mark=msgspec.structs.replace(rulebook.mark, weights=[(102, 1), (103, 1)])
        )
    )
    others = m.exchange.listing(0).others
    assert others is not None
    assert [source for source, _, _ in others.sources()] == [102]


def test_a_source_cannot_report_for_index_and_mark() -> None:
    both = msgspec.structs.replace(
        weighs_others(), index=IndexRule("weighted", 30 * SECOND, weights=[(101, 1)])
    )
    with pytest.raises(SettingFault, match=r"mark.weights: source 101 is one of the index"):
        check_rulebook(both)
    plain = rules(mark=MarkRule("index", weights=[(101, 1)]))
    with pytest.raises(SettingFault, match=r"mark.method 'index' does not weigh"):
        check_rulebook(plain)


# Indices


def index_of(rule: IndexRule, prices: Sequence[int]) -> int:
    index = Index(rule)
    for source, price in enumerate(prices, 1):
        index.update(source, price, 0)
    return index.value(0)


CLAMPED = IndexRule("clamped_average", params=[("bound_ppb", ppb("0.005"))])
AVERAGE = IndexRule(
    "weighted_average", weights=[(1, 5), (2, 3), (3, 2)], params=[("stray_ppb", ppb("0.05"))]
)


@pytest.mark.parametrize(
    ("rule", "prices", "index"),
    [
        (CLAMPED, [10_000], 10_000),
        (CLAMPED, [10_000, 10_011], 10_005),
        (CLAMPED, [10_000, 10_000, 10_049], 10_016),  # within the bound: 30_049 / 3
        (CLAMPED, [10_000, 10_000, 20_000], 10_016),  # counts as 10_050
        (CLAMPED, [10_000, 10_000, 1], 9_983),  # counts as 9_950
        (AVERAGE, [10_000, 10_100, 9_400], 10_037),  # 9_400 is 6 % off: 80_300 / 8
        (AVERAGE, [10_000, 10_100, 9_500], 9_930),  # 5 % is not beyond: 99_300 / 10
        (AVERAGE, [10_000, 11_000, 9_000], 10_000),  # two are stray: the median
        (AVERAGE, [10_000, 11_500], 10_750),  # both are stray: the median of two
    ],
)
def test_the_index_of_several_sources(rule: IndexRule, prices: list[int], index: int) -> None:
    assert index_of(rule, prices) == index


# Funding


def test_funding_is_paid_on_the_value_at_the_index() -> None:
    """Mark 101, index 100, 10 contracts, 1 %: 10.00 and not 10.10."""
    for paid_on, paid in (("index", "10"), ("mark", "10.1")):
        funding = FundingRule(
            interval_ns=3_600 * SECOND,
            interest_ppb=ppb("0.01"),
            clamp_ppb=ppb("0.01"),
            paid_on=paid_on,
        )
        m = Market(rules(funding=funding, mark=MarkRule("last"), liquidation=NEVER))
        m.open(ALICE, deposit="1000")
        m.open(BOB, deposit="1000")
        m.index("100")
        m.trade(ALICE, BOB, "10", "101")
        m.wait("1")
        assert m.mark() == "101"
        m.wait("3600")
        settled = m.last(FundingSettled)
        assert (settled.rate_ppb, settled.paid_q) == (ppb("0.01"), usd(paid))
        assert settled.mark_ticks == px("100" if paid_on == "index" else "101")


NEVER = LiquidationRule(stages=["socialise"])


def test_later_samples_may_weigh_more() -> None:
    """1, 2 and 3 % count once, twice and three times: 14 / 6 = 2.33 %."""
    rule = FundingRule(interval_ns=SECOND, sample_interval_ns=1, averaging="rising")
    window = PremiumWindow(rule)
    for time_ns, bid in enumerate((101, 102, 103)):
        window.sample(time_ns, bid, bid, 100)
    assert window.mean_ppb() == 23_333_333
    plain = PremiumWindow(msgspec.structs.replace(rule, averaging="plain"))
    plain.take_over(window)  # sums that were weighed mean nothing to it
    assert plain.mean_ppb() == 0
    assert plain.settle() == 0


def test_what_only_some_rules_have_is_left_out_of_the_others_form() -> None:
    text = rules().to_json()
    for key in ("paid_on", "averaging", 'weights":[[', "params"):
        assert key not in text
    book = weighs_others()
    assert rulebook_from_json(book.to_json()) == book
    assert size("1") == 100


# Fees


def test_a_contract_has_fees_of_its_own() -> None:
    """OTHER pays 1 % and 2 % where all others pay nothing."""
    own = SymbolFeeRule(["OTHER"], ppb("0.01"), ppb("0.02"), ppb("0.05"))
    fees = FeeRule(contracts=[own])
    m = Market(rules(fees=fees, liquidation=LiquidationRule(stages=["close", "socialise"])))
    m.add("OTHER", margin=flat("0.05", 10))
    for symbol in ("PERP", "OTHER"):
        m.index("100", symbol)
    m.open(ALICE, BOB, deposit="1000")
    m.trade(ALICE, BOB, "10", "100")
    assert (m.wallet(ALICE), m.wallet(BOB)) == (usd("1000"), usd("1000"))
    m.trade(ALICE, BOB, "10", "100", symbol="OTHER")
    assert (m.wallet(ALICE), m.wallet(BOB)) == (usd("980"), usd("990"))
    assert m.exchange.listing(1).fees.held.ppb == ppb("0.02")


@pytest.mark.parametrize(
    ("contracts", "fault"),
    [
        ([SymbolFeeRule(["A"], -2, 1, 0)], r"fees.contracts\[1\].maker: the rebate"),
        ([SymbolFeeRule(["A"], 0, 0, 0)] * 2, r"fees.contracts\[2\].symbols: 'A' has fees"),
    ],
)
def test_fees_of_contracts_are_checked(contracts: list[SymbolFeeRule], fault: str) -> None:
    with pytest.raises(SettingFault, match=fault):
        check_rulebook(rules(fees=FeeRule(contracts=contracts)))


# Borrowing


BORROW = BorrowRule(ppb("0.001"), ppb("0.002"), 4 * 3_600 * SECOND)


def borrowing() -> Market:
    """Alice is long 10 at 100 against Bob from second 10 on; 0.1 % and 0.2 %, every 4 h."""
    m = Market(rules(borrow=BORROW))
    m.open(ALICE, BOB, deposit="1000")
    m.index("100")
    m.wait("10")
    m.trade(ALICE, BOB, "10", "100")
    return m


def test_an_opening_costs_its_share_and_every_period_after_it_again() -> None:
    """1.00 and 2.00 at once; after 4 h the long pays on its opening value, the short on the mark of
    110: 1.00 and 2.20."""
    m = borrowing()
    assert (m.wallet(ALICE), m.wallet(BOB)) == (usd("999"), usd("998"))
    m.index("110")
    m.wait("14399")
    assert not m.all(BorrowFeePaid)
    m.wait("1")
    assert [event.amount_q for event in m.all(BorrowFeePaid)] == [usd("1"), usd("2.2")]
    assert (m.wallet(ALICE), m.wallet(BOB)) == (usd("998"), usd("995.8"))


def test_a_step_over_several_periods_pays_for_each() -> None:
    m = borrowing()
    m.wait("43200")
    assert m.wallet(ALICE) == usd("996")


def test_a_close_borrows_nothing_and_a_turn_only_what_is_beyond() -> None:
    """Alice sells 4 for nothing, then 10 of which 4 open a short of 400: 0.80."""
    m = borrowing()
    m.trade(BOB, ALICE, "4", "100")
    assert m.wallet(ALICE) == usd("999")
    m.trade(BOB, ALICE, "10", "100")
    assert m.wallet(ALICE) == usd("998.2")


def test_an_order_holds_what_its_opening_borrows() -> None:
    """10 at 100 with 10x need 100 of margin and, at the dearer rate, 2 of fees."""
    m = Market(rules(borrow=BORROW))
    m.index("100")
    m.open(ALICE, deposit="101.99")
    m.open(BOB, deposit="102")
    for trader in (ALICE, BOB):
        m.leverage(trader, 10)
    m.buy(ALICE, "10", "100")
    assert m.refusal().required_q == usd("102")
    assert m.accepted(m.buy(BOB, "10", "100"))


def test_a_rollover_takes_no_more_than_there_is() -> None:
    """A fee of 1 meets an equity of 0.5."""
    m = Market(
        rules(borrow=BORROW, liquidation=LiquidationRule(stages=["socialise"])), listed=False
    )
    m.add("PERP", margin=flat("0.0004", 1_000))
    m.index("100")
    m.wait("1")
    m.open(ALICE, deposit="3")
    m.open(BOB, deposit="1000")
    m.leverage(ALICE, 1_000)
    m.trade(ALICE, BOB, "10", "100")
    m.index("99.85")
    m.wait("14400")
    paid = {event.margin_account_id: event.amount_q for event in m.all(BorrowFeePaid)}
    assert paid[m.pot(ALICE).margin_account_id] == usd("0.5")


def test_rules_that_begin_to_charge_forget_what_was_before() -> None:
    m = Market(rules())
    m.open(ALICE, BOB, deposit="1000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.wait("100000")
    m.rule(rules(borrow=BORROW))
    m.wait("1")
    assert not m.all(BorrowFeePaid)
    state = risk_state(m.exchange.risk)
    assert risk_state(restore_risk(state)) == state


# Impact prices


def premium_of(funding: FundingRule, *orders: tuple[str, str]) -> int:
    """Premium sampled over a book of bids above an index of 100."""
    m = Market(rules(funding=funding), listed=False)
    m.add("PERP", margin=flat("0.01", 20))
    m.index("100")
    m.open(ALICE, deposit="100000")
    for qty, price in orders:
        m.buy(ALICE, qty, price)
    m.wait("5")
    return m.exchange.listing(0).premium.mean_ppb()


HOURLY = FundingRule(interval_ns=3_600 * SECOND)


def sized(**settings: object) -> FundingRule:
    return msgspec.structs.replace(HOURLY, **settings)  # type: ignore[arg-type]


def test_the_premium_is_that_of_a_standard_size() -> None:
    """1 at 110 and 20 at 101: an order of 1,000 sells 1 for 110 and 890 at 101, 9.81 in all, at
    101.917 on average. With best prices the premium is 10 %."""
    book = (("1", "110"), ("20", "101"))
    assert premium_of(HOURLY, *book) == ppb("0.1")
    assert premium_of(sized(impact_notional=1_000), *book) == 19_172_552
    # 50 times the highest leverage is 1,000 too, and so is the contract's own.
    assert premium_of(sized(impact_margin=50), *book) == 19_172_552
    own = [ImpactRule(["PERP"], 1_000)]
    assert premium_of(sized(impact_notional=7, contracts=own), *book) == 19_172_552


def test_a_tiny_order_makes_no_premium() -> None:
    """The book has 1.10 where 1,000 are asked for: the side adds nothing."""
    assert premium_of(HOURLY, ("0.01", "110")) == ppb("0.1")
    assert premium_of(sized(impact_notional=1_000), ("0.01", "110")) == 0


@pytest.mark.parametrize(
    ("asset", "inverse", "amount"),
    [("USD", False, 1_000 * 100 * 100), ("BTC", True, 1_000 // 10)],
)
def test_the_size_in_the_units_of_the_book(asset: str, inverse: bool, amount: int) -> None:
    """Ticks of 0.01 and lots of 0.01 of one contract; or lots of a contract of 10 dollars."""
    m = Market(rules(funding=sized(impact_notional=1_000)), listed=False)
    multiplier = "10" if inverse else "1"
    lot = "1" if inverse else "0.01"
    m.add("PERP", asset=asset, inverse=inverse, multiplier=multiplier, lot=lot)
    assert m.exchange.listing(0).impact_amount == amount


def test_impact_prices_that_come_late_are_taken_once_in_an_interval() -> None:
    """The answer is under way for longer than it takes until the next is due: at 5 and 10 s the
    book is asked, at 14 and 19 s risk hears what it said."""
    m = Market(
        rules(funding=sized(impact_notional=1_000)),
        latency=Latency(matching_to_risk_ns=9 * SECOND),
        listed=False,
    )
    m.add("PERP", margin=flat("0.01", 20))
    m.index("100")
    m.open(ALICE, deposit="100000")
    m.buy(ALICE, "20", "101")
    for _ in range(4):
        m.wait("5")
    _, count, sampled_ns = m.exchange.listing(0).premium.state()
    assert (count, sampled_ns) == (2, 19 * SECOND)


def test_impact_sizes_are_checked() -> None:
    with pytest.raises(SettingFault, match=r"funding.impact_margin: has no effect beside"):
        check_rulebook(rules(funding=sized(impact_notional=1, impact_margin=1)))
    with pytest.raises(SettingFault, match=r"funding.contracts\[1\].notional: -1 is out of range"):
        check_rulebook(rules(funding=sized(contracts=[ImpactRule(["A"], -1)])))


# Allowances


def test_no_order_leads_beyond_what_a_position_may_borrow() -> None:
    """A long of 1,000 at most, a short of 5 coins; closing is always allowed."""
    borrow = BorrowRule(allowance=1_000, contracts=[CoinRule(["PERP"], 5)])
    m = Market(rules(borrow=borrow))
    m.index("100")
    m.open(ALICE, BOB, deposit="10000")
    m.buy(ALICE, "10.01", "100")
    assert m.refusal().reason == Reason.NOTIONAL_ABOVE_MAXIMUM
    assert m.accepted(m.buy(ALICE, "6", "100"))
    m.buy(ALICE, "4.01", "100")  # with the first order it would be 10.01
    assert m.refusal().reason == Reason.NOTIONAL_ABOVE_MAXIMUM
    m.sell(BOB, "5.01", "101")
    assert m.refusal().reason == Reason.NOTIONAL_ABOVE_MAXIMUM
    assert m.accepted(m.sell(BOB, "5", "101"))
    m.rule(rules())
    assert m.accepted(m.buy(ALICE, "20", "100"))


def test_an_allowance_may_be_any_number_of_lots() -> None:
    """More of them than a decimal has digits."""
    m = Market(listed=False)
    m.add("PERP", tick="1000000", lot="0.000000000001")
    m.rule(rules(borrow=BorrowRule(contracts=[CoinRule(["PERP"], 10**18)])))
    assert m.exchange.listing(0).allowance.short_lots == 10**30


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        (
            {"borrow": BorrowRule(contracts=[CoinRule(["A", "B"], 1), CoinRule(["B"], 2)])},
            r"borrow.contracts\[2\].symbols: 'B' has a limit of its own already",
        ),
        (
            {"funding": FundingRule(contracts=[ImpactRule(["A", "A"], 1)])},
            r"funding.contracts\[1\].symbols: 'A' has a notional of its own already",
        ),
    ],
)
def test_a_contract_has_one_rule_of_its_own(parts: dict[str, object], problem: str) -> None:
    with pytest.raises(SettingFault, match=problem):
        check_rulebook(rules(**parts))


def test_allowances_are_checked() -> None:
    with pytest.raises(SettingFault, match=r"borrow.allowance: -1 is out of range"):
        check_rulebook(rules(borrow=BorrowRule(allowance=-1)))
