"""The installed version, from the package's own metadata, and how its engine runs."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from engine.build_info import build_kind

try:
    __version__ = version("seawall")
except PackageNotFoundError:
    __version__ = "uninstalled"


def build_words(package: Path = Path(__file__).parent) -> str:
    """``compiled`` or ``interpreted``; with the reason where an installation could not compile."""
    why = package / "why_plain.txt"
    if build_kind() == "interpreted" and why.exists():
        return f"interpreted: {why.read_text(encoding='utf-8')}"
    return build_kind()
