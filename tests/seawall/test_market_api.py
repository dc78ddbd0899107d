"""The notebook's market: decimals in and out, refusals with figures, time that passes."""

import copy
import doctest
import pickle
from collections.abc import Callable

import pytest

import seawall
from engine.commands import FOK, IOC, CancelAll, SetPositionMode
from engine.events import (
    FundingSettled,
    LiquidationEnded,
    MarginCallEnded,
    MarginCallIssued,
    MarkUpdated,
    OrderClosed,
    Trade,
)
from engine.reasons import Reason
from engine.units import SECOND_NS
from risk.accounts import FIRST_TRADER
from seawall import Market, Rejected


def long_market(deposit: str = "105", isolated: bool = False) -> tuple[Market, int, int]:
    """A trader long ten contracts at 100 with 10x, the maker short; both paid their fees."""
    market = Market(price="100", fund="10000", band="0.2")
    maker = market.open_account(deposit="100000")
    trader = market.open_account(deposit=deposit, leverage=10, isolated=isolated)
    market.sell(maker, "10", price="100")
    market.buy(trader, "10", price="100")
    return market, maker, trader


def test_everything_promised_is_there() -> None:
    for name in seawall.__all__:
        assert hasattr(seawall, name)


def test_the_example_in_the_module_is_true() -> None:
    found = doctest.testmod(seawall.market)
    assert found.attempted > 0 == found.failed


def test_an_account_is_seen_in_decimals() -> None:
    market, _, trader = long_market()
    account = market.account(trader)
    assert account.wallet == "104.5"  # less the taker's fee, 0.05 % of 1,000
    assert account.equity == "104.5"
    assert account.initial_margin == "100"
    assert account.maintenance_margin == "20"
    assert account.free == "4.5"
    assert account.withdrawable == "4.5"
    assert account.margin_ratio == "0.1045"
    assert account.level == "healthy"


def test_a_position_is_seen_in_decimals() -> None:
    market, maker, trader = long_market()
    market.set_index("102")
    market.tick()
    position = market.position(trader)
    assert position is not None
    assert position.qty == "10"
    # With an empty book the last price and the empty basis leave the mark at the index.
    assert position.mark_price == market.mark == "102"
    assert position.unrealised == "20"
    assert position.adl_rank == 1
    short = market.position(maker)
    assert short is not None
    assert (short.qty, short.unrealised, short.adl_rank) == ("-10", "-20", 0)


def test_an_empty_account_is_all_zero_and_a_strange_one_an_error() -> None:
    market = Market()
    account = market.open_account()
    assert market.account(account).equity == "0"
    assert market.account(account).margin_ratio is None
    assert market.position(account) is None
    assert market.isolated(account) is None
    for look in (market.account, market.position, market.isolated):
        with pytest.raises(KeyError):
            look(account + 1)


def test_a_refusal_gives_number_reason_and_figures_in_decimals() -> None:
    market = Market()
    poor = market.open_account(deposit="10", leverage=1)
    with pytest.raises(Rejected) as refusal:
        market.buy(poor, "1", price="50.5")
    assert refusal.value.reason is Reason.INSUFFICIENT_MARGIN
    assert str(refusal.value) == "200 insufficient margin; required 100.02525, there is 10"


