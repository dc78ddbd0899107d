"""Margin tables from ccxt files: exact numbers, named errors, and every real table loads."""

import csv
import gzip
import json
import os
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.instruments import AssetSpec, MarginTier
from risk.margin import BracketMargin, validate_tiers
from risk.margin.ccxt_tiers import ccxt_tiers, inverse_tiers, load_ccxt_tiers, read_ccxt_tables

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SEAWALL_SHARED", REPOSITORY.parent / "shared"))
FOLDER = SHARED / "data" / "leverage_tiers"
CURRENT = FOLDER / "binance_usdm_tiers_2026-09.json.gz"
HISTORY = FOLDER / "binance_usdm_tiers_history.csv.gz"

USDT = AssetSpec(1, "USDT", 6)
BTC = AssetSpec(2, "BTC", 8)


def rows(*, cum: bool = True) -> list[dict[str, Any]]:
    table = [("0.0", "50000.0", "0.004", "125.0", "0.0"), ("50000.0", "6e5", "0.005", "100", "50")]
    return [
        {
            "tier": float(number),
            "minNotional": low,
            "maxNotional": high,
            "maintenanceMarginRate": rate,
            "maxLeverage": leverage,
            "info": {"cum": deduction} if cum else {},
        }
        for number, (low, high, rate, leverage, deduction) in enumerate(table, 1)
    ]


EXPECTED = [
    MarginTier(0, 50_000 * 10**6, 4_000_000, 125, 0),
    MarginTier(50_000 * 10**6, 600_000 * 10**6, 5_000_000, 100, 50 * 10**6),
]


def write(path: Path, tables: dict[str, Any]) -> Path:
    # Numbers in the file are bare literals, as ccxt writes them.
    text = json.dumps(tables)
    for literal in ("0.0", "50000.0", "6e5", "0.004", "0.005", "125.0", "100", "50"):
        text = text.replace(f'"{literal}"', literal)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["tiers.json", "tiers.json.gz"])
def test_file_gives_the_exact_table_in_quanta(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, {"BTC/USDT:USDT": rows()})
    assert load_ccxt_tiers(path, "BTC/USDT:USDT", USDT) == EXPECTED


def test_number_literals_are_read_as_decimals(tmp_path: Path) -> None:
    path = write(tmp_path / "tiers.json", {"X": rows()})
    assert read_ccxt_tables(path)["X"][0]["maintenanceMarginRate"] == Decimal("0.004")


def test_deduction_is_computed_where_the_file_has_none() -> None:
    assert ccxt_tiers(rows(cum=False), USDT, "t") == EXPECTED


def test_last_cap_is_inside_the_table() -> None:
    model = BracketMargin(ccxt_tiers(rows(), USDT, "t"))
    assert model.cap_q == 600_000 * 10**6
    assert model.maintenance_q(1, model.cap_q, 0, 1) == 2_950 * 10**6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"minNotional": "50000.0000001"}, "f: X: tier 2: minNotional: .* not a multiple"),
        ({"maintenanceMarginRate": None}, "f: X: tier 2: maintenanceMarginRate is None"),
        ({"maintenanceMarginRate": "0.00500000001"}, "f: X: tier 2: maintenanceMarginRate"),
        ({"maxNotional": True}, "f: X: tier 2: maxNotional is True; it must be a number"),
        ({"maxLeverage": "0.9"}, "f: X: tier 2: maxLeverage: 0.9 must be 1 or more"),
        (
            {"minNotional": "50001.000001"},
            "f: X: margin table row 2: floor 50001000001 leaves a gap",
        ),
        ({"minNotional": "49998"}, "f: X: margin table row 2: floor 49998000000 leaves an overlap"),
        ({"maxLeverage": "many"}, "f: X: tier 2: maxLeverage: 'many' is not a decimal"),
        ({"info": {"cum": "51"}}, "f: X: margin table row 2: deduction 51000000 .* 50000000"),
        ({"minNotional": "60000"}, "f: X: margin table row 2: floor 60000000000 leaves a gap"),
    ],
)
def test_bad_tier_is_named_with_its_value(change: dict[str, Any], message: str) -> None:
    table = rows()
    table[1] |= change
    with pytest.raises(ValueError, match=message):
        ccxt_tiers(table, USDT, "f: X")


