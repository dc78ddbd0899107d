"""The keys in force: from the file, looked at again when it changes, and those of the settings."""

import os
import sys
from datetime import UTC, datetime
from typing import Final, NamedTuple

from doors.keys.key_file import ApiKey, demo_key, read_api_keys
from doors.keys.signatures import Seal
from engine.services.service_config import LOOPBACK, ConfigError, DoorConfig
from gateway.protocol import READ

LOOK_AGAIN_NS: Final[int] = 1_000_000_000


class Holder(NamedTuple):
    """A key and what its signatures are checked with."""

    key: ApiKey
    seal: Seal


class Keyring:
    """Whose key is what. The one place where a key becomes an account and rights.

    Raises:
        ConfigError: the file or a key cannot be used, or a demonstration key would be open to
            other machines.
    """

    def __init__(self, config: DoorConfig) -> None:
        if config.demo and config.host not in LOOPBACK:
            raise ConfigError(
                f"door.demo: {config.host} can be reached from other machines and everybody knows "
                "these secrets; take them out, or set door.host to 127.0.0.1"
            )
        self._path = config.keys
        self._demo = {key.key: Holder(key, Seal(key)) for key in map(demo_key, config.demo)}
        self._holders: dict[str, Holder] = {}
        self._stamp: tuple[int, int] = (0, 0)
        self._looked_ns = 0
        self._read()
        self._readers = self._who_reads()

    def _read(self) -> None:
        found: dict[str, Holder] = {}
        if self._path:
            status = os.stat(self._path) if os.path.exists(self._path) else None
            self._stamp = (status.st_mtime_ns, status.st_size) if status else (0, 0)
            found = {key: Holder(one, Seal(one)) for key, one in read_api_keys(self._path).items()}
        twice = sorted(found.keys() & self._demo.keys())
        if twice:
            raise ConfigError(f"{self._path}: {twice[0]!r} is a key of door.demo, too")
        self._holders = found | self._demo

    def look(self, now_ns: int) -> bool:
        """Read the file again if it changed; whether it did. A file that cannot be used leaves the
        keys as they were, and is told on stderr."""
        if not self._path or now_ns - self._looked_ns < LOOK_AGAIN_NS:
            return False
        self._looked_ns = now_ns
        try:
            status = os.stat(self._path)
            stamp = (status.st_mtime_ns, status.st_size)
        except OSError:
            stamp = (0, 0)
        if stamp == self._stamp:
            return False
        try:
            self._read()
        except ConfigError as error:
            self._stamp = stamp
            print(f"{error}; the keys stay as they were", file=sys.stderr, flush=True)
            return False
        return True

    def _who_reads(self) -> set[tuple[str, int]]:
        now = datetime.now(UTC)
        return {
            (one.key.key, one.key.account)
            for one in self._holders.values()
            if READ in one.key.rights and one.key.is_usable(now)
        }

    def take_ended(self) -> list[int]:
        """Accounts that a key may not read any more, and could when this was asked before: it was
        revoked, has expired, or is gone."""
        before, self._readers = self._readers, self._who_reads()
        return sorted({account_id for _, account_id in before - self._readers})

    def find(self, key: str) -> Holder | None:
        """The holder of a key that can be used now; None for every other one."""
        holder = self._holders.get(key)
        if holder is None or not holder.key.is_usable(datetime.now(UTC)):
            return None
        return holder

    def accounts(self) -> list[int]:
        """The accounts of all keys, each once."""
        return sorted({holder.key.account for holder in self._holders.values()})
