"""The command lines of `seawall door` and `seawall keys`."""

from typing import Any, Final

from gateway.protocol import RIGHTS
from seawall.operating.services_arguments import action_of

_DOOR_EPILOG: Final[str] = """\
Trading programs reach the exchange there as if it were Binance's USD-M futures: docs/doors.md says
how each of them is pointed at it. `seawall up` runs the door itself when the settings have [door].
It needs the extra doors: pip install 'seawall[doors]'.

examples:
  seawall up --config examples/doors.toml
  seawall door --config services.toml

exit status: 0 stopped as told; 1 no gateway answers; 2 the settings cannot be used.
"""

_KEYS_EPILOG: Final[str] = """\
The file is made with mode 600 and named in the settings as door.keys; a running door looks at it
again within a second. Key and secret are printed once. With --ed25519 the client keeps the private
half, and only the public one stands in the file.

examples:
  seawall keys door_keys.toml my-bot --account 100
  seawall keys door_keys.toml reader --account 100 --rights read
  seawall keys door_keys.toml signer --account 101 --ed25519 public.pem
"""


def add_door(add: Any, commands: Any) -> None:
    """Add the commands; ``add`` makes one as `seawall.cli` makes all of them."""
    door = add(
        commands,
        "door",
        "let trading programs in over HTTP and WebSocket",
        "Runs the door for trading programs beside a running exchange, until Ctrl-C.",
        _DOOR_EPILOG,
    )
    door.add_argument("--config", metavar="FILE", help="TOML file with the settings")
    door.set_defaults(action=action_of("door", "door"))
    keys = add(
        commands,
        "keys",
        "make an API key for the door",
        "Puts a new API key into a file of keys, and prints it with its secret.",
        _KEYS_EPILOG,
    )
    keys.add_argument("file", help="the file of API keys")
    keys.add_argument("name", help="what the key is called in the file")
    keys.add_argument("--account", type=int, required=True, help="whose orders it places")
    keys.add_argument(
        "--rights",
        default="read,trade",
        help=f"separated by commas, of {', '.join(RIGHTS)} (default: read,trade)",
    )
    keys.add_argument("--ed25519", metavar="PEM", help="file with the public key it signs with")
    keys.set_defaults(action=action_of("door_keys", "keys"))
