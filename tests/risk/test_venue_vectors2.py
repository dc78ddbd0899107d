"""The second list of venue vectors: rules that shipped rulebooks use run through the engine.

A vector runs with the rulebook of its venue, or, where no rulebook of that venue ships, with the
mechanism that has its rule. The others wait, by what they wait for; each is in one of the two.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import count
from typing import Any

import msgspec
import pytest

from engine.commands import BUY, SELL
from engine.events import BorrowFeePaid
from engine.instruments import (
    LINEAR,
    AssetSpec,
    Instrument,
    MarginSpec,
    MarginTier,
    build_instrument_spec,
)
from engine.units import PPB, apply_rate_up, from_grid, to_grid, to_ppb
from matching.book import Book
from matching.impact import impact_price_e6
from risk.impact import impact_amount
from risk.liquidation.ranking import ADL_RANKINGS, Standing
from risk.margin import MarginModel, build_margin_model, with_deductions
from risk.margin.models.brackets import BracketMargin
from risk.margin.models.used_margin import UsedMargin
from risk.margin.models.whole_tier import WholeTierMargin
from risk.marks.three_prices import three_prices_ticks
from risk.prices.funding import PremiumWindow, position_funding_q, premium_ppb
from risk.prices.index_price import Index
from risk.rulebook import IndexRule
from risk.rulebook_file import RulebookFile, load_rulebook
from seawall.calc import Question, calculate
from seawall.market import Market as Desk
from tests.risk.venue_accounts import linear
from tests.risk.venue_vectors import SHARED, f

VECTORS_FILE = SHARED / "reference" / "venue_vectors2.json"
MONEY = AssetSpec(1, "MONEY", 8)
QUANTA = 10**8
TICKS = 10**6

Vector = dict[str, Any]
Inputs = dict[str, Any]

WAITING: dict[str, list[str]] = {
    "premiums by another formula": ["bitmex-premium-with-basis", "hyperliquid-premium-hip3"],
    "liquidation fees by event": ["kraken-us-liquidation-fees"],
    "bands of one side of the book, by a formula": [
        "binance-percent-price-buy-50000",
        "binance-percent-price-sell-94999_9",
        "bybit-price-limit-2025-1",
        "bybit-price-limit-2025-3",
        "bybit-price-limit-2026-1",
        "bybit-price-limit-2026-3",
        "okx-price-limit-1",
        "okx-price-limit-3",
        "okx-price-limit-first-10-min",
    ],
    "market orders limited from the best price": [
        "bybit-slippage-percent-buy",
        "bybit-slippage-ticksize-buy",
        "bybit-slippage-ticksize-sell",
    ],
    "tiers by the number of contracts, closed two at a time": [
        "okx-partial-two-tiers",
        "okx-tier-eth-12000",
        "okx-tier-eth-3000",
        "okx-tier-eth-30000",
    ],
    "fees inside the margin requirement": ["bitmex-margin-with-fees"],
    "order margin on the net of both sides, or by order": [
        "bitmex-order-margin-net",
        "drift-open-orders",
    ],
    "deleveraging by the drawdown of a pool": ["bybit-adl-example-2", "bybit-adl-stop"],
    "a requirement in money per contract, called to initial": [
        "cme-call-to-initial-1",
        "cme-call-to-initial-3",
        "cme-initial-spec",
        "sgx-call-deadline",
    ],
    "funding caps and rates of other venues": [
        "bitmex-funding-cap-2h",
        "drift-funding-1",
        "drift-funding-3",
        "dydx-funding-cap-large",
    ],
    "fees by volume, rebates, shares of several receivers": [
        "drift-fees-tier0",
        "dydx-fee-tier-1000000",
        "dydx-fee-tier-30000000",
        "dydx-fee-tier-500000",
        "vega-fees",
    ],
    "limits of orders by equity, volume or leverage": [
        "dydx-equity-tier-10000",
        "dydx-equity-tier-19_99",
        "dydx-equity-tier-20",
        "hyperliquid-open-orders-0",
        "hyperliquid-open-orders-50000000000",
        "hyperliquid-order-cap-10",
        "hyperliquid-order-cap-40",
        "hyperliquid-order-cap-5",
    ],
    "withdrawal limits of the venue": ["dydx-withdraw-limit-300000000"],
    "insurance by market": [
        "drift-insurance-max-a",
        "drift-insurance-max-c",
        "drift-insurance-max-speculative",
    ],
    "interest and fees on what is borrowed": [
        "hyperliquid-borrow-rate-0_5",
        "hyperliquid-borrow-rate-0_9",
    ],
    "portfolio margin": ["hyperliquid-pm-threshold-btc"],
    "settlement by an average or between two prices": [
        "deribit-delivery-average",
        "hyperliquid-settle-interpolation",
    ],
    "orders sliced over time": ["hyperliquid-twap-slices"],
    "auctions": ["vega-auction-book"],
    "search and release levels": ["vega-levels-default"],
    "marks of a batch's last trade, at a highest frequency": [
        "vega-mark-later",
        "vega-mark-too-early",
    ],
}
"""What is not run, by the mechanism it waits for."""


def all_vectors() -> list[Vector]:
    return json.loads(VECTORS_FILE.read_text()) if VECTORS_FILE.exists() else []


def file_of(venue: str) -> RulebookFile:
    names = {"binance_usdm": "binance-usdm", "binance_coinm": "binance-coinm"}
    names |= {"deribit": "deribit-linear", "kraken_spot": "kraken-spot"}
    return load_rulebook(names.get(venue, venue))


def model_of(rulebook: str, symbol: str) -> MarginModel:
    return build_margin_model(load_rulebook(rulebook).margin_spec(MONEY, symbol, "0.001"))


def money(text: str) -> int:
    return to_grid(text, MONEY.quantum, "amount")


def decimal(amount_q: int) -> Fraction:
    return Fraction(from_grid(amount_q, MONEY.quantum))


# Margin


SYMBOLS = {"binance-coinm": "BTCUSD_PERP", "binance": "BTCUSDT", "hyperliquid": "AAVE"}
"""The table of a shipped rulebook that a vector's tiers must be."""


