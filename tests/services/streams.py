"""Random but repeatable command streams: small markets in which everything happens soon.

Two assets, a linear and an inverse contract listed in the "wrong" order, a dozen thinly funded
accounts in all modes, a wild index and a nearly empty fund: orders, amends, margin calls,
liquidations, takeovers, deleveraging and funding come up within a few hundred commands.
"""

import random
from collections.abc import Iterator

import msgspec

from engine import commands as c
from engine.events import AccountReport, Event
from engine.instruments import (
    INVERSE,
    LINEAR,
    AssetSpec,
    InstrumentSpec,
    MarginSpec,
    MarginTier,
    build_instrument_spec,
)
from engine.units import PPB
from risk.accounts import FIRST_TRADER, FUND
from risk.margin import with_deductions
from risk.rulebook_file import load_rulebook

RULEBOOKS = ("teaching-default", "binance-usdm", "hyperliquid")
USD = AssetSpec(asset_id=1, symbol="USDT", decimals=6)
COIN = AssetSpec(asset_id=2, symbol="COIN", decimals=8)
ACCOUNTS = 12
SECOND_NS = 10**9
START_NS = 1_700_000_000 * SECOND_NS
PRICE_TICKS = 10_000


def instruments() -> list[InstrumentSpec]:
    percent = PPB // 100
    tiers = with_deductions(
        [
            MarginTier(0, 50_000 * 10**6, percent, 50, 0),
            MarginTier(50_000 * 10**6, 2**60, 2 * percent, 20, 0),
        ]
    )
    linear = build_instrument_spec(
        instrument_id=7,
        symbol="LIN-PERP",
        kind=LINEAR,
        asset=USD,
        tick="0.01",
        lot="0.1",
        margin=MarginSpec("brackets", tiers=tiers),
    )
    inverse = build_instrument_spec(
        instrument_id=3,
        symbol="INV-PERP",
        kind=INVERSE,
        asset=COIN,
        tick="0.01",
        lot="1",
        margin=MarginSpec("flat", params=[("maintenance_ppb", 2 * percent), ("max_leverage", 20)]),
    )
    return [linear, inverse]


def opening(rulebook: str) -> Iterator[c.Command]:
    """Assets, rules, contracts, a poor fund and the accounts."""
    now = START_NS
    yield c.AddAsset(now, COIN)
    yield c.AddAsset(now, USD)
    yield c.SetRulebook(now, load_rulebook(rulebook).rulebook.to_json())
    for spec in instruments():
        yield c.AddInstrument(now, spec)
    yield c.Deposit(now, FUND, USD.asset_id, 2_000 * 10**6)
    yield c.Deposit(now, FUND, COIN.asset_id, 5 * 10**8)
    for number in range(ACCOUNTS):
        account_id = FIRST_TRADER + number
        rich = 20 if number < 4 else 1
        yield c.OpenAccount(now, account_id)
        yield c.Deposit(now, account_id, USD.asset_id, rich * 5_000 * 10**6)
        yield c.Deposit(now, account_id, COIN.asset_id, rich * 30 * 10**8)
        if number % 4 == 1:
            yield c.SetMarginMode(now, account_id, 7, True)
        if number % 4 == 2:
            yield c.SetPositionMode(now, account_id, True)


def rankless(event: Event) -> Event:
    """Without the ADL rank shown in reports: ranked once per mark, and anew after a restart."""
    if not isinstance(event, AccountReport):
        return event
    return msgspec.structs.replace(
        event,
        margin_accounts=[
            msgspec.structs.replace(
                account,
                positions=[msgspec.structs.replace(row, adl_rank=0) for row in account.positions],
            )
            for account in event.margin_accounts
        ],
    )


