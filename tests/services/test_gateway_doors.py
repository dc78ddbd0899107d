"""Who is let in, and what happens to frames that should not have come."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from engine import commands as c
from engine.events import AccountReport, BookLevel, CommandRejected, OrderAccepted
from engine.reasons import Reason
from engine.routing.topology import GATEWAY, RISK
from engine.services.service_config import ConfigError, parse_config
from gateway.client import Address, Client, NoAnswer
from gateway.door.sessions import MAX_MALFORMED, SECOND_NS, TokenBucket
from gateway.host.addresses import require_safe
from gateway.protocol import Ping, Pong, Refused, decode_from_server, encode
from gateway.rights.keys import new_pair, read_keys
from tests.services.endpoints import free_base_port, scrape, start_all
from tests.services.processes import Processes
from tests.services.streams import RULEBOOKS, START_NS, opening

MAX_BYTES = 20_000


class KeyRing:
    """A key file with an administrator, two traders and a reader."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "keys.toml"
        self.pairs = {name: new_pair() for name in ("server", "admin", "ann", "bob", "eve")}
        self.revoked: list[str] = []
        self.write()

    def write(self) -> None:
        public, secret = self.pairs["server"]
        rules = {
            "admin": 'rights = ["admin", "trade", "read", "withdraw"]',
            "ann": 'rights = ["trade", "read"]\naccounts = [100, 101]',
            "bob": 'rights = ["trade", "read"]\naccounts = [102]\nmax_commands_per_second = 5',
            "eve": 'rights = ["read"]\naccounts = [103]',
        }
        lines = ["[server]", f'public = "{public}"', f'secret = "{secret}"']
        for name, rule in rules.items():
            lines += [f"[clients.{name}]", f'public = "{self.pairs[name][0]}"', rule]
            lines += ["revoked = true"] if name in self.revoked else []
        self.file.write_text("\n".join(lines))

    def address(self, processes: Processes, name: str) -> Address:
        public, secret = self.pairs[name]
        plain = processes.address
        return Address(plain.commands, plain.market_data, self.pairs["server"][0], public, secret)


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path)


@pytest.fixture
def guarded(tmp_path: Path, ring: KeyRing) -> Iterator[Processes]:
    gateway = {"keys": str(ring.file), "max_message_bytes": MAX_BYTES}
    with Processes(tmp_path / "run", gateway=gateway) as processes:
        processes.start_all()
        processes.wait_until_ready()
        with Client(ring.address(processes, "admin")) as admin:
            admin.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
            yield processes


def reasons(client: Client, command: c.Command) -> list[int]:
    events = client.call(command).events
    return [event.reason for event in events if isinstance(event, CommandRejected)]


def test_an_unknown_key_gets_no_answer(guarded: Processes, ring: KeyRing) -> None:
    ring.pairs["eve"] = new_pair()
    stranger = Client(ring.address(guarded, "eve"))
    with pytest.raises(NoAnswer):
        stranger.connect(1.0)
    stranger.close()


def test_a_client_without_encryption_gets_no_answer(guarded: Processes) -> None:
    stranger = Client(guarded.address)
    with pytest.raises(NoAnswer):
        stranger.connect(1.0)
    stranger.close()


def test_a_key_reaches_its_own_accounts_and_rights_only(guarded: Processes, ring: KeyRing) -> None:
    refused = [int(Reason.NOT_AUTHORISED)]
    with Client(ring.address(guarded, "ann")) as ann, Client(ring.address(guarded, "eve")) as eve:
        accepted = ann.call(c.SubmitOrder(0, 100, 7, 0, c.BUY, 5, 9_900))
        assert isinstance(accepted.events[0], OrderAccepted)
        assert reasons(ann, c.SubmitOrder(0, 102, 7, 0, c.BUY, 5, 9_900)) == refused
        assert reasons(ann, c.QueryAccount(0, 102)) == refused
        assert reasons(ann, c.Deposit(0, 100, 1, 10**6)) == refused
        assert reasons(ann, c.IndexPrice(0, 7, 1, 5)) == refused
        assert reasons(ann, c.AssetPrice(0, 1, 1, 5)) == refused
        assert reasons(ann, c.CancelAll(0, 102)) == refused
        assert reasons(eve, c.QueryAccount(0, 103)) == []
        assert reasons(eve, c.SubmitOrder(0, 103, 7, 0, c.BUY, 5, 9_900)) == refused
        with Client(ring.address(guarded, "bob")) as bob:
            foreign = c.CancelOrder(0, 102, accepted.order_id)
            assert reasons(bob, foreign) == [int(Reason.UNKNOWN_ORDER)]
            assert bob.poll(0.2) == []
        assert eve.poll(0.2) == []


