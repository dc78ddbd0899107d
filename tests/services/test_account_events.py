"""Everything that happened to an account is told once, whoever was away or killed meanwhile."""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import commands as c
from engine.events import (
    AccountReport,
    CommandRejected,
    Event,
    OrderAccepted,
    OrderFilled,
    OrdersReport,
)
from engine.reasons import Reason
from engine.record.snapshot import pack, unpack
from engine.services.rounds import encode_frame
from gateway.account_feed import AccountFeed
from gateway.async_client import AsyncClient
from gateway.client import Client, fresh_run
from gateway.door.addressing import account_of, address_outcome, is_numbered
from gateway.door.event_log import MAX_EVENTS, EventLog
from gateway.door.frames import RawOutcome, raw_outcome_decoder
from gateway.protocol import AccountEvents, EventsRequest
from tests.services.processes import PATIENCE_SECONDS, Processes
from tests.services.streams import RULEBOOKS, START_NS, Stream, opening
from tests.services.test_rounds import Wires, cut

MAKER, TAKER = 100, 101


def order(account_id: int, side: int, lots: int = 1) -> c.SubmitOrder:
    return c.SubmitOrder(0, account_id, 7, 0, side, lots, 10_000)


def fill_ids(events: list[Event]) -> list[tuple[int, int, int]]:
    fills = [event for event in events if isinstance(event, OrderFilled)]
    return [(fill.instrument_id, fill.trade_id, fill.order_id) for fill in fills]


# the log


def outcomes(seed: int) -> list[tuple[RawOutcome, dict[int, list[Event]]]]:
    """Outcomes of a wild market, and the numbered events of each account in them."""
    rng = random.Random(seed)
    wires = Wires(rng, restarts=False)
    wires.run(cut(Stream(seed).take(120), rng, 12))
    found = []
    for outcome in wires.outcomes:
        told: dict[int, list[Event]] = {}
        for event in [one for answer in outcome.direct for one in answer] + outcome.later:
            if account_of(event) >= 0 and is_numbered(event):
                told.setdefault(account_of(event), []).append(event)
        sizes = [len(outcome.direct)]
        body = encode_frame(address_outcome(outcome.number, outcome.direct, outcome.later, sizes))
        found.append((raw_outcome_decoder.decode(body), told))
    return found


