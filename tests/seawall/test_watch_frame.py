"""The frames of `seawall watch`, read as text."""

import msgspec
import pytest

from engine import commands as c
from engine.events import (
    CollateralExchanged,
    Deleveraged,
    FundChanged,
    HouseInsolvent,
    LossSocialised,
    TakenOver,
)
from engine.units import PPB
from risk.accounts import BACKSTOP, FUND, cross_account_id
from seawall.terminal.watch_frame import Status, View, frame
from seawall.terminal.watch_lines import (
    PLAIN,
    RIGHT,
    banded,
    beside,
    columns,
    cut,
    folded,
    line,
    padded,
    text_of,
    width_of,
)
from seawall.terminal.watch_model import WatchModel
from tests.market import px, size, usd
from tests.seawall.watch_world import ANN, BOB, CARL, WatchedMarket


def lines_of(view: View, height: int | None = None) -> list[str]:
    return [text_of(spans) for spans in frame(view, height)]


def part(view: View, title: str) -> list[str]:
    """The lines under a title up to the next empty one."""
    lines = lines_of(view)
    first = next(number for number, text in enumerate(lines) if text.startswith(title))
    rest = lines[first:]
    return rest[: rest.index("")] if "" in rest else rest


def words(text: str) -> list[str]:
    return text.split()


def quoted() -> WatchedMarket:
    world = WatchedMarket()
    for price, qty in (("99", "1"), ("98.5", "2"), ("98", "4")):
        world.buy(BOB, qty, price)
    world.sell(CARL, "3", "101")
    return world


# header


def test_the_header_shows_prices_in_human_units() -> None:
    world = WatchedMarket()
    world.index("99.5")
    connection, prices = lines_of(world.view())[:2]
    assert "tcp://here:1  connected  12:00:00 UTC" in connection
    assert prices == (
        "PERP  mark 99.50  index 99.50  last 100.00  funding none  open interest 10.00"
    )


def test_the_header_says_what_is_wrong_with_the_connection() -> None:
    status = Status("tcp://here:1", "gateway silent for 4 s", 1, 2, 3)
    view = msgspec.structs.replace(WatchedMarket().view(), status=status)
    header = lines_of(view)[0]
    assert "gateway silent for 4 s" in header
    assert "connected" not in header.replace("reconnects", "")
    assert "reconnects 1  lost 2  gaps 3" in header


def test_before_anything_is_known_there_is_a_frame_too() -> None:
    view = View(WatchModel(), Status("tcp://here:1", "no answer"))
    assert lines_of(view)[0].startswith("seawall watch  tcp://here:1  no answer")


def test_an_exchange_without_instruments_says_so() -> None:
    world = WatchedMarket()
    world.model.instruments.clear()
    view = world.view(instrument_id=None, book=None)
    assert lines_of(view)[1] == "no instrument is listed yet"


# order book


def test_the_book_has_cumulative_sizes_best_prices_and_spread() -> None:
    title, head, *rows = part(quoted().view(), "ORDER BOOK")
    assert title == "ORDER BOOK  best 99.00 / 101.00  spread 2.00 (2.020 %)"
    assert words(head)[:6] == ["total", "size", "bid", "ask", "size", "total"]
    assert words(rows[0])[:6] == ["1.00", "1.00", "99.00", "101.00", "3.00", "3.00"]
    assert words(rows[1])[:3] == ["3.00", "2.00", "98.50"]
    assert words(rows[2])[:3] == ["7.00", "4.00", "98.00"]


def test_the_last_trades_stand_beside_the_book() -> None:
    world = quoted()
    world.buy(BOB, "1.5", "101")
    _, head, *rows = part(world.view(), "ORDER BOOK")
    assert head.endswith("trades     price   size")
    assert rows[0].endswith("12:00:00  101.00   1.50")
    assert rows[1].endswith("12:00:00  100.00  10.00")


def test_a_forced_trade_is_marked() -> None:
    world = quoted()
    world.index("88")
    _, _, first, *_ = part(world.view(), "ORDER BOOK")
    assert first.endswith("liquidation")


@pytest.mark.parametrize(
    ("sides", "text"), [("", "ORDER BOOK  empty"), ("b", "ORDER BOOK  one side is empty")]
)
def test_a_book_without_a_side_has_no_spread(sides: str, text: str) -> None:
    world = WatchedMarket()
    if sides:
        world.buy(BOB, "1", "99")
    assert part(world.view(), "ORDER BOOK")[0] == text


def test_a_book_that_is_not_there_yet_is_waited_for() -> None:
    assert part(WatchedMarket().view(book=None), "ORDER BOOK")[1] == "waiting for the depth"


# accounts


def test_an_account_is_shown_with_its_distance_to_the_next_level() -> None:
    """At 95: equity 100, maintenance 47.50, alert level at 95.00."""
    world = WatchedMarket()
    world.index("95")
    world.look()
    title, head, ann, bob = part(world.view(), "ACCOUNTS")
    assert title.endswith("2 of 2 with positions")
    assert words(head)[:4] == ["account", "level", "ratio", "equity"]
    assert ann.split("  ")[0] == str(ANN)
    expected = "100 healthy 2.10 x 100.00 USD 5.00 to alert 89.47 5.82 % 47.50 10.00 PERP"
    assert words(ann) == expected.split()
    assert words(bob)[:2] == [str(BOB), "healthy"]


