"""The report named one per cent of the fund's loss (deficits paid, not what it lost by selling what
it had taken) and seven per cent of what liquidated accounts lost.

Long 10 at 100 with 100, taken over at 93 for 90; the fund sells 4 a second at a mark of 80.
"""

from engine.units import SECOND_NS
from risk.accounts import FUND
from risk.rulebook import FundRule
from seawall.records.house_accounts import HouseAccounts
from seawall.records.owner import Owner
from seawall.records.results import ResultCollector
from tests.market import Market, ppb, rules, usd

ALICE, BOB, CAROL = 100, 101, 102


def test_a_fund_that_pays_no_deficit_and_loses_all_the_same() -> None:
    fund = FundRule(
        disposal_fraction_ppb=ppb("0.4"),
        disposal_interval_ns=SECOND_NS,
        disposal_slippage_ppb=ppb("0.3"),
    )
    m = Market(rules(fund=fund))
    results = ResultCollector()
    m.exchange.subscribe(results)
    m.deposit(FUND, "1000")
    m.open(ALICE, deposit="100")
    m.open(BOB, CAROL, deposit="100000")
    m.index("100")
    accounts = HouseAccounts([m.exchange.listing(0).instrument.spec])
    accounts.begin(m.exchange)
    m.exchange.subscribe(accounts)
    m.trade(ALICE, BOB, "10", "100")
    m.index("93")
    m.index("80")
    m.buy(CAROL, "10", "80")
    m.wait("1")
    lines = accounts.accounts(m.exchange, FUND)[0]
    assert lines["deficits"] == 0
    assert lines["takeovers"] == usd("30")
    # 4 sold, 6 held; both were worth 93 each when they came.
    assert (lines["disposal"], lines["unrealised"]) == (usd("-52"), usd("-78"))
    assert lines["end"] - lines["start"] == usd("-100")
    owners = [Owner("group", "longs"), Owner("group", "shorts"), Owner("agent", "bids")]
    rows = results.results(m.exchange, owners)
    told = {row.name: row.result_q for row in rows if row.asset_id == 0 and row.result_q}
    assert told == {
        "longs": usd("-100"),
        "shorts": usd("200"),
        "insurance fund": usd("-100"),
    }
