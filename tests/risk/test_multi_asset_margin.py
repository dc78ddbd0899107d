"""Collateral in other assets, through the whole exchange; sums worked by hand.

BTC counts for US dollars at its price less 10 %. The contract has 10 % initial and 5 % maintenance
margin; the mark is the index and there are no fees.
"""

import pytest

from engine import commands as c
from engine.events import (
    BadDebtBooked,
    BalanceChanged,
    CollateralExchanged,
    CollateralPriceChanged,
    FundChanged,
    LiquidationEnded,
    LiquidationStarted,
    LossSocialised,
    MarginCallEnded,
    MarginCallIssued,
    MarketReport,
    TakenOver,
)
from engine.instruments import AssetSpec
from engine.internal import LiquidationRequired
from engine.reasons import Reason
from risk.accounts import BACKSTOP, FUND, cross_account_id
from risk.collateral import MAX_PRICE_PPB
from risk.rulebook import CallRule, IndexRule, Rulebook, WithdrawalRule
from risk.state import restore_risk, risk_state
from tests.market import (
    BTC,
    ETH,
    USD,
    Market,
    btc,
    checked_parts,
    collateral,
    levels,
    liquidation,
    ppb,
    rules,
    size,
    usd,
)

ALICE, BOB, CAROL, DAVE = 100, 101, 102, 103
POT = cross_account_id(ALICE, USD.asset_id)


def multi(debt_limit: int = 0, **settings: object) -> Rulebook:
    return rules(collateral=collateral(BTC="0.1", debt_limit=debt_limit), **settings)


def market(rulebook: Rulebook | None = None) -> Market:
    """Alice has a tenth of a coin, which counts for 4,500; Bob has dollars."""
    m = Market(rulebook or multi())
    m.open(ALICE, deposit="0.1", asset="BTC")
    m.open(BOB, deposit="100000")
    m.asset_price("50000")
    m.index("100")
    return m


def long_200(rulebook: Rulebook | None = None) -> Market:
    """Alice is long 200 at 100 on her coins: initial margin 2,000, maintenance 1,000."""
    m = market(rulebook)
    m.trade(ALICE, BOB, "200", "100")
    return m


# equity, orders, withdrawals


def test_a_balance_counts_at_its_price_less_the_haircut() -> None:
    m = market()
    pot = m.pot(ALICE)
    assert (pot.wallet_q, pot.equity_q, pot.free_q) == (0, usd("4500"), usd("4500"))
    (held,) = pot.collateral
    assert (held.asset_id, held.amount_q, held.value_q) == (1, btc("0.1"), usd("4500"))
    assert (held.price_ppb, held.haircut_ppb) == (ppb("50000"), ppb("0.1"))
    m.deposit(ALICE, "100")
    m.asset_price("40000")
    assert m.equity(ALICE) == usd("3700")
    assert m.last(CollateralPriceChanged).price_ppb == ppb("40000")


def test_the_market_report_says_what_counts_where() -> None:
    m = market()
    m.send(c.QueryMarket(m.now_ns))
    money, coin = m.last(MarketReport).assets
    assert (money.margin_asset_id, money.price_ppb, money.haircut_ppb) == (-1, 0, 0)
    assert (coin.margin_asset_id, coin.price_ppb) == (USD.asset_id, ppb("50000"))
    assert coin.haircut_ppb == ppb("0.1")


def test_without_a_price_an_asset_counts_for_nothing() -> None:
    m = Market(multi())
    m.open(ALICE, deposit="1", asset="BTC")
    m.index("100")
    assert m.equity(ALICE) == 0
    m.buy(ALICE, "1", "100")
    assert m.refusal().reason == Reason.INSUFFICIENT_MARGIN
    assert m.pot(ALICE, asset="BTC").withdrawable_q == btc("1")


def test_orders_are_margined_by_it() -> None:
    """4,500 at 10 % carry 45,000."""
    m = market()
    m.buy(ALICE, "450.01", "100")
    assert (m.refusal().required_q, m.refusal().free_q) == (usd("4500.1"), usd("4500"))
    assert m.accepted(m.buy(ALICE, "450", "100"))


