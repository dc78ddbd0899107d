"""Client keys, with the accounts and rights of each.

The file lists one table per client with its public CURVE key; the server's own pair stands in
``[server]``. A client that is marked revoked, has expired or is no longer listed is refused from
the next look at the file on, also in a running session.
"""

import stat
from collections.abc import Iterator
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import zmq

from engine.commands import (
    AdjustIsolatedMargin,
    AmendOrder,
    AmendTrigger,
    CancelAll,
    CancelOrder,
    Command,
    QueryAccount,
    QueryMarket,
    QueryOrders,
    QueryRisk,
    SetLeverage,
    SetMarginMode,
    SetPositionMode,
    SubmitOrder,
    SubmitTrigger,
    Withdraw,
)
from engine.connections.link_keys import LinkKeys
from engine.forms import struct_form
from engine.services.service_config import ConfigError
from engine.toml_text import TomlError, parse_toml
from gateway.protocol import ADMIN, READ, RIGHTS, TRADE, WITHDRAW

ANONYMOUS: Final[str] = "anonymous"
PUBLIC_LENGTH: Final[int] = 40

_RIGHTS: Final[dict[type, str]] = {
    SubmitOrder: TRADE,
    SubmitTrigger: TRADE,
    CancelOrder: TRADE,
    CancelAll: TRADE,
    AmendOrder: TRADE,
    AmendTrigger: TRADE,
    SetLeverage: TRADE,
    SetMarginMode: TRADE,
    SetPositionMode: TRADE,
    AdjustIsolatedMargin: TRADE,
    Withdraw: WITHDRAW,
    QueryAccount: READ,
    QueryMarket: READ,
    QueryOrders: READ,
    QueryRisk: READ,
}

RIGHT_OF: Final[dict[type, str]] = {struct_form(kind): right for kind, right in _RIGHTS.items()}
"""The right each command on an account of one's own needs, by the struct it is decoded as; every
other command needs `ADMIN`."""


class OneKey(msgspec.Struct, forbid_unknown_fields=True):
    """One of several keys of a client. What it does not give is the client's; accounts and rights
    are some of the client's."""

    public: str
    accounts: list[int] = []
    rights: list[str] = []
    revoked: bool = False
    expires: datetime | None = None
    addresses: list[str] = []


class ClientKey(msgspec.Struct, forbid_unknown_fields=True):
    """One client. No ``accounts`` means all. A rate of 0 is the gateway's default.

    It has the key ``public``, several ``keys``, or both; they share its request numbers and limits.
    A key is of use until it ``expires``, and from ``addresses`` (single ones or networks) only, if
    there are any.
    """

    public: str = ""
    accounts: list[int] = []
    rights: list[str] = []
    max_commands_per_second: int = 0
    revoked: bool = False
    expires: datetime | None = None
    addresses: list[str] = []
    keys: list[OneKey] = []

    def each(self) -> "Iterator[ClientKey]":
        """Each of its keys with what holds for it."""
        if self.public:
            yield self
        for key in self.keys:
            ends = [one for one in (self.expires, key.expires) if one is not None]
            yield ClientKey(
                key.public,
                key.accounts or self.accounts,
                key.rights or self.rights,
                self.max_commands_per_second,
                self.revoked or key.revoked,
                min(ends, default=None),
                key.addresses or self.addresses,
            )

    def has_expired(self, now_ns: int) -> bool:
        """Whether it is of no use any more at a time of the wall clock."""
        return self.expires is not None and _time_ns(self.expires) <= now_ns

    def may(self, command: Command) -> bool:
        """Whether the key allows a command."""
        right = RIGHT_OF.get(type(command), ADMIN)
        if right not in self.rights:
            return False
        if right == ADMIN or isinstance(command, QueryMarket):
            return True
        if isinstance(command, QueryRisk):
            named = command.account_ids
            return all(map(self.sees, named)) if named else not self.accounts
        return self.sees(command.account_id)  # type: ignore[union-attr]

    def sees(self, account_id: int) -> bool:
        """Whether an account is one of the key's."""
        return not self.accounts or account_id in self.accounts


