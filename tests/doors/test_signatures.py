"""Signatures over the bytes as sent, key files, and who is let in."""

import base64
import hashlib
import hmac
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

pytest.importorskip("cryptography", reason="cryptography is not installed (extra doors)")

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doors.keys.key_file import ApiKey, add_key, new_key, read_api_keys
from doors.keys.keyring import Keyring
from doors.keys.signatures import Seal, split_signature
from engine.services.service_config import ConfigError, DemoKey, DoorConfig


def test_the_signed_part_is_what_was_sent_without_the_signature() -> None:
    assert split_signature(b"a=%7B%7d&b=+", b"") == (b"a=%7B%7d&b=+", b"")
    assert split_signature(b"a=1&signature=ff", b"") == (b"a=1", b"ff")
    assert split_signature(b"a=1", b"b=2&signature=ff") == (b"a=1b=2", b"ff")
    assert split_signature(b"signature=ff&a=1", b"b=2") == (b"a=1b=2", b"ff")


def test_the_venues_own_example() -> None:
    # The worked example of the venue's page on signed endpoints.
    secret = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
    text = (
        b"symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
        b"&recvWindow=5000&timestamp=1591702613943"
    )
    signature = b"3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
    seal = Seal(ApiKey("key", 100, secret))
    assert seal.fits(text, signature)
    assert not seal.fits(text, signature[:-1] + b"8")
    assert not seal.fits(text + b"&x=1", signature)
    assert not seal.fits(text, b"\xff\xfe")


def test_an_ed25519_key_signs_too() -> None:
    private = Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    seal = Seal(ApiKey("key", 100, ed25519=pem.decode()))
    signature = base64.b64encode(private.sign(b"a=1"))
    assert seal.fits(b"a=1", signature)
    assert seal.fits(b"a=1", quote(signature).encode())
    assert not seal.fits(b"a=2", signature)
    assert not seal.fits(b"a=1", b"not base64")
    hmac_of_nothing = hmac.new(b"", b"a=1", hashlib.sha256).hexdigest().encode()
    assert not seal.fits(b"a=1", hmac_of_nothing)


def test_a_made_key_is_in_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    first, second = new_key(100, ["read", "trade"]), new_key(101, ["read"])
    add_key(file, "first", first)
    add_key(file, "second", second)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_api_keys(str(file)) == {first.key: first, second.key: second}
    with pytest.raises(ConfigError, match="is there already"):
        add_key(file, "first", first)
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_api_keys(str(file))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('key = "k"\naccount = 100', "either secret or ed25519"),
        ('key = "k"\nsecret = "s"\naccount = 1', "is the house's"),
        ('key = "k"\nsecret = "s"\naccount = 100\nrights = ["all"]', "allowed: trade, read"),
        ('key = "k k"\nsecret = "s"\naccount = 100', "without spaces"),
        ('key = "k"\nsecret = "s"', "account"),
        ('key = "k"\ned25519 = "x"\naccount = 100', "not a public key"),
    ],
)
def test_a_wrong_key_is_refused_in_one_line(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "keys.toml"
    file.touch(0o600)
    file.write_text(f"[keys.one]\n{text}\n")
    with pytest.raises(ConfigError, match=fault) as caught:
        Keyring(DoorConfig(keys=str(file)))
    assert "\n" not in str(caught.value)


def test_a_revoked_key_opens_nothing_within_a_second(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    key = new_key(100, ["read"])
    add_key(file, "one", key)
    ring = Keyring(DoorConfig(keys=str(file)))
    assert ring.find(key.key) is not None
    file.write_text(file.read_text() + "revoked = true\n")
    assert not ring.look(500_000_000), "not looked at again yet"
    assert ring.look(1_500_000_000)
    assert ring.find(key.key) is None
    file.write_text("nonsense")
    assert not ring.look(3_000_000_000), "what cannot be used changes nothing"


def test_an_account_is_told_of_when_a_key_may_read_it_no_more(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    for name, account, rights in (("one", 100, ["read"]), ("two", 101, ["read", "trade"])):
        add_key(file, name, new_key(account, rights))
    ring = Keyring(DoorConfig(keys=str(file)))
    assert ring.take_ended() == []
    file.write_text(file.read_text() + "revoked = true\n")
    ring.look(2_000_000_000)
    assert ring.take_ended() == [101] and ring.take_ended() == []
    file.write_text(file.read_text().replace('rights = ["read"]', 'rights = ["trade"]'))
    ring.look(4_000_000_000)
    assert ring.take_ended() == [100]


def test_a_key_everybody_knows_is_for_this_machine_only() -> None:
    demo = [DemoKey("demo", "demo-secret", 100)]
    assert Keyring(DoorConfig(demo=demo)).find("demo") is not None
    with pytest.raises(ConfigError, match="other machines"):
        Keyring(DoorConfig(host="0.0.0.0", demo=demo))


def test_the_command_line_makes_a_key(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    command = [sys.executable, "-m", "seawall.cli", "keys", str(file), "my-bot"]

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([*command, *arguments], capture_output=True, text=True)

    done = run("--account", "100", "--rights", "read")
    assert done.returncode == 0, done.stderr
    [key] = read_api_keys(str(file)).values()
    assert key.key in done.stdout and key.secret in done.stdout and key.rights == ["read"]
    for arguments in (["--account", "100"], ["--account", "1"], ["--account", "100", "--rights=x"]):
        refused = run(*arguments)
        assert refused.returncode == 2 and refused.stderr.count("\n") == 1, refused.stderr