def test_what_margin_needs_of_it_stays() -> None:
    """2,000 of initial margin are 0.04444445 coins at 45,000, rounded up."""
    m = long_200()
    assert m.pot(ALICE, asset="BTC").withdrawable_q == btc("0.05555555")
    m.withdraw(ALICE, "0.05555556", "BTC")
    assert m.refusal().reason == Reason.INSUFFICIENT_FREE_COLLATERAL
    assert (m.refusal().required_q, m.refusal().free_q) == (btc("0.05555556"), btc("0.05555555"))
    m.withdraw(ALICE, "0.05555555", "BTC")
    assert m.wallet(ALICE, "BTC") == btc("0.04444445")
    assert m.pot(ALICE).free_q == usd("0.00025")


def test_a_withdrawal_of_dollars_never_borrows() -> None:
    m = market()
    assert m.pot(ALICE).withdrawable_q == 0
    m.deposit(ALICE, "300")
    assert m.pot(ALICE).withdrawable_q == usd("300")
    m.withdraw(ALICE, "300.01")
    assert m.refusal().reason == Reason.INSUFFICIENT_FREE_COLLATERAL
    m.withdraw(ALICE, "300")
    assert m.wallet(ALICE) == 0


def test_profit_that_may_leave_is_not_collateral() -> None:
    m = long_200(multi(withdrawal=WithdrawalRule(unrealised_profit=True)))
    m.index("101")
    assert m.pot(ALICE).withdrawable_q == usd("200")


def test_several_assets_add_up() -> None:
    m = Market(rules(collateral=collateral(ETH="0.2", BTC="0.1")))
    m.send(c.AddAsset(0, ETH))
    m.open(ALICE, deposit="0.1", asset="BTC")
    m.deposit(ALICE, "2", "ETH")
    m.asset_price("50000")
    m.asset_price("3000", "ETH")
    assert m.equity(ALICE) == usd("9300")
    # In the rulebook's order, not in that of their ids.
    assert [held.asset_id for held in m.pot(ALICE).collateral] == [2, 1]


def test_inverse_contracts_take_dollars_for_coins() -> None:
    """20,000 dollars at 0.00002 coins, less 5 %: 0.38 coins carry 3.8 coins of contracts at 10x."""
    m = Market(rules(collateral=collateral(margin_asset="BTC", USD="0.05")), listed=False)
    m.add("INVERSE", asset="BTC", inverse=True, tick="0.5", lot="1")
    m.open(ALICE, deposit="20000")
    m.open(BOB, deposit="5", asset="BTC")
    m.asset_price("0.00002", "USD")
    m.index("50000", "INVERSE")
    m.order(ALICE, c.BUY, "190001", "50000", "INVERSE")
    assert m.refusal().reason == Reason.INSUFFICIENT_MARGIN
    m.trade(ALICE, BOB, "190000", "50000", "INVERSE")
    assert m.equity(ALICE, "BTC") == btc("0.38")
    # Maintenance 0.19 coins: at 0.00001 the dollars count for 0.19, a step below for less.
    m.asset_price("0.00001", "USD")
    assert not m.all(LiquidationStarted)
    m.asset_price("0.000009999", "USD")
    assert m.only(LiquidationStarted).equity_q == btc("0.189981")


def test_an_isolated_position_takes_margin_only_from_what_is_there_in_its_own_asset() -> None:
    m = market()
    m.isolate(ALICE)
    m.buy(ALICE, "10", "100")
    assert (m.refusal().required_q, m.refusal().free_q) == (usd("100"), 0)
    m.deposit(ALICE, "150")
    m.trade(ALICE, BOB, "10", "100")
    assert m.pot(ALICE, "PERP").wallet_q == usd("100")
    m.adjust(ALICE, "50.01")
    assert m.refusal().reason == Reason.INSUFFICIENT_FREE_COLLATERAL
    assert m.refusal().free_q == usd("50")
    m.adjust(ALICE, "50")
    assert m.equity(ALICE) == usd("4500")


