"""The door of a living scenario for its administrator: one request, one answer.

A socket file in the run directory, which is its owner's alone. Where the gateway has client keys,
it is encrypted as well, and only keys with the right ``admin`` are let in.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import zmq

from engine.services.service_config import ServiceConfig
from gateway.client import Address
from gateway.door.doors import bind_door
from gateway.protocol import ADMIN
from gateway.rights.keys import Admitted, read_keys
from gateway.rights.porter import Porter

MAX_BYTES: Final[int] = 4_096
MOST_IN_A_TURN: Final[int] = 20
PATIENCE_MS: Final[int] = 10_000

STATUS: Final[str] = "status"
PAUSE: Final[str] = "pause"
RESUME: Final[str] = "resume"
INDEX: Final[str] = "index"
CRASH: Final[str] = "crash"


class WorldRequest(msgspec.Struct, forbid_unknown_fields=True):
    """``what`` is to be done. An `INDEX` is moved to the decimal ``price``; a `CRASH` begins in so
    many ``seconds`` of the machine's time (-1: after the scenario's own warm-up)."""

    what: str
    symbol: str = ""
    price: str = ""
    seconds: int = -1


class WorldAnswer(msgspec.Struct):
    """Lines for a person; not ``done``: the one that says why."""

    done: bool
    lines: list[str]


Act = Callable[[WorldRequest], WorldAnswer]


def address_in(run_dir: str) -> str:
    """Where the scenario of a run directory is asked."""
    return f"ipc://{Path(run_dir).absolute()}/world.ipc"


class Control:
    """The scenario's side.

    Raises:
        ConfigError: the keys cannot be read.
        zmq.ZMQError: the socket cannot be bound.
    """

    def __init__(self, config: ServiceConfig) -> None:
        self._keys = config.gateway.keys
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._porter: Porter | None = None
        server = None
        if self._keys:
            server = read_keys(self._keys).server
            self._porter = Porter(self._context, {}, _say_refused)
        self._socket = self._context.socket(zmq.REP)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_BYTES)
        bind_door(self._socket, address_in(config.run_dir), server)

    def answer(self, act: Act) -> None:
        """Answer what was asked since the last turn."""
        if self._porter is not None and self._porter.socket.poll(0):
            self._porter.admitted = self._administrators()
            self._porter.answer()
        for _ in range(MOST_IN_A_TURN):
            try:
                frame = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                told = act(msgspec.msgpack.decode(frame, type=WorldRequest))
            except (ValueError, RecursionError) as error:
                told = WorldAnswer(False, [str(error)])
            self._socket.send(msgspec.msgpack.encode(told))

    def _administrators(self) -> dict[str, Admitted]:
        admitted = read_keys(self._keys).admitted(time.time_ns())
        return {public: who for public, who in admitted.items() if ADMIN in who.key.rights}

    def close(self) -> None:
        """Close the door."""
        self._context.destroy(linger=0)


def _say_refused(public: str, _address: str, why: str) -> None:
    print(f"key {public or 'none'} refused: {why}, or no right {ADMIN!r}", file=sys.stderr)


def ask_world(run_dir: str, keys: Address, request: WorldRequest) -> WorldAnswer | None:
    """Ask the scenario of a run directory with an administrator's keys; None without an answer."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        socket = context.socket(zmq.REQ)
        if keys.server_public:
            socket.setsockopt(zmq.CURVE_SERVERKEY, keys.server_public.encode())
            socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public.encode())
            socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret.encode())
        refusal = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
        socket.connect(address_in(run_dir))
        socket.send(msgspec.msgpack.encode(request))
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLIN)
        poller.register(refusal, zmq.POLLIN)
        if socket not in dict(poller.poll(PATIENCE_MS)):
            return None
        return msgspec.msgpack.decode(socket.recv(), type=WorldAnswer)
    finally:
        context.destroy(linger=0)