def test_an_open_call_is_shown_with_its_time_left() -> None:
    world = WatchedMarket()
    world.index("91.5")
    world.look()
    view = world.view(now_ns=world.now_ns + 18_500_000_000)
    ann = part(view, "ACCOUNTS")[2]
    # 2 x 45.75 - 65
    assert "  19.25 to liquidate  call 1: 26.50 USD, 41.5 s left  " in ann


def test_an_account_far_from_everything_has_no_figures_for_it() -> None:
    world = WatchedMarket()
    world.trade(CARL, BOB, "0.01", "100")
    world.look()
    carl = part(world.view(), "ACCOUNTS")[-1]
    assert words(carl)[:5] == [str(CARL), "healthy", "-", "100,000.00", "USD"]


def test_no_more_accounts_than_asked_for() -> None:
    assert len(part(WatchedMarket().view(accounts=1), "ACCOUNTS")) == 3


def test_a_key_without_the_right_is_told_so() -> None:
    world = WatchedMarket()
    status = Status("tcp://here:1", denied="this key lacks the right 'read'")
    view = msgspec.structs.replace(world.view(), status=status)
    assert part(view, "ACCOUNTS") == [
        "ACCOUNTS NEAREST TO LIQUIDATION  this key lacks the right 'read'"
    ]


# tape


def test_the_tape_of_a_call_and_a_liquidation() -> None:
    world = quoted()
    world.buy(BOB, "10", "86")
    world.index("91.5")
    world.now_ns += 12_300_000_000
    world.index("88")
    title, funds, *tape = part(world.view(), "LIQUIDATION TAPE")
    assert "calls 1 issued, 0 cured, 0 expired, 1 overtaken" in title
    assert "liquidations 1 started, 1 ended" in title
    assert funds == "fund 500.00 USD, 0.000000 BTC  bad debt since the watch began none"
    told = [text.split("  ", 1)[1] for text in reversed(tape)]
    assert told[0] == "margin call 1 issued: account 100 to bring 26.50 USD within 1 min 00 s"
    assert told[1] == "margin call 1 overtaken after 12.3 s: account 100"
    assert told[2] == (
        "liquidation 1 started: account 100, equity 30.00 below 44.00, positions 880.00 USD"
    )
    # 1 at 99, 2 at 98.50, 4 at 98 and 3 at 86 against a mark of 88: 66 better than the mark.
    assert told[-1] == (
        "liquidation 1 ended closed, full: account 100, cost -66.00 USD (slippage -66.00), "
        "left 96.00 USD"
    )
    assert tape[-1].startswith("12:00:00")


def test_the_tape_of_a_loss_nobody_covers() -> None:
    world = WatchedMarket()
    world.index("20")
    title, funds, *tape = part(world.view(), "LIQUIDATION TAPE")
    assert title.endswith("takeovers 0, ADL 1")
    assert funds.endswith("bad debt since the watch began 650.00 USD")
    ended, borne, debt, *_, adl = (text.split("  ", 1)[1] for text in tape[:8])
    assert ended.startswith("liquidation 1 ended socialised, full: account 100, cost -650.00 USD")
    assert borne == "loss socialised: account 101 bears 140.00 USD"
    assert debt == "bad debt 140.00 USD left by account 100 at stage socialise"
    assert (
        adl == "ADL: account 101 closed 10.00 PERP against account 100, rank 1, -10.00 USD at mark"
    )


def told(event: object) -> str:
    """The newest line of the tape after an event, without its time."""
    world = WatchedMarket()
    world.model.apply(event)
    return part(world.view(), "LIQUIDATION TAPE")[2].split("  ", 1)[1]


def test_every_other_event_of_the_waterfall_has_its_line() -> None:
    ann, carl = cross_account_id(ANN, 0), cross_account_id(CARL, 0)
    lots, value_q = size("5"), usd("450")
    for taker, name in ((FUND, "insurance fund"), (BACKSTOP, "backstop"), (150, "account 150")):
        takeover = TakenOver(1, ann, taker, 0, lots, value_q, px("90"), usd("7"))
        expected = f"takeover: 5.00 PERP of account 100 to the {name}, +7.00 USD at mark"
        assert told(takeover) == expected
    assert told(Deleveraged(1, carl, ann, 0, lots, value_q, px("90"), 2, -usd("3"))) == (
        "ADL: account 102 closed 5.00 PERP against account 100, rank 2, -3.00 USD at mark"
    )
    assert told(LossSocialised(1, carl, 0, usd("4"))) == (
        "loss socialised: account 102 bears 4.00 USD"
    )
    assert told(HouseInsolvent(1, FUND, 0, -usd("7"), 0, usd("90"))) == (
        "insurance fund insolvent: equity -7.00 USD"
    )
    exchanged = CollateralExchanged(
        1, ANN, 1, 10_000_000, 0, usd("2700"), usd("300"), 30_000 * PPB, 1, "liquidation"
    )
    assert (
        told(exchanged) == "collateral: account 100 gives 0.100000 BTC for a debt of 2,700.00 USD"
    )
    assert told(FundChanged(1, 0, usd("9"), usd("509"), "liquidation fee")) == (
        "insurance fund +9.00 USD (liquidation fee), now 509.00 USD"
    )


