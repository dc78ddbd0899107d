# %% [markdown]
# # Partial and full liquidation: five policies on one account
#
# Below maintenance the venue sells. How much? It may close everything, or just enough, or step by step.
# Rulebooks differ in nothing as much as in this. Here the same account falls to liquidation in the same
# book under five policies:
#
# - **all**: the whole position at once;
# - **restore**: just enough to be above maintenance again, with a buffer;
# - **tier_step**: down into the next lower bracket of the margin table, where less is required;
# - **fraction**: a share at a time, with a pause in between;
# - **fifo**: the oldest position whole (this account has one, so it is the same as all).

# %%
import matplotlib.pyplot as plt
import polars as pl

from seawall import Market

plt.style.use("course.mplstyle")

# %% [markdown]
# ## The account and the book

# %%
ENTRY, QTY, DEPOSIT, LEVERAGE = 100, 5000, 50_500, 10
STEP, PER_LEVEL, LEVELS = 0.1, 250, 30
POLICIES = {
    "all": {"partial": "all"},
    "restore": {"partial": "restore", "restore_buffer": "0.25"},
    "tier_step": {"partial": "tier_step"},
    "fraction": {"partial": "fraction", "fraction": "0.2", "cooldown_s": 5},
    "fifo": {"partial": "fifo"},
}


def requote(market, maker, price):
    """A ladder of bids below a price, as deep as ever, and one ask above."""
    market.cancel_all(maker)
    for level in range(1, LEVELS):
        market.buy(maker, PER_LEVEL, f"{price - STEP * level:.2f}")
    market.sell(maker, PER_LEVEL, f"{price + STEP:.2f}")


def play(policy, path, fund="100000", refill=5, **more):
    """The account through a path of prices, a second each; the book is filled up again and again."""
    rules = {"liquidation": POLICIES[policy] | more, "mark": {"method": "index"}}
    market = Market(price=ENTRY, fund=fund, band="0.3", lot="1", rules=rules)
    maker = market.open_account("10000000", leverage=1)
    trader = market.open_account(DEPOSIT, leverage=LEVERAGE)
    market.sell(maker, QTY, ENTRY)
    market.buy(trader, QTY, ENTRY)
    samples = []
    for second, price in enumerate(path):
        if second % refill == 0:
            requote(market, maker, price)
        market.tick()
        market.set_index(f"{price:.2f}")
        position = market.position(trader)
        held = float(position.qty) if position else 0.0
        samples.append((second, held, float(market.account(trader).equity)))
    return market, trader, samples


opened, owner, _ = play("restore", [100])
margin = opened.account(owner)
liquidated_at = float(opened.position(owner).liquidation_price)
LOW = liquidated_at - 0.3
FALL = [ENTRY - (ENTRY - LOW) * min(1, second / 15) for second in range(40)]

# %% [markdown]
# A long of {QTY:,} at {ENTRY} with {LEVERAGE}x: a value of {QTY * ENTRY:,}, on {float(margin.wallet):,.0f} of money.
# Maintenance is {float(margin.maintenance_margin):,.0f}, because the table has brackets: the part of a position
# beyond a bound pays a higher rate. The account is liquidated below {liquidated_at}. The book has
# {PER_LEVEL} contracts at every {STEP:g} below the index.

# %%
worlds = {policy: play(policy, FALL) for policy in POLICIES}
rows = []
for policy, (market, trader, samples) in worlds.items():
    over = market.history("LiquidationEnded").filter(pl.col("account") == trader)
    sold = market.history("Trade").filter(pl.col("liquidation"))
    rows.append(
        {
            "policy": policy,
            "liquidations": over.height,
            "sold": float(sold["qty"].sum()),
            "average price": float((sold["price"] * sold["qty"]).sum() / sold["qty"].sum()),
            "slippage": -float(over["slippage"].sum()),
            "fees": -float(over["fee"].sum()),
            "held": samples[-1][1],
            "equity": samples[-1][2],
        }
    )
