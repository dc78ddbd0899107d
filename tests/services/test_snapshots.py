"""How much a restart has to handle again is bounded by the number of inputs and by their bytes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.record.service_journal import ServiceJournal
from engine.routing.topology import GATEWAY
from engine.services.rounds import Outputs
from engine.services.service import Service

BODY = b"x" * 100


class Counting:
    """A part that counts its inputs, and a door that always has one more."""

    is_open = True
    has_more = False

    def __init__(self) -> None:
        self.count = 0

    def bind(self, context: Any) -> Sequence[Any]:
        return []

    def collect(self) -> list[bytes]:
        return [BODY]

    def deliver(self, item: Any) -> None:
        raise AssertionError("nothing goes out")

    def idle(self) -> None:
        pass

    def handle(self, source: str, body: bytes, out: Outputs) -> None:
        self.count += 1

    def state(self) -> Any:
        return [self.count]

    def restore(self, state: Any) -> None:
        [self.count] = state


def service_of(folder: Path, part: Counting, **settings: int) -> Service:
    journal = ServiceJournal(folder / "a.journal", GATEWAY)
    address = {GATEWAY: f"ipc://{folder}/a.ipc"}
    return Service(GATEWAY, part, journal, address, [], clock=lambda: 0, door=part, **settings)


@pytest.mark.parametrize(
    ("settings", "behind"),
    [
        ({"snapshot_every": 10}, 7),
        ({"snapshot_every": 1_000, "snapshot_bytes": 10 * len(BODY)}, 7),
        ({"snapshot_every": 1_000, "snapshot_bytes": 10 * len(BODY) + 1}, 5),
        ({"snapshot_every": 1_000}, 27),
    ],
)
def test_a_restart_handles_again_what_lies_behind_the_last_snapshot(
    tmp_path: Path, settings: dict[str, int], behind: int
) -> None:
    first = service_of(tmp_path, Counting(), **settings)
    first.open()
    for _ in range(27):
        first.turn(0)
    # Let go of without a last snapshot, as a killed process is.
    first.journal.close()
    part = Counting()
    second = service_of(tmp_path, part, **settings)
    second.recover()
    assert (second.replayed, part.count) == (behind, 27)
    second.open()
    second.turn(0)
    assert part.count == 28
