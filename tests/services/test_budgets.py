"""What one client may take: beyond it is refused and counted, and the others go on."""

import contextlib
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import msgspec
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from engine import commands as c
from engine.events import MarkUpdated
from engine.services.service_config import GatewayConfig
from gateway.client import Address, Client
from gateway.door.budgets import UNREAD_MESSAGES, Budgets
from gateway.door.cancel_on_disconnect import MAX_WATCHES, Heartbeats
from gateway.door.lines import wire_bytes
from gateway.door.pending import MAX_PENDING, Frame, Pending, work_of
from gateway.door.runs import run_at
from gateway.door.session_book import SILENT_LINES, SessionBook
from gateway.door.sessions import Session
from gateway.door.unread import held_bytes
from gateway.protocol import (
    Delivery,
    DepthRequest,
    EventsRequest,
    Hello,
    Ping,
    Refused,
    Submit,
    Welcome,
    decode_from_server,
    encode,
)
from gateway.rights.audit import Audit
from gateway.rights.keys import ClientKey, new_pair
from tests.services.endpoints import free_base_port, free_port, scrape
from tests.services.processes import PATIENCE_SECONDS, Processes
from tests.services.raw_line import RawLine
from tests.services.streams import RULEBOOKS, START_NS, opening

MIB = 1_048_576
SERVER, ANN, BOB = new_pair(), new_pair(), new_pair()


class Exchange:
    """An exchange in one process with doors over TCP, small limits and metrics."""

    def __init__(self, folder: Path, keys: bool = False) -> None:
        self.file = folder / "keys.toml"
        self.base_port = free_base_port()
        gateway: dict[str, object] = {
            "commands": f"tcp://127.0.0.1:{free_port()}",
            "market_data": f"tcp://127.0.0.1:{free_port()}",
            "max_sessions": 20,
            "max_subscriptions": 500,
            "max_waiting_bytes": 2 * MIB,
        }
        self.write_keys(revoked=False)
        if keys:
            gateway["keys"] = str(self.file)
        self.keys = keys
        metrics = {"base_port": self.base_port}
        self.processes = Processes(folder / "run", layout="one", gateway=gateway, metrics=metrics)

    def write_keys(self, revoked: bool) -> None:
        self.file.write_text(
            f'[server]\npublic = "{SERVER[0]}"\nsecret = "{SERVER[1]}"\n'
            f'[clients.ann]\npublic = "{ANN[0]}"\n'
            'rights = ["admin", "trade", "read", "withdraw"]\n'
            f'[clients.bob]\npublic = "{BOB[0]}"\nrights = ["read"]\n'
            f"revoked = {str(revoked).lower()}\n"
        )
        self.file.chmod(0o600)

    def address(self, pair: tuple[str, str] = ANN) -> Address:
        plain = self.processes.address
        if not self.keys:
            return plain
        return Address(plain.commands, plain.market_data, SERVER[0], *pair)

    def __enter__(self) -> "Exchange":
        self.processes.__enter__()
        self.processes.start_all()
        with Client(self.address(), accounts=[]) as admin:
            admin.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
        self.resident_before = self.resident()
        return self

    def __exit__(self, *exc: object) -> None:
        self.processes.__exit__(*exc)

    def resident(self) -> float:
        pid = self.processes.running["all"].pid
        return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1_024

    def grown_mib(self) -> float:
        return self.resident() - self.resident_before

    def refused(self, cause: str) -> float:
        return scrape(self.base_port).get(("seawall_refusals_total", cause), 0)

    def wait_for(self, cause: str) -> None:
        limit = time.monotonic() + PATIENCE_SECONDS
        while not self.refused(cause):
            assert time.monotonic() < limit, cause
            time.sleep(0.1)


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    with Exchange(tmp_path) as found:
        yield found


@pytest.fixture
def context() -> "Iterator[zmq.Context[zmq.Socket[bytes]]]":
    found: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield found
    found.destroy(linger=0)


def dealer(
    context: "zmq.Context[zmq.Socket[bytes]]", address: Address, hello: Hello
) -> "zmq.Socket[bytes]":
    found = context.socket(zmq.DEALER)
    found.setsockopt(zmq.RCVTIMEO, PATIENCE_SECONDS * 1_000)
    found.connect(address.commands)
    found.send(encode(hello))
    return found


def fresh() -> int:
    return run_at(time.time_ns())


def order_is_answered(exchange: Exchange) -> None:
    with Client(exchange.address(), accounts=[]) as client:
        reply = client.call(c.SubmitOrder(0, 100, 7, 0, c.BUY, 1, 9_000), PATIENCE_SECONDS)
        assert reply.rejection is None