table = pl.DataFrame(rows).with_columns(
    pl.col("average price", "slippage", "fees", "equity").round(2)
)
table

# %%
by = {row["policy"]: row for row in table.to_dicts()}
most = max(row["equity"] for row in by.values())
at_once, enough, stepped, slices = (
    by[each] for each in ("all", "restore", "tier_step", "fraction")
)
saved = enough["equity"] - at_once["equity"]

# %% [markdown]
# The account had the same equity, and the price was the same. Selling all of it at once went through
# {at_once["sold"] / PER_LEVEL:.0f} levels of the book and cost {at_once["slippage"]:,.0f} of slippage and
# {at_once["fees"]:,.0f} of fees; {at_once["equity"]:,.0f} were left. Selling just enough sold
# {enough["sold"]:,.0f} contracts and left {enough["equity"]:,.0f}, and a position of
# {enough["held"]:,.0f}. The difference of {saved:,.0f} went to those whose bids were hit, and to the fund.
#
# The brackets help: a smaller position needs a lower rate, so what remains after a sale is further from
# liquidation than the sale alone explains.

# %%
SHOWN = {"all": "#666666", "restore": "#0072B2", "tier_step": "#D55E00", "fraction": "#009E73"}
figure, (left, right) = plt.subplots(1, 2, num="five_policies", clear=True, figsize=(7.2, 3.4))
for policy, colour in SHOWN.items():
    samples = worlds[policy][2]
    left.plot(
        [each[0] for each in samples], [each[1] for each in samples], color=colour, label=policy
    )
left.set_title("Contracts held", loc="left")
left.set_xlabel("seconds")
left.set_ylim(0)
left.legend(loc="lower left")
names = list(by)
for key, colour, below in (("equity", "#0072B2", None), ("slippage", "#D55E00", "equity")):
    heights = [by[each][key] for each in names]
    bottom = [by[each][below] for each in names] if below else None
    right.bar(names, heights, bottom=bottom, color=colour, label=key)
stacked = [by[each]["equity"] + by[each]["slippage"] for each in names]
right.bar(
    names, [by[each]["fees"] for each in names], bottom=stacked, color="#AA4499", label="fees"
)
right.set_title("Where the equity went", loc="left")
right.tick_params(axis="x", labelsize=8)
right.set_ylim(0, 1.35 * (stacked[0] + by[names[0]]["fees"]))
right.legend(loc="upper left", ncols=3, fontsize=8)
plt.show()

# %% [markdown]
# ## Was it right to keep a position?
#
# What is kept is still at risk. Two futures: the price comes half way back, or it falls on.

# %%
BACK, ON = (ENTRY + LOW) / 2, LOW - 3
TAILS = {
    "comes back": [LOW + (BACK - LOW) * min(1, second / 15) for second in range(20)],
    "falls on": [LOW + (ON - LOW) * min(1, second / 15) for second in range(20)],
}
later = {
    (policy, future): play(policy, FALL + tail)[2][-1]
    for policy in SHOWN
    for future, tail in TAILS.items()
}
pl.DataFrame(
    [
        {
            "policy": policy,
            **{future: round(later[policy, future][2], 2) for future in TAILS},
            "held after the fall": later[policy, "falls on"][1],
        }
        for policy in SHOWN
    ]
)

# %%
gain = later["restore", "comes back"][2] - later["all", "comes back"][2]
assert gain > 0 and saved > 0  # what is said below
loss = later["all", "falls on"][2] - later["restore", "falls on"][2]

# %% [markdown]
# Half way back, at {BACK:.2f}, the account that sold just enough has {gain:,.0f} more than the one that
# sold all. When the price falls on to {ON:.2f} it has {abs(loss):,.0f} {"less" if loss > 0 else "more"}. A
# partial policy gives the owner another chance, and the venue another liquidation to do.