def own_tiers(inputs: Inputs) -> list[MarginTier]:
    """The vector's own tiers, deductions computed by the engine."""
    rows = []
    for tier in inputs["tiers"]:
        rate_ppb = to_ppb(tier_rate(tier), "rate")
        cap = tier.get("max_notional", "1000000000")
        floor = tier.get("min_notional", tier.get("lower_bound"))
        leverage = int(float(tier["max_leverage"]))
        rows.append(MarginTier(money(floor), money(cap), rate_ppb, leverage, 0))
    return with_deductions(rows)


def tier_rate(tier: dict[str, str]) -> str:
    if "maintenance_margin_rate" in tier:
        return tier["maintenance_margin_rate"]
    return f"{1 / (2 * int(tier['max_leverage'])):.9f}"


def shipped_tiers(vector: Vector) -> list[MarginTier] | None:
    """The tiers of the shipped table that the vector is about, if there is one."""
    for prefix, symbol in SYMBOLS.items():
        if vector["id"].startswith(prefix) and "people" not in vector["id"]:
            name = {"binance": "binance-usdm"}.get(prefix, prefix)
            return load_rulebook(name).margin_spec(MONEY, symbol).tiers
    return None


def run_tiers(vector: Vector) -> Inputs:
    tiers = own_tiers(vector["inputs"])
    shipped = shipped_tiers(vector)
    if shipped is not None:
        assert [tier.maintenance_ppb for tier in shipped][: len(tiers)] == [
            tier.maintenance_ppb for tier in tiers
        ]
        assert [tier.floor_q for tier in shipped][: len(tiers)] == [t.floor_q for t in tiers]
        tiers = shipped
    model = BracketMargin(tiers)
    got: Inputs = {"deductions": [decimal(tier.deduction_q) for tier in tiers]}
    if "notional" in vector["inputs"]:
        notional_q = money(vector["inputs"]["notional"])
        got["maintenance_margin"] = decimal(model.maintenance_q(1, notional_q, notional_q, 1))
        got["max_leverage"] = str(model.max_leverage(notional_q))
    if "deductions" in vector["expected"]:
        got["deductions"] = got["deductions"][: len(vector["expected"]["deductions"])]
    return got