def test_topics_without_end_are_left_out_and_cut_off(
    exchange: Exchange, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    honest = Client(exchange.address(), accounts=[])
    honest.connect(PATIENCE_SECONDS)
    honest.subscribe(7)
    greedy = context.socket(zmq.SUB)
    greedy.setsockopt(zmq.RECONNECT_IVL, -1)
    greedy.connect(exchange.address().market_data)
    rng = random.Random(1)
    for _ in range(30_000):
        greedy.setsockopt(zmq.SUBSCRIBE, rng.randbytes(60))
    exchange.wait_for("too_many_subscriptions")
    raw = RawLine(exchange.address().market_data, b"SUB")
    with contextlib.suppress(ConnectionError):
        raw.send(b"\x01" + bytes(10 * MIB))
    assert raw.is_cut()
    raw.close()
    time.sleep(1)
    honest.call_all([c.IndexPrice(0, 7, 1, 10_100), c.AdvanceTime(0)], PATIENCE_SECONDS)
    limit = time.monotonic() + PATIENCE_SECONDS
    while not any(isinstance(event, MarkUpdated) for event in honest.poll(0.5)):
        assert time.monotonic() < limit
    honest.close()
    assert exchange.grown_mib() < 48


def test_a_revoked_key_loses_its_market_data_and_others_keep_theirs(tmp_path: Path) -> None:
    with Exchange(tmp_path, keys=True) as exchange:
        ann, bob = Client(exchange.address(), accounts=[]), Client(exchange.address(BOB))
        for client in (ann, bob):
            client.connect(PATIENCE_SECONDS)
            client.subscribe(7)
        price = [10_000]

        def marks() -> tuple[int, int]:
            """How many marks each hears of while prices come for two seconds."""
            heard = [0, 0]
            end = time.monotonic() + 2
            while time.monotonic() < end:
                price[0] += 10
                commands = [c.IndexPrice(0, 7, 1, price[0]), c.AdvanceTime(0)]
                ann.call_all(commands, PATIENCE_SECONDS)
                for place, client in enumerate((ann, bob)):
                    events = client.poll(0.05)
                    heard[place] += sum(isinstance(event, MarkUpdated) for event in events)
            return heard[0], heard[1]

        assert min(marks()) > 0
        exchange.write_keys(revoked=True)
        limit = time.monotonic() + PATIENCE_SECONDS
        while True:
            of_ann, of_bob = marks()
            assert of_ann > 0
            if not of_bob:
                break
            assert time.monotonic() < limit, "the revoked key still hears"
        assert marks()[1] == 0
        ann.close()
        bob.close()


def test_answers_that_nobody_reads_end_the_session(
    exchange: Exchange, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    run = fresh()
    deaf = dealer(context, exchange.address(), Hello(run=run))
    deaf.setsockopt(zmq.RCVHWM, 1)
    for frame in range(60):
        numbers = range(frame * 1_000 + 1, frame * 1_000 + 1_001)
        deaf.send(encode(Submit(run, [(number, c.QueryMarket(0)) for number in numbers])))
    exchange.wait_for("waiting_bytes")
    order_is_answered(exchange)
    assert exchange.grown_mib() < 64


def test_short_messages_without_end_hold_nobody_up_and_are_cut_off(exchange: Exchange) -> None:
    messages = [Ping(), EventsRequest(100, 0), DepthRequest(7), Submit(fresh(), [])]
    flood = RawLine(exchange.address().commands, b"DEALER")
    flood.send(encode(Hello(run=fresh())))
    frames = [bytes([0, len(said)]) + said for said in map(encode, messages)]
    thread = Thread(target=say_without_end, args=(flood, b"".join(frames) * 2_000), daemon=True)
    thread.start()
    exchange.wait_for("unread_bytes")
    order_is_answered(exchange)
    with contextlib.suppress(OSError):
        # The other end may have left already.
        flood.line.shutdown(socket.SHUT_RDWR)
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert exchange.grown_mib() < held_bytes(UNREAD_MESSAGES * 256 * 1_024) / MIB


@pytest.mark.parametrize("keys", [True, False])
def test_who_is_cut_off_and_comes_back_fills_no_memory(tmp_path: Path, keys: bool) -> None:
    """What a connection left behind makes no sessions, and nobody new comes in before it is read:
    with twenty sessions at most, thirty floods one after the other leave room for another client.
    """
    with Exchange(tmp_path, keys=keys) as exchange:
        limit = held_bytes(UNREAD_MESSAGES * 256 * 1_024) / MIB
        frame = encode(Ping())
        for _ in range(30):
            flooder = zmq.Context()
            line = without_limit(flooder, exchange, keys)
            line.send(encode(Hello(run=fresh())))
            end = time.monotonic() + 0.4
            with contextlib.suppress(zmq.Again):
                while time.monotonic() < end:
                    for _ in range(1_000):
                        line.send(frame)
            flooder.destroy(linger=0)
        order_is_answered(exchange)
        assert exchange.grown_mib() < limit


def without_limit(
    context: "zmq.Context[zmq.Socket[bytes]]", exchange: Exchange, keys: bool
) -> "zmq.Socket[bytes]":
    """A line that holds nothing back."""
    found = context.socket(zmq.DEALER)
    found.setsockopt(zmq.LINGER, 0)
    found.setsockopt(zmq.SNDHWM, 0)
    found.setsockopt(zmq.SNDTIMEO, 100)
    if keys:
        found.curve_serverkey = SERVER[0].encode()
        found.curve_publickey, found.curve_secretkey = BOB[0].encode(), BOB[1].encode()
    found.connect(exchange.address(BOB).commands if keys else exchange.address().commands)
    return found


def test_what_a_connection_left_is_out_of_the_way_once_each_other_had_its_turn() -> None:
    """Also where the door is never without messages to read: others may not wait for that."""
    book = SessionBook(Budgets(GatewayConfig(), encrypted=False), Audit(None, int), int)
    book.gone.add(b"left")
    for _ in range(3):
        for _ in range(SILENT_LINES):
            assert not book.is_left_behind(b"steady")
        assert book.is_left_behind(b"left")
    for _ in range(SILENT_LINES + 2):
        assert not book.is_left_behind(b"steady")
    assert not book.gone


def say_without_end(line: RawLine, data: bytes) -> None:
    """Say the same again and again, and read nothing, until the line is cut."""
    with contextlib.suppress(OSError):
        while True:
            line.line.sendall(data)


def test_many_commands_that_are_none_are_refused_in_one_answer(
    exchange: Exchange, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    run = fresh()
    clumsy = dealer(context, exchange.address(), Hello(run=run))
    clumsy.recv()
    requests = [[number + 1, ["CancelOrder", 0, 100, "x"]] for number in range(5_000)]
    clumsy.send(msgspec.msgpack.encode(["Submit", run, requests]))
    delivery = decode_from_server(clumsy.recv())
    assert isinstance(delivery, Delivery)
    assert sum(len(replies.request_ids) for replies in delivery.replies) == len(requests)
    order_is_answered(exchange)


def test_a_message_that_does_not_end_is_cut_off(exchange: Exchange) -> None:
    raw = RawLine(exchange.address().commands, b"DEALER")
    highest = 0.0
    limit = time.monotonic() + PATIENCE_SECONDS
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < limit:
            raw.send(bytes(100_000), more=True)
            highest = max(highest, exchange.grown_mib())
            time.sleep(0.002)
    assert raw.is_cut() and exchange.refused("unread_bytes") == 1
    raw.close()
    assert highest < 150
    order_is_answered(exchange)


def test_what_a_greeting_may_not_ask_for_is_said_in_words(
    exchange: Exchange, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    hello = Hello(run=fresh(), accounts=list(range(40_000)))
    greedy = dealer(context, exchange.address(), hello)
    told = decode_from_server(greedy.recv())
    assert told == Refused("40000 accounts named; allowed: 1000, or all")
    greedy.send(encode(Hello(run=fresh(), accounts=list(range(1_000)))))
    assert isinstance(decode_from_server(greedy.recv()), Welcome)
    answers = [
        decode_from_server(dealer(context, exchange.address(), Hello(run=fresh() + n)).recv())
        for n in range(25)
    ]
    assert answers[-1] == Refused("this client has too many sessions")
    assert 15 <= sum(isinstance(answer, Welcome) for answer in answers) <= 19
    assert exchange.refused("too_many_sessions") >= 6
    assert exchange.refused("too_many_accounts") == 1


def test_a_frame_full_of_questions_waits_while_others_are_answered(
    exchange: Exchange, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    run = fresh()
    asker = dealer(context, exchange.address(), Hello(run=run))
    asker.recv()
    questions = [(number + 1, c.QueryRisk(0, [], 1_000)) for number in range(6_000)]
    with Client(exchange.address(), accounts=[]) as honest:
        asker.send(encode(Submit(run, questions)))
        for _ in range(20):
            honest.call(c.SubmitOrder(0, 100, 7, 0, c.BUY, 1, 9_000), PATIENCE_SECONDS)
        answered = 0
        while asker.poll(0):
            delivery = decode_from_server(asker.recv())
            answered += sum(len(replies.request_ids) for replies in delivery.replies)  # type: ignore[union-attr]
        assert answered < len(questions), "the honest client waited for the whole frame"
        limit = time.monotonic() + PATIENCE_SECONDS
        while answered < len(questions):
            assert time.monotonic() < limit
            delivery = decode_from_server(asker.recv())
            answered += sum(len(replies.request_ids) for replies in delivery.replies)  # type: ignore[union-attr]
    assert answered == len(questions)


# the parts


def session_of(client: str, address: bytes) -> Session:
    return Session(address, client, ClientKey(""), 0)


def test_sessions_take_turns_and_a_frame_keeps_its_order() -> None:
    pending = Pending()
    one, two = session_of("a", b"1"), session_of("b", b"2")
    orders = [(number, c.CancelAll(0, 100)) for number in range(1, 11)]
    pending.add(one, Frame(1, orders, 0))
    pending.add(one, Frame(1, [(11, c.CancelAll(0, 100))], 0))
    pending.add(two, Frame(2, orders[:3], 0))
    taken: list[tuple[str, list[int]]] = []
    while pending:
        session, frame = pending.take()
        requests, work = frame.next_part(4, 0, 0)
        assert work == len(requests) <= 4
        taken.append((session.client, [number for number, _ in requests]))
        if frame.left:
            pending.back(session, frame)
    assert [client for client, _ in taken] == ["a", "b", "a", "a", "a"]
    assert [number for client, part in taken if client == "a" for number in part] == [*range(1, 12)]


def test_what_waits_is_counted_for_the_client_and_let_go_with_the_session() -> None:
    pending = Pending()
    one, two = session_of("a", b"1"), session_of("a", b"2")
    pending.add(one, Frame(1, [(1, None)] * (MAX_PENDING - 1), 0))
    assert pending.has_room(two, 1) and not pending.has_room(two, 2)
    assert pending.has_room(session_of("b", b"3"), MAX_PENDING)
    session, frame = pending.take()
    frame.next_part(100, 0, 0)
    pending.back(session, frame)
    assert pending.has_room(two, 101) and not pending.has_room(two, 102)
    pending.drop(one)
    assert not pending and pending.has_room(two, MAX_PENDING)


def test_a_question_is_as_much_work_as_the_rows_it_looks_at() -> None:
    assert work_of(c.SubmitOrder(0, 1, 1, 0, c.BUY, 1, 1), 900, 90) == 1
    assert work_of(c.QueryRisk(0, [], 5), 900, 90) == 301
    assert work_of(c.QueryRisk(0, [1, 2, 3], 5), 900, 90) == 2
    assert work_of(c.QueryMarket(0), 900, 90) == 31
    frame = Frame(1, [(1, c.QueryRisk(0, [], 5)), (2, c.QueryRisk(0, [], 5))], 0)
    assert [len(frame.next_part(100, 900, 0)[0]) for _ in range(2)] == [1, 1], "one at least"


def test_runs_that_want_to_be_watched_are_limited_by_client() -> None:
    beats = Heartbeats()
    for number in range(MAX_WATCHES):
        assert beats.has_room(f"ann/{number}")
        beats.traded(f"ann/{number}", 1_000, 100, 0)
    assert not beats.has_room("ann/new") and beats.has_room("ann/7") and beats.has_room("bob/1")
    assert len(beats.take_silent(2_000)) == MAX_WATCHES
    assert beats.has_room("ann/new")


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["heard", "traded", "greeted", "later", "look"]),
            st.integers(0, 3),
            st.integers(0, 5),
        ),
        max_size=60,
    )
)
def test_who_is_silent_is_found_as_by_looking_at_everybody(
    steps: list[tuple[str, int, int]],
) -> None:
    beats = Heartbeats()
    naive: dict[str, tuple[int, int]] = {}
    now = 0
    for what, who, number in [*steps, ("later", 0, 5), ("look", 0, 0)]:
        name = f"c/{who}"
        if what == "later":
            now += 3 * number
        elif what == "heard":
            beats.heard(name, now)
            if name in naive:
                naive[name] = (now, naive[name][1])
        elif what == "traded":
            beats.traded(name, number + 1, 100, now)
            naive.setdefault(name, (now, number + 1))
        elif what == "greeted":
            beats.greeted(name, number, now)
            if name in naive:
                naive[name] = (now, number)
                if not number:
                    del naive[name]
        else:
            silent = {one for one, (heard, interval) in naive.items() if now - heard > interval}
            assert set(beats.take_silent(now)) == silent
            naive = {one: state for one, state in naive.items() if one not in silent}


def test_bytes_on_the_line_are_those_of_zmtp() -> None:
    assert [wire_bytes(size, False) for size in (0, 255, 256)] == [2, 257, 265]
    assert [wire_bytes(size, True) for size in (0, 222, 223)] == [35, 257, 265]