def test_margin_promised_to_an_isolated_order_is_there_when_it_fills() -> None:
    """The order of 10 holds 100 of Alice's 150 dollars; a cross loss of 500 then eats them."""
    m = Market(multi(), listed=False)
    m.add("PERP")
    m.add("OTHER")
    m.open(ALICE, deposit="0.1", asset="BTC")
    m.deposit(ALICE, "150")
    m.open(BOB, deposit="100000")
    m.asset_price("50000")
    m.index("100")
    m.index("100", "OTHER")
    m.isolate(ALICE)
    m.buy(ALICE, "10", "100")
    m.trade(ALICE, BOB, "50", "100", "OTHER")
    m.index("90", "OTHER")
    m.trade(BOB, ALICE, "50", "90", "OTHER")
    assert m.wallet(ALICE) == -usd("350")
    m.sell(BOB, "10", "100")
    assert m.pot(ALICE, "PERP").wallet_q == usd("100")
    assert m.wallet(ALICE) == -usd("450")
    assert m.equity(ALICE) == usd("4050")


# prices and rules


@pytest.mark.parametrize(
    ("asset_id", "price_ppb", "reason", "detail"),
    [
        (0, 1, Reason.UNKNOWN_ASSET, "asset_id 0 is no collateral by the rulebook"),
        (9, 1, Reason.UNKNOWN_ASSET, "asset_id 9 is no collateral"),
        (1, 0, Reason.PRICE_NOT_POSITIVE, f"price_ppb 0; allowed: 1 to {MAX_PRICE_PPB}"),
        (1, MAX_PRICE_PPB + 1, Reason.PRICE_NOT_POSITIVE, "allowed: 1 to"),
    ],
)
def test_a_wrong_price_is_refused(
    asset_id: int, price_ppb: int, reason: Reason, detail: str
) -> None:
    m = market()
    before = m.exchange.state_hash()
    m.send(c.AssetPrice(m.now_ns, asset_id, 1, price_ppb))
    assert m.refusal().reason == reason
    assert detail in m.refusal().detail
    assert m.exchange.state_hash() == before


def test_deposits_and_prices_stay_within_what_an_amount_may_be() -> None:
    """At most about 2.3 million million dollars in millionths, over all assets together."""
    m = Market(rules(collateral=collateral(ETH="0.2", BTC="0.1")))
    m.send(c.AddAsset(0, ETH))
    m.open(BOB, deposit="10000000", asset="BTC")
    m.asset_price("300000")
    assert m.refusal().reason == Reason.NUMBER_TOO_LARGE
    m.asset_price("100000")
    m.deposit(BOB, "14000000", "BTC")
    assert m.refusal().reason == Reason.NUMBER_TOO_LARGE
    m.deposit(BOB, "12000000", "BTC")
    m.deposit(BOB, "1000000000", "ETH")
    m.asset_price("200", "ETH")
    assert m.refusal().reason == Reason.NUMBER_TOO_LARGE
    m.asset_price("50", "ETH")
    m.deposit(BOB, "1200000000", "ETH")
    assert m.refusal().reason == Reason.NUMBER_TOO_LARGE
    assert m.equity(BOB) == usd("2020000000000")


def test_the_price_in_force_is_the_index_of_all_fresh_sources() -> None:
    m = Market(multi(index=IndexRule(stale_ns=10 * 10**9)))
    m.open(ALICE, deposit="1", asset="BTC")
    m.asset_price("50000", source=1)
    m.asset_price("40000", source=2)
    assert m.equity(ALICE) == usd("40500")
    m.now_ns += 6 * 10**9
    m.asset_price("40000", source=2)
    m.wait("6")
    assert m.equity(ALICE) == usd("36000")


def test_an_asset_is_collateral_or_margin_of_its_own() -> None:
    m = market()
    m.add("INVERSE", asset="BTC", inverse=True, tick="0.5", lot="1")
    assert m.refusal().reason == Reason.INVALID_FIELD
    assert "settle_asset_id is collateral" in m.refusal().detail
    other = Market(listed=False)
    other.add("INVERSE", asset="BTC", inverse=True, tick="0.5", lot="1")
    before = other.exchange.state_hash()
    other.send(c.SetRulebook(0, multi().to_json()))
    assert "BTC settles an instrument" in other.refusal().detail
    assert other.exchange.state_hash() == before


