"""The notebook's market with several contracts, modes and assets; calls and events in decimals."""

import copy
from decimal import Decimal

import polars as pl
import pytest

from engine.commands import BY_MARK
from engine.reasons import Reason
from seawall import Market, Rejected
from seawall.market.event_decimals import frame_of

OTHER = "SURF-PERP"


def two_contracts() -> tuple[Market, int, int]:
    """Two contracts at 100 and 50, quoted by a maker; a trader without positions."""
    market = Market(price="100", fund="10000")
    market.add_contract(OTHER, "50", tick="0.5", lot="0.1")
    maker, trader = market.open_account("1000000"), market.open_account("1000", leverage=10)
    market.sell(maker, "100", "100")
    market.sell(maker, "100", "50", contract=OTHER)
    return market, maker, trader


# several contracts


def test_one_account_holds_positions_in_two_contracts() -> None:
    market, _, trader = two_contracts()
    market.buy(trader, "2", "100")
    market.buy(trader, "3.5", "50", contract=OTHER)
    assert [(each.contract, each.qty) for each in market.positions(trader)] == [
        ("WAVE-PERP", "2"),
        (OTHER, "3.5"),
    ]
    first, other = market.position(trader), market.position(trader, OTHER)
    assert first is not None and other is not None
    assert (first.qty, other.qty, other.entry_price) == ("2", "3.5", "50")
    assert other.mark_price == market.contract(OTHER).mark == "50"


def test_each_contract_has_prices_of_its_own() -> None:
    market, _, _ = two_contracts()
    market.set_index("49", contract=OTHER)
    assert (market.mark, market.contract().index, market.contract(OTHER).index) == (
        "100",
        "100",
        "49",
    )
    marked = market.history("MarkUpdated").height
    market.set_prices({"WAVE-PERP": "98", OTHER: "48.5"})
    assert market.history("MarkUpdated").height == marked + 2
    assert [market.contract(name).mark for name in (None, OTHER)] == ["98", "48.5"]
    market.tick(3_600)
    assert [market.exchange.index_ticks(number) for number in (0, 1)] == [9_800, 97]


def test_cross_positions_share_a_pot_and_isolated_ones_do_not() -> None:
    market, maker, cross = two_contracts()
    market.sell(maker, "100", "100")
    apart = market.open_account("1000", leverage=10)
    market.set_isolated(apart)
    for trader in (cross, apart):
        market.buy(trader, "10", "100")
        market.buy(trader, "2", "50", contract=OTHER)
    market.set_index("91")
    over = market.history("LiquidationEnded")
    assert over.select("account", "isolated", "outcome").rows() == [(apart, True, "taken over")]
    assert [each.contract for each in market.positions(cross)] == ["WAVE-PERP", OTHER]
    assert [each.contract for each in market.positions(apart)] == [OTHER]
    assert (market.account(cross).level, market.account(apart).level) == ("healthy", "healthy")


def test_margin_moves_into_the_isolated_pot_of_the_contract_named() -> None:
    market, _, trader = two_contracts()
    market.set_isolated(trader, contract=OTHER)
    market.buy(trader, "2", "50", contract=OTHER)
    before = market.isolated(trader, OTHER)
    market.add_margin(trader, Decimal("12.5"), contract=OTHER)
    after = market.isolated(trader, OTHER)
    assert before is not None and after is not None
    assert Decimal(after.wallet) - Decimal(before.wallet) == Decimal("12.5")


def test_leverage_belongs_to_a_contract() -> None:
    market, _, trader = two_contracts()
    market.set_leverage(trader, 4, contract=OTHER)
    market.buy(trader, "1", "100")
    market.buy(trader, "1", "50", contract=OTHER)
    assert [each.leverage for each in market.positions(trader)] == [10, 4]
    with pytest.raises(ValueError, match="leverage True: allowed are whole numbers from 1 to 20"):
        market.set_leverage(trader, True)


def test_a_hedge_has_two_legs() -> None:
    market, maker, trader = two_contracts()
    market.set_hedge(trader)
    market.buy(maker, "5", "99")
    market.buy(trader, "1", "100", leg="long")
    market.sell(trader, "1", "99", leg="short")
    short, long = market.position(trader, leg="short"), market.position(trader, leg="long")
    assert short is not None and long is not None
    assert (short.qty, long.qty, short.leg) == ("-1", "1", "short")
    with pytest.raises(ValueError, match="two legs in WAVE-PERP: name long or short"):
        market.position(trader)