def test_a_revoked_key_is_out_in_the_middle_of_its_session(
    guarded: Processes, ring: KeyRing
) -> None:
    with Client(ring.address(guarded, "ann")) as ann:
        assert reasons(ann, c.QueryAccount(0, 100)) == []
        ring.revoked.append("ann")
        ring.write()
        with pytest.raises(NoAnswer):
            for _ in range(100):
                ann.poll(0.05)
                ann.call(c.QueryAccount(0, 100), timeout_s=1.0)


def test_what_is_refused_is_counted(tmp_path: Path, ring: KeyRing) -> None:
    metrics = {"base_port": free_base_port()}
    gateway = {"keys": str(ring.file)}
    with Processes(tmp_path / "run", gateway=gateway, metrics=metrics) as processes:
        ports = start_all(processes)

        def refused(cause: str) -> float:
            return scrape(ports[GATEWAY]).get(("seawall_refusals_total", cause), 0)

        with Client(ring.address(processes, "admin")) as admin:
            admin.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
            order = admin.call(c.SubmitOrder(0, 100, 7, 0, c.BUY, 5, 9_900))
        true_pair, ring.pairs["eve"] = ring.pairs["eve"], new_pair()
        stranger = Client(ring.address(processes, "eve"))
        with pytest.raises(NoAnswer):
            stranger.connect(1.0)
        stranger.close()
        assert refused("unknown_key") >= 1
        ring.pairs["eve"] = true_pair
        with Client(ring.address(processes, "bob")) as bob:
            assert reasons(bob, c.QueryAccount(0, 100)) == [int(Reason.NOT_AUTHORISED)]
            assert reasons(bob, c.Deposit(0, 102, 1, 1)) == [int(Reason.NOT_AUTHORISED)]
            assert refused("not_authorised") == 2
            foreign = c.CancelOrder(0, 102, order.order_id)
            assert reasons(bob, foreign) == [int(Reason.UNKNOWN_ORDER)]
            rejected = scrape(ports[RISK])
            assert rejected["seawall_rejections_total", "unknown_order"] == 1
            ring.revoked.append("bob")
            ring.write()
            with pytest.raises(NoAnswer):
                for _ in range(100):
                    bob.poll(0.05)
                    bob.call(c.QueryAccount(0, 102), timeout_s=1.0)
        assert refused("not_authorised") + refused("unknown_key") > 3


def test_commands_beyond_the_rate_are_refused(guarded: Processes, ring: KeyRing) -> None:
    with Client(ring.address(guarded, "bob")) as bob:
        replies = bob.call_all([c.QueryAccount(0, 102)] * 20)
        refused = [
            event.reason
            for reply in replies
            for event in reply.events
            if isinstance(event, CommandRejected)
        ]
        assert set(refused) == {int(Reason.TOO_MANY_REQUESTS)}
        assert 10 <= len(refused) <= 15


def test_a_revoked_key_loses_its_market_data(guarded: Processes, ring: KeyRing) -> None:
    """Regression: its line was never closed. The others' come back by themselves."""
    with (
        Client(ring.address(guarded, "admin")) as admin,
        Client(ring.address(guarded, "ann")) as ann,
        Client(ring.address(guarded, "eve")) as eve,
    ):

        def changes(*clients: Client) -> list[int]:
            """How many changes of the depth each hears of."""
            found = [0] * len(clients)
            for number in range(10):
                order = admin.call(c.SubmitOrder(0, 100, 7, 0, c.BUY, 1, 9_000 + number))
                admin.call(c.CancelOrder(0, 100, order.order_id))
                for place, client in enumerate(clients):
                    events = client.poll(0.1)
                    found[place] += sum(isinstance(event, BookLevel) for event in events)
            return found

        for client in (ann, eve):
            client.subscribe(7)
        limit = time.monotonic() + 60
        while not all(changes(ann, eve)):
            assert time.monotonic() < limit, "no market data came"
        ring.revoked.append("ann")
        ring.write()
        while True:
            heard = changes(ann, eve)
            if not heard[0] and heard[1]:
                break
            assert time.monotonic() < limit, f"changes heard: {heard}"
        assert changes(ann, eve)[0] == 0


