"""Keys of clients: rights, several keys, ends, addresses, and who was refused what."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import commands as c
from engine.reasons import Reason
from engine.services.service_config import ConfigError
from gateway.client import Address, Client, NoAnswer
from gateway.rights.audit import LINES_PER_SECOND, MAX_BYTES, Audit
from gateway.rights.keys import new_pair, read_keys, seen_by_others
from gateway.serve import REFUSALS
from tests.services.endpoints import free_port
from tests.services.processes import PATIENCE_SECONDS, Processes
from tests.services.streams import RULEBOOKS, START_NS, opening

SERVER = new_pair()
SECOND_NS = 10**9
PAIRS = {name: new_pair() for name in ("admin", "bot", "phone", "vault", "far")}


def key_file(folder: Path, phone: str = "") -> Path:
    file = folder / "keys.toml"
    file.write_text(
        f"""\
[server]
public = "{SERVER[0]}"
secret = "{SERVER[1]}"

[clients.admin]
public = "{PAIRS["admin"][0]}"
rights = ["admin", "trade", "read", "withdraw"]

[clients.ann]
accounts = [100, 101]
rights = ["trade", "read", "withdraw"]

[[clients.ann.keys]]
public = "{PAIRS["bot"][0]}"
rights = ["trade"]
accounts = [100]

[[clients.ann.keys]]
public = "{PAIRS["phone"][0]}"
rights = ["read"]
{phone}

[[clients.ann.keys]]
public = "{PAIRS["vault"][0]}"
rights = ["withdraw"]
addresses = ["127.0.0.0/8"]

