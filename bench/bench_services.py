"""The benchmark of the services once and very short, to see that it runs."""

import argparse

from bench.services import one_round, table


def test_a_short_round() -> None:
    args = argparse.Namespace(
        build=None,
        interpreted=True,
        samples=20,
        seconds=2.0,
        batch=50,
        durability=["process"],
        layout=["one"],
        open=False,
        clients=1,
        real_time=False,
    )
    columns: dict[str, dict[str, list[float]]] = {}
    one_round(args, columns)
    assert list(columns) == ["interpreted, one, process"]
    figures = columns["interpreted, one, process"]
    assert figures["1 client: messages/s"][0] > 0
    assert figures["order p50"][0] > figures["bare tcp p50"][0] > 0
    assert "| order p50, us |" in table(columns)
