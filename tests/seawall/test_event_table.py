"""Every event becomes one row that holds all of its fields, in order, whatever the chunks."""

import json
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events import (
    AccountReport,
    BookLevel,
    CommandRejected,
    Event,
    FundingPaid,
    MarginAccountReport,
    MarkUpdated,
    OrderFilled,
    TakenOver,
    Trade,
)
from engine.forms import struct_form
from engine.messages import EVENT_TYPES, fields_of
from seawall.records.event_table import SCHEMA, EventTable

MARK = MarkUpdated(
    1, instrument_id=3, mark_ticks=500, index_ticks=501, last_ticks=499, open_interest_lots=7
)
TRADE = Trade(
    2, instrument_id=3, trade_id=9, price_ticks=498, qty_lots=5, taker_side=-1, liquidation=True
)
DEPTH = BookLevel(2, instrument_id=3, sequence=1, side=1, price_ticks=498, qty_lots=0)
FUNDING = FundingPaid(4, margin_account_id=10_100, instrument_id=3, amount_q=-25)
TAKEN_OVER = TakenOver(1, 1, 2, 3, 4, 2**70 + 1, 5, 0)
REJECTED = CommandRejected(
    5, account_id=100, order_id=8, reason=201, required_q=9, detail="no «margin»"
)


def table_of(events: list[Event], **options: Any) -> EventTable:
    table = EventTable(**options)
    for command_seq, event in enumerate(events, start=11):
        table.add(event, command_seq)
    return table


def number_fields(event_type: type) -> Event:
    """An event with a different value in each field."""
    numbers = count(1)
    values: list[object] = []
    for field in msgspec.structs.fields(struct_form(event_type)):
        number = next(numbers)
        made = {int: number * 1_001, str: f"text {number}", bool: number % 2 == 0}
        values.append(made.get(field.type, []))
    event: Event = event_type(*values)
    return event


def test_common_fields_are_columns_and_the_rest_is_json() -> None:
    rows = table_of([MARK, TRADE, FUNDING, REJECTED]).frame().rows(named=True)
    empty = dict.fromkeys(SCHEMA.names())
    assert rows[0] == {
        **empty,
        "seq": 1,
        "command_seq": 11,
        "time_ns": 1,
        "type": "MarkUpdated",
        "instrument_id": 3,
        "price_ticks": 500,
        "detail": '{"index_ticks":501,"last_ticks":499,"open_interest_lots":7}',
    }
    assert rows[1] == {
        **empty,
        "seq": 2,
        "command_seq": 12,
        "time_ns": 2,
        "type": "Trade",
        "instrument_id": 3,
        "side": -1,
        "qty_lots": 5,
        "price_ticks": 498,
        "detail": '{"trade_id":9,"liquidation":true}',
    }
    assert rows[2] == {
        **empty,
        "seq": 3,
        "command_seq": 13,
        "time_ns": 4,
        "type": "FundingPaid",
        "account_id": 10_100,
        "instrument_id": 3,
        "amount_q": -25,
    }
    assert rows[3] == {
        **empty,
        "seq": 4,
        "command_seq": 14,
        "time_ns": 5,
        "type": "CommandRejected",
        "account_id": 100,
        "order_id": 8,
        "reason": 201,
        "detail": '{"required_q":9,"free_q":0,"detail":"no «margin»"}',
    }


@pytest.mark.parametrize("event_type", EVENT_TYPES, ids=lambda kind: kind.__name__)
def test_no_field_of_any_event_is_lost(event_type: type) -> None:
    event = number_fields(event_type)
    (row,) = table_of([event]).frame().rows(named=True)
    assert row["type"] == event_type.__name__
    kept = json.loads(row["detail"] or "{}")
    common = [row[name] for name in SCHEMA.names() if name not in ("seq", "command_seq", "detail")]
    for name, value in fields_of(event).items():
        if name in kept:
            assert kept.pop(name) == value
        else:
            assert common.count(value) == 1, name
    assert kept == {}


def test_the_mark_is_the_price_only_where_there_is_no_other() -> None:
    takeover = TakenOver(1, 10_100, 1, 3, qty_lots=4, value_q=99, mark_ticks=77, gain_q=-1)
    fill = OrderFilled(1, 100, 8, 3, 0, 1, 5, 66, True, False, 2, 0, 5)
    frame = table_of([takeover, fill]).frame()
    assert frame["price_ticks"].to_list() == [77, 66]


