# %% [markdown]
# # The cascade, the fund, auto-deleveraging: who pays?
#
# One liquidation is an order like any other. Many at once are a **cascade**: forced sales push the
# price down, the lower price makes the next accounts fall, their sales push it further. At the end
# somebody has paid for the losses that were larger than the accounts. This lesson runs a cascade and
# follows every dollar.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import polars as pl
from polars import selectors

from seawall import charts, light_run, load_run, load_scenario, run_scenario

plt.style.use("course.mplstyle")


# %% [markdown]
# ## The run
#
# A scenario of the course: margined accounts, most of them long, market makers who quote less the rougher it gets and
# the more they lose, and an index that falls and comes back in part.


# %%
def crash(*overrides, seed=1):
    """A run of the cascade: frames in floats and minutes, accounts, summary, charts."""
    with tempfile.TemporaryDirectory() as folder:
        run_scenario(
            load_scenario("cascade.toml", list(overrides)), Path(folder) / "run", seed=seed
        )
        run = load_run(Path(folder) / "run")
        frames = {
            name: getattr(run, name).with_columns(selectors.decimal().cast(pl.Float64))
            for name in ("trades", "series", "liquidations", "adl", "calls")
        }
        accounts = run.accounts  # exact, as it is
        zoom = charts.price(run), charts.cascade(run)
    start_ns = run.summary["scenario"]["start_ns"]
    minute = (pl.col("time").dt.epoch("ns") - start_ns) / 60e9
    for name in ("trades", "series", "liquidations", "adl", "calls"):
        frames[name] = frames[name].with_columns(minute.alias("minute"))
    return frames, accounts, run.summary, zoom


frames, accounts, summary, (price_chart, cascade_chart) = crash()
trades, series, liquidations = (frames[name] for name in ("trades", "series", "liquidations"))
forced = trades.filter(pl.col("liquidation"))

# %%
before = float(series.filter(pl.col("minute") <= 0)["index"].tail(1).item())
index_low, mark_low = series["index"].min(), series["mark"].min()
last_low = trades["price"].min()
low_at = trades.filter(pl.col("price") == last_low)["minute"][0]
per_10_s = (
    trades.with_columns((pl.col("minute") * 6).floor().alias("slot"))
    .group_by("slot")
    .agg(
        pl.col("contracts").sum(),
        pl.col("contracts").filter(pl.col("liquidation")).sum().alias("forced"),
    )
    .sort("forced")
)
peak = per_10_s.row(-1, named=True)
slot_s = 10
peak_share = peak["forced"] / peak["contracts"]
interest_before = float(series.filter(pl.col("minute") <= 0)["open_interest"].tail(1).item())
interest_after = float(series["open_interest"].tail(1).item())

# %% [markdown]
# The index fell from {before:.1f} to {index_low:.1f}, by {1 - index_low / before:.0%}. The contract traded
# as low as {last_low:.1f}, {1 - last_low / index_low:.1%} below the lowest index, {low_at:.1f} minutes into
# the fall. In the worst {slot_s} seconds {peak_share:.0%} of what traded was a forced sale. Open interest, the
# contracts that exist, went from {interest_before:,.0f} to {interest_after:,.0f}.

