# %% [markdown]
# # Mark, last, index, and funding
#
# One contract has three prices.
#
# - **index**: what the thing itself costs elsewhere, put together from several venues;
# - **last**: the price of the last trade in this book, whoever made it;
# - **mark**: the price your equity and your margin are computed with.
#
# Why not simply use the last price? This lesson makes one bad trade and looks at who is hurt. Then
# it lets the book stay away from the index for eight hours and looks at who pays for that.

# %%
import matplotlib.pyplot as plt
import polars as pl

from risk.prices.funding import funding_rate_ppb
from risk.rulebook_file import load_rulebook
from seawall import Market

plt.style.use("course.mplstyle")
PRICE, QTY, leverage = 100, 10, 10
rule = load_rulebook("teaching-default").rulebook

# %% [markdown]
# ## The wick
#
# A trader is long at {leverage}x. The book is thin: a small bid near the index, and one far below.
# Somebody sells a little too much at market.


# %%
def thin_book(**more):
    """A market with a trader's long and hardly any bids."""
    market = Market(price=PRICE, fund="10000", band="0.3", **more)
    maker, trader = market.open_account("1000000"), market.open_account("110", leverage=leverage)
    market.sell(maker, QTY, PRICE)
    market.buy(trader, QTY, PRICE)
    market.buy(maker, "0.5", "99.9")
    market.buy(maker, "5", "85")
    market.sell(maker, "5", "100.1")
    for _ in range(rule.mark.basis_samples):
        market.tick(5)  # a calm book fills the average that the mark remembers
    return market, trader


def watch(market, trader, seconds, act):
    """Index, last and mark every second; ``act`` is called before each."""
    rows = []
    for second in range(seconds):
        act(market, second)
        market.tick()
        seen = market.contract()
        position = market.position(trader)
        rows.append(
            {
                "second": second + 1,
                "index": float(seen.index),
                "last": float(seen.last),
                "mark": float(seen.mark),
                "held": float(position.qty) if position else 0.0,
            }
        )
    return pl.DataFrame(rows)


def sell_too_much(market, second):
    """In the tenth second somebody sells one contract into the bids; then the book comes back."""
    if second == 9:
        seller = market.open_account("1000")
        market.sell(seller, "1", "80", tif="IOC")
    if second == 10:
        maker, buyer = market.open_account("10000"), market.open_account("1000")
        market.buy(maker, "0.5", "99.9")
        market.buy(buyer, "0.1", "100.1")


market, trader = thin_book()
usual = watch(market, trader, 30, sell_too_much)
wick = usual.filter(pl.col("last") < 90).row(0, named=True)
account = market.account(trader)

# %%
market, trader = thin_book(rules={"mark": {"method": "last"}})
by_last = watch(market, trader, 30, sell_too_much)
lowest = usual["mark"].min()
lost = by_last.row(-1, named=True)
fell_at = by_last.filter(pl.col("held") < QTY)["second"][0]

# %%
figure, panels = plt.subplots(
    1, 2, num="the_wick", clear=True, sharey=True, figsize=(7.2, 3.2), layout="constrained"
)
for axes, frame, title in zip(
    panels, (usual, by_last), ("Mark: median of three", "Mark: the last price"), strict=True
):
    axes.plot(frame["second"], frame["last"], color="#666666", label="last", linewidth=1.2)
    axes.plot(frame["second"], frame["index"], color="#009E73", label="index", linestyle="--")
    axes.plot(frame["second"], frame["mark"], color="#0072B2", label="mark")
    axes.set_title(title, loc="left")
    axes.set_xlabel("seconds")
panels[0].set_ylabel("price")
panels[0].legend(loc="lower right")
plt.show()

# %% [markdown]
# In second {wick["second"]} the last price is {wick["last"]:g}. Such a spike is called a **wick**, after
# the thin line it draws in a candle chart.
#
# - With the usual mark nothing happens. It is the *median* of three prices: the index moved by the
#   funding to come, the index plus the average basis of the book, and the last price. One of three
#   cannot move a median. The mark is {wick["mark"]:g}, its lowest is {lowest:g}, and the account is
#   {account.level} throughout.
# - With the last price as mark the account is liquidated in second {fell_at}, at a price at which the
#   thing itself never stood; it holds {lost["held"]:g} contracts afterwards. Even then the rulebook keeps
#   the mark within its greatest distance of the index: {by_last["mark"].min():g} is as low as it got.

