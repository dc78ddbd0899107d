"""Deposits beyond the largest amount were refused, the makers traded with nothing, and the run
reported success. What sets a market up is taken, or the run ends with the reason.
"""

from pathlib import Path
from typing import Any

import pytest

from engine import commands as c
from engine.units import COMPILED
from seawall.cli import EXIT_BAD_INPUT, main
from seawall.exchange import Exchange
from seawall.runs.run import run_scenario
from seawall.runs.run_directory import load_run
from seawall.scenario import load_scenario
from seawall.scenario_fields import ScenarioError
from seawall.simulating import market_setup, simulation

SMALL = Path(__file__).parents[2] / "examples" / "small_crash.toml"
SHORT = ["time.duration=60s", "time.warm_up=60s"]
LATENCY = "latency.gateway_to_risk=1ms"


def refusal(tmp_path: Path, *overrides: str) -> str:
    with pytest.raises(ScenarioError) as refused:
        run_scenario(load_scenario(SMALL, [*SHORT, *overrides]), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    return str(refused.value)


def test_the_market_is_the_same_whatever_the_decimals(tmp_path: Path) -> None:
    """As far as a fee rounded to a quantum moves no limit of a liquidation: with four it does."""
    found = {}
    for decimals in (5, 6, 8):
        out = tmp_path / str(decimals)
        scenario = load_scenario(SMALL, [*SHORT, f"assets.usd.decimals={decimals}"])
        run_scenario(scenario, out)
        events = load_run(out).events
        columns = ["type", "account_id", "side", "qty_lots", "price_ticks"]
        found[decimals] = events.filter(events["type"].is_in(["Trade", "OrderFilled"]))[columns]
    assert found[5].height > 100
    assert found[5].equals(found[6])
    assert found[8].equals(found[6])


@pytest.mark.parametrize("decimals", [11, 12])
@pytest.mark.parametrize("latency", [(), (LATENCY,)])
def test_decimals_that_leave_no_room_are_refused(
    tmp_path: Path, decimals: int, latency: tuple[str, ...]
) -> None:
    message = refusal(tmp_path, f"assets.usd.decimals={decimals}", *latency)
    assert f"assets.usd.decimals: {decimals} leave too little room" in message
    assert "choose fewer decimals" in message


def test_decimals_that_leave_no_room_for_the_makers_are_named(tmp_path: Path) -> None:
    """The accounts' own positions can be counted, the ladders beside them cannot."""
    message = refusal(tmp_path, "assets.usd.decimals=9")
    assert "into the warm-up; time.warm_up_limit allows 1 %" in message
    assert "; orders were refused (" in message
    assert "fewer decimals of the settlement asset" in message


@pytest.mark.parametrize("key", ["fund", "backstop"])
@pytest.mark.parametrize("latency", [(), (LATENCY,)])
def test_a_seed_of_the_house_that_is_too_large_is_refused(
    tmp_path: Path, key: str, latency: tuple[str, ...]
) -> None:
    message = refusal(tmp_path, f"house.{key}=1e15", *latency)
    for part in [
        f"house.{key}: ",
        "a deposit of 1,000,000,000,000,000 USDT",
        "was refused: 116 number too large",
        "with 6 decimals an amount may be at most 2,305,843,009,214 USDT",
    ]:
        assert part in message


class Changed:
    """The commands of a trader's set-up with one of them spoilt."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def __call__(self, *arguments: Any) -> Any:
        for command in market_setup.trader_commands(*arguments):
            changes = self._fields.get(type(command).__name__)
            names = type(command).__struct_fields__
            values = {name: getattr(command, name) for name in names} | (changes or {})
            yield type(command)(**values)


@pytest.mark.skipif(COMPILED, reason="compiled functions cannot be replaced from outside")
@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({"SetLeverage": {"leverage": 500}}, ["leverage 500 on perp", "202 leverage above"]),
        ({"OpenAccount": {"account_id": 1}}, ["house.fund: ", "opening the account was refused"]),
        ({"Deposit": {"amount_q": 0}}, ["of population.retail", "a deposit of 0 USDT", "115"]),
        ({"SetMarginMode": {"account_id": 999_999}}, ["isolated margin on perp", "102 unknown"]),
    ],
    ids=["leverage", "account", "deposit", "mode"],
)
@pytest.mark.parametrize("latency", [(), (LATENCY,)])
def test_any_refused_command_of_the_set_up_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fields: dict[str, Any],
    parts: list[str],
    latency: tuple[str, ...],
) -> None:
    monkeypatch.setattr(simulation, "trader_commands", Changed(**fields))
    message = refusal(tmp_path, "population.retail.isolated_share=1", *latency)
    assert "the market cannot be set up: " in message
    for part in parts:
        assert part in message


def test_a_refused_price_ends_the_run_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send = Exchange.send
    prices = 0

    def spoilt(exchange: Exchange, command: c.Command) -> None:
        nonlocal prices
        if isinstance(command, c.IndexPrice):
            prices += 1
            if prices > 50:
                command = c.IndexPrice(command.time_ns, 0, command.source_id, c.MAX_TICKS + 1)
        send(exchange, command)

    monkeypatch.setattr(Exchange, "send", spoilt)
    message = refusal(tmp_path)
    assert "the run cannot go on: the price of" in message
    assert "index price 1000000000001; allowed" in message


def test_the_command_line_says_it_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    override = ["--set", "assets.usd.decimals=12"]
    assert main(["run", str(SMALL), *override, "--out", str(tmp_path / "out")]) == EXIT_BAD_INPUT
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "leave too little room" in errors
