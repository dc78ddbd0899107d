"""The files of others that the page loads: what npm has, with licence, and nothing else."""

import hashlib
import re
import tomllib
from pathlib import Path

STATIC = Path(__file__).parents[2] / "dashboard" / "static"
VENDOR = STATIC / "vendor"
PACKAGES = tomllib.loads((VENDOR / "vendor.toml").read_text())["packages"]


def test_every_file_is_listed_with_its_hash() -> None:
    listed = {"vendor.toml"}
    for package in PACKAGES:
        folder = f"{package['name']}-{package['version']}"
        for name, wanted in package["sha256"].items():
            path = VENDOR / folder / name
            assert hashlib.sha256(path.read_bytes()).hexdigest() == wanted, path
            listed.add(f"{folder}/{name}")
    there = {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()}
    assert there == listed


def test_every_package_has_its_licence_and_the_page_its_notice() -> None:
    page = (STATIC / "index.html").read_text()
    for package in PACKAGES:
        folder = VENDOR / f"{package['name']}-{package['version']}"
        assert (folder / "LICENSE").read_text().strip()
        for notice in folder.glob("NOTICE"):
            assert "TradingView, Inc." in notice.read_text()
            assert "TradingView, Inc." in page and 'href="https://www.tradingview.com/"' in page


def test_the_page_loads_nothing_from_elsewhere() -> None:
    for path in (*STATIC.glob("*.*"), *(STATIC / "js").iterdir()):
        text = path.read_text()
        for address in re.findall(r"""(?:src|from|import)\s*=?\s*["']([^"']+)["']""", text):
            assert not re.match(r"\w+:|//", address), f"{path.name}: {address}"
        assert "innerHTML" not in text, f"{path.name} makes elements of text"