# %%
figure, (above, below) = plt.subplots(
    2, 1, num="the_cascade", clear=True, sharex=True, figsize=(7.2, 5), height_ratios=[2, 1]
)
window = trades.filter(pl.col("minute") > -0.5)
sampled = window.gather_every(max(1, window.height // 500))
above.plot(sampled["minute"], sampled["price"], color="#999999", linewidth=0.7, label="trades")
shown = forced.gather_every(max(1, forced.height // 100))
above.plot(
    shown["minute"], shown["price"], ".", color="#D55E00", markersize=3, label="forced sales"
)
path = series.filter(pl.col("minute") > -0.5)
above.plot(path["minute"], path["index"], color="#009E73", linestyle="--", label="index")
above.plot(path["minute"], path["mark"], color="#0072B2", label="mark")
above.set_title("A cascade: price, index, mark and forced sales", loc="left")
above.set_ylabel("price")
above.legend(loc="lower right", ncols=2)
slots = per_10_s.filter(pl.col("slot") >= -3).sort("slot")
middle = [slot / 6 + 1 / 12 for slot in slots["slot"]]
below.bar(middle, slots["contracts"], 1 / 7, color="#bbbbbb", label="all trades")
below.bar(middle, slots["forced"], 1 / 7, color="#D55E00", label="forced")
below.set_title("Contracts traded in ten seconds", loc="left")
below.set_xlabel("minutes from the start of the fall")
below.legend(loc="upper right")
plt.show()

# %% [markdown]
# The charts of a run's report are functions too. In a running notebook this one can be zoomed into;
# `cascade_chart` shows the same second by second.

# %%
price_chart

# %% [markdown]
# ## Where the positions went
#
# What is liquidated goes first to the book. What the book does not take at a price that the account can
# still pay goes on: to the **insurance fund**, if it has the means, else it is closed against those who
# are winning (**auto-deleveraging**, ADL). Only a deficit that nobody took is **socialised**.

# %%
funds = {"no fund": "0", "as it is": "40000", "ten times": "400000"}
worlds = {
    name: light_run(load_scenario("cascade.toml", [f"house.fund={fund}"]), seed=1).figures
    for name, fund in funds.items()
}
here = worlds["as it is"]
ways = {
    "sold in the book": here["forced_volume"],
    "taken over by the fund": here["taken_over"],
    "closed against winners (ADL)": here["adl_value"],
}
whole = sum(ways.values())
pl.DataFrame(
    [
        {"way": way, "value": round(value), "share": round(value / whole, 3)}
        for way, value in ways.items()
    ]
)

# %%
stages = liquidations.group_by("outcome").len().sort("len", descending=True)
lost_by = {
    part: -float(liquidations[part].sum())
    for part in ("price", "slippage", "fee", "surrender", "adl")
}
change = float((liquidations["equity_before"] - liquidations["equity_after"]).sum())

# %% [markdown]
# {ways["sold in the book"] / whole:.0%} of the value went through the book; the rest found no buyer there.
# {summary["liquidations"]["accounts"]} accounts were liquidated, in {liquidations.height} liquidations:
# a partial one may be followed by the next.
#
# During them the owners lost {change:,.0f}. The engine attributes every unit of that: {lost_by["price"]:,.0f}
# to moves of the mark, {lost_by["slippage"]:,.0f} to sales below the mark, {lost_by["fee"]:,.0f} to the
# liquidation fee, {lost_by["surrender"]:,.0f} given up at takeovers and {lost_by["adl"]:,.0f} at
# deleveraging, which both happen at the price at which the owner's equity is used up.
#
# ## Who lost and who won

# %%
owners = accounts.with_columns(
    pl.when(pl.col("kind") == "agent")
    .then(pl.lit("makers and other agents"))
    .when(pl.col("kind") == "house")
    .then(pl.lit("the house"))
    .when(pl.col("fate") == "liquidated")
    .then(pl.lit("liquidated"))
    .when(pl.col("fate") == "deleveraged")
    .then(pl.lit("deleveraged winners"))
    .when(pl.col("side") == "long")
    .then(pl.lit("other longs"))
    .otherwise(pl.lit("other shorts"))
    .alias("who")
)
bill = owners.group_by("who").agg(pl.len().alias("accounts"), pl.col("result").sum()).sort("result")
total = bill["result"].sum()
bill

# %%
by_who = {row["who"]: row for row in bill.to_dicts()}
figure, axes = plt.subplots(num="who_pays", clear=True, figsize=(7.2, 3))
values = [float(row["result"]) / 1000 for row in by_who.values()]
colours = ["#D55E00" if value < 0 else "#0072B2" for value in values]
axes.barh(list(by_who), values, color=colours)
axes.axvline(0, color="#333333", linewidth=0.8)
axes.set_title("Who lost and who won, in thousands", loc="left")
axes.set_xlabel("result")
plt.show()

# %%
liquidated, winners = by_who["liquidated"], by_who["deleveraged winners"]
agents = by_who["makers and other agents"]
gain = float(frames["adl"]["gain"].sum())

# %% [markdown]
# All results together are {total:.0f}, to the last decimal: money only moves. The {liquidated["accounts"]}
# liquidated lost {-liquidated["result"]:,.0f}. The {winners["accounts"]} deleveraged accounts are
# **winners** who had to stop winning: their shorts were closed while the price was low, at the bankrupt
# account's price. They have {winners["result"]:,.0f}; measured at the marks of those moments the closing
# itself {"brought" if gain >= 0 else "cost"} them {abs(gain):,.0f}. What they lost is the choice: the rest
# of the fall, had it gone on, and their hedge. Makers and other agents, who bought from those who had to sell, have
# {agents["result"]:,.0f}.
#
# ## The account of the fund

# %%
lines = summary["house_accounts"]["insurance_fund"]["USDT"]
fund_account = pl.DataFrame(
    [
        {"line": line, "amount": round(float(amount), 2)}
        for line, amount in lines.items()
        if amount != "0"
    ]
)
fund_account

# %%
fees, disposal, held = (
    float(lines[each]) for each in ("liquidation_fees", "disposal", "unrealised")
)

# %% [markdown]
# The fund earned {fees:,.0f} of fees. It lost {-disposal:,.0f} in selling what it had taken over, and
# {-held:,.0f} on what it still held at the end. The deficits that everybody thinks of were
# {float(lines["deficits"]):,.0f}. A fund is less an insurer than a buyer of last resort, and buyers
# of last resort buy too early.
#
# ## Would a larger fund help?

# %%
pl.DataFrame(
    [
        {
            "fund": name,
            "taken over": round(each["taken_over"]),
            "ADL": round(each["adl_value"]),
            "lowest trade": f"{each['low']:.1%}",
            "result of the fund": round(each["fund_end"] - each["fund_start"]),
            "result of hedgers": round(each["profit_hedgers"]),
        }
        for name, each in worlds.items()
    ]
)

# %%
large, none = worlds["ten times"], worlds["no fund"]
lost_by_fund = large["fund_start"] - large["fund_end"]
made_by_none = none["fund_end"] - none["fund_start"]
hedgers_gain = large["profit_hedgers"] - none["profit_hedgers"]
assert large["adl_value"] < none["adl_value"]  # what is said below

# %% [markdown]
# With a fund ten times as large {large["taken_over"]:,.0f} are taken over instead of
# {none["taken_over"]:,.0f}, and ADL falls from {none["adl_value"]:,.0f} to {large["adl_value"]:,.0f}. The
# result of the fund goes from {made_by_none:+,.0f} to {-lost_by_fund:+,.0f}: more positions bought in a fall, more
# to sell after it. The hedgers, whose shorts ADL closes, end with {large["profit_hedgers"]:,.0f} instead of
# {none["profit_hedgers"]:,.0f}, {abs(hedgers_gain):,.0f} {"more" if hedgers_gain > 0 else "less"}. Being
# deleveraged is not always a loss: the price came back afterwards, and who was closed near the low had
# taken the profit. What a fund buys the winners is that they decide that themselves. One seed shows how it
# works, not how much; the last lesson is about that.

# %% [markdown]
# ## Exercises
#
# 1. Who is deleveraged first? Compare leverage and profit of the deleveraged with those of other shorts.
# 2. How many of the liquidated had been called before, and how long before?
# 3. Let the makers be twice as large (`agents.makers.size`). What becomes of the lowest price, of ADL, and
#    of the makers' own result?

# %% [markdown] tags=["solution"]
# ### Solution: first in the queue

# %% tags=["solution"]
shorts = accounts.filter(pl.col("side") == "short", pl.col("kind") == "group")
queue = (
    shorts.filter(pl.col("fate").is_in(["deleveraged", "held"]))
    .group_by("fate")
    .agg(pl.len().alias("accounts"), pl.col("leverage").mean().round(2))
    .sort("fate")
)
first, rest = queue["leverage"]
queue

# %% [markdown] tags=["solution"]
# The deleveraged had a mean leverage of {first:.1f}, the others {rest:.1f}. The queue is ordered by
# return times leverage: small money behind a large gain comes first.

# %% [markdown] tags=["solution"]
# ### Solution: called before

# %% tags=["solution"]
firsts = liquidations.group_by("account").agg(pl.col("minute").min().alias("liquidated"))
called = frames["calls"].group_by("account").agg(pl.col("minute").min().alias("called"))
both = firsts.join(called, on="account", how="left")
warned = both.filter(pl.col("called") < pl.col("liquidated"))
warning_s = 60 * float((warned["liquidated"] - warned["called"]).median())
warned.height, both.height

# %% [markdown] tags=["solution"]
# {warned.height} of {both.height}, half of them no more than {warning_s:.0f} seconds before. The grace of
# this rulebook would have been longer; the price did not wait.

# %% [markdown] tags=["solution"]
# ### Solution: larger makers

# %% tags=["solution"]
double = light_run(load_scenario("cascade.toml", ["agents.makers.size=44000"]), seed=1).figures
assert double["adl_value"] > 0.75 * here["adl_value"]  # what is said below
double["low"], double["adl_value"], double["profit_makers"]

# %% [markdown] tags=["solution"]
# The lowest trade is {double["low"]:.1%} from the start instead of {here["low"]:.1%}, ADL
# {double["adl_value"]:,.0f} instead of {here["adl_value"]:,.0f}, and the makers' own result
# {double["profit_makers"]:,.0f} instead of {here["profit_makers"]:,.0f}. Twice the quotes are not twice the depth:
# what makers can hold depends on their capital.
