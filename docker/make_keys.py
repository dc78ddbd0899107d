"""Makes the two secret files of compose.yaml: keys.toml for the gateway, clock.toml for the clock.

``python docker/make_keys.py`` writes them beside this file and prints the keys of a first client
that may do everything. Existing files are left alone.
"""

import sys
from pathlib import Path

from gateway.rights.keys import new_pair

KEYS = """\
# Who may come in. See docs/services.md.
[server]
public = "{server_public}"
secret = "{server_secret}"

[clients.clock]
public = "{clock_public}"
rights = ["admin"]

[clients.operator]
public = "{operator_public}"
rights = ["admin", "trade", "read", "withdraw"]
"""

CLOCK = """\
# Settings of the clock. With [[clock.index]] and [[clock.asset]] tables it publishes prices too.
run_dir = "/var/lib/seawall"
layout = "separate"

[gateway]
commands = "tcp://gateway:7400"
market_data = "tcp://gateway:7401"

[clock]
tick_ms = 1000
server_public = "{server_public}"
public = "{clock_public}"
secret = "{clock_secret}"
"""


def write_secret(path: Path, text: str) -> None:
    """Write a file only its owner may read.

    Raises:
        FileExistsError: it is there already.
    """
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text)


def main(folder: Path) -> int:
    """Make the files; 1 when one is there already."""
    there = [name for name in ("keys.toml", "clock.toml") if (folder / name).exists()]
    if there:
        print(f"{folder / there[0]} exists; nothing was written", file=sys.stderr)
        return 1
    names = ("server", "clock", "operator")
    keys = {}
    for name in names:
        keys[f"{name}_public"], keys[f"{name}_secret"] = new_pair()
    write_secret(folder / "keys.toml", KEYS.format_map(keys))
    write_secret(folder / "clock.toml", CLOCK.format_map(keys))
    print(f"server public key:   {keys['server_public']}")
    print(f"operator public key: {keys['operator_public']}")
    print(f"operator secret key: {keys['operator_secret']}")
    print(
        f"Give the files to the user of the containers: chown 10001:10001 "
        f"{folder}/keys.toml {folder}/clock.toml"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent))
