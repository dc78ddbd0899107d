"""Examples from the literature and help pages, through the integer models and in closed form."""

from fractions import Fraction

import pytest

from engine.instruments import Instrument, MarginTier
from engine.units import PPB
from risk.margin import BracketMargin, UsedMargin
from risk.solve import bankruptcy_price_ticks, liquidation_price_ticks
from tests.risk.venue_accounts import QUANTA, linear, lots, price_of, quanta
from tests.venues import levels

PERCENT = PPB // 100
TICK = "0.000001"
ONE = 10**6
"""Ticks of a price of one."""

MODEL = BracketMargin([MarginTier(0, 10**30, PERCENT // 2, 100, 0)])


def long_100k() -> tuple[Instrument, int, int]:
    """Two coins bought at 50,000: contract, size and entry value."""
    contract = linear(TICK)
    qty_lots = lots(Fraction(2))
    return contract, qty_lots, contract.fill_value_q(qty_lots, 50_000 * ONE)


def equity_after_fall(leverage: int, percent: int) -> int:
    """Equity in quanta of the position, opened with its initial margin alone, after a fall."""
    contract, qty_lots, entry_q = long_100k()
    margin_q = MODEL.initial_q(qty_lots, entry_q, entry_q, leverage)
    value_q = contract.position_value_q(qty_lots, 50_000 * ONE * (100 - percent) // 100)
    return margin_q + value_q - entry_q


@pytest.mark.parametrize(
    ("figure", "expected"),
    [("initial", 5_000), ("maintenance", 500), ("equity after a 5 % fall", 0)],
    ids=lambda value: f"$100,000 at 20x with 0.5 % maintenance: {value}",
)
def test_hundred_thousand_dollars_at_twenty_times(figure: str, expected: int) -> None:
    _, qty_lots, entry_q = long_100k()
    figures = {
        "initial": MODEL.initial_q(qty_lots, entry_q, entry_q, 20),
        "maintenance": MODEL.maintenance_q(qty_lots, entry_q, entry_q, 20),
        "equity after a 5 % fall": equity_after_fall(20, 5),
    }
    assert figures[figure] == expected * QUANTA


@pytest.mark.parametrize(
    ("leverage", "percent"),
    [(10, 10), (20, 5), (50, 2)],
    ids=["10x is wiped out by a 10 % fall", "20x by 5 %", "50x is wiped out by a 2 % fall"],
)
def test_leverage_is_wiped_out_by_its_inverse(leverage: int, percent: int) -> None:
    contract, qty_lots, entry_q = long_100k()
    assert equity_after_fall(leverage, percent) == 0
    assert equity_after_fall(leverage, percent - 1) > 0
    margin_q = MODEL.initial_q(qty_lots, entry_q, entry_q, leverage)
    bankrupt = bankruptcy_price_ticks(contract, qty_lots, entry_q, margin_q)
    assert bankrupt == 50_000 * ONE * (100 - percent) // 100


def test_margin_ratio_is_equity_over_position_value() -> None:
    contract, qty_lots, entry_q = long_100k()
    margin_q = MODEL.initial_q(qty_lots, entry_q, entry_q, 20)
    assert levels.margin_ratio(Fraction(margin_q), Fraction(entry_q)) == Fraction(5, 100)
    value_q = contract.position_value_q(qty_lots, 48_000 * ONE)
    equity_q = margin_q + value_q - entry_q
    assert levels.margin_ratio(Fraction(equity_q), Fraction(value_q)) == Fraction(1_000, 96_000)


def test_thousand_dollars_at_two_times_uses_five_hundred_of_margin() -> None:
    model = UsedMargin(40 * PERCENT, 5)
    for qty_lots in (1, -1):
        assert model.initial_q(qty_lots, 1_000 * QUANTA, 1_000 * QUANTA, 2) == 500 * QUANTA


KRAKEN = [
    # entry, volume, leverage, trade balance
    ("20000", "1", 5, "10000"),
    ("30000", "1.5", 5, "10000"),
    ("50000", "0.2", 5, "5000"),
    ("0.5", "2000", 2, "700"),
]


@pytest.mark.parametrize(("level", "name"), [("0.8", "call"), ("0.4", "liquidation")])
@pytest.mark.parametrize(
    ("entry", "volume", "leverage", "balance"),
    KRAKEN,
    ids=lambda value: f"Kraken support 203325763 and 203053156: {value}",
)
@pytest.mark.parametrize("side", [1, -1], ids=["long", "short"])
def test_kraken_call_and_liquidation_prices(
    side: int, entry: str, volume: str, leverage: int, balance: str, level: str, name: str
) -> None:
    """Solved in ticks and in closed form: the solver's price is the first beyond the formula's."""
    price, qty, equity = Fraction(entry), Fraction(volume), Fraction(balance)
    share = Fraction(level)
    if side > 0:
        used = price * qty / leverage
        closed_form = levels.kraken_long_price(price, equity, used, share, qty)
    else:
        closed_form = levels.kraken_short_price(price, equity, Fraction(leverage), share, qty)
    ticks = liquidation_price_ticks(
        linear(TICK),
        UsedMargin(40 * PERCENT, 5),
        side * lots(qty),
        quanta(side * price * qty),
        leverage,
        quanta(equity),
        0,
        factor_ppb=2 * PPB if name == "call" else PPB,
    )
    if closed_form <= 0:
        assert ticks is None
        return
    assert ticks is not None
    gap = side * (closed_form - price_of(ticks, TICK))
    assert 0 < gap <= 2 * Fraction(TICK)


def test_kraken_worked_long_one_coin_from_20000_with_10000() -> None:
    used = Fraction(4_000)
    call = levels.kraken_long_price(
        Fraction(20_000), Fraction(10_000), used, Fraction("0.8"), Fraction(1)
    )
    assert call == 13_200
    assert levels.margin_level(Fraction(10_000) + (call - 20_000), used) == Fraction("0.8")


def test_kraken_short_price_substituted_gives_the_level_back() -> None:
    entry, qty, equity, leverage = Fraction(50_000), Fraction("0.2"), Fraction(5_000), Fraction(5)
    for level in (Fraction("0.8"), Fraction("0.4")):
        price = levels.kraken_short_price(entry, equity, leverage, level, qty)
        used = levels.used_margin(-1, qty, entry, price, leverage)
        assert levels.margin_level(equity - qty * (price - entry), used) == level
