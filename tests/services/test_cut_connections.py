"""TCP connections that stall and break in the middle of a frame, in both directions, between the
services and between client and gateway: everything is done once and answered once."""

import contextlib
import random
import socket
import threading
import time
from pathlib import Path

from engine.routing.topology import GATEWAY, MATCHING, RISK
from engine.services.service_config import SEPARATE, SERVICES
from gateway.client import Address, Client
from gateway.rights.keys import new_pair
from tests.services.endpoints import free_port
from tests.services.processes import Processes, toml_of
from tests.services.trading import Trader, commands_of

LOCAL = "127.0.0.1"
CHUNK = 2_048


class CuttingProxy:
    """Passes TCP on to a port, slowly at times; after a length chosen by seed it cuts both ends."""

    def __init__(self, target_port: int, seed: int, shortest: int, longest: int) -> None:
        self.cuts = 0
        self._target_port = target_port
        self._rng = random.Random(seed)
        self._lengths = (shortest, longest)
        self._listener = socket.create_server((LOCAL, 0))
        self._listener.settimeout(0.1)
        self.port = int(self._listener.getsockname()[1])
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            try:
                far = socket.create_connection((LOCAL, self._target_port), 1.0)
            except OSError:
                near.close()
                continue
            for source, target in ((near, far), (far, near)):
                length = self._rng.randint(*self._lengths)
                pump = threading.Thread(target=self._pump, args=(source, target, length))
                self._threads.append(pump)
                pump.start()
        self._listener.close()

    def _pump(self, source: socket.socket, target: socket.socket, length: int) -> None:
        passed = 0
        source.settimeout(0.1)
        with source, target, contextlib.suppress(OSError):
            while not self._ended.is_set():
                try:
                    data = source.recv(CHUNK)
                except TimeoutError:
                    continue
                if not data:
                    break
                if passed + len(data) > length:
                    self.cuts += 1
                    target.sendall(data[: length - passed])
                    break
                passed += len(data)
                if passed % 5 == 0:
                    time.sleep(0.003)
                target.sendall(data)
            for end in (source, target):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()


class Proxied(Processes):
    """Services that reach each other's inboxes through cutting proxies."""

    def __init__(self, folder: Path) -> None:
        self.proxies: dict[str, CuttingProxy] = {}
        doors = {name: f"tcp://{LOCAL}:{free_port()}" for name in ("commands", "market_data")}
        super().__init__(folder, gateway=doors)
        ports = {name: free_port() for name in SERVICES}
        self._files: dict[str, str] = {}
        pair = new_pair()
        for seed, name in enumerate(SERVICES):
            self.proxies[name] = CuttingProxy(ports[name], seed, 12_000, 40_000)
        for name in SERVICES:
            reached = {peer: proxy.port for peer, proxy in self.proxies.items()} | {
                name: ports[name]
            }
            addresses = {peer: f"tcp://{LOCAL}:{port}" for peer, port in reached.items()}
            text = toml_of(
                {
                    "run_dir": str(folder),
                    "layout": SEPARATE,
                    "gateway": doors,
                    "addresses": addresses,
                    "link_keys": dict(zip(("public", "secret"), pair, strict=True)),
                }
            )
            file = folder / f"{name}.toml"
            file.write_text(text)
            self._files[name] = str(file)

    def file_of(self, name: str) -> str:
        return self._files[name]

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        for proxy in self.proxies.values():
            proxy.close()


def test_links_between_services_that_break_lose_nothing(tmp_path: Path) -> None:
    with Proxied(tmp_path) as processes:
        processes.start_all()
        with Client(processes.address) as client:
            trader = Trader(client, commands_of(41, 2_500))
            trader.finish()
        processes.stop()
        trader.check(processes)
        cuts = {name: proxy.cuts for name, proxy in processes.proxies.items()}
    assert cuts[RISK] and cuts[MATCHING] and cuts[GATEWAY], cuts


def test_a_client_whose_connection_breaks_loses_nothing(tmp_path: Path) -> None:
    port = free_port()
    doors = {"commands": f"tcp://{LOCAL}:{port}", "market_data": f"ipc://{tmp_path}/data.ipc"}
    proxy = CuttingProxy(port, 7, 3_000, 60_000)
    try:
        with Processes(tmp_path, gateway=doors) as processes:
            processes.start_all()
            address = Address(f"tcp://{LOCAL}:{proxy.port}", doors["market_data"])
            with Client(address) as client:
                trader = Trader(client, commands_of(42, 1_500))
                trader.finish()
                assert client.connection.reconnects
            processes.stop()
            trader.check(processes)
    finally:
        proxy.close()
    assert proxy.cuts > 2
