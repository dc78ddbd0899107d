# %% [markdown]
# # What a margin call is
#
# When equity falls towards the maintenance margin, a venue with margin calls does not sell at once.
# It goes through four words:
#
# - **alert**: the account has entered a band. Nothing is asked for.
# - **call**: the venue demands collateral, an *amount*, until a *deadline*.
# - **grace**: the time until that deadline.
# - **liquidation**: the venue closes the position itself.
#
# A call ends in one of three ways: **cured** (the account did what was asked, or the price came back),
# **expired** (the deadline came first) or **overtaken** (the account fell to liquidation before the
# deadline). This lesson runs one account through all three.

# %%
from itertools import pairwise

import matplotlib.pyplot as plt
import polars as pl

from risk.rulebook_file import load_rulebook
from seawall import Market, Question, calculate

plt.style.use("course.mplstyle")

# %% [markdown]
# ## The ladder of the rules

# %%
rules = load_rulebook("teaching-default").rulebook
ladder = {level.name: level.factor_ppb / 1e9 for level in rules.levels}
alert, call_level, liquidation = ladder.values()
grace = rules.call.grace_ns / 1e9
asked_for = 1 + rules.call.buffer_ppb / 1e9
leverage_chosen = 10
ladder

# %% [markdown]
# The levels are multiples of the maintenance margin. Below {alert:g} times maintenance the account is
# alerted, below {call_level:g} times it is called, below {liquidation:g} times it is liquidated. A call
# asks for as much as brings equity back to {asked_for:g} times maintenance, within {grace:.0f} seconds.
# (Seconds, because crypto venues never close. Where markets sleep at night the grace is a day or two.)

# %% [markdown]
# ## One account, three stories
#
# The trader buys at {leverage_chosen}x. A maker keeps a bid below the index, so that whatever has to be
# sold finds a buyer. Each story has a price path, and perhaps an answer to the call.

# %%
QTY, ENTRY = 10, 100


def at(path, second):
    """The price of a path of (second, price) corners, straight in between."""
    for (before, low), (after, high) in pairwise(path):
        if before <= second <= after:
            return low + (high - low) * (second - before) / (after - before)
    return path[-1][1]


def story(path, seconds=120, answer=None, answer_after=0, **more):
    """The market after a path, and the trader's equity in times maintenance, second by second."""
    market = Market(price=ENTRY, fund="10000", band="0.2", **more)
    maker = market.open_account("1000000")
    trader = market.open_account("105", leverage=leverage_chosen)
    market.sell(maker, QTY, ENTRY)
    market.buy(trader, QTY, ENTRY)
    samples = []
    for second in range(1, seconds + 1):
        price = f"{at(path, second):.2f}"
        market.cancel_all(maker)
        market.buy(maker, "50", f"{float(price) - 0.1:.2f}")
        market.tick()
        market.set_index(price)
        account = market.account(trader)
        samples.append((second, float(account.times_maintenance or "nan"), account.level))
        called = [call for call in market.calls(trader) if call.outcome == "open"]
        if answer and called and second >= float(called[0].issued_s) + answer_after:
            answer(market, trader, called[0])
    return market, trader, samples


def pay(market, trader, call):
    """Bring what the call asks for."""
    market.deposit(trader, call.amount)


FALL = [(0, 100), (40, 92.3), (120, 92.3)]
FURTHER = [(0, 100), (40, 92.3), (60, 91), (120, 91)]
stories = {
    "cured": story(FALL, answer=pay, answer_after=25),
    "expired": story(FALL),
    "overtaken": story(FURTHER),
}

# %%
figure, panels = plt.subplots(
    3, 1, num="life_of_a_call", clear=True, sharex=True, sharey=True, figsize=(7.2, 6)
)
for axes, (market, trader, samples) in zip(panels, stories.values(), strict=True):
    axes.plot([each[0] for each in samples], [each[1] for each in samples], color="#0072B2")
    for level, factor in ladder.items():
        axes.axhline(factor, color="#666666", linewidth=0.8, linestyle="--")
        axes.text(120, factor, level, ha="right", va="bottom", fontsize=8)
    for call in market.calls(trader):
        end = float(call.ended_s or 120)
        axes.axvspan(float(call.issued_s), end, color="#D55E00", alpha=0.15)
    first = market.calls(trader)[0]
    axes.set_title(f"A call for {first.amount}: {first.outcome}", loc="left")
    axes.set_ylabel("equity / maintenance")
    axes.set_ylim(0.5, 4)
panels[-1].set_xlabel("seconds")
plt.show()

# %%
first_calls = {name: market.calls(trader)[0] for name, (market, trader, _) in stories.items()}
cured, expired, overtaken = first_calls.values()
pl.DataFrame(
    [
        {
            "story": name,
            "amount": call.amount,
            "called at": call.issued_s,
            "deadline": call.deadline_s,
            "ended at": call.ended_s,
            "outcome": call.outcome,
            "by": call.cured_by,
            "paid": call.paid,
        }
        for name, call in first_calls.items()
    ]
)

# %% [markdown]
# The coloured stretch is the time in which the call is open.
#
# - **Cured.** The trader pays {cured.paid} in second {cured.ended_s}. Equity jumps back to
#   {asked_for:g} times maintenance: that is what the amount was made for.
# - **Expired.** Nobody answers. In second {expired.ended_s} the deadline is over, and the rulebook
#   liquidates, although the account never fell to the liquidation level.
# - **Overtaken.** The price goes on falling, and in second {overtaken.ended_s} the account is at the
#   liquidation level. The deadline in second {overtaken.deadline_s} does not protect it: grace is
#   time to pay while you can still pay, not time to fall. What is sold is just enough, the price
#   falls on, and the account is called again: {len(stories["overtaken"][0].calls(trader))} calls in all.