def test_an_asset_of_the_same_name_is_refused() -> None:
    m = market()
    before = m.exchange.state_hash()
    m.send(c.AddAsset(0, AssetSpec(3, "BTC", 8)))
    assert "BTC is the name of assets 1 and 3" in m.refusal().detail
    assert m.exchange.state_hash() == before


def test_new_rules_count_what_is_there() -> None:
    m = Market()
    m.open(ALICE, deposit="0.1", asset="BTC")
    m.open(BOB, deposit="100000")
    m.index("100")
    m.rule(multi())
    m.asset_price("50000")
    m.trade(ALICE, BOB, "200", "100")
    m.rule(rules(collateral=collateral(BTC="0.5")))
    assert m.equity(ALICE) == usd("2500")
    m.rule(rules())
    assert m.only(LiquidationStarted).equity_q == 0


def test_assets_listed_after_the_rules_count_too() -> None:
    m = Market(rules(collateral=collateral(BTC="0.1", ETH="0")))
    m.open(ALICE, deposit="1", asset="BTC")
    m.asset_price("100")
    m.index("100")
    m.open(BOB, deposit="1000")
    m.trade(ALICE, BOB, "8", "100")
    m.send(c.AddAsset(0, ETH))
    m.deposit(ALICE, "1", "ETH")
    m.asset_price("20", "ETH")
    assert m.equity(ALICE) == usd("110")
    # The bands of before are there again: the fall of BTC is noticed.
    m.asset_price("20")
    assert m.only(LiquidationStarted).equity_q == usd("38")


# levels


def test_a_falling_price_calls_and_a_deposit_of_coins_cures() -> None:
    """Maintenance 1,000, call at 1.5: coins that count for less than 1,500, so below 16,666.67."""
    call = CallRule("maintenance", ppb("0.5"), -1, "notify")
    m = long_200(multi(levels=levels(call="1.5", liquidate="1"), call=call))
    m.asset_price("16666.67")
    assert not m.all(MarginCallIssued)
    m.asset_price("16666.66")
    issued = m.only(MarginCallIssued)
    assert (issued.equity_q, issued.amount_q) == (usd("1499.9994"), usd("0.0006"))
    m.deposit(ALICE, "0.00000001", "BTC")
    assert not m.all(MarginCallEnded)
    m.deposit(ALICE, "0.00000010", "BTC")
    assert m.only(MarginCallEnded).outcome == "cured"
    m.asset_price("12000")
    m.asset_price("50000")
    assert m.last(MarginCallEnded).outcome == "cured"


@pytest.mark.parametrize("inclusive", [False, True])
def test_the_reported_liquidation_price_of_the_coins_is_the_first_that_liquidates(
    inclusive: bool,
) -> None:
    m = long_200(multi(liquidation=liquidation(inclusive=inclusive)))
    m.deposit(ALICE, "17")
    (held,) = m.pot(ALICE).collateral
    # 983 (a quantum more where equality liquidates) of 0.1 coins at 0.9.
    first_ppb = held.liquidation_price_ppb
    assert first_ppb == ppb("10922.222233333" if inclusive else "10922.222222222")
    m.send(c.AssetPrice(0, BTC.asset_id, 1, first_ppb + 1))
    assert not m.all(LiquidationStarted)
    m.send(c.AssetPrice(0, BTC.asset_id, 1, first_ppb))
    assert len(m.all(LiquidationStarted)) == 1


def test_the_liquidation_price_of_a_position_counts_the_coins() -> None:
    """4,500 + 200 (p - 100) = 5 % of 200 p: p = 15,500 / 190 = 81.578..."""
    m = long_200()
    assert m.held(ALICE).liquidation_ticks == 8157
    m.index("81.58")
    assert not m.all(LiquidationStarted)
    m.index("81.57")
    assert len(m.all(LiquidationStarted)) == 1


# debts


