"""A WebSocket client for tests: sends, and waits for what it is told to wait for."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import aiohttp

PATIENCE_S = 20.0


class Listener:
    """One connection; `heard` is everything that came."""

    def __init__(self, port: int, path: str) -> None:
        self._url = f"http://127.0.0.1:{port}{path}"
        self.heard: list[Any] = []

    async def __aenter__(self) -> "Listener":
        self._session = aiohttp.ClientSession()
        self.socket = await self._session.ws_connect(self._url, max_msg_size=0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()
        await self._session.close()

    async def say(self, message: Any) -> None:
        await self.socket.send_str(message if isinstance(message, str) else json.dumps(message))

    async def until(self, holds: Callable[[Any], bool], patience_s: float = PATIENCE_S) -> Any:
        """The first message from now on for which it holds; all before it are in `heard`."""
        limit = time.monotonic() + patience_s
        while True:
            left = limit - time.monotonic()
            message = await asyncio.wait_for(self.socket.receive(), max(0.01, left))
            assert message.type == aiohttp.WSMsgType.TEXT, message
            found = json.loads(message.data)
            self.heard.append(found)
            if holds(found):
                return found

    async def ask(self, method: str, params: list[str], number: Any = 1) -> Any:
        await self.say({"method": method, "params": params, "id": number})
        return await self.until(lambda one: "id" in one)

    async def event(self, kind: str) -> Any:
        """The next event of a kind, wrapped or not."""
        return await self.until(lambda one: kind_of(one) == kind)


def kind_of(message: Any) -> str:
    event = message.get("data", message) if isinstance(message, dict) else message[0]
    return str(event.get("e", "")) if isinstance(event, dict) else ""
