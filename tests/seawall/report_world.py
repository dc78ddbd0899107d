"""A synthetic but plausible run for the report: a crash, its liquidations, a fund that pays."""

import math
import random
from typing import Any

import polars as pl

from engine.events import (
    CURES,
    Deleveraged,
    Event,
    FundChanged,
    LiquidationEnded,
    LiquidationStage,
    LiquidationStarted,
    MarginCallEnded,
    MarginCallIssued,
    TakenOver,
    Trade,
)
from seawall.records.account_table import SCHEMA as ACCOUNTS
from seawall.records.event_table import SCHEMA, EventTable
from seawall.records.frames import Units, accounts_frame
from seawall.records.listed import ListedAsset, ListedInstrument, ScenarioBlock
from seawall.report import ReportData, fund_series
from seawall.report.facts import LOSS_FIELDS

SECOND_NS = 1_000_000_000
START_NS = 1_760_129_100 * SECOND_NS
"""2025-10-10 20:45:00 UTC."""

LINEAR = ListedInstrument(
    instrument_id=1,
    symbol="AVAX-USDT",
    kind="linear",
    tick_size="0.001",
    lot_size="0.1",
    settle_asset_id=1,
    settle_asset="USDT",
    settle_decimals=6,
)
INVERSE = ListedInstrument(
    instrument_id=2,
    symbol="AVAX-USD",
    kind="inverse",
    tick_size="0.01",
    lot_size="1",
    settle_asset_id=2,
    settle_asset="AVAX",
    settle_decimals=8,
    multiplier="10",
)


ASSETS = [
    ListedAsset(asset_id=1, symbol="USDT", decimals=6),
    ListedAsset(asset_id=2, symbol="AVAX", decimals=8),
]


def crash_price(second: int, seconds: int, depth: float) -> float:
    """26.6 before the crash, a V at 40 % of the run, a partial recovery."""
    distance = (second / seconds - 0.4) / 0.02
    fall = depth * math.exp(-abs(distance)) if distance < 0 else depth * math.exp(-distance / 4)
    drift = 0.12 / (1 + math.exp(-distance * 2))
    return 26.6 * (1 - drift) * (1 - fall)


def synthetic_series(seconds: int, tick: float, seed: int) -> pl.DataFrame:
    """One sample a second of a crash whose last price runs below mark and index."""
    rng = random.Random(seed)
    rows = []
    for second in range(seconds):
        wobble = rng.gauss(0, 0.0006)
        index = round(crash_price(second, seconds, 0.3) * (1 + wobble) / tick)
        mark = round(crash_price(second, seconds, 0.42) * (1 + wobble) / tick)
        last = round(crash_price(second, seconds, 0.62) * (1 + 2 * wobble) / tick)
        calm = crash_price(second, seconds, 0.95) / 26.6
        depths = [round(2_000 * width * calm * rng.uniform(0.8, 1.2)) for width in (1, 4, 9)]
        asks = [round(size * 1.1) for size in depths]
        interest = round(900_000 * (0.55 + 0.45 * min(1, max(0, 1 - (second / seconds - 0.3) * 5))))
        stamp = START_NS + second * SECOND_NS
        rows.append((stamp, mark, index, last, last - 1, last + 1, interest, *depths, *asks))
    names = ["time_ns", "mark_ticks", "index_ticks", "last_ticks", "bid_ticks", "ask_ticks"]
    names += ["open_interest_lots"]
    names += [f"depth_{side}_{bps}" for side in ("bid", "ask") for bps in (10, 50, 200)]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Int64), orient="row")


