"""The client's side without sockets: numbering, asking again, and depth without gaps."""

from engine.commands import BUY, SELL, CancelAll, Command
from engine.events import BookLevel
from engine.services.rounds import encode_frame
from engine.services.service_config import GatewayConfig
from gateway.connection import ASK_AGAIN_NS, GREET_AGAIN_NS, Connection
from gateway.protocol import (
    DEPTH_TOPIC,
    SEQUENCE_TOPIC,
    Delivery,
    Depth,
    DepthRequest,
    DepthSequence,
    Hello,
    Ping,
    Pong,
    Replies,
    Submit,
    Welcome,
    decode_from_client,
    encode,
)
from matching.market_data import DepthSnapshot

NOW_NS = 10**12
ANY: Command = CancelAll(0, 100)
DEPTH = DEPTH_TOPIC + b"7."
SEQUENCE = SEQUENCE_TOPIC + b"7."


def sent(connection: Connection, now_ns: int) -> list[object]:
    """What goes out, without the pings."""
    messages = [decode_from_client(frame) for frame in connection.outgoing(now_ns)]
    return [message for message in messages if not isinstance(message, Ping)]


def connected(last_request: int = 0) -> Connection:
    connection = Connection(5)
    assert sent(connection, NOW_NS) == [Hello(run=5)]
    connection.receive(encode(Welcome("ann", [], [], last_request)), NOW_NS)
    return connection


def update(sequence: int, side: int, price: int, lots: int) -> bytes:
    return encode_frame([BookLevel(0, 7, sequence, side, price, lots)])


def test_numbers_go_on_after_the_last_one_used() -> None:
    connection = connected(last_request=41)
    assert connection.request([ANY, ANY]) == [42, 43]
    assert sent(connection, NOW_NS) == [Submit(5, [(42, ANY), (43, ANY)])]


def test_what_is_not_answered_is_asked_again_with_its_number() -> None:
    connection = connected()
    connection.request([ANY, ANY])
    sent(connection, NOW_NS)
    connection.receive(encode(Delivery(1, [Replies([1], [0], [[]])], [])), NOW_NS)
    assert sent(connection, NOW_NS + ASK_AGAIN_NS) == []
    assert sent(connection, NOW_NS + ASK_AGAIN_NS + 1) == [Hello(run=5), Submit(5, [(2, ANY)])]


def test_an_answer_that_comes_twice_counts_once() -> None:
    connection = connected()
    connection.request([ANY])
    answer = encode(Delivery(1, [Replies([1], [9], [[]])], []))
    connection.receive(answer, NOW_NS)
    assert connection.replies.pop(1).order_id == 9
    connection.receive(answer, NOW_NS)
    assert connection.replies == {}


def test_much_that_is_not_answered_is_asked_again_in_frames_a_gateway_takes() -> None:
    connection = connected()
    for _ in range(40):
        connection.request([ANY] * 1_000)
    sent(connection, NOW_NS)
    frames = connection.outgoing(NOW_NS + ASK_AGAIN_NS + 1)
    assert max(map(len, frames)) < GatewayConfig().max_message_bytes // 4
    messages = [decode_from_client(frame) for frame in frames]
    asked = [
        number
        for message in messages
        if isinstance(message, Submit)
        for number, _ in message.requests
    ]
    assert asked == [*range(1, 40_001)]
    assert messages[0] == Hello(run=5) or messages[1] == Hello(run=5)


def test_a_gateway_that_does_not_know_the_session_is_greeted_again() -> None:
    connection = connected()
    connection.request([ANY])
    sent(connection, NOW_NS)
    connection.receive(encode(Pong(False)), NOW_NS + ASK_AGAIN_NS)
    assert sent(connection, NOW_NS + ASK_AGAIN_NS) == [Hello(run=5), Submit(5, [(1, ANY)])]
    connection.receive(encode(Welcome("ann", [], [], 0)), NOW_NS)
    assert connection.reconnects == 1


def test_a_missing_delivery_is_noticed() -> None:
    connection = connected()
    connection.receive(encode(Delivery(1, [], [])), NOW_NS)
    connection.receive(encode(Delivery(3, [], [])), NOW_NS)
    assert connection.lost_deliveries == 1


def test_a_lost_answer_is_asked_for_although_others_come() -> None:
    connection = connected()
    connection.request([ANY, ANY])
    sent(connection, NOW_NS)
    later_ns = NOW_NS + GREET_AGAIN_NS + 1
    for number in (1, 3, 4):
        connection.receive(encode(Delivery(number, [], [])), later_ns)
    again = [Hello(run=5), Submit(5, [(1, ANY), (2, ANY)])]
    assert sent(connection, later_ns) == again
    connection.receive(encode(Delivery(6, [], [])), later_ns)
    assert sent(connection, later_ns + GREET_AGAIN_NS) == []
    assert sent(connection, later_ns + GREET_AGAIN_NS + 1) == again


