"""A finished run in the browser: ``python -m dashboard.show``, which `seawall show` becomes."""

import argparse
import asyncio
import sys
from pathlib import Path

from dashboard.pages import Pages
from dashboard.playback import Player, Recording
from dashboard.serve import run_pages
from engine.services.service_config import LOOPBACK
from gateway.serve import UNUSABLE
from seawall.runs.run_directory import load_run


def show(directory: Path, port: int) -> None:
    """Serve a run's page until Ctrl-C or SIGTERM, and print its address.

    Raises:
        RunDirectoryError: the run cannot be read.
        OSError: the port cannot be bound.
    """
    recording = Recording(load_run(directory))
    pages = Pages(lambda: Player(recording), LOOPBACK)

    def say(where: str) -> None:
        print(f"{recording.title}: {where}  (Ctrl-C ends it)", flush=True)

    asyncio.run(run_pages(pages.application(), LOOPBACK[0], port, lambda: None, say))


def main() -> int:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="python -m dashboard.show")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    try:
        show(arguments.directory, arguments.port)
    except ValueError as error:
        print(f"seawall: {error}", file=sys.stderr)
        return UNUSABLE
    except OSError as error:
        print(f"seawall: port {arguments.port}: {error.strerror or error}", file=sys.stderr)
        return UNUSABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
