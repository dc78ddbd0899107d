"""Which services give signs of life: what `seawall up` says of them and shows Prometheus."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, start_http_server

from gateway.host.pulse import SILENT_NS, Pulses
from gateway.metering.metric_families import COUNTER, GAUGE, Family, FamilyCollector

SECOND_NS: Final[int] = 1_000_000_000


class Liveness:
    """Listens to the services of a run directory. ``say`` tells the operator, ``clock`` is
    monotonic; with ``restart_after_s`` a service that is silent for so long has to be killed."""

    def __init__(
        self,
        run_dir: Path,
        names: Sequence[str],
        *,
        say: Callable[[str], None],
        clock: Callable[[], int],
        restart_after_s: int,
    ) -> None:
        self._pulses = Pulses(run_dir, names, clock)
        self._say = say
        self._restart_after_ns = restart_after_s * SECOND_NS
        self._silent_ns: dict[str, int] = {}

    def look(self, ready: Mapping[str, bool]) -> list[str]:
        """Say who fell silent and who goes on; those that are not ready are starting and left
        alone. Returns who has to be killed."""
        hopeless: list[str] = []
        for name, is_ready in ready.items():
            silent_ns = self._pulses.silent_ns(name) if is_ready else None
            before_ns = self._silent_ns.get(name)
            if silent_ns is None:
                self._silent_ns.pop(name, None)
            elif silent_ns > SILENT_NS:
                self._silent_ns[name] = silent_ns
                if before_ns is None:
                    text = f"no sign of life for {_seconds(silent_ns)}"
                    self._say(f"ALERT {name}: {text}; it is stopped, or hangs in one input")
                if self._restart_after_ns and silent_ns > self._restart_after_ns:
                    hopeless.append(name)
            elif before_ns is not None:
                del self._silent_ns[name]
                self._say(f"{name} goes on; it was silent for {_seconds(before_ns)}")
        return hopeless

    def serve(self, host: str, port: int, restarts: Mapping[str, int]) -> None:
        """Show Prometheus how long each service has been silent, and how often it was restarted.

        Raises:
            OSError: the port is taken, or the host is not this machine's.
        """
        silent = Family(
            GAUGE,
            "seawall_service_silent_seconds",
            "How long a service (name) of this run directory gave no sign of life.",
            ("name",),
        )
        silent.read = self._pulses.seconds
        restarted = Family(
            COUNTER,
            "seawall_service_restarts_total",
            "How often seawall up started a service again.",
            ("name",),
        )
        restarted.read = lambda: {(name,): count for name, count in restarts.items()}
        registry = CollectorRegistry()
        registry.register(FamilyCollector([silent, restarted]))
        start_http_server(port, host, registry)


def _seconds(duration_ns: int) -> str:
    return f"{duration_ns // (SECOND_NS // 10) / 10} s"
