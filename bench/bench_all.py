"""Every case once under pytest-benchmark, to look at one of them or to see that all of them run.

`make bench` measures with `bench.measure` instead, which alternates compiled and interpreted.
"""

from typing import Any

import pytest

from bench.cases import CASES, LATENCIES, Case, LatencyCase
from bench.measure import latencies_ns


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, benchmark: Any) -> None:
    small = not benchmark.enabled
    if case.long and benchmark.enabled:
        pytest.skip("a case of the long form: make bench-long")

    def setup() -> tuple[tuple[Any], dict[str, Any]]:
        work, operations = case.prepare(small)
        benchmark.extra_info["operations"] = operations
        return (work,), {}

    benchmark.pedantic(lambda work: work(), setup=setup, rounds=1 if small else 3)
    assert benchmark.extra_info["operations"] > 0


@pytest.mark.parametrize("case", LATENCIES, ids=lambda case: case.name)
def test_latency(case: LatencyCase, benchmark: Any) -> None:
    call = case.prepare()
    benchmark(call)
    if benchmark.enabled:
        benchmark.extra_info.update(latencies_ns(call, 100_000))