@pytest.mark.parametrize(
    ("qty", "price", "reason"),
    [
        ("0", "100", Reason.QTY_NOT_POSITIVE),
        ("-1", "100", Reason.QTY_NOT_POSITIVE),
        ("1", "0", Reason.PRICE_NOT_POSITIVE),
        ("1", "-5", Reason.PRICE_NOT_POSITIVE),
        ("1", "200", Reason.PRICE_OUTSIDE_BAND),
        ("100000000000", "100", Reason.NUMBER_TOO_LARGE),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(qty: str, price: str, reason: Reason) -> None:
    market = Market()
    account = market.open_account(deposit="1000000")
    with pytest.raises(Rejected) as refusal:
        market.buy(account, qty, price=price)
    assert refusal.value.reason is reason
    assert market.depth() == {"bids": [], "asks": []}


@pytest.mark.parametrize(
    ("qty", "price", "problem"),
    [
        ("1.001", "100", "qty: 1.001 is not a multiple of 0.01"),
        ("1", "100.001", "price: 100.001 is not a multiple of 0.01"),
        ("many", "100", "qty: 'many' is not a decimal number"),
    ],
)
def test_a_figure_off_its_grid_does_not_reach_the_exchange(
    qty: str, price: str, problem: str
) -> None:
    market = Market()
    account = market.open_account(deposit="1000")
    seen = len(market.events)
    with pytest.raises(ValueError, match=problem):
        market.buy(account, qty, price=price)
    assert len(market.events) == seen


@pytest.mark.parametrize(
    ("deposit", "leverage", "problem"),
    [
        ("1000", 21, "leverage 21: allowed are whole numbers from 1 to 20"),
        ("1000", 0, "leverage 0: allowed are whole numbers from 1 to 20"),
        ("1000", 2.5, "leverage 2.5: allowed are whole numbers from 1 to 20"),
        ("-1", 10, "deposit -1 is negative"),
        ("0.0000001", 10, "deposit: .* is not a multiple of 0.000001"),
    ],
)
def test_no_account_is_opened_with_a_deposit_or_leverage_that_is_refused(
    deposit: str, leverage: int, problem: str
) -> None:
    market = Market()
    seen = len(market.events)
    with pytest.raises(ValueError, match=problem):
        market.open_account(deposit=deposit, leverage=leverage)
    assert len(market.events) == seen
    account = market.open_account(deposit="1000", leverage=20)
    assert account == FIRST_TRADER
    assert market.account(account).wallet == "1000"


def test_an_unknown_order_field_is_refused() -> None:
    market = Market()
    account = market.open_account(deposit="1000")
    with pytest.raises(TypeError):
        market.buy(account, "1", price="100", tfi=IOC)  # type: ignore[call-arg]


def test_orders_rest_trade_and_cancel() -> None:
    market = Market()
    one = market.open_account(deposit="1000")
    two = market.open_account(deposit="1000")
    order = market.buy(one, "2", price="99")
    market.buy(one, "1", price="98", post_only=True)
    assert market.depth()["bids"] == [("99", "2"), ("98", "1")]
    market.sell(two, "0.5")
    assert market.depth(1)["bids"] == [("99", "1.5")]
    market.cancel(one, order)
    assert market.depth()["bids"] == [("98", "1")]
    market.send(CancelAll(market.time_ns, one))
    assert market.depth()["bids"] == []
    with pytest.raises(Rejected, match="103 unknown order"):
        market.cancel(one, order)


def test_fill_or_kill_fills_nothing_when_the_book_is_too_thin() -> None:
    market = Market()
    one = market.open_account(deposit="1000")
    two = market.open_account(deposit="1000")
    market.sell(one, "1", price="100")
    market.buy(two, "2", price="100", tif=FOK)
    assert market.position(two) is None
    closed = [event for event in market.events if isinstance(event, OrderClosed)]
    assert closed[-1].reason == Reason.FOK_NOT_FILLABLE


def test_money_comes_and_goes() -> None:
    market, _, trader = long_market()
    market.deposit(trader, "20.5")
    assert market.account(trader).wallet == "125"
    market.withdraw(trader, "25")
    with pytest.raises(Rejected, match=r"201 .*required 0.000001, there is 0"):
        market.withdraw(trader, "0.000001")


def test_an_isolated_position_has_a_pot_of_its_own() -> None:
    market, _, trader = long_market(deposit="300", isolated=True)
    pot = market.isolated(trader)
    assert pot is not None
    before = market.position(trader)
    market.add_margin(trader, "50")
    after = market.position(trader)
    richer = market.isolated(trader)
    assert before is not None and after is not None and richer is not None
    assert float(richer.wallet) == float(pot.wallet) + 50
    assert float(after.liquidation_price or 0) < float(before.liquidation_price or 0)
    market.add_margin(trader, "-50")
    assert market.isolated(trader) == pot


def test_a_falling_index_calls_and_the_deposit_cures() -> None:
    market, _, trader = long_market()
    events = market.set_index("92.3") + market.tick()
    (call,) = [event for event in events if isinstance(event, MarginCallIssued)]
    assert market.account(trader).level == "margin call"
    market.tick(20)
    events = market.deposit(trader, str(call.amount_q * market.asset.quantum))
    (ended,) = [event for event in events if isinstance(event, MarginCallEnded)]
    assert (ended.outcome, ended.open_ns) == ("cured", 21_000_000_000)


def test_a_call_nobody_answers_expires_into_a_liquidation() -> None:
    market, maker, _ = long_market()
    market.set_index("92.3")
    market.buy(maker, "20", price="92.2")
    assert not [event for event in market.tick(59) if isinstance(event, MarginCallEnded)]
    events = market.tick(1)
    (ended,) = [event for event in events if isinstance(event, MarginCallEnded)]
    assert ended.outcome == "expired"
    assert [event for event in events if isinstance(event, LiquidationEnded)]
    assert [event for event in events if isinstance(event, Trade) and event.liquidation]


def test_the_index_stays_fresh_while_time_passes() -> None:
    market, _, _ = long_market()
    market.set_index("95")
    market.tick(3_600)
    assert market.exchange.index_ticks(0) == 9_500
    assert market.mark == "95"


def test_a_refused_price_or_time_leaves_the_market_as_it_was() -> None:
    market = Market(rulebook="teaching-default", price="100")
    market.tick(5)
    with pytest.raises(Rejected):
        market.set_index("0")
    with pytest.raises(Rejected):
        market.tick("-1")
    assert market.time_ns == 5 * SECOND_NS
    (mark,) = market.tick()
    assert isinstance(mark, MarkUpdated)
    assert (mark.time_ns, mark.index_ticks) == (6 * SECOND_NS, 10_000)


def test_funding_is_settled_every_eight_hours() -> None:
    market, _, _ = long_market(deposit="500")
    # Two hours at a time, so that no settlement is jumped over.
    events = [event for _ in range(13) for event in market.tick(7_200)]
    settled = [event for event in events if isinstance(event, FundingSettled)]
    assert len(settled) == 3
    # Without a premium the rate is the interest, 0.01 %, on 1,000 of notional.
    assert {(event.rate_ppb, event.paid_q) for event in settled} == {(100_000, 100_000)}


def test_the_events_are_a_frame() -> None:
    market, _, _ = long_market()
    frame = market.events_frame()
    assert len(frame) == len(market.events)
    trades = frame.filter(frame["type"] == "Trade")
    assert trades.select("price_ticks", "qty_lots").rows() == [(10_000, 1_000)]


def test_an_inverse_market_settles_in_coin() -> None:
    market = Market(
        rulebook="binance-coinm",
        price="50000",
        inverse=True,
        multiplier="100",
        lot="1",
        tick="0.1",
        asset="BTC",
        decimals=8,
    )
    maker = market.open_account(deposit="10")
    trader = market.open_account(deposit="0.01", leverage=10)
    market.sell(maker, "10", price="50000")
    market.buy(trader, "10", price="50000")
    account = market.account(trader)
    assert account.initial_margin == "0.002"  # 1,000 of quote at 50,000 and 10x
    assert set(market.exchange.residues_q().values()) == {0}


def test_a_market_with_impossible_figures_is_refused() -> None:
    with pytest.raises(ValueError, match="rulebook 'nowhere' is unknown"):
        Market(rulebook="nowhere")
    with pytest.raises(ValueError, match="not a whole number of quanta"):
        Market(decimals=2, tick="0.01", lot="0.01")
    with pytest.raises(ValueError, match=r"price: 100\.005 is not a multiple"):
        Market(price="100.005")


# copies


def lived_in_market() -> Market:
    """A market with a position, resting orders, refusals, a funding interval begun and a call."""
    market, maker, trader = long_market("150")
    market.sell(maker, "3", price="101")
    market.buy(trader, "1", price="90", reduce_only=False, tif="gtc", stp="decrement")
    with pytest.raises(Rejected):
        market.withdraw(trader, "1000")
    with pytest.raises(ValueError, match="qty"):
        market.buy(trader, "1.001", price="90")
    market.tick("7")
    market.set_index("95")
    market.exchange.send(CancelAll(market.time_ns, 999))
    return market


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda market: pickle.loads(pickle.dumps(market))]
)
def test_a_copy_is_the_same_market_and_goes_its_own_way(
    copied: Callable[[Market], Market],
) -> None:
    market = lived_in_market()
    state, said = market.exchange.state_hash(), list(market.events)
    twin = copied(market)
    assert twin.exchange.state_hash() == state
    assert twin.events == said
    assert twin.events_frame().equals(market.events_frame())
    assert (twin.mark, twin.time_ns) == (market.mark, market.time_ns)
    for account in (FIRST_TRADER, FIRST_TRADER + 1):
        assert twin.account(account) == market.account(account)
        assert twin.position(account) == market.position(account)
    # The same happens to both, under the same ids; then only to one.
    for each in (market, twin):
        assert each.open_account("100") == FIRST_TRADER + 2
        each.buy(FIRST_TRADER + 2, "1", price="94")
        each.tick()
    assert twin.exchange.state_hash() == market.exchange.state_hash()
    state = market.exchange.state_hash()
    twin.set_index("80")
    twin.tick("60")
    assert market.exchange.state_hash() == state != twin.exchange.state_hash()
    assert market.mark != twin.mark
    assert copied(twin).exchange.state_hash() == twin.exchange.state_hash()


