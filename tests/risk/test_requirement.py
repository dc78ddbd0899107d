"""A margin account asks one requirement for all its figures; another one can be put in its place.

The other one here nets: positions offset each other, and margin is asked for what is left, 5 % to
keep it and 10 % to open it. Alice is long 10 LONG and short 10 SHORT, both at 100, with 60. The sum
of her positions would ask 200 to open and 100 to keep them; netted it is nothing while both prices
are the same.
"""

from collections.abc import Iterable

from engine.events import LiquidationEnded, LiquidationStarted, MarginCallIssued, MarginLevelChanged
from engine.instruments import Instrument
from engine.internal import AccountFacts, PositionFacts
from engine.reasons import Reason
from engine.units import PPB
from risk.accounts import MarginAccount, Position
from risk.health import collateral_q, evaluate, open_loss_q, unrealised_q
from risk.liquidation.policy import MarginedContract
from risk.listing import Listing
from risk.nearest import bears_risk, rank
from risk.requirement import Requirement
from risk.rulebook import CallRule
from risk.solve import PriceLine
from tests.market import Market, levels, liquidation, rules, size, usd

ALICE, BOB, CAROL = 100, 101, 102
KEEP_PPB, OPEN_PPB = 50_000_000, 100_000_000


def share_up(rate_ppb: int, amount_q: int) -> int:
    return -(-rate_ppb * amount_q // PPB)


def value_q(position: Position) -> int:
    listing = position.listing
    return listing.instrument.position_value_q(position.qty_lots, listing.mark_ticks)


class NettedLine(PriceLine):
    """Equity and netted maintenance as one price moves; the others' value stands still."""

    def __init__(self, instrument: Instrument, listing: Listing, account: MarginAccount) -> None:
        moving = [each for each in account.positions if each.listing is listing]
        others_q = account.equity_q - sum(map(unrealised_q, moving))
        super().__init__(instrument, listing.model, others_q, 0)
        for each in moving:
            self.add_leg(each.qty_lots, each.entry_value_q, each.leverage)
        self._contract = instrument
        self._others_value_q = sum(
            value_q(each) for each in account.positions if each not in moving
        )

    def maintenance_q(self, price_ticks: int) -> int:
        own_q = self._contract.position_value_q(self.net_lots, price_ticks)
        return share_up(KEEP_PPB, abs(own_q + self._others_value_q))


class Netted(Requirement):
    """Margin of the net value of all positions; whole shares go to the largest of them."""

    def follows_notional(self) -> bool:
        return False

    def __init__(self, instruments: dict[int, Instrument]) -> None:
        self.instruments = instruments

    def evaluate(self, account: MarginAccount) -> None:
        account.equity_q = account.wallet_q + collateral_q(account)
        account.equity_q += sum(map(unrealised_q, account.positions))
        account.maintenance_q = share_up(KEEP_PPB, abs(self._net_q(account.positions)))

    @staticmethod
    def _net_q(positions: Iterable[Position]) -> int:
        return sum(map(value_q, positions))

    def initial_q(self, account: MarginAccount) -> int:
        return share_up(OPEN_PPB, abs(self._net_q(account.positions)))

    def with_orders_q(self, account: MarginAccount) -> int:
        held_q = self._net_q(account.positions)
        bought_q = sold_q = loss_q = 0
        for each in account.positions:
            instrument, mark_ticks = each.listing.instrument, each.listing.mark_ticks
            bought_q += instrument.position_value_q(each.buy_lots, mark_ticks)
            sold_q += instrument.position_value_q(each.sell_lots, mark_ticks)
            loss_q += open_loss_q(each, mark_ticks)
        worst_q = max(abs(held_q + bought_q), abs(held_q - sold_q))
        return share_up(OPEN_PPB, worst_q) + loss_q

    def with_orders_and_equity_q(
        self, account: MarginAccount, profit_counts: bool
    ) -> tuple[int, int]:
        self.evaluate(account)
        return self.with_orders_q(account), account.equity_q

    def share_q(self, position: Position) -> int:
        account = position.account
        self.evaluate(account)
        largest = max(account.positions, key=lambda each: abs(value_q(each)))
        return account.maintenance_q if position is largest else 0

    def initial_share_q(self, position: Position) -> int:
        largest = max(position.account.positions, key=lambda each: abs(value_q(each)))
        return self.with_orders_q(position.account) if position is largest else 0

    def initial_alone_q(self, position: Position) -> int:
        largest = max(position.account.positions, key=lambda each: abs(value_q(each)))
        return self.initial_q(position.account) if position is largest else 0

    def slope_bound_ppb(self, position: Position) -> int:
        return KEEP_PPB

    def jumps(self, position: Position) -> bool:
        return False

    def rate_bound_ppb(self, position: Position, low_ticks: int, high_ticks: int) -> int:
        return KEEP_PPB + 1_000

    def growing_lots(self, position: Position, lots: int) -> int:
        return lots

    def last_steady_ticks(self, position: Position, lots: int, edge_ticks: int) -> int:
        return edge_ticks

    def price_line(self, account: MarginAccount, listing: Listing) -> PriceLine:
        self.evaluate(account)
        return NettedLine(listing.instrument, listing, account)

    def left_q(
        self, contract: MarginedContract, facts: AccountFacts, position: PositionFacts, lots: int
    ) -> int:
        net_q = 0
        for each in facts.positions:
            held = each.qty_lots
            if each is position:
                held -= lots if held > 0 else -lots
            instrument = self.instruments[each.instrument_id]
            net_q += instrument.position_value_q(held, each.mark_ticks)
        return share_up(KEEP_PPB, abs(net_q))


def market(deposit: str = "60") -> Market:
    """Alice's account nets; Bob and Carol trade with her and have enough."""
    call = CallRule("maintenance", PPB)
    restore = liquidation(["reduce", "close", "fund", "socialise"], partial="restore")
    m = Market(
        rules(levels=levels(call="2", liquidate="1"), call=call, liquidation=restore), None, False
    )
    m.add("LONG")
    m.add("SHORT")
    m.open(ALICE, deposit=deposit)
    m.open(BOB, CAROL, deposit="100000")
    m.index("100", "LONG")
    m.index("100", "SHORT")
    core = m.exchange.risk.core
    contracts = m.exchange.liquidation._contracts
    netted = Netted({key: each.instrument for key, each in core.listings.items()})
    core.ledger.cross(core.ledger.traders[ALICE], 0).requirement = netted
    for contract in contracts.values():
        contract.requirement = netted
    return m


def spread() -> Market:
    """Long 10 LONG and short 10 SHORT at 100, opened in parts that 60 carry."""
    m = market()
    for _ in range(2):
        m.trade(ALICE, BOB, "5", "100", "LONG")
        m.trade(BOB, ALICE, "5", "100", "SHORT")
    return m


def check_levels(m: Market) -> None:
    """What the frontier let happen is what a look at everybody says, and who is nearest too."""
    core = m.exchange.risk.core
    accounts = [each for each in core.ledger.accounts.values() if not each.trader.is_house()]
    for account in accounts:
        if account.liquidation is None:
            evaluate(account)
            assert account.level == core.levels.level_of(account), account.margin_account_id
    bearing = [each for each in accounts if bears_risk(each)]
    assert core.nearest.find(1) == (len(bearing), [min(bearing, key=rank)])


def test_the_margin_check_asks_the_requirement() -> None:
    """Long 5 alone asks 50 of 60; long 10 would ask 100. Short 5 beside it asks nothing more."""
    m = market()
    m.trade(ALICE, BOB, "5", "100", "LONG")
    m.buy(ALICE, "5", "100", symbol="LONG")
    refusal = m.refusal()
    assert (refusal.reason, refusal.required_q) == (Reason.INSUFFICIENT_MARGIN, usd("100"))
    m.trade(BOB, ALICE, "5", "100", "SHORT")
    m.trade(ALICE, BOB, "5", "100", "LONG")
    assert m.pot(ALICE).initial_q == usd("50")


def test_prices_that_move_together_move_no_level_and_apart_the_frontier_sees_it() -> None:
    """Level 2 at LONG p: ``60 + 10 (p - 100) < 2 x 0.5 (100 - p)``, below 94.55; a level of the sum
    would have been missed long before."""
    m = spread()
    for price in ("103", "99", "94", "98"):
        m.index(price, "LONG")
        check_levels(m)
        m.index(price, "SHORT")
        check_levels(m)
    assert m.all(MarginLevelChanged) == []
    m.index("100", "SHORT")
    for price in ("97", "96", "95", "94.56", "94.55"):
        m.index(price, "LONG")
        check_levels(m)
        assert m.all(MarginCallIssued) == [], price
    m.index("94.54", "LONG")
    check_levels(m)
    assert m.only(MarginCallIssued).maintenance_q == usd("2.73")


def test_a_rise_of_the_short_alone_is_seen_too() -> None:
    """The mirror image: called above 105.45."""
    m = spread()
    for price in ("103", "105", "105.45"):
        m.index(price, "SHORT")
        check_levels(m)
        assert m.all(MarginCallIssued) == [], price
    m.index("105.46", "SHORT")
    check_levels(m)
    assert m.only(MarginCallIssued).maintenance_q == usd("2.73")


def test_bands_look_both_ways_where_a_loss_makes_the_net_larger() -> None:
    """LONG at 97.01 and SHORT at 102.60, each moved by less than half of the room: equity 4.10,
    and twice 5 % of 55.90 is 5.59."""
    m = spread()
    # The bands are placed as wide as they may be.
    m.deposit(ALICE, "1")
    m.withdraw(ALICE, "1")
    m.index("97.01", "LONG")
    check_levels(m)
    m.index("102.60", "SHORT")
    check_levels(m)
    assert m.only(MarginCallIssued).maintenance_q == usd("2.795")


def test_the_liquidation_price_shown_is_where_the_least_is_closed() -> None:
    """Long 10, short 2, with 100: ``100 + 10 (p - 100) < 0.05 (10 p - 200)`` below 93.6843. At
    93.68 equity is 36.80 and maintenance 36.84; with a lot less of LONG it is 36.79. By the sum
    over the positions, far more would have to be sold."""
    m = market("100")
    for _ in range(2):
        m.trade(ALICE, BOB, "5", "100", "LONG")
        m.trade(BOB, ALICE, "1", "100", "SHORT")
    assert m.held(ALICE, "LONG").liquidation_ticks == 93_68
    m.index("93.69", "LONG")
    check_levels(m)
    m.buy(BOB, "10", "93.68", symbol="LONG")
    assert m.all(LiquidationStarted) == []
    m.index("93.68", "LONG")
    check_levels(m)
    ended = m.only(LiquidationEnded)
    assert (ended.equity_before_q, ended.outcome) == (usd("36.8"), "restored")
    assert m.lots(ALICE, "LONG") == size("9.99")
    assert m.pot(ALICE).maintenance_q == usd("36.79316")
