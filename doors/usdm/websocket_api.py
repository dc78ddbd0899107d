"""The API over WebSocket: the endpoints of REST by names of their own, signed as sorted pairs."""

import asyncio
import time
import traceback
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from doors.keys.keyring import Holder
from doors.usdm.admission import check_signature, check_time, holder_of
from doors.usdm.call import Call
from doors.usdm.door import Door
from doors.usdm.endpoints.batch import as_text, decode_values
from doors.usdm.errors import VenueError, invalid
from doors.usdm.parameters import Parameters
from doors.usdm.route_table import BY_CALL, PUBLIC, Route
from doors.usdm.streams.socket import (
    MAX_LIFE_S,
    MAX_MESSAGE_BYTES,
    PING_S,
    Sockets,
    bound_send_buffer,
)
from gateway.protocol import READ

PATH: Final[str] = "/ws-fapi/v1"
MOST_AT_ONCE: Final[int] = 100
"""Requests of one connection under way; what comes beyond is read when one of them is answered."""

_TWINS: Final[dict[str, tuple[str, str]]] = {
    "ping": ("GET", "/fapi/v1/ping"),
    "time": ("GET", "/fapi/v1/time"),
    "exchangeInfo": ("GET", "/fapi/v1/exchangeInfo"),
    "depth": ("GET", "/fapi/v1/depth"),
    "ticker.price": ("GET", "/fapi/v1/ticker/price"),
    "ticker.book": ("GET", "/fapi/v1/ticker/bookTicker"),
    "order.place": ("POST", "/fapi/v1/order"),
    "order.test": ("POST", "/fapi/v1/order/test"),
    "order.modify": ("PUT", "/fapi/v1/order"),
    "order.cancel": ("DELETE", "/fapi/v1/order"),
    "order.status": ("GET", "/fapi/v1/order"),
    "account.position": ("GET", "/fapi/v2/positionRisk"),
    "v2/account.position": ("GET", "/fapi/v3/positionRisk"),
    "account.status": ("GET", "/fapi/v2/account"),
    "v2/account.status": ("GET", "/fapi/v3/account"),
    "account.balance": ("GET", "/fapi/v2/balance"),
    "v2/account.balance": ("GET", "/fapi/v3/balance"),
    "userDataStream.start": ("POST", "/fapi/v1/listenKey"),
    "userDataStream.ping": ("PUT", "/fapi/v1/listenKey"),
    "userDataStream.stop": ("DELETE", "/fapi/v1/listenKey"),
    "algoOrder.place": ("POST", "/fapi/v1/algoOrder"),
    "algoOrder.cancel": ("DELETE", "/fapi/v1/algoOrder"),
}

METHODS: Final[dict[str, Route]] = {
    name: BY_CALL[twin] for name, twin in _TWINS.items() if twin in BY_CALL
}
"""The endpoint of each method."""

_encode: Final = msgspec.json.Encoder().encode


class Logon:
    """Who logged on with a connection, and since when."""

    def __init__(self) -> None:
        self.holder: Holder | None = None
        self.since_ms = 0


