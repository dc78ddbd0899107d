"""Each winning position was charged on its own, up to the whole equity of its account."""

from engine.events import LossSocialised
from risk.losses.socialisation import Socialisation
from risk.rulebook import WithdrawalRule
from tests.market import Market, rules, usd


def test_an_account_with_two_winning_positions_is_charged_once() -> None:
    market = Market(rules(withdrawal=WithdrawalRule(unrealised_profit=True)))
    market.add("OTHER")
    market.open(100, deposit="300")
    market.open(101, 102, deposit="100000")
    for symbol in ("PERP", "OTHER"):
        market.index("100", symbol)
        market.trade(100, 101, "10", "100", symbol=symbol)
        market.index("200", symbol)
    # Gains of 2,000 on a wallet of -1,400: 600 of equity.
    market.withdraw(100, "1700")
    assert market.equity(100) == usd("600")
    risk = market.exchange.risk
    loser = risk.core.ledger.accounts[102]
    out: list[object] = []
    risk.core.out = out
    Socialisation(risk.core, risk.watch).cover(loser, usd("1000"))
    borne = [event.amount_q for event in out if isinstance(event, LossSocialised)]
    assert sum(borne) == usd("600")
    assert market.equity(100) == 0