# %% [markdown]
# ## When the book stays away
#
# A median forgives one odd price, not a lasting one. The **basis** is the middle of the book less the
# index; the mark follows its average over a while.

# %%
AWAY, MOVED_AT, SECONDS = 97, 160, 360
market = Market(price=PRICE, band="0.3")
maker, taker = market.open_account("1000000"), market.open_account("10000")
market.buy(maker, "50", "99.9")
market.sell(maker, "50", "100.1")
rows = []
for second in range(1, SECONDS):
    if second == MOVED_AT:
        market.cancel_all(maker)
        market.buy(maker, "50", f"{AWAY - 0.1:.2f}")
        market.sell(maker, "50", f"{AWAY + 0.1:.2f}")
        market.sell(taker, "1")
    market.tick()
    rows.append((second, float(market.mark), AWAY if second >= MOVED_AT else PRICE))
middle = next(row[0] for row in rows if row[1] <= (PRICE + AWAY) / 2)

figure, axes = plt.subplots(num="mark_follows_basis", clear=True)
axes.plot([row[0] for row in rows], [row[2] for row in rows], color="#666666", label="book")
axes.plot([row[0] for row in rows], [row[1] for row in rows], color="#0072B2", label="mark")
axes.axhline(PRICE, color="#009E73", linestyle="--", label="index")
axes.set_title("The mark follows a book that stays away from the index", loc="left")
axes.set_xlabel("seconds")
axes.set_ylabel("price")
axes.legend()
plt.show()

# %%
memory = rule.mark.basis_samples * rule.mark.basis_interval_ns / 1e9

# %% [markdown]
# The book moves to {AWAY} in second {MOVED_AT} and stays. The mark is half way {middle - MOVED_AT} seconds
# later, because the average remembers {memory:.0f} seconds. A wick is over long before that.

# %% [markdown]
# ## Funding: the price of staying away
#
# A perpetual never expires, so nothing forces its price to the index. **Funding** does: every interval
# the side that pushes pays the other. Longs pay when the book stands above the index.
#
# The rate is the mean **premium** of the book over the index, pulled towards an interest rate, but by no
# more than a clamp, and capped:
#
# `rate = premium + clamp(interest - premium, -clamp, +clamp)`, within `-cap` and `+cap`.

# %%
funding = rule.funding
interest, clamp, cap = funding.interest_ppb / 1e9, funding.clamp_ppb / 1e9, funding.cap_ppb / 1e9
hours = funding.interval_ns / 3600e9


def by_formula(premium):
    """The rate of an interval in which the premium stood still."""
    pulled = premium + max(-clamp, min(clamp, interest - premium))
    return max(-cap, min(cap, pulled))


def by_market(premium):
    """A long of QTY through one interval with a book at that premium: rate, and what it paid."""
    market = Market(price=PRICE, band="0.3", rules={"fees": {"maker": 0, "taker": 0}})
    maker, trader = market.open_account("1000000"), market.open_account("1000")
    market.sell(maker, QTY, PRICE)
    market.buy(trader, QTY, PRICE)
    price = f"{PRICE * (1 + premium):.2f}"
    bid, ask = (price, float(price) + 0.01) if premium >= 0 else (float(price) - 0.01, price)
    market.buy(maker, "50", f"{float(bid):.2f}")
    market.sell(maker, "50", f"{float(ask):.2f}")
    for _ in range(int(hours) + 1):
        market.tick(3600)
    settled = market.history("FundingSettled").row(0, named=True)
    paid = market.history("FundingPaid").filter(pl.col("account") == trader)["amount"].sum()
    return float(settled["rate"]), float(paid), float(settled["mark"])


