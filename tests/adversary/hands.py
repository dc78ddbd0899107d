"""What a motif works with: who plays, what they can carry, and prices near, far and ruinous."""

from collections.abc import Iterator
from random import Random
from typing import Any

from engine.commands import (
    BUY,
    BY_LAST,
    GTC,
    LEG_LONG,
    LEG_NET,
    LEG_SHORT,
    LIMIT,
    MARKET,
    STOP,
    AdjustIsolatedMargin,
    AdvanceTime,
    AmendOrder,
    AmendTrigger,
    AssetPrice,
    CancelAll,
    CancelOrder,
    Command,
    IndexPrice,
    SetLeverage,
    SubmitOrder,
    SubmitTrigger,
    Withdraw,
)
from engine.units import SECOND_NS
from risk.accounts import MarginAccount, OpenOrder, Position, Trader
from risk.health import initial_requirement_q
from tests.adversary.arena import CONTRACTS, GOLD, HONEST, SOURCE, Arena
from tests.adversary.ledger_view import equity_q

Commands = Iterator[Command]
Percents = tuple[int, ...]
AROUND: Percents = (40, 60, 80, 95, 100, 100, 101, 110, 150, 300)
"""How much of its equity a close may cost, in percent."""


class Hands:
    """The colluders' hands on one exchange; every choice comes from ``rng``."""

    def __init__(self, arena: Arena, rng: Random) -> None:
        self.arena = arena
        self.rng = rng
        self.core = arena.exchange.risk.core

    # who and where

    def cast(self) -> tuple[int, int]:
        """Two colluders: one to lose (mostly the poor one), one to win."""
        colluders = self.arena.setting.colluders
        loser = colluders[0] if self.rng.random() < 0.75 else self.rng.choice(colluders)
        friend = colluders[1] if loser != colluders[1] and self.rng.random() < 0.75 else 0
        while not friend or friend == loser:
            friend = self.rng.choice(colluders)
        return loser, friend

    def contract(self) -> int:
        """A contract, the banded linear one most often."""
        return self.rng.choices(CONTRACTS, (5, 2, 3))[0]

    def side(self) -> int:
        """Buy or sell."""
        return self.rng.choice((1, -1))

    def trader(self, account: int) -> Trader:
        """The engine's record of an account."""
        return self.core.ledger.traders[account]

    def mark(self, key: int) -> int:
        """The mark in ticks."""
        return self.arena.exchange.mark_ticks(key)

    # what is there

    def position(self, account: int, key: int) -> Position | None:
        """A position that is not flat (of two legs, the larger)."""
        legs = (LEG_LONG, LEG_SHORT) if self.trader(account).hedge else (LEG_NET,)
        found = [self.trader(account).find_position(key, leg) for leg in legs]
        held = [position for position in found if position and position.qty_lots]
        return max(held, key=lambda position: abs(position.qty_lots)) if held else None

    def lots(self, account: int, key: int) -> int:
        """Signed lots of that position; 0 when flat."""
        position = self.position(account, key)
        return position.qty_lots if position else 0

    def orders(self, account: int) -> list[OpenOrder]:
        """The account's open orders."""
        return self.trader(account).open_orders()

    def cross(self, account: int, key: int) -> MarginAccount:
        """The cross account in a contract's asset."""
        asset_id = self.core.listings[key].instrument.settle_asset_id
        return self.core.ledger.cross(self.trader(account), asset_id)

    def free_q(self, account: int, key: int) -> int:
        """Free collateral of that cross account."""
        cross = self.cross(account, key)
        return max(0, equity_q(cross) - initial_requirement_q(cross))

    def capacity(self, account: int, key: int, side: int, price: int) -> int:
        """The most lots whose margin, loss against the mark and fee the free collateral covers."""
        listing = self.core.listings[key]
        instrument, model, mark = listing.instrument, listing.model, listing.mark_ticks
        leverage = self.trader(account).leverage.get(key, listing.default_leverage)
        held = abs(self.lots(account, key))
        free_q = self.free_q(account, key)

        def needed_q(lots: int) -> int:
            notional_q = instrument.notional_q(lots + held, mark)
            if leverage > model.max_leverage(notional_q):
                return free_q + 1
            loss_q = side * (
                instrument.fill_value_q(lots, price) - instrument.position_value_q(lots, mark)
            )
            margin_q: int = model.initial_q(lots, notional_q, notional_q, leverage)
            fee_q = listing.fees.held.up(instrument.notional_q(lots, price))
            return int(margin_q + max(0, loss_q) + fee_q)

        low, high = 0, 1
        while high < 10**9 and needed_q(high) <= free_q:
            low, high = high, high * 4
        while high - low > 1:
            middle = (low + high) // 2
            if needed_q(middle) <= free_q:
                low = middle
            else:
                high = middle
        return low

    def share(self, lots: int) -> int:
        """Most, half or a little of a number of lots; at least one."""
        percent = self.rng.choice((100, 100, 100, 99, 90, 50, 50, 25, 10))
        return max(1, lots * percent // 100)

    # prices

    def band(self, key: int) -> tuple[int, int]:
        """Lowest and highest price that may be crossed to (wide without a band)."""
        mark = self.mark(key)
        listing = self.core.listings[key]
        if not listing.instrument.band_ppb:
            factor = self.rng.choice((2, 2, 5, 50))
            return max(1, mark // factor), mark * factor
        return max(1, listing.band_low.up(mark)), max(1, listing.band_high.down(mark))

    def far(self, key: int, side: int) -> int:
        """A price far on the losing side of an order: high for a buy, low for a sell."""
        low, high = self.band(key)
        mark = self.mark(key)
        edge = high if side > 0 else low
        percent = self.rng.choice((100, 100, 99, 90, 50, 20, 5))
        return max(1, mark + (edge - mark) * percent // 100)

    def near(self, key: int, side: int) -> int:
        """A price a little on the winning side of an order (behind the mark)."""
        return max(1, self.mark(key) * (1000 - side * self.rng.choice((0, 1, 5, 20, 50))) // 1000)

    def ruin(self, account: int, key: int, lots: int = 0, percents: Percents = AROUND) -> int:
        """A price at or around the one where closing (so many lots of) the position leaves its pot
        with nothing."""
        position = self.position(account, key)
        mark = self.mark(key)
        if position is None:
            return mark
        listing = position.listing
        side = 1 if position.qty_lots > 0 else -1
        notional_q = max(1, listing.instrument.notional_q(lots or position.qty_lots, mark))
        away = max(0, equity_q(position.account)) * mark // notional_q
        percent = self.rng.choice(percents)
        ticks = away * percent // 100 + self.rng.choice((-2, -1, 0, 0, 1, 2))
        low, high = self.band(key)
        return min(high, max(low, mark - side * ticks))

    def losing(self, account: int, key: int) -> int:
        """A price to close at that loses: near ruin, or far away."""
        lots = self.lots(account, key)
        if lots and self.rng.random() < 0.6:
            return self.ruin(account, key)
        return self.far(key, -1 if lots > 0 else 1)

    # commands

    def order(
        self,
        account: int,
        key: int,
        side: int,
        lots: int,
        price: int | None,
        *,
        closing: bool = False,
        tif: int = GTC,
        reduce_only: bool = False,
        post_only: bool = False,
        stp: int = 0,
        expire_ns: int = 0,
    ) -> SubmitOrder:
        """An order; a market order without a price. In hedge mode ``closing`` chooses the leg."""
        leg = LEG_NET
        if self.trader(account).hedge:
            leg = LEG_LONG if (side == BUY) != closing else LEG_SHORT
        return SubmitOrder(
            self.arena.now_ns,
            account,
            key,
            self.arena.next_order_id(),
            side,
            max(1, lots),
            0 if price is None else max(1, price),
            MARKET if price is None else LIMIT,
            tif,
            post_only,
            reduce_only,
            stp,
            leg,
            expire_ns,
        )

    def trigger(
        self,
        account: int,
        key: int,
        side: int,
        lots: int,
        level: int,
        price: int | None = None,
        *,
        kind: int = STOP,
        by: int = BY_LAST,
        closing: bool = False,
        reduce_only: bool = False,
        trail_ticks: int = 0,
        stp: int = 0,
        expire_ns: int = 0,
    ) -> SubmitTrigger:
        """A trigger order; of no lots one that closes the position, without a price a market
        order. In hedge mode ``closing`` chooses the leg."""
        leg = LEG_NET
        if self.trader(account).hedge:
            leg = LEG_LONG if (side == BUY) != (closing or not lots) else LEG_SHORT
        is_limit = price is not None and lots > 0
        return SubmitTrigger(
            self.arena.now_ns,
            account,
            key,
            self.arena.next_order_id(),
            side,
            lots,
            kind,
            max(0, level),
            by,
            LIMIT if is_limit else MARKET,
            max(1, price or 0) if is_limit else 0,
            reduce_only=reduce_only,
            close_position=not lots,
            stp=stp,
            leg=leg,
            trail_ticks=trail_ticks,
            expire_ns=expire_ns,
        )

    def amend_trigger(
        self, account: int, order_id: int, lots: int, level: int, price: int, trail_ticks: int = 0
    ) -> AmendTrigger:
        """Change an order that waits for its trigger."""
        now_ns = self.arena.now_ns
        return AmendTrigger(now_ns, account, order_id, lots, level, price, trail_ticks)

    def amend(self, account: int, order_id: int, price: int, lots: int) -> AmendOrder:
        """Change an order."""
        return AmendOrder(self.arena.now_ns, account, order_id, max(1, price), max(1, lots))

    def cancel(self, account: int, order_id: int) -> CancelOrder:
        """Cancel an order."""
        return CancelOrder(self.arena.now_ns, account, order_id)

    def clear(self) -> Commands:
        """Now and then all colluders cancel what they have open."""
        if self.rng.random() < 0.6:
            for account in self.arena.setting.colluders:
                if self.orders(account):
                    yield CancelAll(self.arena.now_ns, account)

    def withdraw(self, account: int) -> Commands:
        """Take out all that may leave, to the last quantum, of every asset (or nearly all)."""
        transfers = self.arena.exchange.risk.transfers
        for cross in list(self.trader(account).accounts):
            if not cross.isolated:
                most_q = transfers.withdrawable_q(cross)
                amount_q = most_q - self.rng.choice((0, 0, 0, 1, most_q // 2))
                if amount_q > 0:
                    yield Withdraw(self.arena.now_ns, account, cross.asset_id, amount_q)

    def adjust(self, account: int, key: int, amount_q: int) -> Commands:
        """Move collateral into (or out of) an isolated position."""
        position = self.position(account, key)
        if position is not None and position.account.isolated and amount_q:
            yield AdjustIsolatedMargin(self.arena.now_ns, account, key, position.leg, amount_q)

    def leverage(self, account: int, key: int, leverage: int) -> SetLeverage:
        """Choose a leverage."""
        return SetLeverage(self.arena.now_ns, account, key, max(1, leverage))

    def tick(self, seconds: int = 1) -> Commands:
        """Time passes, sources say the same again, the clock ticks."""
        self.arena.now_ns += seconds * SECOND_NS
        for key in CONTRACTS:
            yield IndexPrice(self.arena.now_ns, key, SOURCE, self.arena.index[key])
        yield AdvanceTime(self.arena.now_ns)

    def move(self, key: int, percent: int) -> Commands:
        """The index of one contract goes to so many percent of itself; the clock ticks."""
        self.arena.index[key] = max(1, self.arena.index[key] * percent // 100)
        yield IndexPrice(self.arena.now_ns, key, SOURCE, self.arena.index[key])
        yield AdvanceTime(self.arena.now_ns)

    def gold(self, percent: int) -> Commands:
        """The price of the collateral asset moves."""
        asset: Any = self.core.ledger.collateral.get(GOLD.asset_id)
        if asset is not None and asset.price_ppb:
            price_ppb = max(1, asset.price_ppb * percent // 100)
            yield AssetPrice(self.arena.now_ns, GOLD.asset_id, SOURCE, price_ppb)

    # pieces of motifs

    def meet(self, buyer: int, seller: int, key: int, lots: int, price: int) -> Commands:
        """Two accounts open against each other; either may rest."""
        sides = [(buyer, 1), (seller, -1)]
        if self.rng.random() < 0.5:
            sides.reverse()
        for account, side in sides:
            yield self.order(account, key, side, lots, price)

    def ensure(self, account: int, friend: int, key: int, side: int | None = None) -> Commands:
        """A position of ``account`` against ``friend`` at the mark, unless there is one."""
        if self.position(account, key) is not None:
            return
        side = side or self.side()
        price = self.mark(key)
        lots = min(
            self.capacity(account, key, side, price), self.capacity(friend, key, -side, price)
        )
        pair = (account, friend) if side > 0 else (friend, account)
        yield from self.meet(*pair, key, self.share(lots), price)

    def offer(self, account: int, key: int, side: int, lots: int, price: int) -> SubmitOrder:
        """A partner's resting order."""
        return self.order(account, key, side, lots, price)

    def take(
        self, account: int, key: int, side: int, lots: int, price: int, closing: bool
    ) -> SubmitOrder:
        """Hit what rests: at market, at a limit, IOC or FOK, reduce-only or not."""
        kind = self.rng.randrange(6)
        limit = None if kind in (0, 1) else price
        tif = (0, 1, 0, 0, 1, 2)[kind]
        reduce_only = closing and self.rng.random() < 0.3
        return self.order(
            account, key, side, lots, limit, closing=closing, tif=tif, reduce_only=reduce_only
        )

    def honest_quotes(self, key: int, lots: int) -> Commands:
        """The honest account offers both sides around the mark."""
        mark = self.mark(key)
        away = self.rng.choice((5, 10, 50))
        for side in (1, -1):
            yield self.order(HONEST, key, side, lots, mark * (1000 - side * away) // 1000)