def test_losses_make_a_debt_that_stands_on_the_coins() -> None:
    m = long_200()
    m.index("95")
    m.trade(BOB, ALICE, "200", "95")
    assert m.wallet(ALICE) == -usd("1000")
    assert m.equity(ALICE) == usd("3500")
    assert m.pot(ALICE).withdrawable_q == 0
    # 1,000 dollars are 0.02222223 coins at 45,000.
    assert m.pot(ALICE, asset="BTC").withdrawable_q == btc("0.07777777")
    # Without a position the account still falls when the coins no longer cover the debt.
    m.asset_price("11111.12")
    assert not m.all(LiquidationStarted)
    m.asset_price("11111.11")
    assert m.only(LiquidationStarted).equity_q == -usd("0.0001")


def test_a_debt_beyond_the_limit_is_exchanged_at_once() -> None:
    """1,500 dollars at 45,000 a coin are 0.03333334 coins, rounded up, worth 1,500.0003."""
    m = long_200(multi(debt_limit=1000))
    m.deposit(FUND, "10000")
    m.index("92.5")
    assert not m.all(CollateralExchanged)
    m.trade(BOB, ALICE, "133", "92.5")
    assert m.wallet(ALICE) == -usd("997.5")
    assert not m.all(CollateralExchanged)
    m.trade(BOB, ALICE, "67", "92.5")
    done = m.only(CollateralExchanged)
    assert (done.amount_q, done.value_q) == (btc("0.03333334"), usd("1500.0003"))
    assert (done.haircut_q, done.cause) == (usd("166.6667"), "debt limit")
    assert m.wallet(ALICE) == usd("0.0003")
    assert m.wallet(ALICE, "BTC") == btc("0.06666666")
    assert m.equity(ALICE) == usd("3000")
    assert m.wallet(FUND) == usd("8499.9997")
    assert m.wallet(FUND, "BTC") == btc("0.03333334")
    assert m.equity(FUND) == usd("10000")
    assert {event.cause for event in m.all(FundChanged)} == {"deposit", "collateral"}


# liquidation


def fund_of(m: Market) -> tuple[int, int, int]:
    """Dollars, coins and equity of the fund."""
    return m.wallet(FUND), m.wallet(FUND, "BTC"), m.equity(FUND)


def test_takeover_worked_by_hand() -> None:
    """Mark 90, coins at 30,000: equity 700 of 900. The fund takes the long 200 at 17,300, so
    Alice owes 2,700: exactly what 0.1 coins count for."""
    m = long_200()
    m.deposit(FUND, "10000")
    m.index("90")
    assert m.equity(ALICE) == usd("2500")
    m.asset_price("30000")
    assert m.only(LiquidationStarted).equity_q == usd("700")
    assert m.only(TakenOver).value_q == usd("17300")
    done = m.only(CollateralExchanged)
    assert (done.amount_q, done.value_q, done.haircut_q) == (btc("0.1"), usd("2700"), usd("300"))
    assert (m.wallet(ALICE), m.wallet(ALICE, "BTC")) == (0, 0)
    # 7,300 dollars, 0.1 coins for 2,700 and a gain of 700 on the position.
    assert fund_of(m) == (usd("7300"), btc("0.1"), usd("10700"))
    ended = m.only(LiquidationEnded)
    assert (ended.surrender_q, ended.equity_after_q) == (-usd("700"), 0)
    checked_parts(ended)
    assert not m.all(BadDebtBooked)


def test_takeover_of_a_bankrupt_account_costs_the_fund_only_what_the_coins_do_not_cover() -> None:
    """Mark 90, coins at 20,000: they count for 1,800 of a loss of 2,000; the deficit is 200."""
    m = long_200()
    m.deposit(FUND, "10000")
    m.index("90")
    m.asset_price("20000")
    assert m.only(LiquidationStarted).equity_q == -usd("200")
    debt = m.only(BadDebtBooked)
    assert (debt.amount_q, debt.stage) == (usd("200"), "fund")
    assert (m.wallet(ALICE), m.wallet(ALICE, "BTC")) == (0, 0)
    assert fund_of(m) == (usd("8200"), btc("0.1"), usd("9800"))
    ended = m.only(LiquidationEnded)
    assert ended.surrender_q == usd("200")
    checked_parts(ended)


