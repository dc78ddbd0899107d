"""The web application of the door: who answers which path, and how it is bound."""

import ssl
from collections.abc import Callable
from typing import Final

from aiohttp import web

from doors.usdm.door import Door
from doors.usdm.rest import Rest
from engine.services.service_config import ConfigError, DoorConfig

MAX_BODY_BYTES: Final[int] = 65_536

Mount = Callable[[web.Application, Door], None]
"""Puts routes of its own before the catch-all of the API."""

MOUNTS: Final[list[Mount]] = []
"""What else is served at the same address."""


DOOR: Final = web.AppKey("door", Door)


def build_app(door: Door) -> web.Application:
    """Everything that is served."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app[DOOR] = door
    for mount in MOUNTS:
        mount(app, door)
    app.router.add_route("*", "/{path:.*}", Rest(door).answer)
    return app


def tls_of(config: DoorConfig) -> ssl.SSLContext | None:
    """What https needs; None for plain http.

    Raises:
        ConfigError: the certificate cannot be used.
    """
    if not config.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(config.certificate, config.certificate_key or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"door.certificate: {config.certificate}: {error}") from None
    return context
