"""The shortest list of commands that still shows a finding."""

from collections.abc import Callable, Sequence

from tests.adversary.arena import Step
from tests.adversary.plan import Broken, replay

TRIES = 600
"""Replays a shrink may take."""


def shrink(broken: Broken, tries: int = TRIES) -> Broken:
    """Leave out steps, open batches and round figures as long as the same kind is found."""
    best = broken
    left = tries

    def attempt(steps: Sequence[Step]) -> bool:
        nonlocal best, left
        left -= 1
        found = _fails(best, [step for step in steps if step])
        if found is None or found.kind != broken.kind:
            return False
        best = found
        return True

    shorter = True
    while shorter and left > 0:
        shorter = _leave_out(best, attempt)
        for place in range(len(best.steps) - 1, -1, -1):
            step = best.steps[place] if place < len(best.steps) else []
            if len(step) < 2 or left <= 0:
                continue
            apart = [[command] for command in step]
            if attempt([*best.steps[:place], *apart, *best.steps[place + 1 :]]):
                shorter = True
                continue
            for inner in range(len(step) - 1, -1, -1):
                row = [command for at, command in enumerate(step) if at != inner]
                if attempt([*best.steps[:place], row, *best.steps[place + 1 :]]):
                    step, shorter = row, True
    return best


def _leave_out(best: Broken, attempt: Callable[[Sequence[Step]], bool]) -> bool:
    """Remove runs of steps, long ones first; whether any could go."""
    steps = list(best.steps)
    size = max(1, len(steps) // 2)
    removed = False
    while size:
        place = len(steps) - size
        while place >= 0:
            kept = steps[:place] + steps[place + size :]
            if kept and attempt(kept):
                steps, removed = kept, True
            place -= size
        size //= 2
    return removed


def _fails(broken: Broken, steps: Sequence[Step]) -> Broken | None:
    try:
        replay(broken.setting, steps, broken.latency)
    except Broken as found:
        return found
    return None
