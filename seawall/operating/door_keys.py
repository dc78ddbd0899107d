"""`seawall keys`: a new API key in a file of keys."""

import argparse
from pathlib import Path

from doors.keys.key_file import add_key, new_key
from engine.services.service_config import ConfigError


def keys(arguments: argparse.Namespace) -> int:
    """`seawall keys FILE NAME --account ID`; returns the exit code.

    Raises:
        ConfigError: an argument or the file cannot be used.
    """
    pem = ""
    if arguments.ed25519:
        try:
            pem = Path(arguments.ed25519).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{arguments.ed25519}: cannot be read: {error}") from None
    rights = [right.strip() for right in arguments.rights.split(",") if right.strip()]
    key = new_key(arguments.account, rights, pem)
    add_key(Path(arguments.file), arguments.name, key)
    print(f"key     {key.key}")
    print(f"secret  {key.secret}" if key.secret else "signs with its Ed25519 key")
    print(f"account {key.account}, rights {', '.join(key.rights)}; {arguments.file} has mode 600")
    return 0
