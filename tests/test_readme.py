"""What README and docs promise: command lines run, Python examples come out as shown."""

import doctest
import re
import shlex
from pathlib import Path

import pytest

from seawall.cli import EXIT_OK, build_parser, main
from seawall.runs.run_directory import load_run

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]

SMALLER = [
    "population.retail.accounts=40",
    "population.funds.accounts=4",
    "population.hedgers.accounts=10",
    "agents.makers.count=2",
    "agents.noise.count=4",
    "agents.arbitrage.count=1",
    "agents.momentum.count=1",
    "agents.patient.count=2",
    "time.warm_up=20s",
    "time.duration=20s",
]
"""Laid on top of every run of the README, so that it takes a second."""

STAYING = ("show", "up")
"""They serve until they are stopped; tests/dashboard, tests/doors and tests/world start them."""


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def command_lines(text: str, program: str) -> list[list[str]]:
    """The lines of the shell blocks that call a program, split like a shell does."""
    lines = "".join(blocks(text, "sh")).splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [line for line in words if line and line[0] == program]


def without_figures(line: str) -> str:
    """A printed line without its numbers and hashes."""
    return re.sub(r"\b[0-9a-f]{32}\b|\d[\d,.]*|\.\.\.", "#", line.strip())


def assert_shown(printed: str) -> None:
    """The README shows the lines of a run, whatever their figures; lines for what did not happen
    in a small run may be missing here."""
    (block,) = blocks(README, "text")
    shown = [without_figures(line) for line in block.splitlines()]
    real = [without_figures(line) for line in printed.splitlines()]
    assert [line for line in real if line not in shown] == []
    assert len(real) > len(shown) - 3


def test_every_command_line_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    lines = command_lines(README, "seawall")
    printed = []
    for words in lines:
        if words[1] in STAYING:
            build_parser().parse_args(words[1:])
            continue
        smaller = [part for text in SMALLER for part in ("--set", text)]
        more = smaller if words[1] == "run" else []
        assert main([*words[1:], *more]) == EXIT_OK, capsys.readouterr().err
        printed.append(capsys.readouterr().out)
    assert_shown(printed[0])
    assert load_run("out/demo").summary["accounts"] == 54
    commands = [words[1] for words in lines]
    assert sorted(dict.fromkeys(commands)) == sorted(
        ["run", "replay", "report", "results", "data", "calc", "rulebooks", "scenarios", *STAYING]
    )


def test_every_make_target_of_the_pages_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = re.findall(r"\bmake ([a-z-]+)", "".join(blocks(README, "sh")))
    named += [name for page in PAGES for name in re.findall(r"`make ([a-z-]+)", page.read_text())]
    assert {"demo", "test", "bench-services"} <= set(named)
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_the_demo_is_what_the_readme_says() -> None:
    line = re.search(r"^\t\$\(BIN\)/seawall (run .*)$", (ROOT / "Makefile").read_text(), re.M)
    assert line is not None
    args = build_parser().parse_args(shlex.split(line[1].replace("$(OUT)", "out/demo")))
    assert (args.scenario, str(args.out)) == ("flash_crash", "out/demo")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_python_of_a_page_comes_out_as_shown(page: Path) -> None:
    code = "\n".join(blocks(page.read_text(), "python"))
    test = doctest.DocTestParser().get_doctest(code, {}, page.name, str(page), 0)
    report: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert result.failed == 0, "".join(report)


def test_every_example_is_in_the_readme() -> None:
    for path in (ROOT / "examples").glob("*.py"):
        assert f"| `{path.name}` |" in README
