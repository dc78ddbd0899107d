# %% [markdown]
# # Isolated and cross, with two positions
#
# A trader with two positions has a choice. **Cross**: both rest on one pot, everything in the account.
# **Isolated**: each has a pot of its own, and when that is used up the position goes, and nothing
# else. One protects the position with all you have, the other protects all you have from the position.

# %%
import matplotlib.pyplot as plt
import polars as pl

from seawall import Market

plt.style.use("course.mplstyle")

# %% [markdown]
# ## One market, two contracts, two traders
#
# Both traders have the same money and the same two longs. One keeps them cross, the other isolated.

# %%
DEPOSIT, LEVERAGE = 400, 10
WAVE, SURF = "WAVE-PERP", "SURF-PERP"
WAVE_PRICE, SURF_PRICE, WAVE_QTY, SURF_QTY = 100, 50, 20, 20


def opened(surf_side="long"):
    """The market, the cross trader and the isolated one, both in two positions."""
    market = Market(price=WAVE_PRICE, fund="100000", band="0.5")
    market.add_contract(SURF, SURF_PRICE, band="0.5")
    maker = market.open_account("1000000")
    traders = [market.open_account(str(DEPOSIT), leverage=LEVERAGE) for _ in range(2)]
    for contract in (WAVE, SURF):
        market.set_isolated(traders[1], contract=contract)
    for trader in traders:
        market.set_leverage(trader, LEVERAGE, contract=SURF)
        market.sell(maker, WAVE_QTY, WAVE_PRICE)
        market.buy(trader, WAVE_QTY, WAVE_PRICE)
        take, give = (market.buy, market.sell) if surf_side == "long" else (market.sell, market.buy)
        give(maker, SURF_QTY, SURF_PRICE, contract=SURF)
        take(trader, SURF_QTY, SURF_PRICE, contract=SURF)
    return market, *traders


market, cross, isolated = opened()
positions = pl.DataFrame(
    [
        {
            "trader": name,
            "contract": each.contract,
            "qty": each.qty,
            "initial margin": each.initial_margin,
            "liquidated at": each.liquidation_price,
        }
        for name, trader in (("cross", cross), ("isolated", isolated))
        for each in market.positions(trader)
    ]
)
positions

# %%
lows = {(row["trader"], row["contract"]): row["liquidated at"] for row in positions.to_dicts()}
pot = market.isolated(isolated, WAVE)
rest = market.account(isolated)

# %% [markdown]
# Each trader put in {DEPOSIT}. In the isolated account {pot.wallet} of it stand behind the {WAVE}
# position alone, and {rest.wallet} are left in the wallet, which the positions cannot touch.
#
# If only {WAVE} moves, the isolated position is liquidated at {lows["isolated", WAVE]}, the cross one
# at {lows["cross", WAVE]}: it has the whole pot.
#
# ## The first contract falls

# %%
market.set_index("88", contract=WAVE)
fallen = market.contract(WAVE).mark
left = {
    name: [each.contract for each in market.positions(trader)]
    for name, trader in (("cross", cross), ("isolated", isolated))
}
cross_equity = float(market.account(cross).equity)
isolated_rest = float(market.account(isolated).equity)
surf_pot = market.isolated(isolated, SURF)
isolated_equity = isolated_rest + float(surf_pot.equity)
left

# %% [markdown]
# {WAVE} is at {fallen}. The isolated position in it is gone with its pot. The isolated trader still has
# {isolated_rest:.2f} in the wallet and the {SURF} position with {surf_pot.equity} behind it, together
# {isolated_equity:.2f}. The cross trader still holds both positions, and has {cross_equity:.2f}.
#
# Neither was cleverer. The isolated trader knew what the position could cost; the cross trader kept
# the chance that the price comes back, and pays for it if it does not.

# %%
market.set_index("81", contract=WAVE)
worse = market.contract(WAVE).mark
after = [each.contract for each in market.positions(cross)]
cross_end = float(market.account(cross).equity)
isolated_end = float(market.account(isolated).equity) + float(
    market.isolated(isolated, SURF).equity
)

# %% [markdown]
# At {worse} the cross account falls as a whole, and the {SURF} position goes with it, although {SURF}
# never moved: **contagion** from one contract to another through the pot. {len(after)} positions are
# left and {cross_end:.2f} of equity; the isolated trader still has {isolated_end:.2f}.

# %% [markdown]
# ## The map
#
# Where in the plane of both prices is each account liquidated? The engine says it for every price of
# {SURF}: the price of {WAVE} at which the account falls.

# %%
steps = [f"{SURF_PRICE * (0.9 + 0.01 * number):.2f}" for number in range(21)]


