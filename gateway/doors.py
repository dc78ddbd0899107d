"""The sockets clients come to: commands (ROUTER) and market data (XPUB), as they have to be set."""

from typing import Final

import zmq

from engine.service_config import GatewayConfig
from gateway.keys import ServerPair

WAITING_MESSAGES: Final[int] = 64
"""Messages of a connection that are read from it and not handled; further ones wait in the line."""

MAX_REQUEST_BYTES: Final[int] = 1_024
"""Longest message of a subscriber; those of the handshake with keys have some 500 bytes."""

HEARTBEAT_MS: Final[int] = 5_000
LOST_MS: Final[int] = 15_000
"""How often ZeroMQ asks the other end of a connection, and when it gives up one that is silent."""


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
    """Open a door; with keys it is encrypted."""
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVHWM, WAITING_MESSAGES)
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, LOST_MS)
    if server is not None:
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, server.secret.encode())
    socket.bind(address)
