# %% [markdown]
# # Leverage and room for error
#
# **Leverage** is the value of a position over the money of your own that stands behind it. With
# leverage a small sum carries a large position. The price you pay for it is room: the further the
# position outgrows the money, the smaller the move that uses the money up.
#
# This lesson computes that room. You need no code of your own; change a figure and run the cell
# again.

# %%
import matplotlib.pyplot as plt
import polars as pl

from seawall import Question, calculate

plt.style.use("course.mplstyle")

# %% [markdown]
# ## A hundred thousand dollars on a twentieth of it
#
# One bitcoin bought at a round price, on a large venue's rules.

# %%
price = 100_000
leverage = 20
margin = price // leverage
fall = 0.01
loss = round(price * fall)

question = Question(
    rulebook="binance-usdm", symbol="BTCUSDT", side="long", qty="1", entry=str(price), leverage=20
)
answer = calculate(question)
shown = {key: str(value) for key, value in vars(answer).items() if key != "levels"}
pl.DataFrame({"figure": list(shown), "value": list(shown.values())})

# %%
liquidated_at = float(dict(answer.levels)["liquidation"])
room = 1 - liquidated_at / price
bankrupt_at = float(answer.bankruptcy_price)

# %% [markdown]
# A position of {price:,} dollars at {leverage}x rests on {margin:,} of your own. That sum is the **initial
# margin**, what the venue wants to see before it lets you open the position.
#
# - The price falls by {fall:.0%}. The position loses {loss:,}, which is {loss / margin:.0%} of your
#   money. Leverage multiplies the move by {leverage}.
# - At {bankrupt_at:,.0f} the money is gone: the **bankruptcy price**, {1 - bankrupt_at / price:.0%}
#   below the entry, one over the leverage.
# - The venue does not wait for that. It wants a cushion, the **maintenance margin**
#   ({answer.maintenance_margin} at the entry), and takes the position away when your equity is
#   less. This is the **liquidation price**, here {liquidated_at:,.2f}: a fall of {room:.2%}.
#
# **Equity** is the money you put in plus what the position has gained or lost. Everything in this
# course is equity measured against maintenance margin.

# %% [markdown]
# ## The room at every leverage
#
# The same long under the rulebook for teaching, which has round figures. It knows three levels:
# an *alert*, a *margin call* that demands more money, and the *liquidation*.

# %%
LEVERAGES = [1, 2, 3, 5, 8, 10, 15, 20]


def room_at(leverage, side="long", wallet=None, rulebook="teaching-default"):
    """How far the price can move against a position of 10 at 100, by level; None: for ever."""
    figures = calculate(
        Question(rulebook, side=side, qty="10", entry="100", leverage=leverage, wallet=wallet)
    )
    moves = {name: where and abs(float(where) - 100) / 100 for name, where in figures.levels}
    end = figures.bankruptcy_price
    return moves | {"bankruptcy": end and abs(float(end) - 100) / 100}


table = pl.DataFrame([{"leverage": each, **room_at(each)} for each in LEVERAGES])
table

# %%
figure, axes = plt.subplots(num="room_for_error", clear=True)
levels = ["alert", "margin call", "liquidation", "bankruptcy"]
lines = table.filter(pl.col("leverage") > 1)
for level, marker in zip(levels, "osvx", strict=True):
    axes.plot(lines["leverage"], lines[level] * 100, marker=marker, label=level)
axes.set_title("A fall of how many per cent brings a long to each level?", loc="left")
axes.set_xlabel("leverage")
axes.set_xticks(lines["leverage"])
axes.set_ylabel("fall from the entry, %")
axes.set_ylim(0)
axes.legend()
plt.show()

# %%
at = {row["leverage"]: row for row in table.to_dicts()}
chosen_two, chosen_ten = 2, 10
two, ten, twenty = (at[each]["liquidation"] for each in (chosen_two, chosen_ten, leverage))
call_twenty = at[leverage]["margin call"]
cushion = 0.02  # maintenance margin of the rulebook, a share of the position's value

