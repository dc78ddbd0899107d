"""Replay: run a journal's commands again and hold every noted state hash against the result."""

from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine.bus import Latency
from engine.journal import JournalReader
from seawall.exchange import Exchange
from seawall.run import AT_REST_NS


class ReplayResult(NamedTuple):
    """Outcome of a replay: ``mismatch`` names the first checkpoint that differs, if any."""

    commands: int
    checkpoints: int
    state_hash: str
    expected_hash: str
    mismatch: str

    @property
    def equal(self) -> bool:
        """Whether every checkpoint came out as noted."""
        return not self.mismatch


def replay_journal(path: str | Path) -> ReplayResult:
    """Re-execute a journal from its first command.

    Raises:
        JournalError: the file is missing, is no journal, or its sequence is broken.
    """
    with JournalReader(path) as reader, closing(reader.commands()) as entries:
        header = reader.header()
        text = header.get("latency", "")
        latency = msgspec.json.decode(text, type=Latency) if text else None
        exchange = Exchange(latency=latency, publish_depth=header.get("publish_depth", "0") == "1")
        noted = {checkpoint.seq: checkpoint.state_hash for checkpoint in reader.checkpoints()}
        mismatch = ""
        checked = 0
        last_seq = 0
        for entry in entries:
            # A checkpoint was noted just before the next command, when all due had arrived.
            exchange.run_until(entry.command.time_ns)
            if last_seq in noted:
                checked += 1
                if not mismatch:
                    mismatch = _compare(noted[last_seq], exchange.state_hash(), last_seq)
            exchange.send(entry.command)
            last_seq = entry.seq
    exchange.run_until(AT_REST_NS)
    final_hash = exchange.state_hash()
    expected = noted.get(last_seq, "")
    if not expected:
        mismatch = mismatch or f"no state hash was noted after command {last_seq}"
    else:
        checked += 1
        mismatch = mismatch or _compare(expected, final_hash, last_seq)
    return ReplayResult(last_seq, checked, final_hash, expected, mismatch)


def _compare(expected: str, found: str, seq: int) -> str:
    if expected == found:
        return ""
    return f"after command {seq} the journal notes {expected}, the replay gives {found}"
