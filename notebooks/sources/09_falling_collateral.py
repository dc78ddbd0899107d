# %% [markdown]
# # Collateral that falls with the market
#
# Margin need not be dollars. Many venues take coins: they count at their price less a **haircut**, a
# share that does not count. That is comfortable, and it hides a second position. Who buys one coin on
# margin and puts another coin down as collateral is long twice.

# %%
import matplotlib.pyplot as plt
import polars as pl

from seawall import Market

plt.style.use("course.mplstyle")

# %% [markdown]
# ## The same long on three kinds of collateral

# %%
ENTRY, QTY, LEVERAGE, COIN_PRICE, WORTH = 100, 20, 10, 50_000, 400


def rules(haircut):
    """The teaching rules, with bitcoin as collateral for dollars."""
    asset = {"asset": "BTC", "haircut": haircut}
    return {
        "collateral": [{"margin_asset": "USDT", "assets": [asset]}],
        "mark": {"method": "index"},
        "fees": {"maker": 0, "taker": 0},
    }


def opened(coins, haircut="0.1"):
    """A long whose owner brought coins and dollars that are worth the same at the start."""
    market = Market(price=ENTRY, fund="100000", band="0.5", rules=rules(haircut))
    market.add_asset("BTC", COIN_PRICE)
    maker = market.open_account("1000000", leverage=LEVERAGE)
    trader = market.open_account(f"{WORTH * (1 - coins):.6f}", leverage=LEVERAGE)
    if coins:
        market.deposit(trader, f"{WORTH * coins / COIN_PRICE:.8f}", asset="BTC")
    market.sell(maker, QTY, ENTRY)
    market.buy(trader, QTY, ENTRY)
    return market, trader


KINDS = {"dollars": 0.0, "half and half": 0.5, "coins": 1.0}
start = {name: opened(coins)[0].account(opened(coins)[1]) for name, coins in KINDS.items()}
counted = {name: float(view.equity) for name, view in start.items()}
haircut = float(start["coins"].collateral[0].haircut)
counted

# %% [markdown]
# All three owners brought {WORTH}. The coins count less {haircut:.0%}, so the account with coins only has
# {counted["coins"]:.0f} of equity behind the same position of {QTY * ENTRY:,}.
#
# ## The contract falls alone, or everything falls

# %%
falls = [number / 200 for number in range(60)]


def fall(coins, beta, haircut="0.1"):
    """Equity over maintenance while the contract falls and the coin falls ``beta`` times as much;
    and the fall at which the account is liquidated."""
    market, trader = opened(coins, haircut)
    line = []
    for share in falls:
        prices = {
            "WAVE-PERP": f"{ENTRY * (1 - share):.2f}",
            "BTC": f"{COIN_PRICE * (1 - beta * share):.2f}",
        }
        market.set_prices(prices)
        if market.history("LiquidationStarted").filter(pl.col("account") == trader).height:
            return line, share
        line.append(float(market.account(trader).times_maintenance))
    return line, None


together = {name: fall(coins, beta=1) for name, coins in KINDS.items()}
alone = {name: fall(coins, beta=0) for name, coins in KINDS.items()}
table = pl.DataFrame(
    [
        {
            "collateral": name,
            "contract falls alone": alone[name][1],
            "everything falls": together[name][1],
        }
        for name in KINDS
    ]
)
table

# %%
figure, panels = plt.subplots(
    1, 2, num="falling_collateral", clear=True, sharey=True, figsize=(7.2, 3.3)
)
for axes, worlds, title in zip(
    panels, (alone, together), ("The contract falls alone", "The coin falls too"), strict=True
):
    for name, (line, _) in worlds.items():
        axes.plot([100 * share for share in falls[: len(line)]], line, label=name)
    axes.axhline(1, color="#666666", linewidth=0.8, linestyle="--")
    axes.set_title(title, loc="left")
    axes.set_xlabel("fall of the contract, %")
    axes.set_ylim(0, 10)
panels[0].set_ylabel("equity / maintenance")
panels[0].legend()
plt.show()

# %%
dollars, coins = together["dollars"][1], together["coins"][1]
shown = opened(1.0)
lowest_coin = shown[0].account(shown[1]).collateral[0].liquidation_price

# %% [markdown]
# With dollars the account stands a fall of {dollars:.1%}. With coins that fall along it is liquidated after
# {coins:.1%}: the same move makes the loss and takes away the margin. Nothing in the position's own
# liquidation price warns of that. The account says it of the coin: if only bitcoin moved, the account
# would be liquidated at {float(lowest_coin):,.0f}.
#
# ## The debt, and who takes the coins
#
# Losses are paid in the asset the contract settles in. An account that holds coins only has no dollars,
# so a realised loss becomes a **debt** that stands on the coins. When the account is liquidated, the
# venue takes coins for it, at their price less the haircut.

