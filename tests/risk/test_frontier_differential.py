"""The frontier against its naive twin, which evaluates everybody at every tick.

Random portfolios under every margin model, some with collateral in other assets; between ticks
fills, transfers and funding. After each tick of a mark or of an asset's price every account's level
must be what a revaluation from nothing gives, and the accounts looked at must be those whose bands
the price has left, no others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from risk.accounts import (
    Holding,
    MarginAccount,
    Position,
    Trader,
    cross_account_id,
    isolated_account_id,
)
from risk.collateral import CollateralAsset
from risk.frontier import NO_THRESHOLD, Banded, Frontier, place_account
from risk.health import Levels, evaluate
from risk.listing import Listing
from risk.margin.tiers import with_deductions
from risk.rulebook import IndexRule, LevelRule, LiquidationRule, Rulebook

USD = AssetSpec(0, "USD", 4)
COIN = AssetSpec(1, "COIN", 8)
TIERS = with_deductions(
    [
        MarginTier(0, 5_000_000, 10_000_000, 50, 0),
        MarginTier(5_000_000, 40_000_000, 40_000_000, 20, 0),
        MarginTier(40_000_000, 10**15, 150_000_000, 4, 0),
    ]
)
MODELS = {
    "brackets": MarginSpec("brackets", TIERS),
    "flat": MarginSpec("flat", [], [("maintenance_ppb", 30_000_000), ("max_leverage", 20)]),
    "linear in size": MarginSpec(
        "linear_in_size",
        [],
        [
            ("initial_ppb", 40_000_000),
            ("maintenance_ppb", 20_000_000),
            ("initial_slope_ppb", 60_000),
            ("maintenance_slope_ppb", 50_000),
        ],
    ),
    "root of size": MarginSpec(
        "root_of_size",
        [],
        [
            ("initial_ppb", 40_000_000),
            ("maintenance_ppb", 20_000_000),
            ("premium_ppb", 1_000_000),
            ("unit_lots", 3),
        ],
    ),
    "used margin": MarginSpec(
        "used_margin", [], [("maintenance_of_used_ppb", 400_000_000), ("max_leverage", 5)]
    ),
}
# Bounds at which the rate rises by more than a small gain brings.
JUMPS = [(0, 1), (200_000, 5), (600_000, 12), (1_800_000, 20), (5_000_000, 30), (15_000_000, 42)]
JUMPS += [(45_000_000, 56), (140_000_000, 72), (400_000_000, 90)]
MODELS["whole tier"] = MarginSpec(
    "whole_tier",
    [
        MarginTier(floor_q, cap_q, percent * PPB // 100, 1, 0)
        for (floor_q, percent), (cap_q, _) in zip(JUMPS, [*JUMPS[1:], (10**15, 0)], strict=True)
    ],
)
LEVELS = {
    "liquidation only": [1_000_000_000],
    "call and liquidation": [1_250_000_000, 1_000_000_000],
    "bands down to liquidation": [
        4_000_000_000,
        3_000_000_000,
        2_000_000_000,
        1_500_000_000,
        1_000_000_000,
    ],
    "close together": [1_000_000_003, 1_000_000_002, 1_000_000_001],
}


def rulebook(factors: list[int], inclusive: bool) -> Rulebook:
    kinds = ["alert"] * (len(factors) - 1) + ["liquidate"]
    return Rulebook(
        name="levels",
        title="levels",
        sources=["test"],
        levels=[
            LevelRule(f"level {number}", kind, factor)
            for number, (kind, factor) in enumerate(zip(kinds, factors, strict=True))
        ],
        liquidation=LiquidationRule(stages=["cancel", "socialise"], inclusive=inclusive),
    )


def contracts(model: str) -> list[InstrumentSpec]:
    margin = MODELS[model]
    shared = {"asset": USD, "margin": margin, "kind": LINEAR}
    coin = {"asset": COIN, "margin": margin, "kind": INVERSE, "tick": "0.5", "lot": "1"}
    return [
        build_instrument_spec(instrument_id=0, symbol="A", tick="0.1", lot="0.01", **shared),
        build_instrument_spec(instrument_id=1, symbol="B", tick="1", lot="0.001", **shared),
        build_instrument_spec(instrument_id=2, symbol="C", multiplier="7", **coin),
        build_instrument_spec(instrument_id=3, symbol="D", multiplier="100", **coin),
    ]


def collateral_assets() -> list[CollateralAsset]:
    """Two assets for each margin asset: haircuts, decimals and prices far apart."""
    found = []
    for margin_asset in (USD, COIN):
        for asset, haircut_ppb in (
            (AssetSpec(len(found) + 2, "GOLD", 9), 100_000_000),
            (AssetSpec(len(found) + 3, "SHELL", 2), 650_000_000),
        ):
            found.append(CollateralAsset(asset, margin_asset, haircut_ppb, IndexRule()))
    for made, price in zip(found, ("1900.01", "0.25", "0.07", "0.000004"), strict=True):
        made.set_price(int(Fraction(price) * PPB))
    return found


@dataclass
class Market:
    """Accounts under watch; `level` is kept by the frontier alone, like `MarginWatch` does."""

    levels: Levels
    listings: list[Listing]
    assets: list[CollateralAsset]
    accounts: list[MarginAccount] = field(default_factory=list)
    looked_at: int = 0
    naive_looks: int = 0

    def refresh(self, account: MarginAccount, widen: bool) -> None:
        """What `MarginWatch.refresh` does, without events and liquidations."""
        self.looked_at += 1
        levels = self.levels
        evaluate(account)
        level = levels.level_of(account)
        if level != account.level:
            account.level = level
            widen = True
        place_account(
            account,
            levels.worse_headroom_q(account),
            levels.factors_ppb[level] if level < levels.liquidate_level else 0,
            levels.better_gap_q(account),
            levels.factors_ppb[level - 1] if level else 0,
            widen,
        )

    def tick(self, listing: Listing, mark_ticks: int) -> tuple[int, int]:
        """Move a mark; returns how many were looked at and how many had left their band."""
        members = [
            p for a in self.accounts for p in a.positions if p.listing is listing and p.qty_lots
        ]
        listing.mark_ticks = mark_ticks
        return self._recheck(members, listing.frontier, mark_ticks)

    def asset_tick(self, asset: CollateralAsset, price_ppb: int) -> tuple[int, int]:
        """Move the price of a collateral asset; returns the same."""
        members = [h for a in self.accounts for h in a.holdings if h.asset is asset]
        asset.set_price(price_ppb)
        return self._recheck(members, asset.frontier, price_ppb)

    def _recheck(
        self, members: Sequence[Banded], frontier: Frontier, price: int
    ) -> tuple[int, int]:
        outside = sum(
            (p.low != NO_THRESHOLD and price < p.low) or (p.high != NO_THRESHOLD and price > p.high)
            for p in members
        )
        touched = {p.account.margin_account_id: p.account for p in frontier.crossed(price)}
        for account_id in sorted(touched):
            self.refresh(touched[account_id], widen=True)
        return len(touched), outside

    def check_against_everybody(self) -> None:
        for account in self.accounts:
            self.naive_looks += 1
            evaluate(account)
            assert account.level == self.levels.level_of(account), (
                f"account {account.margin_account_id} is at level {account.level}, revalued "
                f"{self.levels.level_of(account)}: equity {account.equity_q}, maintenance "
                f"{account.maintenance_q}"
            )
            self._check_members(account)

    @staticmethod
    def _check_members(account: MarginAccount) -> None:
        prices: list[tuple[Banded, int]] = [(p, p.listing.mark_ticks) for p in account.positions]
        prices += [(h, h.asset.price_ppb) for h in account.holdings]
        for member, price in prices:
            low, high = member.low, member.high
            assert low == NO_THRESHOLD or low <= price, f"price {price} is below the band {low}"
            assert high == NO_THRESHOLD or price <= high, f"price {price} is above the band {high}"


def fill(market: Market, position: Position, lots: int, slip: int) -> None:
    """Trade ``lots`` (signed) near the mark, flat and reversed positions included."""
    listing = position.listing
    price = max(1, listing.mark_ticks + slip)
    value = listing.instrument.fill_value_q(abs(lots), price)
    signed = value if lots > 0 else -value
    held = position.qty_lots
    if held and (held > 0) != (lots > 0):
        closed = min(abs(held), abs(lots))
        closing = signed * closed // abs(lots)
        released = position.entry_value_q * closed // abs(held)
        position.account.wallet_q += -closing - released
        position.entry_value_q += -released + signed - closing
    else:
        position.entry_value_q += signed
    position.qty_lots = held + lots
    if not position.qty_lots:
        listing.frontier.remove(position)
    market.refresh(position.account, widen=False)


def build(rng: Random, model: str, factors: list[int], inclusive: bool, count: int) -> Market:
    rules = rulebook(factors, inclusive)
    listings = [Listing(spec, rules, 6) for spec in contracts(model)]
    for listing, mark in zip(listings, (1_000, 30_000, 2_000, 90_000), strict=True):
        listing.mark_ticks = mark
    market = Market(Levels(rules), listings, collateral_assets())
    for number in range(count):
        trader = Trader(100 + number, [])
        asset = rng.randrange(2)
        mine = [x for x in listings if x.instrument.settle_asset_id == asset]
        isolated = rng.random() < 0.3
        account_id = cross_account_id(trader.account_id, asset)
        if isolated:
            mine = [rng.choice(mine)]
            account_id = isolated_account_id(trader.account_id, mine[0].instrument_id, 0)
        account = MarginAccount(account_id, trader, asset, isolated)
        legs = [(x, leg) for x in mine for leg in ((1, 2) if rng.random() < 0.3 else (0,))]
        notional = 0
        for listing, leg in legs[:3]:
            position = Position(account, listing, leg, rng.choice((1, 2, 5, 20)))
            account.add_position(position)
            lots = rng.choice((1, 3, 40, 700, 5_000, rng.randint(1, 20_000)))
            side = {0: rng.choice((1, -1)), 1: 1, 2: -1}[leg]
            price = max(1, listing.mark_ticks * rng.randint(90, 110) // 100)
            position.qty_lots = side * lots
            position.entry_value_q = side * listing.instrument.fill_value_q(lots, price)
            notional += listing.instrument.notional_q(lots, price)
        account.wallet_q = notional * rng.randint(1, 40) // 100 + rng.randint(0, 50)
        if not isolated:
            hold_collateral(market, account, notional, rng)
        market.accounts.append(account)
        market.refresh(account, widen=True)
    return market


def hold_collateral(market: Market, account: MarginAccount, notional: int, rng: Random) -> None:
    """Up to two other assets; the wallet may be a debt on them."""
    for asset in market.assets:
        if asset.margin_asset_id == account.asset_id and rng.random() < 0.4:
            number = cross_account_id(account.trader.account_id, asset.asset_id)
            source = MarginAccount(number, account.trader, asset.asset_id, False)
            source.wallet_q = asset.amount_for_q(notional * rng.randint(0, 50) // 100)
            account.hold(Holding(account, source, asset))
            if rng.random() < 0.5:
                account.wallet_q -= holding_value(account) * rng.randint(0, 100) // 100


def holding_value(account: MarginAccount) -> int:
    return sum(holding.value_q() for holding in account.holdings)


def between_ticks(market: Market, rng: Random) -> None:
    """Something else happens to an account: each of these ends in a refresh, as in the engine."""
    account = rng.choice(market.accounts)
    match rng.randrange(6):
        case 0 | 1:
            position = rng.choice(account.positions)
            lots = rng.choice((1, 50, 3_000, abs(position.qty_lots), 2 * abs(position.qty_lots)))
            fill(market, position, rng.choice((1, -1)) * max(1, lots), rng.randint(-20, 20))
        case 2:
            account.wallet_q += rng.randint(-5, 5) * max(1, abs(account.wallet_q) // 20)
            market.refresh(account, widen=False)
        case 3:
            for other in market.accounts:
                if other.asset_id == account.asset_id and other.positions:
                    other.wallet_q -= rng.randint(-3, 3)
                    market.refresh(other, widen=False)
        case 4 if account.holdings:
            source = rng.choice(account.holdings).source
            change = rng.randint(-10, 10) * max(1, source.wallet_q // 10)
            source.wallet_q = max(0, source.wallet_q + change)
            market.refresh(account, widen=False)
        case _:
            account.positions[0].leverage = rng.randint(1, 20)
            market.refresh(account, widen=False)


def next_mark(rng: Random, mark: int) -> int:
    move = rng.choice((1, 1, 1, 3, 10, 40))
    step = rng.choice((0, 1, -1, mark * rng.randint(-move, move) // 100))
    return max(1, min(mark + step, 10**7))


def next_price(rng: Random, price: int) -> int:
    move = rng.choice((1, 1, 1, 3, 10, 60))
    step = rng.choice((0, 1, -1, price * rng.randint(-move, move) // 100))
    return max(1, min(price + step, 10**16))


@pytest.mark.parametrize("model", sorted(MODELS))
@pytest.mark.parametrize("levels", sorted(LEVELS))
@given(seed=st.integers(0, 2**32), inclusive=st.booleans())
@settings(max_examples=8)
def test_no_crossing_is_missed_and_nobody_else_is_looked_at(
    model: str, levels: str, seed: int, inclusive: bool
) -> None:
    rng = Random(seed)
    market = build(rng, model, LEVELS[levels], inclusive, count=30)
    for _ in range(40):
        for _ in range(rng.choice((0, 0, 1, 3))):
            between_ticks(market, rng)
        market.check_against_everybody()
        if rng.random() < 0.4:
            asset = rng.choice(market.assets)
            touched, outside = market.asset_tick(asset, next_price(rng, asset.price_ppb))
        else:
            listing = rng.choice(market.listings)
            touched, outside = market.tick(listing, next_mark(rng, listing.mark_ticks))
        assert touched <= outside, f"{touched} accounts looked at, {outside} bands were left"
        market.check_against_everybody()


@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_quiet_market_looks_at_a_small_part_of_the_accounts(model: str) -> None:
    """Random walk in small steps: every look is due to a band left, and bands are left rarely."""
    rng = Random(7)
    market = build(rng, model, LEVELS["call and liquidation"], False, count=400)
    looks = ticks = 0
    for _ in range(300):
        if rng.random() < 0.3:
            asset = rng.choice(market.assets)
            price = asset.price_ppb + rng.choice((-1, 1)) * max(1, asset.price_ppb // 2_000)
            touched, outside = market.asset_tick(asset, price)
        else:
            listing = rng.choice(market.listings)
            mark = listing.mark_ticks + rng.choice((-1, 1)) * max(1, listing.mark_ticks // 2_000)
            touched, outside = market.tick(listing, mark)
        assert touched <= outside
        looks += touched
        ticks += 1
    market.check_against_everybody()
    # The naive twin would have looked at every account at every tick.
    assert looks * 20 < ticks * len(market.accounts), f"{looks} looks in {ticks} ticks"


def test_a_mark_that_stands_still_looks_at_nobody() -> None:
    rng = Random(1)
    market = build(rng, "brackets", LEVELS["bands down to liquidation"], False, count=50)
    for listing in market.listings:
        assert market.tick(listing, listing.mark_ticks) == (0, 0)
    for asset in market.assets:
        assert market.asset_tick(asset, asset.price_ppb) == (0, 0)


def test_a_balance_without_position_or_debt_has_no_band() -> None:
    rng = Random(2)
    market = build(rng, "flat", LEVELS["liquidation only"], False, count=60)
    account = next(a for a in market.accounts if a.holdings and a.level == 0)
    holding = account.holdings[0]
    assert holding.frontier_slot >= 0
    for position in list(account.positions):
        position.listing.frontier.remove(position)
        account.drop_position(position)
    account.wallet_q = 0
    market.refresh(account, widen=False)
    assert holding.frontier_slot == -1
    account.wallet_q = -1
    market.refresh(account, widen=False)
    assert holding.frontier_slot >= 0


def test_a_removed_position_is_never_returned_and_may_come_back() -> None:
    rng = Random(3)
    market = build(rng, "flat", LEVELS["liquidation only"], False, count=20)
    account = next(a for a in market.accounts if a.positions[0].qty_lots > 0 and a.level == 0)
    position = account.positions[0]
    frontier: Frontier = position.listing.frontier
    low = position.low
    assert low != NO_THRESHOLD
    frontier.remove(position)
    assert position not in frontier.crossed(low - 1)
    market.refresh(account, widen=True)
    assert position.low == low
    assert position in frontier.crossed(low - 1)


def test_the_heaps_do_not_grow_with_the_number_of_fills() -> None:
    rng = Random(5)
    market = build(rng, "flat", LEVELS["liquidation only"], False, count=5)
    frontier = market.listings[0].frontier
    for _ in range(3_000):
        account = rng.choice(market.accounts)
        fill(market, account.positions[0], rng.choice((1, -1)), 0)
        market.refresh(account, widen=True)
    waiting = len(frontier._new_lows) + len(frontier._new_highs)
    assert len(frontier._lows) + len(frontier._highs) + waiting <= 64 + 8 * len(market.accounts) * 3
    market.check_against_everybody()


def test_few_new_edges_wait_for_a_price_and_none_is_lost() -> None:
    frontier = Frontier()
    account = MarginAccount(1, Trader(100, []), 0, False)
    members = [Banded(account) for _ in range(3_000)]
    for number, member in enumerate(members):
        frontier.place(member, 1_000 + number, 10_000 + number, widen=False)
        assert len(frontier._new_lows) + len(frontier._new_highs) <= 1_024 + 2
    assert frontier.crossed(5_000) == []
    assert set(frontier.crossed(2_500)) == set(members[1_501:])
    assert set(frontier.crossed(11_500)) == set(members[:1_500])


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("place", [0, 2], ids=["linear longs", "inverse shorts"])
def test_a_gain_that_takes_a_position_over_the_bound_of_a_tier_is_not_missed(
    place: int, inclusive: bool
) -> None:
    """Accounts below a bound, with more than the rate there and less than the next one: a small
    gain makes them fall to liquidation, a small loss brings them back."""
    rng = Random(11)
    rules = rulebook(LEVELS["call and liquidation"], inclusive)
    listing = Listing(contracts("whole tier")[place], rules, 6)
    listing.mark_ticks = start_ticks = 10_000
    market = Market(Levels(rules), [listing], [])
    instrument = listing.instrument
    side = -1 if instrument.inverse else 1
    for number in range(60):
        account_id = cross_account_id(100 + number, instrument.settle_asset_id)
        account = MarginAccount(
            account_id, Trader(100 + number, []), instrument.settle_asset_id, False
        )
        position = Position(account, listing, 0, 1)
        account.add_position(position)
        (below_q, below), (bound_q, beyond) = rng.choice(list(pairwise(JUMPS[1:])))
        share = rng.randint(max(900, 1_000 * below_q // bound_q), 999)
        lots = bound_q * share // (1_000 * instrument.notional_q(1_000, start_ticks) // 1_000)
        position.qty_lots = side * lots
        position.entry_value_q = side * instrument.fill_value_q(lots, start_ticks)
        account.wallet_q = bound_q * rng.randint(10 * below, 10 * beyond) // 1_000
        market.accounts.append(account)
        market.refresh(account, widen=True)
    gained = 0
    for _ in range(400):
        before = [account.level for account in market.accounts]
        mark_ticks = listing.mark_ticks + rng.randint(-60, 60)
        gains = (mark_ticks - listing.mark_ticks) * side > 0
        touched, outside = market.tick(listing, mark_ticks)
        assert touched <= outside
        market.check_against_everybody()
        if gains:
            levels = zip(before, market.accounts, strict=True)
            gained += sum(account.level > level for level, account in levels)
    assert gained > 10, "no account fell by a gain"
