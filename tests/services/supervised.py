"""`seawall up` as a real process for the tests."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.client import Address
from seawall.world.serve import WORLD
from tests.services.endpoints import free_port
from tests.services.processes import PATIENCE_SECONDS, ROOT, toml_of


class Running:
    """`seawall up` with what it printed; what its children complain of is in `errors`.

    Entering the block waits until it is ready, leaving it stops it if it still runs. ``top`` and
    ``tables`` are settings before the first table and behind ``[clock]``, ``arguments`` go behind
    ``--config``, ``gateway`` into its table.
    """

    def __init__(
        self,
        folder: Path,
        address: Address | None = None,
        env: dict[str, str] | None = None,
        *,
        top: str = "",
        tables: str = "[[clock.index]]\ninstrument_id = 7\nstart_ticks = 10000\n",
        arguments: Sequence[str] = (),
        gateway: Mapping[str, str] | None = None,
    ) -> None:
        self.address = address or Address(
            f"tcp://127.0.0.1:{free_port()}", f"tcp://127.0.0.1:{free_port()}"
        )
        folder.mkdir(exist_ok=True)
        self.errors = folder / "errors.log"
        self.file = file = folder / "services.toml"
        doors = {"commands": self.address.commands, "market_data": self.address.market_data}
        settings = {"run_dir": str(folder / "run"), "gateway": {**doors, **(gateway or {})}}
        text = top + toml_of(settings)
        file.write_text(f"{text}[clock]\ntick_ms = 50\n{tables}")
        self.child = subprocess.Popen(
            [sys.executable, "-m", "seawall.cli", "up", "--config", str(file), *arguments],
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=self.errors.open("ab"),
            text=True,
        )
        self.lines: list[str] = []

    def __enter__(self) -> "Running":
        try:
            self.wait_for("ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.child.poll() is None:
            self.child.terminate()
        self.child.wait(PATIENCE_SECONDS)

    def wait_for(self, text: str) -> None:
        """Until a line says so; what stays silent for too long is ended."""
        assert self.child.stdout is not None
        patience = threading.Timer(PATIENCE_SECONDS, self.child.kill)
        patience.start()
        try:
            for line in self.child.stdout:
                self.lines.append(line.strip())
                if text in line:
                    return
        finally:
            patience.cancel()
        raise AssertionError(f"{text!r} never came; printed: {self.lines}")

    def children(self) -> dict[str, int]:
        """Service name to process id, as the system sees them."""
        found: dict[str, int] = {}
        pids = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text().split()
        for pid in pids:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"gateway.serve" in words:
                name = words[words.index(b"gateway.serve") + 1].decode()
                found[name] = int(pid)
            elif b"seawall.world.serve" in words:
                found[WORLD] = int(pid)
        return found
