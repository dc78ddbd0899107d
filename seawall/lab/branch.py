"""A branch: from one moment of a run on, other rules; the agents go on, seed by seed.

Beside it run a placebo, which puts the same rules in force again and must end as the run did, and
noise branches, in which somebody sells a few lots more: how far worlds drift apart by that alone is
the measure of an effect.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import polars as pl

from engine.units import SECOND_NS
from risk.accounts import FIRST_TRADER
from seawall.lab.command_replay import Recorded, Replayed, record, replay
from seawall.lab.compare import Difference, differences_of
from seawall.lab.intervals import LabError
from seawall.lab.study_directory import rows_table
from seawall.lab.world import World, WorldResult, past_of
from seawall.scenario import Scenario
from seawall.simulating.simulation import Simulation

AS_IT_WAS: Final[str] = "as it was"
BRANCH: Final[str] = "branch"
PLACEBO: Final[str] = "placebo"
NOISE_LOTS: Final[tuple[int, ...]] = (1, 100, 10_000)
_RULES: Final[tuple[str, ...]] = ("rulebook.", "rulebook_overrides.")


class BranchTask(msgspec.Struct):
    """A seed of a branch. With ``commands`` the run's commands are replayed under the other rules
    as well, and nobody reacts."""

    scenario: Scenario
    rulebook: str
    seed: int
    at: str
    commands: bool = False


class BranchAnswer(msgspec.Struct):
    """The worlds of a seed: as it was, the branch, the placebo, and the noise branches by lots.
    ``after_s`` is how long after the window's beginning the moment was."""

    seed: int
    after_s: float
    worlds: dict[str, WorldResult]
    replayed: Replayed | None = None


def rule_overrides(settings: Sequence[str]) -> list[str]:
    """``rulebook.adl.ranking=pro_rata`` as overrides of a scenario.

    Raises:
        LabError: a setting is none of the rulebook's, or one of its margin tables, which belong to
            the contract and stay as they were listed.
    """
    overrides = []
    for setting in settings:
        prefix = next((each for each in _RULES if setting.startswith(each)), "")
        if not prefix:
            raise LabError(
                f"--set {setting}: a branch changes rules, such as rulebook.adl.ranking=pro_rata; "
                "what else differs needs another run (seawall compare)"
            )
        key = setting.removeprefix(prefix)
        if key.startswith("margin"):
            raise LabError(
                f"--set {setting}: margin tables belong to the contract and cannot change while it "
                "is listed; compare two runs instead (seawall compare)"
            )
        overrides.append(f"{_RULES[1]}{key}")
    return overrides


def branch_seed(task: BranchTask) -> BranchAnswer:
    """Do one seed: the run up to the moment once, every world from there.

    Raises:
        LabError: the moment never comes.
        AssertionError: an invariant broke.
    """
    scenario = msgspec.structs.replace(task.scenario, seed=task.seed)
    past = past_of(scenario, task.at)
    first = World(AS_IT_WAS, scenario, past)
    recorded: list[Recorded] = record(first.exchange) if task.commands else []
    worlds = {AS_IT_WAS: first.run()}
    branch = World(BRANCH, scenario, past, first.events)
    branch.set_rules(task.rulebook)
    worlds[BRANCH] = branch.run()
    placebo = World(PLACEBO, scenario, past, first.events)
    placebo.set_rules(scenario.rulebook.to_json())
    worlds[PLACEBO] = placebo.run()
    for lots in NOISE_LOTS:
        noisy = World(noise_name(lots), scenario, past, first.events)
        account_id, instrument_id = _somebody(noisy.simulation)
        noisy.sell(account_id, instrument_id, lots)
        worlds[noisy.name] = noisy.run()
    replayed = replay(scenario, past, recorded, task.rulebook) if task.commands else None
    after_s = (past.time_ns - scenario.time.start_ns) / SECOND_NS
    return BranchAnswer(task.seed, after_s, worlds, replayed)


