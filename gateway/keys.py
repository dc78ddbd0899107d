"""Client keys: who may come in, for which accounts, with which rights.

The file lists one table per client with its public CURVE key; the server's own pair stands in
``[server]``. A client that is marked revoked, or is no longer listed, is refused from the next
look at the file on, also in a running session.
"""

from pathlib import Path
from typing import Any, Final

import msgspec
import zmq
from zmq.utils import z85

from engine.commands import (
    AdjustIsolatedMargin,
    AmendOrder,
    CancelAll,
    CancelOrder,
    Command,
    QueryAccount,
    QueryMarket,
    QueryRisk,
    SetLeverage,
    SetMarginMode,
    SetPositionMode,
    SubmitOrder,
    Withdraw,
)
from engine.forms import struct_form
from engine.link_keys import LinkKeys
from engine.service_config import ConfigError
from engine.toml_text import TomlError, parse_toml
from gateway.protocol import ADMIN, READ, RIGHTS, TRADE

ANONYMOUS: Final[str] = "anonymous"

_RIGHTS: Final[dict[type, str]] = {
    SubmitOrder: TRADE,
    CancelOrder: TRADE,
    CancelAll: TRADE,
    AmendOrder: TRADE,
    SetLeverage: TRADE,
    SetMarginMode: TRADE,
    SetPositionMode: TRADE,
    AdjustIsolatedMargin: TRADE,
    Withdraw: TRADE,
    QueryAccount: READ,
    QueryMarket: READ,
    QueryRisk: READ,
}

RIGHT_OF: Final[dict[type, str]] = {struct_form(kind): right for kind, right in _RIGHTS.items()}
"""The right each command on an account of one's own needs, by the struct it is decoded as; every
other command needs `ADMIN`."""


class ClientKey(msgspec.Struct, forbid_unknown_fields=True):
    """One client. No ``accounts`` means all. A rate of 0 is the gateway's default."""

    public: str
    accounts: list[int] = []
    rights: list[str] = []
    max_commands_per_second: int = 0
    revoked: bool = False

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


class ServerPair(msgspec.Struct, forbid_unknown_fields=True):
    """The gateway's own CURVE keys, in Z85."""

    public: str
    secret: str


class KeyFile(msgspec.Struct, forbid_unknown_fields=True):
    """Everything in a key file."""

    server: ServerPair
    clients: dict[str, ClientKey] = {}

    def client_of(self, public: str) -> str | None:
        """The client with this public key, None if there is none or it was revoked."""
        for name, key in self.clients.items():
            if key.public == public and not key.revoked:
                return name
        return None


def read_keys(path: str) -> KeyFile:
    """The keys of a file.

    Raises:
        ConfigError: it cannot be read, or a key, right or name is wrong.
    """
    try:
        found = msgspec.convert(parse_toml(Path(path).read_text(encoding="utf-8")), KeyFile)
    except (OSError, UnicodeDecodeError, TomlError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from None
    server = LinkKeys(found.server.public, found.server.secret)
    fault = server.fault().replace("link_keys", "server")
    if fault:
        raise ConfigError(f"{path}: {fault}")
    seen: dict[str, str] = {found.server.public: "server"}
    for name, key in found.clients.items():
        if not name:
            raise ConfigError(f"{path}: a client needs a name")
        if len(key.public) != 40:
            raise ConfigError(f"{path}: clients.{name}.public must be 40 characters of Z85")
        if key.public in seen:
            raise ConfigError(f"{path}: clients.{name} has the key of {seen[key.public]}")
        seen[key.public] = name
        wrong = [right for right in key.rights if right not in RIGHTS]
        if wrong:
            raise ConfigError(
                f"{path}: clients.{name}.rights: {wrong[0]!r}; allowed: {', '.join(RIGHTS)}"
            )
    return found


def new_pair() -> tuple[str, str]:
    """A fresh public and secret key, in Z85."""
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()


class Porter:
    """Answers ZeroMQ's questions about who may connect (ZAP, rfc.zeromq.org/spec/27)."""

    ADDRESS: Final[str] = "inproc://zeromq.zap.01"

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", keys: KeyFile) -> None:
        self.keys = keys
        self.refused = 0
        self.socket: zmq.Socket[bytes] = context.socket(zmq.REP)
        self.socket.bind(self.ADDRESS)

    def answer_all(self) -> None:
        """Answer every question that waits."""
        while True:
            try:
                question = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self.socket.send_multipart(self._answer(question))

    def _answer(self, question: list[bytes]) -> list[Any]:
        version, request, _, _, _, mechanism, *credentials = question
        client = None
        if mechanism == b"CURVE" and credentials:
            client = self.keys.client_of(z85.encode(credentials[0]).decode())
        if client is None:
            self.refused += 1
            return [version, request, b"400", b"unknown key", b"", b""]
        return [version, request, b"200", b"welcome", client.encode(), b""]
