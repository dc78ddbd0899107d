"""Scenarios with margin in other assets: what is refused, what accounts bring, a whole crash."""

import re
from pathlib import Path

import pytest

from engine.commands import AssetPrice, Command, Deposit
from engine.events import (
    CollateralExchanged,
    CollateralPriceChanged,
    CommandRejected,
    Event,
    LiquidationStarted,
)
from risk.accounts import FUND
from seawall import load_run, run_scenario
from seawall.exchange import Exchange
from seawall.runs.replay import replay_journal
from seawall.scenario import Scenario, load_scenario
from seawall.scenario_fields import ScenarioError
from seawall.simulating.simulation import simulate

EXAMPLE = Path(__file__).parents[2] / "examples" / "collateral_crash.toml"
SMALL = (
    "population.retail.accounts=90",
    "population.funds.accounts=10",
    "population.hedgers.accounts=30",
    "time.warm_up=1m",
    "time.duration=8m",
)


def example(*overrides: str) -> Scenario:
    return load_scenario(EXAMPLE, (*SMALL, *overrides))


class Crash:
    """The small example, run on an exchange that is kept."""

    def __init__(self, *overrides: str) -> None:
        self.commands: list[Command] = []
        self.events: list[Event] = []
        self.exchange = Exchange()
        self.exchange.before_command = lambda _, command: self.commands.append(command)
        self.scenario = example(*overrides)
        self.result = simulate(self.scenario, self.exchange, listeners=[self.events.append])


@pytest.fixture(scope="module")
def crash() -> Crash:
    return Crash()


def test_wealth_is_brought_in_coins_at_their_first_price(crash: Crash) -> None:
    price_ppb = next(c.price_ppb for c in crash.commands if isinstance(c, AssetPrice))
    worth: dict[int, list[float]] = {}
    for command in crash.commands[:1_000]:
        if isinstance(command, Deposit) and 100 <= command.account_id < 190:
            scale = 1e-6 if command.asset_id == 0 else 1e-8 * price_ppb / 1e9
            worth.setdefault(command.account_id, [0.0, 0.0])[command.asset_id] += (
                command.amount_q * scale
            )
    assert len(worth) == 90
    for dollars, coins in worth.values():
        assert coins / (dollars + coins) == pytest.approx(0.85, abs=1e-4)


def test_prices_of_coins_reach_the_exchange_with_the_index(crash: Crash) -> None:
    prices = [e.price_ppb / 1e9 for e in crash.events if isinstance(e, CollateralPriceChanged)]
    assert len(prices) > 500
    assert prices[60] == pytest.approx(60_000, rel=0.01)
    assert min(prices) == pytest.approx(43_000, rel=0.01)


def test_almost_everybody_can_enter_and_the_crash_exchanges_coins(crash: Crash) -> None:
    assert crash.result.entered > 0.95 * crash.result.accounts
    done = [e for e in crash.events if isinstance(e, CollateralExchanged)]
    assert {e.cause for e in done} == {"debt limit", "liquidation"}
    fund = crash.exchange.risk.core.ledger.house(FUND, 1)
    assert fund.wallet_q == sum(e.amount_q for e in done)
    rejected = [e for e in crash.events if isinstance(e, CommandRejected)]
    assert len(rejected) < 10


def test_not_a_quantum_is_lost_and_every_invariant_holds(crash: Crash) -> None:
    crash.exchange.check_invariants()
    assert crash.exchange.residues_q() == {"USDT": 0, "BTC": 0}


def test_coins_that_keep_their_price_save_accounts(crash: Crash) -> None:
    """The same crash with a quiet coin: the fall of the collateral is part of the cascade."""
    quiet = Crash('asset_prices.btc.sources.spot.anchors=[["0s", 60000], ["8m", 60000]]')

    liquidated = [
        sum(isinstance(event, LiquidationStarted) for event in run.events) for run in (quiet, crash)
    ]
    assert 0 < liquidated[0] < liquidated[1]


def test_a_run_replays_to_the_same_hash(tmp_path: Path) -> None:
    run_scenario(example(), tmp_path / "run")
    summary = load_run(tmp_path / "run").summary
    assert float(summary["collateral_exchanged"]["BTC"]) > 0
    assert summary["collateral_exchanged"]["USDT"] == "0"
    assert replay_journal(tmp_path / "run" / "journal.sqlite").equal


# what is refused


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("asset_prices.btc=0", "asset_prices.btc: 0 must be a table"),
        (
            "asset_prices.usd.sources.a={kind='anchored',anchors=[['0s',1],['1s',1]]}",
            "asset_prices.usd: no collateral of that name; assets that count: btc",
        ),
        (
            "population.hedgers.collateral=usd",
            "population.hedgers.collateral: 'usd' does not count for 'perp'; assets that do: btc",
        ),
        (
            "population.retail.isolated_share=0.5",
            "population.retail.isolated_share: 0.5 must be 0 with collateral 'btc'",
        ),
        ("population.retail.collateral_share=2", "population.retail.collateral_share: 2"),
        (
            "rulebook_overrides.collateral=[]",
            "asset_prices.btc: no collateral of that name; assets that count: none by this",
        ),
        (
            "assets.btc.symbol=USDT",
            "rulebook: collateral: USDT is the name of assets 0 and 1; it must be of one",
        ),
    ],
)
def test_a_wrong_key_is_refused(override: str, problem: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        example(override)
    assert problem in re.sub(r" \(line \d+\)", "", str(refused.value))


def test_a_collateral_asset_needs_a_price_path() -> None:
    with pytest.raises(ScenarioError, match=r"asset_prices.gold: is missing: collateral counts"):
        example(
            "assets.gold={symbol='GOLD'}",
            "rulebook_overrides.collateral=[{margin_asset='USDT',"
            "assets=[{asset='BTC',haircut=0.1},{asset='GOLD',haircut=0.2}]}]",
        )


def test_an_instrument_may_not_settle_in_collateral() -> None:
    with pytest.raises(ScenarioError, match="BTC settles an instrument"):
        example(
            "instruments.coin={symbol='C',kind='inverse',settle='btc',tick='0.5',multiplier='100'}",
            "index.coin.sources.a={kind='anchored',anchors=[['0s',1],['1s',1]]}",
        )