def noise_name(lots: int) -> str:
    """What the world is called in which so many lots more are sold."""
    return f"{lots:,} lots sold"


def _somebody(simulation: Simulation) -> tuple[int, int]:
    """Who sells: an agent that trades at random where there is one, else the first owner."""
    owners = simulation.result().owners
    places = sorted(range(len(owners)), key=lambda place: (owners[place].name != "noise", place))
    place = places[0]
    return FIRST_TRADER + place, max(0, owners[place].instrument_id)


class BranchSummary(msgspec.Struct):
    """All seeds of a branch. ``differences`` are those of the branch less the run as it was;
    ``noise`` is, by figure, the root mean square of what one lot sold made of it."""

    at: str
    seeds: int
    after_s: list[float]
    placebo_equal: int
    calls: float
    liquidations: float
    only_before: float
    only_branch: float
    both: float
    differences: list[Difference]
    noise: dict[str, dict[str, float]]
    losses: dict[str, tuple[float, float]]
    deficits: dict[str, tuple[float, float]]
    first_difference: list[str]
    replayed: list[Replayed]


def summarise(at: str, answers: Sequence[BranchAnswer], unit_q: int) -> BranchSummary:
    """Put the seeds together; money in whole units of ``unit_q`` quanta."""
    count = len(answers)
    before = [answer.worlds[AS_IT_WAS] for answer in answers]
    branch = [answer.worlds[BRANCH] for answer in answers]
    placebo = [answer.worlds[PLACEBO] for answer in answers]
    sets = [
        (set(one.liquidated), set(other.liquidated))
        for one, other in zip(before, branch, strict=True)
    ]
    return BranchSummary(
        at=at,
        seeds=count,
        after_s=[answer.after_s for answer in answers],
        placebo_equal=sum(
            one.state_hash == other.state_hash for one, other in zip(before, placebo, strict=True)
        ),
        calls=sum(world.calls for world in branch) / count,
        liquidations=sum(world.liquidations for world in branch) / count,
        only_before=sum(len(one - other) for one, other in sets) / count,
        only_branch=sum(len(other - one) for one, other in sets) / count,
        both=sum(len(one & other) for one, other in sets) / count,
        differences=differences_of([w.figures for w in before], [w.figures for w in branch]),
        noise={noise_name(lots): _noise(answers, noise_name(lots)) for lots in NOISE_LOTS},
        losses=_sums([w.losses for w in before], [w.losses for w in branch], unit_q),
        deficits=_sums([w.deficits for w in before], [w.deficits for w in branch], unit_q),
        first_difference=next((w.first_difference for w in branch if w.first_difference), []),
        replayed=[answer.replayed for answer in answers if answer.replayed is not None],
    )


def worlds_table(answers: Sequence[BranchAnswer]) -> pl.DataFrame:
    """A row per seed and world: its state hash, its figures, and accounts liquidated from the
    moment on."""
    return rows_table(
        [
            {
                "seed": answer.seed,
                "world": world.name,
                "after_s": answer.after_s,
                "state_hash": world.state_hash,
                "liquidated_after": len(set(world.liquidated)),
                **world.figures,
            }
            for answer in answers
            for world in answer.worlds.values()
        ]
    )


def _noise(answers: Sequence[BranchAnswer], name: str) -> dict[str, float]:
    """Root mean square, by figure, of what a noise branch differs by."""
    squares: dict[str, list[float]] = {}
    for answer in answers:
        one, other = answer.worlds[AS_IT_WAS].figures, answer.worlds[name].figures
        for figure, value in one.items():
            after = other.get(figure)
            if isinstance(value, int | float) and isinstance(after, int | float):
                squares.setdefault(figure, []).append((after - value) ** 2)
    return {
        figure: float((sum(each) / len(each)) ** 0.5) for figure, each in squares.items() if each
    }


