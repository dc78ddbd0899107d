"""A market without a line of Python: listed, funded and priced by the services' settings."""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from engine import commands as c
from engine.events import AccountReport, MarketReport, OrderAccepted, OrderFilled
from engine.services.service_config import ConfigError, parse_config
from gateway.client import Client
from gateway.host.opening_market import OpeningMarket
from seawall.operating.services import rehearse
from tests.services.processes import PATIENCE_SECONDS, ROOT
from tests.services.supervised import Running

TOP = """\
rulebook = "teaching-default"
fund = { USDT = "50000" }
backstop = { USDT = "1000.5" }
"""
TABLES = """\
[[assets]]
symbol = "USDT"

[[instruments]]
symbol = "WAVE-PERP"
tick = "0.01"
lot = "0.1"
band = "0.05"
index = "100.00"

[[instruments]]
symbol = "SURF-PERP"
tick = "0.5"
index = "2000"
index_step_ppm = 0

[[accounts]]
account_id = 100
count = 40
deposit = { USDT = "1000.000001" }

[[accounts]]
account_id = 500
deposit = { USDT = "20" }
leverage = { WAVE-PERP = 3 }
isolated = ["SURF-PERP"]
"""


def market_of(client: Client) -> MarketReport:
    report = client.call(c.QueryMarket(0)).events[0]
    assert isinstance(report, MarketReport)
    return report


def wallet_of(client: Client, account_id: int) -> int:
    report = client.call(c.QueryAccount(0, account_id)).events[0]
    assert isinstance(report, AccountReport), report
    return sum(pot.wallet_q for pot in report.margin_accounts)


def test_a_market_is_there_when_the_services_are_ready(tmp_path: Path) -> None:
    with Running(tmp_path, top=TOP, tables=TABLES) as up, Client(up.address) as client:
        market = market_of(client)
        assert [one.spec.symbol for one in market.instruments] == ["WAVE-PERP", "SURF-PERP"]
        assert market.assets[0].fund_q == 50_000_000_000
        assert market.instruments[1].index_ticks == 4_000
        assert wallet_of(client, 139) == 1_000_000_001 and wallet_of(client, 500) == 20_000_000
        replies = client.call_all(
            [
                c.SubmitOrder(0, 100, 1, 0, c.SELL, 1, 10_000),
                c.SubmitOrder(0, 101, 1, 0, c.BUY, 1, 10_000),
            ]
        )
        assert all(isinstance(reply.events[0], OrderAccepted) for reply in replies)
        assert any(isinstance(event, OrderFilled) for event in client.poll(5))


def test_a_start_that_was_cut_off_deposits_nothing_twice(tmp_path: Path) -> None:
    accounts = '[[accounts]]\naccount_id = 1000\ncount = 150\ndeposit = { USDT = "7" }\n'
    up = Running(tmp_path, top=TOP, tables=TABLES + accounts)
    note = tmp_path / "run" / "market.json"
    limit = time.monotonic() + PATIENCE_SECONDS
    kills = 0
    while kills < 6 and not note.exists():
        assert time.monotonic() < limit
        clock = up.children().get("clock")
        time.sleep(0.2 + 0.06 * kills)
        if clock is not None and up.children().get("clock") == clock:
            os.kill(clock, signal.SIGKILL)
            kills += 1
    with up, Client(up.address) as client:
        assert kills > 0
        assert note.exists() and json.loads(note.read_text())["commands"] > 300
        assert {wallet_of(client, account_id) for account_id in range(1_000, 1_150)} == {7_000_000}
        assert market_of(client).assets[0].fund_q == 50_000_000_000


def test_a_second_start_opens_nothing_again_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    with Running(tmp_path, top=TOP, tables=TABLES):
        pass
    richer = TABLES.replace('"20"', '"30"')
    with Running(tmp_path, top=TOP, tables=richer) as up, Client(up.address) as client:
        assert wallet_of(client, 500) == 20_000_000
        assert "use seawall admin" in up.errors.read_text()


@pytest.mark.parametrize(
    ("top", "tables", "place"),
    [
        ("", TABLES, "rulebook: is missing"),
        ('rulebook = "teaching"\n', TABLES, "rulebook: "),
        (TOP, TABLES.replace('"0.01"', '"0,01"'), "instruments[1]: "),
        (TOP, TABLES.replace('"0.1"', '"0.0000001"'), "instruments[1]: "),
        (TOP, TABLES.replace('"0.5"', '"1e900000"'), "instruments[2]: "),
        (TOP, TABLES.replace('tick = "0.5"', 'tick = "0.5"\nkind = "spot"'), "linear, inverse"),
        (TOP, TABLES.replace('"100.00"', '"100.001"'), "instruments[1].index"),
        (TOP, TABLES.replace("account_id = 500", "account_id = 50"), "below 100"),
        (TOP, TABLES.replace("account_id = 500", "account_id = 120"), "duplicate id"),
        (TOP, TABLES.replace("{ WAVE-PERP", "{ TIDE-PERP"), "'TIDE-PERP' is not listed"),
        (TOP, TABLES.replace("WAVE-PERP = 3", "WAVE-PERP = 3000"), "leverage above maximum"),
        (TOP, TABLES.replace('"20"', '"-20"'), "0 or more"),
        (TOP.replace("50000", "5e30"), TABLES, "fund: refused: 1"),
        (TOP.replace("USDT", "EUR"), TABLES, "'EUR' is not listed; allowed: USDT"),
    ],
)
def test_what_cannot_be_opened_is_refused_in_a_line_before_anything_runs(
    top: str, tables: str, place: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        market = parse_config(top + tables, "services.toml").market()
        rehearse(OpeningMarket(market, "services.toml").steps(), "services.toml")
    text = str(refused.value)
    assert text.startswith("services.toml: ") and place in text and "\n" not in text


def test_the_market_of_the_example_and_of_the_page_can_be_opened() -> None:
    page = (ROOT / "docs" / "services.md").read_text()
    blocks = re.findall(r"^```toml\n(.*?)^```", page, re.M | re.S)
    texts = [(ROOT / "examples" / "market.toml").read_text()]
    texts += [block for block in blocks if "[[instruments]]" in block]
    assert len(texts) == 2
    for text in texts:
        steps = OpeningMarket(parse_config(text, "x.toml").market(), "x.toml").steps()
        rehearse(steps, "x.toml")
        assert len(steps) > 60
