"""What cannot work is one line before anything starts: ports, paths, keys, files."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.endpoints import free_port
from tests.services.processes import PATIENCE_SECONDS, ROOT, toml_of
from tests.services.supervised import Running


def up(folder: Path, **settings: object) -> "subprocess.CompletedProcess[str]":
    """`seawall up` with these settings, which has to end by itself."""
    gateway = {
        "commands": f"tcp://127.0.0.1:{free_port()}",
        "market_data": f"tcp://127.0.0.1:{free_port()}",
        **settings.pop("gateway", {}),  # type: ignore[dict-item]
    }
    file = folder / "services.toml"
    file.write_text(toml_of({"run_dir": str(folder / "run"), **settings, "gateway": gateway}))
    return up_with(file)


def up_with(file: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "seawall.cli", "up", "--config", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


def check_line(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    assert done.returncode == 2 and done.stdout == "", done
    assert done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr


def test_a_port_somebody_has(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = up(tmp_path, gateway={"commands": f"tcp://127.0.0.1:{port}"})
    check_line(done, f"gateway.commands: tcp://127.0.0.1:{port}: another program has this port")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("tcp://127.0.0.1:99999", "needs a port from 1 to 65535"),
        ("tcp://127.0.0.1:0", "needs a port from 1 to 65535"),
        ("tcp://127.0.0.1", "needs a port from 1 to 65535"),
        ("udp://127.0.0.1:7400", 'must begin with "tcp://" or "ipc://"'),
        ("ipc:///tmp/" + "x" * 100, "the path has 105 bytes; allowed: 107"),
    ],
)
def test_an_address_no_socket_can_have(tmp_path: Path, address: str, told: str) -> None:
    if address.startswith("ipc"):
        address, told = address + "xxx", told.replace("105", "108")
    check_line(up(tmp_path, gateway={"commands": address}), "gateway.commands: ", told)


def test_a_run_directory_whose_path_is_too_long_for_a_socket(tmp_path: Path) -> None:
    folder = str(tmp_path / ("x" * 100))
    done = up(tmp_path, run_dir=folder, layout="separate")
    check_line(done, "addresses.", "use a shorter run_dir")


def test_a_file_nested_without_end(tmp_path: Path) -> None:
    file = tmp_path / "services.toml"
    file.write_text("a = " + "[" * 100_000)
    check_line(up_with(file), "nested")


def test_a_server_key_that_is_none(tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text('[server]\npublic = "abc"\nsecret = "abc"\n')
    keys.chmod(0o600)
    check_line(up(tmp_path, gateway={"keys": str(keys)}), "server.secret must be 40 characters")


def test_everything_in_the_run_directory_is_the_owners(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Running(tmp_path, top='layout = "separate"\n'):
            run = tmp_path / "run"
            found = {one: stat.S_IMODE(one.stat().st_mode) for one in [run, *run.rglob("*")]}
    finally:
        os.umask(before)
    assert len(found) > 10
    assert {str(one) for one, mode in found.items() if mode & 0o077} == set()