def test_the_newest_line_of_the_tape_is_the_first() -> None:
    world = WatchedMarket()
    world.model.note("one")
    world.model.note("two")
    tape = part(world.view(), "LIQUIDATION TAPE")[2:]
    assert [text[10:] for text in tape] == ["two", "one"]


# fitting it in


@pytest.mark.parametrize("height", [1, 5, 12, 24, 40, 80])
def test_a_frame_is_never_higher_than_the_terminal(height: int) -> None:
    world = quoted()
    world.index("91.5")
    for number in range(100):
        world.model.note(f"note {number}")
    world.look()
    assert len(lines_of(world.view(), height)) <= height


def test_a_usual_terminal_has_room_for_every_part() -> None:
    world = quoted()
    world.index("91.5")
    world.look()
    text = "\n".join(lines_of(world.view(), 24))
    for title in ("ORDER BOOK", "ACCOUNTS NEAREST", "LIQUIDATION TAPE", "margin call 1 issued"):
        assert title in text


def test_more_height_goes_to_the_tape() -> None:
    world = WatchedMarket()
    for number in range(100):
        world.model.note(f"note {number}")
    shown = [sum("note" in text for text in lines_of(world.view(), height)) for height in (24, 60)]
    assert shown[1] > shown[0] + 20


def test_a_line_is_cut_at_the_width_and_keeps_its_styles() -> None:
    spans = [("abc", "bad"), ("def", "good"), ("ghi", PLAIN)]
    assert cut(spans, 5) == [("abc", "bad"), ("de", "good")]
    assert cut(spans, 3) == [("abc", "bad")]
    assert cut(spans, 0) == []
    assert cut(spans, 99) == spans


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    rows = [[("a", PLAIN), ("1", PLAIN)], [("bbb", PLAIN), ("10", PLAIN)]]
    assert [text_of(spans) for spans in columns(rows, "<" + RIGHT)] == ["a     1", "bbb  10"]


def test_blocks_of_different_length_stand_side_by_side() -> None:
    left, right = [line("aa"), line("b")], [line("x"), line("y"), line("z")]
    assert [text_of(spans) for spans in beside(left, right)] == ["aa   x", "b    y", "     z"]
    assert width_of(padded(line("ab"), 5)) == 5


def test_a_symbol_cannot_hold_escape_codes() -> None:
    world = WatchedMarket()
    spec = msgspec.structs.replace(world.exchange.listing(0).instrument.spec, instrument_id=9)
    evil = msgspec.structs.replace(spec, symbol="\x1b[2JEVIL")
    world.send(c.AddInstrument(world.now_ns, evil))
    world.look()
    text = "\n".join(lines_of(world.view(instrument_id=9)))
    assert "\x1b" not in text
    assert "EVIL" in text


# a narrow terminal


@pytest.mark.parametrize("width", [40, 60, 79, 100])
def test_on_a_narrow_terminal_everything_is_there_in_more_lines(width: int) -> None:
    world = quoted()
    world.index("98.5")
    view = world.view()
    wide = frame(view)
    narrow = frame(view, width=width)
    assert max(map(width_of, narrow)) <= width < max(map(width_of, wide))
    found = " ".join(text_of(spans) for spans in narrow).split()
    assert sorted(found) == sorted(" ".join(text_of(spans) for spans in wide).split())


def test_a_narrow_frame_keeps_its_height() -> None:
    world = quoted()
    for height in (12, 24, 40):
        assert len(frame(world.view(), height, 60)) <= height


def test_rows_of_a_table_go_on_below_in_their_columns() -> None:
    rows = [[("name", PLAIN), ("price", PLAIN), ("size", PLAIN)]]
    rows += [[("a", PLAIN), ("1", PLAIN), ("22", PLAIN)]]
    lines = [[text_of(spans) for spans in row] for row in banded(rows, "<>>", 12)]
    assert lines == [["name  price", "    size"], ["a         1", "      22"]]
    assert banded(rows, "<>>", None) == [[spans] for spans in columns(rows, "<>>")]


def test_a_line_is_folded_before_a_word_that_does_not_fit() -> None:
    spans = [("calls 3 issued", PLAIN), ("  fund ", PLAIN), ("1,000 USD", PLAIN)]
    assert [text_of(one) for one in folded(spans, 16)] == [
        "calls 3 issued",
        "    fund 1,000",
        "    USD",
    ]
    assert [text_of(one) for one in folded(spans, 80)] == ["calls 3 issued  fund 1,000 USD"]
