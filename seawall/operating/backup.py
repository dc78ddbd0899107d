"""`seawall backup` and `seawall cut`: what is done about damaged files before and after.

A backup is a copy of a run directory that can be started, also of a running exchange: see
`engine.record.journal_copy` for why the journals of separate services fit each other in it.
"""

import argparse
import shutil
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from engine.record.chained_log import JournalDamaged
from engine.record.journal import JournalError
from engine.record.journal_copy import copy_journals
from engine.record.journal_cut import ASIDE, cut_journal
from engine.record.journal_head import JournalHead
from engine.record.service_journal import ServiceJournal
from engine.routing.topology import GATEWAY, RISK
from engine.services.service_config import ALL, ONE, ConfigError, ServiceConfig
from gateway.serve import read_config, require_finished_skip
from seawall.operating.verify import check_folder, line_of
from seawall.rebuild import Rebuild

LOCK_MS: Final[int] = 1_000
KEPT: Final[tuple[str, ...]] = (".json", ".toml", ".note")
"""Ends of the other files that are copied: the opened market, settings, keys, the clock's note."""


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
    """`seawall cut --input N` or, of separate services, `--service NAME`; returns the exit code.

    Raises:
        ConfigError: the settings cannot be used, or that journal cannot be cut.
        JournalError: the journal is in use, or has nothing whole before the input.
        ValueError: the service cannot be made anew from the others.
    """
    config = read_config(arguments.config)
    if config.layout != ONE:
        _cut_service(config, arguments.service)
        return 0
    journal = config.journal(ALL)
    if arguments.input is None:
        raise ConfigError(f'layout = "{ONE}": give --input, the row from which on it is cut')
    if not journal.exists():
        raise ConfigError(f"{journal}: is missing; there is nothing to cut")
    lost = cut_journal(journal, ALL, arguments.input)
    print(
        f"{journal}: ends before input {arguments.input} now; inputs lost though their commands "
        f"were answered: {lost:,} (they lie beside it, .cut)"
    )
    return 0


def _cut_service(config: ServiceConfig, name: str | None) -> None:
    """Put the journal of a leaf aside and make its state anew from all batches, in risk's."""
    leaves = [one for one in config.services() if one not in (RISK, GATEWAY)]
    if name not in leaves:
        raise ConfigError(
            f'layout = "{config.layout}": give --service, one of {", ".join(leaves)}: it is made '
            "anew from the others. A journal of risk or the gateway that is cut would not fit its "
            "neighbours: restore all of them from one backup"
        )
    journal = config.journal(name)
    # That nobody has it is found out before that it is damaged.
    with suppress(JournalDamaged):
        JournalHead(journal, "", LOCK_MS, alone=True).close()
    for file in list(journal.parent.iterdir()):
        if file.name.startswith((f"{name}.journal", f"{name}.snapshot-")):
            file.replace(file.with_name(f"{file.name}{ASIDE}"))
    ServiceJournal(journal, name).close()
    with closing(Rebuild(config)) as rebuild:
        rebuild.work_as_recorded()
        rebuild.write("")
    print(
        f"{journal}: made anew from risk's; nothing is lost (the old one lies beside it, {ASIDE})"
    )


def back_up(config: ServiceConfig, folder: Path) -> list[str]:
    """Copy the run directory into a folder that is not there yet; returns a line per journal.

    Every row and snapshot of the copy is checked; the folder appears when it is complete.

    Raises:
        ConfigError: the folder is there, nothing to copy is, or a skip was cut off.
        JournalError: a journal is damaged, or cannot be copied.
    """
    require_finished_skip(config)
    run_dir = Path(config.run_dir)
    journals = [config.journal(name) for name in config.services()]
    missing = [journal for journal in journals if not journal.exists()]
    if missing:
        raise ConfigError(f"{missing[0]}: is missing; a copy needs the journals of all services")
    if folder.exists():
        raise ConfigError(f"{folder}: is there already; name a new folder")
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    try:
        new.mkdir(mode=0o700, parents=True)
        copy_journals(journals, new)
        for file in run_dir.iterdir():
            if file.is_file() and file.suffix in KEPT:
                shutil.copy2(file, new)
        checked = check_folder(new)
        for fault in [fault for found in checked for fault in found.faults]:
            raise JournalError(fault.replace(str(new), str(run_dir)))
        new.replace(folder)
    except OSError as error:
        raise JournalError(f"{folder}: cannot copy: {error}") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return [line_of(found) for found in checked]
