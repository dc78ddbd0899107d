"""The origin of a run, kept in its directory, so that it can be made again and compared."""

import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final

from seawall.own_prices import made_of_frames, write_frames
from seawall.scenario import Scenario
from seawall.toml_writer import toml_text

SCENARIO: Final[str] = "scenario.toml"
RULEBOOK: Final[str] = "rulebook.toml"
_FILE_KEYS: Final[tuple[str, ...]] = ("file", "ccxt_file")
"""Keys of a scenario whose values are paths."""


def write_origin(directory: Path, scenario: Scenario, seed: int) -> None:
    """Write the scenario and the rulebook as they are when every ``extends`` and override is laid
    over the other; the scenario runs again from there."""
    tables: dict[str, Any] = {"name": scenario.name, "seed": seed, "rulebook": RULEBOOK}
    given = with_whole_paths(scenario.tables)
    write_frames(directory, given, scenario.indices)
    tables |= {key: value for key, value in given.items() if key not in tables}
    head = (
        f"# What this run ran: {scenario.source} with everything it extends and every override.\n"
    )
    (directory / SCENARIO).write_text(head + toml_text(tables), encoding="utf-8")
    (directory / RULEBOOK).write_text(scenario.rulebook_text, encoding="utf-8")


def origin_block(scenario: Scenario, seed: int) -> dict[str, Any]:
    """The value of ``run`` in ``summary.json``."""
    return {
        "scenario": scenario.source,
        "rulebook": scenario.rulebook.name,
        "overrides": list(scenario.overrides),
        "date": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "command": command_again(scenario, seed),
    }


def command_again(scenario: Scenario, seed: int) -> str:
    """The command line that makes the run once more; with prices that came from no file, in the
    run directory, which keeps them."""
    if made_of_frames(scenario.overrides):
        return shlex.join(["seawall", "run", SCENARIO, "--seed", str(seed)])
    words = ["seawall", "run", scenario.source, "--seed", str(seed)]
    for override in scenario.overrides:
        if override.partition("=")[0].strip() != "seed":
            words += ["--set", override]
    return shlex.join(words)


def with_whole_paths(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The tables with every path to a file in them made absolute."""
    result: dict[str, Any] = {}
    for key, value in tables.items():
        if isinstance(value, Mapping):
            result[key] = with_whole_paths(value)
        elif key in _FILE_KEYS and isinstance(value, str):
            result[key] = str(Path(value).resolve())
        else:
            result[key] = value
    return result


def file_hashes(tables: Mapping[str, Any]) -> dict[str, str]:
    """The hash of every file that the tables name, by its whole path.

    Raises:
        OSError: one cannot be read.
    """
    found: dict[str, str] = {}
    for key, value in tables.items():
        if isinstance(value, Mapping):
            found |= file_hashes(value)
        elif key in _FILE_KEYS and isinstance(value, str):
            path = Path(value).resolve()
            with path.open("rb") as file:
                found[str(path)] = file_digest(file, "blake2b").hexdigest()
    return found