def test_unknown_symbol_and_unreadable_file_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "tiers.json", {"X": rows()})
    with pytest.raises(ValueError, match=r"tiers.json: no tiers for 'Y' among its 1 symbols"):
        load_ccxt_tiers(path, "Y", USDT)
    for content, reason in ((b"{", "not a readable JSON"), (b"[]", "must be an object")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"tiers.json: .*{reason}"):
            read_ccxt_tables(path)
    broken = tmp_path / "broken.json.gz"
    broken.write_bytes(b"no gzip")
    with pytest.raises(ValueError, match=r"broken.json.gz: not a readable"):
        read_ccxt_tables(broken)


def test_coin_table_is_the_dollar_table_at_one_price_and_stays_continuous() -> None:
    tiers = inverse_tiers(EXPECTED, USDT, BTC, Decimal("60000.5"))
    # 50,000 / 60,000.5 = 0.83332638... BTC, rounded down to a quantum; the cap likewise
    assert tiers[0] == MarginTier(0, 83_332_638, 4_000_000, 125, 0)
    assert tiers[1].cap_q == 999_991_666
    assert tiers[1].deduction_q == 83_333  # ceil(416,663.19) - ceil(333,330.55)
    validate_tiers(tiers)


def test_coin_table_refuses_a_price_that_is_not_positive_or_merges_bounds() -> None:
    with pytest.raises(ValueError, match="price 0 must be positive"):
        inverse_tiers(EXPECTED, USDT, BTC, Decimal(0))
    with pytest.raises(ValueError, match="row 1: cap 0"):
        inverse_tiers(EXPECTED, USDT, BTC, Decimal("1e15"))


@pytest.mark.data
@pytest.mark.skipif(not CURRENT.exists(), reason=f"{CURRENT} is absent")
def test_every_current_binance_table_loads_and_its_margin_is_continuous() -> None:
    tables = read_ccxt_tables(CURRENT)
    assert len(tables) == 907
    for symbol, table in tables.items():
        tiers = ccxt_tiers(table, USDT, symbol)
        model = BracketMargin(tiers)
        for before, tier in pairwise(tiers):
            bound = tier.floor_q
            below = bound * before.maintenance_ppb // 10**9 - before.deduction_q
            assert model.maintenance_q(1, bound, 0, 1) == below
        for tier in tiers:
            for notional_q in (tier.floor_q + 1, tier.cap_q - 1, tier.cap_q):
                leverage = model.max_leverage(notional_q)
                maintenance_q = model.maintenance_q(1, notional_q, 0, leverage)
                assert maintenance_q < model.initial_q(1, notional_q, 0, leverage)


@pytest.mark.data
@pytest.mark.skipif(not HISTORY.exists(), reason=f"{HISTORY} is absent")
def test_every_historical_binance_table_is_valid() -> None:
    tables: dict[tuple[str, str], list[dict[str, Any]]] = {}
    with gzip.open(HISTORY, "rt") as lines:
        for line in csv.DictReader(lines):
            tables.setdefault((line["symbol"], line["revision"]), []).append(
                {
                    "minNotional": line["min_notional"],
                    "maxNotional": line["max_notional"],
                    "maintenanceMarginRate": line["maint_margin_rate"],
                    "maxLeverage": line["max_leverage"],
                    "info": {"cum": line["cum"]},
                }
            )
    assert sum(len(table) for table in tables.values()) == 1_036
    assert len(tables) == 115
    for (symbol, revision), table in tables.items():
        ccxt_tiers(table, USDT, f"{symbol} {revision}")