class Stream:
    """Commands one after the other; equal arguments give equal streams."""

    def __init__(self, seed: int, rulebook: str = RULEBOOKS[0]) -> None:
        self._rng = random.Random(f"stream {seed} {rulebook}")
        self._now_ns = START_NS
        self._price = {7: PRICE_TICKS, 3: PRICE_TICKS}
        self._next_id = 1
        self._ids: list[tuple[int, int]] = []
        self._rulebook = rulebook

    def take(self, count: int) -> list[c.Command]:
        """The opening and then ``count`` commands."""
        commands = list(opening(self._rulebook))
        for instrument_id in self._price:
            commands.append(self._index(instrument_id))
        commands += [self._next() for _ in range(count)]
        return commands

    def _next(self) -> c.Command:
        rng = self._rng
        kind = rng.choices(range(11), (60, 8, 6, 2, 9, 9, 3, 2, 2, 9, 2))[0]
        instrument_id = rng.choice((7, 3))
        account_id = FIRST_TRADER + rng.randrange(ACCOUNTS)
        if kind == 0:
            return self._order(account_id, instrument_id)
        if kind == 1 and self._ids:
            return c.CancelOrder(self._now_ns, *self._some_id())
        if kind == 2 and self._ids:
            price = self._near(instrument_id)
            return c.AmendOrder(self._now_ns, *self._some_id(), price, rng.randint(1, 400))
        if kind == 3:
            return c.CancelAll(self._now_ns, account_id)
        if kind == 4:
            return self._index(instrument_id)
        if kind == 5:
            self._now_ns += rng.choice((1, 5, 40, 3_600)) * SECOND_NS
            return c.AdvanceTime(self._now_ns)
        if kind == 6:
            asset_id = rng.choice((1, 2))
            amount_q = rng.randint(1, 900) * 10**6
            make = rng.choice((c.Deposit, c.Withdraw))
            return make(self._now_ns, account_id, asset_id, amount_q)
        if kind == 7:
            return c.SetLeverage(self._now_ns, account_id, instrument_id, rng.randint(1, 60))
        if kind == 9:
            return self._trigger(account_id, instrument_id)
        if kind == 10 and self._ids:
            amended = (*self._some_id(), rng.randint(1, 400), self._near(instrument_id))
            return c.AmendTrigger(self._now_ns, *amended, trail_ticks=rng.choice((0, 0, 50)))
        return c.QueryAccount(self._now_ns, account_id)

    def _trigger(self, account_id: int, instrument_id: int) -> c.Command:
        """A stop, take profit or trailing order near the price."""
        rng = self._rng
        order_id = self._next_id
        self._next_id += 1
        self._ids.append((account_id, order_id))
        hedged = (account_id - FIRST_TRADER) % 4 == 2
        kind = rng.choice((c.STOP, c.TAKE_PROFIT, c.TRAILING))
        trails = kind == c.TRAILING
        closes = rng.random() < 0.3
        is_limit = not closes and rng.random() < 0.4
        return c.SubmitTrigger(
            self._now_ns,
            account_id,
            instrument_id,
            order_id,
            rng.choice((c.BUY, c.SELL)),
            0 if closes else rng.randint(1, 200) * (1 if instrument_id == 7 else 40),
            kind,
            0 if trails and rng.random() < 0.7 else self._near(instrument_id),
            rng.choice((c.BY_LAST, c.BY_MARK, c.BY_INDEX)),
            c.LIMIT if is_limit else c.MARKET,
            self._near(instrument_id) if is_limit else 0,
            reduce_only=rng.random() < 0.3,
            close_position=closes,
            leg=rng.choice((c.LEG_LONG, c.LEG_SHORT)) if hedged else c.LEG_NET,
            trail_ticks=rng.randint(1, 300) if trails and order_id % 2 else 0,
            trail_ppb=rng.randint(1, 30_000_000) if trails and not order_id % 2 else 0,
            expire_ns=self._now_ns + 60 * SECOND_NS if rng.random() < 0.2 else 0,
        )

    def _some_id(self) -> tuple[int, int]:
        return self._rng.choice(self._ids[-40:])

    def _near(self, instrument_id: int) -> int:
        return max(1, self._price[instrument_id] * self._rng.randint(970, 1030) // 1000)

    def _order(self, account_id: int, instrument_id: int) -> c.Command:
        rng = self._rng
        order_id = self._next_id
        self._next_id += 1
        self._ids.append((account_id, order_id))
        hedged = (account_id - FIRST_TRADER) % 4 == 2
        return c.SubmitOrder(
            self._now_ns,
            account_id,
            instrument_id,
            order_id,
            rng.choice((c.BUY, c.SELL)),
            rng.randint(1, 300) * (1 if instrument_id == 7 else 40),
            self._near(instrument_id),
            rng.choices((c.LIMIT, c.MARKET), (5, 1))[0],
            rng.choices((c.GTC, c.IOC, c.FOK), (6, 1, 1))[0],
            rng.random() < 0.1,
            rng.random() < 0.15,
            rng.randrange(5),
            rng.choice((c.LEG_LONG, c.LEG_SHORT)) if hedged else c.LEG_NET,
        )

    def _index(self, instrument_id: int) -> c.Command:
        rng = self._rng
        move = rng.choice((0, 2, 5, 8, 12, 20, 80)) * rng.choice((-1, 1))
        price = self._price[instrument_id] * (1000 + move) // 1000
        self._price[instrument_id] = min(40_000, max(2_500, price))
        return c.IndexPrice(self._now_ns, instrument_id, 1, self._price[instrument_id])
