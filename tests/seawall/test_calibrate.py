"""The command that measures a coin and writes a scenario for it, and that the scenario runs."""

import json
import random
from pathlib import Path

import pytest

from engine.toml_text import parse_toml
from seawall import load_scenario
from seawall.cli import EXIT_BAD_INPUT, EXIT_OK, main
from seawall.price_files.price_table import read_price_file
from seawall.scaled_fields import Scale

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "examples" / "small_crash.toml"
SHARED = ROOT.parent / "shared" / "data"
START_S = 1_760_083_200


def trades_file(directory: Path, name: str = "coin.csv", price: float = 4.0) -> Path:
    """Twelve minutes of a trade a second at a price with three decimals, a buy and a sell in turn
    one step apart, of 5 coins each."""
    rng = random.Random(2)
    lines = ["timestamp_ms,side,price,amount"]
    for second in range(12 * 60):
        price += rng.choice((-0.002, 0.002))
        side, paid = ("buy", price + 0.0005) if second % 2 else ("sell", price - 0.0005)
        lines.append(f"{(START_S + second) * 1000},{side},{paid:.3f},5")
    path = directory / name
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A scenario whose figures are those of a coin with 300 a minute and 5e-4."""
    path = tmp_path / "base.toml"
    path.write_text(
        f'extends = "{SMALL}"\n[calibrated]\nvolume_per_minute = 300\nvolatility = 0.0005\n'
        "[calm.perp]\nvolume_per_minute = 300\nvolatility = 0.0005\n"
    )
    return path


def calibrate(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main(["calibrate", *map(str, words)]) == EXIT_OK
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main(["calibrate", *map(str, words)]) == EXIT_BAD_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_what_was_measured_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = json.loads(calibrate(capsys, trades_file(tmp_path), "--json"))
    (facts,) = answer["files"]
    assert (facts["from"], facts["to"]) == ("2025-10-10T08:00:00Z", "2025-10-10T08:05:00Z")
    assert facts["rows"] == 300
    assert facts["trades_per_minute"] == 60
    assert facts["volume_per_minute"] == pytest.approx(60 * 5 * 4, rel=0.02)
    assert facts["volatility"] == pytest.approx(0.002 / 4, rel=0.5)
    assert facts["spread"] == pytest.approx(0.002 / 4, rel=0.3), "a step, and one more of the way"


def test_a_stretch_is_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--from", "2025-10-10T08:03:00Z", "--for", "2m")
    text = calibrate(capsys, trades_file(tmp_path), *words)
    assert "2025-10-10T08:03:00Z to 2025-10-10T08:05:00Z, 120 rows" in text
    assert "[calm.NAME]\nvolume_per_minute = " in text, "to be put into a scenario"


def test_the_scenario_that_is_written_is_scaled_and_runs(
    tmp_path: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = trades_file(tmp_path), tmp_path / "new.toml"
    text = calibrate(capsys, path, "--scenario", base, "--symbol", "COIN-PERP", "--out", out)
    scenario, plain = load_scenario(out), load_scenario(base)
    scale = scenario.coins.scales["perp"]
    assert 3.8 < scale.money < 4.2
    assert f"money       x {scale.money:.4g}\n" in text
    assert scenario.agents[0].settings != plain.agents[0].settings
    assert scenario.fund == round(float(plain.fund) * scale.money)

    contract = parse_toml(out.read_text())["instruments"]["perp"]
    assert contract["tick"] == "0.001", "as the prices are written"
    assert contract["lot"] == "1", "0.1 at 100 is 2.5 at 4"
    assert contract["symbol"] == "COIN-PERP"
    most = float(contract["max_qty"]) * 4
    assert most == pytest.approx(20_000 * 100 * scale.money, rel=0.01), "worth what it was"

    run = ["run", str(out), "--out", str(tmp_path / "run"), "--set", "time.duration=20s"]
    lean = ["--set", "time.warm_up=30s", "--set", "population=none"]
    assert main([*run, *lean]) == EXIT_OK


def test_the_first_file_states_the_calm_and_the_last_is_the_index(
    tmp_path: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calm, index = trades_file(tmp_path), trades_file(tmp_path, "later.csv", price=40.0)
    out = tmp_path / "new.toml"
    calibrate(capsys, calm, index, "--scenario", base, "--out", out)
    scenario = load_scenario(out)
    assert scenario.coins.scales["perp"].money == pytest.approx(4, rel=0.05)
    (source,) = scenario.indices["perp"].sources
    assert source.file is not None
    assert source.file.resolve() == index


def test_a_base_that_states_no_coin_keeps_its_figures_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new.toml"
    words = ("--scenario", "flash_crash", "--out", str(out))
    assert main(["calibrate", str(trades_file(tmp_path)), *words]) == EXIT_OK
    assert "flash_crash has no [calibrated], so its figures stay" in capsys.readouterr().err
    assert load_scenario(out).coins.scales == {"perp": Scale()}


def test_without_a_base_the_built_in_coin_is_carried_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new.toml"
    calibrate(capsys, trades_file(tmp_path), "--out", out)
    scenario, plain = load_scenario(out), load_scenario("coin_crash")
    scale = scenario.coins.scales["perp"]
    assert scale.money == pytest.approx(1_200 / 270, rel=0.05)
    assert scenario.fund == round(float(plain.fund) * scale.money)
    assert plain.fund == load_scenario("flash_crash").fund


def test_contracts_need_their_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = trades_file(tmp_path)
    path.write_text(path.read_text().replace("amount", "contracts"))
    assert "counts contracts" in refused(capsys, path)
    text = calibrate(capsys, path, "--contract-value", "10")
    assert "3,000 a minute" in text


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["nowhere.csv"], "no such file"),
        (["FILE", "--lot", "1"], "--lot: has no effect without --out"),
        (["FILE", "--max-qty", "1"], "--max-qty: has no effect without --out"),
        (["FILE", "--from", "noon"], "--from: 'noon' must be a UTC time"),
        (["FILE", "--for", "1s"], "--for: '1s' is too short; the least is 1m"),
        (
            ["FILE", "--from", "2025-10-11T08:00:00Z"],
            "from 2025-10-11T08:00:00Z to 2025-10-11T08:00:00Z: nothing was traded; the file "
            "reaches from 2025-10-10T08:00:00Z to 2025-10-10T",
        ),
        (["FILE", "--out", "NEW", "--symbol", ""], "--symbol: must not be empty"),
        (["FILE", "--contract-value", "-1"], "must be a number above 0"),
        (["FILE", "--contract-value", "ten"], "must be a number above 0"),
        (["FILE", "--out", "NEW", "--instrument", "x"], "--instrument: 'x' is unknown"),
        (["FILE", "--out", "NEW", "--lot", "0"], "--lot: '0' must be above 0"),
        (["FILE", "--out", "NEW", "--tick", "x"], "--tick: 'x' must be an exact decimal"),
        (["FILE", "--out", "NEW", "--brackets", "A/B:B"], "has no effect without ccxt_file"),
        (["FILE", "--out", "NEW", "--scenario", "nothing"], "nothing"),
        (["FILE", "--out", "FILE"], "exists already"),
    ],
)
def test_what_is_wrong_is_one_line_and_leaves_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], problem: str
) -> None:
    names = {"FILE": str(trades_file(tmp_path)), "NEW": str(tmp_path / "new.toml")}
    assert problem in refused(capsys, *(names.get(word, word) for word in words))
    assert not (tmp_path / "new.toml").exists()


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared data")
def test_a_coin_of_october_is_the_base_but_for_its_own_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = SHARED / "oct10_spot_trades" / "coinbase_DOT-USD_crash.csv.gz"
    base, out = ROOT / "examples" / "oct10_avax.toml", tmp_path / "dot.toml"
    words = ("--scenario", base, "--symbol", "DOTUSDT", "--brackets", "DOT/USDT:USDT")
    calibrate(capsys, path, *words, "--out", out)
    scenario = load_scenario(out)
    assert scenario.time == load_scenario(base).time
    assert parse_toml(out.read_text())["instruments"]["avax"]["tick"] == "0.001"
    # The command measures as the scenario does where nothing is written.
    again = load_scenario(out, {"calm.avax": "none"})
    assert again.coins.calms == scenario.coins.calms


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared data")
def test_brackets_of_an_inverse_contract_are_converted_at_the_new_coins_price(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = SHARED / "oct10_spot_trades" / "coinbase_DOT-USD_crash.csv.gz"
    base, out = ROOT / "examples" / "oct10_avax_inverse.toml", tmp_path / "dot.toml"
    calibrate(capsys, path, "--scenario", base, "--brackets", "DOT/USDT:USDT", "--out", out)
    margin = parse_toml(out.read_text())["instruments"]["avax"]["margin"]
    first = read_price_file(str(path)).prices[0][0]
    assert margin == {"ccxt_symbol": "DOT/USDT:USDT", "convert_at": f"{first:f}"}