# %% [markdown]
# ## The amount, by hand

# %%
event = stories["expired"][0].history("MarginCallIssued").row(0, named=True)
by_hand = asked_for * float(event["maintenance"]) - float(event["equity"])

# %% [markdown]
# When the call went out, equity was {event["equity"]} and maintenance {event["maintenance"]}.
# {asked_for:g} times maintenance less equity is {by_hand:.6f}; the engine asked for
# {event["amount"]}, rounded up to the asset's smallest unit.

# %% [markdown]
# ## What the liquidation did
#
# The engine sold only as much as restores the account, through the same book as everyone.

# %%
sold = stories["expired"][0].history("Trade").filter(pl.col("liquidation"))
over = stories["expired"][0].history("LiquidationEnded").row(0, named=True)
left = stories["expired"][0].position(stories["expired"][1])
sold.select("time_s", "price", "qty")

# %% [markdown]
# It sold {sold["qty"].sum():f} of {QTY} contracts and charged {-over["fee"]:f} in fees. The account went
# from {over["equity_before"]:f} of equity to {over["equity_after"]:f}, still holds
# {left.qty} contracts, and is {over["outcome"]}.

# %%
kraken = load_rulebook("kraken-spot")
maintenance_of_used = float(kraken.margin.figures["maintenance_of_used"])
factors = {level.name: level.factor_ppb / 1e9 for level in kraken.rulebook.levels}
kraken_call = factors["margin call"] * maintenance_of_used
kraken_end = factors["liquidation"] * maintenance_of_used


# %% [markdown]
# ## The same in the words of another venue
#
# Kraken's spot margin counts *equity over used margin* in per cent. Used margin is the position's
# value at entry over the leverage. At about {kraken_call:.0%} it may send an e-mail, at about
# {kraken_end:.0%} it sells. Two worked cases.


# %%
def kraken_prices(entry, equity, leverage):
    """Used margin, and the prices of call and liquidation by the formula and by the engine."""
    used = entry / leverage
    figures = calculate(
        Question("kraken-spot", "long", "1", str(entry), leverage, wallet=str(equity))
    )
    found = {name: float(price) for name, price in figures.levels}
    return {
        "entry": entry,
        "equity": equity,
        "used margin": used,
        "level": f"{equity / used:.0%}",
        "call at": entry - (equity - kraken_call * used),
        "liquidation at": entry - (equity - kraken_end * used),
        "engine calls below": found["margin call"] + 0.01,
        "engine liquidates below": found["liquidation"] + 0.01,
    }


used_leverage = 5
coin = kraken_prices(20_000, 10_000, used_leverage)
large = kraken_prices(100_000, 20_000, used_leverage)
pl.DataFrame([coin, large])

# %% [markdown]
# A coin bought at {coin["entry"]:,} with {coin["equity"]:,} of equity at {used_leverage}x uses
# {coin["used margin"]:,.0f} of margin. The call comes at {coin["call at"]:,.0f} and the liquidation at
# {coin["liquidation at"]:,.0f}. A position of {large["entry"]:,} on its bare margin of
# {large["equity"]:,} is called at {large["call at"]:,.0f} and liquidated at
# {large["liquidation at"]:,.0f}.
#
# The engine's ladder and the per cents are the same thing: with maintenance at {kraken_end:.0%} of used
# margin, the call at {kraken_call:.0%} is {factors["margin call"]:g} times maintenance.

# %% [markdown]
# ## Exercises
#
# 1. Let the price come back: it falls as in the first story and is at its start again half a minute
#    after the low. Who cures the call?
# 2. Under `rules={{"call": {{"ends": "met"}}}}` a call is over only when what it asks for is met. Let
#    the price swing around the call level and count the calls under both rules.
# 3. Give the account more grace, enough that the deadline lies beyond the end of the story. Does it
#    help the trader of the third story?

# %% [markdown] tags=["solution"]
# ### Solution: the price comes back

# %% tags=["solution"]
BACK = [(0, 100), (40, 92.3), (70, 100), (120, 100)]
market, trader, _ = story(BACK)
back = market.calls(trader)[0]
back

# %% [markdown] tags=["solution"]
# Nobody: it is {back.outcome} by {back.cured_by}, after {float(back.ended_s) - float(back.issued_s):.0f}
# seconds, with {back.paid} paid. In a crash most calls that end well end like this, which says nothing
# about whether people answer.

# %% [markdown] tags=["solution"]
# ### Solution: swings around the level

# %% tags=["solution"]
SWINGS = [(0, 100), (40, 92.3)] + [(45 + 5 * n, 93.2 if n % 2 == 0 else 92.3) for n in range(10)]
swing = {}
for ends in ("level", "met"):
    market, trader, _ = story(SWINGS, rules={"call": {"ends": ends, "grace_s": 300}})
    swing[ends] = market.calls(trader)
{ends: [call.outcome for call in calls] for ends, calls in swing.items()}

# %% [markdown] tags=["solution"]
# {len(swing["level"])} calls where the level ends a call, {len(swing["met"])} where only what it asked
# for does. A number of calls says little without the rule that ends them.

# %% [markdown] tags=["solution"]
# ### Solution: more grace

# %% tags=["solution"]
market, trader, _ = story(FURTHER, rules={"call": {"grace_s": 3600}})
longer = market.calls(trader)[0]
longer.outcome, longer.ended_s

# %% [markdown] tags=["solution"]
# No. The call is {longer.outcome} in second {longer.ended_s}, as before. Grace protects against the
# clock, room protects against the price.
