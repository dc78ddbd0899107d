"""Steering a living scenario from the page, for whoever has the key that was printed."""

import asyncio
import secrets
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

from gateway.client import Address
from seawall.world.control import WorldAnswer, WorldRequest, ask_world

HEADER: Final[str] = "X-Seawall-Key"
"""A header that a page elsewhere cannot send here unasked."""


class Steering:
    """Passes requests on to the scenario of a run directory, one at a time, as the client whose
    keys are in ``address``. `key` is made anew with every start."""

    def __init__(self, run_dir: str, address: Address) -> None:
        self.key = secrets.token_urlsafe(16)
        self._run_dir = run_dir
        self._address = address
        self._one_at_a_time = asyncio.Lock()

    async def handle(self, request: web.Request) -> web.Response:
        """``POST`` a `WorldRequest` as JSON; answered with a `WorldAnswer`."""
        given = request.headers.get(HEADER, "").encode("utf-8", "replace")
        if not secrets.compare_digest(given, self.key.encode()):
            return _answer(HTTPStatus.FORBIDDEN, "the key is missing or wrong")
        try:
            wish = msgspec.json.decode(await request.read(), type=WorldRequest)
        except (ValueError, RecursionError) as error:
            return _answer(HTTPStatus.BAD_REQUEST, str(error))
        async with self._one_at_a_time:
            told = await asyncio.to_thread(ask_world, self._run_dir, self._address, wish)
        if told is None:
            return _answer(
                HTTPStatus.SERVICE_UNAVAILABLE, "no scenario answers, or not this client"
            )
        return _answer(HTTPStatus.OK if told.done else HTTPStatus.CONFLICT, *told.lines)


def _answer(status: HTTPStatus, *lines: str) -> web.Response:
    body = msgspec.json.encode(WorldAnswer(status is HTTPStatus.OK, list(lines)))
    return web.Response(status=status, body=body, content_type="application/json")