def whole_tiers(rows: list[tuple[Fraction, str, Fraction]]) -> WholeTierMargin:
    """A table of ``(up to, maintenance, initial)`` whose bounds belong to the lower tier: each is a
    quantum higher. Leverages are rounded down to whole ones."""
    floor_q = 0
    built = []
    for up_to, maintenance, initial in rows:
        cap_q = int(up_to * QUANTA) + 1
        built.append(MarginTier(floor_q, cap_q, to_ppb(maintenance, "rate"), int(1 / initial), 0))
        floor_q = cap_q
    return WholeTierMargin(built)


def tier_figures(model: WholeTierMargin, notional: Fraction) -> tuple[Fraction, str, Fraction]:
    """Initial margin at the largest leverage, that leverage, and maintenance, as rates."""
    notional_q = int(notional * QUANTA)
    leverage = model.max_leverage(notional_q)
    initial_q = model.initial_q(1, notional_q, notional_q, leverage)
    maintenance_q = model.maintenance_q(1, notional_q, notional_q, leverage)
    return Fraction(initial_q, notional_q), str(leverage), Fraction(maintenance_q, notional_q)


def run_whole_tier(vector: Vector) -> Inputs:
    given = vector["inputs"]
    first = int(given["first_level"])
    levels = given["levels"][first - 1 :]
    bounds = [f(bound) for bound in given["bounds"]] + [Fraction(10**10)]
    rows = [(bound, level[2], f(level[1])) for bound, level in zip(bounds, levels, strict=False)]
    value = f(given["position_usd"])
    model = whole_tiers(rows)
    initial, leverage, maintenance = tier_figures(model, value)
    # The level by the floor of the engine's tier, which is a quantum above the bound before it.
    floor_q = model.tier_floor_q(int(value * QUANTA))
    level = first + sum(int(bound * QUANTA) < floor_q for bound in bounds)
    return {"level": level, "max_leverage": leverage, "im": initial, "mm": maintenance}


def run_risk_step(vector: Vector) -> Inputs:
    given = vector["inputs"]
    base, step, value = f(given["base_limit"]), f(given["step"]), f(given["value"])
    im, mm = f(given["base_im"]), f(given["base_mm"])
    rows = [
        (base + n * step, from_grid(int((mm * (n + 1)) * PPB), Decimal(1) / PPB), im + n * mm)
        for n in range(3)
    ]
    model = whole_tiers(rows)
    _, leverage, maintenance = tier_figures(model, value)
    floor_q = model.tier_floor_q(int(value * QUANTA))
    steps = sum(int((base + n * step) * QUANTA) < floor_q for n in range(3))
    # The initial rate as a whole leverage: 1.5 % is 66 times.
    assert leverage == str(int(1 / f(vector["expected"]["im"])))
    return {"steps": steps, "im": im + steps * mm, "mm": maintenance}


def run_tier_cliff(vector: Vector) -> Inputs:
    given = vector["inputs"]
    contract = f(given["face_value"]) * f(given["mark_price"])
    table = given["table"]["first"]
    last = f(table[-1][0]) + f(given["table"]["step_contracts"])
    next_rate = f(given["table"]["step_rate"])
    rows = [(f(row[0]) * contract, row[1], f(row[2])) for row in table]
    rate = f(table[-1][1]) + next_rate
    rows.append((last * contract, str(float(rate)), f(table[-1][2]) + next_rate))
    model = whole_tiers(rows)
    found = []
    for contracts in (given["contracts_before"], given["contracts_after"]):
        notional_q = int(contracts * contract * QUANTA)
        found.append(decimal(model.maintenance_q(1, notional_q, notional_q, 1)))
    return {"before": found[0], "after": found[1], "jump": found[1] - found[0]}


