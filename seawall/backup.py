"""`seawall backup` and `seawall cut`: what is done about damaged files before and after.

A backup is a copy of a run directory that can be started, also of a running exchange.

In the layout ``one`` the exchange goes on meanwhile: its log only grows, so what was copied of it
is whole up to some row, and a snapshot that was copied first belongs to one of these. Separate
services have to be stopped: each copy would be whole, but one of them would know more than another.
"""

import argparse
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from engine.chained_log import bases_of, file_of
from engine.journal import JournalError
from engine.journal_cut import cut_journal
from engine.journal_head import JournalHead
from engine.service_config import ALL, ONE, ConfigError, ServiceConfig
from engine.service_journal import ServiceJournal, read_inputs
from engine.snapshot_file import snapshot_file, snapshots_of
from gateway.serve import read_config

ATTEMPTS: Final[int] = 5
"""Copies begun anew because a snapshot was replaced meanwhile."""

LOCK_MS: Final[int] = 1_000


def backup(arguments: argparse.Namespace) -> int:
    """`seawall backup [--config FILE] FOLDER`; returns the exit code.

    Raises:
        ConfigError: the settings cannot be used, or the folder is there.
        JournalError: a journal is damaged, cannot be copied, or is in use by separate services.
    """
    config = read_config(arguments.config)
    for line in back_up(config, arguments.folder):
        print(line)
    return 0


def cut(arguments: argparse.Namespace) -> int:
    """`seawall cut --input N [--config FILE]`; returns the exit code.

    Raises:
        ConfigError: the settings cannot be used, or the services are separate.
        JournalError: the journal is in use, or has nothing whole before the input.
    """
    config = read_config(arguments.config)
    journal = config.journal(ALL)
    if config.layout != ONE:
        raise ConfigError(
            f'layout = "{config.layout}": a journal that is cut would not fit its neighbours; '
            "restore all of them from a backup"
        )
    if not journal.exists():
        raise ConfigError(f"{journal}: is missing; there is nothing to cut")
    lost = cut_journal(journal, ALL, arguments.input)
    print(
        f"{journal}: ends before input {arguments.input} now; inputs lost though their commands "
        f"were answered: {lost:,} (they lie beside it, .cut)"
    )
    return 0


def back_up(config: ServiceConfig, folder: Path) -> list[str]:
    """Copy the run directory into a folder that is not there yet; returns a line per journal.

    Every row and snapshot of the copy is checked; the folder appears when it is complete.

    Raises:
        ConfigError: the folder is there, or nothing to copy is.
        JournalError: a journal is damaged, cannot be copied, or is in use by separate services.
    """
    run_dir = Path(config.run_dir)
    journals = [config.journal(name) for name in config.services()]
    missing = [journal for journal in journals if not journal.exists()]
    if missing:
        raise ConfigError(f"{missing[0]}: is missing; there is nothing to copy")
    if folder.exists():
        raise ConfigError(f"{folder}: is there already; name a new folder")
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    try:
        new.mkdir(parents=True)
        with ExitStack() as stack:
            if config.layout != ONE:
                for name, journal in zip(config.services(), journals, strict=True):
                    stack.callback(_lock(journal, name).close)
            for journal in journals:
                _copy_journal(journal, new)
            for file in run_dir.iterdir():
                if file.is_file() and file.suffix in (".json", ".toml"):
                    shutil.copy2(file, new)
        told = [_checked(new / journal.name, config) for journal in journals]
        new.replace(folder)
    except OSError as error:
        raise JournalError(f"{folder}: cannot copy: {error}") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return told


def _lock(journal: Path, name: str) -> JournalHead:
    try:
        return JournalHead(journal, name, LOCK_MS, alone=True)
    except JournalError as error:
        raise JournalError(
            f"{error}; stop separate services before they are copied, or begin the exchange in "
            f'the layout "{ONE}"'
        ) from None


def _copy_journal(journal: Path, into: Path) -> None:
    """Head, snapshots, log, in this order: what comes later knows all that came before."""
    for attempt in range(1, ATTEMPTS + 1):
        shutil.copy2(journal, into)
        try:
            for file in journal.parent.glob(f"{journal.stem}.skip-*"):
                shutil.copy2(file, into)
            for place in snapshots_of(journal):
                shutil.copy2(snapshot_file(journal, place), into)
            for base in bases_of(journal):
                shutil.copy2(file_of(journal, base), into)
            return
        except FileNotFoundError:
            # Replaced by a newer one while this looked.
            if attempt == ATTEMPTS:
                raise
            for file in into.glob(f"{journal.stem}.*"):
                file.unlink()


def _checked(journal: Path, config: ServiceConfig) -> str:
    """Open a copy and read all of it; what it has as a line."""
    name = journal.stem
    kept = name == config.recorder()
    opened = ServiceJournal(journal, name, keep_inputs=kept)
    try:
        if opened.notes:
            raise JournalError(opened.notes[0])
        found = opened.last_snapshot()
        after = 0 if found is None else found[0]
        inputs = read_inputs(journal) if kept else opened.inputs(after)
        count = sum(1 for _ in inputs)
    finally:
        opened.close()
    place = f"last snapshot behind input {after:,}" if found else "no snapshot"
    return f"{name}: {opened.place:,} inputs, {count:,} read and whole, {place}"
