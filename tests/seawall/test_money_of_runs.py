"""Small runs of several kinds: in what they leave, the house's accounts and all results add up."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from seawall import load_run, load_scenario, run_scenario

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL_COLLATERAL = [
    "population.retail.accounts=90",
    "population.funds.accounts=10",
    "population.hedgers.accounts=30",
    "time.warm_up=1m",
    "time.duration=8m",
    "house.fund=4000",
]
RUNS: dict[str, tuple[str, list[str]]] = {
    "fund": ("small_crash", []),
    "backstop": (
        "small_crash",
        ["rulebook=hyperliquid", "house.fund=500", "house.backstop=20000"],
    ),
    "nothing to pay with": ("small_crash", ["house.fund=0"]),
    "coins": ("collateral_crash", SMALL_COLLATERAL),
    "delays": ("small_crash", ["latency.gateway_to_risk=5ms", "latency.risk_to_matching=5ms"]),
    "calls that must be met": ("small_crash", ["rulebook_overrides.call.ends=met"]),
}


@pytest.fixture(scope="module", params=RUNS, ids=lambda name: name.replace(" ", "-"))
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    name, overrides = RUNS[request.param]
    out = tmp_path_factory.mktemp("money") / "run"
    run_scenario(load_scenario(EXAMPLES / f"{name}.toml", overrides), out)
    return load_run(out)


def exact(texts: dict[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(text) for name, text in texts.items()}


def test_the_accounts_of_the_house_lead_from_start_to_end(run: Any) -> None:
    houses = run.summary["house_accounts"]
    assert list(houses) == ["insurance_fund", "backstop"]
    for accounts in houses.values():
        for lines in map(exact, accounts.values()):
            end = lines.pop("end")
            assert sum(lines.values()) == end
    fund = run.summary["insurance_fund"]
    for asset, lines in houses["insurance_fund"].items():
        assert (lines["start"], lines["end"]) == (fund["start"][asset], fund["end"][asset])


def test_what_some_lost_others_won(run: Any) -> None:
    rows = run.summary["results"]
    for asset in dict.fromkeys(row["asset"] for row in rows):
        *owners, total = [row for row in rows if row["asset"] == asset]
        assert total["kind"] == "total"
        assert total["result"] == "0"
        figures = [name for name in total if name not in ("asset", "kind", "name")]
        for name in figures:
            assert sum(Decimal(row[name]) for row in owners) == Decimal(total[name]), name
        for row in owners:
            parts = [Decimal(row[name]) for name in ("liquidated", "deleveraged", "other")]
            assert sum(parts) == Decimal(row["result"])
    kinds = {row["kind"] for row in rows}
    assert kinds == {"group", "agent", "house", "total"}


def test_the_results_of_the_house_are_the_changes_of_its_accounts(run: Any) -> None:
    results = {
        (row["asset"], row["name"]): Decimal(row["result"]) for row in run.summary["results"]
    }
    for house, accounts in run.summary["house_accounts"].items():
        for asset, lines in accounts.items():
            change = Decimal(lines["end"]) - Decimal(lines["start"]) - Decimal(lines["deposits"])
            assert results[asset, house.replace("_", " ")] == change


def test_every_cured_call_says_what_cured_it(run: Any) -> None:
    calls = run.summary["margin_calls"]
    assert sum(calls["cured_by"].values()) == calls["cured"]
    ended = run.events.filter(run.events["type"] == "MarginCallEnded")["detail"]
    for by, count in calls["cured_by"].items():
        assert sum(f'"cured_by":"{by}"' in text for text in ended) == count


def test_the_report_has_the_tables(run: Any) -> None:
    page = run.report_path.read_text()
    section = page.split("<h3>Results, USDT</h3>", 1)[1].split("<h3>", 1)[0]
    totals = re.findall(r'<th scope="row">Total</th><td>([^<]*)</td>', section)
    assert len(totals) > 1 and set(totals) == {"0"}
    for house, name in (("insurance_fund", "insurance fund"), ("backstop", "backstop")):
        lines = run.summary["house_accounts"][house]["USDT"]
        moved = any(Decimal(lines[line]) for line in lines if line not in ("start", "end"))
        found = page.split(f"<h3>Account of the {name}, USDT</h3>")[1:]
        assert len(found) == moved
        for account in found:
            shown = re.findall(r"At the end</t[dh]><td>([^<]*)</td>", account)[0]
            assert Decimal(shown.replace(",", "")) == Decimal(lines["end"])
