"""What cured a call, counted a second time from outside: by looking at the account before and after
each act of its owner, at the marks of the moment, and never at the call itself."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.commands import GTC, IOC, CancelAll
from engine.events import MarginCallEnded, MarginCallIssued
from engine.units import SECOND_NS
from risk.accounts import cross_account_id, isolated_account_id
from risk.rulebook import CallRule
from tests.market import Market, collateral, levels, liquidation, ppb, rules, size

ALICE, BOB, CAROL = 100, 101, 102
FACTOR = 2
"""Times maintenance: what a call asks for here."""

amounts = st.integers(1, 60).map(lambda dollars: f"{dollars}.37")
lots = st.integers(1, 400).map(lambda hundredths: f"{hundredths / 100:.2f}")
ticks = st.integers(-60, 60)
ACTS = st.one_of(
    st.tuples(st.just("deposit"), amounts),
    st.tuples(st.just("coins"), st.integers(1, 9).map(lambda n: f"0.000{n}")),
    st.tuples(st.just("withdraw"), amounts),
    st.tuples(st.just("adjust"), amounts),
    st.tuples(st.just("adjust"), amounts.map(lambda amount: f"-{amount}")),
    st.tuples(st.just("sell"), lots),
    st.tuples(st.just("sell"), lots),
    st.tuples(st.just("buy"), lots),
    st.tuples(st.just("move"), ticks),
    st.tuples(st.just("move"), ticks),
    st.tuples(st.just("move"), st.integers(-200, 300)),
    st.tuples(st.just("coin price"), st.integers(40_000, 60_000).map(str)),
    st.tuples(st.just("wait"), st.sampled_from(["5", "20"])),
)
PAYMENTS = ("deposit", "coins", "withdraw", "adjust")
TRADES = ("sell", "buy")


class Recount:
    """Alice's pot of one contract, and what she did since its open call."""

    def __init__(self, ends: str, isolated: bool) -> None:
        self.ends = ends
        self.m = Market(
            rules(
                levels=levels(call="1.5", liquidate="1"),
                call=CallRule(
                    buffer_ppb=ppb("1"), grace_ns=60 * SECOND_NS, on_expiry="liquidate", ends=ends
                ),
                liquidation=liquidation(partial="restore", restore_buffer_ppb=ppb("0.1")),
                collateral=collateral(BTC="0.1"),
            )
        )
        self.isolated = isolated
        self.pot = isolated_account_id(ALICE, 0, 0) if isolated else cross_account_id(ALICE, 0)
        self.ticks = 10_000
        m = self.m
        m.asset_price("50000")
        m.open(ALICE, deposit="800" if isolated else "100")
        m.deposit(ALICE, "0.0010", "BTC")
        m.open(BOB, CAROL, deposit="1000000")
        m.index("100")
        if isolated:
            m.isolate(ALICE)
        m.trade(ALICE, BOB, "10", "100")
        self.paid_q = self.reduced_q = 0
        self.called = False
        self.ended: list[MarginCallEnded] = []

    def missing_q(self) -> int:
        equity_q, maintenance_q, _ = self.m.exchange.margin_figures(self.pot)
        return FACTOR * maintenance_q - equity_q

    def wallet_q(self) -> int:
        return self.m.exchange.risk.core.ledger.accounts[self.pot].wallet_q

    def act(self, what: str, value: Any) -> None:
        m = self.m
        if what == "sell" and size(value) > m.lots(ALICE):
            # A fill that turns an isolated position moves margin both ways, which no look from
            # outside tells apart.
            return
        if what == "deposit":
            m.deposit(ALICE, value)
        elif what == "coins":
            m.deposit(ALICE, value, "BTC")
        elif what == "withdraw":
            m.withdraw(ALICE, value)
        elif what == "adjust":
            m.adjust(ALICE, value)
        elif what == "sell":
            m.buy(BOB, value, self.price(-3), tif=GTC)
            m.sell(ALICE, value, self.price(-3), tif=IOC)
            m.send(CancelAll(m.now_ns, BOB))
        elif what == "buy":
            m.sell(BOB, value, self.price(2), tif=GTC)
            m.buy(ALICE, value, self.price(2), tif=IOC)
            m.send(CancelAll(m.now_ns, BOB))
        elif what == "coin price":
            m.asset_price(value)
        elif what == "wait":
            m.wait(value)
        else:
            self.ticks = max(8_500, min(self.ticks + value, 10_500))
            # Somebody for liquidations to sell to.
            m.send(CancelAll(m.now_ns, CAROL))
            m.buy(CAROL, "100", self.price(-5))
            m.index(self.price(0))

    def price(self, away: int) -> str:
        return f"{(self.ticks + away) / 100:.2f}"

    def step(self, what: str, value: Any) -> None:
        m = self.m
        m.forget()
        before_q, wallet_q = self.missing_q(), self.wallet_q()
        open_before = self.called
        self.act(what, value)
        locked = m.exchange.risk.core.ledger.accounts[self.pot].liquidation is not None
        if open_before and not locked:
            won_q = before_q - self.missing_q()
            if what in PAYMENTS:
                self.paid_q += won_q
            elif what in TRADES:
                # A pot gets margin from the cross account when an isolated position grows.
                brought_q = max(0, self.wallet_q() - wallet_q) if self.isolated else 0
                brought_q = brought_q if what == "buy" else 0
                self.paid_q += brought_q
                self.reduced_q += won_q - brought_q
        for event in m.events:
            if isinstance(event, MarginCallIssued) and event.margin_account_id == self.pot:
                self.called, self.paid_q, self.reduced_q = True, 0, 0
            elif isinstance(event, MarginCallEnded) and event.margin_account_id == self.pot:
                self.called = False
                self.ended.append(event)
                self.compare(event)

    def compare(self, event: MarginCallEnded) -> None:
        if event.outcome != "cured":
            assert event.cured_by == ""
            return
        assert (event.paid_q, event.reduced_q) == (self.paid_q, self.reduced_q)
        words = {
            (True, True): "both",
            (True, False): "deposit",
            (False, True): "reduction",
            (False, False): "price",
        }
        assert event.cured_by == words[self.paid_q > 0, self.reduced_q > 0]


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("ends", ["level", "met"])
@settings(max_examples=60, deadline=None)
@given(acts=st.lists(ACTS, min_size=5, max_size=25), fall=st.integers(500, 800))
def test_a_cure_names_what_its_owner_did(
    ends: str, isolated: bool, acts: list[tuple[str, Any]], fall: int
) -> None:
    """Every invariant is checked after every command, also that whoever is in the call band has a
    call and that no open call is over."""
    recount = Recount(ends, isolated)
    recount.step("move", -fall)
    for what, value in acts:
        recount.step(what, value)
    call = recount.m.exchange.risk.core.ledger.accounts[recount.pot].call
    assert (call is not None) == recount.called
    if call is not None:
        assert (call.paid_q, call.reduced_q) == (recount.paid_q, recount.reduced_q)
        if ends == "met":
            assert recount.paid_q + recount.reduced_q < call.amount_q
