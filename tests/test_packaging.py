"""What an installed Seawall brings along: types for its users, and everything the pages promise."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("engine", "matching", "risk", "gateway", "doors", "seawall", "dashboard")

USER = """
from engine.commands import BUY, SubmitOrder
from risk.rulebook_file import load_rulebook

reveal_type(load_rulebook("teaching-default"))
SubmitOrder(time_ns="soon", account_id=1, order_id=1, instrument_id=1, side=BUY, qty_lots=1)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the packages as a plain wheel would install them."""
    base = tmp_path_factory.mktemp("installed")
    home = base / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    (libraries,) = home.glob("lib/python*/site-packages")
    (libraries / "others.pth").write_text(str(Path(msgspec.__file__).parents[1]))
    command = ["setup.py", "--quiet", "egg_info", "--egg-base", base]
    command += ["build_py", "--build-lib", libraries]
    environment = os.environ | {"SEAWALL_COMPILE": "0"}
    subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, check=True)
    return home


def test_the_packages_come_with_their_types(installed: Path) -> None:
    (libraries,) = installed.glob("lib/python*/site-packages")
    for package in PACKAGES:
        assert (libraries / package / "__init__.py").exists()
        assert (libraries / package / "py.typed").exists(), package


def test_the_page_comes_with_all_its_files(installed: Path) -> None:
    (libraries,) = installed.glob("lib/python*/site-packages")
    static = Path("dashboard", "static")
    wanted = {path.relative_to(ROOT) for path in (ROOT / static).rglob("*") if path.is_file()}
    found = {path.relative_to(libraries) for path in (libraries / static).rglob("*")}
    assert len(wanted) > 10 and wanted <= found, wanted - found


def test_the_report_s_files_come_along(installed: Path) -> None:
    (libraries,) = installed.glob("lib/python*/site-packages")
    here = ROOT / "seawall" / "report" / "assets"
    assert len(list(here.iterdir())) >= 5
    for file in here.iterdir():
        there = libraries / file.relative_to(ROOT)
        assert there.read_bytes() == file.read_bytes()


def test_a_users_script_is_checked_against_the_types(installed: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(USER)
    command = [sys.executable, "-m", "mypy", "--python-executable", installed / "bin" / "python"]
    command += ["--cache-dir", tmp_path / "cache", "--config-file=", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert 'Revealed type is "risk.rulebook_file.RulebookFile"' in done.stdout, done.stdout
    assert 'incompatible type "str"; expected "int"' in done.stdout
    assert "py.typed" not in done.stdout  # how mypy calls packages whose types it may not read


def test_the_changelog_begins_with_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert versions[0] == version


def test_every_file_that_contributing_names_is_there() -> None:
    named = re.findall(r"`([\w/-]+(?:\.\w+|/))`", (ROOT / "CONTRIBUTING.md").read_text())
    files = [name for name in named if "/" in name or name.endswith((".py", ".md"))]
    assert len(files) > 50
    for name in files:
        assert (ROOT / name).exists(), name
