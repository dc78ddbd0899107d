"""Encryption of the links between services that run on several hosts (CURVE).

All services of an exchange share one pair of keys; `engine.connections.link_guard` puts them to
use.
"""

import msgspec


class LinkKeys(msgspec.Struct):
    """The pair all services share, in Z85; empty: links are not encrypted."""

    public: str = ""
    secret: str = ""

    @property
    def given(self) -> bool:
        """Whether there is a pair."""
        return bool(self.public or self.secret)

    def fault(self) -> str:
        """What is wrong with the pair; empty when it can be used."""
        # Everybody who reads settings comes past here, and most of them have no keys.
        import zmq

        try:
            public = zmq.curve_public(self.secret.encode()).decode()
        except (zmq.ZMQError, ValueError):
            return "link_keys.secret must be 40 characters of Z85"
        return "" if public == self.public else "link_keys.public is not that of link_keys.secret"
