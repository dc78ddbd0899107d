"""The page in a real browser: live and played back, wide and narrow, dark and light."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("aiohttp", reason="the page needs the extra [doors]")

from tests.dashboard.run_world import ROOT, small_run
from tests.seawall.browser import Browser
from tests.services.endpoints import free_port
from tests.services.supervised import Running

PATIENCE_S = 60
SCENARIO = str(ROOT / "examples" / "small_crash.toml")
WIDE, NARROW = 1_400, 390

DRAWN = (
    "document.querySelector('#candles canvas') && document.querySelectorAll('.uplot').length == 4"
)
ROWS = "document.querySelectorAll('#accounts tbody tr').length"
STATE = "document.getElementById('state').textContent"


@pytest.fixture
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


def require_quiet(browser: Browser, address: str) -> None:
    """No error was logged, and no request left the page."""
    assert browser.errors == []
    elsewhere = [url for url in browser.requests if not url.startswith((address, "about:"))]
    assert browser.requests and not elsewhere


def background(browser: Browser) -> str:
    found: str = browser.run("getComputedStyle(document.body).backgroundColor")
    return found


def test_the_running_exchange_is_shown_until_it_stops(browser: Browser, tmp_path: Path) -> None:
    arguments = ("--scenario", SCENARIO, "--speed", "10", "--dashboard", str(free_port()))
    with Running(tmp_path, tables="", arguments=arguments) as up:
        said = next(line for line in up.lines if line.startswith("dashboard: http"))
        address = said.partition(" ")[2]
        browser.show(address, WIDE, scheme="dark")
        browser.wait_for(f"{STATE} == 'connected' && {ROWS} > 5 && {DRAWN}")
        dark = background(browser)
        browser.run("document.querySelector('#accounts tbody tr').click()")
        browser.wait_for("document.getElementById('legend').textContent.startsWith('account ')")
        browser.run(
            "const a = document.getElementById('account-id'); a.value = '101';"
            "a.dispatchEvent(new Event('change'))"
        )
        browser.wait_for("document.getElementById('chosen').textContent.includes('Account 101')")
        browser.run(
            "const b = document.getElementById('account-id'); b.value = '999999';"
            "b.dispatchEvent(new Event('change'))"
        )
        browser.wait_for(
            "document.getElementById('legend').textContent == 'account 999999: 102 unknown account'"
        )
        browser.wait_for("document.querySelectorAll('#tape li').length > 5")
        services = browser.run("document.getElementById('services').textContent")
        assert "all works" in services and "world works" in services
        browser.wait_for("document.getElementById('scenario').textContent.includes('falls 26.0%')")
        browser.show(address, NARROW, scheme="light")
        browser.wait_for(f"{ROWS} > 5 && {DRAWN}")
        assert browser.run("document.documentElement.scrollWidth") == NARROW
        assert background(browser) != dark
        browser.run("document.getElementById('theme').click()")
        assert background(browser) == dark
        require_quiet(browser, address)
        steered = next(line for line in up.lines if "#key=" in line).rpartition(" ")[2]
        assert browser.run("document.getElementById('steering').hidden")
        browser.show("about:blank", WIDE)
        browser.show(steered, WIDE)
        browser.wait_for("!document.getElementById('living').hidden")
        browser.run("document.getElementById('pause').click()")
        browser.wait_for("document.getElementById('steered').textContent == 'done'")
        browser.wait_for("document.getElementById('scenario').textContent.includes('paused')")
        require_quiet(browser, address)
        up.child.terminate()
        assert up.child.wait(PATIENCE_S) == 0
        browser.wait_for(f"{STATE} == 'not connected'")
    assert up.errors.read_text() == ""


def test_a_finished_run_is_played_and_sought_in(browser: Browser, tmp_path: Path) -> None:
    run = small_run(tmp_path)
    command = ["-m", "seawall.cli", "show", str(run.path), "--port", str(free_port())]
    shown = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert shown.stdout is not None
        address = shown.stdout.readline().split()[2]
        browser.show(address, WIDE)
        browser.wait_for(f"{STATE} == 'connected' && {DRAWN}")
        assert not browser.run("document.getElementById('playback').hidden")
        at = run.scenario.start_ns // 10**9 + 100
        browser.run(
            f"const s = document.getElementById('slider'); s.value = {at};"
            "s.dispatchEvent(new Event('change'))"
        )
        browser.wait_for("document.getElementById('clock').textContent == '2025-01-01 00:01:40'")
        browser.wait_for("document.querySelectorAll('#tape li').length > 5")
        browser.run("document.getElementById('play').click()")
        browser.wait_for("document.getElementById('clock').textContent > '2025-01-01 00:01:45'")
        assert browser.run("document.getElementById('play').textContent") == "Pause"
        require_quiet(browser, address)
    finally:
        shown.send_signal(signal.SIGINT)
        errors = shown.communicate(timeout=PATIENCE_S)[1]
    assert (shown.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "nowhere"], "seawall: nowhere: no such run directory"),
        (["show", "tests"], "seawall: tests: not a complete run: summary.json is missing"),
        (["up", "--dashboard", "0"], "seawall: --dashboard 0: allowed are 1 to 65535"),
        (["up", "--dashboard", "70000"], "seawall: --dashboard 70000: allowed are 1 to 65535"),
    ],
)
def test_what_cannot_be_shown_is_a_line(arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "seawall.cli", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith(said)


def test_a_port_that_is_taken_is_a_line(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    with Running(tmp_path / "up", tables="", arguments=("--dashboard", str(free_port()))) as up:
        port = next(line for line in up.lines if "http" in line).rstrip("/").rpartition(":")[2]
        command = [sys.executable, "-m", "seawall.cli", "show", str(run.path), "--port", port]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 2
        [line] = done.stderr.splitlines()
        assert line.startswith(f"seawall: port {port}: ") and "in use" in line
