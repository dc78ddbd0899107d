"""Listen keys: who knows one may hear the events of its account for an hour."""

import secrets
from collections.abc import Callable
from typing import Final

from engine.units import HOUR_NS

LIFE_NS: Final[int] = HOUR_NS
BYTES: Final[int] = 32


class ListenKeys:
    """One key per account at a time; asking again gives the same and renews it. ``clock`` is the
    wall clock in nanoseconds."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._of_account: dict[int, str] = {}
        self._accounts: dict[str, tuple[int, int]] = {}

    def open(self, account_id: int) -> str:
        """The account's key, renewed; a new one where it has none."""
        key = self._of_account.get(account_id, "")
        if self.account_of(key) is None:
            self._accounts.pop(key, None)
            key = self._of_account[account_id] = secrets.token_hex(BYTES)
        self._accounts[key] = (account_id, self._clock() + LIFE_NS)
        return key

    def renew(self, account_id: int) -> str | None:
        """The account's key, renewed; None where it has none."""
        key = self._of_account.get(account_id, "")
        return None if self.account_of(key) is None else self.open(account_id)

    def close(self, account_id: int) -> str | None:
        """End the account's key; which it was."""
        key = self._of_account.pop(account_id, None)
        if key is not None:
            del self._accounts[key]
        return key

    def account_of(self, key: str) -> int | None:
        """Whose a key is; None for one that is none, or no longer."""
        found = self._accounts.get(key)
        return None if found is None or found[1] <= self._clock() else found[0]

    def take_expired(self) -> list[tuple[str, int]]:
        """Keys that ended by themselves since the last time, with their accounts."""
        now_ns = self._clock()
        ended = [
            (key, account_id)
            for key, (account_id, until_ns) in self._accounts.items()
            if until_ns <= now_ns
        ]
        for _, account_id in ended:
            self.close(account_id)
        return ended
