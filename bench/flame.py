"""A flame graph of the pipeline, sampled by py-spy (`pip install py-spy`), compiled code included.

``PYTHONPATH=build/compiled:. python -P -m bench.flame --picture docs/flame.svg``
"""

import argparse
import os
import shutil
import signal
import subprocess
from collections import deque
from pathlib import Path
from time import sleep

from bench.cases import pipeline_exchange
from engine.build_info import build_kind
from engine.commands import Command
from seawall.exchange import Exchange

WARM_UP_S = 2.0
"""Until py-spy has attached; nothing runs meanwhile."""


def run_commands(exchange: Exchange, commands: list[Command]) -> None:
    """What is sampled."""
    for command in commands:
        exchange.send(command)


def main() -> None:
    """Prepare the worlds, then run them while py-spy looks on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, required=True, help="SVG file to write")
    parser.add_argument("--worlds", type=int, default=12, help="runs of the flow (12)")
    args = parser.parse_args()
    profiler = shutil.which("py-spy")
    if profiler is None:
        parser.error("py-spy is not installed")
    worlds = [pipeline_exchange(small=False) for _ in range(args.worlds)]
    for exchange, _ in worlds:
        exchange.subscribe(deque(maxlen=1).append)
    command = [profiler, "record", "--native", "--function", "--rate", "250"]
    command += ["--pid", str(os.getpid()), "--output", str(args.picture)]
    with subprocess.Popen(command) as sampling:
        sleep(WARM_UP_S)
        for exchange, commands in worlds:
            run_commands(exchange, commands)
        sampling.send_signal(signal.SIGINT)
    # The picture names the command it was made by, with this machine's paths in it.
    text = args.picture.read_text()
    args.picture.write_text(text.replace(" ".join(command), "python -P -m bench.flame"))
    print(f"{build_kind()} engine, {args.picture}")


if __name__ == "__main__":
    main()