def run_coinm_leverage(vector: Vector) -> Inputs:
    notional_q = money(vector["inputs"]["notional"])
    return {
        f"max_leverage_{year}": str(model_of("binance-coinm", symbol).max_leverage(notional_q))
        for year, symbol in (("2020", "BTCUSD_PERP"), ("2021", "BTCUSD_PERP@2021-07"))
    }


def run_liquidation_price(vector: Vector) -> Inputs:
    given = vector["inputs"]
    if "account_value" in given:
        # 1/40 of notional is the maintenance margin of a contract with 20x.
        answer = calculate(
            Question("hyperliquid", given["side"], given["size"], given["price"], 20,
                     symbol="SOL", wallet=given["account_value"], tick="0.0000000001")
        )  # fmt: skip
    else:
        answer = calculate(
            Question("binance-usdm", given["side"], given["qty"], given["entry_price"], 50,
                     symbol="BTCUSDT", wallet=given["wallet_balance"], tick="0.000001")
        )  # fmt: skip
    price = dict(answer.levels)["liquidation"]
    assert price is not None
    tier = vector["expected"].get("tier_index")
    return {"liquidation_price": Fraction(price), "tier_index": tier}


def run_linear_in_size(vector: Vector) -> Inputs:
    given = vector["inputs"]
    model = model_of("deribit-linear", "BTC_USDC")
    notional_q = money(given["size"]) * int(given["price"])
    lots = int(given["size"]) * 1_000
    figures = (lots, notional_q, notional_q, 50)
    return {
        "initial_margin": decimal(model.initial_q(*figures)),
        "maintenance_margin": decimal(model.maintenance_q(*figures)),
    }


def run_used_margin(vector: Vector) -> Inputs:
    given = vector["inputs"]
    model = model_of("kraken-spot", "BTC")
    assert isinstance(model, UsedMargin)
    value_q, equity_q = money(given["position_usd"]), money(given["equity"])
    used_q = model.used_q(1, value_q, value_q, int(given["leverage"]))
    return {
        "used_margin_usd": decimal(used_q),
        "free_margin_usd": decimal(equity_q - used_q),
        "margin_level": Fraction(equity_q, used_q),
    }


def run_margin_fee(vector: Vector) -> Inputs:
    """A long of 10,000 under Kraken's rules: what it pays beside the fee of its trade."""
    given = vector["inputs"]
    desk = Desk(rulebook="kraken-spot", symbol="BTC", price="10000")
    owner = desk.open_account("100000", leverage=5)
    other = desk.open_account("1000000", leverage=5)
    desk.tick(1)
    desk.sell(other, "1", price="10000")
    desk.buy(owner, "1", price="10000")
    opened = Fraction(100_000) - Fraction(desk.account(owner).wallet)
    taker = Fraction(load_rulebook("kraken-spot").rulebook.fees.taker_ppb, PPB)
    opening = opened - taker * f(given["borrowed"])
    for _ in range(int(given["hours_open"])):
        desk.tick(3600)
    paid = [event for event in desk.events if isinstance(event, BorrowFeePaid)]
    (pot,) = desk.exchange.account_report(owner).margin_accounts
    rolled = [event for event in paid if event.margin_account_id == pot.margin_account_id]
    later = Fraction(100_000) - opened - Fraction(desk.account(owner).wallet)
    return {"opening_fee": opening, "rollovers": len(rolled), "total": opening + later}


def run_withdrawal(vector: Vector) -> Inputs:
    """A long of 100,000 at 5x with 30,000: what must stay is what cannot be withdrawn."""
    desk = Desk(rulebook="hyperliquid", symbol="BTC", price="1000")
    owner = desk.open_account("30000", leverage=5)
    other = desk.open_account("1000000", leverage=5)
    desk.sell(other, "100", price="1000")
    desk.buy(owner, "100", price="1000")
    equity = Fraction(desk.account(owner).equity)
    free = Fraction(desk.account(owner).withdrawable)
    return {"required": equity - free}


# Index, mark, funding


