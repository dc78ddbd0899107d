"""Amounts and takers' sides in files of prices: where they stand, and what is none."""

import math
from pathlib import Path

import pytest

from engine.settings import SettingFault
from seawall.index_path import Columns
from seawall.price_files.price_table import PriceTable, read_price_file
from seawall.price_files.recognise import Reading

BUY_THEN_SELL = [1, -1]


def table(directory: Path, text: str, reading: Reading | None = None) -> PriceTable:
    path = directory / "prices.csv"
    path.write_text(text)
    return read_price_file(path, reading or Reading())


@pytest.mark.parametrize(
    "text",
    [
        "timestamp_us,trade_id,side,price,amount\n"
        "1760083202254000,1,buy,10,1.5\n1760083203254000,2,sell,11,2\n",
        "id,price,qty,quote_qty,time,is_buyer_maker\n"
        "1,10,1.5,15,1760083202254,false\n2,11,2,22,1760083203254,true\n",
        "1,10,1.5,15,1760083202254,False,True\n2,11,2,22,1760083203254,True,True\n",
        "1,10,1.5,7,7,1760083202254,False,True\n2,11,2,8,8,1760083203254,True,True\n",
        "1,10,1.5,15,1760083202254,false\n2,11,2,22,1760083203254,true\n",
        "1,10,1.5,7,7,1760083202254,false\n2,11,2,8,8,1760083203254,true\n",
    ],
    ids=["names", "Binance", "spot trades", "spot aggTrades", "futures trades", "aggTrades"],
)
def test_trades_have_amounts_and_sides(tmp_path: Path, text: str) -> None:
    read = table(tmp_path, text)
    assert list(read.amounts) == [1.5, 2.0]
    assert list(read.sides) == BUY_THEN_SELL


def test_candles_have_a_volume_and_no_sides(tmp_path: Path) -> None:
    read = table(tmp_path, "1760083200000,1,2,1,2,30\n1760083260000,2,2,1,1,40.5\n")
    assert list(read.amounts) == [30.0, 40.5]
    assert list(read.sides) == []


def test_a_file_without_them_has_none(tmp_path: Path) -> None:
    read = table(tmp_path, "timestamp,price\n1760083200,1\n")
    assert (list(read.amounts), list(read.sides)) == ([], [])


def test_what_is_no_amount_does_not_stop_a_run_that_needs_only_prices(tmp_path: Path) -> None:
    rows = "".join(f"{1760083200 + n},1,{text}\n" for n, text in enumerate(("", "x", "-1", "inf")))
    read = table(tmp_path, f"timestamp,price,amount\n{rows}")
    assert all(map(math.isnan, read.amounts))
    assert len(read.amounts) == 4


def test_columns_can_be_named(tmp_path: Path) -> None:
    text = "when,paid,much,who\n1760083200,10,1.5,b\n1760083201,11,2,s\n"
    columns = {"time": "when", "price": "paid", "amount": "much", "side": "who"}
    told = Reading(columns=Columns().read(columns, "columns"))
    read = table(tmp_path, text, told)
    assert (list(read.amounts), list(read.sides)) == ([1.5, 2.0], BUY_THEN_SELL)
    assert read.layout.amount_name == "much"


def test_an_amount_alone_is_no_price() -> None:
    with pytest.raises(SettingFault, match="amount and side may stand beside them"):
        Columns().read({"time": "when", "amount": "much"}, "columns")
