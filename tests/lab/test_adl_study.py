"""Every policy on the batches of a run: what is common to all, and what each is known for."""

import json
from pathlib import Path

import pytest

from risk.liquidation.ranking import ADL_RANKINGS
from seawall import load_run, run_scenario
from seawall.cli import main
from seawall.lab.adl_batch import AdlBatch, Winner
from seawall.lab.adl_policies import AS_IT_WAS, allocate
from seawall.lab.adl_scores import AdlScore, gini, rank_correlation, score
from seawall.lab.adl_study import run_batches, study
from seawall.scenario import load_scenario

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small crash without a fund whose bankrupts are deleveraged only below zero."""
    out = tmp_path_factory.mktemp("adl") / "run"
    overrides = {"house.fund": "0", "rulebook_overrides.adl.negative_equity_only": True}
    run_scenario(load_scenario(ROOT / "examples" / "small_crash.toml", overrides), out)
    return out


def test_batches_are_the_fills_of_the_run(crash: Path) -> None:
    exchange, batches = run_batches(crash)
    run = load_run(crash)
    assert exchange.state_hash() == run.summary["state_hash"]
    assert batches
    assert sum(batch.fills for batch in batches) <= run.summary["adl"]["fills"]
    assert all(sum(w.given_lots for w in batch.winners) == batch.lots for batch in batches)
    assert all(w.given_lots <= w.size for batch in batches for w in batch.winners)
    assert any(batch.needed_q > 0 for batch in batches)


def test_the_ranking_in_force_did_what_the_run_did(crash: Path) -> None:
    """The queue of the run, put to its own batches, takes what the run took, but for rounding."""
    _, batches = run_batches(crash)
    for batch in batches:
        assert allocate(batch, "profit_leverage", []) == allocate(batch, AS_IT_WAS, [])


def test_what_all_policies_share_and_what_sets_them_apart(crash: Path) -> None:
    (table,) = study(*run_batches(crash), ADL_RANKINGS.names())
    scores = {each.policy: each for each in table.scores}
    for each in scores.values():
        assert each.needed == pytest.approx(scores[AS_IT_WAS].needed)
        if not each.unplaced_lots:
            assert each.budget == pytest.approx(each.needed)
            assert each.tracking == pytest.approx(0, abs=1e-6)
        assert each.worst_of_equity >= scores["min_max"].worst_of_equity - 1e-12
    assert scores["min_max"].fairness == 0
    assert scores["water_filling"].leverage == min(each.leverage for each in scores.values())
    assert scores["profit"].touched < scores["profit_pro_rata"].touched
    assert scores["profit_leverage"].stability < scores["pro_rata"].stability


def winner(uid: int, size: int, equity_q: int, gain_q: int, others_q: int = 0) -> Winner:
    return Winner(
        uid, uid, size, gain_q, 100 * size, 100 * size, 0, equity_q, 0, 1, others_q, house=False
    )


def test_scores_by_hand() -> None:
    """Two winners of 10 lots at 100, one hedged by -1000 elsewhere; 10 lots at a gap of 2.

    The queue by profit takes all of the first: 20 of its equity 40 and its profit 200, of its
    capacity 40; its hedge of 1000 is open then. By size each loses 10. Capacity left: 40 to the
    second, over a deficit of 20.
    """
    batch = AdlBatch(0, 0, 0, 1, 100, [winner(1, 10, 40, 200, -1000), winner(2, 10, 400, 40)])
    batch.lots, batch.needed_q, batch.deficits_q = 10, 20, [15, 5]
    queue = score([batch], "profit", 1)
    assert (queue.needed, queue.budget, queue.touched, queue.opened) == (20, 20, 1, 1000)
    assert queue.worst_of_equity == 0.5
    assert queue.worst_of_profit == 0.1
    assert queue.worst_of_capacity == 0.5
    assert (queue.ptsr, queue.pmr) == (40 / 20, 40 / 15)
    assert queue.rd_nse == pytest.approx(2 / 3)
    by_size = score([batch], "pro_rata", 1)
    assert (by_size.worst_of_equity, by_size.gini, by_size.opened) == (0.25, 0.0, 500)
    # Least worst by equity: 1 lot of 40 and 9 of 400 burden with 5 % and 4.5 %.
    assert score([batch], "min_max", 1).worst_of_equity == 0.05
    assert queue.fairness == pytest.approx(20 * (0.5 - 0.05))


def test_a_horizon_counts_what_the_lots_would_have_gained() -> None:
    batch = AdlBatch(0, 0, 0, 1, 100, [winner(1, 10, 400, 200)])
    batch.lots, batch.needed_q, batch.drift_q = 10, 20, [0, 1, 2, 3, 4, 5]
    assert score([batch], "profit", 1, horizon="end").budget == 20 + 10 * 5
    assert score([batch], "profit", 1, horizon="5").overshoot == 40
    with pytest.raises(ValueError, match="allowed are 0, "):
        score([batch], "profit", 1, horizon="3")


def test_gini_and_rank_correlation() -> None:
    assert gini([1, 1, 1, 1]) == 0
    assert gini([0, 0, 0, 8]) == 0.75
    assert rank_correlation([1, 2, 3], [10, 30, 20]) == 0.5
    assert rank_correlation([1, 1], [1, 2]) is None


def test_the_command_scores_policies_and_refuses_what_it_does_not_know(
    crash: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lab", "adl", str(crash), "--policies", "pro_rata,min_max", "--json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)
    assert [each["policy"] for each in table["scores"]] == [AS_IT_WAS, "pro_rata", "min_max"]
    assert table["scores"][0].keys() == set(AdlScore.__struct_fields__)
    assert main(["lab", "adl", str(crash), "--policies", "pro_rate"]) == 2
    assert "did you mean 'pro_rata'?" in capsys.readouterr().err


def test_each_policy_in_a_run_of_its_own(crash: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = "profit_leverage,capped_pro_rata"
    assert main(["lab", "adl", str(crash), "--policies", names, "--loop"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[2:]} == set(names.split(","))
