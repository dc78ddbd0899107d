"""Colluding accounts against the exchange: nobody takes out what nobody put in.

``SEAWALL_PROFILE=long`` searches further; ``python -m tests.adversary.long`` as far as wanted.
"""

import os
from dataclasses import replace
from random import Random
from zlib import crc32

import pytest

from tests.adversary.arena import random_setting
from tests.adversary.cases import text_of
from tests.adversary.plan import MOTIFS, Broken, Plan, play
from tests.adversary.shrink import shrink

PLANS = 200 if os.environ.get("SEAWALL_PROFILE") == "long" else 8
"""Plans a motif plays alone."""


@pytest.mark.parametrize("name", sorted(MOTIFS))
def test_each_motif_alone_and_otherwise_arranged(name: str) -> None:
    rng = Random(crc32(name.encode()))
    try:
        for _ in range(PLANS):
            play(Plan(random_setting(rng), (name,) * rng.randint(1, 2), rng.randrange(2**32)))
    except Broken as broken:
        pytest.fail(text_of(shrink(broken)))


@pytest.mark.parametrize("seed", range(PLANS // 4))
def test_each_motif_where_fills_raise_everybodys_margin(seed: int) -> None:
    rng = Random(seed)
    try:
        for name in sorted(MOTIFS):
            setting = replace(random_setting(rng), by_open_interest=True)
            play(Plan(setting, (name,), rng.randrange(2**32)))
    except Broken as broken:
        pytest.fail(text_of(shrink(broken)))
