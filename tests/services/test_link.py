"""Numbered links: taken in order, each once, and kept by the sender until acknowledged."""

from hypothesis import given
from hypothesis import strategies as st

from engine.link import DUPLICATE, GAP, NEW, Link


def test_frames_are_numbered_from_one_and_kept_until_acknowledged() -> None:
    link = Link("peer")
    for body in (b"a", b"b", b"c"):
        link.put(body)
    assert link.unsent_frames() == [(1, b"a"), (2, b"b"), (3, b"c")]
    link.unsent = 0
    link.acknowledge(2)
    link.send_again()
    assert link.unsent_frames() == [(3, b"c")]


def test_a_receiver_takes_only_the_next_frame() -> None:
    link = Link("peer")
    assert [link.accept(seq) for seq in (1, 1, 3, 2, 3)] == [NEW, DUPLICATE, GAP, NEW, NEW]


def test_a_frame_made_again_that_had_arrived_is_not_kept() -> None:
    link = Link("peer")
    link.acknowledge(2)
    for body in (b"a", b"b", b"c"):
        link.put(body)
    assert link.unsent_frames() == [(3, b"c")]


def test_old_acknowledgements_change_nothing() -> None:
    link = Link("peer")
    for body in (b"a", b"b"):
        link.put(body)
    link.acknowledge(2)
    link.acknowledge(1)
    assert link.peer_has == 2
    assert link.unsent_frames() == []


@given(data=st.data())
def test_whatever_is_lost_doubled_or_reordered_arrives_once_and_in_order(
    data: st.DataObject,
) -> None:
    sender, receiver = Link("receiver"), Link("sender")
    bodies = [bytes([number]) for number in range(12)]
    for body in bodies:
        sender.put(body)
    taken: list[bytes] = []
    for _ in range(6):
        frames = sender.unsent_frames()
        sender.unsent = 0
        for seq, body in (
            data.draw(st.lists(st.sampled_from(frames), max_size=20)) if frames else []
        ):
            if receiver.accept(seq) == NEW:
                taken.append(body)
        sender.acknowledge(data.draw(st.integers(0, receiver.received)))
        copy = Link("receiver")
        copy.restore(sender.state())
        sender = copy
    sender.send_again()
    for seq, body in sender.unsent_frames():
        if receiver.accept(seq) == NEW:
            taken.append(body)
    assert taken == bodies
