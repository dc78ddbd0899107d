"""Collateral of an isolated account without a position could be reached by nobody, and the cross
account it went back to was not looked at."""

from engine.events import Deleveraged, MarginLevelChanged
from tests.market import Market, levels, liquidation, rules, usd


def test_margin_added_to_a_resting_isolated_order_comes_back_with_its_cancel() -> None:
    market = Market()
    market.open(100, deposit="1000")
    market.index("100")
    market.isolate(100)
    order = market.buy(100, "1", "99")
    market.adjust(100, "40")
    assert market.wallet(100) == usd("960")
    market.cancel(100, order)
    assert market.wallet(100) == usd("1000")
    assert market.pot(100, "PERP").wallet_q == 0


def test_margin_stays_while_another_order_of_the_position_is_open() -> None:
    market = Market()
    market.open(100, deposit="1000")
    market.index("100")
    market.isolate(100)
    first, second = market.buy(100, "1", "99"), market.buy(100, "1", "98")
    market.adjust(100, "40")
    market.cancel(100, first)
    assert market.pot(100, "PERP").wallet_q == usd("40")
    market.cancel(100, second)
    assert market.pot(100, "PERP").wallet_q == 0


def test_the_cross_account_changes_level_when_deleveraging_frees_isolated_margin() -> None:
    """100 is in the alert band of its cross account and wins with an isolated short."""
    market = Market(
        rules(
            levels=levels(alert="3", liquidate="1"), liquidation=liquidation(["adl", "socialise"])
        )
    )
    market.add("OTHER")
    market.open(100, deposit="1000")
    market.open(101, 102, deposit="100000")
    market.open(103, deposit="110")
    market.index("100")
    market.index("100", "OTHER")
    market.isolate(100)
    market.trade(103, 100, "10", "100")
    market.trade(100, 101, "60", "100", symbol="OTHER")
    # Cross: 900 at entry; at 94.9 it has 594, below 3 x 5 % of 5,694.
    market.index("94.9", "OTHER")
    assert market.last(MarginLevelChanged).level == 1
    market.forget()
    market.index("89")
    assert market.only(Deleveraged).margin_account_id != 100
    assert market.lots(100) == 0
    # Freed: 100 of margin and the 110 that was won lift the cross account to 799 and more.
    assert [e.level for e in market.all(MarginLevelChanged) if e.margin_account_id == 100] == []
    market.index("96", "OTHER")
    assert market.last(MarginLevelChanged).level == 0
