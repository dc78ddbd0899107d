"""Somebody who reaches an inbox speaks in a service's name: nothing changes, nothing stops.

The forger knows everything but the keys of the links: names, numbers, how frames look. A traitor
has a key as well, and still moves nothing that was not asked for.
"""

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from engine import commands as c
from engine.connections.link_header import Header, NoMessage, message_of, parts_of
from engine.connections.link_keys import LinkKeys
from engine.connections.link_seal import KEY_BYTES, SEAL_BYTES, Seal
from engine.record.service_journal import ServiceJournal
from engine.routing.topology import GATEWAY, LIQUIDATION, MATCHING, RISK
from engine.services.rounds import Answer, Batch, Outcome, encode_frame
from engine.services.service import Service
from engine.services.service_config import ConfigError
from engine.units import COMPILED
from gateway.client import Client
from gateway.host.link_secrets import FOLDER, seals_of
from gateway.host.parts import risk_hub
from tests.services.processes import Processes
from tests.services.trading import Trader, commands_of

NUMBERS = (0, 1, 2, 3, *range(4, 400, 7), 2**40, 2**62, 2**63)
WRONG_KEY = Seal(bytes(KEY_BYTES))


def forged(peer: str) -> Iterator[bytes]:
    """Messages in the name of a peer: bare, with noise for a seal, and with a seal of another key;
    acknowledging everything, asking for everything, and with frames that would be believed."""
    deposit = Batch(1, [c.Deposit(0, 100, 1, 10**12)])
    bodies = [
        encode_frame(deposit),
        encode_frame(Answer([])),
        encode_frame(Outcome(1, [], [])),
        b"",
    ]
    for number in NUMBERS:
        for ack in (0, 3, 2**62):
            for resend in (False, True):
                for body in bodies:
                    message = message_of(WRONG_KEY, Header(peer, number, ack, resend), body)
                    yield message
                    yield os.urandom(SEAL_BYTES) + message[SEAL_BYTES:]
                    yield message[SEAL_BYTES:]


def test_a_forger_at_every_inbox_changes_and_stops_nothing(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with Processes(tmp_path, layout="separate") as processes:
        processes.start_all()
        processes.wait_until_ready()
        config = processes.config
        sent = 0
        with Client(processes.address) as client:
            trader = Trader(client, commands_of(71, 600))
            trader.run_until(100)
            for name in config.services():
                socket = context.socket(zmq.PUSH)
                socket.setsockopt(zmq.LINGER, 1_000)
                socket.connect(config.address(name))
                for peer in config.peers(name):
                    for message in forged(peer):
                        socket.send(message)
                        sent += 1
                        if sent % 50 == 0:
                            trader.turn(0)
                socket.close()
            trader.finish()
        processes.kill(RISK)
        processes.start(RISK)
        with Client(processes.address) as client:
            client.call(c.QueryMarket(0), 30)
        processes.stop()
        trader.check(processes)
        for name in config.services():
            assert "does not carry the key of that link; dropped" in processes.log(name)
    assert sent > 3_000
    context.destroy(linger=0)


class Traitor:
    """A peer of a risk service in this process that holds the key of their link."""

    def __init__(self, folder: Path, name: str) -> None:
        self.complaints: list[str] = []
        self.now_ns = 10**12
        self.name = name
        peers = (GATEWAY, MATCHING, LIQUIDATION)
        self.addresses = {one: f"ipc://{folder}/{one}.ipc" for one in (RISK, *peers)}
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        seals = seals_of(RISK, peers, folder, LinkKeys())
        self._seal = seals[name]
        self.service = Service(
            RISK,
            risk_hub(),
            ServiceJournal(folder / "risk.journal", RISK, keep_inputs=True),
            self.addresses,
            peers,
            clock=self._clock,
            complain=self.complaints.append,
            seals=seals,
        )
        self.service.recover()
        self.service.open()
        self._socket = self._context.socket(zmq.PUSH)
        self._socket.connect(self.addresses[RISK])
        time.sleep(0.1)

    def _clock(self) -> int:
        self.now_ns += 1_000_000
        return self.now_ns

    def say(self, seq: int, ack: int, body: bytes, resend: bool = False) -> None:
        """Send one message with a right seal and let the service hear it."""
        header = Header(self.name, seq, ack, resend)
        self._socket.send(message_of(self._seal, header, body))
        for _ in range(3):
            self.service.turn(20)

    def __enter__(self) -> "Traitor":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)
        self.service.close()


def test_numbers_and_acknowledgements_beyond_what_was_sent_are_refused(tmp_path: Path) -> None:
    with Traitor(tmp_path, GATEWAY) as traitor:
        link = traitor.service.links[GATEWAY]
        traitor.say(1, 0, encode_frame(Batch(1, [c.OpenAccount(1, 100)])))
        assert (link.received, link.sent, len(link.outbox)) == (1, 1, 1)
        traitor.say(0, 2**62, b"")
        assert len(link.outbox) == 1 and link.peer_has == 0
        assert any(f"gateway acknowledges frame {2**62}" in text for text in traitor.complaints)
        for number in (0, 1, 3, 2**40):
            traitor.say(2, 0, encode_frame(Batch(number, [c.OpenAccount(1, 100)])))
        assert any("batch 0 came, 2 is next" in text for text in traitor.complaints)
        assert (link.received, traitor.service.journal.place) == (1, 1)
        traitor.say(2, 1, encode_frame(Batch(2, [c.OpenAccount(2, 101)])))
        assert (link.received, link.sent, len(link.outbox)) == (2, 2, 1)


