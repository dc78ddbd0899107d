"""Replay: run a journal's commands again and hold every noted state hash against the result."""

from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine.messages import encode
from engine.record.hashing import ChainHash
from engine.record.journal import Checkpoint, JournalReader
from engine.routing.bus import Latency
from seawall.exchange import Exchange
from seawall.interrupts import held_interrupts
from seawall.runs.scenario_run import AT_REST_NS


class ReplayResult(NamedTuple):
    """Outcome of a replay: ``mismatch`` names the first checkpoint that differs, if any."""

    commands: int
    checkpoints: int
    state_hash: str
    mismatch: str

    @property
    def equal(self) -> bool:
        """Whether every checkpoint came out as noted."""
        return not self.mismatch


def replay_journal(path: str | Path) -> ReplayResult:
    """Re-execute a journal from its first command.

    Raises:
        JournalError: the file is missing, is no journal, or its sequence is broken.
        KeyboardInterrupt: the process was interrupted.
    """
    with (
        held_interrupts() as interrupts,
        JournalReader(path) as reader,
        closing(reader.commands()) as entries,
    ):
        header = reader.header()
        text = header.get("latency", "")
        latency = msgspec.json.decode(text, type=Latency) if text else None
        exchange = Exchange(latency=latency, publish_depth=header.get("publish_depth", "0") == "1")
        noted = {each.seq: each._replace(snapshot=None) for each in reader.checkpoints()}
        commands_hash = ChainHash()
        mismatch = ""
        checked = 0
        last_seq = 0
        for entry in entries:
            interrupts.check()
            if last_seq in noted:
                checked += 1
                exchange.run_until(noted[last_seq].time_ns)
                mismatch = mismatch or _compare(noted[last_seq], exchange, commands_hash)
            exchange.run_until(entry.command.time_ns)
            commands_hash.update(encode(entry.command))
            exchange.send(entry.command)
            last_seq = entry.seq
    exchange.run_until(AT_REST_NS)
    if last_seq not in noted:
        mismatch = mismatch or f"no state hash was noted after command {last_seq}"
    else:
        checked += 1
        mismatch = mismatch or _compare(noted[last_seq], exchange, commands_hash)
    return ReplayResult(last_seq, checked, exchange.state_hash(), mismatch)


def _compare(noted: Checkpoint, exchange: Exchange, commands_hash: ChainHash) -> str:
    """What differs at a checkpoint; nothing if state and commands are as noted."""
    after = f"after command {noted.seq} the journal notes"
    state = exchange.state_hash()
    if state != noted.state_hash:
        return f"{after} {noted.state_hash}, the replay gives {state}"
    if commands_hash.hexdigest() != noted.commands_hash:
        return f"{after} other commands than it holds, although the state is the same"
    return ""