# %% [markdown]
# ## Exercises
#
# 1. Make the book a fifth as deep (`PER_LEVEL`), let the price jump past the liquidation price, and
#    liquidate all at once. What happens to the contracts that the book does not take, with the fund as it
#    is and with a fund ten times as large?
# 2. Compare buffers: what does `restore_buffer` do to the contracts sold and to the number of
#    liquidations when the price falls on?
# 3. Give an account two positions of different age, and compare *fifo* with *restore*. Which contract
#    does each sell?

# %% [markdown] tags=["solution"]
# ### Solution: a thin book

# %% tags=["solution"]
JUMP = [100, 97, 95, 91, 91]
deep, PER_LEVEL = PER_LEVEL, PER_LEVEL // 5
thin = {}
for fund in ("100000", "1000000"):
    market, trader, samples = play("all", JUMP, fund=fund, refill=1)
    fills = market.history("OrderFilled").filter(pl.col("account") == trader, pl.col("liquidation"))
    sold = fills["qty"].sum()
    taken = market.history("TakenOver")["qty"].sum()
    closed = market.history("Deleveraged")["qty"].sum()
    thin[fund] = {
        "sold in the book": float(sold or 0),
        "taken over": float(taken or 0),
        "closed against winners": abs(float(closed or 0)),
        "equity": samples[-1][2],
    }
PER_LEVEL = deep
small_fund, large_fund = thin.values()
pl.DataFrame([{"fund": fund, **each} for fund, each in thin.items()])

# %% [markdown] tags=["solution"]
# The book takes {large_fund["sold in the book"]:,.0f} contracts: no order of a liquidation trades beyond
# the price at which the account's equity is used up. The large fund takes over the other
# {large_fund["taken over"]:,.0f} at that price. The small fund may not hold so much, its positions are
# capped by its own equity, so {small_fund["closed against winners"]:,.0f} are closed against winners: in
# this market the maker, who is short. The owner has {large_fund["equity"]:,.0f} left in both worlds.

# %% [markdown] tags=["solution"]
# ### Solution: buffers

# %% tags=["solution"]
buffers = {}
for buffer in ("0", "0.25", "1"):
    market, trader, samples = play("restore", FALL + TAILS["falls on"], restore_buffer=buffer)
    count = market.history("LiquidationEnded").filter(pl.col("account") == trader).height
    buffers[buffer] = (count, samples[-1][1], samples[-1][2])
pl.DataFrame(
    [
        {"buffer": buffer, "liquidations": count, "held": held, "equity": round(equity, 2)}
        for buffer, (count, held, equity) in buffers.items()
    ]
)

# %% [markdown] tags=["solution"]
# Without a buffer the account is liquidated {buffers["0"][0]} times, with the largest
# {buffers["1"][0]} times. A buffer sells more at first and comes back less often.

# %% [markdown] tags=["solution"]
# ### Solution: two positions

# %% tags=["solution"]
sales = {}
for policy in ("fifo", "restore"):
    market = Market(
        price="100",
        fund="100000",
        rules={"liquidation": POLICIES[policy], "mark": {"method": "index"}},
    )
    market.add_contract("SURF-PERP", "50")
    maker, trader = market.open_account("1000000"), market.open_account("255", leverage=10)
    market.set_leverage(trader, 10, contract="SURF-PERP")
    for contract, price, qty in (("SURF-PERP", "50", "30"), ("WAVE-PERP", "100", "10")):
        market.sell(maker, qty, price, contract=contract)
        market.buy(trader, qty, price, contract=contract)
        market.buy(maker, "100", f"{float(price) * 0.95:.2f}", contract=contract)
        market.buy(maker, "100", f"{float(price) * 0.9:.2f}", contract=contract)
    market.set_prices({"SURF-PERP": "46", "WAVE-PERP": "91"})
    sold = market.history("Trade").filter(pl.col("liquidation"))
    sales[policy] = dict(sold.group_by("contract").agg(pl.col("qty").sum().cast(float)).rows())
sales

# %% [markdown] tags=["solution"]
# *fifo* sold {sales["fifo"]}, the older position whole, whichever was at fault; *restore* sold
# {sales["restore"]}.