def test_a_limit_holds_for_any_second() -> None:
    """Regression: with a full bucket at every look at the key file, twice as many got through."""
    rate = TokenBucket(2)
    assert [rate.take(0) for _ in range(3)] == [True, True, False]
    assert not rate.take(SECOND_NS - 1)
    assert [rate.take(SECOND_NS) for _ in range(3)] == [True, True, False]
    rate.limit(2)
    assert not rate.take(SECOND_NS + 1)
    rate.limit(3)
    assert [rate.take(SECOND_NS + 1) for _ in range(2)] == [True, False]


@given(st.lists(st.integers(0, 400), max_size=60), st.integers(1, 5))
def test_no_second_ever_has_more_than_the_limit(pauses: list[int], limit: int) -> None:
    rate = TokenBucket(limit)
    taken: list[int] = []
    now = 0
    for pause in pauses:
        now += pause * SECOND_NS // 1_000
        if rate.take(now):
            taken.append(now)
        else:
            assert sum(one > now - SECOND_NS for one in taken) == limit
        assert sum(one > now - SECOND_NS for one in taken) <= limit


def test_who_is_refused_too_often_is_not_heard_for_a_second() -> None:
    rate = TokenBucket(2)
    assert not rate.muted(0)
    rate.refuse(0)
    assert not rate.muted(0)
    rate.refuse(5)
    assert rate.muted(SECOND_NS - 1)
    assert not rate.muted(SECOND_NS)
    assert not TokenBucket(0).muted(0)


def test_a_limit_of_five_is_five_a_second_however_it_is_pushed(
    guarded: Processes, ring: KeyRing
) -> None:
    """And the key file is looked at all the time."""
    with Client(ring.address(guarded, "bob")) as bob:
        began = time.monotonic()
        answered = 0
        while time.monotonic() - began < 4:
            bob.send([c.QueryAccount(0, 102)])
            for reply in bob.take_replies(0.001):
                answered += isinstance(reply.events[0], AccountReport)
        assert 5 <= answered <= 5 * (1 + int(time.monotonic() - began))


def test_open_doors_without_keys_are_refused() -> None:
    config = parse_config('[gateway]\ncommands = "tcp://0.0.0.0:7400"', "a.toml")
    with pytest.raises(ConfigError, match="other machines"):
        require_safe(config.gateway)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "server"),
        ('[server]\npublic = "a"\nsecret = "b"\n[clients.x]\npublic = "short"', "40 characters"),
        ("[server", "keys.toml"),
    ],
)
def test_a_wrong_key_file_says_what_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_keys(str(file))


def test_a_session_is_closed_after_too_many_frames_that_are_no_message(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with Processes(tmp_path, gateway={"max_message_bytes": MAX_BYTES}) as processes:
        processes.start_all()
        processes.wait_until_ready()
        socket = context.socket(zmq.DEALER)
        socket.connect(processes.address.commands)
        socket.setsockopt(zmq.RCVTIMEO, 10_000)
        for number in range(1, MAX_MALFORMED + 1):
            socket.send(b"noise")
            answer = decode_from_server(socket.recv())
            assert isinstance(answer, Refused)
            assert ("closed" in answer.text) == (number == MAX_MALFORMED)
        socket.send(encode(Ping()))
        socket.setsockopt(zmq.RCVTIMEO, 300)
        with pytest.raises(zmq.Again):
            socket.recv()
        other = context.socket(zmq.DEALER)
        other.setsockopt(zmq.RCVTIMEO, 10_000)
        other.connect(processes.address.commands)
        other.send(encode(Ping()))
        assert decode_from_server(other.recv()) == Pong(False)
        other.send(b"x" * (MAX_BYTES + 1))
        other.setsockopt(zmq.RCVTIMEO, 300)
        with pytest.raises(zmq.Again):
            other.recv()
    context.destroy(linger=0)
