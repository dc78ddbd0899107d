"""REST: from the bytes of an HTTP request to an endpoint's answer."""

import traceback
from typing import Any, Final

import msgspec
from aiohttp import web

from doors.keys.signatures import split_signature
from doors.usdm.admission import check_signature, check_time, holder_of
from doors.usdm.call import Call
from doors.usdm.door import Door
from doors.usdm.errors import VenueError
from doors.usdm.parameters import Parameters
from doors.usdm.route_table import BY_CALL, KEYED, PATHS, PUBLIC, Route

KEY_HEADER: Final[str] = "X-MBX-APIKEY"
_encode: Final = msgspec.json.Encoder().encode


class Rest:
    """Answers every path that nobody else does."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def answer(self, request: web.Request) -> web.Response:
        """The answer to a request; errors are answers, too."""
        headers: dict[str, str] = {}
        try:
            found = await self._call(request, headers)
            return _response(found, 200, headers)
        except VenueError as error:
            if error.retry_s:
                headers["Retry-After"] = str(error.retry_s)
            return _response(error.body(), error.status, headers)
        except web.HTTPException:
            raise
        except Exception:
            # A defect of the door: its trace is the operator's, the client goes on.
            traceback.print_exc()
            body = {"code": -1000, "msg": "An unknown error occurred while processing the request."}
            return _response(body, 500, headers)

    async def _call(self, request: web.Request, headers: dict[str, str]) -> Any:
        route = _route_of(request)
        used = self._door.limits.weigh(request.remote or "", route.weight)
        headers["X-MBX-USED-WEIGHT-1M"] = str(used)
        query = request.rel_url.raw_query_string.encode()
        body = await request.read() if request.body_exists else b""
        parameters = Parameters.of_forms(query, body)
        call = Call(self._door, parameters)
        if route.form != PUBLIC:
            holder = holder_of(self._door, request.headers.get(KEY_HEADER, ""), route.right)
            if route.form != KEYED:
                check_signature(holder, *split_signature(query, body))
                check_time(self._door, parameters)
            call.key = holder.key
        try:
            return await route.handler(call)
        finally:
            if call.order_use is not None:
                headers["X-MBX-ORDER-COUNT-10S"] = str(call.order_use[0])
                headers["X-MBX-ORDER-COUNT-1M"] = str(call.order_use[1])


def _route_of(request: web.Request) -> Route:
    path = request.rel_url.raw_path
    route = BY_CALL.get((request.method, path))
    if route is not None:
        return route
    if path in PATHS:
        raise VenueError(-1131, f"Request method '{request.method}' is not supported here.", 405)
    raise VenueError(-5000, f"Path {path[:200]}, Method {request.method} is invalid", 404)


def _response(body: Any, status: int, headers: dict[str, str]) -> web.Response:
    return web.Response(
        body=_encode(body), status=status, headers=headers, content_type="application/json"
    )
