"""The blotter: each event once, orders in the venue's words, closings that have no order."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from doors.history.blotter import Blotter
from doors.history.earnings import Terms
from doors.history.file import HistoryFile
from doors.history.records import ADL, LIQUIDATION, Change, Order, Submission
from engine import events as e
from engine.commands import BUY, LEG_NET, MAX_ORDER_ID, SELL
from engine.reasons import Reason
from gateway.protocol import Reply
from risk.accounts import cross_account_id

ACCOUNT, USDT, BTC = 100, 1, 1
POT = cross_account_id(ACCOUNT, USDT)
UNIT_Q = 100
MINE = Submission("mine", "LIMIT", "GTC", LEG_NET, False, "EXPIRE_MAKER")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[HistoryFile]:
    found = HistoryFile(tmp_path / "door.sqlite")
    yield found
    found.close()


@pytest.fixture
def blotter(file: HistoryFile) -> Blotter:
    return new_blotter(file)


def new_blotter(file: HistoryFile) -> Blotter:
    return Blotter(file, lambda _: Terms(USDT, UNIT_Q, mark_ticks=500))


def accepted(order_id: int, lots: int = 10, side: int = BUY) -> e.OrderAccepted:
    return e.OrderAccepted(1, ACCOUNT, order_id, BTC, side, lots, 500)


def filled(order_id: int, trade_id: int, lots: int, position: int, **named: Any) -> e.OrderFilled:
    terms = {"side": BUY, "liquidation": False, "fee_q": 7, "realised_q": 0, **named}
    return e.OrderFilled(
        time_ns=2,
        account_id=ACCOUNT,
        order_id=order_id,
        instrument_id=BTC,
        leg=LEG_NET,
        qty_lots=lots,
        price_ticks=510,
        maker=False,
        position_lots=position,
        trade_id=trade_id,
        **terms,
    )


def place(blotter: Blotter, order_id: int = 5) -> Order:
    blotter.expect(1, ACCOUNT, MINE)
    blotter.answered(1, Reply(1, order_id, [accepted(order_id)]))
    found = blotter.find(ACCOUNT, order_id)
    assert found is not None
    return found


def words(blotter: Blotter) -> list[tuple[str, str]]:
    changes = blotter.take_changes()
    return [(one.execution, one.order.status) for one in changes if isinstance(one, Change)]


def test_an_order_from_its_answer_to_its_end(blotter: Blotter, file: HistoryFile) -> None:
    order = place(blotter)
    assert (order.client_id, blotter.is_open_name(ACCOUNT, "mine")) == ("mine", True)
    blotter.happened([filled(5, 1, 4, 4), filled(5, 2, 6, 10)])
    blotter.happened([e.OrderClosed(3, ACCOUNT, 5, BTC, 0, Reason.FILLED)])
    assert words(blotter) == [("NEW", "NEW"), ("TRADE", "PARTIALLY_FILLED"), ("TRADE", "FILLED")]
    assert not blotter.is_open_name(ACCOUNT, "mine")
    assert [fill.qty_lots for fill in file.fills("1", ())] == [4, 6]
    assert [row.amount_q for _, row in file.income("1", ())] == [-7, -7]


def test_what_is_told_twice_counts_once(blotter: Blotter, file: HistoryFile) -> None:
    place(blotter)
    for _ in range(2):
        blotter.happened([accepted(5), filled(5, 1, 4, 4)])
    order = blotter.find(ACCOUNT, 5)
    assert order is not None and order.filled_lots == 4
    assert len(file.fills("1", ())) == len(file.income("1", ())) == 1


def test_a_refused_name_is_free_again(blotter: Blotter) -> None:
    blotter.expect(1, ACCOUNT, MINE)
    assert blotter.is_open_name(ACCOUNT, "mine")
    refusal = e.CommandRejected(1, ACCOUNT, 5, Reason.INSUFFICIENT_MARGIN)
    blotter.answered(1, Reply(1, 0, [refusal]))
    assert not blotter.is_open_name(ACCOUNT, "mine") and words(blotter) == []


@pytest.mark.parametrize("reason", [Reason.POST_ONLY_WOULD_CROSS, Reason.FOK_NOT_FILLABLE])
def test_what_the_book_refused_was_never_there(blotter: Blotter, reason: Reason) -> None:
    place(blotter)
    blotter.happened([e.OrderClosed(1, ACCOUNT, 5, BTC, 10, reason)])
    assert words(blotter) == []


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (Reason.CANCELLED_BY_OWNER, ("CANCELED", "CANCELED")),
        (Reason.CANCELLED_BY_LIQUIDATION, ("CANCELED", "CANCELED")),
        (Reason.IOC_REMAINDER, ("EXPIRED", "EXPIRED")),
        (Reason.SELF_TRADE, ("EXPIRED", "EXPIRED_IN_MATCH")),
        (Reason.EXPIRED, ("EXPIRED", "EXPIRED")),
    ],
)
def test_ends_in_the_venues_words(blotter: Blotter, reason: Reason, told: tuple[str, str]) -> None:
    place(blotter)
    blotter.happened([e.OrderClosed(1, ACCOUNT, 5, BTC, 10, reason)])
    assert words(blotter)[1:] == [told]


def test_an_order_of_the_liquidation_engine(blotter: Blotter) -> None:
    order_id = MAX_ORDER_ID + 1
    blotter.happened([accepted(order_id, 10, SELL)])
    blotter.happened([filled(order_id, 3, 10, 0, side=SELL, liquidation=True)])
    order = blotter.find(ACCOUNT, order_id)
    assert order is not None and order.client_id == f"autoclose-{order_id}"
    assert (order.forced, order.reduce_only, order.tif) == (LIQUIDATION, True, "IOC")
    assert words(blotter) == [("NEW", "NEW"), ("TRADE", "FILLED")]
    assert order_id not in blotter.unattributed


def test_a_takeover_and_a_deleveraging_are_told_as_fills(blotter: Blotter) -> None:
    place(blotter)
    blotter.happened([filled(5, 1, 10, 10)])
    blotter.take_changes()
    # Ten lots long are taken over for 480 ticks each; later four short ones are deleveraged.
    blotter.happened([e.TakenOver(4, POT, 1, BTC, 10, 480 * 10 * UNIT_Q, 500, 0)])
    blotter.happened([e.Deleveraged(5, POT, 200, BTC, 4, 470 * 4 * UNIT_Q, 500, 1, 0)])
    takeover, adl = [one for one in blotter.take_changes() if isinstance(one, Change)]
    assert (takeover.execution, takeover.order.forced) == ("CALCULATED", LIQUIDATION)
    assert (takeover.order.side, takeover.order.price_ticks, takeover.order.qty_lots) == (
        *(SELL, 480),
        10,
    )
    assert takeover.order.client_id.startswith("autoclose-")
    assert (adl.order.client_id, adl.order.forced, adl.order.side) == ("adl_autoclose", ADL, BUY)
    assert blotter.positions.lots(ACCOUNT, BTC, LEG_NET) == 4


def test_a_bankrupt_account_hears_that_its_position_is_gone(
    blotter: Blotter, file: HistoryFile
) -> None:
    place(blotter)
    blotter.happened([filled(5, 1, 10, 10)])
    blotter.take_changes()
    gave_up_q = -30 * 10 * UNIT_Q
    ended = e.LiquidationEnded(
        time_ns=6,
        margin_account_id=POT,
        liquidation_id=1,
        asset_id=USDT,
        outcome="deleveraged",
        partial=False,
        equity_before_q=-gave_up_q,
        equity_after_q=0,
        price_q=0,
        slippage_q=0,
        fee_q=0,
        funding_q=0,
        surrender_q=0,
        adl_q=gave_up_q,
        haircut_q=0,
        transfer_q=0,
    )
    blotter.happened([ended, ended])
    [closed] = [one for one in blotter.take_changes() if isinstance(one, Change)]
    # The mark is 500; what was given up is 30 ticks a lot.
    assert (closed.order.side, closed.order.price_ticks) == (SELL, 470)
    # A door that starts again does not tell it again.
    file.flush()
    again = new_blotter(file)
    again.happened([ended])
    assert again.take_changes() == []


def test_income_that_is_no_trade(blotter: Blotter, file: HistoryFile) -> None:
    blotter.happened(
        [
            e.BalanceChanged(1, POT, USDT, 500, 500, "deposit"),
            e.BalanceChanged(2, POT, USDT, -100, 400, "isolated margin"),
            e.BalanceChanged(3, POT, USDT, -50, 350, "withdrawal"),
            e.FundingPaid(4, POT, BTC, -3),
            e.LossSocialised(5, POT, USDT, 8),
        ]
    )
    found = [(row.kind, row.amount_q) for _, row in file.income("1 ORDER BY rowid", ())]
    assert found == [
        *(("TRANSFER", 500), ("TRANSFER", -50), ("FUNDING_FEE", -3), ("INSURANCE_CLEAR", -8)),
    ]


def test_open_orders_and_settings_are_found_again(blotter: Blotter, file: HistoryFile) -> None:
    place(blotter)
    blotter.happened([e.AccountChanged(1, ACCOUNT, -1, "hedge", 1)])
    file.flush()
    again = new_blotter(file)
    assert [order.client_id for order in again.open_orders(ACCOUNT)] == ["mine"]
    assert again.is_open_name(ACCOUNT, "mine") and again.is_hedged(ACCOUNT)
    assert again.find(200, 5) is None, "another account's"
