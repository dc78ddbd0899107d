"""Files of a run are the owner's alone, whoever else is at work in its directory."""

import stat
from pathlib import Path

from gateway.host.run_directory import open_run_directory


def test_journals_that_others_could_read_are_closed_to_them(tmp_path: Path) -> None:
    journal = tmp_path / "risk.journal-000000000000"
    journal.write_bytes(b"")
    journal.chmod(0o644)
    open_run_directory(tmp_path)
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600


def test_a_journal_that_another_service_renames_meanwhile_ends_no_start(tmp_path: Path) -> None:
    """Services start together: what was listed as `.new` may be gone when it is looked at."""
    (tmp_path / "matching.journal-000000000000.new").symlink_to(tmp_path / "renamed")
    open_run_directory(tmp_path)
