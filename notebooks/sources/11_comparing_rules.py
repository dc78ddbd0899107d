# %% [markdown]
# # Comparing rules over seeds
#
# Is it better to liquidate all at once or just enough? Does a larger fund help? One run answers such a
# question with a number, and the number is an anecdote: another seed, other people, another answer. This
# lesson compares rules the way one can defend: the same seeds for every rule, differences in **pairs**,
# and an interval.

# %%
import random
import tempfile
from pathlib import Path
from statistics import mean, stdev

import matplotlib.pyplot as plt
import polars as pl

from seawall import charts, light_run, load_run, load_scenario, run_scenario

plt.style.use("course.mplstyle")

# %% [markdown]
# ## The rules and the runs

# %%
RULES = {
    "as it is": [],
    "all at once": ["rulebook_overrides.liquidation.partial=all"],
    "four times the fund": ["house.fund=48000"],
}
SEEDS = range(1, 9)
SCENARIOS = {rule: load_scenario("cascade_small.toml", more) for rule, more in RULES.items()}


def figures_of(rule, seed):
    """What we compare, of one run."""
    run = light_run(SCENARIOS[rule], seed=seed)
    figures = run.figures
    return {
        "rule": rule,
        "seed": seed,
        "lowest trade": 100 * figures["low"],
        "forced sales": figures["forced_volume"] / 1000,
        "ADL": figures["adl_value"] / 1000,
        "fund": (figures["fund_end"] - figures["fund_start"]) / 1000,
        "retail": figures["profit_retail"] / 1000,
        "hash": run.state_hash,
    }


runs = pl.DataFrame([figures_of(rule, seed) for rule in RULES for seed in SEEDS])
FIGURES = ["lowest trade", "forced sales", "ADL", "fund", "retail"]
means = runs.group_by("rule", maintain_order=True).agg(pl.col(FIGURES).mean().round(1))
means

# %% [markdown]
# The lowest trade in per cent from the start, the rest in thousands: value of forced sales and of what was
# deleveraged, change of the fund, result of the retail accounts.
#
# ## What one seed would have told you

# %%
wide = {rule: runs.filter(pl.col("rule") == rule).sort("seed") for rule in RULES}
base, all_at_once = wide["as it is"], wide["all at once"]
differences = {
    (rule, figure): (wide[rule][figure] - base[figure]).to_list()
    for rule in RULES
    if rule != "as it is"
    for figure in FIGURES
}
lows = differences["all at once", "lowest trade"]
retail = differences["all at once", "retail"]
best, worst = max(lows), min(lows)
best_seed, worst_seed = SEEDS[lows.index(best)], SEEDS[lows.index(worst)]

# %% [markdown]
# All at once instead of just enough: what does it do to the lowest price? Seed {best_seed} says {best:+.1f}
# points, a gentler crash; seed {worst_seed} says {worst:+.1f}, a deeper one. Whoever wants to prove something
# chooses a seed.
#
# ## Pairs
#
# The people of a seed are the same under every rule. So most of the noise is the same too, and falls
# out of the *difference*. How much that helps is itself a figure: compare the spread of the differences
# with the spread the figures have anyhow.


# %%
def bootstrap(values, draws=2000, level=0.95):
    """Interval of a mean: the mean of many samples drawn from the sample."""
    dice = random.Random(1)
    means = sorted(mean(dice.choices(values, k=len(values))) for _ in range(draws))
    out = (1 - level) / 2
    return means[int(out * draws)], means[int((1 - out) * draws) - 1]


rows = []
for (rule, figure), values in differences.items():
    low, high = bootstrap(values)
    alone = stdev(base[figure]) ** 2 + stdev(wide[rule][figure]) ** 2
    rows.append(
        {
            "rule": rule,
            "figure": figure,
            "difference": round(mean(values), 2),
            "low": round(low, 2),
            "high": round(high, 2),
            "same sign": sum(value * mean(values) > 0 for value in values),
            "variance in pairs": round(stdev(values) ** 2 / alone, 2) if alone else None,
        }
    )
table = pl.DataFrame(rows)
table

# %%
figure, panels = plt.subplots(1, 2, num="rules_over_seeds", clear=True, figsize=(7.2, 3.4))
shown = [("all at once", "retail"), ("four times the fund", "fund")]
for axes, (rule, name) in zip(panels, shown, strict=True):
    for before, after in zip(base[name], wide[rule][name], strict=True):
        axes.plot([0, 1], [before, after], marker="o", color="#999999", linewidth=1, markersize=4)
    pair = [mean(base[name]), mean(wide[rule][name])]
    axes.plot([0, 1], pair, marker="o", color="#D55E00", linewidth=2.5, label="mean")
    axes.set_xticks([0, 1], ["as it is", rule])
    axes.set_xlim(-0.3, 1.3)
    axes.set_title(f"{name}, thousands: a line a seed", loc="left", fontsize=9)
    axes.legend(fontsize=8)
plt.show()


# %%
def verdict(row):
    """What an interval allows one to say."""
    sure = row["low"] * row["high"] > 0 and row["same sign"] > 0.8 * len(SEEDS)
    return "that one can claim" if sure else "nothing one could claim"


