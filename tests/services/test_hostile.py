"""Hostile frames at the door and at the inboxes: answered or dropped, and nobody else notices.

A well-behaved client trades all the while; it must get all its answers, every service must live
through it, and the state must be that of one process given the same commands.
"""

import contextlib
import os
import random
from pathlib import Path

import pytest
import zmq

from engine import commands as c
from gateway.client import Address, Client
from gateway.protocol import Hello, Ping, Pong, Submit, decode_from_server, encode
from gateway.rights.keys import new_pair
from tests.services.hostile import HOSTILE_ACCOUNT, Fuzzer, InboxFuzzer, grammar_frames
from tests.services.processes import PATIENCE_SECONDS, Processes
from tests.services.trading import Trader, check_state, commands_of

LONG = os.environ.get("SEAWALL_PROFILE") == "long"
FRAMES = 60_000 if LONG else 3_000
ASKED = 6_000 if LONG else 150
MAX_BYTES = 20_000
PER_CONNECTION = 6
"""Little more than the frames that close a session, so that most are read."""

CONNECTIONS = 20
RUN = 4_711


class Doors:
    """The services with client keys: an administrator's and a hostile one's."""

    def __init__(self, folder: Path, with_keys: bool) -> None:
        self.pairs = {name: new_pair() for name in ("server", "honest", "hostile")}
        gateway: dict[str, object] = {"max_message_bytes": MAX_BYTES}
        if with_keys:
            public = {name: pair[0] for name, pair in self.pairs.items()}
            file = folder / "keys.toml"
            file.write_text(
                f'[server]\npublic = "{public["server"]}"\nsecret = "{self.pairs["server"][1]}"\n'
                f'[clients.honest]\npublic = "{public["honest"]}"\n'
                'rights = ["admin", "trade", "read", "withdraw"]\n'
                f'[clients.hostile]\npublic = "{public["hostile"]}"\n'
                f'rights = ["trade", "read"]\naccounts = [{HOSTILE_ACCOUNT}]\n'
            )
            gateway["keys"] = str(file)
        self.with_keys = with_keys
        self.processes = Processes(folder / "run", gateway=gateway)

    def address(self, name: str) -> Address:
        plain = self.processes.address
        if not self.with_keys:
            return plain
        public, secret = self.pairs[name]
        return Address(plain.commands, plain.market_data, self.pairs["server"][0], public, secret)


class Attacker:
    """Connections that are made, used for a few hostile frames and left."""

    def __init__(self, address: Address, fuzzer: Fuzzer, rng: random.Random) -> None:
        self.sent = 0
        self._address = address
        self._fuzzer = fuzzer
        self._rng = rng
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._open = [self.connect() for _ in range(CONNECTIONS)]

    def connect(self) -> "zmq.Socket[bytes]":
        """A connection that has greeted."""
        socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        if self._address.server_public:
            socket.setsockopt(zmq.CURVE_SERVERKEY, self._address.server_public.encode())
            socket.setsockopt(zmq.CURVE_PUBLICKEY, self._address.public.encode())
            socket.setsockopt(zmq.CURVE_SECRETKEY, self._address.secret.encode())
        socket.setsockopt(zmq.LINGER, 500)
        socket.setsockopt(zmq.RCVTIMEO, PATIENCE_SECONDS * 1_000)
        socket.connect(self._address.commands)
        socket.send(encode(Hello(run=9)))
        return socket

    def burst(self) -> None:
        """Send some frames on one connection and leave it."""
        place = self._rng.randrange(CONNECTIONS)
        socket = self._open[place]
        # The greeting is answered: the gateway keeps up with new connections.
        socket.recv()
        for _ in range(PER_CONNECTION):
            socket.send_multipart(self._fuzzer.frame())
            self.sent += 1
        socket.close()
        self._open[place] = self.connect()

    def ask(self, frames: list[bytes]) -> None:
        """Send frames one by one, each with a ping, and see that the ping is answered."""
        socket = self.connect()
        for number, frame in enumerate(frames):
            if number % 4 == 0:
                socket.close()
                socket = self.connect()
            socket.send(frame)
            socket.send(encode(Ping()))
            answer = None
            while answer != Pong(True):
                answer = decode_from_server(socket.recv())
                assert answer != Pong(False)
        socket.close()

    def close(self) -> None:
        self._context.destroy(linger=0)


@pytest.mark.parametrize("with_keys", [True, False])
def test_hostile_clients_are_answered_and_hurt_nobody(tmp_path: Path, with_keys: bool) -> None:
    rng = random.Random(99)
    doors = Doors(tmp_path, with_keys)
    with doors.processes as processes:
        processes.start_all()
        commands = commands_of(8, FRAMES)
        commands[100:100] = [
            c.OpenAccount(0, HOSTILE_ACCOUNT),
            c.Deposit(0, HOSTILE_ACCOUNT, 1, 10**12),
        ]
        with Client(doors.address("honest"), run=RUN) as client:
            trader = Trader(client, commands)
            trader.run_until(200)
            trader.at_once = 3
            captured = [encode(Submit(9, [(1, command)])) for command in commands[:200]]
            if with_keys:
                # With one key for all anybody could take the numbers of a run it has seen.
                numbered = zip(trader.numbers, commands[:200], strict=False)
                captured += [encode(Submit(RUN, [request])) for request in numbered]
            attacker = Attacker(doors.address("hostile"), Fuzzer(rng, captured, MAX_BYTES), rng)
            while attacker.sent < FRAMES:
                attacker.burst()
                trader.turn(0)
            attacker.ask(rng.sample(grammar_frames(run=9), ASKED))
            trader.commands = commands[: len(trader.numbers)]
            trader.finish()
            attacker.close()
        processes.stop()
        if with_keys:
            trader.check(processes, HOSTILE_ACCOUNT)
        else:
            check_state(processes)


def test_hostile_messages_at_the_inboxes_of_services_change_nothing(tmp_path: Path) -> None:
    rng = random.Random(98)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with Processes(tmp_path) as processes:
        processes.start_all()
        inboxes = []
        for name in processes.config.services():
            socket = context.socket(zmq.PUSH)
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(processes.config.address(name))
            inboxes.append((socket, InboxFuzzer(rng, processes.config.peers(name))))
        sent = 0
        with Client(processes.address) as client:
            trader = Trader(client, commands_of(9, 30 * ASKED))
            trader.run_until(100)
            trader.at_once = 3
            while sent < FRAMES // 3:
                for socket, fuzzer in inboxes:
                    with contextlib.suppress(zmq.Again):
                        socket.send_multipart(fuzzer.message() or [b""], zmq.NOBLOCK)
                        sent += 1
                trader.turn(0.001)
            trader.commands = trader.commands[: len(trader.numbers)]
            trader.finish()
        processes.stop()
        trader.check(processes)
    context.destroy(linger=0)
