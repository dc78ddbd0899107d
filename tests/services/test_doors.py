"""The doors' sockets against what aborts ZeroMQ: a full queue, a heartbeat, a torn line."""

import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import zmq

from engine.services.service_config import GatewayConfig
from gateway.door.doors import bind_door, open_data, open_router
from tests.services.processes import PATIENCE_SECONDS, ROOT

LISTENER = """
import sys
import zmq
from engine.services.service_config import GatewayConfig
from gateway.door import doors
from tests.services.test_doors import ask_and_end
context = zmq.Context()
name, kind = sys.argv[1:]
open_door = {"ROUTER": lambda: doors.open_router(context, GatewayConfig()),
             "XPUB": lambda: doors.open_data(context)}[name]
door = open_door()
doors.bind_door(door, "tcp://127.0.0.1:0", None)
ask_and_end(door.getsockopt_string(zmq.LAST_ENDPOINT), kind.encode())
heard = 0
while door.poll(500):
    door.recv_multipart()
    heard += 1
print(heard)
"""

MESSAGES = 300


def ask_and_end(address: str, kind: bytes) -> None:
    """Many messages, a heartbeat to be answered, and the line is torn."""
    from tests.services.raw_line import RawLine

    raw = RawLine(address, kind)
    raw.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    said = b"".join(b"\0\5\1%04d" % number for number in range(MESSAGES))
    raw.line.sendall(said + b"\4\7\4PING\0\0")
    # ZeroMQ's own thread reads meanwhile.
    zmq.Context.instance().socket(zmq.PAIR).poll(300)
    raw.close()
    zmq.Context.instance().socket(zmq.PAIR).poll(300)


@pytest.mark.parametrize(("door", "kind"), [("ROUTER", "DEALER"), ("XPUB", "SUB")])
def test_a_line_that_is_torn_with_a_heartbeat_under_way_ends_nobody(door: str, kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LISTENER, door, kind],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= MESSAGES


def test_zeromq_sends_no_heartbeats_of_its_own_and_counts_where_the_kernel_does_not(
    tmp_path: Path,
) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    local = open_router(context, GatewayConfig())
    bind_door(local, f"ipc://{tmp_path}/door", None)
    assert local.getsockopt(zmq.RCVHWM) == 64
    for door in (open_router(context, GatewayConfig()), open_data(context)):
        bind_door(door, "tcp://127.0.0.1:0", None)
        assert door.getsockopt(zmq.HEARTBEAT_IVL) == 0
    context.destroy(linger=0)