def test_an_answer_to_other_messages_is_refused(tmp_path: Path) -> None:
    with Traitor(tmp_path, MATCHING) as traitor:
        hub = traitor.service.part
        # What an orderly service cannot be given without its gateway.
        hub.handle(GATEWAY, encode_frame(Batch(1, [c.AdvanceTime(1)])), [])
        for said in ([], [[], []]):
            traitor.say(1, 0, encode_frame(Answer(said)))
        assert traitor.service.links[MATCHING].received == 0
        assert any(
            "matching answers 0 messages, but 1 were sent" in text for text in traitor.complaints
        )
        traitor.say(1, 0, encode_frame(Answer([[]])))
        assert traitor.service.links[MATCHING].received == 1


@pytest.mark.skipif(COMPILED, reason="compiled functions cannot be watched from outside")
def test_asking_for_everything_again_and_again_is_heard_a_hundred_times_a_second(
    tmp_path: Path,
) -> None:
    with Traitor(tmp_path, GATEWAY) as traitor:
        link = traitor.service.links[GATEWAY]
        traitor.say(1, 0, encode_frame(Batch(1, [c.OpenAccount(1, 100)])))
        sent_again = 0
        plain = link.send_again

        def counted() -> None:
            nonlocal sent_again
            sent_again += 1
            plain()

        link_class = type(link)
        before = link_class.send_again
        try:
            link_class.send_again = lambda _: counted()  # type: ignore[method-assign,assignment]
            begun_ns = traitor.now_ns
            for _ in range(200):
                traitor.say(0, 0, b"", resend=True)
        finally:
            link_class.send_again = before  # type: ignore[method-assign]
        assert 0 < sent_again <= (traitor.now_ns - begun_ns) // 10_000_000 + 1


def test_keys_of_links_are_made_once_for_each_link_and_for_the_owner_only(tmp_path: Path) -> None:
    peers = (GATEWAY, MATCHING, LIQUIDATION)
    at_risk = seals_of(RISK, peers, tmp_path, LinkKeys())
    at_gateway = seals_of(GATEWAY, (RISK, MATCHING), tmp_path, LinkKeys())
    files = sorted((tmp_path / FOLDER).iterdir())
    assert [file.name for file in files] == [
        "gateway-matching.key",
        "gateway-risk.key",
        "liquidation-risk.key",
        "matching-risk.key",
    ]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert len({file.read_bytes() for file in files}) == 4
    assert at_risk[GATEWAY].sealed(b"ab") == at_gateway[RISK].sealed(b"ab")
    assert at_risk[GATEWAY].sealed(b"ab") != at_risk[MATCHING].sealed(b"ab")
    files[1].chmod(0o640)
    with pytest.raises(ConfigError, match="others can read or write it; chmod 600"):
        seals_of(RISK, [GATEWAY], tmp_path, LinkKeys())
    files[1].chmod(0o600)
    files[1].write_bytes(b"short")
    with pytest.raises(ConfigError, match="has 5 bytes"):
        seals_of(RISK, [GATEWAY], tmp_path, LinkKeys())


def test_links_between_hosts_have_keys_of_their_own_from_the_shared_secret(tmp_path: Path) -> None:
    keys, others = LinkKeys("p" * 40, "s" * 40), LinkKeys("p" * 40, "t" * 40)
    at_risk = seals_of(RISK, (GATEWAY, MATCHING), tmp_path, keys)
    at_gateway = seals_of(GATEWAY, (RISK,), tmp_path / "elsewhere", keys)
    assert at_risk[GATEWAY].sealed(b"ab") == at_gateway[RISK].sealed(b"ab")
    assert at_risk[MATCHING].sealed(b"ab") != at_gateway[RISK].sealed(b"ab")
    assert seals_of(RISK, (GATEWAY,), tmp_path, others)[GATEWAY].sealed(b"") != (
        at_risk[GATEWAY].sealed(b"")
    )
    assert not list(tmp_path.iterdir())


def test_no_bit_of_a_message_can_be_changed() -> None:
    seal = Seal(bytes(range(KEY_BYTES)))
    message = message_of(seal, Header(GATEWAY, 7, 3, True), b"a frame")
    assert seal.fits(message)
    assert parts_of(message) == (Header(GATEWAY, 7, 3, True), b"a frame")
    for bit in range(8 * len(message)):
        changed = bytearray(message)
        changed[bit // 8] ^= 1 << bit % 8
        assert not seal.fits(bytes(changed))
    for other in (message[:-1], message + b" ", message[1:], b""):
        assert not seal.fits(other)


def test_bytes_that_are_no_message_are_told_from_one() -> None:
    for number in range(50):
        with pytest.raises(NoMessage):
            parts_of(bytes(min(number, SEAL_BYTES + 17)))
    with pytest.raises(NoMessage, match="no name"):
        parts_of(bytes(SEAL_BYTES + 17) + b"\x02\xff\xff")
