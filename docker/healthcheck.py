#!/usr/bin/env python3
"""Exit 0 when the service in this container is ready, by its own metrics; 1 when it is not.

The port is that of the service's metrics, in SEAWALL_METRICS_PORT.
"""

import os
import sys
import urllib.request

READY = "seawall_service_ready 1.0"
TIMEOUT_SECONDS = 2


def main() -> int:
    """Ask once."""
    port = os.environ.get("SEAWALL_METRICS_PORT", "7410")
    url = f"http://127.0.0.1:{port}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
            lines = answer.read().decode().splitlines()
    except OSError as error:
        print(f"{url}: {error}")
        return 1
    if READY not in lines:
        print(f"{url}: the service is not ready")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
