"""A state machine of colluding accounts: motifs in any number and order on one exchange.

``SEAWALL_PROFILE=long`` searches anew and further.
"""

import os
from random import Random

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tests.adversary.arena import SHIPPED, Arena, Seat, Setting
from tests.adversary.cases import text_of
from tests.adversary.hands import Hands
from tests.adversary.plan import MOTIFS, WAYS, Broken, rearranged, replay, woven
from tests.adversary.shrink import shrink
from tests.adversary.watch import Finding

LONG = os.environ.get("SEAWALL_PROFILE") == "long"

SEEDS = st.integers(0, 2**32 - 1)
NAMES = st.sampled_from(sorted(MOTIFS))
SEATS = st.builds(
    Seat,
    usd=st.sampled_from([100, 1_000, 10_000]),
    coin=st.sampled_from([1, 10, 100]),
    gold=st.sampled_from([0, 10]),
    hedge=st.booleans(),
    isolated=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    leverage=st.sampled_from([0, 2, 5, 20]),
)
RICH = st.builds(
    Seat,
    usd=st.just(200_000),
    coin=st.just(2_000),
    hedge=st.booleans(),
    isolated=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    leverage=st.sampled_from([0, 5]),
)
SETTINGS = st.builds(
    Setting,
    rulebook=st.sampled_from(SHIPPED),
    band_ppb=st.sampled_from([20_000_000, 100_000_000, 500_000_000]),
    fund=st.sampled_from([0, 1_000, 100_000]),
    collateral=st.booleans(),
    seats=st.one_of(
        st.tuples(SEATS, RICH), st.tuples(SEATS, RICH, SEATS), st.tuples(SEATS, RICH, SEATS, RICH)
    ),
)


class Adversary(RuleBasedStateMachine):
    """Motifs in any number and order on one exchange; afterwards the same commands otherwise."""

    arena: Arena
    setting: Setting
    seed: int

    @initialize(setting=SETTINGS, seed=SEEDS)
    def open(self, setting: Setting, seed: int) -> None:
        self.setting = setting
        self.seed = seed
        self.arena = Arena(setting)

    @rule(name=NAMES, seed=SEEDS)
    def motif(self, name: str, seed: int) -> None:
        self._play([name], seed)

    @rule(names=st.lists(NAMES, min_size=2, max_size=3), seed=SEEDS)
    def interleaved(self, names: list[str], seed: int) -> None:
        self._play(names, seed)

    def _play(self, names: list[str], seed: int) -> None:
        rng = Random(seed)
        hands = Hands(self.arena, rng)
        try:
            for command in woven([MOTIFS[name](hands) for name in names], True, rng):
                self.arena.send(command)
        except Finding as finding:
            raise Broken(finding, self.setting, self.arena.steps, None) from finding

    def teardown(self) -> None:
        if not hasattr(self, "arena") or self.arena.watch.finding is not None:
            return
        try:
            self.arena.end()
        except Finding as finding:
            raise Broken(finding, self.setting, self.arena.steps, None) from finding
        rng = Random(self.seed)
        for way in WAYS:
            steps, latency = rearranged(self.arena.steps, way, rng)
            replay(self.setting, steps, latency)


def test_no_set_of_colluders_takes_out_what_nobody_put_in() -> None:
    examples, steps = (1_000, 20) if LONG else (60, 6)
    # Commands are shrunk, not draws: what was sent is the test case.
    found = settings(
        max_examples=examples,
        stateful_step_count=steps,
        phases=[Phase.generate],
        report_multiple_bugs=False,
    )
    try:
        run_state_machine_as_test(Adversary, settings=found)
    except Broken as broken:
        pytest.fail(text_of(shrink(broken)))
