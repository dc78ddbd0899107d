"""What the gateway remembers: answers up to a number, and never a second time what it forgot."""

import msgspec

from engine.rounds import Batch, Outcome, Outputs, encode_frame
from engine.service_journal import OUTSIDE
from engine.snapshot import pack, unpack
from engine.topology import RISK
from gateway.intake import MAX_REQUESTERS, QUERY, Done, GatewayPart, Intake

KEPT = 3


def intake(number: int, owners: list[tuple[str, int, int]]) -> bytes:
    return encode_frame(Intake(number, number, number + 1, owners, encode_frame(Batch(number, []))))


def outcome(number: int, commands: int) -> bytes:
    return encode_frame(Outcome(number, [[]] * commands, []))


def done(part: GatewayPart, number: int, owners: list[tuple[str, int, int]]) -> Outputs:
    out: Outputs = []
    part.handle(OUTSIDE, intake(number, owners), out)
    part.handle(RISK, outcome(number, len(owners)), out)
    return out


def test_an_intake_goes_to_risk_and_its_outcome_to_the_door() -> None:
    part = GatewayPart(KEPT)
    out = done(part, 1, [("ann/1", 1, 7)])
    assert out[0] == (RISK, encode_frame(Batch(1, [])))
    assert out[1][0] == OUTSIDE
    assert isinstance(out[1][1], Done)
    assert part.memory("ann/1").answers == {1: (7, msgspec.msgpack.encode([]))}


def test_the_oldest_answers_are_forgotten_but_their_numbers_are_not() -> None:
    part = GatewayPart(KEPT)
    done(part, 1, [("ann/1", number, 0) for number in range(1, 6)])
    memory = part.memory("ann/1")
    assert list(memory.answers) == [3, 4, 5]
    assert (memory.floor, memory.highest) == (2, 5)


def test_a_request_under_way_is_not_forgotten() -> None:
    part = GatewayPart(KEPT)
    out: Outputs = []
    part.handle(OUTSIDE, intake(1, [("ann/1", 1, 0)]), out)
    part.handle(OUTSIDE, intake(2, [("ann/1", number, 0) for number in range(2, 9)]), out)
    part.in_flight = {2: part.in_flight[2], 1: part.in_flight[1]}
    part.handle(RISK, outcome(2, 7), out)
    assert 1 in part.memory("ann/1").answers


def test_runs_used_least_recently_are_forgotten() -> None:
    part = GatewayPart(KEPT)
    for number, run in enumerate([*range(MAX_REQUESTERS), 0, MAX_REQUESTERS], start=1):
        done(part, number, [(f"ann/{run}", number, 0)])
    assert len(part.requesters) == MAX_REQUESTERS
    assert "ann/0" in part.requesters
    assert "ann/1" not in part.requesters


def test_a_restored_gateway_has_the_same_state() -> None:
    part = GatewayPart(KEPT)
    done(part, 1, [("ann/1", 1, 4), ("bob/2", 9, 0)])
    part.handle(OUTSIDE, intake(2, [("bob/2", 10, 5)]), [])
    copy = GatewayPart(KEPT)
    copy.restore(unpack(pack(part.state())))
    assert pack(copy.state()) == pack(part.state())
    assert copy.memory("bob/2").answers == part.memory("bob/2").answers


def test_the_answer_to_a_query_is_handed_out_and_forgotten() -> None:
    part = GatewayPart(KEPT)
    out = done(part, 1, [("ann/1", 1, 0), ("ann/1", 2, QUERY), ("ann/1", 3, 0)])
    assert out[1][1].owners == [("ann/1", 1, 0), ("ann/1", 2, QUERY), ("ann/1", 3, 0)]
    memory = part.memory("ann/1")
    assert list(memory.answers) == [1, 3]
    assert (memory.floor, memory.highest) == (0, 3)
