"""A scenario's figures for another coin: measured, given, refused, and written down."""

import math
import random
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.units import MINUTE_NS
from seawall import load_scenario, run_scenario
from seawall.agents.plans import MarketMakerPlan
from seawall.calm import Calm, Coins
from seawall.scaled_fields import AS_STATED, Scale
from seawall.scenario import Scenario
from seawall.scenario_fields import ScenarioError

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "examples" / "small_crash.toml"
SHARED = ROOT.parent / "shared" / "data"
START_S = 1_760_083_200


def price_file(directory: Path, amount: float = 2.0, minutes: int = 12, seed: int = 1) -> Path:
    """A trade a second around 100, of ``amount`` each."""
    rng, price = random.Random(seed), 100.0
    lines = ["timestamp,price,amount"]
    for second in range(minutes * 60):
        price += rng.gauss(0, 0.02)
        lines.append(f"{START_S + second},{price:.2f},{amount}")
    path = directory / "coin.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def on_file(path: Path, **more: object) -> Scenario:
    stated = {"volume_per_minute": 6000, "volatility": 0.0002, **more}
    return load_scenario(SMALL, {"calibrated": stated}, index=str(path))


def settings(scenario: Scenario) -> dict[str, Any]:
    return {plan.name: plan.settings for plan in scenario.agents}


def makers(scenario: Scenario) -> MarketMakerPlan:
    found = next(s for s in settings(scenario).values() if isinstance(s, MarketMakerPlan))
    assert isinstance(found, MarketMakerPlan)
    return found


def test_a_coin_is_measured_in_the_file_of_its_index(tmp_path: Path) -> None:
    scenario, plain = on_file(price_file(tmp_path)), load_scenario(SMALL)
    calm, scale = scenario.coins.calms["perp"], scenario.coins.scales["perp"]
    assert calm.volume_per_minute == pytest.approx(60 * 2 * 100, rel=0.02)
    assert calm.volatility == pytest.approx(0.0002, rel=0.5)
    assert scale.money == calm.volume_per_minute / 6000
    assert makers(scenario).size == makers(plain).size * scale.money
    assert makers(scenario).half_spread == makers(plain).half_spread * scale.volatility
    assert scenario.fund == round(plain.fund * Decimal(repr(scale.money)), 0)
    assert scenario.population[0].clip == plain.population[0].clip * scale.money
    assert scenario.indices["perp"].warm_up_volatility == pytest.approx(
        plain.indices["perp"].warm_up_volatility * scale.volatility
    )


def test_only_money_changes_where_only_amounts_do(tmp_path: Path) -> None:
    before = on_file(price_file(tmp_path)).coins.scales["perp"]
    after = on_file(price_file(tmp_path, amount=16.0)).coins.scales["perp"]
    assert after.money == pytest.approx(8 * before.money, rel=1e-5)
    assert after.volatility == before.volatility


def test_a_longer_stretch_than_the_window_counts_whole() -> None:
    coins = Coins(Calm(100.0, 0.01), {}, {}, window_ns=5 * MINUTE_NS, weight=0.5)
    measured = Calm(400.0, 0.0025)
    assert coins.counted(measured, 5 * MINUTE_NS) == Calm(200.0, 0.005)
    assert coins.counted(measured, 5 * MINUTE_NS + 1) == measured
    assert Coins(None, {}, {}).counted(measured, MINUTE_NS) == measured


def test_what_is_measured_counts_as_far_as_it_is_trusted(tmp_path: Path) -> None:
    path = price_file(tmp_path, amount=16.0)
    whole = on_file(path).coins.scales["perp"]
    half = on_file(path, weight=0.5).coins.scales["perp"]
    none = on_file(path, weight=0).coins.scales["perp"]
    assert half.money == pytest.approx(math.sqrt(whole.money), rel=1e-5)
    assert half.volatility == pytest.approx(math.sqrt(whole.volatility), rel=1e-5)
    assert none == AS_STATED


def test_the_window_lies_before_the_start_if_the_file_reaches_back(tmp_path: Path) -> None:
    """Amounts are ten times larger from the seventh minute on."""
    path = price_file(tmp_path)
    lines = path.read_text().splitlines()
    late = [f"{line}0" if number > 6 * 60 else line for number, line in enumerate(lines)]
    path.write_text("\n".join(late).replace("2.00", "20") + "\n")

    def volume(start_minute: int) -> float:
        start = f"2025-10-10T08:{start_minute:02}:00Z"
        overrides = {
            "calibrated": {"volume_per_minute": 6000, "volatility": 0.0002},
            "time.start": start,
            "time.duration": "2m",
        }
        return (
            load_scenario(SMALL, overrides, index=str(path)).coins.calms["perp"].volume_per_minute
        )

    assert volume(6) == pytest.approx(12_000, rel=0.02), "the five minutes before"
    assert volume(4) == pytest.approx((2 * 12_000 + 3 * 120_000) / 5, rel=0.02), "those after"


