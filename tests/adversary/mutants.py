"""Fixes taken out, one at a time: what the adversary must find.

``python -m tests.adversary.mutants`` hunts them all.

A mutant replaces one function of the engine by what it would be without the rule it holds. Only in
plain Python: compiled classes cannot be changed.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from random import Random
from time import monotonic
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from engine.commands import MAX_TICKS, SubmitOrder
from engine.units import magnitude
from risk.check.pretrade import OK, PASSED, Verdict
from tests.adversary.arena import SHIPPED, random_setting
from tests.adversary.plan import Broken, Plan, play
from tests.adversary.watch import INVARIANT

Replacement = Callable[[Any], Any]
"""Makes the function without the rule from the one with it."""

PACKAGES = ("matching", "risk")


@dataclass(frozen=True)
class Mutant:
    """``place`` is ``module:function`` or ``module:Class.method``. The motifs find it soonest: any
    of them; with a plus one after the other."""

    name: str
    place: str
    without: Replacement
    motifs: tuple[str, ...]
    scripts: str = ""
    rulebooks: tuple[str, ...] = SHIPPED
    seed: int = 1


def always(value: Any) -> Replacement:
    """Answer the same whatever is asked."""
    return lambda original: lambda *args, **kwargs: value


def _accept_closing(original: Any) -> Any:
    def check(self: Any, order: Any, value_q: int, notional_q: int, is_market: bool) -> Verdict:
        return PASSED

    return check


def _passed_if_short(original: Any) -> Any:
    """A check that fails only for other reasons than margin."""

    def check(*args: Any, **kwargs: Any) -> Verdict:
        verdict: Verdict = original(*args, **kwargs)
        return verdict if verdict.reason == OK else Verdict(OK, 0, 0)

    return check


def _to_the_edge(original: Any) -> Any:
    def reach(self: Any, order: Any, edge_ticks: int, passed: Verdict) -> None:
        order.price_ticks = edge_ticks

    return reach


def _margin_of_the_fill(original: Any) -> Any:
    """An opening fill brings the margin of its own lots, and no loss."""

    def feed(self: Any, position: Any, held_lots: int, before_q: int, present_q: int) -> None:
        opened = magnitude(position.qty_lots) - magnitude(held_lots)
        if opened <= 0:
            original(self, position, held_lots, before_q, present_q)
            return
        listing = position.listing
        notional_q = listing.instrument.notional_q(opened, listing.mark_ticks)
        need_q = listing.model.initial_q(opened, notional_q, notional_q, position.leverage)
        core = self._core
        cross = core.cross_of(position.account)
        move = sys.modules["risk.levels.watch"].move_collateral
        move(core.ledger, cross, position.account, max(0, min(need_q, cross.wallet_q)))

    return feed


def _slipped_only(original: Any) -> Any:
    def limit(instrument: Any, facts: Any, position: Any, rule: Any) -> int:
        found: int = sys.modules["risk.liquidation.limits"].slipped_ticks(
            position, rule.slippage_ppb
        )
        return found

    return limit


def _house_slipped_only(original: Any) -> Any:
    def limit(instrument: Any, position: Any, rule: Any) -> int:
        found: int = sys.modules["risk.liquidation.limits"].slipped_ticks(
            position, rule.disposal_slippage_ppb
        )
        return found

    return limit


def _plain(original: Any) -> Any:
    """The order of a trigger without its being reduce-only."""

    def order_of(terms: Any, time_ns: int, qty_lots: int) -> SubmitOrder:
        order: SubmitOrder = original(terms, time_ns, qty_lots)
        return replace(order, reduce_only=False)

    return order_of


def _any_lots(original: Any) -> Any:
    def tradable(self: Any, book_side: Any, slot: int, lots: int) -> int:
        return lots

    return tradable


def _positions_only(original: Any) -> Any:
    """A withdrawal that forgets what open orders need."""

    def spare_q(self: Any, account: Any) -> int:
        held = (account.held_q, [])
        orders = account.trader.oldest_order
        account.trader.oldest_order = None
        lots = [(position, position.buy_lots, position.sell_lots) for position in account.positions]
        account.held_q = 0
        for position, _, _ in lots:
            position.buy_lots = position.sell_lots = 0
        found: int = original(self, account)
        for position, buys, sells in lots:
            position.buy_lots, position.sell_lots = buys, sells
        account.held_q = held[0]
        account.trader.oldest_order = orders
        return found

    return spare_q


def _full_fee(original: Any) -> Any:
    """The fee of a closing fill is charged whatever is left."""

    def charge(
        self: Any,
        order: Any,
        value_q: int,
        is_maker: bool,
        closes: bool,
        most_q: int,
        opened_q: int,
        *more_q: int,
    ) -> int:
        if order.liquidation or order.position.account.trader.is_house():
            return int(original(self, order, value_q, is_maker, closes, most_q, opened_q, *more_q))
        core = self._core
        fees = order.position.listing.fees
        cross = core.cross_of(order.position.account)
        fee_q = int(fees.of_fill(magnitude(value_q), opened_q, order.side, is_maker))
        core.ledger.pay_fee(cross, fee_q)
        return fee_q

    return charge


def _both_sides(original: Any) -> Any:
    """Isolated orders of both sides are held for together."""

    def need_q(position: Any, more_loss_q: int = 0, more_q: int = 0) -> int:
        total_q = int(original(position, more_loss_q, more_q))
        listing = position.listing
        lots = min(position.buy_lots, position.sell_lots)
        if lots and not position.qty_lots:
            notional_q = listing.instrument.notional_q(lots, listing.mark_ticks)
            total_q += listing.model.initial_q(lots, notional_q, notional_q, position.leverage)
        return total_q

    return need_q


def _no_pulls(original: Any) -> Any:
    """The orders of an account wait for the waterfall to cancel them."""

    def start(self: Any, account: Any, call_expired: bool) -> None:
        with patch.object(type(self._core), "pull", lambda *args: None):
            original(self, account, call_expired)

    return start


def _entry_as_it_is(original: Any) -> Any:
    """A short that is turned is margined by what the short was sold for."""

    def side_q(position: Any, more_lots: int, value_q: int, mark_ticks: int) -> int:
        if position.qty_lots >= 0 or position.qty_lots + more_lots <= 0:
            return int(original(position, more_lots, value_q, mark_ticks))
        listing = position.listing
        lots = position.qty_lots + more_lots
        notional_q = listing.instrument.notional_q(lots, mark_ticks)
        entry_q = magnitude(position.entry_value_q)
        return int(listing.model.initial_q(lots, notional_q, entry_q, position.leverage))

    return side_q


MUTANTS = (
    Mutant(
        "a closing order is not checked",
        "risk.entry.orders:Orders._check_closing",
        _accept_closing,
        ("close_far", "rest_a_close_far"),
        "21",
        seed=2,
    ),
    Mutant(
        "orders are not covered again",
        "risk.cover.cover:keep_covered",
        always(None),
        ("vanished_position", "mark_passes_order", "close_behind_resting"),
        "01 31",
        seed=10,
    ),
    Mutant(
        "a market order may go to the edge of the band",
        "risk.entry.orders:Orders._reach",
        _to_the_edge,
        ("market_into_far",),
        "03",
    ),
    Mutant(
        "an order's open loss is not counted",
        "risk.health:order_loss_q",
        always(0),
        ("open_far", "close_far", "market_into_far"),
        "22 37",
    ),
    Mutant(
        "an isolated fill brings the margin of its own lots only",
        "risk.entry.settlement:Settlement._feed_isolated",
        _margin_of_the_fill,
        ("slices", "open_far"),
        "22 39",
    ),
    Mutant(
        "a reduce-only order trades all its lots",
        "matching.book:Book._tradable",
        _any_lots,
        ("reduce_only_overlap", "several_closes"),
        "23",
        seed=7,
    ),
    Mutant(
        "a liquidation order goes as far as the slippage",
        "risk.liquidation.limits:liquidation_limit_ticks",
        _slipped_only,
        ("provoke_liquidation",),
        "33",
        ("hyperliquid", "deribit-linear", "kraken-spot"),
        seed=5,
    ),
    Mutant(
        "the house sells at its slippage whatever it gave",
        "risk.liquidation.limits:house_limit_ticks",
        _house_slipped_only,
        ("provoke_liquidation+bid_for_the_house",),
        "",
        ("deribit-linear", "kraken-spot", "teaching-default"),
        seed=4,
    ),
    Mutant(
        "the fee of a close makes a debt",
        "risk.entry.settlement:Settlement._charge",
        _full_fee,
        ("fee_of_the_last", "close_far"),
        seed=12,
    ),
    Mutant(
        "an isolated order is not checked",
        "risk.check.pretrade:check_isolated_margin",
        _passed_if_short,
        ("stacked", "slices"),
        seed=3,
    ),
    Mutant(
        "a cross order is not checked",
        "risk.check.pretrade:check_cross_margin",
        _passed_if_short,
        ("stacked", "slices"),
        seed=3,
    ),
    Mutant(
        "a withdrawal forgets the open orders",
        "risk.entry.transfers:Transfers._spare_q",
        _positions_only,
        ("withdraw_between",),
        seed=10,
    ),
    Mutant(
        "margin leaves a pot unasked",
        "risk.entry.transfers:Transfers._check_adjust",
        always(PASSED),
        ("margin_out_between",),
        seed=8,
    ),
    Mutant(
        "an amendment is not checked",
        "risk.entry.orders:Orders._recheck",
        always(PASSED),
        ("amend_dear", "enlarge_after_fill"),
    ),
    Mutant(
        "isolated orders of both sides are held for together",
        "risk.health:pot_need_q",
        _both_sides,
        ("stacked", "own_orders_meet"),
        "14",
        seed=6,
    ),
    Mutant(
        "any price is inside the band of a closing market order",
        "risk.check.pretrade:worst_paid_ticks",
        lambda original: lambda position, side, *rest: MAX_TICKS if side > 0 else 1,
        ("close_far", "market_into_far"),
    ),
    Mutant(
        "a lower leverage is not checked",
        "risk.entry.transfers:Transfers._leverage_need_q",
        always((0, 0)),
        ("leverage_of_position", "leverage_after_order"),
        seed=2,
    ),
    Mutant(
        "orders of an account in liquidation wait to be cancelled",
        "risk.levels.watch:MarginWatch.start_liquidation",
        _no_pulls,
        ("fall_together",),
        seed=7,
    ),
    Mutant(
        "a turned short is margined by its entry",
        "risk.requirement:_side_initial_q",
        _entry_as_it_is,
        ("flip", "stacked"),
        "",
        ("kraken-spot",),
    ),
    Mutant(
        "a withdrawal forgets unrealised losses",
        "risk.entry.transfers:Transfers._base_q",
        lambda original: lambda self, account: account.wallet_q,
        ("open_far", "margin_out_between", "profit_out"),
        seed=2,
    ),
    Mutant(
        "a close of the whole position may open",
        "risk.entry.triggers:_order_of",
        _plain,
        ("closes_by_trigger", "stops_at_a_liquidation"),
    ),
)


@contextmanager
def without(mutant: Mutant) -> Iterator[None]:
    """The engine without a rule. The engine's own invariants of that rule are off too: what is
    found is found by what it costs others."""
    module_name, _, path = mutant.place.partition(":")
    owner: Any = import_module(module_name)
    *classes, name = path.split(".")
    for part in classes:
        owner = getattr(owner, part)
    original = getattr(owner, name)
    replacement = mutant.without(original)
    with ExitStack() as stack:
        stack.enter_context(patch.object(owner, name, replacement))
        if not classes:
            for imported in _holders(name, original):
                stack.enter_context(patch.object(imported, name, replacement))
        yield


def _holders(name: str, value: Any) -> list[Any]:
    """Modules of the core that imported a function by name."""
    return [
        module
        for key, module in list(sys.modules.items())
        if key.partition(".")[0] in PACKAGES and getattr(module, name, None) is value
    ]


def hunt(mutant: Mutant, plans: int) -> tuple[Broken | None, int]:
    """Play the mutant's motifs until something is found; also how many plans that took.

    Invariants of the engine do not count.
    """
    rng = Random(mutant.seed)
    with without(mutant):
        for played in range(1, plans + 1):
            setting = random_setting(rng, mutant.rulebooks)
            motifs = tuple(rng.choice(mutant.motifs).split("+"))
            try:
                play(Plan(setting, motifs, rng.randrange(2**32)))
            except Broken as broken:
                if broken.kind != INVARIANT:
                    return broken, played
    return None, plans


def main() -> int:
    """Hunt every mutant and say what was found; 1 if one was not."""
    missed = 0
    for mutant in MUTANTS:
        begun = monotonic()
        broken, played = hunt(mutant, 2_000)
        found = "NOT FOUND" if broken is None else broken.kind
        missed += broken is None
        print(
            f"{mutant.name:56} {found:48} {played:5} plans {monotonic() - begun:6.1f} s", flush=True
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
