"""A build without tools leaves the engine plain and says so; one that fails to compile ends."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.build_info import build_kind
from seawall.version import build_words

ROOT = Path(__file__).resolve().parent.parent
BUILD_FILES = ("setup.py", "setup_messages.py", "pyproject.toml")
PACKAGES = ("engine", "matching", "risk", "gateway", "doors", "seawall", "dashboard")
NO_COMPILER = "there is no C compiler 'no-such-compiler'"


def build(
    folder: Path, *arguments: str | Path, **settings: str
) -> "subprocess.CompletedProcess[str]":
    """Run ``setup.py`` in a folder; ``settings`` are environment variables."""
    environment = {name: text for name, text in os.environ.items() if name != "SEAWALL_COMPILE"}
    return subprocess.run(
        [sys.executable, "setup.py", "--quiet", *arguments],
        cwd=folder,
        env=environment | settings,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """The build's files and packages with nothing in them."""
    for name in BUILD_FILES:
        shutil.copy(ROOT / name, tmp_path)
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    return tmp_path


def test_without_a_compiler_the_build_falls_back_with_one_line(empty: Path) -> None:
    done = build(empty, "build", CC="no-such-compiler")
    assert done.returncode == 0, done.stderr
    notices = [line for line in done.stderr.splitlines() if line.startswith("seawall:")]
    assert notices == [f"seawall: the engine will run as plain Python ({NO_COMPILER})"]


def test_without_a_compiler_a_compiled_build_that_is_asked_for_is_an_error(empty: Path) -> None:
    done = build(empty, "build", CC="no-such-compiler", SEAWALL_COMPILE="1")
    assert done.returncode != 0
    assert f"SEAWALL_COMPILE=1, but the engine cannot be compiled: {NO_COMPILER}" in done.stderr


def test_an_installed_plain_engine_says_why_it_is_plain(tmp_path: Path) -> None:
    libraries = tmp_path / "libraries"
    arguments = ["egg_info", "--egg-base", tmp_path, "build"]
    arguments += ["--build-base", tmp_path, "--build-lib", libraries]
    done = build(ROOT, *arguments, CC="no-such-compiler")
    assert done.returncode == 0, done.stderr
    shown = subprocess.run(
        [sys.executable, "-P", "-m", "seawall.cli", "--version"],
        env={**os.environ, "PYTHONPATH": str(libraries)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.fullmatch(rf"seawall \S+ \(interpreted: {NO_COMPILER}\)\n", shown.stdout)


def test_the_reason_of_an_earlier_plain_build_goes_with_it(empty: Path) -> None:
    assert build(empty, "build", "--build-lib", "out", SEAWALL_COMPILE="0").returncode == 0
    note = empty / "out" / "seawall" / "why_plain.txt"
    assert note.read_text() == "SEAWALL_COMPILE was 0 when it was installed"
    assert build(empty, "build_py", "--build-lib", "out").returncode == 0
    assert not note.exists()


def test_an_engine_with_its_sources_gives_no_reason(tmp_path: Path) -> None:
    assert build_words(tmp_path) == build_kind()


def test_a_module_that_cannot_be_compiled_ends_the_build(empty: Path) -> None:
    pytest.importorskip("mypyc")
    for name in ("commands", "events", "internal"):
        (empty / "engine" / f"{name}.py").touch()
    done = build(empty, "build", CC=sys.executable)
    assert done.returncode != 0
    assert "seawall: the engine cannot be compiled: mypyc failed" in done.stderr
    assert "SEAWALL_COMPILE=0 installs it as plain Python." in done.stderr


@pytest.mark.slow
def test_a_c_compiler_that_fails_ends_the_build(empty: Path) -> None:
    pytest.importorskip("mypyc")
    (empty / "engine" / "native.py").write_text("def mypyc_attr(**_): return lambda kind: kind\n")
    (empty / "engine" / "native_message.py").write_text("class NativeMessage: ...\n")
    for name in ("commands", "events", "internal"):
        (empty / "engine" / f"{name}.py").touch()
    setup = (empty / "setup.py").read_text()
    few = re.sub(
        r"COMPILED = \[.*?\n\]", 'COMPILED = ["engine/native_message.py"]', setup, flags=re.S
    )
    (empty / "setup.py").write_text(few)
    done = build(empty, "build", CC="false")
    assert done.returncode != 0
    assert "seawall: the engine cannot be compiled: the C compiler failed" in done.stderr
    assert "SEAWALL_COMPILE=0 installs it as plain Python." in done.stderr