class ApiSocket:
    """One connection of the API."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._address = ""
        self._logon = Logon()
        self._socket = web.WebSocketResponse(
            compress=False, max_msg_size=MAX_MESSAGE_BYTES, heartbeat=PING_S
        )
        self._under_way = asyncio.Semaphore(MOST_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Answer requests until either side ends it."""
        self._address = request.remote or ""
        bound_send_buffer(request)
        await self._socket.prepare(request)
        try:
            async with asyncio.timeout(MAX_LIFE_S):
                async for message in self._socket:
                    if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                        await self._under_way.acquire()
                        task = asyncio.create_task(self._answer(message.data))
                        self._tasks.add(task)
                        task.add_done_callback(self._tasks.discard)
        except TimeoutError:
            await self._socket.close(code=WSCloseCode.GOING_AWAY, message=b"a day is over")
        finally:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        return self._socket

    async def _answer(self, text: str | bytes) -> None:
        number: Any = None
        try:
            number, method, values = _read(text)
            result = await self._result(method, values)
            answer = {"id": number, "status": 200, "result": result}
        except VenueError as error:
            answer = {"id": number, "status": error.status, "error": error.body()}
        except _BadRequest as error:
            body = {"code": -1102, "msg": str(error)}
            answer = {"id": error.number, "status": 400, "error": body}
        except Exception:
            # A defect of the door: its trace is the operator's, the client goes on.
            traceback.print_exc()
            body = {"code": -1000, "msg": "An unknown error occurred while processing the request."}
            answer = {"id": number, "status": 500, "error": body}
        finally:
            self._under_way.release()
        answer["rateLimits"] = self._door.limits.stated_for(self._address)
        if not self._socket.closed:
            await self._socket.send_frame(_encode(answer), WSMsgType.TEXT)

    async def _result(self, method: str, values: dict[str, str]) -> Any:
        if method.startswith("session."):
            return self._session(method, values)
        route = METHODS.get(method)
        if route is None:
            raise VenueError(-1020, f"Unsupported operation: {method[:60]}", 404)
        self._door.limits.weigh(self._address, route.weight)
        call = Call(self._door, Parameters(values))
        if route.form != PUBLIC:
            call.key = self._holder(values, route.right, route.form).key
        return await route.handler(call)

    def _holder(self, values: dict[str, str], right: str, form: str) -> Holder:
        """Who asks: by the key and signature of the request, or by having logged on. A request that
        names another key than that of the logon is that key's, and has to be signed with it."""
        logged_on = self._logon.holder
        key = "" if logged_on is None else logged_on.key.key
        if key and "signature" not in values and values.get("apiKey", key) == key:
            holder = holder_of(self._door, key, right)
            if form == "signed":
                check_time(self._door, Parameters(values))
            return holder
        holder = holder_of(self._door, values.get("apiKey", ""), right)
        if form == "signed":
            signed = "&".join(
                f"{name}={value}" for name, value in sorted(values.items()) if name != "signature"
            )
            check_signature(holder, signed.encode(), values.get("signature", "").encode())
            check_time(self._door, Parameters(values))
        return holder

    def _session(self, method: str, values: dict[str, str]) -> Any:
        logon = self._logon
        if method == "session.logon":
            logon.holder = None
            logon.holder = self._holder(values, READ, "signed")
            logon.since_ms = time.time_ns() // 1_000_000
        elif method == "session.logout":
            logon.holder = None
        elif method != "session.status":
            raise VenueError(-1020, f"Unsupported operation: {method[:60]}", 404)
        holder = logon.holder
        return {
            "apiKey": None if holder is None else holder.key.key,
            "authorizedSince": None if holder is None else logon.since_ms,
            "connectedSince": logon.since_ms,
            "returnRateLimits": True,
            "serverTime": self._door.clock() // 1_000_000,
        }


class _BadRequest(ValueError):
    """A request that is none; its number where it can be told."""

    def __init__(self, text: str, number: Any = None) -> None:
        super().__init__(text)
        self.number = number


def _read(text: str | bytes) -> tuple[Any, str, dict[str, str]]:
    """Number, method and parameters of a request.

    Raises:
        VenueError: a parameter is no value.
    """
    try:
        request = decode_values(text)
    except ValueError:
        raise _BadRequest("Malformed request: not JSON") from None
    if not isinstance(request, dict):
        raise _BadRequest("Malformed request: not an object")
    number = request.get("id")
    if number is not None and not isinstance(number, int | str):
        raise _BadRequest("Malformed request: id must be text, a whole number or null")
    method, given = request.get("method"), request.get("params", {})
    if not isinstance(method, str) or not isinstance(given, dict):
        raise _BadRequest("Malformed request: method and params are needed", number)
    values: dict[str, str] = {}
    for name, value in given.items():
        if value is None:
            continue
        try:
            values[name] = as_text(value)
        except ValueError:
            raise _BadRequest(str(invalid(name)), number) from None
    return number, method, values


class ApiDoor:
    """Lets connections of the API in."""

    def __init__(self, door: Door, sockets: Sockets) -> None:
        self._door = door
        self._sockets = sockets

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection, to its end."""
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            # A browser lets any page it shows open a connection to this machine, and everybody
            # knows the demonstration key.
            return web.Response(status=403, text="not for pages of other places")
        if self._sockets.is_full:
            return web.Response(status=503, text="too many connections")
        self._sockets.count += 1
        try:
            return await ApiSocket(self._door).serve(request)
        finally:
            self._sockets.count -= 1
