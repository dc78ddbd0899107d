"""Numbered links: taken in order, each once, and kept by the sender until acknowledged."""

from hypothesis import given
from hypothesis import strategies as st

from engine.connections.link import AHEAD, DUPLICATE, GAP, NEW, RECENT, Link


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


def pair(count: int, taken: int) -> tuple[Link, Link]:
    """A sender of so many frames and the receiver that took so many of them."""
    sender, receiver = Link("receiver"), Link("sender")
    for number in range(1, count + 1):
        sender.put(b"frame %d" % number)
    for number in range(1, taken + 1):
        assert receiver.accept(number) == NEW
        receiver.took(b"frame %d" % number)
    return sender, receiver


def again(link: Link) -> Link:
    copy = Link(link.peer)
    copy.restore(link.state())
    return copy


@given(count=st.integers(0, 9), taken=st.integers(0, 9), acked=st.integers(0, 9))
def test_ends_of_one_link_agree_also_after_restarts_and_by_late_proofs(
    count: int, taken: int, acked: int
) -> None:
    sender, receiver = pair(count, min(count, taken))
    proofs = [sender.proof()]
    sender.acknowledge(min(acked, receiver.received))
    proofs += [sender.proof(), again(sender).proof()]
    for number in range(5):
        sender.put(b"more %d" % number)
        assert receiver.accept(receiver.received + 1) == NEW
        receiver.took(sender.outbox[receiver.received - 1 - sender.peer_has])
        proofs.append(sender.proof())
    for proof in proofs:
        assert receiver.fault(proof) == again(receiver).fault(proof) == ""
    sender.acknowledge(receiver.received)
    assert receiver.fault(sender.proof()) == again(receiver).fault(sender.proof()) == ""


def test_a_receiver_that_lost_frames_hears_of_it() -> None:
    sender, receiver = pair(5, 5)
    sender.acknowledge(5)
    _, older = pair(5, 3)
    assert older.fault(sender.proof()) == (
        "ends at frame 3 of sender, but frame 5 was acknowledged"
    )
    assert receiver.fault(sender.proof()) == ""


def test_a_sender_that_makes_other_frames_is_told_once_it_came_so_far() -> None:
    _, receiver = pair(5, 5)
    restored, _ = pair(3, 0)
    restored.recovered()
    assert restored.acknowledge(5)
    assert restored.proof() == b"" and not restored.proof_due
    for body in (b"frame 4", b"something else"):
        restored.put(body)
    assert restored.proof_due
    assert "has another frame 5 of sender" in receiver.fault(restored.proof())
    same, _ = pair(3, 0)
    same.acknowledge(5)
    for body in (b"frame 4", b"frame 5"):
        same.put(body)
    assert same.proof_due and receiver.fault(same.proof()) == ""


def test_a_sender_that_lost_more_than_can_be_made_again_refuses() -> None:
    sender, _ = pair(3, 0)
    sender.recovered()
    assert not sender.acknowledge(4 + AHEAD)


def test_few_chains_are_kept() -> None:
    _, receiver = pair(0, 0)
    for number in range(1, 3 * RECENT):
        receiver.accept(number)
        receiver.took(b"")
    assert len(receiver._recent) == RECENT
