"""Encrypted links between services: they work, nobody else gets in, and open ones are refused."""

from pathlib import Path

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from engine.routing.topology import MATCHING, RISK
from engine.services.service_config import SERVICES, ConfigError, parse_config
from gateway.client import Client
from gateway.rights.keys import new_pair
from tests.services.endpoints import free_port
from tests.services.processes import Processes
from tests.services.trading import Trader, commands_of

PUBLIC, SECRET = new_pair()
OTHER_PUBLIC, OTHER_SECRET = new_pair()
WAIT_MS = 10_000
HANDSHAKES = {
    zmq.EVENT_HANDSHAKE_SUCCEEDED: True,
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: False,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: False,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: False,
    zmq.EVENT_DISCONNECTED: False,
}


def gets_in(address: str, server: str = "", public: str = "", secret: str = "") -> bool:
    """Whether an inbox lets somebody with these keys in; without keys, unencrypted."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.linger = 0
    socket = context.socket(zmq.PUSH)
    if server:
        socket.setsockopt(zmq.CURVE_SERVERKEY, server.encode())
        socket.setsockopt(zmq.CURVE_PUBLICKEY, public.encode())
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret.encode())
    monitor = socket.get_monitor_socket()
    try:
        socket.connect(address)
        while monitor.poll(WAIT_MS):
            event = recv_monitor_message(monitor)["event"]
            if event in HANDSHAKES:
                return HANDSHAKES[event]
        raise AssertionError(f"{address} neither lets in nor refuses")
    finally:
        socket.disable_monitor()
        context.destroy()


def test_services_with_link_keys_work_and_let_nobody_else_in(tmp_path: Path) -> None:
    addresses = {name: f"tcp://127.0.0.1:{free_port()}" for name in SERVICES}
    keys = {"public": PUBLIC, "secret": SECRET}
    with Processes(tmp_path, addresses=addresses, link_keys=keys) as processes:
        processes.start_all()
        with Client(processes.address) as client:
            trader = Trader(client, commands_of(61, 400))
            trader.run_until(200)
            for name in SERVICES:
                assert gets_in(addresses[name], PUBLIC, PUBLIC, SECRET)
                assert not gets_in(addresses[name], PUBLIC, OTHER_PUBLIC, OTHER_SECRET)
                assert not gets_in(addresses[name], OTHER_PUBLIC, PUBLIC, SECRET)
                assert not gets_in(addresses[name])
            processes.kill(MATCHING)
            processes.start(MATCHING)
            trader.finish()
        processes.wait_until_ready()
        processes.stop()
        trader.check(processes)


def test_client_keys_and_link_keys_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    server, ann = new_pair(), new_pair()
    file = tmp_path / "keys.toml"
    file.write_text(
        f'[server]\npublic = "{server[0]}"\nsecret = "{server[1]}"\n'
        f'[clients.ann]\npublic = "{ann[0]}"\nrights = ["admin", "trade", "read", "withdraw"]\n'
    )
    addresses = {RISK: f"tcp://127.0.0.1:{free_port()}"}
    with Processes(
        tmp_path / "run",
        addresses=addresses,
        link_keys={"public": PUBLIC, "secret": SECRET},
        gateway={"keys": str(file)},
    ) as processes:
        processes.start_all()
        plain = processes.address
        address = type(plain)(plain.commands, plain.market_data, server[0], *ann)
        with Client(address) as client:
            trader = Trader(client, commands_of(62, 100))
            trader.finish()
        processes.stop()
        trader.check(processes)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[addresses]\nrisk = "tcp://10.0.0.7:7500"', "addresses.risk .* by others"),
        ('[addresses]\nrisk = "tcp://*:7500"', "by others"),
        ('[addresses]\nrisk = "tcp://127.0.0.1:7500"', "by others"),
        ('[link_keys]\npublic = "abc"\nsecret = "abc"', "link_keys.secret must be 40"),
        (f'[link_keys]\npublic = "{OTHER_PUBLIC}"\nsecret = "{SECRET}"', "not that of"),
        (f'[link_keys]\npublic = "{PUBLIC}"', "link_keys.secret must be 40"),
    ],
)
def test_open_or_wrong_links_are_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse_config(f"layout = 'separate'\n{text}", "services.toml")


def test_reachable_inboxes_with_keys_are_allowed() -> None:
    addresses = 'layout = "separate"\n[addresses]\nrisk = "tcp://*:7500"\n'
    text = f'{addresses}[link_keys]\npublic = "{PUBLIC}"\n'
    config = parse_config(text + f'secret = "{SECRET}"', "services.toml")
    assert config.link_keys.given
