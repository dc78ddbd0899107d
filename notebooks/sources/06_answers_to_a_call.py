# %% [markdown]
# # Answers to a call, compared
#
# A called account can **add** collateral, **reduce** its position, do **both**, do **nothing**, or do
# the right thing **too late**. Which is best? It depends on what the price does next, which nobody
# knows. So every answer is tried on the same account against three futures.

# %%
import matplotlib.pyplot as plt
import polars as pl

from seawall import Market

plt.style.use("course.mplstyle")

# %% [markdown]
# ## The account, the call, the futures

# %%
ENTRY, QTY, DEPOSIT, LEVERAGE, RESERVE = 100, 10, 105, 10, 60
CALLED_AT, CALL_SECOND, LATE, SECONDS = 92.3, 6, 65, 110
FUTURES = {"comes back": 100.0, "stays": 92.3, "falls further": 88.0}


def price_at(second, future):
    """Down to the call, a pause of the grace, then to the future's price."""
    if second <= CALL_SECOND:
        return ENTRY + (CALLED_AT - ENTRY) * second / CALL_SECOND
    if second <= CALL_SECOND + 70:
        return CALLED_AT
    return CALLED_AT + (FUTURES[future] - CALLED_AT) * min(1, (second - CALL_SECOND - 70) / 30)


def add(market, trader, call):
    """Bring what is asked for."""
    market.deposit(trader, call.amount)


def reduce(market, trader, call, share=1.0):
    """Sell until what is missing is that share less: each contract sold frees its maintenance."""
    while market.calls(trader)[-1].outcome == "open" and float(
        market.calls(trader)[-1].reduced
    ) < share * float(call.amount):
        market.sell(trader, "0.5", reduce_only=True)


def both(market, trader, call):
    """Half by money, half by selling."""
    market.deposit(trader, f"{float(call.amount) / 2:.2f}")
    reduce(market, trader, call, share=0.5)


MET = {"call": {"ends": "met"}}  # a call is over when it is met, not when the price twitches
ANSWERS = {"add": add, "reduce": reduce, "both": both, "none": None, "too late": add}


def money(market, trader):
    """Equity, and what is left of the reserve the owner keeps elsewhere."""
    paid_in = market.history("BalanceChanged").filter(pl.col("account") == trader)["amount"].sum()
    return float(market.account(trader).equity) + RESERVE - (float(paid_in) - DEPOSIT)


def play(answer, future, rules=MET):
    """One account with one answer through one future; its money second by second."""
    market = Market(price=ENTRY, fund="10000", band="0.3", rules=rules)
    maker, trader = market.open_account("1000000"), market.open_account(DEPOSIT, LEVERAGE)
    market.sell(maker, QTY, ENTRY)
    market.buy(trader, QTY, ENTRY)
    samples = []
    for second in range(1, SECONDS + 1):
        price = f"{price_at(second, future):.2f}"
        market.cancel_all(maker)
        market.buy(maker, "100", f"{float(price) - 0.05:.2f}")
        market.tick()
        market.set_index(price)
        due = CALL_SECOND + (LATE if answer == "too late" else 5)
        calls = market.calls(trader)
        act = ANSWERS[answer]
        if second == due and calls and act:
            act(market, trader, calls[0])
        if second % 2 == 0:
            samples.append(money(market, trader))
    position = market.position(trader)
    liquidated = market.history("LiquidationEnded").filter(pl.col("account") == trader)
    return {
        "answer": answer,
        "future": future,
        "first call": market.calls(trader)[0].outcome,
        "calls": len(market.calls(trader)),
        "liquidations": liquidated.height,
        "held": float(position.qty) if position else 0.0,
        "money": samples[-1],
        "samples": samples,
        "amount": float(market.calls(trader)[0].amount),
    }


results = [play(answer, future) for future in FUTURES for answer in ANSWERS]
table = pl.DataFrame([{k: v for k, v in row.items() if k != "samples"} for row in results])
amount = table["amount"][0]
table.drop("amount").with_columns(pl.col("money").round(2))

# %%
ended = {(row["answer"], row["future"]): row for row in results}
worst = min(ended["add", "falls further"]["money"], ended["reduce", "falls further"]["money"])
assert ended["add", "comes back"]["money"] > ended["reduce", "comes back"]["money"]
assert worst == ended["add", "falls further"]["money"]  # what is said below
costs = ended["add", "stays"]["money"] - ended["none", "stays"]["money"]

