"""Metrics: counted from what passes, read from the registry, the same after a restart."""

import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from engine import commands as c
from engine import events as e
from engine.messages import EVENT_TYPES
from engine.reasons import Reason
from engine.record.service_journal import OUTSIDE, Input
from engine.routing.bus import Bus
from engine.routing.topology import LIQUIDATION, MATCHING
from engine.routing.topology import RISK as RISK_ENGINE
from gateway.metering.metered import MeteredComponent, MeteredJournal, learn_risk
from gateway.metering.metric_families import Histogram, steps
from gateway.metering.metric_tables import (
    DoorMetrics,
    HostMetrics,
    MarginMetrics,
    OrderMetrics,
    families,
)
from gateway.metering.metrics import DOOR, GROUPS, HOST, RISK, Metrics
from risk.rulebook import CallRule
from seawall.exchange import Exchange
from tests.market import BACKSTOP, FUND, Market, collateral, levels, ppb, rules
from tests.risk.test_house_waterfall import long_ten
from tests.risk.test_stale_index import market as stale_market
from tests.services.streams import RULEBOOKS, Stream

DOC = Path(__file__).parents[2] / "docs" / "metrics.md"
SHOWN_BY = {
    HOST: ("every service", (HostMetrics,)),
    DOOR: ("gateway", (DoorMetrics,)),
    RISK: ("risk", (OrderMetrics, MarginMetrics)),
}
ALICE, BOB, CAROL = 100, 101, 102
GAUGES_OF_STATE = (
    "seawall_margin_accounts",
    "seawall_margin_calls_open",
    "seawall_liquidations_open",
)


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def samples(metrics: Metrics, *names: str) -> dict[tuple[Any, ...], float]:
    return {
        (found.name, *sorted(found.labels.items())): found.value
        for family in metrics.registry.collect()
        for found in family.samples
        if not names or found.name in names
    }


def by_label(metrics: Metrics, name: str) -> dict[str, float]:
    """Values of a metric with one label, without those that are 0."""
    return {key[1][1]: value for key, value in samples(metrics, name).items() if value}


def watch(exchange: Exchange, metrics: Metrics) -> None:
    """As in the services: metrics around risk. The clock advances 1.5 us at every reading."""
    ticks = iter(range(0, 10**12, 1_500))
    metered = MeteredComponent(exchange.risk.handle, metrics, ticks.__next__).handle
    handlers = {
        MATCHING: exchange.matching.handle,
        RISK_ENGINE: metered,
        LIQUIDATION: exchange.liquidation.handle,
    }
    exchange.bus = Bus(handlers, exchange)