def test_a_calm_that_is_given_is_not_measured() -> None:
    scenario = load_scenario(
        SMALL,
        {
            "calibrated": {"volume_per_minute": 100, "volatility": 0.001},
            "calm.perp": {"volume_per_minute": 50, "volatility": 0.002},
        },
    )
    assert scenario.coins.scales == {"perp": Scale(0.5, 2.0)}
    assert scenario.notes[-1] == (
        "Figures of perp are scaled to its coin: money by 0.5, spreads and volatilities by 2."
    )


def test_one_of_the_two_may_be_given(tmp_path: Path) -> None:
    stated = {"volume_per_minute": 6000, "volatility": 0.0002}
    path = price_file(tmp_path)
    overrides = {"calibrated": stated, "calm.perp.volume_per_minute": 3000}
    scenario = load_scenario(SMALL, overrides, index=str(path))
    assert scenario.coins.scales["perp"].money == 0.5
    assert scenario.coins.calms["perp"].volatility == on_file(path).coins.calms["perp"].volatility


def test_nothing_is_scaled_where_nothing_is_stated(tmp_path: Path) -> None:
    scenario = load_scenario(SMALL, index=str(price_file(tmp_path)))
    assert scenario.coins.scales == {"perp": AS_STATED}
    assert settings(scenario) == settings(load_scenario(SMALL))
    assert scenario.notes == ()


def test_other_prices_bring_a_calm_of_their_own(tmp_path: Path) -> None:
    base = tmp_path / "base.toml"
    base.write_text(
        f'extends = "{SMALL}"\n[calibrated]\nvolume_per_minute = 6000\nvolatility = 0.0002\n'
        "[calm.perp]\nvolume_per_minute = 3000\nvolatility = 0.0004\n"
    )
    assert load_scenario(base).coins.calms["perp"] == Calm(3000.0, 0.0004)
    path = price_file(tmp_path)
    assert load_scenario(base, index=str(path)).coins == on_file(path).coins


def test_few_prices_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "thin.csv"
    rows = [f"{START_S + 20 * n},{100 + n % 3 / 10},60" for n in range(20)]
    path.write_text("\n".join(["timestamp,price,amount", *rows]) + "\n")
    (warning,) = on_file(path).warnings
    assert warning.startswith(f"calm.perp is measured from 15 prices of {path}, fewer than 30")


def test_a_flat_price_is_no_coin_of_its_own(tmp_path: Path) -> None:
    """It has no volatility, and then a step of 3 %: neither is that coin's calm."""
    path = tmp_path / "flat.csv"
    rows = [f"{START_S + n},{100 if n < 600 else 97},100" for n in range(0, 1200)]
    path.write_text("\n".join(["timestamp,price,amount", *rows]) + "\n")
    scenario = on_file(path)
    assert scenario.coins.scales["perp"].volatility == 1.0
    assert scenario.coins.calms["perp"].volume_per_minute == 600_000 / 5
    (quiet, much) = sorted(scenario.warnings, reverse=True)
    assert quiet.startswith("calm.perp.volume_per_minute is measured as 600000 and taken as 120000")
    assert much.startswith("calm.perp.volatility cannot be measured, so it is taken as calibrated")


def test_a_file_without_amounts_has_a_volatility(tmp_path: Path) -> None:
    path = price_file(tmp_path)
    with_amounts = on_file(path).coins.calms["perp"]
    path.write_text("".join(f"{line.rpartition(',')[0]}\n" for line in path.open()))
    scenario = on_file(path)
    assert scenario.coins.calms["perp"] == Calm(6000.0, with_amounts.volatility)
    (warning,) = scenario.warnings
    assert warning.startswith("calm.perp.volume_per_minute cannot be measured, so it is taken as")
    assert "no column of amounts" in warning


def test_an_amount_that_is_none_is_refused(tmp_path: Path) -> None:
    path = price_file(tmp_path)
    path.write_text(path.read_text().replace(",2.0\n", ",two\n", 1))
    with pytest.raises(
        ScenarioError, match=r"calm\.perp\.volume_per_minute: cannot .* line 2: amo"
    ):
        on_file(path)


def test_a_made_index_is_that_of_the_coin_itself() -> None:
    stated = {"volume_per_minute": 6000, "volatility": 0.0002}
    scenario = load_scenario(SMALL, {"calibrated": stated})
    assert scenario.coins.scales == {"perp": AS_STATED}
    assert scenario.coins.calms == {"perp": Calm(6000.0, 0.0002)}
    assert scenario.warnings == ()