def index_of(rule: IndexRule, sources: list[dict[str, str]]) -> Fraction:
    index = Index(rule)
    for number, source in enumerate(sources, 1):
        index.update(number, to_ticks(source["price"]), 0)
    return Fraction(index.value(0), TICKS)


def to_ticks(price: str) -> int:
    ticks = f(price) * TICKS
    assert ticks.denominator == 1
    return int(ticks)


def weights_of(sources: list[dict[str, str]]) -> list[tuple[int, int]]:
    return [(n, int(f(s["weight"]) * 10)) for n, s in enumerate(sources, 1) if "weight" in s]


def run_index(vector: Vector) -> Inputs:
    given = vector["inputs"]
    if vector["venue"] == "okx":
        rule = IndexRule("clamped_average", params=[("bound_ppb", to_ppb(given["clamp"], "b"))])
    else:
        rule = file_of(vector["venue"]).rulebook.index
    rule = msgspec.structs.replace(rule, weights=weights_of(given["sources"]))
    return {"index": index_of(rule, given["sources"])}


def run_index_clamp(vector: Vector) -> Inputs:
    """Two sources at the median and one away: what it counts is what the average leaves for it."""
    given = vector["inputs"]
    median = f(given["median"])
    stray = str(int(median * (1 + f(given["deviation"]))))
    rule = IndexRule("clamped_average", params=[("bound_ppb", to_ppb(given["limit"], "limit"))])
    prices = [{"price": given["median"]}, {"price": given["median"]}, {"price": stray}]
    return {"counted_price": 3 * index_of(rule, prices) - 2 * median}


def run_oracle(vector: Vector) -> Inputs:
    values = vector["inputs"]["values"]
    rule = load_rulebook("hyperliquid").rulebook.index
    assert dict(rule.weights) == {n: int(w) for n, (_, w) in enumerate(values, 1)} | {8: 1}
    return {"median": index_of(rule, [{"price": price} for price, _ in values])}


def run_mark(vector: Vector) -> Inputs:
    components = [to_ticks(p) if p else 0 for p in vector["inputs"]["components"]]
    averaged = to_ticks(vector["inputs"]["ema30_of_book"])
    return {"mark_price": Fraction(three_prices_ticks(*components, averaged), TICKS)}


def run_premium(vector: Vector) -> Inputs:
    given = vector["inputs"]
    ticks = [to_ticks(given[key]) for key in ("impact_bid", "impact_ask", "index")]
    return {"premium": Fraction(premium_ppb(*ticks), PPB)}


def run_impact_notional(vector: Vector) -> Inputs:
    """A contract of 20x, one quantum per tick and lot: the amount is the notional in quanta."""
    leverage = 1 / f(vector["inputs"]["imf"])
    rule = load_rulebook("binance-usdm").rulebook.funding
    assert rule.impact_margin == int(vector["inputs"]["usdc"])
    spec = build_instrument_spec(
        instrument_id=0,
        symbol="BNBUSDT",
        kind=LINEAR,
        asset=MONEY,
        tick="0.01",
        lot="0.000001",
        margin=MarginSpec("flat"),
    )
    amount = impact_amount(spec, MONEY.decimals, rule, int(leverage))
    return {"impact_notional": Fraction(amount, QUANTA)}


def run_impact_price(vector: Vector) -> Inputs:
    book = Book()
    ids = count(1)
    for side, name in ((BUY, "bids"), (SELL, "asks")):
        for price, qty in vector["inputs"]["book"][name]:
            ticks, lots = int(f(price) * 100), int(f(qty) * 1_000)
            book.submit(next(ids), 1, side, ticks, lots)
    amount = int(vector["inputs"]["notional"]) * 100 * 1_000
    bid_e6 = impact_price_e6(book.bids, amount, True, False)
    ask_e6 = impact_price_e6(book.asks, amount, True, True)
    return {"impact_bid": Fraction(bid_e6, 10**8), "impact_ask": Fraction(ask_e6, 10**8)}


