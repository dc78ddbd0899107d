"""The door of the market data: one PUB socket that can be opened anew.

A publisher cannot let go of a single subscriber. When a key is revoked it closes the line of all:
the others connect again by themselves within moments, are asked for their keys again, and the
sequence numbers show them what they missed.
"""

from typing import Final

import zmq

_MORE: Final[int] = zmq.NOBLOCK | zmq.SNDMORE


class Publisher:
    """Publishes at ``address``, encrypted with the server's ``secret`` key unless that is empty.

    Raises:
        zmq.ZMQError: the address cannot be bound.
    """

    def __init__(
        self, context: "zmq.Context[zmq.Socket[bytes]]", address: str, secret: str
    ) -> None:
        self._context = context
        self._address = address
        self._secret = secret
        self._socket: zmq.Socket[bytes] | None = self._bound()

    def _bound(self) -> "zmq.Socket[bytes]":
        socket = self._context.socket(zmq.PUB)
        socket.setsockopt(zmq.LINGER, 0)
        if self._secret:
            socket.setsockopt(zmq.CURVE_SERVER, 1)
            socket.setsockopt(zmq.CURVE_SECRETKEY, self._secret.encode())
        try:
            socket.bind(self._address)
        except zmq.ZMQError:
            socket.close(0)
            raise
        return socket

    def send(self, topic: bytes, frame: bytes) -> None:
        """Publish; a subscriber that does not read loses it."""
        if self._socket is not None:
            self._socket.send(topic, _MORE)
            self._socket.send(frame, zmq.NOBLOCK)

    def close_lines(self) -> None:
        """Let go of all subscribers; `open_again` lets in who may come."""
        if self._socket is not None:
            self._socket.close(0)
            self._socket = None

    def open_again(self) -> None:
        """Bind again if it was closed; as long as the address is not free yet, try later."""
        if self._socket is None:
            try:
                self._socket = self._bound()
            except zmq.ZMQError as error:
                if error.errno != zmq.EADDRINUSE:
                    raise
