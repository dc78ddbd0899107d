"""What the clock publishes: walks of indices and of collateral prices, as configured."""

from pathlib import Path

import pytest

from engine.commands import AssetPrice, IndexPrice
from engine.services.service_config import ConfigError, parse_config
from gateway.host.clock import keep_prices, open_walks

TEXT = """
[[clock.index]]
instrument_id = 2
start_ticks = 10000

[[clock.asset]]
asset_id = 2
start_price = "60000.5"
step_ppm = 1000
"""


def test_indices_walk_in_ticks_and_assets_in_parts_per_billion(tmp_path: Path) -> None:
    index, asset = open_walks(tmp_path / "index.json", parse_config(TEXT, "x.toml").clock)
    assert (index.price, asset.price) == (10_000, 60_000_500_000_000)
    steps = [asset.step() for _ in range(50)]
    prices = [step.price_ppb for step in steps if isinstance(step, AssetPrice)]
    assert len(set(prices)) > 40
    assert 55_000 * 10**9 < min(prices) < max(prices) < 66_000 * 10**9
    step = index.step()
    assert isinstance(step, IndexPrice) and abs(step.price_ticks - 10_000) < 100


def test_walks_go_on_where_they_were(tmp_path: Path) -> None:
    """An index and an asset of the same number do not meet in the note."""
    file = tmp_path / "index.json"
    clock = parse_config(TEXT, "x.toml").clock
    walks = open_walks(file, clock)
    for walk in walks:
        walk.step()
    keep_prices(file, walks)
    assert [walk.price for walk in open_walks(file, clock)] == [walk.price for walk in walks]


@pytest.mark.parametrize(
    ("price", "problem"),
    [("-1", "is -1; it must be positive"), ("x", "'x' is not a decimal number")],
)
def test_a_start_that_is_no_price_is_refused(price: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(TEXT.replace("60000.5", price), "x.toml")
    assert f"x.toml: clock.asset[1].start_price (line 8): {problem}" in str(refused.value)
