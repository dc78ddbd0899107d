"""`seawall admin` on a running exchange: every command as a user types it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.commands import BUY, SELL, SubmitOrder
from gateway.client import Client
from seawall.cli import main
from tests.services.supervised import Running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("admin")
    with Running(folder, tables="") as up:
        yield up


def test_a_market_is_made_used_and_looked_at(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--commands", running.address.commands, "--market-data", running.address.market_data]

    def admin(*words: str) -> tuple[int, str, str]:
        status = main(["admin", *where, *words])
        said = capsys.readouterr()
        return status, said.out, said.err

    for words in (
        ("add-asset", "USDT", "--decimals", "6"),
        ("set-rulebook", "teaching-default"),
        ("add-instrument", "WAVE-PERP", "--tick", "0.01", "--lot", "0.1", "--index", "100"),
        ("open", "100", "--count", "3", "--deposit", "USDT=1000"),
        ("deposit", "102", "USDT", "0.5"),
        ("withdraw", "100", "USDT", "250"),
        ("deposit", "fund", "USDT", "50000"),
        ("index", "WAVE-PERP", "101.25"),
    ):
        assert admin(*words) == (0, "", ""), words
    status, shown, _ = admin("show")
    assert status == 0 and "instrument 1 WAVE-PERP: tick 0.01, lot 0.1, index 101.25" in shown
    assert "insurance fund 50000" in shown
    with Client(running.address) as client:
        client.call(SubmitOrder(0, 100, 1, 0, BUY, 1, 9_900))
        assert "wallet 750, equity 750" in admin("account", "100")[1]
        assert re.search(
            r"open orders: 1\n  \d+: buy 0.1 of 0.1 WAVE-PERP at 99\n", admin("account", "100")[1]
        )
        assert admin("cancel", "100", "--instrument", "WAVE-PERP")[0] == 0
        assert "open orders: 0" in admin("account", "100")[1]
        orders = [
            SubmitOrder(0, 102, 1, 0, BUY, 50, 10_125),
            SubmitOrder(0, 101, 1, 0, SELL, 50, 1),
        ]
        client.call_all(orders)
        admin("index", "WAVE-PERP", "101.50")
        assert "WAVE-PERP: 5 at mark 10" in admin("account", "102")[1]
        assert ", unrealised " in admin("account", "102")[1]
        assert ", liquidation " in admin("account", "101")[1]
    assert admin("withdraw", "101", "USDT", "1000.01") == (
        1,
        "",
        "seawall admin withdraw: Withdraw: 201 insufficient free collateral\n",
    )
    assert "102 unknown account" in admin("account", "999")[2]
    for words, text in (
        (("deposit", "100", "EUR", "1"), "'EUR' is not listed; allowed: USDT"),
        (("deposit", "100", "USDT", "0.0000001"), "amount"),
        (("open", "a"), "whole numbers"),
        (("add-asset", "USDT"), "'USDT' is listed already, with the id 1"),
        (("add-instrument", "WAVE-PERP", "--tick", "1"), "'WAVE-PERP' is listed already"),
        (("set-rulebook", "teaching"), "teaching"),
        (("add-instrument", "TIDE", "--tick", "1e-9"), "whole number of quanta"),
    ):
        status, out, err = admin(*words)
        assert (status, out) == (2, "") and text in err and err.count("\n") == 1, (words, err)
