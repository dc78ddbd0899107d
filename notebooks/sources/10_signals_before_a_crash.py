# %% [markdown]
# # Open interest and funding as signals before a crash
#
# Traders watch two public figures for danger. **Open interest** is how many contracts exist: fuel that
# can burn. **Funding**, or the premium it is made of, says which side pays to be in: who is crowded. What
# would you have seen before the crashes of this course, and what would it have told you?

# %%
import itertools
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import polars as pl
from polars import selectors

from engine.events import MarkUpdated
from seawall import charts, light_run, load_run, load_scenario, run_scenario

plt.style.use("course.mplstyle")

# %% [markdown]
# ## One crash, seen from outside

# %%
with tempfile.TemporaryDirectory() as folder:
    run_scenario(load_scenario("cascade.toml"), Path(folder) / "run", seed=2)
    run = load_run(Path(folder) / "run")
    series = run.series.with_columns(selectors.decimal().cast(pl.Float64))
    start_ns = run.summary["scenario"]["start_ns"]
    chart = charts.open_interest(run)
series = series.with_columns(
    ((pl.col("time").dt.epoch("ns") - start_ns) / 60e9).alias("minute"),
    (1e4 * ((pl.col("bid") + pl.col("ask")) / 2 / pl.col("index") - 1)).alias("basis"),
)

figure, panels = plt.subplots(
    3,
    1,
    num="signals_in_time",
    clear=True,
    sharex=True,
    figsize=(7.2, 5.5),
    height_ratios=[2, 1, 1],
)
panels[0].plot(series["minute"], series["mark"], label="mark")
panels[0].plot(series["minute"], series["index"], linestyle="--", color="#009E73", label="index")
panels[0].set_title("Price", loc="left")
panels[0].legend(loc="lower left")
panels[1].plot(series["minute"], series["open_interest"] / 1000, color="#AA4499")
panels[1].set_title("Open interest, thousand contracts", loc="left")
panels[1].set_ylim(0)
panels[2].plot(series["minute"], series["basis"], color="#666666", linewidth=1)
panels[2].axhline(0, color="#333333", linewidth=0.6)
panels[2].set_title("Basis of the book, hundredths of a per cent of the index", loc="left")
panels[2].set_ylim(-1200, 400)
panels[2].set_xlabel("minutes from the start of the fall")
plt.show()

# %%
calm = series.filter(pl.col("minute") <= 0)
built = calm["open_interest"].max()
burnt = 1 - series["open_interest"].tail(1).item() / built
assert burnt > 0.3  # what is said below
calm_basis = float(calm.filter(pl.col("minute") > -2)["basis"].mean())

# %% [markdown]
# Before the fall open interest only grows, to {built:,.0f} contracts, and the basis is quiet:
# {calm_basis:.1f} hundredths of a per cent on average in the last two minutes. Then {burnt:.0%} of the open
# interest is gone within minutes. A falling open interest in a falling market is the sign of forced
# closing: those who open shorts would make it grow.
#
# In a running notebook, `chart` is the report's chart of open interest, to zoom into.

# %%
chart

# %% [markdown]
# The open interest of the *past* is easy to read. Does its level beforehand say anything?

# %% [markdown]
# ## Several days
#
# The same fall of the index hits smaller markets that differ in three things: how many people there are, how
# high their leverage is, and how many of them are long. From outside one sees none of these, only open
# interest and the premium. Makers have more capital than in the crash above, so that no crowd moves the price
# before the fall.

# %%
MIXES = {"low": "{2=0.3, 3=0.4, 5=0.3}", "high": "{5=0.4, 10=0.4, 20=0.2}"}
CROWDS, SHARES = [110, 220], [0.5, 0.75, 0.95]
DEEP = "agents.makers.capital=1500000"


def day(seed, accounts, mix, long_share):
    """A crash: what was to be seen in the second before it, and what became of it."""
    scenario = load_scenario(
        "cascade_small.toml",
        [
            f"population.retail.accounts={accounts}",
            f"population.retail.leverage={MIXES[mix]}",
            f"population.retail.long_share={long_share}",
            DEEP,
        ],
    )
    seen = []

    def before(exchange, _):
        def listen(event):
            if isinstance(event, MarkUpdated):
                premium = exchange.listing(0).premium.mean_ppb() / 1e9
                seen.append((event.time_ns, event.open_interest_lots / 10, premium))

        exchange.subscribe(listen)

    figures = light_run(scenario, seed=seed, before=before).figures
    last = [row for row in seen if row[0] < start_ns][-1]
    return {
        "people": accounts,
        "leverage": mix,
        "long share": long_share,
        "open interest": last[1],
        "premium": last[2],
        "taken from accounts": figures["forced_volume"]
        + figures["adl_value"]
        + figures["taken_over"],
        "liquidated": figures["liquidated"],
        "lowest": figures["low"],
    }


days = pl.DataFrame(
    [day(seed, *kind) for seed, kind in enumerate(itertools.product(CROWDS, MIXES, SHARES), 1)]
)
days.with_columns(
    pl.col("premium").round(7),
    pl.col("taken from accounts", "open interest").round(0),
    pl.col("lowest").round(3),
)

# %%
figure, panels = plt.subplots(1, 2, num="signals_and_crashes", clear=True, sharey=True)
for mix, colour, marker in (("low", "#0072B2", "o"), ("high", "#D55E00", "s")):
    chosen = days.filter(pl.col("leverage") == mix)
    damage = chosen["taken from accounts"] / 1e6
    panels[0].plot(
        chosen["open interest"] / 1000, damage, marker, color=colour, label=f"{mix} leverage"
    )
    panels[1].plot(chosen["premium"] * 1e4, damage, marker, color=colour)
