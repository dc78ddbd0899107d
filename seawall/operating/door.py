"""`seawall door`: the door for trading programs, in the foreground."""

import argparse
from importlib.util import find_spec

from engine.services.service_config import ConfigError


def require_aiohttp() -> None:
    """Refuse a door where what it is made of is not installed.

    Raises:
        ConfigError: it is not.
    """
    missing = [name for name in ("aiohttp", "cryptography") if find_spec(name) is None]
    if missing:
        raise ConfigError(f"door: needs {missing[0]}: pip install 'seawall[doors]'")


def door(arguments: argparse.Namespace) -> int:
    """`seawall door [--config FILE]`; returns the exit code.

    Raises:
        ConfigError: what it is made of is not installed.
    """
    require_aiohttp()
    from doors.serve import serve

    return serve(arguments.config)
