"""Colluders who push the mark away from the index gain nothing from the house.

One is short at the highest leverage, a partner long against it; a third keeps both sides of an
empty book high above the index, a fourth trades there once. The short is ruined at the pushed mark,
the house takes it over and buys from the partner. What the mark moves beyond the initial margin at
the highest leverage is the house's loss, so a rulebook's bound lies below that and the fees.
"""

from decimal import Decimal

import pytest

from risk.rulebook_file import load_rulebook
from seawall import Market

MARKETS = {
    ("binance-usdm", "BTCUSDT", 100),
    ("hyperliquid", "BTC", 40),
    ("kraken-spot", "BTC", 5),
}


def gain_of_the_push(
    rulebook: str, symbol: str, leverage: int, top: Decimal, distance: str = ""
) -> Decimal:
    """What the four have more than they brought, after an hour at a mark pushed to ``top``."""
    desk = Market(
        rulebook=rulebook,
        rules={"mark": {"max_distance": distance}} if distance else None,
        symbol=symbol,
        price="100",
        fund="100000",
        backstop="100000",
        band="0.3",
    )
    deposits = ["10000", f"{Decimal(1_080) / leverage:.2f}", "100000", "10000"]
    partner, short, quoter, trader = (
        desk.open_account(deposit, leverage=chosen)
        for deposit, chosen in zip(deposits, (1, leverage, 1, 1), strict=True)
    )
    desk.sell(short, "10", price="100")
    desk.buy(partner, "10", price="100")
    desk.buy(quoter, "1", price=str(top - Decimal("0.02")))
    desk.sell(quoter, "1", price=str(top))
    desk.buy(trader, "0.01", price=str(top))
    for _ in range(40):
        desk.tick(5)
    desk.sell(partner, "10", price=str(top))
    for _ in range(90):
        desk.tick(20)
    accounts = (partner, short, quoter, trader)
    return sum(Decimal(desk.account(each).equity) for each in accounts) - sum(
        map(Decimal, deposits)
    )


@pytest.mark.parametrize(("rulebook", "symbol", "leverage"), sorted(MARKETS))
def test_whoever_pushes_the_mark_gains_nothing(rulebook: str, symbol: str, leverage: int) -> None:
    distance = Decimal(load_rulebook(rulebook).rulebook.mark.max_distance_ppb) / 10**9
    for share in ("0.5", "1"):
        top = (100 * (1 + distance * Decimal(share))).quantize(Decimal("0.01"))
        assert gain_of_the_push(rulebook, symbol, leverage, top) <= 0


def test_with_a_wide_bound_the_house_pays() -> None:
    """At 10 % of 1,000 the short has put in 10.80 at 100x, and the house pays most of the rest."""
    assert gain_of_the_push("binance-usdm", "BTCUSDT", 100, Decimal(110), distance="0.1") > 50
