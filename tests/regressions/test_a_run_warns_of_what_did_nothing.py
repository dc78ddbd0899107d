"""A source that was left out as stray, a file that ended before the run, accounts whose money did
not reach for one order: the run said nothing, and its figures were of another experiment.
"""

from pathlib import Path

import pytest

from risk.prices.index_price import Index
from risk.rulebook import IndexRule
from seawall.cli import EXIT_OK, main
from seawall.runs.run_directory import load_run
from tests.market import ppb

START_S = 1_735_689_600

SCENARIO = """
rulebook = "teaching-default"
[time]
warm_up = "20s"
start = "2025-01-01T00:00:00Z"
duration = "300s"
[assets.usd]
symbol = "USDT"
[instruments.perp]
symbol = "X-PERP"
tick = "0.01"
lot = "0.1"
[index.perp.sources.one]
kind = "anchored"
anchors = [["0s", 100], ["300s", 99]]
[index.perp.sources.two]
kind = "follow"
of = "one"
[population.people]
accounts = 4
wealth = {{ kind = "pareto", bounds = [1000, 2000] }}
[agents.makers]
kind = "market_maker"
capital = 100000
size = 1000
{more}
"""


def warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str], more: str = "") -> list[str]:
    """The warnings of a run, the same in summary, terminal and report."""
    file, out = tmp_path / "s.toml", tmp_path / "out"
    file.write_text(SCENARIO.format(more=more))
    assert main(["run", str(file), "--out", str(out)]) == EXIT_OK
    found: list[str] = load_run(out).summary["warnings"]
    said = capsys.readouterr().err
    assert said.splitlines() == [f"seawall: warning: {text}" for text in found]
    page = (out / "report.html").read_text().partition("<nav>")[0]
    assert (">Warnings<" in page) is bool(found)
    assert all(text.partition(":")[0] in page for text in found)
    return found


def prices(tmp_path: Path, seconds: range) -> str:
    rows = "".join(f"{(START_S + second) * 10**6},100\n" for second in seconds)
    (tmp_path / "mine.csv").write_text("timestamp_us,price\n" + rows)
    return '[index.perp.sources.mine]\nkind = "trades_csv"\nfile = "mine.csv"\n'


def test_a_run_in_which_everything_counts_has_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert warnings(tmp_path, capsys) == []
    assert load_run(tmp_path / "out").summary["entered"] == 4


def test_a_source_the_others_outvote_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """79,000 among two at 100; in the warm-up all sources follow the first."""
    far = '[index.perp.sources.mine]\nkind = "anchored"\nanchors = [["0s", 79000], ["300s", 79000]]'
    (found,) = warnings(tmp_path, capsys, far)
    assert found.startswith("index.perp.sources.mine never counted")


def test_a_source_that_counts_now_and_then_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = (
        '[index.perp.sources.mine]\nkind = "follow"\nof = "one"\nsilences = [["5s", "300s"]]\n'
        "[rulebook_overrides.index]\nstale_s = 5\n"
    )
    (found,) = warnings(tmp_path, capsys, silent)
    assert found.startswith("index.perp.sources.mine counted at 10 of 300 ticks only")


@pytest.mark.parametrize(
    ("seconds", "part"),
    [
        (range(301), None),
        (range(-50, 400), None),
        (range(250), None),
        (range(150), "mine.csv (source mine) ends 151 s before the path does"),
        (range(150, 301), "mine.csv (source mine) begins 150 s after the path does"),
        ([*range(50), *range(190, 301)], "has 1 holes; the longest is 141 s"),
    ],
)
def test_a_file_that_does_not_cover_the_window_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seconds: range, part: str | None
) -> None:
    found = warnings(tmp_path, capsys, prices(tmp_path, seconds))
    about = [text for text in found if "mine.csv" in text]
    assert len(about) == (part is not None)
    if part is not None:
        assert part in about[0]


def test_candles_narrower_than_the_clock_sees_are_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{(START_S + second) * 1_000},100,101,99,100\n" for second in range(301))
    (tmp_path / "mine.csv").write_text("open_time_ms,open,high,low,close\n" + rows)
    more = '[index.perp.sources.mine]\nkind = "candles_csv"\nfile = "mine.csv"\n'
    (found,) = warnings(tmp_path, capsys, more)
    assert "has candles of 1 s, and a clock of 1 s does not see their highs and lows" in found


@pytest.mark.parametrize("odd_ms", [1_000, 1, 3_999])
def test_one_candle_narrower_than_the_clock_sees_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], odd_ms: int
) -> None:
    """Its low was lost without a word, as the others were wide enough."""
    starts = [(START_S + 60 * number) * 1_000 for number in range(6)]
    starts.insert(3, starts[2] + odd_ms)
    rows = "".join(f"{start},100,101,{80 if start == starts[2] else 99},100\n" for start in starts)
    (tmp_path / "mine.csv").write_text("open_time_ms,open,high,low,close\n" + rows)
    more = '[index.perp.sources.mine]\nkind = "candles_csv"\nfile = "mine.csv"\n'
    (found,) = warnings(tmp_path, capsys, more)
    assert "has 1 candles narrower than 4 s, and a clock of 1 s does not see their" in found