def test_orders_are_cancelled_in_one_contract_or_in_all() -> None:
    market, maker, _ = two_contracts()
    market.cancel_all(maker, contract=OTHER)
    assert (market.depth()["asks"], market.depth(contract=OTHER)["asks"]) == ([("100", "100")], [])
    market.cancel_all(maker)
    assert market.depth()["asks"] == []


def test_an_order_is_amended_on_the_grid_of_its_contract() -> None:
    market, maker, _ = two_contracts()
    order = market.sell(maker, "1", "51", contract=OTHER)
    market.amend(maker, order, "0.5", "51.5")
    assert market.depth(contract=OTHER)["asks"] == [("50", "100"), ("51.5", "0.5")]
    with pytest.raises(ValueError, match=r"price: 51\.25 is not a multiple of 0\.5"):
        market.amend(maker, order, "0.5", "51.25")


@pytest.mark.parametrize(
    ("symbol", "price", "problem"),
    [
        ("WAVE-PERP", "100", "symbol 'WAVE-PERP': must be a name that nothing else here has"),
        ("USDT", "100", "symbol 'USDT': must be"),
        ("", "100", "symbol '': must be"),
        ("FOAM", "0", "price: 0 must be above 0"),
        ("FOAM", "1.001", "price: 1.001 is not a multiple of 0.01"),
        ("FOAM", "1e30", "price: 1e30 must be above 0 and at most"),
        (5, "1", "symbol 5: must be a string"),
    ],
)
def test_a_contract_that_cannot_be_is_not_listed(symbol: object, price: str, problem: str) -> None:
    market = Market()
    said = len(market.events)
    with pytest.raises(ValueError, match=problem):
        market.add_contract(symbol, price)  # type: ignore[arg-type]
    assert len(market.events) == said


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"decimals": 30}, "112 invalid field .decimals 30: allowed are 0 to 12"),
        ({"decimals": "8"}, "decimals '8': must be a whole number"),
        ({"price": "0"}, "price of X: 0 must be above 0"),
        ({"price": 0.5}, "price of X: 0.5 is a float"),
        ({"price": "5"}, r"price of X: the rulebook takes no collateral .*it takes: none"),
        ({"fund": "-1"}, "fund -1 is negative"),
        ({"backstop": 0.5}, "backstop: 0.5 is a float"),
    ],
)
def test_an_asset_that_cannot_be_is_not_added(given: dict[str, object], problem: str) -> None:
    market = Market()
    state = market.exchange.state_hash()
    with pytest.raises(ValueError, match=problem):
        market.add_asset("X", **given)  # type: ignore[arg-type]
    assert market.exchange.state_hash() == state
    assert market.add_asset("X", fund="3") == "X"
    assert market.fund("X").wallet == "3"


def test_a_house_with_less_than_nothing_is_refused() -> None:
    for given in ({"fund": "-5"}, {"backstop": "-5"}):
        with pytest.raises(ValueError, match=r"-5 is negative; it must be 0 or more"):
            Market(**given)


def test_a_name_that_is_unknown_says_which_are_there() -> None:
    market, _, trader = two_contracts()
    with pytest.raises(ValueError, match=r"'SURF-PERPS' is unknown; did you mean 'SURF-PERP'\?"):
        market.buy(trader, "1", "50", contract="SURF-PERPS")
    with pytest.raises(ValueError, match="asset 'BTC' is unknown; allowed are USDT"):
        market.deposit(trader, "1", asset="BTC")
    with pytest.raises(ValueError, match="event 'Trades' is unknown; did you mean 'Trade'"):
        market.history("Trades")


def test_a_copy_knows_all_contracts_and_goes_its_own_way() -> None:
    market, _, trader = two_contracts()
    market.buy(trader, "2", "50", contract=OTHER)
    market.set_index("48", contract=OTHER)
    twin = copy.copy(market)
    assert twin.positions(trader) == market.positions(trader)
    for each in (market, twin):
        each.tick(5)
    assert twin.exchange.state_hash() == market.exchange.state_hash()
    assert twin.history().equals(market.history())
    twin.set_index("60", contract=OTHER)
    assert market.contract(OTHER).index == "48"


