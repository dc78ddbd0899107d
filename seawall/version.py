"""The installed version, from the package's own metadata."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("seawall")
except PackageNotFoundError:
    __version__ = "uninstalled"
