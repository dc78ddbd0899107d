# %% [markdown]
# # How often is who called? Calls against leverage
#
# The first lesson computed how much room a leverage leaves. Here a whole market of leveraged
# accounts falls together, several times, and we count: of the longs at each leverage, what share was
# called, and what share was liquidated?
#
# The market is the small crash that ships with Seawall: margined accounts, makers and other agents on
# one book, and an index that falls far and fast. Another seed is another day with other people, other
# sizes and other noise.

# %%
import tempfile
from pathlib import Path
from statistics import NormalDist

import matplotlib.pyplot as plt
import polars as pl

from seawall import charts, load_run, load_scenario, run_scenario

plt.style.use("course.mplstyle")
SCENARIO = "small_crash"

# %% [markdown]
# ## One run
#
# So that every leverage has enough accounts, all get the same share of them.

# %%
LEVERAGES = [2, 3, 5, 10, 20]
EVEN = "population.retail.leverage={" + ", ".join(f"{each}=0.2" for each in LEVERAGES) + "}"


def crash(seed, *overrides):
    """A run of the small crash, read back; its files are gone afterwards."""
    scenario = load_scenario(SCENARIO, [EVEN, *overrides])
    with tempfile.TemporaryDirectory() as folder:
        run_scenario(scenario, Path(folder) / "run", seed=seed)
        run = load_run(Path(folder) / "run")
        return run.accounts, run.calls, run.series, charts.calls_by_leverage(run)


accounts, calls, series, chart = crash(seed=1)
retail = accounts.filter(pl.col("group") == "retail")
entered = retail.filter(pl.col("fate") != "idle")
fall = 1 - float(series["index"].min()) / float(series["index"].max())
entered.select("account", "side", "leverage", "mode", "on_call", "deposit", "result", "fate").head(
    8
)

# %% [markdown]
# {entered.height} of {retail.height} retail accounts had a position, {len(calls)} calls went out, and
# the index fell by {fall:.0%}. `fate` says what became of an account; `on_call` what it does when it
# is called.
#
# The report of a run has a chart of calls by leverage, and so has a notebook:

# %%
chart

# %% [markdown]
# One run has too few accounts to count shares by leverage: run it again with other seeds
# and pool them.

# %%
SEEDS = range(1, 9)
pooled, firsts = [], []
for seed in SEEDS:
    accounts, calls, *_ = crash(seed)
    firsts.append(calls.unique("account", keep="first", maintain_order=True))
    called = calls["account"].unique().to_list()
    pooled.append(
        accounts.filter(pl.col("group") == "retail", pl.col("fate") != "idle").with_columns(
            pl.lit(seed).alias("seed"), pl.col("account").is_in(called).alias("called")
        )
    )
everyone = pl.concat(pooled)
longs = everyone.filter(pl.col("side") == "long")
shares = (
    longs.group_by("leverage")
    .agg(
        pl.len().alias("longs"),
        pl.col("called").mean(),
        (pl.col("fate") == "liquidated").mean().alias("liquidated"),
        (pl.col("called") | (pl.col("fate") == "liquidated")).mean().alias("either"),
    )
    .sort("leverage")
)
CONFIDENCE = 0.95
shares


# %% [markdown]
# ## The figure
#
# A share of so few accounts is uncertain. The whiskers are Wilson intervals at {CONFIDENCE:.0%}: with
# {len(SEEDS)} seeds the true share would lie inside them in that share of such experiments, if the
# accounts of one run did not share one price. They do, so the whiskers are too short.