[[clients.ann.keys]]
public = "{PAIRS["far"][0]}"
addresses = ["10.1.2.3", "fd00::/8"]
"""
    )
    file.chmod(0o600)
    return file


@contextmanager
def guarded_by(file: Path, run_dir: Path, **settings: Any) -> Iterator[Processes]:
    """The exchange in one process behind the keys of a file."""
    doors = {
        "keys": str(file),
        "commands": f"tcp://127.0.0.1:{free_port()}",
        "market_data": f"tcp://127.0.0.1:{free_port()}",
    }
    with Processes(run_dir, layout="one", gateway=doors, **settings) as processes:
        processes.start_all()
        yield processes


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Processes]:
    with guarded_by(key_file(tmp_path), tmp_path / "run") as processes:
        with Client(address(processes, "admin")) as admin:
            admin.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
        yield processes


def address(processes: Processes, name: str) -> Address:
    plain = processes.address
    return Address(plain.commands, plain.market_data, SERVER[0], *PAIRS[name])


def reason(client: Client, command: c.Command) -> int:
    rejection = client.call(command).rejection
    return 0 if rejection is None else rejection.reason


def refusals(processes: Processes) -> list[dict[str, object]]:
    file = Path(processes.config.run_dir) / REFUSALS
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_withdrawing_is_a_right_of_its_own_and_keys_of_a_client_differ(
    guarded: Processes,
) -> None:
    no = int(Reason.NOT_AUTHORISED)
    order = c.SubmitOrder(0, 100, 7, 0, c.BUY, 1, 9_900)
    with Client(address(guarded, "bot")) as bot, Client(address(guarded, "vault")) as vault:
        assert reason(bot, order) == 0
        assert reason(bot, c.Withdraw(0, 100, 1, 1)) == no
        assert reason(bot, c.CancelAll(0, 101)) == no, "an account of the client, not of the key"
        assert reason(bot, c.QueryAccount(0, 100)) == no
        assert reason(vault, c.Withdraw(0, 100, 1, 1)) == 0
        assert reason(vault, order) == no
    with Client(address(guarded, "phone")) as phone:
        assert reason(phone, c.QueryAccount(0, 101)) == 0
        assert reason(phone, c.CancelAll(0, 100)) == no
    noted = [line for line in refusals(guarded) if line["refused"] == "command"]
    assert [line["command"] for line in noted] == [
        "Withdraw",
        "CancelAll",
        "QueryAccount",
        "SubmitOrder",
        "CancelAll",
    ]
    assert {line["client"] for line in noted} == {"ann"}
    assert noted[0]["key"] == PAIRS["bot"][0] and noted[0]["why"] == "not_authorised"
    assert SERVER[1] not in json.dumps(noted)


def test_the_keys_of_a_client_share_its_request_numbers(guarded: Processes) -> None:
    order = c.SubmitOrder(0, 100, 7, 0, c.BUY, 1, 9_900)
    run = time.time_ns() // 1_000
    with Client(address(guarded, "bot"), run=run) as bot:
        [first] = bot.ask(1, [order])
    with Client(address(guarded, "bot"), run=run) as again:
        assert again.ask(1, [order])[0].order_id == first.order_id != 0


def test_a_key_is_refused_from_elsewhere(guarded: Processes) -> None:
    stranger = Client(address(guarded, "far"))
    with pytest.raises(NoAnswer):
        stranger.connect(1.0)
    stranger.close()
    noted = [line for line in refusals(guarded) if line["refused"] == "connection"]
    assert noted and noted[0]["why"] == "not from this address"
    assert noted[0]["address"] == "127.0.0.1" and noted[0]["key"] == PAIRS["far"][0]


def test_a_key_that_expires_is_out_in_the_middle_of_its_session(
    tmp_path: Path, guarded: Processes
) -> None:
    with Client(address(guarded, "phone")) as phone:
        ends = datetime.now(UTC) + timedelta(seconds=3)
        key_file(tmp_path, f"expires = {ends.isoformat()}")
        answered = 0
        limit = time.monotonic() + PATIENCE_SECONDS
        with pytest.raises(NoAnswer):
            while time.monotonic() < limit:
                phone.call(c.QueryAccount(0, 100), timeout_s=1.5)
                answered += 1
                phone.poll(0.1)
    assert answered > 3
    assert any(line["refused"] == "session" for line in refusals(guarded))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('rights = ["trade"]\n', 'rights = ["admin"]\n', "'admin' is no right of the client"),
        ("accounts = [100]\n", "accounts = [102]\n", "102 is no account of the client"),
        ('rights = ["read"]\n', 'rights = ["raed"]\n', "'raed'; allowed: trade, read, withdraw"),
        ('rights = ["read"]\n', "expires = 2027-01-01T00:00:00\n", "needs a time zone"),
        ('rights = ["read"]\n', "expires = 2027-01-01\n", "expires"),
        ('"10.1.2.3"', '"10.1.2"', ".addresses: '10.1.2'"),
        (PAIRS["vault"][0], PAIRS["bot"][0], "has the key of ann"),
        (PAIRS["vault"][0], "short", "must be 40 characters"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    file = key_file(tmp_path)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError) as refused:
        read_keys(str(file))
    assert told in str(refused.value) and "\n" not in str(refused.value)


def test_addresses_are_single_ones_and_networks_of_both_kinds(tmp_path: Path) -> None:
    admitted = read_keys(str(key_file(tmp_path))).admitted(0)
    far, vault = admitted[PAIRS["far"][0]], admitted[PAIRS["vault"][0]]
    assert [far.may_come_from(one) for one in ("10.1.2.3", "10.1.2.4", "fd00::7", "fe80::1")] == [
        True,
        False,
        True,
        False,
    ]
    assert vault.may_come_from("::ffff:127.0.0.9") and not vault.may_come_from("")
    assert admitted[PAIRS["bot"][0]].may_come_from("anywhere")


def test_a_key_ends_at_its_moment(tmp_path: Path) -> None:
    file = key_file(tmp_path, "expires = 2027-01-31T01:00:00+01:00")
    moment_ns = int(datetime(2027, 1, 31, tzinfo=UTC).timestamp()) * SECOND_NS
    keys = read_keys(str(file))
    assert PAIRS["phone"][0] in keys.admitted(moment_ns - 1)
    assert PAIRS["phone"][0] not in keys.admitted(moment_ns)


def test_a_key_file_others_can_change_is_refused_and_one_they_can_read_warned_of(
    tmp_path: Path,
) -> None:
    file = key_file(tmp_path)
    assert seen_by_others(str(file)) == ""
    file.chmod(0o644)
    assert seen_by_others(str(file)).endswith(
        f"others can read the secrets in it; chmod 600 {file}"
    )
    read_keys(str(file))
    file.chmod(0o620)
    with pytest.raises(ConfigError, match="others can change it; chmod 600"):
        read_keys(str(file))


def test_the_audit_is_bounded_in_lines_and_bytes(tmp_path: Path) -> None:
    now_ns = [0]
    file = tmp_path / REFUSALS
    audit = Audit(file, lambda: now_ns[0])
    for _ in range(10 * LINES_PER_SECOND):
        audit.note("command", client="ann")
    now_ns[0] += SECOND_NS
    audit.note("command", client="bob")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) == LINES_PER_SECOND + 1
    assert lines[-1]["left_out_before"] == 9 * LINES_PER_SECOND
    while not file.with_name(f"{REFUSALS}.1").exists():
        now_ns[0] += SECOND_NS
        audit.note("command", client="x" * 100_000)
    assert file.with_name(f"{REFUSALS}.1").stat().st_size < MAX_BYTES + 200_000
    Audit(tmp_path / "nowhere" / REFUSALS, lambda: 0).note("command")
