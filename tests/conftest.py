"""Hypothesis profiles: ``quick`` is the same on every run, ``long`` searches anew and further,
``brief`` tries a few examples, for measuring what the tests reach.

Choose with the environment variable SEAWALL_PROFILE.
"""

import os

from hypothesis import HealthCheck, settings

from engine.build_info import build_kind

_COMMON = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow],
}
settings.register_profile("quick", max_examples=50, derandomize=True, **_COMMON)
settings.register_profile("brief", max_examples=5, derandomize=True, **_COMMON)
settings.register_profile("long", max_examples=2_000, **_COMMON)
settings.load_profile(os.environ.get("SEAWALL_PROFILE", "quick"))


def pytest_report_header() -> str:
    return f"engine: {build_kind()}"