# %%
def wilson(share, count):
    """Interval of a share of ``count``."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count)
    half *= (share * (1 - share) / count + z * z / (4 * count * count)) ** 0.5
    return max(0, centre - half), min(1, centre + half)


figure, axes = plt.subplots(num="calls_against_leverage", clear=True)
for offset, (what, colour) in enumerate(
    [("called", "#D55E00"), ("liquidated", "#0072B2"), ("either", "#009E73")]
):
    places = [number + 0.22 * (offset - 1) for number in range(shares.height)]
    heights = shares[what].to_list()
    spans = [wilson(*pair) for pair in zip(heights, shares["longs"], strict=True)]
    below = [100 * (height - low) for height, (low, _) in zip(heights, spans, strict=True)]
    above = [100 * (high - height) for height, (_, high) in zip(heights, spans, strict=True)]
    label = "called or liquidated" if what == "either" else what
    axes.bar(places, [100 * height for height in heights], 0.2, color=colour, label=label)
    axes.errorbar(
        places, [100 * each for each in heights], [below, above], fmt="none", ecolor="#333333"
    )
axes.set_xticks(range(shares.height), [f"{each}x" for each in shares["leverage"]])
axes.set_title(f"Longs called and liquidated while the index falls by {fall:.0%}", loc="left")
axes.set_xlabel("leverage")
axes.set_ylabel("share of the longs, %")
axes.legend(loc="upper left")
plt.show()

# %%
by = {row["leverage"]: row for row in shares.to_dicts()}
low, middle, high = LEVERAGES[0], LEVERAGES[2], LEVERAGES[-1]
shorts = everyone.filter(pl.col("side") == "short")
shorts_called = shorts["called"].mean()
silent = longs.filter(pl.col("fate") == "liquidated", ~pl.col("called")).height
liquidated = longs.filter(pl.col("fate") == "liquidated").height
overtaken = pl.concat(firsts).filter(pl.col("outcome") == "overtaken", pl.col("side") == "long")
time_left = overtaken["open_for"].median().total_seconds()
grace = (overtaken["deadline"] - overtaken["time"]).median().total_seconds()
assert silent < 0.1 * liquidated and time_left < grace / 2  # what is said below

# %% [markdown]
# - At {low}x {by[low]["called"]:.0%} of the longs were called, at {middle}x
#   {by[middle]["called"]:.0%}, at {high}x {by[high]["called"]:.0%}. The room of the first lesson
#   explains the order: a fall of {fall:.0%} is less than the room at {low}x and many times the room at
#   {high}x.
# - A call is a short warning. {silent} of {liquidated} liquidated longs were never called; but where
#   liquidation overtook the first call, that was after {time_left:.0f} seconds in half of the cases, and the grace would have
#   been {grace:.0f}.
# - Of the shorts {shorts_called:.0%} were called: a fall is their gain.

# %% [markdown]
# ## Exercises
#
# 1. Does cross or isolated margin change the share that is called? Compare at the same leverage.
# 2. What became of those who were called: how did their calls end?
# 3. Make the fall half as deep (`index.perp.sources.alpha.anchors`). Which leverage gains most?

# %% [markdown] tags=["solution"]
# ### Solution: cross and isolated

# %% tags=["solution"]
modes = (
    longs.group_by("leverage", "mode")
    .agg(pl.len().alias("longs"), (pl.col("fate") == "liquidated").mean().alias("liquidated"))
    .sort("leverage", "mode")
)
wide = modes.pivot("mode", index="leverage", values="liquidated")
wide

# %% tags=["solution"]
cross_ten, isolated_ten = (
    wide.filter(pl.col("leverage") == 10)[mode].item() for mode in ("cross", "isolated")
)
compared = 10

# %% [markdown] tags=["solution"]
# At {compared}x {cross_ten:.0%} of the cross longs and {isolated_ten:.0%} of the isolated ones were
# liquidated. A cross account has all its money behind the position, an isolated one only the initial
# margin, whatever else the owner keeps in the wallet.

# %% [markdown] tags=["solution"]
# ### Solution: how calls end

# %% tags=["solution"]
accounts, calls, *_ = crash(seed=1)
ends = calls.group_by("outcome", "cured_by").len().sort("len", descending=True)
ends

# %% [markdown] tags=["solution"]
# ### Solution: half the fall

# %% tags=["solution"]
HALF = 'index.perp.sources.alpha.anchors=[["0s", 100], ["30s", 99], ["100s", 87], ["3m", 90]]'
mild = pl.concat([crash(seed, HALF)[0] for seed in SEEDS[:4]])
mild = mild.filter(pl.col("group") == "retail", pl.col("side") == "long", pl.col("fate") != "idle")
half = mild.group_by("leverage").agg((pl.col("fate") == "liquidated").mean()).sort("leverage")
gained = shares.join(half, on="leverage").with_columns(
    (pl.col("liquidated") - pl.col("fate")).alias("spared")
)
most = gained.sort("spared").row(-1, named=True)
gained.select("leverage", "liquidated", pl.col("fate").alias("half the fall"), "spared")

# %% [markdown] tags=["solution"]
# {most["leverage"]}x: {most["liquidated"]:.0%} are liquidated in the full fall, {most["fate"]:.0%} in
# half of it. Its room lies between the two falls.