def test_the_backstop_takes_the_coins_of_whom_it_takes_over() -> None:
    m = long_200(multi(liquidation=liquidation(["cancel", "backstop", "fund", "socialise"])))
    m.deposit(BACKSTOP, "10000")
    m.deposit(FUND, "10000")
    m.index("90")
    m.asset_price("30000")
    assert m.only(CollateralExchanged).taker_account_id == BACKSTOP
    assert (m.wallet(BACKSTOP), m.wallet(BACKSTOP, "BTC")) == (usd("7300"), btc("0.1"))
    assert m.equity(BACKSTOP) == usd("10700")
    assert fund_of(m) == (usd("10000"), 0, usd("10000"))


def test_margin_that_is_returned_includes_the_coins() -> None:
    """The position goes at mark; 2,000 of debt are 0.07407408 coins at 27,000."""
    m = long_200(multi(liquidation=liquidation(residual="account")))
    m.deposit(FUND, "10000")
    m.index("90")
    m.asset_price("30000")
    assert m.wallet(ALICE, "BTC") == btc("0.02592592")
    assert m.wallet(ALICE) == usd("0.00016")
    assert m.equity(FUND) == usd("10000")


def test_closed_in_the_book_the_coins_pay_what_is_owed() -> None:
    """Bids at 89: the loss is 2,200 and 0.08148149 coins pay it."""
    m = long_200()
    m.deposit(FUND, "3000")
    m.index("90")
    m.buy(BOB, "200", "89")
    m.asset_price("30000")
    ended = m.only(LiquidationEnded)
    assert (ended.outcome, ended.partial) == ("closed", False)
    assert (ended.slippage_q, ended.equity_after_q) == (-usd("200"), usd("500"))
    assert m.wallet(ALICE, "BTC") == btc("0.01851851")
    assert m.wallet(ALICE) == usd("0.00023")
    assert fund_of(m) == (usd("799.99977"), btc("0.08148149"), usd("3000"))


def test_the_fund_does_not_lend_dollars_it_has_not_got() -> None:
    """It has 1,000 of the 2,200: 0.03703703 coins for 999.99981. The rest of the debt stands on the
    rest of the coins, until there are dollars and the account must close."""
    m = long_200()
    m.deposit(FUND, "1000")
    m.index("90")
    m.buy(BOB, "200", "89")
    m.asset_price("30000")
    assert fund_of(m) == (usd("0.00019"), btc("0.03703703"), usd("1000"))
    assert m.wallet(ALICE) == -usd("1200.00019")
    assert m.wallet(ALICE, "BTC") == btc("0.06296297")
    assert m.only(LiquidationEnded).equity_after_q == m.equity(ALICE) == usd("500")
    assert not m.all(BadDebtBooked)
    # 0.06296297 coins at 10,000 less 10 % count for 566.66673: 633.33346 are missing.
    m.deposit(FUND, "5000")
    m.asset_price("10000")
    assert m.only(BadDebtBooked).amount_q == usd("633.33346")
    assert (m.wallet(ALICE), m.wallet(ALICE, "BTC")) == (0, 0)


def test_the_winner_is_deleveraged_before_the_coins_pay() -> None:
    """No fund: Bob closes at 86.5 = (18,000 - 700) / 200, and is paid in the coins."""
    m = long_200(multi(liquidation=liquidation(["cancel", "adl", "socialise"])))
    m.index("90")
    m.asset_price("30000")
    assert (m.wallet(ALICE), m.wallet(ALICE, "BTC")) == (0, 0)
    assert (m.wallet(BOB), m.wallet(BOB, "BTC")) == (usd("100000"), btc("0.1"))
    assert fund_of(m) == (0, 0, 0)
    ended = m.only(LiquidationEnded)
    assert (ended.outcome, ended.adl_q) == ("deleveraged", -usd("700"))