def test_a_contract_settles_in_another_asset() -> None:
    market = Market(price="100")
    market.add_asset("BTC", fund="2")
    market.add_contract("BTCUSD", "50000", tick="1", lot="1", inverse=True, asset="BTC", band="0.3")
    maker, trader = market.open_account(), market.open_account()
    for account, amount in ((maker, "10"), (trader, "1")):
        market.deposit(account, amount, asset="BTC")
    market.sell(maker, "1000", "40000", contract="BTCUSD")
    market.buy(trader, "1000", contract="BTCUSD")
    market.sell(maker, "500", "50000", contract="BTCUSD")
    market.buy(trader, "500", contract="BTCUSD")
    held = market.position(trader, "BTCUSD")
    assert held is not None
    # 1,000 at 40,000 and 500 at 50,000 are 0.025 and 0.01 BTC: 1,500 / 0.035.
    assert held.entry_price == "42857.14285714"
    assert market.account(trader, asset="BTC").wallet < "1"
    assert (market.account(trader).wallet, market.fund("BTC").wallet) == ("0", "2")


# orders that wait, and flags


def quoted() -> tuple[Market, int, int]:
    """A long of two at 100 and a bid for it; the mark is the index."""
    market = Market(price="100", band="0.3", rules={"mark": {"method": "index"}})
    maker, trader = market.open_account("100000"), market.open_account("1000")
    market.sell(maker, "10", "100")
    market.buy(trader, "2", "100")
    market.buy(maker, "10", "95")
    return market, maker, trader


@pytest.mark.parametrize("by", ["mark", "INDEX", BY_MARK])
def test_a_stop_waits_for_its_price_and_closes(by: str | int) -> None:
    market, _, trader = quoted()
    order = market.trigger(trader, "sell", None, "97", by=by)
    (waiting,) = market.orders(trader)
    assert (waiting.order_id, waiting.waits_for, waiting.fires_at) == (order, "stop", "97")
    assert (waiting.qty, waiting.price, waiting.side, waiting.state) == (
        None,
        None,
        "sell",
        "waiting",
    )
    market.set_index("96.5")
    assert market.position(trader) is None
    fired = market.history("TriggerFired").row(0, named=True)
    assert (fired["price"], fired["trigger_price"]) == (Decimal("96.5"), 97)
    accepted = market.history("TriggerAccepted").row(0, named=True)
    assert (accepted["trigger"], accepted["trigger_price"], accepted["order_type"]) == (
        "stop",
        97,
        "market",
    )


def test_a_trailing_order_follows_the_best_price() -> None:
    market, _, trader = quoted()
    market.trigger(trader, "sell", "1", kind="trailing", by="mark", trail_rate="0.05")
    market.set_index("110")
    assert market.orders(trader)[0].fires_at == "104.5"
    market.trigger(trader, "sell", "1", kind="trailing", by="mark", trail="2", price="94")
    assert market.orders(trader)[1].fires_at == "108"


def test_an_order_is_good_for_a_while() -> None:
    market, _, trader = quoted()
    market.tick(5)
    market.buy(trader, "1", "90", good_for="10.5")
    (resting,) = market.orders(trader)
    assert (resting.expires_s, resting.price, resting.remaining, resting.waits_for) == (
        "15.5",
        "90",
        "1",
        None,
    )
    market.tick(11)
    assert market.orders(trader) == []
    for wrong in ("0", "-1", "1e30"):
        with pytest.raises(ValueError, match=r"good_for .*: allowed are seconds above 0"):
            market.buy(trader, "1", "90", good_for=wrong)


def test_an_account_trades_with_itself_where_it_wants_to() -> None:
    market = Market()
    trader = market.open_account("1000")
    market.sell(trader, "1", "100")
    market.buy(trader, "1", "100", stp="none")
    assert market.history("Trade").height == 1


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ({"side": "up"}, "side 'up': allowed are 'BUY', 'SELL'"),
        ({"kind": "limit"}, "kind 'limit': allowed are 'STOP', 'TAKE_PROFIT', 'TRAILING'"),
        ({"by": "bid"}, "by 'bid': allowed are 'LAST', 'MARK', 'INDEX'"),
        ({"at": "97.001"}, "at: 97.001 is not a multiple of 0.01"),
        ({"trail": 0.5}, "trail: 0.5 is a float"),
    ],
)
def test_a_trigger_that_is_none_says_what_is_allowed(
    flags: dict[str, object], problem: str
) -> None:
    market, _, trader = quoted()
    asked = {"side": "sell", "qty": "1", "at": "97"} | flags
    with pytest.raises(ValueError, match=problem):
        market.trigger(trader, **asked)  # type: ignore[arg-type]
    assert market.orders(trader) == []