def test_accounts_that_cannot_afford_one_order_are_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0.1 contracts at 100 are worth 10; with 5x, 1 is not enough for them."""
    poor = (
        '[population.poor]\naccounts = 3\nwealth = { kind = "pareto", bounds = [1, 1.1] }\n'
        '[agents.small]\nkind = "noise"\ncapital = 1\nsize = 1\ncount = 2\n'
    )
    found = warnings(tmp_path, capsys, poor)
    assert found == [
        "population.poor: 3 of 3 accounts could never trade: their money does not reach for the "
        "least order, 0.1 X-PERP at 100",
        "agents.small: 2 of 2 accounts could never trade: their money does not reach for the "
        "least order, 0.1 X-PERP at 100",
    ]
    assert load_run(tmp_path / "out").summary["entered"] == 4


@pytest.mark.parametrize("kind", ["noise", "market_maker", "arbitrageur", "momentum", "latent"])
@pytest.mark.parametrize("capital", ["0", "1e-7", "1e-320"])
def test_agents_without_money_stand_idle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, capital: str
) -> None:
    """Makers and noise traders divided by their capital."""
    size = {"latent": "depth = 1000", "arbitrageur": "clip = 1000", "momentum": "clip = 1000"}
    more = f'[agents.poor]\nkind = "{kind}"\ncapital = {capital}\n{size.get(kind, "size = 1000")}'
    assert warnings(tmp_path, capsys, more) == [
        "agents.poor: 1 of 1 accounts could never trade: their money does not reach for the "
        "least order, 0.1 X-PERP at 100"
    ]


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("noise", "size = 0"),
        ("market_maker", "size = 0"),
        ("arbitrageur", "clip = 0"),
        ("arbitrageur", "clip = 9.9"),
        ("momentum", "clip = 0"),
        ("latent", "depth = 0"),
    ],
)
def test_agents_whose_orders_are_less_than_the_least_are_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, size: str
) -> None:
    more = f'[agents.idle]\nkind = "{kind}"\ncapital = 100000\n{size}'
    (found,) = warnings(tmp_path, capsys, more)
    assert found.startswith("agents.idle: 1 of 1 accounts could never trade")
    assert found.endswith("their orders do not reach for the least order, 0.1 X-PERP at 100")


def test_accounts_that_could_but_never_did_are_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Makers whose levels are smaller than a lot leave nobody to trade with."""
    lots = "[rulebook_overrides.fees]\ntaker = '0.001'\n"
    file = tmp_path / "s.toml"
    file.write_text(SCENARIO.format(more=lots).replace("size = 1000\n", "size = 0.1\nlevels = 1\n"))
    assert main(["run", str(file), "--out", str(tmp_path / "out")]) == EXIT_OK
    said = capsys.readouterr().err
    assert "population.people: 4 of 4 accounts never traded" in said
    assert "agents.makers: 1 of 1 accounts never traded" in said


def test_what_counts_is_neither_stale_nor_stray() -> None:
    index = Index(IndexRule(stale_ns=60, outlier_ppb=ppb("0.05")))
    assert index.counting(0) == []
    index.update(7, 100, 0)
    assert (index.counting(60), index.counting(61)) == ([7], [])
    index.update(8, 101, 50)
    index.update(9, 150, 50)
    assert index.counting(60) == [7, 8]
    assert index.counting(61) == [8, 9]  # of two that disagree, both count
    assert index.counting(200) == []


@pytest.mark.parametrize("decimals", [6, 12])
def test_orders_beyond_what_can_be_counted_are_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], decimals: int
) -> None:
    """At its lowest price, a tick, a lot is a hundred coins: with twelve decimals the quanta of
    23,058 lots can be counted, and two ladders ask for more."""
    changes = {
        'symbol = "USDT"': f'symbol = "COIN"\ndecimals = {decimals}',
        "[instruments.perp]": '[instruments.perp]\nkind = "inverse"',
        'lot = "0.1"': "lot = 1",
        "300s": "20s",
    }
    text = SCENARIO.format(more="")
    for old, new in changes.items():
        text = text.replace(old, new)
    file = tmp_path / "s.toml"
    file.write_text(text)
    assert main(["run", str(file), "--light"]) == EXIT_OK
    said = capsys.readouterr().err
    assert ("orders were refused (agents.makers " in said) is (decimals == 12)
    assert ("lots; at most 23058; fewer decimals" in said) is (decimals == 12)
