"""Every fix taken out is found: an adversary that finds nothing anywhere proves nothing."""

import pytest

from engine.units import COMPILED
from tests.adversary.mutants import MUTANTS, Mutant, hunt

pytestmark = pytest.mark.skipif(COMPILED, reason="compiled functions cannot be replaced")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_rule_taken_out_is_found(mutant: Mutant) -> None:
    broken, played = hunt(mutant, plans=600)
    assert broken is not None, f"{mutant.name}: nothing found in {played} plans"