def test_a_trigger_that_margin_does_not_carry_is_told_in_money() -> None:
    market, _, trader = quoted()
    market.trigger(trader, "buy", "300", "101", by="mark")
    market.set_index("102")
    refused = market.history("TriggerRefused").row(0, named=True)
    assert refused["reason"] == "200 insufficient margin"
    assert refused["required"] > refused["free"] > 900
    assert market.orders(trader) == []


# rules laid over a rulebook


def test_rules_are_laid_over_the_rulebook() -> None:
    market = Market(rules={"call": {"grace_s": 300}, "fees": {"taker": Decimal("0.001")}})
    assert market.exchange.risk.core.rulebook.call.grace_ns == 300 * 10**9
    maker, trader = market.open_account("100000"), market.open_account("1000")
    market.sell(maker, "1", "100")
    market.buy(trader, "1", "100")
    assert market.account(trader).wallet == "999.9"


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ({"fees": {"taker": 0.001}}, r"rules.fees.taker: 0.001 is a float, .* write '0.001'"),
        ({"call": {"grase_s": 1}}, r"call\.grase_s .*is unknown; did you mean 'grace_s'"),
        ({"margin": {"tiers": [{"maintenance": 0.5}]}}, r"tiers\[1\].maintenance: 0.5 is a float"),
        ("strict", "rules: 'strict' must be a table of the rulebook's keys"),
    ],
)
def test_rules_that_are_none_are_refused(rules: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Market(rules=rules)


# figures


@pytest.mark.parametrize(
    "act",
    [
        lambda market, trader: market.deposit(trader, 0.1),
        lambda market, trader: market.buy(trader, 0.1, "100"),
        lambda market, trader: market.buy(trader, "1", 99.5),
        lambda market, trader: market.set_index(99.5),
        lambda market, trader: market.tick(0.5),
        lambda market, trader: market.add_margin(trader, 0.1),
        lambda market, trader: market.open_account(0.1),
        lambda market, trader: market.add_contract("FOAM", 1.5),
    ],
)
def test_a_float_is_refused_with_the_reason(act: object) -> None:
    market = Market()
    trader = market.open_account("100")
    state = market.exchange.state_hash()
    with pytest.raises(ValueError, match=r"is a float, which is not exact; .*'\d+\.\d'"):
        act(market, trader)  # type: ignore[operator]
    assert market.exchange.state_hash() == state


def test_a_refusal_counts_in_the_unit_of_its_contract() -> None:
    market, _, trader = two_contracts()
    with pytest.raises(Rejected) as refused:
        market.buy(trader, "500", "50", contract=OTHER)
    assert refused.value.reason is Reason.INSUFFICIENT_MARGIN
    row = market.history("CommandRejected").row(0, named=True)
    assert f"required {row['required'].normalize():f}, there is 1000" in str(refused.value)
    assert row["reason"] == "200 insufficient margin"


# calls


def called(deposit: str = "105") -> tuple[Market, int, int]:
    """A trader long ten at 100, called at 92.3."""
    market = Market(price="100", fund="10000", band="0.2")
    maker, trader = market.open_account("100000"), market.open_account(deposit, leverage=10)
    market.sell(maker, "10", "100")
    market.buy(trader, "10", "100")
    market.set_index("92.3")
    market.tick()
    return market, maker, trader


def test_an_open_call_says_what_is_asked_and_what_was_done() -> None:
    market, _, trader = called()
    (call,) = market.calls(trader)
    assert (call.amount, call.issued_s, call.deadline_s) == ("9.42", "0", "60")
    assert (call.outcome, call.ended_s, call.contract) == ("open", None, None)
    market.tick("4.5")
    market.deposit(trader, "0.01")
    assert market.calls(trader)[0].paid == "0.01"
    market.deposit(trader, "9.41")
    (call,) = market.calls(trader)
    assert (call.outcome, call.cured_by, call.ended_s) == ("cured", "deposit", "5.5")
    assert (call.paid, call.reduced) == ("9.42", "0")


def test_calls_of_an_isolated_pot_name_its_contract() -> None:
    market = Market(price="100")
    maker = market.open_account("100000")
    trader = market.open_account("300", leverage=10, isolated=True)
    market.sell(maker, "10", "100")
    market.buy(trader, "10", "100")
    market.set_index("92.5")
    (call,) = market.calls(trader)
    assert call.contract == "WAVE-PERP"
    assert market.calls(maker) == []


def test_times_maintenance_is_what_the_levels_count_in() -> None:
    market, _, trader = called()
    account = market.account(trader)
    multiple = Decimal(account.equity) / Decimal(account.maintenance_margin)
    assert account.times_maintenance is not None
    assert 0 <= multiple - Decimal(account.times_maintenance) < Decimal("1e-9")
    assert Decimal(1) < multiple < Decimal("1.5")


# funding, marks and wicks


def test_funding_is_seen_before_it_is_paid() -> None:
    market, maker, _ = called("1000")
    market.buy(maker, "1", "95")
    market.sell(maker, "1", "96")
    market.tick(10)
    seen = market.contract()
    assert seen.funding_rate == "0.0075"  # the cap: the book stands three per cent above the index
    assert seen.funding_s == "28800"
    assert seen.open_interest == "10"


def test_one_odd_trade_moves_the_last_price_and_not_the_mark() -> None:
    market = Market(price="100", band="0.3")
    maker, trader = market.open_account("100000"), market.open_account("1000")
    market.buy(maker, "1", "80")
    market.sell(trader, "1", "80")
    market.tick()
    seen = market.contract()
    assert (seen.last, seen.index, seen.mark) == ("80", "100", "100")


# collateral in another asset


def test_collateral_counts_less_its_haircut_and_falls_with_its_price() -> None:
    collateral = [{"margin_asset": "USDT", "assets": [{"asset": "BTC", "haircut": "0.1"}]}]
    market = Market(price="100", rules={"collateral": collateral})
    market.add_asset("BTC", "50000")
    trader = market.open_account()
    market.deposit(trader, "0.1", asset="BTC")
    (held,) = market.account(trader).collateral
    assert (held.amount, held.price, held.haircut, held.value) == ("0.1", "50000", "0.1", "4500")
    market.set_prices({"WAVE-PERP": "99", "BTC": "30000"})
    assert market.account(trader).equity == "2700"
    market.tick(3_600)
    assert market.account(trader).equity == "2700"


# events


def test_history_tells_events_in_decimals() -> None:
    market, maker, trader = called()
    trade = market.history("Trade").row(0, named=True)
    assert (trade["price"], trade["qty"], trade["taker_side"]) == (100, 10, "buy")
    assert trade["contract"] == "WAVE-PERP"
    call = market.history("MarginCallIssued").row(0, named=True)
    assert (call["amount"], call["equity"], call["maintenance"]) == (
        Decimal("9.42"),
        Decimal("27.5"),
        Decimal("18.46"),
    )
    assert (call["account"], call["isolated"], call["time_s"], call["deadline_s"]) == (
        trader,
        False,
        0,
        60,
    )
    market.buy(maker, "20", "90")
    market.set_index("90")
    over = market.history("LiquidationEnded")
    parts = ["price", "slippage", "fee", "funding", "surrender", "adl", "haircut", "transfer"]
    sums = over.select(pl.sum_horizontal("equity_before", *parts) == pl.col("equity_after"))
    assert over.height == 1 and sums.to_series().all()


def test_every_event_of_a_lively_market_has_decimals() -> None:
    market, maker, _ = called()
    market.buy(maker, "20", "90")
    market.set_index("90")
    market.tick(28_800)
    frame = market.history()
    assert frame.height == len(market.events)
    inside = [name for name in frame.columns if name.endswith(("_q", "_ticks", "_lots", "_ppb"))]
    assert inside == []
    assert frame["type"].n_unique() > 12
    nothing = market.history("HouseInsolvent")
    assert nothing.columns == ["type", "time_s", "account", "asset", "equity", "limit", "notional"]
    assert nothing.is_empty()


def test_a_column_has_as_many_places_as_its_figures_need() -> None:
    frame = frame_of([{"a": Decimal("1.50")}, {"b": "x"}, {"a": Decimal("0.125")}])
    assert frame["a"].to_list() == [Decimal("1.500"), None, Decimal("0.125")]
    assert frame["b"].to_list() == [None, "x", None]
    assert frame_of([]).is_empty()