def test_socialised_is_only_what_coins_and_fund_did_not_cover() -> None:
    """Mark 90, coins at 20,000: of the deficit of 200 the fund pays the 50 it has, Bob 150.
    He pays the 1,800 that the coins count for, and has them."""
    m = long_200(multi(liquidation=liquidation(["cancel", "fund", "socialise"])))
    m.deposit(FUND, "50")
    m.index("90")
    m.asset_price("20000")
    assert [(d.amount_q, d.stage) for d in m.all(BadDebtBooked)] == [
        (usd("50"), "fund"),
        (usd("150"), "socialise"),
    ]
    assert m.only(LossSocialised).amount_q == usd("150")
    assert (m.wallet(ALICE), m.wallet(ALICE, "BTC")) == (0, 0)
    assert (m.wallet(BOB), m.wallet(BOB, "BTC")) == (usd("100050"), btc("0.1"))
    ended = m.only(LiquidationEnded)
    assert ended.haircut_q == usd("150")
    checked_parts(ended)


def test_collateral_is_locked_in_a_liquidation_and_a_deposit_of_it_is_a_transfer() -> None:
    """Nobody buys: the account stays in liquidation at equity 700 of 900."""
    m = long_200(multi(liquidation=liquidation(["cancel", "close", "socialise"])))
    m.index("90")
    m.asset_price("30000")
    m.withdraw(ALICE, "0.00000001", "BTC")
    assert m.refusal().reason == Reason.ACCOUNT_IN_LIQUIDATION
    m.asset_price("31000")
    m.deposit(ALICE, "0.01", "BTC")
    m.wait("1")
    ended = m.only(LiquidationEnded)
    assert ended.outcome == "restored"
    assert (ended.price_q, ended.transfer_q) == (usd("90"), usd("279"))
    assert ended.equity_after_q == usd("1069")


def test_who_owes_without_a_position_is_closed_out_at_zero_equity() -> None:
    m = long_200()
    m.deposit(FUND, "10000")
    m.index("95")
    m.trade(BOB, ALICE, "200", "95")
    m.asset_price("10000")
    assert (m.wallet(ALICE), m.wallet(ALICE, "BTC")) == (0, 0)
    assert m.only(BadDebtBooked).amount_q == usd("100")
    assert fund_of(m) == (usd("9000"), btc("0.1"), usd("9900"))


# state


def test_snapshots_keep_prices_and_debts() -> None:
    m = long_200(multi(levels=levels(alert="2", liquidate="1")))
    m.index("95")
    m.trade(BOB, ALICE, "150", "95")
    state = risk_state(m.exchange.risk)
    assert len(state) == 12
    again = restore_risk(state)
    assert risk_state(again) == state
    out: list[object] = []
    price = c.AssetPrice(m.now_ns, BTC.asset_id, 1, ppb("11000"))
    again.handle(price, out)
    (required,) = (said for said in out if isinstance(said, LiquidationRequired))
    assert required.facts.equity_q == -usd("10")
    told = [said for said in out if said is not required]
    assert told == m.send(price)[: len(told)]


def test_a_price_looks_only_at_whose_band_it_leaves() -> None:
    """Alice's headroom of 3,500 is shared 20,000 : 4,500 between position and coins: her 643 are a
    fall of 7,143. Carol has no position and no band."""
    m = long_200()
    m.open(CAROL, deposit="3", asset="BTC")
    accounts = m.exchange.risk.core.ledger.accounts
    (alice,) = accounts[POT].holdings
    (carol,) = accounts[cross_account_id(CAROL, USD.asset_id)].holdings
    assert carol.frontier_slot == -1
    # The order that opened the position had a nearer band.
    m.exchange.risk.watch.refresh(accounts[POT], widen=True)
    edge_ppb = alice.low
    assert ppb("42857.1") < edge_ppb < ppb("42857.2")
    m.asset_price("42857.2")
    assert alice.low == edge_ppb
    m.asset_price("42857.1")
    assert ppb("30000") < alice.low < ppb("42857")
    edge_ppb = alice.low
    m.asset_price("50000")
    assert alice.low == edge_ppb