def frontier(surf_side):
    """For prices of SURF: the liquidation price of WAVE in the cross account."""
    market, cross, _ = opened(surf_side)
    edge = []
    for price in steps:
        market.set_index(price, contract=SURF)
        held = market.position(cross, WAVE)
        edge.append(float(held.liquidation_price) if held else float("nan"))
    return edge


apart, _, alone = opened()
wave_alone = float(apart.position(alone, WAVE).liquidation_price)
both_long, hedged = frontier("long"), frontier("short")
surf = [float(price) for price in steps]

# %%
figure, axes = plt.subplots(num="cross_and_isolated", clear=True)
axes.plot(surf, both_long, color="#D55E00", label="cross, long both")
axes.plot(surf, hedged, color="#009E73", label="cross, long one and short the other")
axes.axhline(wave_alone, color="#0072B2", linestyle="--", label="isolated")
axes.plot([SURF_PRICE], [WAVE_PRICE], "o", color="#333333")
axes.annotate("start", (SURF_PRICE, WAVE_PRICE), (5, -12), textcoords="offset points")
axes.set_title(f"{WAVE} is liquidated below the line", loc="left")
axes.set_xlabel(f"price of {SURF}")
axes.set_ylabel(f"price of {WAVE}")
axes.set_ylim(72, 102)
axes.legend(loc="lower center", ncols=3, fontsize=8)
plt.show()

# %%
lowest, highest = both_long[-1], both_long[0]

# %% [markdown]
# The isolated line is flat: what {SURF} does is not its business. The cross line of two longs falls from
# {highest:.2f} to {lowest:.2f} as {SURF} rises from {surf[0]:g} to {surf[-1]:g}: a gain in one carries
# the other. With a long and a short the line turns round. Then both prices may fall together and the
# account hardly notices: the positions **hedge** each other, and only one pot can see that.

# %% [markdown]
# ## Exercises
#
# 1. Move all that is left in the wallet to the isolated position (`add_margin`). Where is it
#    liquidated then, and why still before the cross one?
# 2. Let both prices fall by the same share until the first account falls. At which share does each of
#    the three (cross long both, cross hedged, isolated) first lose a position or a part of one?
# 3. Switch an account to hedge mode (`set_hedge`) and hold a long and a short of the *same* contract.
#    What margin does it need, and why is it not nothing?

# %% [markdown] tags=["solution"]
# ### Solution: adding margin

# %% tags=["solution"]
market, cross, isolated = opened()
added = market.account(isolated).free
market.add_margin(isolated, added, contract=WAVE)
deeper = market.position(isolated, WAVE).liquidation_price
kept_apart = market.isolated(isolated, SURF)
deeper, kept_apart.equity

# %% [markdown] tags=["solution"]
# With {added} more it falls at {deeper}, the cross one at {lows["cross", WAVE]}. The
# {kept_apart.equity} behind {SURF} stay apart; in the cross pot all of it but the maintenance margin of
# {SURF} ({kept_apart.maintenance_margin}) stands behind {WAVE} too.

# %% [markdown] tags=["solution"]
# ### Solution: both fall

# %% tags=["solution"]
first_loss = {}
for side in ("long", "short"):
    market, cross, isolated = opened(side)
    for percent in range(1, 60):
        share = 1 - percent / 100
        prices = {WAVE: f"{WAVE_PRICE * share:.2f}", SURF: f"{SURF_PRICE * share:.2f}"}
        market.set_prices(prices)
        for name, trader in ((f"cross, {side}", cross), (f"isolated, {side}", isolated)):
            if trader in market.history("LiquidationStarted")["account"]:
                first_loss.setdefault(name, percent / 100)
first_loss

# %% [markdown] tags=["solution"]
# Two longs in one pot fall after {first_loss["cross, long"]:.0%}, the hedged pot after
# {first_loss["cross, short"]:.0%}, isolated positions after {first_loss["isolated, long"]:.0%}.

# %% [markdown] tags=["solution"]
# ### Solution: a hedge in one contract

# %% tags=["solution"]
market = Market(price="100")
maker, trader = market.open_account("100000"), market.open_account("400", leverage=10)
market.set_hedge(trader)
for take, give, leg in ((market.buy, market.sell, "long"), (market.sell, market.buy, "short")):
    give(maker, "10", "100")
    take(trader, "10", "100", leg=leg)
hedge = market.account(trader)
market.set_index("60")
later, drop = market.account(trader), 1 - float(market.mark) / 100
hedge.initial_margin, hedge.maintenance_margin, hedge.equity, later.equity

# %% [markdown] tags=["solution"]
# It needs {hedge.initial_margin} of initial and {hedge.maintenance_margin} of maintenance margin: each leg
# pays for itself, because either can be closed alone the next moment. Equity is {hedge.equity} before
# and {later.equity} after a fall of {drop:.0%}: the legs cancel.