# %% [markdown]
# `money` is the equity at the end and what is left of a reserve of {RESERVE} that the owner keeps
# elsewhere. The call asks for {amount:.2f}.
#
# ## The figure

# %%
COLOURS = dict(zip(ANSWERS, ["#0072B2", "#D55E00", "#009E73", "#666666", "#AA4499"], strict=True))
figure, panels = plt.subplots(
    1, 3, num="answers_compared", clear=True, sharey=True, figsize=(7.2, 3.4)
)
for axes, future in zip(panels, FUTURES, strict=True):
    for answer, colour in COLOURS.items():
        style = "--" if answer == "too late" else "-"
        seconds = range(2, SECONDS + 1, 2)
        axes.plot(
            seconds, ended[answer, future]["samples"], color=colour, label=answer, linestyle=style
        )
    axes.set_title(f"The price {future}", loc="left", fontsize=9)
    axes.set_xlabel("seconds")
panels[0].set_ylabel("equity and reserve")
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
plt.show()

# %% [markdown]
# - **The price comes back.** Who added kept all {QTY} contracts and has
#   {ended["add", "comes back"]["money"]:.1f}. Who reduced has {ended["reduce", "comes back"]["money"]:.1f}:
#   the contracts sold at the low are gone.
# - **It stays.** The answers hardly differ ({ended["add", "stays"]["money"]:.2f},
#   {ended["reduce", "stays"]["money"]:.2f}, {ended["both", "stays"]["money"]:.2f}). Doing nothing costs
#   {costs:.2f} more: the liquidation fee, several times the fee of an order of one's own.
# - **It falls further.** Who added has lost most, {ended["add", "falls further"]["money"]:.1f} are left:
#   money sent after a position that is liquidated all the same. Who reduced has
#   {ended["reduce", "falls further"]["money"]:.1f}.
#
# So *adding* is a bet on the price, *reducing* takes risk off the table, *both* lies between. *Nothing*
# is reducing by somebody else's hand, at a fee.
#
# **Too late** deserves a look. The money arrives {LATE} seconds after the call, when the venue has
# already sold. It ends like nothing where the price comes back or stays
# ({ended["too late", "stays"]["money"]:.2f} against {ended["none", "stays"]["money"]:.2f}), and worse than
# nothing where it falls further ({ended["too late", "falls further"]["money"]:.1f} against
# {ended["none", "falls further"]["money"]:.1f}): the money is lost as well.

# %% [markdown]
# ## Exercises
#
# 1. How does the ranking change if the rulebook charges no liquidation fee?
# 2. Let the owner pay twice what was asked. Is the account safe in the third future?
# 3. Close the whole position when the call comes. In which future is that the best of all answers?

# %% [markdown] tags=["solution"]
# ### Solution: no liquidation fee

# %% tags=["solution"]
no_fee = {"call": {"ends": "met"}, "fees": {"liquidation": 0}}
free = {answer: play(answer, "stays", no_fee)["money"] for answer in ("reduce", "none")}
free

# %% [markdown] tags=["solution"]
# Without the fee doing nothing ends at {free["none"]:.2f}, reducing at {free["reduce"]:.2f}. What is left
# of the difference is how much each sells.

# %% [markdown] tags=["solution"]
# ### Solution: twice the amount

# %% tags=["solution"]
ANSWERS["add twice"] = lambda market, trader, call: market.deposit(
    trader, f"{2 * float(call.amount):.2f}"
)
twice = play("add twice", "falls further")
twice["liquidations"], twice["money"]

# %% [markdown] tags=["solution"]
# No: {twice["liquidations"]} liquidations all the same, and {twice["money"]:.1f} left. The amount of a call
# restores the account at the price of the moment; it says nothing about the next price.

# %% [markdown] tags=["solution"]
# ### Solution: closing everything

# %% tags=["solution"]
ANSWERS["close"] = lambda market, trader, call: market.sell(trader, QTY, reduce_only=True)
closed = {future: play("close", future)["money"] for future in FUTURES}
closed

# %% [markdown] tags=["solution"]
# When the price falls further: {closed["falls further"]:.1f}, more than any other answer. When it comes
# back it is the worst, {closed["comes back"]:.1f}.