@pytest.fixture
def market() -> Iterator[tuple[Market, Metrics]]:
    """Long 10 at 100 with 150 against a deep pocket; levels as in the margin call tests: alert
    below 94.45, call below 91.90, liquidation below 89.48. The fund holds 5."""
    call = CallRule(
        restore_to="maintenance", buffer_ppb=ppb("1"), grace_ns=60 * 10**9, on_expiry="liquidate"
    )
    m = Market(rules(), listed=False)
    metrics = Metrics()
    watch(m.exchange, metrics)
    m.rule(rules(levels=levels(alert="2", call="1.5", liquidate="1"), call=call))
    learn_risk(metrics, m.exchange.risk)
    m.add("PERP")
    m.open(ALICE, deposit="150")
    m.open(BOB, CAROL, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    yield m, metrics


def test_orders_fills_and_trades_are_counted(market: tuple[Market, Metrics]) -> None:
    _, metrics = market
    assert sample(metrics, "seawall_orders_accepted_total", instrument="PERP") == 2
    assert sample(metrics, "seawall_commands_total", command="SubmitOrder") == 2
    for role in ("maker", "taker"):
        assert sample(metrics, "seawall_fills_total", role=role, liquidation="false") == 1
    assert sample(metrics, "seawall_trades_total", instrument="PERP") == 1
    assert sample(metrics, "seawall_traded_contracts_total", instrument="PERP") == 10
    assert sample(metrics, "seawall_liquidated_contracts_total", instrument="PERP") == 0
    assert by_label(metrics, "seawall_orders_closed_total") == {"filled": 2}


def test_trigger_orders_are_counted_when_their_price_comes(market: tuple[Market, Metrics]) -> None:
    m, metrics = market
    m.trigger(ALICE, c.SELL, "1", "99")
    assert sample(metrics, "seawall_triggers_fired_total", instrument="PERP") == 0
    m.trade(BOB, CAROL, "1", "98")
    assert sample(metrics, "seawall_triggers_fired_total", instrument="PERP") == 1


def test_what_a_liquidation_sells_is_counted_once(market: tuple[Market, Metrics]) -> None:
    """Carol bids for 10 at 89; at 89 the long of 10 is sold to her."""
    m, metrics = market
    m.buy(CAROL, "10", "89")
    m.index("89")
    assert sample(metrics, "seawall_liquidated_contracts_total", instrument="PERP") == 10
    assert sample(metrics, "seawall_traded_contracts_total", instrument="PERP") == 20
    assert sample(metrics, "seawall_fills_total", role="taker", liquidation="true") == 1


def test_each_new_order_is_timed_once_and_nothing_else_is(market: tuple[Market, Metrics]) -> None:
    m, metrics = market
    assert sample(metrics, "seawall_margin_check_seconds_count") == 2
    assert sample(metrics, "seawall_margin_check_seconds_sum") == pytest.approx(3e-6)
    m.index("101")
    assert sample(metrics, "seawall_margin_check_seconds_count") == 2


def test_a_refusal_is_counted_under_its_reason(market: tuple[Market, Metrics]) -> None:
    m, metrics = market
    m.buy(ALICE, "1000", "100")
    m.cancel(ALICE, 999_999)
    assert by_label(metrics, "seawall_rejections_total") == {
        "insufficient_margin": 1,
        "unknown_order": 1,
    }


def test_an_unlisted_reason_does_not_make_a_label() -> None:
    metrics = Metrics()
    metrics.observe_event(e.CommandRejected(0, 1, 1, 999_999))
    assert by_label(metrics, "seawall_rejections_total") == {"other": 1}


def test_prices_and_open_interest_are_in_quote_currency_and_contracts(
    market: tuple[Market, Metrics],
) -> None:
    m, metrics = market
    m.index("98.76")
    assert sample(metrics, "seawall_mark_price", instrument="PERP") == pytest.approx(98.76)
    assert sample(metrics, "seawall_index_price", instrument="PERP") == pytest.approx(98.76)
    assert sample(metrics, "seawall_open_interest_contracts", instrument="PERP") == 10


def test_an_account_is_shown_at_the_level_it_is_at(market: tuple[Market, Metrics]) -> None:
    m, metrics = market
    for price, expected in (
        ("95", {}),
        ("94.44", {"alert": 1}),
        ("91.89", {"call": 1}),
        ("93", {"alert": 1}),
        ("100", {}),
    ):
        m.index(price)
        assert by_label(metrics, "seawall_margin_accounts") == expected, price
    assert sample(metrics, "seawall_margin_accounts", level="liquidate") == 0


def test_a_call_is_open_until_it_is_cured(market: tuple[Market, Metrics]) -> None:
    m, metrics = market
    m.index("91")
    assert sample(metrics, "seawall_margin_calls_open") == 1
    m.wait("20")
    m.deposit(ALICE, "1000")
    assert sample(metrics, "seawall_margin_calls_open") == 0
    assert sample(metrics, "seawall_margin_calls_issued_total") == 1
    assert by_label(metrics, "seawall_margin_calls_ended_total") == {"cured": 1}
    assert by_label(metrics, "seawall_margin_calls_cured_total") == {"deposit": 1}
    assert sample(metrics, "seawall_margin_call_open_seconds_sum") == pytest.approx(20)
    assert sample(metrics, "seawall_margin_call_open_seconds_bucket", le="15") == 0
    assert sample(metrics, "seawall_margin_call_open_seconds_bucket", le="60") == 1


def test_a_call_that_expires_starts_a_liquidation_by_call(market: tuple[Market, Metrics]) -> None:
    m, metrics = market
    m.index("91")
    m.wait("61")
    assert by_label(metrics, "seawall_margin_calls_ended_total") == {"expired": 1}
    assert by_label(metrics, "seawall_liquidations_started_total") == {"call_expired": 1}
    assert sample(metrics, "seawall_margin_calls_open") == 0


def test_a_takeover_below_bankruptcy_books_debt_and_drains_the_fund(
    market: tuple[Market, Metrics],
) -> None:
    """At 80 equity is 150 - 200 = -50; nobody bids, and the fund holds 5."""
    m, metrics = market
    m.deposit(1, "5")
    assert sample(metrics, "seawall_insurance_fund_balance", asset="USD") == pytest.approx(5)
    m.index("80")
    ended = m.only(e.LiquidationEnded)
    assert by_label(metrics, "seawall_liquidations_ended_total") == {ended.outcome: 1}
    assert by_label(metrics, "seawall_liquidations_started_total") == {"level": 1}
    assert sample(metrics, "seawall_liquidations_open") == 0
    assert by_label(metrics, "seawall_liquidation_stages_total") == dict(
        Counter(event.stage for event in m.all(e.LiquidationStage))
    )
    debts = m.all(e.BadDebtBooked)
    booked = sum(
        value
        for key, value in samples(metrics, "seawall_bad_debt_total").items()
        if ("asset", "USD") in key
    )
    assert booked == pytest.approx(sum(debt.amount_q for debt in debts) / 1e6)
    adl = sample(metrics, "seawall_adl_fills_total", instrument="PERP")
    takeovers = sum(by_label(metrics, "seawall_takeovers_total").values())
    assert (adl, takeovers) == (len(m.all(e.Deleveraged)), len(m.all(e.TakenOver)))
    assert adl or takeovers


def test_debt_of_every_stage_is_shown_from_the_start() -> None:
    """An increase is only seen by Prometheus if the value before it was."""
    m = Market(rules())
    metrics = Metrics()
    learn_risk(metrics, m.exchange.risk)
    stages = [key for key in samples(metrics, "seawall_bad_debt_total") if ("asset", "USD") in key]
    assert len(stages) == 7


def test_a_refused_specification_changes_no_label(market: tuple[Market, Metrics]) -> None:
    m, metrics = market
    taken = m.exchange.listing(0).instrument.spec
    other = c.AddInstrument(
        0, type(taken)(0, "OTHER", taken.kind, 0, "1", "1", taken.unit_q, taken.margin)
    )
    assert isinstance(m.send(other)[-1], e.CommandRejected)
    m.index("99")
    assert sample(metrics, "seawall_mark_price", instrument="PERP") == pytest.approx(99)
    assert sample(metrics, "seawall_mark_price", instrument="OTHER") is None


def test_a_malformed_rulebook_is_left_to_risk_to_refuse(market: tuple[Market, Metrics]) -> None:
    m, metrics = market
    assert isinstance(m.send(c.SetRulebook(0, "{"))[-1], e.CommandRejected)
    assert by_label(metrics, "seawall_rejections_total") == {"invalid_field": 1}


@pytest.mark.parametrize("rulebook", RULEBOOKS)
@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_followed_equals_what_a_restart_reads(rulebook: str, seed: int) -> None:
    """The gauges followed through a random stream against those read from the state."""
    exchange = Exchange()
    followed = Metrics()
    watch(exchange, followed)
    counted: Counter[str] = Counter()
    exchange.subscribe(lambda event: counted.update([type(event).__name__]))
    for number, command in enumerate(Stream(seed, rulebook).take(600)):
        exchange.send(command)
        if number % 7:
            continue
        read = Metrics()
        learn_risk(read, exchange.risk)
        states = [
            {key: round(value, 9) for key, value in samples(which, *GAUGES_OF_STATE).items()}
            for which in (followed, read)
        ]
        assert states[0] == states[1], number
    totals = {
        "seawall_rejections_total": counted["CommandRejected"],
        "seawall_fills_total": counted["OrderFilled"],
        "seawall_trades_total": counted["Trade"],
        "seawall_orders_accepted_total": counted["OrderAccepted"],
        "seawall_liquidations_started_total": counted["LiquidationStarted"],
        "seawall_liquidations_ended_total": counted["LiquidationEnded"],
        "seawall_margin_calls_issued_total": counted["MarginCallIssued"],
        "seawall_adl_fills_total": counted["Deleveraged"],
        "seawall_takeovers_total": counted["TakenOver"],
        "seawall_funding_settlements_total": counted["FundingSettled"],
    }
    assert {name: sum(samples(followed, name).values()) for name in totals} == totals
    assert counted["LiquidationStarted"] and counted["OrderFilled"]
    assert counted["MarginLevelChanged"]


def test_metering_changes_nothing() -> None:
    plain, metered = Exchange(), Exchange()
    watch(metered, Metrics())
    for command in Stream(3).take(300):
        plain.send(command)
        metered.send(command)
    assert plain.state_hash() == metered.state_hash()
    assert plain.events == metered.events


def test_labels_do_not_grow_with_accounts_or_orders() -> None:
    def series(count: int) -> int:
        exchange, metrics = Exchange(), Metrics()
        watch(exchange, metrics)
        for command in Stream(1).take(count):
            exchange.send(command)
        names = [
            (found.name, *sorted(found.labels.items()))
            for family in metrics.registry.collect()
            for found in family.samples
            if not found.name.startswith("seawall_rejections")
            and not found.name.startswith("seawall_orders_closed")
        ]
        return len(names)

    assert series(1_500) - series(700) <= 2


def test_nothing_is_counted_while_the_journal_is_replayed() -> None:
    metrics = Metrics()
    metrics.live = False
    exchange = Exchange()
    watch(exchange, metrics)
    before = samples(metrics, *(name for name in names() if "process" not in name))
    for command in Stream(1).take(50):
        exchange.send(command)
    assert samples(metrics, *(name for name in names() if "process" not in name)) == before


def names() -> list[str]:
    return [
        family.name
        for _, tables in SHOWN_BY.values()
        for table in tables
        for family in families(table())
    ]


# the host's measurements


def test_commits_and_snapshots_of_a_journal_are_timed(tmp_path: Path) -> None:
    """The clock advances 3 ms from one reading to the next."""
    metrics = Metrics()
    ticks = iter(range(0, 10**12, 3_000_000))
    journal = MeteredJournal(tmp_path / "risk.journal", "risk", metrics, ticks.__next__)
    journal.append([Input(OUTSIDE, 0, b"a"), Input(OUTSIDE, 0, b"b")])
    journal.append([Input(OUTSIDE, 0, b"c")])
    journal.snapshot(b"12345")
    assert [entry.body for entry in journal.inputs()] == [b"a", b"b", b"c"]
    journal.close()
    assert sample(metrics, "seawall_journal_inputs_total") == 3
    assert sample(metrics, "seawall_journal_commit_seconds_count") == 2
    assert sample(metrics, "seawall_journal_commit_seconds_sum") == pytest.approx(0.006)
    assert sample(metrics, "seawall_journal_commit_seconds_bucket", le="0.0025") == 0
    assert sample(metrics, "seawall_journal_commit_seconds_bucket", le="0.005") == 2
    assert sample(metrics, "seawall_snapshot_seconds_count") == 1
    assert sample(metrics, "seawall_snapshot_size_bytes") == 5


def test_queues_are_asked_at_the_moment_of_the_scrape() -> None:
    metrics = Metrics()
    depths = {"outbox_risk": 3}
    metrics.watch_queues(lambda: depths)
    assert sample(metrics, "seawall_queue_depth", queue="outbox_risk") == 3
    depths["outbox_risk"] = 8
    assert sample(metrics, "seawall_queue_depth", queue="outbox_risk") == 8


def test_the_host_says_how_it_started() -> None:
    metrics = Metrics()
    metrics.observe_recovery(12_000, 2_500_000_000)
    metrics.set_ready(True)
    metrics.observe_latency(700_000)
    assert sample(metrics, "seawall_recovery_seconds") == pytest.approx(2.5)
    assert sample(metrics, "seawall_recovery_inputs") == 12_000
    assert sample(metrics, "seawall_service_ready") == 1
    assert sample(metrics, "seawall_command_latency_seconds_bucket", le="0.001") == 1
    assert sample(metrics, "seawall_command_latency_seconds_bucket", le="0.0005") == 0


def test_the_door_is_asked_at_the_moment_of_the_scrape() -> None:
    metrics = Metrics()
    assert sample(metrics, "seawall_sessions") == 0
    refused = {"malformed": 2}
    metrics.watch_door(lambda: 4, lambda: refused)
    refused["unknown_key"] = 1
    assert sample(metrics, "seawall_sessions") == 4
    assert by_label(metrics, "seawall_refusals_total") == {"malformed": 2, "unknown_key": 1}


def test_exchanged_collateral_is_counted() -> None:
    """A loss of 200 beyond a limit of 100 takes 0.004 coins at 50,000 from a fund that can pay."""
    m = Market(rules(collateral=collateral(BTC="0", debt_limit=100)))
    metrics = Metrics()
    learn_risk(metrics, m.exchange.risk)
    m.exchange.subscribe(metrics.observe_event)
    m.deposit(FUND, "1000")
    m.open(100, deposit="1", asset="BTC")
    m.open(101, deposit="10000")
    m.asset_price("50000")
    m.index("100")
    m.trade(100, 101, "100", "100")
    m.index("98")
    m.trade(101, 100, "100", "98")
    name = "seawall_collateral_exchanged_total"
    assert sample(metrics, name, asset="BTC") == pytest.approx(0.004)
    assert sample(metrics, name, asset="USD") == 0


def followed(m: Market) -> Metrics:
    metrics = Metrics()
    learn_risk(metrics, m.exchange.risk)
    m.exchange.subscribe(metrics.observe_event)
    return metrics


def test_a_stale_index_is_shown_until_a_source_speaks() -> None:
    m = stale_market("reduce_only")
    metrics, name = followed(m), "seawall_index_stale"
    assert sample(metrics, name, instrument="PERP") == 0
    m.wait("61")
    assert sample(metrics, name, instrument="PERP") == 1
    assert sample(followed(m), name, instrument="PERP") == 1
    m.index("100")
    m.tick()
    assert sample(metrics, name, instrument="PERP") == 0


def test_a_fund_below_its_limit_is_counted() -> None:
    m = long_ten()
    metrics, name = followed(m), "seawall_house_insolvencies_total"
    assert sample(metrics, name, house="fund", asset="USD") == 0
    m.index("210")
    assert sample(metrics, name, house="fund", asset="USD") == 1
    assert sample(metrics, name, house="backstop", asset="USD") == 0


def test_the_backstop_and_the_price_of_collateral_are_shown() -> None:
    m = Market(rules(collateral=collateral(BTC="0", debt_limit=100)))
    metrics = followed(m)
    m.deposit(BACKSTOP, "12.5")
    m.asset_price("50000")
    for shown in (metrics, followed(m)):
        assert sample(shown, "seawall_backstop_balance", asset="USD") == pytest.approx(12.5)
        price = sample(shown, "seawall_collateral_price", asset="BTC", margin_asset="USD")
        assert price == pytest.approx(50_000)


NO_METRIC = {
    *(
        "OrderAmended",
        "TriggerAccepted",
        "TriggerAmended",
        "TriggerRefused",
        "Trade",
        "BookLevel",
        "AccountChanged",
        "BalanceChanged",
    ),
    *("FundingPaid", "BorrowFeePaid", "MarginRateChanged"),
    *("AccountReport", "OrdersReport", "MarketReport", "RiskReport"),
}
"""Events of one account or order whose sums other metrics show, a rate, and answers."""


def test_every_kind_of_event_has_a_metric_or_needs_none() -> None:
    counted = {kind.__name__ for kind in Metrics().counted}
    assert counted.isdisjoint(NO_METRIC)
    assert counted | NO_METRIC == {kind.__name__ for kind in EVENT_TYPES}


def test_the_fund_is_read_from_the_ledger_when_somebody_scrapes() -> None:
    """The fund's wallet also moves by what it does with positions taken over."""
    m = Market(rules())
    metrics = Metrics()
    learn_risk(metrics, m.exchange.risk)
    m.deposit(1, "12.5")
    assert sample(metrics, "seawall_insurance_fund_balance", asset="USD") == pytest.approx(12.5)
    assert sample(metrics, "seawall_insurance_fund_balance", asset="BTC") == 0


def test_a_duration_at_the_end_of_a_bucket_belongs_to_it() -> None:
    histogram = Histogram("h", "help", [10, 20])
    for duration_ns in (10, 11, 20, 21):
        histogram.observe(duration_ns)
    found = {item.labels.get("le"): item.value for item in histogram.collect().samples}
    assert found["1e-08"] == 1
    assert found["2e-08"] == 3
    assert found["+Inf"] == 4


def test_bucket_ends_rise_and_stop_at_the_last() -> None:
    assert steps(10, 1_000) == [10, 25, 50, 100, 250, 500, 1_000]


# the list


def rows() -> list[str]:
    found = []
    for group in GROUPS:
        service, tables = SHOWN_BY[group]
        for table in tables:
            for family in families(table()):
                name = family.name
                labels = ", ".join(f"`{label}`" for label in family.labels) or "-"
                found.append(
                    f"| `{name}` | {family.kind} | {labels} | {service} | {family.help_text} |"
                )
    return found


def test_the_document_lists_every_metric_and_no_other() -> None:
    listed = [line for line in DOC.read_text().splitlines() if line.startswith("| `seawall_")]
    assert listed == rows()


@pytest.mark.parametrize("group", GROUPS)
def test_a_service_shows_its_own_metrics_only(group: str) -> None:
    _, tables = SHOWN_BY[group]
    expected = [family.name.removesuffix("_total") for t in tables for family in families(t())]
    shown = [
        family.name
        for family in Metrics((group,)).registry.collect()
        if family.name.startswith("seawall_")
    ]
    assert shown == expected


def test_names_follow_the_conventions() -> None:
    for row in rows():
        name, kind = row.split("`")[1], row.split("|")[2].strip()
        assert (kind == "counter") == name.endswith("_total"), name
        assert kind != "histogram" or name.endswith("_seconds"), name
        assert row.count("`account") == 0 and row.count("`order`") == 0, row


def test_the_endpoint_answers_with_the_registry() -> None:
    metrics = Metrics((RISK,))
    metrics.observe_event(e.CommandRejected(0, 1, 1, Reason.UNKNOWN_ACCOUNT))
    server, thread = metrics.serve(0)
    try:
        assert server.server_address[0] == "127.0.0.1"
        url = f"http://127.0.0.1:{server.server_port}/metrics"
        text = urllib.request.urlopen(url, timeout=10).read().decode()
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
    parsed = {family.name for family in text_string_to_metric_families(text)}
    assert "seawall_rejections" in parsed
    assert 'seawall_rejections_total{reason="unknown_account"} 1.0' in text


def test_two_exchanges_in_one_process_do_not_share_a_registry() -> None:
    first, second = Metrics(), Metrics()
    first.observe_event(e.CommandRejected(0, 1, 1, Reason.UNKNOWN_ACCOUNT))
    assert isinstance(second.registry, CollectorRegistry)
    assert b'reason="unknown_account"' in generate_latest(first.registry)
    assert b'reason="unknown_account"' not in generate_latest(second.registry)