def _sums(
    ones: Sequence[dict[str, int]], others: Sequence[dict[str, int]], unit_q: int
) -> dict[str, tuple[float, float]]:
    """Means by name, of the run as it was and of the branch."""
    names = dict.fromkeys(name for each in (*ones, *others) for name in each)
    count = len(ones) * unit_q
    return {
        name: (
            sum(each.get(name, 0) for each in ones) / count,
            sum(each.get(name, 0) for each in others) / count,
        )
        for name in names
    }


def branch_in_words(summary: BranchSummary, rules: Sequence[str]) -> list[str]:
    """What a branch came to, as lines of text."""
    earliest, latest = min(summary.after_s), max(summary.after_s)
    lines = [
        f"branch at {summary.at} ({earliest:g} s"
        + (f" to {latest:g} s" if latest != earliest else "")
        + f" after the beginning), {summary.seeds} seeds: {', '.join(rules)}",
        f"placebo (the same rules again): same state hash in {summary.placebo_equal} of "
        f"{summary.seeds}",
        f"at the moment itself {summary.calls:.1f} calls were issued and "
        f"{summary.liquidations:.1f} liquidations began (means)",
        f"liquidated from there on: {summary.both:.1f} in both, {summary.only_before:.1f} only as "
        f"it was, {summary.only_branch:.1f} only in the branch (means)",
        "",
    ]
    lines += _difference_lines(summary)
    for title, sums in (
        ("equity of liquidated accounts by part", summary.losses),
        ("deficits by stage", summary.deficits),
    ):
        lines += ["", f"{title:<38} {'as it was':>16} {'branch':>16}"]
        lines += [
            f"  {name.removesuffix('_q'):<36} {before:>16,.2f} {after:>16,.2f}"
            for name, (before, after) in sums.items()
        ]
    if summary.first_difference:
        lines += ["", "the first event that differs, in the first seed in which one does:"]
        lines += [f"  {line}" for line in summary.first_difference]
    return [*lines, *_replay_lines(summary.replayed)]


def _difference_lines(summary: BranchSummary) -> list[str]:
    lots, floor = next(iter(summary.noise.items()))
    lines = [
        f"{'figure':<24} {'as it was':>14} {'branch':>14} {'difference':>14} {'95 %':>29} "
        f"{'agree':>6} {'x noise':>8}"
    ]
    for each in summary.differences:
        interval = each.interval
        sure = interval.low is not None and interval.high is not None
        bounds = f"{interval.low:,.4g} to {interval.high:,.4g}" if sure else "too few seeds"
        noise = floor.get(each.figure, 0.0)
        times = f"{abs(interval.estimate) / noise:.1f}" if noise else "-"
        lines.append(
            f"{each.figure:<24} {each.a:>14,.6g} {each.b:>14,.6g} {interval.estimate:>+14,.4g} "
            f"{bounds:>29} {each.agreement:>6.0%} {times:>8}"
        )
    if not summary.differences:
        lines.append("no figure differs")
    lines.append(
        f'"x noise" is the mean difference over what "{lots}" makes of the figure (root mean '
        "square over seeds); a dash where that changes nothing."
    )
    return lines


def _replay_lines(replayed: Sequence[Replayed]) -> list[str]:
    if not replayed:
        return []
    commands = sum(each.commands for each in replayed)
    changed = sum(each.changed for each in replayed)
    kinds: dict[str, int] = {}
    for each in replayed:
        for name, count in each.kinds.items():
            kinds[name] = kinds.get(name, 0) + count
    share = changed / max(1, commands)
    told = ", ".join(f"{count:,} {name}" for name, count in kinds.items()) or "none"
    return [
        "",
        f"the run's commands replayed under the other rules: {changed:,} of {commands:,} "
        f"({share:.1%}) lost their meaning: {told}",
        "above some per cent a replay of commands is no answer; the branch above is.",
    ]