def test_a_nested_report_is_kept_in_the_detail() -> None:
    pot = MarginAccountReport(10_100, 1, 5, 5, 0, 0, 5, 5, -1, 0, "healthy", [])
    (row,) = table_of([AccountReport(1, 100, False, [pot], [7, 8])]).frame().rows(named=True)
    assert json.loads(row["detail"])["open_order_ids"] == [7, 8]
    assert json.loads(row["detail"])["margin_accounts"][0][:4] == [10_100, 1, 5, 5]


@given(st.lists(st.sampled_from([MARK, TRADE, DEPTH, FUNDING, REJECTED])), st.integers(1, 7))
def test_the_size_of_a_chunk_changes_nothing(events: list[Event], chunk_rows: int) -> None:
    chunked = table_of(events, chunk_rows=chunk_rows).frame()
    assert chunked.equals(table_of(events).frame())
    assert chunked["seq"].to_list() == list(range(1, len(events) + 1))
    assert chunked["type"].to_list() == [type(event).__name__ for event in events]


@given(st.lists(st.text() | st.text(',[]{}"\\:x\n'), min_size=1, max_size=5), st.integers(1, 3))
def test_any_text_comes_back_as_it_was(texts: list[str], chunk_rows: int) -> None:
    events: list[Event] = [CommandRejected(5, 100, 8, 201, detail=text) for text in texts]
    frame = table_of(events, chunk_rows=chunk_rows).frame()
    assert [json.loads(detail)["detail"] for detail in frame["detail"]] == texts
    assert frame.drop("detail").equals(table_of([REJECTED] * len(texts)).frame().drop("detail"))


def test_a_frame_may_be_taken_between_two_events() -> None:
    table = table_of([MARK, TRADE])
    assert len(table.frame()) == len(table) == 2
    table.add(FUNDING, 13)
    assert table.frame()["seq"].to_list() == [1, 2, 3]


def test_skipped_types_get_no_row_and_no_number() -> None:
    frame = table_of([DEPTH, MARK, DEPTH, TRADE], skip=[BookLevel]).frame()
    assert frame.select("seq", "command_seq").rows() == [(1, 12), (2, 14)]


def test_only_event_types_can_be_skipped() -> None:
    with pytest.raises(ValueError, match=r"^str is not an event type; it cannot be skipped$"):
        EventTable(skip=[str])


@pytest.mark.parametrize(
    "events", [[], [MARK, TRADE, FUNDING, REJECTED, DEPTH]], ids=["none", "some"]
)
def test_the_file_holds_the_frame(tmp_path: Path, events: list[Event]) -> None:
    table = table_of(events)
    table.write(tmp_path / "events.parquet")
    back = pl.read_parquet(tmp_path / "events.parquet")
    assert back.schema == SCHEMA
    assert back.equals(table.frame())


@pytest.mark.parametrize("count", [3, 4, 10])
def test_chunks_that_waited_in_files_change_nothing(tmp_path: Path, count: int) -> None:
    events = [MARK, TRADE, FUNDING, REJECTED, DEPTH, TAKEN_OVER, MARK, TRADE, TRADE, FUNDING]
    folder = tmp_path / "waiting"
    folder.mkdir()
    table = table_of(events[:count], chunk_rows=2, folder=folder)
    assert len(list(folder.iterdir())) == count // 2
    expected = table_of(events[:count]).frame()
    assert table.frame().equals(expected)
    table.write(tmp_path / "events.parquet")
    back = pl.read_parquet(tmp_path / "events.parquet")
    assert back.schema == SCHEMA
    assert back.equals(expected)


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^str is not an event type; it has no columns$"):
        EventTable().add("news", 1)  # type: ignore[arg-type]


def test_texts_keep_line_breaks_separators_and_quotes() -> None:
    text = 'a\nb\r\n"c" \x1f, \u2028 \u00ab\\'
    frame = table_of([CommandRejected(1, 100, 8, 201, detail=text), REJECTED]).frame()
    assert json.loads(frame["detail"][0])["detail"] == text
    assert frame["time_ns"].to_list() == [1, 5]


def test_large_amounts_stay_exact() -> None:
    big = 2**62 + 1
    frame = table_of(
        [FundingPaid(1, 10_100, 3, big), TakenOver(1, 1, 2, 3, 4, 2**70 + 1, 5, 0)]
    ).frame()
    assert frame["amount_q"].to_list() == [big, None]
    assert json.loads(frame["detail"][1])["value_q"] == 2**70 + 1
