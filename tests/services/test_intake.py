"""What the gateway remembers: answers up to a number, and never a second time what it forgot."""

from collections import deque

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.record.service_journal import OUTSIDE
from engine.record.snapshot import pack, unpack
from engine.routing.topology import RISK
from engine.services.rounds import Batch, Outcome, Outputs, encode_frame
from gateway.door.frames import Intake, ParcelRow
from gateway.door.intake import Done, GatewayPart
from gateway.door.parcels import QUERY, Known, Memory, Parcel

KEPT = 3


def intake(number: int, parcels: list[ParcelRow]) -> bytes:
    batch = encode_frame(Batch(number, []))
    return encode_frame(Intake(number, number, number + 1, parcels, batch))


def outcome(number: int, commands: int) -> bytes:
    return encode_frame(Outcome(number, [[]] * commands, []))


def done(part: GatewayPart, number: int, parcels: list[ParcelRow]) -> Outputs:
    out: Outputs = []
    part.handle(OUTSIDE, intake(number, parcels), out)
    part.handle(RISK, outcome(number, sum(len(ids) for _, ids, _ in parcels)), out)
    return out


def plain(requester: str, *request_ids: int) -> ParcelRow:
    return (requester, list(request_ids), [0] * len(request_ids))


def test_an_intake_goes_to_risk_and_its_outcome_to_the_door() -> None:
    part = GatewayPart(KEPT)
    out = done(part, 1, [("ann/1", [1], [7])])
    assert out[0] == (RISK, encode_frame(Batch(1, [])))
    assert out[1][0] == OUTSIDE
    assert isinstance(out[1][1], Done)
    parcel = part.memory("ann/1").parcels[1]
    assert [parcel.row()] == [one.row() for one in out[1][1].parcels] == [("ann/1", [1], [7])]
    assert parcel.opened() == {1: (7, msgspec.Raw(msgspec.msgpack.encode([])))}


def test_the_oldest_parcels_are_forgotten_but_their_numbers_are_not() -> None:
    part = GatewayPart(KEPT)
    done(part, 1, [plain("ann/1", 1, 2), plain("ann/1", 3, 4)])
    memory = part.memory("ann/1")
    # Without the first two it would be fewer than are to be kept.
    assert list(memory.parcels) == [1, 2, 3, 4]
    done(part, 2, [plain("ann/1", 5)])
    assert list(memory.parcels) == [3, 4, 5]
    assert (memory.floor, memory.highest) == (2, 5)


def test_a_request_under_way_is_not_forgotten() -> None:
    part = GatewayPart(KEPT)
    out: Outputs = []
    part.handle(OUTSIDE, intake(1, [plain("ann/1", 1)]), out)
    for number in range(2, 9):
        part.handle(OUTSIDE, intake(number, [plain("ann/1", number)]), out)
        part.handle(RISK, outcome(number, 1), out)
    memory = part.memory("ann/1")
    assert list(memory.parcels) == [1, 6, 7, 8]
    assert memory.under_way == 1


@given(
    keep=st.integers(0, 12),
    frames=st.lists(st.lists(st.booleans(), min_size=1, max_size=6), min_size=1, max_size=25),
    under_way=st.integers(0, 6),
)
def test_the_last_answers_are_kept_however_many_frames_are_under_way(
    keep: int, frames: list[list[bool]], under_way: int
) -> None:
    """Regression: what was under way was counted as answered, so the only answered parcel was
    dropped and the gateway died of an empty memory. True is a query."""
    memory = Memory()
    waiting: deque[Parcel] = deque()
    orders: list[int] = []
    first = 1
    for number, queries in enumerate(frames, start=1):
        ids = list(range(first, first + len(queries)))
        first += len(queries)
        parcel = Parcel("ann/1", ids, [QUERY if query else number for query in queries])
        memory.begin(parcel)
        waiting.append(parcel)
        if len(waiting) > under_way:
            done_now = waiting.popleft()
            memory.finish(done_now, b"answers", keep)
            orders += [one for one, order_id in zip(*rows(done_now), strict=True) if order_id >= 0]
        kept = [one for one in memory.parcels if memory.parcels[one].answers]
        assert kept[-keep:] == orders[-keep:] if keep else memory.under_way == len(waiting)
        assert all(one in memory.parcels for parcel in waiting for one in parcel.request_ids)
        assert all(one in memory.parcels or one <= memory.floor for one in orders)


def rows(parcel: Parcel) -> tuple[list[int], list[int]]:
    return parcel.request_ids, parcel.order_ids


def test_a_restored_gateway_has_the_same_state() -> None:
    part = GatewayPart(KEPT)
    done(part, 1, [("ann/1", [1], [4]), plain("bob/2", 9)])
    part.handle(OUTSIDE, intake(2, [("bob/2", [10], [5])]), [])
    copy = GatewayPart(KEPT)
    copy.restore(unpack(pack(part.state())))
    assert pack(copy.state()) == pack(part.state())
    done(part, 3, [plain("bob/2", 11)])
    done(copy, 3, [plain("bob/2", 11)])
    assert pack(copy.state()) == pack(part.state())
    assert list(copy.memory("bob/2").parcels) == [9, 10, 11]
    assert copy.memory("bob/2").under_way == 1


def test_the_answer_to_a_query_is_handed_out_and_forgotten() -> None:
    part = GatewayPart(KEPT)
    out = done(part, 1, [("ann/1", [1, 2, 3], [0, QUERY, 8])])
    [parcel] = out[1][1].parcels
    assert parcel.shown_order_ids() == [0, 0, 8]
    memory = part.memory("ann/1")
    assert list(memory.parcels) == list(parcel.opened()) == [1, 3]
    assert (memory.floor, memory.highest) == (0, 3)


def test_answers_asked_for_again_are_found_in_their_parcels() -> None:
    part = GatewayPart(10)
    done(part, 1, [("ann/1", [1, 2], [0, 8]), plain("ann/1", 5)])
    part.handle(OUTSIDE, intake(2, [plain("ann/1", 6)]), [])
    known = Known(part.memory("ann/1"))
    for request_id in (5, 2, 6, 1):
        known.ask(request_id)
    [replies] = known.replies()
    assert (replies.request_ids, replies.order_ids) == ([5, 2, 1], [0, 8, 0])
    assert msgspec.msgpack.decode(replies.answers) == [[], [], []]


def test_all_answers_of_a_client_have_a_bound_that_its_small_runs_do_not_feel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.door.runs.MAX_ANSWERS", 40)
    part = GatewayPart(remembered_requests=1_000)
    number = 0
    for run, frames in ((1, 3), (2, 20), (3, 20), (4, 3)):
        for frame in range(frames):
            number += 1
            first = frame * 2 + 1
            done(part, number, [plain(f"ann/{run}", first, first + 1)])
    runs = part.runs("ann")
    kept = {run: memory.answered for run, memory in runs.memories.items()}
    assert sum(kept.values()) == runs.answered <= 40
    assert kept[1] == kept[4] == 6, "who needs little keeps all of it"
    assert kept[2] < 40 and kept[3] < 40
    big = part.memory("ann/3")
    assert big.floor > 0 and not any(request <= big.floor for request in big.parcels)
    done(part, number + 1, [plain("bob/1", 1)])
    assert part.runs("bob").answered == 1
    again = GatewayPart(remembered_requests=1_000)
    again.restore(unpack(pack(part.state())))
    assert again.runs("ann").answered == runs.answered
    assert pack(again.state()) == pack(part.state())