def test_updates_that_overtake_the_snapshot_are_not_lost() -> None:
    connection = connected()
    connection.watch_depth(7)
    for number, lots in ((4, 1), (5, 2), (6, 3)):
        connection.receive_market_data(DEPTH, update(number, BUY, 100 + number, lots))
    assert connection.depth == {}
    connection.receive(encode(Depth(DepthSnapshot(7, 5, [(99, 1)], [(120, 2)]))), NOW_NS)
    book = connection.depth[7]
    assert book.sequence == 6
    assert book.depth(BUY) == [(106, 3), (99, 1)]
    assert book.depth(SELL) == [(120, 2)]


def test_a_gap_in_the_updates_asks_for_a_snapshot() -> None:
    connection = connected()
    connection.watch_depth(7)
    connection.receive(encode(Depth(DepthSnapshot(7, 5, [], []))), NOW_NS)
    sent(connection, NOW_NS)
    connection.receive_market_data(DEPTH, update(8, BUY, 100, 1))
    assert connection.depth == {}
    assert sent(connection, NOW_NS) == [DepthRequest(7)]
    connection.receive(encode(Depth(DepthSnapshot(7, 8, [(100, 1)], []))), NOW_NS)
    assert connection.depth[7].depth(BUY) == [(100, 1)]


def test_a_gap_in_the_depth_is_counted() -> None:
    connection = connected()
    connection.receive(encode(Depth(DepthSnapshot(7, 3, [(100, 5)], []))), NOW_NS)
    connection.receive_market_data(DEPTH, update(4, BUY, 101, 1))
    assert connection.depth_gaps == 0
    connection.receive_market_data(DEPTH, update(6, BUY, 102, 1))
    assert connection.depth_gaps == 1
    assert 7 not in connection.depth


def test_a_change_before_the_subscription_is_asked_for_and_is_no_gap() -> None:
    connection = connected()
    connection.receive(encode(Depth(DepthSnapshot(7, 3, [(100, 5)], []))), NOW_NS)
    connection.receive_market_data(SEQUENCE, encode(DepthSequence(7, 4)))
    assert sent(connection, NOW_NS) == [DepthRequest(7)]
    assert connection.depth_gaps == 0
    connection.receive(encode(Depth(DepthSnapshot(7, 4, [], []))), NOW_NS)
    connection.receive_market_data(SEQUENCE, encode(DepthSequence(7, 4)))
    assert connection.depth[7].sequence == 4
    assert sent(connection, NOW_NS) == []


def test_a_dropped_update_shows_although_nothing_follows_it() -> None:
    connection = connected()
    connection.receive(encode(Depth(DepthSnapshot(7, 3, [(100, 5)], []))), NOW_NS)
    connection.receive_market_data(SEQUENCE, encode(DepthSequence(7, 3)))
    connection.receive_market_data(SEQUENCE, encode(DepthSequence(7, 4)))
    assert connection.depth_gaps == 1
    assert sent(connection, NOW_NS) == [DepthRequest(7)]


def test_a_session_the_gateway_has_forgotten_is_counted_once() -> None:
    connection = connected()
    connection.receive(encode(Delivery(1, [], [])), NOW_NS)
    connection.receive(encode(Pong(False)), NOW_NS + ASK_AGAIN_NS)
    connection.receive(encode(Welcome("ann", [], [], 0)), NOW_NS)
    connection.receive(encode(Delivery(1, [], [])), NOW_NS)
    connection.receive(encode(Delivery(2, [], [])), NOW_NS)
    assert (connection.new_sessions, connection.lost_deliveries) == (1, 0)


def test_a_forgotten_session_shows_in_deliveries_that_begin_anew() -> None:
    connection = connected()
    for number in (1, 2, 1):
        connection.receive(encode(Delivery(number, [], [])), NOW_NS)
    assert (connection.new_sessions, connection.lost_deliveries) == (1, 0)


def test_greeting_a_slow_gateway_twice_is_no_new_session() -> None:
    connection = connected()
    connection.receive(encode(Delivery(1, [], [])), NOW_NS)
    connection.receive(encode(Welcome("ann", [], [], 0)), NOW_NS)
    connection.receive(encode(Delivery(2, [], [])), NOW_NS)
    assert (connection.reconnects, connection.new_sessions) == (1, 0)


def test_it_is_known_when_the_gateway_was_last_heard() -> None:
    connection = connected()
    connection.receive(encode(Pong(True)), NOW_NS + 5)
    assert connection.last_heard_ns == NOW_NS + 5
    connection.receive(encode(Delivery(9, [], [])), NOW_NS + 7)
    assert connection.last_heard_ns == NOW_NS + 7


def test_a_snapshot_that_does_not_come_is_asked_for_again() -> None:
    connection = connected()
    connection.watch_depth(7)
    assert sent(connection, NOW_NS) == [DepthRequest(7)]
    assert sent(connection, NOW_NS + ASK_AGAIN_NS) == []
    # News of other things does not stand for it.
    connection.receive(encode(Delivery(1, [], [])), NOW_NS + ASK_AGAIN_NS)
    assert sent(connection, NOW_NS + ASK_AGAIN_NS + 1) == [DepthRequest(7)]
    connection.receive(encode(Depth(DepthSnapshot(7, 5, [], []))), NOW_NS + ASK_AGAIN_NS + 2)
    assert sent(connection, NOW_NS + 9 * ASK_AGAIN_NS) == []