@given(seed=st.integers(0, 10**6), kept=st.sampled_from((0, 2_000, 10**9)))
def test_the_numbers_are_without_a_gap_and_the_last_events_are_kept(seed: int, kept: int) -> None:
    log = EventLog(kept)
    everything: dict[int, list[Event]] = {}
    for outcome, told in outcomes(seed):
        before = {account_id: len(everything.get(account_id, [])) for account_id in told}
        spans = log.add(outcome)
        for account_id, events in told.items():
            everything.setdefault(account_id, []).extend(events)
            first = before[account_id] + 1
            assert spans[account_id] == (first, first + len(events) - 1)
        assert spans.keys() == told.keys()
    copy = EventLog(kept)
    copy.restore(unpack(pack(log.state())))
    assert pack(copy.state()) == pack(log.state())
    for account_id, events in everything.items():
        assert len(events) == log.last[account_id]
        for after in (0, len(events) // 2, len(events)):
            first, found = log.since(account_id, after)
            assert found == events[first - 1 : first - 1 + len(found)]
            assert first == after + 1 or kept < 10**9
            assert kept == 0 or not found or first + len(found) - 1 <= len(events)
            assert len(found) <= MAX_EVENTS + 200
            if kept == 10**9:
                assert first + len(found) - 1 == len(events)


def told(number: int, *events: Event) -> RawOutcome:
    """The outcome of a batch of one command that was answered with some events."""
    body = encode_frame(address_outcome(number, [list(events)], [], [1]))
    found: RawOutcome = raw_outcome_decoder.decode(body)
    return found


def test_a_noisy_account_pushes_out_nobody_else() -> None:
    """One account has a thousand events for each of the others: of these the last are all there, as
    far as an equal share of half of the room goes; those of the noisy one are the last of all."""
    limit = 100_000
    log, number, quiet = EventLog(limit), 0, range(200, 220)
    for _ in range(3):
        for account_id in quiet:
            number += 1
            log.add(told(number, OrderAccepted(0, account_id, number, 7, 1, 1, number)))
            for _ in range(300):
                number += 1
                log.add(told(number, OrderAccepted(0, TAKER, number, 7, 1, 1, number)))
    copy = EventLog(limit)
    copy.restore(unpack(pack(log.state())))
    for kept in (log, copy):
        for account_id in quiet:
            first, events = kept.since(account_id, 0)
            assert (first, len(events)) == (1, 3)
            assert [event.account_id for event in events] == [account_id] * 3
        first, events = kept.since(TAKER, 17_500)
        assert first + len(events) - 1 == 18_000
        assert len(pack(kept.state())) < limit
    for noisy in range(300, 5_300):
        number += 1
        log.add(told(number, OrderAccepted(0, noisy, number, 7, 1, 1, number)))
        if noisy % 500 == 0:
            assert len(pack(log.state()[2])) < limit
    # Five thousand accounts want a share now, and it is less than an event: none is too much.
    assert log.since(5_299, 0)[0] == 1


# the client's side


def accepted(number: int) -> OrderAccepted:
    return OrderAccepted(0, MAKER, number, 7, 1, 1, 1)


def test_what_was_told_before_is_left_out() -> None:
    feed = AccountFeed()
    assert feed.take([accepted(1), accepted(2)], [(MAKER, 1, 2)]) == [accepted(1), accepted(2)]
    assert feed.take([accepted(1), accepted(2)], [(MAKER, 1, 2)]) == []
    assert feed.repeated == 2
    assert feed.requests(1) == []


def test_a_gap_is_asked_for_and_comes_in_order() -> None:
    feed = AccountFeed()
    feed.take([accepted(1)], [(MAKER, 1, 1)])
    assert feed.take([accepted(3)], [(MAKER, 3, 3)]) == []
    assert feed.requests(1) == [EventsRequest(MAKER, 1)]
    assert feed.requests(2) == []
    late = AccountEvents(MAKER, 1, 2, 3, [accepted(2), accepted(3)])
    assert feed.recovered(late, late.events) == [accepted(2), accepted(3)]
    assert feed.recovered(late, late.events) == []
    assert feed.take([accepted(4)], [(MAKER, 4, 4)]) == [accepted(4)]
    assert (feed.lost, feed.repeated, feed.numbers) == (0, 0, {MAKER: 4})


def test_what_the_gateway_has_no_more_is_counted() -> None:
    feed = AccountFeed()
    feed.take([accepted(1)], [(MAKER, 1, 1)])
    feed.catch_up()
    late = AccountEvents(MAKER, 1, 5, 6, [accepted(5)])
    assert feed.recovered(late, late.events) == [accepted(5)]
    assert feed.lost == 3
    assert feed.requests(1) == [EventsRequest(MAKER, 5)]


def test_a_gateway_that_begins_anew_is_followed() -> None:
    feed = AccountFeed()
    feed.take([accepted(9)], [(MAKER, 9, 9)])
    feed.catch_up()
    assert feed.recovered(AccountEvents(MAKER, 9, 3, 2, []), []) == []
    assert feed.take([accepted(3)], [(MAKER, 3, 3)]) == [accepted(3)]


# the whole way


@pytest.mark.parametrize(("layout", "victim"), [("one", "all"), ("separate", "gateway")])
def test_every_fill_is_told_once_though_the_gateway_is_killed(
    tmp_path: Path, layout: str, victim: str
) -> None:
    """Regression: a fill was told twice when it had been delivered but not journaled, and never
    when its owner was not connected; nothing told them apart."""
    with Processes(tmp_path, layout=layout) as processes:
        processes.start_all()
        processes.wait_until_ready()
        with (
            Client(processes.address, accounts=[MAKER]) as maker,
            Client(processes.address, accounts=[TAKER]) as taker,
        ):
            maker.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
            heard: dict[int, list[Event]] = {MAKER: [], TAKER: []}
            for number in range(6):
                maker.send([order(MAKER, c.SELL) for _ in range(20)])
                taker.send([order(TAKER, c.BUY) for _ in range(20)])
                if number % 2 == 0:
                    processes.kill(victim)
                    processes.start(victim)
                heard[MAKER] += maker.poll(0.05)
                heard[TAKER] += taker.poll(0.05)
            limit = time.monotonic() + PATIENCE_SECONDS
            wanted = 120
            while any(len(fill_ids(events)) < wanted for events in heard.values()):
                heard[MAKER] += maker.poll(0.1)
                heard[TAKER] += taker.poll(0.1)
                told = {account_id: len(fill_ids(events)) for account_id, events in heard.items()}
                assert time.monotonic() < limit, f"fills told: {told}"
            heard[MAKER] += maker.poll(1.0)
            heard[TAKER] += taker.poll(1.0)
        for account_id, events in heard.items():
            assert max(Counter(fill_ids(events)).values()) == 1
            assert len(fill_ids(events)) == wanted
            with Client(processes.address) as later:
                report = later.call(c.QueryAccount(0, account_id)).events[0]
                assert isinstance(report, AccountReport)
                lots = sum(row.qty_lots for pot in report.margin_accounts for row in pot.positions)
                assert abs(lots) == wanted
                assert set(fill_ids(all_events(later, account_id))) == set(fill_ids(events))


def all_events(client: Client, account_id: int, after: int = 0) -> list[Any]:
    found: list[Any] = []
    while True:
        part = client.events_since(account_id, after)
        assert part.first == after + 1
        found += part.events
        after += len(part.events)
        if after >= part.last:
            return found


def test_who_was_away_knows_everything(tmp_path: Path) -> None:
    """Positions, open orders with price and remainder, and every event behind the last known."""
    with Processes(tmp_path, layout="one") as processes:
        processes.start_all()
        processes.wait_until_ready()
        run = fresh_run()
        with Client(processes.address, run=run, accounts=[MAKER]) as client:
            client.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
            resting = client.call(order(MAKER, c.SELL, 5))
            client.poll(0.2)
            known = client.connection.feed.numbers[MAKER]
        with Client(processes.address, accounts=[TAKER]) as other:
            other.call(order(TAKER, c.BUY, 2))
            other.call(c.Deposit(0, MAKER, 1, 77))
        processes.kill("all")
        processes.start("all")
        with Client(processes.address, accounts=[MAKER]) as client:
            missed = all_events(client, MAKER, known)
            fills = [event for event in missed if isinstance(event, OrderFilled)]
            assert [(fill.order_id, fill.qty_lots) for fill in fills] == [(resting.order_id, 2)]
            assert any(getattr(event, "amount_q", 0) == 77 for event in missed)
            assert not any(isinstance(event, CommandRejected) for event in missed)
            report = client.call(c.QueryOrders(0, MAKER)).events[0]
            assert isinstance(report, OrdersReport)
            [row] = report.orders
            assert (row.order_id, row.side, row.price_ticks) == (resting.order_id, c.SELL, 10_000)
            assert (row.qty_lots, row.remaining_lots) == (5, 3)
            assert (row.state, row.request_id) == ("partly filled", resting.request_id)
            assert row.run == run
            unknown = client.call(c.QueryOrders(0, 9_999)).events[0]
            assert isinstance(unknown, CommandRejected)

        async def ask() -> int:
            async with AsyncClient(processes.address, accounts=[MAKER]) as one:
                return len((await one.events_since(MAKER, known)).events)

        assert asyncio.run(asyncio.wait_for(ask(), PATIENCE_SECONDS)) == len(missed)


@pytest.mark.parametrize("layout", ["one", "separate"])
def test_what_became_of_each_order_is_told_to_who_was_away(tmp_path: Path, layout: str) -> None:
    """Open ones with the request that placed them, and the last that ended with the reason: after
    kills as well, and for a request whose answer is long forgotten."""
    settings = {"gateway": {"remembered_requests": 10}}
    with Processes(tmp_path, layout=layout, **settings) as processes:
        processes.start_all()
        run = fresh_run()
        with Client(processes.address, run=run) as client:
            client.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
            cancelled, filled, part, dropped, resting = client.call_all(
                [
                    c.SubmitOrder(0, MAKER, 7, 0, c.SELL, 3, 10_001),
                    c.SubmitOrder(0, MAKER, 7, 0, c.SELL, 2, 10_000),
                    c.SubmitOrder(0, MAKER, 7, 0, c.SELL, 4, 10_000),
                    c.SubmitOrder(0, MAKER, 7, 0, c.SELL, 1, 10_000, c.LIMIT, c.IOC),
                    c.SubmitOrder(0, MAKER, 7, 0, c.SELL, 6, 10_002),
                ]
            )
            client.call(c.CancelOrder(0, MAKER, cancelled.order_id))
            client.call(c.SubmitOrder(0, TAKER, 7, 0, c.BUY, 3, 10_000))
            client.call_all([c.Deposit(0, MAKER, 1, 1)] * 40)
        for name in processes.config.services():
            processes.kill(name)
            processes.start(name)
        processes.wait_until_ready()
        with Client(processes.address) as later:
            report = later.call(c.QueryOrders(0, MAKER), PATIENCE_SECONDS).events[0]
            assert isinstance(report, OrdersReport)
            assert [(row.order_id, row.request_id, row.state) for row in report.orders] == [
                (part.order_id, part.request_id, "partly filled"),
                (resting.order_id, resting.request_id, "open"),
            ]
            assert {row.run for row in (*report.orders, *report.ended)} == {run}
            assert [
                (row.order_id, row.request_id, row.state, row.reason, row.remaining_lots)
                for row in report.ended
            ] == [
                (dropped.order_id, dropped.request_id, "cancelled", Reason.NO_LIQUIDITY, 1),
                (cancelled.order_id, cancelled.request_id, "cancelled", 301, 3),
                (filled.order_id, filled.request_id, "filled", Reason.FILLED, 0),
            ]
            assert report.ended[1].price_ticks == 10_001


def test_an_attacker_who_trades_all_day_takes_nobody_s_events(tmp_path: Path) -> None:
    with Processes(tmp_path, layout="one", gateway={"remembered_event_bytes": 40_000}) as processes:
        processes.start_all()
        with Client(processes.address, accounts=[MAKER]) as client:
            client.call_all([*opening(RULEBOOKS[0])])
            client.call_all([c.Deposit(0, MAKER, 1, 1_000 + number) for number in range(5)])
            last = client.connection.feed.numbers[MAKER]
        with Client(processes.address, accounts=[TAKER]) as attacker:
            for _ in range(10):
                attacker.call_all([c.Deposit(0, TAKER, 1, 1)] * 300, PATIENCE_SECONDS)
        for _ in range(2):
            with Client(processes.address) as later:
                missed = all_events(later, MAKER, last - 5)
                assert [event.amount_q for event in missed] == list(range(1_000, 1_005))
                lost = later.events_since(TAKER, 0)
                assert lost.first > 1_000
            processes.kill("all")
            processes.start("all")