panels[0].set_title("Open interest before", loc="left")
panels[0].set_xlabel("thousand contracts")
panels[0].set_ylabel("taken from accounts, millions")
panels[1].set_title("Premium before", loc="left")
panels[1].set_xlabel("hundredths of a per cent")
panels[1].set_xscale("symlog", linthresh=1)
panels[0].legend()
plt.show()


# %%
def rank_correlation(one, other):
    """Spearman's: do the ranks of two figures go together?"""
    return days.select(pl.corr(one, other, method="spearman")).item()


damage = "taken from accounts"
by_interest, by_premium = (rank_correlation(each, damage) for each in ("open interest", "premium"))
split = days.group_by("leverage").agg(pl.col(damage).mean(), pl.col("open interest").mean())
mean_of = {row["leverage"]: row for row in split.to_dicts()}
times = mean_of["high"][damage] / mean_of["low"][damage]
more = mean_of["high"]["open interest"] / mean_of["low"]["open interest"]
assert min(by_interest, by_premium) > 0.3 and times > 2 * more  # what is said below
funding_rule = 0.0005  # the clamp of the rulebook: a premium within it leaves the rate at interest
hidden = days.filter(pl.col("premium").abs() < funding_rule).height
largest_premium = 1e4 * days["premium"].abs().max()

# %% [markdown]
# - **Open interest** goes with the damage: the rank correlation is {by_interest:.2f}. It is fuel. But look at
#   the colours: with high leverage {times:.1f} times as much was taken from accounts, on only {more:.1f} times
#   the open interest. How dry the fuel is, nobody outside can see.
# - **The premium** goes with it too ({by_premium:.2f}): makers hold what a crowd does not find among traders, and lean
#   against it. But look at its size, {largest_premium:.1f} hundredths of a per cent at most. As long as makers
#   and arbitrageurs have money, a crowd goes into their inventory, not into the price. The *funding rate* says even less: on
#   {hidden} of {days.height} days the premium lay within the clamp, so that the rate everybody quotes was just the interest.
# - **Neither** says *when*. All these markets looked like this for minutes and would have gone on
#   looking like it without the fall of the index. A signal of danger is not a signal of the moment.
#
# That is one simulated world with {days.height} days; real open interest also contains hedges that never burn.

# %% [markdown]
# ## A rule, and its false alarms
#
# Suppose you call it dangerous when open interest is above the median of all days.

# %%
median = days["open interest"].median()
bad = days["taken from accounts"].quantile(2 / 3)
flagged = days.filter(pl.col("open interest") > median)
hits = flagged.filter(pl.col(damage) >= bad).height
all_bad = days.filter(pl.col(damage) >= bad).height
false_alarms = flagged.height - hits
DEPTH, within = "depth_bid_200", 0.02

# %% [markdown]
# The rule flags {flagged.height} days and finds {hits} of the {all_bad} worst. {false_alarms} are false alarms,
# {all_bad - hits} bad days go unannounced.

# %% [markdown]
# ## Exercises
#
# 1. Divide open interest by the number of contracts that the book would buy near the price (the column
#    `{DEPTH}` of `run.series`). Why could that be the better signal?
# 2. Take the arbitrageurs away (`agents.arbitrage=none`) on a crowded day with high leverage. What becomes
#    of the premium, and who holds it down?
# 3. Which of the three hidden differences matters most for the number of liquidated accounts?

# %% [markdown] tags=["solution"]
# ### Solution: open interest and depth

# %% tags=["solution"]
quiet = series.filter((pl.col("minute") <= 0) & (pl.col("minute") > -1)).median()
storm = series.filter((pl.col("minute") > 2) & (pl.col("minute") < 5)).median()
pl.concat([quiet, storm]).select("minute", "open_interest", DEPTH)

# %% [markdown] tags=["solution"]
# Before the fall {quiet["open_interest"].item():,.0f} contracts were open and the book would have bought
# {quiet[DEPTH].item():,.0f} within {within:.0%} of the price; in the worst minutes, by the median,
# {storm["open_interest"].item():,.0f} and {storm[DEPTH].item():,.0f}. What burns is the fuel *over* what can put it
# out, and the second disappears when it is needed.

# %% [markdown] tags=["solution"]
# ### Solution: without arbitrage


# %% tags=["solution"]
def crowded(*more):
    """The last premium before the fall on a crowded day."""
    scenario = load_scenario(
        "cascade_small.toml",
        [
            f"population.retail.leverage={MIXES['high']}",
            "population.retail.long_share=0.95",
            DEEP,
            *more,
        ],
    )
    seen = []
    light_run(
        scenario,
        seed=1,
        before=lambda exchange, _: exchange.subscribe(
            lambda event: (
                isinstance(event, MarkUpdated)
                and event.time_ns < start_ns
                and seen.append(exchange.listing(0).premium.mean_ppb() / 1e5)
            )
        ),
    )
    return seen[-1]


usual, lonely = crowded(), crowded("agents.arbitrage=none")
usual, lonely

# %% [markdown] tags=["solution"]
# In hundredths of a per cent: {usual:.2f} with arbitrageurs, {lonely:.2f} without. It is the makers who hold it
# down: they quote around the index as long as their capital lasts. A premium measures the crowd *and*
# those who trade against it.

# %% [markdown] tags=["solution"]
# ### Solution: what matters most

# %% tags=["solution"]
effects = {
    kind: days.group_by(kind).agg(pl.col("liquidated").mean()).sort(kind)["liquidated"].to_list()
    for kind in ("people", "leverage", "long share")
}
ratios = {kind: max(means) / min(means) for kind, means in effects.items()}
largest = max(ratios, key=ratios.get)
ratios

# %% [markdown] tags=["solution"]
# The {largest}: the mean number of liquidated accounts differs by a factor of {ratios[largest]:.1f}.
