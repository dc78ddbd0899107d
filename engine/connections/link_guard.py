"""Admission to the links between services that run on several hosts (CURVE).

An inbox lets in only who shows the public key of `engine.connections.link_keys` and can prove to
have the secret one; the frames in between are encrypted.
"""

from typing import Any

import zmq

from engine.connections.link_keys import LinkKeys


class Guard:
    """Puts keys on the sockets of one service's links and asks who connects for theirs.

    It answers for a ZeroMQ context of its own thread; no other authenticator may be in the context.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", keys: LinkKeys) -> None:
        # Only who has keys pays for the import, at every start.
        from zmq.auth.thread import ThreadAuthenticator

        self._keys = keys
        self._authenticator = ThreadAuthenticator(context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback("*", self)

    def callback(self, _domain: str, key: bytes) -> bool:
        """Whether a peer with this public key (Z85) may come in; asked by the authenticator."""
        return key.decode() == self._keys.public

    def protect_inbox(self, socket: Any) -> None:
        """Let only services in; before it is bound."""
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._keys.secret.encode())

    def protect_outbox(self, socket: Any) -> None:
        """Show the key to an inbox; before it is connected."""
        socket.setsockopt(zmq.CURVE_SERVERKEY, self._keys.public.encode())
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self._keys.public.encode())
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._keys.secret.encode())

    def close(self) -> None:
        """End the thread; the sockets stay as they are."""
        self._authenticator.stop()
