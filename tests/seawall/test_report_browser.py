"""The report in a real browser: light and dark, wide and narrow, printed, and for everybody."""

import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.report import rebuild_report
from seawall.report.palette import DARK, LIGHT, PAGE
from seawall.runs.run import run_scenario
from tests.seawall.browser import Browser

SMALL = Path(__file__).parents[2] / "examples" / "small_crash.toml"
WIDE, NARROW = 1400, 390
Screen = tuple[int, str]
SCREENS: list[Screen] = [
    (WIDE, "light"),
    (NARROW, "dark"),
    (NARROW, "light"),
    (WIDE, "dark"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the small crash, with another seed beside it."""
    folder = tmp_path_factory.mktemp("page")
    run_scenario(SMALL, folder / "a")
    run_scenario(SMALL, folder / "b", seed=8)
    return rebuild_report(folder / "a", beside=folder / "b")


@pytest.fixture(scope="module", params=SCREENS, ids=lambda each: f"{each[0]}-{each[1]}")
def screen(browser: Browser, page: Path, request: pytest.FixtureRequest) -> Screen:
    """The page, shown."""
    browser.errors.clear()
    browser.requests.clear()
    width, scheme = request.param
    browser.show(page, width, scheme=scheme)
    return width, scheme


def colour(text: str) -> str:
    """``rgb(1, 2, 3)`` as ``#010203``."""
    return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", text)[:3])


def test_everything_is_drawn_and_nothing_is_fetched(
    browser: Browser, page: Path, screen: Screen
) -> None:
    width, scheme = screen
    text = re.search(r'id="charts">(.*?)</script>', page.read_text())
    assert text is not None
    keys = [chart["key"] for chart in json.loads(text[1])["charts"]]
    drawn = browser.run(
        "[...document.querySelectorAll('.plot')]"
        ".filter((plot) => plot.querySelector('.main-svg')).map((plot) => plot.id)"
    )
    assert len(keys) > 15 and drawn == keys
    assert browser.errors == []
    assert browser.requests == [page.as_uri()]
    # Nothing is wider than the window, and no chart than its place.
    assert browser.run("document.documentElement.scrollWidth") == width
    assert browser.run(
        "[...document.querySelectorAll('.plot')].every((plot) =>"
        " plot.querySelector('.main-svg').getBoundingClientRect().width <= plot.clientWidth)"
    )
    behind = browser.run(
        "getComputedStyle(document.querySelector('#price-0 .main-svg')).backgroundColor"
    )
    assert colour(behind) == (DARK if scheme == "dark" else LIGHT)[PAGE]


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, which looks for what keeps people out; fetched here, not kept."""
    folder = tmp_path_factory.mktemp("axe")
    if shutil.which("npm") is None:
        pytest.skip("no npm here to fetch axe-core with")
    command = ["npm", "pack", "--silent", "axe-core@4", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, check=True, timeout=120, capture_output=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("axe-core cannot be fetched here")
    (archive,) = folder.glob("axe-core-*.tgz")
    with tarfile.open(archive) as files:
        script = files.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


@pytest.mark.parametrize("screen", SCREENS[:2], indirect=True)
def test_axe_finds_nothing_that_keeps_people_out(
    browser: Browser, screen: Screen, axe: str
) -> None:
    browser.run(axe + "; 1")
    found = browser.run(
        "axe.run().then((got) => got.violations.map((each) =>"
        " [each.id, each.nodes.slice(0, 3).map((node) => node.html.slice(0, 200))]))"
    )
    assert found == []


def test_the_axes_begin_with_the_action_and_buttons_and_legends_work(
    browser: Browser, page: Path
) -> None:
    browser.show(page, WIDE)
    ranges = "['price-0', 'cascade'].map((key) => document.getElementById(key).layout.xaxis.range)"
    action = browser.run(ranges)
    assert action[0] == action[1]
    browser.run("document.querySelector('[data-range=whole]').click()")
    whole = browser.run(ranges)
    assert whole[0] == whole[1] != action[0]
    zoomed = "Plotly.relayout('price-0', {'xaxis.range[0]': 1735689610000, 'xaxis.range[1]': "
    browser.run(zoomed + "1735689620000}).then(() => 1)")
    assert browser.run(ranges)[1] == [1735689610000, 1735689620000]
    # The same page: a name in the legend hides what it names.
    names = browser.run(
        "[...document.querySelectorAll('#legend-price-0 button')].map((each) => each.textContent)"
    )
    assert names[:3] == ["Traded", "Index", "Mark"]
    browser.run("document.querySelector('#legend-price-0 button').click()")
    assert browser.run("document.getElementById('price-0').data[0].visible") == "legendonly"
    pressed = "document.querySelector('#legend-price-0 button').getAttribute('aria-pressed')"
    assert browser.run(pressed) == "false"


def test_the_printed_page_is_light_and_as_wide_as_paper(browser: Browser, page: Path) -> None:
    browser.show(page, WIDE, scheme="dark")
    browser.run("window.dispatchEvent(new Event('beforeprint'))")
    drawn = "document.querySelector('#price-0 .main-svg')"
    width = browser.run(f"{drawn}.getBoundingClientRect().width")
    behind = browser.run(f"getComputedStyle({drawn}).backgroundColor")
    browser.run("window.dispatchEvent(new Event('afterprint'))")
    assert width < 700
    assert colour(behind) == LIGHT[PAGE]
    sheets = browser.printed()
    assert sheets.startswith(b"%PDF") and len(sheets) > 50_000