def test_what_was_measured_is_written_down_and_read_again(tmp_path: Path) -> None:
    path = price_file(tmp_path)
    scenario = msgspec.structs.replace(
        on_file(path), population=(), agents=(), time=short(on_file(path))
    )
    out = tmp_path / "run"
    run_scenario(scenario, out)
    assert "[calm.perp]" in (out / "scenario.toml").read_text()
    path.unlink()
    path.write_text(f"timestamp,price\n{START_S},100\n{START_S + 800},100\n")
    again = load_scenario(out / "scenario.toml")
    assert again.coins == scenario.coins
    assert settings(again) == settings(on_file(price_file(tmp_path)))


def short(scenario: Scenario) -> Any:
    return msgspec.structs.replace(scenario.time, duration_ns=MINUTE_NS)


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (
            {"calm.perp": {"volume_per_minute": 1, "volatility": 0.1}},
            r"calibrated: is missing: it states the coin that \[calm\] scales from",
        ),
        (
            {
                "calibrated": {"volume_per_minute": 1, "volatility": 0.1},
                "calm.peep": {"volume_per_minute": 1, "volatility": 0.1},
            },
            r"calm\.peep: no instrument of that name; instruments: perp",
        ),
        ({"calibrated": {"volatility": 0.1}}, r"calibrated\.volume_per_minute: is missing"),
        (
            {
                "calibrated": {"volume_per_minute": 1, "volatility": 0.001},
                "calm.perp": {"volume_per_minute": 1, "volatility": 0.99},
            },
            r"index\.perp\.warm_up_volatility \(line \d+\): 0\.8 scaled by 990 to this coin: "
            r"792\.0 must be a number from 0 to 20",
        ),
    ],
)
def test_what_cannot_be_scaled_is_refused(overrides: Mapping[str, object], problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        load_scenario(SMALL, overrides)


TWO_COINS = """
extends = "{small}"
[instruments.other]
symbol = "OTHER-PERP"
tick = "0.01"
lot = "0.1"
[index.other.sources.only]
kind = "anchored"
anchors = [["0s", 50], ["10m", 50]]
[population.both]
instruments = {{ perp = 0.25, other = 0.75 }}
accounts = 1
wealth = {{ kind = "lognormal", median = 1000 }}
[agents.others]
kind = "market_maker"
instrument = "other"
capital = 1000
size = 100
[calibrated]
volume_per_minute = 1000
volatility = 0.0001
[calm.perp]
volume_per_minute = 2000
volatility = 0.0001
[calm.other]
volume_per_minute = 4000
volatility = 0.0002
"""


def test_every_contract_has_a_scale_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "two.toml"
    path.write_text(TWO_COINS.format(small=SMALL))
    scenario, plain = load_scenario(path), load_scenario(SMALL)
    assert scenario.coins.scales == {"perp": Scale(2.0, 1.0), "other": Scale(4.0, 2.0)}
    assert makers(scenario).size == 2 * makers(plain).size
    assert settings(scenario)["others"].size == 400
    groups = {group.name: group for group in scenario.population}
    assert groups["both"].clip == 50_000 * (0.25 * 2 + 0.75 * 4), "by the shares of the two"
    assert scenario.fund == 3 * plain.fund, "by the mean"


COINS = {"AVAX": "0.01", "AAVE": "0.01", "BCH": "0.01", "DOT": "0.001"}


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared data")
@pytest.mark.parametrize("coin", COINS)
def test_a_coin_of_october_takes_its_symbol_tick_brackets_and_prices(
    tmp_path: Path, coin: str
) -> None:
    path = tmp_path / "coin.toml"
    path.write_text(f"""
        extends = "{ROOT}/examples/oct10_avax.toml"
        [instruments.avax]
        symbol = "{coin}USDT"
        tick = "{COINS[coin]}"
        lot = "0.1"
        margin = {{ ccxt_symbol = "{coin}/USDT:USDT" }}
        [index.avax.sources.coinbase]
        file = "{SHARED}/oct10_spot_trades/coinbase_{coin}-USD_crash.csv.gz"
    """)
    scenario, avax = load_scenario(path), load_scenario(ROOT / "examples" / "oct10_avax.toml")
    scale = scenario.coins.scales["avax"]
    if coin == "AVAX":
        assert scale == AS_STATED
    else:
        assert 0.1 < scale.money < 1.0
        assert 0.5 < scale.volatility < 2.0
    assert makers(scenario).capital == makers(avax).capital * scale.money