at = {(row["rule"], row["figure"]): row for row in table.to_dicts()}
clear = [f"{rule}: {name}" for (rule, name), row in at.items() if row["low"] * row["high"] > 0]
low, one = at["all at once", "lowest trade"], at["all at once", "retail"]
fund = at["four times the fund", "fund"]
adl = at["four times the fund", "ADL"]
count = len(SEEDS)
least_helped = max(rows, key=lambda row: row["variance in pairs"] or 0.0)

# %% [markdown]
# - *All at once* changes the lowest price by {low["difference"]:+.1f} points ({low["low"]:+.1f} to
#   {low["high"]:+.1f}), with {low["same sign"]} of {count} seeds on the side of the mean: {verdict(low)}.
# - It changes the result of the retail accounts by {one["difference"]:+.1f} thousand ({one["low"]:+.1f} to
#   {one["high"]:+.1f}; {one["same sign"]} of {count}): {verdict(one)}.
# - *Four times the fund* changes ADL by {adl["difference"]:+.1f} thousand ({adl["low"]:+.1f} to
#   {adl["high"]:+.1f}): {verdict(adl)}; and the fund's own result by {fund["difference"]:+.1f}
#   ({fund["low"]:+.1f} to {fund["high"]:+.1f}): {verdict(fund)}.
# - Of {table.height} differences {len(clear)} have an interval that leaves out zero. With so many looks some
#   would by chance alone: decide *beforehand* which figure counts.
# - Pairs do not help everywhere alike. Where the column is near one, the crash under the other rule is as good as
#   another day: the first changed trade changes everything after it. Here it is largest, {least_helped["variance in pairs"]:.2f},
#   for *{least_helped["rule"]}* and the {least_helped["figure"]}.

# %% [markdown]
# ## A placebo
#
# Before you believe a difference, compare a rule with itself. The same scenario and seed must give the same
# run, to the hash.

# %%
again = figures_of("as it is", 1)["hash"]
same = again == base["hash"][0]
same

# %% [markdown]
# {"It does." if same else "It does not."} What differs between two rules is what the rules did, and nothing
# else. That is worth more than an interval: you can ask *which event* was the first to differ.
#
# ## Two worlds beside each other
#
# Where a difference is large, look at that seed: both marks in one chart.


# %%
def whole_run(rule, seed, folder):
    """A run with everything it leaves."""
    run_scenario(SCENARIOS[rule], folder, seed=seed)
    return load_run(folder)


with tempfile.TemporaryDirectory() as folder:
    here = whole_run("as it is", worst_seed, Path(folder) / "here")
    there = whole_run("all at once", worst_seed, Path(folder) / "there")
    beside = charts.marks_beside(here, there)
beside

# %% [markdown]
# For more seeds and rules than a notebook has patience for there is the [lab](../docs/lab.md).

# %% [markdown]
# ## Exercises
#
# 1. How does the width of the interval shrink with the number of seeds? Compute it for the first few, and
#    guess how many you would need for an interval half as wide.
# 2. Add a rule of your own, say a call that asks for more (`rulebook_overrides.call.buffer`). State
#    beforehand which figure should change.
# 3. Compare two *unpaired* halves: the first seeds under one rule with the last under the other. How much
#    wider is the interval?

# %% [markdown] tags=["solution"]
# ### Solution: more seeds

# %% tags=["solution"]
widths = {}
for number in (3, 5, 8):
    low, high = bootstrap(retail[:number])
    widths[number] = round(high - low, 1)
widths

# %% [markdown] tags=["solution"]
# From so few seeds the width is itself a matter of luck. Over many it falls with the root of the number, so
# half the width needs four times as many: some {4 * count} seeds.

# %% [markdown] tags=["solution"]
# ### Solution: a rule of your own

# %% tags=["solution"]
SCENARIOS["larger calls"] = load_scenario(
    "cascade_small.toml", ['rulebook_overrides.call.buffer="2"']
)
mine = [figures_of("larger calls", seed) for seed in SEEDS[:3]]
change = [row["retail"] - base["retail"][number] for number, row in enumerate(mine)]
[round(value, 1) for value in change]

# %% [markdown] tags=["solution"]
# {sum(value > 0 for value in change)} of {len(change)} seeds are better for retail. A call that asks for more
# makes those who answer put in more; in a crash as fast as this one few have time to answer at all.

# %% [markdown] tags=["solution"]
# ### Solution: without pairs

# %% tags=["solution"]
half = count // 2
dice = random.Random(2)
one_half, other_half = base["retail"].to_list()[:half], all_at_once["retail"].to_list()[half:]
spread = sorted(
    mean(dice.choices(other_half, k=half)) - mean(dice.choices(one_half, k=half))
    for _ in range(2000)
)
unpaired = spread[1949] - spread[50]
paired = at["all at once", "retail"]["high"] - at["all at once", "retail"]["low"]
round(unpaired, 1), round(paired, 1)

# %% [markdown] tags=["solution"]
# {unpaired:.1f} thousand wide without pairs, {paired:.1f} with them, from the same number of runs.
