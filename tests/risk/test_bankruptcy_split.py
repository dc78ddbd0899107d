"""How the equity of a bankrupt account is shared out over its positions, worked by hand."""

import pytest

from engine.events import Deleveraged, TakenOver
from engine.settings import SettingFault
from risk.bankruptcy_split import BANKRUPTCY_SPLITS
from risk.check.bankruptcy import bankruptcy_values, mark_value_q
from risk.health import evaluate
from risk.rulebook import AdlRule, Rulebook, rulebook_from_json
from risk.rules.rulebook_check import check_rulebook
from tests.market import Market, flat, liquidation, ppb, rules, usd

ALICE, BOB, FUND = 100, 101, 1
SPLITS = ["by_loss", "by_maintenance", "by_notional"]


def book(split: str, *stages: str) -> Rulebook:
    return rules(
        liquidation=liquidation([*stages, "socialise"], split=split),
        adl=AdlRule(max_distance_ppb=ppb("0.9")),
    )


def three_positions(rulebook: Rulebook, fund: str = "0") -> Market:
    """Alice: long 10 AAA and 10 BBB and short 5 CCC from 100, with 500. AAA falls to 60 and CCC
    to 80: -400 + 100. Then BBB falls to 70: -300, so her equity is -100."""
    m = Market(rulebook, listed=False)
    for symbol, rate in (("AAA", "0.05"), ("BBB", "0.01"), ("CCC", "0.08")):
        m.add(symbol, margin=flat(rate, 10))
        m.index("100", symbol)
    m.open(ALICE, deposit="500")
    m.open(BOB, deposit="100000")
    if fund != "0":
        m.deposit(FUND, fund)
    m.trade(ALICE, BOB, "10", "100", "AAA")
    m.trade(ALICE, BOB, "10", "100", "BBB")
    m.trade(BOB, ALICE, "5", "100", "CCC")
    m.index("80", "CCC")
    m.index("60", "AAA")
    return m


SHARES = {
    # Maintenance 30, 7 and 32 of 69: floors of the running sum of -100.
    "by_maintenance": {"AAA": "-43.478261", "BBB": "-10.144928", "CCC": "-46.376811"},
    # Notional 600, 700 and 400 of 1,700.
    "by_notional": {"AAA": "-35.294118", "BBB": "-41.176471", "CCC": "-23.529411"},
    # Losses 400 and 300; the quantum of the weight that nobody is without is CCC's.
    "by_loss": {"AAA": "-57.142857", "BBB": "-42.857143", "CCC": "0"},
}


@pytest.mark.parametrize("split", SPLITS)
def test_a_takeover_is_booked_at_the_share_of_each_position(split: str) -> None:
    m = three_positions(book(split, "fund"), fund="10000")
    m.index("70", "BBB")
    taken = {each.instrument_id: each for each in m.all(TakenOver)}
    for symbol, share in SHARES[split].items():
        event = taken[m.ids[symbol]]
        at_mark_q = {"AAA": usd("600"), "BBB": usd("700"), "CCC": usd("-400")}[symbol]
        assert abs(at_mark_q - event.value_q - usd(share)) <= 1, symbol
    together_q = sum(event.value_q for event in taken.values())
    assert together_q == usd("900") + usd("100")


@pytest.mark.parametrize("split", SPLITS)
def test_a_deleveraging_is_priced_by_the_same_shares(split: str) -> None:
    m = three_positions(book(split, "adl"))
    m.index("70", "BBB")
    closed = {each.instrument_id: each for each in m.all(Deleveraged)}
    paid_q = closed[m.ids["BBB"]].value_q
    assert abs(abs(paid_q) - (usd("700") - usd(SHARES[split]["BBB"]))) <= 1


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("wallet", ["-12.345678", "0", "0.000001", "99.999999"])
def test_the_values_use_the_equity_up_to_the_last_quantum(split: str, wallet: str) -> None:
    m = three_positions(book(split, "fund"))
    core = m.exchange.risk.core
    account = core.ledger.cross(core.ledger.traders[ALICE], 0)
    account.wallet_q = usd("300") + usd(wallet)
    evaluate(account)
    assert account.equity_q == usd(wallet)
    found = bankruptcy_values(account, BANKRUPTCY_SPLITS.get(split), keeps_equity=False)
    shares = [mark_value_q(position) - value_q for position, value_q in found]
    assert len(shares) == 3
    assert sum(shares) == account.equity_q


def test_positions_that_all_gain_share_a_debt_equally() -> None:
    m = three_positions(book("by_loss", "fund"))
    m.index("101", "AAA")
    m.index("101", "BBB")
    core = m.exchange.risk.core
    account = core.ledger.cross(core.ledger.traders[ALICE], 0)
    account.wallet_q = usd("-210")  # with gains of 10, 10 and 100
    evaluate(account)
    found = bankruptcy_values(account, BANKRUPTCY_SPLITS.get("by_loss"), keeps_equity=False)
    assert [mark_value_q(each) - value_q for each, value_q in found] == [usd("-30")] * 3


def test_the_usual_split_is_left_out_of_messages_and_others_travel() -> None:
    assert "split" not in book("by_maintenance", "fund").to_json()
    other = book("by_loss", "fund")
    assert rulebook_from_json(other.to_json()) == other


def test_an_unknown_split_is_refused_with_those_there_are() -> None:
    with pytest.raises(SettingFault, match="'by_los' is unknown; did you mean 'by_loss'"):
        check_rulebook(book("by_los", "fund"))