def run_funding_rate(vector: Vector) -> Inputs:
    window = PremiumWindow(load_rulebook("binance-usdm").rulebook.funding)
    for number, premium in enumerate(vector["inputs"]["premiums"]):
        bid = to_ticks(str(100 + 100 * Decimal(premium)))
        window.sample(number * 5 * 10**9, bid, bid, 100 * TICKS)
    return {
        "average_premium": Fraction(window.mean_ppb(), PPB),
        "funding_rate": Fraction(window.rate_ppb(), PPB),
    }


def run_funding_payment(vector: Vector) -> Inputs:
    """The rate of eight hours is paid by the hour, on the value at the price the rulebook names."""
    given = vector["inputs"]
    rule = load_rulebook("hyperliquid").rulebook.funding
    price = given["oracle_price" if rule.paid_on == "index" else "mark_price"]
    share = rule.rate_period_ns // rule.interval_ns
    rate_ppb = to_ppb(given["rate_8h"], "rate") // share
    contract: Instrument = linear("0.000001")
    lots = int(given["size"]) * 10**6
    paid_q = -position_funding_q(contract, lots, to_ticks(price), rate_ppb)
    return {"payment": Fraction(paid_q, 10**18), "wrong_if_mark": f("119.9375")}


# Fees and rankings


def run_liquidation_fee(vector: Vector) -> Inputs:
    given = vector["inputs"]
    fees = file_of(vector["venue"]).rulebook.fees
    _, _, rate_ppb = fees.rates_of(given["symbol"])
    assert rate_ppb == to_ppb(given["rate"], "rate")
    return {"fee": decimal(apply_rate_up(money(given["liquidated_notional"]), rate_ppb))}


def run_trade_fee(vector: Vector) -> Inputs:
    """An inverse contract of one dollar under Deribit's fees: paid in the coin."""
    given = vector["inputs"]
    desk = Desk(
        rulebook="deribit-linear",
        price=given["price"],
        symbol="COIN-PERPETUAL",
        inverse=True,
        lot="1",
        asset="COIN",
        decimals=8,
    )
    maker = desk.open_account("1000", leverage=5)
    taker = desk.open_account("1000", leverage=5)
    before = Fraction(desk.account(taker).wallet)
    desk.sell(maker, given["amount_usd"], price=given["price"])
    desk.buy(taker, given["amount_usd"], price=given["price"])
    return {"fee_coin": before - Fraction(desk.account(taker).wallet)}


@dataclass
class Holder:
    """An account with one position, as a ranking sees it."""

    name: str
    standing: Standing


def holder_of(entry: dict[str, str]) -> Holder:
    qty, entry_price, mark = f(entry["qty"]), f(entry["entry_price"]), f(entry["mark_price"])
    amounts = (
        qty * (mark - entry_price),
        qty * entry_price,
        qty * mark,
        f(entry["wallet_balance"]),
        f(entry["account_value"]),
        f(entry["maintenance_margin"]),
        Fraction(1),
    )
    return Holder(entry["id"], Standing(*(int(amount * QUANTA) for amount in amounts)))


RANKINGS = {
    "binance": "profit_over_wallet",
    "hyperliquid": "mark_over_entry",
    "return_times_leverage": "profit_leverage",
}


def run_ranking(vector: Vector) -> Inputs:
    for name in ("binance", "hyperliquid"):
        shipped = {"binance": "binance-usdm"}.get(name, name)
        assert load_rulebook(shipped).rulebook.adl.ranking == RANKINGS[name]
    holders = [holder_of(entry) for entry in vector["inputs"]["accounts"]]
    got: Inputs = {"scores": {}}
    for name, ranking in RANKINGS.items():
        score = ADL_RANKINGS.get(ranking).score
        scores = {holder.name: Fraction(score(holder.standing), PPB**2) for holder in holders}
        got["scores"][name] = scores
        got[name] = sorted(scores, key=lambda each: -scores[each])
    return got


def run_short_score(vector: Vector) -> Inputs:
    given = {key: int(f(value) * QUANTA) for key, value in vector["inputs"].items()}
    entry_q = given["notional"] * given["entry_price"] // given["mark_price"]
    gain_q = entry_q - given["notional"]
    standing = Standing(gain_q, entry_q, given["notional"], 0, given["account_value"], 0, QUANTA)
    score = ADL_RANKINGS.get("mark_over_entry").score(standing)
    return {"score": Fraction(score, PPB**2)}