# %%
market, trader = opened(1.0)
maker = market.open_account("1000000", leverage=LEVERAGE)
drop = coins + 0.01
market.buy(maker, QTY, f"{ENTRY * (1 - drop) - 0.05:.2f}")
market.set_prices(
    {"WAVE-PERP": f"{ENTRY * (1 - drop):.2f}", "BTC": f"{COIN_PRICE * (1 - drop):.2f}"}
)
for _ in range(3):
    market.tick()
exchanged = market.history("CollateralExchanged").row(0, named=True)
over = market.history("LiquidationEnded").row(0, named=True)
left = market.account(trader)
fund = market.fund()
fund_coins = market.fund("BTC")
market.history("CollateralExchanged").select(
    "asset", "amount", "margin_asset", "value", "haircut", "cause"
)

# %% [markdown]
# The fund took {exchanged["amount"]:f} BTC and paid a debt of {exchanged["value"]:.2f} with them; the
# haircut, {exchanged["haircut"]:.2f}, is its reward for having to sell coins in a falling market. The owner
# is left with {left.equity} of equity, the fund with {fund_coins.wallet} BTC. If the coins go on falling
# the loss is the fund's: it is long now.

# %% [markdown]
# ## How large must a haircut be?
#
# Large enough that coins which fall until they are sold still pay the debt. The price of safety is paid
# by everybody who brings coins, at once: less of them counts.

# %%
haircuts = ["0", "0.1", "0.2", "0.3"]
by_haircut = pl.DataFrame(
    [
        {
            "haircut": f"{float(each):.0%}",
            "equity at the start": float(opened(1.0, each)[0].account(opened(1.0, each)[1]).equity),
            "liquidated after a fall of": fall(1.0, 1, each)[1],
        }
        for each in haircuts
    ]
)
by_haircut

# %%
none, largest = by_haircut.row(0, named=True), by_haircut.row(-1, named=True)
key = "liquidated after a fall of"

# %% [markdown]
# Without a haircut the account falls after {none[key]:.1%}, with {largest["haircut"]} after
# {largest[key]:.1%}. A haircut does not protect the owner; it makes the venue act while the coins are
# still worth more than the debt.

# %% [markdown]
# ## Exercises
#
# 1. A coin may fall faster than the contract. At which fall is the account with coins liquidated when
#    the coin falls twice as fast?
# 2. A short with coins as collateral: is it safer or less safe when everything falls?
# 3. How many dollars must the owner of coins add so that the account stands the fall that the account
#    with dollars stands?

# %% [markdown] tags=["solution"]
# ### Solution: twice as fast

# %% tags=["solution"]
faster = fall(1.0, beta=2)[1]
faster

# %% [markdown] tags=["solution"]
# After {faster:.1%}, against {coins:.1%} when both fall alike.

# %% [markdown] tags=["solution"]
# ### Solution: the short

# %% tags=["solution"]
market = Market(price=ENTRY, fund="100000", band="0.5", rules=rules("0.1"))
market.add_asset("BTC", COIN_PRICE)
maker = market.open_account("1000000", leverage=LEVERAGE)
short = market.open_account(leverage=LEVERAGE)
market.deposit(short, f"{WORTH / COIN_PRICE:.8f}", asset="BTC")
market.buy(maker, QTY, ENTRY)
market.sell(short, QTY, ENTRY)
before = float(market.account(short).equity)
crash = 0.3
market.set_prices(
    {"WAVE-PERP": f"{ENTRY * (1 - crash):.2f}", "BTC": f"{COIN_PRICE * (1 - crash):.2f}"}
)
after = float(market.account(short).equity)
before, after

# %% [markdown] tags=["solution"]
# Safer: in a fall of {crash:.0%} its equity goes from {before:.0f} to {after:.0f}. Coins behind a short are a
# hedge. It is the rise of everything that a short need not fear, and a rise of the contract alone that
# it must.

# %% [markdown] tags=["solution"]
# ### Solution: dollars to add

# %% tags=["solution"]
added = 0
while True:
    market, trader = opened(1.0)
    if added:
        market.deposit(trader, added)
    gone = dollars - 0.005
    market.set_prices(
        {"WAVE-PERP": f"{ENTRY * (1 - gone):.2f}", "BTC": f"{COIN_PRICE * (1 - gone):.2f}"}
    )
    if not market.history("LiquidationStarted").filter(pl.col("account") == trader).height:
        break
    added += 5
added

# %% [markdown] tags=["solution"]
# About {added}: what the haircut takes at the start, and what the coins lose on the way.