def test_a_market_driven_past_itself_says_that_it_cannot_be_copied() -> None:
    market = Market()
    market.exchange.before_command = None
    market.open_account("5")
    with pytest.raises(ValueError, match="cannot be copied"):
        copy.copy(market)


def test_a_refusal_pickles() -> None:
    market = Market()
    trader = market.open_account("5")
    with pytest.raises(Rejected) as refused:
        market.withdraw(trader, "6")
    again = pickle.loads(pickle.dumps(refused.value))
    assert (str(again), again.reason) == (str(refused.value), refused.value.reason)
    assert again.event == refused.value.event


# flags of an order


@pytest.mark.parametrize("tif", ["IOC", "ioc", IOC])
def test_what_does_not_fill_at_once_is_dropped(tif: str | int) -> None:
    market, _, trader = long_market()
    order = market.sell(trader, "1", price="100", tif=tif)
    assert order not in market.exchange.account_report(trader).open_order_ids


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"tif": "GTD"}, "tif 'GTD': allowed are 'GTC', 'IOC', 'FOK'"),
        ({"tif": 7}, "tif 7: allowed are 'GTC', 'IOC', 'FOK'"),
        ({"tif": None}, "tif None: allowed are"),
        ({"tif": True}, "tif True: allowed are"),
        ({"tif": 1.0}, "tif 1.0: allowed are"),
        ({"stp": "both"}, "stp 'both': allowed are 'CANCEL_NEWEST', .*'DECREMENT'"),
        ({"leg": "up"}, "leg 'up': allowed are 'NET', 'LONG', 'SHORT'"),
        ({"post_only": "yes"}, "post_only 'yes': allowed are True and False"),
        ({"reduce_only": 1}, "reduce_only 1: allowed are True and False"),
    ],
)
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_flag_that_is_none_says_what_is_allowed(
    side: str, flags: dict[str, object], message: str
) -> None:
    market, maker, _ = long_market()
    before = (market.exchange.commands, market.exchange.last_order_id)
    with pytest.raises(ValueError, match=message):
        getattr(market, side)(maker, "1", price="100", **flags)
    assert (market.exchange.commands, market.exchange.last_order_id) == before