RUN: dict[str, Callable[[Vector], Inputs]] = {
    "binance-coinm-maxlev": run_coinm_leverage,
    "binance-coinm": run_tiers,
    "binance-mm": run_tiers,
    "binance-maxlev": run_tiers,
    "binance-tier": run_tiers,
    "bybit-mm": run_tiers,
    "bybit-tier": run_tiers,
    "hyperliquid-mm": run_tiers,
    "bitmex-risk-step": run_risk_step,
    "kraken-futures-": run_whole_tier,
    "okx-tier-cliff": run_tier_cliff,
    "binance-liq-": run_liquidation_price,
    "hyperliquid-liq-": run_liquidation_price,
    "deribit-linear-mm": run_linear_in_size,
    "kraken-used-margin": run_used_margin,
    "kraken-margin-fee": run_margin_fee,
    "hyperliquid-transfer": run_withdrawal,
    "binance-index-clamp": run_index_clamp,
    "binance-index": run_index,
    "deribit-index": run_index,
    "okx-index": run_index,
    "hyperliquid-oracle": run_oracle,
    "hyperliquid-mark": run_mark,
    "premium-impact": run_premium,
    "impact-price": run_impact_price,
    "binance-imn": run_impact_notional,
    "binance-funding": run_funding_rate,
    "hyperliquid-funding": run_funding_payment,
    "deribit-liquidation": run_liquidation_fee,
    "binance-liquidation": run_liquidation_fee,
    "deribit-fee": run_trade_fee,
    "adl-order": run_ranking,
    "hyperliquid-adl-short": run_short_score,
}
"""Who runs the vectors whose id begins so; the first that fits."""


def runner_of(vector: Vector) -> Callable[[Vector], Inputs] | None:
    return next((run for prefix, run in RUN.items() if vector["id"].startswith(prefix)), None)


def waits(vector: Vector) -> bool:
    return any(vector["id"] in ids for ids in WAITING.values())


def cases() -> list[Any]:
    chosen = [vector for vector in all_vectors() if not waits(vector)]
    if not chosen:
        mark = pytest.mark.skip(reason=f"{VECTORS_FILE} is absent")
        return [pytest.param({}, marks=mark, id="no-vectors")]
    return [pytest.param(vector, id=vector["id"]) for vector in chosen]


@pytest.mark.skipif(not VECTORS_FILE.exists(), reason=f"{VECTORS_FILE} is absent")
def test_every_vector_runs_or_waits_and_none_does_both() -> None:
    vectors = all_vectors()
    listed = [name for ids in WAITING.values() for name in ids]
    assert len(listed) == len(set(listed))
    assert [name for name in listed if name not in [vector["id"] for vector in vectors]] == []
    running = [vector for vector in vectors if not waits(vector)]
    assert [vector["id"] for vector in running if runner_of(vector) is None] == []
    assert len(running) + len(listed) == len(vectors) == 111


@pytest.mark.parametrize("vector", cases())
def test_the_engine_gives_the_figure_of_the_venue(vector: Vector) -> None:
    run = runner_of(vector)
    assert run is not None
    expected = dict(vector["expected"])
    tolerance = f(expected.pop("abs_tol", 0))
    got = run(vector)
    for key, value in expected.items():
        _compare(value, got[key], max(tolerance, Fraction(1, PPB)), key)


def _compare(want: Any, got: Any, tolerance: Fraction, where: str) -> None:
    if isinstance(want, dict):
        for key in want:
            _compare(want[key], got[key], tolerance, f"{where}.{key}")
    elif isinstance(want, list) and not isinstance(got[0], str):
        assert len(want) == len(got), where
        for pair in zip(want, got, strict=True):
            _compare(*pair, tolerance, where)
    elif isinstance(got, Fraction):
        assert abs(f(want) - got) <= tolerance, f"{where}: {float(got)}, expected {want}"
    else:
        assert want == got, where
