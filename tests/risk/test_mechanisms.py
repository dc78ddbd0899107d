"""Mechanisms a rulebook names: one file adds one, and every mistake with its figures is named."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.settings import SettingFault
from risk.choices import CHOICES
from risk.registry import RATE, Figure, Mechanism, Registry
from risk.rulebook import AdlRule, FundingRule, IndexRule, MarkRule, rulebook_from_json
from risk.rules.rulebook_check import check_rulebook
from tests.market import rules

ROOT = Path(__file__).parents[2]

SCRIPT = """
import sys
import risk.marks
risk.marks.__path__.append(sys.argv[1])
from risk.prices.mark import MarkPrice
from risk.rulebook_file import RulebookError, parse_rulebook
from risk.rulebook import rulebook_from_json
from seawall.rulebook_words import rulebook_in_words
text = open("risk/rulebooks/kraken-spot.toml").read()
start = text.index("[mark]")
end = text.index("[", start + 1)
def with_mark(lines):
    return text[:start] + "[mark]\\n" + lines + "\\n" + text[end:]
file = parse_rulebook(with_mark('method = "blend"\\nweight = "0.25"'), "x")
book = file.rulebook
assert rulebook_from_json(book.to_json()) == book
print(MarkPrice(book.mark).value(0, 1000, 1010, 0, 0, 0))
words = list(rulebook_in_words(file))
print(*(words[at].strip() for at in range(words.index("Mark") + 1, words.index("Funding"), 2)))
for lines in sys.argv[2:]:
    try:
        parse_rulebook(with_mark(lines), "x")
    except RulebookError as error:
        print(error)
"""


def test_the_file_of_the_docs_adds_a_mark_with_its_figure(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "mechanisms.md").read_text()
    example = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    (tmp_path / "blend.py").write_text(example)
    mistakes = [
        'method = "blend"',
        'method = "blend"\nweight = "1.5"',
        'method = "blend"\nwieght = "0.5"',
        'method = "index"\nweight = "0.5"',
        'method = "blnd"',
        'method = "blend"\nweight = 0.5',
        'method = "blend"\nweight = "0.0000000001"',
    ]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), *mistakes],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    mark, words, *errors = done.stdout.splitlines()
    assert mark == "1002"  # 1000 + 0.25 x 10, rounded down
    assert words.startswith("The mark is the weighted mean of index and last price. ")
    assert words.endswith(" Its weight: 25 %. ")
    assert "sample" not in words
    expected = [
        "mark.weight (line 40): is missing; it must be given",
        "mark.weight (line 42): 1.5 is out of range; allowed is above 0, at most 1",
        "mark.wieght (line 42): is unknown; did you mean 'weight'?",
        "mark.weight (line 42): is unknown",
        "mark.method (line 41): 'blnd' is unknown; did you mean 'blend'?",
        "mark.weight (line 42): 0.5 is a float and not exact",
        "mark.weight (line 42): '0.0000000001' is too fine",
    ]
    assert len(errors) == len(expected)
    for error, fragment in zip(errors, expected, strict=True):
        assert re.sub(r"line \d+", "", fragment) in re.sub(r"line \d+", "", error)


@pytest.mark.parametrize("rule", ["index", "mark", "funding", "adl"])
def test_a_message_with_a_parameter_nobody_asks_for_is_refused(rule: str) -> None:
    kind = {"index": IndexRule, "mark": MarkRule, "funding": FundingRule, "adl": AdlRule}[rule]
    book = rules(**{rule: kind(params=[("wieght_ppb", 1)])})
    assert rulebook_from_json(book.to_json()) == book
    with pytest.raises(SettingFault, match=rf"^{rule}: parameter 'wieght_ppb' is unknown"):
        check_rulebook(book)


def test_a_name_is_registered_once_and_found_by_it(tmp_path: Path) -> None:
    registry: Registry[Mechanism] = Registry("mark.method", "risk.marks")
    mechanism = Mechanism("mine", (Figure("share", RATE, least="0", most="1", default="0.5"),))
    registry.add(mechanism)
    assert registry.get("mine") is mechanism
    assert mechanism.values([]) == [500_000_000]
    assert mechanism.values([("share_ppb", 3), ("other_ns", 4)]) == [3]
    with pytest.raises(ValueError, match="'mine' is registered twice"):
        registry.add(Mechanism("mine"))


def test_no_product_file_compares_with_the_name_of_a_mechanism() -> None:
    """A chain of ifs on names would be a second list of mechanisms."""
    names = {name for table in CHOICES.values() for one in table.values() for name in one.names()}
    names -= {"index", "all"}  # also a command and a layout of the services
    guilty: list[str] = []
    for path in sorted((ROOT / "risk").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                for side in [node.left, *node.comparators]:
                    if isinstance(side, ast.Constant) and side.value in names:
                        guilty.append(f"{path}:{node.lineno}: {side.value}")
    assert guilty == []
