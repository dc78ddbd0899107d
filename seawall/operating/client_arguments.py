"""The gateway's address and the client's key: the arguments `seawall watch` and `admin` share."""

import argparse

from gateway.client import Address
from gateway.serve import read_config


def address_of(arguments: argparse.Namespace) -> Address:
    """What the command line says, over the settings of the services' file.

    Raises:
        ConfigError: the file cannot be used.
        ValueError: keys are incomplete.
    """
    config = read_config(arguments.config)
    clock = config.clock
    given = (
        arguments.commands or config.gateway.commands,
        arguments.market_data or config.gateway.market_data,
        arguments.server_public or clock.server_public,
        arguments.public or clock.public,
        arguments.secret or clock.secret,
    )
    keys = given[2:]
    if any(keys) and not all(len(key) == 40 for key in keys):
        raise ValueError(
            "keys: server-public, public and secret belong together, 40 characters each"
        )
    return Address(*given)