def liquidation_events(
    rng: random.Random, number: int, at_ns: int, instrument: ListedInstrument, price_ticks: int
) -> list[Event]:
    """One account's way from the call to the end, with its takeover and ADL now and then."""
    account, asset = 1_000 + number, instrument.settle_asset_id
    lots = round(rng.paretovariate(1.2) * 40)
    called_ns = at_ns - round(rng.lognormvariate(1.5, 1.8) * SECOND_NS)
    unit = 10**instrument.settle_decimals
    before = rng.randrange(unit, 50 * unit)
    parts = dict.fromkeys(LOSS_FIELDS, 0)
    parts["price_q"] = -rng.randrange(before)
    parts["slippage_q"] = -rng.randrange(before // 4)
    parts["fee_q"] = -rng.randrange(before // 20 + 1)
    events: list[Event] = [
        MarginCallIssued(called_ns, account, number, before // 3, called_ns, before, before),
        MarginCallEnded(at_ns, account, number, "overtaken", at_ns - called_ns),
        LiquidationStarted(at_ns, account, number, asset, before, before, before * 20, False),
        LiquidationStage(at_ns, account, number, "reduce", before, before),
    ]
    fill = Trade(at_ns, instrument.instrument_id, number, price_ticks, lots, -1, True)
    outcome = "restored" if rng.random() < 0.3 else "closed"
    events.append(fill)
    left = before + sum(parts.values())
    if outcome == "closed" and rng.random() < 0.25:
        outcome = "taken_over"
        parts["surrender_q"] = -left
        events.append(LiquidationStage(at_ns, account, number, "fund", left, before))
        taken = TakenOver(
            at_ns, account, 1, instrument.instrument_id, lots, before, price_ticks, left
        )
        events.append(taken)
        if rng.random() < 0.3:
            outcome, parts["surrender_q"], parts["adl_q"] = "deleveraged", 0, -left
            events.append(LiquidationStage(at_ns, account, number, "adl", left, before))
            winner = 500_000 + number
            events.append(
                Deleveraged(
                    at_ns, winner, account, instrument.instrument_id, lots, 1, price_ticks, 1, -left
                )
            )
    after = before + sum(parts.values())
    partial = outcome == "restored"
    ended = LiquidationEnded(
        at_ns + SECOND_NS, account, number, asset, outcome, partial, before, after, **parts
    )
    return [*events, ended]


def cured_call(rng: random.Random, number: int, at_ns: int) -> list[Event]:
    """A call that was met."""
    open_ns = round(rng.lognormvariate(3.5, 1.0) * SECOND_NS)
    account = 900_000 + number
    return [
        MarginCallIssued(at_ns, account, 900_000 + number, 10, at_ns, 1, 1),
        MarginCallEnded(
            at_ns + open_ns,
            account,
            900_000 + number,
            "cured",
            open_ns,
            CURES[number // 5 % 4],
            5,
            0,
        ),
    ]


def synthetic_events(
    series: dict[int, pl.DataFrame], instruments: list[ListedInstrument], liquidations: int
) -> pl.DataFrame:
    """A cascade: liquidations crowd around the crash, the fund pays for a part of them."""
    rng = random.Random(7)
    events: list[Event] = []
    wallets = {item.settle_asset_id: 10**6 * 10**item.settle_decimals for item in instruments}
    for asset_id, wallet in wallets.items():
        events.append(FundChanged(START_NS, asset_id, wallet, wallet, "deposit"))
    for number in range(liquidations):
        instrument = instruments[number % len(instruments)]
        frame = series[instrument.instrument_id]
        second = round(rng.gauss(0.395, 0.012) * frame.height)
        at_ns = START_NS + second * SECOND_NS + rng.randrange(SECOND_NS)
        price = frame["last_ticks"][min(frame.height - 1, max(0, second))]
        events += liquidation_events(rng, number, at_ns, instrument, price)
        if number % 5 == 0:
            events += cured_call(rng, number, START_NS + rng.randrange(frame.height) * SECOND_NS)
    events.sort(key=lambda event: event.time_ns)
    table = EventTable()
    for number, event in enumerate(events):
        table.add(event, number)
        if isinstance(event, TakenOver):
            asset_id = instruments[event.instrument_id - 1].settle_asset_id
            paid = -abs(event.gain_q) * 25
            wallets[asset_id] += paid
            table.add(FundChanged(event.time_ns, asset_id, paid, wallets[asset_id], "takeover"), 0)
    return table.frame()


def synthetic_margin_ratio(seconds: int) -> pl.DataFrame:
    """Percentiles sampled every five seconds, squeezed by the crash."""
    rows = []
    for second in range(0, seconds, 5):
        level = crash_price(second, seconds, 0.7) / 26.6
        shares = [0.012, 0.02, 0.05, 0.1, 0.22, 0.5]
        rows.append((START_NS + second * SECOND_NS, *(share * level for share in shares)))
    schema = {"time_ns": pl.Int64} | dict.fromkeys(["p01", "p05", "p25", "p50", "p75", "p95"])
    return pl.DataFrame(rows, schema=list(schema), orient="row")


def synthetic_real_trades(seconds: int) -> pl.DataFrame:
    """Prints of another market that fell further."""
    rng = random.Random(3)
    times = [START_NS + rng.randrange(seconds * SECOND_NS) for _ in range(seconds * 4)]
    rows = [
        (at, round(crash_price((at - START_NS) // SECOND_NS, seconds, 0.72), 3))
        for at in sorted(times)
    ]
    return pl.DataFrame(rows, schema={"time_ns": pl.Int64, "price": pl.Float64}, orient="row")


FUND_USDT = {
    "start": "1000000",
    "deficits": "-126887.44898",
    "liquidation_fees": "1000",
    "takeovers": "-1000",
    "end": "873112.55102",
}
FUND_AVAX = {"start": "1000000", "solvency": "-87989.888", "end": "912010.112"}


def synthetic_summary(liquidations: int) -> dict[str, Any]:
    """The keys every run's summary has."""
    return {
        "state_hash": "6f1d0c9a" * 8,
        "commands": 412_377,
        "events": 2_215_903,
        "trades": 188_204,
        "accounts": 20_000,
        "margin_calls": {
            "issued": 24_000,
            "cured": 4_000,
            "expired": 120,
            "overtaken": 19_880,
            "cured_by": {"deposit": 1_000, "reduction": 600, "both": 400, "price": 2_000},
        },
        "liquidations": {
            "accounts": liquidations,
            "partial": 6_000,
            "full": 14_000,
            "takeovers": 3,
        },
        "insurance_fund": {
            "start": {"USDT": "1000000.000000", "AVAX": "1000000.00000000"},
            "end": {"USDT": "873112.551020", "AVAX": "912010.11200000"},
            "paid": {"USDT": "126887.448980", "AVAX": "87989.88800000"},
        },
        "house_accounts": {
            "insurance_fund": {"USDT": FUND_USDT, "AVAX": FUND_AVAX},
            "backstop": {"USDT": {"start": "0", "end": "0"}, "AVAX": {"start": "0", "end": "0"}},
        },
        "adl": {"fills": 1_044, "notional": {"USDT": "8123456.10", "AVAX": "122334.5"}},
        "bad_debt": {"USDT": "0", "AVAX": "0"},
        "socialised": {"USDT": "0", "AVAX": "0"},
        "conservation_residue": {"USDT": 0, "AVAX": 0},
        "wall_seconds": 48.2,
        "commands_per_second": 8_555.5,
    }


def raw_accounts() -> pl.DataFrame:
    """Three traders, an agent and the fund: what some lost, the others won."""
    rows = [
        (1, "house", "insurance fund", None, None, None, None, None, 1, 100, 60, None),
        (100, "group", "retail", 1, "long", 20, True, "add", 1, 900, 0, "liquidated"),
        (101, "group", "retail", 1, "short", 5, False, "ignore", 1, 500, 1_100, "deleveraged"),
        (102, "group", "funds", 1, "long", 5, False, "cut", 1, 700, 790, "held"),
        (103, "agent", "makers", 1, None, 1, False, None, 1, 1_000, 1_250, "held"),
    ]
    raw = [
        (*row[:9], *(amount * 10**6 for amount in row[9:11]), row[11])  # type: ignore[operator]
        for row in rows
    ]
    return pl.DataFrame(raw, schema=ACCOUNTS, orient="row")


def synthetic_accounts() -> pl.DataFrame:
    """The same for people."""
    return accounts_frame(raw_accounts(), Units(block([LINEAR, INVERSE])))


def block(instruments: list[ListedInstrument], **changes: Any) -> ScenarioBlock:
    """What the summary says of a scenario."""
    fields: dict[str, Any] = {
        "title": "A crash on AVAX, 10 October 2025",
        "description": "Real spot prices drive the index; the accounts are simulated.\n\n"
        "The crash window is 20:45 to 22:15 UTC.",
        "notes": ["Brackets of the coin-margined contract are an approximation."],
        "assets": ASSETS,
        "instruments": instruments,
    }
    return ScenarioBlock(**(fields | changes))


def synthetic_report(liquidations: int = 300, seconds: int = 600, **changes: Any) -> ReportData:
    """A plausible run; the defaults are small."""
    instruments = [LINEAR, INVERSE]
    series = {
        item.instrument_id: synthetic_series(seconds, float(item.tick_size), item.instrument_id)
        for item in instruments
    }
    events = synthetic_events(series, instruments, liquidations)
    fields: dict[str, Any] = {
        "summary": synthetic_summary(liquidations),
        "scenario": block(instruments),
        "series": series,
        "fund": fund_series(events),
        "margin_ratio": synthetic_margin_ratio(seconds),
        "events": events,
        "accounts": synthetic_accounts(),
        "real_trades": {2: synthetic_real_trades(seconds)},
    }
    return ReportData(**(fields | changes))


def empty_report() -> ReportData:
    """A run in which nothing happened."""
    return ReportData(
        summary={},
        scenario=block([LINEAR], title="Nothing", description="A quiet day.", notes=[]),
        series={},
        fund=pl.DataFrame(schema={"time_ns": pl.Int64, "asset_id": pl.Int64, "wallet_q": pl.Int64}),
        margin_ratio=pl.DataFrame(schema={"time_ns": pl.Int64, "p01": pl.Float64}),
        events=pl.DataFrame(schema=SCHEMA),
        accounts=synthetic_accounts().clear(),
    )