Network = IPv4Network | IPv6Network


class Admitted(NamedTuple):
    """A client that may come in with this key, from these networks (none: from everywhere)."""

    client: str
    key: ClientKey
    networks: tuple[Network, ...]

    def may_come_from(self, address: str) -> bool:
        """Whether the key may be used from an address."""
        if not self.networks:
            return True
        try:
            found = ip_address(address)
        except ValueError:
            return False
        if found.version == 6 and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found in network for network in self.networks)


class ServerPair(msgspec.Struct, forbid_unknown_fields=True):
    """The gateway's own CURVE keys, in Z85."""

    public: str
    secret: str


class KeyFile(msgspec.Struct, forbid_unknown_fields=True):
    """Everything in a key file."""

    server: ServerPair
    clients: dict[str, ClientKey] = {}

    def admitted(self, now_ns: int) -> dict[str, Admitted]:
        """Who may come in at a time of the wall clock, by public key."""
        found: dict[str, Admitted] = {}
        for client, keys in self.clients.items():
            for key in keys.each():
                if not key.revoked and not key.has_expired(now_ns):
                    found[key.public] = Admitted(client, key, _networks(key.addresses))
        return found


def _time_ns(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1_000


def _networks(addresses: list[str]) -> tuple[Network, ...]:
    return tuple(ip_network(address, strict=False) for address in addresses)


def read_keys(path: str) -> KeyFile:
    """The keys of a file.

    Raises:
        ConfigError: it cannot be read, or a key, right or name is wrong.
    """
    try:
        _require_private(path)
        found = msgspec.convert(parse_toml(Path(path).read_text(encoding="utf-8")), KeyFile)
    except (OSError, UnicodeDecodeError, TomlError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from None
    server = LinkKeys(found.server.public, found.server.secret)
    fault = server.fault().replace("link_keys", "server")
    if fault:
        raise ConfigError(f"{path}: {fault}")
    seen: dict[str, str] = {found.server.public: "server"}
    for name, client in found.clients.items():
        place = f"{path}: clients.{name}"
        if not name:
            raise ConfigError(f"{path}: a client needs a name")
        if not client.public and not client.keys:
            raise ConfigError(f"{place}: needs public or keys")
        for key in client.each():
            if key.public in seen:
                raise ConfigError(f"{place} has the key of {seen[key.public]}")
            seen[key.public] = name
            fault = _fault_of(key, client)
            if fault:
                raise ConfigError(f"{place}{fault}")
    return found


def _fault_of(key: ClientKey, client: ClientKey) -> str:
    """What is wrong with a key; empty when nothing is."""
    if len(key.public) != PUBLIC_LENGTH:
        return f".public must be {PUBLIC_LENGTH} characters of Z85"
    wrong = [right for right in key.rights if right not in RIGHTS]
    if wrong:
        return f".rights: {wrong[0]!r}; allowed: {', '.join(RIGHTS)}"
    more = [right for right in key.rights if right not in client.rights]
    if more:
        return f".keys: {more[0]!r} is no right of the client"
    foreign = [one for one in key.accounts if client.accounts and one not in client.accounts]
    if foreign:
        return f".keys: {foreign[0]} is no account of the client"
    if key.expires is not None and key.expires.tzinfo is None:
        return ".expires needs a time zone, as in 2027-01-31T00:00:00Z"
    try:
        _networks(key.addresses)
    except ValueError as error:
        return f".addresses: {error}"
    return ""


def _require_private(path: str) -> None:
    """Refuse a key file that others can change.

    Raises:
        ConfigError: they can.
    """
    if Path(path).stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(f"{path}: others can change it; chmod 600 {path}")


def seen_by_others(path: str) -> str:
    """A warning when others can read a file with secrets; empty when they cannot."""
    if path and Path(path).stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return f"{path}: others can read the secrets in it; chmod 600 {path}"
    return ""


def new_pair() -> tuple[str, str]:
    """A fresh public and secret key, in Z85."""
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()