# %% [markdown]
# At {chosen_two}x the price may fall by {two:.1%} before the position is liquidated, at {chosen_ten}x by
# {ten:.1%}, at {leverage}x by {twenty:.1%}. A long without leverage has no liquidation price at all.
#
# The room shrinks faster than one over the leverage, because the cushion stays the same size while
# the money shrinks: at {leverage}x the maintenance margin is {cushion * leverage:.0%} of everything you put in,
# and the call comes after a move of {call_twenty:.2%}.
#
# Is that much or little? Put the room beside what the price does on an ordinary day.

# %%
daily_move = 0.03  # a typical day of a large coin: one standard deviation
days = {each: round(at[each]["liquidation"] / daily_move, 1) for each in (2, 5, 10, 20)}
days

# %% [markdown]
# With a typical daily move of {daily_move:.0%} the room at {chosen_two}x is {days[2]:.0f} such days, at
# {chosen_ten}x it is {days[10]:.1f}, and at {leverage}x {days[20]:.1f}: about as much as the price moves on any day, up or down.

# %% [markdown]
# ## The leverage that counts
#
# The leverage you *choose* sets the initial margin. The leverage that decides about you is the
# position over **all** the money that stands behind it. Put in more than the least, and the room
# grows.

# %%
chosen = 20
value = 1000
deposits = ["50", "100", "200", "500"]
deeper = pl.DataFrame(
    [
        {
            "deposit": deposit,
            "real leverage": value / float(deposit),
            "liquidated after a fall of": room_at(chosen, wallet=deposit)["liquidation"],
        }
        for deposit in deposits
    ]
)
deeper

# %%
first, last = deeper.row(0, named=True), deeper.row(-1, named=True)
key = "liquidated after a fall of"

# %% [markdown]
# All four accounts chose {chosen}x. The one with {first["deposit"]} behind a position of {value:,}
# falls after {first[key]:.1%}, the one with {last["deposit"]} after {last[key]:.1%}.

# %% [markdown]
# ## Exercises
#
# 1. A *short* gains when the price falls. How far may it rise against a short at the highest
#    leverage of the table? Is the room the same as the long's, and why not?
# 2. What leverage would you choose if the position should survive a fall of a quarter?
# 3. Ask the same question of every rulebook that ships with Seawall (`seawall rulebooks` lists
#    them). Which one leaves the least room at the same leverage?

# %% [markdown] tags=["solution"]
# ### Solution: the short

# %% tags=["solution"]
long_room, short_room = room_at(20)["liquidation"], room_at(20, side="short")["liquidation"]
print(f"long {long_room:.3%}, short {short_room:.3%}")

# %% [markdown] tags=["solution"]
# The short has {short_room:.3%}, the long {long_room:.3%}. Maintenance margin is a share of the
# position's value at the present price. When the price rises against a short the value rises, and
# with it the cushion the venue wants; for a long it falls.

# %% [markdown] tags=["solution"]
# ### Solution: surviving a quarter

# %% tags=["solution"]
survivors = [each for each in range(1, 21) if (room_at(each)["liquidation"] or 1) > 0.25]
survivors[-1]

# %% [markdown] tags=["solution"]
# {survivors[-1]}x is the highest that survives: its room is
# {room_at(survivors[-1])["liquidation"]:.1%}, that of {survivors[-1] + 1}x only
# {room_at(survivors[-1] + 1)["liquidation"]:.1%}.

# %% [markdown] tags=["solution"]
# ### Solution: the rulebooks

# %% tags=["solution"]
names = ["teaching-default", "binance-usdm", "hyperliquid", "kraken-spot", "deribit-linear"]
same = 5
rooms = {name: round(room_at(same, rulebook=name)["liquidation"], 4) for name in names}
tightest = min(rooms, key=rooms.get)
rooms

# %% [markdown] tags=["solution"]
# At {same}x `{tightest}` leaves the least: {rooms[tightest]:.1%}. It calls and liquidates by the share of
# *used margin*, not of the position's value, so its cushion is larger.
