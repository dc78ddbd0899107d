"""The web application of the door: who answers which path, and how it is bound."""

import ssl
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from doors.usdm.door import Door
from doors.usdm.rest import Rest
from doors.usdm.streams.socket import Sockets, StreamDoor, names_in
from doors.usdm.websocket_api import PATH, ApiDoor
from engine.services.service_config import ConfigError, DoorConfig

MAX_BODY_BYTES: Final[int] = 65_536


def build_app(door: Door) -> web.Application:
    """Everything that is served."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    sockets = Sockets(door.config.door.max_sockets)
    rest, streams, api = Rest(door), StreamDoor(door, sockets), ApiDoor(door, sockets)

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return await rest.answer(request)
        if request.path.startswith(PATH):
            return await api.serve(request)
        named = names_in(request)
        if named is None:
            return web.Response(status=404, text="no stream at this address")
        return await streams.serve(request, *named)

    async def running(_: web.Application) -> AsyncIterator[None]:
        streams.start()
        yield
        await streams.stop()

    app.router.add_route("*", "/{path:.*}", answer)
    app.cleanup_ctx.append(running)
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
