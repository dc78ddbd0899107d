"""Only free collateral leaves, and unrealised profit only where the rulebook lets it."""

from decimal import Decimal

import pytest

from engine.events import LiquidationStarted
from engine.reasons import Reason
from risk.rulebook import WithdrawalRule
from tests.market import Market, ppb, rules, usd

ALICE, BOB = 100, 101


def market(**settings: object) -> Market:
    m = Market(rules(**settings))
    m.open(ALICE, deposit="300")
    m.open(BOB, deposit="100000")
    m.index("100")
    return m


def check_limit(m: Market, limit: str) -> None:
    """Exactly ``limit`` may leave: not a millionth more, and then nothing."""
    assert m.pot(ALICE).withdrawable_q == usd(limit)
    m.withdraw(ALICE, str(Decimal(limit) + Decimal("0.000001")))
    assert m.refusal().reason == Reason.INSUFFICIENT_FREE_COLLATERAL
    assert (m.refusal().required_q, m.refusal().free_q) == (usd(limit) + 1, usd(limit))
    m.withdraw(ALICE, limit)
    assert m.pot(ALICE).withdrawable_q == 0


def test_everything_may_leave_an_idle_account() -> None:
    check_limit(market(), "300")


def test_initial_margin_stays() -> None:
    """10 at 100: 100 stay."""
    m = market()
    m.trade(ALICE, BOB, "10", "100")
    check_limit(m, "200")


def test_margin_of_open_orders_stays() -> None:
    """Bids for 5 at 90 are margined at the mark: 50."""
    m = market()
    m.buy(ALICE, "5", "90")
    check_limit(m, "250")


def test_unrealised_loss_is_gone() -> None:
    """At 96: 300 - 40 - 96 = 164."""
    m = market()
    m.trade(ALICE, BOB, "10", "100")
    m.index("96")
    check_limit(m, "164")


def test_unrealised_profit_stays() -> None:
    """At 110: equity 400, of which 100 unrealised; 300 - 110 = 190."""
    m = market()
    m.trade(ALICE, BOB, "10", "100")
    m.index("110")
    check_limit(m, "190")


def test_unrealised_profit_leaves_where_the_rules_say_so() -> None:
    """At 140: equity 700 - 140 = 560, more than the wallet holds."""
    m = market(withdrawal=WithdrawalRule(unrealised_profit=True))
    m.trade(ALICE, BOB, "10", "100")
    m.index("140")
    check_limit(m, "560")
    assert m.wallet(ALICE) == -usd("260")
    assert m.equity(ALICE) == usd("140")


def test_profit_of_one_contract_does_not_pay_for_the_loss_of_another() -> None:
    """PERP +100, OTHER -60: 300 - 60 - (110 + 94) = 36."""
    m = market()
    m.add("OTHER")
    m.index("100", "OTHER")
    m.trade(ALICE, BOB, "10", "100")
    m.trade(ALICE, BOB, "10", "100", "OTHER")
    m.index("110")
    m.index("94", "OTHER")
    check_limit(m, "36")


def test_realised_profit_may_leave() -> None:
    m = market()
    m.trade(ALICE, BOB, "10", "100")
    m.index("110")
    m.trade(BOB, ALICE, "10", "110")
    check_limit(m, "400")


@pytest.mark.parametrize(
    ("share", "limit"),
    [
        # The larger of initial margin 100 and the share of the notional 1,000 stays.
        ("0.05", "200"),
        ("0.1", "200"),
        ("0.2", "100"),
    ],
)
def test_a_share_of_the_notional_stays(share: str, limit: str) -> None:
    m = market(withdrawal=WithdrawalRule(min_notional_ppb=ppb(share)))
    m.trade(ALICE, BOB, "10", "100")
    check_limit(m, limit)


def test_a_withdrawal_never_starts_a_liquidation() -> None:
    m = market()
    m.trade(ALICE, BOB, "10", "100")
    m.withdraw(ALICE, "200")
    assert not m.all(LiquidationStarted)
    assert m.pot(ALICE).level == 0
