"""The margin calculator against worked examples, itself, and the engine."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall import Market, Question, calculate
from seawall.cli import EXIT_BAD_INPUT, EXIT_OK, main

HALF_PERCENT = """
name = "half-percent"
title = "Flat half a percent"
sources = ["the example itself"]
levels = [{ name = "liquidation", kind = "liquidate", factor = 1 }]
[liquidation]
stages = ["cancel", "close", "socialise"]
[margin]
model = "flat"
maintenance = "0.005"
max_leverage = 100
"""


@pytest.fixture
def half_percent(tmp_path: Path) -> str:
    path = tmp_path / "half-percent.toml"
    path.write_text(HALF_PERCENT)
    return str(path)


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str | None]:
    """The answer of ``seawall calc --json``, the levels as further keys."""
    assert main(["calc", "--json", *arguments]) == EXIT_OK
    answer = json.loads(capsys.readouterr().out)
    return {**answer, **dict(answer.pop("levels"))}


# worked examples, typed at the command line


def test_hundred_thousand_dollars_at_20x_with_half_a_percent_maintenance(
    half_percent: str, capsys: pytest.CaptureFixture[str]
) -> None:
    position = ["--rulebook", half_percent, "--side", "long", "--qty", "2", "--entry", "50000"]
    answer = ask(capsys, *position, "--leverage", "20")
    assert answer["notional"] == "100000"
    assert answer["initial_margin"] == "5000"
    assert answer["maintenance_margin"] == "500"
    assert answer["margin_ratio"] == "0.05"
    fallen = ask(capsys, *position, "--leverage", "20", "--mark", "47500")
    assert fallen["equity"] == "0"
    assert fallen["margin_ratio"] == "0"


@pytest.mark.parametrize(("leverage", "fall"), [(10, 10), (20, 5), (50, 2)])
def test_a_fall_of_one_over_the_leverage_wipes_a_long_out(
    leverage: int, fall: int, half_percent: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = ask(
        capsys,
        *["--rulebook", half_percent, "--side", "long", "--qty", "1", "--entry", "100"],
        *["--leverage", str(leverage)],
    )
    assert answer["bankruptcy_price"] == str(100 - fall)


def test_margin_ratio_is_equity_over_position_value(
    half_percent: str, capsys: pytest.CaptureFixture[str]
) -> None:
    position = ["--rulebook", half_percent, "--side", "long", "--qty", "2", "--entry", "50000"]
    answer = ask(capsys, *position, "--leverage", "20", "--mark", "48000")
    assert answer["equity"] == "1000"
    assert answer["notional"] == "96000"
    assert answer["margin_ratio"] == "0.010416666"  # 1000 / 96000, rounded down


def test_thousand_dollars_at_2x_uses_500_of_margin(capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask(
        capsys,
        *["--rulebook", "kraken-spot", "--side", "long", "--qty", "1000", "--entry", "1"],
        *["--leverage", "2"],
    )
    assert answer["initial_margin"] == "500"


def kraken_price(side: str, level: str) -> Decimal:
    """Entry 50,000, volume 0.2, 5x, trade balance 5,000, by the help page's formulas."""
    entry, volume, leverage, balance = Decimal(50_000), Decimal("0.2"), 5, Decimal(5_000)
    if side == "long":
        used = entry * volume / leverage
        return entry - (balance - used * Decimal(level)) / volume
    return leverage * (balance + entry * volume) / (volume * (Decimal(level) + leverage))


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize(("name", "level"), [("margin call", "0.8"), ("liquidation", "0.4")])
def test_kraken_call_and_liquidation_prices(
    side: str, name: str, level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The calculator's price is the first tick beyond the formula's."""
    answer = ask(
        capsys,
        *["--rulebook", "kraken-spot", "--side", side, "--qty", "0.2", "--entry", "50000"],
        *["--leverage", "5", "--wallet", "5000", "--tick", "0.0001"],
    )
    found = answer[name]
    assert found is not None
    gap = Decimal(found) - kraken_price(side, level)
    assert 0 < (-gap if side == "long" else gap) <= Decimal("0.0001")


def test_an_inverse_contract_is_margined_in_coin(capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask(
        capsys,
        *["--rulebook", "binance-coinm", "--inverse", "--multiplier", "100", "--side", "long"],
        *["--qty", "10", "--entry", "50000", "--leverage", "20"],
    )
    assert (answer["notional"], answer["asset"]) == ("0.02", "coin")
    assert answer["initial_margin"] == "0.001"
    # equity 0.001 + 1000/50000 - 1000/p is zero at 1000/0.021
    assert answer["bankruptcy_price"] == "47619.05"


def test_the_text_form_says_the_same_as_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    question = ["--rulebook", "teaching-default", "--side", "long", "--qty", "10"]
    question += ["--entry", "100", "--leverage", "10"]
    answer = ask(capsys, *question)
    assert main(["calc", *question]) == EXIT_OK
    rows = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    text = {name: value.strip() for name, value in rows.items()}
    assert text["initial margin"] == f"{answer['initial_margin']} quote"
    assert text["liquidation price"] == answer["liquidation"] == "91.83"
    assert text["margin call price"] == answer["margin call"] == "92.78"
    assert text["bankruptcy price"] == answer["bankruptcy_price"] == "90"


def test_a_price_nobody_reaches_is_never(capsys: pytest.CaptureFixture[str]) -> None:
    question = ["--rulebook", "teaching-default", "--side", "long", "--qty", "1", "--entry", "100"]
    assert ask(capsys, *question)["bankruptcy_price"] is None
    assert main(["calc", *question]) == EXIT_OK
    assert "bankruptcy price    never" in capsys.readouterr().out


# bad input

GOOD = {"rulebook": "teaching-default", "side": "long", "qty": "1", "entry": "100"}

BAD: list[tuple[dict[str, str], str]] = [
    ({"rulebook": "binance"}, "rulebook 'binance' is unknown"),
    ({"qty": "abc"}, "qty: 'abc' is not a decimal number"),
    ({"qty": "0"}, "qty, entry and mark must be above 0"),
    ({"qty": "-1"}, "qty, entry and mark must be above 0"),
    ({"entry": "NaN"}, "entry: 'NaN' is not finite"),
    ({"entry": "100.05", "tick": "0.1"}, "entry: 100.05 is not a multiple of 0.1"),
    ({"mark": "0"}, "qty, entry and mark must be above 0"),
    ({"leverage": "21"}, "leverage 21: allowed at this size are 1 to 20"),
    ({"leverage": "0"}, "leverage 0: allowed at this size are 1 to 20"),
    ({"wallet": "-3"}, "wallet -3 must be 0 or more"),
    ({"multiplier": "0"}, "multiplier is 0; it must be positive"),
    ({"symbol": "DOGE"}, "symbol 'DOGE': rulebook teaching-default has no margin table"),
    ({"tiers": "tiers.json"}, "a tiers file needs a symbol"),
    ({"tiers": "/nowhere/tiers.json", "symbol": "X"}, "/nowhere/tiers.json: No such file"),
]


@pytest.mark.parametrize(("wrong", "problem"), BAD, ids=[problem for _, problem in BAD])
def test_a_bad_figure_is_named_in_one_line(
    wrong: dict[str, str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [f"--{name}={value}" for name, value in {**GOOD, **wrong}.items()]
    assert main(["calc", *arguments]) == EXIT_BAD_INPUT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert problem in captured.err
    assert len(captured.err.splitlines()) == 1


# against itself and the engine


@given(
    side=st.sampled_from(["long", "short"]),
    rulebook=st.sampled_from(["teaching-default", "binance-usdm", "hyperliquid", "kraken-spot"]),
    qty=st.integers(1, 10**6),
    entry=st.integers(1_000, 10**7),
    leverage=st.integers(2, 5),
)
def test_at_the_liquidation_price_equity_is_below_maintenance_and_a_tick_before_it_is_not(
    side: str, rulebook: str, qty: int, entry: int, leverage: int
) -> None:
    tick = Decimal("0.01")
    sizes = {"qty": str(qty * Decimal("0.001")), "entry": str(entry * tick), "tick": str(tick)}

    def answer(mark: str | None = None) -> tuple[Decimal, Decimal, str | None]:
        found = calculate(
            Question(
                rulebook=rulebook, side=side, leverage=leverage, mark=mark, wallet=wallet, **sizes
            )
        )
        return Decimal(found.equity), Decimal(found.maintenance_margin), found.levels[-1][1]

    wallet: str | None = None
    question = Question(rulebook=rulebook, side=side, leverage=leverage, **sizes)
    try:
        wallet = calculate(question).wallet
    except ValueError as error:
        assert "leverage" in str(error)
        return
    price = answer()[2]
    assert price is not None
    equity, maintenance, _ = answer(price)
    assert equity < maintenance
    safer = Decimal(price) + (tick if side == "long" else -tick)
    if safer > 0:
        equity, maintenance, _ = answer(str(safer))
        assert equity >= maintenance


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("rulebook", ["teaching-default", "binance-usdm", "hyperliquid"])
def test_the_calculator_and_a_live_market_agree(rulebook: str, side: str) -> None:
    market = Market(rulebook=rulebook, price="100")
    maker = market.open_account(deposit="1000000")
    trader = market.open_account(deposit="200", leverage=10)
    buyer, seller = (trader, maker) if side == "long" else (maker, trader)
    market.buy(buyer, "15", price="100")
    market.sell(seller, "15", price="100")
    position = market.position(trader)
    assert position is not None
    answer = calculate(
        Question(
            rulebook=rulebook,
            side=side,
            qty="15",
            entry="100",
            leverage=10,
            wallet=market.account(trader).wallet,
            tick="0.01",
        )
    )
    assert answer.levels[-1][1] == position.liquidation_price
    assert answer.bankruptcy_price == position.bankruptcy_price
    assert answer.maintenance_margin == position.maintenance_margin
    assert answer.initial_margin == position.initial_margin
    assert answer.equity == market.account(trader).equity