samples = [-0.02, -0.005, 0.0, 0.0003, 0.002, 0.01]
measured = {premium: by_market(premium) for premium in samples}
table = pl.DataFrame(
    [
        {
            "premium": f"{premium:.2%}",
            "formula": f"{by_formula(premium):.4%}",
            "engine": f"{rate:.4%}",
            "mark": mark,
            "long of 1,000 receives": paid,
        }
        for premium, (rate, paid, mark) in measured.items()
    ]
)
table

# %%
premiums = [number / 10_000 for number in range(-150, 151)]
figure, axes = plt.subplots(num="funding_rate", clear=True)
axes.plot([100 * each for each in premiums], [100 * by_formula(each) for each in premiums])
axes.plot(
    [100 * each for each in measured if abs(each) <= 0.015],
    [100 * rate for each, (rate, _, _) in measured.items() if abs(each) <= 0.015],
    "o",
    color="#D55E00",
    label="settled by the engine",
)
axes.set_title("Funding rate of one interval against the premium", loc="left")
axes.set_xlabel("premium of the book over the index, %")
axes.set_ylabel("rate, %")
axes.legend()
plt.show()

# %%
high, calm = 0.01, 0.0003
rate, paid, mark = measured[high]
yearly = interest * 365 * 24 / hours
exact = funding_rate_ppb(round(high * 1e9), funding) / 1e9

# %% [markdown]
# - With a premium of {high:.0%} the formula would say {high - clamp:.2%}; the cap holds it at
#   {exact:.2%}. The long pays {-paid:g}: the rate times {QTY} contracts at a mark of {mark:g}, every
#   {hours:.0f} hours.
# - Within the clamp around the interest the premium does not matter: at {calm:.2%} the rate is the
#   interest, {interest:.2%}, a year of which is {yearly:.0%} of the position.
# - Below the index it turns round and the shorts pay.
#
# What one side pays the other receives, to the last unit. The venue keeps the rounding, in an account
# that has a name.

# %% [markdown]
# ## Exercises
#
# 1. Somebody keeps both sides of an empty book far below the index and trades with a friend there.
#    Two of the three prices are theirs. How far do they move the mark?
# 2. How long must the trader of the wick be able to hold if the book really stays at the wick's price?
#    Repeat the second figure with a book at that price and a long in it.
# 3. A long at the highest leverage pays the capped rate. After how many intervals is its initial margin
#    gone, if no price moves?

# %% [markdown] tags=["solution"]
# ### Solution: two of three prices

# %% tags=["solution"]
market = Market(price=PRICE, band="0.5")
quoter, friend = market.open_account("1000000"), market.open_account("1000000")
market.buy(quoter, "5", "60")
market.sell(quoter, "5", "60.1")
market.sell(friend, "1", "60", tif="IOC")
for _ in range(300):
    market.tick()
pushed = market.contract()
bound = rule.mark.max_distance_ppb / 1e9
pushed.last, pushed.mark

# %% [markdown] tags=["solution"]
# They trade at {pushed.last} and move the mark to {pushed.mark}, no further: the rulebook bounds its
# distance from the index at {bound:.0%}, because a mark beyond the initial margin would be the house's
# loss.

# %% [markdown] tags=["solution"]
# ### Solution: a wick that stays

# %% tags=["solution"]
market, trader = thin_book()
maker = market.open_account("1000000")
survived = None
for second in range(1, 400):
    if second == 10:
        sell_too_much(market, 9)
        market.buy(maker, "50", "84.9")
        market.sell(maker, "50", "85.1")
    market.tick()
    if market.position(trader) is None or market.position(trader).qty != str(QTY):
        survived = second - 10
        break
survived

# %% [markdown] tags=["solution"]
# {survived} seconds from the wick to the first forced sale.

# %% [markdown] tags=["solution"]
# ### Solution: paid away

# %% tags=["solution"]
most = 20
intervals = (1 / most) / cap
intervals

# %% [markdown] tags=["solution"]
# After {intervals:.1f} intervals at {most}x, {intervals * hours / 24:.1f} days. In fact earlier: the account
# is liquidated when its equity is below the maintenance margin.
