"""The long profile: ``python -m tests.adversary.long --commands 1000000``.

Random plans until so many commands were sent. Each new kind of finding is shrunk and printed as a
script. Ends with 1 if anything was found.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from random import Random
from time import monotonic

from tests.adversary.arena import SHIPPED, random_setting
from tests.adversary.cases import text_of
from tests.adversary.plan import MOTIFS, Broken, Plan, play
from tests.adversary.shrink import shrink


def random_plan(rng: Random, motifs: Sequence[str], rulebooks: Sequence[str] = SHIPPED) -> Plan:
    """One motif alone, or several together."""
    count = rng.choice((1, 1, 2, 4, 8))
    return Plan(
        random_setting(rng, rulebooks),
        tuple(rng.choice(motifs) for _ in range(count)),
        rng.randrange(2**32),
        mixed=rng.random() < 0.5,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=0, help="stop after so long (0: never)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--motif", action="append", help="only these (may be repeated)")
    parser.add_argument("--rulebook", action="append", help="only these (may be repeated)")
    parser.add_argument("--keep-going", action="store_true", help="one script per kind and motif")
    options = parser.parse_args()
    rng = Random(options.seed)
    motifs = options.motif or sorted(MOTIFS)
    rulebooks = options.rulebook or list(SHIPPED)
    begun = monotonic()
    sent = plans = 0
    found: Counter[str] = Counter()
    while sent < options.commands:
        if options.seconds and monotonic() - begun > options.seconds:
            break
        plan = random_plan(rng, motifs, rulebooks)
        plans += 1
        try:
            sent += play(plan)
        except Broken as broken:
            sent += sum(len(step) for step in broken.steps)
            name = f"{broken.kind} [{' '.join(plan.motifs) if len(plan.motifs) == 1 else 'mixed'}]"
            found[name] += 1
            if found[name] == 1:
                print(f"\n## {name} ({plan.setting.rulebook})")
                print(text_of(shrink(broken)), flush=True)
            if not options.keep_going:
                break
    print(
        f"\n{sent:,} commands, {plans:,} plans, {monotonic() - begun:.0f} s, {len(found)} findings"
    )
    for name, count in found.most_common():
        print(f"{count:6} {name}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
