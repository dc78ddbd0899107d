"""The sockets clients come to: commands (ROUTER) and market data (XPUB), as they have to be set."""

from typing import Final

import zmq

from engine.services.service_config import GatewayConfig
from gateway.rights.keys import ServerPair

MAX_REQUEST_BYTES: Final[int] = 1_024
"""Longest message of a subscriber; those of the handshake with keys have some 500 bytes."""

WAITING_MESSAGES: Final[int] = 64
"""Messages that wait on a connection through a socket file; further ones wait in the line."""

KEEPALIVE_S: Final[int] = 5
KEEPALIVES: Final[int] = 3
"""A line that is silent for so long is asked by TCP, and is given up after so many in vain."""

STANDING_MS: Final[int] = 60_000
"""A line on which nothing of what was said is taken for so long is given up."""


def open_router(
    context: "zmq.Context[zmq.Socket[bytes]]", config: GatewayConfig
) -> "zmq.Socket[bytes]":
    """The door for commands, not yet bound."""
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.MAXMSGSIZE, config.max_message_bytes)
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)
    return router


def open_data(context: "zmq.Context[zmq.Socket[bytes]]") -> "zmq.Socket[bytes]":
    """The door for market data, not yet bound; it shows what is subscribed before it is."""
    data = context.socket(zmq.XPUB)
    data.setsockopt(zmq.XPUB_MANUAL, 1)
    data.setsockopt(zmq.MAXMSGSIZE, MAX_REQUEST_BYTES)
    return data


def bind_door(socket: "zmq.Socket[bytes]", address: str, server: ServerPair | None) -> None:
    """Open a door; with keys it is encrypted.

    Over TCP there is no limit to the messages that wait, and ZeroMQ sends no heartbeats: when it
    has stopped reading a line which then ends, the next heartbeat, sent or answered, aborts the
    process (libzmq 4.3.5, `!_io_error`). `gateway.door.unread` bounds what waits, TCP finds dead
    lines. Nobody counts the bytes of a socket file, which is its owner's alone.
    """
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVHWM, 0 if address.startswith("tcp:") else WAITING_MESSAGES)
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, KEEPALIVE_S)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, KEEPALIVE_S)
    socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, KEEPALIVES)
    socket.setsockopt(zmq.TCP_MAXRT, STANDING_MS)
    # With a name ZeroMQ asks the porter without keys, too.
    socket.setsockopt(zmq.ZAP_DOMAIN, b"doors")
    if server is not None:
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, server.secret.encode())
    socket.bind(address)
