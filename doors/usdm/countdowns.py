"""Dead man's switches: something is done when a clock runs out, unless it is wound up again."""

import asyncio
from collections.abc import Awaitable, Callable

Key = tuple[int, int]
"""An account and a contract."""


class Countdowns:
    """One clock per key."""

    def __init__(self) -> None:
        self._tasks: dict[Key, asyncio.Task[None]] = {}

    def wind(self, key: Key, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        """Begin anew; 0 stops it."""
        running = self._tasks.pop(key, None)
        if running is not None:
            running.cancel()
        if seconds:
            self._tasks[key] = asyncio.create_task(self._run(key, seconds, act))

    async def _run(self, key: Key, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(seconds)
        del self._tasks[key]
        await act()

    def stop(self) -> None:
        """Stop all."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()