def test_nobody_pays_for_the_fall_of_coins_that_their_owner_keeps() -> None:
    """Without a fund Alice owes when she is closed out, with nothing of her own. Her coins go to
    those who won, for what they count: their fall is theirs then, and their rise too."""
    m = market()
    m.open(CAROL, deposit="1000")
    m.trade(ALICE, BOB, "150", "100")
    m.trade(ALICE, CAROL, "50", "100")
    m.index("90")
    m.asset_price("20000")
    bought = {each.taker_account_id: each.value_q for each in m.all(CollateralExchanged)}
    assert bought == {BOB: usd("1350"), CAROL: usd("450")}
    assert (m.wallet(ALICE), m.wallet(ALICE, "BTC")) == (0, 0)
    assert (m.wallet(CAROL), m.wallet(CAROL, "BTC")) == (usd("1000"), btc("0.025"))
    told = [(each.asset_id, each.amount_q) for each in m.all(BalanceChanged)][-2:]
    assert told == [(USD.asset_id, -usd("450")), (BTC.asset_id, btc("0.025"))]
    m.forget()
    for price in ("19000", "15000", "10000", "30000"):
        m.asset_price(price)
        m.tick()
    assert not m.all(LossSocialised)
    assert not m.all(LiquidationStarted)
    assert m.equity(ALICE) == 0


def test_winners_buy_coins_with_the_cash_they_have() -> None:
    """Bob won 2,000 and has taken out all but 1,000: he buys coins for that, and the rest of the
    debt stands on the rest of the coins."""
    m = long_200(multi(liquidation=liquidation(["cancel", "socialise"])))
    m.open(CAROL, deposit="100000")
    m.index("90")
    m.trade(BOB, CAROL, "200", "90")
    m.withdraw(BOB, "101000")
    m.asset_price("20000")
    (bought,) = [each for each in m.all(CollateralExchanged) if each.taker_account_id == BOB]
    assert bought.value_q <= usd("1000")
    assert m.wallet(BOB) >= 0


def test_a_gain_pays_once_whatever_it_buys() -> None:
    """Bob won 50 x 15 = 750, less the 12.50 that Alice lacks, and has cash for both coins; Carol
    took hers out. No rounding leaves Alice below zero, which would liquidate her again."""
    both = rules(collateral=collateral(BTC="0.1", ETH="0.2"))
    m = Market(both)
    m.send(c.AddAsset(0, ETH))
    m.open(ALICE, deposit="0.1", asset="BTC")
    m.deposit(ALICE, "2", "ETH")
    m.open(BOB, DAVE, deposit="100000")
    m.open(CAROL, deposit="20000")
    m.asset_price("50000")
    m.asset_price("2000", "ETH")
    m.index("100")
    m.trade(ALICE, BOB, "50", "100")
    m.trade(ALICE, CAROL, "350", "100")
    m.index("85")
    m.trade(CAROL, DAVE, "350", "85")
    m.withdraw(CAROL, "25250")
    m.asset_price("30000")
    bought = m.all(CollateralExchanged)
    assert {each.taker_account_id for each in bought} == {BOB}
    assert sum(each.value_q for each in bought) == usd("737.50")
    assert len(m.all(LiquidationStarted)) == 1
    assert m.equity(ALICE) == 0


def test_winners_buy_no_coins_with_what_isolated_orders_were_promised() -> None:
    """Carol keeps 900 of her 1,000 for an isolated order. Would she buy coins with that, her cross
    account owed it once the order fills, and others would bear the fall of the coins."""
    m = market()
    m.add("OTHER")
    m.open(CAROL, deposit="1050")
    m.open(DAVE, deposit="100000")
    m.index("100", "OTHER")
    m.isolate(CAROL, "OTHER")
    m.trade(ALICE, BOB, "150", "100")
    m.trade(ALICE, CAROL, "50", "100")
    m.index("90")
    m.trade(CAROL, DAVE, "50", "90")
    m.withdraw(CAROL, "550")
    m.buy(CAROL, "90", "100", symbol="OTHER")
    m.asset_price("20000")
    assert CAROL in {each.taker_account_id for each in m.all(CollateralExchanged)}
    m.sell(DAVE, "90", "100", symbol="OTHER")
    assert m.lots(CAROL, "OTHER") == size("90")
    assert m.wallet(CAROL) >= 0
    m.asset_price("100")
    assert CAROL not in {each.margin_account_id for each in m.all(LiquidationStarted)}