@pytest.mark.parametrize(
    ("stp", "resting"), [("cancel_newest", 1), ("cancel-oldest", 1), ("Cancel Both", 0)]
)
def test_self_trade_prevention_goes_by_name(stp: str, resting: int) -> None:
    market = Market()
    trader = market.open_account("1000")
    market.sell(trader, "1", price="100")
    market.buy(trader, "1", price="100", stp=stp)
    assert len(market.exchange.account_report(trader).open_order_ids) == resting


def test_a_leg_goes_by_name() -> None:
    market = Market()
    maker, trader = market.open_account("100000"), market.open_account("1000")
    market.send(SetPositionMode(0, trader, True))
    market.sell(maker, "1", price="100")
    market.buy(trader, "1", price="100", leg="long")
    with pytest.raises(Rejected, match="leg"):
        market.buy(trader, "1", price="100")


def test_an_order_is_amended() -> None:
    market = Market()
    trader = market.open_account("1000")
    order = market.buy(trader, "2", price="99")
    market.amend(trader, order, "1", "98")
    assert market.depth()["bids"] == [("98", "1")]


# orders of others


@pytest.mark.parametrize("exists", [True, False])
def test_a_strangers_order_is_unknown(exists: bool) -> None:
    """No order and another's order are answered alike, word for word."""
    market = Market()
    owner, stranger = market.open_account("1000"), market.open_account("1000")
    order = market.buy(owner, "1", price="99") if exists else 77
    for act in (
        lambda: market.cancel(stranger, order),
        lambda: market.amend(stranger, order, "1", "98"),
    ):
        with pytest.raises(Rejected) as refused:
            act()
        assert refused.value.reason == Reason.UNKNOWN_ORDER
        assert (refused.value.event.order_id, refused.value.event.detail) == (order, "")
    assert len(market.exchange.account_report(owner).open_order_ids) == int(exists)


@pytest.mark.parametrize("seconds", ["1e50", 10**10, "9214646401"])
def test_time_has_an_end(seconds: str | int) -> None:
    market = Market()
    with pytest.raises(ValueError, match=r"time may go to 9214646400 s"):
        market.tick(seconds)
    assert market.time_ns == 0
    market.tick("9214646400")
    assert market.events_frame()["time_ns"].max() == market.time_ns
