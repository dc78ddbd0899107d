"""What a run does to the process it runs in, and the ratios it samples."""

import gc
from collections.abc import Iterator

import pytest

from seawall.exchange import Exchange
from seawall.market import Market
from seawall.records.series import PERCENTILES, SeriesRecorder
from seawall.runs.run import COLLECT_OBJECTS, rare_collections


@pytest.fixture
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("thresholds")
def test_garbage_is_looked_for_less_often_only_while_a_run_lasts() -> None:
    gc.set_threshold(701, 11, 12)
    with pytest.raises(KeyError), rare_collections():
        assert gc.get_threshold() == (COLLECT_OBJECTS, 11, 12)
        raise KeyError
    assert gc.get_threshold() == (701, 11, 12)


@pytest.mark.usefixtures("thresholds")
@pytest.mark.parametrize("first", [0, COLLECT_OBJECTS + 1])
def test_a_caller_who_collects_less_or_never_is_left_alone(first: int) -> None:
    gc.set_threshold(first, 11, 12)
    with rare_collections():
        assert gc.get_threshold() == (first, 11, 12)


def test_sampled_ratios_are_those_of_the_account_reports() -> None:
    market = Market(price="100")
    maker = market.open_account("100000")
    market.sell(maker, "50", "100")
    traders = []
    for size, isolated in (("10", False), ("20", True), ("0", False)):
        trader = market.open_account("1000", leverage=5, isolated=isolated)
        if size != "0":
            market.buy(trader, size, "100")
        traders.append(trader)
    market.set_index("97")
    exchange: Exchange = market.exchange
    expected = [
        pot.margin_ratio_ppb
        for trader in traders
        for pot in exchange.account_report(trader).margin_accounts
        if pot.positions
    ]
    assert len(expected) == 2
    found = [exchange.margin_ratios_ppb(trader) for trader in traders]
    assert [ratio for ratios in found for ratio in ratios] == expected
    assert found[2] == []
    recorder = SeriesRecorder({})
    recorder.sample_ratios(5, traders, exchange)
    recorder.sample_ratios(6, [traders[2]], exchange)
    assert recorder.margin_ratio["time_ns"] == [5]
    low, high = sorted(ratio / 1e9 for ratio in expected)
    drawn = [recorder.margin_ratio[f"p{percent:02d}"] for percent in PERCENTILES]
    assert drawn == [[low], [low], [low], [high], [high], [high]]
