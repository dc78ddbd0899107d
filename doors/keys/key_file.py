"""The file of API keys: one table per key, with its account and rights. Others may not read it."""

import os
import secrets
import stat
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from engine.services.service_config import ConfigError, DemoKey
from engine.toml_text import TomlError, parse_toml
from gateway.protocol import ADMIN, READ, RIGHTS, TRADE
from risk.accounts import FIRST_TRADER

USUAL_RIGHTS: Final[tuple[str, ...]] = (READ, TRADE)
KEY_LENGTH: Final[int] = 64
"""Characters of a key and of a secret that `new_key` makes, as at the venue."""

MAX_KEY_LENGTH: Final[int] = 128

_LETTERS: Final[str] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class ApiKey(msgspec.Struct, forbid_unknown_fields=True):
    """One key: what a client sends as ``X-MBX-APIKEY``, and how its requests are signed: with an
    HMAC ``secret`` or the Ed25519 key whose public half is ``ed25519`` (PEM). It is of use until it
    is revoked or ``expires``."""

    key: str
    account: int
    secret: str = ""
    ed25519: str = ""
    rights: list[str] = msgspec.field(default_factory=lambda: list(USUAL_RIGHTS))
    revoked: bool = False
    expires: datetime | None = None

    def is_usable(self, now: datetime) -> bool:
        """Whether it opens anything at a time."""
        return not self.revoked and (self.expires is None or now < self.expires)


class ApiKeyFile(msgspec.Struct, forbid_unknown_fields=True):
    """Everything in a file of API keys, by name."""

    keys: dict[str, ApiKey] = {}


def read_api_keys(path: str) -> dict[str, ApiKey]:
    """The keys of a file, by what clients send.

    Raises:
        ConfigError: it cannot be read, others may read it, or a key is wrong.
    """
    try:
        mode = Path(path).stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(f"{path}: others can read or change it; chmod 600 {path}")
        file = msgspec.convert(parse_toml(Path(path).read_text(encoding="utf-8")), ApiKeyFile)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, TomlError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from None
    found: dict[str, ApiKey] = {}
    for name, key in file.keys.items():
        fault = _fault_of(key)
        if key.key in found:
            fault = "has the key of another one"
        if fault:
            raise ConfigError(f"{path}: keys.{name}: {fault}")
        found[key.key] = key
    return found


def demo_key(demo: DemoKey) -> ApiKey:
    """A key of the settings.

    Raises:
        ConfigError: it is none.
    """
    key = ApiKey(demo.key, demo.account, demo.secret)
    fault = _fault_of(key)
    if fault:
        raise ConfigError(f"door.demo: {fault}")
    return key


def _fault_of(key: ApiKey) -> str:
    """What is wrong with a key; empty when nothing is."""
    if not 1 <= len(key.key) <= MAX_KEY_LENGTH or not key.key.isascii() or " " in key.key:
        return f"key must be 1 to {MAX_KEY_LENGTH} ASCII characters without spaces"
    if bool(key.secret) == bool(key.ed25519):
        return "needs either secret or ed25519"
    if key.account < FIRST_TRADER:
        return f"account {key.account} is the house's; traders start at {FIRST_TRADER}"
    wrong = [right for right in key.rights if right not in RIGHTS]
    if wrong:
        return f"rights: {wrong[0]!r}; allowed: {', '.join(RIGHTS)}"
    if key.expires is not None and key.expires.tzinfo is None:
        return "expires needs a time zone, as in 2027-01-31T00:00:00Z"
    return ""


def new_key(account: int, rights: list[str], ed25519: str = "") -> ApiKey:
    """A fresh key by chance, with a secret of its own unless it signs with an Ed25519 key.

    Raises:
        ConfigError: an argument is not allowed.
    """
    secret = "" if ed25519 else _random_text()
    key = ApiKey(_random_text(), account, secret, ed25519, rights)
    fault = _fault_of(key)
    if fault:
        raise ConfigError(fault)
    return key


def _random_text() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(KEY_LENGTH))


def add_key(path: Path, name: str, key: ApiKey) -> None:
    """Put a key at the end of a file, which is made with mode 600 if it is not there.

    Raises:
        ConfigError: the name is no bare TOML key or is taken, or the file cannot be used.
    """
    if not name or not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise ConfigError(f"name {name!r}: allowed are letters, digits, - and _")
    text = ""
    if path.exists():
        read_api_keys(str(path))
        text = path.read_text(encoding="utf-8")
        if name in msgspec.convert(parse_toml(text), ApiKeyFile).keys:
            raise ConfigError(f"{path}: keys.{name} is there already")
        text = text.rstrip("\n") + "\n\n"
    try:
        _write_private(path, text + _table_of(name, key))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None


def _write_private(path: Path, text: str) -> None:
    new = path.with_name(f"{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    new.chmod(0o600)
    new.replace(path)


def _table_of(name: str, key: ApiKey) -> str:
    lines = [f"[keys.{name}]", f'key = "{key.key}"']
    if key.secret:
        lines.append(f'secret = "{key.secret}"')
    if key.ed25519:
        lines.append(f'ed25519 = """\n{key.ed25519.strip()}\n"""')
    rights = ", ".join(f'"{right}"' for right in key.rights)
    lines += [f"account = {key.account}", f"rights = [{rights}]"]
    return "\n".join(lines) + "\n"


def may_administer(key: ApiKey) -> bool:
    """Whether a key opens what only an operator may do."""
    return ADMIN in key.rights
