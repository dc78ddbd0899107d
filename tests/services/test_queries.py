"""Queries over the wire: who may ask, who hears the answer, and that it is not remembered."""

from collections.abc import Iterator

import pytest

from engine import commands as c
from engine.events import MarketReport, OrderAccepted, RiskReport
from gateway.client import Client
from gateway.protocol import ADMIN, READ, TRADE
from gateway.rights.keys import ClientKey
from risk.accounts import owner_of
from tests.services.processes import Processes
from tests.services.streams import COIN, RULEBOOKS, START_NS, USD, instruments, opening

EVERYBODY = c.QueryRisk(0, [], 5)
OWN = c.QueryRisk(0, [100, 101], 5)


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        (ClientKey("", [], [READ]), [True, True, True]),
        (ClientKey("", [100, 101], [READ]), [True, False, True]),
        (ClientKey("", [100, 102], [READ]), [True, False, False]),
        (ClientKey("", [], [TRADE, ADMIN]), [False, False, False]),
    ],
    ids=["all", "own", "others", "no right"],
)
def test_a_key_reads_the_market_and_its_own_accounts(key: ClientKey, allowed: list[bool]) -> None:
    assert [key.may(query) for query in (c.QueryMarket(0), EVERYBODY, OWN)] == allowed


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with Processes(tmp_path_factory.mktemp("run")) as running:
        running.start_all()
        yield running


@pytest.fixture(scope="module")
def client(processes: Processes) -> Iterator[Client]:
    with Client(processes.address) as first:
        first.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
        for side, account_id in ((c.SELL, 103), (c.BUY, 100)):
            first.call(c.SubmitOrder(0, account_id, 7, 0, side, 30, 10_000))
        yield first


def test_a_client_learns_what_it_needs_to_write_prices_and_money(client: Client) -> None:
    (report,) = client.call(c.QueryMarket(0)).events
    assert isinstance(report, MarketReport)
    assert [row.spec for row in report.assets] == [USD, COIN]
    assert [row.fund_q for row in report.assets] == [2_000 * 10**6, 5 * 10**8]
    listed = sorted(instruments(), key=lambda spec: spec.instrument_id)
    assert [row.spec for row in report.instruments] == listed
    assert report.instruments[1].mark_ticks == 10_000
    assert report.rulebook == RULEBOOKS[0]


def test_a_client_learns_who_is_nearest_to_liquidation(client: Client) -> None:
    (report,) = client.call(EVERYBODY).events
    assert isinstance(report, RiskReport)
    assert sorted(owner_of(row.margin_account_id) for row in report.rows) == [100, 103]


def test_nobody_else_hears_the_answer(client: Client, processes: Processes) -> None:
    with Client(processes.address) as other:
        client.call_all([c.QueryMarket(0), EVERYBODY, c.QueryAccount(0, 100)])
        client.call(c.SubmitOrder(0, 100, 7, 0, c.BUY, 1, 9_000))
        heard = []
        while not any(isinstance(event, OrderAccepted) for event in heard):
            heard += other.poll(0.1)
        assert not any(isinstance(event, MarketReport | RiskReport) for event in heard)
